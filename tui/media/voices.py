"""One remote voice: frames come from the core's thread, samples go to the sound device's callback.

Created by the `Mixer`, filled by the `Reception`. Neither side ever waits for the other.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.media.sound import SAMPLE_RATE, Converter, Ring, loudness

if TYPE_CHECKING:
    from av import AudioFrame

    from tui.media.sound import Samples

_LIMIT = SAMPLE_RATE * 400 // 1000
_PREFILL = SAMPLE_RATE * 60 // 1000
_DECAY_SECONDS = 0.6


class Voice:
    """Sound of one participant: at most 400 ms wait, the oldest are dropped; silence when none are left."""

    def __init__(self) -> None:
        self.gain = 1.0
        """Factor for the mix, 1.0 as received."""
        self.muted = False
        """Not heard, though still received."""
        self._ring = Ring(_LIMIT, _PREFILL)
        self._converter = Converter()
        self._level = 0.0
        self._level_at = 0.0

    def push(self, frame: AudioFrame) -> None:
        """Core: the next frame, of any format.

        Raises ``ValueError`` or ``av.FFmpegError`` for a frame that cannot be converted.
        """
        samples = self._converter.convert(frame)
        self._ring.push(samples)
        self._level = max(self.level, loudness(samples))
        self._level_at = time.monotonic()

    def pull(self, out: Samples) -> None:
        """Callback: fill ``out`` with the next samples, silence where there are none."""
        self._ring.pull(out)

    @property
    def level(self) -> float:
        """How loud it is now, 0.0 to 1.0; falls to nothing in 0.6 s when nothing comes."""
        return max(0.0, self._level - (time.monotonic() - self._level_at) / _DECAY_SECONDS)

    @property
    def underruns(self) -> int:
        """How often the sound ran out."""
        return self._ring.underruns

    @property
    def dropped_ms(self) -> float:
        """Milliseconds thrown away because too many waited."""
        return self._ring.dropped * 1000 / SAMPLE_RATE

    @property
    def depth_ms(self) -> float:
        """Milliseconds that wait to be heard."""
        return self._ring.depth * 1000 / SAMPLE_RATE
