"""How good speech is that came over a line: against what was said, sentence by sentence.

Used by the audio benchmark. Needs PESQ (``pip install pesq``), imported late so that its absence can be said.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr

from tests.benchmarks.speech import RATE, speech

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

_RATE = 16_000
"""What is compared: wideband PESQ takes nothing else, and delays are found faster."""
_LEAD, _TRAIL = _RATE // 5, _RATE * 2 // 5
"""Of the pauses around a sentence, what PESQ hears with it: the trail holds what a growing delay pushes out."""
_LONGEST_DELAY = _RATE * 3 // 2
_WORST = 1.0
"""PESQ's lowest, for a sentence of which nothing came."""
_STEP, _RUN = _RATE // 400, 6
"""Steps of 2.5 ms; so many in a row are a hole, 15 ms, so that a packet's 20 are one wherever they begin."""
_WINDOW, _HOP = _RATE * 4 // 10, _RATE // 10
_DRIFT = _RATE // 4
"""How far the delay of a word may be from that of its sentence."""
_ALIKE = 0.5
"""Correlation from which a word is recognised at a place."""
_SPOKEN = 0.01
"""Root mean square, -40 dBFS, from which a step is speech."""
_SILENT = 10 ** (-26 / 20)
"""A step of less than this share of what was said in it is silent."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a listener heard of the speech."""

    pesq: tuple[float, ...]
    """Of every sentence."""
    missing: float
    """The share of all speech in whose place there was silence of 15 ms or more."""
    delays: tuple[float, ...]
    """Milliseconds from mouth to ear, ten a second, where a word is recognised."""

    @property
    def mean(self) -> float:
        """PESQ, averaged over the sentences."""
        return statistics.fmean(self.pesq)

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return statistics.stdev(self.pesq) / len(self.pesq) ** 0.5 if len(self.pesq) > 1 else 0.0


def missing() -> str:
    """Why nothing can be judged here; empty when it can."""
    try:
        import pesq  # noqa: F401
    except ImportError:
        return "needs pesq (pip install 'antconf[benchmark]')"
    return ""


def judge(heard: Sound, spoken_at: float, laps: int) -> Verdict:
    """Judge the recording ``heard``, in which the speech was said from second ``spoken_at`` on ``laps`` times."""
    said = speech()
    reference = soxr.resample(said.samples, RATE, _RATE)
    recording = soxr.resample(heard, RATE, _RATE)
    scores: list[float] = []
    delays: list[float] = []
    spoken = silent = 0
    for lap in range(laps):
        origin = round((spoken_at + lap * said.seconds) * _RATE)
        for first, last in said.sentences:
            sentence = _cut(reference, first * _RATE // RATE, last * _RATE // RATE)
            place = origin + first * _RATE // RATE
            delay, alike = _find(sentence, _cut(recording, place, place + len(sentence) + _LONGEST_DELAY))
            near = place + (delay if alike > 0 else 0)
            scores.append(_pesq(sentence, _cut(recording, near - _LEAD, near + len(sentence) + _TRAIL)))
            found, gone, of = _follow(sentence, recording, near, near - place)
            delays += found
            silent += gone
            spoken += of
    return Verdict(tuple(scores), silent / spoken, tuple(1000 * delay / _RATE for delay in delays))


def _pesq(sentence: Sound, heard: Sound) -> float:
    from pesq import NoUtterancesError, pesq

    if not np.abs(heard).max() > _SPOKEN:
        return _WORST
    try:
        return float(pesq(_RATE, np.pad(sentence, (_LEAD, _TRAIL)), heard, "wb"))
    except NoUtterancesError:
        return _WORST


def _follow(sentence: Sound, recording: Sound, near: int, delay: int) -> tuple[list[float], int, int]:
    """The delays of the words, the steps of speech that are silent in the recording, and all steps of speech."""
    delays: list[float] = []
    silent = spoken = shift = 0
    middle = (_WINDOW - _HOP) // 2
    for first in range(0, len(sentence) - _WINDOW + 1, _HOP):
        window = sentence[first : first + _WINDOW]
        around = near + first - _DRIFT
        found, alike = _find(window, _cut(recording, around, around + _WINDOW + 2 * _DRIFT))
        if alike > _ALIKE:
            shift = found - _DRIFT
            delays.append(delay + shift)
        # With a run more on both sides, so that a hole across the hop's edge is found.
        begin, end = first + middle - _RUN * _STEP, first + middle + _HOP + _RUN * _STEP
        said = _powers(_cut(sentence, begin, end))
        heard = _powers(_cut(recording, near + shift + begin, near + shift + end))
        loud = said > _SPOKEN
        spoken += int(_runs(loud)[_RUN:-_RUN].sum())
        silent += int(_runs(loud & (heard < _SILENT * said))[_RUN:-_RUN].sum())
    return delays, silent, spoken


def _runs(steps: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Those of the steps that have enough like them beside them."""
    ones = np.ones(_RUN, dtype=np.intp)
    whole = np.convolve(steps, ones, "valid") == _RUN
    return np.convolve(whole, ones) > 0


def _find(part: Sound, whole: Sound) -> tuple[int, float]:
    """Where the part is in the whole, and how alike they are there, from 0 to 1."""
    size = 1 << (len(whole) + len(part)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    places = len(whole) - len(part) + 1
    energy = np.concatenate(([0.0], np.cumsum(np.square(whole, dtype=np.float64))))
    energies = energy[len(part) :] - energy[: -len(part)]
    alike = products[:places] / np.sqrt(np.maximum(energies[:places], 1e-6) * float(np.dot(part, part)) + 1e-12)
    best = int(alike.argmax())
    return best, max(0.0, float(alike[best]))


def _cut(sound: Sound, first: int, last: int) -> Sound:
    """These samples, silence where there are none."""
    inside = sound[max(0, first) : max(0, last)]
    return np.pad(inside, (min(max(0, -first), last - first), max(0, last - max(first, len(sound)))))


def _powers(sound: Sound) -> Sound:
    """The root mean square of every step."""
    power: Sound = np.sqrt(np.square(sound[: len(sound) // _STEP * _STEP]).reshape(-1, _STEP).mean(axis=1))
    return power
