"""Sound that is computed: the test source, silence, and the voices of generated participants.

Used by `tui.media.sources`, the demo's participants and tests. Everything is a function of time, so a stall
skips sound but never bends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE
from tui.media.tracks import AudioTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tui.media.sound import Samples

# Centre and width in Hz and strength of the first formants of "a", "e", "o", "u" of an adult voice.
_VOWELS = (
    ((730.0, 120.0, 1.0), (1090.0, 140.0, 0.5), (2440.0, 200.0, 0.12)),
    ((530.0, 100.0, 1.0), (1840.0, 160.0, 0.35), (2480.0, 200.0, 0.15)),
    ((570.0, 100.0, 1.0), (840.0, 120.0, 0.55), (2410.0, 200.0, 0.06)),
    ((300.0, 90.0, 1.0), (870.0, 120.0, 0.3), (2240.0, 200.0, 0.04)),
)
_SYLLABLES_PER_SECOND = 4.0
_TABLE = 2048
_VOICE_LEVEL = 0.45


class Silence(AudioTrack):
    """A microphone that is not there."""

    def samples(self, start: int) -> Samples:
        return np.zeros(FRAME_SAMPLES, dtype=np.float32)


class TestTone(AudioTrack):
    """A sine of ``frequency`` Hz; with ``every`` seconds it only beeps for half a second each time."""

    __test__ = False

    def __init__(self, frequency: float = 440.0, amplitude: float = 0.3, every: float | None = None) -> None:
        super().__init__()
        self._frequency = frequency
        self._amplitude = amplitude
        self._every = every

    def samples(self, start: int) -> Samples:
        at = _times(start)
        sound = self._amplitude * np.sin(2 * np.pi * self._frequency * at)
        if self._every is not None:
            within = at % self._every
            sound *= np.clip(np.minimum(within, 0.5 - within) / 0.02, 0.0, 1.0)
        return sound.astype(np.float32)


class VoiceAudio(AudioTrack):
    """Babble with the spectrum and the rhythm of a voice of ``pitch`` Hz.

    ``speaking`` is asked with the seconds since the first frame; exact silence while it says no.
    """

    def __init__(self, pitch: float, speaking: Callable[[float], bool]) -> None:
        super().__init__()
        self._pitch = pitch
        self._speaking = speaking
        self._vowels = np.stack([_vowel(pitch, formants) for formants in _VOWELS])
        self._gain = 0.0

    def samples(self, start: int) -> Samples:
        gain = 1.0 if self._speaking(start / SAMPLE_RATE) else 0.0
        if gain == self._gain == 0.0:
            return np.zeros(FRAME_SAMPLES, dtype=np.float32)
        at = _times(start)
        phase = (self._cycles(at) % 1.0 * _TABLE).astype(np.intp)
        beat = at * _SYLLABLES_PER_SECOND
        # Steps of 7 through the vowels, so that neighbours differ and the pattern is not a plain round.
        vowel = (beat.astype(np.intp) * 7 // 3) % len(_VOWELS)
        syllable = np.sin(np.pi * (beat % 1.0)) ** 1.5
        fade = np.linspace(self._gain, gain, FRAME_SAMPLES)
        self._gain = gain
        return (_VOICE_LEVEL * self._vowels[vowel, phase] * syllable * fade).astype(np.float32)

    def _cycles(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Periods since the start, with a melody that moves the pitch by up to a seventh."""
        swing, slow, vibrato = 0.10, 0.6, 5.2
        melody = swing / (2 * np.pi * slow) * np.sin(2 * np.pi * slow * at)
        tremor = 0.012 / (2 * np.pi * vibrato) * np.sin(2 * np.pi * vibrato * at)
        cycles: NDArray[np.float64] = self._pitch * (at + melody + tremor)
        return cycles


def _times(start: int) -> NDArray[np.float64]:
    return np.arange(start, start + FRAME_SAMPLES) / SAMPLE_RATE


def _vowel(pitch: float, formants: tuple[tuple[float, float, float], ...]) -> Samples:
    """One period of a vowel, peak 1: harmonics that fall off as a glottis has them, raised at the formants."""
    harmonics = np.arange(1, max(2, int(4000 / pitch)))
    tract = sum(strength / (1.0 + ((harmonics * pitch - centre) / width) ** 2) for centre, width, strength in formants)
    amplitudes = (tract + 0.02) / np.sqrt(harmonics)
    # Phases spread by a quadratic law keep the peak low for the same loudness.
    phases = np.pi * harmonics**2 / len(harmonics)
    turn = 2 * np.pi * np.arange(_TABLE) / _TABLE
    wave = (amplitudes[:, None] * np.sin(harmonics[:, None] * turn + phases[:, None])).sum(axis=0)
    period: Samples = (wave / np.abs(wave).max()).astype(np.float32)
    return period
