"""Pictures without colours: light and shade in the terminal's own ink; used by `tui.media.drawing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tui.media.colours import DEFAULT_COLOUR
from tui.media.glyphs import Glyphs, braille, inked, two_coloured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tui.media.colours import Colours
    from tui.media.drawing import Cells, Reals, Samples

_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32) / 255
_CALM: Final = 0.004
"""Mean squared error of a tone (0..1) that keeping the last glyph may cost."""
_CALM_DOT: Final = 0.02
"""How far a tone must go beyond the limit before its dot changes."""
_LOCAL: Final = 0.7
"""How much of a dot's limit is what is around it; the rest is the middle."""
_CONTRAST: Final = 0.5
"""How much what differs from around it is brought out."""
_SPREAD: Final = 0.35
"""Smallest range of brightness that is stretched to the full."""
_ADAPTING: Final = 0.1
"""How much of a new range is taken over at each picture."""
_TONE: Final = 2.0
"""How much the brightness of a cell counts against its shape, without colours."""


class Inked:
    """One colour in a cell, the terminal's own: tones by the density of the glyph, edges by its shape."""

    def __init__(self, glyphs: Glyphs, light: bool) -> None:
        self.shapes = inked(glyphs)
        self._tones = _Tones(light)
        fills = self.shapes.fills
        count = fills.shape[1]
        share = fills.mean(axis=1)
        self._full = float(share.max())
        # |target - fill|^2 + count * tone * (mean target - share)^2, less what does not depend on the fill.
        self._basis = np.ascontiguousarray(-2 * (fills + _TONE * share[:, None]).T)
        self._bias = np.square(fills).sum(axis=1) + _TONE * count * np.square(share)
        self._last: NDArray[np.intp] | None = None
        self._samples: Samples = np.empty((3, 0, 0, 0), dtype=np.float32)

    def start(self, rows: int, columns: int) -> Samples:
        self._last = None
        self._tones.restart()
        self._samples = np.empty((3, rows, columns, self.shapes.fills.shape[1]), dtype=np.float32)
        return self._samples

    def cells(self) -> Cells:
        tones, _ = self._tones.of(self._samples)
        error = np.clip(tones, 0, 1) * self._full @ self._basis + self._bias
        chosen = error.argmin(axis=-1)
        if self._last is not None:
            last, best = (
                np.take_along_axis(error, index[..., None], axis=-1)[..., 0] for index in (self._last, chosen)
            )
            chosen = np.where(last <= best + _CALM * self._full * self.shapes.fills.shape[1], self._last, chosen)
        self._last = chosen
        return self.shapes.code_points[chosen], *_no_colours(chosen.shape)


class Dotted:
    """Dots of the terminal's own colour where the picture is brighter than around."""

    def __init__(self, light: bool) -> None:
        self.shapes = two_coloured(Glyphs.BRAILLE)
        self._tones = _Tones(light)
        self._last: NDArray[np.bool_] | None = None
        self._samples: Samples = np.empty((3, 0, 0, 0), dtype=np.float32)

    def start(self, rows: int, columns: int) -> Samples:
        self._last = None
        self._tones.restart()
        self._samples = np.empty((3, rows, columns, self.shapes.fills.shape[1]), dtype=np.float32)
        return self._samples

    def cells(self) -> Cells:
        tones, around = self._tones.of(self._samples)
        limit = 0.5 + (around[..., None] - 0.5) * _LOCAL
        if self._last is not None:
            limit = limit - np.where(self._last, _CALM_DOT, -_CALM_DOT)
        self._last = tones > limit
        return braille(self._last), *_no_colours(around.shape)


class _Tones:
    """Brightness of pictures as 0..1 of what ink can show, with its range and local contrast brought out."""

    def __init__(self, light: bool) -> None:
        self._light = light
        self.restart()

    def restart(self) -> None:
        self._range: tuple[float, float] | None = None

    def of(self, samples: Samples) -> tuple[Reals, Reals]:
        """Tones of the samples (rows, columns, samples), a little out of 0..1, and around each cell."""
        brightness = np.tensordot(_LUMA, samples, axes=1).astype(np.float32, copy=False)
        cells: Reals = brightness.mean(axis=-1)
        low, high = (float(limit) for limit in np.percentile(cells, (2, 98)))
        if self._range is not None:
            # Slowly: the whole picture changes with it.
            low, high = (
                before + (now - before) * _ADAPTING for before, now in zip(self._range, (low, high), strict=True)
            )
        self._range = low, high
        # A plain picture keeps its brightness.
        spread = max(high - low, _SPREAD)
        low = min(max(low - (spread - (high - low)) / 2, 0.0), 1.0 - spread)
        around = _blurred((cells - np.float32(low)) / np.float32(spread))
        tones: Reals = (brightness - np.float32(low)) / np.float32(spread)
        tones += (tones - around[..., None]) * np.float32(_CONTRAST)
        if self._light:
            tones, around = np.float32(1) - tones, np.float32(1) - around
        return tones, around


def _blurred(cells: Reals) -> Reals:
    """Mean of a quarter of the picture around each cell."""
    for axis in (0, 1):
        reach = max(1, cells.shape[axis] // 8)
        padded = np.pad(cells, [(reach + 1, reach) if axis == other else (0, 0) for other in (0, 1)], mode="edge")
        sums = padded.cumsum(axis=axis, dtype=np.float32)
        ends, starts = np.delete(sums, np.s_[: 2 * reach + 1], axis), np.delete(sums, np.s_[-2 * reach - 1 :], axis)
        cells = ((ends - starts) / (2 * reach + 1)).astype(np.float32)
    return cells


def _no_colours(shape: tuple[int, ...]) -> tuple[Colours, Colours]:
    nothing = np.full(shape, DEFAULT_COLOUR, dtype=np.int32)
    return nothing, nothing
