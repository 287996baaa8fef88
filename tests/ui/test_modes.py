"""What the user chooses for a while: to be away, little bandwidth, other colours."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.color import Color

from tests.ui.room import OPTIONS, conference, drawn
from tests.ui.scripted import ROOM, Script
from tests.waiting import until
from tui import themes
from tui.core.events import CallState, CallStateChanged, PublishingRefused, RosterChanged
from tui.errors import ConfigError
from tui.media.board import LOCAL
from tui.media.cells import Depth, Glyphs, Look
from tui.screens.devices import DeviceScreen, Kind
from tui.session import MutedSpeech
from tui.widgets.level_meter import LevelMeter
from tui.widgets.room_panel import RoomPanel

if TYPE_CHECKING:
    from tui.app import ConferenceApp
    from tui.projector import Projector


def projector_of(app: ConferenceApp) -> Projector:
    assert app.projector is not None
    return app.projector


# -- away --


async def test_away_and_back_with_microphone_and_camera_as_before() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("v")
        await until(lambda: app.view.camera is False)
        await pilot.press("A")
        await until(lambda: app.view.away)
        assert (app.view.microphone, app.view.camera) == (False, False)
        await until(lambda: "○away" in drawn(app))
        # To talk to others in one's own room is no reminder then.
        script.sessions[0].say(MutedSpeech())
        await pilot.press("A")
        await until(lambda: not app.view.away)
        assert (app.view.microphone, app.view.camera) == (True, False)
        await until(lambda: "○away" not in drawn(app))
        assert app.view.muted_speech is None


async def test_others_who_are_away_are_marked_in_the_list_and_below_their_picture() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        bob = replace(ROOM[1], away=True, microphone=False, camera=False)
        script.sessions[0].say(RosterChanged((ROOM[0], bob, *ROOM[2:])))
        await until(lambda: app.view.people[1].away)
        await pilot.pause()
        # Both would say the same.
        assert drawn(app).count("○away") == 2
        assert drawn(app).count("muted") == 2


async def test_being_away_lasts_over_a_lost_connection_and_ends_with_the_call() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("A")
        await until(lambda: app.view.away)
        script.sessions[0].say(CallStateChanged(CallState.RECONNECTING), CallStateChanged(CallState.JOINED))
        await until(lambda: app.view.state is CallState.JOINED)
        assert (app.view.away, app.view.microphone) == (True, False)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        assert not app.view.away


@pytest.mark.parametrize("play_only", [True, False])
async def test_only_who_could_be_missed_can_be_away(play_only: bool) -> None:
    app = conference(Script(), replace(OPTIONS, play_only=play_only))
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        assert app.check_action("away", ()) is (None if play_only else True)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        assert app.check_action("away", ()) is None


# -- taking part --


async def test_a_listener_takes_part_and_only_listens_again() -> None:
    script = Script()
    app = conference(script, replace(OPTIONS, play_only=True))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        session = script.sessions[0]
        assert app.check_action("microphone", ()) is None
        assert app.check_action("hand", ()) is True
        await pilot.press("W")
        await until(lambda: not app.view.play_only)
        assert [options.play_only for options in session.published] == [False]
        assert app.check_action("microphone", ()) is True
        assert app.check_action("hand", ()) is None
        await pilot.press("W")
        await until(lambda: app.view.play_only)
        assert app.check_action("away", ()) is None
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        assert app.check_action("publish", ()) is None


async def test_who_takes_part_later_does_so_with_what_was_chosen_meanwhile() -> None:
    script = Script()
    app = conference(script, replace(OPTIONS, play_only=True, microphone="desk"))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        app.post_message(DeviceScreen.Chosen(Kind.MICROPHONE, "headset", ""))
        await until(lambda: app.view.input == "headset")
        await pilot.press("W")
        await until(lambda: script.sessions[0].published)
        assert script.sessions[0].published[0].microphone == "headset"


async def test_a_refusal_to_take_part_is_shown_and_logged() -> None:
    script = Script()
    app = conference(script, replace(OPTIONS, play_only=True))
    async with app.run_test(size=(120, 36)):
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(PublishingRefused("the server wants a token to publish", "ask for one"))
        await until(lambda: "Youlistenagain" in drawn(app))
        line = await until(lambda: next((line for line in app.room.logged if line.info == "listening"), None))
        assert line is not None
        assert "ask for one" in line.payload


# -- low bandwidth --


async def test_low_bandwidth_shows_only_who_speaks_slowly_and_all_again() -> None:
    script = Script(paints=True)
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        board, keys = script.sessions[0].board, (LOCAL, "videoTrack0", "videoTrack1")
        await until(lambda: all(board.wish(key) for key in keys))
        await pilot.press("B")
        await until(lambda: [key for key in keys if board.wish(key)] == ["videoTrack0"])
        assert board.frames_per_second <= 2
        assert script.sessions[0].low_bandwidth
        assert app.animation_level == "none"
        await until(lambda: "○lowbandwidth" in drawn(app))
        await until(lambda: "paused:lowbandwidth" in drawn(app))
        # Nothing moves but the picture.
        assert not app.screen.query_one(LevelMeter).display
        speaks = (ROOM[0], replace(ROOM[1], talking=False), replace(ROOM[2], microphone=True, talking=True))
        script.sessions[0].say(RosterChanged(speaks))
        await until(lambda: [key for key in keys if board.wish(key)] == ["videoTrack1"])
        await pilot.press("B")
        await until(lambda: all(board.wish(key) for key in keys))
        assert board.frames_per_second > 2
        assert not script.sessions[0].low_bandwidth
        assert app.animation_level != "none"
        await until(lambda: "lowbandwidth" not in drawn(app))
        assert app.screen.query_one(LevelMeter).display


async def test_low_bandwidth_can_be_there_from_the_start_and_stays_in_the_next_room() -> None:
    script = Script()
    app = conference(script, low_bandwidth=True)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        assert app.view.low_bandwidth
        assert script.sessions[0].low_bandwidth
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        assert app.view.low_bandwidth
        await pilot.press("j")
        await until(lambda: len(script.sessions) == 2 and app.view.state is CallState.JOINED)
        assert script.sessions[1].low_bandwidth


async def test_pictures_have_fewer_colours_in_low_bandwidth() -> None:
    app = conference(Script(), look=Look(Glyphs.HALF, Depth.TRUECOLOR))
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        assert projector_of(app)._current_look().depth is Depth.TRUECOLOR
        await pilot.press("B")
        assert projector_of(app)._current_look().depth is Depth.PALETTE


# -- themes --


async def test_a_theme_is_chosen_by_a_key_and_remembered() -> None:
    app = conference()
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.view.people)
        assert app.theme == "dark"
        await pilot.press("T")
        await until(lambda: "high-contrast" in drawn(app))
        assert not {"nord", "textual-dark"} & set(app.available_themes)
        await pilot.press(*"high")
        await until(lambda: "terminal" not in drawn(app))
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(lambda: app.theme == "high-contrast")
        assert app.screen.query_one(RoomPanel).styles.background == Color.parse("#1C1C1C")
    assert themes.recall() == {"theme": "high-contrast"}


async def test_the_palette_has_it_too_and_once() -> None:
    app = conference()
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("colon")
        await pilot.press(*"choose the colours")
        await until(lambda: drawn(app).count("Choosethecolours:") == 1)
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(lambda: "high-contrast" in drawn(app))


def test_what_was_remembered_and_is_no_theme_any_more_is_nothing() -> None:
    themes.remember("textual-dark")
    assert themes.recall() == {}


def test_an_unknown_theme_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no theme 'higcontrast'") as caught:
        conference(theme="higcontrast")
    assert "high-contrast" in caught.value.hint
    with pytest.raises(ConfigError) as caught:
        themes.checked("\x1b[31m")
    assert "\x1b" not in str(caught.value)
    assert all(name in caught.value.hint for name in themes.NAMES)


@pytest.mark.parametrize("light", [False, True])
async def test_pictures_are_drawn_for_the_background_of_the_theme(light: bool) -> None:
    app = conference(look=Look(Glyphs.HALF, Depth.TRUECOLOR, light))
    async with app.run_test():
        for theme, expected in (("dark", False), ("light", True), ("high-contrast", False), ("terminal", light)):
            app.theme = theme
            assert projector_of(app)._current_look().light is expected, theme
        assert app.current_theme.dark is not light
