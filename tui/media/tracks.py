"""Local tracks: what all sound and pictures that we publish have in common.

`AudioTrack` and `VideoTrack` are aiortc tracks paced by the clock. Sources subclass them and say what is heard
or seen at a moment; pacing, muting and the level meter are done here, once.
"""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

from tui.core.peer import LocalTrack
from tui.media.degradation import Degradation
from tui.media.encoding import Coding, opus_encoder
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE, loudness
from tui.media.speech import SpeechWatch
from tui.media.video_encoding import VIDEO_CLOCK, VideoCoding, live_encoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tui.core.audio import SoundEncoder
    from tui.core.video import VideoEncoder
    from tui.media.sound import Samples

DARK_FRAMES_PER_SECOND = 2
"""Of a camera that has been off for a second."""

_AREA = 0x20
_PATIENCE = 0.2


class Pace:
    """Hands out timestamps at the rate of the clock: never early, and after a stall on time again."""

    def __init__(self, step: int, rate: int) -> None:
        self.step = step
        self._rate = rate
        self._start: float | None = None
        self._timestamp = 0

    async def next(self) -> int:
        """Wait for the next timestamp, ``step`` later than the one before, in units of ``1 / rate`` seconds."""
        if self._start is None:
            self._start = time.monotonic()
            return 0
        self._timestamp += self.step
        wait = self._start + self._timestamp / self._rate - time.monotonic()
        if wait < -_PATIENCE:
            # What the stall swallowed is gone: catching up would arrive as a burst.
            self._timestamp += int(-wait * self._rate) // self.step * self.step
        await asyncio.sleep(max(0.0, wait))
        return self._timestamp


class Sampler:
    """Which of pictures that come too often are taken: evenly, and on average so many a second."""

    def __init__(self, frames_per_second: int) -> None:
        self._step = 1 / frames_per_second
        self._due: float | None = None

    def takes(self, at: float) -> bool:
        """Whether the one of this second is; they come in order."""
        if self._due is None:
            self._due = at
        if at < self._due - self._step / 4:
            return False
        self._due = max(self._due, at - self._step) + self._step
        return True


class AudioTrack(LocalTrack, ABC):
    """Sound to publish: 48 kHz, stereo with equal channels, frames of 20 ms; silence unless ``enabled``."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self.on_level: Callable[[float], None] | None = None
        """Told the level (0.0 to 1.0) of every frame, before muting."""
        self.on_sent: Callable[[Samples], None] | None = None
        """Told the samples of every frame as they leave, silence while muted."""
        self.coding = Coding()
        """Of the connections that begin from now on."""
        self._speech = SpeechWatch()
        self._pace = Pace(FRAME_SAMPLES, SAMPLE_RATE)

    def encoder(self) -> SoundEncoder | None:
        """`LocalTrack`."""
        return opus_encoder(self.coding)

    @abstractmethod
    def samples(self, start: int) -> Samples:
        """The `FRAME_SAMPLES` samples from number ``start`` on; must not block."""

    async def recv(self) -> AudioFrame:
        """The next frame when its time has come; raises ``MediaStreamError`` after `stop`."""
        start = await self._pace.next()
        if self.readyState != "live":
            raise MediaStreamError
        samples = self.samples(start)
        level = loudness(samples)
        if self.on_level is not None:
            self.on_level(level)
        if self._speech.hear(level, muted=not self.enabled) and self.on_muted_speech is not None:
            self.on_muted_speech()
        if not self.enabled:
            samples = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        if self.on_sent is not None:
            self.on_sent(samples)
        return stereo_frame(samples, start)


class VideoTrack(LocalTrack, ABC):
    """A picture to publish, as ``coding`` says: yuv420p; black unless ``enabled``."""

    kind = "video"
    label = ""
    """What the user calls the source; empty for nothing."""
    is_mirrored = False
    """Whether people see themselves in it, and so expect a mirror."""

    def __init__(self, coding: VideoCoding | None = None) -> None:
        super().__init__()
        self.coding = coding or VideoCoding()
        self.degradation = Degradation(self.coding.frames_per_second)
        self._pace = Pace(VIDEO_CLOCK // self.coding.frames_per_second, VIDEO_CLOCK)
        self._seen: bool | None = None
        self._dark = 0

    def video_encoder(self, codec: str) -> VideoEncoder | None:
        """`LocalTrack`."""
        return live_encoder(codec, self)

    @abstractmethod
    def picture(self, at: float) -> VideoFrame:
        """The yuv420p picture ``at`` seconds after the first one; must not block."""

    def rest(self, resting: bool) -> None:
        """Nobody sees the picture from now on, or somebody does again: a device may be given back meanwhile."""

    async def recv(self) -> VideoFrame:
        """The next frame when its time has come; raises ``MediaStreamError`` after `stop`.

        What others see first, or after black, is marked as a key frame.
        """
        while True:
            self._pace.step = VIDEO_CLOCK // self.degradation.frames_per_second
            timestamp = await self._pace.next()
            if self.readyState != "live":
                raise MediaStreamError
            frame = self.picture(timestamp / VIDEO_CLOCK)
            seen = self.enabled
            self._dark = 0 if seen else self._dark + 1
            rate = self.degradation.frames_per_second
            # At first as ever, so that black is there at once.
            if self._dark <= rate or self._dark % max(1, rate // DARK_FRAMES_PER_SECOND) == 0:
                break
        if not seen:
            frame = black_frame(frame.width, frame.height)
        # A decoder's word on what its picture was would be an order to the encoder.
        frame.pict_type = PictureType.I if seen != self._seen else PictureType.NONE
        self._seen = seen
        frame.pts = timestamp
        frame.time_base = Fraction(1, VIDEO_CLOCK)
        return frame


def stereo_frame(samples: Samples, start: int) -> AudioFrame:
    """Samples as s16 stereo with equal channels, so that aiortc's encoder keeps the level (trap 20)."""
    packed = (np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
    frame = AudioFrame.from_ndarray(np.repeat(packed, 2)[None, :], format="s16", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = start
    frame.time_base = Fraction(1, SAMPLE_RATE)
    return frame


def black_frame(width: int, height: int) -> VideoFrame:
    """A black yuv420p picture; both sides even."""
    frame = VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


class Painter:
    """Anything to yuv420p frames of one size at most, with one scaler kept."""

    def __init__(self, coding: VideoCoding) -> None:
        self._most = (coding.width, coding.height)
        self._reformatter = VideoReformatter()

    def frame(self, pixels: NDArray[np.uint8]) -> VideoFrame:
        """A frame of RGBA pixels of the shape (height, width, 4), as large as can be."""
        frame = VideoFrame.from_ndarray(pixels, format="rgba")
        width, height = self._fitted(frame, math.inf)
        return self._reformatter.reformat(frame, width, height, "yuv420p", threads=1)

    def shrunk(self, frame: VideoFrame) -> VideoFrame:
        """The picture, no larger than it is.

        Raises ``ValueError`` or ``av.FFmpegError`` for a frame that swscale cannot read.
        """
        width, height = self._fitted(frame, 1.0)
        # AREA: many source pixels to one.
        return self._reformatter.reformat(frame, width, height, "yuv420p", interpolation=_AREA, threads=1)

    def _fitted(self, frame: VideoFrame, enlarged: float) -> tuple[int, int]:
        """Its shape kept, both sides even."""
        scale = min(enlarged, self._most[0] / frame.width, self._most[1] / frame.height)
        return max(2, round(frame.width * scale / 2) * 2), max(2, round(frame.height * scale / 2) * 2)
