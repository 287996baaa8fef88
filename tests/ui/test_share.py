"""Sharing a screen by key: what there is to choose from, what becomes of it, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Input, Label

from tests.ui.room import OPTIONS, conference, drawn, infos
from tests.ui.scripted import ROOM, Script, joined
from tests.waiting import until
from tui.core.events import CallState, CallStateChanged, RosterChanged, ShareState, SharingChanged
from tui.media import screens
from tui.media.screens import Screen, Screens
from tui.screens.path import PathScreen
from tui.screens.room import RoomScreen
from tui.screens.share import ShareList, ShareScreen
from tui.widgets.video_grid import VideoGrid

if TYPE_CHECKING:
    from pathlib import Path

    from tui.app import ConferenceApp
    from tui.session import CallEvent

FOUND = Screens((Screen("screen::0", "Screen :0, 1920x1080"), Screen("screen::1", "Screen :1, 800x600")))
REMOTE = Screens(problem="antconf runs on another machine, over SSH", hint="Start it on the other machine.")


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "list_screens", lambda: FOUND)


def offered(app: ConferenceApp) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one(ShareList).options]


async def opened(app: ConferenceApp, count: int) -> None:
    await until(lambda: isinstance(app.screen, ShareScreen) and len(offered(app)) == count)


async def test_one_key_shares_a_screen_and_stops_it() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("S")
        await opened(app, 4)
        assert offered(app) == ["Screen :0, 1920x1080", "Screen :1, 800x600", "A file…", "Test picture"]
        await pilot.press("down", "enter")
        await until(lambda: app.view.share.state is ShareState.ON)
        assert script.sessions[0].shared == ["screen::1"]
        assert "▣sharingscreen::1" in drawn(app)
        await pilot.press("S")
        await until(lambda: app.view.share.state is ShareState.OFF)
        await until(lambda: "sharing" not in drawn(app))
        assert isinstance(app.screen, RoomScreen)
        assert infos(app).count("share") == 2


async def test_a_file_is_asked_for_by_its_path(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("S")
        await opened(app, 4)
        await pilot.press("down", "down", "enter")
        await until(lambda: isinstance(app.screen, PathScreen))
        app.screen.query_one(Input).value = f"{tmp_path}/[b]clap.mp4"
        await pilot.press("enter")
        await until(lambda: "[b]clap.mp4" in str(app.screen.query_one("#problem", Label).content))
        app.screen.query_one(Input).value = f"  {clip} "
        await pilot.press("enter")
        await until(lambda: script.sessions[0].shared == [str(clip)])
        await until(lambda: isinstance(app.screen, RoomScreen))


async def test_both_questions_can_be_left_without_an_answer() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("S")
        await opened(app, 4)
        await pilot.press("down", "down", "enter")
        await until(lambda: isinstance(app.screen, PathScreen))
        await pilot.press("enter", "escape")
        await until(lambda: isinstance(app.screen, ShareScreen))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, RoomScreen))
        assert script.sessions[0].shared == []


async def test_without_a_screen_the_reason_is_said_and_the_rest_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "list_screens", lambda: REMOTE)
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("S")
        await until(lambda: REMOTE.problem in str(app.screen.query_one("#problem", Label).content))
        assert offered(app) == ["A file…", "Test picture"]
        await pilot.press("down", "enter")
        await until(lambda: script.sessions[0].shared == ["test"])


async def test_who_only_watches_or_is_in_no_room_shares_nothing() -> None:
    app = conference(options=replace(OPTIONS, play_only=True))
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("S")
        assert isinstance(app.screen, RoomScreen)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("S")
        assert isinstance(app.screen, RoomScreen)


async def test_sharing_can_be_ended_while_the_connection_is_away() -> None:
    away: list[CallEvent] = [
        SharingChanged(ShareState.STARTING, "test"),
        CallStateChanged(CallState.RECONNECTING, "lost"),
    ]
    app = conference(Script([*joined(), *away]))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.state is CallState.RECONNECTING)
        await until(lambda: "…sharingtest,notseenyet" in drawn(app))
        await pilot.press("S")
        await until(lambda: app.view.share.state is ShareState.OFF)


async def test_an_end_that_nobody_asked_for_is_said() -> None:
    refused = SharingChanged(ShareState.OFF, "[/b]", "the room is \x1b[2Jfull", "try later")
    app = conference(Script([*joined(), refused]))
    async with app.run_test(notifications=True, size=(120, 36)):
        await until(lambda: "Nothingisshared:theroomis" in drawn(app))
        assert "share" in infos(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_whoever_shares_is_marked_in_the_list_and_oneself_has_no_second_tile(size: tuple[int, int]) -> None:
    people = [replace(ROOM[0], sharing=True), replace(ROOM[1], presentation="videoTrack5"), *ROOM[2:]]
    app = conference(Script(joined(people), still=True))
    async with app.run_test(size=size):
        await until(lambda: drawn(app).count("▣sharing") == 2)
        grid = app.room.query_one(VideoGrid)
        await until(lambda: len(grid.tiles) == 5)
        names = sorted(tile.person.name for tile in grid.tiles if tile.person is not None)
        assert names == ["Alice", "Bob", "Bob: screen", "Carol", "Dave"]


async def test_sharing_ends_with_the_call() -> None:
    script = Script([*joined(), SharingChanged(ShareState.ON, "test")])
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.share.state is ShareState.ON)
        script.sessions[0].say(RosterChanged(()))
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        assert app.view.share.state is ShareState.OFF
