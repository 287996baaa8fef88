"""What a terminal is asked, what its answers mean, and that none of them is left to be typed at the prompt."""

from __future__ import annotations

import os
import pty
import select
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.pseudo_terminal import PseudoTerminal
from tui.doctor import display
from tui.doctor.display import Answers, ask, understood
from tui.doctor.finding import State
from tui.doctor.machine import Machine
from tui.doctor.system import check_characters, check_colours, check_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

XTERM = (
    b"\x1bP1$r0;38:2::1:2:3m\x1b\\\x1bP0+r\x1b\\\x1b]4;255;rgb:eeee/eeee/eeee\x1b\\\x1b]11;rgb:ffff/ffff/ffff\x1b\\"
    b"\x1b[6;18;9t\x1b[?2026;2$y\x1b[1;2R\x1b[1;3R\x1b[1;3R\x1b[?64;1;2c"
)
FULL = Answers(True, 1 << 24, True, True, True, (9, 18), True)


class FakeTerminal:
    """The other end of a pseudo-terminal: answers so when it has been asked for its kind."""

    def __init__(self, answer: bytes, delay: float = 0.0) -> None:
        self._answer, self._delay = answer, delay
        self._end, self.descriptor = pty.openpty()
        self.asked = b""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while b"\x1b[c" not in self.asked and not self._over.is_set():
            if select.select([self._end], [], [], 0.05)[0]:
                self.asked += os.read(self._end, 4096)
        self._over.wait(self._delay)
        os.write(self._end, self._answer)

    def waiting(self) -> bytes:
        """What a shell would read when everything has been answered."""
        self._thread.join(30)
        modes = termios.tcgetattr(self.descriptor)
        modes[3] &= ~termios.ICANON
        termios.tcsetattr(self.descriptor, termios.TCSANOW, modes)
        return os.read(self.descriptor, 4096) if select.select([self.descriptor], [], [], 0.1)[0] else b""

    def close(self) -> None:
        self._over.set()
        self._thread.join(5)
        os.close(self._end)
        os.close(self.descriptor)


@pytest.fixture
def terminals() -> Iterator[list[FakeTerminal]]:
    made: list[FakeTerminal] = []
    yield made
    for terminal in made:
        terminal.close()


def test_a_terminal_that_can_everything_says_so(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal(XTERM))
    before = termios.tcgetattr(terminal.descriptor)
    assert ask(terminal.descriptor, terminal.descriptor) == FULL
    assert termios.tcgetattr(terminal.descriptor) == before
    assert terminal.waiting() == b""


def test_answers_that_come_late_are_not_typed_at_the_prompt(
    terminals: list[FakeTerminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "SECONDS", 0.05)
    monkeypatch.setattr(display, "LATE_SECONDS", 20.0)
    terminals.append(terminal := FakeTerminal(XTERM, delay=0.5))
    answers = ask(terminal.descriptor, terminal.descriptor)
    assert answers is not None
    assert not answers.complete
    assert terminal.waiting() == b""


def test_what_comes_behind_the_last_answer_is_thrown_away(terminals: list[FakeTerminal]) -> None:
    terminals.append(terminal := FakeTerminal(XTERM + b"x" * 2000))
    assert ask(terminal.descriptor, terminal.descriptor) == FULL
    assert terminal.waiting() == b""


def test_a_terminal_that_never_answers_is_not_waited_for(
    terminals: list[FakeTerminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "LATE_SECONDS", 0.1)
    terminals.append(terminal := FakeTerminal(b""))
    began = time.monotonic()
    assert ask(terminal.descriptor, terminal.descriptor) == Answers()
    assert time.monotonic() - began < 20


def test_what_is_no_terminal_is_not_asked() -> None:
    source, sink = os.pipe()
    try:
        assert ask(source, sink) is None
        assert not select.select([source], [], [], 0)[0]
    finally:
        os.close(source)
        os.close(sink)


@pytest.mark.parametrize(
    ("received", "answers"),
    [
        (b"", Answers()),
        (b"\x1b[?6c", Answers(complete=True)),
        (b"\x1b]4;255;rgb:ee/ee/ee\x07\x1b[?6c", Answers(True, 256)),
        (b"\x1bP1+r524742=382F382F38\x1b\\\x1b[?6c", Answers(True, 1 << 24)),
        (b"\x1bP1$r0m\x1b\\\x1b[?6c", Answers(complete=True)),
        (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x07\x1b[?6c", Answers(True, light=False)),
        (b"\x1b[1;3R\x1b[1;4R\x1b[1;5R\x1b[?6c", Answers(True, utf8=False, wide=False)),
        (b"\x1b[?2026;0$y\x1b[?6c", Answers(True, synchronized=False)),
        (b"\x1b[6;0;0t\x1b[?6c", Answers(complete=True)),
        (b"\x1b[6;" + b"9" * 9000, Answers()),
    ],
)
def test_what_answers_mean(received: bytes, answers: Answers) -> None:
    assert understood(received) == answers


def machine(answers: Answers | None, **environ: str) -> Machine:
    made = Machine({"TERM": "xterm-256color", **environ}, "linux")
    made.__dict__["terminal"] = answers
    return made


def test_the_report_says_what_the_terminal_can_and_what_is_not_used() -> None:
    found = check_terminal(machine(FULL))
    assert "9x18 pixels, synchronized output, light background" in found.text
    assert "no terminal" in check_terminal(machine(None)).text
    assert check_terminal(machine(Answers())).state is State.UNKNOWN
    unused = check_colours(machine(FULL))
    assert (unused.state, unused.fix[0].lines) == (State.WARNING, ("export COLORTERM=truecolor",))
    assert check_colours(machine(FULL, COLORTERM="truecolor")).state is State.OK
    assert check_colours(machine(FULL, NO_COLOR="1")).state is State.OK
    assert check_colours(machine(Answers(True, 256))).state is State.OK
    latin = check_characters(machine(Answers(True, utf8=False)))
    assert latin.state in (State.PROBLEM, State.WARNING)
    assert "--ascii" in latin.fix[0].lines[0]


@pytest.mark.pty
def test_in_a_real_terminal_the_questions_leave_no_trace() -> None:
    program = "from tui.doctor.display import ask; a = ask(); print('ANSWERED', a.complete, 'typed', input('> '))"
    with PseudoTerminal([sys.executable, "-c", program]) as terminal:
        terminal.until(lambda: b"\x1b[c" in terminal.received, "the questions")
        terminal.press(XTERM.decode("latin-1"))
        terminal.shows("> ")
        terminal.press("hello\r")
        terminal.shows("ANSWERED True typed hello")
        assert terminal.exit_code() == 0
