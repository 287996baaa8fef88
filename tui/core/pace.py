"""How fast things may happen: so many at once, then a steady rate.

Used by the protocol, for what a server could ask for without end.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Pace:
    """``rate`` events a second in the long run, and ``burst`` of them at once."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate
        self._slack = (burst - 1) * self._interval
        self._clock = clock
        self._paid = clock()

    def take(self) -> bool:
        """Whether one more event may happen now; then it has."""
        if self.due_in() > 0:
            return False
        self._paid = max(self._paid, self._clock()) + self._interval
        return True

    def due_in(self) -> float:
        """Seconds until the next event may happen."""
        return max(0.0, self._paid - self._clock() - self._slack)
