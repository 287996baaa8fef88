"""Whom to keep in a slot, whom to show in the others and how many to ask for, where there are fewer than people.

Used by the call. Sans I/O. Slots follow the speakers (signalling reference, 4.3.1 and 5.4): whoever is large on the
screen and is left out is pinned for as long as that lasts. While nobody else is seen, one slot is enough. While a later
page of tiles is seen, the slots are for the people on it, and whoever is large or a shared screen keeps theirs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.core.pace import Pace
from tui.core.wire import is_stream_id

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
    waiting: frozenset[str] = frozenset()
    """Stream ids of who shows themselves and has no picture."""
    order: tuple[str, ...] = ()
    """Stream ids of all others who publish, as they are listed."""
    pinned: frozenset[str] = frozenset()
    """Stream ids of who sits there whatever page is asked for."""

    @classmethod
    def of(cls, participants: Sequence[Participant]) -> Benches:
        """As this roster says."""
        others = [person for person in participants if not person.is_self]
        seated = {person.stream_id for person in others if person.video}
        seated |= {person.stream_id + _PRESENTATION for person in others if person.presentation}
        order = tuple(one.stream_id for one in others if not one.play_only and is_stream_id(one.stream_id))
        waiting = {one.stream_id for one in others if one.camera and not one.play_only and one.video is None}
        pinned = frozenset(one.stream_id for one in others if one.pinned)
        return cls(frozenset(seated), len(seated) + len(waiting), frozenset(waiting), order, pinned)

    @property
    def screen(self) -> str | None:
        """The stream id of a shared screen that is seated."""
        return min((one for one in self.seated if one.endswith(_PRESENTATION)), default=None)

    @property
    def is_short(self) -> bool:
        """Somebody has no seat."""
        return bool(self.seated) and len(self.seated) < self.sending


class Seating:
    """What was asked for: one pin of our own at most, a page, and a number of slots."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pace = Pace(1, 4, clock)
        self._pinned: str | None = None
        self._pinned_at = 0.0
        self._wanted: tuple[str | None, float] = (None, 0.0)
        self._alone_since: float | None = None
        self._most: int | None = None
        self._usual = 0
        self._page: tuple[int, int] | None = None
        """Where the page that was asked for begins in our list, and how many are on it."""
        self._page_at = 0.0
        self._shift = 0
        """By how many places the server's list is ahead of ours."""
        self._is_checked = False
        """Whether that was looked at on this page."""
        self._before: frozenset[str] = frozenset()
        """Who sat there before the page was asked for."""
        self._seats = 0
        """How many sat there before the first page was left."""

    def pins(
        self,
        featured: str | None,
        alone: bool,
        benches: Benches,
        kept: Collection[str] = (),
        shown: Collection[str] = (),
    ) -> list[tuple[str, bool]]:
        """Whom to pin (true) or to let go now; ask often.

        ``featured`` is the stream id of whoever is large, ``alone`` whether nobody else is seen. The user's own pins
        are ``kept``: they are neither made nor undone here. ``shown`` is for `page`, to be asked afterwards.
        """
        now = self._clock()
        is_paged = self._page is not None or bool(benches.waiting.intersection(shown))
        if featured is None and is_paged:
            featured = benches.screen
        changes = []
        if self._pinned is not None and self._pinned != featured:
            if self._pinned not in kept:
                changes.append((self._pinned, False))
            self._pinned = None
        needs = featured is not None and featured not in kept
        needs = needs and (featured not in benches.seated or ((alone or is_paged) and benches.is_short))
        if not needs or featured is None:
            self._wanted = (None, 0.0)
            return changes
        if self._wanted[0] != featured:
            self._wanted = (featured, now)
        if self._pinned is None:
            # Whoever is seen is not to lose the seat to the page, not even for a moment.
            due = now - self._wanted[1] >= PATIENCE or (is_paged and featured in benches.seated)
        else:
            due = featured not in benches.seated and now - self._pinned_at >= AGAIN
        if due and self._pace.take():
            self._pinned, self._pinned_at = featured, now
            changes.append((featured, True))
        return changes

    def page(self, shown: Collection[str], benches: Benches) -> tuple[int, int] | None:
        """Which stretch of the room's list to ask for now, ``None`` when nothing is to be said; ask often.

        ``shown`` are the stream ids on the page, nobody on the first one. Nothing is said until somebody on it has no
        picture; from then on each page is said, the first one as the way back to the speakers.
        """
        now = self._clock()
        places = [place for place, one in enumerate(benches.order) if one in shown]
        wanted = (places[0], places[-1] - places[0] + 1) if places else None
        is_short = bool(benches.waiting.intersection(shown))
        if wanted is None:
            if self._page is None or not self._pace.take():
                return None
            self._page = None
            return 0, self._seats
        if wanted == self._page:
            return self._corrected(wanted, benches) if is_short and now - self._page_at >= PATIENCE else None
        if (self._page is None and not is_short) or not self._pace.take():
            return None
        if self._page is None:
            self._seats = max(1, len(benches.seated))
        self._page, self._page_at, self._is_checked, self._before = wanted, now, False, benches.seated
        return self._shifted(wanted)

    def _corrected(self, page: tuple[int, int], benches: Benches) -> tuple[int, int] | None:
        """The page anew when others came than were meant: the server counts every picture, also of screens."""
        came = benches.seated - benches.pinned - {self._pinned}
        first = next((place for place, one in enumerate(benches.order) if one in came), page[0])
        if self._is_checked or benches.seated == self._before or first == page[0] or not self._pace.take():
            return None
        self._is_checked = True
        self._shift += page[0] - first
        return self._shifted(page)

    def _shifted(self, page: tuple[int, int]) -> tuple[int, int]:
        # At 0 the server would follow the speakers.
        return max(1, page[0] + self._shift), page[1]

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
