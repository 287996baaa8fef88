"""Who plays a room or a single stream, and what each of them is told and shown.

Used by the application, and by the publishers as their `Audience` (signalling reference, 4.2 to 4.5).
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tui.core.wire import is_stream_id
from tui.server.access import Purpose, id_refusal
from tui.server.room import NAME_LIMIT
from tui.server.session import Ending
from tui.server.viewer import Viewer, track_filter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.core.aiortc_internals import Addresses
    from tui.core.commands import Play
    from tui.core.tasks import Tasks
    from tui.server.access import Access
    from tui.server.client import Client
    from tui.server.ingest import Ingest
    from tui.server.options import Options
    from tui.server.room import Record, Rooms

WAITING_LIMIT = 16
"""Ids of which one client is told when what it could not play begins."""

TRACK_LIST_LIMIT = 1000
"""Entries of a ``trackList`` that are kept."""

DEFAULT_ROLE = "default"
"""What an empty role counts as (section 6.6)."""


class Players:
    """All play sessions; ``viewers`` are they, with the command that began each."""

    def __init__(
        self,
        options: Options,
        addresses: Addresses,
        access: Access,
        rooms: Rooms,
        shown: Mapping[str, Ingest],
        tasks: Tasks,
    ) -> None:
        self.viewers: dict[Viewer, Play] = {}
        self._options = options
        self._addresses = addresses
        self._access = access
        self._rooms = rooms
        self._shown = shown
        self._tasks = tasks
        self._waiting: set[tuple[str, Client]] = set()

    def of(self, *stream_ids: str) -> list[Viewer]:
        """Who plays one of these ids."""
        return [viewer for viewer in self.viewers if viewer.stream_id in stream_ids]

    def tell(self, event: Mapping[str, Any], *stream_ids: str) -> None:
        """Send a data-channel event to everybody who plays one of these ids."""
        text = json.dumps(event)
        for viewer in self.of(*stream_ids):
            viewer.tell(text)

    # -- commands --

    def play(self, client: Client, message: Play) -> None:
        """Begin a session, or refuse it by the name of AMS's error."""
        stream_id = message.stream_id
        if (refusal := self._refusal(client, message)) is not None:
            client.refuse(refusal, stream_id)
        elif not self._rooms.is_playable(stream_id):
            client.refuse("no_stream_exist", stream_id, error_code="404")
            if sum(waiting is client for _, waiting in self._waiting) < WAITING_LIMIT:
                self._waiting.add((stream_id, client))
        else:
            message = _bounded(message)
            viewer = Viewer(
                client,
                stream_id,
                self._addresses,
                self._options.start_timeout,
                own_id=message.user_publish_id,
                wants=track_filter(message.track_list),
                labels=self._options.labels,
                limits=self._options.limits,
                disabled=message.disable_tracks_by_default or False,
            )
            client.viewers[stream_id] = viewer
            self.viewers[viewer] = message
            self._show(viewer)

    def _refusal(self, client: Client, message: Play) -> str | None:
        stream_id = message.stream_id
        refusal = id_refusal(stream_id) or self._access.refusal(client, message, Purpose.PLAY)
        if refusal is not None:
            return refusal
        if stream_id in client.viewers:
            return "already_playing"
        if 0 <= self._options.viewer_limit <= len(self.of(stream_id)):
            return "viewerLimitReached"
        return "highResourceUsage" if client.is_full else None

    def stop(self, client: Client, stream_id: str) -> None:
        """End the client's session of that id."""
        if (viewer := client.viewers.get(stream_id)) is not None:
            viewer.end(Ending.STOPPED)

    def forget(self, client: Client) -> None:
        """The client's socket is gone: it waits for nothing any more."""
        self._waiting = {entry for entry in self._waiting if entry[1] is not client}

    def end_all(self) -> None:
        """The server stops."""
        for viewer in tuple(self.viewers):
            viewer.end(Ending.SHUTDOWN)

    # -- what the sessions report --

    def offered(self, client: Client, viewer: Viewer, sdp: str, id_mapping: dict[str, str]) -> None:
        """A session's next offer."""
        client.describe(viewer.stream_id, "offer", sdp, id_mapping if self._options.id_mapping else None)

    def started(self, client: Client, viewer: Viewer) -> None:
        """A session's connection is up."""
        subscriber_id = self.viewers[viewer].subscriber_id
        client.notify("play_started", streamId=viewer.stream_id, subscriberId=subscriber_id)
        self._tell_publishers("PLAYER_ADDED", viewer)

    def ended(self, client: Client, viewer: Viewer, ending: Ending) -> None:
        """A session is over."""
        if viewer.started:
            self._tell_publishers("PLAYER_REMOVED", viewer)
        subscriber_id = self.viewers.pop(viewer).subscriber_id
        del client.viewers[viewer.stream_id]
        if ending is Ending.REFUSED:
            client.refuse("notSetRemoteDescription", viewer.stream_id, subscriberId=subscriber_id)
        else:
            client.notify("play_finished", streamId=viewer.stream_id, subscriberId=subscriber_id)
        self._tasks.spawn(viewer.aclose(), "closing a play session")

    def _tell_publishers(self, event_type: str, viewer: Viewer) -> None:
        play = self.viewers[viewer]
        event = {
            "eventType": event_type,
            "streamId": viewer.stream_id,
            "subscriberId": play.subscriber_id,
            "subscriberName": play.subscriber_name or "",
        }
        text = json.dumps(event)
        for record in self._rooms.played(viewer.stream_id):
            if record.stream_id != viewer.own_id:
                self._shown[record.stream_id].tell(text)

    # -- what the publishers do --

    def joined(self, stream_id: str, room: str) -> None:
        """`Audience`."""
        self._membership_changed("subtrackAdded", stream_id, room)
        # Whoever asked in vain may play now.
        for entry in [entry for entry in self._waiting if entry[0] in (stream_id, room)]:
            self._waiting.discard(entry)
            entry[1].notify("streaming_started", streamId=entry[0])

    def left(self, stream_id: str, room: str) -> None:
        """`Audience`."""
        self._membership_changed("subtrackRemoved", stream_id, room)

    def show(self, *stream_ids: str) -> None:
        """`Audience`."""
        for viewer in self.of(*stream_ids):
            self._show(viewer)

    def dismiss(self) -> None:
        """`Audience`."""
        for viewer in tuple(self.viewers):
            if not self._rooms.is_playable(viewer.stream_id):
                viewer.end(Ending.EMPTY)

    def _membership_changed(self, definition: str, stream_id: str, room: str) -> None:
        for viewer in self.of(stream_id, room):
            if viewer.own_id != stream_id:
                viewer.owner.notify(definition, mainTrack=viewer.stream_id, trackId=stream_id)
        self.show(stream_id, room)

    def _show(self, viewer: Viewer) -> None:
        seen = [record.stream_id for record in self._rooms.played(viewer.stream_id) if self._may_see(viewer, record)]
        viewer.show({stream_id: self._shown[stream_id] for stream_id in seen})

    def _may_see(self, viewer: Viewer, record: Record) -> bool:
        if record.stream_id == viewer.own_id or not viewer.wants(record.stream_id):
            return False
        if self._options.visibility is None:
            return True
        own = self._rooms.get(viewer.own_id)
        role = self.viewers[viewer].role or (own.role if own is not None else "")
        return (record.role or DEFAULT_ROLE) in self._options.visibility.get(role or DEFAULT_ROLE, ())


def _bounded(message: Play) -> Play:
    """The command as it is kept: no secrets, and nothing that would be long in others' answers."""
    return replace(
        message,
        token="",
        subscriber_id=message.subscriber_id[:NAME_LIMIT],
        subscriber_code="",
        subscriber_name=(message.subscriber_name or "")[:NAME_LIMIT],
        track_list=[entry[: NAME_LIMIT + 1] for entry in message.track_list[:TRACK_LIST_LIMIT]],
        viewer_info=message.viewer_info[:NAME_LIMIT],
        role=message.role[:NAME_LIMIT],
        user_publish_id=message.user_publish_id if is_stream_id(message.user_publish_id) else "",
    )
