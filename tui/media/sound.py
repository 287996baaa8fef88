"""What sound is inside this program: mono float32 at 48 kHz, -1.0 to 1.0.

Used by everything in this package that makes, takes or plays sound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from av import AudioResampler
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import AudioFrame

Samples: TypeAlias = NDArray[np.float32]

SAMPLE_RATE = 48_000
"""Samples a second."""
FRAME_SAMPLES = 960
"""Samples in one packet's worth of sound, 20 ms."""

_QUIETEST_DB = 60.0
_SEAM = np.linspace(1.0, 0.0, SAMPLE_RATE // 200, dtype=np.float32)


def loudness(samples: Samples) -> float:
    """How loud it sounds: 0.0 at -60 dBFS and below, 1.0 at full scale, even steps of decibels between."""
    power = float(np.dot(samples, samples)) / max(1, len(samples))
    if not power > 0.0:
        return 0.0
    return min(1.0, max(0.0, 1.0 + 10.0 * math.log10(power) / _QUIETEST_DB))


class Converter:
    """Any decoded sound to this program's own; for one stream, whose format may change on the way."""

    def __init__(self) -> None:
        self._resampler: AudioResampler | None = None
        self._source: tuple[str, str, int] | None = None

    def convert(self, frame: AudioFrame) -> Samples:
        """The frame's sound, channels averaged; what is no number becomes silence.

        Raises ``ValueError`` or ``av.FFmpegError`` for a frame that cannot be resampled.
        """
        if frame.format.name == "s16" and frame.sample_rate == SAMPLE_RATE:
            packed = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
            mono: Samples = packed.mean(axis=1, dtype=np.float32) * np.float32(1 / 32768)
            return mono
        source = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or source != self._source:
            # Mono stays mono: a mix to stereo would cost 3 dB (aiortc-facts.md, trap 20).
            layout = "mono" if len(frame.layout.channels) == 1 else "stereo"
            self._resampler = AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
            self._source = source
        frame.pts = None
        parts = [part.to_ndarray().mean(axis=0) for part in self._resampler.resample(frame)]
        sound = np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
        return np.nan_to_num(sound, nan=0.0).clip(-1.0, 1.0).astype(np.float32, copy=False)


class Ring:
    """Sound from one thread to another: bounded, oldest dropped, never waiting.

    One thread pushes, one pulls; neither takes a lock. It begins to play when ``prefill`` samples wait, drops
    down to that when more than ``limit`` wait, and joins every gap with a slope of 5 ms instead of a click.
    """

    def __init__(self, limit: int, prefill: int) -> None:
        self._limit = limit
        self._prefill = prefill
        # Twice the limit: the puller never reads where the pusher writes.
        self._buffer = np.zeros(2 * limit, dtype=np.float32)
        self._written = 0
        self._read = 0
        self._playing = False
        self._last = 0.0
        self._offset = np.float32(0.0)
        self._faded = len(_SEAM)
        self.underruns = 0
        """How often the sound ran out."""
        self.dropped = 0
        """Samples thrown away because too many waited."""

    @property
    def depth(self) -> int:
        """Samples that wait."""
        return min(self._written - self._read, self._limit)

    @property
    def playing(self) -> bool:
        """Whether the last pull got all it asked for."""
        return self._playing

    def push(self, samples: Samples) -> None:
        """Append; called by one thread only."""
        kept = samples[-self._limit :]
        start = (self._written + len(samples) - len(kept)) % len(self._buffer)
        first = min(len(kept), len(self._buffer) - start)
        self._buffer[start : start + first] = kept[:first]
        self._buffer[: len(kept) - first] = kept[first:]
        self._written += len(samples)

    def pull(self, out: Samples) -> None:
        """Fill ``out``, with silence where there is no sound; called by one other thread only."""
        enough = min(max(self._prefill, len(out)), self._limit)
        waiting = self._written - self._read
        joined = self._playing
        if waiting > self._limit:
            self.dropped += waiting - enough
            self._read += waiting - enough
            waiting = enough
            joined = False
        if not self._playing and waiting < enough:
            waiting = 0
        taken = min(waiting, len(out))
        sound, silence = out[:taken], out[taken:]
        if taken:
            self._copy(sound)
            self._bend(sound, seam=not joined)
        if len(silence):
            ran_out = self._playing or bool(taken)
            self.underruns += ran_out
            silence.fill(0.0)
            self._bend(silence, seam=ran_out)
        self._playing = taken == len(out)

    def _copy(self, out: Samples) -> None:
        start = self._read % len(self._buffer)
        first = min(len(out), len(self._buffer) - start)
        out[:first] = self._buffer[start : start + first]
        out[first:] = self._buffer[: len(out) - first]
        self._read += len(out)

    def _bend(self, part: Samples, seam: bool) -> None:
        """Let ``part`` go on from the last sample: what differs at a ``seam`` fades away over the next 5 ms."""
        if seam:
            self._offset = np.float32(self._last - float(part[0]))
            self._faded = 0
        count = min(len(part), len(_SEAM) - self._faded)
        if count:
            part[:count] += self._offset * _SEAM[self._faded : self._faded + count]
            self._faded += count
        self._last = float(part[-1])
