"""Pictures that are computed: the test pattern, plain colours, and the faces of generated participants.

Used by `tui.media.sources`, the demo's participants and tests. Shapes are big and colours strong, so that they
can still be told apart at 30x10 character cells; a picture costs well under 3 ms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tui.media.tracks import Painter, VideoTrack, black_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import VideoFrame

    from tui.media.video_encoding import VideoCoding

WIDTH, HEIGHT = 320, 180
"""Pixels that are drawn; what is sent is scaled to the size that is asked for."""

Colour: TypeAlias = tuple[int, int, int]
Words: TypeAlias = NDArray[np.uint32]

_CENTRES = np.arange(WIDTH, dtype=np.float32) + 0.5

_BARS: tuple[Colour, ...] = (
    (235, 235, 235),
    (235, 220, 30),
    (30, 215, 225),
    (40, 200, 60),
    (215, 50, 205),
    (220, 45, 40),
    (50, 70, 225),
    (25, 25, 30),
)


class Canvas:
    """Pixels to draw simple shapes on; places and sizes in pixels, whatever is outside is cut off.

    A pixel is one word of red, green, blue and nothing: a third of the work of three bytes.
    """

    def __init__(self, background: Words) -> None:
        self._words = background.copy()

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """Shape (height, width, 4)."""
        return self._words.view(np.uint8).reshape(HEIGHT, WIDTH, 4)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled rectangle."""
        self._words[_span(top, bottom, HEIGHT), _span(left, right, WIDTH)] = _word(colour)

    def ellipse(self, x: float, y: float, wide: float, high: float, colour: Colour) -> None:
        """A filled ellipse around ``x, y`` with these half axes."""
        across, down = _span(x - wide, x + wide, WIDTH), _span(y - high, y + high, HEIGHT)
        columns = (_CENTRES[across] - np.float32(x)) / np.float32(wide)
        rows = (_CENTRES[down] - np.float32(y)) / np.float32(high)
        inside = np.square(columns) <= 1.0 - np.square(rows)[:, None]
        np.copyto(self._words[down, across], _word(colour), where=inside)

    def peak(self, x: float, top: float, bottom: float, half: float, colour: Colour) -> None:
        """A filled triangle that points up at ``x, top``, its base ``half`` to both sides."""
        across, down = _span(x - half, x + half, WIDTH), _span(top, bottom, HEIGHT)
        columns = np.abs(_CENTRES[across] - np.float32(x)) / np.float32(half)
        rows = (_CENTRES[down] - np.float32(top)) / np.float32(bottom - top)
        np.copyto(self._words[down, across], _word(colour), where=columns <= rows[:, None])


class Black(VideoTrack):
    """A camera that shows nothing."""

    def picture(self, at: float) -> VideoFrame:
        return black_frame(self.coding.width, self.coding.height)


class SolidColour(VideoTrack):
    """One colour all over, given as red, green and blue."""

    def __init__(self, rgb: Colour, coding: VideoCoding | None = None) -> None:
        super().__init__(coding)
        self._painter = Painter(self.coding)
        self._pixels = Canvas(np.full((HEIGHT, WIDTH), _word(rgb))).pixels

    def picture(self, at: float) -> VideoFrame:
        return self._painter.frame(self._pixels)


