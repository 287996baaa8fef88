"""All remote voices as one stream, for `Playback`; who is heard is set from the core's thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from tui.media.sound import SAMPLE_RATE
from tui.media.voices import Voice

if TYPE_CHECKING:
    from tui.media.sound import Samples

MOST_VOICES = 24
"""How many are heard at once; those added later wait for a place (hostile-inputs.md, limits)."""

_KNEE = np.float32(0.9)
_CEILING = 0.95
_RECOVERY_SECONDS = 0.5
_LARGEST_BLOCK = SAMPLE_RATE // 10


class Mixer:
    """Adds voices up, never above full scale.

    `mix` belongs to one thread, the device's; everything else may be called from any thread and never makes it
    wait: the voices are replaced as a whole.
    """

    def __init__(self) -> None:
        self.deafened = False
        """Nothing is heard; voices go on being received and measured."""
        self._changing = threading.Lock()
        self._voices: dict[str, Voice] = {}
        self._heard: tuple[Voice, ...] = ()
        self._scratch = np.zeros(_LARGEST_BLOCK, dtype=np.float32)
        self._gain = 1.0

    def add(self, key: str) -> Voice:
        """The voice of this track, a new one unless there is one."""
        with self._changing:
            voice = self._voices.setdefault(key, Voice())
            self._heard = tuple(self._voices.values())[:MOST_VOICES]
            return voice

    def remove(self, key: str) -> None:
        """Forget the voice of this track; nothing happens when there is none."""
        with self._changing:
            self._voices.pop(key, None)
            self._heard = tuple(self._voices.values())[:MOST_VOICES]

    def voice(self, key: str) -> Voice | None:
        """The voice of this track, to set its ``gain`` and ``muted`` or read its figures."""
        return self._voices.get(key)

    def mix(self, out: Samples) -> None:
        """Fill ``out`` with the next samples of all voices together."""
        for start in range(0, len(out), _LARGEST_BLOCK):
            self._mix_block(out[start : start + _LARGEST_BLOCK])

    def _mix_block(self, out: Samples) -> None:
        out.fill(0.0)
        scratch = self._scratch[: len(out)]
        for voice in self._heard:
            voice.pull(scratch)
            if not voice.muted and not self.deafened:
                scratch *= np.float32(voice.gain)
                out += scratch
        self._limit(out)

    def _limit(self, out: Samples) -> None:
        """Turn down fast and up slowly, then bend what still sticks out: nothing leaves above full scale."""
        peak = float(np.abs(out).max(initial=0.0))
        wanted = min(1.0, _CEILING / peak) if peak > 0.0 else 1.0
        rise = len(out) / SAMPLE_RATE / _RECOVERY_SECONDS
        gain = min(wanted, self._gain + rise)
        if gain < 1.0 or self._gain < 1.0:
            out *= np.linspace(self._gain, gain, len(out), dtype=np.float32)
        self._gain = gain
        if peak > _KNEE:
            over = np.abs(out) > _KNEE
            spare = np.float32(1.0) - _KNEE
            bent = _KNEE + spare * np.tanh((np.abs(out[over]) - _KNEE) / spare)
            out[over] = np.copysign(bent, out[over])
