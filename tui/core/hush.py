"""Packets of quiet voices that nobody decodes, let go before they are decrypted: what they cost is their way in.

Used by `core.aiortc_internals` for one connection. The level of a packet stands in its header, which SRTP does not
encrypt (RFC 6464, 4). Nothing proves it here: all that is believed is that a packet need not be looked at. The server
is not asked to stop (``toggleAudio``): then nothing would tell when somebody begins to speak.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

QUIET = 60
"""The level from which on nobody misses a packet: 0 is loudest, 127 silence."""

INTERVAL = 0.5
"""Seconds from one packet of a quiet voice that is looked at to the next: SRTP has to see its numbers wrap."""

VOICE_LIMIT = 512
"""Synchronisation sources of one connection."""

_ONE_BYTE_FORM = b"\xbe\xde"
_TAG = 10
"""Bytes that SRTP adds at the end."""


@dataclass(slots=True)
class Murmur:
    """One voice, and what of it was let go since that was asked last."""

    wanted: Callable[[], bool]
    """Whether somebody decodes it."""
    packets: int = 0
    datagrams: int = 0
    """Bytes of them."""
    payloads: int = 0
    """Bytes of what was in them."""
    looked_at: float = -math.inf

    def forget(self) -> None:
        """That was counted."""
        self.packets = self.datagrams = self.payloads = 0


class Hush:
    """The voices of one connection, by their synchronisation sources."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._voices: dict[int, tuple[Murmur, int]] = {}

    def follow(self, ssrc: int, voice: Murmur, extension: int) -> None:
        """That source is this voice, and says how loud it is in the header extension of this number."""
        if self._voices.get(ssrc) == (voice, extension):
            return
        self._voices[ssrc] = voice, extension
        while len(self._voices) > VOICE_LIMIT:
            del self._voices[next(iter(self._voices))]

    def skips(self, data: bytes) -> bool:
        """Whether this datagram, of any kind, need not be looked at."""
        # RTCP is told from RTP by the second byte (RFC 5761, 4).
        if len(data) < 16 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
            return False
        known = self._voices.get(int.from_bytes(data[8:12], "big"))
        if known is None:
            return False
        voice, extension = known
        if voice.wanted() or told_level(data, extension) < QUIET:
            return False
        now = self._clock()
        if now - voice.looked_at >= INTERVAL:
            voice.looked_at = now
            return False
        voice.packets += 1
        voice.datagrams += len(data)
        voice.payloads += max(0, len(data) - _payload(data) - _TAG)
        return True


def told_level(data: bytes, extension: int) -> int:
    """The level in the header of a packet of 16 bytes or more; 0, the loudest, where it does not say any."""
    # With an extension, and without contributing sources.
    if data[0] & 0x1F != 0x10 or data[12:14] != _ONE_BYTE_FORM:
        return 0
    at, end = 16, min(_payload(data), len(data))
    while at < end:
        number, length = data[at] >> 4, (data[at] & 0x0F) + 1
        if number == extension:
            return data[at + 1] & 0x7F if length == 1 and at + 1 < end else 0
        if number == 0x0F:
            return 0
        # A byte of padding stands alone.
        at += 1 + length if number else 1
    return 0


def _payload(data: bytes) -> int:
    """Where the payload begins, behind an extension."""
    return 16 + 4 * int.from_bytes(data[14:16], "big")
