"""Grid, speaker, list, and one picture on the whole screen: every way in and out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.ui.room import conference, drawn, log_of, people_of
from tests.ui.scripted import ROOM, SHARED, Script, joined, sharing
from tests.waiting import until
from tui import layouts
from tui.config import state_directory
from tui.core.events import CallState, CallStateChanged, Participant, RosterChanged
from tui.layouts import Layout
from tui.media.board import LOCAL
from tui.screens import room
from tui.screens.help import HelpScreen
from tui.widgets import spotlight
from tui.widgets.video_grid import VideoGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.app import ConferenceApp

CROWD = [
    ROOM[0],
    *(Participant(f"stream{number}", f"Person {number}", video=f"videoTrack{number}") for number in range(15)),
]


def grid_of(app: ConferenceApp) -> VideoGrid:
    return app.screen_stack[0].query_one(VideoGrid)


def shown(app: ConferenceApp) -> list[str]:
    """The keys of the pictures on the screen, the first one first."""
    grid = grid_of(app)
    return [tile.person.key for tile in grid.tiles if tile.person is not None] if grid.size.area else []


def large(app: ConferenceApp) -> str | None:
    """Whose tile is larger than the others."""
    sizes = {tile.person.key: tile.size.area for tile in grid_of(app).tiles if tile.person is not None and tile.size}
    order = sorted(sizes, key=sizes.__getitem__)
    return order[-1] if len(order) == 1 or (order and sizes[order[-1]] > 2 * sizes[order[-2]]) else None


def tell(script: Script, people: Sequence[Participant]) -> None:
    script.sessions[0].say(RosterChanged(tuple(people)))


def talks(*stream_ids: str) -> list[Participant]:
    """The room while these talk."""
    return [replace(one, talking=one.stream_id in stream_ids, microphone=True) for one in ROOM]


async def test_one_key_goes_through_all_layouts_and_the_next_run_has_the_last() -> None:
    app = conference()
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: len(shown(app)) == 4)
        assert large(app) is None
        await pilot.press("h")
        await until(lambda: large(app) == "streambob")
        assert len(shown(app)) == 4
        assert layouts.recall() is Layout.SPEAKER
        await pilot.press("h")
        await until(lambda: shown(app) == [])
        await until(lambda: people_of(app).size.width > 100)
        await pilot.press("h", "h")
        await until(lambda: large(app) == "streambob")
    again = conference()
    async with again.run_test(size=(120, 36)):
        await until(lambda: large(again) == "streambob")


async def test_what_is_asked_for_beats_the_last_time() -> None:
    layouts.remember(Layout.SPEAKER)
    app = conference(layout=Layout.LIST)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.pause()
        assert shown(app) == []
        assert app.room.arrangement is Layout.LIST


@pytest.mark.parametrize("text", ['{"layout": "cube"}', '{"layout": 7}', "[]", "", '{"layout": '])
def test_what_is_remembered_may_be_broken(text: str) -> None:
    layouts.remember(Layout.LIST)
    assert layouts.recall() is Layout.LIST
    (state_directory() / "layout.json").write_text(text)
    assert layouts.recall() is None


async def test_who_talks_becomes_large_and_stays_so_when_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotlight, "TAKES", 0.3)
    script = Script(joined(talks()))
    app = conference(script, layout=Layout.SPEAKER)
    async with app.run_test(size=(120, 36)):
        await until(lambda: large(app) == "streambob")
        tell(script, talks("streamdave"))
        await until(lambda: large(app) == "streamdave")
        assert shown(app) == ["streamdave", "streamalice", "streambob", "streamcarol"], "the order is that of the list"
        tell(script, talks())
        await until(lambda: not any(person.talking for person in app.view.people))
        tell(script, talks("streamalice"))
        await until(lambda: app.view.people[0].talking)
        assert large(app) == "streamdave", "the own picture never takes over"
        tell(script, talks("streamcarol", "streamalice"))
        await until(lambda: large(app) == "streamcarol")
        tell(script, [one for one in talks() if one.stream_id != "streamcarol"])
        await until(lambda: large(app) == "streambob")


async def test_whoever_is_pinned_is_large_or_first() -> None:
    app = conference()
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: len(shown(app)) == 4)
        app.room.pinned = "streamdave"
        await until(lambda: shown(app) == ["streamdave", "streamalice", "streambob", "streamcarol"])
        await pilot.press("h")
        await until(lambda: large(app) == "streamdave")
        app.room.pinned = None
        await until(lambda: large(app) == "streambob")
        app.room.pinned = "nobody"
        await pilot.pause()
        assert large(app) == "streambob"


async def test_a_shared_screen_is_large_unless_somebody_is_pinned() -> None:
    script = Script(joined(sharing("streamcarol")), still=True)
    app = conference(script, layout=Layout.SPEAKER)
    async with app.run_test(size=(120, 36)):
        await until(lambda: large(app) == "streamcarol_presentation")
        app.room.pinned = "streamcarol"
        await until(lambda: large(app) == "streamcarol")
        app.room.pinned = None
        tell(script, ROOM)
        await until(lambda: large(app) == "streambob")


@pytest.mark.parametrize("layout", [Layout.GRID, Layout.SPEAKER])
async def test_pages_go_forth_and_back_and_say_where_they_are(layout: Layout) -> None:
    app = conference(Script(joined(CROWD)), layout=layout)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: len(app.view.people) == 16 and len(shown(app)) > 1)
        pages = [shown(app)]
        await until(lambda: "pictures1of" in drawn(app))
        await pilot.press("n")
        await until(lambda: shown(app) != pages[0])
        assert "pictures2of" in drawn(app)
        pages.append(shown(app))
        await pilot.press("N")
        await until(lambda: shown(app) == pages[0])
        await pilot.press("N")
        await until(lambda: shown(app)[-1] == "stream14")
        await pilot.press("n")
        await until(lambda: shown(app) == pages[0])
        if layout is Layout.SPEAKER:
            assert pages[0][0] == pages[1][0] == large(app)
            assert not set(pages[0][1:]) & set(pages[1])
        else:
            assert not set(pages[0]) & set(pages[1])


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36)])
@pytest.mark.parametrize("layout", list(Layout))
async def test_one_person_on_the_whole_screen_and_back(size: tuple[int, int], layout: Layout) -> None:
    app = conference(Script(still=True), layout=layout)
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.people)
        await pilot.pause()
        before = shown(app)
        await pilot.press("down", "down", "enter")
        await until(lambda: shown(app) == ["streamcarol"])
        await until(lambda: grid_of(app).tiles[0].picture is not None)
        assert grid_of(app).tiles[0].region.size == (size[0], size[1] - 1)
        assert "joined" in drawn(app)
        assert "microphoneon" in drawn(app)
        assert "esc:back" in drawn(app)
        for leave, enter in (("enter", "enter"), ("escape", "b"), ("b", "")):
            await pilot.press(leave)
            await until(lambda: shown(app) == before)
            assert app.screen.focused is people_of(app)
            assert people_of(app).selected == "streamcarol"
            assert app.room.arrangement is layout
            if enter:
                await pilot.press(enter)
                await until(lambda: shown(app) == ["streamcarol"])


async def test_nothing_else_is_decoded_for_one_picture() -> None:
    script = Script(paints=True)
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: script.sessions and script.sessions[0].board.wish("videoTrack0"))
        board = script.sessions[0].board
        await pilot.press("down", "down", "enter")
        await until(lambda: board.wish("videoTrack0") is None and board.wish(LOCAL) is None)
        assert board.wish("videoTrack1") is not None
        await until(lambda: board.featured == ("streamcarol", True))
        await pilot.press("escape")
        await until(lambda: board.wish("videoTrack0") is not None and board.wish(LOCAL) is not None)
        await until(lambda: board.featured == (None, False))
        await pilot.press("h")
        await until(lambda: board.featured == ("streambob", False))
        await pilot.press("h")
        await until(lambda: board.featured == (None, False))


@pytest.mark.parametrize("layout", [Layout.GRID, Layout.SPEAKER])
async def test_the_core_is_told_who_is_on_a_later_page(layout: Layout) -> None:
    script = Script(joined(sharing("stream14", CROWD)))
    app = conference(script, layout=layout)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: len(app.view.people) == 16 and len(shown(app)) > 1)
        board = script.sessions[0].board
        assert board.page == ()
        pages = [shown(app)]
        await pilot.press("n")
        await until(lambda: shown(app) != pages[0])
        beside = shown(app)[1:] if layout is Layout.SPEAKER else shown(app)
        assert list(board.page) == beside
        assert not {"streamalice", "stream14_presentation"} & set(board.page)
        await pilot.press("N", "N")
        await until(lambda: "stream14" in shown(app))
        assert list(board.page)[-1] == "stream14"
        assert "stream14_presentation" not in board.page
        await pilot.press("h" if layout is Layout.SPEAKER else "n")
        await until(lambda: board.page == ())


async def test_who_shares_is_seen_by_their_screen_and_oneself_by_anybodys() -> None:
    app = conference(Script(joined(sharing("streamcarol")), still=True))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: len(shown(app)) == 5)
        for keys, key in (
            (["b"], "streamcarol_presentation"),
            (["down", "b"], "streambob"),
            (["down", "enter"], "streamcarol_presentation"),
        ):
            await pilot.press(*keys)
            await until(lambda: shown(app) == [key])  # noqa: B023
            await pilot.press("escape")
            await until(lambda: len(shown(app)) == 5)


async def test_a_shared_screen_can_be_read_part_by_part() -> None:
    script = Script(joined(sharing("streamcarol")), still=True)
    app = conference(script)
    async with app.run_test(size=(60, 16)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("b")
        await until(lambda: shown(app) == ["streamcarol_presentation"])
        board, tile = script.sessions[0].board, grid_of(app).tiles[0]
        await until(lambda: board.wish(SHARED) is not None)
        whole = board.wish(SHARED)
        assert whole is not None
        await pilot.press("z", "z", "shift+right", "shift+down")
        crop = tile.crop
        assert crop is not None
        assert crop.x > 0
        assert crop.y > 0
        await until(lambda: (size := board.wish(SHARED)) is not None and size.rows > 2 * whole.rows)


@pytest.mark.parametrize("comes_back", [True, False])
async def test_a_shared_screen_alone_is_waited_for_while_the_connection_is_away(
    comes_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_RETURNS", 30.0 if comes_back else 0.05)
    people = tuple(sharing("streamcarol"))
    script = Script(joined(people), still=True)
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: len(shown(app)) == 5)
        await pilot.press("b")
        await until(lambda: shown(app) == ["streamcarol_presentation"])
        script.sessions[0].say(CallStateChanged(CallState.RECONNECTING, "lost"), RosterChanged(ROOM))
        await until(lambda: app.view.state is CallState.RECONNECTING and app.view.people == app.room.view.people)
        await until(lambda: grid_of(app).tiles[0].track is None)
        await pilot.press("n")
        assert shown(app) == ["streamcarol_presentation"]
        script.sessions[0].say(CallStateChanged(CallState.JOINED))
        if comes_back:
            script.sessions[0].say(RosterChanged(people))
            await until(lambda: grid_of(app).tiles[0].track == SHARED)
            assert shown(app) == ["streamcarol_presentation"]
            await pilot.press("escape")
            await until(lambda: len(shown(app)) == 5)
        else:
            await until(lambda: len(shown(app)) == 4)


async def test_the_next_picture_on_the_whole_screen() -> None:
    app = conference(Script(joined(sharing("streamcarol")), still=True))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: len(shown(app)) == 5)
        await pilot.press("down", "enter")
        for key, next_one in (
            ("n", "streamcarol_presentation"),
            ("n", "streamcarol"),
            ("N", "streamcarol_presentation"),
            ("N", "streambob"),
            ("N", "streamalice"),
            ("N", "streamdave"),
        ):
            await pilot.press(key)
            await until(lambda: shown(app) == [next_one])  # noqa: B023
        assert people_of(app).selected == "streambob"
        assert "5of5" in drawn(app)


@pytest.mark.parametrize("layout", list(Layout))
async def test_when_the_one_who_is_seen_leaves_the_layout_is_back(layout: Layout) -> None:
    script = Script(still=True)
    app = conference(script, layout=layout)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("down", "down", "enter")
        await until(lambda: shown(app) == ["streamcarol"])
        tell(script, [one for one in ROOM if one.stream_id != "streamcarol"])
        await until(lambda: not app.room.in_focus)
        await until(lambda: len(shown(app)) == (0 if layout is Layout.LIST else 3))
        assert app.screen.focused is people_of(app)
        assert people_of(app).selected == "streamdave"


async def test_when_the_shared_screen_ends_the_layout_is_back() -> None:
    script = Script(joined(sharing("streamcarol")), still=True)
    app = conference(script, layout=Layout.SPEAKER)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: len(shown(app)) > 1)
        await pilot.press("b")
        await until(lambda: shown(app) == ["streamcarol_presentation"])
        tell(script, ROOM)
        await until(lambda: large(app) == "streambob" and len(shown(app)) == 4)
        assert app.screen.focused is people_of(app)


async def test_when_the_call_ends_the_whole_screen_is_given_back() -> None:
    script = Script(still=True)
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("down", "enter")
        await until(lambda: shown(app) == ["streambob"])
        script.sessions[0].say(CallStateChanged(CallState.FAILED, "The room was closed."))
        await until(lambda: "Theroomwasclosed." in drawn(app) and not app.room.in_focus)
        await until(lambda: app.screen.query_one("#lower").size.height > 0)


@pytest.mark.parametrize("size", [(60, 24), (120, 36)])
@pytest.mark.parametrize(("key", "pane"), [("c", "chat"), ("l", "log"), ("p", "people")])
async def test_who_asks_for_what_is_hidden_gets_it(size: tuple[int, int], key: str, pane: str) -> None:
    app = conference(Script(still=True))
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("down", "enter")
        await until(lambda: shown(app) == ["streambob"])
        await pilot.press(key)
        await until(lambda: not app.room.in_focus and app.screen.focused is not None)
        chosen = app.screen.query_one(f"#{pane}")
        await until(lambda: app.screen.focused is not None and chosen in app.screen.focused.ancestors_with_self)
        await until(lambda: chosen.size.area > 0)


async def test_keys_go_nowhere_unseen() -> None:
    app = conference(Script(still=True))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("l", "home")
        before = app.screen.focused
        assert before is log_of(app)
        await pilot.press("b")
        await until(lambda: app.room.in_focus)
        await pilot.press("question_mark")
        await until(lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape", "down", "tab", "up")
        assert app.room.in_focus
        assert app.screen.focused is None
        assert people_of(app).selected == "streamalice"
        await pilot.press("h")
        await until(lambda: not app.room.in_focus)
        assert app.screen.focused is before
        assert app.room.arrangement is Layout.SPEAKER


async def test_it_is_said_when_the_screen_is_too_narrow_for_the_layout() -> None:
    app = conference(Script(still=True))
    async with app.run_test(size=(60, 24), notifications=True) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("h")
        await until(lambda: "toonarrow" in drawn(app))


async def test_the_screen_shrinks_and_grows_in_every_layout() -> None:
    app = conference(Script(joined(CROWD), still=True))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        for keys in (["h"], ["enter"], ["h"], ["h"]):
            await pilot.press(*keys)
            for size in ((60, 16), (200, 50), (1, 1), (80, 60), (120, 36)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
        await until(lambda: len(shown(app)) > 1 and app.room.arrangement is Layout.GRID)
        assert app.view.state is CallState.JOINED
