"""A call as lines of text, for screen readers, logs and pipes; used by ``antconf events --text``.

Pure: events in, safe lines out. Nothing is told twice, and nothing that changes all the time (who talks) at all.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from tui.core.events import (
    Announced,
    CallState,
    CallStateChanged,
    ChatMessage,
    LocalMediaChanged,
    ModeratorRequest,
    Notice,
    PublishingRefused,
    Reaction,
    RetryPlanned,
    RosterChanged,
    Wish,
)
from tui.crowd import Crowd
from tui.text import printable, with_hint
from tui.updates import aside, chat_line, countdown, question

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.events import Event
    from tui.updates import Person

_CHANGES = (
    ("microphone", "{} is not muted any more", "{} is muted"),
    ("camera", "{} has the camera on", "{} has the camera off"),
    ("sharing", "{} shares a screen", "{} does not share a screen any more"),
    ("recording", "{} records the call", "{} does not record any more"),
    ("away", "{} is away", "{} is back"),
)


class Transcript:
    """What is worth a line, in order."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._crowd = Crowd()
        self._clock = clock
        self._known: dict[str, Person] = {}
        self._joined = False
        self._own: LocalMediaChanged | None = None
        self._numbers = itertools.count(1)

    @property
    def people(self) -> tuple[Person, ...]:
        """Who is in the room."""
        return tuple(self._known.values())

    def lines(self, event: Event) -> list[str]:
        """What to tell of this event; often nothing."""
        match event:
            case CallStateChanged(state, reason, hint):
                text = with_hint(reason, hint)
                line = f"{state.value}: {text}" if text else state.value
                if state is not CallState.JOINED or self._joined:
                    return [line]
                self._joined = True
                return [line, self._everybody]
            case RetryPlanned(attempt, due, reason):
                return [f"reconnecting: {printable(reason)}, try {attempt}, next in {countdown(due - self._clock())}"]
            case RosterChanged(participants):
                self._crowd.follow(participants)
                before, self._known = self._known, {person.key: person for person in self._crowd.draw()}
                # Until one has joined, who comes and goes is whom the server is just naming.
                return self._compared(before) if self._joined else []
            case LocalMediaChanged():
                was, self._own = self._own, event
                return [] if was is None else _own_changes(was, event)
            case ChatMessage():
                entry = chat_line(event)
                if entry.own and not entry.unsent:
                    # One has typed it oneself.
                    return []
                name = entry.name if entry.verified else f"{entry.name} (not on the list)"
                first, *more = entry.text.split("\n")
                told = "you, not sent yet" if entry.unsent else name
                return [f"{told}: {first}", *(f"  {line}" for line in more)]
            case Announced(Notice.SCREEN_SHARED):
                # The list says so, and says too when it ends.
                return []
            case Reaction() | Announced():
                entry_or_none = aside(event, next(self._numbers), self._clock())
                return [] if entry_or_none is None else [entry_or_none.text]
            case ModeratorRequest(wish=Wish.SPEAK):
                # Here nothing is heard that is not named at the start.
                return ["to speak, leave and start again with --source"]
            case PublishingRefused(reason, hint):
                return [with_hint(reason, hint)]
            case ModeratorRequest(obeyed=False):
                return [f"{question(event).text} Answer /yes or /no."]
        return []

    @property
    def _everybody(self) -> str:
        others = [person.name for person in self.people if not person.is_self]
        return f"in the room: {', '.join(others)}" if others else "nobody else is in the room yet"

    def _compared(self, before: dict[str, Person]) -> list[str]:
        lines = [f"{person.name} left" for key, person in before.items() if key not in self._known]
        for person in self.people:
            if person.is_self:
                continue
            known = before.get(person.key)
            if known is None:
                lines.append(f"{person.name} joined")
                continue
            if known.name != person.name:
                lines.append(f"{known.name} is {person.name} now")
            for field, on, off in _CHANGES:
                if bool(getattr(known, field)) != bool(getattr(person, field)):
                    lines.append((on if getattr(person, field) else off).format(person.name))
        return lines


def _own_changes(before: LocalMediaChanged, now: LocalMediaChanged) -> list[str]:
    pairs = (("microphone", before.microphone, now.microphone), ("camera", before.camera, now.camera))
    return [f"your {what} is {'on' if on else 'off'}" for what, was, on in pairs if on is not None and was != on]
