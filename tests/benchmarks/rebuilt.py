"""A terminal that rebuilds the picture from the bytes: what a person would see of what a program wrote.

Used by the picture benchmark. It raises on what it does not know, so that nothing is lost unnoticed.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import ImageFont

Samples: TypeAlias = NDArray[np.float32]
Mask: TypeAlias = NDArray[np.float32]

ACROSS, DOWN = 4, 8
"""The samples of one cell: the finest grid that every set of glyphs can be compared on."""

FOREGROUND, BACKGROUND = -1, -2
"""The terminal's own colours: light grey on black."""

_CELL = (12, 24)
"""Pixels of a cell where a font draws it."""
_FONT = "DejaVuSansMono.ttf"
_FONT_SIZE = 20
"""At which DejaVu Sans Mono is 12 pixels wide."""
_OWN = {FOREGROUND: (229, 229, 229), BACKGROUND: (0, 0, 0)}
_SIXTEEN = (
    *(0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5),
    *(0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF),
)
_STEPS = (0, 95, 135, 175, 215, 255)
_PALETTE = (
    *_SIXTEEN,
    *(red << 16 | green << 8 | blue for red in _STEPS for green in _STEPS for blue in _STEPS),
    *(grey << 16 | grey << 8 | grey for grey in range(8, 239, 10)),
)
"""xterm's 256 colours as 0xRRGGBB."""

