"""Who publishes what into which room.

Used by the publishers, the players and the queries. Pure state: no sockets, no media. A room is not a thing of its
own here either: it exists while some record names it as its main track (signalling reference, 4.1).
"""

from __future__ import annotations

import enum
import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from tui.core.commands import Publish
from tui.server.slots import Labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.commands import JoinRoom

NAME_LIMIT = 256
"""Characters of a display name or a role that are kept."""

META_DATA_LIMIT = 16 << 10
"""Characters of a metaData; what is longer is not kept."""

PAGE_LIMIT = 250
"""Entries of one list, the cap of AMS's own store."""

PAGE_CHARACTERS = 128 << 10
"""Characters of the entries of one list; beyond, an entry comes without its metaData, so that nobody's answer is
longer than others can read."""


class Status(enum.StrEnum):
    """Where a broadcast is in its life."""

    CREATED = "created"
    """Somebody who only plays, listed by a legacy ``joinRoom``."""
    PREPARING = "preparing"
    BROADCASTING = "broadcasting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What AMS keeps about one stream (section 3.6)."""

    stream_id: str
    name: str = ""
    main_track: str = ""
    meta_data: str = ""
    role: str = ""
    status: Status = Status.PREPARING
    since_ms: int = 0
    """When it was published, in milliseconds of the epoch."""
    started_ms: int = 0
    """When its media arrived; 0 before."""
    address: str = ""
    user_agent: str = ""
    subscriber_id: str = ""

    @classmethod
    def of(cls, message: Publish | JoinRoom, address: str = "", user_agent: str = "") -> Record:
        """What a client says about itself, cut to what is kept."""
        if isinstance(message, Publish):
            room, meta_data, status = message.main_track, message.meta_data, Status.PREPARING
            subscriber_id = message.subscriber_id[:NAME_LIMIT]
        else:
            room, meta_data, status = message.room or message.main_track, message.metadata, Status.CREATED
            subscriber_id = ""
        return cls(
            stream_id=message.stream_id,
            name=message.stream_name[:NAME_LIMIT],
            main_track=room,
            meta_data=_bounded(meta_data),
            role=message.role[:NAME_LIMIT],
            status=status,
            since_ms=now_ms(),
            address=address,
            user_agent=user_agent,
            subscriber_id=subscriber_id,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured of a live stream: ``bitrate`` in bit/s."""

    bitrate: int = 0
    received_bytes: int = 0
    viewers: int = 0


Measure: TypeAlias = "Callable[[str], Figures]"
"""The figures of a stream id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which entries of a list are wanted (section 2.4)."""

    offset: int = 0
    size: int = PAGE_LIMIT
    role: str | None = None
    status: str | None = None
    sort_by: str | None = None
    order_by: str | None = None
    search: str | None = None

    def of(self, records: list[Record]) -> list[Record]:
        """The wanted ones of a room's records."""
        found = [record for record in records if self._wants(record)]
        if self.sort_by in _SORT_KEYS:
            found.sort(key=_SORT_KEYS[self.sort_by])
        if self.order_by == "desc":
            found.reverse()
        first = max(self.offset, 0)
        return found[first : first + min(max(self.size, 0), PAGE_LIMIT)]

    def _wants(self, record: Record) -> bool:
        # Without a status: everybody who is there, but nobody who is still on the way in.
        status = record.status == self.status if self.status else record.status is not Status.PREPARING
        text = (self.search or "").casefold()
        found = text in record.stream_id.casefold() or text in record.name.casefold()
        return status and found and (not self.role or record.role == self.role)


_SORT_KEYS: dict[str | None, Callable[[Record], Any]] = {
    "name": lambda record: record.name.casefold(),
    "date": lambda record: record.since_ms,
    "status": lambda record: record.status,
}


class Rooms:
    """Every broadcast of the application, in the order of publishing."""

    def __init__(self, labels: Labels = Labels.SLOT, subtracks_limit: int = -1, viewer_limit: int = -1) -> None:
        self._labels = labels
        self._subtracks_limit = subtracks_limit
        self._viewer_limit = viewer_limit
        self._records: dict[str, Record] = {}

    def add(self, record: Record) -> None:
        """A publish was accepted; its room exists from now on."""
        self._records[record.stream_id] = record

    def start(self, stream_id: str, now_ms: int) -> None:
        """Its media arrives: it is a subtrack from now on."""
        self._change(stream_id, status=Status.BROADCASTING, started_ms=now_ms)

    def set_meta_data(self, stream_id: str, meta_data: str) -> None:
        """Replace the metaData; the other participants see it when they ask again."""
        self._change(stream_id, meta_data=_bounded(meta_data))

    def set_role(self, stream_id: str, role: str) -> None:
        """Replace the role."""
        self._change(stream_id, role=role)

    def come_back(self, record: Record) -> None:
        """An interrupted publisher is published again: the new record's words, the old one's place and age."""
        old = self._records[record.stream_id]
        self._records[record.stream_id] = replace(
            record, status=old.status, since_ms=old.since_ms, started_ms=old.started_ms
        )

    def _change(self, stream_id: str, **values: Any) -> None:
        self._records[stream_id] = replace(self._records[stream_id], **values)

    def remove(self, stream_id: str) -> Record:
        """The publish session ended."""
        return self._records.pop(stream_id)

    def get(self, stream_id: str) -> Record | None:
        """What is known of a stream."""
        return self._records.get(stream_id)

    def main_track(self, stream_id: str) -> str:
        """The room that a stream is published into; empty for none."""
        record = self._records.get(stream_id)
        return "" if record is None else record.main_track

    def members(self, main_track: str) -> list[Record]:
        """Everybody of a room, also who is still on the way in and who only plays."""
        return [record for record in self._records.values() if main_track and record.main_track == main_track]

    def is_room(self, stream_id: str) -> bool:
        """Whether somebody publishes into a room of that id."""
        return any(record.status is not Status.CREATED for record in self.members(stream_id))

    def is_subtrack(self, stream_id: str) -> bool:
        """Whether that id is published into a room."""
        record = self._records.get(stream_id)
        return record is not None and bool(record.main_track) and record.status is not Status.CREATED

    def is_full(self, main_track: str) -> bool:
        """Whether the room takes no more publishers."""
        publishers = sum(record.status is not Status.CREATED for record in self.members(main_track))
        return 0 <= self._subtracks_limit <= publishers

    def is_playable(self, stream_id: str) -> bool:
        """Whether that id can be played: a room, or a single stream."""
        record = self._records.get(stream_id)
        return (record is not None and record.status is not Status.CREATED) or self.is_room(stream_id)

    def subtracks(self, main_track: str) -> list[Record]:
        """The participants of a room whose media arrives."""
        return [record for record in self.members(main_track) if record.status is Status.BROADCASTING]

    def played(self, stream_id: str) -> list[Record]:
        """The records that somebody who plays this id receives."""
        single = self._records.get(stream_id)
        own = [single] if single is not None and single.status is Status.BROADCASTING else []
        return own + self.subtracks(stream_id)

    # -- in the words of the wire --

    def encoded(self, stream_id: str, now_ms: int, figures: Measure = lambda _: Figures()) -> str | None:
        """The ``broadcast`` of a ``broadcastObject``: a stream's record, or a room's virtual one."""
        record = self._records.get(stream_id)
        if record is not None:
            return self._encode(record, now_ms, figures(stream_id), mainTrackStreamId=record.main_track or None)
        if not self.is_room(stream_id):
            return None
        members = self.members(stream_id)
        extra: dict[str, Any] = {"mainTrackStreamId": None, "virtual": True, "subtracksLimit": self._subtracks_limit}
        if self._labels is Labels.STREAM:
            extra["subTrackStreamIds"] = [record.stream_id for record in self.subtracks(stream_id)]
        since = members[0].since_ms
        room = Record(stream_id=stream_id, status=Status.BROADCASTING, since_ms=since, started_ms=since)
        return self._encode(room, now_ms, figures(stream_id), **extra)

    def page(self, main_track: str, page: Page, now_ms: int, figures: Measure = lambda _: Figures()) -> list[str]:
        """The ``subtrackList`` of a room."""
        return [
            self._encode(record, now_ms, figures(record.stream_id), mainTrackStreamId=main_track)
            for record in within_bounds(page.of(self.members(main_track)))
        ]

    def count(self, main_track: str, role: str | None = None, status: str | None = None) -> int:
        """The ``count`` of a ``subtrackCount``; without a status, of those whose media arrives."""
        wanted = status or Status.BROADCASTING
        return sum(record.status == wanted and (not role or record.role == role) for record in self.members(main_track))

    def streams(self, main_track: str) -> dict[str, Any]:
        """The older lists of a room's participants, as in ``roomInformation`` and ``joinedTheRoom``."""
        records = within_bounds(self.subtracks(main_track)[:PAGE_LIMIT])
        return {
            "streams": [record.stream_id for record in records],
            "streamList": [
                {"streamId": record.stream_id, "streamName": record.name, "metaData": record.meta_data or None}
                for record in records
            ],
        }

    def _encode(self, record: Record, now_ms: int, figures: Figures, **extra: Any) -> str:
        return json.dumps(
            {
                "streamId": record.stream_id,
                "status": record.status,
                "type": "liveStream",
                "name": record.name,
                "publish": True,
                "date": record.since_ms,
                "startTime": record.started_ms,
                "duration": max(now_ms - record.started_ms, 0) if record.started_ms else 0,
                "updateTime": now_ms,
                "bitrate": figures.bitrate,
                "receivedBytes": figures.received_bytes,
                "speed": 1.0 if record.status is Status.BROADCASTING else 0.0,
                "ipAddr": record.address,
                "userAgent": record.user_agent,
                "subtracksLimit": -1,
                "webRTCViewerCount": figures.viewers,
                "webRTCViewerLimit": self._viewer_limit,
                "zombi": True,
                "virtual": False,
                "role": record.role,
                "metaData": record.meta_data,
                **extra,
            }
        )


def within_bounds(records: list[Record]) -> list[Record]:
    """The records of one answer, without the metaData that would make it too long."""
    left = PAGE_CHARACTERS
    kept: list[Record] = []
    for record in records:
        # Encoded once more in the message, it doubles at most.
        left -= len(json.dumps(record.meta_data))
        kept.append(record if left >= 0 else replace(record, meta_data=""))
    return kept


def now_ms() -> int:
    """Milliseconds of the epoch, as all of AMS's times."""
    return int(time.time() * 1000)


def _bounded(meta_data: str) -> str:
    return meta_data if len(meta_data) <= META_DATA_LIMIT else ""
