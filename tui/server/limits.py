"""How much of one client's talk is listened to. Used by every module of the server that reads the network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Allowance:
    """At most ``limit`` events in each period of ``seconds``; what is beyond is refused and counted."""

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.refused = 0
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._ends = 0.0
        self._taken = 0

    def take(self) -> bool:
        """Whether one more event is within the allowance."""
        now = self._clock()
        if now >= self._ends:
            self._ends = now + self._seconds
            self._taken = 0
        if self._taken >= self._limit:
            self.refused += 1
            return False
        self._taken += 1
        return True
