"""Records and rooms, without a socket."""

from __future__ import annotations

import asyncio
import json

from tui.allowance import Allowance
from tui.core.commands import JoinRoom, Publish
from tui.core.records import Broadcast
from tui.server.room import META_DATA_LIMIT, NAME_LIMIT, PAGE_LIMIT, Figures, Page, Record, Rooms
from tui.server.slots import Labels


def record(stream_id: str, name: str = "", meta_data: str = "", role: str = "") -> Record:
    return Record(stream_id=stream_id, main_track="room1", since_ms=1000, name=name, meta_data=meta_data, role=role)


def names(rooms: Rooms, page: Page) -> list[str]:
    return [json.loads(text)["streamId"] for text in rooms.page("room1", page, 0)]


def test_a_room_exists_while_somebody_publishes_into_it() -> None:
    rooms = Rooms()
    assert not rooms.is_playable("room1")
    rooms.add(record("alice"))
    assert rooms.is_room("room1")
    assert rooms.is_playable("room1")
    assert rooms.is_playable("alice")
    rooms.remove("alice")
    assert not rooms.is_playable("room1")
    assert rooms.encoded("room1", 0) is None


def test_a_publisher_is_a_subtrack_once_its_media_arrives() -> None:
    rooms = Rooms()
    rooms.add(record("alice"))
    assert rooms.subtracks("room1") == []
    rooms.start("alice", 1500)
    assert [one.stream_id for one in rooms.subtracks("room1")] == ["alice"]
    assert [one.stream_id for one in rooms.played("alice")] == ["alice"]
    assert rooms.subtracks("room2") == []


def test_a_record_reads_back_as_the_client_reads_it() -> None:
    rooms = Rooms()
    rooms.add(record("alice", name="Alice", meta_data='{"isMicMuted":true}', role="host"))
    rooms.start("alice", 1500)
    rooms.set_meta_data("alice", '{"isMicMuted":false}')
    seen = Broadcast.read(rooms.encoded("alice", 2000))
    assert seen is not None
    assert (seen.stream_id, seen.name, seen.status, seen.main_track) == ("alice", "Alice", "broadcasting", "room1")
    assert seen.meta_data == {"isMicMuted": False}
    raw = json.loads(rooms.encoded("alice", 2500) or "")
    assert (raw["duration"], raw["updateTime"], raw["role"]) == (1000, 2500, "host")


def test_a_room_lists_its_members_itself_only_on_old_servers() -> None:
    for labels in Labels:
        rooms = Rooms(labels)
        for stream_id in ("alice", "bob"):
            rooms.add(record(stream_id))
            rooms.start(stream_id, 1500)
        raw = json.loads(rooms.encoded("room1", 2000) or "")
        assert raw["virtual"] is True
        expected = ["alice", "bob"] if labels is Labels.STREAM else None
        assert raw.get("subTrackStreamIds") == expected


def test_pages_are_bounded_and_filtered_by_role() -> None:
    rooms = Rooms()
    for index in range(300):
        rooms.add(record(f"p{index}", role="host" if index == 7 else ""))
        rooms.start(f"p{index}", 1500)

    def page(offset: int, size: int, role: str | None = None) -> list[str]:
        return names(rooms, Page(offset=offset, size=size, role=role))

    assert page(2, 3) == ["p2", "p3", "p4"]
    assert len(page(0, 1000)) == 250
    assert page(-5, 1) == ["p0"]
    assert page(0, -1) == []
    assert page(999, 5) == []
    assert page(0, 50, "host") == ["p7"]


