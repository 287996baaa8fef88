"""Moving pictures on a real terminal: whatever happens on the screen, no wrong cell is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.ui.emulator import Emulator
from tests.ui.room import conference
from tests.ui.scripted import ROOM, Script
from tests.waiting import until
from tui.core.events import Participant, RosterChanged
from tui.media.cells import Depth, Glyphs, Look

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.app import ConferenceApp

pytestmark = pytest.mark.pty

LOOK = Look(Glyphs.BLOCK, Depth.TRUECOLOR)


class Stage:
    """An app with moving pictures on an emulated terminal."""

    def __init__(self, app: ConferenceApp, emulator: Emulator, script: Script) -> None:
        self.app = app
        self.emulator = emulator
        self.script = script

    async def move(self) -> None:
        """Wait until the pictures have moved on the terminal."""
        projector = self.app.projector
        assert projector is not None
        before = projector.updates
        await until(lambda: projector.updates >= before + 3, what="moving pictures")

    async def right(self) -> None:
        """Stop the pictures, and wait until every cell of the screen is what it should be."""
        self.script.still = True
        last: list[str] = []

        def same() -> bool:
            last[:] = self.emulator.differences(self.app)
            return not last

        try:
            await until(same, what="the screen")
        except AssertionError:
            raise AssertionError(f"{len(last)} wrong cells: {last[:5]}\n{self.emulator.text}") from None
        finally:
            self.script.still = False


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    script = Script(paints=True)
    emulator = Emulator(monkeypatch)
    app = conference(script, look=LOOK)
    app.animation_level = "none"
    async with emulator.running(app):
        await until(lambda: script.sessions and script.sessions[0].board.frame("videoTrack0"), what="a frame")
        stage = Stage(app, emulator, script)
        await stage.move()
        yield stage


async def test_moving_pictures_are_what_the_canvas_says(stage: Stage) -> None:
    await stage.right()
    await stage.move()
    await stage.right()
    assert any(character in stage.emulator.text for character in "▀▄▌▐▖▗▘▝▚▞▙▛▜▟")


async def test_a_toast_over_the_pictures_is_whole_and_leaves_nothing_behind(stage: Stage) -> None:
    stage.app.notify("Somebody is at the door. " * 4, timeout=30, markup=False)
    await until(lambda: "Somebody is" in stage.emulator.text)
    await stage.move()
    await stage.right()
    assert "Somebody is" in stage.emulator.text
    stage.app.clear_notifications()
    await until(lambda: not stage.app.screen.query("Toast"))
    await stage.move()
    await stage.right()


@pytest.mark.parametrize(("keys", "words"), [("?", "Show every key"), ("o", "Devices"), (":", "Search")])
async def test_a_dialogue_stops_the_pictures_and_gives_them_back(stage: Stage, keys: str, words: str) -> None:
    stage.emulator.press(keys)
    await until(lambda: words in stage.emulator.text, what=words)
    await until(lambda: stage.script.sessions[0].board.wish("videoTrack0") is None)
    await stage.right()
    stage.emulator.press("\x1b")
    await until(lambda: stage.app.screen is stage.app.room)
    await stage.move()
    await stage.right()


async def test_a_storm_of_sizes(stage: Stage) -> None:
    for columns, rows in ((90, 25), (140, 40), (80, 24), (60, 16), (121, 37), (100, 30), (133, 33)):
        stage.emulator.resize(columns, rows)
        await asyncio.sleep(0.05)
    await until(lambda: stage.app.size == (133, 33))
    await stage.move()
    await stage.right()


async def test_pages(stage: Stage) -> None:
    people = [
        Participant(f"stream{number}", f"Person {number}", video=f"videoTrack{number % 16}") for number in range(40)
    ]
    stage.script.sessions[0].say(RosterChanged((ROOM[0], *people)))
    await until(lambda: "Person 3" in stage.emulator.text)
    for _ in range(3):
        await stage.move()
        await stage.right()
        stage.emulator.press("n")


async def test_pictures_off_and_on(stage: Stage) -> None:
    stage.emulator.press("h")
    await until(lambda: stage.script.sessions[0].board.wish("videoTrack0") is None)
    await stage.right()
    stage.emulator.press("h")
    await stage.move()
    await stage.right()


async def test_another_theme(stage: Stage) -> None:
    for theme in ("light", "terminal", "dark"):
        stage.app.theme = theme
        await stage.move()
        await stage.right()


async def test_a_camera_off_and_a_person_gone(stage: Stage) -> None:
    people = [replace(one, camera=one.camera and one.stream_id != "streambob") for one in ROOM]
    stage.script.sessions[0].say(RosterChanged(tuple(people)))
    await until(lambda: stage.emulator.text.count("camera off") == 4)
    await stage.move()
    await stage.right()
    stage.script.sessions[0].say(RosterChanged(ROOM))
    await until(lambda: stage.emulator.text.count("camera off") == 2)
    await stage.move()
    await stage.right()
    stage.script.sessions[0].say(RosterChanged(tuple(one for one in ROOM if one.stream_id != "streambob")))
    await until(lambda: "Bob" not in stage.emulator.text.split("joined")[0])
    await stage.move()
    await stage.right()


async def test_suspended_and_resumed(stage: Stage) -> None:
    with stage.app.suspend():
        stage.emulator.screen.reset()
        stage.emulator.screen.draw("$ a shell and its text")
    await stage.move()
    await stage.right()


async def test_the_key_to_redraw_repairs_what_others_wrote(stage: Stage) -> None:
    await stage.right()
    stage.emulator.screen.erase_in_display(2)
    assert stage.emulator.differences(stage.app)
    stage.emulator.press("\x0c")
    await stage.move()
    await stage.right()
