"""Who comes and goes, and whom the user is called for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.waiting import Clock
from tui.alarm import Alarm, Desktop, is_called, reasons
from tui.core.events import CallState
from tui.herald import NAMING, SETTLING, SMALL, Herald
from tui.relay import Relay
from tui.updates import CallView, ChatLine, Person, Update

AT = 1000.0
ALICE = Person("alice", "alice", "Alice", is_self=True)
BOB = Person("bob", "bob", "Bob")
CAROL = Person("carol", "carol", "Carol")


class Room:
    """A herald that is told of one view after the other."""

    def __init__(self) -> None:
        self.clock = Clock(AT)
        self.herald = Herald(self.clock)
        self.view = CallView(CallState.JOINED, joined_at=AT)
        self.lines: list[str] = []
        self.shown: list[str] = []
        self.reasons: list[str] = []

    def see(self, *people: Person, state: CallState = CallState.JOINED, chat: tuple[ChatLine, ...] = ()) -> list[str]:
        """The lines of the log that these people bring."""
        before, self.view = self.view, replace(self.view, state=state, people=(ALICE, *people))
        heard = self.herald.take("Alice", before, Update(self.view, chat=chat))
        self.lines += (lines := [line.payload for line in heard.lines])
        self.shown += heard.shown
        self.reasons += heard.reasons
        return lines

    def settle(self, *people: Person) -> None:
        """They were here before us."""
        self.see(*people)
        self.clock.now += SETTLING


def test_who_is_there_when_one_comes_does_not_come() -> None:
    room = Room()
    assert room.see(BOB) == []
    room.clock.now += SETTLING / 2
    assert room.see(BOB, CAROL) == []
    room.clock.now += SETTLING
    assert room.see(BOB, CAROL) == []
    assert room.see(BOB) == ["Carol has left"]
    assert room.see(BOB, CAROL) == ["Carol has joined"]
    assert room.shown == room.lines
    assert room.reasons == ["Carol has joined"]


def test_a_newcomer_is_told_of_by_name_once_there_is_one() -> None:
    room = Room()
    room.settle()
    nameless = replace(BOB, name="bob")
    assert room.see(nameless) == []
    assert room.herald.waits
    assert room.see(BOB) == ["Bob has joined"]
    assert not room.herald.waits
    assert room.see() == ["Bob has left"]
    assert room.see(nameless) == []
    room.clock.now += NAMING
    assert room.see(nameless) == ["bob has joined"]
    # Who was never told of does not leave.
    assert room.see(nameless, replace(CAROL, name="carol")) == []
    assert room.see(nameless) == []
    assert not room.herald.waits


def test_a_picture_without_an_owner_is_nobody() -> None:
    room = Room()
    room.settle()
    assert room.see(Person("?video-1", "?video-1", "unknown")) == []
    assert room.see() == []


def test_while_the_connection_is_lost_nobody_leaves_and_after_it_only_who_did() -> None:
    room = Room()
    room.settle(BOB, CAROL)
    assert room.see(state=CallState.RECONNECTING) == []
    assert room.see(BOB, CAROL) == []
    assert room.see(BOB, state=CallState.RECONNECTING) == []
    assert room.see(BOB) == ["Carol has left"]


def test_another_room_begins_anew() -> None:
    room = Room()
    room.settle(BOB)
    assert room.see(state=CallState.IDLE) == []
    room.view = replace(room.view, joined_at=room.clock.now)
    assert room.see(CAROL) == []


def test_in_front_there_are_few_and_none_in_a_large_room_but_the_log_has_all() -> None:
    room = Room()
    room.settle()
    crowd = [Person(f"id{number}", f"id{number}", f"Person {number}") for number in range(SMALL - 1)]
    room.see(*crowd)
    assert len(room.lines) == SMALL - 1
    assert len(room.shown) == 3
    room.clock.now += 1000
    room.see(*crowd, BOB)
    assert room.lines[-1] == "Bob has joined"
    assert len(room.shown) == 3


@pytest.mark.parametrize(
    ("name", "text", "called"),
    [
        ("Kim", "Kim, can you hear me?", True),
        ("Kim", "what does kim think", True),
        ("Kim", "a Kimono", False),
        ("Kim", "@Kim!", True),
        ("Kim Lee", "Kim, are you there", False),
        ("Kim Lee", "@kim are you there", True),
        ("Kim Lee", "KIM LEE?", True),
        ("山田", "山田 さん", True),
        ("C++ (me)", "C++ (me) said", True),
        ("K", "K", False),
        ("", "anything", False),
    ],
)
def test_the_own_name_is_found_as_words_of_its_own(name: str, text: str, called: bool) -> None:
    assert is_called(name, text) is called


def test_what_one_is_called_for() -> None:
    chat = (
        ChatLine(1, AT, "Bob", "Alice?"),
        ChatLine(2, AT, "Alice", "I, Alice", own=True),
        ChatLine(-3, AT, "Alice", "Alice reacts", aside=True),
        ChatLine(4, AT, "Carol", "nothing"),
    )
    before = (ALICE, replace(CAROL, hand=True))
    now = (replace(ALICE, hand=True), replace(BOB, hand=True), replace(CAROL, hand=True))
    assert reasons("Alice", before, now, chat) == ["Bob: Alice?", "Bob raises a hand"]


def test_an_alarm_is_off_unless_it_is_chosen() -> None:
    assert Alarm().raised(["Bob has joined"], Relay()) == ""
    assert Alarm(bell=True).raised([], Relay()) == ""


@pytest.mark.parametrize(
    ("alarm", "written"),
    [
        (Alarm(bell=True), "\x07"),
        (Alarm(desktop=Desktop.OSC9), "\x1b]9;antconf: Bob, hi\x07"),
        (Alarm(desktop=Desktop.OSC777), "\x1b]777;notify;antconf;Bob, hi\x07"),
        (Alarm(True, Desktop.OSC9), "\x1b]9;antconf: Bob, hi\x07\x07"),
    ],
)
def test_how_one_is_called(alarm: Alarm, written: str) -> None:
    assert alarm.raised(["Bob; hi"], Relay()) == written


def test_through_tmux_the_desktop_is_reached_and_the_bell_is_tmux_s_own() -> None:
    written = Alarm(True, Desktop.OSC9).raised(["Bob"], Relay(passthrough=True))
    assert written == "\x1bPtmux;\x1b\x1b]9;antconf: Bob\x07\x1b\\\x07"


def test_what_others_say_cannot_end_the_sequence_or_be_an_order() -> None:
    said = "4;1;100\x07\x1b]0;owned\x1b\\\x9c\u202e" + "x" * 500
    written = Alarm(desktop=Desktop.OSC9).raised([said], Relay())
    assert written.startswith("\x1b]9;antconf: 4,1,100")
    inside = written.removeprefix("\x1b]9;").removesuffix("\x07")
    assert inside.isprintable()
    assert ";" not in inside
    assert len(inside) < 150


def test_who_looks_at_it_is_not_called_and_neither_is_anybody_too_often() -> None:
    clock = Clock()
    alarm = Alarm(bell=True, clock=clock)
    alarm.focused = True
    assert alarm.raised(["x"], Relay()) == ""
    alarm.focused = False
    assert [bool(alarm.raised(["x"], Relay())) for _ in range(5)] == [True, True, True, False, False]
    clock.now += 10
    # A terminal that never says is taken for one that is not looked at.
    alarm.focused = None
    assert [bool(alarm.raised(["x"], Relay())) for _ in range(2)] == [True, False]
