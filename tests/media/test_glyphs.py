"""Glyphs: what they cover and which ways to split a cell a set has."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pytest

from tui.media.glyphs import SHADES, Glyphs, braille, coverage, fills, inked, two_coloured


def codes(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.array([ord(character) for character in text], dtype=np.uint32)


def test_coverage_of_blocks() -> None:
    expected = {
        " ": 0,
        "█": 0xFFFFFFFF,
        "▀": 0x0000FFFF,
        "▄": 0xFFFF0000,
        "▌": 0x33333333,
        "▐": 0xCCCCCCCC,
        "▁": 0xF0000000,
        "▔": 0x0000000F,
        "▇": 0xFFFFFFF0,
        "▎": 0x11111111,
        "▘": 0x00003333,
        "▝": 0x0000CCCC,
        "▖": 0x33330000,
        "▗": 0xCCCC0000,
        "▚": 0xCCCC3333,
        "▞": 0x3333CCCC,
        "▟": 0xFFFFCCCC,
        "⠁": 0x00000033,
        "⢀": 0xCC000000,
        "x": coverage(codes("x"))[0],
        "é": 0,
    }
    found = coverage(codes("".join(expected)))
    assert found.dtype == np.uint32
    assert [hex(word) for word in found] == [hex(word) for word in expected.values()]
    assert coverage(codes("▀ ▄█").reshape(2, 2)).shape == (2, 2)


def test_partly_filled_glyphs_cover_as_many_parts_as_they_have_ink() -> None:
    assert np.bitwise_count(coverage(SHADES)).tolist() == [8, 16, 24]
    assert np.bitwise_count(coverage(codes("▍▋▏"))).tolist() == [12, 20, 4]
    known = np.concatenate([inked(glyphs).code_points for glyphs in Glyphs])
    assert np.abs(np.bitwise_count(coverage(known)) / 32 - fills(known).mean(axis=-1)).max() < 0.15


def test_sextants_and_octants_are_where_unicode_has_them() -> None:
    for code in range(0x1FB00, 0x1FB3C):
        digits = unicodedata.name(chr(code)).removeprefix("BLOCK SEXTANT-")
        inside = fills(codes(chr(code)))[0].reshape(8, 2, 2).mean(axis=2)[[0, 4, 7]]
        assert "".join(str(n + 1) for n in range(6) if inside.ravel()[n]) == digits
    # From the code chart of Unicode 16: octants 3, 14, 34 and 2345678.
    for code, parts in ((0x1CD00, "3"), (0x1CD04, "14"), (0x1CD06, "34"), (0x1CDE5, "2345678"), (0x1CEA8, "1")):
        inside = fills(codes(chr(code)))[0].reshape(4, 2, 2, 2).mean(axis=(1, 3))
        assert "".join(str(n + 1) for n in range(8) if inside.ravel()[n]) == parts


@pytest.mark.parametrize(("glyphs", "count"), [("half", 3), ("block", 18), ("sextant", 48), ("octant", 166)])
def test_a_set_has_every_way_to_split_a_cell_once(glyphs: str, count: int) -> None:
    shapes = two_coloured(Glyphs(glyphs))
    assert len(shapes.code_points) == count
    assert shapes.code_points[0] == ord(" ")
    splits = shapes.fills[1:] - shapes.fills[1:].mean(axis=1, keepdims=True)
    splits /= np.linalg.norm(splits, axis=1, keepdims=True)
    alike = np.abs(splits @ splits.T) - np.eye(count - 1)
    assert alike.max() < 0.999


def test_the_default_set_is_in_nearly_every_font() -> None:
    for shapes in (two_coloured(Glyphs.BLOCK), inked(Glyphs.BLOCK), inked(Glyphs.HALF)):
        assert all(code == 0x20 or 0x2580 <= code <= 0x259F for code in shapes.code_points)
    assert inked(Glyphs.ASCII).code_points.max() < 0x7F


def test_every_larger_set_can_do_what_the_smaller_can() -> None:
    order = [Glyphs.BLOCK, Glyphs.SEXTANT, Glyphs.OCTANT]
    for small, large in itertools.pairwise(order):
        assert set(two_coloured(small).code_points) <= set(two_coloured(large).code_points)


def test_braille_has_its_dots_row_by_row() -> None:
    dots = np.eye(8, dtype=bool)
    assert "".join(map(chr, braille(dots))) == "⠁⠈⠂⠐⠄⠠⡀⢀"
    assert chr(braille(np.ones((1, 8), dtype=bool))[0]) == "⣿"
