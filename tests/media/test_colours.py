"""Colours: xterm's palette, and the nearest of few colours checked by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from tui.media.colours import (
    DEFAULT_COLOUR,
    TEXTURE,
    Depth,
    channels,
    nearest,
    nearest_in_palette,
    nearest_in_sixteen,
    numbers,
    palette,
    perceived,
    rgb,
    shaded,
)

STEPS = np.arange(32) * 255 / 31


def sample(count: int = 400) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Colours that the tables hold exactly."""
    return STEPS[np.random.default_rng(2).integers(0, 32, (count, 3))]


def test_palette_is_xterms() -> None:
    colours = palette()
    assert colours.shape == (256, 3)
    assert colours[0].tolist() == [0, 0, 0]
    assert colours[9].tolist() == [255, 0, 0]
    assert colours[196].tolist() == [255, 0, 0]
    assert colours[67].tolist() == [95, 135, 175]
    assert colours[232].tolist() == [8, 8, 8]
    assert colours[255].tolist() == [238, 238, 238]


def test_numbers_look_like_what_they_were_made_of() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    assert (rgb(numbers(pixels), Depth.TRUECOLOR) == pixels).all()
    assert (channels(numbers(pixels), Depth.TRUECOLOR) == np.moveaxis(pixels, -1, 0)).all()
    assert rgb(np.array([67, 16]), Depth.PALETTE).tolist() == [[95, 135, 175], [0, 0, 0]]
    assert channels(np.array([67, 16]), Depth.PALETTE).tolist() == [[95, 0], [135, 0], [175, 0]]
    assert rgb(np.array([15]), Depth.SIXTEEN).tolist() == [[255, 255, 255]]


@pytest.mark.parametrize("depth", Depth)
def test_the_terminals_own_colour_looks_as_one_says(depth: Depth) -> None:
    assert rgb(np.array([DEFAULT_COLOUR]), depth, 0x102030).tolist() == [[16, 32, 48]]


@pytest.mark.parametrize(("depth", "first", "end"), [(Depth.PALETTE, 16, 256), (Depth.SIXTEEN, 0, 16)])
def test_the_nearest_colour_is_the_nearest_by_brute_force(depth: Depth, first: int, end: int) -> None:
    pixels = sample()
    distances = np.square(perceived(pixels)[:, None, :] - perceived(palette()[first:end])[None]).sum(axis=2)
    found = nearest(pixels, depth)
    assert found.dtype == np.int32
    assert np.allclose(distances[np.arange(len(pixels)), found - first], distances.min(axis=1), atol=1e-4)


def test_colours_that_are_there_are_found() -> None:
    assert nearest_in_palette(np.array([[255, 0, 0], [0, 0, 0], [300, 260, 256], [-9, -1, 0]])).tolist() == [
        196,
        16,
        231,
        16,
    ]
    assert nearest_in_sixteen(palette()[:16]).tolist() == list(range(16))
    assert nearest(np.array([[254.6, -3, 1.4]]), Depth.TRUECOLOR).tolist() == [0xFF0001]


def test_greys_stay_grey() -> None:
    greys = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[:, None], 3, axis=1)
    spread = palette()[nearest_in_palette(greys)]
    assert (spread.max(axis=1) == spread.min(axis=1)).all()


@pytest.mark.parametrize("depth", [Depth.PALETTE, Depth.SIXTEEN])
def test_a_mixture_of_two_colours_is_nearer_than_one_colour(depth: Depth) -> None:
    pixels = sample()
    quarters, first, second = shaded(pixels, depth)
    assert set(quarters.tolist()) == {1, 2}
    one, other = (rgb(number, depth).astype(float) for number in (first, second))
    share = quarters[:, None] / 4
    mixed = np.square(one * share + other * (1 - share) - pixels).sum(axis=1)
    texture = TEXTURE * (share * (1 - share) * np.square(one - other)).sum(axis=1)
    alone = np.square(rgb(nearest(pixels, depth), depth) - pixels).sum(axis=1)
    assert mixed.mean() < 0.4 * alone.mean()
    # What it is chosen by counts the pattern too.
    assert (mixed + texture < alone).mean() > 0.5
