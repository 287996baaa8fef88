"""How a cell is drawn when bytes are short: what it costs, and how far it is then from what is wanted.

Used by `tui.media.canvas`. A trade is the error (squared distance of colours, summed over the sub-cells and channels
of a cell) that one byte saved may cause: the larger it is, the more cells become flat, share their colours with their
neighbours, or take one of the 256 colours, whose number is shorter.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tui.media.ansi import ANY, BASIC, NUMBERED, Strokes
from tui.media.colours import DEFAULT_COLOUR, Depth, nearest_in_palette, nearest_in_sixteen, numbers, palette
from tui.media.glyphs import coverage

if TYPE_CHECKING:
    from tui.media.ansi import Codes

Masks: TypeAlias = NDArray[np.uint32]
Light: TypeAlias = NDArray[np.float32]
"""Red, green and blue, 0..255, shape (3, ...)."""
Errors: TypeAlias = NDArray[np.float32]

_SPACE: Final = ord(" ")
_EMPTY: Final = (_SPACE, 0x2800)
_SUBCELLS: Final = 32
_SHARED: Final = 12.0
"""Bytes saved, about, by a colour that is set already."""
_SHORTER: Final = 6.5
"""Bytes saved, about, by one of the 256 colours instead of three channels."""
_FOREGROUND: Final = 0xC0C0C0
_BACKGROUND: Final = 0x000000
"""What the terminal's own colours are taken for."""
_PLAIN: Final = 150.0
"""A trade for which no colour is worth its short number."""
_RARE: Final = 50
"""Of so many runs one has to join, or it is not tried again."""
_MERGES: Final = (0, 1, 0, 1, 0, 1, 0)


def seen(strokes: Strokes) -> tuple[Masks, Light]:
    """Which sub-cells the glyphs fill, and both colours, foreground first: shape (2, 3, cells)."""
    codes = np.stack([strokes.foreground, strokes.background])
    light = light_of(codes, np.array([[_FOREGROUND], [_BACKGROUND]], dtype=np.int32))
    return _masks().take(strokes.glyphs), light.swapaxes(0, 1)


def light_of(codes: Codes, default: Codes | int) -> Light:
    """What these colours look like; shape (3, ...)."""
    light = np.empty((3, *codes.shape), dtype=np.float32)
    if codes.size and (codes.max() >= NUMBERED or codes.min() < 0):
        codes = np.where(codes >= NUMBERED, _words()[codes & 255], codes)
        codes = np.where(codes < 0, default, codes)
    light[0], light[1], light[2] = codes >> 16, codes >> 8 & 255, codes & 255
    return light


def difference(masks: Masks, light: Light, other_masks: Masks, other_light: Light) -> Errors:
    """Error of each cell when one is seen for the other; ``light`` has the shape (2, 3, cells), foreground first."""
    ours = np.bitwise_count(masks).astype(np.float32)
    theirs = np.bitwise_count(other_masks).astype(np.float32)
    both = np.bitwise_count(masks & other_masks).astype(np.float32)
    total: Errors = _square(light[0] - other_light[0]) * both
    total += _square(light[0] - other_light[1]) * (ours - both)
    total += _square(light[1] - other_light[0]) * (theirs - both)
    total += _square(light[1] - other_light[1]) * (_SUBCELLS - ours - theirs + both)
    return total


