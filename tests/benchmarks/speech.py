"""What is said in the audio benchmark: sentences of espeak-ng with a pause after each, 48 kHz mono.

Used by whoever speaks it and by whoever judges what arrived. The same every time.
"""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import wave
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soxr

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE = 48_000
PAUSE = RATE * 6 // 10
"""Samples of silence after each sentence."""

_SENTENCES = (
    ("en-us", "The birch canoe slid on the smooth planks."),
    ("en-us+f3", "Glue the sheet to the dark blue background."),
    ("en-us", "It is easy to tell the depth of a well."),
    ("en-us+f3", "These days a chicken leg is a rare dish."),
)
_LEVEL_DBFS = -22.0
_QUIET = 0.003


@dataclass(frozen=True)
class Speech:
    """All sentences one after another; ``sentences`` are their first samples and those after their last."""

    samples: NDArray[np.float32]
    sentences: tuple[tuple[int, int], ...]

    @property
    def seconds(self) -> float:
        """How long it takes to say."""
        return len(self.samples) / RATE


def missing() -> str:
    """Why there is no speech here; empty when there is."""
    return "" if shutil.which("espeak-ng") else "needs espeak-ng (apt install espeak-ng)"


@functools.cache
def speech() -> Speech:
    """The speech, about 10 s."""
    parts: list[NDArray[np.float32]] = []
    sentences: list[tuple[int, int]] = []
    position = 0
    for voice, text in _SENTENCES:
        sound = _say(voice, text)
        sentences.append((position, position + len(sound)))
        parts += [sound, np.zeros(PAUSE, dtype=np.float32)]
        position += len(sound) + PAUSE
    return Speech(np.concatenate(parts), tuple(sentences))


def _say(voice: str, text: str) -> NDArray[np.float32]:
    said = subprocess.run(["espeak-ng", "-v", voice, "-s", "150", "--stdout", text], check=True, capture_output=True)
    with wave.open(io.BytesIO(said.stdout)) as file:
        rate = file.getframerate()
        # espeak-ng streams: the header's length is a guess.
        raw = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    sound: NDArray[np.float32] = soxr.resample(raw.astype(np.float32) / 32768, rate, RATE)
    loud = np.flatnonzero(np.abs(sound) > _QUIET)
    sound = sound[loud[0] : loud[-1] + 1]
    level = float(np.sqrt(np.mean(sound**2)))
    return (sound * np.float32(10 ** (_LEVEL_DBFS / 20) / level)).clip(-1.0, 1.0)
