"""Speech a little shorter or longer, at its own pitch: one period of it is left out or said twice.

Used by `Voice` to keep its buffer where it should be (WSOLA).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tui.media.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from tui.media.sound import Samples

SEAM = SAMPLE_RATE * 5 // 1000
"""Samples over which two sounds are blended."""

_COARSE = 4
_SHORTEST = SAMPLE_RATE * 25 // 10_000
_LONGEST = SAMPLE_RATE * 15 // 1000
_RISE = np.linspace(0.0, 1.0, SEAM, dtype=np.float32)
_FALL = np.float32(1.0) - _RISE


def blend(before: Samples, after: Samples) -> Samples:
    """From one sound to another of the same length, `SEAM` at most."""
    count = len(after)
    rise = _RISE if count == SEAM else np.linspace(0.0, 1.0, count, dtype=np.float32)
    fall = _FALL if count == SEAM else 1 - rise
    blended: Samples = before * fall + after * rise
    return blended


def period(sound: Samples) -> tuple[int, float]:
    """The distance at which the sound repeats itself best, in samples, and how well: 1.0 is exactly.

    0 for less than 10 ms of sound.
    """
    longest = min(_LONGEST, len(sound) - SEAM)
    if longest <= _SHORTEST:
        return 0, 0.0
    coarse = sound[: len(sound) // _COARSE * _COARSE].reshape(-1, _COARSE).sum(axis=1)
    head = coarse[: SEAM // _COARSE]
    products = np.correlate(coarse[_SHORTEST // _COARSE : longest // _COARSE + len(head)], head, "valid")
    squares = np.concatenate(([0.0], np.cumsum(coarse * coarse)))
    at = np.arange(len(products)) + _SHORTEST // _COARSE
    powers = squares[at + len(head)] - squares[at]
    likeness = products / np.sqrt(np.maximum(powers * float(np.dot(head, head)), 1e-12))
    best = (int(likeness.argmax()) + _SHORTEST // _COARSE) * _COARSE
    lags = range(max(_SHORTEST, best - _COARSE + 1), min(longest, best + _COARSE - 1) + 1)
    return max(((lag, _likeness(sound, lag)) for lag in lags), key=lambda found: found[1])


def shortened(sound: Samples, by: int) -> Samples:
    """Without ``by`` of its first samples; as long as that and `SEAM` at least."""
    return np.concatenate([blend(sound[:SEAM], sound[by : by + SEAM]), sound[by + SEAM :]])


def lengthened(sound: Samples, by: int) -> Samples:
    """With its first ``by`` samples twice; as long as that and `SEAM` at least."""
    return np.concatenate([sound[:by], blend(sound[by : by + SEAM], sound[:SEAM]), sound[SEAM:]])


def _likeness(sound: Samples, lag: int) -> float:
    one, other = sound[:SEAM], sound[lag : lag + SEAM]
    power = float(np.dot(one, one)) * float(np.dot(other, other))
    return float(np.dot(one, other)) / math.sqrt(power) if power > 1e-12 else 0.0
