"""Who is in the room and which track carries whom, whatever order the news comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiortc import AudioStreamTrack, VideoStreamTrack

from tests.waiting import Clock
from tui.core.peer import RemoteTrack
from tui.core.records import Assignment, Broadcast
from tui.core.roster import GUEST_LIMIT, GUEST_STAY, PARTICIPANT_LIMIT, UNKNOWN_AFTER, Roster
from tui.core.sdp import TrackLine

if TYPE_CHECKING:
    from collections.abc import Collection

    from tui.core.events import Participant


def track(label: str, kind: str = "video") -> RemoteTrack:
    media = VideoStreamTrack() if kind == "video" else AudioStreamTrack()
    return RemoteTrack(TrackLine(mid="0", kind=kind, track_id=f"ARDAMS{kind[0]}{label}"), media)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def roster(clock: Clock) -> Roster:
    return Roster("room1", "alice", clock)


def people(roster: Roster, talking: Collection[str] = ()) -> dict[str, Participant]:
    return {person.stream_id: person for person in roster.participants(talking)}


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
    assert people(roster)["bob"].audio is None
    assert roster.owner_of(sound) is None
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


def test_a_shared_screen_belongs_to_its_owner(roster: Roster) -> None:
    roster.add("bob_presentation")
    assert list(people(roster)) == ["bob_presentation"]
    roster.list_subtracks([broadcast("bob_presentation", "Bob - Screen Share"), broadcast("bob", "Bob")])
    roster.add_track(face := track("videoTrack0"))
    roster.add_track(screen := track("videoTrack1"))
    # Whoever shares is known before the picture comes, and also when there is no slot for it.
    assert people(roster)["bob"].sharing
    assert people(roster)["bob"].presentation is None
    roster.assign("video", videos("bob", "bob_presentation"))
    assert list(people(roster)) == ["bob"]
    assert (people(roster)["bob"].video, people(roster)["bob"].presentation) == (face.key, screen.key)
    roster.remove("bob_presentation")
    roster.assign("video", videos("bob", ""))
    assert people(roster)["bob"].presentation is None
    assert not people(roster)["bob"].sharing


def test_what_the_server_sends_back_of_us_is_known_as_our_own(roster: Roster) -> None:
    slot, named, other = track("audioTrack0", "audio"), track("alice_presentation"), track("bob")
    for one in (slot, named, other):
        roster.add_track(one)
    assert [roster.is_own(one) for one in (slot, named, other)] == [False, True, False]
    roster.assign("audio", sounds("alice"))
    assert roster.is_own(slot)
    roster.assign("audio", sounds("bob"))
    assert not roster.is_own(slot)


def test_a_picture_that_plays_before_anybody_is_named_is_unknown(clock: Clock, roster: Roster) -> None:
    roster.add_track(picture := track("videoTrack0"))
    roster.add_track(track("audioTrack0", "audio"))
    assert people(roster) == {}
    clock.now = UNKNOWN_AFTER
    (unknown,) = people(roster).values()
    assert (unknown.name, unknown.video, unknown.stream_id[0]) == ("unknown", picture.key, "?")
    assert "?" not in roster
    roster.assign("video", videos("bob"))
    assert [(one.stream_id, one.video) for one in roster.participants(())] == [("bob", picture.key)]


def test_a_slot_that_a_later_list_leaves_out_is_empty_and_not_unknown(clock: Clock, roster: Roster) -> None:
    roster.assign("video", videos("bob"))
    roster.add_track(track("videoTrack1"))
    clock.now = 1.0
    roster.assign("video", videos("bob"))
    clock.now = 100.0
    assert list(people(roster)) == ["bob"]


def test_the_slots_of_a_lost_connection_say_nothing_about_the_next(roster: Roster) -> None:
    roster.assign("video", videos("bob", "carol"))
    roster.forget_slots()
    roster.add_track(picture := track("videoTrack0"))
    assert roster.owner_of(picture) is None
    assert list(people(roster)) == ["bob", "carol"]


def test_where_somebody_can_be_pinned(roster: Roster) -> None:
    assert roster.free_slot() is None
    roster.assign("video", [*videos("bob", "carol"), Assignment("videoTrack2", "dave", reserved=True)])
    assert (roster.slot_of("carol"), roster.slot_of("erin"), roster.free_slot()) == ("videoTrack1", None, "videoTrack1")
    assert {key: person.pinned for key, person in people(roster).items()} == {
        "bob": False,
        "carol": False,
        "dave": True,
    }
    roster.assign("video", videos("", "carol"))
    assert (roster.free_slot(), roster.free_slot(2), roster.free_slot(1)) == (
        "videoTrack0",
        "videoTrack0",
        "videoTrack1",
    )
    roster.assign("video", [Assignment("videoTrack0", "bob", reserved=True), Assignment("videoTrack1", "")])
    assert roster.free_slot(1) == "videoTrack0"
    roster.assign("video", videos("bob", "carol"))
    assert roster.free_slot(held={"videoTrack1"}) == "videoTrack0"
    assert roster.free_slot(held={"videoTrack0", "videoTrack1"}) == "videoTrack1"


# -- who is there ------------------------------------------------------------------------------------


def test_the_polled_list_is_authoritative(roster: Roster) -> None:
    for stream_id in ("bob", "carol"):
        roster.add(stream_id)
    roster.list_subtracks([broadcast("dave", "Dave"), broadcast("bob", "Bob")])
    assert [(one.stream_id, one.name) for one in roster.participants(())] == [("bob", "Bob"), ("dave", "Dave")]
    roster.list_subtracks([])
    assert people(roster) == {}


def test_whoever_sits_in_a_slot_is_missed_only_by_the_second_list(roster: Roster) -> None:
    """Lists and slots are not taken at the same moment."""
    roster.assign("video", videos("bob"))
    roster.list_subtracks([])
    assert "bob" in roster
    roster.list_subtracks([broadcast("bob")])
    roster.list_subtracks([])
    assert "bob" in roster
    roster.list_subtracks([])
    assert "bob" not in roster


def test_who_slips_between_two_pages_does_not_flicker(roster: Roster) -> None:
    """Somebody of the first page leaves while the second one is asked for, and another one moves to the first."""
    everybody = [broadcast(f"p{number}") for number in range(60)]
    roster.list_subtracks(everybody, paged=True)
    roster.list_subtracks(everybody[:50] + everybody[51:], paged=True)
    assert "p50" in roster
    roster.list_subtracks(everybody[:50] + everybody[51:], paged=True)
    assert "p50" not in roster


def test_whoever_came_after_the_list_was_asked_for_stays(clock: Clock, roster: Roster) -> None:
    clock.now = 10.0
    roster.add("bob")
    roster.list_subtracks([], asked_at=9.0)
    assert "bob" in roster
    roster.list_subtracks([], asked_at=11.0)
    assert "bob" not in roster


@pytest.mark.parametrize("by", ["notification", "list"])
def test_who_left_is_not_brought_back_by_an_old_slot(roster: Roster, by: str) -> None:
    """The assignment list is not pushed when somebody leaves (section 4.3)."""
    roster.list_subtracks([broadcast("bob")])
    roster.assign("video", videos("bob"))
    if by == "notification":
        roster.remove("bob")
    else:
        roster.list_subtracks([])
        roster.list_subtracks([])
    roster.assign("video", videos("bob"))
    roster.assign("audio", sounds("bob"))
    assert "bob" not in roster
    roster.add("bob")
    assert people(roster)["bob"].name == "bob"


def test_once_the_slots_know_too_a_slot_brings_people_back(roster: Roster) -> None:
    roster.assign("video", videos("bob"))
    roster.remove("bob")
    roster.assign("video", videos(""))
    assert "bob" not in roster
    roster.assign("video", videos("bob"))
    assert "bob" in roster


def test_a_record_of_who_has_gone_is_nobody(roster: Roster) -> None:
    roster.add("bob")
    roster.list_subtracks([Broadcast("bob", status="terminated_unexpectedly"), Broadcast("carol", status="finished")])
    assert people(roster) == {}


def test_a_live_record_that_lags_behind_is_stale(roster: Roster) -> None:
    """Measured by the newest record of the same list: the server's clock is not ours (section 3.6)."""

    def live(stream_id: str, updated: int) -> Broadcast:
        return Broadcast(stream_id, status="broadcasting", updated=updated)

    roster.add("bob")
    roster.list_subtracks([live("bob", 1_000_000), live("carol", 1_020_001), live("ghost", 999_999)])
    assert {key: person.stale for key, person in people(roster).items()} == {"bob": True, "carol": False}
    roster.list_subtracks([live("bob", 1_000_000), live("carol", 1_020_000)])
    assert not people(roster)["bob"].stale
    roster.list_subtracks([Broadcast("bob", status="created"), live("carol", 1_000_000_000)])
    assert not people(roster)["bob"].stale


