"""The terminal around the app: whether it can be used, how it looks, and that it comes back as it was.

Used by the command line: `surface` before the app is made, `run_app` to run it. Whatever ends the program,
the room is left and the terminal restored, and native libraries do not write on the screen.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import logging
import os
import select
import signal
import struct
import sys
import termios
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.driver import TerminalDriver, terminal_size
from tui.errors import ExitCode, UsageError
from tui.media.cells import Depth, Glyphs, Look
from tui.relay import found_relay
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from types import FrameType

    from tui.app import ConferenceApp
    from tui.logbook import Logbook

COLUMNS: Final = 60
ROWS: Final = 16
"""The smallest screen that shows the room."""
_USUAL_ASPECT: Final = 2.0
_ASPECTS: Final = (1.2, 3.5)
"""No font is squarer or narrower: a terminal that says so is mistaken."""
END_LIMIT: Final = 4.0
"""Seconds from the wish to end to the end of the process, whatever hangs."""

_HINT: Final = "Without a full screen, `antconf events URL ROOM` prints what happens line by line."
_RESTORED: Final = (
    b"\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h"
)
_SIGNALS: Final = {
    signal.SIGINT: ExitCode.SIGINT,
    signal.SIGTERM: ExitCode.SIGTERM,
    signal.SIGHUP: ExitCode.SIGHUP,
}


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surface:
    """What this terminal can show."""

    look: Look
    ascii_only: bool
    no_color: bool


def surface(environ: MutableMapping[str, str] = os.environ, glyphs: Glyphs | None = None) -> Surface:
    """Check the terminal and choose how to draw on it; raises `UsageError` when it cannot be drawn on.

    ``glyphs``: what pictures are made of, for who knows better; only ASCII where there is no UTF-8.

    Takes an empty ``NO_COLOR`` out of ``environ``: it means nothing, but Textual would go grey.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("Standard input and output must be a terminal.", _HINT)
    term = environ.get("TERM", "")
    if term in ("", "dumb", "unknown"):
        raise UsageError(f"TERM={term or '(unset)'}: this terminal cannot show a full screen.", _HINT)
    columns, rows = terminal_size()
    if columns < COLUMNS or rows < ROWS:
        raise UsageError(f"The terminal has {columns}x{rows} cells; {COLUMNS}x{ROWS} are needed.", _HINT)
    if environ.get("NO_COLOR") == "":
        del environ["NO_COLOR"]
    return chosen_surface(environ, sys.stdout.encoding, glyphs, _aspect())


def chosen_surface(
    environ: MutableMapping[str, str], encoding: str, glyphs: Glyphs | None = None, aspect: float = 2.0
) -> Surface:
    """How to draw, by what the environment says about colours and characters, or with these ``glyphs``."""
    ascii_only = encoding.lower().replace("-", "") not in ("utf8", "utf8sig")
    no_color = bool(environ.get("NO_COLOR"))
    term = environ.get("TERM", "")
    if no_color:
        depth = Depth.NONE
    elif environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit"):
        depth = Depth.TRUECOLOR
    elif term.endswith(("256color", "kitty")):
        depth = Depth.PALETTE
    elif term.startswith("vt"):
        depth = Depth.NONE
    else:
        depth = Depth.SIXTEEN
    if ascii_only or (glyphs is None and depth is Depth.NONE):
        glyphs = Glyphs.ASCII
    # What terminals of the rxvt family say of themselves: foreground;background.
    light = environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
    return Surface(Look(glyphs or Glyphs.BLOCK, depth, light, aspect), ascii_only, no_color)


def _aspect() -> float:
    """Height of a cell in widths, as the terminal reports it; 2.0 when it does not, or it cannot be."""
    try:
        size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return _USUAL_ASPECT
    rows, columns, width, height = struct.unpack("HHHH", size)
    if not (rows and columns and width and height):
        return _USUAL_ASPECT
    aspect = (height / rows) / (width / columns)
    return aspect if _ASPECTS[0] <= aspect <= _ASPECTS[1] else _USUAL_ASPECT


def run_app(app: ConferenceApp, log: Logbook, *, mouse: bool = True) -> int:
    """Run the app on this terminal and return the exit code of the process."""
    app.driver_class = TerminalDriver
    with contextlib.suppress(OSError):
        app.relay = found_relay(terminal=os.ttyname(0))
    with _noise_in(log) as screen:
        guard = _Guard(app, screen, log)
        try:
            code = asyncio.run(guard.run(mouse))
        finally:
            guard.rest()
    if app.crash is not None:
        # Without locals: they hold tokens and what people said.
        _log.critical("internal error", exc_info=app.crash)
        what = printable(f"{type(app.crash).__name__}: {app.crash}", 120)
        app.last_words = f"antconf: internal error ({what}); details are in {log.path}"
        code = code or ExitCode.INTERNAL
    if app.last_words:
        with contextlib.suppress(OSError):
            sys.stderr.write(app.last_words + "\n")
    return int(code)


