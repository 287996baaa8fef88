"""Who gets a slot, without a connection."""

from __future__ import annotations

from tui.core.records import Assignment, read_assignments
from tui.server.meters import SILENCE
from tui.server.slots import HOLD, MARGIN, Kind, Labels, Limits, Slots

BOTH = (Kind.VIDEO, Kind.AUDIO)


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


# -- limited slots --


class Table:
    """Limited slots in one room, at a clock that is set by hand."""

    def __init__(self, limits: Limits, *people: str, labels: Labels = Labels.SLOT) -> None:
        self.slots = Slots(labels, limits)
        self.levels = dict.fromkeys(people, SILENCE)
        self.now = 100.0

    def deal(self, **levels: int) -> None:
        self.levels |= levels
        self.slots.assign(dict.fromkeys(self.levels, BOTH), self.levels, self.now)

    def leave(self, stream_id: str) -> None:
        del self.levels[stream_id]
        self.deal()

    def wait(self) -> None:
        """Until whoever has just got a slot may lose it again."""
        self.now += HOLD
        self.deal()

    @property
    def video(self) -> list[str]:
        return [slot.owner for slot in self.slots.of(Kind.VIDEO)]

    @property
    def audio(self) -> list[str]:
        return [slot.owner for slot in self.slots.of(Kind.AUDIO)]

    @property
    def pinned(self) -> list[str]:
        return [slot.label for slot in self.slots.of(Kind.VIDEO) if slot.reserved]


def test_a_limit_leaves_the_others_without_a_slot() -> None:
    table = Table(Limits(video=2), "alice", "bob", "carol")
    table.deal()
    assert table.video == ["alice", "bob"]
    assert table.audio == ["alice", "bob", "carol"]
    assert table.slots.contested
    table.leave("alice")
    assert table.video == ["carol", "bob"]
    assert not table.slots.contested


def test_the_loudest_gets_the_slot_of_the_quietest() -> None:
    table = Table(Limits(video=2, audio=2), "alice", "bob", "carol")
    table.deal(alice=70, bob=90)
    table.wait()
    table.deal(carol=30)
    assert table.video == ["alice", "carol"]
    assert table.audio == ["alice", "carol"]


def test_a_silent_one_keeps_the_slot_while_nobody_louder_needs_it() -> None:
    table = Table(Limits(video=1, audio=1), "alice", "bob")
    table.deal(alice=30)
    table.wait()
    table.deal(alice=SILENCE)
    table.wait()
    assert table.video == table.audio == ["alice"]


def test_slots_do_not_flap_between_two_who_speak() -> None:
    table = Table(Limits(video=1, audio=1), "alice", "bob")
    table.deal(alice=40, bob=80)
    table.wait()
    table.deal(bob=40 - MARGIN + 1)
    assert table.video == ["alice"]
    table.deal(bob=40 - MARGIN)
    assert table.video == ["bob"]
    table.deal(bob=SILENCE, alice=1)
    assert table.video == ["bob"]
    table.wait()
    assert table.video == ["alice"]


def test_a_sound_below_the_threshold_is_given_no_slot() -> None:
    table = Table(Limits(video=1, audio=1, audio_level_threshold=120), "alice", "bob")
    table.deal(alice=120, bob=120)
    assert (table.video, table.audio) == (["alice"], [])
    table.deal(bob=119)
    assert (table.video, table.audio) == (["alice"], ["bob"])


def test_lowering_and_raising_the_limit_works_in_mid_call() -> None:
    table = Table(Limits(), "alice", "bob", "carol", "dave")
    table.deal()
    table.slots.limit_video(2)
    table.deal()
    assert table.video == ["alice", "bob", "", ""]
    table.slots.limit_video(3)
    table.deal(dave=20)
    assert table.video == ["alice", "bob", "dave", ""]
    table.slots.limit_video(-1)
    table.deal()
    assert table.video == ["alice", "bob", "dave", "carol"]
    table.slots.limit_video(0)
    table.deal()
    assert table.video == [""] * 4


