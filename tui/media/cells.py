"""Pictures as character cells: what the core's thread puts on the `Board` and the screen draws.

An `Encoder` turns one video frame into a `CellGrid` with swscale and numpy, without a Python loop over cells:
about 0.2 ms for 80x24 cells. The same picture always gives the same cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av


Pixels: TypeAlias = NDArray[np.uint8]
Colours: TypeAlias = NDArray[np.int32]

DEFAULT_COLOUR = -1
"""The terminal's own foreground or background."""

# AREA | FULL_CHR_H_INT: without the second flag chroma is halved once more (terminal-video.md, finding 4).
_SCALING = 0x20 | 0x2000
_FIVE_BITS = ((np.arange(256) * 31 + 127) // 255 * 255 // 31).astype(np.uint8)
_RAMP = np.array(list(" .:-=+*#%@"), dtype="<U1")
_HALVES = np.array([" ", "▀", "▄", "█"], dtype="<U1")


class Glyphs(StrEnum):
    """Which characters a picture is made of."""

    HALF = "half"
    ASCII = "ascii"


class Depth(StrEnum):
    """Which colours the terminal takes."""

    TRUECOLOR = "truecolor"
    PALETTE = "palette"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures are drawn on this terminal."""

    glyphs: Glyphs
    depth: Depth


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture, in character cells."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class CellGrid:
    """One picture in cells; the arrays have the shape (rows, columns) and are not changed any more.

    Colours are ``0xRRGGBB`` for TRUECOLOR and 16..255 of xterm's palette for PALETTE, or `DEFAULT_COLOUR`.
    """

    glyphs: NDArray[np.str_]
    foreground: Colours
    background: Colours
    depth: Depth


class Encoder:
    """Encodes the frames of one picture; not for two threads at once.

    Keep one per picture: a fresh reformatter for each frame costs three to six times as much.
    """

    def __init__(self, look: Look) -> None:
        self.look = look
        self._reformatter = VideoReformatter()

    def encode(self, frame: av.VideoFrame, size: Size, mirror: bool = False) -> CellGrid:
        """The frame fitted into ``size``, centred, with empty margins; ``mirror`` swaps left and right.

        A cell is taken to be twice as high as wide. Raises ``ValueError`` or ``av.FFmpegError`` for a frame
        that swscale cannot read.
        """
        grid = CellGrid(
            np.full((size.rows, size.columns), " ", dtype="<U1"),
            np.full((size.rows, size.columns), DEFAULT_COLOUR, dtype=np.int32),
            np.full((size.rows, size.columns), DEFAULT_COLOUR, dtype=np.int32),
            self.look.depth,
        )
        if size.columns < 1 or size.rows < 1:
            return grid
        columns, rows = fitted(frame.width, frame.height, size)
        left, top = (size.columns - columns) // 2, (size.rows - rows) // 2
        place = np.s_[top : top + rows, left : left + columns]
        halves = 2 if self.look.glyphs is Glyphs.HALF else 1
        pixels = self._pixels(frame, columns, rows * halves)
        if mirror:
            pixels = pixels[:, ::-1]
        if halves == 2:
            self._halves(grid, place, pixels)
        else:
            self._ascii(grid, place, pixels)
        return grid

    def _pixels(self, frame: av.VideoFrame, width: int, height: int) -> Pixels:
        # One thread: swscale's default starts two per picture and takes twice the time.
        scaled = self._reformatter.reformat(frame, width, height, "rgb24", interpolation=_SCALING, threads=1)
        return scaled.to_ndarray().astype(np.uint8, copy=False)

    def _halves(self, grid: CellGrid, place: tuple[slice, slice], pixels: Pixels) -> None:
        if grid.depth is Depth.NONE:
            light = luminance(pixels)
            # The picture's own brightness decides, within bounds that keep black empty and white full.
            lit = light > min(max(float(light.mean()), 64.0), 192.0)
            grid.glyphs[place] = _HALVES[lit[0::2] + 2 * lit[1::2].astype(np.uint8)]
            return
        colours = _colours(pixels, grid.depth)
        grid.glyphs[place] = "▀"
        grid.foreground[place] = colours[0::2]
        grid.background[place] = colours[1::2]

    def _ascii(self, grid: CellGrid, place: tuple[slice, slice], pixels: Pixels) -> None:
        steps = luminance(pixels).astype(np.intp) * len(_RAMP) // 256
        grid.glyphs[place] = _RAMP[steps]
        if grid.depth is not Depth.NONE:
            grid.foreground[place] = _colours(pixels, grid.depth)


def fitted(width: int, height: int, size: Size) -> tuple[int, int]:
    """Columns and rows that a picture of ``width`` x ``height`` pixels takes in ``size``, at least one."""
    scale = min(size.columns / width, 2 * size.rows / height)
    columns = min(size.columns, max(1, round(width * scale)))
    rows = min(size.rows, max(1, round(height * scale / 2)))
    return columns, rows


def luminance(pixels: Pixels) -> Pixels:
    """Brightness 0..255 of RGB pixels, shape without the last axis (BT.601 weights)."""
    weights = np.array([77, 150, 29], dtype=np.uint16)
    return (pixels @ weights >> 8).astype(np.uint8)


def _colours(pixels: Pixels, depth: Depth) -> Colours:
    if depth is Depth.PALETTE:
        return nearest_in_palette(pixels)
    kept = _FIVE_BITS[pixels].astype(np.int32)
    return kept[..., 0] << 16 | kept[..., 1] << 8 | kept[..., 2]


def nearest_in_palette(pixels: Pixels) -> Colours:
    """Numbers (16..255) of the palette colours that look most like these RGB pixels, to 5 bits a channel."""
    coarse = (pixels >> 3).astype(np.intp)
    numbers: Colours = _palette_table()[coarse[..., 0] << 10 | coarse[..., 1] << 5 | coarse[..., 2]]
    return numbers


def palette() -> Pixels:
    """RGB of xterm's colours 16..255, shape (240, 3): a 6x6x6 cube and 24 greys; 0..15 vary by theme."""
    steps = np.array([0, 95, 135, 175, 215, 255], dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    greys = np.repeat(np.arange(8, 239, 10, dtype=np.uint8)[:, None], 3, axis=1)
    return np.concatenate([cube, greys])


def perceived(pixels: Pixels) -> NDArray[np.float32]:
    """RGB in Oklab, where distances are about as large as they look; shape kept."""
    value = pixels.astype(np.float32) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_cones = np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    lab: NDArray[np.float32] = (np.cbrt(linear @ to_cones) @ to_lab).astype(np.float32)
    return lab


@cache
def _palette_table() -> Colours:
    """Nearest palette number for each of the 32768 colours of 5 bits a channel."""
    channel = _FIVE_BITS[np.arange(32) * 8 + 4]
    colours = np.stack(np.meshgrid(channel, channel, channel, indexing="ij"), axis=-1).reshape(-1, 3)
    known = perceived(palette())
    nearest = [
        np.argmin((known**2).sum(axis=1) - 2 * perceived(part) @ known.T, axis=1)
        for part in np.array_split(colours, 16)
    ]
    return (np.concatenate(nearest) + 16).astype(np.int32)
