"""Echo cancellation, noise suppression and gain for a microphone: WebRTC's own, from the optional ``livekit`` package.

Used by the microphone and the loudspeaker of a call. The package is imported when the first canceller begins, in a
thread: that takes 0.3 s and 30 MB, and starts three threads that stay.
"""

from __future__ import annotations

import importlib.util
import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from tui.media.sound import SAMPLE_RATE
from tui.text import printable

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, AudioProcessingModule

    from tui.media.sound import Samples

logger = logging.getLogger(__name__)

BLOCK = SAMPLE_RATE // 100
"""Samples that are worked on at a time, 10 ms."""
INSTALL = "pip install 'antconf[echo]'"

_WAITING = 50
"""Blocks of played sound that wait for the microphone at most, half a second."""
_WARM_UP = 50
"""Blocks of silence worked on in advance: the first ones take up to 29 ms, later ones 0.1."""
_LONGEST_DELAY = 500


def available() -> bool:
    """Whether the package is installed; looking does not import it."""
    try:
        return importlib.util.find_spec("livekit.rtc") is not None
    except (ImportError, ValueError):
        return False


def status(wanted: bool) -> str:
    """A line for the user."""
    if not available():
        return f"echo cancellation: not installed: {INSTALL}, or use headphones"
    return "echo cancellation: on" if wanted else "echo cancellation: off"


class EchoCanceller:
    """Takes what is played out of what is recorded.

    `play` and `capture` may be called by two threads, neither waits. Until it is ready, and after
    `close` or a failure, sound passes as it is.
    """

    def __init__(self) -> None:
        self._module: AudioProcessingModule | None = None
        self._closed = False
        self._played: deque[Samples] = deque(maxlen=_WAITING)
        self._rest = np.zeros(0, dtype=np.float32)
        self._delay = 0
        self._told_delay = 0
        self.ready = threading.Event()
        """Set when it works, or never will."""
        threading.Thread(target=self._begin, name="echo canceller", daemon=True).start()

    @property
    def active(self) -> bool:
        """Whether it works now."""
        return self._module is not None

    def set_delay(self, seconds: float) -> None:
        """How long sound takes from `play` through the air to `capture`: the latency of both devices. A hint."""
        self._delay = max(0, min(_LONGEST_DELAY, round(seconds * 1000)))

    def play(self, sound: Samples) -> None:
        """What is played from now on; of any length."""
        if self._module is None:
            return
        sound = np.concatenate((self._rest, sound))
        whole = len(sound) - len(sound) % BLOCK
        for start in range(0, whole, BLOCK):
            self._played.append(sound[start : start + BLOCK])
        self._rest = sound[whole:]

    def capture(self, sound: Samples) -> Samples:
        """The `BLOCK` samples that were recorded, without what was played."""
        module = self._module
        if module is None:
            return sound
        try:
            return self._processed(module, sound)
        except Exception as error:  # what the native library says may be anything; the voice goes on without it
            self._module = None
            logger.warning("echo cancellation ended: %s", printable(repr(error)))
            return sound

    def close(self) -> None:
        """Give the module back; sound passes as it is from now on. Idempotent."""
        self._closed = True
        self._module = None
        self._played.clear()

    def _processed(self, module: AudioProcessingModule, sound: Samples) -> Samples:
        # All that waits: the canceller has to know a sound before its echo comes.
        while self._played:
            module.process_reverse_stream(_frame(self._played.popleft()))
        if self._delay != self._told_delay:
            self._told_delay = self._delay
            module.set_stream_delay_ms(self._delay)
        frame = _frame(sound)
        module.process_stream(frame)
        cleaned: Samples = np.frombuffer(frame.data, dtype=np.int16).astype(np.float32)
        cleaned *= np.float32(1 / 32768)
        return cleaned

    def _begin(self) -> None:
        try:
            from livekit.rtc import AudioProcessingModule

            module = AudioProcessingModule(
                echo_cancellation=True, noise_suppression=True, high_pass_filter=True, auto_gain_control=True
            )
            silence = np.zeros(BLOCK, dtype=np.float32)
            for _ in range(_WARM_UP):
                module.process_reverse_stream(_frame(silence))
                module.process_stream(_frame(silence))
            self._module = module
            if self._closed:
                self._module = None
        except Exception as error:  # as above
            logger.warning("echo cancellation does not work: %s", printable(repr(error)))
        finally:
            self.ready.set()


def _frame(sound: Samples) -> AudioFrame:
    from livekit.rtc import AudioFrame

    packed = (np.clip(sound, -1.0, 1.0) * 32767).astype(np.int16)
    return AudioFrame(bytearray(packed.tobytes()), SAMPLE_RATE, 1, BLOCK)
