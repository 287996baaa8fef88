"""Whether all text can be read in every theme, measured on what is really drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from textual.geometry import Region

from tests.ui.room import TRUECOLOR, conference
from tests.ui.scripted import AT, ROOM, Script, callback, joined
from tests.waiting import until
from tui.core.events import Announced, ChatMessage, Direction, LocalMediaChanged, Notice, RosterChanged
from tui.session import HealthChanged, SoundChanged
from tui.themes import NAMES
from tui.widgets.picture import PictureStrip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.color import Color
    from rich.style import Style

    from tui.app import ConferenceApp

PEOPLE = (
    replace(ROOM[0], talking=True),
    replace(ROOM[1], recording=True, presentation="videoTrack2"),
    ROOM[2],
    replace(ROOM[3], away=True, microphone=False),
)
EVENTS = [
    *(RosterChanged(PEOPLE) if isinstance(event, RosterChanged) else event for event in joined()),
    callback("bad", {"a": 1}, error=True),
    callback("good", {"a": 1}, Direction.LOCAL),
    ChatMessage(1, "streambob", "Bob", "Hello", AT),
    ChatMessage(2, "x", "Mallory", "Hi", AT, verified=False),
    ChatMessage(3, "streamalice", "Alice", "Hello?", AT, own=True, unsent=True),
    Announced(Notice.HAND_RAISED, "streamdave", "Dave"),
    HealthChanged("poor", "12 % of the packets are lost"),
    SoundChanged("Built-in Audio", recording="meeting.wav"),
]
TOUR = (
    *[("down",)] * 4,
    ("l", "up"),
    ("slash", "a"),
    ("escape", "enter"),
    ("escape", "c"),
    ("x",),
    ("escape", "question_mark"),
    ("escape", "r", "down"),
    ("escape", "o", "down"),
    ("tab", "down"),
    ("escape", "colon", "down"),
    ("escape", "ctrl+c"),
    ("tab",),
    ("escape", "g"),
    ("escape", "j", "s"),
    *[("tab",)] * 9,
)
"""Keys to press, one after the other: every screen and everything that can have the focus."""

XTERM = (
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229)),
    *((127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255)),
    (255, 255, 255),
)
"""What the 16 colours are in xterm, for the theme that has those of the terminal."""


def luminance(colour: tuple[int, int, int]) -> float:
    """Relative luminance (WCAG 2.2)."""

    def linear(channel: int) -> float:
        part = channel / 255
        return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4

    red, green, blue = map(linear, colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def in_xterm(colour: Color | None, default: tuple[int, int, int]) -> tuple[int, int, int]:
    if colour is None or colour.is_default:
        return default
    if colour.triplet is not None:
        return (colour.triplet.red, colour.triplet.green, colour.triplet.blue)
    assert colour.number is not None
    return XTERM[colour.number]


def texts(app: ConferenceApp) -> Iterator[tuple[str, Style, str]]:
    """Every word of the screen in front, pictures left out: what it is, in which style, and whose."""
    screen = app.screen
    for widget, (region, clip) in screen._compositor.visible_widgets.items():
        shown = region.intersection(clip)
        # A dialogue lets the room shine through, dimmed.
        if not shown or widget is screen:
            continue
        for strip in widget.render_lines(Region(shown.x - region.x, shown.y - region.y, *shown.size)):
            if isinstance(strip, PictureStrip) or widget.is_disabled:
                continue
            for text, style, _ in strip:
                if style is not None and any(character.isalnum() for character in text):
                    yield text.strip(), style, type(widget).__name__


def too_faint(app: ConferenceApp, least: float, light: bool) -> set[str]:
    paper, ink = ((255, 255, 255), (0, 0, 0)) if light else ((0, 0, 0), (229, 229, 229))
    found = set()
    for text, style, where in texts(app):
        front, back = in_xterm(style.color, ink), in_xterm(style.bgcolor, paper)
        if style.reverse:
            front, back = back, front
        if (ratio := contrast(front, back)) < least:
            found.add(f"{ratio:.2f}: {text[:40]!r} in {where}, {front} on {back}")
    return found


@pytest.mark.parametrize(
    ("theme", "light"), [*((name, False) for name in NAMES), ("terminal", True)], ids=lambda value: str(value)
)
async def test_every_text_can_be_read(theme: str, light: bool) -> None:
    least = 7.0 if theme == "high-contrast" else 4.5
    script = Script(EVENTS, still=True)
    app = conference(script, theme=theme, look=replace(TRUECOLOR, light=light))
    faint: set[str] = set()
    async with app.run_test(size=(130, 40), notifications=True) as pilot:
        await until(lambda: len(app.view.people) == 4 and app.view.recording)
        script.sessions[0].say(LocalMediaChanged(False, False))
        await pilot.press("A", "B")
        for severity in ("information", "warning", "error"):
            app.notify("Something happened", severity=severity)
        await pilot.pause(0.2)
        for keys in ((), *TOUR):
            await pilot.press(*keys)
            await pilot.pause(0.05)
            faint |= too_faint(app, least, light)
    assert not faint, "\n".join(sorted(faint))


async def test_the_terminals_own_theme_has_the_terminals_own_background() -> None:
    app = conference(Script(still=True), theme="terminal")
    async with app.run_test(size=(130, 40)) as pilot:
        await until(lambda: app.view.people)
        await pilot.pause()
        assert app.native_ansi_color
        grounds = {
            style.bgcolor.name
            for _, style, where in texts(app)
            if style.bgcolor is not None and where != "ParticipantList"
        }
        assert grounds == {"default"}
