"""What sound is to the core: packets of remote voices as they came, and an encoder for the own one.

The core neither orders nor decodes sound: that has to happen at the moment of playing (media-facts.md, Audio). How
the own sound is encoded is its source's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from av import AudioFrame


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One RTP packet of a remote voice, in the order of arrival; nothing in it has been checked."""

    codec: str
    """The negotiated one in lower case: ``opus``, ``pcmu``, ``pcma`` or ``g722``."""
    clock_rate: int
    """Of ``timestamp``, in Hz: 48000 for Opus, 8000 for the others."""
    ssrc: int
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits."""
    payload: bytes
    """May be empty."""
    arrival: float
    """Seconds of ``time.monotonic``."""
    level: int | None = None
    """Loudness by the RFC 6464 extension: 0 is loudest, 127 silence."""


@dataclass(frozen=True, slots=True)
class Playout:
    """What became of a track's packets, counted since the track began; times in milliseconds."""

    packets: int = 0
    """Taken, none at rest, of which ``late``, ``duplicate`` and ``malformed`` ones were not played."""
    late: int = 0
    duplicate: int = 0
    malformed: int = 0
    lost: int = 0
    """Frames that had no packet when their time came."""
    recovered: int = 0
    """Of the lost ones those that forward error correction brought back."""
    played_ms: float = 0.0
    concealed_ms: float = 0.0
    """Sound that was made up, beyond what the sender's own silence asks for."""
    resets: int = 0
    """Times that playing began anew: another sender, a jump of the numbers, a decoder that failed."""
    depth_ms: float = 0.0
    """How long a packet waits now until it is heard, 0 while none come."""
    target_ms: float = 0.0
    """How long it should, for the line and the device as they are."""


class AudioSink(Protocol):
    """What plays a remote voice; all of it is used on the core's loop and never waits or raises."""

    @property
    def resting(self) -> bool:
        """Whether it plays nothing now, and a packet that says that it is quiet need not be pushed."""

    def push(self, packet: AudioPacket) -> None:
        """One more packet."""

    def playout(self) -> Playout:
        """The counters now."""


class SoundEncoder(Protocol):
    """Makes Opus of the own sound for one connection; called on the core's loop, never waits."""

    def encode(self, frame: AudioFrame) -> tuple[list[bytes], int]:
        """The payloads to send for the next frame, none where it need not be sent, and its time in 1/48000 s."""

    def hear_loss(self, fraction: float) -> None:
        """The receiver reports that this part of the packets got lost lately, 0.0 to 1.0."""