class _Screen(io.TextIOWrapper):
    """The terminal to draw on; when it is gone, what is drawn goes nowhere.

    An error here would end Textual's writer thread, and the next writes would block its loop for ever.
    """

    gone = False

    def write(self, text: str, /) -> int:
        if not self.gone:
            try:
                return super().write(text)
            except OSError:
                self.gone = True
        return len(text)

    def flush(self) -> None:
        if not self.gone:
            try:
                super().flush()
            except OSError:
                self.gone = True


@contextlib.contextmanager
def _noise_in(log: Logbook) -> Iterator[_Screen]:
    """Descriptor 2 leads to the log, and Textual draws on a descriptor of its own.

    ALSA, PortAudio and FFmpeg write to descriptor 2, over the picture; Textual would draw there too.
    """
    encoding = sys.stdout.encoding
    screen = _Screen(io.BufferedWriter(io.FileIO(os.dup(1), "w")), encoding=encoding, errors="replace", newline="")
    standard_error, kept = sys.__stderr__, os.dup(2)
    os.dup2(log.noise, 2)
    sys.__stderr__ = screen  # type: ignore[misc]
    try:
        yield screen
    finally:
        sys.__stderr__ = standard_error  # type: ignore[misc]
        os.dup2(kept, 2)
        os.close(kept)
        screen.flush()
        if not screen.gone:
            screen.close()


class _Guard:
    """Ends the app on signals and when the terminal is gone, and the process when the app does not end."""

    def __init__(self, app: ConferenceApp, screen: _Screen, log: Logbook) -> None:
        self._app = app
        self._log = log
        self._stacks = contextlib.ExitStack()
        self._screen = screen
        self._loop: asyncio.AbstractEventLoop | None = None
        self._code: ExitCode | None = None
        self._signals = 0
        self._over = threading.Event()
        self._armed = threading.Event()
        try:
            self._modes: list[object] | None = termios.tcgetattr(screen.fileno())
        except termios.error:
            self._modes = None
        app.on_end = self._arm

    async def run(self, mouse: bool) -> int:
        self._loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            # Whoever started us with nohup meant it; that the terminal is gone is noticed all the same.
            if signal.getsignal(number) is not signal.SIG_IGN:
                # Not the loop's own handlers: they wait for the loop, which a full terminal blocks.
                signal.signal(number, self._on_signal)
        # Without these the terminal would stay as it is when they kill us.
        signal.signal(signal.SIGQUIT, self._on_quit)
        for number in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        self._stacks = self._log.stacks()
        for target in (self._watch_terminal, self._watch_end):
            threading.Thread(target=target, name=target.__name__.strip("_"), daemon=True).start()
        await self._app.run_async(mouse=mouse)
        if self._code is None and self._screen.gone:
            self._code = ExitCode.SIGHUP
        return self._code if self._code is not None else self._app.return_code or 0

    def rest(self) -> None:
        """The app has ended by itself."""
        self._over.set()
        self._armed.set()
        self._stacks.close()
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        for number in _SIGNALS:
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals > 1:
            self._break_off()
        self._end(_SIGNALS[signal.Signals(number)])

    def _on_quit(self, number: int, frame: FrameType | None) -> None:
        """Somebody wants to know what hangs: the log has it by now."""
        self._code = ExitCode.SIGQUIT
        self._break_off()

    def _end(self, code: ExitCode) -> None:
        if self._code is not None or self._loop is None:
            return
        self._code = code
        self._armed.set()
        # The core leaves the room even if the screen's loop is stuck.
        self._app.hang_up()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._app.call_later, self._app.end, code)

    def _arm(self, code: ExitCode) -> None:
        if self._code is None:
            self._code = code
        self._armed.set()

    def _watch_terminal(self) -> None:
        poller = select.poll()
        # No events asked for: only that the other side has hung up.
        poller.register(self._screen.fileno(), 0)
        while not self._over.is_set():
            if poller.poll(500) and not self._over.is_set():
                self._end(ExitCode.SIGHUP)
                return

    def _watch_end(self) -> None:
        self._armed.wait()
        if not self._over.wait(END_LIMIT):
            self._break_off()

    def _break_off(self) -> None:
        """End the process now, with the terminal as it was."""
        restoring = threading.Thread(target=self._restore, daemon=True)
        restoring.start()
        restoring.join(0.5)
        os._exit(self._code or ExitCode.INTERNAL)

    def _restore(self) -> None:
        descriptor = self._screen.fileno()
        with contextlib.suppress(OSError, termios.error):
            # What nobody has read yet is dropped, or the next write would wait behind it.
            termios.tcflush(descriptor, termios.TCOFLUSH)
            if self._modes is not None:
                termios.tcsetattr(descriptor, termios.TCSANOW, self._modes)  # type: ignore[arg-type]
            os.write(descriptor, _RESTORED)
