"""Sound over SSH, by the very lines that the doctor prints: what is said in a room is heard where the person sits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.interop import sshd
from tests.interop.sshd import SecureShell, secure_shell
from tests.pseudo_terminal import PseudoTerminal
from tests.sound import SoundServer, loudest_frequency, missing, private_pulseaudio, unbroken_second
from tests.waiting import block_until
from tui.core.conference import Conference
from tui.core.events import CallState
from tui.media.generated import TestTone
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Iterator

_MISSING = missing() or sshd.missing()
pytestmark = [
    pytest.mark.pty,
    pytest.mark.sound,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(_MISSING), reason=_MISSING),
]

_SECONDS = 4.0
_PIECES = 10


@pytest.fixture
def person() -> Iterator[SoundServer]:
    """Where the person sits."""
    with tempfile.TemporaryDirectory() as folder, private_pulseaudio(Path(folder)) as server:
        yield server


@pytest.fixture
def host() -> Iterator[SecureShell]:
    """The machine that the person logs in to."""
    with tempfile.TemporaryDirectory() as folder, secure_shell(Path(folder)) as shell:
        yield shell


def report(host: SecureShell, environment: str = "") -> tuple[int, dict[str, Any]]:
    """What the doctor says in a session on the host: exit code, and findings by name."""
    told = host.run(f"{environment} {shlex.quote(str(host.bin / 'antconf'))} doctor --json")
    assert told.stderr == ""
    return told.returncode, {finding["name"]: finding for finding in json.loads(told.stdout)["checks"]}


def advice(host: SecureShell) -> tuple[str, str, list[str]]:
    """What to paste: to make room for the socket and to connect from Linux with PulseAudio, and in the session."""
    _, findings = report(host)
    assert findings["session"]["text"] == "over SSH"
    steps = findings["sound server"]["fix"]
    assert steps[2]["purpose"].startswith("Or on Linux with PulseAudio")
    (room,), connect, session = (steps[index]["lines"] for index in (0, 2, 5))
    return room, "\n".join(connect), session


@contextlib.contextmanager
def logged_in(person: SoundServer, host: SecureShell) -> Iterator[PseudoTerminal]:
    """The person's terminal, with the lines pasted up to the session on the host."""
    room, connect, _ = advice(host)
    environment = person.environment | {"PATH": f"{host.bin}{os.pathsep}{os.environ['PATH']}"}
    with PseudoTerminal(["sh", "-c", f"{room}\n{connect}"], environment=environment) as terminal:
        prompts = ("#", "$", "%", ">")
        terminal.until(lambda: terminal.text.rstrip().endswith(prompts), "a prompt")
        yield terminal


def gaps(sound: np.ndarray[Any, np.dtype[np.float64]]) -> int:
    """How many of the hundredths of a second are silent."""
    return int((np.abs(sound).reshape(-1, 480).max(axis=1) < 0.05).sum())


async def test_sound_comes_out_where_the_person_sits(person: SoundServer, host: SecureShell) -> None:
    _, _, session = await asyncio.to_thread(advice, host)
    async with RoomServer() as server:
        speaker = Conference(server.url, "room1", "speaker", lambda event: None, audio=TestTone(660.0))
        await speaker.join()
        assert speaker.state is CallState.JOINED
        with logged_in(person, host) as terminal:
            terminal.press(f"export PATH={host.bin}:$PATH\n")
            for line in session:
                terminal.press(f"{line}\n")
            await asyncio.to_thread(terminal.shows, "sound goes to the forwarded server")
            await asyncio.to_thread(terminal.shows, "default plays")
            terminal.press(f"clear; antconf join {server.url} room1 --play-only; exit\n")
            with person.recording() as recording:
                await asyncio.to_thread(unbroken_second, recording)
                counted = []
                # On a machine that is busy with other tests one piece may be torn, not every one.
                for _ in range(_PIECES):
                    sound = await asyncio.to_thread(recording.read, _SECONDS)
                    assert loudest_frequency(sound) == pytest.approx(660.0, abs=2.0)
                    counted.append(gaps(sound))
                    if counted[-1] == 0:
                        break
            assert counted[-1] == 0, f"hundredths of a second silent in each {_SECONDS} s: {counted}"
            terminal.press("q")
            assert await asyncio.to_thread(terminal.exit_code) == 0
        await speaker.aclose()


def test_the_socket_is_for_its_user_alone(person: SoundServer, host: SecureShell) -> None:
    # What a session that broke off has left is in the way of nothing.
    for _ in range(2):
        with logged_in(person, host) as terminal:
            terminal.press("stat -c 'mode %a' $XDG_RUNTIME_DIR/* $XDG_RUNTIME_DIR\n")
            terminal.shows("mode 600")
            terminal.shows("mode 700")


def test_a_forwarding_that_has_ended_is_named(person: SoundServer, host: SecureShell) -> None:
    with logged_in(person, host):
        address = f"unix:{host.runtime}/antconf-pulse.sock"
        # Without the line about shared memory.
        _, findings = report(host, f"PULSE_SERVER={address}")
        assert findings["sound server"]["state"] == "problem"
        fix = findings["sound server"]["fix"][0]
        assert fix["lines"], findings["sound server"]
        assert "enable-shm = no" in fix["lines"][0]

    def is_named() -> bool:
        """The host needs a moment to take the forwarding down."""
        code, findings = report(host, f"PULSE_SERVER={address}")
        steps = findings["sound server"].get("fix") or [{"purpose": ""}]
        failed = (code, findings["output"]["state"]) == (7, "problem")
        return failed and "connect anew" in steps[0]["purpose"]

    block_until(is_named, "the end of the forwarding")
