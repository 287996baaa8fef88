"""Records, rooms and slots, without a socket."""

from __future__ import annotations

import json

from tui.core.messages import Assignment, Broadcast, read_assignments
from tui.server.limits import Allowance
from tui.server.room import Kind, Labels, Record, Rooms, Slots

BOTH = (Kind.VIDEO, Kind.AUDIO)


def record(stream_id: str, name: str = "", meta_data: str = "", role: str = "") -> Record:
    return Record(stream_id=stream_id, main_track="room1", since_ms=1000, name=name, meta_data=meta_data, role=role)


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
    rooms.start("alice")
    assert [one.stream_id for one in rooms.subtracks("room1")] == ["alice"]
    assert [one.stream_id for one in rooms.played("alice")] == ["alice"]
    assert rooms.subtracks("room2") == []


def test_a_record_reads_back_as_the_client_reads_it() -> None:
    rooms = Rooms()
    rooms.add(record("alice", name="Alice", meta_data='{"isMicMuted":true}', role="host"))
    rooms.start("alice")
    rooms.set_meta_data("alice", '{"isMicMuted":false}')
    assert Broadcast.read(rooms.encoded("alice", 2000)) == Broadcast(
        stream_id="alice",
        name="Alice",
        status="broadcasting",
        main_track="room1",
        meta_data={"isMicMuted": False},
    )
    raw = json.loads(rooms.encoded("alice", 2500) or "")
    assert (raw["duration"], raw["updateTime"], raw["role"]) == (1500, 2500, "host")


def test_a_room_lists_its_members_itself_only_on_old_servers() -> None:
    for labels in Labels:
        rooms = Rooms(labels)
        for stream_id in ("alice", "bob"):
            rooms.add(record(stream_id))
            rooms.start(stream_id)
        raw = json.loads(rooms.encoded("room1", 2000) or "")
        assert raw["virtual"] is True
        expected = ["alice", "bob"] if labels is Labels.STREAM else None
        assert raw.get("subTrackStreamIds") == expected


def test_pages_are_bounded_and_filtered_by_role() -> None:
    rooms = Rooms()
    for index in range(300):
        rooms.add(record(f"p{index}", role="host" if index == 7 else ""))
        rooms.start(f"p{index}")

    def page(offset: int, size: int, role: str | None = None) -> list[str]:
        return [json.loads(text)["streamId"] for text in rooms.page("room1", offset, size, role, 0)]

    assert page(2, 3) == ["p2", "p3", "p4"]
    assert len(page(0, 1000)) == 250
    assert page(-5, 1) == ["p0"]
    assert page(0, -1) == []
    assert page(999, 5) == []
    assert page(0, 50, "host") == ["p7"]


def test_slots_are_lent_taken_back_and_lent_again() -> None:
    slots = Slots()
    assert slots.assign({"alice": BOTH, "bob": BOTH})
    assert not slots.assign({"alice": BOTH, "bob": BOTH})
    assert slots.assign({"bob": BOTH})
    assert [slot.owner for slot in slots.of(Kind.VIDEO)] == ["", "bob"]
    slots.assign({"bob": BOTH, "carol": BOTH})
    assert [(slot.label, slot.owner) for slot in slots.of(Kind.AUDIO)] == [
        ("audioTrack0", "carol"),
        ("audioTrack1", "bob"),
    ]
    assert slots.of(Kind.VIDEO)[0].track_id == "ARDAMSvvideoTrack0"
    assert slots.of(Kind.AUDIO)[1].track_id == "ARDAMSaaudioTrack1"


def test_one_leaves_and_another_comes_in_one_step() -> None:
    slots = Slots()
    slots.assign({"alice": BOTH})
    assert slots.assign({"bob": BOTH})
    assert [slot.owner for slot in slots.of(Kind.VIDEO)] == ["bob"]


def test_kinds_are_assigned_independently() -> None:
    slots = Slots()
    slots.assign({"listener": [Kind.AUDIO], "alice": BOTH})
    assert [slot.owner for slot in slots.of(Kind.VIDEO)] == ["alice"]
    assert [slot.owner for slot in slots.of(Kind.AUDIO)] == ["listener", "alice"]


def test_old_servers_name_a_slot_after_its_stream_and_never_lend_it_again() -> None:
    slots = Slots(Labels.STREAM)
    slots.assign({"alice": BOTH})
    slots.assign({"bob": BOTH})
    video = slots.of(Kind.VIDEO)
    assert [(slot.track_id, slot.owner) for slot in video] == [("ARDAMSvalice", ""), ("ARDAMSvbob", "bob")]


def test_assignment_events_read_back() -> None:
    slots = Slots()
    slots.assign({"alice": BOTH, "bob": BOTH})
    slots.assign({"bob": BOTH})
    assert read_assignments(slots.video_assignments("room1")) == (
        Assignment("videoTrack0", ""),
        Assignment("videoTrack1", "bob"),
    )
    audio = slots.audio_assignments("room1", {"bob": 34})
    assert read_assignments(audio, "audioLabel")[1] == Assignment("audioTrack1", "bob")
    assert [entry["audioLevel"] for entry in audio["payload"]] == [127, 34]


def test_an_allowance_refuses_and_counts_what_is_beyond_it() -> None:
    now = 0.0
    allowance = Allowance(2, 10.0, clock=lambda: now)
    assert [allowance.take() for _ in range(4)] == [True, True, False, False]
    assert allowance.refused == 2
    now = 10.0
    assert allowance.take()
