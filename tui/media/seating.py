"""Whom to keep in a slot, and how many slots to ask for, where the server has fewer than there are people.

Used by the call. Sans I/O. Slots follow the speakers (signalling reference, 4.3.1 and 5.4): whoever is large on the
screen and is left out is pinned for as long as that lasts. While nobody else is seen, one slot is enough.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.core.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tui.core.events import Participant

PATIENCE: Final = 1.0
"""Seconds without a picture until somebody is pinned: whoever has just come gets a slot anyway."""
AGAIN: Final = 15.0
"""Seconds after which somebody is pinned anew who still has no picture."""
LINGERS: Final = 10.0
"""Seconds for which nobody else is seen before the other slots are given up: who looks closely comes back."""
_PRESENTATION: Final = "_presentation"


@dataclass(frozen=True, slots=True)
class Benches:
    """Who sits where."""

    seated: frozenset[str]
    """Stream ids with a picture."""
    sending: int
    """How many others show themselves or a screen."""

    @classmethod
    def of(cls, participants: Sequence[Participant]) -> Benches:
        """As this roster says."""
        others = [person for person in participants if not person.is_self]
        seated = {person.stream_id for person in others if person.video}
        seated |= {person.stream_id + _PRESENTATION for person in others if person.presentation}
        waiting = sum(person.camera and not person.play_only and person.video is None for person in others)
        return cls(frozenset(seated), len(seated) + waiting)

    @property
    def is_short(self) -> bool:
        """Somebody has no seat."""
        return bool(self.seated) and len(self.seated) < self.sending


class Seating:
    """What was asked for: one pin of our own at most, and a number of slots."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pace = Pace(1, 4, clock)
        self._pinned: str | None = None
        self._pinned_at = 0.0
        self._wanted: tuple[str | None, float] = (None, 0.0)
        self._alone_since: float | None = None
        self._most: int | None = None
        self._usual = 0

    def pins(
        self, featured: str | None, alone: bool, benches: Benches, kept: Collection[str] = ()
    ) -> list[tuple[str, bool]]:
        """Whom to pin (true) or to let go now; ask often.

        ``featured`` is the stream id of whoever is large, ``alone`` whether nobody else is seen. The user's own pins
        are ``kept``: they are neither made nor undone here.
        """
        now = self._clock()
        changes = []
        if self._pinned is not None and self._pinned != featured:
            if self._pinned not in kept:
                changes.append((self._pinned, False))
            self._pinned = None
        needs = featured is not None and featured not in kept
        needs = needs and (featured not in benches.seated or (alone and benches.is_short))
        if not needs or featured is None:
            self._wanted = (None, 0.0)
            return changes
        if self._wanted[0] != featured:
            self._wanted = (featured, now)
        if self._pinned is None:
            due = now - self._wanted[1] >= PATIENCE
        else:
            due = featured not in benches.seated and now - self._pinned_at >= AGAIN
        if due and self._pace.take():
            self._pinned, self._pinned_at = featured, now
            changes.append((featured, True))
        return changes

    def most(self, featured: str | None, alone: bool, benches: Benches, kept: Collection[str] = ()) -> int | None:
        """How many video slots to ask for now, ``None`` when nothing is to be said; ask often.

        Nothing is said until it helps; from then on there are to be as many as people, when more than one is seen.
        """
        now = self._clock()
        is_held = featured in benches.seated and (featured == self._pinned or featured in kept)
        if not (alone and is_held and benches.is_short):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        if self._most != 1:
            self._usual = len(benches.seated)
        if self._alone_since is not None and now - self._alone_since >= LINGERS:
            wanted = 1
        elif self._most is None:
            return None
        else:
            wanted = max(self._usual, benches.sending) if self._alone_since is None else self._most
        if wanted == self._most or not self._pace.take():
            return None
        self._most = wanted
        return wanted
