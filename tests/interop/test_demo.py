"""``antconf demo`` as a person uses it: in a real terminal, with keys, over real WebRTC."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.pty

NAMES = ("Bruno", "Rosa", "Robo", "Momo")


@pytest.fixture
def demo() -> Iterator[PseudoTerminal]:
    with PseudoTerminal([sys.executable, "-m", "tui", "demo", "--name", "Tester"]) as terminal:
        yield terminal


def children(pid: int) -> list[int]:
    """The processes that this one has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pictures(terminal: PseudoTerminal) -> set[tuple[str, str]]:
    """The colours of all block elements on the screen."""
    return {(fg, bg) for row in terminal.cells for glyph, fg, bg in row if "▀" <= glyph <= "▟"}


def all_there(terminal: PseudoTerminal) -> bool:
    return all(terminal.text.count(name) >= 2 for name in NAMES) and len(pictures(terminal)) > 40


def test_demo_from_start_to_quit(demo: PseudoTerminal) -> None:
    """Tiles that move, names, who is talking, leave and join again by key, quit with nothing left running."""
    demo.until(lambda: all_there(demo), "four names and their pictures")
    before = demo.cells
    demo.until(lambda: sum(now != then for now, then in zip(demo.cells, before, strict=True)) > 5, "pictures that move")
    demo.shows("● talking")
    callbacks = ("subtrack", "data_received", "streamInformation")
    demo.until(lambda: any(name in demo.text for name in callbacks), "callbacks in the log")

    demo.press("j")
    demo.shows("not in a room")
    demo.until(lambda: not pictures(demo), "an empty grid")
    demo.press("j")
    demo.until(lambda: all_there(demo), "the room again")

    room = children(demo.pid)
    assert room
    demo.press("q")
    assert demo.exit_code() == 0
    assert b"\x1b[?1049l" in demo.received
    assert b"\x1b[?25h" in demo.received
    assert not any(alive(child) for child in room)


def test_a_terminal_that_stalls_does_not_disturb_the_call(demo: PseudoTerminal) -> None:
    """Nothing is read for 20 s, as on a stalled SSH link: the call goes on, and the screen follows when it can."""
    demo.until(lambda: all_there(demo), "four names and their pictures")
    demo.reading.clear()
    time.sleep(20)
    demo.reading.set()
    before = len(demo.received)
    demo.until(lambda: len(demo.received) > before + 100_000, "the screen that follows")
    demo.press("l")
    demo.press("\x1b[H")
    demo.until(lambda: all_there(demo), "four names and their pictures")
    assert "● joined" in demo.text
    demo.press("q")
    assert demo.exit_code() == 0
    everything = demo.received.decode(errors="replace")
    assert "reconnect" not in everything
    assert "failed" not in everything


def test_demo_ends_with_its_terminal(demo: PseudoTerminal) -> None:
    """SIGHUP: the room is left and its process does not outlive it."""
    demo.until(lambda: all_there(demo), "four names and their pictures")
    room = children(demo.pid)
    assert room
    demo.signal(signal.SIGHUP)
    assert demo.exit_code() == 129
    assert not any(alive(child) for child in room)


def test_demo_room_ends_when_the_program_is_killed(demo: PseudoTerminal) -> None:
    """SIGKILL gives no time to clean up; the room notices by itself."""
    demo.shows("Bruno")
    room = children(demo.pid)
    assert room
    demo.signal(signal.SIGKILL)
    demo.exit_code()
    demo.until(lambda: not any(alive(child) for child in room), "the end of the room's process")
