"""The own picture as VP8 or H.264: an encoder for one connection, whose rate follows what the receiver reports.

Used by `tui.media.tracks`. FFmpeg's libvpx and libx264 with the settings that suit a conversation; aiortc's own ask for
at least 250 kbit/s and send a picture of any size as often as it comes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Protocol

import av
from av.video.frame import PictureType
from av.video.reformatter import VideoReformatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.packet import Packet

    from tui.media.degradation import Degradation

logger = logging.getLogger(__name__)

VIDEO_CLOCK: Final = 90_000
"""Ticks a second of every picture's time."""
KEY_FRAME_SECONDS: Final = 1.0
"""Key frames that are asked for come no closer together; those of a new source do."""
LEAST_BITRATE: Final = 50_000
"""Bits per second that are sent whatever the receiver says: below this there is no picture to speak of."""
HEAVY_LOSS, LIGHT_LOSS = 0.1, 0.02
"""Above the first the rate falls, below the second it may rise, in between it stays, as libwebrtc has it."""

_CALM = 4.0
"""Seconds between two steps up: each begins with a key frame, for libvpx takes a rate only at its start."""
_DOWN, _UP = 0.85, 1.2
_CODECS: Final = {"vp8": "libvpx", "h264": "libx264"}
_LONGEST_GROUP = 3000
_AREA = 0x20
_SMALLEST = 32


@dataclass(frozen=True, slots=True)
class VideoCoding:
    """How a picture is taken and sent."""

    width: int = 320
    height: int = 180
    """Pixels at most; the shape is the source's own."""
    frames_per_second: int = 15
    bitrate: int = 300
    """At most, in kbit/s."""
    is_screen: bool = False
    """Text and windows: fewer pictures, sharp ones, and no noise to take out."""


class Filmed(Protocol):
    """What the encoder looks at before every picture."""

    coding: VideoCoding
    degradation: Degradation


class Bandwidth:
    """How much a connection takes, in bits per second: what its receiver estimates, and what gets lost on the way."""

    def __init__(self) -> None:
        self._estimate: int | None = None
        self._limit: float | None = None

    def target(self, most: int) -> int:
        """How much to send of ``most``."""
        bounds = [most, *(round(bound) for bound in (self._estimate, self._limit) if bound is not None)]
        return max(min(LEAST_BITRATE, most), *[min(bounds)])

    def hear_estimate(self, bitrate: int) -> None:
        """The receiver reports that it can take so much (REMB)."""
        self._estimate = bitrate

    def hear_loss(self, fraction: float, most: int) -> None:
        """The receiver reports that this part of the packets got lost lately."""
        if fraction > HEAVY_LOSS:
            self._limit = max(LEAST_BITRATE, self.target(most) * (1 - fraction / 2))
        elif fraction < LIGHT_LOSS and self._limit is not None:
            raised = self._limit * 1.08 + 1000
            self._limit = raised if raised < most else None


