"""The chat: read and written by keys, counted while closed, safe whatever is said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.ui.emulator import Emulator
from tests.ui.room import OPTIONS, conference, drawn, people_of
from tests.ui.scripted import AT, ROOM, SELF, Script, joined
from tests.waiting import until
from tui.core.events import Announced, CallState, ChatMessage, Notice, Reaction, RosterChanged
from tui.screens.reaction import ReactionScreen
from tui.widgets.chat import ENTRIES, ChatInput, ChatPane

if TYPE_CHECKING:
    from tui.app import ConferenceApp


def chat_of(app: ConferenceApp) -> ChatPane:
    return app.screen_stack[0].query_one(ChatPane)


def message(number: int, text: str, own: bool = False, unsent: bool = False) -> ChatMessage:
    return ChatMessage(number, "streambob", "Bob", text, AT, own=own, unsent=unsent)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (130, 40)])
async def test_what_is_typed_is_said_and_shown(size: tuple[int, int]) -> None:
    script = Script()
    app = conference(script)
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("c")
        await until(lambda: isinstance(app.focused, ChatInput))
        # Letters are text here, not commands.
        await pilot.press(*"quit", "ctrl+j", *"now", "enter")
        await until(lambda: script.sessions[0].said == ["quit\nnow"])
        await until(lambda: "you:quit" in drawn(app))
        assert chat_of(app).field.text == ""
        assert app.view.microphone
        await pilot.press("enter", "escape")
        await until(lambda: app.focused is people_of(app))
        assert script.sessions[0].said == ["quit\nnow"]
        await pilot.press("c")
        await until(lambda: not chat_of(app).display)


@pytest.mark.pty
async def test_what_comes_in_one_piece_is_said_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    app = conference(script)
    emulator = Emulator(monkeypatch)
    async with emulator.running(app):
        await until(lambda: app.view.state is CallState.JOINED)
        emulator.press("c")
        await until(lambda: isinstance(app.focused, ChatInput))
        # As a slow line delivers what was typed.
        emulator.press("one\ntwo\rthree\r")
        await until(lambda: script.sessions[0].said == ["one\ntwo", "three"], what="both messages")
        assert chat_of(app).field.text == ""


@pytest.mark.pty
async def test_what_is_typed_with_the_key_that_opens_the_chat_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    app = conference(script)
    emulator = Emulator(monkeypatch)
    async with emulator.running(app):
        await until(lambda: app.view.state is CallState.JOINED)
        # Each letter would be a command in the room: among others m mutes, e exports, j leaves.
        emulator.press("cjump over me, quick\r")
        await until(lambda: script.sessions[0].said == ["jump over me, quick"], what="the message")
        assert app.view.state is CallState.JOINED
        assert app.view.microphone


async def test_messages_are_counted_until_somebody_looks() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[0].say(message(1, "one"), message(2, "two"))
        await until(lambda: "2unread" in drawn(app))
        await pilot.press("c")
        await until(lambda: "Bob:two" in drawn(app))
        assert "unread" not in drawn(app)
        script.sessions[0].say(message(3, "three"))
        await until(lambda: "Bob:three" in drawn(app))
        assert "unread" not in drawn(app)


async def test_what_waits_is_said_to_wait_and_then_not() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("c")
        script.sessions[0].say(message(7, "hello", own=True, unsent=True), message(8, "other"))
        await until(lambda: "notsentyet" in drawn(app))
        script.sessions[0].say(message(7, "hello", own=True))
        await until(lambda: "notsentyet" not in drawn(app))
        assert [entry.text for entry in chat_of(app).history.entries] == ["hello", "other"]


async def test_hostile_text_is_drawn_literally_and_safely() -> None:
    text = "[b]x[/b] \x1b[2J\x9b31m \x1b]0;owned\x07 \u202eexe.txt " + "山" * 300 + "\n" * 500 + "end"
    hostile = replace(message(1, text), name="[@click=app.quit]Bob", verified=False)
    app = conference(Script([*joined(), hostile]))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("c")
        history = chat_of(app).history
        await until(lambda: history.entries)
        history.scroll_home(animate=False)
        await until(lambda: "[b]x[/b]" in drawn(app))
        assert not any(character in drawn(app) for character in "\x1b\x9b\x07\u202e")
        assert "(notonthelist)" in drawn(app)
        assert history.virtual_size.height < 100
        assert app.return_code is None


async def test_a_long_message_is_wrapped_anew_when_the_screen_changes() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    app = conference(Script([*joined(), message(1, words)]))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("c")
        history = chat_of(app).history
        await until(lambda: history.virtual_size.height > 5)
        before = history.virtual_size.height
        await pilot.resize_terminal(200, 40)
        await until(lambda: 0 < history.virtual_size.height != before)
        history.scroll_home(animate=False)
        await until(lambda: "word0word1" in drawn(app))


async def test_the_oldest_messages_go() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test():
        await until(lambda: app.view.state is CallState.JOINED)
        entries = chat_of(app).history
        for begin in range(0, ENTRIES + 200, 300):
            last = f"m{begin + 299}"
            script.sessions[0].say(*(message(begin + number + 1, f"m{begin + number}") for number in range(300)))
            await until(lambda last=last: entries.entries and entries.entries[-1].text == last)  # type: ignore[misc]
        assert len(entries.entries) == ENTRIES


async def test_reactions_are_chosen_by_keys_and_those_of_others_shown() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("c", "escape", "r")
        await until(lambda: isinstance(app.screen, ReactionScreen))
        await pilot.press("down", "enter")
        await until(lambda: script.sessions[0].reactions == ["thumbs_up"])
        script.sessions[0].say(
            Reaction("streambob", "Bob", "party_popper"), Reaction("streambob", "Bob", "\x1b[31m_new")
        )
        await until(lambda: "Bobreacts:partypopper" in drawn(app))
        await until(lambda: "new" in drawn(app))
        await pilot.press("r", "escape")
        await until(lambda: not isinstance(app.screen, ReactionScreen))
        assert script.sessions[0].reactions == ["thumbs_up"]


async def test_a_raised_hand_is_marked_and_answered() -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("down", "a")
        assert script.sessions[0].hands == []
        script.sessions[0].say(Announced(Notice.HAND_RAISED, "streambob", "Bob"))
        await until(lambda: "handraised" in drawn(app))
        # It stays up when the list comes again.
        script.sessions[0].say(RosterChanged(ROOM))
        await pilot.pause()
        await pilot.press("a")
        await until(lambda: script.sessions[0].hands == [("streambob", True)])
        await until(lambda: "handraised" not in drawn(app))


@pytest.mark.parametrize("may_speak", [True, False])
async def test_a_hand_that_was_answered_is_down(may_speak: bool) -> None:
    script = Script()
    app = conference(script, replace(OPTIONS, play_only=True))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        listener = replace(SELF, play_only=True)
        script.sessions[0].say(RosterChanged((listener, *ROOM[1:])))
        await pilot.press("y")
        await until(lambda: app.view.people and app.view.people[0].hand)
        if may_speak:
            script.sessions[0].say(RosterChanged(ROOM))
        else:
            script.sessions[0].say(Announced(Notice.MAY_NOT_SPEAK, SELF.stream_id, "Alice"))
        await until(lambda: not app.view.people[0].hand)


async def test_only_a_listener_raises_a_hand() -> None:
    script = Script()
    app = conference(script, replace(OPTIONS, play_only=True))
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        await pilot.press("y", "c")
        await until(lambda: "Aliceraisesahand" in drawn(app))
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.state is CallState.JOINED)
        assert app.check_action("hand", ()) is None
