"""A session that plays a script instead of a call: drives the real bridge and the real screen in tests."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tui.core.events import (
    Callback,
    CallState,
    CallStateChanged,
    Direction,
    LocalMediaChanged,
    Participant,
    RosterChanged,
)
from tui.media.board import LOCAL, Board
from tui.media.cells import CellGrid, Depth, Glyphs, Look, Size
from tui.session import SoundChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.config import JoinOptions
    from tui.media.board import Board
    from tui.media.cells import Size
    from tui.session import CallEvent

AT = 1_700_000_000.0
"""When everything happens in scripts."""

SELF = Participant("streamalice", "Alice", is_self=True, video=None)
ROOM = (
    SELF,
    Participant("streambob", "Bob", talking=True, video="videoTrack0", audio="audioTrack0"),
    Participant("streamcarol", "Carol", microphone=False, video="videoTrack1"),
    Participant("streamdave", "Dave", camera=False),
)


def callback(info: str, obj: object = None, direction: Direction = Direction.IN, error: bool = False) -> Callback:
    return Callback(info, obj, direction, AT, error)


def joined(people: Sequence[Participant] = ROOM, output: str | None = "Built-in Audio") -> list[CallEvent]:
    """What a call tells when it goes well."""
    return [
        callback("initialized"),
        callback("publish", {"streamId": "streamalice", "mainTrack": "room1"}, Direction.OUT),
        callback("publish_started", {"streamId": "streamalice"}),
        callback("play", {"streamId": "room1", "room": "room1", "token": "secret"}, Direction.OUT),
        CallStateChanged(CallState.JOINED),
        RosterChanged(tuple(people)),
        LocalMediaChanged(True, True),
        SoundChanged(output, "" if output else "No sound device. Is PulseAudio running?"),
        callback("play_started", {"streamId": "room1"}),
        callback("newTrackAvailable", {"streamId": "room1", "trackId": "ARDAMSvvideoTrack0"}),
    ]


@dataclass
class Script:
    """What the sessions of one test do and what became of them."""

    events: Sequence[CallEvent] = field(default_factory=joined)
    paints: bool = False
    """Put moving pictures and levels on the board."""
    still: bool = False
    """Put pictures on the board that do not move."""
    sessions: list[ScriptedSession] = field(default_factory=list)
    leave_hangs: bool = False
    join_hangs: bool = False
    error: Exception | None = None
    """Raised by `join`."""

    def __call__(self, options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> ScriptedSession:
        session = ScriptedSession(self, options, emit, board)
        self.sessions.append(session)
        return session


class ScriptedSession:
    """A `tui.session.Session`."""

    def __init__(self, script: Script, options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> None:
        self.script = script
        self.options = options
        self.emit = emit
        self.board = board
        self.left = 0
        self.closed = 0
        self.ticks = 0
        self.longest_gap = 0.0
        self.media = LocalMediaChanged(True, True)
        self.sound = SoundChanged("Built-in Audio")
        self._painter: asyncio.Task[None] | None = None

    async def join(self) -> None:
        self.loop = asyncio.get_running_loop()
        if self.script.join_hangs:
            await asyncio.Event().wait()
        if self.script.error is not None:
            raise self.script.error
        for event in self.script.events:
            self.emit(event)
        if self.script.paints or self.script.still:
            self._painter = asyncio.create_task(self._paint())

    async def leave(self) -> None:
        self.left += 1
        if self.script.leave_hangs:
            self.emit(callback("leave hangs", direction=Direction.LOCAL))
            await asyncio.Event().wait()

    async def set_microphone(self, on: bool) -> None:
        self.media = replace(self.media, microphone=on)
        self.emit(self.media)

    async def set_camera(self, on: bool) -> None:
        self.media = replace(self.media, camera=on)
        self.emit(self.media)

    async def set_deafened(self, deafened: bool) -> None:
        self.sound = replace(self.sound, deafened=deafened)
        self.emit(self.sound)

    async def aclose(self) -> None:
        self.closed += 1
        if self._painter is not None:
            self._painter.cancel()

    def say(self, *events: CallEvent) -> None:
        """Emit on the core's loop, from the test's thread."""
        self.loop.call_soon_threadsafe(lambda: [self.emit(event) for event in events])

    def fail(self, error: Exception) -> None:
        """Break the core's loop with an error that nobody awaits."""

        async def broken() -> None:
            raise error

        self.loop.call_soon_threadsafe(lambda: setattr(self, "broken", self.loop.create_task(broken())))
        self.loop.call_soon_threadsafe(lambda: self.loop.call_later(0.05, lambda: setattr(self, "broken", None)))

    async def _paint(self) -> None:
        last = time.monotonic()
        while True:
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - last)
            last = now
            self.ticks += 1
            turn = 0 if self.script.still else self.ticks
            for number, key in enumerate([LOCAL, *(f"videoTrack{slot}" for slot in range(16))]):
                size = self.board.wish(key)
                if size is not None:
                    self.board.show(key, face(size, self.board.look, number, turn))
            self.board.set_level("audioTrack0", 0.3 if self.script.still else abs(math.sin(turn / 9)) * 0.8)
            self.board.set_level(LOCAL, 0.1 if self.script.still else abs(math.sin(turn / 7)) * 0.6)
            await asyncio.sleep(0.1)


def face(size: Size, look: Look, number: int, turn: int) -> CellGrid:
    """A head and shoulders before a wall, in the look's own cells."""
    rows, columns = size.rows * 2, size.columns
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    centre, radius = columns / 2 + math.sin(turn / 5 + number) * columns / 10, rows / 4
    red = 60 + 40 * np.cos(number * 1.9) + 50 * y / rows
    green = 70 + 40 * np.cos(number * 1.9 + 2) + 40 * y / rows
    blue = 90 + 40 * np.cos(number * 1.9 + 4) + 30 * x / columns
    body = ((x - centre) / (radius * 1.9)) ** 2 + ((y - rows * 1.05) / (rows * 0.42)) ** 2 < 1
    head = ((x - centre) / radius) ** 2 + ((y - rows * 0.42) / (radius * 1.2)) ** 2 < 1
    eyes = (abs(abs(x - centre) - radius * 0.4) < 1) & (abs(y - rows * 0.38) < 1)
    for mask, colour in ((body, (40, 60 + 20 * number, 120)), (head, (224, 172, 130)), (eyes, (30, 30, 40))):
        for channel, value in zip((red, green, blue), colour, strict=True):
            channel[mask] = value
    return _cells(red, green, blue, look)


def _cells(
    red: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    green: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    blue: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    look: Look,
) -> CellGrid:
    channels = [np.clip(channel, 0, 255).astype(np.int32) for channel in (red, green, blue)]
    if look.depth is Depth.PALETTE:
        six = [channel * 5 // 255 for channel in channels]
        colours = 16 + 36 * six[0] + 6 * six[1] + six[2]
    else:
        kept = [channel & 0xF8 for channel in channels]
        colours = kept[0] << 16 | kept[1] << 8 | kept[2]
    if look.depth is Depth.NONE:
        colours = np.full_like(colours, -1)
    if look.glyphs is Glyphs.HALF:
        glyphs = np.full((colours.shape[0] // 2, colours.shape[1]), "▀", dtype="<U1")
        return CellGrid(glyphs, colours[0::2], colours[1::2], look.depth)
    light = (channels[0] + channels[1] + channels[2])[0::2] // 3
    ramp = np.array(list(" .:-=+*#%@"), dtype="<U1")
    return CellGrid(ramp[light * 9 // 255], colours[0::2], np.full_like(colours[0::2], -1), look.depth)
