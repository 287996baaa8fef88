"""What is sent is what is shown: never too much, never in a wrong place, the best for its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyte
import pytest

from tests.media.strict_terminal import StrictTerminal
from tui.media.ansi import Strokes, coded
from tui.media.canvas import Canvas
from tui.media.cells import CellGrid
from tui.media.colours import DEFAULT_COLOUR, Depth
from tui.media.thrift import difference, seen

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCKS = np.array([ord(glyph) for glyph in " ▀▄█▌▐▘▝▖▗▚▞▛▜▙▟▂▆"], dtype=np.uint32)
DEPTHS = list(Depth)
ENOUGH = 10_000_000
THRIFTY = 20 * 80 * 24
"""Bytes that do not suffice to draw each cell of 80 x 24 at each update."""


def _random(random: np.random.Generator, rows: int, columns: int, depth: Depth) -> CellGrid:
    shape = rows, columns
    colours = random.integers(*_RANGES[depth], (2, *shape), dtype=np.int32)
    colours[:, random.random(shape) < 0.05] = DEFAULT_COLOUR
    return CellGrid(random.choice(BLOCKS, shape), colours[0], colours[1], depth)


_RANGES = {
    Depth.TRUECOLOR: (0, 0x1000000),
    Depth.PALETTE: (16, 256),
    Depth.SIXTEEN: (0, 16),
    Depth.NONE: (DEFAULT_COLOUR, DEFAULT_COLOUR + 1),
}


def _plain(rows: int, columns: int, colour: int, depth: Depth = Depth.TRUECOLOR) -> CellGrid:
    shape = rows, columns
    words = np.full(shape, colour, dtype=np.int32)
    return CellGrid(np.full(shape, ord(" "), dtype=np.uint32), words, words, depth)


def _scene(rows: int, columns: int, at: float = 0.0, noise: int = 0) -> CellGrid:
    """A bright disc that moves before a textured wall, in half blocks; ``noise`` shakes every colour."""
    y, x = np.mgrid[0 : 2 * rows, 0:columns].astype(float)
    wall = 90 + 30 * np.sin(x * 0.9) * np.sin(y * 0.7) + 40 * (x / columns)
    disc = (x - columns * (0.5 + 0.2 * np.sin(at))) ** 2 + (y - rows) ** 2 < (rows * 0.6) ** 2
    light = np.stack([np.where(disc, 220, wall), np.where(disc, 180, wall * 0.9), np.where(disc, 150, wall * 0.7)], -1)
    light += np.random.default_rng(int(at * 1000)).integers(-noise, noise + 1, light.shape)
    words = np.clip(np.rint(light), 0, 255).astype(np.int32) @ np.array([65536, 256, 1], dtype=np.int32)
    return CellGrid(np.full((rows, columns), ord("▀"), dtype=np.uint32), words[0::2], words[1::2], Depth.TRUECOLOR)


def _all(grid: CellGrid) -> NDArray[np.bool_]:
    return np.ones(grid.glyphs.shape, dtype=np.bool_)


def _errors(one: CellGrid, other: CellGrid) -> NDArray[np.float32]:
    return difference(*seen(_cells(one)), *seen(_cells(other))).reshape(one.glyphs.shape)


def _cells(grid: CellGrid) -> Strokes:
    return Strokes(
        np.arange(grid.glyphs.size),
        grid.glyphs.ravel(),
        coded(grid.foreground, grid.depth).ravel(),
        coded(grid.background, grid.depth).ravel(),
    )


def _quality(one: CellGrid, other: CellGrid) -> float:
    """PSNR in dB."""
    return float(10 * np.log10(255**2 / max(_errors(one, other).mean() / 96, 1e-3)))


def _same(one: CellGrid, other: CellGrid, where: NDArray[np.bool_]) -> bool:
    return bool(
        (one.glyphs == other.glyphs)[where].all()
        and (one.foreground == other.foreground)[where].all()
        and (one.background == other.background)[where].all()
    )


def _blank(canvas: Canvas) -> None:
    canvas.shown(0, 0, _plain(canvas.rows, canvas.columns, DEFAULT_COLOUR, canvas.depth))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_the_screen_is_what_the_canvas_says(depth: Depth, seed: int) -> None:
    random = np.random.default_rng(seed)
    columns, rows = int(random.integers(1, 60)), int(random.integers(1, 20))
    canvas, terminal = Canvas(columns, rows, depth), StrictTerminal(columns, rows)
    known = np.zeros((rows, columns), dtype=np.bool_)
    ours = known.copy()
    for step in range(40):
        x, y = int(random.integers(-3, columns)), int(random.integers(-3, rows))
        width, height = int(random.integers(1, columns + 4)), int(random.integers(1, rows + 4))
        on = np.s_[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)]
        action = random.integers(8)
        if action == 0:
            terminal.scribble(x, y, width, height)
            canvas.forget(x, y, width, height)
            known[on] = False
        elif action == 1:
            canvas.clear(x, y, width, height)
            known[on] = ours[on] = False
        elif action == 2:
            terminal.scribble(x, y, width, height, " ")
            canvas.shown(x, y, _plain(height, width, DEFAULT_COLOUR, depth))
            for row in terminal.cells[on[0]]:
                row[on[1]] = [(" ", ("default", 0), ("default", 0))] * len(row[on[1]])
            known[on] = True
        else:
            grid = _random(random, height, width, depth)
            visible = random.random((height, width)) < random.choice([0.0, 0.5, 1.0])
            canvas.clear(0, 0, columns, rows)
            known[:], ours[:] = False, False
            canvas.place(x, y, grid, visible)
            ours[on] = visible[max(-y, 0) :, max(-x, 0) :][: rows - max(y, 0), : columns - max(x, 0)]
        before = terminal.grid(depth)
        budget = int(random.choice([0, 5, 40, 60, 200, 1000, ENOUGH]))
        made = canvas.update(budget, step / 10)
        assert len(made) <= budget
        terminal.feed(made)
        after = terminal.grid(depth)
        assert _same(before, after, ~ours)
        known |= _touched(made, columns, rows)
        assert _same(after, canvas.current(0, 0, columns, rows), known)


def _touched(made: bytes, columns: int, rows: int) -> NDArray[np.bool_]:
    """The cells that these bytes write."""
    terminal = StrictTerminal(columns, rows)
    terminal.scribble(0, 0, columns, rows, "\0")
    terminal.feed(made)
    touched: NDArray[np.bool_] = terminal.grid(Depth.TRUECOLOR).glyphs != 0
    return touched


@pytest.mark.parametrize("depth", DEPTHS)
def test_another_emulator_shows_the_same(depth: Depth) -> None:
    grid = _random(np.random.default_rng(1), 12, 40, depth)
    canvas = Canvas(40, 12, depth)
    _blank(canvas)
    canvas.place(0, 0, grid, _all(grid))
    screen = pyte.Screen(40, 12)
    pyte.ByteStream(screen).feed(canvas.update(ENOUGH, 0.0))
    shown = canvas.current(0, 0, 40, 12)
    assert screen.display == [shown.glyphs[row].tobytes().decode("utf-32-le") for row in range(12)]
    if depth is Depth.TRUECOLOR:
        for row, column in np.ndindex(12, 40):
            number = int(shown.background[row, column])
            expected = "default" if number == DEFAULT_COLOUR else f"{number:06x}"
            assert screen.buffer[row][column].bg == expected


@pytest.mark.parametrize("depth", DEPTHS)
def test_with_bytes_enough_the_picture_is_there_at_once(depth: Depth) -> None:
    grid = _random(np.random.default_rng(2), 24, 80, depth)
    canvas = Canvas(80, 24, depth)
    canvas.place(0, 0, grid, _all(grid))
    canvas.update(ENOUGH, 0.0)
    assert _quality(canvas.current(0, 0, 80, 24), grid) > 38


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("budget", [80, 200])
def test_small_budgets_get_there_in_the_end(depth: Depth, budget: int) -> None:
    grid = _random(np.random.default_rng(3), 6, 12, depth)
    canvas = Canvas(12, 6, depth)
    canvas.place(0, 0, grid, _all(grid))
    for step in range(120):
        canvas.update(budget, step / 15)
    assert _quality(canvas.current(0, 0, 12, 6), grid) > 36


def test_a_budget_too_small_for_a_cell_gives_nothing() -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    grid = _scene(24, 80)
    canvas.place(0, 0, grid, _all(grid))
    for budget in (-1, 0, 1, 5, 10):
        assert canvas.update(budget, 0.0) == b""
    assert canvas.update(40, 0.0)


def test_a_cell_with_its_colours_swapped_is_the_same_picture() -> None:
    canvas = Canvas(10, 4, Depth.TRUECOLOR)
    shape = 4, 10
    dark, bright = np.full(shape, 0x102030, dtype=np.int32), np.full(shape, 0xE0F0A0, dtype=np.int32)
    canvas.shown(0, 0, CellGrid(np.full(shape, ord("▀"), dtype=np.uint32), dark, bright, Depth.TRUECOLOR))
    swapped = CellGrid(np.full(shape, ord("▄"), dtype=np.uint32), bright, dark, Depth.TRUECOLOR)
    canvas.place(0, 0, swapped, _all(swapped))
    assert canvas.update(ENOUGH, 10.0) == b""


def test_what_textual_drew_is_not_sent_and_what_it_drew_over_is_sent_again() -> None:
    grid = _scene(8, 20)
    canvas = Canvas(40, 12, Depth.TRUECOLOR)
    canvas.place(5, 2, grid, _all(grid))
    canvas.shown(5, 2, grid)
    assert canvas.update(ENOUGH, 0.0) == b""
    canvas.forget(7, 3, 4, 2)
    touched = _touched(canvas.update(ENOUGH, 0.1), 40, 12)
    assert touched[3:5, 7:11].all()
    assert touched.sum() == 8
    assert canvas.update(ENOUGH, 0.2) == b""


def test_nobodys_cells_are_not_sent() -> None:
    grid = _scene(8, 20)
    canvas = Canvas(40, 12, Depth.TRUECOLOR)
    canvas.place(5, 2, grid, _all(grid))
    canvas.clear(5, 2, 20, 8)
    assert canvas.update(ENOUGH, 0.0) == b""
    blank = canvas.current(0, 0, 40, 12)
    assert (blank.glyphs == ord(" ")).all()


def test_the_later_of_two_pictures_wins_and_holes_stay_empty() -> None:
    canvas, terminal = Canvas(20, 6, Depth.TRUECOLOR), StrictTerminal(20, 6)
    below, above = _plain(6, 12, 0x800000), _plain(6, 12, 0x0000A0)
    visible = _all(above)
    visible[2:4, 8:10] = False
    canvas.place(0, 0, below, _all(below))
    canvas.place(8, 0, above, visible)
    terminal.feed(canvas.update(ENOUGH, 0.0))
    shown = terminal.grid(Depth.TRUECOLOR).background
    assert (shown[:, :8] == 0x800000).all()
    assert (shown[:2, 8:] == 0x0000A0).all()
    assert (shown[2:4, 8:12] == 0x0000A0).all()
    assert (shown[2:4, 16:18] == DEFAULT_COLOUR).all()


def test_a_picture_that_is_covered_keeps_out_of_the_cover() -> None:
    canvas = Canvas(20, 6, Depth.TRUECOLOR)
    first, second = _plain(6, 20, 0x800000), _plain(6, 20, 0x0000A0)
    canvas.place(0, 0, first, _all(first))
    canvas.update(ENOUGH, 0.0)
    visible = _all(second)
    visible[1:3, 4:9] = False
    canvas.forget(4, 1, 5, 2)
    canvas.place(0, 0, second, visible)
    assert (_touched(canvas.update(ENOUGH, 0.1), 20, 6) == visible).all()


def test_a_picture_of_another_size_takes_the_old_ones_place() -> None:
    canvas, terminal = Canvas(30, 10, Depth.TRUECOLOR), StrictTerminal(30, 10)
    large, small = _scene(10, 30), _scene(4, 12)
    canvas.place(0, 0, large, _all(large))
    terminal.feed(canvas.update(ENOUGH, 0.0))
    canvas.clear(0, 0, 30, 10)
    canvas.place(9, 3, small, _all(small))
    terminal.feed(canvas.update(ENOUGH, 0.1))
    shown = terminal.grid(Depth.TRUECOLOR)
    part = CellGrid(shown.glyphs[3:7, 9:21], shown.foreground[3:7, 9:21], shown.background[3:7, 9:21], shown.depth)
    assert _quality(part, small) > 38


def test_noise_is_not_worth_a_byte() -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    grid = _scene(24, 80, noise=2)
    canvas.place(0, 0, grid, _all(grid))
    whole = len(canvas.update(THRIFTY, 0.0))
    sent = 0
    for step in range(1, 30):
        noisy = _scene(24, 80, noise=2)
        noisy.foreground.ravel()[step::7] += 0x020202
        canvas.place(0, 0, noisy, _all(noisy))
        sent += len(canvas.update(THRIFTY, step / 15))
    assert sent < whole / 4


def test_what_is_not_worth_its_bytes_at_once_is_put_right_within_two_seconds() -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    first, drifted = _plain(24, 80, 0x404040), _plain(24, 80, 0x424243)
    canvas.place(0, 0, first, _all(first))
    canvas.update(THRIFTY, 0.0)
    canvas.place(0, 0, drifted, _all(drifted))
    assert canvas.update(THRIFTY, 0.1) == b""
    canvas.update(THRIFTY, 2.0)
    assert _errors(canvas.current(0, 0, 80, 24), drifted).max() == 0


def test_a_small_error_waits_only_where_the_cell_is_fresh() -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    before, after, upper = _plain(24, 80, 0x404040), _plain(24, 80, 0x424243), np.zeros((24, 80), dtype=np.bool_)
    upper[:12] = True
    canvas.place(0, 0, before, _all(before))
    canvas.update(THRIFTY, 0.0)
    changed = _plain(24, 80, 0x806040)
    canvas.place(0, 0, changed, upper)
    canvas.update(THRIFTY, 0.6)
    changed = _plain(24, 80, 0x826243)
    canvas.place(0, 0, changed, upper)
    canvas.place(0, 0, after, ~upper)
    touched = _touched(canvas.update(THRIFTY, 0.7), 80, 24)
    assert (touched == ~upper).all()


def test_where_every_cell_could_be_drawn_anew_noise_is_worth_its_bytes() -> None:
    quality = {}
    for budget in (THRIFTY, 24 * 80 * 24):
        canvas = Canvas(80, 24, Depth.TRUECOLOR)
        for step in range(10):
            grid = _scene(24, 80, at=step / 1000, noise=3)
            canvas.place(0, 0, grid, _all(grid))
            assert len(canvas.update(budget, step / 15)) <= budget
        quality[budget] = _quality(canvas.current(0, 0, 80, 24), grid)
    assert quality[24 * 80 * 24] > quality[THRIFTY] + 2


def test_a_slow_fade_is_never_far_behind() -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    for step in range(90):
        grid = _plain(24, 80, 0x404040 + 0x010101 * (step // 5))
        canvas.place(0, 0, grid, _all(grid))
        canvas.update(ENOUGH, step / 15)
        assert _errors(canvas.current(0, 0, 80, 24), grid).max() <= 96 * 3**2


def test_after_a_cut_the_whole_picture_is_coarse_before_any_part_is_fine() -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    _blank(canvas)
    grid = _scene(24, 80)
    canvas.place(0, 0, grid, _all(grid))
    blank = _errors(canvas.current(0, 0, 80, 24), grid)
    for step in range(3):
        assert len(canvas.update(2000, step / 15)) <= 2000
    left = _errors(canvas.current(0, 0, 80, 24), grid)
    for rows in (slice(0, 8), slice(8, 16), slice(16, 24)):
        for columns in (slice(0, 40), slice(40, 80)):
            assert left[rows, columns].sum() < blank[rows, columns].sum() / 5


@pytest.mark.parametrize(("budget", "quality"), [(1000, 21.0), (2000, 25.0), (4000, 29.0)])
def test_few_bytes_buy_a_good_picture(budget: int, quality: float) -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    _blank(canvas)
    for step in range(30):
        grid = _scene(24, 80, at=step / 15, noise=3)
        canvas.place(0, 0, grid, _all(grid))
        assert len(canvas.update(budget, step / 15)) <= budget
    assert _quality(canvas.current(0, 0, 80, 24), grid) > quality


def test_a_moving_picture_takes_a_tenth_of_its_whole_bytes() -> None:
    canvas = Canvas(80, 24, Depth.TRUECOLOR)
    sizes, qualities = [], []
    for step in range(30):
        grid = _scene(24, 80, at=step / 30, noise=3)
        canvas.place(0, 0, grid, _all(grid))
        sizes.append(len(canvas.update(THRIFTY, step / 30)))
        qualities.append(_quality(canvas.current(0, 0, 80, 24), grid))
    assert np.mean(sizes[1:]) < 0.1 * 24 * 80 * 34
    assert min(qualities) > 35
