"""The grid of tiles."""

from __future__ import annotations

import pytest

from tui.widgets.tiling import Stage, Tiling, best_stage, best_tiling


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


@pytest.mark.parametrize(
    ("others", "width", "height", "expected"),
    [
        (0, 80, 20, None),
        (3, 80, 20, Stage(Tiling(1, 3), True, 16)),
        (3, 48, 12, Stage(Tiling(1, 2), True, 16)),
        (15, 160, 30, Stage(Tiling(3, 5), True, 17)),
        (15, 60, 50, Stage(Tiling(3, 5), False, 5)),
        (3, 20, 6, None),
    ],
)
def test_a_strip_is_where_it_leaves_the_large_picture_largest(
    others: int, width: int, height: int, expected: Stage | None
) -> None:
    assert best_stage(others, width, height) == expected


def test_no_stage_is_larger_than_the_screen() -> None:
    for width in range(0, 200, 7):
        for height in range(0, 60, 3):
            stage = best_stage(20, width, height)
            if stage is not None:
                assert stage.strip.places >= 1
                tiles = stage.strip.columns if stage.beside else stage.strip.rows
                assert tiles * stage.extent < (width if stage.beside else height)
