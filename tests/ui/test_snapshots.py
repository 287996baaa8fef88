"""What the screen looks like; the pictures hold for the pinned Textual only.

Look at every difference before recording with ``--snapshot-update``.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from textual.widgets import Input

from tests.media.plugged import plugged
from tests.ui.room import NOWHERE, OPTIONS, PLAIN, conference, drawn
from tests.ui.scripted import AT, ROOM, SELF, Script, face, joined, sharing
from tests.ui.test_people import listening
from tests.ui.test_statistics import measured
from tests.waiting import DEADLINE, until
from tui import app as app_module
from tui import rooms
from tui.config import validate
from tui.core.events import (
    Announced,
    CallState,
    CallStateChanged,
    ChatMessage,
    LocalMediaChanged,
    ModeratorRequest,
    Notice,
    Participant,
    Reaction,
    RetryPlanned,
    RosterChanged,
    ShareState,
    SharingChanged,
    Wish,
)
from tui.layouts import Layout
from tui.media import echo, screens
from tui.media.devices import Camera
from tui.media.pictures import TestPattern
from tui.media.screens import Screen, Screens
from tui.rooms import Profile
from tui.screens.request import RequestScreen
from tui.session import HealthChanged, QualityChanged, SoundChanged, SoundReport
from tui.statistics import Health
from tui.widgets.device_list import DeviceList
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from textual.pilot import Pilot

    from tests.media.fake_sounddevice import FakeSoundDevice
    from tui.app import ConferenceApp
    from tui.session import CallEvent

TEXTUAL = "8.2.8"

pytestmark = [
    # A screen that a busy machine draws late seems to have come to rest.
    pytest.mark.flaky(reruns=1),
    pytest.mark.skipif(
        importlib.metadata.version("textual") != TEXTUAL, reason=f"the pictures hold for Textual {TEXTUAL} only"
    ),
]


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
        await rest(pilot)
        await pilot.press(*keys)
        await rest(pilot)

    return settle


async def rest(pilot: Pilot[Any]) -> None:
    """Wait until nothing is being worked out and the picture has not changed for half a second."""
    app = pilot.app
    await pilot.wait_for_scheduled_animations()
    pictures: deque[str] = deque(maxlen=5)

    def rests() -> bool:
        for field in app.screen.query(Input):
            field.cursor_blink = False
        pictures.append(app.export_screenshot())
        # The device screen looks around for as long as it is open.
        busy = any(worker.is_running and worker.group != "look" for worker in app.workers)
        return not busy and not waits_for_pictures(app) and pictures.count(pictures[0]) == pictures.maxlen

    ends = time.monotonic() + DEADLINE
    while not rests():
        assert time.monotonic() < ends, "the screen does not come to rest"
        await pilot.pause(0.1)


def waits_for_pictures(app: Any) -> bool:
    """Whether a tile has no picture yet that will have one."""
    script = app._bridge._factory
    if app.screen is not app.room or not (script.still or script.paints):
        return False
    wanted = [tile for tile in app.room.query(VideoTile) if app._board.wish(tile.track or "") is not None]
    return any(tile.picture is None for tile in wanted)


def test_join_form(snap_compare: Compare) -> None:
    """The first time: five fields, the devices, four switches, and a demo to begin with."""
    options = replace(NOWHERE, stream_id="stream0123abcd")
    assert snap_compare(conference(options=options, demo=lambda: OPTIONS), run_before=when(CallState.IDLE))


def lobby(*been: str, **more: Any) -> ConferenceApp:
    """The form of somebody who has been in rooms before, and has a profile."""
    for room in been or ("retro", "[/oops]山田", "daily"):
        rooms.remember(replace(OPTIONS, room=room, stream_id="stream0123abcd"))
    work = replace(OPTIONS, url="wss://work.example.org:5443/Conference/websocket", room="weekly")
    profiles = [Profile("work", lambda: work, work.url, work.room)]
    options = replace(OPTIONS, room="daily", stream_id="stream0123abcd", camera="test", microphone="silence")
    return conference(options=options, ask=True, profiles=profiles, demo=lambda: work, validate=validate, **more)


def test_join_rooms(snap_compare: Compare) -> None:
    """A profile and rooms of late; one fills the form."""
    assert snap_compare(lobby(), run_before=when(CallState.IDLE, "f4", "down", "down", "enter"))


def test_join_rooms_60x16(snap_compare: Compare) -> None:
    """The smallest screen: the form scrolls, what is said stays."""
    app = lobby()
    assert snap_compare(app, terminal_size=(60, 16), run_before=when(CallState.IDLE, "f4", "end", "up", "enter"))


def seen(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Switch the preview on, with a picture that stands still, press keys, and let it come to rest."""

    async def settle(pilot: Pilot[Any]) -> None:
        await when(CallState.IDLE, "f3")(pilot)
        tile = pilot.app.screen.query_one(VideoTile)
        await until(lambda: tile.picture is not None)
        await pilot.press(*keys)
        await rest(pilot)

    return settle


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The own picture before the call stands still."""
    monkeypatch.setattr(TestPattern, "picture", lambda track, at: face(0, 0))


def test_join_preview(snap_compare: Compare, still: None) -> None:
    """Oneself, before anybody else does."""
    assert snap_compare(lobby(), run_before=seen())


def test_join_preview_light_120x36(snap_compare: Compare, still: None) -> None:
    """The same on a light background, larger."""
    app = lobby()
    app.theme = "light"
    assert snap_compare(app, terminal_size=(120, 36), run_before=seen("f4"))


def test_join_problem(snap_compare: Compare) -> None:
    """What is wrong, next to where it is."""
    assert snap_compare(lobby(), run_before=when(CallState.IDLE, "tab", *"a room", "enter"))


def test_join_no_color_ascii(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Focus, switches, choice and problem can be told without colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = lobby(look=PLAIN, ascii_only=True, no_color=True)
    assert snap_compare(app, run_before=when(CallState.IDLE, "f4", "down", "enter", "tab", "tab", "delete", "enter"))


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


def test_reconnecting_with_countdown(snap_compare: Compare) -> None:
    """The cause, the try, the seconds to the next one and the key that does not wait for it."""
    cause = "meet.example.org:5443 cannot be reached: connection refused"
    lost = CallStateChanged(CallState.RECONNECTING, "the server does not answer any more")
    app = conference(Script([*joined(), lost, RetryPlanned(3, AT + 4.2, cause)], still=True))

    async def settle(pilot: Pilot[Any]) -> None:
        await when(CallState.RECONNECTING)(pilot)
        pilot.app.clear_notifications()
        await rest(pilot)

    assert snap_compare(app, run_before=settle)


def own_share() -> Script:
    people = [replace(ROOM[0], sharing=True), ROOM[1], replace(ROOM[2], presentation="videoTrack5"), ROOM[3]]
    return Script([*joined(people), SharingChanged(ShareState.ON, "screen :0")], still=True)


def test_sharing_80x24(snap_compare: Compare) -> None:
    """We share a screen, and so does Carol: hers has a tile, ours only words and a mark."""
    assert snap_compare(conference(own_share()), run_before=when(CallState.JOINED))


def test_sharing_no_color_ascii(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where there are neither colours nor other characters."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = conference(own_share(), look=PLAIN, ascii_only=True, no_color=True)
    assert snap_compare(app, terminal_size=(120, 36), run_before=when(CallState.JOINED))


def test_what_to_share(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each screen that there is, a file, the test picture."""
    found = Screens((Screen("screen::0", "Screen :0, 2560x1440"), Screen("screen::1", "Screen :1, 800x600")))
    monkeypatch.setattr(screens, "list_screens", lambda: found)
    assert snap_compare(conference(Script(still=True)), run_before=when(CallState.JOINED, "S"))