def test_a_list_is_searched_sorted_and_filtered() -> None:
    rooms = Rooms()
    for index, (stream_id, name) in enumerate([("c1", "Zoe"), ("b2", "adam"), ("a3", "Mona")]):
        rooms.add(Record(stream_id=stream_id, name=name, main_track="room1", since_ms=1000 - index))
        rooms.start(stream_id, 1500)
    rooms.add(record("late", name="Late"))
    rooms.add(Record.of(JoinRoom(room="room1", stream_id="listener", stream_name="Lis")))
    assert names(rooms, Page()) == ["c1", "b2", "a3", "listener"]
    assert names(rooms, Page(status="broadcasting")) == ["c1", "b2", "a3"]
    assert names(rooms, Page(status="preparing")) == ["late"]
    assert names(rooms, Page(status="created")) == ["listener"]
    assert names(rooms, Page(status="broadcasting", sort_by="name")) == ["b2", "a3", "c1"]
    assert names(rooms, Page(status="broadcasting", sort_by="date", order_by="desc")) == ["c1", "b2", "a3"]
    assert names(rooms, Page(search="MON")) == ["a3"]
    assert names(rooms, Page(search="b2")) == ["b2"]
    assert names(rooms, Page(sort_by="bogus", order_by="bogus", search="nobody")) == []
    assert [rooms.count("room1"), rooms.count("room1", status="preparing"), rooms.count("room1", role="x")] == [3, 1, 0]


def test_who_only_plays_is_listed_but_makes_no_room() -> None:
    rooms = Rooms(subtracks_limit=1)
    rooms.add(Record.of(JoinRoom(room="room1", stream_id="listener", role="listener", metadata="{}")))
    assert not rooms.is_playable("room1")
    assert not rooms.is_playable("listener")
    assert not rooms.is_full("room1")
    rooms.add(record("alice"))
    assert rooms.is_full("room1")
    assert [one.stream_id for one in rooms.members("room1")] == ["listener", "alice"]
    assert rooms.members("") == []


def test_figures_and_limits_are_in_the_record() -> None:
    rooms = Rooms(subtracks_limit=5, viewer_limit=7)
    rooms.add(record("alice"))

    def figures(stream_id: str) -> Figures:
        return Figures(bitrate=len(stream_id), received_bytes=20, viewers=3)

    alice = json.loads(rooms.encoded("alice", 2000, figures) or "")
    assert (alice["bitrate"], alice["receivedBytes"], alice["webRTCViewerCount"]) == (5, 20, 3)
    assert (alice["webRTCViewerLimit"], alice["status"], alice["duration"]) == (7, "preparing", 0)
    room = json.loads(rooms.encoded("room1", 2000, figures) or "")
    assert (room["subtracksLimit"], room["webRTCViewerCount"], room["mainTrackStreamId"]) == (5, 3, None)


def test_what_people_say_about_themselves_is_bounded() -> None:
    huge = Publish(stream_id="a", stream_name="n" * 999, role="r" * 999, meta_data="m" * (META_DATA_LIMIT + 1))
    kept = Record.of(huge)
    assert (len(kept.name), len(kept.role), kept.meta_data) == (NAME_LIMIT, NAME_LIMIT, "")


def test_nobodys_meta_data_makes_the_list_too_long_for_others() -> None:
    rooms = Rooms()
    for index in range(PAGE_LIMIT):
        rooms.add(record(f"p{index}", meta_data="é" * META_DATA_LIMIT))
        rooms.start(f"p{index}", 1500)
    rooms.add(record("alice", meta_data='{"isMicMuted":true}'))
    rooms.start("alice", 1500)
    assert len(json.dumps(rooms.page("room1", Page(), 0))) < 1 << 20
    assert len(json.dumps(rooms.streams("room1"))) < 1 << 20
    assert names(rooms, Page(search="alice")) == ["alice"]


async def test_an_allowance_can_be_waited_for() -> None:
    allowance = Allowance(2, 0.1)
    async with asyncio.timeout(5):
        for _ in range(5):
            await allowance.turn()
    assert allowance.refused > 0


def test_an_allowance_of_bytes() -> None:
    allowance = Allowance(10, 60.0)
    assert [allowance.take(amount) for amount in (8, 3, 2, 1)] == [True, False, True, False]


def test_an_allowance_refuses_and_counts_what_is_beyond_it() -> None:
    now = 0.0
    allowance = Allowance(2, 10.0, clock=lambda: now)
    assert [allowance.take() for _ in range(4)] == [True, True, False, False]
    assert allowance.refused == 2
    now = 10.0
    assert allowance.take()
