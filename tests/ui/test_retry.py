"""A lost connection: the cause, the try, the seconds until the next one, and the key that does not wait for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.widgets import Label

from tests.ui.room import conference, drawn
from tests.ui.scripted import AT, Script, joined
from tests.waiting import Clock, until
from tui.core.events import CallState, CallStateChanged, RetryPlanned
from tui.screens.room import RoomScreen

if TYPE_CHECKING:
    from tui.app import ConferenceApp

CAUSE = "meet.example.org cannot be reached: connection refused"
LOST = CallStateChanged(CallState.RECONNECTING, "the server does not answer any more")


def planned(app: ConferenceApp) -> str:
    label = app.room.query_one("#retry", Label)
    return str(label.content) if label.display else ""


async def test_the_seconds_are_counted_and_only_their_own_line_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(AT)
    app = conference(Script([*joined(), LOST, RetryPlanned(3, AT + 4.2, CAUSE)]), clock=clock)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: planned(app) == "try 3, next in 5 s (R: now)")
        await until(lambda: "cannotbereached" in drawn(app))
        await pilot.pause()
        laid_out: list[object] = []
        monkeypatch.setattr(RoomScreen, "_refresh_layout", lambda screen, *_: laid_out.append(screen))
        for now, text in ((1.3, "try 3, next in 3 s (R: now)"), (4.1, "try 3, next in 1 s (R: now)")):
            clock.now = AT + now
            await until(lambda text=text: planned(app) == text, what=text)  # type: ignore[misc]
        clock.now = AT + 5
        await until(lambda: planned(app) == "try 3, now")
        assert laid_out == []


async def test_a_key_tries_at_once_and_is_offered_only_then() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        assert "R" not in app.screen.active_bindings
        await pilot.press("R")
        script.sessions[0].say(LOST, RetryPlanned(1, AT + 8, CAUSE))
        await until(lambda: app.view.retry is not None)
        assert app.screen.active_bindings["R"].enabled
        await pilot.press("R")
        await until(lambda: script.sessions[0].retries == 1)
        script.sessions[0].say(CallStateChanged(CallState.JOINED))
        await until(lambda: planned(app) == "")
        assert app.view.retry is None
        await pilot.press("R")
        await pilot.press("m")
        await until(lambda: app.view.microphone is False)
        assert script.sessions[0].retries == 1


@pytest.mark.parametrize(("key", "hint"), [("f5", "(f5: now)"), ("R", "(R: now)")])
async def test_the_hint_names_the_key_that_the_user_has_set(key: str, hint: str) -> None:
    clock = Clock(AT)
    script = Script([*joined(), LOST, RetryPlanned(3, AT + 4.2, CAUSE)])
    app = conference(script, clock=clock, keymap={"room.retry": key})
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: hint in planned(app))
        await pilot.press(key)
        await until(lambda: script.sessions[0].retries == 1)


async def test_a_plan_for_another_time_is_not_shown() -> None:
    app = conference(Script([*joined(), LOST, RetryPlanned(1, AT + 8, CAUSE), CallStateChanged(CallState.JOINED)]))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED and app.view.people)
        await pilot.pause()
        assert planned(app) == ""
        assert "cannotbereached" not in drawn(app)
