"""A row of a picture as Textual takes it; used by the video tile.

Nothing is made of a row until somebody asks: the terminal gets it as bytes, screenshots and dialogues that shine
through get segments. A picture of 80x24 cells as segments is some ten thousand objects, and collecting such garbage
stops the sound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.media.ansi import Strokes, coded, encode
from tui.media.cells import DEFAULT_COLOUR, CellGrid, Depth
from tui.media.colours import nearest_in_palette, nearest_in_sixteen, numbers, rgb
from tui.media.glyphs import HIGH, WIDE, coverage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

_PANE = (2, 4)
"""Rows and columns of one colour in a picture seen through a dialogue."""
_STEPS = np.uint8(0xF0)
"""Of its light: equal neighbours are one run."""


class Surface(Protocol):
    """Where a picture's rows go when Textual draws them on the terminal."""

    @property
    def lean(self) -> bool:
        """The line is slow: what Textual draws must be small, the picture itself follows as it can."""

    def draws(self, x: int, y: int, cells: CellGrid) -> None:
        """Textual draws these cells there now."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a picture are on the screen now."""

    surface: Surface | None
    x: int
    y: int
    columns: int
    """Of the whole screen."""


class PictureStrip(Strip):
    """Columns ``first`` to ``end`` of a row of a picture."""

    __slots__ = ("_base", "_end", "_first", "_picture", "_place", "_row")

    def __init__(self, picture: CellGrid, row: int, base: Style, place: Place, first: int = 0, end: int = -1) -> None:
        # Not Textual's: it makes six caches for each strip.
        self._picture = picture
        self._row = row
        self._base = base
        self._place = place
        self._first = first
        self._end = picture.glyphs.shape[1] if end < 0 else end
        self._render_cache = None
        self._cell_length = self._cell_count = self._end - self._first

    @property
    def _segments(self) -> list[Segment]:  # type: ignore[override]
        return picture_row(self.cells, 0, self._base)

    @property
    def cells(self) -> CellGrid:
        """What it shows, as a picture of one row."""
        return cut(self._picture, slice(self._row, self._row + 1), slice(self._first, self._end))

    def __bool__(self) -> bool:
        return self._end > self._first

    def __iter__(self) -> Iterator[Segment]:
        return iter(self._segments)

    def crop(self, start: int, end: int | None = None) -> Strip:
        """Fewer columns."""
        length = self._end - self._first
        start, end = max(0, start), length if end is None else min(length, end)
        return self._part(start, max(start, end))

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """The parts between these columns."""
        length = self._end - self._first
        ends = [end for end in cuts if end <= length]
        return [self._part(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def _part(self, start: int, end: int) -> PictureStrip:
        first = self._first
        return PictureStrip(self._picture, self._row, self._base, self._place, first + start, first + end)

    def render(self, console: Console) -> str:
        """Textual writes it on the terminal now."""
        if self._end <= self._first:
            return ""
        place, cells = self._place, self.cells
        x, y = place.x + self._first, place.y + self._row
        if place.surface is not None:
            place.surface.draws(x, y, cells)
        length = cells.glyphs.shape[1]
        strokes = Strokes(
            np.arange(length, dtype=np.int64) + (y * place.columns + x),
            cells.glyphs[0],
            coded(cells.foreground[0], cells.depth),
            coded(cells.background[0], cells.depth),
        )
        return encode(strokes, place.columns).decode()


def cut(picture: CellGrid, rows: slice, columns: slice) -> CellGrid:
    """A part of a picture."""
    return CellGrid(
        picture.glyphs[rows, columns],
        picture.foreground[rows, columns],
        picture.background[rows, columns],
        picture.depth,
    )


def blank(rows: int, columns: int, background: int, depth: Depth) -> CellGrid:
    """Nothing, of one colour."""
    return CellGrid(
        np.full((rows, columns), ord(" "), dtype=np.uint32),
        np.full((rows, columns), DEFAULT_COLOUR, dtype=np.int32),
        np.full((rows, columns), background, dtype=np.int32),
        depth,
    )


def framed(picture: CellGrid, background: int) -> CellGrid:
    """The same with a colour where the picture has none: its margins look like the tile around it."""
    if background == DEFAULT_COLOUR:
        return picture
    colours = np.where(picture.background == DEFAULT_COLOUR, np.int32(background), picture.background)
    return CellGrid(picture.glyphs, picture.foreground, colours, picture.depth)


def fitted(picture: CellGrid, rows: int, columns: int, background: int) -> CellGrid:
    """The middle of the picture, or the picture in the middle, in exactly this size."""
    had_rows, had_columns = picture.glyphs.shape
    if (had_rows, had_columns) == (rows, columns):
        return picture
    new = blank(rows, columns, background, picture.depth)
    height, width = min(rows, had_rows), min(columns, had_columns)
    top, left = (rows - height) // 2, (columns - width) // 2
    to = np.s_[top : top + height, left : left + width]
    top, left = (had_rows - height) // 2, (had_columns - width) // 2
    part = np.s_[top : top + height, left : left + width]
    new.glyphs[to] = picture.glyphs[part]
    new.foreground[to] = picture.foreground[part]
    new.background[to] = picture.background[part]
    return new


def frosted(picture: CellGrid) -> CellGrid:
    """The picture as through frosted glass, in so few colours that drawing it again and again costs little."""
    rows, columns = picture.glyphs.shape
    if picture.depth is Depth.NONE or not (rows and columns):
        return blank(rows, columns, DEFAULT_COLOUR, picture.depth)
    filled = np.bitwise_count(coverage(picture.glyphs))[..., None] / (WIDE * HIGH)
    light = rgb(picture.foreground, picture.depth) * filled + rgb(picture.background, picture.depth) * (1 - filled)
    high, wide = _PANE
    light = np.pad(light, ((0, -rows % high), (0, -columns % wide), (0, 0)), mode="edge")
    panes = light.reshape(light.shape[0] // high, high, light.shape[1] // wide, wide, 3).mean(axis=(1, 3))
    pixels = panes.astype(np.uint8)
    if picture.depth is Depth.SIXTEEN:
        colours = nearest_in_sixteen(pixels)
    elif picture.depth is Depth.PALETTE:
        colours = nearest_in_palette(pixels)
    else:
        colours = numbers(pixels & _STEPS)
    spread = np.repeat(np.repeat(colours, high, axis=0), wide, axis=1)[:rows, :columns]
    new = blank(rows, columns, DEFAULT_COLOUR, picture.depth)
    return CellGrid(new.glyphs, new.foreground, spread.astype(np.int32), picture.depth)


def picture_row(picture: CellGrid, row: int, base: Style) -> list[Segment]:
    """One row of cells, neighbours of the same colours in one segment."""
    foreground, background = picture.foreground[row], picture.background[row]
    ends = np.flatnonzero((foreground[1:] != foreground[:-1]) | (background[1:] != background[:-1])) + 1
    text = picture.text(row)
    starts = [0, *ends.tolist()]
    stops = [*ends.tolist(), len(text)]
    return [
        Segment(
            text[start:stop],
            cell_style(int(foreground[start]), int(background[start]), picture.depth, base),
        )
        for start, stop in zip(starts, stops, strict=True)
        if stop > start
    ]


@lru_cache(maxsize=4096)
def cell_style(foreground: int, background: int, depth: Depth, base: Style) -> Style:
    """The style of a pair of colours; ``base`` shows where there is no colour."""
    return base + Style(color=_colour(foreground, depth), bgcolor=_colour(background, depth))


def _colour(value: int, depth: Depth) -> Color | None:
    if value == DEFAULT_COLOUR or depth is Depth.NONE:
        return None
    if depth is not Depth.TRUECOLOR:
        return Color.from_ansi(value)
    return Color.from_rgb(value >> 16, value >> 8 & 0xFF, value & 0xFF)