def test_people_are_in_order_of_arrival(roster: Roster) -> None:
    for stream_id in ("carol", "bob", "dave"):
        roster.add(stream_id)
    roster.list_subtracks([broadcast("dave"), broadcast("bob"), broadcast("carol")])
    assert list(people(roster)) == ["carol", "bob", "dave"]
    roster.remove("carol")
    roster.add("carol")
    assert list(people(roster)) == ["bob", "dave", "carol"]


def test_ids_that_no_server_takes_are_nobody(roster: Roster) -> None:
    for odd in ("", " ", "\x1b[2J", "a/b", "x" * 257):
        roster.add(odd)
        roster.add_track(track(odd))
        roster.assign("video", videos(odd))
    assert people(roster) == {}


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


def test_whoever_is_met_in_the_chat_only_watches(clock: Clock, roster: Roster) -> None:
    roster.greet("viewer", "Vera")
    viewer = people(roster)["viewer"]
    assert (viewer.name, viewer.play_only, viewer.microphone, viewer.camera) == ("Vera", True, False, False)
    assert not roster.verifies("viewer")
    assert roster.name_of("viewer") == ""
    roster.list_subtracks([broadcast("bob")])
    assert "viewer" in roster
    clock.now = GUEST_STAY + 1
    roster.list_subtracks([broadcast("bob")])
    assert "viewer" not in roster


