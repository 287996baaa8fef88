"""A program in a pseudo-terminal, with an emulator that says what a person would see on it.

Used by the tests marked ``pty``. A thread reads all the time, so that the program never waits for the test.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
import time
from typing import TYPE_CHECKING, Self

import pexpect
import pyte

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping, Sequence

DEADLINE = 40.0
"""Seconds that a condition may take before a test gives up on it."""

# The emulator knows neither of these and would print their letters.
_PRIVATE = re.compile(rb"\x1b\[[<>=?][0-9;:$]*[a-zA-Z]|\x1bP=[0-9]s\x1b\\")
_UNFINISHED = re.compile(rb"\x1b(?:\[[<>=?]?[0-9;:$]*|P[=0-9s]*\x1b?)?$")


class _Screen(pyte.Screen):
    """Says where the cursor is when it is asked."""

    def __init__(self, columns: int, rows: int, answer: Callable[[str], None]) -> None:
        super().__init__(columns, rows)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class PseudoTerminal:
    """``with PseudoTerminal([program, …]) as terminal``; ends the program at the end."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 36,
        environment: Mapping[str, str] | None = None,
        answers: bool = True,
    ) -> None:
        self._screen = _Screen(columns, rows, self._answer if answers else lambda text: None)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.received = b""
        """Every byte so far."""
        self._program = pexpect.spawn(
            command[0],
            list(command[1:]),
            dimensions=(rows, columns),
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **(environment or {})},
            timeout=None,
        )
        self._gone = threading.Event()
        self.reading = threading.Event()
        """Cleared, nothing is read: the terminal has stalled."""
        self.reading.set()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the program by force, if it still runs; idempotent."""
        self.reading.set()
        with contextlib.suppress(pexpect.ExceptionPexpect, OSError):
            self._program.terminate(force=True)
        self._reader.join(5)

    def hang_up(self) -> None:
        """Take the terminal away."""
        # A read that waits would keep it open.
        self._gone.set()
        self._reader.join(5)
        self._program.ptyproc.fileobj.close()  # type: ignore[attr-defined]

    @property
    def text(self) -> str:
        """The screen, line by line."""
        with self._lock:
            return "\n".join(self._screen.display)

    @property
    def cells(self) -> list[list[tuple[str, str, str]]]:
        """Character, foreground and background of every cell, row by row."""
        with self._lock:
            return [
                [(cell.data, cell.fg, cell.bg) for cell in (row[column] for column in range(self._screen.columns))]
                for row in (self._screen.buffer[line] for line in range(self._screen.lines))
            ]

    @property
    def pid(self) -> int:
        """Of the program."""
        return self._program.pid or 0

    def cells_of(self, colour: tuple[int, int, int]) -> int:
        """How many cells have about that background."""

        def is_near(background: str) -> bool:
            if len(background) != 6:
                return False
            seen = (int(background[0:2], 16), int(background[2:4], 16), int(background[4:6], 16))
            return all(abs(one - wanted) < 60 for one, wanted in zip(seen, colour, strict=True))

        return sum(is_near(background) for row in self.cells for _, _, background in row)

    def press(self, keys: str) -> None:
        """Type."""
        self._program.send(keys)

    def resize(self, columns: int, rows: int) -> None:
        """Another size, told to the program as a terminal does."""
        with self._lock:
            self._screen.resize(rows, columns)
        self._program.setwinsize(rows, columns)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        self._program.kill(number)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; fails with the screen when it does not come true."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"waited too long for {what}; the screen:\n{self.text}"
            time.sleep(0.05)

    def shows(self, text: str) -> None:
        """Wait until the text is on the screen."""
        self.until(lambda: text in self.text, repr(text))

    def exit_code(self) -> int:
        """Wait for the end; the exit code, or minus the signal that killed it."""
        self.until(lambda: not self._program.isalive(), "the end of the program")
        self.reading.set()
        self._reader.join(5)
        if self._program.signalstatus is not None:
            return -self._program.signalstatus
        return self._program.exitstatus or 0

    def _answer(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._program.send(text)

    def _read(self) -> None:
        descriptor, rest = self._program.child_fd, b""
        while not self._gone.is_set():
            if not (self.reading.wait(0.1) and select.select([descriptor], [], [], 0.1)[0]):
                continue
            try:
                data = os.read(descriptor, 65536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self.received += data
                data = rest + data
                # A sequence may be cut by the end of a read.
                cut = _UNFINISHED.search(data)
                rest = data[cut.start() :] if cut else b""
                self._stream.feed(_PRIVATE.sub(_known, data[: len(data) - len(rest)]))


def _known(match: re.Match[bytes]) -> bytes:
    sequence = match.group()
    return sequence if sequence.startswith(b"\x1b[?") and sequence[-1:] in b"hl" else b""
