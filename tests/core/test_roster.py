"""Who is in the room and which track carries whom, whatever order the news comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiortc import AudioStreamTrack, VideoStreamTrack

from tui.core.messages import Assignment, Broadcast
from tui.core.peer import RemoteTrack
from tui.core.roster import PARTICIPANT_LIMIT, Roster
from tui.core.sdp import TrackLine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.core.events import Participant


def track(label: str, kind: str = "video") -> RemoteTrack:
    media = VideoStreamTrack() if kind == "video" else AudioStreamTrack()
    return RemoteTrack(TrackLine(mid="0", kind=kind, track_id=f"ARDAMS{kind[0]}{label}"), media)


@pytest.fixture
def roster() -> Roster:
    return Roster("room1", "alice")


def people(roster: Roster, talking: Mapping[str, bool] | None = None) -> dict[str, Participant]:
    return {person.stream_id: person for person in roster.participants(talking or {})}


def broadcast(stream_id: str, name: str = "", **meta_data: object) -> Broadcast:
    return Broadcast(stream_id=stream_id, name=name, meta_data=meta_data)


def videos(*owners: str) -> list[Assignment]:
    """An assignment list of the video slots 0, 1, … to these people."""
    return [Assignment(f"videoTrack{index}", owner) for index, owner in enumerate(owners)]


def sounds(*owners: str) -> list[Assignment]:
    return [Assignment(f"audioTrack{index}", owner) for index, owner in enumerate(owners)]


# -- which track carries whom ------------------------------------------------------------------------


def test_an_assignment_before_its_track(roster: Roster) -> None:
    roster.assign("video", videos("bob"))
    assert people(roster)["bob"].video is None
    picture = track("videoTrack0")
    roster.add_track(picture)
    assert people(roster)["bob"].video == picture.key
    assert roster.owner_of(picture) == "bob"


def test_an_assignment_after_its_track(roster: Roster) -> None:
    picture = track("videoTrack0")
    roster.add_track(picture)
    assert people(roster) == {}
    assert roster.owner_of(picture) is None
    roster.assign("video", videos("bob"))
    assert people(roster)["bob"].video == picture.key


def test_a_track_named_after_a_participant(roster: Roster) -> None:
    """Servers before 2.10 (section 5.3)."""
    picture, sound = track("bob"), track("bob", "audio")
    roster.add_track(picture)
    roster.add_track(sound)
    bob = people(roster)["bob"]
    assert (bob.video, bob.audio) == (picture.key, sound.key)


def test_sound_and_picture_are_never_paired_by_number(roster: Roster) -> None:
    roster.add_track(picture := track("videoTrack0"))
    roster.add_track(sound := track("audioTrack0", "audio"))
    roster.assign("video", videos("bob"))
    roster.assign("audio", sounds("carol"))
    assert (people(roster)["bob"].video, people(roster)["bob"].audio) == (picture.key, None)
    assert (people(roster)["carol"].video, people(roster)["carol"].audio) == (None, sound.key)


def test_an_empty_slot_carries_nobody(roster: Roster) -> None:
    picture = track("videoTrack0")
    roster.add_track(picture)
    roster.assign("video", videos("bob"))
    roster.assign("video", videos(""))
    assert people(roster)["bob"].video is None
    assert roster.owner_of(picture) is None


def test_a_slot_that_is_not_listed_any_more_is_free(roster: Roster) -> None:
    roster.add_track(first := track("videoTrack0"))
    roster.add_track(track("videoTrack1"))
    roster.assign("video", videos("bob", "carol"))
    roster.assign("video", videos("bob"))
    assert (people(roster)["bob"].video, people(roster)["carol"].video) == (first.key, None)


def test_a_slot_moves_between_people(roster: Roster) -> None:
    picture = track("videoTrack0")
    roster.add_track(picture)
    roster.assign("video", videos("bob", "carol"))
    roster.assign("video", videos("carol", ""))
    assert roster.owner_of(picture) == "carol"
    assert (people(roster)["bob"].video, people(roster)["carol"].video) == (None, picture.key)


def test_the_sound_slots_stay_when_the_video_slots_change(roster: Roster) -> None:
    roster.add_track(sound := track("audioTrack0", "audio"))
    roster.assign("audio", sounds("bob"))
    roster.assign("video", videos("carol"))
    assert people(roster)["bob"].audio == sound.key


@pytest.mark.parametrize("own", ["alice", "alice_presentation", "room1"])
def test_neither_oneself_nor_the_room_is_ever_shown(roster: Roster, own: str) -> None:
    slot, named = track("videoTrack0"), track(own)
    roster.add_track(slot)
    roster.add_track(named)
    roster.assign("video", videos(own))
    roster.add(own)
    roster.list_subtracks([broadcast(own, "Me")])
    roster.describe(broadcast(own, "Me"))
    assert people(roster) == {}
    assert roster.owner_of(slot) is None
    assert roster.owner_of(named) is None
    assert own not in roster


def test_anothers_screen_is_shown(roster: Roster) -> None:
    roster.add("bob_presentation")
    assert "bob_presentation" in roster


# -- who is there ------------------------------------------------------------------------------------


def test_the_polled_list_is_authoritative(roster: Roster) -> None:
    roster.add("bob")
    roster.assign("video", videos("carol"))
    roster.list_subtracks([broadcast("dave", "Dave"), broadcast("bob", "Bob")])
    assert [(person.stream_id, person.name) for person in roster.participants({})] == [("bob", "Bob"), ("dave", "Dave")]
    roster.list_subtracks([])
    assert people(roster) == {}


def test_people_are_in_order_of_arrival(roster: Roster) -> None:
    for stream_id in ("carol", "bob", "dave"):
        roster.add(stream_id)
    roster.list_subtracks([broadcast("dave"), broadcast("bob"), broadcast("carol")])
    assert list(people(roster)) == ["carol", "bob", "dave"]
    roster.remove("carol")
    roster.add("carol")
    assert list(people(roster)) == ["bob", "dave", "carol"]


def test_additions_and_removals_may_be_repeated(roster: Roster) -> None:
    roster.remove("bob")
    roster.add("bob")
    roster.add("bob")
    assert list(people(roster)) == ["bob"]
    roster.remove("bob")
    roster.remove("bob")
    assert people(roster) == {}


def test_whoever_was_met_by_a_track_alone_leaves_with_it(roster: Roster) -> None:
    picture, sound = track("bob"), track("bob", "audio")
    roster.add_track(picture)
    roster.add_track(sound)
    roster.remove_track(picture)
    assert "bob" in roster
    roster.remove_track(sound)
    assert "bob" not in roster


def test_whoever_is_listed_stays_without_a_track(roster: Roster) -> None:
    picture = track("bob")
    roster.add_track(picture)
    roster.add("bob")
    roster.remove_track(picture)
    assert people(roster)["bob"].video is None


def test_without_a_name_the_id_is_shown(roster: Roster) -> None:
    roster.add("bob")
    assert people(roster)["bob"].name == "bob"
    roster.describe(broadcast("bob", "Bob"))
    roster.describe(broadcast("bob", ""))
    assert people(roster)["bob"].name == "Bob"


def test_a_thousand_people_are_listed(roster: Roster) -> None:
    roster.list_subtracks([broadcast(f"p{number}") for number in range(2 * PARTICIPANT_LIMIT)])
    assert len(people(roster)) == PARTICIPANT_LIMIT == 1000
    roster.assign("video", videos("one-more"))
    roster.add("and-another")
    roster.add_track(track("and-yet-another"))
    assert len(people(roster)) == PARTICIPANT_LIMIT
    roster.remove("p0")
    roster.add("one-more")
    assert "one-more" in roster


def test_slots_of_any_name_are_forgotten_with_the_next_list(roster: Roster) -> None:
    """A server may call its slots what it likes, but not make us keep all names for ever."""
    roster.add_track(picture := track("somethingElse"))
    roster.assign("video", [Assignment("somethingElse", "bob")])
    assert roster.owner_of(picture) == "bob"
    roster.assign("video", [])
    assert roster.owner_of(picture) != "bob"


def test_a_duplicate_in_the_list_is_one_person(roster: Roster) -> None:
    roster.list_subtracks([broadcast("bob", "Bob"), broadcast("bob", "Robert")])
    assert [person.name for person in roster.participants({})] == ["Robert"]


# -- what they do ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meta_data", "microphone", "camera"),
    [
        ({}, True, True),
        ({"isMicMuted": True, "isCameraOff": True}, False, False),
        ({"isMicMuted": False, "isCameraOff": False}, True, True),
        ({"isMicMuted": True, "isCameraOn": False}, False, False),
        ({"isMicMuted": False, "isCameraOn": True, "isScreenShared": False, "role": "host"}, True, True),
        ({"isCameraOn": True, "isCameraOff": True}, True, True),
        ({"isMicMuted": "true", "isCameraOn": 0, "isCameraOff": None}, True, True),
    ],
)
def test_both_dialects_of_meta_data(
    roster: Roster, meta_data: dict[str, object], microphone: bool, camera: bool
) -> None:
    roster.describe(Broadcast(stream_id="bob", meta_data=meta_data))
    assert (people(roster)["bob"].microphone, people(roster)["bob"].camera) == (microphone, camera)


def test_missing_meta_data_keeps_what_was_known(roster: Roster) -> None:
    roster.describe(broadcast("bob", isMicMuted=True, isCameraOn=False))
    roster.describe(broadcast("bob"))
    assert (people(roster)["bob"].microphone, people(roster)["bob"].camera) == (False, False)


def test_events_count_at_once(roster: Roster) -> None:
    roster.add("bob")
    for event, microphone, camera in [
        ("MIC_MUTED", False, True),
        ("CAM_TURNED_OFF", False, False),
        ("MIC_UNMUTED", True, False),
        ("CAM_TURNED_ON", True, True),
        ("REACTIONS", True, True),
    ]:
        roster.hear_event("bob", event)
        assert (people(roster)["bob"].microphone, people(roster)["bob"].camera) == (microphone, camera)


def test_an_event_of_nobody_adds_nobody(roster: Roster) -> None:
    roster.hear_event("ghost", "MIC_MUTED")
    assert people(roster) == {}


def test_who_is_muted_does_not_talk(roster: Roster) -> None:
    roster.add("bob")
    assert people(roster, {"bob": True})["bob"].talking
    assert not people(roster, {"bob": False})["bob"].talking
    assert not people(roster)["bob"].talking
    roster.hear_event("bob", "MIC_MUTED")
    assert not people(roster, {"bob": True})["bob"].talking
