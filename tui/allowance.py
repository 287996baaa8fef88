"""How much of somebody's talk is listened to. Used wherever the core or the server reads what others send."""

from __future__ import annotations

import asyncio
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

    def take(self, amount: int = 1) -> bool:
        """Whether so many more events are within the allowance."""
        now = self._clock()
        if now >= self._ends:
            self._ends = now + self._seconds
            self._taken = 0
        if self._taken + amount > self._limit:
            self.refused += 1
            return False
        self._taken += amount
        return True

    async def turn(self, amount: int = 1) -> None:
        """Wait until so many more are within the allowance: for what is slowed down and not refused."""
        while True:
            if self.take(min(amount, self._limit)):
                return
            await asyncio.sleep(max(self._ends - self._clock(), 0.0))
