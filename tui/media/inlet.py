"""A microphone's callback on one side, our own clock on the other; used by `MicrophoneAudio`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from tui.media.elastic import Elastic
from tui.media.sound import SAMPLE_RATE, Ring

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tui.media.sound import Samples

SILENT = "The microphone delivers nothing but silence: is it muted or the wrong one?"
CLIPPING = "The microphone is clipping: turn it down or speak from further away."
ODD_CLOCK = "The microphone's clock is odd: it delivers {:.0f} samples a second and calls it {}."

_LIMIT_SECONDS = 0.2
_SILENT_SECONDS = 5.0
_NOTHING = 1e-5
_FULL = 0.99
_CLIPPED_SHARE = 0.005
_CLIPPED_SECONDS = 5.0
_CLOCK_SECONDS = 5.0
_CLOCK_STALLED_SECONDS = 6.0
_CLOCK_SHARE = 0.01


class Inlet:
    """Sound of a device at ``rate``: taken in its thread, given at 48 kHz in ours, by our clock.

    ``prefill`` seconds wait before it begins and are held from then on, however the two clocks differ.
    """

    def __init__(self, rate: int, prefill: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._target = int(prefill * rate)
        self._ring = Ring(limit=int(_LIMIT_SECONDS * rate), prefill=self._target)
        self._elastic = Elastic(self._ring.pull, rate, SAMPLE_RATE)
        self._block = 0
        self._taken_at = 0.0
        self._silent = 0
        self._clipped_at: float | None = None
        self._window: tuple[float, int] | None = None
        self._taken = 0
        self._measured = 0.0
        self._odd_windows = 0

    @property
    def drift_ppm(self) -> float:
        """How much faster than its own clock the device is read."""
        return self._elastic.drift.ppm

    @property
    def depth_ms(self) -> float:
        """Sound that waits."""
        return self._ring.depth * 1000 / self._rate

    @property
    def underruns(self) -> int:
        """Times that the sound ran out."""
        return self._ring.underruns

    @property
    def dropped_ms(self) -> float:
        """Sound thrown away because too much waited."""
        return self._ring.dropped * 1000 / self._rate

    @property
    def hint(self) -> str:
        """What is wrong with what the device delivers; empty while nothing is."""
        if self._odd_windows > 1:
            return ODD_CLOCK.format(self._measured, self._rate)
        if self._silent > _SILENT_SECONDS * self._rate:
            return SILENT
        if self._clipped_at is not None and self._clock() - self._clipped_at < _CLIPPED_SECONDS:
            return CLIPPING
        return ""

    def take(self, block: NDArray[Any]) -> None:
        """Device's thread: float32 of the shape (samples, channels); what is no number becomes silence."""
        sound = block.mean(axis=1, dtype=np.float32)
        np.nan_to_num(sound, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        size = np.abs(sound)
        self._silent = self._silent + len(sound) if size.max(initial=0.0) < _NOTHING else 0
        if np.count_nonzero(size > _FULL) > _CLIPPED_SHARE * len(sound):
            self._clipped_at = self._clock()
        np.clip(sound, -1.0, 1.0, out=sound)
        self._ring.push(sound)
        self._block, self._taken_at = len(sound), self._clock()
        self._measure(len(sound))

    def pull(self, out: Samples) -> None:
        """Fill ``out`` with the next samples at 48 kHz, silence where there are none."""
        if self._ring.playing:
            # What has been recorded since the last block counts, or the two clocks would beat with the blocks' size.
            recorded = min((self._clock() - self._taken_at) * self._rate, self._block)
            surplus = self._ring.depth + recorded - self._block / 2 - self._target
            self._elastic.drift.update(surplus * 1000 / self._rate, len(out) / SAMPLE_RATE)
        self._elastic.pull(out)

    def _measure(self, count: int) -> None:
        """What rate it really is: one window may be bent by a stall, two are not."""
        now = self._clock()
        self._taken += count
        if self._window is None:
            self._window = (now, self._taken)
            return
        seconds = now - self._window[0]
        if seconds >= _CLOCK_SECONDS:
            if seconds < _CLOCK_STALLED_SECONDS:
                self._measured = (self._taken - self._window[1]) / seconds
                odd = abs(self._measured / self._rate - 1.0) > _CLOCK_SHARE
                self._odd_windows = self._odd_windows + 1 if odd else 0
            self._window = (now, self._taken)
