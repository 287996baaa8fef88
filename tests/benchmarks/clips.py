"""What the picture benchmark shows: clips of 640x384 at 30 frames a second, the same at every run.

All are computed: nothing is downloaded. What comes out of a codec comes out of libvpx with one thread and a fixed
effort, so that it does not depend on the machine's speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tui.media.cells import Size

Pixels: TypeAlias = NDArray[np.uint8]
Light: TypeAlias = NDArray[np.float32]
Colour: TypeAlias = tuple[float, float, float]

WIDTH, HEIGHT = 640, 384
RATE = 30
LENGTH = 150

_BIT_RATE = 800_000
_NOISE = 5.0
"""Standard deviation of the camera's noise, of 255."""
_TO_RGB = 0x10 | 0x2000 | 0x40000
"""POINT | FULL_CHR_H_INT | ACCURATE_RND: no pixel is changed but by its colour space."""
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames in ``yuv420p``, all of one size."""

    name: str
    frames: list[av.VideoFrame]

    def of(self, size: Size) -> Clip:
        """Its middle in the shape of so many cells, each twice as high as wide: nothing needs margins."""
        width = min(WIDTH, HEIGHT * size.columns // (2 * size.rows) // 2 * 2)
        height = min(HEIGHT, WIDTH * 2 * size.rows // size.columns // 2 * 2)
        if (width, height) == (self.frames[0].width, self.frames[0].height):
            return self
        return Clip(self.name, [_middle(frame, width, height) for frame in self.frames])

    def pixels(self, number: int) -> Pixels:
        """One frame as RGB, shape (height, width, 3)."""
        frame = self.frames[number]
        rgb = VideoReformatter().reformat(frame, format="rgb24", interpolation=_TO_RGB, threads=1)
        return rgb.to_ndarray().astype(np.uint8, copy=False)

    def write_y4m(self, path: Path) -> None:
        """All frames uncompressed, in the container that every player reads, marked as fast so that none waits."""
        first = self.frames[0]
        with path.open("wb") as file:
            file.write(f"YUV4MPEG2 W{first.width} H{first.height} F1000:1 Ip A1:1 C420jpeg\n".encode())
            for frame in self.frames:
                file.write(b"FRAME\n" + frame.to_ndarray().tobytes())

    def write_xwd(self, number: int, path: Path) -> None:
        """One frame as an X window dump: what chafa reads with the least work of all formats."""
        pixels = self.pixels(number)
        height, width, _ = pixels.shape
        name = b"still\0\0\0"
        shape = (100 + len(name), 7, 2, 24, width, height, 0, 0, 32, 0, 32, 32, 4 * width, 4)
        words = (*shape, 0xFF0000, 0xFF00, 0xFF, 8, 256, 0, width, height, 0, 0, 0)
        filled = np.full((height, width, 4), 255, np.uint8)
        filled[..., :3] = pixels[..., ::-1]
        path.write_bytes(np.array(words, ">u4").tobytes() + name + filled.tobytes())


def _middle(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    planes = frame.to_ndarray()
    left, top = (frame.width - width) // 4 * 2, (frame.height - height) // 4 * 2
    luma = planes[: frame.height]
    chroma = planes[frame.height :].reshape(2, frame.height // 2, frame.width // 2)
    parts = (
        luma[top : top + height, left : left + width].ravel(),
        chroma[:, top // 2 : (top + height) // 2, left // 2 : (left + width) // 2].ravel(),
    )
    cropped = np.concatenate(parts).reshape(height * 3 // 2, width).astype(np.uint8, copy=False)
    return av.VideoFrame.from_ndarray(cropped, format="yuv420p")


def head(length: int = LENGTH) -> Clip:
    """A person who talks before a textured room, with the noise of a camera, through VP8 at 800 kbit/s."""
    return Clip("head", list(_through_vp8(_yuv(_filmed(_Person(1).frame, length)))))


def motion(length: int = LENGTH) -> Clip:
    """A flight into the Mandelbrot set beside FFmpeg's test pattern: everything moves; no codec."""
    graph = Graph()
    half = f"{WIDTH // 2}x{HEIGHT}"
    left = graph.add("mandelbrot", f"size={half}:rate={RATE}:end_pts=200")
    right = graph.add("testsrc2", f"size={half}:rate={RATE}")
    beside = graph.add("hstack")
    shaped = graph.add("format", "yuv420p")
    sink = graph.add("buffersink")
    left_shaped, right_shaped = graph.add("format", "rgb24"), graph.add("format", "rgb24")
    left.link_to(left_shaped)
    right.link_to(right_shaped)
    left_shaped.link_to(beside, 0, 0)
    right_shaped.link_to(beside, 0, 1)
    beside.link_to(shaped)
    shaped.link_to(sink)
    graph.configure()
    return Clip("motion", [_pulled(graph) for _ in range(length)])


