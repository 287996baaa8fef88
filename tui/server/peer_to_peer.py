"""Peer-to-peer calls: two clients that joined under one id, and what the server relays between them.

Used by the application. The media of these calls never comes here (signalling reference, 2.5, 2.7 and 3.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.server.access import id_refusal
from tui.server.gate import SDP_LIMIT

if TYPE_CHECKING:
    from tui.core.messages import PeerMessage, TakeCandidate, TakeConfiguration
    from tui.server.access import Access
    from tui.server.client import Client

CALL_LIMIT = 16
"""Calls of one client."""

RELAY_LIMIT = 2 * SDP_LIMIT
"""Characters of a message that is relayed."""


class Calls:
    """Who has joined which id, in the order of joining: the first one offers when the second one comes."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._joined: dict[str, list[Client]] = {}

    def join(self, client: Client, stream_id: str) -> None:
        """A client joins; a third one finds the id in use."""
        there = self._joined.get(stream_id, [])
        if (refusal := id_refusal(stream_id)) is not None:
            client.refuse(refusal, stream_id)
        elif self._access.guarded:
            # The command has no token.
            client.refuse("unauthorized_access", stream_id)
        elif len(there) == 2 or client in there:
            client.refuse("streamIdInUse", stream_id)
        elif sum(client in others for others in self._joined.values()) >= CALL_LIMIT:
            client.refuse("highResourceUsage", stream_id)
        else:
            self._joined[stream_id] = [*there, client]
            client.notify("joined", streamId=stream_id)
            for first in there:
                first.say("start", streamId=stream_id, subscriberId="")

    def leave(self, client: Client, stream_id: str) -> None:
        """A client leaves; the other one hears that it is alone."""
        if client not in self._joined.get(stream_id, []):
            client.refuse("no_peer_associated_before", stream_id)
            return
        self._part(client, stream_id)
        client.notify("leaved", streamId=stream_id)

    def forget(self, client: Client) -> None:
        """The client's socket is gone."""
        for stream_id in [stream_id for stream_id, there in self._joined.items() if client in there]:
            self._part(client, stream_id)

    def has_joined(self, client: Client, stream_id: str) -> bool:
        """Whether the client has joined that id."""
        return client in self._joined.get(stream_id, [])

    def relay(self, client: Client, message: TakeConfiguration | TakeCandidate | PeerMessage) -> None:
        """Pass a description, a candidate or a message on to the other one."""
        stream_id = message.stream_id
        others = [other for other in self._joined.get(stream_id, []) if other is not client]
        if not others or not self.has_joined(client, stream_id):
            client.refuse("no_peer_associated_before", stream_id)
            return
        if len(text := message.encode()) <= RELAY_LIMIT:
            others[0].send(text)

    def _part(self, client: Client, stream_id: str) -> None:
        others = [other for other in self._joined.pop(stream_id) if other is not client]
        if others:
            self._joined[stream_id] = others
            others[0].say("stop", streamId=stream_id)
