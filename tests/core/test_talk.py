"""What is said on the data channel besides chat: moderators, hands, reactions, slots and levels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import Clock
from tui.core.events import Announced, ModeratorRequest, Notice, OnRequest, Reaction, Wish
from tui.core.floor import SENDER_RATE
from tui.core.records import Broadcast
from tui.core.requests import REQUESTS
from tui.core.roster import Roster
from tui.core.talk import Talk
from tui.core.talkers import TOLD_HOLD, Talkers

if TYPE_CHECKING:
    from tui.core.events import Event
    from tui.core.wire import Json


class Room:
    """A talk and its owner; bob and carol are in the room. Alice could do everything that is wished."""

    def __init__(self, on_request: OnRequest = OnRequest.ASK) -> None:
        self.clock = Clock()
        self.told: list[Event] = []
        self.sent: list[tuple[Json, bool]] = []
        self.done: list[Wish] = []
        self.possible = set(Wish)
        self.looks = 0
        self.roster = Roster("room1", "alice")
        self.roster.list_subtracks([Broadcast("bob", "Bob"), Broadcast("carol", "Carol")])
        self.talkers = Talkers(self.clock)
        self.talk = Talk(
            self,
            self.told.append,
            self.roster,
            self.talkers,
            room="room1",
            own_id="alice",
            own_name="Alice",
            on_request=on_request,
        )

    def hear(self, *ways: str, **event: Any) -> None:
        """The event comes on the room's channel, or on these."""
        for way in ways or ("room1",):
            self.talk.take(way, json.dumps(event))

    # `TalkOwner`

    def send_event(self, event: Json, *, to_room: bool = False) -> bool:
        self.sent.append((event, to_room))
        return True

    def roster_changed(self) -> None:
        pass

    def tracks_changed(self) -> None:
        pass

    def look_again(self) -> None:
        self.looks += 1

    def could(self, wish: Wish) -> bool:
        return wish in self.possible

    def comply(self, wish: Wish) -> None:
        self.done.append(wish)


@pytest.fixture
def room() -> Room:
    return Room()


def ask(room: Room, wish: str = "TURN_YOUR_MIC_OFF", target: object = "alice", sender: object = "bob") -> None:
    room.hear(eventType=wish, streamId=target, senderStreamId=sender)


ORDERS = [Wish.MICROPHONE_OFF, Wish.MICROPHONE_ON, Wish.CAMERA_OFF]
"""What is asked by name; the others are answers to a hand."""


# -- moderators --------------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", ORDERS)
def test_by_default_the_user_is_asked(room: Room, wish: Wish) -> None:
    ask(room, wish)
    (request,) = room.told
    assert isinstance(request, ModeratorRequest)
    assert (request.wish, request.sender, request.name, request.obeyed) == (wish, "bob", "Bob", False)
    assert room.done == []
    assert room.talk.answer(request, True) is wish
    assert room.talk.answer(request, True) is None


def test_a_request_that_was_refused_is_over(room: Room) -> None:
    ask(room)
    (request,) = room.told
    assert isinstance(request, ModeratorRequest)
    assert room.talk.answer(request, False) is None
    assert room.talk.answer(request, True) is None


@pytest.mark.parametrize("wish", ORDERS)
def test_who_obeys_does_it_at_once_and_is_told(wish: Wish) -> None:
    room = Room(OnRequest.OBEY)
    ask(room, wish)
    assert room.done == [wish]
    (request,) = room.told
    assert isinstance(request, ModeratorRequest)
    assert request.obeyed
    assert room.talk.answer(request, True) is None


@pytest.mark.parametrize("wish", ORDERS)
def test_who_ignores_is_left_alone(wish: Wish) -> None:
    room = Room(OnRequest.IGNORE)
    ask(room, wish)
    assert (room.told, room.done) == ([], [])


@pytest.mark.parametrize("on_request", OnRequest)
@pytest.mark.parametrize(
    ("target", "sender"),
    [("bob", "carol"), ("room1", "bob"), ("*", "bob"), (None, "bob"), (["alice"], "bob"), ("alice", "ghost"),
     ("alice", None), ("alice", ["bob"]), ("alice", "alice")],
)  # fmt: skip
def test_only_what_is_for_us_and_from_somebody_counts(on_request: OnRequest, target: object, sender: object) -> None:
    room = Room(on_request)
    ask(room, target=target, sender=sender)
    assert (room.told, room.done) == ([], [])


def test_whoever_only_chats_is_no_moderator(room: Room) -> None:
    room.hear(eventType="CHAT_MESSAGE", streamId="mallory", message="hi")
    room.told.clear()
    ask(room, sender="mallory")
    assert room.told == []


