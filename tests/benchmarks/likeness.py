"""How alike two pictures are: PSNR over the colours, SSIM over the brightness.

Used by the picture benchmark. Pictures are RGB 0..255, shape (height, width, 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable

Picture: TypeAlias = NDArray[np.float32]

_WINDOW = 7
_SMALL = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_LUMINANCE = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Likeness:
    """Of one picture, or the mean of several."""

    psnr: float
    """Decibels; infinite for the same picture."""
    ssim: float

    def __str__(self) -> str:
        return f"{self.psnr:.1f}/{self.ssim:.2f}"


def compared(shown: Picture, wanted: Picture) -> Likeness:
    """How alike two pictures of the same shape are."""
    return Likeness(psnr(shown, wanted), ssim(luminance(shown), luminance(wanted)))


def mean(likenesses: Iterable[Likeness]) -> Likeness:
    """Averaged, decibels as they are."""
    every = list(likenesses)
    return Likeness(sum(each.psnr for each in every) / len(every), sum(each.ssim for each in every) / len(every))


def psnr(shown: Picture, wanted: Picture) -> float:
    """Peak signal to noise ratio over all channels."""
    error = float(np.square(shown - wanted, dtype=np.float64).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def ssim(shown: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Structural similarity of two planes (Wang et al., 2004) with a square window of 7, as scikit-image has it."""
    means = _windows(shown), _windows(wanted)
    unbiased = _WINDOW**2 / (_WINDOW**2 - 1)
    variances = [
        unbiased * (_windows(plane * plane) - mean * mean) for plane, mean in zip((shown, wanted), means, strict=True)
    ]
    together = unbiased * (_windows(shown * wanted) - means[0] * means[1])
    low, high = _SMALL
    alike = (2 * means[0] * means[1] + low) * (2 * together + high)
    alike /= (means[0] ** 2 + means[1] ** 2 + low) * (variances[0] + variances[1] + high)
    return float(alike.mean())


def luminance(picture: Picture) -> NDArray[np.float64]:
    """Brightness 0..255, shape (height, width), by the weights of BT.601."""
    brightness: NDArray[np.float64] = picture.astype(np.float64) @ np.array(_LUMINANCE)
    return brightness


def averaged(pixels: NDArray[np.uint8], width: int, height: int) -> Picture:
    """The picture made smaller by the exact mean of what every new pixel covers."""
    down, across = _weights(pixels.shape[0], height), _weights(pixels.shape[1], width)
    lower: Picture = np.tensordot(down, pixels.astype(np.float32), 1)
    smaller: Picture = np.moveaxis(np.tensordot(across, lower, (1, 1)), 0, 1)
    return smaller


def _weights(source: int, target: int) -> NDArray[np.float32]:
    """The share of each source line in each target line, shape (target, source)."""
    edges = np.linspace(0, source, target + 1)
    lines = np.arange(source)
    covered = np.minimum(edges[1:, None], lines + 1) - np.maximum(edges[:-1, None], lines)
    weights: NDArray[np.float32] = (np.clip(covered, 0, None) * target / source).astype(np.float32)
    return weights


def _windows(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of every window that is whole."""
    sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    far, near = np.s_[_WINDOW:], np.s_[:-_WINDOW]
    total = sums[far, far] - sums[near, far] - sums[far, near] + sums[near, near]
    means: NDArray[np.float64] = total / _WINDOW**2
    return means
