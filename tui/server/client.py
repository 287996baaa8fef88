"""One WebSocket client as the application sees it: where its answers go, and its sessions by stream id.

Used by the application and the room server. It owns its sessions: what they report reaches the application with the
client's name on it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tui.core.messages import is_stream_id
from tui.server.limits import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.server.application import Application
    from tui.server.ingest import Ingest
    from tui.server.session import Ending
    from tui.server.viewer import Viewer

TALK_LIMIT = 100
"""Data-channel messages that one client may send in a second."""


class Client:
    """``send`` takes one text frame and never waits; ``is_open`` says whether the socket still stands."""

    def __init__(self, application: Application, send: Callable[[str], None], is_open: Callable[[], bool]) -> None:
        self.send = send
        self.is_open = is_open
        self.ingests: dict[str, Ingest] = {}
        self.viewers: dict[str, Viewer] = {}
        self.talk = Allowance(TALK_LIMIT, 1.0)
        self._application = application

    def notify(self, definition: str, **fields: Any) -> None:
        """Send a notification (section 3.5)."""
        self.send(json.dumps({"command": "notification", "definition": definition, **fields}))

    def refuse(self, definition: str, stream_id: str = "", **fields: Any) -> None:
        """Send an error (section 3.7); an id that breaks the rules is not echoed."""
        echoed = {"streamId": stream_id} if is_stream_id(stream_id) else {}
        self.send(json.dumps({"command": "error", "definition": definition, **echoed, **fields}))

    # -- what its sessions report --

    def publish_started(self, ingest: Ingest) -> None:
        """Media arrives from this client."""
        self._application.publish_started(self, ingest)

    def publish_ended(self, ingest: Ingest, ending: Ending) -> None:
        """A publish session of this client is over."""
        self._application.publish_ended(self, ingest, ending)

    def publish_said(self, ingest: Ingest, message: str | bytes) -> None:
        """This client speaks on a publish connection's data channel."""
        self._application.relay_published(self, ingest, message)

    def play_offered(self, viewer: Viewer, sdp: str, id_mapping: dict[str, str]) -> None:
        """A play session of this client negotiates."""
        self._application.play_offered(self, viewer, sdp, id_mapping)

    def play_started(self, viewer: Viewer) -> None:
        """A play session of this client is up."""
        self.notify("play_started", streamId=viewer.stream_id, subscriberId="")

    def play_ended(self, viewer: Viewer, ending: Ending) -> None:
        """A play session of this client is over."""
        self._application.play_ended(self, viewer, ending)

    def play_said(self, viewer: Viewer, message: str | bytes) -> None:
        """This client speaks on a play connection's data channel."""
        self._application.relay_played(self, viewer, message)