class TestPattern(VideoTrack):
    """Colour bars that drift to the left behind a white ring with a turning hand."""

    __test__ = False
    label = "test"

    def __init__(self, coding: VideoCoding | None = None) -> None:
        super().__init__(coding)
        self._painter = Painter(self.coding)
        self._bars = np.repeat([_word(bar) for bar in _BARS], WIDTH // len(_BARS)).astype(np.uint32)

    def picture(self, at: float) -> VideoFrame:
        drifted = np.roll(self._bars, -int(at * 24) % WIDTH)
        canvas = Canvas(np.broadcast_to(drifted, (HEIGHT, WIDTH)))
        x, y = WIDTH / 2, HEIGHT / 2
        canvas.ellipse(x, y, 72, 72, (20, 20, 25))
        canvas.ellipse(x, y, 66, 66, (245, 245, 245))
        canvas.ellipse(x, y, 52, 52, (20, 20, 25))
        turn = 2 * math.pi * at / 4
        for step in range(1, 6):
            canvas.ellipse(x + math.sin(turn) * step * 10, y - math.cos(turn) * step * 10, 9, 9, (255, 150, 20))
        return self._painter.frame(canvas.pixels)


class PortraitVideo(VideoTrack):
    """A generated participant's face, one of four; it moves all the time and its mouth while ``speaking``.

    0 a man with a beard, 1 a woman with red hair, 2 a robot, 3 a cat. ``speaking`` is asked with the seconds
    since the first frame; without it the mouth always moves.
    """

    def __init__(self, index: int, speaking: Callable[[float], bool] | None = None) -> None:
        super().__init__()
        self._painter = Painter(self.coding)
        self._paint, top, bottom = _PORTRAITS[index % len(_PORTRAITS)]
        self._background = _fade(top, bottom)
        self._speaking = speaking

    def picture(self, at: float) -> VideoFrame:
        canvas = Canvas(self._background)
        talking = self._speaking is None or self._speaking(at)
        mouth = abs(math.sin(at * 11)) * (0.6 + 0.4 * math.sin(at * 2.3)) if talking else 0.0
        # Closed for a fifth of a second every three and a half.
        self._paint(canvas, at, mouth, at % 3.5 < 0.2)
        return self._painter.frame(canvas.pixels)


def _man(canvas: Canvas, at: float, mouth: float, blink: bool) -> None:
    skin, dark, shirt = (232, 178, 132), (52, 34, 24), (235, 235, 240)
    x, y = 160 + 34 * math.sin(at * 0.9), 88 + 5 * math.sin(at * 1.7)
    canvas.ellipse(x, 196, 98, 60, shirt)
    canvas.box(x - 18, y + 30, x + 18, y + 75, skin)
    canvas.ellipse(x, y - 12, 60, 68, dark)
    canvas.ellipse(x, y + 18, 55, 60, dark)
    canvas.ellipse(x, y + 2, 50, 56, skin)
    canvas.ellipse(x, y + 52, 42, 26, dark)
    canvas.box(x - 34, y - 24, x - 10, y - 17, dark)
    canvas.box(x + 10, y - 24, x + 34, y - 17, dark)
    _eyes(canvas, x, y - 5, 21, 10, blink, (250, 250, 250), (40, 60, 110))
    canvas.ellipse(x, y + 45, 20, 5 + 14 * mouth, (190, 60, 60))


def _woman(canvas: Canvas, at: float, mouth: float, blink: bool) -> None:
    skin, hair, dress = (250, 214, 190), (196, 42, 34), (40, 110, 70)
    x, y = 160 + 10 * math.sin(at * 1.3), 86 + 16 * math.sin(at * 1.1)
    canvas.box(x - 84, y, x + 84, HEIGHT, hair)
    canvas.ellipse(x, y, 84, 78, hair)
    canvas.ellipse(x, 206, 86, 54, dress)
    canvas.box(x - 15, y + 40, x + 15, y + 78, skin)
    canvas.ellipse(x, y + 10, 50, 56, skin)
    canvas.ellipse(x + 14, y - 44, 56, 24, hair)
    _eyes(canvas, x, y, 22, 12, blink, (255, 255, 255), (20, 90, 50))
    canvas.ellipse(x, y + 42, 22, 6 + 13 * mouth, (200, 20, 70))


def _robot(canvas: Canvas, at: float, mouth: float, blink: bool) -> None:
    steel, dark, glow = (150, 170, 185), (30, 36, 44), (90, 255, 120)
    x, y = 160 + 48 * math.sin(at * 0.7), 92.0
    canvas.box(x - 5, 6, x + 5, y - 50, steel)
    canvas.ellipse(x, 14, 13, 13, (255, 70, 50) if at % 1.0 < 0.5 else (110, 30, 30))
    canvas.box(x - 92, 158, x + 92, HEIGHT, (105, 122, 138))
    canvas.box(x - 20, y + 50, x + 20, 160, dark)
    canvas.box(x - 78, y - 54, x + 78, y + 56, steel)
    canvas.box(x - 62, y - 38, x + 62, y + 2, dark)
    gaze = 10 * math.sin(at * 1.9)
    high = 3 if blink else 15
    canvas.box(x - 44 + gaze, y - 18 - high, x - 16 + gaze, y - 18 + high, glow)
    canvas.box(x + 16 + gaze, y - 18 - high, x + 44 + gaze, y - 18 + high, glow)
    canvas.box(x - 46, y + 28 - 15 * mouth, x + 46, y + 33 + 15 * mouth, dark)


def _cat(canvas: Canvas, at: float, mouth: float, blink: bool) -> None:
    fur, pale, dark = (240, 145, 40), (255, 226, 178), (60, 30, 20)
    x, y = 160 + 26 * math.sin(at * 1.1), 100 + 8 * math.sin(at * 2.2)
    tail = 250 + 30 * math.sin(at * 2.0)
    for step in range(8):
        bend = step / 7
        canvas.ellipse(225 + (tail - 225) * bend**2, 176 - 120 * bend, 15, 15, pale if step == 7 else fur)
    canvas.ellipse(x, 200, 80, 62, fur)
    for side in (-1, 1):
        canvas.peak(x + side * 48, y - 88, y, 36, fur)
        canvas.peak(x + side * 48, y - 66, y - 20, 18, (230, 130, 130))
    canvas.ellipse(x, y, 78, 62, fur)
    canvas.ellipse(x, y + 30, 38, 28, pale)
    _eyes(canvas, x, y - 10, 36, 19, blink, (140, 235, 90), dark)
    canvas.ellipse(x, y + 15, 10, 7, (215, 80, 90))
    canvas.ellipse(x, y + 38, 16, 3 + 15 * mouth, dark)


def _eyes(
    canvas: Canvas, x: float, y: float, apart: float, size: float, blink: bool, white: Colour, iris: Colour
) -> None:
    for side in (-1, 1):
        canvas.ellipse(x + side * apart, y, size * 1.1, 2.5 if blink else size, iris if blink else white)
        if not blink:
            canvas.ellipse(x + side * apart, y, size * 0.6, size * 0.8, iris)


_Paint: TypeAlias = "Callable[[Canvas, float, float, bool], None]"

_PORTRAITS: tuple[tuple[_Paint, Colour, Colour], ...] = (
    (_man, (20, 110, 125), (12, 60, 80)),
    (_woman, (250, 205, 70), (235, 150, 60)),
    (_robot, (120, 30, 110), (60, 14, 70)),
    (_cat, (40, 60, 150), (18, 24, 70)),
)


def _fade(top: Colour, bottom: Colour) -> Words:
    """A background that goes from one colour above to another below."""
    words = [
        _word(
            (
                round(top[0] + (bottom[0] - top[0]) * share),
                round(top[1] + (bottom[1] - top[1]) * share),
                round(top[2] + (bottom[2] - top[2]) * share),
            )
        )
        for share in np.linspace(0.0, 1.0, HEIGHT)
    ]
    return np.repeat(np.array(words, dtype=np.uint32)[:, None], WIDTH, axis=1)


def _word(colour: Colour) -> np.uint32:
    word: np.uint32 = np.frombuffer(bytes((*colour, 255)), dtype=np.uint32)[0]
    return word


def _span(low: float, high: float, limit: int) -> slice:
    start = min(limit, max(0, round(low)))
    return slice(start, min(limit, max(start, round(high))))
