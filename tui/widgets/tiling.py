"""How many columns and rows of tiles show the most of everybody; used by the video grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_MINIMUM_COLUMNS: Final = 16
_MINIMUM_ROWS: Final = 5
_CAPTION: Final = 1
_GAP: Final = 1
"""Columns between two tiles."""
_SHAPE: Final = 32 / 9
"""Columns per row of a 16:9 picture; a cell is twice as high as wide."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """A grid of tiles."""

    columns: int
    rows: int

    @property
    def places(self) -> int:
        """How many tiles fit on one page."""
        return self.columns * self.rows


def best_tiling(people: int, width: int, height: int) -> Tiling:
    """The grid whose pictures are largest for ``people``, or the fullest page when not all fit."""
    widest = max(1, width // _MINIMUM_COLUMNS)
    highest = max(1, height // _MINIMUM_ROWS)
    wanted = min(max(1, people), widest * highest)
    grids = [Tiling(columns, rows) for columns in range(1, widest + 1) if (rows := -(-wanted // columns)) <= highest]
    return max(grids, key=lambda grid: (_picture(grid, width, height), -grid.places))


def _picture(grid: Tiling, width: int, height: int) -> float:
    """Columns of one tile's picture."""
    return min(width // grid.columns, _SHAPE * (height // grid.rows - _CAPTION))


@dataclass(frozen=True, slots=True)
class Stage:
    """A large tile, and small ones in a strip beside it or below."""

    strip: Tiling
    beside: bool
    extent: int
    """Columns of one small tile beside, rows of one below."""


def best_stage(others: int, width: int, height: int) -> Stage | None:
    """The stage whose large picture is largest, or ``None`` when there is nobody else or no room for a strip.

    The strip has what the large picture cannot use, and otherwise as little as a tile needs.
    """
    stages: list[tuple[float, bool, Stage]] = []
    if others and width >= 2 * _MINIMUM_COLUMNS + _GAP and height >= _MINIMUM_ROWS:
        picture = math.ceil(_SHAPE * (height - _CAPTION))
        extent = max(_MINIMUM_COLUMNS, min(width - picture - _GAP, width // 3))
        strip = best_tiling(others, extent, height)
        columns = (extent - _GAP * (strip.columns - 1)) // strip.columns
        stages.append((min(width - extent - _GAP, picture), True, Stage(strip, True, columns)))
    if others and height >= 2 * _MINIMUM_ROWS:
        picture = math.ceil(width / _SHAPE) + _CAPTION
        extent = max(_MINIMUM_ROWS, min(height - picture, height // 2))
        strip = best_tiling(others, width, extent)
        seen = min(float(width), _SHAPE * (height - extent - _CAPTION))
        stages.append((seen, False, Stage(strip, False, extent // strip.rows)))
    return max(stages, key=lambda one: one[:2])[-1] if stages else None
