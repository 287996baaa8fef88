"""What travels inside the messages: the records of streams and the lists of who is in which slot.

Used by the roster, the conference and the local room server. Source: signalling reference, 3.6 and 6.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.core.wire import Json, is_stream_id, load_object

if TYPE_CHECKING:
    from collections.abc import Iterable


NAME_LIMIT = 256
"""Bytes of a name that are kept."""

META_DATA_LIMIT = 16 << 10
"""Bytes of a record's metaData that are read."""

META_DATA_VALUES = 500
"""Values in it: each list of participants holds everybody's again."""

MEMBER_LIMIT = 1000
"""Ids of a room's members that are read from its record."""

STALE = 20_000
"""Milliseconds by which a live record may lag behind the newest one of its list (section 3.6)."""

_OVER = frozenset({"finished", "error", "failed", "terminated_unexpectedly"})


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A stream's record as far as a conference needs it (section 3.6); ``updated`` is the server's clock in ms."""

    stream_id: str
    name: str = ""
    status: str = ""
    main_track: str = ""
    meta_data: Json = field(default_factory=dict)
    role: str = ""
    members: tuple[str, ...] = ()
    updated: int = field(default=0, compare=False)

    @classmethod
    def read(cls, text: object) -> Broadcast | None:
        """From the JSON string of a ``broadcastObject`` or ``subtrackList`` entry; ``None`` if unusable."""
        record = load_object(text)
        stream_id = _text(record.get("streamId"))
        if not is_stream_id(stream_id):
            return None
        meta_data = read_meta_data(record.get("metaData"))
        updated, members = record.get("updateTime"), record.get("subTrackStreamIds")
        ids = members[:MEMBER_LIMIT] if isinstance(members, list) else []
        return cls(
            stream_id=stream_id,
            name=cut_name(record.get("name")),
            status=_text(record.get("status")),
            main_track=_text(record.get("mainTrackStreamId")),
            meta_data=meta_data,
            role=cut_name(record.get("role")) or cut_name(meta_data.get("role")),
            members=tuple(filter(is_stream_id, map(_text, ids))),
            updated=updated if type(updated) is int else 0,
        )

    @property
    def is_over(self) -> bool:
        """Whether the stream is not there any more, although its record is."""
        return self.status in _OVER


def stale(broadcasts: Iterable[Broadcast]) -> frozenset[str]:
    """The ids of live records that the server itself has not touched for a while, by its own clock."""
    live = [broadcast for broadcast in broadcasts if broadcast.status == "broadcasting" and broadcast.updated > 0]
    newest = max((broadcast.updated for broadcast in live), default=0)
    return frozenset(broadcast.stream_id for broadcast in live if newest - broadcast.updated > STALE)


def read_meta_data(value: object) -> Json:
    """The object inside a record's metaData; empty when it is anything else, or too long (section 6.5)."""
    return load_object(value, META_DATA_VALUES) if isinstance(value, str) and len(value) <= META_DATA_LIMIT else {}


def read_members(message: Json) -> tuple[Broadcast, ...]:
    """Who is named by the legacy ``roomInformation`` and ``joinedTheRoom`` (section 3.4)."""
    named, ids = message.get("streamList"), message.get("streams")
    found: dict[str, Broadcast] = {}
    for stream_id in map(_text, ids[:MEMBER_LIMIT] if isinstance(ids, list) else ()):
        found[stream_id] = Broadcast(stream_id)
    for entry in named[:MEMBER_LIMIT] if isinstance(named, list) else ():
        if isinstance(entry, dict) and (stream_id := _text(entry.get("streamId"))):
            name, meta_data = cut_name(entry.get("streamName")), read_meta_data(entry.get("metaData"))
            found[stream_id] = Broadcast(stream_id, name, meta_data=meta_data)
    return tuple(broadcast for stream_id, broadcast in found.items() if is_stream_id(stream_id))


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is in a slot now: ``label`` such as ``videoTrack0``, ``stream_id`` empty when nobody is.

    ``level`` is how loud they are, as RFC 6464 counts, where the list tells it.
    """

    label: str
    stream_id: str
    reserved: bool = False
    level: int | None = field(default=None, compare=False)


def read_assignments(event: Json, label_key: str = "videoLabel") -> tuple[Assignment, ...]:
    """The entries of a VIDEO_TRACK_ASSIGNMENT_LIST or AUDIO_TRACK_ASSIGNMENT event (section 6.2)."""
    return tuple(
        Assignment(
            label,
            cut_name(entry.get("trackId")),
            entry.get("reserved") is True,
            read_level(entry.get("audioLevel")),
        )
        for entry in (assignment_entries(event) or ())[:MEMBER_LIMIT]
        if isinstance(entry, dict) and (label := cut_name(entry.get(label_key)))
    )


def read_levels(event: Json) -> dict[str, int]:
    """How loud an AUDIO_TRACK_ASSIGNMENT says that people are; an entry may come without its label."""
    entries = [entry for entry in (assignment_entries(event) or ())[:MEMBER_LIMIT] if isinstance(entry, dict)]
    return {
        stream_id: level
        for entry in entries
        if (stream_id := cut_name(entry.get("trackId"))) and (level := read_level(entry.get("audioLevel"))) is not None
    }


def assignment_entries(event: Json) -> list[object] | None:
    """The list of an assignment event, under either of its keys (section 2.4); ``None`` when there is none."""
    entries = event.get("payload", event.get("videoTrackAssignments"))
    return entries if isinstance(entries, list) else None


def read_level(value: object) -> int | None:
    """An RFC 6464 level: 0 is loudest, 127 silence; ``None`` when it is none."""
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 127 else None


def cut_name(value: object) -> str:
    """A text of at most `NAME_LIMIT` bytes; empty when it is not a text."""
    if not isinstance(value, str):
        return ""
    # A lone surrogate is no text that could be written anywhere.
    return value[:NAME_LIMIT].encode(errors="replace")[:NAME_LIMIT].decode(errors="ignore")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
