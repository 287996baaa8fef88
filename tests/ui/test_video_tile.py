"""A row of cells as segments."""

from __future__ import annotations

import numpy as np
from rich.style import Style

from tui.media.cells import CellGrid, Depth
from tui.widgets.video_tile import initials, picture_row


def grid(foreground: list[int], background: list[int], depth: Depth = Depth.TRUECOLOR) -> CellGrid:
    return CellGrid(
        np.full((1, len(foreground)), "▀", dtype="<U1"),
        np.array([foreground], dtype=np.int32),
        np.array([background], dtype=np.int32),
        depth,
    )


def test_equal_neighbours_are_one_segment() -> None:
    row = picture_row(grid([1, 1, 1, 2], [5, 5, 6, 6]), 0, Style.null())
    assert [segment.text for segment in row] == ["▀▀", "▀", "▀"]


def test_styles_are_cached() -> None:
    first, second = (picture_row(grid([0x102030], [0x405060]), 0, Style.null())[0] for _ in range(2))
    assert first.style is second.style
    assert first.style is not None
    assert first.style.color is not None
    assert first.style.color.triplet == (0x10, 0x20, 0x30)


def test_palette_numbers_stay_numbers() -> None:
    style = picture_row(grid([200], [-1], Depth.PALETTE), 0, Style.null())[0].style
    assert style is not None
    assert style.color is not None
    assert style.color.number == 200
    assert style.bgcolor is None


def test_initials() -> None:
    assert [initials(name) for name in ("Ada Lovelace", "bob", "山田 太郎", "", "[/x]")] == [
        "AL",
        "B",
        "山太",
        "?",
        "?",
    ]
