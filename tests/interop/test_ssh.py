"""The whole way of a person who logs in: a real ``sshd``, a terminal, keys; seen by somebody else in the room."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.interop import sshd
from tests.interop.person import LOOKS, Person, people
from tests.interop.sshd import SecureShell, secure_shell
from tests.pseudo_terminal import PseudoTerminal
from tests.waiting import block_until, until
from tui.core.events import ChatMessage
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.interop,
    pytest.mark.pty,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(sshd.missing()), reason=sshd.missing()),
]

PITCH = 440.0
"""Of the test sound."""


@pytest.fixture
def host() -> Iterator[SecureShell]:
    # Not pytest's own folder: a socket's path must be short.
    with tempfile.TemporaryDirectory() as folder, secure_shell(Path(folder)) as shell:
        yield shell


@contextlib.contextmanager
def logged_in(host: SecureShell, url: str) -> Iterator[PseudoTerminal]:
    """A terminal from which somebody has joined the room over SSH."""
    options = "--name Kim --stream-id kim --source test --speaker none"
    command = [str(host.bin / "ssh"), "-tt", "-p", str(host.port), "127.0.0.1"]
    with PseudoTerminal([*command, f"LANG=C.UTF-8 {host.bin}/antconf join {url} room1 {options}"]) as terminal:
        yield terminal


async def test_join_be_seen_talk_chat_leave_and_come_back(host: SecureShell) -> None:
    async with RoomServer() as server, people(server, "bob") as (bob,):
        with logged_in(host, server.url) as terminal:
            kim = await _arrived(bob)
            await asyncio.to_thread(terminal.shows, "● joined")
            await asyncio.to_thread(terminal.shows, "Bob")
            await bob.hears(kim, PITCH)
            await asyncio.to_thread(_coloured, terminal)

            terminal.press("m")
            await asyncio.to_thread(terminal.shows, "muted")
            await until(lambda: (about := bob.about(kim)) is not None and not about.microphone, what="muted")
            await bob.hears(kim, 0)
            terminal.press("m")
            await until(lambda: (about := bob.about(kim)) is not None and about.microphone, what="not muted")
            await bob.hears(kim, PITCH)

            terminal.press("c")
            terminal.press("Hello from here\r")
            await until(lambda: "Hello from here" in _said(bob), what="the chat at the other end")
            assert bob.conference.say("Hello back")
            await asyncio.to_thread(terminal.shows, "Hello back")
            terminal.press("\x1b")
            # Together the two would be another key.
            await asyncio.to_thread(terminal.shows, "Leave")

            terminal.press("j")
            await asyncio.to_thread(terminal.shows, "not in a room")
            await until(lambda: bob.about(kim) is None, what="an empty place")
            terminal.press("j")
            await _arrived(bob)
            await asyncio.to_thread(terminal.shows, "● joined")
            terminal.press("q")
            assert await asyncio.to_thread(terminal.exit_code) == 0
            await until(lambda: bob.about(kim) is None, what="an empty place")


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGKILL])
async def test_who_hangs_up_has_left(host: SecureShell, ending: signal.Signals) -> None:
    async with RoomServer() as server, people(server, "bob") as (bob,):
        with logged_in(host, server.url) as terminal:
            kim = await _arrived(bob)
            await asyncio.to_thread(terminal.shows, "● joined")
            # The client at the person's end goes, as when a lid is closed.
            terminal.signal(ending)
            await until(lambda: bob.about(kim) is None, timeout=20, what="an empty place")
        await asyncio.to_thread(block_until, lambda: not _running(host), "the end of the program")


class _Kim:
    stream_id = "kim"


async def _arrived(bob: Person) -> _Kim:
    await until(lambda: bob.about(_Kim()) is not None, timeout=40, what="somebody new")
    return _Kim()


def _said(person: Person) -> list[str]:
    return [event.text for event in person.events if isinstance(event, ChatMessage)]


def _coloured(terminal: PseudoTerminal) -> None:
    """Bob's picture is there, of Bob's colour."""
    terminal.until(lambda: terminal.cells_of(LOOKS["bob"][0]) > 40, "Bob's colour")


def _running(host: SecureShell) -> bool:
    # The brackets keep it from finding itself.
    return host.run("pgrep -f '[t]ui join .*--stream-id kim'").returncode == 0
