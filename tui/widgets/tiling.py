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
    """A large tile, and a strip of small ones beside it or below."""

    beside: bool
    extent: int
    """Columns of a strip beside, rows of one below."""
    places: int
    """How many tiles the strip has on one page."""


def best_stage(others: int, width: int, height: int) -> Stage | None:
    """The stage whose large picture is largest, or ``None`` when there is nobody or no room for a strip."""
    stages = []
    if width >= 2 * _MINIMUM_COLUMNS + _GAP and height >= _MINIMUM_ROWS:
        needed = math.ceil(_SHAPE * (height - _CAPTION)) + _GAP
        columns = max(_MINIMUM_COLUMNS, min(width - needed, width // 3))
        picture = min(width - columns - _GAP, _SHAPE * (height - _CAPTION))
        stages.append((picture, True, Stage(True, columns, min(others, height // _MINIMUM_ROWS))))
    if height >= 2 * _MINIMUM_ROWS:
        needed = math.ceil(width / _SHAPE) + _CAPTION
        rows = max(_MINIMUM_ROWS, min(height - needed, height // 3))
        picture = min(width, _SHAPE * (height - rows - _CAPTION))
        stages.append((picture, False, Stage(False, rows, min(others, max(1, width // (_MINIMUM_COLUMNS + _GAP))))))
    return max(stages, key=lambda one: one[:2])[-1] if stages and others else None
