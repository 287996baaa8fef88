"""Every size from 20x5 to 300x80, also one right after the other: what one was at is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from textual.events import Resize
from textual.geometry import Size

from tests.ui.room import conference, drawn, log_of, people_of
from tests.ui.scripted import AT, ROOM, Script, callback, joined
from tests.waiting import until
from tui.core.events import CallState, ChatMessage, Participant
from tui.widgets.chat import ChatHistory

if TYPE_CHECKING:
    from textual.pilot import Pilot

SIZES = (
    *((120, 36), (80, 24), (60, 16), (20, 5), (300, 80), (100, 30), (79, 19), (80, 20), (119, 31), (120, 32)),
    *((40, 60), (300, 5), (20, 80), (1, 1), (200, 50), (61, 17), (132, 43), (59, 15), (90, 25), (120, 36)),
)
CROWD = (*ROOM, *(Participant(f"stream{number}", f"Person {number}") for number in range(12)))


def busy() -> Script:
    """A room with enough of everything to scroll in."""
    lines = [callback(f"line {number}", {"n": number, "text": "x" * 300}) for number in range(200)]
    words = [ChatMessage(number, "streambob", "Bob", f"word {number} " * 12, AT) for number in range(1, 60)]
    return Script([*joined(CROWD), *lines, *words])


async def storm(pilot: Pilot[None], sizes: tuple[tuple[int, int], ...] = SIZES) -> None:
    for size in sizes:
        await pilot.resize_terminal(*size)
    await pilot.pause()


def focused(pilot: Pilot[None]) -> str | None:
    return pilot.app.screen.focused.id if pilot.app.screen.focused is not None else None


async def test_the_selected_person_and_the_focus_are_kept() -> None:
    app = conference(busy())
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(lambda: len(app.view.people) == len(CROWD))
        await pilot.press(*["down"] * 9)
        people = people_of(app)
        chosen = people.selected
        await storm(pilot)
        await until(lambda: focused(pilot) == "people")
        assert people.selected == chosen
        name = next(person.name for person in people.people if person.key == chosen)
        assert name.replace(" ", "") in drawn(app)
        assert app.view.state is CallState.JOINED


async def test_the_selected_line_of_the_log_and_its_place_are_kept() -> None:
    app = conference(busy())
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(lambda: len(log_of(app).lines) > 200)
        await pilot.press("l", *["pageup"] * 6, *["up"] * 3)
        log = log_of(app)
        cursor, text = log.cursor, log.shown[log.cursor or 0].info
        assert text.replace(" ", "") in drawn(app)
        await storm(pilot)
        await until(lambda: focused(pilot) == "log")
        assert log.cursor == cursor
        assert text.replace(" ", "") in drawn(app)
        assert not log.is_vertical_scroll_end
        await pilot.press("end")
        await storm(pilot, SIZES[-4:])
        await until(lambda: log.is_vertical_scroll_end)
        await until(lambda: focused(pilot) == "log")


async def test_what_is_being_written_and_the_place_in_the_chat_are_kept() -> None:
    app = conference(busy())
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(lambda: len(app.view.people) == len(CROWD))
        await pilot.press("c", *"Hello")
        chat = app.screen.query_one(ChatHistory)
        chat.scroll_to(y=40, animate=False, immediate=True)
        await pilot.pause()
        await storm(pilot)
        field = await until(lambda: app.screen.focused)
        assert getattr(field, "text", "") == "Hello"
        await pilot.press("!")
        assert getattr(field, "text", "") == "Hello!"
        assert 0 < chat.scroll_offset.y < chat.max_scroll_y


@pytest.mark.parametrize("keys", [("question_mark",), ("o",), ("colon",), ("j", "s")])
async def test_every_dialogue_stands_it_and_closes_after_it(keys: tuple[str, ...]) -> None:
    app = conference(Script())
    async with app.run_test(size=SIZES[0]) as pilot:
        await until(lambda: app.view.people)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        assert app.screen is not app.room
        await storm(pilot, ((20, 5), (300, 80), (60, 16), (1, 1), SIZES[0]))
        assert app.screen is not app.room
        await pilot.press("escape")
        await until(lambda: app.screen is app.room)


async def test_a_timer_that_never_comes_does_not_keep_a_size() -> None:
    app = conference(Script())
    async with app.run_test(size=(100, 30)):
        await until(lambda: app.view.state is CallState.JOINED)
        # As Textual's own is when a busy machine makes it skip.
        app._resize_timer = app.set_timer(1000, lambda: None)
        app.post_message(Resize(Size(90, 25), Size(90, 25)))
        await until(lambda: app.room.query_one("#lower").outer_size.width == 90, what="the size")