def screen(length: int = LENGTH) -> Clip:
    """A shared screen: a window full of text that rests and scrolls by three lines at a time; no codec."""
    return Clip("screen", list(_yuv(_scrolled(length))))


def cut(length: int = LENGTH) -> Clip:
    """Two hard cuts: a person, a landscape that passes by, another person; through VP8 at 800 kbit/s."""
    first, last = _Person(1).frame, _Person(2).frame

    def scene(number: int) -> Light:
        third = number * 3 // length
        return (first, _landscape, last)[third](number)

    return Clip("cut", list(_through_vp8(_yuv(_filmed(scene, length)))))


CLIPS: dict[str, Callable[[int], Clip]] = {"head": head, "motion": motion, "screen": screen, "cut": cut}


def _pulled(graph: Graph) -> av.VideoFrame:
    frame = graph.pull()
    assert isinstance(frame, av.VideoFrame)
    return frame


def _yuv(pictures: Iterable[Pixels]) -> Iterator[av.VideoFrame]:
    # As in `Clip.of`, AREA | FULL_CHR_H_INT: chroma is averaged, not dropped.
    reformatter = VideoReformatter()
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = reformatter.reformat(frame, format="yuv420p", interpolation=0x20 | 0x2000, threads=1)
        frame.pts = number
        yield frame


