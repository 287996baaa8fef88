"""Local tracks: what all sound and pictures that we publish have in common.

`AudioTrack` and `VideoTrack` are aiortc tracks paced by the clock. Sources subclass them and say what is heard
or seen at a moment; pacing, muting and the level meter are done here, once.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from av.video.reformatter import VideoReformatter

from tui.core.peer import LocalTrack
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE, loudness

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tui.media.sound import Samples

WIDTH, HEIGHT = 320, 180
"""Pixels of a generated picture."""
LARGEST = (640, 360)
"""Pixels that a camera's or a file's picture is scaled down to."""
FRAMES_PER_SECOND = 15
"""Of every published picture."""

_VIDEO_CLOCK = 90_000
_PATIENCE = 0.2


class Pace:
    """Hands out timestamps at the rate of the clock: never early, and after a stall on time again."""

    def __init__(self, step: int, rate: int) -> None:
        self._step = step
        self._rate = rate
        self._start: float | None = None
        self._timestamp = 0

    async def next(self) -> int:
        """Wait for the next timestamp, a multiple of ``step`` in units of ``1 / rate`` seconds."""
        if self._start is None:
            self._start = time.monotonic()
            return 0
        self._timestamp += self._step
        wait = self._start + self._timestamp / self._rate - time.monotonic()
        if wait < -_PATIENCE:
            # What the stall swallowed is gone: catching up would arrive as a burst.
            self._timestamp += int(-wait * self._rate) // self._step * self._step
        await asyncio.sleep(max(0.0, wait))
        return self._timestamp


class AudioTrack(LocalTrack, ABC):
    """Sound to publish: 48 kHz, stereo with equal channels, frames of 20 ms; silence unless ``enabled``."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.on_level: Callable[[float], None] | None = None
        """Told the level (0.0 to 1.0) of every frame, before muting."""
        self._pace = Pace(FRAME_SAMPLES, SAMPLE_RATE)

    @abstractmethod
    def samples(self, start: int) -> Samples:
        """The `FRAME_SAMPLES` samples from number ``start`` on; must not block."""

    async def recv(self) -> AudioFrame:
        """The next frame when its time has come; raises ``MediaStreamError`` after `stop`."""
        start = await self._pace.next()
        if self.readyState != "live":
            raise MediaStreamError
        samples = self.samples(start)
        if self.on_level is not None:
            self.on_level(loudness(samples))
        if not self.enabled:
            samples = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        return stereo_frame(samples, start)


class VideoTrack(LocalTrack, ABC):
    """A picture to publish: yuv420p, 15 frames a second; black unless ``enabled``."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._pace = Pace(_VIDEO_CLOCK // FRAMES_PER_SECOND, _VIDEO_CLOCK)

    @abstractmethod
    def picture(self, at: float) -> VideoFrame:
        """The yuv420p picture ``at`` seconds after the first one; must not block."""

    async def recv(self) -> VideoFrame:
        """The next frame when its time has come; raises ``MediaStreamError`` after `stop`."""
        timestamp = await self._pace.next()
        if self.readyState != "live":
            raise MediaStreamError
        frame = self.picture(timestamp / _VIDEO_CLOCK)
        if not self.enabled:
            frame = black_frame(frame.width, frame.height)
        frame.pts = timestamp
        frame.time_base = Fraction(1, _VIDEO_CLOCK)
        return frame


def stereo_frame(samples: Samples, start: int) -> AudioFrame:
    """Samples as s16 stereo with equal channels, so that aiortc's encoder keeps the level (trap 20)."""
    packed = (np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
    frame = AudioFrame.from_ndarray(np.repeat(packed, 2)[None, :], format="s16", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = start
    frame.time_base = Fraction(1, SAMPLE_RATE)
    return frame


def black_frame(width: int = WIDTH, height: int = HEIGHT) -> VideoFrame:
    """A black yuv420p picture; both sides even."""
    frame = VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


class Painter:
    """Anything to yuv420p frames, with one scaler kept."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def frame(self, pixels: NDArray[np.uint8]) -> VideoFrame:
        """A frame of RGBA pixels of the shape (height, width, 4), both sides even."""
        return self._reformatter.reformat(VideoFrame.from_ndarray(pixels, format="rgba"), format="yuv420p", threads=1)

    def shrunk(self, frame: VideoFrame) -> VideoFrame:
        """The picture at no more than `LARGEST`, its shape kept, both sides even.

        Raises ``ValueError`` or ``av.FFmpegError`` for a frame that swscale cannot read.
        """
        scale = min(1.0, LARGEST[0] / frame.width, LARGEST[1] / frame.height)
        width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        # AREA: many source pixels to one.
        return self._reformatter.reformat(frame, width, height, "yuv420p", interpolation=0x20, threads=1)
