"""What clients ask without wanting anything to change (signalling reference, 2.4 and the answers of section 3).

Used by the application.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tui.core.commands import (
    GetBroadcastObject,
    GetDebugInfo,
    GetRoomInfo,
    GetStreamInfo,
    GetSubscriberCount,
    GetSubscribers,
    GetSubtracks,
    GetSubtracksCount,
    GetTrackList,
    GetVideoTrackAssignments,
)
from tui.server.room import NAME_LIMIT, PAGE_LIMIT, Figures, Page, now_ms
from tui.server.slots import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.core.commands import Play
    from tui.core.wire import Message
    from tui.server.client import Client
    from tui.server.ingest import Ingest
    from tui.server.players import Players
    from tui.server.room import Rooms
    from tui.server.viewer import Viewer


class Queries:
    """Answers from the state of the application; what names nothing that exists gets an empty answer or an error."""

    def __init__(self, rooms: Rooms, shown: Mapping[str, Ingest], players: Players) -> None:
        self._rooms = rooms
        self._shown = shown
        self._players = players

    def answer(self, client: Client, message: Message) -> None:
        """The answer to one query; any other message is ignored."""
        match message:
            case GetBroadcastObject(stream_id=stream_id):
                record = self._rooms.encoded(stream_id, now_ms(), self._figures)
                found = {} if record is None else {"broadcast": record}
                client.notify("broadcastObject", streamId=stream_id, **found)
            case GetSubtracks(stream_id=stream_id):
                page = Page(
                    offset=message.offset,
                    size=message.size,
                    role=message.role,
                    status=message.status,
                    sort_by=message.sort_by,
                    order_by=message.order_by,
                    search=message.search,
                )
                subtracks = self._rooms.page(stream_id, page, now_ms(), self._figures)
                client.notify("subtrackList", streamId=stream_id, subtrackList=subtracks)
            case GetSubtracksCount(stream_id=stream_id):
                count = self._rooms.count(stream_id, message.role, message.status)
                client.notify("subtrackCount", streamId=stream_id, count=count)
            case GetVideoTrackAssignments(stream_id=stream_id):
                if (viewer := client.viewers.get(stream_id)) is not None:
                    viewer.tell_video_assignments()
            case GetTrackList(stream_id=stream_id):
                names = [record.stream_id for record in self._rooms.subtracks(stream_id)]
                client.say("trackList", streamId=stream_id, trackList=names)
            case GetStreamInfo(stream_id=stream_id):
                self._tell_stream_info(client, stream_id)
            case GetRoomInfo():
                self._tell_room_info(client, message)
            case GetSubscriberCount(stream_id=stream_id):
                client.notify("subscriberCount", streamId=stream_id, count=len(self._players.of(stream_id)))
            case GetSubscribers(stream_id=stream_id):
                self._tell_subscribers(client, message)
            case GetDebugInfo(stream_id=stream_id):
                client.notify("debugInfo", streamId=stream_id, debugInfo=_debug_info(client, stream_id))

    def _figures(self, stream_id: str) -> Figures:
        viewers = len(self._players.of(stream_id))
        ingest = self._shown.get(stream_id)
        if ingest is None:
            return Figures(viewers=viewers)
        bitrate = sum(ingest.bitrate(kind) for kind in Kind)
        return Figures(bitrate=bitrate, received_bytes=ingest.received_bytes, viewers=viewers)

    def _tell_stream_info(self, client: Client, stream_id: str) -> None:
        if not self._rooms.played(stream_id):
            client.refuse("no_stream_exist", stream_id, error_code="404")
            return
        ingest = self._shown.get(stream_id)
        # A room has no media of its own.
        info = [] if ingest is None else [_stream_info(ingest)]
        client.say("streamInformation", streamId=stream_id, streamInfo=info)

    def _tell_room_info(self, client: Client, message: GetRoomInfo) -> None:
        room = message.room
        if not room:
            client.refuse("no_room_specified", message.stream_id)
        elif not self._rooms.subtracks(room):
            client.refuse("no_active_streams_in_room", room=room[:NAME_LIMIT])
        else:
            client.say("roomInformation", **self._rooms.streams(room), ATTR_ROOM_NAME=room, room=room)

    def _tell_subscribers(self, client: Client, message: GetSubscribers) -> None:
        first, size = max(message.offset, 0), min(max(message.size, 0), PAGE_LIMIT)
        viewers = self._players.of(message.stream_id)[first : first + size]
        listed = [_subscriber(viewer, self._players.viewers[viewer]) for viewer in viewers]
        client.notify("subscriberList", streamId=message.stream_id, subscriberList=listed)


def _stream_info(ingest: Ingest) -> dict[str, object]:
    width, height = ingest.video_size or (0, 0)
    codec = ingest.codec(Kind.VIDEO)
    return {
        "streamWidth": width,
        "streamHeight": height,
        "videoBitrate": ingest.bitrate(Kind.VIDEO),
        "audioBitrate": ingest.bitrate(Kind.AUDIO),
        "videoCodec": "" if codec is None else codec.short,
    }


def _subscriber(viewer: Viewer, play: Play) -> str:
    """A viewer as AMS's store has it; without a subscriber id it goes by the stream that it publishes itself."""
    return json.dumps(
        {
            "subscriberId": play.subscriber_id or viewer.own_id,
            "subscriberName": play.subscriber_name or "",
            "streamId": viewer.stream_id,
            "type": "play",
            "connected": viewer.started,
            "currentConcurrentConnections": 1,
        }
    )


def _debug_info(client: Client, stream_id: str) -> str:
    """The client's slots, a line each; it is asked for by the room's id or by the own one."""
    named = [client.viewers[stream_id]] if stream_id in client.viewers else list(client.viewers.values())
    return "\n".join(
        f"{{label:{slot.label},assigned stream id:{slot.owner},reserved:{str(slot.reserved).lower()}}}"
        for viewer in named
        for kind in Kind
        for slot in viewer.slots(kind)
    )
