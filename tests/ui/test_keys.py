"""Bindings, keymap, help and palette."""

from __future__ import annotations

import pytest
from textual.widgets import Input, Static

from tests.ui.room import conference, drawn
from tests.waiting import until
from tui import bindings
from tui.core.events import CallState
from tui.errors import ConfigError
from tui.screens.help import HelpScreen


def test_every_binding_has_an_id_a_word_and_a_sentence() -> None:
    every = [binding for group in bindings.GROUPS.values() for binding in group]
    assert len({(binding.id, binding.action) for binding in every}) == len(every)
    assert all(binding.id and binding.description and binding.tooltip for binding in every)


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


async def test_the_footer_shows_six_keys_at_most() -> None:
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.pause()
        assert len(app.screen.query("FooterKey")) <= 6
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
