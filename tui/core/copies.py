"""Which message has come before another way. Used by the chat and the talk.

What a participant says may reach us on the own stream's channel and on the room's, and in two dialects; and yet
somebody may say the same thing twice (signalling reference, 6.1 and 6.3).
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

SAME_WITHIN = 5.0
"""Seconds in which the same message may be a copy."""


@dataclass(slots=True)
class _Heard:
    at: float
    told: int = 0
    ways: Counter[Hashable] = field(default_factory=Counter)
    dates: set[str] = field(default_factory=set)


class Copies:
    """What was heard of late, and which way; bounded by the rate at which the caller asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[Hashable, _Heard] = {}

    def is_copy(self, message: Hashable, way: Hashable, date: str = "") -> bool:
        """Whether this one was told before: as the n-th on its way it is new only if fewer than n were told.

        With the sender's own ``date`` the same message cannot come twice on one way either.
        """
        now = self._clock()
        self._heard = {key: heard for key, heard in self._heard.items() if now - heard.at < SAME_WITHIN}
        heard = self._heard.setdefault(message, _Heard(now))
        heard.ways[way] += 1
        if heard.ways[way] <= heard.told or (date and date in heard.dates):
            return True
        heard.told = heard.ways[way]
        heard.dates.add(date)
        return False
