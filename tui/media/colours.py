"""The colours a terminal takes, as numbers, as RGB, and as they look to the eye.

Used by `tui.media.cells` to choose colours and by whoever wants to know what a chosen colour looks like.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from itertools import combinations, permutations
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Colours: TypeAlias = NDArray[np.int32]

DEFAULT_COLOUR: Final = -1
"""The terminal's own foreground or background."""

_SIXTEEN: Final = (
    0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5,
    0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
)  # fmt: skip


TEXTURE: Final = 0.3
"""How much a shade's pattern disturbs: 0 were it perfectly smooth, 1 were its dots as large as samples."""

_NEAR: Final = 6
"""Colours of which mixtures are tried."""


class Depth(StrEnum):
    """Which colours the terminal takes: how many, and what a colour's number means."""

    TRUECOLOR = "truecolor"
    """``0xRRGGBB``."""
    PALETTE = "palette"
    """16..255 of xterm's palette: 0..15 vary by theme."""
    SIXTEEN = "sixteen"
    """0..15 of xterm's palette, whatever the theme makes of them."""
    NONE = "none"
    """Only `DEFAULT_COLOUR`."""


_RANGES: Final = {Depth.PALETTE: (16, 256), Depth.SIXTEEN: (0, 16)}


def rgb(colours: Colours, depth: Depth, default: int = 0x000000) -> Pixels:
    """What these numbers look like, shape (..., 3); ``default`` (0xRRGGBB) stands for `DEFAULT_COLOUR`."""
    if depth in _RANGES:
        colours = np.where(colours < 0, DEFAULT_COLOUR, numbers(palette())[colours])
    colours = np.where(colours < 0, np.int32(default), colours)
    return np.stack([(colours >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)], axis=-1)


def channels(colours: Colours, depth: Depth) -> NDArray[np.float32]:
    """Red, green and blue of these numbers, shape (3, ...); there must be no `DEFAULT_COLOUR` among them."""
    if depth in _RANGES:
        return _table()[:, colours]
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255]).astype(np.float32)


def numbers(pixels: NDArray[np.floating] | Pixels) -> Colours:
    """``0xRRGGBB`` of RGB pixels."""
    wide = pixels.astype(np.int32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def nearest(pixels: NDArray[np.floating] | Pixels, depth: Depth) -> Colours:
    """The colour of this depth that is nearest to each RGB pixel (..., 3); pixels out of 0..255 are clipped."""
    if depth is Depth.TRUECOLOR:
        return numbers(np.rint(np.clip(pixels, 0, 255)))
    return _nearest(*_RANGES[depth])[_coarse(pixels)]


def nearest_in_palette(pixels: NDArray[np.floating] | Pixels) -> Colours:
    """Numbers (16..255) of the palette colours nearest to these RGB pixels, see `perceived`."""
    return nearest(pixels, Depth.PALETTE)


def nearest_in_sixteen(pixels: NDArray[np.floating] | Pixels) -> Colours:
    """Numbers (0..15) of the basic colours nearest to these RGB pixels, see `perceived`."""
    return nearest(pixels, Depth.SIXTEEN)


def shaded(pixels: NDArray[np.floating] | Pixels, depth: Depth) -> tuple[NDArray[np.intp], Colours, Colours]:
    """How to mix these RGB pixels of two colours: quarters of the first (1 or 2), the first, and the second.

    Near colours are preferred to exact mixtures of far ones, whose pattern is seen.
    """
    coarse = _coarse(pixels)
    quarters, first, second = _mixtures(*_RANGES[depth])
    return quarters[coarse], first[coarse], second[coarse]


@cache
def palette() -> Pixels:
    """RGB of xterm's 256 colours, shape (256, 3): 16 that vary by theme, a 6x6x6 cube and 24 greys."""
    basic = rgb(np.array(_SIXTEEN, dtype=np.int32), Depth.TRUECOLOR)
    steps = np.array([0, 95, 135, 175, 215, 255], dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    greys = np.repeat(np.arange(8, 239, 10, dtype=np.uint8)[:, None], 3, axis=1)
    return np.concatenate([basic, cube, greys])


def perceived(pixels: NDArray[np.floating] | Pixels) -> NDArray[np.float32]:
    """RGB and Oklab side by side, 6 coordinates in about equal units (..., 6).

    Distances in RGB alone change the hue of dark colours, in Oklab alone they cost 2 dB of the picture.
    """
    value = np.asarray(pixels, dtype=np.float32) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_cones = np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ],
        dtype=np.float32,
    )
    to_lab = np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ],
        dtype=np.float32,
    )
    return np.concatenate([value, np.cbrt(linear @ to_cones) @ to_lab], axis=-1)


def _coarse(pixels: NDArray[np.floating] | Pixels) -> NDArray[np.intp]:
    """The number of the nearest of 32 x 32 x 32 colours."""
    steps = np.rint(np.clip(pixels, 0, 255) * np.float32(31 / 255)).astype(np.intp)
    number: NDArray[np.intp] = steps[..., 0] << 10 | steps[..., 1] << 5 | steps[..., 2]
    return number


@cache
def _cube() -> NDArray[np.float32]:
    """Those 32768 colours as RGB."""
    channel = np.arange(32, dtype=np.float32) * np.float32(255 / 31)
    return np.stack(np.meshgrid(channel, channel, channel, indexing="ij"), axis=-1).reshape(-1, 3)


@cache
def _table() -> NDArray[np.float32]:
    """Channels of the palette, (3, 256)."""
    return np.ascontiguousarray(palette().T, dtype=np.float32)


def _distances(first: int, end: int) -> NDArray[np.float32]:
    """Between those colours and the palette's, squared."""
    cube, known = perceived(_cube()), perceived(palette()[first:end])
    distances: NDArray[np.float32] = (
        np.square(cube).sum(axis=1)[:, None] + np.square(known).sum(axis=1) - 2 * cube @ known.T
    )
    return distances


@cache
def _nearest(first: int, end: int) -> Colours:
    known: Colours = (_distances(first, end).argmin(axis=1) + first).astype(np.int32)
    return known


@cache
def _mixtures(first: int, end: int) -> tuple[NDArray[np.intp], Colours, Colours]:
    """For each of those colours the best mixture: quarters of the first colour, the first, and the second."""
    cube, known = _cube(), palette().astype(np.float32)
    near = np.argpartition(_distances(first, end), _NEAR, axis=1)[:, :_NEAR].T + first
    away = np.stack([np.square(known[colour] - cube).sum(axis=1) for colour in near])
    apart = np.square(known[:, None] - known).sum(axis=2)
    # Two quarters of one are two of the other.
    mixtures = [(a, b, 1) for a, b in permutations(range(_NEAR), 2)]
    mixtures += [(a, b, 2) for a, b in combinations(range(_NEAR), 2)]
    errors = np.empty((len(mixtures), len(cube)), dtype=np.float32)
    for error, (a, b, quarters) in zip(errors, mixtures, strict=True):
        share = np.float32(quarters / 4)
        # How far a point between two others is from a fourth, and the pattern.
        error[:] = share * away[a] + (1 - share) * away[b]
        error -= share * (1 - share) * np.float32(1 - TEXTURE) * apart[near[a], near[b]]
    one, other, quarter = np.array(mixtures)[errors.argmin(axis=0)].T
    every = np.arange(len(cube))
    return quarter, near[one, every].astype(np.int32), near[other, every].astype(np.int32)
