"""Which voices are decoded where there are more than can be: those of who talks now.

Used by the `Mixer`. Pure state, without a clock of its own. Levels are those of RFC 6464: decibels below full scale,
0 is the loudest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

AUDIBLE = 60
"""What is quieter takes no place."""

MARGIN = 10
"""By how many decibels somebody has to be louder to take a place."""

FADES = 20.0
"""Decibels a second by which what somebody said last counts less: a pause between words keeps the place."""

SUPPOSED = 50
"""The level of who does not say it, at first: a second or so to be heard in, then the next one's turn comes."""

_STILL_SENDS = 1.0


class Earshot:
    """The keys of up to ``most`` voices that are heard, out of any number.

    A place is taken from whoever has been quiet for the longest time, and from nobody who is about as loud. Whoever
    does not say how loud they are is given a place to be listened to, one after another, while some are idle.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside: dict[str, tuple[float, float]] = {}
        """The level and the time of the loudest of late, as far as it counts still."""
        self._outside: dict[str, float | None] = {}
        """When a packet without a level came last; who was heard last is the last."""

    @property
    def inside(self) -> Collection[str]:
        """Who is heard."""
        return self._inside.keys()

    def add(self, key: str, now: float) -> None:
        """One more voice, heard from the beginning if there is a place."""
        if len(self._inside) < self._most:
            self._inside[key] = SUPPOSED, now
        else:
            self._outside[key] = None

    def remove(self, key: str, now: float) -> None:
        """The voice is gone, and who waits longest is heard."""
        self._outside.pop(key, None)
        if self._inside.pop(key, None) is not None and self._outside:
            self._enter(next(iter(self._outside)), SUPPOSED, now)

    def hear(self, key: str, level: int | None, now: float) -> bool:
        """A packet came at ``now``, as loud as it says or ``None``; whether others are heard from now on."""
        known = self._inside.get(key)
        if known is not None:
            if level is not None and level <= _faded(known, now):
                self._inside[key] = level, now
            return False
        if key not in self._outside:
            return False
        if level is None:
            self._outside[key] = now
            return self._try_another(now)
        self._outside[key] = None
        return level < AUDIBLE and self._displace(key, level, now)

    def _try_another(self, now: float) -> bool:
        """Whoever waits longest of those who do not say how loud they are, while somebody inside is idle."""
        untold = (key for key, at in self._outside.items() if at is not None and now - at < _STILL_SENDS)
        return self._displace(next(untold), AUDIBLE, now)

    def _displace(self, key: str, level: int, now: float) -> bool:
        quietest = max(self._inside, key=lambda inside: _faded(self._inside[inside], now))
        if level + MARGIN > _faded(self._inside[quietest], now):
            return False
        del self._inside[quietest]
        self._enter(key, min(level, SUPPOSED), now)
        self._outside[quietest] = None
        return True

    def _enter(self, key: str, level: float, now: float) -> None:
        del self._outside[key]
        self._inside[key] = level, now


def _faded(loudest: tuple[float, float], now: float) -> float:
    level, at = loudest
    return level + FADES * (now - at)
