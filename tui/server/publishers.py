"""Who publishes: from the command to the last of its place in the room.

Used by the application. A publisher that is interrupted keeps its record and its viewers' slots for the grace time,
so that it can come back as if nothing had been (signalling reference, 4.1 and 4.6).
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tui.core.wire import is_stream_id
from tui.errors import WireError
from tui.server.access import Purpose, id_refusal
from tui.server.gate import is_dropped_in_silence
from tui.server.ingest import Ingest
from tui.server.room import Record, now_ms
from tui.server.session import Ending
from tui.text import printable

if TYPE_CHECKING:
    from tui.core.aiortc_internals import Addresses
    from tui.core.commands import Publish
    from tui.core.messages import TakeConfiguration
    from tui.core.tasks import Tasks
    from tui.server.access import Access
    from tui.server.client import Client
    from tui.server.options import Options
    from tui.server.room import Rooms

log = logging.getLogger(__name__)

_ERRORS = {
    Ending.TIMEOUT: "publishTimeoutError",
    Ending.REFUSED: "notSetRemoteDescription",
    Ending.SILENT: "noPacketReceivedForTimeoutDuration",
}


class Audience(Protocol):
    """Who is to know of comings and goings."""

    def joined(self, stream_id: str, room: str) -> None:
        """A new subtrack of that room."""

    def left(self, stream_id: str, room: str) -> None:
        """A subtrack less."""

    def show(self, *stream_ids: str) -> None:
        """What these streams or rooms consist of is different now."""

    def dismiss(self) -> None:
        """Somebody is gone; nobody may be left to be played."""


@dataclass(frozen=True, slots=True)
class _Absence:
    """An interrupted publisher: whose it was, and when it is given up."""

    owner: Client
    deadline: asyncio.TimerHandle


class Publishers:
    """All publish sessions. ``shown`` is what viewers see of each stream: its session, or while it is away its last."""

    def __init__(
        self,
        options: Options,
        addresses: Addresses,
        access: Access,
        rooms: Rooms,
        shown: dict[str, Ingest],
        audience: Audience,
        tasks: Tasks,
    ) -> None:
        self._options = options
        self._addresses = addresses
        self._access = access
        self._rooms = rooms
        self._shown = shown
        self._audience = audience
        self._tasks = tasks
        self._sessions: dict[str, Ingest] = {}
        self._absent: dict[str, _Absence] = {}

    # -- commands --

    def publish(self, client: Client, message: Publish) -> None:
        """Begin a session, or refuse it by the name of AMS's error."""
        stream_id = message.stream_id
        if (refusal := self._refusal(client, message)) is not None:
            client.refuse(refusal, stream_id)
            return
        record = Record.of(message, client.address, client.user_agent)
        ingest = Ingest(client, stream_id, self._addresses, self._options.start_timeout)
        self._sessions[stream_id] = client.ingests[stream_id] = ingest
        if (absence := self._absent.get(stream_id)) is not None:
            # From now on the new session's own time limit counts.
            absence.deadline.cancel()
            self._rooms.come_back(record)
        else:
            self._shown[stream_id] = ingest
            self._rooms.add(record)
        client.listed.discard(stream_id)
        client.say("start", streamId=stream_id, subscriberId=record.subscriber_id)

    def _refusal(self, client: Client, message: Publish) -> str | None:
        stream_id, room = message.stream_id, message.main_track
        refusal = id_refusal(stream_id) or self._access.refusal(client, message, Purpose.PUBLISH)
        if refusal is not None:
            return refusal
        if room and not is_stream_id(room):
            return "invalidStreamName"
        if stream_id in client.ingests:
            return "already_publishing"
        older = self._sessions.get(stream_id)
        if older is not None and not older.owner.is_open():
            older.end(Ending.GONE)
        if self._is_away(stream_id) and self._rooms.main_track(stream_id) != room:
            self._give_up(stream_id)
        comes_back = self._is_away(stream_id)
        is_free = self._rooms.get(stream_id) is None or stream_id in client.listed or comes_back
        if not is_free or stream_id == room or self._rooms.is_room(stream_id):
            return "streamIdInUse"
        if self._rooms.is_subtrack(room):
            # What is published into one room is no room itself, or admission to one would be a way into the other.
            return "streamIdInUse"
        if room and not comes_back and self._rooms.is_full(room):
            return "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks"
        return "highResourceUsage" if client.is_full else None

    async def take_offer(self, client: Client, message: TakeConfiguration) -> bool:
        """Answer the client's offer, or end the session when it cannot be used; whether it was answered."""
        ingest = client.ingests.get(message.stream_id)
        if ingest is None or (self._options.strict and is_dropped_in_silence(message.sdp)):
            return False
        await client.offers.turn()
        try:
            sdp = await ingest.answer(message.sdp)
        except WireError as error:
            log.info("offer of %s: %s", printable(message.stream_id), printable(str(error)))
            ingest.end(Ending.REFUSED)
            return False
        if ingest.ending is not None:
            return False
        client.describe(message.stream_id, "answer", sdp)
        if ingest.started:
            self._audience.show(message.stream_id, self._rooms.main_track(message.stream_id))
        return True

    def stop(self, client: Client, stream_id: str) -> None:
        """End the client's session of that id, also one whose connection broke just before."""
        if (ingest := client.ingests.get(stream_id)) is not None:
            ingest.end(Ending.STOPPED)
        elif self._is_away(stream_id) and self._absent[stream_id].owner is client:
            self._give_up(stream_id)

    def end_all(self) -> None:
        """The server stops."""
        for ingest in tuple(self._sessions.values()):
            ingest.end(Ending.SHUTDOWN)
        for absence in self._absent.values():
            absence.deadline.cancel()

    # -- what the sessions report --

    def started(self, client: Client, ingest: Ingest) -> None:
        """Media arrives: the publisher is a subtrack of its room, or is one again."""
        stream_id = ingest.stream_id
        room = self._rooms.main_track(stream_id)
        named = {"room": room, "ATTR_ROOM_NAME": room} if room else {}
        if self._absent.pop(stream_id, None) is not None:
            self._notify(client, "session_restored", stream_id, **named)
            self._shown[stream_id] = ingest
            self._audience.show(stream_id, room)
        else:
            self._rooms.start(stream_id, now_ms())
            self._notify(client, "publish_started", stream_id, **named)
            self._audience.joined(stream_id, room)

    def ended(self, client: Client, ingest: Ingest, ending: Ending) -> None:
        """The publisher is gone from its room, or may come back in the grace time."""
        stream_id = ingest.stream_id
        del self._sessions[stream_id], client.ingests[stream_id]
        visible = ingest.started or stream_id in self._absent
        if visible and ending in (Ending.LOST, Ending.GONE) and self._options.grace > 0:
            silent_for = time.monotonic() - max(client.heard_at, ingest.heard_at)
            delay = max(self._options.grace - silent_for, 0.0)
            deadline = asyncio.get_running_loop().call_later(delay, self._give_up, stream_id)
            self._absent[stream_id] = _Absence(client, deadline)
        elif (definition := _ERRORS.get(ending)) is not None:
            client.refuse(definition, stream_id, subscriberId=self._subscriber_id(stream_id))
            self._remove(stream_id, visible)
        else:
            self._notify(client, "publish_finished", stream_id)
            self._remove(stream_id, visible)
        self._tasks.spawn(ingest.aclose(), "closing a publish session")

    def _notify(self, client: Client, definition: str, stream_id: str, **fields: str) -> None:
        client.notify(definition, streamId=stream_id, subscriberId=self._subscriber_id(stream_id), **fields)

    def _subscriber_id(self, stream_id: str) -> str:
        record = self._rooms.get(stream_id)
        return "" if record is None else record.subscriber_id

    def _is_away(self, stream_id: str) -> bool:
        """Whether the publisher is interrupted and nobody is trying to come back under its id."""
        return stream_id in self._absent and stream_id not in self._sessions

    def _give_up(self, stream_id: str) -> None:
        """An interrupted publisher does not come back any more."""
        self._notify(self._absent[stream_id].owner, "publish_finished", stream_id)
        self._remove(stream_id, visible=True)

    def _remove(self, stream_id: str, visible: bool) -> None:
        if (absence := self._absent.pop(stream_id, None)) is not None:
            absence.deadline.cancel()
        del self._shown[stream_id]
        record = self._rooms.remove(stream_id)
        if visible:
            self._audience.left(stream_id, record.main_track)
        self._audience.dismiss()
