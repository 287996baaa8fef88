"""Who publishes what into which room, and who sits in which slot of one viewer.

Used by the application and the viewers. Pure state: no sockets, no media, no clock of its own. A room is not a
thing of its own here either: it exists while some record names it as its main track (signalling reference, 4.1).
"""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PAGE_LIMIT = 250
"""Entries of one ``subtrackList``, the cap of AMS's own store."""

SILENCE = 127
"""The audio level of somebody who is not heard (RFC 6464)."""


class Kind(enum.StrEnum):
    """The two kinds of media, by the word that SDP uses."""

    VIDEO = "video"
    AUDIO = "audio"


class Labels(enum.Enum):
    """How a slot's track is named (section 5.3)."""

    SLOT = enum.auto()
    """``videoTrack0``: the server says on the data channel who is in it (AMS 2.10 and later)."""

    STREAM = enum.auto()
    """The participant's stream id itself, and no assignment lists (AMS 2.9 and earlier)."""


class Status(enum.StrEnum):
    """Where a broadcast is in its life."""

    PREPARING = "preparing"
    BROADCASTING = "broadcasting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What AMS keeps about one published stream (section 3.6)."""

    stream_id: str
    name: str = ""
    main_track: str = ""
    meta_data: str = ""
    role: str = ""
    status: Status = Status.PREPARING
    since_ms: int = 0
    """When it was published, in milliseconds of the epoch."""

    def encode(self, now_ms: int) -> str:
        """The JSON string of a ``broadcastObject`` or of a ``subtrackList`` entry."""
        return _encode(self, now_ms, mainTrackStreamId=self.main_track or None, virtual=False)


class Rooms:
    """Every broadcast of the application, in the order of publishing."""

    def __init__(self, labels: Labels = Labels.SLOT) -> None:
        self._labels = labels
        self._records: dict[str, Record] = {}

    def add(self, record: Record) -> None:
        """A publish was accepted; its room exists from now on."""
        self._records[record.stream_id] = record

    def start(self, stream_id: str) -> None:
        """Its media arrives: it is a subtrack from now on."""
        self._records[stream_id] = replace(self._records[stream_id], status=Status.BROADCASTING)

    def set_meta_data(self, stream_id: str, meta_data: str) -> None:
        """Replace the metaData; the other participants see it when they ask again."""
        self._records[stream_id] = replace(self._records[stream_id], meta_data=meta_data)

    def remove(self, stream_id: str) -> Record:
        """The publish session ended."""
        return self._records.pop(stream_id)

    def main_track(self, stream_id: str) -> str:
        """The room that a stream is published into; empty for none."""
        record = self._records.get(stream_id)
        return "" if record is None else record.main_track

    def is_room(self, stream_id: str) -> bool:
        """Whether somebody publishes into a room of that id."""
        return any(record.main_track == stream_id for record in self._records.values())

    def is_playable(self, stream_id: str) -> bool:
        """Whether that id can be played: a room, or a single stream."""
        return stream_id in self._records or self.is_room(stream_id)

    def subtracks(self, main_track: str) -> list[Record]:
        """The participants of a room whose media arrives."""
        return [
            record
            for record in self._records.values()
            if record.main_track == main_track and record.status is Status.BROADCASTING
        ]

    def played(self, stream_id: str) -> list[Record]:
        """The records that somebody who plays this id receives."""
        single = self._records.get(stream_id)
        own = [single] if single is not None and single.status is Status.BROADCASTING else []
        return own + self.subtracks(stream_id)

    def encoded(self, stream_id: str, now_ms: int) -> str | None:
        """The ``broadcast`` of a ``broadcastObject``: a stream's record, or a room's virtual one."""
        record = self._records.get(stream_id)
        if record is not None:
            return record.encode(now_ms)
        if not self.is_room(stream_id):
            return None
        members = [record for record in self._records.values() if record.main_track == stream_id]
        extra: dict[str, Any] = {"mainTrackStreamId": None, "virtual": True}
        if self._labels is Labels.STREAM:
            extra["subTrackStreamIds"] = [record.stream_id for record in self.subtracks(stream_id)]
        room = Record(stream_id=stream_id, status=Status.BROADCASTING, since_ms=members[0].since_ms)
        return _encode(room, now_ms, **extra)

    def page(self, main_track: str, offset: int, size: int, role: str | None, now_ms: int) -> list[str]:
        """One page of a room's encoded subtracks."""
        first = max(offset, 0)
        found = [record for record in self.subtracks(main_track) if not role or record.role == role]
        return [record.encode(now_ms) for record in found[first : first + min(max(size, 0), PAGE_LIMIT)]]


