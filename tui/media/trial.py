"""Trying devices before they are needed: a short tone out, and what a microphone delivers.

Used by the ``devices`` command and the device screen.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from tui.errors import DeviceError
from tui.media import portaudio
from tui.media.sound import loudness

if TYPE_CHECKING:
    from numpy.typing import NDArray

TONE_SECONDS: Final = 1.0

_PITCH = 660.0
_AMPLITUDE = 0.2
_FADE_SECONDS = 0.05
_DRAIN_SECONDS = 0.3
_PATIENCE = 2.0
_QUIETEST: Final = 0.001
"""Peak below which a microphone is taken for silent, -60 dBFS."""
_CLIPPING: Final = 0.99


def play_tone(device: str = "") -> str:
    """Play a short tone and return the output's name; blocks until it is over.

    ``device`` is a name or a number, empty for the default one. Raises ``DeviceError`` when it cannot be opened or
    takes no sound.
    """
    over = threading.Event()
    played = 0

    def fill(block: NDArray[Any], rate: int) -> None:
        nonlocal played
        at = np.arange(played, played + len(block)) / rate
        fade = np.clip(np.minimum(at, TONE_SECONDS - at) / _FADE_SECONDS, 0.0, 1.0)
        block[:] = (_AMPLITUDE * fade * np.sin(2 * math.pi * _PITCH * at))[:, None]
        played += len(block)
        if at[-1] > TONE_SECONDS + _DRAIN_SECONDS:
            over.set()

    portaudio.refresh("output", device)
    stream = portaudio.open_output(device, fill)
    try:
        if not over.wait(portaudio.START_WITHIN + TONE_SECONDS + _PATIENCE):
            raise DeviceError(f"sound output {stream.name} takes no sound", "Is the sound server running?")
    finally:
        stream.close()
    return stream.name


class MicrophoneTrial:
    """A microphone that is listened to and not sent; make one with `open`."""

    def __init__(self) -> None:
        self.name = ""
        self.level = 0.0
        """How loud it is now, 0.0 to 1.0, see `loudness`."""
        self.peak = 0.0
        """The largest sample until now, 1.0 is full scale."""
        self.delivers = False
        """Whether anything has come."""
        self._stream: portaudio.Stream | None = None

    @classmethod
    def open(cls, device: str = "") -> Self:
        """Listen to a microphone by name or number, empty for the default one; blocks. Raises ``DeviceError``."""
        trial = cls()
        portaudio.refresh("input", device)
        trial._stream = portaudio.open_input(device, trial._take)
        trial.name = trial._stream.name
        return trial

    def close(self) -> None:
        """Give the device back; idempotent. Blocks while a sound server hangs."""
        if self._stream is not None:
            self._stream.close()

    @property
    def verdict(self) -> str:
        """What it delivers, in words."""
        if not self.delivers:
            return "nothing"
        if self.peak < _QUIETEST:
            return "silence"
        peak = f"peak {20 * math.log10(self.peak):.0f} dBFS"
        return f"sound that is too loud, {peak}" if self.peak >= _CLIPPING else f"sound, {peak}"

    def _take(self, block: NDArray[Any], rate: int) -> None:
        sound = np.nan_to_num(block.mean(axis=1)).astype(np.float32)
        self.peak = max(self.peak, float(np.abs(sound).max(initial=0.0)))
        self.level = loudness(sound)
        self.delivers = True
