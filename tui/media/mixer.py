"""All remote voices as one stream, for `Playback`; who is heard and how loud is set from the core's thread."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from tui.media.earshot import Earshot
from tui.media.meter import SILENT
from tui.media.sound import SAMPLE_RATE, loudness
from tui.media.voices import Voice

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.media.sound import Samples

logger = logging.getLogger(__name__)

MOST_VOICES = 24
"""How many are decoded and heard at once, of however many: those who talk (hostile-inputs.md, limits)."""
LOUDEST = 2.0
"""The largest factor for one voice or for all."""

_KNEE = np.float32(0.9)
_CEILING = 0.95
_RECOVERY_SECONDS = 0.5
_LARGEST_BLOCK = SAMPLE_RATE // 10


class Mixer:
    """Adds voices up, never above full scale.

    `mix` belongs to one thread, the device's; everything else may be called from any thread and never makes it
    wait: voices and listeners are replaced as a whole. Nothing in `mix` takes a lock or grows with the voices.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.deafened = False
        """Nothing is played; voices go on being received, measured and told to listeners."""
        self.volume = 1.0
        """Factor for all that is played, 0.0 to `LOUDEST`."""
        self.level = 0.0
        """How loud the mix is before the volume, 0.0 to 1.0, of the last block."""
        self._clock = clock
        self._changing = threading.Lock()
        self._voices: dict[str, Voice] = {}
        self._earshot = Earshot(MOST_VOICES)
        self._heard: tuple[_Seat, ...] = ()
        self._listeners: tuple[Callable[[Samples], None], ...] = ()
        self._played: dict[str, float] = {}
        self._scratch = np.zeros(_LARGEST_BLOCK, dtype=np.float32)
        self._mix_limiter = _Limiter()
        self._volume_limiter = _Limiter()
        self._volume = _Fader()

    def add(self, key: str) -> Voice:
        """The voice of this track, a new one unless there is one."""
        with self._changing:
            voice = self._voices.get(key)
            if voice is None:
                voice = self._voices[key] = Voice()
                voice.on_packet = partial(self._hear, key, voice)
                self._earshot.add(key, self._clock())
                if key in self._earshot.inside:
                    self._seat()
                else:
                    voice.rest()
            return voice

    def remove(self, key: str) -> None:
        """Forget the voice of this track; nothing happens when there is none."""
        with self._changing:
            if self._voices.pop(key, None) is not None:
                self._earshot.remove(key, self._clock())
                self._seat()

    def voice(self, key: str) -> Voice | None:
        """The voice of this track, to set its ``gain`` and ``muted`` or read its figures."""
        return self._voices.get(key)

    def voices(self) -> list[Voice]:
        """All of them, also those that rest."""
        return list(self._voices.values())

    def listen(self, listener: Callable[[Samples], None]) -> None:
        """Tell ``listener`` every mixed block before the volume, 48 kHz, not above full scale.

        It is called in the device's thread, must not wait and must copy what it keeps; one that raises is removed.
        """
        with self._changing:
            self._listeners = (*self._listeners, listener)

    def unlisten(self, listener: Callable[[Samples], None]) -> None:
        """Tell it no more; nothing happens when it was never told."""
        with self._changing:
            self._listeners = tuple(other for other in self._listeners if other != listener)

    def depth(self) -> tuple[float, float] | None:
        """Milliseconds that wait and that should wait, each the mean of the voices that play now.

        ``None`` when nobody does. Called by one thread, a few times a second.
        """
        depths, targets, played = [], [], {}
        for key, voice in list(self._voices.items()):
            figures = voice.playout()
            played[key] = figures.played_ms
            if figures.depth_ms > 0.0 and figures.played_ms > self._played.get(key, figures.played_ms):
                depths.append(figures.depth_ms)
                targets.append(figures.target_ms)
        self._played = played
        return (sum(depths) / len(depths), sum(targets) / len(targets)) if depths else None

    def mix(self, out: Samples) -> None:
        """Fill ``out`` with the next samples of all voices together."""
        # A voice that says nonsense is dealt with, and nothing may be printed here.
        with np.errstate(all="ignore"):
            for start in range(0, len(out), _LARGEST_BLOCK):
                self._mix_block(out[start : start + _LARGEST_BLOCK])

    def _hear(self, key: str, voice: Voice, level: int | None) -> None:
        """A packet has come to this voice, in the core's thread."""
        with self._changing:
            # Whom we do not want to hear needs no place.
            if self._earshot.hear(key, SILENT if voice.muted else level, self._clock()):
                self._seat()

    def _seat(self) -> None:
        """Decode those who are in earshot, and let go of the others softly."""
        heard = {id(voice): voice for key in self._earshot.inside if (voice := self._voices.get(key)) is not None}
        known = {id(seat.voice): seat for seat in self._heard if not seat.leaving}
        here = set(map(id, self._voices.values()))
        left = [seat for place, seat in known.items() if place not in heard and place in here]
        for place, voice in heard.items():
            if place not in known:
                voice.wake()
        for seat in left:
            seat.leaving = True
            seat.voice.rest()
        self._heard = (*(known.get(place) or _Seat(voice) for place, voice in heard.items()), *left)

    def _mix_block(self, out: Samples) -> None:
        scratch = self._scratch[: len(out)]
        out.fill(0.0)
        for seat in self._heard:
            if seat.pull(scratch):
                out += scratch
        self._mix_limiter.limit(out)
        self.level = loudness(out)
        for listener in self._listeners:
            self._tell(listener, out)
        volume = 0.0 if self.deafened else _factor(self.volume)
        if self._volume.fade(out, volume) and volume > 1.0:
            self._volume_limiter.limit(out)

    def _tell(self, listener: Callable[[Samples], None], block: Samples) -> None:
        try:
            listener(block)
        except Exception:
            logger.exception("sound listener failed, it is told no more")
            self.unlisten(listener)


