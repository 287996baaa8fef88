"""What somebody can be asked for, and that it reaches them as a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from tui.call import Call
from tui.config import JoinOptions
from tui.core.conference import Conference
from tui.core.events import Announced, Callback, ModeratorRequest, Notice, Participant, RosterChanged, Wish
from tui.favours import favours
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look
from tui.media.generated import TestTone
from tui.server.signaling import RoomServer
from tui.session import Asked
from tui.updates import Person

if TYPE_CHECKING:
    from tui.core.events import Event
    from tui.session import CallEvent


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (Person("bob", "bob", "Bob"), (Wish.MICROPHONE_OFF, Wish.CAMERA_OFF, Wish.LISTEN)),
        (Person("bob", "bob", "Bob", microphone=False), (Wish.MICROPHONE_ON, Wish.CAMERA_OFF, Wish.LISTEN)),
        (Person("bob", "bob", "Bob", camera=False), (Wish.MICROPHONE_OFF, Wish.LISTEN)),
        (Person("bob", "bob", "Bob", microphone=False, camera=False), (Wish.MICROPHONE_ON, Wish.LISTEN)),
        (Person("bob", "bob", "Bob", play_only=True), (Wish.SPEAK,)),
        (Person("bob", "bob", "Bob", is_self=True), ()),
        (Person("?video0", "?video0", "unknown"), ()),
    ],
)
def test_only_what_makes_sense_for_whoever_is_so(person: Person, expected: tuple[Wish, ...]) -> None:
    assert favours(person) == expected


def call_of(url: str, told: list[CallEvent]) -> Call:
    options = JoinOptions(url, "room1", "Alice", "alice", camera="none", microphone="silence", speaker="none")
    return Call(options, told.append, Board(Look(Glyphs.HALF, Depth.TRUECOLOR)))


def people(told: list[CallEvent]) -> tuple[Participant, ...]:
    return next((event.participants for event in reversed(told) if isinstance(event, RosterChanged)), ())


async def test_whoever_is_asked_is_put_the_question_and_stays_as_they_are() -> None:
    told: list[CallEvent] = []
    heard: list[Event] = []
    tone = TestTone()
    async with RoomServer() as server:
        call = call_of(server.url, told)
        bob = Conference(server.url, "room1", "bob", heard.append, name="Bob", audio=tone)
        try:
            await bob.join()
            await call.join()
            await until(lambda: [person.name for person in people(told)] == ["Alice", "Bob"])
            # He believes whom the server has named.
            await until(lambda: [person.name for person in bob.participants] == ["Bob", "Alice"])
            await call.ask("bob", Wish.MICROPHONE_OFF)
            await until(lambda: any(isinstance(event, ModeratorRequest) for event in heard))
            request = next(event for event in heard if isinstance(event, ModeratorRequest))
            assert (request.wish, request.sender, request.name) == (Wish.MICROPHONE_OFF, "alice", "Alice")
            assert bob.microphone is True
            await call.ask("bob", Wish.LISTEN)
            await until(lambda: Announced(Notice.LISTEN_AGAIN, "bob", "bob") in heard)
            await call.ask("bob", Wish.SPEAK)
            await until(lambda: Announced(Notice.MAY_SPEAK, "bob", "bob") in heard)
            asked = [event for event in told if isinstance(event, Asked)]
            assert asked == [Asked("bob", "Bob", favour) for favour in (Wish.MICROPHONE_OFF, Wish.LISTEN, Wish.SPEAK)]
        finally:
            await call.leave()
            await call.aclose()
            await bob.aclose()
            tone.stop()


@pytest.mark.parametrize("favour", list(Wish))
async def test_without_a_way_to_the_room_nothing_is_said_to_be_asked(favour: Wish) -> None:
    told: list[CallEvent] = []
    call = call_of("ws://127.0.0.1:1/none/websocket", told)
    await call.ask("bob", favour)
    (line,) = told
    assert isinstance(line, Callback)
    assert (line.info, line.error) == ("request", True)
