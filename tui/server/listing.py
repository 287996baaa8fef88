"""The legacy way into a room: today it only lists people who play and publish nothing.

Used by the application. The modern way is to publish and to play (signalling reference, 2.7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.wire import is_stream_id
from tui.server.room import Record

if TYPE_CHECKING:
    from tui.core.commands import JoinRoom, LeaveFromRoom
    from tui.server.access import Access
    from tui.server.client import Client
    from tui.server.options import Options
    from tui.server.players import Players
    from tui.server.room import Rooms


class Listing:
    """Records without media, one per ``joinRoom``, for as long as their client stays."""

    def __init__(self, options: Options, access: Access, rooms: Rooms, players: Players) -> None:
        self._options = options
        self._access = access
        self._rooms = rooms
        self._players = players

    def join(self, client: Client, message: JoinRoom) -> None:
        """List the client under its id, unless it publishes and is listed anyway."""
        room, stream_id = message.room or message.main_track, message.stream_id
        if (refusal := self._refusal(client, room, stream_id)) is not None:
            client.refuse(refusal, stream_id)
            return
        if stream_id not in client.ingests:
            changed = {self._rooms.main_track(stream_id), room} - {""}
            self._rooms.add(Record.of(message, client.address, client.user_agent))
            client.listed.add(stream_id)
            for told in changed:
                self._tell(told)
        streams = self._rooms.streams(room)
        client.notify(
            "joinedTheRoom",
            streamId=stream_id,
            room=room,
            ATTR_ROOM_NAME=room,
            maxTrackCount=self._options.limits.video,
            **streams,
        )

    def leave(self, client: Client, message: LeaveFromRoom) -> None:
        """Take the client off the list; without an id, all that it joined of that room."""
        room = message.room or message.main_track
        if not room:
            client.refuse("no_room_specified", message.stream_id)
            return
        for stream_id in tuple(client.listed):
            if message.stream_id in ("", stream_id) and self._rooms.main_track(stream_id) == room:
                self._remove(client, stream_id)
        client.notify("leavedFromRoom", streamId=message.stream_id, room=room, ATTR_ROOM_NAME=room)

    def forget(self, client: Client) -> None:
        """The client's socket is gone."""
        for stream_id in tuple(client.listed):
            self._remove(client, stream_id)

    def _refusal(self, client: Client, room: str, stream_id: str) -> str | None:
        if not room:
            return "no_room_specified"
        if not (is_stream_id(room) and is_stream_id(stream_id)):
            return "invalidStreamName"
        record = self._rooms.get(stream_id)
        # The command has no token: whoever is in the room already has shown one.
        own_room = record.main_track if record is not None and stream_id in client.ingests else ""
        if self._access.guarded and room not in client.viewers and room != own_room:
            return "unauthorized_access"
        taken = record is not None and stream_id not in client.ingests and stream_id not in client.listed
        if taken or stream_id == room or self._rooms.is_room(stream_id):
            return "streamIdInUse"
        return "highResourceUsage" if client.is_full else None

    def _remove(self, client: Client, stream_id: str) -> None:
        client.listed.discard(stream_id)
        self._tell(self._rooms.remove(stream_id).main_track)

    def _tell(self, room: str) -> None:
        self._players.tell({"eventType": "TRACK_LIST_UPDATED", "streamId": room}, room)