class LiveEncoder:
    """VP8 or H.264 for one connection; a `tui.core.video.VideoEncoder`.

    Every picture is encoded in a thread, one after the other. ``KeyError`` for another codec.
    """

    def __init__(self, codec: str, track: Filmed, clock: Callable[[], float] = time.monotonic) -> None:
        self._codec = _CODECS[codec]
        self._track = track
        self._clock = clock
        self._bandwidth = Bandwidth()
        self._context: av.VideoCodecContext | None = None
        self._scaler = VideoReformatter()
        self._key_wanted = False
        self._key_at = -KEY_FRAME_SECONDS
        self._rate = 0
        self._rate_at = 0.0
        self._complained = False

    @property
    def target_bitrate(self) -> int:
        """Bits per second that are aimed at now."""
        return self._bandwidth.target(self._track.coding.bitrate * 1000)

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._bandwidth.hear_estimate(bitrate)

    @property
    def size(self) -> tuple[int, int]:
        """`VideoEncoder`."""
        context = self._context
        return (0, 0) if context is None else (context.width, context.height)

    def hear_loss(self, fraction: float) -> None:
        """`VideoEncoder`."""
        self._bandwidth.hear_loss(fraction, self._track.coding.bitrate * 1000)

    def want_key_frame(self) -> None:
        """`VideoEncoder`."""
        self._key_wanted = True

    async def encode(self, frame: av.VideoFrame) -> Packet[Any] | None:
        """`VideoEncoder`; ``pict_type`` I is a picture that nothing before it resembles."""
        begun = self._clock()
        is_key = frame.pict_type == PictureType.I or (self._key_wanted and begun - self._key_at >= KEY_FRAME_SECONDS)
        if is_key:
            self._key_wanted = False
        scale, coding = self._track.degradation.scale, self._track.coding
        rate = self._rate_now(begun)
        packet = await asyncio.get_running_loop().run_in_executor(
            None, self._encode, frame, is_key, rate, scale, coding
        )
        self._track.degradation.spent(self._clock() - begun)
        if packet is not None and packet.is_keyframe:
            self._key_at = begun
        return packet

    def _rate_now(self, now: float) -> int:
        """The target in steps, downwards at once."""
        target = self.target_bitrate
        most = self._track.coding.bitrate * 1000
        falls = target < self._rate * _DOWN or most < self._rate
        rises = target > self._rate * _UP or (target == most and target > self._rate)
        if not self._rate or falls or (rises and now - self._rate_at >= _CALM):
            self._rate, self._rate_at = target, now
        return self._rate

    def _encode(
        self, frame: av.VideoFrame, is_key: bool, rate: int, scale: float, coding: VideoCoding
    ) -> Packet[Any] | None:
        """In a thread; ``None`` when nothing is to be sent."""
        width, height = (max(_SMALLEST, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        try:
            if (width, height) != (frame.width, frame.height) or frame.format.name != "yuv420p":
                frame = self._scaler.reformat(frame, width, height, "yuv420p", interpolation=_AREA, threads=1)
            context = self._context
            if context is None or (context.width, context.height) != (width, height):
                context = self._context = _context(self._codec, width, height, rate, coding)
            elif context.bit_rate != rate:
                if self._codec == "libx264":
                    context.bit_rate = rate
                else:
                    context = self._context = _context(self._codec, width, height, rate, coding)
            frame.pict_type = PictureType.I if is_key else PictureType.NONE
            packets = context.encode(frame)
        except (av.FFmpegError, ValueError) as error:
            if not self._complained:
                logger.warning("a picture of %dx%d cannot be encoded: %s", width, height, error)
            self._complained, self._context = True, None
            return None
        # Without look-ahead there is one, or none when the rate is exceeded.
        return packets[0] if packets else None


def live_encoder(codec: str, track: Filmed) -> LiveEncoder | None:
    """An encoder for one connection; ``None`` for a codec that is left to aiortc."""
    try:
        return LiveEncoder(codec, track)
    except KeyError:
        return None


def _context(name: str, width: int, height: int, rate: int, coding: VideoCoding) -> av.VideoCodecContext:
    context = av.CodecContext.create(name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.bit_rate = rate
    context.time_base = Fraction(1, VIDEO_CLOCK)
    context.framerate = Fraction(coding.frames_per_second)
    context.gop_size = _LONGEST_GROUP
    # A second one of libvpx waits by spinning: five times the work for the same picture.
    context.thread_count = 1
    if name == "libx264":
        context.profile = "Baseline"
        context.options = {
            # Faster than "superfast" and no worse at these rates: it has no use for B-frames and subpixels anyway.
            "preset": "ultrafast",
            "tune": "zerolatency",
            # Of the pictures that 42e01f promises; larger ones are only sent when they are asked for.
            "level": "31" if width * height <= 1280 * 720 else "40",
            "forced-idr": "1",
            "maxrate": str(rate),
            "bufsize": str(rate // 2),
        }
        return context
    context.qmin, context.qmax = 2, 56
    context.options = {
        # Constant bit rate with a second of buffer, as libwebrtc has it.
        "minrate": str(rate),
        "maxrate": str(rate),
        "bufsize": str(rate),
        "undershoot-pct": "100",
        "overshoot-pct": "15",
        "drop-threshold": "30",
        "max-intra-rate": "450",
        "deadline": "realtime",
        "lag-in-frames": "0",
        # A sixth less time than libwebrtc's -6 at the same quality.
        "cpu-used": "-8",
        "noise-sensitivity": "0" if coding.is_screen else "4",
        "static-thresh": "100" if coding.is_screen else "1",
    }
    return context
