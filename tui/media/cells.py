"""Pictures as character cells: what the `Encoder` makes of a video frame, with swscale and numpy.

The encoder scales a frame to the samples that its drawing wants and puts the cells in their place; which glyph
and colours show a cell best is decided in `tui.media.drawing`, without a Python loop over cells. The same
picture gives the same cells, and a picture that only trembles does too.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter

from tui.media.colours import DEFAULT_COLOUR, Depth
from tui.media.drawing import drawing
from tui.media.glyphs import SPACE, Glyphs

if TYPE_CHECKING:
    import av

    from tui.media.colours import Colours
    from tui.media.glyphs import CodePoints

__all__ = ["DEFAULT_COLOUR", "CellGrid", "Crop", "Depth", "Encoder", "Glyphs", "Look", "Size", "fitted"]

# AREA | FULL_CHR_H_INT: without the second flag chroma is halved once more (terminal-video.md, finding 4).
_SCALING: Final = 0x20 | 0x2000
_AS_IT_IS: Final = 0x10
"""POINT: every sample of chroma stands for the pixels that it was made of."""
_CHANNELS: Final = (2, 0, 1)
"""Red, green and blue in swscale's planar RGB."""


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures are drawn on this terminal."""

    glyphs: Glyphs
    depth: Depth
    light: bool = False
    """The terminal's background is light, its foreground dark."""
    aspect: float = 2.0
    """Height of a cell in widths."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture, in character cells."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of a picture to show, each in 0..1 of its width or height; what is outside is cut off."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, eq=False)
class CellGrid:
    """One picture in cells; the arrays have the shape (rows, columns) and are not changed any more.

    Glyphs are code points, colours the numbers that belong to the `Depth`, or `DEFAULT_COLOUR`.
    """

    glyphs: CodePoints
    foreground: Colours
    background: Colours
    depth: Depth

    def text(self, row: int) -> str:
        """The characters of a row."""
        return str(self.glyphs[row].astype("<u4").tobytes(), "utf-32-le")


class Encoder:
    """Encodes the frames of one picture; not for two threads at once.

    Keep one per picture: it keeps cells that hardly changed, and a fresh reformatter for each frame costs
    three to six times as much.
    """

    def __init__(self, look: Look) -> None:
        self.look = look
        self._reformatter = VideoReformatter()
        self._chroma = VideoReformatter()
        self._cutter = _Cutter()
        self._scene: tuple[object, ...] = ()
        self._drawing = drawing(look.glyphs, look.depth, look.light)
        self._samples = self._drawing.start(0, 0)

    def encode(self, frame: av.VideoFrame, size: Size, mirror: bool = False, crop: Crop | None = None) -> CellGrid:
        """The frame, or the part of it in ``crop``, fitted into ``size``, centred, with empty margins.

        ``mirror`` swaps left and right. Raises ``ValueError`` or ``av.FFmpegError`` for a frame that swscale
        cannot read.
        """
        shape = (max(0, size.rows), max(0, size.columns))
        glyphs = np.full(shape, SPACE, dtype=np.uint32)
        foreground = np.full(shape, DEFAULT_COLOUR, dtype=np.int32)
        background = foreground.copy()
        grid = CellGrid(glyphs, foreground, background, self.look.depth)
        if not glyphs.size:
            return grid
        if crop is not None:
            frame = self._cutter.cut(frame, crop)
        columns, rows = fitted(frame.width, frame.height, size, self.look.aspect)
        scene = (frame.width, frame.height, columns, rows, mirror, crop)
        if scene != self._scene:
            self._scene = scene
            self._samples = self._drawing.start(rows, columns)
        left, top = (size.columns - columns) // 2, (size.rows - rows) // 2
        place = np.s_[top : top + rows, left : left + columns]
        self._sample(frame, columns, rows, mirror)
        glyphs[place], foreground[place], background[place] = self._drawing.cells()
        return grid

    def _sample(self, frame: av.VideoFrame, columns: int, rows: int, mirror: bool) -> None:
        """Scale the frame to the samples of the cells."""
        wide, high = self._drawing.shapes.wide, self._drawing.shapes.high
        if frame.format.name == "yuv420p" and (2 * columns * wide > frame.width or 2 * rows * high > frame.height):
            # Chroma would be enlarged, and swscale blurs what it enlarges.
            frame = self._chroma.reformat(frame, format="yuv444p", interpolation=_AS_IT_IS, threads=1)
        # Planar RGB takes swscale a third of the time of packed. One thread: starting two takes longer than scaling.
        scaled = self._reformatter.reformat(
            frame, columns * wide, rows * high, "gbrp", interpolation=_SCALING, threads=1
        )
        for samples, number in zip(self._samples, _CHANNELS, strict=True):
            plane = scaled.planes[number]
            # A line of a cell's samples moves as one word.
            words = np.frombuffer(memoryview(plane), dtype=f"u{wide}").reshape(rows, high, -1)[..., :columns]
            if mirror:
                words = words[..., ::-1].byteswap()
            samples[:] = words.transpose(0, 2, 1).copy().view(np.uint8)


def fitted(width: int, height: int, size: Size, aspect: float = 2.0) -> tuple[int, int]:
    """Columns and rows that a picture of ``width`` x ``height`` pixels takes in ``size``, at least one."""
    scale = min(size.columns / width, aspect * size.rows / height)
    columns = min(size.columns, max(1, round(width * scale)))
    rows = min(size.rows, max(1, round(height * scale / aspect)))
    return columns, rows


class _Cutter:
    """Cuts frames without copying them."""

    def __init__(self) -> None:
        self._cut: tuple[object, ...] = ()
        self._graph: Graph | None = None

    def cut(self, frame: av.VideoFrame, crop: Crop) -> av.VideoFrame:
        left, right = _span(crop.x, crop.width, frame.width)
        top, bottom = _span(crop.y, crop.height, frame.height)
        if (right - left, bottom - top) == (frame.width, frame.height):
            return frame
        cut = (frame.width, frame.height, frame.format.name, left, top, right, bottom)
        if self._graph is None or cut != self._cut:
            self._graph, self._cut = Graph(), cut
            source = self._graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
            )
            place = f"w={right - left}:h={bottom - top}:x={left}:y={top}:exact=1"
            self._graph.link_nodes(source, self._graph.add("crop", place), self._graph.add("buffersink")).configure()
        self._graph.vpush(frame)
        return self._graph.vpull()


def _span(start: float, length: float, limit: int) -> tuple[int, int]:
    """First pixel, and the one after the last; at least one pixel, and begun where a sample of chroma begins."""
    first = min(limit - 1, max(0, round(start * limit))) & ~1
    return first, min(limit, max(first + 1, round((start + length) * limit)))
