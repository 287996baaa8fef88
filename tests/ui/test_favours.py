"""Asking somebody else to mute and the like, by key: a request, and a line in the chat that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ui.room import conference, drawn
from tests.ui.scripted import ROOM, Script, joined
from tests.waiting import until
from tui.core.events import CallState, CallStateChanged, Participant, Wish
from tui.favours import FAVOURS
from tui.screens.favour import FavourList, FavourScreen
from tui.screens.room import RoomScreen

if TYPE_CHECKING:
    from tui.app import ConferenceApp

LISTENER = Participant("streamerin", "Erin", microphone=False, camera=False, play_only=True)
NOBODY_YET = Participant("?videoTrack5", "unknown", video="videoTrack5")
SELF, BOB, CAROL, DAVE = ROOM


def offered(app: ConferenceApp) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one(FavourList).options]


@pytest.mark.parametrize(
    ("person", "keys", "favour"),
    [
        (BOB, [], Wish.MICROPHONE_OFF),
        (BOB, ["down"], Wish.CAMERA_OFF),
        (BOB, ["down", "down"], Wish.LISTEN),
        (CAROL, [], Wish.MICROPHONE_ON),
        (DAVE, ["down"], Wish.LISTEN),
        (LISTENER, [], Wish.SPEAK),
    ],
)
async def test_what_is_chosen_is_asked_for_and_said_in_the_chat(
    person: Participant, keys: list[str], favour: Wish
) -> None:
    script = Script(joined([SELF, person]))
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: len(app.view.people) == 2)
        await pilot.press("down", "M")
        await until(lambda: isinstance(app.screen, FavourScreen))
        assert f"Ask{person.name}to" in drawn(app)
        await pilot.press(*keys, "enter")
        await until(lambda: script.sessions[0].favours == [(person.stream_id, favour)])
        assert isinstance(app.screen, RoomScreen)
        await pilot.press("c")
        await until(lambda: f"youask{person.name}to{FAVOURS[favour]}".replace(" ", "") in drawn(app))


async def test_only_what_makes_sense_is_offered() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        for expected in (
            ["mute the microphone", "turn the camera off", "listen only"],
            ["turn the microphone on", "turn the camera off", "listen only"],
            ["mute the microphone", "listen only"],
        ):
            await pilot.press("down", "M")
            await until(lambda: isinstance(app.screen, FavourScreen))
            assert offered(app) == expected
            await pilot.press("M")
            await until(lambda: isinstance(app.screen, RoomScreen))


async def test_closed_without_a_choice_nothing_is_asked() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        for key in ("escape", "q", "ctrl+c"):
            await pilot.press("down", "M")
            await until(lambda: isinstance(app.screen, FavourScreen))
            await pilot.press(key)
            await until(lambda: isinstance(app.screen, RoomScreen))
        assert script.sessions[0].favours == []
        assert app.is_running


async def test_what_one_asks_is_nothing_unread() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("down", "M", "enter")
        await until(lambda: script.sessions[0].favours)
        await pilot.pause()
        assert "unread" not in drawn(app)


@pytest.mark.parametrize("person", [SELF, NOBODY_YET])
async def test_nothing_can_be_asked_of_oneself_or_of_nobody(person: Participant) -> None:
    app = conference(Script(joined([person] if person.is_self else [SELF, person])))
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("down", "M")
        assert isinstance(app.screen, RoomScreen)
        assert app.check_action("moderate", ()) is None


async def test_nothing_can_be_asked_without_a_way_to_the_room() -> None:
    app = conference(Script([*joined(), CallStateChanged(CallState.RECONNECTING, "lost")]))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.RECONNECTING and app.view.people)
        await pilot.press("down", "M")
        assert isinstance(app.screen, RoomScreen)
        assert app.room.selected is not None
        assert app.check_action("moderate", ()) is None


async def test_a_name_is_no_markup() -> None:
    script = Script(joined([SELF, Participant("streambob", "\x1b[31m[/b]Bob")]))
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: len(app.view.people) == 2)
        await pilot.press("down", "M")
        await until(lambda: isinstance(app.screen, FavourScreen))
        assert "[/b]Bobto" in drawn(app)
