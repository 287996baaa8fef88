"""What the screen looks like; the pictures hold for the pinned Textual only.

Look at every difference before recording with ``--snapshot-update``.
"""

from __future__ import annotations

import importlib.metadata
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.ui.room import NOWHERE, PLAIN, conference
from tests.ui.scripted import AT, ROOM, Script, joined
from tests.waiting import until
from tui.core.events import CallState, CallStateChanged, Participant

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from textual.pilot import Pilot

    from tui.app import ConferenceApp

TEXTUAL = "8.2.8"

pytestmark = pytest.mark.skipif(
    importlib.metadata.version("textual") != TEXTUAL, reason=f"the pictures hold for Textual {TEXTUAL} only"
)


class Compare(Protocol):
    """The fixture of pytest-textual-snapshot."""

    def __call__(
        self,
        app: ConferenceApp,
        *,
        terminal_size: tuple[int, int] = ...,
        run_before: Callable[[Pilot[Any]], Awaitable[None]] = ...,
    ) -> bool: ...


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


def when(state: CallState, *keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Wait for a state and for the pictures, press keys, and let the screen come to rest."""

    async def settle(pilot: Pilot[Any]) -> None:
        app = pilot.app
        app.animation_level = "none"
        await until(lambda: app.view.state is state)  # type: ignore[attr-defined]
        await pilot.pause(0.5)
        await pilot.press(*keys)
        await pilot.wait_for_scheduled_animations()
        await pilot.pause(0.3)

    return settle


def test_join_form(snap_compare: Compare) -> None:
    """Five fields, three switches, nothing filled in but what is known."""
    assert snap_compare(conference(options=NOWHERE), run_before=when(CallState.IDLE))


def test_room_80x24(snap_compare: Compare) -> None:
    """Everything at once: panel, people, pictures, log, keys; somebody talks, somebody is muted."""
    assert snap_compare(conference(Script(still=True)), run_before=when(CallState.JOINED))


def test_room_120x36(snap_compare: Compare) -> None:
    """The same with more room for all."""
    app = conference(Script(still=True))
    assert snap_compare(app, terminal_size=(120, 36), run_before=when(CallState.JOINED))


def test_room_60x16(snap_compare: Compare) -> None:
    """The smallest screen: no pictures, no log, the panel stays."""
    app = conference(Script(still=True))
    assert snap_compare(app, terminal_size=(60, 16), run_before=when(CallState.JOINED))


def test_names(snap_compare: Compare) -> None:
    """Markup, escapes, wide and right-to-left names stay in their places."""
    names = ["[/oops]", "\x1b[2J\x1b]0;owned\x07", "\u202etxt.exe", "山田太郎と申しますどうぞよろしく", "שלום", ""]
    people = [ROOM[0], *(Participant(f"stream{n}", name, microphone=n != 3) for n, name in enumerate(names))]
    app = conference(Script(joined(people), still=True))
    assert snap_compare(app, terminal_size=(100, 30), run_before=when(CallState.JOINED))


def test_muted(snap_compare: Compare) -> None:
    """Own microphone and camera off, deafened: in words."""
    app = conference(Script(still=True))
    assert snap_compare(app, run_before=when(CallState.JOINED, "m", "v", "d"))


def test_reconnecting(snap_compare: Compare) -> None:
    """The room stays on the screen while the connection is made again."""
    events = [*joined(), CallStateChanged(CallState.RECONNECTING, "The connection was lost.", "Trying again.")]
    app = conference(Script(events), clock=lambda: AT + 0)
    assert snap_compare(app, run_before=when(CallState.RECONNECTING))


def test_failed(snap_compare: Compare) -> None:
    """Why, and what to do."""
    events = [CallStateChanged(CallState.FAILED, "the server refused the token", "ask for a new one")]
    assert snap_compare(conference(Script(events)), run_before=when(CallState.FAILED))


def test_no_sound_device(snap_compare: Compare) -> None:
    """The call goes on without sound and says so."""
    app = conference(Script(joined(output=None), still=True))
    assert snap_compare(app, run_before=when(CallState.JOINED))


def test_help(snap_compare: Compare) -> None:
    """Every key."""
    app = conference(Script(still=True))
    assert snap_compare(app, terminal_size=(100, 40), run_before=when(CallState.JOINED, "question_mark"))


def test_palette(snap_compare: Compare) -> None:
    """What can be done now."""
    app = conference(Script(still=True))
    assert snap_compare(app, terminal_size=(100, 30), run_before=when(CallState.JOINED, "colon"))


def test_leave_question(snap_compare: Compare) -> None:
    """What ctrl+c asks."""
    app = conference(Script(still=True))
    assert snap_compare(app, run_before=when(CallState.JOINED, "ctrl+c"))


def test_no_color_ascii(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colours and without UTF-8 everything can still be read."""
    monkeypatch.setenv("NO_COLOR", "1")
    people = [replace(one, talking=True) if one.is_self else one for one in ROOM]
    app = conference(Script(joined(people), still=True), look=PLAIN, ascii_only=True, no_color=True)
    assert snap_compare(app, run_before=when(CallState.JOINED))
