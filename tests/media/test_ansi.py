"""Cells as bytes: short, exact in length, and read back as the same cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.media.strict_terminal import StrictTerminal
from tui.media import ansi
from tui.media.ansi import ANY, BASIC, NUMBERED, Prices, Strokes
from tui.media.colours import DEFAULT_COLOUR, Depth

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _strokes(*cells: tuple[int, str, int, int]) -> Strokes:
    places, glyphs, foreground, background = zip(*cells, strict=True)
    return Strokes(
        np.array(places, dtype=np.int64),
        np.array([ord(glyph) for glyph in glyphs], dtype=np.uint32),
        np.array(foreground, dtype=np.int32),
        np.array(background, dtype=np.int32),
    )


def _length(strokes: Strokes, columns: int) -> int:
    return Prices(strokes, columns).together(np.arange(len(strokes)))


def test_a_cell_is_a_move_two_colours_and_a_glyph() -> None:
    made = ansi.encode(_strokes((81, "▀", 0x010203, NUMBERED | 200)), 80)
    assert made == "\x1b[2;2H\x1b[38;2;1;2;3;48;5;200m▀\x1b[0m".encode()


def test_colours_that_are_set_are_not_set_again() -> None:
    made = ansi.encode(_strokes((0, "▀", 1, 2), (1, "▄", 1, 2), (2, "▄", 3, 2), (3, "▄", 3, 4)), 80)
    expected = "\x1b[1;1H\x1b[38;2;0;0;1;48;2;0;0;2m▀▄\x1b[38;2;0;0;3m▄\x1b[48;2;0;0;4m▄\x1b[0m"
    assert made == expected.encode()


def test_gaps_are_stepped_over_and_a_new_row_is_addressed() -> None:
    made = ansi.encode(_strokes((0, "a", -1, -1), (2, "b", -1, -1), (14, "c", -1, -1), (20, "d", -1, -1)), 20)
    assert made == b"\x1b[1;1Ha\x1b[Cb\x1b[11Cc\x1b[2;1Hd\x1b[0m"


def test_a_colour_that_is_not_seen_costs_nothing() -> None:
    made = ansi.encode(_strokes((0, " ", ANY, NUMBERED | 17), (1, "▀", 5, ANY)), 80)
    assert made == "\x1b[1;1H\x1b[48;5;17m \x1b[38;2;0;0;5m▀\x1b[0m".encode()


@pytest.mark.parametrize(
    ("code", "foreground", "background"),
    [
        (BASIC | 0, "30", "40"),
        (BASIC | 7, "37", "47"),
        (BASIC | 8, "90", "100"),
        (BASIC | 15, "97", "107"),
        (NUMBERED | 16, "38;5;16", "48;5;16"),
        (0xFF0064, "38;2;255;0;100", "48;2;255;0;100"),
    ],
)
def test_every_kind_of_colour(code: int, foreground: str, background: str) -> None:
    strokes = _strokes((0, "▀", code, code))
    made = ansi.encode(strokes, 80)
    assert made == f"\x1b[1;1H\x1b[{foreground};{background}m▀\x1b[0m".encode()
    assert len(made) == _length(strokes, 80)


def test_the_terminals_own_colours_are_set_back() -> None:
    made = ansi.encode(_strokes((0, "▀", BASIC | 1, BASIC | 2), (1, "▀", -1, -1)), 80)
    assert made == "\x1b[1;1H\x1b[31;42m▀\x1b[39;49m▀\x1b[0m".encode()


def test_nothing_is_nothing() -> None:
    none = _strokes((0, "a", -1, -1)).only(np.zeros(1, dtype=np.bool_))
    assert ansi.encode(none, 80) == b""
    assert _length(none, 80) == 0


@pytest.mark.parametrize("columns", [1, 3, 80, 2000])
def test_the_length_is_known_before_and_all_is_read_back(columns: int) -> None:
    random = np.random.default_rng(columns)
    rows = 12 if columns < 1000 else 2
    for _ in range(20):
        places = np.flatnonzero(random.random(rows * columns) < random.choice([0.01, 0.3, 1.0]))
        if not len(places):
            continue
        strokes = Strokes(
            places,
            random.choice(np.array([ord(glyph) for glyph in " a¶▀█⣿🬀𜴀"], dtype=np.uint32), len(places)),
            _colours(random, len(places)),
            _colours(random, len(places)),
        )
        made = ansi.encode(strokes, columns)
        assert len(made) == _length(strokes, columns)
        some = np.flatnonzero(random.random(len(places)) < 0.5)
        assert len(ansi.encode(strokes.only(some), columns)) == Prices(strokes, columns).together(some)
        terminal = StrictTerminal(columns, rows)
        terminal.feed(made)
        assert terminal.colours == [("default", 0), ("default", 0)]
        settled = strokes.settled()
        seen = terminal.grid(Depth.TRUECOLOR)
        assert (seen.glyphs.ravel()[places] == strokes.glyphs).all()
        full = (settled.foreground >= 0) & (settled.foreground < NUMBERED)
        assert (seen.foreground.ravel()[places][full] == settled.foreground[full]).all()
        untouched = np.ones(rows * columns, dtype=np.bool_)
        untouched[places] = False
        assert (seen.glyphs.ravel()[untouched] == ord(" ")).all()


def test_words_of_colours_go_there_and_back() -> None:
    for depth, colours in (
        (Depth.TRUECOLOR, [DEFAULT_COLOUR, 0, 0xFFFFFF]),
        (Depth.PALETTE, [DEFAULT_COLOUR, 16, 255]),
        (Depth.SIXTEEN, [DEFAULT_COLOUR, 0, 15]),
    ):
        given = np.array(colours, dtype=np.int32)
        assert ansi.decoded(ansi.coded(given, depth), depth).tolist() == colours
    assert ansi.decoded(np.array([NUMBERED | 196], dtype=np.int32), Depth.TRUECOLOR).tolist() == [0xFF0000]


def _colours(random: np.random.Generator, count: int) -> NDArray[np.int32]:
    kinds = np.array([ANY, DEFAULT_COLOUR, BASIC | 3, BASIC | 12, NUMBERED | 17, NUMBERED | 231, 0x000000, 0x0A64FF])
    return random.choice(kinds, count).astype(np.int32)
