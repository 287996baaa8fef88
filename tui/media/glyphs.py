"""The characters pictures are made of, and which part of a cell each of them fills.

A cell is seen as 4 wide x 8 high sub-cells, row by row from the top left. Used by `tui.media.cells` to choose
glyphs, and by whoever has to know what a chosen cell looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

CodePoints: TypeAlias = NDArray[np.uint32]
Fills: TypeAlias = NDArray[np.float32]

WIDE: Final = 4
HIGH: Final = 8
"""Sub-cells of a cell."""

SPACE: Final = 0x20
SHADES: Final[CodePoints] = np.array([0x2591, 0x2592, 0x2593], dtype=np.uint32)
"""One, two and three quarters of the cell, evenly."""

_FULL: Final = 0x2588
_BLANK: Final = 0x2800

# How much of each sub-cell is ink, in 15ths: the mean of DejaVu Sans Mono and Noto Sans Mono.
_INK: Final = {
    ".": "00000000000000000000033002200000",
    "`": "01000510012000000000000000000000",
    "'": "00000110044001100000000000000000",
    "-": "00000000000000000770000000000000",
    ",": "00000000000000000000034007300200",
    "_": "00000000000000000000000022223333",
    ":": "00000000011004400000033002200000",
    "~": "00000000000014024374000000000000",
    '"': "00000330088003300000000000000000",
    ";": "00000000011004500000034007300200",
    "^": "00000220266223312002000000000000",
    "!": "00000220055005500440033002200000",
    "+": "00000000011004404994033000000000",
    "*": "00000110277228820110000000000000",
    "\\": "00002000270008100360009000420000",
    "<": "00000000000216725830005500000000",
    ">": "00000000200027610385550000000000",
    "/": "00000012008101800720090042000000",
    "(": "00000030035008100900072002600020",
    ")": "00000300053001800090027006200200",
    "|": "00000220044004400440044004400330",
    "=": "00000000000058854664122100000000",
    "c": "00000000023129426400382203610000",
    "v": "00000000200262361881098002200000",
    "L": "00001200450045004500473215530000",
    "J": "0000035000810081008132a126300000",
    "Y": "00003003544508800550055001100000",
    "7": "00002442247500810280082003000000",
    "x": "00000000101127720880288230030000",
    "z": "00000000133114930460292125520000",
    "s": "00000000033038411881127415500000",
    "T": "00004444277205500550055001100000",
    "o": "00000000033046648119655605500000",
    "F": "00001443474257425831550012000000",
    "V": "00003003811845540880088002200000",
    "X": "00003103366408800880555530030000",
    "P": "00002441565755395961540021000000",
    "%": "00001200863178622676147810330000",
    "$": "000001202992583005a5368604400010",
    "#": "0000011218453aa56bb4447021200000",
    "&": "0000043037303a31756792a715330000",
    "O": "00000440566591199119665605500000",
    "8": "00001441566539835565744705500000",
    "0": "00000440467483788528576504400000",
    "Q": "00000440566591199119665605a20011",
    "W": "00003003811886688778677612220000",
    "@": "00000120375675887847857736310131",
    "M": "00003113966997799559911930030000",
}

_QUADRANTS: Final = "▘▝▀▖▌▞▛▗▚▐▜▄▙▟"
"""By the binary number of what is filled: 1 top left, 2 top right, 4 and 8 below, from 1 to 14."""
_DOTS: Final = (0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80)
"""Braille's bits, row by row."""

# Octants that have a code point elsewhere, by the binary number of what is filled, row by row.
_NOT_OCTANTS: Final = {
    0x00: 0x20, 0x01: 0x1CEA8, 0x02: 0x1CEAB, 0x03: 0x1FB82, 0x05: 0x2598, 0x0A: 0x259D, 0x0F: 0x2580,
    0x14: 0x1FBE6, 0x28: 0x1FBE7, 0x3F: 0x1FB85, 0x40: 0x1CEA3, 0x50: 0x2596, 0x55: 0x258C, 0x5A: 0x259E,
    0x5F: 0x259B, 0x80: 0x1CEA0, 0xA0: 0x2597, 0xA5: 0x259A, 0xAA: 0x2590, 0xAF: 0x259C, 0xC0: 0x2582,
    0xF0: 0x2584, 0xF5: 0x2599, 0xFA: 0x259F, 0xFC: 0x2586, 0xFF: 0x2588,
}  # fmt: skip


