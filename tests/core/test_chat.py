"""Chat in both dialects, each message once, within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tui.core.chat import TEXT_LIMIT, UNSENT_LIMIT, Chat, Dialect, date_text, read_date
from tui.core.copies import SAME_WITHIN, Copies
from tui.core.floor import ROOM_RATE, SENDER_RATE, SENDERS, Floor
from tui.core.records import Broadcast
from tui.core.roster import Roster

if TYPE_CHECKING:
    from tui.core.events import ChatMessage
    from tui.core.wire import Json

NOW = 1_756_807_872.0
"""Tue Sep 02 2025 10:11:12 UTC."""
DATE = "Tue Sep 02 2025 10:11:12 GMT+0000 (Coordinated Universal Time)"


class Room:
    """A chat with what it sends and tells; bob is in the room."""

    def __init__(self, **options: Any) -> None:
        self.sent: list[Json] = []
        self.told: list[ChatMessage] = []
        self.open = True
        self.roster = Roster("room1", "alice")
        self.roster.list_subtracks([Broadcast("bob", "Bob")])
        self.floor = Floor()
        self.chat = Chat(
            "alice", "Alice", self._send, self.told.append, self.floor, self.roster, clock=lambda: NOW, **options
        )

    def _send(self, event: Json) -> bool:
        if self.open:
            self.sent.append(event)
        return self.open

    def circle(self, text: object = "hi", sender: object = "bob", way: str = "room1", **fields: object) -> None:
        event = {"message": text, "senderId": sender, "name": "Bob", "date": DATE} | fields
        self.chat.take(Dialect.CIRCLE, event, way)

    def page(self, text: object = "hi", sender: object = "bob", way: str = "room1") -> None:
        self.chat.take(Dialect.PAGE, {"message": text, "streamId": sender}, way)

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.told]


@pytest.fixture
def room() -> Room:
    return Room()


# -- out ---------------------------------------------------------------------------------------------


def test_a_message_is_sent_as_the_official_application_does(room: Room) -> None:
    assert room.chat.say("  hi all \n")
    assert room.sent == [
        {"eventType": "MESSAGE_RECEIVED", "message": "hi all", "name": "Alice", "senderId": "alice", "date": DATE}
    ]
    (message,) = room.told
    assert (message.sender, message.name, message.text, message.at) == ("alice", "Alice", "hi all", NOW)
    assert (message.own, message.unsent, message.verified) == (True, False, True)


def test_the_sample_pages_dialect_is_spoken_once_it_was_heard(room: Room) -> None:
    room.page("hello")
    room.chat.say("hi")
    assert room.sent[1:] == [{"eventType": "CHAT_MESSAGE", "streamId": "alice", "message": "hi"}]
    assert room.texts == ["hello", "hi"]


@pytest.mark.parametrize("dialects", [[Dialect.PAGE], list(Dialect)])
def test_the_dialects_can_be_chosen(dialects: list[Dialect]) -> None:
    room = Room(dialects=dialects)
    room.chat.say("hi")
    assert {event["eventType"] for event in room.sent} == {str(dialect) for dialect in dialects}


@pytest.mark.parametrize("text", ["", " \n "])
def test_nothing_is_not_said(room: Room, text: str) -> None:
    assert not room.chat.say(text)
    assert room.told == []


def test_what_is_too_long_is_cut(room: Room) -> None:
    room.chat.say("x" * (TEXT_LIMIT + 1))
    assert room.sent[0]["message"] == "x" * TEXT_LIMIT


def test_what_cannot_be_sent_waits_in_order(room: Room) -> None:
    room.open = False
    room.chat.say("first")
    room.open = True
    room.chat.say("second")
    assert room.sent == []
    assert [message.unsent for message in room.told] == [True, True]
    room.chat.flush()
    assert [event["message"] for event in room.sent] == ["first", "second"]
    assert [message.unsent for message in room.told] == [True, True, False, False]
    assert [message.number for message in room.told[:2]] == [message.number for message in room.told[2:]]
    room.chat.flush()
    assert len(room.sent) == 2


def test_only_so_much_waits_and_then_the_user_is_told(room: Room) -> None:
    room.open = False
    taken = [room.chat.say(str(number)) for number in range(UNSENT_LIMIT + 1)]
    assert taken == [True] * UNSENT_LIMIT + [False]
    assert len(room.told) == UNSENT_LIMIT
    room.chat.flush()
    assert len(room.told) == UNSENT_LIMIT


# -- in ----------------------------------------------------------------------------------------------


def test_both_dialects_are_understood(room: Room) -> None:
    room.circle("one", date="Tue Sep 02 2025 12:10:00 GMT+0200 (MESZ)")
    room.page("two")
    one, two = room.told
    assert (one.sender, one.name, one.at, one.verified, one.own) == ("bob", "Bob", NOW - 72, True, False)
    assert (two.sender, two.name, two.at, two.verified, two.own) == ("bob", "Bob", NOW, True, False)


def test_the_name_is_the_servers(room: Room) -> None:
    room.circle(name="Mallory")
    assert room.told[0].name == "Bob"


def test_whoever_the_server_has_not_named_is_not_verified(room: Room) -> None:
    room.circle(sender="viewer", name="Vera")
    room.circle("again", sender="viewer", name="Vera")
    room.circle("who am I", sender="other", name=None)
    room.circle("and I", sender=7)
    assert [(one.sender, one.name, one.verified) for one in room.told] == [
        ("viewer", "Vera", False),
        ("viewer", "Vera", False),
        ("other", "other", False),
        ("", "Bob", False),
    ]
    assert [one.stream_id for one in room.roster.participants(())] == ["bob", "viewer", "other"]


def test_the_own_echo_is_dropped(room: Room) -> None:
    room.circle(sender="alice")
    room.page(sender="alice")
    assert room.told == []


@pytest.mark.parametrize("text", [None, "", "  ", 7, ["hi"], {}])
def test_what_is_no_text_is_no_message(room: Room, text: object) -> None:
    room.circle(text)
    room.page(text)
    assert room.told == []


def test_a_long_text_is_cut(room: Room) -> None:
    room.circle("x" * 60_000, name="n" * 10_000, sender="s" * 10_000)
    (message,) = room.told
    assert (len(message.text), len(message.name), len(message.sender)) == (TEXT_LIMIT, 256, 256)


@pytest.mark.parametrize(
    "date", [None, 7, "", "yesterday", "Tue Sep 02 2125 10:11:12 GMT+0000", "2025-09-02T10:11:12Z"]
)
def test_without_a_date_that_can_be_believed_it_is_now(room: Room, date: object) -> None:
    room.circle(date=date)
    assert room.told[0].at == NOW


def test_the_same_message_in_both_dialects_and_on_both_ways_is_one(room: Room) -> None:
    for way in ("room1", "alice"):
        room.circle("hi", way=way)
        room.page("hi", way=way)
    assert room.texts == ["hi"]


def test_who_says_the_same_twice_is_heard_twice(room: Room) -> None:
    for way in ("room1", "alice"):
        room.page("ok", way=way)
        room.page("ok", way=way)
    room.circle("ok", sender="carol")
    assert room.texts == ["ok", "ok", "ok"]


def test_the_same_date_on_the_same_way_is_a_copy(room: Room) -> None:
    room.circle("ok")
    room.circle("ok")
    room.circle("ok", date=DATE.replace(":12", ":13"))
    assert room.texts == ["ok", "ok"]


def test_old_words_are_forgotten() -> None:
    now = 0.0
    copies = Copies(lambda: now)
    assert not copies.is_copy("hi", "room1")
    assert copies.is_copy("hi", "alice")
    now = SAME_WITHIN
    assert not copies.is_copy("hi", "alice")


def test_one_sender_cannot_fill_the_room(room: Room) -> None:
    for number in range(10 * SENDER_RATE):
        room.page(str(number))
    room.page("and I?", sender="carol")
    assert room.texts == [*map(str, range(SENDER_RATE)), "and I?"]
    assert room.floor.take_dropped() == 9 * SENDER_RATE
    assert room.floor.take_dropped() == 0


def test_many_names_cannot_either(room: Room) -> None:
    for number in range(SENDERS + 10):
        room.page("hi", sender=f"sender{number}")
    assert len(room.told) == ROOM_RATE


# -- dates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("month", range(1, 13))
def test_dates_go_there_and_back(month: int) -> None:
    at = datetime(2024, month, 29, 23, 59, 7, tzinfo=UTC)
    assert read_date(date_text(at.timestamp())) == at.timestamp()
    assert date_text(at.timestamp()).startswith(f"{at:%a %b %d %Y %H:%M:%S} GMT+0000")


@pytest.mark.parametrize("zone", ["GMT-0330", "GMT-03:30", "UTC-0330"])
def test_zones_are_read(zone: str) -> None:
    expected = datetime(2025, 9, 2, 10, 11, 12, tzinfo=UTC) + timedelta(hours=3, minutes=30)
    assert read_date(f"Tue Sep 02 2025 10:11:12 {zone} (somewhere)") == expected.timestamp()


@pytest.mark.parametrize(
    "value",
    ["Tue Xyz 02 2025 10:11:12 GMT", "Tue Sep 02 0000 10:11:12 GMT", "Tue Sep 99 9999 99:99:99 GMT+9999", "x" * 10_000],
)
def test_odd_dates_do_no_harm(value: str) -> None:
    read = read_date(value)
    assert read is None or isinstance(read, int | float)
