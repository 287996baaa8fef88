"""A shared screen of words and bars: what can be read of it shows how well a layout serves it."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH, HEIGHT = 960, 540

# Columns of 7 dots, the lowest bit above.
_LETTERS = {
    "A": "7e1111117e", "B": "7f49494936", "C": "3e41414122", "D": "7f4141221c", "E": "7f49494941", "F": "7f09090901",
    "G": "3e4149497a", "H": "7f0808087f", "I": "00417f4100", "K": "7f08142241", "L": "7f40404040", "M": "7f020c027f",
    "N": "7f0408107f", "O": "3e4141413e", "P": "7f09090906", "R": "7f09192946", "S": "4649494931", "T": "01017f0101",
    "U": "3f4040403f", "V": "1f2040201f", "W": "3f4038403f", "Y": "0708700807", "1": "00427f4000", "2": "4261514946",
    "3": "2141454b31", "4": "1814127f10",
}  # fmt: skip


def slide(turn: int) -> av.VideoFrame:
    """The same each time but for the pointer."""
    pixels = _page().copy()
    x = 700 + round(150 * math.sin(turn / 5))
    pixels[400:430, x : x + 12] = (200, 30, 60)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


@cache
def _page() -> NDArray[np.uint8]:
    pixels = np.full((HEIGHT, WIDTH, 3), (244, 246, 250), dtype=np.uint8)
    pixels[:110] = (32, 62, 120)
    _write(pixels, "RELEASE PLAN", 48, 28, 8, (255, 255, 255))
    for row, (words, share) in enumerate(
        [("1 ROOM", 1.0), ("2 SOUND", 0.8), ("3 SCREEN", 0.55), ("4 MANUAL", 0.25)],
    ):
        top = 160 + 90 * row
        _write(pixels, words, 48, top, 5, (30, 36, 48))
        pixels[top : top + 36, 400:910] = (214, 220, 232)
        pixels[top : top + 36, 400 : 400 + round(510 * share)] = ((220, 120, 40), (60, 150, 90))[share > 0.5]
    return pixels


def _write(pixels: NDArray[np.uint8], words: str, x: int, y: int, dot: int, colour: tuple[int, int, int]) -> None:
    for letter in words:
        columns = np.frombuffer(bytes.fromhex(_LETTERS.get(letter, "00" * 5)), dtype=np.uint8)
        dots = np.unpackbits(columns[None, :], axis=0, count=7, bitorder="little").repeat(dot, 0).repeat(dot, 1)
        pixels[y : y + 7 * dot, x : x + 5 * dot][dots.astype(bool)] = colour
        x += 6 * dot
