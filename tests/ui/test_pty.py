"""The app in a real pseudo-terminal: how it starts, ends, and leaves the terminal behind."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.pty

RESTORED = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?2004l")


class Terminal(PseudoTerminal):
    """The app with a scripted session in a terminal of so many cells."""

    def __init__(self, report: Path, *wishes: str, size: tuple[int, int] = (100, 30), **environ: str) -> None:
        command = [sys.executable, "-m", "tests.ui.pty_app", str(report), *wishes]
        columns, rows = size
        super().__init__(
            command, columns=columns, rows=rows, environment={"PYTHONUTF8": "1", "COLORTERM": "", **environ}
        )
        self.report = report

    @property
    def written(self) -> str:
        """Everything that came from the program."""
        return self.received.decode(errors="replace")

    def sessions(self) -> list[dict[str, Any]]:
        """What the scripted sessions saw."""
        told: list[dict[str, Any]] = json.loads(self.report.read_text())
        return told


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def one(*wishes: str, **named: Any) -> Terminal:
        terminals.append(Terminal(tmp_path / "report.json", *wishes, **named))
        return terminals[-1]

    yield one
    for terminal in terminals:
        terminal.close()


def test_it_starts_draws_and_quits(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.shows("● joined")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert all(sequence in terminal.written for sequence in RESTORED)
    assert terminal.sessions()[0]["left"] == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_leaves_and_restores(start: Callable[..., Terminal], number: signal.Signals, code: int) -> None:
    terminal = start()
    terminal.shows("joined")
    terminal.signal(number)
    assert terminal.exit_code() == code
    assert all(sequence in terminal.written for sequence in RESTORED)
    assert (terminal.sessions()[0]["left"], terminal.sessions()[0]["closed"]) == (1, 1)


def test_quit_restores_at_once_and_notes_what_every_thread_does(start: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = start("hang")
    terminal.shows("joined")
    terminal.signal(signal.SIGQUIT)
    assert terminal.exit_code() == 131
    assert all(sequence in terminal.written for sequence in RESTORED)
    assert "most recent call first" in (tmp_path / "report.log").read_text()


def test_other_signals_end_nothing(start: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = start()
    terminal.shows("joined")
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE):
        terminal.signal(number)
    log = tmp_path / "report.log"
    terminal.until(lambda: "most recent call first" in log.read_text(), "the stacks in the log")
    terminal.press("q")
    assert terminal.exit_code() == 0


def test_a_second_signal_does_not_wait(start: Callable[..., Terminal]) -> None:
    terminal = start("hang")
    terminal.shows("joined")
    terminal.signal(signal.SIGTERM)
    terminal.shows("leave hangs")
    terminal.signal(signal.SIGTERM)
    began = time.monotonic()
    assert terminal.exit_code() == 143
    assert time.monotonic() - began < 1.5
    assert all(sequence in terminal.written for sequence in RESTORED[:2])


@pytest.mark.parametrize("ignored", [False, True])
def test_a_terminal_that_is_gone_ends_it(start: Callable[..., Terminal], ignored: bool, tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN) if ignored else None
    try:
        terminal = start()
    finally:
        if ignored:
            signal.signal(signal.SIGHUP, before)
    terminal.shows("joined")
    terminal.hang_up()
    assert terminal.exit_code() == 129
    assert terminal.sessions()[0]["left"] == 1


def test_a_hostile_name_sends_no_escape_of_its_own(start: Callable[..., Terminal]) -> None:
    terminal = start("hostile")
    terminal.shows("owned")
    terminal.press("q")
    assert terminal.exit_code() == 0
    # The shape of the mouse pointer is Textual's own.
    written = re.sub(r"\x1b\]22;[a-z-]*\x07", "", terminal.written)
    for sequence in ("\x1b]", "\x9b", "\x07", "\u202e", "\x00"):
        assert sequence not in written


def test_a_storm_of_sizes_leaves_a_whole_screen_and_what_was_selected(start: Callable[..., Terminal]) -> None:
    terminal = start()
    terminal.shows("● joined")
    terminal.press("\x1b[B" * 2)
    terminal.shows("▸ Carol")
    for number in range(24):
        terminal.resize(*((20, 5), (300, 80), (60, 16), (79, 24), (1, 1), (132, 43))[number % 6])
        time.sleep(0.005 * (number % 3))
    terminal.resize(100, 30)
    terminal.shows("▸ Carol")
    terminal.shows("● joined")
    terminal.until(lambda: "Leave" in terminal.text.splitlines()[-1], "the keys in the last row")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert "Traceback" not in terminal.written


def test_a_size_in_the_environment_is_not_believed(start: Callable[..., Terminal]) -> None:
    terminal = start(COLUMNS="80", LINES="24")
    terminal.until(lambda: "Leave" in terminal.text.splitlines()[-1], "the keys in the last row")
    terminal.resize(120, 40)
    terminal.until(lambda: "Leave" in terminal.text.splitlines()[-1], "the keys in the new last row")
    terminal.press("q")
    assert terminal.exit_code() == 0


@pytest.mark.parametrize("theme", ["dark", "terminal"])
def test_without_colours_there_are_none_whatever_the_theme(start: Callable[..., Terminal], theme: str) -> None:
    terminal = start("still", theme, NO_COLOR="1", COLORTERM="truecolor")
    terminal.shows("● joined")
    terminal.press("T")
    terminal.shows("high-contrast")
    terminal.press("light\r")
    terminal.until(lambda: "Search" not in terminal.text, "the end of the choice")
    terminal.press("\x1b[B" * 2)
    terminal.shows("▸ Carol")
    terminal.press("q")
    assert terminal.exit_code() == 0
    sets = [
        int(number or 0) for found in re.findall(r"\x1b\[([\d;]*)m", terminal.written) for number in found.split(";")
    ]
    # Bold, underlined, reverse and the like are no colours, and neither is the default one.
    assert {number for number in sets if number >= 30} <= {39, 49}


def test_dumb_and_small_terminals_are_refused(start: Callable[..., Terminal]) -> None:
    terminal = start(TERM="dumb")
    assert terminal.exit_code() == 2
    assert "antconf events URL ROOM" in " ".join(terminal.written.split())
    assert "\x1b[?1049h" not in terminal.written
    small = start(size=(59, 16))
    assert small.exit_code() == 2
    assert "60x16" in small.written


def test_native_noise_goes_to_the_log(start: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = start("noise")
    terminal.shows("joined")
    log = tmp_path / "report.log"
    terminal.until(lambda: b"NOISE ON DESCRIPTOR TWO" in log.read_bytes(), "the noise in the log")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert "NOISE" not in terminal.written
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wish", ["crash", "fatal"])
def test_a_defect_ends_in_one_line_that_names_the_log(
    start: Callable[..., Terminal], wish: str, tmp_path: Path
) -> None:
    terminal = start(wish)
    assert terminal.exit_code() == 1
    below = terminal.written.rpartition("\x1b[?1049l")[2]
    assert "is broken" in below
    assert "report.log" in below
    assert "Traceback" not in below
    log = (tmp_path / "report.log").read_text()
    assert "Traceback" in log
    assert "secret" not in log
    assert terminal.sessions()[0]["closed"] == 1


def test_a_terminal_that_is_not_read_does_not_stop_the_core(start: Callable[..., Terminal]) -> None:
    terminal = start(COLORTERM="truecolor")
    terminal.shows("joined")
    terminal.reading.clear()
    time.sleep(4)
    terminal.reading.set()
    terminal.press("q")
    assert terminal.exit_code() == 0
    session = terminal.sessions()[0]
    assert session["gap"] < 1.0
    assert session["ticks"] > 35


def test_a_terminal_that_is_never_read_again_does_not_keep_it(start: Callable[..., Terminal]) -> None:
    terminal = start(COLORTERM="truecolor")
    terminal.shows("joined")
    terminal.reading.clear()
    time.sleep(3)
    terminal.signal(signal.SIGTERM)
    assert terminal.exit_code() == 143


def test_a_stopped_program_gives_the_terminal_back_and_takes_it_again(start: Callable[..., Terminal]) -> None:
    terminal = start(COLORTERM="truecolor")
    terminal.shows("joined")
    terminal.signal(signal.SIGTSTP)
    terminal.until(lambda: Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(") ")[2][0] == "T", "the stop")
    terminal.until(lambda: all(sequence in terminal.written for sequence in RESTORED), "the terminal as it was")
    before = len(terminal.received)
    terminal.signal(signal.SIGCONT)
    terminal.until(lambda: b"\x1b[?1049h" in terminal.received[before:], "the screen again")
    # All of it is drawn anew, and what moves in it.
    terminal.until(lambda: b"joined" in terminal.received[before:], "the panel")
    terminal.until(lambda: b"\x1b[6n" in terminal.received[before:], "pictures")
    terminal.press("q")
    assert terminal.exit_code() == 0
    assert terminal.sessions()[0]["left"] == 1