class Glyphs(StrEnum):
    """Which characters a picture is made of."""

    ASCII = "ascii"
    HALF = "half"
    """Halves of both directions."""
    BLOCK = "block"
    """Halves, quadrants and eighths, U+2580..259F: in nearly every font."""
    SEXTANT = "sextant"
    """BLOCK and sixths, of Unicode 13."""
    OCTANT = "octant"
    """SEXTANT and 2x4 parts, of Unicode 16."""
    BRAILLE = "braille"


@dataclass(frozen=True, slots=True, eq=False)
class Shapes:
    """What a set of glyphs can draw: ``fills`` (glyphs, ``high * wide``) is the share of ink of each part."""

    code_points: CodePoints
    fills: Fills
    wide: int
    high: int


def fills(code_points: CodePoints) -> Fills:
    """How much of each sub-cell these glyphs fill, 0..1, shape (..., 32); an unknown glyph counts as empty."""
    known, table = _table()
    at = np.minimum(np.searchsorted(known, code_points), len(known) - 1)
    return table[np.where(known[at] == code_points, at, 0)]


def coverage(code_points: CodePoints) -> NDArray[np.uint32]:
    """Which sub-cells these glyphs fill, bit ``y * 4 + x``; an unknown glyph counts as empty.

    Of what glyphs fill partly, such as the shades, a fitting number of sub-cells is filled, evenly spread.
    """
    known, words = _words()
    at = np.minimum(np.searchsorted(known, code_points), len(known) - 1)
    return np.where(known[at] == code_points, words[at], np.uint32(0))


@cache
def two_coloured(glyphs: Glyphs) -> Shapes:
    """The set's ways to split a cell in two colours, each once: a glyph and its negative are the same way.

    The first is the space, which does not split.
    """
    members = [SPACE, *_members(glyphs)]
    wide, high = {Glyphs.HALF: (2, 2), Glyphs.BRAILLE: (2, 4)}.get(glyphs, (WIDE, HIGH))
    code_points = np.array(members, dtype=np.uint32)
    ways = _reduced(fills(code_points), wide, high)
    chosen: list[int] = [0]
    seen: set[tuple[int, ...]] = set()
    # Sharp shapes first: one that fills parts by half may split in the same way, with colours out of range.
    for index in np.argsort(np.minimum(ways, 1 - ways).sum(axis=1), kind="stable").tolist():
        split = ways[index] - ways[index].mean()
        if not split.any():
            continue
        way = np.round(split / np.abs(split).max() * 1000).astype(int)
        if tuple(way) not in seen:
            seen |= {tuple(way), tuple(-way)}
            chosen.append(index)
    return Shapes(code_points[chosen], ways[chosen], wide, high)


@cache
def inked(glyphs: Glyphs) -> Shapes:
    """The set's ways to ink a cell in one colour, the shades among them."""
    members = [SPACE, *_members(glyphs)]
    if glyphs is not Glyphs.ASCII:
        members += [_FULL, *SHADES.tolist()]
    code_points = np.array(members, dtype=np.uint32)
    return Shapes(code_points, fills(code_points), WIDE, HIGH)


def braille(dots: NDArray[np.bool_]) -> CodePoints:
    """The braille patterns of these dots, row by row in the last axis of 8."""
    code_points: CodePoints = (dots @ np.array(_DOTS) + _BLANK).astype(np.uint32)
    return code_points


def _members(glyphs: Glyphs) -> list[int]:
    """The glyphs of a set but the space and the full block."""
    if glyphs is Glyphs.ASCII:
        return [ord(character) for character in _INK]
    if glyphs is Glyphs.HALF:
        return [ord(character) for character in "▄▌▀▐"]
    if glyphs is Glyphs.BRAILLE:
        return list(range(_BLANK + 1, _BLANK + 0x100))
    members = [*range(0x2581, 0x2588), *range(0x2589, 0x2590), 0x2580, 0x2590, 0x2594, 0x2595]
    members += [ord(character) for character in _QUADRANTS if ord(character) not in members]
    if glyphs is not Glyphs.BLOCK:
        members += [code for code, _ in _sextants()]
    if glyphs is Glyphs.OCTANT:
        members += [code for code, _ in _octants() if code > 0xFFFF]
    return members


