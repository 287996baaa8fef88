"""What AMS calls an application: the streams, rooms and viewers behind one WebSocket address.

Used by the room server, which hands it every command of every client. The answers, notifications and errors are
AMS's own (signalling reference, sections 2 to 4); a command that is not served here is ignored, as AMS ignores it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.aiortc_internals import Addresses
from tui.core.messages import (
    DATA_LIMIT,
    GetBroadcastObject,
    GetIceServerConfig,
    GetSubtracks,
    GetSubtracksCount,
    GetVideoTrackAssignments,
    IceServerConfig,
    Message,
    Ping,
    Play,
    Pong,
    Publish,
    Start,
    Stop,
    TakeCandidate,
    TakeConfiguration,
    UpdateStreamMetaData,
    is_stream_id,
)
from tui.errors import WireError
from tui.server.ingest import Ingest
from tui.server.room import Labels, Record, Rooms
from tui.server.session import Ending
from tui.server.viewer import Viewer, track_filter
from tui.text import printable

if TYPE_CHECKING:
    from tui.server.client import Client

log = logging.getLogger(__name__)

SESSION_LIMIT = 16
"""Publish and play sessions of one client."""

NAME_LIMIT = 256
"""Characters of a display name or a role that are kept."""

META_DATA_LIMIT = 16 << 10
"""Characters of a metaData that is still stored."""

CLOSE_TIMEOUT = 1.5
"""Seconds that all sessions together may take to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What kind of server to be."""

    addresses: Addresses = Addresses.LOOPBACK
    """Which local addresses media is offered on."""
    labels: Labels = Labels.SLOT
    """How tracks are named."""
    id_mapping: bool = True
    """Whether offers carry ``idMapping``; servers before 2.10 had none."""
    start_timeout: float = 10.0
    """Seconds until a session without a connection or media is dropped (``webRTCClientStartTimeoutMs``)."""


class Application:
    """Everything that is published and played; `aclose` ends it all."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._rooms = Rooms(options.labels)
        self._ingests: dict[str, Ingest] = {}
        self._viewers: set[Viewer] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def handle(self, client: Client, message: Message) -> None:
        """Do what a client commands."""
        match message:
            case Ping():
                client.send(Pong().encode())
            case GetIceServerConfig():
                client.send(IceServerConfig().encode())
            case Publish():
                self._publish(client, message)
            case Play():
                self._play(client, message)
            case Stop():
                self._stop(client, message.stream_id)
            case TakeConfiguration(type="offer"):
                await self._answer(client, message)
            case TakeConfiguration(type="answer"):
                if (viewer := client.viewers.get(message.stream_id)) is not None:
                    viewer.take_answer(message.sdp)
            case TakeCandidate():
                await self._take_candidate(client, message)
            case UpdateStreamMetaData():
                if message.stream_id in client.ingests and len(message.meta_data) <= META_DATA_LIMIT:
                    self._rooms.set_meta_data(message.stream_id, message.meta_data)
            case _:
                self._query(client, message)

    def leave(self, client: Client) -> None:
        """The client's socket is gone, and with it all its sessions."""
        for session in (*client.ingests.values(), *client.viewers.values()):
            session.end(Ending.STOPPED)

    async def aclose(self) -> None:
        """End every session and wait until they are closed."""
        for session in (*self._ingests.values(), *self._viewers):
            session.end(Ending.SHUTDOWN)
        if self._closing:
            _, late = await asyncio.wait(self._closing, timeout=CLOSE_TIMEOUT)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # -- commands --

    def _publish(self, client: Client, message: Publish) -> None:
        stream_id = message.stream_id
        if (refusal := self._publish_refusal(client, message)) is not None:
            client.refuse(refusal, stream_id)
        else:
            ingest = Ingest(client, stream_id, self._options.addresses, self._options.start_timeout)
            self._ingests[stream_id] = client.ingests[stream_id] = ingest
            self._rooms.add(
                Record(
                    stream_id=stream_id,
                    name=message.stream_name[:NAME_LIMIT],
                    main_track=message.main_track,
                    meta_data=message.meta_data[:META_DATA_LIMIT],
                    role=message.role[:NAME_LIMIT],
                    since_ms=_now_ms(),
                )
            )
            client.send(Start(stream_id=stream_id).encode())
        self._dismiss_viewers()

    def _publish_refusal(self, client: Client, message: Publish) -> str | None:
        stream_id, main_track = message.stream_id, message.main_track
        if (refusal := _id_refusal(stream_id)) is not None:
            return refusal
        if main_track and not is_stream_id(main_track):
            return "invalidStreamName"
        older = self._ingests.get(stream_id)
        # A session whose own client publishes again, or whose client is gone, is in nobody's way.
        if older is not None and (stream_id in client.ingests or not older.owner.is_open()):
            older.end(Ending.REPLACED)
        if stream_id in self._ingests or stream_id == main_track or self._rooms.is_room(stream_id):
            return "streamIdInUse"
        return "highResourceUsage" if _is_full(client) else None

    def _play(self, client: Client, message: Play) -> None:
        stream_id = message.stream_id
        if (refusal := _id_refusal(stream_id)) is not None:
            client.refuse(refusal, stream_id)
        elif stream_id in client.viewers:
            client.refuse("already_playing", stream_id)
        elif not self._rooms.is_playable(stream_id):
            client.refuse("no_stream_exist", stream_id, error_code="404")
        elif _is_full(client):
            client.refuse("highResourceUsage", stream_id)
        else:
            viewer = Viewer(
                client,
                stream_id,
                self._options.addresses,
                self._options.start_timeout,
                own_id=message.user_publish_id,
                wants=track_filter(message.track_list),
                labels=self._options.labels,
            )
            client.viewers[stream_id] = viewer
            self._viewers.add(viewer)
            self._show(viewer)

    def _stop(self, client: Client, stream_id: str) -> None:
        for session in (client.ingests.get(stream_id), client.viewers.get(stream_id)):
            if session is not None:
                session.end(Ending.STOPPED)

    async def _answer(self, client: Client, message: TakeConfiguration) -> None:
        ingest = client.ingests.get(message.stream_id)
        if ingest is None:
            return
        try:
            sdp = await ingest.answer(message.sdp)
        except WireError as error:
            log.info("offer of %s: %s", printable(message.stream_id), printable(str(error)))
            ingest.end(Ending.REFUSED)
            return
        if ingest.ending is None:
            answer = TakeConfiguration(stream_id=message.stream_id, type="answer", sdp=sdp)
            client.send(answer.encode())
            if ingest.started:
                self._show_all(message.stream_id, self._rooms.main_track(message.stream_id))

    async def _take_candidate(self, client: Client, message: TakeCandidate) -> None:
        session = client.ingests.get(message.stream_id) or client.viewers.get(message.stream_id)
        if session is not None:
            await session.take_candidate(message.candidate, message.label, message.id)

    def _query(self, client: Client, message: Message) -> None:
        match message:
            case GetBroadcastObject(stream_id=stream_id):
                record = self._rooms.encoded(stream_id, _now_ms())
                found = {} if record is None else {"broadcast": record}
                client.notify("broadcastObject", streamId=stream_id, **found)
            case GetSubtracks(stream_id=stream_id):
                page = self._rooms.page(stream_id, message.offset, message.size, message.role, _now_ms())
                client.notify("subtrackList", streamId=stream_id, subtrackList=page)
            case GetSubtracksCount(stream_id=stream_id):
                count = len(self._rooms.subtracks(stream_id))
                client.notify("subtrackCount", streamId=stream_id, count=count)
            case GetVideoTrackAssignments(stream_id=stream_id):
                if (viewer := client.viewers.get(stream_id)) is not None:
                    viewer.tell_video_assignments()

    # -- what the sessions report --

    def publish_started(self, client: Client, ingest: Ingest) -> None:
        """Media arrives: the publisher is a subtrack of its room."""
        stream_id = ingest.stream_id
        self._rooms.start(stream_id)
        room = self._rooms.main_track(stream_id)
        named = {"room": room, "ATTR_ROOM_NAME": room} if room else {}
        client.notify("publish_started", streamId=stream_id, subscriberId="", **named)
        self._membership_changed("subtrackAdded", stream_id, room)

    def publish_ended(self, client: Client, ingest: Ingest, ending: Ending) -> None:
        """The publisher is gone from its room."""
        stream_id = ingest.stream_id
        del self._ingests[stream_id], client.ingests[stream_id]
        record = self._rooms.remove(stream_id)
        self._close(ingest)
        if ending is Ending.TIMEOUT:
            client.refuse("publishTimeoutError", stream_id)
        elif ending is Ending.REFUSED:
            client.refuse("notSetRemoteDescription", stream_id, subscriberId="")
        elif ending is not Ending.REPLACED:
            client.notify("publish_finished", streamId=stream_id, subscriberId="")
        if ingest.started:
            self._membership_changed("subtrackRemoved", stream_id, record.main_track)
        if ending is not Ending.REPLACED:
            self._dismiss_viewers()

    def play_offered(self, client: Client, viewer: Viewer, sdp: str, id_mapping: dict[str, str]) -> None:
        """The viewer's next offer."""
        mapping = id_mapping if self._options.id_mapping else None
        offer = TakeConfiguration(stream_id=viewer.stream_id, type="offer", sdp=sdp, id_mapping=mapping)
        client.send(offer.encode())

    def play_ended(self, client: Client, viewer: Viewer, ending: Ending) -> None:
        """The viewer is gone."""
        self._viewers.discard(viewer)
        del client.viewers[viewer.stream_id]
        self._close(viewer)
        if ending is Ending.REFUSED:
            client.refuse("notSetRemoteDescription", viewer.stream_id, subscriberId="")
        else:
            client.notify("play_finished", streamId=viewer.stream_id, subscriberId="")

    def relay_published(self, client: Client, ingest: Ingest, message: str | bytes) -> None:
        """What a publisher says goes to everybody who plays it, or its room, but not back to itself."""
        stream_id = ingest.stream_id
        hearers = self._viewers_of(stream_id, self._rooms.main_track(stream_id))
        _relay(client, message, [viewer for viewer in hearers if viewer.own_id != stream_id])

    def relay_played(self, client: Client, viewer: Viewer, message: str | bytes) -> None:
        """What a viewer says goes to everybody else who plays the same."""
        hearers = self._viewers_of(viewer.stream_id)
        _relay(client, message, [hearer for hearer in hearers if hearer is not viewer])

    # -- viewers --

    def _viewers_of(self, *stream_ids: str) -> list[Viewer]:
        return [viewer for viewer in self._viewers if viewer.stream_id in stream_ids]

    def _membership_changed(self, definition: str, stream_id: str, room: str) -> None:
        for viewer in self._viewers_of(stream_id, room):
            if viewer.own_id != stream_id:
                viewer.owner.notify(definition, mainTrack=viewer.stream_id, trackId=stream_id)
        self._show_all(stream_id, room)

    def _show_all(self, *stream_ids: str) -> None:
        for viewer in self._viewers_of(*stream_ids):
            self._show(viewer)

    def _show(self, viewer: Viewer) -> None:
        seen = [record.stream_id for record in self._rooms.played(viewer.stream_id)]
        viewer.show(
            {
                stream_id: self._ingests[stream_id]
                for stream_id in seen
                if stream_id != viewer.own_id and viewer.wants(stream_id)
            }
        )

    def _dismiss_viewers(self) -> None:
        """Nobody is left in their room."""
        for viewer in tuple(self._viewers):
            if not self._rooms.is_playable(viewer.stream_id):
                viewer.end(Ending.EMPTY)

    def _close(self, session: Ingest | Viewer) -> None:
        task = asyncio.create_task(session.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _is_full(client: Client) -> bool:
    return len(client.ingests) + len(client.viewers) >= SESSION_LIMIT


def _id_refusal(stream_id: str) -> str | None:
    if not stream_id:
        return "noStreamNameSpecified"
    return None if is_stream_id(stream_id) else "invalidStreamName"


def _relay(client: Client, message: str | bytes, hearers: list[Viewer]) -> None:
    size = len(message.encode()) if isinstance(message, str) else len(message)
    if client.talk.take() and size <= DATA_LIMIT:
        for viewer in hearers:
            viewer.tell(message)


def _now_ms() -> int:
    return int(time.time() * 1000)
