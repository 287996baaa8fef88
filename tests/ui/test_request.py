"""A moderator's request is a question to the user, who may say no."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ui.room import OPTIONS, conference, drawn
from tests.ui.scripted import ROOM, SELF, Script
from tests.waiting import until
from tui.core.events import CallState, ModeratorRequest, Participant, RosterChanged, Wish
from tui.screens import request
from tui.screens.request import RequestScreen
from tui.widgets.video_grid import VideoGrid

MUTE = ModeratorRequest(1, Wish.MICROPHONE_OFF, "streambob", "\x1b[31m[b]Bob")
DARK = ModeratorRequest(2, Wish.CAMERA_OFF, "streamcarol", "Carol")


@pytest.mark.parametrize(("key", "granted"), [("y", True), ("n", False), ("escape", False), ("enter", False)])
async def test_the_question_is_answered_by_key(key: str, granted: bool) -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(MUTE)
        await until(lambda: isinstance(app.screen, RequestScreen))
        await until(lambda: "[b]Bobasksyoutomuteyourmicrophone." in drawn(app))
        await pilot.press(key)
        await until(lambda: script.sessions[0].answers == [(1, granted)])
        assert not isinstance(app.screen, RequestScreen)


@pytest.mark.parametrize("granted", [True, False])
async def test_who_may_speak_is_asked_and_then_takes_part(granted: bool) -> None:
    script = Script()
    app = conference(script, replace(OPTIONS, play_only=True))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        session = script.sessions[0]
        session.say(ModeratorRequest(7, Wish.SPEAK, "", ""))
        await until(lambda: isinstance(app.screen, RequestScreen))
        await until(lambda: "Youmayspeak.Takepart" in drawn(app))
        await pilot.press("y" if granted else "n")
        await until(lambda: session.answers == [(7, granted)])
        await until(lambda: app.view.play_only is not granted)
        assert len(session.published) == granted


async def test_who_obeys_takes_part_at_once() -> None:
    script = Script()
    app = conference(script, replace(OPTIONS, play_only=True))
    async with app.run_test():
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(ModeratorRequest(7, Wish.SPEAK, "", "", obeyed=True))
        await until(lambda: not app.view.play_only)


async def test_one_question_comes_after_the_other() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(MUTE, DARK)
        await until(lambda: isinstance(app.screen, RequestScreen))
        await pilot.press("n")
        await until(lambda: isinstance(app.screen, RequestScreen) and "turnyourcameraoff" in drawn(app))
        await pilot.press("y")
        await until(lambda: script.sessions[0].answers == [(1, False), (2, True)])


async def test_no_answer_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "PATIENCE", 0.1)
    script = Script()
    app = conference(script)
    async with app.run_test():
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(MUTE)
        await until(lambda: script.sessions[0].answers == [(1, False)])


async def test_the_question_goes_with_the_room() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(MUTE)
        await until(lambda: isinstance(app.screen, RequestScreen))
        app.action_leave()
        await until(lambda: not isinstance(app.screen, RequestScreen) and app.view.state is CallState.IDLE)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.JOINED)
        assert not isinstance(app.screen, RequestScreen)


async def test_a_shared_screen_has_a_tile_of_its_own() -> None:
    script = Script(still=True)
    app = conference(script)
    async with app.run_test(size=(120, 36)):
        await until(lambda: app.view.state is CallState.JOINED)
        bob = Participant("streambob", "Bob", camera=False, video="videoTrack0", presentation="videoTrack5")
        script.sessions[0].say(RosterChanged((SELF, bob)))
        grid = app.screen_stack[0].query_one(VideoGrid)
        await until(lambda: len(grid.tiles) == 3)
        assert [(tile.person.name, tile.track) for tile in grid.tiles if tile.person and not tile.person.is_self] == [
            ("Bob: screen", "videoTrack5"),
            ("Bob", None),
        ]
        await until(lambda: "Bob:screen" in drawn(app))
        script.sessions[0].say(RosterChanged(ROOM))
        await until(lambda: len(grid.tiles) == len(ROOM))
