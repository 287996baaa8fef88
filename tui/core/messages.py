"""What a server says, and the descriptions and candidates that go both ways.

Used by the protocol and the local room server. Source: signalling reference, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tui.core.wire import Json, Message, kinds, parse

# -- both ways ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeConfiguration(Message):
    """An SDP: ``type`` is ``offer`` or ``answer``; ``id_mapping`` maps mid to track id (server only)."""

    command = "takeConfiguration"
    stream_id: str
    type: str
    sdp: str
    id_mapping: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeCandidate(Message):
    """A trickled ICE candidate: ``label`` is the m-line index, ``id`` the mid."""

    command = "takeCandidate"
    stream_id: str
    candidate: str = ""
    label: int = 0
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop(Message):
    """End the session of that id; from a server, the other side is gone (section 3.4)."""

    command = "stop"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerMessage(Message):
    """A message to the other end of a peer-to-peer session (section 2.5); not for rooms."""

    command = "peerMessageCommand"
    stream_id: str
    definition: str = ""
    data: object = None


# -- server to client --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(Message):
    """Publish accepted: create the offer now."""

    command = "start"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong(Message):
    """Answer to a ping."""

    command = "pong"


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServerConfig(Message):
    """One STUN or TURN address (section 3.3)."""

    command = "iceServerConfig"
    stun_server_uri: str = ""
    turn_server_username: str = ""
    turn_server_credential: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(Message):
    """Something happened (section 3.5); ``raw`` is the whole object, as the SDK's callback gets it.

    The answer to a push notification may have no definition, and one document has ``description`` in its place.
    """

    command = "notification"
    definition: str = ""
    description: str = ""
    stream_id: str = ""
    raw: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError(Message):
    """The server refused something (section 3.7); ``raw`` is the whole object."""

    command = "error"
    definition: str
    stream_id: str = ""
    raw: Json = field(default_factory=dict)


ANSWERS = frozenset(
    {"streamInformation", "roomInformation", "trackList", "videoTrackAssignmentList", "connectWithNewId"}
)
"""Commands that answer something: the application gets them whole, by their own name (section 3.4)."""

_KINDS = kinds(
    TakeConfiguration, TakeCandidate, Stop, PeerMessage, Start, Pong, IceServerConfig, Notification, ServerError
)


def parse_from_server(text: str | bytes) -> Message:
    """A client's reading of one frame; raises `WireError` for anything that is not a message."""
    return parse(text, _KINDS)
