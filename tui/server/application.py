"""What AMS calls an application: the streams, rooms and viewers behind one WebSocket address.

Used by the room server, which hands it every command of every client. Here a command finds who carries it out:
`publishers`, `players` and `controls` the sessions, `queries` what is only asked. A command that is not served is
ignored, as AMS ignores it (signalling reference, section 2).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.commands import (
    GetIceServerConfig,
    Join,
    JoinRoom,
    Leave,
    LeaveFromRoom,
    Ping,
    Play,
    Publish,
    RegisterPushNotificationToken,
    SendPushNotification,
    UpdateStreamMetaData,
)
from tui.core.messages import PeerMessage, Stop, TakeCandidate, TakeConfiguration
from tui.core.tasks import Tasks
from tui.server import push
from tui.server.access import Access
from tui.server.controls import Control, obey
from tui.server.listing import Listing
from tui.server.peer_to_peer import Calls
from tui.server.players import Players
from tui.server.publishers import Publishers
from tui.server.queries import Queries
from tui.server.reports import Reports
from tui.server.room import NAME_LIMIT, Rooms
from tui.server.session import Ending

if TYPE_CHECKING:
    from tui.core.aiortc_internals import Addresses
    from tui.core.wire import Message, MissingFieldError
    from tui.server.client import Client
    from tui.server.ingest import Ingest
    from tui.server.options import Options
    from tui.server.viewer import Viewer

CLOSE_TIMEOUT = 1.5
"""Seconds that all sessions together may take to close."""


class Application:
    """Everything that is published and played; `start` it in a loop, `aclose` ends it all."""

    def __init__(self, options: Options, addresses: Addresses) -> None:
        self._options = options
        self._closers = Tasks()
        self._tasks = Tasks()
        shown: dict[str, Ingest] = {}
        self.access = Access(options.secrets)
        self.rooms = Rooms(options.labels, options.subtracks_limit, options.viewer_limit)
        self.players = Players(options, addresses, self.access, self.rooms, shown, self._closers)
        self.publishers = Publishers(options, addresses, self.access, self.rooms, shown, self.players, self._closers)
        self._listing = Listing(options, self.access, self.rooms, self.players)
        self._calls = Calls(self.access)
        self._shown = shown
        self._queries = Queries(self.rooms, shown, self.players)
        self._reports = Reports(options, self.rooms, shown, self.players)

    def start(self) -> None:
        """Begin with what is told and looked after from time to time."""
        self._tasks.spawn(self._reports.run(), "reports")

    async def handle(self, client: Client, message: Message) -> None:
        """Do what a client commands."""
        client.heard_at = time.monotonic()
        match message:
            case Ping():
                client.say("pong")
            case GetIceServerConfig():
                client.send(self._options.ice_server.encode())
            case Publish():
                await client.beginnings.turn()
                self.publishers.publish(client, message)
            case Play():
                await client.beginnings.turn()
                self.players.play(client, message)
            case Stop():
                self.publishers.stop(client, message.stream_id)
                self.players.stop(client, message.stream_id)
            case TakeConfiguration() | TakeCandidate() if self._calls.has_joined(client, message.stream_id):
                self._calls.relay(client, message)
            case TakeConfiguration(type="offer"):
                await self.publishers.take_offer(client, message)
            case TakeConfiguration(type="answer"):
                if (viewer := client.viewers.get(message.stream_id)) is not None:
                    viewer.take_answer(message.sdp)
            case TakeCandidate():
                session = client.ingests.get(message.stream_id) or client.viewers.get(message.stream_id)
                if session is not None:
                    await session.take_candidate(message.candidate, message.label, message.id)
            case UpdateStreamMetaData():
                if message.stream_id in client.ingests or message.stream_id in client.listed:
                    self.rooms.set_meta_data(message.stream_id, message.meta_data)
            case _ if isinstance(message, Control):
                obey(client, message)
            case JoinRoom():
                await client.beginnings.turn()
                self._listing.join(client, message)
            case LeaveFromRoom():
                self._listing.leave(client, message)
            case Join():
                self._calls.join(client, message.stream_id)
            case Leave():
                self._calls.leave(client, message.stream_id)
            case PeerMessage():
                self._calls.relay(client, message)
            case RegisterPushNotificationToken() | SendPushNotification():
                push.answer(client, message)
            case _ if self._may_ask(client, message):
                self._queries.answer(client, message)

    def _may_ask(self, client: Client, message: Message) -> bool:
        """Where something is asked for at the door, only who came in is told who is inside."""
        if not self.access.guarded:
            return True
        named = getattr(message, "room", "") or getattr(message, "stream_id", "")
        about = {named, self.rooms.main_track(named)} - {""}
        inside = {*client.viewers, *client.ingests, *map(self.rooms.main_track, client.ingests)}
        return not about.isdisjoint(inside)

    def misses(self, client: Client, error: MissingFieldError) -> bool:
        """Name the field that a command came without; whether AMS has a name for that."""
        if error.key == "streamId":
            client.refuse("noStreamNameSpecified")
        elif error.command in push.COMMANDS:
            push.refuse_incomplete(client, error.command)
        else:
            return False
        return True

    def leave(self, client: Client) -> None:
        """The client's socket is gone, and with it all that was its."""
        for session in (*client.ingests.values(), *client.viewers.values()):
            session.end(Ending.GONE)
        self._listing.forget(client)
        self._calls.forget(client)
        self.players.forget(client)
        self.access.forget(client)

    async def aclose(self) -> None:
        """End every session and wait until they are closed."""
        self.publishers.end_all()
        self.players.end_all()
        await self._closers.finish(CLOSE_TIMEOUT)
        await self._tasks.aclose()

    def update_role(self, stream_id: str, role: str) -> None:
        """Give a participant another role, and tell everybody who plays its room (section 6.6)."""
        if self.rooms.get(stream_id) is None:
            return
        role, room = role[:NAME_LIMIT], self.rooms.main_track(stream_id)
        self.rooms.set_role(stream_id, role)
        event = {"eventType": "UPDATE_PARTICIPANT_ROLE", "streamId": stream_id, "role": role}
        self.players.tell(event, stream_id, room)
        self.players.show(stream_id, room)

    # -- what is said on the data channels --

    def relay_published(self, client: Client, ingest: Ingest, message: str | bytes) -> None:
        """What a publisher says goes to everybody who plays it, or its room, but not back to itself."""
        stream_id = ingest.stream_id
        if client.may_say(message):
            for viewer in self.players.of(stream_id, self.rooms.main_track(stream_id)):
                if viewer.own_id != stream_id:
                    viewer.tell(message)

    def relay_played(self, client: Client, viewer: Viewer, message: str | bytes) -> None:
        """What a viewer says goes to everybody else who plays the same, and to who publishes it."""
        if client.may_say(message):
            ingest = self._shown.get(viewer.stream_id)
            if ingest is not None and ingest.owner is not client:
                ingest.tell(message)
            for hearer in self.players.of(viewer.stream_id):
                if hearer is not viewer:
                    hearer.tell(message)
