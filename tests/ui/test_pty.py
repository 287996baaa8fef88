"""The app in a real pseudo-terminal: how it starts, ends, and leaves the terminal behind."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pexpect  # type: ignore[import-untyped]
import pyte
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.pty

RESTORED = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?2004l")


class Terminal:
    """The program in a terminal of 100x30 cells, and everything it wrote."""

    def __init__(self, report: Path, *wishes: str, **environ: str) -> None:
        self.report = report
        self.written = ""
        self.screen = pyte.Screen(100, 30)
        self._stream = pyte.Stream(self.screen)
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "tests.ui.pty_app", str(report), *wishes],
            dimensions=(30, 100),
            env={**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1", **environ},
            encoding="utf-8",
            codec_errors="replace",
            timeout=10,
        )

    def read(self, seconds: float = 0.1) -> str:
        """What is on the screen after reading for a while."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                text = self.child.read_nonblocking(65536, timeout=0.05)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                break
            self.written += text
            # pyte knows nothing of private CSI sequences with prefixes such as `>` and draws them.
            self._stream.feed(text.replace("\x1b[>25u", "").replace("\x1b[<u", ""))
        return "\n".join(self.screen.display)

    def until(self, words: str, seconds: float = 15) -> str:
        """The screen, as soon as it shows the words."""
        deadline = time.monotonic() + seconds
        while words not in (display := self.read()):
            assert time.monotonic() < deadline, f"{words!r} is not on the screen:\n{display}"
            assert self.child.isalive(), f"ended early:\n{display}\n{self.written[-2000:]}"
        return display

    def end(self, seconds: float = 10) -> int | None:
        """Wait for the end; the exit code."""
        deadline = time.monotonic() + seconds
        while self.child.isalive():
            self.read()
            assert time.monotonic() < deadline, "does not end"
        self.read(0.2)
        self.child.close()
        code: int | None = self.child.exitstatus
        return code

    def sessions(self) -> list[dict[str, Any]]:
        """What the scripted sessions saw."""
        told: list[dict[str, Any]] = json.loads(self.report.read_text())
        return told


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    terminals: list[Terminal] = []

    def one(*wishes: str, **environ: str) -> Terminal:
        terminals.append(Terminal(tmp_path / "report.json", *wishes, **environ))
        return terminals[-1]

    yield one
    for terminal in terminals:
        if terminal.child.ptyproc.isalive():
            terminal.child.close(force=True)


def test_it_starts_draws_and_quits(start: Callable[..., Terminal]) -> None:
    terminal = start()
    display = terminal.until("joined")
    assert "● joined" in display
    terminal.child.send("q")
    assert terminal.end() == 0
    assert all(sequence in terminal.written for sequence in RESTORED)
    assert terminal.sessions()[0]["left"] == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_leaves_and_restores(start: Callable[..., Terminal], number: signal.Signals, code: int) -> None:
    terminal = start()
    terminal.until("joined")
    terminal.child.kill(number)
    assert terminal.end() == code
    assert all(sequence in terminal.written for sequence in RESTORED)
    assert (terminal.sessions()[0]["left"], terminal.sessions()[0]["closed"]) == (1, 1)


def test_a_second_signal_does_not_wait(start: Callable[..., Terminal]) -> None:
    terminal = start("hang")
    terminal.until("joined")
    terminal.child.kill(signal.SIGTERM)
    terminal.read(0.3)
    terminal.child.kill(signal.SIGTERM)
    began = time.monotonic()
    assert terminal.end() == 143
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
    terminal.until("joined")
    terminal.child.ptyproc.fileobj.close()
    deadline = time.monotonic() + 10
    while not terminal.report.exists():
        assert time.monotonic() < deadline, "lives on without a terminal"
        time.sleep(0.05)
    assert terminal.child.wait() == 129
    assert terminal.sessions()[0]["left"] == 1


def test_a_hostile_name_sends_no_escape_of_its_own(start: Callable[..., Terminal]) -> None:
    terminal = start("hostile")
    terminal.until("owned", 10)
    terminal.child.send("q")
    assert terminal.end() == 0
    # The shape of the mouse pointer is Textual's own.
    written = re.sub(r"\x1b\]22;[a-z-]*\x07", "", terminal.written)
    for sequence in ("\x1b]", "\x9b", "\x07", "\u202e", "\x00"):
        assert sequence not in written


def test_dumb_and_small_terminals_are_refused(start: Callable[..., Terminal]) -> None:
    terminal = start(TERM="dumb")
    assert terminal.end() == 2
    assert "antconf events URL ROOM" in " ".join(terminal.written.split())
    assert "\x1b[?1049h" not in terminal.written
    small = start(COLUMNS="59", LINES="16")
    assert small.end() == 2
    assert "60x16" in small.written


def test_native_noise_goes_to_the_log(start: Callable[..., Terminal], tmp_path: Path) -> None:
    terminal = start("noise")
    terminal.until("joined")
    log = tmp_path / "report.log"
    deadline = time.monotonic() + 10
    while b"NOISE ON DESCRIPTOR TWO" not in log.read_bytes():
        assert time.monotonic() < deadline, "no noise in the log"
        terminal.read()
    terminal.child.send("q")
    assert terminal.end() == 0
    assert "NOISE" not in terminal.written
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wish", ["crash", "fatal"])
def test_a_defect_ends_in_one_line_that_names_the_log(
    start: Callable[..., Terminal], wish: str, tmp_path: Path
) -> None:
    terminal = start(wish)
    terminal.until("joined")
    assert terminal.end() == 1
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
    terminal.until("joined")
    time.sleep(4)
    terminal.read(0.5)
    terminal.child.send("q")
    assert terminal.end() == 0
    session = terminal.sessions()[0]
    assert session["gap"] < 1.0
    assert session["ticks"] > 35


def test_a_terminal_that_is_never_read_again_does_not_keep_it(start: Callable[..., Terminal]) -> None:
    terminal = start(COLORTERM="truecolor")
    terminal.until("joined")
    time.sleep(3)
    terminal.child.kill(signal.SIGTERM)
    assert terminal.child.wait() == 143
