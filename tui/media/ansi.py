"""Character cells as the bytes that draw them on a terminal, and nothing else.

Used by `tui.media.canvas`. A colour is a word that says by itself how it is sent (`coded`), so that cells of several
depths can stand on one screen. Only absolute moves and moves to the right are used, and no line break: the screen
never scrolls, and after the last column the cursor is set anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tui.media.colours import DEFAULT_COLOUR, Depth, numbers, palette

if TYPE_CHECKING:
    from tui.media.colours import Colours
    from tui.media.glyphs import CodePoints

Bytes: TypeAlias = NDArray[np.uint8]
Codes: TypeAlias = NDArray[np.int32]
Words: TypeAlias = NDArray[np.uint32]
"""Four bytes each, filled up with zeros."""
Counts: TypeAlias = NDArray[np.int64]

RESET: Final = b"\x1b[0m"
BEGIN_UPDATE: Final = b"\x1b[?2026h"
END_UPDATE: Final = b"\x1b[?2026l"
"""Around what the terminal shall show at once, where DECRQM said that it can."""

NUMBERED: Final = 1 << 24
"""Added to a number of the 256 colours, 16 and up."""
BASIC: Final = 1 << 25
"""Added to a number of the 16 colours."""
ANY: Final = -2
"""A colour that the glyph does not show: whatever is set stays."""

LARGEST_SCREEN: Final = 4095
"""Columns and rows."""
LARGEST_STROKE: Final = 52
"""Bytes of a move, two colours and a glyph at most."""


@dataclass(frozen=True, slots=True)
class Strokes:
    """Cells to draw, in the order of their places: ``row * columns + column``, ascending."""

    places: Counts
    glyphs: CodePoints
    foreground: Codes
    background: Codes

    def __len__(self) -> int:
        return len(self.places)

    def only(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Strokes:
        """Some of them, still in order."""
        return Strokes(self.places[chosen], self.glyphs[chosen], self.foreground[chosen], self.background[chosen])

    def settled(self) -> Strokes:
        """The same with every `ANY` replaced by the colour that will be set there."""
        return Strokes(self.places, self.glyphs, _settled(self.foreground), _settled(self.background))


def coded(colours: Colours, depth: Depth) -> Codes:
    """Colours of a `CellGrid` as words; shape kept."""
    if depth is Depth.TRUECOLOR or depth is Depth.NONE:
        return colours
    kind = NUMBERED if depth is Depth.PALETTE else BASIC
    return np.where(colours < 0, np.int32(DEFAULT_COLOUR), colours | np.int32(kind))


def decoded(codes: Codes, depth: Depth) -> Colours:
    """Words as colours of a `CellGrid`; in TRUECOLOR the shorter ones become the RGB that they look like."""
    if depth is Depth.NONE:
        return np.full_like(codes, DEFAULT_COLOUR)
    if depth is Depth.TRUECOLOR:
        return np.where(codes >= NUMBERED, numbers(palette())[codes & 255], codes)
    return np.where(codes < 0, codes, codes & 255)


class Prices:
    """What strokes take: bytes of each glyph and colour, and of any choice among them together."""

    def __init__(self, strokes: Strokes, columns: int) -> None:
        self._strokes = strokes
        self._rows = strokes.places // columns
        digits = _digit_counts()
        self._jumps = 4 + digits[self._rows + 1] + digits[strokes.places - self._rows * columns + 1]
        self.glyphs: Counts = _utf8_sizes()[strokes.glyphs].astype(np.int64)
        self.foreground = _colour_sizes(strokes.foreground)
        self.background = _colour_sizes(strokes.background) + (strokes.background >= BASIC + 8)

    def together(self, chosen: NDArray[np.intp]) -> int:
        """How many bytes `encode` makes of these strokes, ascending."""
        if not len(chosen):
            return 0
        total = int(self.glyphs[chosen].sum()) + len(RESET)
        rows, gaps = self._rows[chosen], np.diff(self._strokes.places[chosen])
        jump = rows[1:] != rows[:-1]
        total += int(self._jumps[chosen[:1]].sum() + self._jumps[chosen[1:][jump]].sum())
        over = gaps[~jump & (gaps > 1)] - 1
        total += 3 * len(over) + int(_digit_counts()[over[over > 1]].sum())
        coloured = np.zeros(len(self._rows), dtype=np.bool_)
        for codes, sizes in (
            (self._strokes.foreground, self.foreground),
            (self._strokes.background, self.background),
        ):
            set_here = chosen[codes[chosen] != ANY]
            new = set_here[_new(codes[set_here])]
            coloured[new] = True
            total += int(sizes[new].sum()) + len(new)
        # ESC, [ and m; and a semicolon between two colours: two for each set, and one for each colour.
        return total + 2 * int(np.count_nonzero(coloured))


def encode(strokes: Strokes, columns: int) -> bytes:
    """Draw them on a screen of so many columns, from reset attributes to reset attributes.

    The cursor may be anywhere before and is anywhere afterwards.
    """
    if not len(strokes):
        return b""
    settled = strokes.settled()
    words = np.zeros((len(settled), _WORDS), dtype=np.uint32)
    _moves(words, settled.places, columns)
    foreground, background = _new(settled.foreground), _new(settled.background)
    at = np.flatnonzero(foreground | background)
    words[at, _SGR], words[at, _GLYPH - 1] = _word(b"\x1b["), _word(b"m")
    words[foreground & background, _BACKGROUND - 1] = _word(b";")
    for new, codes, first, kind in (
        (foreground, settled.foreground, _FOREGROUND, b"3"),
        (background, settled.background, _BACKGROUND, b"4"),
    ):
        at = np.flatnonzero(new)
        _colours(words, at, codes[at], first, kind)
    words[:, _GLYPH] = _utf8()[settled.glyphs]
    field = words.view(np.uint8).ravel()
    made: bytes = field[field != 0].tobytes()
    return made + RESET


# What a stroke is sent as, in words of four bytes: move, SGR with two colours, glyph. Zeros are squeezed out.
_SGR = 5
_FOREGROUND = _SGR + 1
_BACKGROUND = _FOREGROUND + 5
_GLYPH = _BACKGROUND + 5
_WORDS = _GLYPH + 1


def _colour_sizes(codes: Codes) -> Counts:
    """Bytes of each colour among SGR parameters; a bright basic background takes one more."""
    digits = _digit_counts()
    sizes: Counts = 7 + digits.take(codes >> 16 & 255) + digits.take(codes >> 8 & 255) + digits.take(codes & 255)
    short = (codes >= NUMBERED) | (codes < 0)
    if short.any():
        sizes = np.where(codes >= NUMBERED, 5 + digits[codes & 255], sizes)
        sizes = np.where((codes >= BASIC) | (codes < 0), 2, sizes)
    return sizes


def _settled(codes: Codes) -> Codes:
    known = codes != ANY
    if known.all():
        return codes
    last = np.maximum.accumulate(np.where(known, np.arange(len(codes)), -1))
    return np.where(last >= 0, codes[last], np.int32(DEFAULT_COLOUR))


def _new(codes: Codes) -> NDArray[np.bool_]:
    """Which of them differ from the one before; at first the terminal's own colour is set."""
    new = np.empty(len(codes), dtype=np.bool_)
    new[:1] = codes[:1] != DEFAULT_COLOUR
    np.not_equal(codes[1:], codes[:-1], out=new[1:])
    return new