def test_a_viewer_has_no_more_slots_than_the_server_allows() -> None:
    table = Table(Limits(video=1), "alice", "bob")
    table.slots.limit_video(5)
    table.deal()
    assert table.video == ["alice"]


def test_a_pinned_participant_stays_whoever_speaks() -> None:
    table = Table(Limits(video=2), "alice", "bob", "carol", "carol_presentation")
    table.deal()
    table.slots.pin("carol_presentation", "videoTrack0")
    table.deal()
    assert (table.video, table.pinned) == (["carol_presentation", "bob"], ["videoTrack0"])
    table.wait()
    table.deal(alice=20, carol=30)
    assert table.video == ["carol_presentation", "alice"]
    table.slots.unpin("carol_presentation", "videoTrack0")
    table.deal()
    assert (table.video, table.pinned) == (["carol", "alice"], [])


def test_a_pin_into_the_slot_of_another_changes_their_places() -> None:
    table = Table(Limits(), "alice", "bob", "carol")
    table.deal()
    table.slots.pin("carol", "videoTrack0")
    table.deal()
    assert table.video == ["carol", "bob", "alice"]
    table.slots.pin("bob", "videoTrack0")
    table.deal()
    assert (table.video, table.pinned) == (["bob", "carol", "alice"], ["videoTrack0"])
    table.slots.pin("alice", "no such slot")
    table.slots.pin("nobody", "videoTrack1")
    table.deal()
    assert (table.video, table.pinned) == (["bob", "carol", "alice"], ["videoTrack0"])


def test_a_pinned_slot_survives_a_lower_limit_and_ends_with_its_owner() -> None:
    table = Table(Limits(), "alice", "bob", "carol")
    table.deal()
    table.slots.pin("carol", "videoTrack2")
    table.slots.limit_video(1)
    table.deal()
    assert (table.video, table.pinned) == (["", "", "carol"], ["videoTrack2"])
    table.leave("carol")
    assert (table.video, table.pinned) == (["alice", "", ""], [])


def test_pages_show_those_who_have_no_slot() -> None:
    table = Table(Limits(video=2), *"abcde")
    table.deal()
    table.slots.turn_to(2, 2)
    table.deal()
    assert table.video == ["c", "d"]
    table.wait()
    table.deal(a=10)
    assert table.video == ["c", "d"]
    table.slots.turn_to(4, 2)
    table.deal()
    assert table.video == ["e", ""]
    table.slots.turn_to(0, 2)
    table.deal()
    assert set(table.video) == {"a", "b"}
    table.wait()
    table.deal(a=60, d=10)
    assert set(table.video) == {"a", "d"}
    for nonsense in ((-1, 2), (2, 0), (99, 5)):
        table.slots.turn_to(*nonsense)
        table.deal()
        assert set(table.video) == {"a", "d"}


def test_the_first_page_is_dealt_once_and_takes_no_slot_from_anybody() -> None:
    table = Table(Limits(video=3), *"abc")
    table.slots.turn_to(0, 1)
    table.deal()
    assert table.video == ["a", "b", "c"]
    table.deal(d=SILENCE)
    table.wait()
    table.deal(d=10)
    assert "d" in table.video, "what was asked for long ago does not count any more"
    table.slots.turn_to(0, 2)
    table.deal(d=10)
    assert {"a", "b"} < set(table.video)
    assert "" not in table.video


def test_limited_slots_that_are_named_after_streams_move_by_way_of_an_empty_one() -> None:
    table = Table(Limits(video=1), "alice", "bob", labels=Labels.STREAM)
    table.deal()
    table.wait()
    table.deal(bob=20)
    assert [(slot.label, slot.owner) for slot in table.slots.of(Kind.VIDEO)] == [("alice", ""), ("bob", "bob")]
    table.wait()
    table.deal(bob=90, alice=20)
    assert [(slot.label, slot.owner) for slot in table.slots.of(Kind.VIDEO)] == [("alice", "alice"), ("bob", "")]
