"""Joining, leaving and quitting by key, through the real bridge."""

from __future__ import annotations

import asyncio

import pytest
from textual.widgets import Input

from tests.ui.room import NOWHERE, OPTIONS, conference, drawn, infos, log_of
from tests.ui.scripted import Script, callback
from tests.waiting import until, until_found
from tui.config import JoinOptions
from tui.core.events import CallState, CallStateChanged
from tui.errors import UsageError
from tui.screens.join import JoinScreen
from tui.screens.leave import LeaveScreen
from tui.widgets.event_log import LINES


async def test_one_key_joins_and_leaves_any_number_of_times() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        for _ in range(3):
            await pilot.press("j")
            await until(lambda: app.view.state is CallState.IDLE)
            await pilot.press("j")
            await until(lambda: app.view.state is CallState.JOINED and app.view.people)
    assert len(script.sessions) == 4
    assert all(session.closed == 1 for session in script.sessions)


async def test_the_key_pressed_fast_ends_where_it_should() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press(*"jjjj")
        await until(lambda: app.view.state is CallState.JOINED and len(script.sessions) == 3)
        await pilot.press(*"jjj")
        await until(lambda: app.view.state is CallState.IDLE)
    assert all(session.closed == 1 for session in script.sessions)


async def test_a_join_under_way_can_be_given_up() -> None:
    script = Script(join_hangs=True)
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.CONNECTING and script.sessions)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)


async def test_quit_leaves_and_returns_zero() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("q")
        await until(lambda: app.return_code is not None)
    assert app.return_code == 0
    assert (script.sessions[0].left, script.sessions[0].closed) == (1, 1)


async def test_quit_does_not_wait_for_a_leave_that_hangs() -> None:
    app = conference(Script(leave_hangs=True))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("q")
        await until(lambda: app.return_code is not None)


async def test_interrupt_asks_and_twice_quits() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("ctrl+c")
        assert isinstance(app.screen, LeaveScreen)
        await pilot.press("escape")
        assert app.view.state is CallState.JOINED
        await pilot.press("ctrl+c", "l")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("ctrl+c", "ctrl+c")
        await until(lambda: app.return_code is not None)
    assert app.return_code == 130
    assert all(session.closed == 1 for session in script.sessions)


async def test_interrupt_closes_a_dialog_and_quits_without_a_room() -> None:
    app = conference(options=NOWHERE)
    async with app.run_test() as pilot:
        await until(lambda: isinstance(app.screen, JoinScreen))
        await pilot.press("f1")
        await pilot.press("ctrl+c")
        assert isinstance(app.screen, JoinScreen)
        await pilot.press("ctrl+c")
        await until(lambda: app.return_code is not None)
    assert app.return_code == 130


async def test_the_form_says_what_is_wrong_and_joins_when_it_is_right() -> None:
    def validate(options: JoinOptions) -> None:
        if not options.url.startswith("wss://"):
            raise UsageError("Server: must begin with wss://.")

    script, remembered = Script(), list[JoinOptions]()
    app = conference(script, NOWHERE, validate=validate, remember=remembered.append)
    async with app.run_test() as pilot:
        await until(lambda: isinstance(app.screen, JoinScreen))
        await pilot.press(*"http", "tab", *"room1", "enter")
        assert "mustbeginwithwss://" in drawn(app)
        app.screen.query_one("#url", Input).value = OPTIONS.url
        await pilot.press("enter")
        await until(lambda: app.view.state is CallState.JOINED)
        await until(lambda: remembered)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, JoinScreen))
        app.screen.query_one("#room", Input).value = "room2"
        await pilot.press("enter")
        await until(lambda: len(remembered) == 2)
    assert [options.room for options in remembered] == ["room1", "room2"]
    assert script.sessions[0].options.url == OPTIONS.url
    assert script.sessions[0].options.stream_id == "streamalice"


async def test_the_form_comes_first_when_asked_for() -> None:
    script = Script()
    app = conference(script, ask=True)
    async with app.run_test() as pilot:
        await until(lambda: isinstance(app.screen, JoinScreen) and app.screen.query("#room"))
        assert app.screen.query_one("#room", Input).value == OPTIONS.room
        await pilot.press("enter")
        await until(lambda: app.view.state is CallState.JOINED)


async def test_only_a_successful_join_is_remembered() -> None:
    remembered = list[JoinOptions]()
    app = conference(Script([CallStateChanged(CallState.FAILED, "no")]), remember=remembered.append)
    async with app.run_test():
        await until(lambda: app.view.state is CallState.FAILED)
    assert not remembered


async def test_devices_are_switched_by_key() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone)
        await pilot.press("m", "v", "d")
        await until(lambda: app.view.microphone is False and app.view.camera is False and app.view.deafened)
        text = drawn(app)
        assert "✕microphoneoff" in text
        assert "✕cameraoff" in text
        assert "✕deafened" in text
        await pilot.press("m", "v", "d")
        await until(lambda: app.view.microphone and app.view.camera and not app.view.deafened)


async def test_a_failure_is_on_the_screen_and_in_the_log() -> None:
    app = conference(Script([CallStateChanged(CallState.FAILED, "the room is full", "try later")]))
    async with app.run_test(notifications=True) as pilot:
        await until(lambda: app.view.state is CallState.FAILED)
        await pilot.pause()
        assert "theroomisfull;trylater" in drawn(app)
        assert "failed" in infos(app)


async def test_a_defect_of_the_core_ends_the_app() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test():
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].fail(ValueError("defect"))
        await until(lambda: app.return_code is not None)
    assert app.return_code == 1
    assert isinstance(app.crash, ValueError)
    assert script.sessions[0].closed == 1


async def test_a_defect_of_the_screen_is_kept_for_the_log() -> None:
    app = conference()

    def broken() -> None:
        raise ValueError("defect")

    async def run() -> None:
        async with app.run_test():
            await until(lambda: app.view.state is CallState.JOINED)
            app.call_later(broken)
            await until(lambda: app.return_code is not None)

    with pytest.raises(ValueError, match="defect"):
        await run()
    assert app.return_code == 1
    assert isinstance(app.crash, ValueError)


async def test_a_burst_leaves_the_log_bounded_and_the_app_answering() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(*(callback("burst", {"number": number}) for number in range(10_000)))
        await pilot.press("m")
        await until(lambda: app.view.microphone is False)
        await until(lambda: "number=9999" in log_of(app).lines[-1].payload)
        assert len(log_of(app).lines) <= LINES


async def test_an_idle_room_asks_nothing_of_the_screen() -> None:
    """No timer of ours runs fast when nobody is in the room."""
    app = conference(Script([CallStateChanged(CallState.FAILED, "no")]))
    async with app.run_test():
        await until(lambda: app.view.state is CallState.FAILED)

        async def rests() -> bool:
            before = drawn(app)
            await asyncio.sleep(0.3)
            return drawn(app) == before

        await until_found(rests, what="a screen that does not change")
