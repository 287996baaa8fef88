"""Rows of cells, as segments and as bytes."""

from __future__ import annotations

import gc

import numpy as np
from rich.console import Console
from rich.style import Style

from tui.media.cells import CellGrid, Depth
from tui.media.colours import rgb
from tui.widgets.picture import PictureStrip, Place, fitted, framed, frosted, picture_row
from tui.widgets.video_tile import initials


def grid(foreground: list[int], background: list[int], depth: Depth = Depth.TRUECOLOR) -> CellGrid:
    return CellGrid(
        np.full((1, len(foreground)), ord("▀"), dtype=np.uint32),
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


class Terminal:
    """What Textual told it draws."""

    lean = False

    def __init__(self) -> None:
        self.drawn: list[tuple[int, int, str]] = []

    def draws(self, x: int, y: int, cells: CellGrid) -> None:
        self.drawn.append((x, y, cells.text(0)))


def strip(surface: Terminal | None = None, columns: int = 6) -> PictureStrip:
    """The second of two rows, in the tenth column and third row of the screen."""
    picture = CellGrid(
        np.array([[ord("x")] * columns, list(range(ord("a"), ord("a") + columns))], dtype=np.uint32),
        np.full((2, columns), 0x0A0B0C, dtype=np.int32),
        np.full((2, columns), 0x102030, dtype=np.int32),
        Depth.TRUECOLOR,
    )
    return PictureStrip(picture, 1, Style.null(), Place(surface, 10, 3, 80))


def test_what_is_drawn_of_a_row_is_told_and_nothing_else() -> None:
    terminal = Terminal()
    whole = strip(terminal)
    parts = whole.divide([2, 6])
    assert [part.cell_length for part in parts] == [2, 4]
    assert whole.text == "abcdef"
    assert not terminal.drawn
    assert parts[1].crop(0, 3).render(Console()) == "\x1b[5;13H\x1b[38;2;10;11;12;48;2;16;32;48mcde\x1b[0m"
    assert terminal.drawn == [(12, 4, "cde")]


def test_a_row_can_be_drawn_without_a_terminal() -> None:
    assert "abcdef" in strip().render(Console())
    assert strip().crop(4, 4).render(Console()) == ""


def test_rows_make_no_garbage_until_somebody_asks() -> None:
    terminal = Terminal()
    rows = [strip(terminal, 80) for _ in range(200)]
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        parts = [part for row in rows for part in row.divide([40, 80])]
        made = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert len(parts) == 400
    assert made <= 2 * len(parts)


def test_a_picture_of_another_size_is_put_in_the_middle() -> None:
    small = grid([1, 2], [3, 4])
    large = fitted(small, 3, 6, 7)
    assert large.background.tolist() == [[7] * 6, [7, 7, 3, 4, 7, 7], [7] * 6]
    assert fitted(large, 1, 2, 0).background.tolist() == [[3, 4]]


def test_margins_have_the_colour_of_the_tile() -> None:
    assert framed(grid([1, -1], [-1, 5]), 9).background.tolist() == [[9, 5]]


def test_a_frosted_picture_keeps_its_light_in_few_colours() -> None:
    rng = np.random.default_rng(1)
    above, below = rng.integers(0, 1 << 24, (2, 12, 40), dtype=np.int32)
    noisy = CellGrid(np.full((12, 40), ord("▀"), dtype=np.uint32), above, below, Depth.TRUECOLOR)
    frost = frosted(noisy)
    assert frost.glyphs.shape == noisy.glyphs.shape
    segments = sum(len(picture_row(frost, row, Style.null())) for row in range(12))
    assert segments <= 12 * 10
    mean = [rgb(one, Depth.TRUECOLOR).mean() for one in (noisy.foreground, noisy.background)]
    assert abs(rgb(frost.background, Depth.TRUECOLOR).mean() - np.mean(mean)) < 12


def test_initials() -> None:
    assert [initials(name) for name in ("Ada Lovelace", "bob", "山田 太郎", "", "[/x]")] == [
        "AL",
        "B",
        "山太",
        "?",
        "?",
    ]