def test_what_would_change_nothing_is_not_asked(room: Room) -> None:
    room.possible = {Wish.MICROPHONE_ON}
    ask(room, "TURN_YOUR_MIC_OFF")
    ask(room, "TURN_YOUR_CAM_OFF")
    assert room.told == []
    ask(room, "TURN_YOUR_MIC_ON")
    (request,) = room.told
    assert isinstance(request, ModeratorRequest)
    room.possible.clear()
    assert room.talk.answer(request, True) is None


def test_nobody_is_pestered(room: Room) -> None:
    for _ in range(10):
        ask(room)
    assert len(room.told) == 1
    for _ in range(100):
        (*_, request) = room.told
        assert isinstance(request, ModeratorRequest)
        room.talk.answer(request, False)
        ask(room)
    assert len(room.told) == REQUESTS


# -- hands, reactions, notices -----------------------------------------------------------------------


def test_a_reaction_is_told_once(room: Room) -> None:
    event = {"eventType": "REACTIONS", "streamId": "bob", "reaction": "thumbs_up", "senderStreamId": "bob"}
    room.hear("room1", **event)
    room.hear("alice", **event)
    assert room.told == [Reaction("bob", "Bob", "thumbs_up")]
    room.hear("room1", **event)
    assert len(room.told) == 2


@pytest.mark.parametrize(
    "event",
    [{"senderStreamId": "ghost"}, {"senderStreamId": "alice"}, {"reaction": 7}, {"reaction": ""}, {"reaction": None}],
)
def test_odd_reactions_are_none(room: Room, event: dict[str, object]) -> None:
    room.hear(**({"eventType": "REACTIONS", "reaction": "thumbs_up", "senderStreamId": "bob"} | event))
    assert room.told == []


def test_reactions_are_bounded(room: Room) -> None:
    for number in range(1000):
        room.hear(eventType="REACTIONS", senderStreamId="bob", reaction=f"{number}" + "x" * 1000)
    assert len(room.told) == SENDER_RATE
    assert all(isinstance(event, Reaction) and len(event.reaction) == 64 for event in room.told)
    assert room.talk.take_dropped() == 1000 - SENDER_RATE


def test_a_raised_hand_is_told_and_met(room: Room) -> None:
    hand = {"eventType": "REQUEST_BECOME_PUBLISHER", "streamId": "room1", "senderStreamName": "Vera"}
    room.hear("alice", **hand, senderStreamId="viewer")
    room.hear("room1", **hand, senderStreamId="viewer")
    room.hear("room1", **hand, senderStreamId="bob")
    room.hear("room1", **hand, senderStreamId="alice")
    assert room.told == [
        Announced(Notice.HAND_RAISED, "viewer", "Vera"),
        Announced(Notice.HAND_RAISED, "bob", "Bob"),
    ]
    assert "viewer" in room.roster


@pytest.mark.parametrize(
    "notice", [Notice.MAY_SPEAK, Notice.MAY_NOT_SPEAK, Notice.LISTEN_AGAIN], ids=lambda notice: notice.name
)
def test_the_answer_to_a_hand_names_the_listener(room: Room, notice: Notice) -> None:
    for listener in ("bob", "alice"):
        room.hear(eventType=notice, streamId="room1", senderStreamId=listener)
    assert [event for event in room.told if isinstance(event, Announced)] == [Announced(notice, "alice", "alice")]
    asked = {Notice.MAY_SPEAK: [Wish.SPEAK], Notice.LISTEN_AGAIN: [Wish.LISTEN]}.get(notice, [])
    assert [event.wish for event in room.told if isinstance(event, ModeratorRequest)] == asked


@pytest.mark.parametrize(
    ("event_type", "about_us", "about_bob", "about_ghost"),
    [
        ("PIN_USER", True, False, False),
        ("UNPIN_USER", True, False, False),
        ("RECORDING_TURNED_ON", True, True, False),
        ("RECORDING_TURNED_OFF", True, True, False),
        ("BROADCAST_ON", True, True, False),
        ("BROADCAST_OFF", True, True, False),
    ],
)
def test_notices_concern_us_or_somebody_in_the_room(
    room: Room, event_type: str, about_us: bool, about_bob: bool, about_ghost: bool
) -> None:
    for stream_id, expected in (("alice", about_us), ("bob", about_bob), ("ghost", about_ghost)):
        room.told.clear()
        room.hear(eventType=event_type, streamId=stream_id)
        assert [event.stream_id for event in room.told if isinstance(event, Announced)] == [stream_id] * expected


def test_a_shared_screen_is_announced_by_its_owner(room: Room) -> None:
    room.hear(eventType="SCREEN_SHARED_ON", streamId="bob_presentation")
    assert room.told == [Announced(Notice.SCREEN_SHARED, "bob", "Bob")]
    assert room.looks == 1