_TOKENS = re.compile(
    r"\x1b\[(?P<private>[<-?]?)(?P<numbers>[0-9;:]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b[P\]_^X].*?(?:\x07|\x1b\\)|\x1b(?P<escape>[ -/]*[0-OQ-WYZ\\`-~])"
    r"|(?P<rest>\x1b.*\Z)|(?P<control>[\x00-\x1f\x7f])|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)


class Terminal:
    """A screen of cells that takes the bytes of a program.

    ``translates`` as a tty does that has not been set raw: a line feed is also a carriage return. ``rows_from`` is
    the number of the first row in cursor addresses: 1, and 0 for mpv, which counts so.
    """

    def __init__(self, columns: int, rows: int, *, translates: bool = False, rows_from: int = 1) -> None:
        self.columns, self.rows = columns, rows
        self._translates = translates
        self._rows_from = rows_from
        self._rest = b""
        self._x = self._y = 0
        self._saved = (0, 0)
        self._full = False
        """The cursor stands behind the last column: the next character goes into the next row."""
        self._last = 32
        self._colours = (FOREGROUND, BACKGROUND, False)
        self._glyphs = [[32] * columns for _ in range(rows)]
        self._foreground = [[FOREGROUND] * columns for _ in range(rows)]
        self._background = [[BACKGROUND] * columns for _ in range(rows)]

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row, from 0."""
        return self._x, self._y

    def feed(self, data: bytes) -> None:
        """The next bytes; what is cut within a sequence waits for the rest. Raises ``ValueError`` on the unknown."""
        data = self._rest + data
        whole = _whole(data)
        text, self._rest = data[:whole].decode(), data[whole:]
        for token in _TOKENS.finditer(text):
            kind = token.lastgroup
            if kind == "text":
                self._write([ord(character) for character in token["text"]])
            elif kind == "control":
                self._control(token["control"])
            elif kind == "final":
                self._sequence(token["private"], token["numbers"], token["between"], token["final"])
            elif kind == "escape":
                self._escape(token["escape"])
            elif kind == "rest":
                self._rest = token["rest"].encode() + self._rest

    def glyphs(self) -> NDArray[np.uint32]:
        """Code points, shape (rows, columns)."""
        return np.array(self._glyphs, np.uint32)

    def foreground(self) -> NDArray[np.int32]:
        """Colours as 0xRRGGBB, `FOREGROUND` or `BACKGROUND`; shape (rows, columns)."""
        return np.array(self._foreground, np.int32)

    def background(self) -> NDArray[np.int32]:
        """As `foreground`."""
        return np.array(self._background, np.int32)

    def samples(self, columns: int, rows: int) -> Samples:
        """The upper left part of the screen, RGB 0..255, shape (rows * DOWN, columns * ACROSS, 3)."""
        part = np.s_[:rows, :columns]
        glyphs, places = np.unique(self.glyphs()[part], return_inverse=True)
        masks = np.stack([mask(int(glyph)) for glyph in glyphs])[places.reshape(rows, columns)]
        fore, back = _rgb(self.foreground()[part]), _rgb(self.background()[part])
        cells = back[:, :, None, None] + masks[..., None] * (fore - back)[:, :, None, None]
        return cells.transpose(0, 2, 1, 3, 4).reshape(rows * DOWN, columns * ACROSS, 3)

    def _write(self, glyphs: Sequence[int]) -> None:
        fore, back, swapped = self._colours
        if swapped:
            fore, back = back, fore
        self._last = glyphs[-1]
        while glyphs:
            if self._full:
                self._x, self._full = 0, False
                self._feed_line()
            room = self.columns - self._x
            part, glyphs = glyphs[:room], glyphs[room:]
            end = self._x + len(part)
            self._glyphs[self._y][self._x : end] = part
            self._foreground[self._y][self._x : end] = [fore] * len(part)
            self._background[self._y][self._x : end] = [back] * len(part)
            self._full = end == self.columns
            self._x = min(end, self.columns - 1)

    def _control(self, control: str) -> None:
        if control in "\n\v\f":
            self._feed_line()
            if self._translates:
                self._x, self._full = 0, False
        elif control == "\r":
            self._x, self._full = 0, False
        elif control == "\b":
            self._x, self._full = max(0, self._x - 1), False
        elif control not in "\0\a\x0e\x0f":
            raise ValueError(f"control character {control!r}")

    def _feed_line(self) -> None:
        if self._y < self.rows - 1:
            self._y += 1
            return
        for plane, empty in self._planes():
            del plane[0]
            plane.append([empty] * self.columns)

    def _escape(self, escape: str) -> None:
        if escape == "7":
            self._saved = (self._x, self._y)
        elif escape == "8":
            self._go(*self._saved)
        elif escape not in ("=", ">", "\\", "(B", ")0", "(0"):
            raise ValueError(f"escape sequence {escape!r}")

    def _sequence(self, private: str, numbers: str, between: str, final: str) -> None:
        if final == "m" and not private and not between:
            self._colours = _after(self._colours, numbers)
            return
        if final in "hlntqc" or (final in "pu" and (private or between)):
            return  # modes and questions change no cell
        if private or between:
            raise ValueError(f"sequence CSI {private}{numbers}{between}{final}")
        first, _, second = numbers.partition(";")
        count = max(1, int(first or 1))
        if final in "Hf":
            self._go(int(second or 1) - 1, int(first or self._rows_from) - self._rows_from)
        elif final == "A":
            self._go(self._x, self._y - count)
        elif final == "B":
            self._go(self._x, self._y + count)
        elif final == "C":
            self._go(self._x + count, self._y)
        elif final == "D":
            self._go(self._x - count, self._y)
        elif final == "E":
            self._go(0, self._y + count)
        elif final == "F":
            self._go(0, self._y - count)
        elif final in "G`":
            self._go(count - 1, self._y)
        elif final == "d":
            self._go(self._x, count - self._rows_from)
        elif final == "b":
            self._write([self._last] * count)
        elif final == "X":
            self._erase(self._y, self._x, self._x + count)
        elif final == "J":
            self._erase_screen(int(first or 0))
        elif final == "K":
            start, end = ((self._x, self.columns), (0, self._x + 1), (0, self.columns))[int(first or 0)]
            self._erase(self._y, start, end)
        elif final == "s":
            self._saved = (self._x, self._y)
        elif final == "u":
            self._go(*self._saved)
        elif final != "r":
            raise ValueError(f"sequence CSI {numbers}{final}")

    def _go(self, x: int, y: int) -> None:
        self._x, self._y = min(max(x, 0), self.columns - 1), min(max(y, 0), self.rows - 1)
        self._full = False

    def _erase_screen(self, which: int) -> None:
        if which != 1:
            self._erase(self._y, 0 if which else self._x, self.columns)
        else:
            self._erase(self._y, 0, self._x + 1)
        above = range(self._y) if which else ()
        below = range(self._y + 1, self.rows) if which != 1 else ()
        for row in (*above, *below):
            self._erase(row, 0, self.columns)

    def _erase(self, row: int, start: int, end: int) -> None:
        # As xterm: erased cells take the background that is set.
        fore, back, swapped = self._colours
        count = min(end, self.columns) - start
        self._glyphs[row][start : start + count] = [32] * count
        self._foreground[row][start : start + count] = [back if swapped else fore] * count
        self._background[row][start : start + count] = [fore if swapped else back] * count

    def _planes(self) -> tuple[tuple[list[list[int]], int], ...]:
        return (self._glyphs, 32), (self._foreground, FOREGROUND), (self._background, BACKGROUND)


def _whole(data: bytes) -> int:
    """How many of these bytes are whole characters."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(data) if length <= back else len(data) - back
        if byte < 0x80:
            break
    return len(data)


@lru_cache(1 << 16)
def _after(colours: tuple[int, int, bool], numbers: str) -> tuple[int, int, bool]:
    """The colours after this SGR sequence."""
    fore, back, swapped = colours
    words = [int(word or 0) for word in numbers.replace(":", ";").split(";")]
    while words:
        word = words.pop(0)
        if word == 0:
            fore, back, swapped = FOREGROUND, BACKGROUND, False
        elif word in (38, 48):
            space = words.pop(0)
            if space == 5:
                colour = _PALETTE[words.pop(0)]
            else:
                colour = words[0] << 16 | words[1] << 8 | words[2]
                del words[:3]
            fore, back = (colour, back) if word == 38 else (fore, colour)
        elif word in (7, 27):
            swapped = word == 7
        elif word == 39:
            fore = FOREGROUND
        elif word == 49:
            back = BACKGROUND
        elif 30 <= word <= 37 or 90 <= word <= 97:
            fore = _SIXTEEN[word - 30 if word < 40 else word - 82]
        elif 40 <= word <= 47 or 100 <= word <= 107:
            back = _SIXTEEN[word - 40 if word < 50 else word - 92]
        elif word not in (1, 2, 3, 4, 22, 23, 24):
            raise ValueError(f"SGR {word}")
    return fore, back, swapped


def _rgb(colours: NDArray[np.int32]) -> Samples:
    rgb = np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=-1).astype(np.float32)
    for own, colour in _OWN.items():
        rgb[colours == own] = colour
    return rgb


