"""Sound of one clock for another: the room's for the sound device's, the microphone's for ours.

Used by playback and the microphone. A resampler whose ratio is turned a little all the time, so that what waits
before it stays where it should be. It answers any count of samples at once, ahead of its input by half its filter:
a third of a millisecond at 48 kHz. (The variable rate of libsoxr costs the same and holds back 5 ms, 15 at 16 kHz.)
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.media.sound import Samples

MOST_PPM = 500.0
"""How far the ratio is turned for drift; no two working clocks differ by more."""
EMERGENCY_PPM = 1000.0
"""The same while more than `EMERGENCY_MS` of sound is too much or missing; still not heard as a pitch."""
EMERGENCY_MS = 60.0

_SETTLING_SECONDS = 60.0
_SMOOTHING_SECONDS = 5.0
_MEMORY_SECONDS = 120.0
_TAPS = 32
_PHASES = 1024
_STOP_BAND = 8.0
_PASS_BAND = 0.92
_CHUNK = 480


class Drift:
    """How many millionths faster than by its own clock sound has to be taken, from how much of it waits.

    A proportional-integral controller that takes a minute: those who correct a single voice are quicker and not
    disturbed by it. What it has learned it forgets in two, so that it never works for long against somebody who
    holds the surplus where he wants it; for that 200 ppm leave a surplus of 3 ms.
    """

    def __init__(self) -> None:
        self.ppm = 0.0
        """Above zero: take more."""
        self._surplus = 0.0
        self._integral = 0.0

    def update(self, surplus_ms: float, seconds: float) -> None:
        """``surplus_ms`` more than should wait did so for the last ``seconds``."""
        self._surplus += (surplus_ms - self._surplus) * (1.0 - math.exp(-seconds / _SMOOTHING_SECONDS))
        limit = MOST_PPM if abs(self._surplus) < EMERGENCY_MS else EMERGENCY_PPM
        # One ppm moves the surplus by a thousandth of a millisecond in a second.
        wanted = self._integral + self._surplus * 2000.0 / _SETTLING_SECONDS
        self.ppm = max(-limit, min(limit, wanted))
        if self.ppm == wanted:
            # Otherwise the integral would wind up and overshoot for minutes.
            self._integral += self._surplus * 1000.0 / _SETTLING_SECONDS**2 * seconds
        self._integral -= self._integral * seconds / _MEMORY_SECONDS


class Elastic:
    """Mono float32 at ``rate`` made of what ``read`` fills in at ``source_rate``; used by one thread.

    `drift` may be updated by any.
    """

    def __init__(self, read: Callable[[Samples], None], source_rate: int, rate: int) -> None:
        self.drift = Drift()
        self._read = read
        self._step = source_rate / rate
        taps = 2 * math.ceil(_TAPS / 2 * max(1.0, self._step))
        self.delay_ms = taps / 2 * 1000 / source_rate
        """Sound that is read ahead of what is given out."""
        self._taps = taps
        self._filter = _filter(taps, _PASS_BAND * min(1.0, rate / source_rate))
        self._held = np.zeros(math.ceil(_CHUNK * self._step * 1.01) + 2 * taps, dtype=np.float32)
        self._windows = sliding_window_view(self._held, taps)
        self._count = taps // 2 - 1
        self._position = 0.0
        self._numbers = np.arange(_CHUNK, dtype=np.float64)
        self._positions = np.empty(_CHUNK, dtype=np.float64)
        self._whole = np.empty(_CHUNK, dtype=np.intp)
        self._phases = np.empty(_CHUNK, dtype=np.intp)
        self._weights = np.empty((_CHUNK, taps), dtype=np.float32)

    def pull(self, out: Samples) -> None:
        """Fill ``out``, whatever its length, with the next samples."""
        for start in range(0, len(out), _CHUNK):
            self._pull_chunk(out[start : start + _CHUNK])

    def _pull_chunk(self, out: Samples) -> None:
        size = len(out)
        step = self._step * (1.0 + self.drift.ppm * 1e-6)
        positions, whole, phases = self._positions[:size], self._whole[:size], self._phases[:size]
        np.multiply(self._numbers[:size], step, out=positions)
        positions += self._position
        whole[:] = positions
        positions -= whole
        positions *= _PHASES
        phases[:] = positions
        needed = int(whole[-1]) + self._taps
        if needed > self._count:
            self._read(self._held[self._count : needed])
            self._count = needed
        weights = self._weights[:size]
        np.take(self._filter, phases, axis=0, out=weights, mode="clip")
        np.einsum("ij,ij->i", self._windows[whole], weights, out=out)
        self._position += size * step
        self._drop(int(self._position))

    def _drop(self, used: int) -> None:
        self._held[: self._count - used] = self._held[used : self._count]
        self._count -= used
        self._position -= used


@functools.lru_cache(maxsize=8)
def _filter(taps: int, pass_band: float) -> Samples:
    """A windowed sinc at every phase between two samples, of the shape (phases, taps); a constant stays as it is."""
    centre = taps // 2 - 1
    # The middle of each phase: it stands for all positions up to the next.
    shift = (np.arange(_PHASES) + 0.5) / _PHASES
    at = np.arange(taps)[None, :] - centre - shift[:, None]
    window = np.i0(_STOP_BAND * np.sqrt(np.clip(1.0 - (at / (taps / 2)) ** 2, 0.0, None)))
    weights = np.sinc(pass_band * at) * window
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
