"""Which glyph and colours show a cell best; used by `tui.media.cells`.

A cell shows one glyph in two colours, so its best picture is a least squares problem over all shapes that the
glyphs can draw and all colours that the terminal has. Every drawing remembers what it drew last and keeps it
where something else would hardly be better, so that noise does not flicker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tui.media.colours import TEXTURE, Depth, channels, nearest, shaded
from tui.media.glyphs import SHADES, Glyphs, two_coloured
from tui.media.ink import Dotted, Inked

if TYPE_CHECKING:
    from tui.media.colours import Colours
    from tui.media.glyphs import CodePoints, Fills, Shapes

Reals: TypeAlias = NDArray[np.float32]
Samples: TypeAlias = Reals
"""Red, green and blue of cells, 0..255, shape (3, rows, columns, samples)."""
Cells: TypeAlias = "tuple[CodePoints, Colours, Colours]"
"""Glyphs, foreground and background, each of the shape (rows, columns)."""

_UNSEEN: Final = 2.0
"""Mean squared error of a sample that nobody sees: a cell that differs less from a plain one is plain."""
_HELD: Final = {Depth.TRUECOLOR: 4.0, Depth.PALETTE: 20.0, Depth.SIXTEEN: 20.0}
"""What keeping the last cell may cost: more where colours are few, for there every change is a large one."""


class Drawing(Protocol):
    """Draws the cells of one picture after the other."""

    shapes: Shapes
    """Says how many samples of a cell it wants."""

    def start(self, rows: int, columns: int) -> Samples:
        """Begin pictures of this size, which have nothing to do with the last; returns where to put their samples."""

    def cells(self) -> Cells:
        """The best cells for the samples that are there now."""


def drawing(glyphs: Glyphs, depth: Depth, light: bool) -> Drawing:
    """How to draw with these glyphs and colours, on a ``light`` background or a dark one."""
    if depth is not Depth.NONE:
        return _Coloured(glyphs, depth)
    if glyphs is Glyphs.BRAILLE:
        return Dotted(light)
    return Inked(glyphs, light)


class _Coloured:
    """Two colours in a cell: the best of all shapes, of the shades where colours are few, and of the last cell."""

    def __init__(self, glyphs: Glyphs, depth: Depth) -> None:
        self.shapes = two_coloured(glyphs)
        self._depth = depth
        self._shaded = depth is not Depth.TRUECOLOR and glyphs not in (Glyphs.ASCII, Glyphs.BRAILLE)
        # Shapes of faint ink want colours beyond black and white, and get worse ones.
        self._inexact = glyphs is Glyphs.ASCII
        self._space = _Space(self.shapes.fills, self._shaded)
        shades = SHADES if self._shaded else SHADES[:0]
        self._code_points = np.concatenate([self.shapes.code_points, shades])
        self._size = (0, 0)
        self._fit = _Fit(self._space, 0)
        self._last: _Choice | None = None

    def start(self, rows: int, columns: int) -> Samples:
        self._last = None
        if (rows, columns) != self._size:
            self._size = rows, columns
            self._fit = _Fit(self._space, rows * columns)
        return self._fit.samples.reshape(3, rows, columns, self.shapes.fills.shape[1])

    def cells(self) -> Cells:
        fit, depth = self._fit, self._depth
        fit.solve()
        shape = fit.best()
        part = fit.part(shape)
        foreground, background = fit.colours(shape, part)
        chosen = _Choice(shape, nearest(foreground, depth), nearest(background, depth))
        error = fit.error(chosen, part, depth)
        if self._inexact:
            plain = nearest(np.moveaxis(fit.mean, 0, -1), depth)
            chosen, error = self._better(chosen, error, _Choice(np.zeros_like(shape), plain, plain))
        if self._shaded:
            step, first, second = shaded(np.moveaxis(fit.mean, 0, -1), depth)
            chosen, error = self._better(chosen, error, _Choice(len(self.shapes.code_points) - 1 + step, first, second))
        # A cell of one colour is plain, whatever was meant.
        chosen = chosen._replace(shape=chosen.shape * (chosen.foreground != chosen.background))
        if self._last is not None:
            chosen, _ = self._better(chosen, error + _HELD[depth] * self.shapes.fills.shape[1], self._last)
        self._last = chosen
        glyphs = self._code_points[chosen.shape]
        return glyphs.reshape(self._size), chosen.foreground.reshape(self._size), chosen.background.reshape(self._size)

    def _better(self, one: _Choice, error: Reals, other: _Choice) -> tuple[_Choice, Reals]:
        """Cell by cell the one with this error, or the other where its error is smaller."""
        others = self._fit.error(other, self._fit.part(other.shape), self._depth)
        better = others < error
        merged = _Choice(
            np.where(better, other.shape, one.shape),
            np.where(better, other.foreground, one.foreground),
            np.where(better, other.background, one.background),
        )
        return merged, np.minimum(error, others)


class _Choice(NamedTuple):
    """Cells in a row, by number of the shape and numbers of the colours."""

    shape: NDArray[np.intp]
    foreground: Colours
    background: Colours


class _Space:
    """Shapes as directions: a cell's samples are a mean plus so much of a shape's centred, normalised mask.

    The first shape is the space, which splits nothing. Shades do not either; what their pattern disturbs
    counts as if they had a little of a shape.
    """

    def __init__(self, fills: Fills, shaded: bool) -> None:
        count = fills.shape[1]
        self.share = fills.mean(axis=1)
        centred = fills - self.share[:, None]
        self.norm = np.sqrt(np.square(centred).sum(axis=1))
        if shaded:
            shades = np.array([0.25, 0.5, 0.75], dtype=np.float32)
            self.share = np.concatenate([self.share, shades])
            self.norm = np.concatenate([self.norm, np.sqrt(count * TEXTURE * shades * (1 - shades))])
            centred = np.concatenate([centred, np.zeros((3, count), dtype=np.float32)])
        splits = centred.any(axis=1)
        steep = np.divide(1, self.norm, where=splits, out=np.zeros_like(self.norm))
        self.low, self.high = self.share * steep, (1 - self.share) * steep
        basis = centred * steep[:, None]
        # The space's column gives the mean.
        basis[0] = 1 / count
        self.basis = np.ascontiguousarray(basis.T)


class _Fit:
    """The cells of a picture in that space; arrays are made once, for fresh memory costs as much as the sums.

    A shape with free colours explains the square of a cell's part in its direction, so one matrix product
    finds the best of all shapes for all cells.
    """

    def __init__(self, space: _Space, cells: int) -> None:
        self._space = space
        self._cells = cells
        self._samples_of_a_cell, shapes = space.basis.shape
        # BLAS starts threads for larger products, and they wait for each other longer than they work.
        self._lot = max(1, min(128, 262_144 // space.basis.size))
        padded = -(-cells // self._lot) * self._lot
        self._samples = np.zeros((3, padded, self._samples_of_a_cell), dtype=np.float32)
        self._parts = np.empty((3, padded, shapes), dtype=np.float32)
        self._gain = np.empty((padded, shapes), dtype=np.float32)
        self._square = np.empty_like(self._gain)
        self._first = np.arange(cells) * shapes
        self.samples = self._samples[:, :cells]
        self.mean = np.empty((3, cells), dtype=np.float32)

    def solve(self) -> None:
        """Take the samples that are there now."""
        parts, gain, square = self._parts, self._gain, self._square
        lots = (-1, self._lot)
        np.matmul(
            self._samples.reshape(*lots, self._samples_of_a_cell),
            self._space.basis,
            out=parts.reshape(*lots, parts.shape[-1]),
        )
        self.mean[:] = parts[:, : self._cells, 0]
        parts[..., 0] = 0
        np.square(parts[0], out=gain)
        for channel in (1, 2):
            gain += np.square(parts[channel], out=square)
        # What a plain cell is better by: nobody sees less.
        gain[:, 0] = _UNSEEN * self._samples_of_a_cell

    def best(self) -> NDArray[np.intp]:
        """The shape that explains most."""
        shape: NDArray[np.intp] = self._gain[: self._cells].argmax(axis=-1)
        return shape

    def part(self, shape: NDArray[np.intp]) -> Reals:
        """What the cells have of these shapes, (3, cells)."""
        part: Reals = self._parts.reshape(3, -1).take(self._first + shape, axis=1)
        return part

    def colours(self, shape: NDArray[np.intp], part: Reals) -> tuple[Reals, Reals]:
        """The best foreground and background for these shapes, (cells, 3), not all within 0..255."""
        foreground, background = (
            self.mean + part * self._space.high.take(shape),
            self.mean - part * self._space.low.take(shape),
        )
        return np.moveaxis(foreground, 0, -1), np.moveaxis(background, 0, -1)

    def error(self, choice: _Choice, part: Reals, depth: Depth) -> Reals:
        """Sum of the squared errors of these cells, less what no shape can explain."""
        shape = choice.shape
        background = channels(choice.background, depth)
        contrast = channels(choice.foreground, depth) - background
        mean = background + contrast * self._space.share.take(shape) - self.mean
        apart = contrast * self._space.norm.take(shape) - part
        errors = self._samples_of_a_cell * np.square(mean) + np.square(apart)
        error: Reals = errors[0] + errors[1] + errors[2] - self._gain.ravel().take(self._first + shape)
        return error
