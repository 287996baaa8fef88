"""What comes from the room: reads every remote track, feeds the mixer and the board.

Used by the call, on the core's loop. Every track is drained all the time; only pictures that somebody sees are
encoded, and only the newest.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import av
from aiortc.mediastreams import MediaStreamError

from tui.core.tasks import Tasks
from tui.media.board import LOCAL
from tui.media.cells import Encoder
from tui.media.files import MOST_PIXELS
from tui.text import printable

if TYPE_CHECKING:
    from aiortc.mediastreams import MediaStreamTrack

    from tui.media.board import Board
    from tui.media.mixer import Mixer
    from tui.media.voices import Voice

logger = logging.getLogger(__name__)

_LEVELS_SECONDS = 0.1


class Reception:
    """Readers of remote tracks, one task each, and of the own preview."""

    def __init__(self, board: Board, mixer: Mixer) -> None:
        self._board = board
        self._mixer = mixer
        self._tasks = Tasks()
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._easels: dict[str, Easel] = {}
        self._preview = Easel(board, LOCAL, mirror=True)
        self._levels: asyncio.Task[None] | None = None

    def add(self, key: str, kind: str, track: MediaStreamTrack) -> None:
        """Read this track until it ends or is removed; ``kind`` is ``audio`` or ``video``."""
        self.remove(key)
        if kind == "audio":
            reader = self._listen(key, self._mixer.add(key), track)
        else:
            self._easels[key] = Easel(self._board, key)
            reader = self._watch(self._easels[key], track)
        self._readers[key] = self._tasks.spawn(reader, f"{kind} track {printable(key)}")
        if self._levels is None:
            self._levels = self._tasks.spawn(self._show_levels(), "levels")

    def remove(self, key: str) -> None:
        """Stop reading this track; nothing happens when there is none."""
        reader = self._readers.pop(key, None)
        if reader is not None:
            reader.cancel()
            if key in self._easels:
                self._easels.pop(key).close()
            self._mixer.remove(key)
            self._board.forget(key)

    def preview(self, frame: av.VideoFrame) -> None:
        """Show a frame of the own picture, mirrored."""
        self._preview.show(frame)

    async def aclose(self) -> None:
        """Stop reading everything; idempotent."""
        for key in list(self._readers):
            self.remove(key)
        self._preview.close()
        await self._tasks.aclose()
        self._levels = None

    async def _listen(self, key: str, voice: Voice, track: MediaStreamTrack) -> None:
        complaints = 0
        while (frame := await _next(track)) is not None:
            try:
                if isinstance(frame, av.AudioFrame):
                    voice.push(frame)
            except (ValueError, av.FFmpegError) as error:
                complaints += 1
                if complaints == 1:
                    logger.warning("audio track %s: frame refused: %s", printable(key), error)

    async def _watch(self, easel: Easel, track: MediaStreamTrack) -> None:
        while (frame := await _next(track)) is not None:
            if isinstance(frame, av.VideoFrame):
                easel.show(frame)

    async def _show_levels(self) -> None:
        while True:
            for key in self._readers:
                voice = self._mixer.voice(key)
                if voice is not None:
                    self._board.set_level(key, voice.level)
            await asyncio.sleep(_LEVELS_SECONDS)


class Easel:
    """Puts the frames of one picture on the board, no more of them than it asks for, the newest always."""

    def __init__(self, board: Board, key: str, mirror: bool = False) -> None:
        self._board = board
        self._key = key
        self._mirror = mirror
        self._encoder = Encoder(board.look)
        self._newest: av.VideoFrame | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._complained = False

    def show(self, frame: av.VideoFrame) -> None:
        """Show the frame now, or when it is time for one and no newer has come; dropped when nobody looks."""
        if self._board.wish(self._key) is None:
            return
        self._newest = frame
        if self._timer is None:
            delay = max(0.0, self._due - time.monotonic())
            if delay:
                self._timer = asyncio.get_running_loop().call_later(delay, self._paint)
            else:
                self._paint()

    def close(self) -> None:
        """Show nothing more; idempotent."""
        self._newest = None
        if self._timer is not None:
            self._timer.cancel()

    def _paint(self) -> None:
        self._timer = None
        size, frame, self._newest = self._board.wish(self._key), self._newest, None
        if size is None or frame is None:
            return
        self._due = time.monotonic() + 1 / self._board.frames_per_second
        if not 0 < frame.width * frame.height <= MOST_PIXELS:
            self._refuse(f"picture of {frame.width}x{frame.height}")
            return
        try:
            self._board.show(self._key, self._encoder.encode(frame, size, self._mirror))
        except (ValueError, av.FFmpegError) as error:
            self._refuse(str(error))

    def _refuse(self, why: str) -> None:
        if not self._complained:
            logger.warning("video track %s: %s refused", printable(self._key), why)
        self._complained = True


async def _next(track: MediaStreamTrack) -> object | None:
    """The track's next frame, ``None`` at its end."""
    try:
        return await track.recv()
    except MediaStreamError:
        return None
