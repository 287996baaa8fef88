"""Bindings, keymap, help and palette."""

from __future__ import annotations

import pytest
from textual.widgets import Input, Static

from tests.ui.room import conference, drawn
from tests.ui.scripted import Script, joined
from tests.waiting import until
from tui import bindings
from tui.commands import Commands
from tui.core.events import Announced, CallState, Notice
from tui.errors import ConfigError
from tui.screens.help import HelpScreen

EVERY = [binding for group in bindings.GROUPS.values() for binding in group]
HELD = {"room.talk"}
"""A key to hold is no line to choose."""
EATEN = {
    **dict.fromkeys(("ctrl+a", "ctrl+b"), "screen and tmux take it"),
    **dict.fromkeys(("ctrl+s", "ctrl+q"), "flow control"),
    **dict.fromkeys(("ctrl+h", "ctrl+i", "ctrl+m"), "Backspace, Tab and Enter"),
    **dict.fromkeys(("ctrl+z", "ctrl+backslash"), "signals"),
    **dict.fromkeys(("ctrl+enter", "shift+enter", "ctrl+tab", "ctrl+space"), "no old terminal tells it from another"),
    **dict.fromkeys(("ctrl+pageup", "ctrl+pagedown", "shift+pageup", "shift+pagedown"), "the terminal's own windows"),
    **dict.fromkeys(("f10", "f11", "f12"), "menus and full screen"),
}
"""Keys that something between here and the keyboard keeps, and who."""
ALONE = {
    **dict.fromkeys((f"f{number}" for number in range(1, 13)), "PuTTY and consoles disagree"),
    **dict.fromkeys((f"shift+{way}" for way in ("left", "right", "up", "down")), "screen and PuTTY drop the shift"),
}
"""Keys that may not be the only way."""


def test_every_binding_has_an_id_a_word_and_a_sentence() -> None:
    assert len({(binding.id, binding.action) for binding in EVERY}) == len(EVERY)
    assert all(binding.id and binding.description and binding.tooltip for binding in EVERY)


def test_no_key_is_one_that_does_not_arrive() -> None:
    for binding in EVERY:
        keys = [key.strip() for key in binding.key.split(",")]
        taken = [key for key in keys if key in EATEN or key.startswith(("alt+", "ctrl+shift+", "super+", "meta+"))]
        assert not taken, f"{binding.id}: {taken}"
        # Where Enter sends, ctrl+j is another key: in raw mode they are CR and LF.
        if "ctrl+j" in keys:
            assert binding.id == "chat.line"
        # In the form letters are text; Tab goes the same ways.
        if not (binding.id or "").startswith("join."):
            assert not all(key in ALONE for key in keys), f"{binding.id}: {keys} alone"


def test_an_unknown_id_is_reported_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"room\.mikrophone") as caught:
        conference(keymap={"room.mikrophone": "z"})
    assert "room.microphone" in caught.value.hint


async def test_a_key_can_be_changed() -> None:
    app = conference(keymap={"room.microphone": "f9"})
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone)
        await pilot.press("m")
        await pilot.press("f9")
        await until(lambda: app.view.microphone is False)
        await pilot.press("question_mark")
        table = str(app.screen.query_one("#table", Static).content)
        assert any(line.startswith("f9 ") and "Speak" in line for line in table.splitlines())


def test_a_key_for_two_actions_is_reported() -> None:
    with pytest.raises(ConfigError, match=r"room\.microphone.*room\.camera"):
        conference(keymap={"room.microphone": "v"})


async def test_keys_can_be_exchanged_and_one_key_joins_and_leaves() -> None:
    app = conference(keymap={"room.microphone": "v", "room.camera": "m", "room.call": "f9"})
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone)
        await pilot.press("v")
        await until(lambda: app.view.microphone is False)
        await pilot.press("m")
        await until(lambda: app.view.camera is False)
        await pilot.press("f9")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("f9")
        await until(lambda: app.view.state is CallState.JOINED)


async def test_help_lists_every_binding() -> None:
    app = conference()
    async with app.run_test(size=(100, 60)) as pilot:
        await until(lambda: app.view.people)
        for key in ("question_mark", "f1"):
            await pilot.press(key)
            assert isinstance(app.screen, HelpScreen)
            table = str(app.screen.query_one("#table", Static).content)
            for group in bindings.GROUPS.values():
                for binding in group:
                    assert binding.tooltip in table
            await pilot.press("escape")


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (130, 40), (300, 80)])
async def test_the_footer_of_every_screen_shows_six_keys_at_most(size: tuple[int, int]) -> None:
    app = conference()
    seen = set()
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.people)
        tour = (
            "p",
            "l",
            "slash",
            "escape",
            "c",
            "escape",
            "o",
            "escape",
            "g",
            "escape",
            "r",
            "escape",
            "question_mark",
        )
        for key in (*tour, "escape", "ctrl+c", "escape", "colon", "escape", "j", "s"):
            await pilot.press(key)
            await pilot.pause()
            shown = [key for key in app.screen.query("FooterKey") if key.region]
            assert len(shown) <= 6, (key, [str(one.render()) for one in shown])
            seen.add(type(app.screen).__name__)
    assert len(seen) >= 8


async def test_the_footer_says_what_is_possible_now() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.pause()
        assert "jLeave" in drawn(app)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await until(lambda: "jJoin" in drawn(app))


async def test_the_footer_is_made_anew_only_for_other_keys() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.microphone)
        await pilot.pause()
        keys = list(app.screen.query("FooterKey"))
        assert keys
        await pilot.press("l", "p", "enter", "escape", "l", "tab", "p")
        await pilot.pause()
        assert list(app.screen.query("FooterKey")) == keys
        await pilot.press("c")
        await until(lambda: "Send" in drawn(app))
        await pilot.press("escape")
        await until(lambda: "jLeave" in drawn(app) and "Send" not in drawn(app))


async def test_the_palette_offers_what_is_possible_now() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("colon")
        await until(lambda: "Hearnothing" in drawn(app))
        assert "Entertheroom." not in drawn(app)
        app.screen.query_one(Input).value = "leave"
        await until(lambda: "Hearnothing" not in drawn(app))
        await pilot.pause(0.3)
        await pilot.press("enter")
        await until(lambda: app.view.state is CallState.IDLE)


async def test_the_palette_has_every_key_of_the_room_that_can_be_done() -> None:
    script = Script([*joined(), Announced(Notice.HAND_RAISED, "streambob", "Bob")])
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people and app.view.people[1].hand)
        await pilot.press("down")
        in_room = {command.title for command in Commands(app.screen)._commands()}
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.pause()
        outside = {command.title for command in Commands(app.screen)._commands()}
    every = {binding.description for binding in bindings.ROOM if binding.id not in HELD}
    # To ask to speak is for who only listens, to try now for who has lost the connection.
    assert every - in_room == {"Join", "Settings", "Raise hand", "Try now", "All pictures"}
    assert {"Join", "Settings", "Help", "Low bandwidth", "Theme"} <= outside
    assert not outside & {"Leave", "Mic", "Camera", "Away", "React", "Let speak"}