def _reduced(shapes: Fills, wide: int, high: int) -> Fills:
    """The same shapes on a coarser grid."""
    parts = shapes.reshape(-1, high, HIGH // high, wide, WIDE // wide)
    means: Fills = parts.mean(axis=(2, 4)).reshape(len(shapes), -1)
    return means


@cache
def _table() -> tuple[CodePoints, Fills]:
    """All known glyphs in order, and the share of ink of each sub-cell."""
    known = {SPACE: np.zeros((HIGH, WIDE))}
    for character, ink in _INK.items():
        known[ord(character)] = np.array([int(digit, 16) / 15 for digit in ink]).reshape(HIGH, WIDE)
    for step in range(1, 9):
        known[0x2580 + step] = _box(0, 1 - step / 8, 1, 1)
        known[0x2590 - step] = _box(0, 0, step / 8, 1)
    known[0x2580], known[0x2590] = _box(0, 0, 1, 0.5), _box(0.5, 0, 1, 1)
    known[0x2594], known[0x2595] = _box(0, 0, 1, 1 / 8), _box(7 / 8, 0, 1, 1)
    for step, code in enumerate(SHADES.tolist(), 1):
        known[code] = np.full((HIGH, WIDE), step / 4)
    for pattern, character in enumerate(_QUADRANTS, 1):
        known[ord(character)] = _parts(pattern, 2)
    for code, pattern in _sextants():
        known[code] = _parts(pattern, 3)
    for code, pattern in _octants():
        known[code] = _parts(pattern, 4)
    for dots in range(0x100):
        pattern = sum(1 << place for place, bit in enumerate(_DOTS) if dots & bit)
        known[_BLANK + dots] = _parts(pattern, 4)
    codes = sorted(known)
    table = np.stack([known[code] for code in codes]).reshape(len(codes), -1)
    return np.array(codes, dtype=np.uint32), table.astype(np.float32)


@cache
def _words() -> tuple[CodePoints, NDArray[np.uint32]]:
    """All known glyphs in order, and what they cover."""
    known, table = _table()
    limits = np.tile([[0.2, 0.6], [0.8, 0.4]], (HIGH // 2, WIDE // 2)).ravel()
    return known, ((table > limits) @ (1 << np.arange(WIDE * HIGH))).astype(np.uint32)


def _sextants() -> list[tuple[int, int]]:
    """Code points and what they fill; the two halves are encoded elsewhere."""
    patterns = [pattern for pattern in range(1, 63) if pattern not in (0b010101, 0b101010)]
    return [(0x1FB00 + index, pattern) for index, pattern in enumerate(patterns)]


def _octants() -> list[tuple[int, int]]:
    """Code points of all 256 patterns, and the patterns."""
    others = [pattern for pattern in range(256) if pattern not in _NOT_OCTANTS]
    return [(0x1CD00 + index, pattern) for index, pattern in enumerate(others)] + [
        (code, pattern) for pattern, code in _NOT_OCTANTS.items()
    ]


def _parts(pattern: int, rows: int) -> NDArray[np.float64]:
    """A cell of 2 x ``rows`` equal parts, filled where the pattern has a bit, row by row."""
    filled = np.zeros((HIGH, WIDE))
    for part in range(2 * rows):
        if pattern >> part & 1:
            row, column = divmod(part, 2)
            filled += _box(column / 2, row / rows, column / 2 + 0.5, (row + 1) / rows)
    return filled


def _box(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    """How much of each sub-cell lies in this box; the cell is 1 wide and 1 high."""
    across = np.diff(np.clip(np.linspace(0, 1, WIDE + 1), left, right)) * WIDE
    down = np.diff(np.clip(np.linspace(0, 1, HIGH + 1), top, bottom)) * HIGH
    return np.outer(down, across)
