"""Who talks now: by the levels of the tracks, and by those that the server tells. Used by the conference."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TALKING_LEVEL = 50
"""An RFC 6464 level at or below this is talking: 0 is loudest, 127 silence."""

TALKING_HOLD = 0.8
"""Seconds of quiet until somebody has stopped talking."""

TOLD_LEVEL = 60
"""A level below this is talking when the server tells it (signalling reference, 6.2)."""

TOLD_HOLD = 1.0
"""Seconds for which what the server told holds."""


class Talkers:
    """Stream ids with the time until which they count as talking."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def hear(self, stream_id: str, level: int) -> None:
        """The level of what is received or sent."""
        if level <= TALKING_LEVEL:
            self._hold(stream_id, TALKING_HOLD)

    def be_told(self, stream_id: str, level: int) -> None:
        """A level that the server told."""
        if level < TOLD_LEVEL:
            self._hold(stream_id, TOLD_HOLD)

    def now(self) -> frozenset[str]:
        """Who talks."""
        now = self._clock()
        self._until = {stream_id: until for stream_id, until in self._until.items() if now < until}
        return frozenset(self._until)

    def _hold(self, stream_id: str, seconds: float) -> None:
        self._until[stream_id] = max(self._until.get(stream_id, 0.0), self._clock() + seconds)
