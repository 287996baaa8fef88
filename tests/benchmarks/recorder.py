"""An ear: pulls sound as a sound device does, in real time and without mercy, and keeps what it got.

Used by the listeners of the audio benchmark. Knows nothing of this project's client, as stock aiortc is heard by it
as well.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RATE = 48_000
BLOCK = RATE // 100
"""Samples that are pulled at a time: 10 ms, as Chromium does."""


class Recorder:
    """Pulls from a thread of its own from `start` to `stop`: sample ``i`` is heard at ``began + i / RATE``."""

    def __init__(self, pull: Callable[[NDArray[np.float32]], None], seconds: float) -> None:
        self.began = 0.0
        """By ``time.monotonic``."""
        self.latest = 0.0
        """Seconds by which a block was pulled too late at the worst."""
        self._pull = pull
        self._sound = np.zeros(int(seconds * 100) * BLOCK, dtype=np.float32)
        self._position = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin to pull."""
        self._thread.start()

    def stop(self) -> NDArray[np.float32]:
        """End; everything that was heard."""
        self._ending.set()
        self._thread.join()
        return self._sound[: self._position]

    def _run(self) -> None:
        self.began = time.monotonic()
        while not self._ending.is_set() and self._position < len(self._sound):
            block = self._sound[self._position : self._position + BLOCK]
            # What is late is pulled at once after it: a device would have its own buffer for that.
            due = self.began + self._position / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            self.latest = max(self.latest, time.monotonic() - due)
            self._pull(block)
            self._position += BLOCK
