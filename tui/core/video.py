"""What a picture is to the core: a complete frame as its sender encoded it, for whoever watches the track.

The core neither decodes pictures nor judges what they claim: only what is seen is decoded, by who shows it. What is
read here of a frame decides where decoding may begin and what may be left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from av import VideoFrame
    from av.packet import Packet

CLOCK_RATE = 90_000
"""Of every picture's ``timestamp``, in Hz."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """One complete frame of a remote video, in the order of the sender; what is in it has not been checked."""

    codec: str
    """The negotiated one in lower case: ``vp8``, or ``h264`` with start codes (Annex B)."""
    data: bytes
    """Never empty."""
    timestamp: int
    """32 bits."""
    arrival: float
    """Of the packet that completed it, in seconds of ``time.monotonic``."""
    is_key: bool
    """Decoding may begin here."""
    layer: int = 0
    """No picture refers to one of a higher layer: all above some layer may be left out."""
    is_entry: bool = True
    """Refers to layer 0 alone: a layer that was left out may be taken in again from here."""


@dataclass(frozen=True, slots=True)
class Showing:
    """What became of a track's pictures, counted since it was watched first; times in seconds."""

    decoded: int = 0
    dropped: int = 0
    """Taken but not decoded: nobody looked, nothing to begin with, too many, or refused."""
    width: int = 0
    height: int = 0
    decode_time: float = 0.0
    freezes: int = 0
    """Times that the next picture came far too late, by the definition of WebRTC's statistics."""
    frozen: float = 0.0


class VideoSink(Protocol):
    """Who watches a remote video; both methods are called on the core's loop and never wait or raise."""

    def push(self, picture: EncodedPicture) -> None:
        """One more picture; after a loss or a pause the first one is a key frame."""

    def showing(self) -> Showing:
        """The counters now."""


class VideoEncoder(Protocol):
    """Encodes the own picture for one connection; called on the core's loop."""

    target_bitrate: int
    """Bits per second that are aimed at; set to what the receiver estimates it can take."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the newest picture that was encoded; zeros before."""

    async def encode(self, frame: VideoFrame) -> Packet[Any] | None:
        """The frame as one packet, with its time; ``None`` when it is left out."""

    def want_key_frame(self) -> None:
        """The receiver asks for a key frame: soon, however often it asks."""

    def hear_loss(self, fraction: float) -> None:
        """The receiver reports that this part of the packets got lost lately, 0.0 to 1.0."""
