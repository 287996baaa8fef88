"""The join form: what fills it, what it says is wrong, what is seen before joining, and that devices are given back."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from textual import events
from textual.widgets import Checkbox, Input, Label

from tests.media.plugged import plugged
from tests.ui.room import NOWHERE, OPTIONS, conference, drawn
from tests.ui.scripted import Script
from tests.waiting import until, until_found
from tui import choices, rooms
from tui.choices import Choices
from tui.config import JoinOptions, validate
from tui.core.events import CallState
from tui.errors import ConfigError, UnreachableError
from tui.media import capture
from tui.media.board import LOCAL
from tui.media.capture import Grab
from tui.media.devices import Camera
from tui.rooms import Profile
from tui.screens.devices import DeviceScreen
from tui.screens.help import HelpScreen
from tui.screens.join import JoinScreen
from tui.widgets.device_list import DeviceList
from tui.widgets.level_meter import LevelMeter
from tui.widgets.room_list import RoomList
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from tests.media.fake_sounddevice import FakeSoundDevice
    from tui.app import ConferenceApp

LIVE = "wss://host:5443/live/websocket"
WORK = JoinOptions(
    "wss://work:5443/live/websocket", "weekly", "Dr. Kim", "kim", token="t", video=False, subscriber_id="k"
)


def form(script: Script | None = None, options: JoinOptions = NOWHERE, **more: Any) -> ConferenceApp:
    """An app that begins with the form."""
    return conference(script, options, validate=validate, ask=True, remember=rooms.remember, **more)


def been_in(*names: str) -> None:
    for name in reversed(names):
        rooms.remember(replace(OPTIONS, room=name))


async def ready(app: ConferenceApp) -> JoinScreen:
    await until(lambda: isinstance(app.screen, JoinScreen) and app.screen.is_mounted and app.screen.query("#back"))
    assert isinstance(app.screen, JoinScreen)
    return app.screen


def filled(app: ConferenceApp, field: str) -> str:
    return app.screen.query_one(f"#{field}", Input).value


def says(app: ConferenceApp, part: str = "said") -> str:
    return str(app.screen.query_one(f"#{part}", Label).content)


def listed(app: ConferenceApp) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one(RoomList).options]


async def paste(pilot: Pilot[Any], text: str) -> None:
    pilot.app.screen.post_message(events.Paste(text))
    await pilot.pause()


# What fills it.


async def test_the_first_time_only_the_demo_is_offered() -> None:
    app = form(demo=lambda: OPTIONS)
    async with app.run_test():
        await ready(app)
        assert listed(app) == ["  Demo  (a room on this machine with four people in it)"]
        assert "choose the demo above" in says(app)


@pytest.mark.parametrize(
    "text",
    [
        f"{LIVE}?room=daily&token=canary&streamId=kim1",
        "https://host:5443/live/daily?token=canary&streamId=kim1",
        f"{LIVE}\nantconf join {LIVE} daily --token canary --stream-id kim1\n\n",
        f"Hello,\r\n\r\nwe meet at {LIVE}?room=daily&token=canary&streamId=kim1\r\nBye\x1b[2J",
    ],
)
async def test_what_is_pasted_into_any_field_fills_the_form(text: str) -> None:
    script = Script()
    app = form(script, replace(NOWHERE, token="for nobody else"))
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("tab", "tab")
        await paste(pilot, text)
        await until(lambda: filled(app, "url") == LIVE)
        assert [filled(app, field) for field in ("room", "name", "stream_id", "token")] == [
            "daily",
            "Alice",
            "kim1",
            "canary",
        ]
        assert says(app) == f"Understood: server {LIVE}, room daily, stream id kim1, a token"
        assert "canary" not in drawn(app)
        assert not script.sessions
        await pilot.press("enter")
        await until(lambda: script.sessions)
        options = script.sessions[0].options
        assert (options.url, options.room, options.stream_id, options.token) == (LIVE, "daily", "kim1", "canary")
    assert "canary" not in rooms.__file__ + str(rooms.recents())


async def test_a_paste_that_lacks_the_room_says_so_and_goes_there() -> None:
    app = form()
    async with app.run_test() as pilot:
        await ready(app)
        await paste(pilot, f"antconf join {LIVE} ROOM --token-file FILE")
        await until(lambda: "--token-file left out; the room is missing" in says(app))
        assert app.focused is app.screen.query_one("#room")


async def test_a_paste_that_is_wrong_says_why_and_changes_nothing() -> None:
    app = form(options=OPTIONS)
    async with app.run_test() as pilot:
        await ready(app)
        await paste(pilot, "https://kim:canary@host/live/daily")
        await until(lambda: "user name or password" in says(app, "url-problem"))
        assert filled(app, "url") == OPTIONS.url
        assert "canary" not in drawn(app)


async def test_other_text_is_pasted_as_one_line_and_a_token_as_it_is() -> None:
    script = Script()
    app = form(script, OPTIONS)
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("tab")
        await paste(pilot, "\n\n  room7\x1b[2J\nroom8\n")
        await until(lambda: filled(app, "room") == "room7\N{REPLACEMENT CHARACTER}[2J")
        await pilot.press("tab", "tab", "tab")
        await paste(pilot, "https://x/y/z\n")
        await until(lambda: filled(app, "token") == "https://x/y/z")
        await paste(pilot, "\n \n")
        await paste(pilot, "x" * 100_000)
        assert not script.sessions


async def test_what_was_typed_is_taken_apart_when_it_is_left_or_joined_by() -> None:
    script = Script()
    app = form(script)
    async with app.run_test() as pilot:
        await ready(app)
        app.screen.query_one("#url", Input).value = "https://host:5443/live/daily?token=canary"
        await pilot.press("tab")
        await until(lambda: filled(app, "url") == LIVE)
        assert (filled(app, "room"), filled(app, "token")) == ("daily", "canary")
        app.screen.query_one("#url", Input).value = "https://host:5443/Conference/weekly"
        await pilot.press("enter")
        await until(lambda: script.sessions)
        options = script.sessions[0].options
        assert (options.url, options.room) == ("wss://host:5443/Conference/websocket", "weekly")


async def test_an_endpoint_stays_one_until_it_is_changed() -> None:
    script = Script()
    endpoint = replace(OPTIONS, url="https://cluster/node?token=x", is_endpoint=True)
    app = form(script, endpoint)
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("tab", "enter")
        await until(lambda: script.sessions)
        assert script.sessions[0].options == endpoint


# Rooms.


async def test_a_room_of_late_fills_the_form_and_joins_when_chosen_again() -> None:
    been_in("daily", "weekly")
    script = Script()
    app = form(script)
    async with app.run_test() as pilot:
        await ready(app)
        assert listed(app) == [
            "  daily  (meet.example.org:5443/LiveApp, as Alice)",
            "  weekly  (meet.example.org:5443/LiveApp, as Alice)",
        ]
        await pilot.press("f4", "down", "enter")
        await until(lambda: filled(app, "room") == "weekly")
        assert listed(app)[1].startswith("● weekly")
        assert "enter again joins" in says(app)
        assert not script.sessions
        await pilot.press("enter")
        await until(lambda: app.view.state is CallState.JOINED)
        assert script.sessions[0].options.room == "weekly"
    assert [one.room for one in rooms.recents()] == ["weekly", "daily"]


async def test_what_is_changed_after_is_no_more_the_chosen_room() -> None:
    been_in("daily")
    script = Script()
    app = form(script)
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("f4", "enter")
        await until(lambda: filled(app, "room") == "daily")
        await pilot.press("tab", "tab", *"other")
        await until(lambda: listed(app)[0].startswith("  daily"))
        await pilot.press("f4", "space")
        await until(lambda: filled(app, "room") == "daily")
        assert not script.sessions


@pytest.mark.parametrize("key", ["delete", "x"])
async def test_a_room_can_be_taken_out_and_nothing_else(key: str) -> None:
    been_in("daily", "weekly")
    app = form(demo=lambda: OPTIONS)
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("f4", key)
        await until(lambda: len(listed(app)) == 2)
        assert [one.room for one in rooms.recents()] == ["weekly"]
        await pilot.press("end", key)
        await until(lambda: "Only rooms of late" in says(app))
        assert len(listed(app)) == 2


async def test_a_profile_brings_all_that_it_says_and_its_secrets_go_nowhere_else() -> None:
    been_in("daily")
    script = Script()
    app = form(script, profiles=[Profile("work", lambda: WORK, WORK.url, WORK.room)])
    async with app.run_test() as pilot:
        await ready(app)
        assert listed(app)[0] == "  work  (weekly at work:5443/live, profile)"
        await pilot.press("f4", "enter")
        await until(lambda: filled(app, "room") == "weekly")
        assert (filled(app, "token"), app.screen.query_one("#video", Checkbox).value) == ("t", False)
        await pilot.press("down", "enter")
        await until(lambda: filled(app, "room") == "daily")
        assert filled(app, "token") == ""
        await pilot.press("up", "enter", "enter")
        await until(lambda: script.sessions)
        assert script.sessions[0].options == WORK


async def test_a_profile_that_cannot_be_used_says_why() -> None:
    def broken() -> JoinOptions:
        raise ConfigError("the token file 'x' cannot be read: no such file or directory")

    app = form(options=OPTIONS, profiles=[Profile("work", broken)])
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("f4", "enter")
        await until(lambda: "✕ the token file 'x' cannot be read" in says(app))
        assert filled(app, "room") == OPTIONS.room


async def test_a_room_that_a_profile_has_is_offered_once() -> None:
    rooms.remember(WORK)
    app = form(profiles=[Profile("work", lambda: WORK, WORK.url, WORK.room)])
    async with app.run_test():
        await ready(app)
        assert len(listed(app)) == 1


async def test_a_stream_id_is_remembered_with_its_room_unless_it_was_made_up() -> None:
    rooms.remember(replace(OPTIONS, room="daily", stream_id="stream0123abcd"))
    rooms.remember(replace(OPTIONS, room="weekly", stream_id="alice"))
    app = form(options=replace(OPTIONS, room="weekly", stream_id="streamaaaa0000"))
    async with app.run_test() as pilot:
        await ready(app)
        assert filled(app, "stream_id") == "alice"
        await pilot.press("f4", "down", "enter")
        await until(lambda: filled(app, "room") == "daily")
        assert filled(app, "stream_id") == ""


# The demo.


async def test_the_demo_is_started_and_joined_under_the_name_in_the_form() -> None:
    may_start = threading.Event()

    def demo() -> JoinOptions:
        may_start.wait(10)
        return replace(OPTIONS, url="ws://127.0.0.1:7/live/websocket", room="demo")

    script = Script()
    app = form(script, replace(NOWHERE, name=""), demo=demo)
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("tab", "tab", *"Kim", "f4", "enter", "enter")
        await until(lambda: "Starting the demo" in says(app))
        may_start.set()
        await until(lambda: app.view.state is CallState.JOINED)
        assert [(one.options.room, one.options.name) for one in script.sessions] == [("demo", "Kim")]


async def test_a_demo_that_does_not_start_is_one_line_and_can_be_tried_again() -> None:
    tries: list[int] = []

    def demo() -> JoinOptions:
        tries.append(1)
        raise UnreachableError("the local room server did not start", "the log says why")

    app = form(demo=demo)
    async with app.run_test() as pilot:
        await ready(app)
        for number in (1, 2):
            await pilot.press("f4", "enter")
            await until(lambda number=number: len(tries) == number)  # type: ignore[misc]
            await until(lambda: "✕ the local room server did not start; the log says why" in says(app))
        await pilot.press("escape")
        await until(lambda: app.screen is app.room)


# What is wrong.


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("url", "", "the server is missing; example: wss://"),
        ("url", "host/live/daily", "must begin with ws:// or wss://"),
        ("url", "https://host:5443/", "or a page's address"),
        ("room", "", "the room is missing"),
        ("room", "a b", "the room 'a b' is not one that the server takes; use letters"),
        ("stream_id", "é", "the stream id 'é'"),
        ("name", "é" * 200, "longer than 256 bytes"),
    ],
)
async def test_what_is_wrong_is_said_next_to_its_field_until_it_is_changed(
    field: str, value: str, complaint: str
) -> None:
    script = Script()
    app = form(script, OPTIONS)
    async with app.run_test(size=(60, 16)) as pilot:
        screen = await ready(app)
        screen.query_one(f"#{field}", Input).value = value
        await pilot.press("tab", "tab", "enter")
        await until(lambda: complaint in says(app, f"{field}-problem"))
        assert says(app, f"{field}-problem").startswith("✕ ")
        assert app.focused is screen.query_one(f"#{field}")
        label = screen.query_one(f"#{field}-problem")
        await until(lambda: label.region.height > 0 and screen.query_one("#form").region.contains_region(label.region))
        await pilot.press("a")
        await until(lambda: not says(app, f"{field}-problem"))
        assert not script.sessions


async def test_what_belongs_to_no_field_is_said_below() -> None:
    app = form(options=replace(OPTIONS, subscriber_code="1"))
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("enter")
        await until(lambda: "✕ a subscriber's code or secret needs" in says(app))


async def test_tab_goes_from_the_rooms_through_the_fields_to_the_buttons() -> None:
    app = form(demo=lambda: OPTIONS)
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("f4")
        order = []
        for _ in range(13):
            order.append(app.focused.id if app.focused is not None else None)
            await pilot.press("tab")
        fields = ["url", "room", "name", "stream_id", "token", "play_only", "audio", "video", "preview"]
        assert order == ["rooms", *fields, "join", "choose", "back"]
        assert app.focused is app.screen.query_one(RoomList)


# Camera and microphone.


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    """A headset, speakers and a camera that shows bars."""
    fake = plugged(monkeypatch, [Camera("/dev/video0", "Integrated Camera", True)])
    fake.plug("Speakers", outputs=2)
    fake.plug("Headset", inputs=1, outputs=2)
    monkeypatch.setattr(Grab, "open", lambda grab: av.open("testsrc2=size=320x180:rate=30,realtime", format="lavfi"))
    monkeypatch.setattr(capture, "default_camera", lambda: "/dev/video0")
    return fake


def capturing() -> bool:
    return any(thread.name == "capture" for thread in threading.enumerate())


async def test_nothing_is_opened_before_it_is_asked_for(fake: FakeSoundDevice) -> None:
    app = form(options=OPTIONS)
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.pause(0.3)
        assert (fake.streams, capturing()) == ([], False)
        assert not app.screen.query_one(VideoTile).display


async def test_the_preview_shows_and_measures_and_is_over_before_the_call(fake: FakeSoundDevice) -> None:
    busy: list[bool] = []

    class Watching(Script):
        def __call__(self, options, emit, board):  # type: ignore[no-untyped-def]
            busy.append(capturing() or not all(stream.closed for stream in fake.streams))
            return super().__call__(options, emit, board)

    choices.remember(Choices("", "Headset", "/dev/video0"))
    script = Watching()
    app = form(script, OPTIONS)
    async with app.run_test() as pilot:
        screen = await ready(app)
        assert says(app, "used") == "microphone: Headset, camera: /dev/video0, output: default"
        await pilot.press("f3")
        tile = screen.query_one(VideoTile)
        await until(lambda: tile.display and tile.picture is not None)
        assert fake.streams[0].device == "Headset"
        fake.streams[0].record(np.full(480, 0.125, dtype=np.float32))
        await until(lambda: screen.query_one(LevelMeter).lit > 3)
        await until(lambda: says(app, "heard") == "sound, peak -18 dBFS")
        await pilot.press("enter")
        await until(lambda: app.view.state is CallState.JOINED)
        assert busy == [False]
        assert script.sessions[0].board.frame(LOCAL) is None
    # Remembered, and asked for so.
    app = form(options=OPTIONS)
    async with app.run_test() as pilot:
        screen = await ready(app)
        await until(lambda: screen.query_one(VideoTile).picture is not None)
        await pilot.press("f3")
        await until(lambda: not capturing() and all(stream.closed for stream in fake.streams))
        assert not screen.query_one(VideoTile).display


@pytest.mark.parametrize("way", ["escape", "ctrl+c", "end"])
async def test_the_preview_ends_with_the_form_however_it_ends(fake: FakeSoundDevice, way: str) -> None:
    app = form(options=OPTIONS)
    async with app.run_test() as pilot:
        screen = await ready(app)
        await pilot.press("f3")
        await until(lambda: screen.query_one(VideoTile).display)
        if way == "end":
            app.exit()
        else:
            await pilot.press(way)
            await until(lambda: app.screen_stack[-1:] != [screen] or app.return_code is not None)
    await until(lambda: not capturing() and all(stream.closed for stream in fake.streams))


async def test_the_preview_follows_what_would_be_sent(fake: FakeSoundDevice) -> None:
    app = form(options=OPTIONS)
    async with app.run_test() as pilot:
        screen = await ready(app)
        await pilot.press("f3")
        await until(lambda: screen.query_one(VideoTile).display and fake.streams)
        screen.query_one("#video", Checkbox).toggle()
        await until(lambda: not capturing() and len(fake.streams) == 2)
        assert not screen.query_one(VideoTile).display
        screen.query_one("#play_only", Checkbox).toggle()
        await until(lambda: all(stream.closed for stream in fake.streams))
        assert says(app, "used") == "output: default"


async def test_devices_that_cannot_be_opened_are_said(fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: Grab) -> Any:
        raise av.OSError(16, "busy")

    monkeypatch.setattr(Grab, "open", busy)
    app = form(options=replace(OPTIONS, camera="/dev/video0"))
    async with app.run_test() as pilot:
        await ready(app)
        await pilot.press("f3")
        await until(lambda: "camera /dev/video0 is in use by another program" in says(app))


async def test_devices_are_chosen_from_the_form_and_tried_meanwhile_elsewhere(fake: FakeSoundDevice) -> None:
    script = Script()
    app = form(script, OPTIONS)
    async with app.run_test() as pilot:
        screen = await ready(app)
        await pilot.press("f3")
        await until(lambda: screen.query_one(VideoTile).display)
        await pilot.press("f2")
        await until(lambda: isinstance(app.screen, DeviceScreen))
        assert not capturing()
        assert all(stream.closed for stream in fake.streams)
        await until(lambda: app.screen.query_one("#outputs", DeviceList).option_count == 4)
        await pilot.press("down", "down", "enter", "tab", "down", "down", "enter", "tab", "end", "enter")
        await until(lambda: choices.recall() == Choices("Headset", "", ""))
        await pilot.press("escape")
        await until(lambda: app.screen is screen)
        assert says(app, "used") == "microphone: test, camera: none, output: Headset"
        await pilot.press("enter")
        await until(lambda: script.sessions)
        options = script.sessions[0].options
        assert (options.speaker, options.microphone, options.camera) == ("Headset", "test", "none")


async def test_the_buttons_do_what_their_keys_do(fake: FakeSoundDevice) -> None:
    app = form(options=OPTIONS)
    async with app.run_test() as pilot:
        screen = await ready(app)
        # The form comes to rest meanwhile.
        await until_found(lambda: pilot.click("#choose"))
        await until(lambda: isinstance(app.screen, DeviceScreen))
        await pilot.press("escape")
        await until(lambda: app.screen is screen)
        await pilot.press("f1")
        await until(lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await until(lambda: app.screen is screen)
        await until_found(lambda: pilot.click("#back"))
        await until(lambda: app.screen is app.room)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36)])
async def test_everything_can_be_reached_on_any_screen(size: tuple[int, int]) -> None:
    been_in(*(f"room{number}" for number in range(10)))
    app = form(options=OPTIONS, demo=lambda: OPTIONS)
    async with app.run_test(size=size) as pilot:
        screen = await ready(app)
        for _ in range(13):
            await pilot.press("tab")
            await pilot.pause()
            focused = app.focused
            assert focused is not None
            await until(lambda focused=focused: screen.query_one("#form").region.contains_region(focused.region))  # type: ignore[misc]
