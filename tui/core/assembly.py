"""Complete pictures out of the packets of one remote video, in their order.

Used by `tui.core.pictures`. Sans I/O. A picture is complete with its marker bit, or when the next one begins: waiting
for the next alone costs a frame's time (aiortc reference, Q4). A hole is waited for `PATIENCE` at most; then, or as
soon as a complete key frame lies beyond it, the pictures up to that key frame are given up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiortc.codecs.vpx import VpxPayloadDescriptor

from tui.core.video import EncodedPicture

if TYPE_CHECKING:
    from aiortc.rtp import RtpPacket

PATIENCE = 0.4
"""Seconds that a hole is waited for (aiortc reference, trap 11)."""

MOST_PACKETS = 1024
"""That wait at once."""

MOST_BYTES = 4 << 20
"""Of all packets that wait: far more than a key frame of the largest picture that is shown."""

_JUMP = 1024
"""Numbers that are further away than this belong to another sequence."""

_REORDERED = 64
"""Packets that are kept while a key frame is waited for, in case it began with one of them."""

_VP8_START = b"\x9d\x01\x2a"
_H264_KEY = re.compile(rb"\x00\x00\x01[\x05\x07\x25\x27\x45\x47\x65\x67]")
_H264_PARAMETERS = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67]")
_STAP_A, _FU_A = 24, 28


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one packet brings."""

    timestamp: int
    marker: bool
    data: bytes
    begins: bool
    """Certainly the first of its picture."""
    is_key: bool
    layer: int
    is_entry: bool


class Assembly:
    """Puts the pictures of one track together, whatever comes; what waits is bounded by packets and bytes."""

    def __init__(self) -> None:
        self.passed = 0
        """Pictures that were complete."""
        self.dropped = 0
        """Pictures that ended, but never were."""
        self._source: tuple[int, str] | None = None
        self._pieces: dict[int, _Piece] = {}
        self._bytes = 0
        self._newest = 0
        """The highest number so far; numbers go on beyond 16 bits."""
        self._next: int | None = None
        """The number that the next picture begins with, ``None`` while a key frame is awaited."""
        self._seen = 0
        """The first number after it that has not come."""
        self._key: int | None = None
        """A packet of the newest key frame that is not complete."""
        self._hole_since: float | None = None

    @property
    def awaits_key_frame(self) -> bool:
        """Whether nothing can be passed on until a key frame comes."""
        return self._next is None

    def begin_anew(self) -> None:
        """Forget what waits: a key frame is awaited."""
        self._forget(list(self._pieces))
        self._next = self._key = self._hole_since = None

    def add(self, packet: RtpPacket, media: bytes, codec: str, now: float) -> list[EncodedPicture]:
        """One more packet and what of it is the codec's; the pictures that are complete now."""
        if (packet.ssrc, codec) != self._source:
            self.begin_anew()
            self._source = packet.ssrc, codec
            self._newest = packet.sequence_number
        ahead = (packet.sequence_number - self._newest + 0x8000 & 0xFFFF) - 0x8000
        number = self._newest + ahead
        if abs(ahead) > _JUMP:
            self.begin_anew()
            self._newest = number
        if number in self._pieces or (self._next is not None and number < self._next):
            return []
        self._newest = max(self._newest, number)
        piece = self._pieces[number] = _piece(packet, media, codec)
        self._bytes += len(media)
        if piece.is_key:
            self._key = number if self._key is None else max(number, self._key)
        found = self._following(codec, now)
        if not found and self._key is not None and (self._next is None or self._has_hole) and self._reach_key():
            found = self._following(codec, now)
        self._give_up(now)
        return found

    @property
    def _has_hole(self) -> bool:
        return self._next is not None and len(self._pieces) > self._seen - self._next

    def _following(self, codec: str, now: float) -> list[EncodedPicture]:
        """The complete pictures that follow the last one without a hole."""
        found: list[EncodedPicture] = []
        while self._next is not None and (piece := self._pieces.get(self._seen)) is not None:
            ended = piece.timestamp != self._pieces[self._next].timestamp
            if not ended:
                self._seen += 1
            if (ended or piece.marker) and (picture := self._taken(codec, now)) is not None:
                found.append(picture)
        return found

    def _taken(self, codec: str, now: float) -> EncodedPicture | None:
        """What was seen of the next picture, which has ended; ``None`` where it is only padding, or broken."""
        assert self._next is not None
        pieces = [piece for number in range(self._next, self._seen) if (piece := self._pieces.pop(number)).data]
        self._next = self._seen
        if self._key is not None and self._key < self._next:
            self._key = None
        if not pieces:
            return None
        data = b"".join([piece.data for piece in pieces])
        self._bytes -= len(data)
        if codec == "vp8" and not pieces[0].begins:
            self.dropped += 1
            self.begin_anew()
            return None
        self.passed += 1
        return EncodedPicture(
            codec=codec,
            data=data,
            timestamp=pieces[0].timestamp,
            arrival=now,
            is_key=any(piece.is_key for piece in pieces),
            layer=min(piece.layer for piece in pieces),
            is_entry=pieces[0].is_entry,
        )

    def _reach_key(self) -> bool:
        """Go on with the newest key frame if it is complete, and give up what is before it."""
        assert self._key is not None
        begin = end = self._key
        timestamp = self._pieces[begin].timestamp
        while not self._pieces[begin].begins:
            before = self._pieces.get(begin - 1)
            if before is None:
                return False
            if before.timestamp != timestamp or before.marker:
                break
            begin -= 1
        while (piece := self._pieces.get(end)) is not None and piece.timestamp == timestamp and not piece.marker:
            end += 1
        if piece is None:
            return False
        self._forget([number for number in self._pieces if number < begin])
        self._next = self._seen = begin
        return True

    def _give_up(self, now: float) -> None:
        """Forget what has waited too long, or is too much."""
        if len(self._pieces) > MOST_PACKETS or self._bytes > MOST_BYTES:
            self.begin_anew()
        elif self._next is None:
            if self._key is None and len(self._pieces) > 2 * _REORDERED:
                self._forget(list(self._pieces)[:_REORDERED])
        elif not self._has_hole:
            self._hole_since = None
        elif self._hole_since is None:
            self._hole_since = now
        elif now - self._hole_since > PATIENCE:
            # What lies beyond may be the key frame that is awaited from now on.
            self._next = self._hole_since = None

    def _forget(self, numbers: list[int]) -> None:
        for number in numbers:
            piece = self._pieces.pop(number)
            self._bytes -= len(piece.data)
            self.dropped += piece.marker


