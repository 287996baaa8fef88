"""Who has come into the room and who has left it, and what else the user is to be called for. Used by the app.

Pure: updates of the call in, what to write, show and ring for out. Who is met in the first seconds was there before; a
newcomer is told of when the server has said the name, which it does a little later than that there is somebody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tui.alarm import reasons
from tui.core.events import CallState, Direction
from tui.core.pace import Pace
from tui.updates import LogLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.updates import CallView, Person, Update

SETTLING: Final = 3.0
"""Seconds after joining in which whoever is met was there before."""
NAMING: Final = 2.0
"""Seconds for which the name of a newcomer is waited for."""
SMALL: Final = 12
"""People in a room where who comes and goes is said in front."""
_EVERY, _BURST = 5.0, 3
"""Seconds between two that are said in front in the long run, and how many at once."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is new: lines of the log, which of them to show in front, and why to call the user."""

    lines: tuple[LogLine, ...] = ()
    shown: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coming:
    """Somebody came, or left."""

    name: str
    came: bool

    @property
    def text(self) -> str:
        """In words."""
        return f"{self.name} has joined" if self.came else f"{self.name} has left"


class Comings:
    """Compares each view with those before."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        """Names of those who are there, by key."""
        self._unnamed: dict[str, float] = {}
        """Since when there is somebody without a name."""

    @property
    def waits(self) -> bool:
        """Whether to ask again after `NAMING` though nothing else changes."""
        return bool(self._unnamed)

    def take(self, view: CallView, now: float) -> list[Coming]:
        """What is new in this view."""
        if view.state is CallState.RECONNECTING:
            # Who is away then is only out of sight.
            return []
        if view.state is not CallState.JOINED or view.joined_at is None:
            self._known, self._unnamed = {}, {}
            return []
        # A picture that nobody owns yet is nobody.
        present = {person.key: person for person in view.people if not (person.is_self or person.key.startswith("?"))}
        if now - view.joined_at < SETTLING:
            self._known = {key: person.name for key, person in present.items()}
            return []
        news = [Coming(name, False) for key, name in self._known.items() if key not in present]
        self._unnamed = {key: since for key, since in self._unnamed.items() if key in present}
        for key in [key for key in self._known if key not in present]:
            del self._known[key]
        for key, person in present.items():
            if key not in self._known:
                since = self._unnamed.setdefault(key, now)
                if not _is_named(person) and now - since < NAMING:
                    continue
                del self._unnamed[key]
                news.append(Coming(person.name, True))
            self._known[key] = person.name
        return news


class Herald:
    """Tells it all, often, but not too often."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._comings = Comings()
        self._pace = Pace(1 / _EVERY, _BURST, clock)

    @property
    def waits(self) -> bool:
        """Whether to ask again after `NAMING` though nothing else changes."""
        return self._comings.waits

    def take(self, name: str, before: CallView, update: Update) -> Heard:
        """What an update brings to somebody named ``name``."""
        now, view = self._clock(), update.view
        news = self._comings.take(view, now)
        few = len(view.people) <= SMALL
        return Heard(
            tuple(LogLine(now, Direction.LOCAL, "people", coming.text) for coming in news),
            tuple(coming.text for coming in news if few and self._pace.take()),
            (
                *reasons(name, before.people, view.people, update.chat),
                *(coming.text for coming in news if coming.came),
            ),
        )


def _is_named(person: Person) -> bool:
    return person.name != person.stream_id
