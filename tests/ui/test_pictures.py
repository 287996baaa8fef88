"""Moving pictures on a real terminal: whatever happens on the screen, no wrong cell is left."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.ui.emulator import Emulator
from tests.ui.room import conference
from tests.ui.scripted import ROOM, SHARED, Script, sharing
from tests.waiting import until
from tui.core.events import Participant, RosterChanged
from tui.layouts import Layout
from tui.media.cells import Depth, Glyphs, Look
from tui.widgets import spotlight
from tui.widgets.video_grid import VideoGrid
from tui.widgets.video_tile import VideoTile

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


async def test_scrolled_tiles(stage: Stage) -> None:
    grid = stage.app.room.query_one(VideoGrid)
    grid.styles.grid_rows = "14"
    grid.styles.overflow_y = "scroll"
    await until(lambda: grid.max_scroll_y > 4, what="tiles that do not fit")
    for y in (3, grid.max_scroll_y, 0):
        grid.scroll_to(y=y, animate=False)
        await until(lambda y=y: grid.scroll_offset.y == y)  # type: ignore[misc]
        await stage.move()
        await stage.right()


async def test_pictures_off_and_on(stage: Stage) -> None:
    stage.emulator.press("hh")
    await until(lambda: stage.script.sessions[0].board.wish("videoTrack0") is None)
    await stage.right()
    stage.emulator.press("h")
    await stage.move()
    await stage.right()


async def test_every_layout_and_the_whole_screen(stage: Stage) -> None:
    stage.script.sessions[0].say(RosterChanged(tuple(sharing("streamcarol"))))
    await until(lambda: "Carol: screen" in stage.emulator.text)
    for keys, layout, focus in (
        ("h", Layout.SPEAKER, False),
        ("b", Layout.SPEAKER, True),
        ("n", Layout.SPEAKER, True),
        ("NzJ", Layout.SPEAKER, True),
        ("b", Layout.SPEAKER, False),
        ("h", Layout.LIST, False),
        ("b", Layout.LIST, True),
        ("\x1b", Layout.LIST, False),
        ("h", Layout.GRID, False),
        ("b", Layout.GRID, True),
        ("h", Layout.SPEAKER, False),
    ):
        stage.emulator.press(keys)
        room = stage.app.room
        await until(lambda: (room.arrangement, room.in_focus) == (layout, focus), what=f"{layout} {focus}")  # noqa: B023
        if focus or layout is not Layout.LIST:
            await stage.move()
        await stage.right()


async def test_keys_faster_than_the_pictures(stage: Stage) -> None:
    for keys in ("hbn", "\x1bhh", "bnNb", "bh", "hhbbbh"):
        stage.emulator.press(keys)
        await asyncio.sleep(0.05)
    await stage.right()
    await until(lambda: not stage.app.room.in_focus)


async def test_another_speaker(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotlight, "TAKES", 0.2)
    stage.emulator.press("h")

    def large() -> str:
        return next((tile.person.key for tile in stage.app.room.query(VideoTile) if tile.leads and tile.person), "")

    for speaker in ("streamcarol", "streambob", "streamdave"):
        people = [replace(one, microphone=True, talking=one.stream_id == speaker) for one in ROOM]
        stage.script.sessions[0].say(RosterChanged(tuple(people)))
        await until(lambda: large() == speaker, what=f"{speaker} large")  # noqa: B023
        await stage.move()
        await stage.right()


async def test_who_is_seen_alone_leaves(stage: Stage) -> None:
    stage.script.sessions[0].say(RosterChanged(tuple(sharing("streamcarol"))))
    await until(lambda: stage.app.room.query(VideoTile) and "Carol: screen" in stage.emulator.text)
    stage.emulator.press("b")
    await until(lambda: stage.script.sessions[0].board.frame(SHARED) is not None)
    await stage.move()
    stage.script.sessions[0].say(RosterChanged(ROOM))
    await until(lambda: not stage.app.room.in_focus)
    await stage.move()
    await stage.right()


async def test_the_whole_of_a_small_screen(stage: Stage) -> None:
    stage.emulator.resize(60, 16)
    await until(lambda: stage.app.size == (60, 16))
    stage.emulator.press("b")
    await stage.move()
    await stage.right()
    stage.emulator.resize(120, 36)
    await until(lambda: stage.app.size == (120, 36))
    await stage.move()
    await stage.right()
    assert stage.app.room.in_focus


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
