"""The wire's types, for both ends: commands a client sends, messages a server sends, data-channel events.

Used by the protocol, the adaptor and the local room server. Everything that arrives is checked here once:
size, shape and the type of every known field; what passes can be trusted to be what the class says.
Source: signalling reference, sections 1.5, 2, 3 and 6.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from tui.errors import WireError

MESSAGE_LIMIT = 1 << 20
"""Bytes of one signalling message that are still read."""

DATA_LIMIT = 64 << 10
"""Bytes of one data-channel text that are still read."""

DEPTH_LIMIT = 32
"""Objects and lists inside one another; what is deeper could not be walked through without care."""

Json: TypeAlias = Mapping[str, Any]


class MissingFieldError(WireError):
    """A known command without a field that it needs; AMS answers it with ``noStreamNameSpecified``."""


ID_RULE = "use letters, digits, '-', '_' and '.', at most 256 of them"
"""What `is_stream_id` asks for, for people."""

_STREAM_ID = re.compile(r"[A-Za-z0-9._-]{1,256}\Z")


def is_stream_id(text: str) -> bool:
    """Whether AMS takes this as a stream or room id (section 1.5: letters, digits, ``-``, ``_``, ``.``)."""
    return _STREAM_ID.match(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One JSON object of the wire; field names are the snake case of the wire's keys."""

    command: ClassVar[str]

    def payload(self) -> dict[str, Any]:
        """The wire's keys and values without ``command``; a field that is ``None`` is left out."""
        values = ((_key(item.name), getattr(self, item.name)) for item in fields(self) if item.name != "raw")
        return {key: value for key, value in values if value is not None}

    def encode(self) -> str:
        """The text frame."""
        return json.dumps({"command": self.command, **self.payload()}, separators=(",", ":"))


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


# -- client to server --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    """Application keep-alive (section 1.3)."""

    command = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class GetIceServerConfig(Message):
    """Asks for the server's STUN or TURN address."""

    command = "getIceServerConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Message):
    """Start a publish session (section 2.2)."""

    command = "publish"
    stream_id: str
    token: str = ""
    subscriber_id: str = ""
    subscriber_code: str = ""
    stream_name: str = ""
    main_track: str = ""
    video: bool = True
    audio: bool = True
    meta_data: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Message):
    """Start a play session, one for a whole room (section 2.3)."""

    command = "play"
    stream_id: str
    token: str = ""
    room: str = ""
    track_list: list[str] = field(default_factory=list)
    subscriber_id: str = ""
    subscriber_code: str = ""
    viewer_info: str = ""
    role: str = ""
    user_publish_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBroadcastObject(Message):
    """Asks for the server's record of a stream or room."""

    command = "getBroadcastObject"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSubtracks(Message):
    """Asks for a page of a room's participants."""

    command = "getSubtracks"
    stream_id: str
    offset: int = 0
    size: int = 50
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSubtracksCount(Message):
    """Asks how many participants a room has."""

    command = "getSubtracksCount"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetVideoTrackAssignments(Message):
    """Asks for the list of who is in which video slot; answered on the data channel."""

    command = "getVideoTrackAssignmentsCommand"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStreamMetaData(Message):
    """Replaces the metaData of the own broadcast."""

    command = "updateStreamMetaData"
    stream_id: str
    meta_data: str = ""


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
    turn_server_credential: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification(Message):
    """Something happened (section 3.5); ``raw`` is the whole object, as the SDK's callback gets it."""

    command = "notification"
    definition: str
    stream_id: str = ""
    raw: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError(Message):
    """The server refused something (section 3.7); ``raw`` is the whole object."""

    command = "error"
    definition: str
    stream_id: str = ""
    raw: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Message):
    """A command that this version does not know; kept for the log, otherwise ignored."""

    command = ""
    name: str
    raw: Json = field(default_factory=dict)


_SHARED: tuple[type[Message], ...] = (TakeConfiguration, TakeCandidate, Stop)
_CLIENT_KINDS: tuple[type[Message], ...] = (
    *_SHARED,
    Ping,
    GetIceServerConfig,
    Publish,
    Play,
    GetBroadcastObject,
    GetSubtracks,
    GetSubtracksCount,
    GetVideoTrackAssignments,
    UpdateStreamMetaData,
)
_FROM_CLIENT = {kind.command: kind for kind in _CLIENT_KINDS}
_SERVER_KINDS: tuple[type[Message], ...] = (*_SHARED, Start, Pong, IceServerConfig, Notification, ServerError)
_FROM_SERVER = {kind.command: kind for kind in _SERVER_KINDS}