def _encode(record: Record, now_ms: int, **extra: Any) -> str:
    return json.dumps(
        {
            "streamId": record.stream_id,
            "status": record.status,
            "type": "liveStream",
            "name": record.name,
            "publish": True,
            "date": record.since_ms,
            "startTime": record.since_ms,
            "duration": max(now_ms - record.since_ms, 0),
            "updateTime": now_ms,
            "subtracksLimit": -1,
            "webRTCViewerLimit": -1,
            "zombi": True,
            "role": record.role,
            "metaData": record.meta_data,
            **extra,
        }
    )


@dataclass(frozen=True, slots=True)
class Slot:
    """One forwarded media position of a play connection."""

    kind: Kind
    label: str
    owner: str
    """The stream id of whoever is in it; empty when nobody is."""

    @property
    def track_id(self) -> str:
        """The track's name in ``a=msid`` and ``idMapping``."""
        return f"ARDAMS{self.kind[0]}{self.label}"


class Slots:
    """The slots of one viewer: they are lent and taken back, but never removed (section 4.3)."""

    def __init__(self, labels: Labels = Labels.SLOT) -> None:
        self._labels = labels
        self._slots: dict[Kind, list[Slot]] = {kind: [] for kind in Kind}

    def of(self, kind: Kind) -> tuple[Slot, ...]:
        """The slots of one kind, in the order of their creation."""
        return tuple(self._slots[kind])

    def assign(self, streams: Mapping[str, Collection[Kind]]) -> bool:
        """Give each stream one slot per kind that it sends; whether any slot changed."""
        before = {kind: self.of(kind) for kind in Kind}
        for kind in Kind:
            self._assign(kind, [stream_id for stream_id, kinds in streams.items() if kind in kinds])
        return any(self.of(kind) != before[kind] for kind in Kind)

    def _assign(self, kind: Kind, streams: list[str]) -> None:
        slots = self._slots[kind]
        for index, slot in enumerate(slots):
            if slot.owner not in streams:
                slots[index] = replace(slot, owner="")
        owners = {slot.owner for slot in slots}
        for stream_id in streams:
            if stream_id not in owners:
                self._lend(kind, stream_id)

    def _lend(self, kind: Kind, stream_id: str) -> None:
        slots = self._slots[kind]
        if self._labels is Labels.STREAM:
            slots.append(Slot(kind, stream_id, stream_id))
            return
        for index, slot in enumerate(slots):
            if not slot.owner:
                slots[index] = replace(slot, owner=stream_id)
                return
        slots.append(Slot(kind, f"{kind}Track{len(slots)}", stream_id))

    def video_assignments(self, main_track: str) -> dict[str, Any]:
        """The VIDEO_TRACK_ASSIGNMENT_LIST event (section 6.2)."""
        payload = [
            {"videoLabel": slot.label, "trackId": slot.owner, "reserved": False} for slot in self._slots[Kind.VIDEO]
        ]
        return {"eventType": "VIDEO_TRACK_ASSIGNMENT_LIST", "streamId": main_track, "payload": payload}

    def audio_assignments(self, main_track: str, levels: Mapping[str, int]) -> dict[str, Any]:
        """The AUDIO_TRACK_ASSIGNMENT event; ``levels`` are the last ones heard, by stream id."""
        payload = [
            {
                "audioLabel": slot.label,
                "trackId": slot.owner,
                "audioLevel": levels.get(slot.owner, SILENCE),
            }
            for slot in self._slots[Kind.AUDIO]
        ]
        return {"eventType": "AUDIO_TRACK_ASSIGNMENT", "streamId": main_track, "payload": payload}