def _gaps(places: Counts, columns: int) -> tuple[NDArray[np.bool_], Counts]:
    """Where the cursor is set anew, and elsewhere how many cells it steps over."""
    steps = np.empty(len(places), dtype=np.int64)
    steps[:1] = 0
    np.subtract(places[1:], places[:-1], out=steps[1:])
    rows = places // columns
    jump = np.empty(len(places), dtype=np.bool_)
    jump[:1] = True
    np.not_equal(rows[1:], rows[:-1], out=jump[1:])
    return jump, steps - 1


def _moves(words: Words, places: Counts, columns: int) -> None:
    jump, gaps = _gaps(places, columns)
    numerals = _numerals()
    at = np.flatnonzero(jump)
    rows = places[at] // columns
    words[at, 0], words[at, 2], words[at, 4] = _word(b"\x1b["), _word(b";"), _word(b"H")
    words[at, 1], words[at, 3] = numerals[rows + 1], numerals[places[at] - rows * columns + 1]
    at = np.flatnonzero(~jump & (gaps > 0))
    words[at, 0], words[at, 4] = _word(b"\x1b["), _word(b"C")
    words[at, 1] = np.where(gaps[at] > 1, numerals[gaps[at]], np.uint32(0))


def _colours(words: Words, at: NDArray[np.intp], codes: Codes, first: int, kind: bytes) -> None:
    """SGR parameters in four words from ``first`` on; ``kind`` is 3 for the foreground, 4 for the background."""
    channels = _channels()
    words[at, first] = _word(kind + b"8;2")
    for channel in range(3):
        words[at, first + 1 + channel] = channels[codes >> (16 - 8 * channel) & 255]
    short = codes >= NUMBERED
    if short.any():
        numbered = at[short]
        words[numbered, first] = _word(kind + b"8;5")
        words[numbered, first + 1] = channels[codes[short] & 255]
        words[numbered, first + 2 : first + 4] = 0
    short = (codes >= BASIC) | (codes < 0)
    if short.any():
        # The terminal's own colour comes after the sixteen.
        words[at[short], first] = _basic(kind)[np.where(codes[short] < 0, 16, codes[short] & 15)]
        words[at[short], first + 1 : first + 4] = 0


