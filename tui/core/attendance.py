"""Who is in the room, as the server says: pushed, asked for when there is a reason, and asked for by the clock.

Used by the conference. Pushes are not complete (signalling reference, 4.3), so the list is read again and again, page
by page. The answers carry neither offset nor number (3.5): a page belongs to the reading that is under way, and none
is begun before the last one has ended or is given up. A server that gives no list, as older ones, names its room's
members in the room's own record, and each of them in theirs (3.6).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Protocol

from tui.core.records import Broadcast, read_members
from tui.core.roster import PARTICIPANT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tui.core.adaptor import WebRTCAdaptor
    from tui.core.roster import Roster
    from tui.core.wire import Json

REFRESH = 4.0
"""Seconds between two looks at the list, when nothing else is a reason."""

DEBOUNCE = 0.3
"""Seconds in which several reasons to look again become one."""

PAGE = 50
"""Records that are asked for at once (section 2.4)."""

READING_TIMEOUT = 5.0
"""Seconds after which an answer is not waited for any more."""


class Reading:
    """One reading after another; ``asked_at`` is when the present or last one was begun."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.asked_at = 0.0
        self.count = 0
        """How many participants there are, as the server last said."""
        self.in_vain = False
        """Whether nothing came of the reading before."""
        self.pages = 0
        """How many answers the present or last reading took."""
        self._clock = clock
        self._reading = False
        self._heard_at = 0.0
        self._records: dict[str, Broadcast] = {}
        self._offset = 0

    def begin(self) -> bool:
        """Begin to read: ask for the page at offset 0. ``False`` while another reading is under way."""
        now = self._clock()
        if self._reading and now - self._heard_at < READING_TIMEOUT:
            return False
        self.in_vain = self._reading
        self._reading = True
        self.asked_at = self._heard_at = now
        self._records = {}
        self._offset = self.pages = 0
        return True

    def forget(self) -> None:
        """The connection is gone, and with it every answer that was still to come."""
        self._reading = self.in_vain = False

    def take(self, entries: Sequence[object]) -> int | tuple[Broadcast, ...]:
        """A page: the offset of the next one to ask for, or everybody when it was the last."""
        if not self._reading:
            self.begin()  # somebody else's question, or nobody's: a list all the same
        self.in_vain = False
        self._heard_at = self._clock()
        self._offset += len(entries)
        self.pages += 1
        for entry in entries:
            if (broadcast := Broadcast.read(entry)) is not None:
                self._records[broadcast.stream_id] = broadcast
        # A server may give fewer at once than it is asked for (section 9, no. 19).
        more = bool(entries) and (len(entries) >= PAGE or self._offset < self.count)
        if more and self._offset < PARTICIPANT_LIMIT:
            return self._offset
        self._reading = False
        return tuple(self._records.values())


class AttendanceOwner(Protocol):
    """What keeping a list up to date needs of the conference."""

    @property
    def adaptor(self) -> WebRTCAdaptor | None:
        """Whom to ask; ``None`` while nobody can be asked."""

    def roster_changed(self) -> None:
        """The roster is another one now."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Do this for as long as we are in the room."""


class Attendance:
    """Keeps ``roster`` as the server has it."""

    def __init__(self, owner: AttendanceOwner, room: str, roster: Roster) -> None:
        self._owner = owner
        self._room = room
        self._roster = roster
        self._reading = Reading()
        self._reason = asyncio.Event()
        self._asked_about: set[str] = set()

    def look_again(self) -> None:
        """There is a reason to ask."""
        self._reason.set()

    @property
    def more(self) -> int:
        """How many are there that the roster has no room for, ourselves too: the server counts whoever publishes."""
        known = len(self._roster)
        return max(0, self._reading.count - known) if known >= PARTICIPANT_LIMIT else 0

    def forget(self) -> None:
        """The connection is gone."""
        self._reading.forget()
        self._asked_about.clear()

    async def follow(self) -> None:
        """Ask for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH):
                    await self._reason.wait()
            await asyncio.sleep(DEBOUNCE)
            self._reason.clear()
            adaptor = self._owner.adaptor
            if adaptor is None:
                continue
            if not self._reading.begin():
                self._reason.set()  # after the reading that is under way
                continue
            await adaptor.get_subtracks(self._room, 0, PAGE)
            await adaptor.get_subtrack_count(self._room)
            await adaptor.request_video_track_assignments(self._room)
            if self._reading.in_vain:
                await self._ask_for_records(adaptor)

    async def _ask_for_records(self, adaptor: WebRTCAdaptor) -> None:
        """There are no lists here: the room's record has its members, and theirs their names."""
        await adaptor.get_broadcast_object(self._room)
        unnamed = self._roster.unnamed()
        self._asked_about &= unnamed
        for stream_id in list(unnamed - self._asked_about)[:PAGE]:
            self._asked_about.add(stream_id)
            await adaptor.get_broadcast_object(stream_id)

    def take(self, info: str, record: Json) -> None:
        """A push, or the answer to a query, whoever asked; what is not about the room is ignored."""
        stream_id, changed = record.get("streamId"), True
        match info:
            case "subtrackAdded" | "subtrackRemoved" if record.get("mainTrack") == self._room:
                self._take_push(info, record.get("trackId"))
            case "subtrackList" if stream_id == self._room and isinstance(record.get("subtrackList"), list):
                changed = self._take_page(record["subtrackList"])
            case "subtrackCount" if stream_id == self._room and type(record.get("count")) is int:
                changed = False
                self._take_count(record["count"])
            case "broadcastObject":
                self._take_broadcast(Broadcast.read(record.get("broadcast")))
            case "roomInformation" | "joinedTheRoom" if self._room in map(record.get, ("room", "ATTR_ROOM_NAME")):
                for broadcast in read_members(record):
                    self._roster.describe(broadcast)
            case "trackList" if stream_id == self._room:
                for broadcast in read_members({"streams": record.get("trackList")}):
                    self._roster.add(broadcast.stream_id)
            case _:
                changed = False
        if changed:
            self._owner.roster_changed()

    def _take_push(self, info: str, stream_id: object) -> None:
        if isinstance(stream_id, str):
            if info == "subtrackAdded":
                self._roster.add(stream_id)
            else:
                self._roster.remove(stream_id)
        self._reason.set()

    def _take_page(self, entries: list[object]) -> bool:
        read = self._reading.take(entries)
        adaptor = self._owner.adaptor
        if not isinstance(read, int):
            self._roster.list_subtracks(read, self._reading.asked_at, paged=self._reading.pages > 1)
            return True
        if adaptor is not None:
            self._owner.spawn(adaptor.get_subtracks(self._room, read, PAGE), "next page")
        return False

    def _take_count(self, count: int) -> None:
        if count != self._reading.count:
            self._reading.count = count
            self._reason.set()

    def _take_broadcast(self, broadcast: Broadcast | None) -> None:
        if broadcast is None:
            return
        if broadcast.stream_id == self._room and broadcast.members and self._reading.in_vain:
            self._roster.list_subtracks([Broadcast(stream_id) for stream_id in broadcast.members])
        elif broadcast.stream_id == self._room:
            for stream_id in broadcast.members:
                self._roster.add(stream_id)
        elif broadcast.stream_id in self._roster:
            self._roster.describe(broadcast)
