"""The terminal that rebuilds pictures shows what the bytes say."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from tests.benchmarks.rebuilt import ACROSS, BACKGROUND, DOWN, FOREGROUND, Terminal, mask, missing


def screen(terminal: Terminal) -> list[str]:
    return ["".join(map(chr, row)) for row in terminal.glyphs()]


def fed(*data: bytes, columns: int = 6, rows: int = 3, **options: bool | int) -> Terminal:
    terminal = Terminal(columns, rows, **options)  # type: ignore[arg-type]
    for part in data:
        terminal.feed(part)
    return terminal


def test_the_cursor_goes_where_it_is_sent() -> None:
    terminal = fed(b"\x1b[2;3Hb\x1b[1;1Ha\x1b[2Cd\x1b[1B\x1b[3De\x1b[1A\x1b[1Db\x1b[3;6Hz\x1b[1;5f\x1b7\x1b[H\x1b8x")
    assert screen(terminal) == ["ab dx ", " eb   ", "     z"]


def test_a_row_that_is_full_goes_on_in_the_next_only_with_another_character() -> None:
    terminal = fed(b"abcdef", rows=2)
    assert terminal.cursor == (5, 0)
    terminal.feed(b"g")
    assert screen(terminal) == ["abcdef", "g     "]
    terminal.feed(b"\x1b[2;6Hh\r\ni")
    assert screen(terminal) == ["g    h", "i     "]


def test_a_line_feed_returns_only_where_the_tty_translates() -> None:
    assert screen(fed(b"ab\ncd")) == ["ab    ", "  cd  ", "      "]
    assert screen(fed(b"ab\ncd", translates=True)) == ["ab    ", "cd    ", "      "]


def test_rows_may_be_counted_from_nought() -> None:
    assert screen(fed(b"\x1b[0;0fa\x1b[1;0fb", rows_from=0)) == ["a     ", "b     ", "      "]


def test_characters_are_repeated_and_erased() -> None:
    assert screen(fed("▀".encode() + b"\x1b[3bx\x1b[2;1Habcdef\x1b[2;3H\x1b[K\x1b[2;1H\x1b[1X", rows=2)) == [
        "▀▀▀▀x ",
        " b    ",
    ]
    below, above, all_ = (fed(b"aaaaaabbbbbbcccccc\x1b[2;3H" + data) for data in (b"\x1b[J", b"\x1b[1J", b"\x1b[2J"))
    assert screen(below) == ["aaaaaa", "bb    ", "      "]
    assert screen(above) == ["      ", "   bbb", "cccccc"]
    assert screen(all_) == ["      "] * 3


def test_colours_of_all_depths() -> None:
    terminal = fed(
        b"\x1b[38;2;1;2;3;48;5;196ma\x1b[7mb\x1b[27;39mc\x1b[31;102md\x1b[0me\x1b[7m\x1b[38;5;232mf", columns=7, rows=1
    )
    assert terminal.foreground()[0].tolist() == [
        0x010203, 0xFF0000, FOREGROUND, 0xCD0000, FOREGROUND, BACKGROUND, FOREGROUND,
    ]  # fmt: skip
    assert terminal.background()[0].tolist() == [
        0xFF0000, 0x010203, 0xFF0000, 0x00FF00, BACKGROUND, 0x080808, BACKGROUND,
    ]  # fmt: skip


def test_modes_questions_and_strings_change_no_cell() -> None:
    terminal = fed(b"\x1b[?2026h\x1b[?25la\x1b[6n\x1b[?2026$p\x1b]0;title\x07\x1bPtmux;x\x1b\\b\x1b[?2026l", rows=1)
    assert screen(terminal) == ["ab    "]


def test_what_is_cut_anywhere_is_put_together() -> None:
    data = "\x1b[38;2;10;20;30;48;2;1;1;1m▞\x1b]0;t\x1b\\\U0001cd00é\x1b[2;2H▄".encode()
    whole = fed(data)
    for cut in range(len(data)):
        parts = fed(data[:cut], data[cut:])
        assert screen(parts) == screen(whole)
        assert np.array_equal(parts.foreground(), whole.foreground())


def test_the_unknown_is_not_passed_over() -> None:
    for data in (b"\x1b[5S", b"\x1b[=5Z", b"\x1bM", b"\x1b[73m", b"\t"):
        with pytest.raises(ValueError, match=r"CSI|escape|SGR|control"):
            fed(data)


def whole(glyph: str) -> list[list[float]]:
    return mask(ord(glyph)).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("glyph", "left", "right"),
    [
        ("▀", "11110000", "11110000"),
        ("▂", "00000011", "00000011"),
        ("▌", "11111111", "00000000"),
        ("▚", "11110000", "00001111"),
        ("▙", "11111111", "00001111"),
        ("▟", "00001111", "11111111"),
        ("\U0001cd00", "00110000", "00000000"),  # octant 3
        ("\U0001cd01", "00110000", "11000000"),  # octants 2 and 3
        ("\U0001cd03", "00000000", "00110000"),  # octant 4
        ("\U0001cde5", "00111111", "11111111"),  # octants 2 to 8
        ("\U0001fb82", "11000000", "11000000"),
        ("\U0001cea0", "00000000", "00000011"),
    ],
)
def test_blocks_fill_what_unicode_says(glyph: str, left: str, right: str) -> None:
    columns = [[float(value) for value in side] for side in (left, left, right, right)]
    assert np.array(whole(glyph)).T.tolist() == columns


def test_what_falls_between_samples_fills_them_in_part() -> None:
    assert mask(ord("▏"))[0].tolist() == [0.5, 0, 0, 0]
    assert mask(ord("▉"))[0].tolist() == [1, 1, 1, 0.5]
    sextant = mask(0x1FB00)  # sextant 1: a third of the height, half of the width
    assert sextant[:, 0] == pytest.approx([1, 1, 2 / 3, 0, 0, 0, 0, 0])
    assert not sextant[:, 2:].any()
    assert mask(ord("▒")).mean() == 0.5


def test_sextants_are_those_of_their_names() -> None:
    for glyph in range(0x1FB00, 0x1FB3C):
        filled = mask(glyph)[[0, 0, 4, 4, 7, 7], [0, 3, 0, 3, 0, 3]]
        numbers = "".join(str(number) for number, part in enumerate(filled, 1) if part == 1)
        assert unicodedata.name(chr(glyph)) == f"BLOCK SEXTANT-{numbers}"


def test_every_sextant_and_octant_is_another_one() -> None:
    for first, last, count in ((0x1FB00, 0x1FB3B, 60), (0x1CD00, 0x1CDE5, 230), (0x2800, 0x28FF, 256)):
        assert len({mask(glyph).tobytes() for glyph in range(first, last + 1)}) == count


def test_a_dot_of_braille_is_where_its_number_says() -> None:
    assert mask(0x2801)[:2, :2].all()
    assert mask(0x2801).sum() == mask(0x2801)[:2, :2].sum()
    assert mask(0x2840)[6:, :2].all()
    assert mask(0x2880)[6:, 2:].all()


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_font_draws_the_rest() -> None:
    assert mask(ord("│"))[:, 1:3].min() > 0
    assert not mask(ord("│"))[:, [0, 3]].any()
    assert mask(ord("─"))[3:5].max() > mask(ord("─"))[[0, 7]].max() == 0
    assert 0 < mask(ord("@")).mean() < 0.5


def test_the_picture_is_put_together_from_its_cells() -> None:
    samples = fed("\x1b[38;2;200;0;0;48;2;0;100;0m▀\x1b[0m ▏".encode(), columns=3, rows=1).samples(3, 1)
    assert samples.shape == (DOWN, 3 * ACROSS, 3)
    assert (samples[:4, :4] == (200, 0, 0)).all()
    assert (samples[4:, :4] == (0, 100, 0)).all()
    assert not samples[:, 4:8].any()
    assert samples[0, 8].tolist() == [114.5] * 3