def test_nothing_to_share(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over SSH: why there is no screen, in words, and what can be shown all the same."""
    monkeypatch.setattr(screens, "_SOCKETS", Path("/nonexistent"))
    monkeypatch.setenv("DISPLAY", "")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    assert snap_compare(conference(Script(still=True)), run_before=when(CallState.JOINED, "S"))


def test_path_of_a_file(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that leads nowhere is said at once."""
    monkeypatch.setattr(screens, "list_screens", Screens)

    async def ask(pilot: Pilot[Any]) -> None:
        await when(CallState.JOINED, "S", "enter")(pilot)
        await pilot.press(*"/nowhere/talk", "full_stop", *"mp4", "enter")
        await rest(pilot)

    assert snap_compare(conference(Script(still=True)), run_before=ask)


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


def test_moderator_question(snap_compare: Compare) -> None:
    """What a moderator asks of us."""
    script = Script(still=True)
    app = conference(script)

    async def ask(pilot: Pilot[Any]) -> None:
        await when(CallState.JOINED)(pilot)
        script.sessions[0].say(ModeratorRequest(1, Wish.MICROPHONE_OFF, "streambob", "Bob"))
        await until(lambda: isinstance(app.screen, RequestScreen))
        await rest(pilot)

    assert snap_compare(app, run_before=ask)


def test_no_color_ascii(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colours and without UTF-8 everything can still be read."""
    monkeypatch.setenv("NO_COLOR", "1")
    people = [replace(one, talking=True) if one.is_self else one for one in ROOM]
    app = conference(Script(joined(people), still=True), look=PLAIN, ascii_only=True, no_color=True)
    assert snap_compare(app, run_before=when(CallState.JOINED))


def test_volumes_and_recording(snap_compare: Compare) -> None:
    """One person turned down, one muted for the user only, everybody louder, and a recording."""
    events = [*joined(), SoundChanged("Built-in Audio", microphone="Headset", recording="meeting.wav")]
    app = conference(Script(events, still=True))
    keys = ("plus", "plus", "down", *["left"] * 3, "down", "x")
    assert snap_compare(app, run_before=when(CallState.JOINED, *keys))


def test_speaking_while_held(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said for as long as it lasts."""
    monkeypatch.setattr(app_module, "_FIRST_HOLD", 60.0)
    script = Script([*joined(), LocalMediaChanged(False, True)], still=True)
    app = conference(script)

    async def hold(pilot: Pilot[Any]) -> None:
        await when(CallState.JOINED)(pilot)
        script.sessions[0].media = LocalMediaChanged(False, True)
        await pilot.press("space")
        await until(lambda: app.view.microphone)
        await rest(pilot)

    assert snap_compare(app, run_before=hold)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    """What a laptop has, and echo cancellation not installed."""
    fake = plugged(monkeypatch, [Camera("/dev/video0", "Integrated Camera", True)])
    fake.plug("HDA Intel PCH: ALC257 Analog (hw:0,0)", inputs=2, outputs=2)
    fake.plug("HDMI 0 (hw:0,3)", outputs=8)
    fake.plug("山田のヘッドセット", inputs=1, outputs=2)
    fake.plug("pulse", inputs=32, outputs=32)
    monkeypatch.setattr(echo, "available", lambda: False)
    return fake


def device_screen(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Open it in a call, press keys, and let it come to rest."""

    async def settle(pilot: Pilot[Any]) -> None:
        await when(CallState.JOINED, "o")(pilot)
        await until(lambda: pilot.app.screen.query_one("#outputs", DeviceList).option_count > 2)
        await pilot.press(*keys)
        await rest(pilot)

    return settle


def in_a_call() -> Script:
    used = "山田のヘッドセット"
    echoes = "echo cancellation: not installed: pip install 'antconf[echo]', or use headphones"
    report = SoundReport(used, used, echoes, 62.4, 60.0, 0.44, 3, 1, 80.0, 153.0, 3)
    return Script([*joined(), SoundChanged(used, microphone=used)], still=True, report=report)


def test_devices(snap_compare: Compare, devices: FakeSoundDevice) -> None:
    """Outputs, microphones, level, camera and figures; what is used and what is selected."""
    assert snap_compare(conference(in_a_call()), run_before=device_screen("down", "tab", "down", "down"))


def test_devices_light(snap_compare: Compare, devices: FakeSoundDevice) -> None:
    """The same on a light background."""
    app = conference(in_a_call())
    app.theme = "light"
    assert snap_compare(app, terminal_size=(120, 36), run_before=device_screen("down"))


def test_devices_60x16(snap_compare: Compare, devices: FakeSoundDevice) -> None:
    """The smallest screen: the lists scroll."""
    assert snap_compare(conference(in_a_call()), terminal_size=(60, 16), run_before=device_screen("end"))


def test_devices_no_color_ascii(
    snap_compare: Compare, devices: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is chosen, selected and focused can be told without colours."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = conference(in_a_call(), look=PLAIN, ascii_only=True, no_color=True)
    assert snap_compare(app, run_before=device_screen("down"))


def talk() -> list[CallEvent]:
    """A conversation, with all that may stand between the lines."""
    words = "Did you get the slides that I sent this morning? They are at https://example.org/2026/november/slides.pdf"
    return [
        ChatMessage(1, "streambob", "Bob", words, AT),
        ChatMessage(2, "streamalice", "Alice", "Yes.\nThank you!", AT + 60, own=True),
        ChatMessage(3, "x", "山田太郎", "[b]あ[/b] \x1b[2J", AT + 61, verified=False),
        Reaction("streambob", "Bob", "party_popper"),
        ChatMessage(4, "streamalice", "Alice", "Can you hear me?", AT + 120, own=True, unsent=True),
        Announced(Notice.HAND_RAISED, "streamdave", "Dave"),
    ]


def test_chat_80x24(snap_compare: Compare) -> None:
    """The chat in the place of the log; somebody's hand is raised."""
    app = conference(Script([*joined(), *talk()], still=True))
    assert snap_compare(app, run_before=when(CallState.JOINED, "c"))


def test_chat_light_130x40(snap_compare: Compare) -> None:
    """The chat beside the log, on a light background."""
    app = conference(Script([*joined(), *talk()], still=True))
    app.theme = "light"
    assert snap_compare(app, terminal_size=(130, 40), run_before=when(CallState.JOINED, "c"))


def test_unread(snap_compare: Compare) -> None:
    """What was said while the chat is closed is counted, and a bad line has a reason."""
    bad = HealthChanged("poor", "12 % of the packets are lost")
    app = conference(Script([*joined(), *talk(), bad], still=True))
    assert snap_compare(app, run_before=when(CallState.JOINED))


def test_reactions(snap_compare: Compare) -> None:
    """One of nine."""
    assert snap_compare(conference(Script(still=True)), run_before=when(CallState.JOINED, "r", "down"))


def test_favours(snap_compare: Compare) -> None:
    """What to ask of somebody who is heard and seen."""
    assert snap_compare(conference(Script(still=True)), run_before=when(CallState.JOINED, "down", "M", "down"))


def test_log_found(snap_compare: Compare) -> None:
    """Lines that were looked for, one of them selected."""
    app = conference(Script(still=True))
    keys = ("l", "slash", *"play", "enter", "up")
    assert snap_compare(app, terminal_size=(120, 36), run_before=when(CallState.JOINED, *keys))


def test_event(snap_compare: Compare) -> None:
    """One event of the log, whole."""
    app = conference(Script(still=True))
    assert snap_compare(app, run_before=when(CallState.JOINED, "l", "home", "down", "down", "down", "enter"))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_statistics(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Connections, the last minutes, and every track."""
    app = conference(Script(still=True, statistics=measured()))
    assert snap_compare(app, terminal_size=size, run_before=when(CallState.JOINED, "g"))


def everything() -> list[CallEvent]:
    """A room in which each state of a person is to be seen."""
    people = (
        SELF,
        Participant("streambob", "Bob", talking=True, presentation="videoTrack3", audio="audioTrack0", role="host"),
        Participant("streamcarol", "Carol", microphone=False, camera=False, video="videoTrack1"),
        Participant("streamdave", "Dave", recording=True, audio="audioTrack2"),
        Participant("streamerin", "Erin", recording=True, talking=True, presentation="videoTrack4", camera=False),
    )
    told = {
        "streambob": (Health.GOOD, ""),
        "streamcarol": (Health.POOR, "parts of the picture are lost"),
        "streamdave": (Health.FAIR, "the sound comes irregularly"),
    }
    hands = [Announced(Notice.HAND_RAISED, key, "") for key in ("streamcarol", "streamerin")]
    return [*joined(people), QualityChanged(told), *hands]


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
def test_people_with_every_mark(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Talking, muted, camera off, screen, hand, recording, pinned, volume, muted for oneself, quality."""
    app = conference(Script(everything(), still=True))
    keys = ("down", "P", "left", "down", "down", "x", "up")
    assert snap_compare(app, terminal_size=size, run_before=when(CallState.JOINED, *keys))


def test_people_without_pictures(snap_compare: Compare) -> None:
    """The same where each has one line."""
    app = conference(Script(everything(), still=True))
    keys = ("h", "h", "down", "P", "left", "down", "down", "x", "up")
    assert snap_compare(app, terminal_size=(100, 24), run_before=when(CallState.JOINED, *keys))


def test_people_no_color_ascii(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without colours and without UTF-8, and a filter."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = conference(Script(everything(), still=True), look=PLAIN, ascii_only=True, no_color=True)
    keys = ("down", "P", "left", "down", "down", "x", "up", "slash", "o")
    assert snap_compare(app, run_before=when(CallState.JOINED, *keys))


def test_people_found(snap_compare: Compare) -> None:
    """A filter that is being typed in a large room."""
    people = [SELF, *(Participant(f"stream{number:04}", f"Person {number}") for number in range(1, 2000))]
    app = conference(Script(joined(people)))
    assert snap_compare(app, run_before=when(CallState.JOINED, "slash", *"n 199"))


@pytest.mark.parametrize("size", [(80, 24), (60, 16)])
def test_person(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Everything about Carol, who is seen and does not sound well."""
    app = conference(Script(everything(), still=True, statistics=listening()))

    async def look(pilot: Pilot[Any]) -> None:
        # The pin changes places, and behind a dialogue no picture changes any more.
        await when(CallState.JOINED, "down", "down", "P")(pilot)
        await pilot.press("i")
        await rest(pilot)

    assert snap_compare(app, terminal_size=size, run_before=look)


def test_person_no_color_ascii(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent of oneself, without colours and without UTF-8."""
    monkeypatch.setenv("NO_COLOR", "1")
    script = Script(everything(), still=True, statistics=listening())
    app = conference(script, look=PLAIN, ascii_only=True, no_color=True)
    assert snap_compare(app, run_before=when(CallState.JOINED, "i"))


def crowd() -> list[Participant]:
    """Sixteen, of whom some are muted or without a camera, and one talks."""
    names = ["Bob", "Carol", "Dave", "山田太郎", "Erin", "Farid", "Grace", "Heidi"]
    names += ["Ivan", "Judy", "Karl", "Lena", "Mallory", "Niaj", "Olivia"]
    others = [
        Participant(
            f"stream{number}",
            name,
            microphone=number % 5 != 3,
            camera=number % 7 != 6,
            talking=number == 4,
            video=f"videoTrack{number}",
            audio="audioTrack0" if number == 4 else None,
        )
        for number, name in enumerate(names)
    ]
    return [ROOM[0], *others]


def test_a_full_room_120x36(snap_compare: Compare) -> None:
    """Sixteen people alike: as many tiles as fit, and which page it is."""
    app = conference(Script(joined(crowd()), still=True))
    assert snap_compare(app, terminal_size=(120, 36), run_before=when(CallState.JOINED))


def test_speaker_120x36(snap_compare: Compare) -> None:
    """Who speaks large, the others in a strip beside."""
    app = conference(Script(joined(crowd()), still=True), layout=Layout.SPEAKER)
    assert snap_compare(app, terminal_size=(120, 36), run_before=when(CallState.JOINED))


def test_speaker_80x24(snap_compare: Compare) -> None:
    """The same on a small screen."""
    app = conference(Script(still=True), layout=Layout.SPEAKER)
    assert snap_compare(app, run_before=when(CallState.JOINED))


def test_speaker_light_90x60(snap_compare: Compare) -> None:
    """On a high and light screen the strip is below."""
    app = conference(Script(joined(crowd()), still=True), layout=Layout.SPEAKER)
    app.theme = "light"
    assert snap_compare(app, terminal_size=(90, 60), run_before=when(CallState.JOINED))


def test_list_120x36(snap_compare: Compare) -> None:
    """No pictures."""
    app = conference(Script(still=True), layout=Layout.LIST)
    assert snap_compare(app, terminal_size=(120, 36), run_before=when(CallState.JOINED))


@pytest.mark.parametrize("size", [(60, 16), (120, 36)])
def test_focus_on_a_shared_screen(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Nothing but the screen, a line on the call, and the way back."""
    app = conference(Script(joined(sharing("streamcarol")), still=True))
    assert snap_compare(app, terminal_size=size, run_before=when(CallState.JOINED, "b"))


def test_focus_zoomed_light(snap_compare: Compare) -> None:
    """A part of it, large enough to be read, on a light background."""
    app = conference(Script(joined(sharing("streamcarol")), still=True))
    app.theme = "light"
    keys = ("b", "z", "z", *["H"] * 4, *["K"] * 4)
    assert snap_compare(app, terminal_size=(100, 30), run_before=when(CallState.JOINED, *keys))


def test_focus_ascii(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colours and without UTF-8."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = conference(Script(joined(sharing("streamcarol")), still=True), look=PLAIN, ascii_only=True, no_color=True)
    assert snap_compare(app, run_before=when(CallState.JOINED, "b"))


@pytest.mark.parametrize("theme", ["light", "high-contrast", "terminal"])
def test_room_in_other_colours(snap_compare: Compare, theme: str) -> None:
    """All that has a colour of its own, in the other themes."""
    bad = HealthChanged("poor", "12 % of the packets are lost")
    people = (*ROOM, Participant("streamerin", "Erin", microphone=False, camera=False, away=True, recording=True))
    app = conference(Script([*joined(people), *talk(), bad], still=True), theme=theme)
    assert snap_compare(app, terminal_size=(100, 30), run_before=when(CallState.JOINED, "down"))


def test_low_bandwidth(snap_compare: Compare) -> None:
    """Only who speaks; the others say why not, the panel says what is chosen."""
    app = conference(Script(still=True))

    async def save(pilot: Pilot[Any]) -> None:
        await when(CallState.JOINED, "B")(pilot)
        # Words on the tiles change as seldom as the pictures do.
        await until(lambda: drawn(app).count("paused:lowbandwidth") == 2)
        await rest(pilot)

    assert snap_compare(app, terminal_size=(100, 30), run_before=save)


@pytest.mark.parametrize("size", [(60, 16), (100, 30)])
def test_away(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Oneself and somebody else, in the panel, in the list and below the pictures."""
    away: dict[str, Any] = {"microphone": False, "camera": False, "away": True}
    people = (replace(ROOM[0], **away), *ROOM[1:3], replace(ROOM[3], **away))
    script = Script(still=True)
    app = conference(script)

    async def leave(pilot: Pilot[Any]) -> None:
        await when(CallState.JOINED, "A")(pilot)
        script.sessions[0].say(RosterChanged(people))
        await until(lambda: app.view.away and app.view.people[0].away)
        await rest(pilot)

    assert snap_compare(app, terminal_size=size, run_before=leave)