def _through_vp8(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    encoder: Any = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.bit_rate, encoder.framerate, encoder.time_base = _BIT_RATE, RATE, _per_second()
    encoder.gop_size, encoder.thread_count = 3000, 1
    # A negative number is a fixed effort; a positive one follows the clock.
    encoder.options = {
        "deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0", "error-resilient": "1",
        "minrate": str(_BIT_RATE), "maxrate": str(_BIT_RATE), "bufsize": str(_BIT_RATE),
    }  # fmt: skip
    decoder: Any = av.CodecContext.create("vp8", "r")
    decoder.thread_count = 1
    for frame in frames:
        for packet in encoder.encode(frame):
            yield from decoder.decode(packet)


def _per_second() -> Any:
    from fractions import Fraction

    return Fraction(1, RATE)


def _filmed(scene: Callable[[int], Light], length: int) -> Iterator[Pixels]:
    """The scene with a camera's noise on every pixel."""
    random = np.random.default_rng(5)
    for number in range(length):
        picture = scene(number)
        picture += np.float32(_NOISE) * random.standard_normal((HEIGHT, WIDTH, 3), np.float32)
        yield np.clip(picture, 0, 255).astype(np.uint8)


@cache
def _clouds(seed: int, octaves: int = 6, height: int = HEIGHT, width: int = WIDTH) -> Light:
    """Noise of all sizes from the whole picture down, -1 to 1: plaster, cloth, leaves."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        rows, columns = 2 ** (octave + 1) + 1, 2 ** (octave + 2) + 1
        coarse = random.uniform(-1, 1, (rows, columns)).astype(np.float32)
        y, x = np.linspace(0, rows - 1.001, height), np.linspace(0, columns - 1.001, width)
        down, across = y.astype(int), x.astype(int)
        v, u = (y - down).astype(np.float32)[:, None], (x - across).astype(np.float32)
        upper = coarse[down][:, across] * (1 - u) + coarse[down][:, across + 1] * u
        lower = coarse[down + 1][:, across] * (1 - u) + coarse[down + 1][:, across + 1] * u
        total += (upper * (1 - v) + lower * v) * 0.6**octave
    total /= np.abs(total).max()
    return total


def _blend(picture: Light, colour: Colour | Light, amount: Light) -> None:
    """Lay a colour over the picture, as opaque as ``amount`` says, 0 to 1."""
    picture += (np.asarray(colour, np.float32) - picture) * amount[..., None]


def _disc(
    picture: Light, colour: Colour | Light, x: float, y: float, wide: float, high: float, soft: float = 3.0
) -> None:
    """Lay an ellipse over the picture with an edge as wide as ``soft`` pixels."""
    # Beyond this far from the middle nothing of it is left.
    reach = 1 + soft / min(wide, high)
    left, right = max(0, int(x - wide * reach)), min(WIDTH, int(x + wide * reach) + 2)
    top, bottom = max(0, int(y - high * reach)), min(HEIGHT, int(y + high * reach) + 2)
    part = np.s_[top:bottom, left:right]
    far = np.sqrt(((_X[part] - x) / wide) ** 2 + ((_Y[part] - y) / high) ** 2)
    inside: Light = np.clip((1 - far) * min(wide, high) / soft + 0.5, 0, 1).astype(np.float32)
    _blend(picture[part], colour[part] if isinstance(colour, np.ndarray) else colour, inside)


def _darker(colour: Colour, share: float) -> Colour:
    red, green, blue = colour
    return red * share, green * share, blue * share


class _Person:
    """A head and shoulders that sway, nod, blink and talk before a room that stays as it is."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._skin, self._hair, self._shirt = (
            ((214.0, 164.0, 132.0), (58.0, 40.0, 30.0), (62.0, 88.0, 140.0)),
            ((150.0, 104.0, 78.0), (26.0, 22.0, 24.0), (170.0, 60.0, 66.0)),
        )[seed % 2]
        self._room = self._built(np.random.default_rng(seed))

    def _built(self, random: np.random.Generator) -> Light:
        wall = np.array([168.0, 158.0, 140.0] if self._seed % 2 else [120.0, 138.0, 142.0], np.float32)
        room: Light = wall + 26 * _clouds(self._seed)[..., None] - (_Y / HEIGHT * 34)[..., None]
        # A bookshelf to the left, a window to the right, a plant below it.
        for shelf in range(4):
            top, left = 18 + shelf * 84, 16.0
            room[top + 74 : top + 82, 8:196] = (92, 62, 38)
            while left < 180:
                wide, high = random.uniform(7, 20), random.uniform(44, 72)
                room[int(top + 74 - high) : top + 74, int(left) : int(left + wide)] = random.uniform(40, 205, 3)
                left += wide + 1
        room[30:190, 500:620] = (226, 232, 238)
        room[38:182, 508:612] = (150 + 40 * _clouds(9)[38:182, 508:612, None]) * np.array([0.85, 1.0, 1.15], np.float32)
        room[104:110, 508:612] = room[38:182, 557:563] = (226, 232, 238)
        leaves = room.copy()
        _blend(leaves, (48.0, 104.0, 52.0), np.clip(_clouds(self._seed + 20, 7) * 6 - 0.3, 0, 1))
        _disc(room, leaves, 566, 300, 68, 84)
        return room

    def frame(self, number: int) -> Light:
        """The scene at this frame, RGB 0..255."""
        at = number / RATE
        picture = self._room.copy()
        x = 320 + 26 * math.sin(at * 1.1) + 6 * math.sin(at * 3.1)
        y = 168 + 9 * math.sin(at * 1.7)
        cloth = np.asarray(self._shirt, np.float32) + 18 * _clouds(30, 7)[..., None]
        _disc(picture, cloth, 320 + 10 * math.sin(at * 1.1), 420, 190, 132, 5.0)
        _disc(picture, self._hair, x, y - 22, 92, 112, 6.0)
        _disc(picture, _darker(self._skin, 0.8), x, y + 96, 38, 60, 6.0)
        # The light comes from the right.
        shade = 0.86 + 0.24 * (_X - x) / 90 - 0.08 * (_Y - y) / 100 + 0.03 * _clouds(31, 6)
        _disc(picture, np.asarray(self._skin, np.float32) * np.clip(shade, 0.5, 1.2)[..., None], x, y, 76, 98)
        _disc(picture, self._hair, x - 8, y - 84, 80, 34, 8.0)
        blink = at % 2.6 < 0.14
        for side in (-1, 1):
            _disc(picture, self._hair, x + side * 30, y - 30, 19, 4)
            _disc(picture, (232.0, 228.0, 222.0), x + side * 30, y - 12, 14, 1.5 if blink else 8, 2.0)
            if not blink:
                gaze = x + side * 30 + 4 * math.sin(at * 0.8)
                _disc(picture, (52.0, 66.0, 58.0), gaze, y - 12, 6.5, 6.5, 2.0)
        _disc(picture, _darker(self._skin, 0.72), x - 6, y + 20, 7, 17, 6.0)
        mouth = abs(math.sin(at * 9)) * (0.55 + 0.45 * math.sin(at * 2.3))
        _disc(picture, (156.0, 74.0, 72.0), x, y + 54, 31, 9 + 11 * mouth)
        _disc(picture, (52.0, 20.0, 22.0), x, y + 54, 24, 1 + 12 * mouth, 2.0)
        return picture