@cache
def mask(glyph: int) -> Mask:
    """How much of each sample of a cell the glyph fills, 0..1, shape (DOWN, ACROSS).

    Block elements, sextants and octants by their definition in Unicode, braille as round dots, all else by a font.
    """
    if glyph in (0x20, 0xA0, 0x2800):
        return np.zeros((DOWN, ACROSS), np.float32)
    if (boxes := _boxes(glyph)) is not None:
        return sum((_box(*box) for box in boxes), np.zeros((DOWN, ACROSS), np.float32))
    if 0x2591 <= glyph <= 0x2593:
        return np.full((DOWN, ACROSS), (glyph - 0x2590) / 4, np.float32)
    if 0x2800 < glyph <= 0x28FF:
        return _dots(glyph - 0x2800)
    return _drawn(glyph)


Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of a filled part of a cell, 0..1."""

_QUADRANTS = (4, 8, 1, 13, 9, 7, 11, 2, 6, 14)
"""U+2596 to U+259F: bits of upper left, upper right, lower left, lower right."""


def _boxes(glyph: int) -> list[Box] | None:
    if 0x2581 <= glyph <= 0x2588:
        return [(0, 1 - (glyph - 0x2580) / 8, 1, 1)]
    if 0x2589 <= glyph <= 0x258F:
        return [(0, 0, (0x2590 - glyph) / 8, 1)]
    if 0x2596 <= glyph <= 0x259F:
        return _grid(_QUADRANTS[glyph - 0x2596], 2)
    if 0x1FB00 <= glyph <= 0x1FB3B:
        number = glyph - 0x1FB00 + 1
        number += number >= 21  # the left half and the right half have characters of their own
        return _grid(number + (number >= 42), 3)
    if 0x1FB70 <= glyph <= 0x1FB75:
        return [((glyph - 0x1FB6F) / 8, 0, (glyph - 0x1FB6E) / 8, 1)]
    if 0x1FB76 <= glyph <= 0x1FB7B:
        return [(0, (glyph - 0x1FB75) / 8, 1, (glyph - 0x1FB74) / 8)]
    if 0x1FB82 <= glyph <= 0x1FB86:
        return [(0, 0, 1, (2, 3, 5, 6, 7)[glyph - 0x1FB82] / 8)]
    if 0x1FB87 <= glyph <= 0x1FB8B:
        return [(1 - (2, 3, 5, 6, 7)[glyph - 0x1FB87] / 8, 0, 1, 1)]
    if 0x1CD00 <= glyph <= 0x1CDE5:
        return _grid(_octants()[glyph - 0x1CD00], 4)
    others: dict[int, list[Box]] = {
        0x2580: [(0, 0, 1, 0.5)], 0x2590: [(0.5, 0, 1, 1)], 0x2594: [(0, 0, 1, 0.125)], 0x2595: [(0.875, 0, 1, 1)],
        0x1CEA0: _grid(1 << 7, 4), 0x1CEA3: _grid(1 << 6, 4), 0x1CEA8: _grid(1, 4), 0x1CEAB: _grid(2, 4),
        0x1FBE6: _grid(0b010100, 4), 0x1FBE7: _grid(0b101000, 4),
    }  # fmt: skip
    return others.get(glyph)


def _grid(bits: int, rows: int) -> list[Box]:
    """The parts of a cell of two columns and so many rows; bit 0 is upper left, bit 1 upper right."""
    return [
        (column / 2, row / rows, (column + 1) / 2, (row + 1) / rows)
        for row in range(rows)
        for column in range(2)
        if bits >> (2 * row + column) & 1
    ]


@cache
def _octants() -> list[int]:
    """The bits of U+1CD00 to U+1CDE5: in the order of numbers, without those that have other characters."""
    quarters = (0b00000101, 0b00001010, 0b01010000, 0b10100000)
    elsewhere = {sum(quarter for bit, quarter in enumerate(quarters) if bits >> bit & 1) for bits in range(16)}
    elsewhere |= {0b11, 0b111111, 0b11111100, 0b11000000}  # quarters and three quarters from above and below
    elsewhere |= {1, 2, 1 << 6, 1 << 7, 0b010100, 0b101000}
    return [bits for bits in range(256) if bits not in elsewhere]


def _box(left: float, top: float, right: float, bottom: float) -> Mask:
    return np.outer(_covered(top, bottom, DOWN), _covered(left, right, ACROSS)).astype(np.float32)


def _covered(first: float, last: float, samples: int) -> NDArray[np.float64]:
    """The share of each sample on a line that lies between two places, 0..1 of the line."""
    starts = np.arange(samples)
    covered: NDArray[np.float64] = np.clip(
        np.minimum(last * samples, starts + 1) - np.maximum(first * samples, starts), 0, 1
    )
    return covered


def _dots(bits: int) -> Mask:
    """Braille: round dots, a third of their distance in radius, drawn at 12x24 pixels."""
    width, height = _CELL
    y, x = np.mgrid[0:height, 0:width] + 0.5
    pixels = np.zeros((height, width), np.float32)
    # Unicode counts down the columns, and the fourth row was added later.
    for bit, (column, row) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
        if bits >> bit & 1:
            pixels[np.hypot(x - (3 + 6 * column), y - (3 + 6 * row)) < 2] = 1
    return _averaged(pixels)


def _drawn(glyph: int) -> Mask:
    from PIL import Image, ImageDraw

    face = font(_FONT_SIZE)
    image = Image.new("L", _CELL)
    ascent, descent = face.getmetrics()
    ImageDraw.Draw(image).text((0, (image.height - ascent - descent) / 2), chr(glyph), font=face, fill=255)
    return _averaged(np.asarray(image, np.float32) / 255)


def _averaged(pixels: NDArray[np.floating]) -> Mask:
    width, height = _CELL
    parts = pixels.reshape(DOWN, height // DOWN, ACROSS, width // ACROSS)
    averaged: Mask = parts.mean(axis=(1, 3)).astype(np.float32)
    return averaged


def missing() -> str:
    """Why text cannot be drawn here; empty when it can."""
    try:
        font(_FONT_SIZE)
    except ImportError:
        return "needs Pillow (pip install 'antconf[benchmark]')"
    except OSError:
        return "needs DejaVu Sans Mono (apt-get install fonts-dejavu-core)"
    return ""


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans Mono; raises ``ImportError`` or ``OSError`` when it is `missing`."""
    from PIL import ImageFont

    return ImageFont.truetype(_FONT, size)
