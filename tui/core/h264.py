"""What an H.264 sequence parameter set says about the pictures after it, read without decoding (H.264, 7.3.2.1.1).

Used by who shows pictures, to refuse what claims too much, and by the local room server. What is read comes from the
other end's encoder and may be anything: nothing raises, and no loop is longer than the unit.
"""

from __future__ import annotations

from dataclasses import dataclass

UNIT_LIMIT = 256
"""Bytes of a NAL unit that are read: a sequence parameter set is far smaller."""

_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
"""The profiles whose parameter set describes the chroma format."""


@dataclass(frozen=True, slots=True)
class SequenceParameters:
    """Sizes are width and height in pixels."""

    coded: tuple[int, int]
    """What a decoder has to keep, before cropping."""
    size: tuple[int, int]
    """What is shown."""


def sequence_parameters(unit: bytes) -> SequenceParameters | None:
    """Of a NAL unit of type 7 without its start code; ``None`` when it cannot be read."""
    try:
        return _read(_Bits(unit[:UNIT_LIMIT]))
    except ValueError:
        return None


class _Bits:
    """The bits of a NAL unit; raises `ValueError` beyond its end."""

    def __init__(self, unit: bytes) -> None:
        data = unit.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(data, "big")
        self._left = len(data) * 8

    def take(self, count: int = 1) -> int:
        """An unsigned number of that many bits."""
        self._left -= count
        if self._left < 0:
            raise ValueError("a parameter set that ends too early")
        return self._value >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        """An unsigned Exp-Golomb number."""
        zeros = 0
        while not self.take():
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)

    def signed_golomb(self) -> int:
        """A signed Exp-Golomb number."""
        value = self.golomb()
        return (value + 1) // 2 if value & 1 else -(value // 2)


def _read(bits: _Bits) -> SequenceParameters | None:
    bits.take(8)
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma = 1
    if profile in _WITH_CHROMA:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take()
        bits.golomb()
        bits.golomb()
        bits.take()
        if bits.take():
            for index in range(12 if chroma == 3 else 8):
                if bits.take():
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take()
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    bits.take()
    width, height = (bits.golomb() + 1) * 16, (bits.golomb() + 1) * 16
    frames_only = bits.take()
    if not frames_only:
        height *= 2
        bits.take()
    bits.take()
    coded = shown = (width, height)
    if bits.take():
        across = 2 if chroma in (1, 2) else 1
        down = (2 if chroma == 1 else 1) * (1 if frames_only else 2)
        width -= across * (bits.golomb() + bits.golomb())
        height -= down * (bits.golomb() + bits.golomb())
        shown = (width, height)
    known = min(shown) > 0 and max(shown) < 1 << 14
    return SequenceParameters(coded, shown) if known else None


def _skip_scaling_list(bits: _Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed_golomb()) % 256
        last = following or last
