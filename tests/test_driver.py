"""Writing to a terminal that may not read, and answers that are no keys."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import TYPE_CHECKING

import pytest
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input, Static

from tests.ui.emulator import Emulator
from tests.ui.room import conference
from tests.ui.scripted import Script
from tests.waiting import until
from tui.driver import HELD, REFUSED, Outlet
from tui.media.cells import Depth, Glyphs, Look

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK = Look(Glyphs.BLOCK, Depth.TRUECOLOR)


class Valve(io.StringIO):
    """A file whose writes wait while it is shut."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()

    def write(self, text: str, /) -> int:
        self.open.wait(20)
        return super().write(text)


@pytest.fixture
def valve() -> Iterator[Valve]:
    file = Valve()
    yield file
    file.open.set()


async def test_everything_is_written_in_order_and_counted_until_it_is(valve: Valve) -> None:
    outlet = Outlet(valve, lambda: None)
    valve.open.clear()
    outlet.start()
    texts = [f"{number} ▀" * 900 for number in range(20)]
    for text in texts:
        outlet.write(text)
    assert outlet.pending == sum(len(text.encode()) for text in texts)
    valve.open.set()
    await until(lambda: outlet.pending == 0)
    assert valve.getvalue() == "".join(texts)
    outlet.stop()


async def test_who_waits_is_told_once_when_little_is_left_of_much(valve: Valve) -> None:
    told: list[int] = []
    outlet = Outlet(valve, lambda: told.append(outlet.pending))
    outlet.start()
    outlet.write("x" * 100)
    await until(lambda: outlet.pending == 0)
    assert not told
    valve.open.clear()
    outlet.write("x" * (HELD + 1))
    valve.open.set()
    await until(lambda: outlet.pending == 0)
    assert len(told) == 1
    assert told[0] < REFUSED
    outlet.stop()


async def test_it_begins_again_after_its_end(valve: Valve) -> None:
    outlet = Outlet(valve, lambda: None)
    for text in ("before", "after"):
        outlet.start()
        outlet.write(text)
        outlet.stop()
        assert valve.getvalue().endswith(text)


class Asking(ModalScreen[None]):
    """A field to type in."""

    def compose(self):  # type: ignore[no-untyped-def]
        yield Input()


class Colourful(Static):
    """Covers the left half of the screen, each cell in a colour of its own."""

    DEFAULT_CSS = "Colourful { layer: above; dock: left; width: 60%; height: 1fr; }"

    def render_line(self, y: int) -> Strip:
        colours = (Color.from_rgb(x % 256, y % 256, (x * y) % 256) for x in range(self.size.width))
        return Strip([Segment("x", Style(color=colour, bgcolor=colour)) for colour in colours])


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    return Emulator(monkeypatch)


@pytest.mark.pty
async def test_answers_never_become_keys(emulator: Emulator) -> None:
    app = conference(Script(paints=True), look=LOOK)
    emulator.shreds = True
    async with emulator.running(app):
        await until(lambda: app.projector is not None and app.projector.updates > 3, what="answered pictures")
        app.call_later(app.push_screen, Asking())
        await until(lambda: isinstance(app.focused, Input))
        field = app.screen.query_one(Input)
        driver = app.driver
        assert driver is not None
        heard: list[int] = []
        driver.answered = lambda number, at: heard.append(number)
        for number, key in enumerate("hello there"):
            driver.show(driver.question(number + 1, passthrough=False))
            emulator.press(key)
        await until(lambda: field.value == "hello there", what="what was typed")
        await until(lambda: set(range(1, 12)) <= set(heard), what="the answers")
    assert driver.cursor_origin is None


@pytest.mark.pty
@pytest.mark.parametrize("wanted", [True, False])
async def test_marks_of_one_update_are_written_where_the_terminal_knows_them(emulator: Emulator, wanted: bool) -> None:
    app = conference(Script(), look=LOOK, synchronized=wanted)
    async with emulator.running(app):
        await until(lambda: "joined" in emulator.text)
        assert app.driver is not None
        await until(lambda: app.driver is not None and app.driver.synchronized is wanted)
        assert app._sync_available is wanted


@pytest.mark.pty
async def test_a_terminal_that_does_not_read_costs_little_memory_and_shows_what_is_when_it_reads(
    emulator: Emulator,
) -> None:
    script = Script(paints=True)
    app = conference(script, look=LOOK)
    async with emulator.running(app):
        await until(lambda: app.projector is not None and app.projector.updates > 3, what="pictures")
        driver = app.driver
        assert driver is not None
        emulator.reading.clear()
        most = 0
        for number in range(100):
            app.notify(f"Nobody reads this {number}", timeout=0.05)
            app.refresh()
            app.screen.refresh()
            await asyncio.sleep(0.02)
            most = max(most, driver.pending)
        assert driver.held
        assert not driver.show(b"x")
        repaint = 100 * 30 * 50
        assert HELD < most < HELD + repaint
        app.call_later(app.push_screen, Asking())
        await until(lambda: isinstance(app.screen, Asking))
        app.call_later(app.pop_screen)
        app.notify("Somebody reads again", timeout=60)
        emulator.reading.set()
        await until(lambda: "Somebody reads again" in emulator.text, what="what is now")
        script.still = True
        await until(lambda: not emulator.differences(app), what="the screen")
        assert not driver.held
    assert script.sessions[0].longest_gap < 2


@pytest.mark.pty
async def test_a_repaint_of_more_than_is_held_is_not_drawn_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator = Emulator(monkeypatch, 240, 60)
    app = conference(Script(paints=True), look=LOOK)
    async with emulator.running(app):
        await until(lambda: app.projector is not None and app.projector.updates > 3, what="pictures")
        projector, driver = app.projector, app.driver
        assert projector is not None
        assert driver is not None
        sizes: list[int] = []
        driver.written = sizes.append
        # Dear to draw: no two neighbours have the same colour.
        app.room.mount(Colourful())
        await until(lambda: sum(sizes) > HELD, what="a large repaint")
        updates = projector.updates
        await until(lambda: projector.updates > updates + 10, what="more pictures")
        # What is thrown away meanwhile may cost another, but a repaint is no reason for itself.
        assert sum(size > HELD for size in sizes) <= 4
        assert not driver.held
