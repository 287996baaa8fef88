"""What a remote track sounds like: played by a real voice at the pace of the clock, as a device would."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
from aiortc.mediastreams import MediaStreamError

from tui.media.sound import SAMPLE_RATE
from tui.media.voices import Voice

if TYPE_CHECKING:
    from tui.core.peer import RemoteTrack
    from tui.media.sound import Samples


class Ear:
    """Hears one remote track from now on, instead of whoever heard it before."""

    def __init__(self, remote: RemoteTrack) -> None:
        self.voice = Voice()
        self._remote = remote
        self._pulled = time.monotonic()
        self._unheard = np.zeros(0, dtype=np.float32)
        remote.listen(self.voice)

    async def hear(self, seconds: float) -> Samples:
        """The next sound, the first packet's to begin with; raises ``MediaStreamError`` when the track has ended."""
        wanted = int(seconds * SAMPLE_RATE)
        while len(self._unheard) < wanted:
            if self._remote.track.readyState == "ended":
                raise MediaStreamError
            await asyncio.sleep(0.02)
            block = self._pull()
            if self.voice.playout().packets:
                self._unheard = np.concatenate([self._unheard, block])
        sound, self._unheard = self._unheard[:wanted], self._unheard[wanted:]
        return sound

    def _pull(self) -> Samples:
        """As much as the clock asks for since the last time."""
        now = time.monotonic()
        block = np.empty(int((now - self._pulled) * SAMPLE_RATE), dtype=np.float32)
        self._pulled += len(block) / SAMPLE_RATE
        self.voice.pull(block)
        return block


def pitch(sound: Samples) -> float:
    """The loudest frequency in Hz; 0 when it is silent."""
    if np.abs(sound).max() < 0.006:
        return 0.0
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * SAMPLE_RATE / len(sound))


async def frequency(remote: RemoteTrack) -> float:
    """The loudest frequency in Hz of half a second from now on; 0 when it is silent."""
    ear = Ear(remote)
    try:
        await ear.hear(0.2)  # what fills the buffer
        return pitch(await ear.hear(0.5))
    finally:
        remote.listen(None)
