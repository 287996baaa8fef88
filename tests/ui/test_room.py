"""What the room shows: names, selection, pictures, log, layout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.ui.room import PLAIN, conference, drawn, log_of, people_of
from tests.ui.scripted import ROOM, Script, callback, joined
from tests.waiting import until
from tui.core.events import CallState, Participant, RosterChanged
from tui.media.board import LOCAL
from tui.widgets.room_panel import RoomPanel
from tui.widgets.video_grid import VideoGrid

HOSTILE = [
    "[/oops]",
    "[bold",
    "[@click=app.quit]me[/]",
    "\x1b]0;owned\x07title",
    "\x1b[2J\x9b31m",
    "\u202etxt.exe",
    "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
    "山田太郎" * 10,
    "👩‍👩‍👧‍👦 family",
    "",
    "x" * 10_000,
]


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36)])
async def test_hostile_names_are_drawn_literally_and_safely(size: tuple[int, int]) -> None:
    people = [ROOM[0], *(Participant(f"id{n}{name}", name) for n, name in enumerate(HOSTILE))]
    app = conference(Script([*joined(people), callback("[/oops]", {"[/x]": "\x1b[2J"})]))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: len(app.view.people) == len(people))
        await pilot.press("n", "end")
        await pilot.pause()
        text = drawn(app)
        await pilot.press("home", "n")
        await pilot.pause()
        text += drawn(app)
    assert not any(character in text for character in "\x1b\x9b\x07\u202e")
    if size[0] >= 80:
        assert "[/oops]" in text


async def test_the_selection_belongs_to_a_person() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        people = people_of(app)
        await until(lambda: people.selected == "streamalice")
        await pilot.press("down", "down")
        assert people.selected == "streamcarol"
        newcomer = Participant("streamerin", "Aaron")
        script.sessions[0].say(RosterChanged((ROOM[0], ROOM[2], ROOM[3], newcomer)))
        await until(lambda: len(people.people) == 4 and people.people[-1].key == "streamerin")
        assert people.selected == "streamcarol"
        script.sessions[0].say(RosterChanged((ROOM[0], ROOM[3], newcomer)))
        await until(lambda: len(people.people) == 3)
        assert people.selected == "streamdave"
        await pilot.press("end")
        assert people.selected == "streamerin"


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_whoever_records_is_marked(size: tuple[int, int]) -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.people)
        await pilot.pause()
        assert "recording" not in drawn(app)
        script.sessions[0].say(RosterChanged((ROOM[0], replace(ROOM[1], recording=True))))
        await until(lambda: app.view.people[1:] and app.view.people[1].recording)
        await pilot.pause()
        assert drawn(app).count("◉recording") == 1


async def test_the_board_is_asked_for_what_is_seen_and_no_more() -> None:
    script = Script(paints=True)
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: script.sessions and script.sessions[0].board.wish("videoTrack0"))
        board = script.sessions[0].board
        for key in (LOCAL, "videoTrack1"):
            assert board.wish(key) is not None
        await pilot.press("h", "h")
        await until(lambda: board.wish(LOCAL) is None)
        await pilot.press("h")
        await until(lambda: board.wish(LOCAL) is not None)
        await pilot.resize_terminal(70, 24)
        await until(lambda: board.wish(LOCAL) is None)
        await pilot.resize_terminal(120, 36)
        await until(lambda: board.frame("videoTrack0") is not None)
        await pilot.press("j")
        await until(lambda: board.wish("videoTrack0") is None)


async def test_the_size_asked_for_is_the_size_drawn() -> None:
    script = Script(still=True)
    app = conference(script)
    async with app.run_test(size=(120, 36)):
        await until(lambda: script.sessions and script.sessions[0].board.frame("videoTrack1"))
        tile = app.screen.query_one(VideoGrid).tiles[2]
        await until(lambda: tile.picture is not None)
        picture, wish = tile.picture, script.sessions[0].board.wish("videoTrack1")
        assert picture is not None
        assert wish is not None
        assert picture.glyphs.shape == (tile.size.height - 1, tile.size.width) == (wish.rows, wish.columns)


async def test_a_camera_that_goes_off_is_said_in_words() -> None:
    script = Script(still=True)
    app = conference(script)
    async with app.run_test():
        grid = app.screen.query_one(VideoGrid)
        await until(lambda: any(tile.picture is not None for tile in grid.tiles))
        script.sessions[0].say(RosterChanged(tuple(replace(one, camera=False) for one in ROOM)))
        await until(lambda: all(tile.picture is None for tile in grid.tiles))
        assert "○cameraoff" in drawn(app)


async def test_the_log_follows_only_at_its_end() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        log = log_of(app)
        script.sessions[0].say(*(callback(f"line{number}") for number in range(100)))
        await until(lambda: log.lines[-1].info == "line99" and log.is_vertical_scroll_end)
        await pilot.press("l", "pageup", "pageup", "pageup")
        await until(lambda: not log.is_vertical_scroll_end)
        await pilot.wait_for_animation()
        offset = log.scroll_offset.y
        seen = log.lines[offset].info
        script.sessions[0].say(callback("newest"))
        await until(lambda: log.lines[-1].info == "newest")
        assert log.scroll_offset.y == offset
        script.sessions[0].say(*(callback(f"later{number}") for number in range(1950)))
        await until(lambda: log.lines[-1].info == "later1949")
        assert log.lines[log.scroll_offset.y].info == seen
        await pilot.press("end")
        await until(lambda: log.is_vertical_scroll_end)
        script.sessions[0].say(callback("last"))
        await until(lambda: log.lines[-1].info == "last" and log.is_vertical_scroll_end)


@pytest.mark.parametrize(
    ("size", "pictures", "log"),
    [((60, 16), False, False), ((70, 24), False, True), ((80, 18), True, False), ((120, 36), True, True)],
)
async def test_what_goes_first_when_it_is_narrow(size: tuple[int, int], pictures: bool, log: bool) -> None:
    app = conference()
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.people)
        await pilot.pause()
        assert app.screen.query_one(VideoGrid).display is pictures
        assert app.screen.query_one("#lower").display is log
        panel = app.screen.query_one(RoomPanel)
        assert panel.display
        assert panel.size.height == 3
        assert "Bob" in drawn(app)


async def test_resizing_keeps_focus_and_the_end_of_the_log() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("l")
        for size in ((60, 16), (200, 50), (80, 24), (1, 1), (120, 36)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
        await until(lambda: log_of(app).is_vertical_scroll_end)
        assert app.view.state is CallState.JOINED


async def test_ascii_terminals_get_ascii() -> None:
    app = conference(Script(still=True), ascii_only=True, look=PLAIN)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.pause(0.3)
        text = drawn(app)
    assert text.isascii(), sorted({character for character in text if not character.isascii()})


async def test_a_crowd_has_pages() -> None:
    people = [Participant(f"stream{number}", f"Person {number}") for number in range(200)]
    app = conference(Script(joined(people)))
    async with app.run_test() as pilot:
        await until(lambda: len(app.view.people) == 200)
        grid = app.screen.query_one(VideoGrid)
        await until(lambda: grid.tiles)
        first = grid.tiles[0].person
        await pilot.press("n")
        await until(lambda: grid.tiles[0].person != first)
        await until(lambda: "pictures2of" in drawn(app))