class _Seat:
    """A voice that is heard, at its own loudness; one that fails is silent and harms nobody."""

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.leaving = False
        """It is faded out in one block, and then not pulled any more."""
        self._left = False
        self._fader = _Fader()
        self._failed = False

    def pull(self, out: Samples) -> bool:
        """Whether there is anything in ``out`` to be added."""
        voice = self.voice
        if self._left:
            return False
        self._left = self.leaving
        try:
            voice.pull(out)
        except Exception:
            if not self._failed:
                logger.exception("voice failed, it is silent")
            self._failed = True
            return False
        # One number says it of all: what is no number, or far too large, does not survive a sum of squares.
        if not np.dot(out, out) < np.inf:
            out.fill(0.0)
        return self._fader.fade(out, 0.0 if voice.muted or self._left else _factor(voice.gain))


class _Fader:
    """A factor that moves within one block instead of jumping, which would click."""

    def __init__(self) -> None:
        self._factor = 1.0

    def fade(self, block: Samples, factor: float) -> bool:
        """Multiply; whether anything is left of the block."""
        before, self._factor = self._factor, factor
        if before != factor:
            block *= _slope(before, factor, len(block))
        elif factor != 1.0:
            block *= np.float32(factor)
        return before > 0.0 or factor > 0.0


class _Limiter:
    """Turns down fast and up slowly, then bends what still sticks out: nothing leaves above full scale."""

    def __init__(self) -> None:
        self._gain = 1.0
        self._size = np.zeros(_LARGEST_BLOCK, dtype=np.float32)

    def limit(self, out: Samples) -> None:
        size = self._size[: len(out)]
        np.abs(out, out=size)
        peak = float(size.max(initial=0.0))
        wanted = min(1.0, _CEILING / peak) if peak > 0.0 else 1.0
        gain = min(wanted, self._gain + len(out) / SAMPLE_RATE / _RECOVERY_SECONDS)
        if gain < 1.0 or self._gain < 1.0:
            out *= _slope(self._gain, gain, len(out))
        self._gain = gain
        if peak > _KNEE:
            np.abs(out, out=size)
            over = size > _KNEE
            spare = np.float32(1.0) - _KNEE
            out[over] = np.copysign(_KNEE + spare * np.tanh((size[over] - _KNEE) / spare), out[over])


def _factor(wanted: float) -> float:
    """What is no factor is one all the same: 0.0 to `LOUDEST`, and nothing for what is no number."""
    return min(LOUDEST, wanted) if wanted > 0.0 else 0.0


def _slope(start: float, end: float, count: int) -> Samples:
    return np.linspace(start, end, count, dtype=np.float32)
