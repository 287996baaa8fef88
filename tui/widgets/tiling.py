"""How many columns and rows of tiles show the most of everybody; used by the video grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MINIMUM_COLUMNS: Final = 16
_MINIMUM_ROWS: Final = 5
_CAPTION: Final = 1
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
