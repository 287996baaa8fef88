"""The audio benchmark counts the holes in a tone, wherever its recording is cut."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.crowd import Gaps
from tests.benchmarks.crowd_room import AMPLITUDE, TONE

RATE = 48_000


@pytest.mark.parametrize("chunk", [100, 4801, RATE, 3 * RATE])
def test_holes_over_20_ms_are_counted(chunk: int) -> None:
    tone = AMPLITUDE * np.sin(2 * np.pi * TONE * np.arange(3 * RATE) / RATE)
    for first, milliseconds in ((RATE // 2, 15), (RATE - 500, 30), (2 * RATE, 100), (3 * RATE - 1920, 40)):
        tone[first : first + milliseconds * RATE // 1000] = 0
    gaps = Gaps()
    for first in range(0, len(tone), chunk):
        gaps.take(tone[first : first + chunk])
    gaps.finish()
    assert gaps.count == 3
    assert gaps.longest == pytest.approx(RATE // 10, abs=20)
    assert gaps.total == pytest.approx(RATE * 170 // 1000, abs=60)
