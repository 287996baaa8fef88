"""Decodes one remote video, with a limit to what it may claim and to how often it may begin anew.

Used by `tui.media.viewing`, in a worker's thread. FFmpeg decodes neither VP8 nor H.264 at a reduced size (the most its
``lowres`` allows for both is 0), and believes a key frame of 550 bytes that claims 16383x16383 pixels: the claim is
read before (aiortc reference; hostile-inputs.md, RTP-8 to RTP-10).
"""

from __future__ import annotations

import re
import time
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from tui.core.h264 import sequence_parameters
from tui.core.pace import Pace
from tui.core.video import CLOCK_RATE
from tui.media.files import MOST_PIXELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.video import EncodedPicture

_REBUILDS = 5
"""Sizes a second, and decoders."""

# FFmpeg's own VP8 decoder is about a tenth cheaper than libvpx (aiortc reference, Q4).
_DECODERS = {"vp8": "vp8", "h264": "h264"}
_PARAMETERS = re.compile(rb"\x00\x00\x01(?=[\x07\x27\x47\x67])")


class RefusedError(Exception):
    """A picture that is not decoded; says why."""


class VideoDecoder:
    """Frames of one video; not for two threads at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._context: VideoCodecContext | None = None
        self._codec = ""
        self._size: tuple[int, int] | None = None
        self._rebuilds = Pace(_REBUILDS, _REBUILDS, clock)

    @property
    def awaits_key_frame(self) -> bool:
        """Whether nothing but a key frame is decoded next."""
        return self._context is None

    def begin_anew(self) -> None:
        """Give back what the decoder holds: the next picture has to be a key frame."""
        self._context = None

    def decode(self, picture: EncodedPicture) -> av.VideoFrame | None:
        """Its frame; ``None`` where it cannot be decoded without a key frame, or gives none.

        Raises `RefusedError` for what is broken or claims too much: a key frame has to come then.
        """
        if self._context is None and not picture.is_key:
            return None
        try:
            context = self._context_for(picture)
            packet = av.Packet(picture.data)
            packet.pts, packet.time_base = picture.timestamp, Fraction(1, CLOCK_RATE)
            frames = context.decode(packet)
        except RefusedError:
            self.begin_anew()
            raise
        except (av.FFmpegError, ValueError) as error:
            self.begin_anew()
            raise RefusedError(f"broken {picture.codec} picture: {error}") from error
        for frame in frames:
            if frame.is_corrupt or not 0 < frame.width * frame.height <= MOST_PIXELS:
                self.begin_anew()
                raise RefusedError(f"broken {picture.codec} picture of {frame.width}x{frame.height}")
        return frames[-1] if frames else None

    def _context_for(self, picture: EncodedPicture) -> VideoCodecContext:
        size = claimed_size(picture)
        if size is not None and not 0 < size[0] * size[1] <= MOST_PIXELS:
            raise RefusedError(f"picture of {size[0]}x{size[1]}")
        is_new = self._context is None or picture.codec != self._codec
        if (is_new or (size is not None and size != self._size)) and not self._rebuilds.take():
            raise RefusedError("picture that changes too often")
        self._size = size or self._size
        if self._context is None or is_new:
            self._context, self._codec = _opened(picture.codec), picture.codec
        return self._context


def _opened(codec: str) -> VideoCodecContext:
    if codec not in _DECODERS:
        raise RefusedError(f"picture in {codec}")
    context = VideoCodecContext.create(_DECODERS[codec], "r")
    assert isinstance(context, VideoCodecContext)
    context.thread_count = 1
    context.flags |= Flags.low_delay
    # Nobody sees the edges in pictures that no other is made of, least of all in cells.
    context.options = {"skip_loop_filter": "noref"}
    return context


def claimed_size(picture: EncodedPicture) -> tuple[int, int] | None:
    """Width and height that a decoder would make room for; ``None`` where the picture does not tell.

    The largest, where it tells several. Raises `RefusedError` where that cannot be read.
    """
    data = picture.data
    if picture.codec == "vp8":
        if data[0] & 1:
            return None
        if len(data) < 10:
            raise RefusedError("broken vp8 picture: its header is cut off")
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    sizes = []
    for found in _PARAMETERS.finditer(data):
        parameters = sequence_parameters(data[found.end() : found.end() + 300])
        if parameters is None:
            raise RefusedError("broken h264 picture: its parameters cannot be read")
        sizes.append(parameters.coded)
    return max(sizes, key=lambda size: size[0] * size[1], default=None)