def parse_from_server(text: str | bytes) -> Message:
    """A client's reading of one frame; raises `WireError` for anything that is not a message."""
    return _parse(text, _FROM_SERVER)


def parse_from_client(text: str | bytes) -> Message:
    """A server's reading of one frame; raises `WireError` for anything that is not a message."""
    return _parse(text, _FROM_CLIENT)


# -- what travels inside -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A stream's record as far as a conference needs it (section 3.6)."""

    stream_id: str
    name: str = ""
    status: str = ""
    main_track: str = ""
    meta_data: Json = field(default_factory=dict)

    @classmethod
    def read(cls, text: object) -> Broadcast | None:
        """From the JSON string of a ``broadcastObject`` or ``subtrackList`` entry; ``None`` if unusable."""
        record = load_object(text)
        stream_id = record.get("streamId")
        if not isinstance(stream_id, str) or not stream_id:
            return None
        return cls(
            stream_id=stream_id,
            name=_text(record.get("name")),
            status=_text(record.get("status")),
            main_track=_text(record.get("mainTrackStreamId")),
            meta_data=load_object(record.get("metaData")),
        )


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is in a slot now: ``label`` such as ``videoTrack0``, ``stream_id`` empty when nobody is."""

    label: str
    stream_id: str
    reserved: bool = False


def read_assignments(event: Json, label_key: str = "videoLabel") -> tuple[Assignment, ...]:
    """The entries of a VIDEO_TRACK_ASSIGNMENT_LIST or AUDIO_TRACK_ASSIGNMENT event (section 6.2)."""
    entries = event.get("payload")
    if not isinstance(entries, list):
        return ()
    return tuple(
        Assignment(label, _text(entry.get("trackId")), entry.get("reserved") is True)
        for entry in entries
        if isinstance(entry, dict) and (label := _text(entry.get(label_key)))
    )


def load_object(text: object) -> Json:
    """The JSON object inside a string (or the object itself); empty when it is anything else."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, (str, bytes)) or not text:
        return {}
    try:
        value = _decode(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# -- reading -----------------------------------------------------------------------------------------

_M = TypeVar("_M", bound=Message)


def _parse(text: str | bytes, known: Mapping[str, type[Message]]) -> Message:
    if len(text) > MESSAGE_LIMIT:
        raise WireError(f"message of {len(text)} bytes refused (limit {MESSAGE_LIMIT})")
    try:
        value = _decode(text)
    except (ValueError, RecursionError) as error:
        raise WireError(f"message is not JSON: {type(error).__name__}") from error
    if not isinstance(value, dict) or not isinstance(value.get("command"), str):
        raise WireError("message is not a JSON object with a command")
    kind = known.get(value["command"])
    if kind is None:
        return Unknown(name=value["command"], raw=value)
    return _build(kind, value)


def _build(kind: type[_M], value: dict[str, Any]) -> _M:
    hints = _hints(kind)
    given: dict[str, Any] = {}
    for item in fields(kind):
        if item.name == "raw":
            given["raw"] = value
            continue
        found = value.get(_key(item.name))
        if found is None:
            continue
        if not _fits(found, hints[item.name]):
            raise WireError(f"{kind.command}: field {_key(item.name)!r} has the wrong type")
        given[item.name] = found
    try:
        return kind(**given)
    except TypeError as error:
        raise MissingFieldError(f"{kind.command}: a required field is missing") from error


_HINTS: dict[type[Message], dict[str, Any]] = {}


def _hints(kind: type[Message]) -> dict[str, Any]:
    if kind not in _HINTS:
        _HINTS[kind] = get_type_hints(kind)
    return _HINTS[kind]


def _fits(value: object, hint: Any) -> bool:
    origin = get_origin(hint)
    if origin is list:
        return isinstance(value, list) and all(isinstance(item, get_args(hint)) for item in value)
    if origin is dict:
        return isinstance(value, dict)
    if hint is bool or hint is int:
        return type(value) is hint
    if isinstance(hint, type):
        return isinstance(value, hint)
    return any(_fits(value, option) for option in get_args(hint) if option is not type(None))


def _key(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _decode(text: str | bytes) -> Any:
    value = json.loads(text, parse_constant=_no_constant)
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return value
    raise ValueError("nested too deep")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