@cache
def _basic(kind: bytes) -> Words:
    """SGR parameters of the 16 colours and of the terminal's own."""
    step = int(kind)
    numbers = [10 * step + colour for colour in range(8)] + [10 * (step + 6) + colour for colour in range(8)]
    return _as_words([str(number).encode() for number in (*numbers, 10 * step + 9)])


@cache
def _numerals() -> Words:
    """Decimal digits of 0 to `LARGEST_SCREEN` + 1."""
    return _as_words([str(number).encode() for number in range(LARGEST_SCREEN + 2)])


@cache
def _channels() -> Words:
    """One more parameter, 0 to 255."""
    return _as_words([f";{number}".encode() for number in range(256)])


@cache
def _digit_counts() -> Counts:
    return _sizes(_numerals()).astype(np.int64)


@cache
def _utf8() -> Words:
    """UTF-8 of every character of the first two planes."""
    codes = np.arange(0x20000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    text = np.frombuffer(codes.encode("utf-8", "surrogatepass"), dtype=np.uint8)
    made = np.zeros((0x20000, 4), dtype=np.uint8)
    used = 0
    for size, (first, end) in enumerate(((0, 0x80), (0x80, 0x800), (0x800, 0x10000), (0x10000, 0x20000)), start=1):
        made[first:end, :size] = text[used : used + size * (end - first)].reshape(-1, size)
        used += size * (end - first)
    return made.view(np.uint32).ravel()


@cache
def _utf8_sizes() -> Bytes:
    return _sizes(_utf8())


def _sizes(words: Words) -> Bytes:
    counts: Bytes = np.count_nonzero(words.view(np.uint8).reshape(-1, 4), axis=1).astype(np.uint8)
    return counts


def _as_words(texts: list[bytes]) -> Words:
    return np.frombuffer(b"".join(text.ljust(4, b"\0") for text in texts), dtype=np.uint32)


@cache
def _word(text: bytes) -> np.uint32:
    word: np.uint32 = _as_words([text])[0]
    return word
