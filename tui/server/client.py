"""One WebSocket client as the application sees it: where its answers go, and its sessions by stream id.

Used by the application and the room server. It owns its sessions: what they report reaches the application with the
client's name on it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tui.allowance import Allowance
from tui.core.wire import DATA_LIMIT, is_stream_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.server.application import Application
    from tui.server.ingest import Ingest
    from tui.server.session import Ending
    from tui.server.viewer import Viewer

TALK_LIMIT = 100
"""Data-channel messages that one client may send in a second."""

TALK_BYTES = 2 << 20
"""Bytes that one client may send on its data channels in a second: a binary of 1 MiB goes in pieces, and words too."""

SESSION_LIMIT = 16
"""Publish and play sessions of one client, and its legacy places in rooms."""

BEGINNINGS = 32
BEGINNING_PERIOD = 10.0
"""So many sessions and places in rooms in so many seconds are begun at once; the next ones wait. A session costs a peer
connection, and a place is told to the whole room."""

OFFERS = 10
OFFER_PERIOD = 10.0
"""So many descriptions in so many seconds are taken at once; the next ones wait."""


class Client:
    """``send`` takes one text frame and never waits; ``is_open`` says whether the socket still stands."""

    def __init__(
        self,
        application: Application,
        send: Callable[[str], None],
        is_open: Callable[[], bool],
        *,
        address: str = "",
        user_agent: str = "",
    ) -> None:
        self.send = send
        self.is_open = is_open
        self.address = address
        self.user_agent = user_agent
        self.ingests: dict[str, Ingest] = {}
        self.viewers: dict[str, Viewer] = {}
        self.listed: set[str] = set()
        """Ids under which it is listed in a room without publishing (legacy ``joinRoom``)."""
        self.heard_at = time.monotonic()
        """When it last commanded something."""
        self.beginnings = Allowance(BEGINNINGS, BEGINNING_PERIOD)
        self.offers = Allowance(OFFERS, OFFER_PERIOD)
        self._talk = Allowance(TALK_LIMIT, 1.0)
        self._talk_bytes = Allowance(TALK_BYTES, 1.0)
        self._application = application

    @property
    def is_full(self) -> bool:
        """Whether it may begin nothing more."""
        return len(self.ingests) + len(self.viewers) + len(self.listed) >= SESSION_LIMIT

    def say(self, command: str, **fields: Any) -> None:
        """Send a command (sections 3.1 to 3.4)."""
        self.send(json.dumps({"command": command, **fields}))

    def notify(self, definition: str, **fields: Any) -> None:
        """Send a notification (section 3.5)."""
        self.say("notification", definition=definition, **fields)

    def refuse(self, definition: str, stream_id: str = "", **fields: Any) -> None:
        """Send an error (section 3.7); an id that breaks the rules is not echoed."""
        echoed = {"streamId": stream_id} if is_stream_id(stream_id) else {}
        self.say("error", definition=definition, **echoed, **fields)

    def describe(self, stream_id: str, kind: str, sdp: str, id_mapping: dict[str, str] | None = None) -> None:
        """Send an SDP, ``kind`` is offer or answer (section 3.2)."""
        mapped = {} if id_mapping is None else {"idMapping": id_mapping}
        self.say(
            "takeConfiguration", streamId=stream_id, type=kind, sdp=sdp, **mapped, linkSession=None, subscriberId=""
        )

    def may_say(self, message: str | bytes) -> bool:
        """Whether this data-channel message is within what one client may send."""
        size = len(message.encode(errors="replace")) if isinstance(message, str) else len(message)
        return size <= DATA_LIMIT and self._talk.take() and self._talk_bytes.take(size)

    # -- what its sessions report --

    def publish_started(self, ingest: Ingest) -> None:
        """Media arrives from this client."""
        self._application.publishers.started(self, ingest)

    def publish_ended(self, ingest: Ingest, ending: Ending) -> None:
        """A publish session of this client is over."""
        self._application.publishers.ended(self, ingest, ending)

    def publish_said(self, ingest: Ingest, message: str | bytes) -> None:
        """This client speaks on a publish connection's data channel."""
        self._application.relay_published(self, ingest, message)

    def play_offered(self, viewer: Viewer, sdp: str, id_mapping: dict[str, str]) -> None:
        """A play session of this client negotiates."""
        self._application.players.offered(self, viewer, sdp, id_mapping)

    def play_started(self, viewer: Viewer) -> None:
        """A play session of this client is up."""
        self._application.players.started(self, viewer)

    def play_ended(self, viewer: Viewer, ending: Ending) -> None:
        """A play session of this client is over."""
        self._application.players.ended(self, viewer, ending)

    def play_said(self, viewer: Viewer, message: str | bytes) -> None:
        """This client speaks on a play connection's data channel."""
        self._application.relay_played(self, viewer, message)
