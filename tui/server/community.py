"""The Community Edition: it takes what is published and plays nothing (signalling reference, section 8).

Used by the room server instead of the whole application, so that a client can be seen to recognise it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.core.commands import GetStreamInfo, Ping, Play, Publish
from tui.core.messages import Stop, TakeCandidate, TakeConfiguration
from tui.core.wire import Unknown
from tui.server import push
from tui.server.access import Secrets, id_refusal
from tui.server.application import Application
from tui.server.session import Ending

if TYPE_CHECKING:
    from tui.core.aiortc_internals import Addresses
    from tui.core.wire import Message, MissingFieldError
    from tui.server.client import Client
    from tui.server.ingest import Ingest
    from tui.server.options import Options
    from tui.server.viewer import Viewer


class Community(Application):
    """One publisher per client, no rooms, no grace time, no tokens, no data channel; silence for all queries."""

    def __init__(self, options: Options, addresses: Addresses) -> None:
        super().__init__(replace(options, grace=0.0, secrets=Secrets()), addresses)

    async def handle(self, client: Client, message: Message) -> None:
        """Do what a client commands; whatever it is but a ping has to name a stream."""
        named = message.raw.get("streamId") if isinstance(message, Unknown) else getattr(message, "stream_id", "")
        match message:
            case Ping():
                client.say("pong")
            case _ if (refusal := id_refusal(named if isinstance(named, str) else "")) is not None:
                client.refuse(refusal)
            case Play() | GetStreamInfo():
                client.refuse("no_stream_exist", message.stream_id, error_code="404")
            case Publish() if message.stream_id in client.ingests:
                client.refuse("streamIdInUse", message.stream_id)
            case Publish():
                await client.beginnings.turn()
                _end_all(client, Ending.REPLACED)
                bare = Publish(stream_id=message.stream_id, stream_name=message.stream_name)
                self.publishers.publish(client, bare)
            case Stop():
                _end_all(client, Ending.STOPPED)
            case TakeConfiguration(type="offer"):
                # It counts as live as soon as it is negotiated.
                if await self.publishers.take_offer(client, message):
                    client.ingests[message.stream_id].start()
            case TakeCandidate():
                await super().handle(client, message)

    def misses(self, client: Client, error: MissingFieldError) -> bool:
        """Of all fields only the stream's id is looked for."""
        is_unnamed = error.key == "streamId" or error.command in push.COMMANDS
        if is_unnamed:
            client.refuse("noStreamNameSpecified")
        return is_unnamed

    def relay_published(self, client: Client, ingest: Ingest, message: str | bytes) -> None:
        """Nobody hears it."""

    def relay_played(self, client: Client, viewer: Viewer, message: str | bytes) -> None:
        """There are no players."""


def _end_all(client: Client, ending: Ending) -> None:
    for ingest in tuple(client.ingests.values()):
        ingest.end(ending)
