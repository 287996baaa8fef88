"""A terminal emulator at the other end of a real pty, in this process: the app draws, the emulator says what one sees.

Used by the tests of pictures on a terminal. It answers what the app asks, as fast as it is told to, can stop reading,
and knows what the whole screen should look like by asking Textual and the canvas.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import threading
import tty
from typing import TYPE_CHECKING, Any

import numpy as np
import pyte

from tui.driver import TerminalDriver
from tui.media.cells import CellGrid
from tui.widgets.picture import fitted
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from tui.app import ConferenceApp

Cells = list[list[tuple[Any, ...]]]

# The emulator knows none of these: private modes, the keyboard protocol, questions about modes.
_UNKNOWN = re.compile(rb"\x1b\[[<>=?][0-9;:$]*[a-zA-Z]")
_OTHER_SCREEN = b"\x1b[?1049h"
_SYNCHRONIZED = b"\x1b[?2026$p"
_UNFINISHED = re.compile(rb"\x1b[^a-zA-Z\\\x07]{0,40}$")


class Emulator:
    """``async with Emulator(monkeypatch).running(app)``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int = 100, rows: int = 30) -> None:
        self.screen = _Screen(columns, rows, self._answer)
        self._stream = pyte.ByteStream(self.screen)
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        self._size(columns, rows)
        monkeypatch.setattr(sys, "__stdin__", io.TextIOWrapper(io.FileIO(os.dup(slave), "r")))
        monkeypatch.setattr(sys, "__stdout__", io.TextIOWrapper(io.FileIO(os.dup(slave), "w")))
        monkeypatch.setattr(sys, "__stderr__", io.TextIOWrapper(io.FileIO(slave, "w"), encoding="utf-8"))
        for name in ("COLUMNS", "LINES"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLORTERM", "truecolor")
        self.answers = True
        """Whether questions are answered."""
        self.synchronizes = True
        """Whether it says that it knows DEC 2026; only before the start."""
        self.reading = threading.Event()
        """Cleared, nothing is read."""
        self.reading.set()
        self.received = 0
        self.shreds = False
        """Answers come in single bytes."""
        self._rest = b""
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._typing = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="emulator", daemon=True)

    @contextlib.asynccontextmanager
    async def running(self, app: ConferenceApp) -> AsyncIterator[ConferenceApp]:
        """The app on this terminal; ended at the end."""
        app.driver_class = TerminalDriver
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)}
        self._thread.start()
        task = asyncio.create_task(app.run_async(mouse=True))
        try:
            yield app
        finally:
            self.reading.set()
            app.exit()
            await asyncio.wait_for(task, 10)
            self._over.set()
            self._thread.join(5)
            os.close(self._master)
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def press(self, keys: str) -> None:
        """Type."""
        with self._typing:
            os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Another size, told as a terminal does."""
        with self._lock:
            self.screen.resize(rows, columns)
            self._size(columns, rows)
        os.kill(os.getpid(), signal.SIGWINCH)

    @property
    def cells(self) -> Cells:
        """What one sees: each cell's character, colours and attributes."""
        with self._lock:
            return _cells(self.screen)

    @property
    def text(self) -> str:
        """Line by line."""
        with self._lock:
            return "\n".join(self.screen.display)

    def differences(self, app: ConferenceApp) -> list[str]:
        """Where the screen is not what it should be."""
        wanted, seen = expected(app), self.cells
        if [len(row) for row in wanted] != [len(row) for row in seen]:
            return ["another size"]
        return [
            f"{x},{y}: {here} for {there}"
            for y, (shown, should) in enumerate(zip(seen, wanted, strict=True))
            for x, (here, there) in enumerate(zip(shown, should, strict=True))
            if here != there
        ]

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _answer(self, text: str) -> None:
        if not self.answers:
            return
        with self._typing:
            for piece in text if self.shreds else [text]:
                os.write(self._master, piece.encode())

    def _read(self) -> None:
        while not self._over.is_set():
            if not self.reading.wait(0.1) or not select.select([self._master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return
            self.received += len(data)
            with self._lock:
                self._show(self._rest + data)

    def _show(self, data: bytes) -> None:
        self._rest = b""
        if unfinished := _UNFINISHED.search(data):
            self._rest = data[unfinished.start() :]
            data = data[: unfinished.start()]
        if _SYNCHRONIZED in data and self.synchronizes:
            self._answer("\x1b[?2026;2$y")
        for number, part in enumerate(data.split(_OTHER_SCREEN)):
            if number:
                # As real ones do.
                self.screen.erase_in_display(2)
            self._stream.feed(_UNKNOWN.sub(b"", part))


class _Screen(pyte.Screen):
    """It answers, and leaves its last column as terminals do that are told not to wrap."""

    def __init__(self, columns: int, rows: int, answer: Any) -> None:
        self._answer = answer
        super().__init__(columns, rows)
        self.reset_mode(7, private=True)

    def write_process_input(self, data: str) -> None:
        self._answer(data)


def expected(app: ConferenceApp) -> Cells:
    """The whole screen by Textual's own account, with the canvas's cells where pictures are."""
    columns, rows = app.size
    screen = app.screen
    tiles = list(app.room.query(VideoTile))
    kept = [(tile, tile.surface, tile._picture) for tile in tiles]
    canvas = app.projector._canvas if app.projector is not None else None
    try:
        for tile in tiles:
            size = tile.picture_size
            tile.surface = None
            if tile._picture is not None and size is not None and canvas is not None and screen is app.room:
                here = fitted(tile._picture, size.rows, size.columns, -1)
                x, y = tile.region.offset
                tile._picture = _with(here, canvas.current(x, y, size.columns, size.rows), max(0, -x), max(0, -y))
        with app._context():
            update: Any = screen._compositor.render_update(full=True, screen_stack=app._background_screens)
            drawn = update.render_segments(app.console)
    finally:
        for tile, surface, picture in kept:
            tile.surface, tile._picture = surface, picture
    model = _Screen(columns, rows, lambda text: None)
    pyte.ByteStream(model).feed(_UNKNOWN.sub(b"", drawn.replace("\n", "\r\n").encode()))
    return _cells(model)


def _with(picture: CellGrid, part: CellGrid, x: int, y: int) -> CellGrid:
    """The picture with this part of it as it is on the screen: what is scrolled out is on none."""
    rows, columns = part.glyphs.shape
    mixed = CellGrid(picture.glyphs.copy(), picture.foreground.copy(), picture.background.copy(), picture.depth)
    there = np.s_[y : y + rows, x : x + columns]
    mixed.glyphs[there], mixed.foreground[there], mixed.background[there] = (
        part.glyphs,
        part.foreground,
        part.background,
    )
    return mixed


def _cells(screen: pyte.Screen) -> Cells:
    return [[_cell(screen.buffer[y][x]) for x in range(screen.columns)] for y in range(screen.lines)]


def _cell(cell: Any) -> tuple[Any, ...]:
    # What an empty cell would be written in, nobody sees.
    foreground = cell.fg if cell.data.strip() or cell.underscore or cell.reverse else ""
    return (cell.data, foreground, cell.bg, cell.bold, cell.italics, cell.underscore, cell.reverse)