def _piece(packet: RtpPacket, media: bytes, codec: str) -> _Piece:
    marker, timestamp = bool(packet.marker), packet.timestamp
    if not media:
        return _Piece(timestamp, marker, media, begins=False, is_key=False, layer=0, is_entry=True)
    if codec == "h264":
        kind, refers = packet.payload[0] & 0x1F, packet.payload[0] & 0x60
        middle = kind == _FU_A and not packet.payload[1] & 0x80
        head = b"" if middle else media if kind == _STAP_A else media[:5]
        return _Piece(
            timestamp,
            marker,
            media,
            begins=_H264_PARAMETERS.search(head) is not None,
            is_key=_H264_KEY.search(head) is not None,
            layer=0 if refers else 1,
            is_entry=True,
        )
    begins = packet.payload[0] & 0x1F == 0x10
    layer, is_entry = 0, True
    if begins:
        layer, is_entry = _vp8_layer(packet.payload)
    return _Piece(
        timestamp,
        marker,
        media,
        begins=begins,
        is_key=begins and not media[0] & 1 and media[3:6] == _VP8_START,
        layer=layer,
        is_entry=is_entry,
    )


def _vp8_layer(payload: bytes) -> tuple[int, bool]:
    """The layer, and whether it refers to the lowest alone (RFC 7741, 4.2); 1 too for what nobody refers to."""
    descriptor, _ = VpxPayloadDescriptor.parse(payload)
    if descriptor.tid is not None:
        layer, sync = descriptor.tid
        return layer, layer == 0 or sync == 1
    return (1 if payload[0] & 0x20 else 0), True
