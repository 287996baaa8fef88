"""The way to a real terminal and back: writing that never waits, and answers that never become keys.

Used by Textual in place of its own driver (`ConferenceApp.direct`, on Linux and macOS); the projector writes pictures
with `TerminalDriver.show`. Textual's text goes first: pictures are refused while much is unwritten, and when a
terminal stops reading the text itself is held back: at most `HELD` bytes and one repaint wait in memory.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final, TextIO

from textual import events, messages
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.message import Message

    from tui.app import ConferenceApp

REFUSED: Final = 32 * 1024
"""Bytes unwritten from which on a picture is refused."""
HELD: Final = 64 * 1024
"""Bytes unwritten from which on Textual repaints nothing."""
_RELEASED: Final = 8 * 1024
_PIECE: Final = 4096
"""Characters written at once: what is unwritten is known so exactly."""
_END: Final = 2.0
"""Seconds that the end waits for a terminal that does not read."""
_ROW: Final = 2
"""Of the cursor when it is asked for: an answer from row 1 could be a function key."""


def terminal_size() -> tuple[int, int]:
    """Columns and rows of this terminal now.

    ``COLUMNS`` and ``LINES`` count only where it does not know: whoever exports them has them from one moment, and
    a screen that believed them would never follow the terminal again.
    """
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        with suppress(AttributeError, ValueError, OSError):
            columns, rows = os.get_terminal_size(stream.fileno())  # type: ignore[union-attr]
            if columns and rows:
                return columns, rows
    return shutil.get_terminal_size()


class Outlet:
    """Writes to a file in a thread of its own; `drained` is called from it when little is left of much."""

    def __init__(self, file: TextIO, drained: Callable[[], None]) -> None:
        self._file = file
        self._drained = drained
        self._changed = threading.Condition()
        self._texts: deque[str] = deque()
        self._pending = 0
        self._much = False
        self._open = False
        self._thread: threading.Thread | None = None

    @property
    def pending(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return self._pending

    def start(self) -> None:
        """Begin to write, again after `stop`."""
        self._open = True
        self._thread = threading.Thread(target=self._write, name="terminal output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Write soon; never blocks, everything in order."""
        with self._changed:
            self._texts.append(text)
            self._pending += _size(text)
            self._much = self._much or self._pending > HELD
            self._changed.notify()

    def stop(self) -> None:
        """Write the rest and end; a terminal that does not read is not waited for longer than 2 s."""
        with self._changed:
            self._open = False
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_END)

    def _write(self) -> None:
        while True:
            with self._changed:
                while not self._texts:
                    if not self._open:
                        return
                    self._changed.wait()
                text = self._texts.popleft()
            for start in range(0, len(text), _PIECE):
                piece = text[start : start + _PIECE]
                self._file.write(piece)
                self._file.flush()
                with self._changed:
                    self._pending -= _size(piece)
                    drained = self._much and self._pending < _RELEASED
                    self._much = self._much and not drained
                if drained:
                    self._drained()


class TerminalDriver(LinuxDriver):
    """Textual's driver for Linux and macOS with an `Outlet`; made by Textual, told to the app as `driver`."""

    _app: ConferenceApp

    def __init__(
        self, app: ConferenceApp, *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._events = asyncio.get_running_loop()
        # Textual draws on descriptor 2, or on what `tui.terminal` has put in its place.
        assert self._file is not None
        self._outlet = Outlet(self._file, self._drain)
        self._hold = ExitStack()
        self._holding = False
        self._lost = False
        self.active = False
        """The screen is ours: neither suspended nor ended."""
        self.synchronized = False
        """The terminal shows what is between two marks at once (DEC 2026)."""
        self.answered: Callable[[int, float], None] = lambda number, at: None
        """Called on the loop: an answer with this number came in at this time (``time.monotonic``)."""
        self.written: Callable[[int], None] = lambda size: None
        """Called on the loop: so many bytes were written that are no picture."""
        self.resumed: Callable[[], None] = lambda: None
        """Called on the loop: the screen is ours again, and empty."""
        app.driver = self

    @property
    def free(self) -> bool:
        """Whether a picture would be taken now."""
        return self.active and self._outlet.pending <= REFUSED

    @property
    def pending(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return self._outlet.pending

    @property
    def held(self) -> bool:
        """Textual repaints nothing because the terminal does not read."""
        return self._holding

    def show(self, picture: bytes) -> bool:
        """Write part of a picture and the question after it; ``False`` when it is refused."""
        if not self.free:
            return False
        self._outlet.write(picture.decode())
        return True

    def question(self, number: int, passthrough: bool) -> bytes:
        """What makes the terminal call `answered` with this number (1 to 48); the cursor stays where it is.

        Through tmux (``passthrough``) the question goes past it to the terminal around it, whose cursor is not ours
        and is kept there meanwhile.
        """
        if passthrough:
            # Each ESC is doubled inside.
            return b"\x1bPtmux;\x1b\x1b7\x1b\x1b[%d;%dH\x1b\x1b[6n\x1b\x1b8\x1b\\" % (_ROW, number)
        x, y = self._app.cursor_position
        return b"\x1b[%d;%dH\x1b[6n\x1b[%d;%dH" % (_ROW, number, y + 1, x + 1)

    # Textual's side.

    def write(self, data: str) -> None:
        """Textual's text: always taken, but when the terminal does not read no more of it is made."""
        self._outlet.write(data)
        self.written(_size(data))

    def drawn(self) -> None:
        """Textual has drawn; or, held back since an earlier time, has thrown away what it would have drawn."""
        if self._holding:
            self._lost = True
        elif self._outlet.pending > HELD:
            self._holding = True
            self._hold.enter_context(self._app.batch_update())

    def start_application_mode(self) -> None:
        self._outlet.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        # Textual reads the size within the signal's handler: of two at once the older could have the last word.
        self._events.add_signal_handler(signal.SIGWINCH, self._tell_size)
        again, self.active = not self.active, True
        if again:
            self.resumed()

    def stop_application_mode(self) -> None:
        self.active = False
        super().stop_application_mode()

    def close(self) -> None:
        super().close()
        self._outlet.stop()

    def process_message(self, message: Message) -> None:
        """In the input's thread: answers are taken here and go no further."""
        if isinstance(message, events.CursorPosition):
            self._events.call_soon_threadsafe(self.answered, message.x + 1, time.monotonic())
            return
        if isinstance(message, messages.TerminalSupportsSynchronizedOutput):
            if not self._app.synchronized:
                return
            self.synchronized = True
        super().process_message(message)

    def _get_terminal_size(self) -> tuple[int, int]:
        return terminal_size()

    def _tell_size(self) -> None:
        if not self._in_band_window_resize:
            size = Size(*terminal_size())
            self._app.post_message(events.Resize(size, size))

    def _drain(self) -> None:
        self._events.call_soon_threadsafe(self._release)

    def _release(self) -> None:
        """The terminal reads again: what is on the screen now is drawn, not what was meanwhile."""
        if not self._holding:
            return
        self._holding = False
        self._hold.close()
        if self._lost:
            self._lost = False
            self._app.screen.refresh()
        for screen in self._app.screen_stack:
            screen.check_idle()


def _size(text: str) -> int:
    """Bytes that it takes."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
