"""The chat of one room: both dialects in and out, each message once, whatever is sent.

Used by the conference. Two kinds of clients are in the world (signalling reference, 6.3): the official application
(`Dialect.CIRCLE`) and the sample page (`Dialect.PAGE`). We write the first; who understands both would show a message
twice, so the second comes in addition only once somebody in the room has used it.
"""

from __future__ import annotations

import calendar
import itertools
import re
import time
from collections import deque
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

from tui.core.copies import Copies
from tui.core.events import ChatMessage
from tui.core.records import cut_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.core.floor import Floor
    from tui.core.roster import Roster
    from tui.core.wire import Json

TEXT_LIMIT = 2000
"""Characters of a message that are kept, and sent."""

UNSENT_LIMIT = 100
"""Own messages that wait for a channel."""

DATE_TOLERANCE = 86_400.0
"""Seconds by which a sender's clock may differ from ours before it is not believed."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(
    r"\w{3} (?P<month>[A-Z][a-z]{2}) (?P<day>\d{1,2}) (?P<year>\d{4}) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
    r"(?: (?:GMT|UTC)(?:(?P<sign>[+-])(?P<ahead_hours>\d\d):?(?P<ahead_minutes>\d\d))?)?"
)
_numbers = itertools.count(1)


class Dialect(StrEnum):
    """How a chat message is written on the data channel, by its ``eventType``."""

    CIRCLE = "MESSAGE_RECEIVED"
    PAGE = "CHAT_MESSAGE"


def date_text(at: float) -> str:
    """A time as JavaScript's ``Date`` writes it, in UTC."""
    moment = time.gmtime(at)
    clock = time.strftime("%H:%M:%S", moment)
    day = f"{_DAYS[moment.tm_wday]} {_MONTHS[moment.tm_mon - 1]} {moment.tm_mday:02} {moment.tm_year}"
    return f"{day} {clock} GMT+0000 (Coordinated Universal Time)"


def read_date(value: object) -> float | None:
    """Seconds since the epoch of what `date_text` or a JavaScript program writes; ``None`` for anything else."""
    found = _DATE.match(value) if isinstance(value, str) and len(value) < 200 else None
    if found is None or found["month"] not in _MONTHS:
        return None
    parts = (int(found["year"]), _MONTHS.index(found["month"]) + 1, *map(int, found.group("day", "hour", "minute")))
    ahead = int(found["ahead_hours"] or 0) * 3600 + int(found["ahead_minutes"] or 0) * 60
    try:
        return calendar.timegm((*parts, int(found["second"]))) - (-ahead if found["sign"] == "-" else ahead)
    except ValueError:
        return None


class Chat:
    """The messages of one room.

    ``send`` puts an event on its way and says whether that worked; every message goes to ``emit``; ``dialects``
    overrides what is written.
    """

    def __init__(
        self,
        own_id: str,
        own_name: str,
        send: Callable[[Json], bool],
        emit: Callable[[ChatMessage], None],
        floor: Floor,
        roster: Roster,
        *,
        dialects: Iterable[Dialect] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._own_id = own_id
        self._own_name = own_name
        self._send = send
        self._emit = emit
        self._floor = floor
        self._roster = roster
        self._dialects = None if dialects is None else set(dialects)
        self._heard = {Dialect.CIRCLE}
        self._clock = clock
        self._unsent: deque[ChatMessage] = deque()
        self._copies = Copies()

    # out

    def say(self, text: str) -> bool:
        """Say something to the room, now or as soon as there is a channel; cut at `TEXT_LIMIT`.

        ``False`` when there is nothing to say, or too much waits already.
        """
        text = text.strip()[:TEXT_LIMIT]
        if not text or len(self._unsent) >= UNSENT_LIMIT:
            return False
        message = ChatMessage(next(_numbers), self._own_id, self._own_name, text, self._clock(), own=True)
        if self._unsent or not self._write(message):
            message = replace(message, unsent=True)
            self._unsent.append(message)
        self._emit(message)
        return True

    def flush(self) -> None:
        """A channel has opened: send what waits."""
        while self._unsent and self._write(self._unsent[0]):
            self._emit(replace(self._unsent.popleft(), unsent=False))

    def _write(self, message: ChatMessage) -> bool:
        dialects = self._heard if self._dialects is None else self._dialects
        return all(self._send(self._encode(message, dialect)) for dialect in Dialect if dialect in dialects)

    def _encode(self, message: ChatMessage, dialect: Dialect) -> Json:
        if dialect is Dialect.PAGE:
            return {"eventType": dialect, "streamId": self._own_id, "message": message.text}
        return {
            "eventType": dialect,
            "message": message.text,
            "name": self._own_name,
            "senderId": self._own_id,
            "date": date_text(message.at),
        }

    # in

    def take(self, dialect: Dialect, event: Json, way: str) -> None:
        """An incoming message that came on the connection ``way``."""
        self._heard.add(dialect)
        sender = cut_name(event.get("senderId" if dialect is Dialect.CIRCLE else "streamId"))
        text = event.get("message")
        if sender == self._own_id or not isinstance(text, str) or not text.strip():
            return
        text, date = text[:TEXT_LIMIT], cut_name(event.get("date"))
        if not self._floor.may_speak(sender) or self._copies.is_copy((sender, text), (way, dialect), date):
            return
        now, at, verified = self._clock(), read_date(date), self._roster.verifies(sender)
        if at is None or abs(at - now) > DATE_TOLERANCE:
            at = now
        name = cut_name(event.get("name"))
        self._roster.greet(sender, name)
        known_as = self._roster.name_of(sender) or name or sender
        self._emit(ChatMessage(next(_numbers), sender, known_as, text, at, verified=verified))