def _landscape(number: int) -> Light:
    """Hills, trees and a sky, seen from a train."""
    shift = number * 4
    wide = _clouds(40, 8, HEIGHT, 2 * WIDTH)
    near = np.roll(wide, -shift * 2, 1)[:, :WIDTH]
    far = np.roll(wide, -shift, 1)[::-1, :WIDTH]
    picture = np.empty((HEIGHT, WIDTH, 3), np.float32)
    picture[:] = np.array([112.0, 158.0, 214.0]) + (_Y / HEIGHT)[..., None] * np.array([110.0, 70.0, 20.0])
    picture += 30 * np.clip(far, 0, 1)[..., None]
    hills = np.clip((_Y - 170 - 70 * far[200]) / 3, 0, 1)
    _blend(picture, np.array([84.0, 110.0, 96.0], np.float32) + 24 * far[..., None], hills)
    meadow = np.clip((_Y - 262 - 60 * near[100]) / 2, 0, 1)
    _blend(picture, np.array([92.0, 132.0, 48.0], np.float32) + 50 * near[..., None], meadow)
    trunks = (np.sin((_X + 2 * shift) / 34) > 0.94) & (_Y > 120) & (_Y < 330)
    picture[trunks] = (58, 42, 32)
    return picture


def _scrolled(length: int) -> Iterator[Pixels]:
    page = _page()
    lines = 0.0
    for number in range(length):
        phase = number % 30
        if phase >= 24:  # three lines in a fifth of a second, after resting
            lines += 0.5
        top = int(lines * _LEADING)
        shown = np.empty((HEIGHT, WIDTH, 3), np.uint8)
        shown[:] = (40, 44, 52)
        shown[:26] = (214, 216, 220)
        shown[8:18, 12:22], shown[8:18, 28:38], shown[8:18, 44:54] = (236, 96, 88), (240, 190, 70), (98, 196, 86)
        shown[34 : HEIGHT - 8] = page[top : top + HEIGHT - 42]
        yield shown


_LEADING = 16
_CODE = (
    "import asyncio",
    "def main(options):",
    "    return await call.join(room)",
    "class Meeting:",
    "",
    "    # why so",
    "    for person in sorted(people):",
    "        if person.speaks:",
    "            tile.focus()",
    "    pass",
    "assert not late, 'come earlier'",
    "@dataclass(frozen=True)",
    "    limit: int = 42",
    "",
    "print(room.url)",
)
_COLOURS = ((171, 178, 191), (198, 120, 221), (152, 195, 121), (97, 175, 239), (229, 192, 123), (224, 108, 117))


def _page() -> Pixels:
    """A long source file as an editor shows it."""
    from PIL import Image, ImageDraw

    from tests.benchmarks.rebuilt import font

    random = np.random.default_rng(3)
    page = Image.new("RGB", (WIDTH, _LEADING * 60 + HEIGHT), (40, 44, 52))
    draw = ImageDraw.Draw(page)
    face = font(13)
    for line in range(page.height // _LEADING):
        draw.text((14, line * _LEADING), f"{line + 1:3}", font=face, fill=(92, 99, 112))
        x = 56.0
        for word in _CODE[int(random.integers(len(_CODE)))].split(" "):
            draw.text((x, line * _LEADING), word, font=face, fill=_COLOURS[int(random.integers(len(_COLOURS)))])
            x += face.getlength(word + " ")
    return np.asarray(page, np.uint8)
