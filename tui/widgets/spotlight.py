"""Who is large in the speaker layout; used by the video grid.

Calm: somebody has to talk for a moment before taking over, and whoever is large stays when nobody talks. The own
picture never takes over. Sans I/O.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.updates import Person

TAKES: Final = 1.5
"""Seconds of talking after which somebody takes over."""
_LOUDER: Final = 2.0
"""How much louder somebody is who takes over from another who talks."""
_MEMORY: Final = 1.0
"""Seconds over which loudness is averaged."""


class Spotlight:
    """Chooses among the pictures; ask a few times a second while anybody talks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked = clock()
        self._speaker: str | None = None
        self._screen: str | None = None
        self._loudness: dict[str, float] = {}
        self._claims: dict[str, float] = {}
        """Since when they would take over."""

    def choose(self, pictures: Sequence[Person], loudness: Callable[[Person], float], pinned: str | None) -> str | None:
        """Key of the large one: who is pinned, or a shared screen, or who speaks; ``None`` when there is nobody."""
        keys = [picture.key for picture in pictures]
        screens = [picture.key for picture in pictures if picture.owner]
        if self._screen not in screens:
            self._screen = next(iter(screens), None)
        self._listen([picture for picture in pictures if not (picture.owner or picture.is_self)], loudness)
        if pinned in keys:
            return pinned
        return self._screen or self._speaker or next(iter(keys), None)

    def _listen(self, others: Sequence[Person], loudness: Callable[[Person], float]) -> None:
        now = self._clock()
        share = 1 - math.exp(-max(0.0, now - self._asked) / _MEMORY)
        self._asked = now
        talking = {person.key: loudness(person) for person in others if person.talking and person.microphone}
        heard = {key: self._loudness.get(key, level) for key, level in talking.items()}
        self._loudness = {key: was + (talking[key] - was) * share for key, was in heard.items()}
        keys = [person.key for person in others]
        if self._speaker not in keys:
            # Nobody has to wait for an empty place.
            self._speaker = min(self._loudness, key=self._since, default=next(iter(keys), None))
        to_beat = self._loudness.get(self._speaker or "", -1.0) * _LOUDER
        claiming = [key for key, level in self._loudness.items() if key != self._speaker and level > to_beat]
        self._claims = {key: self._claims.get(key, now) for key in claiming}
        ripe = [key for key, since in self._claims.items() if now - since >= TAKES]
        if ripe:
            self._speaker = max(ripe, key=self._loudness.__getitem__)
            self._claims = {}

    def _since(self, key: str) -> float:
        return self._claims.get(key, math.inf)
