"""The grid of tiles."""

from __future__ import annotations

import pytest

from tui.widgets.tiling import Tiling, best_tiling


@pytest.mark.parametrize(
    ("people", "width", "height", "expected"),
    [
        (1, 50, 14, Tiling(1, 1)),
        (2, 50, 14, Tiling(2, 1)),
        (2, 30, 20, Tiling(1, 2)),
        (4, 50, 14, Tiling(2, 2)),
        (9, 100, 40, Tiling(3, 3)),
        (0, 50, 14, Tiling(1, 1)),
    ],
)
def test_the_largest_pictures_win(people: int, width: int, height: int, expected: Tiling) -> None:
    assert best_tiling(people, width, height) == expected


def test_a_crowd_gets_pages_of_tiles_that_can_be_read() -> None:
    tiling = best_tiling(10_000, 50, 14)
    assert 50 // tiling.columns >= 16
    assert 14 // tiling.rows >= 5


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (500, 1), (1, 200)])
def test_no_size_breaks_it(size: tuple[int, int]) -> None:
    assert best_tiling(5, *size).places >= 1