def test_viewers_come_and_go_by_name(room: Room) -> None:
    room.hear(eventType="PLAYER_ADDED", subscriberId="s1", subscriberName="Vera")
    room.hear(eventType="PLAYER_REMOVED", streamId="room1")
    room.hear(eventType="PLAYER_ADDED")
    assert room.told == [
        Announced(Notice.VIEWER_ADDED, "s1", "Vera"),
        Announced(Notice.VIEWER_REMOVED, "room1", "room1"),
        Announced(Notice.VIEWER_ADDED, "", ""),
    ]


def test_a_role_is_asked_for_and_not_believed(room: Room) -> None:
    room.hear(eventType="UPDATE_PARTICIPANT_ROLE", streamId="bob", senderStreamId="carol", role="host")
    assert room.looks == 1
    assert all(person.role == "" for person in room.roster.participants(()))


# -- the server's own --------------------------------------------------------------------------------


def levels(*entries: object) -> dict[str, object]:
    return {"eventType": "AUDIO_TRACK_ASSIGNMENT", "streamId": "room1", "payload": list(entries)}


def test_told_levels_hold_for_a_second(room: Room) -> None:
    room.hear(
        **levels(
            {"audioLabel": "audioTrack0", "trackId": "bob", "audioLevel": 59},
            {"audioLabel": "audioTrack1", "trackId": "carol", "audioLevel": 60},
            {"trackId": "ghost", "audioLevel": 0},
        )
    )
    assert room.talkers.now() == {"bob"}
    room.clock.now = TOLD_HOLD
    assert room.talkers.now() == set()
    room.hear(command="event", eventType="UPDATE_AUDIO_LEVEL", streamId="carol", audioLevel=41)
    assert room.talkers.now() == {"carol"}


def test_levels_without_labels_leave_the_slots_alone(room: Room) -> None:
    room.hear(**levels({"audioLabel": "audioTrack0", "trackId": "bob"}))
    room.hear(**levels({"trackId": "carol", "audioLevel": 10}))
    assert room.roster._slots["audio"]["audioTrack0"].stream_id == "bob"
    assert room.talkers.now() == {"carol"}
    room.hear(**levels())
    assert room.roster._slots["audio"] == {}


@pytest.mark.parametrize("level", [None, "loud", True, -1, 128, 1e400, [1]])
def test_odd_levels_are_no_talk(room: Room, level: object) -> None:
    room.hear(**levels({"audioLabel": "audioTrack0", "trackId": "bob", "audioLevel": level}))
    room.hear(eventType="UPDATE_AUDIO_LEVEL", streamId="bob", audioLevel=level)
    assert room.talkers.now() == set()


@pytest.mark.parametrize("payload", [None, 7, "x", {}])
def test_a_broken_assignment_list_frees_no_slot(room: Room, payload: object) -> None:
    room.hear(eventType="VIDEO_TRACK_ASSIGNMENT_LIST", payload=[{"videoLabel": "videoTrack0", "trackId": "bob"}])
    room.hear(eventType="VIDEO_TRACK_ASSIGNMENT_LIST", payload=payload)
    assert room.roster.slot_of("bob") == "videoTrack0"


@pytest.mark.parametrize(
    "event_type",
    ["UPDATE_STATUS", "UPDATE_SOUND_LEVEL", "VIDEO_TRACK_ASSIGNMENT_CHANGE", "unknown", "", None, 7, ["x"], {}],
)
def test_what_nobody_knows_is_ignored(room: Room, event_type: object) -> None:
    room.hear(eventType=event_type, streamId="bob", senderStreamId="bob", message="x")
    assert room.told == []


# -- out ---------------------------------------------------------------------------------------------


def test_what_is_sent_has_the_official_applications_fields(room: Room) -> None:
    sender = {"senderStreamId": "alice", "senderStreamName": "Alice"}
    room.talk.react("thumbs_up")
    room.talk.raise_hand()
    room.talk.answer_hand(Notice.MAY_SPEAK, "viewer")
    room.talk.ask(Wish.MICROPHONE_OFF, "bob")
    room.talk.tell_pinned("bob", True)
    room.talk.tell_pinned("bob", False)
    assert room.sent == [
        ({"eventType": "REACTIONS", "streamId": "alice", "reaction": "thumbs_up"} | sender, False),
        ({"eventType": "REQUEST_BECOME_PUBLISHER", "streamId": "room1"} | sender, True),
        ({"eventType": "APPROVE_BECOME_PUBLISHER", "streamId": "room1", "senderStreamId": "viewer"}, False),
        ({"eventType": "TURN_YOUR_MIC_OFF", "streamId": "bob", "senderStreamId": "alice"}, False),
        ({"eventType": "PIN_USER", "streamId": "bob"}, False),
        ({"eventType": "UNPIN_USER", "streamId": "bob"}, False),
    ]