def test_only_so_many_are_met_in_the_chat(roster: Roster) -> None:
    roster.greet("\x1b[2J", "evil")
    roster.greet("room1", "the room")
    roster.greet("alice", "myself")
    assert people(roster) == {}
    for number in range(2 * GUEST_LIMIT):
        roster.greet(f"guest{number}", "")
    assert len(people(roster)) == GUEST_LIMIT


def test_a_greeting_changes_nobody_whom_the_server_named(roster: Roster) -> None:
    roster.list_subtracks([broadcast("bob", "Bob")])
    roster.greet("bob", "Mallory")
    assert (people(roster)["bob"].name, people(roster)["bob"].play_only) == ("Bob", False)
    roster.greet("viewer", "Vera")
    roster.list_subtracks([broadcast("bob", "Bob"), broadcast("viewer", "Vera Listed", playOnly=True)])
    assert roster.verifies("viewer")
    assert people(roster)["viewer"].name == "Vera Listed"
    assert (people(roster)["viewer"].microphone, people(roster)["viewer"].play_only) == (True, True)
    roster.add_track(sound := track("viewer", "audio"))
    assert not people(roster)["viewer"].play_only
    roster.remove_track(sound)
    roster.list_subtracks([broadcast("bob", "Bob")])
    assert "viewer" not in roster


def test_roles_are_shown_whatever_they_are_called(roster: Roster) -> None:
    roster.describe(Broadcast("bob", role="active_host"))
    roster.describe(Broadcast("bob"))
    assert people(roster)["bob"].role == "active_host"


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
    assert [person.name for person in roster.participants(())] == ["Robert"]


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
    assert people(roster, {"bob"})["bob"].talking
    assert not people(roster, {"carol"})["bob"].talking
    roster.hear_event("bob", "MIC_MUTED")
    assert not people(roster, {"bob"})["bob"].talking


def test_whoever_has_not_changed_is_told_as_the_same_object(roster: Roster) -> None:
    for stream_id in ("bob", "carol", "dave"):
        roster.describe(broadcast(stream_id, stream_id.title()))
    before = people(roster)
    roster.hear_event("bob", "MIC_MUTED")
    roster.add_track(track("carol"))
    after = people(roster)
    assert [stream_id for stream_id in after if after[stream_id] is not before[stream_id]] == ["bob", "carol"]
    assert not after["bob"].microphone
    assert after["carol"].video is not None
    assert people(roster, {"dave"})["dave"].talking
    assert people(roster)["dave"] == before["dave"]