def drawn(wanted: Strokes, masks: Masks, light: Light, trade: float, depth: Depth) -> tuple[Strokes, Masks, Light]:
    """These cells as cheap as ``trade`` allows, with what they then look like; arrays are not changed."""
    foreground_weight = np.bitwise_count(masks).astype(np.float32)
    background_weight = _SUBCELLS - foreground_weight
    foreground = np.where(foreground_weight > 0, wanted.foreground, np.int32(ANY))
    background = np.where(background_weight > 0, wanted.background, np.int32(ANY))
    if depth is Depth.NONE:
        return Strokes(wanted.places, wanted.glyphs, foreground, background), masks, light
    # Flat: a space costs one byte and one colour.
    loss = _square(light[0] - light[1]) * foreground_weight * background_weight / _SUBCELLS
    saved = np.where(wanted.glyphs < 0x80, _SHARED, _SHARED + 2)
    own = (wanted.foreground == DEFAULT_COLOUR) | (wanted.background == DEFAULT_COLOUR)
    flat = np.flatnonzero((loss <= trade * saved) & (foreground_weight > 0) & ~own)
    glyphs = wanted.glyphs
    if len(flat):
        glyphs, masks = glyphs.copy(), masks.copy()
        light = light.copy()
        share = foreground_weight[flat] / _SUBCELLS
        light[1][:, flat] += (light[0][:, flat] - light[1][:, flat]) * share
        solid = share == 1
        background[flat] = np.where(solid, foreground[flat], _nearest(light[1][:, flat], depth))
        foreground[flat] = ANY
        glyphs[flat], masks[flat] = _SPACE, 0
        foreground_weight[flat], background_weight[flat] = 0, _SUBCELLS
    both = np.concatenate([foreground, background])
    weights = np.concatenate([foreground_weight, background_weight])
    at = np.flatnonzero((weights > 0) & (both != DEFAULT_COLOUR))
    if len(at) > 1:
        # One row of colours: the backgrounds follow the foregrounds.
        lights = np.concatenate([light[0], light[1]], axis=1)
        both[at], lights[:, at] = _shared(both[at], lights.take(at, axis=1), weights[at], trade, depth)
        foreground, background = np.split(both, 2)
        light = lights.reshape(3, 2, -1).transpose(1, 0, 2)
    return Strokes(wanted.places, glyphs, foreground, background), masks, light


def _shared(codes: Codes, light: Light, weights: Errors, trade: float, depth: Depth) -> tuple[Codes, Light]:
    """Give neighbours one colour where that is worth it, and colours their short number."""
    label = np.arange(len(codes))
    colour, weight = light, weights
    for offset in _MERGES:
        # Runs of cells join in pairs, at first cell by cell.
        end = len(weight) - (len(weight) - offset) % 2
        first, second = weight[offset:end:2], weight[offset + 1 : end : 2]
        apart = _square(colour[:, offset:end:2] - colour[:, offset + 1 : end : 2])
        at = np.flatnonzero(apart * (first * second) <= trade * _SHARED * (first + second))
        if len(at) * _RARE < len(weight):
            # Where one pass finds little the next ones find less.
            break
        first, second = first[at], second[at]
        at = at * 2 + offset
        colour, weight = colour.copy(), weight.copy()
        colour[:, at] += (colour.take(at + 1, axis=1) - colour.take(at, axis=1)) * (second / (first + second))
        weight[at] = first + second
        kept = np.ones(len(weight), dtype=np.bool_)
        kept[at + 1] = False
        label = (np.cumsum(kept) - 1)[label]
        colour, weight = np.compress(kept, colour, axis=1), weight[kept]
    made = codes
    if len(weight) < len(codes):
        joined = np.bincount(label) > 1
        colour[:, joined] = np.rint(colour[:, joined])
        made = np.where(joined[label], _nearest(colour, depth)[label], codes)
    if depth is Depth.TRUECOLOR and trade > _PLAIN:
        named = nearest_in_palette(_pixels(colour))
        seen = light_of(_words()[named], 0)
        short = _square(seen - colour) * weight <= trade * _SHORTER
        made = np.where(short[label], (named | np.int32(NUMBERED))[label], made)
        colour = np.where(short, seen, colour)
        return made, colour.take(label, axis=1)
    return made, colour.take(label, axis=1) if depth is Depth.TRUECOLOR else light_of(made, 0)


def _square(apart: Light) -> Errors:
    apart *= apart
    total: Errors = apart[0] + apart[1]
    total += apart[2]
    return total


@cache
def _words() -> Codes:
    """The 256 colours as 0xRRGGBB."""
    return numbers(palette())


@cache
def _masks() -> Masks:
    """Coverage of every character of the first two planes; what is not known looks like nothing else."""
    codes = np.arange(0x20000, dtype=np.uint32)
    masks = coverage(codes)
    unknown = (masks == 0) & ~np.isin(codes, _EMPTY)
    masks[unknown] = codes[unknown] * np.uint32(2654435761)
    return masks


def _nearest(light: Light, depth: Depth) -> Codes:
    pixels = _pixels(light)
    if depth is Depth.PALETTE:
        return nearest_in_palette(pixels) | np.int32(NUMBERED)
    if depth is Depth.SIXTEEN:
        return nearest_in_sixteen(pixels) | np.int32(BASIC)
    words = pixels.astype(np.int32)
    return words[..., 0] << 16 | words[..., 1] << 8 | words[..., 2]


def _pixels(light: Light) -> NDArray[np.uint8]:
    return np.rint(light).astype(np.uint8).T
