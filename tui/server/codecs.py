"""What one RTP payload says about its stream, read without decoding: where a key frame begins, and its size.

Used by the ingests and the forwarding. What is read comes from a publisher's encoder and may be anything: nothing
raises, and no loop is longer than the packet.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from aiortc.codecs.vpx import VpxPayloadDescriptor

from tui.core.h264 import UNIT_LIMIT, sequence_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDR, _SPS, _STAP_A, _FU_A = 5, 7, 24, 28


class Codec(enum.StrEnum):
    """The codecs that the server forwards."""

    VP8 = "video/VP8"
    H264 = "video/H264"
    OPUS = "audio/opus"

    @property
    def short(self) -> str:
        """The name without its kind, as AMS's ``streamInformation`` has it."""
        return self.partition("/")[2].lower()


def begins_key_frame(codec: Codec, payload: bytes) -> bool:
    """Whether a decoder may begin with this packet; of sound, with every one."""
    if codec is Codec.VP8:
        return _vp8_key_frame(payload) is not None
    if codec is Codec.H264:
        return any(_begins_picture(unit) for unit in _nal_units(payload))
    return True


def picture_size(codec: Codec, payload: bytes) -> tuple[int, int] | None:
    """Width and height, where this packet tells them."""
    if codec is Codec.VP8:
        frame = _vp8_key_frame(payload) or b""
        if len(frame) < 10 or frame[3:6] != b"\x9d\x01\x2a":
            return None
        return (
            int.from_bytes(frame[6:8], "little") & 0x3FFF,
            int.from_bytes(frame[8:10], "little") & 0x3FFF,
        )
    if codec is Codec.H264:
        for unit in _nal_units(payload):
            if unit[0] & 0x1F == _SPS:
                parameters = sequence_parameters(unit)
                return parameters.size if parameters is not None else None
    return None


def _vp8_key_frame(payload: bytes) -> bytes | None:
    """The frame's own bytes when the packet begins a key frame."""
    try:
        descriptor, data = VpxPayloadDescriptor.parse(payload)
    except ValueError:
        return None
    first = descriptor.partition_start == 1 and descriptor.partition_id == 0
    return data if first and data and not data[0] & 1 else None


def _nal_units(payload: bytes) -> Iterator[bytes]:
    """The beginnings of the NAL units that begin in this packet (RFC 6184), none of them empty."""
    kind = payload[0] & 0x1F if payload else 0
    if kind == _STAP_A:
        position = 1
        while position + 2 < len(payload):
            size = int.from_bytes(payload[position : position + 2], "big")
            position += 2
            if unit := payload[position : position + min(size, UNIT_LIMIT)]:
                yield unit
            position += size
    elif kind == _FU_A:
        if len(payload) > 2 and payload[1] & 0x80:
            yield bytes([payload[0] & 0xE0 | payload[1] & 0x1F]) + payload[2:UNIT_LIMIT]
    elif 0 < kind < _STAP_A:
        yield payload[:UNIT_LIMIT]


def _begins_picture(unit: bytes) -> bool:
    """A parameter set, or the first slice of a picture that refers to no other."""
    kind = unit[0] & 0x1F
    return kind == _SPS or (kind == _IDR and len(unit) > 1 and unit[1] & 0x80 != 0)
