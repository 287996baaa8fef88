"""The device screen: what it lists, chooses, remembers and tries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from textual.widgets import Input, Label

from tests.media.plugged import plugged
from tests.ui.room import OPTIONS, conference, drawn, log_of
from tests.ui.scripted import Script, joined
from tests.waiting import until
from tui import choices
from tui.choices import Choices
from tui.config import state_directory
from tui.core.events import CallState
from tui.errors import DeviceError
from tui.media import screens
from tui.media.devices import Camera
from tui.screens import devices as module
from tui.screens.devices import DeviceScreen
from tui.screens.join import JoinScreen
from tui.screens.path import PathScreen
from tui.session import SoundChanged, SoundReport
from tui.text import printable
from tui.widgets.device_list import DeviceList
from tui.widgets.level_meter import LevelMeter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.media.fake_sounddevice import FakeSoundDevice
    from tui.app import ConferenceApp

NOT_JOINED = replace(OPTIONS, room="")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    """Speakers, a headset and a camera."""
    fake = plugged(monkeypatch, [Camera("/dev/video0", "Integrated Camera", True)])
    fake.plug("Speakers", outputs=2)
    fake.plug("Headset", inputs=1, outputs=2)
    return fake


def rows(app: ConferenceApp, which: str) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one(f"#{which}", DeviceList).options]


def said(app: ConferenceApp, part: str) -> str:
    return str(app.screen.query_one(f"#{part}", Label).content)


async def test_outputs_microphones_and_cameras_are_listed_and_marked(fake: FakeSoundDevice) -> None:
    script = Script([*joined(), SoundChanged("Speakers", microphone="Headset")])
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.input)
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, DeviceScreen) and len(rows(app, "outputs")) == 4)
        assert rows(app, "outputs") == ["● System default", "  Speakers  (default, in use)", "  Headset", "  No sound"]
        assert rows(app, "microphones") == [
            "● System default",
            "  Headset  (default, in use)",
            "  Test tone",
            "  Silence",
        ]
        assert rows(app, "cameras") == [
            "● First camera",
            "  Integrated Camera (/dev/video0)  (default)",
            "  This screen",
            "  A file…",
            "  Test picture",
            "  Nothing",
        ]
        await pilot.press("escape")
        assert app.screen is app.screen_stack[0]


async def test_a_name_of_the_sound_server_stands_where_it_belongs(fake: FakeSoundDevice) -> None:
    app = conference(Script([*joined(), SoundChanged("Built-in Audio Analog Stereo")]))
    async with app.run_test() as pilot:
        await until(lambda: app.view.output == "Built-in Audio Analog Stereo")
        await pilot.press("o")
        await until(lambda: "● System default  (in use: Built-in Audio Analog Stereo)" in rows(app, "outputs"))


async def test_what_is_chosen_is_used_at_once_and_remembered(fake: FakeSoundDevice) -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: len(rows(app, "outputs")) == 4)
        await pilot.press("down", "down", "enter")
        await until(lambda: script.sessions[0].sound.output == "Headset")
        await until(lambda: "● Headset  (in use)" in rows(app, "outputs"))
        await pilot.press("tab", "down", "space")
        await until(lambda: script.sessions[0].sound.microphone == "Headset")
        assert choices.recall() == Choices("Headset", "Headset")
        # Silence is for now only.
        await pilot.press("end", "enter")
        await until(lambda: script.sessions[0].sound.microphone == "silence")
        await until(lambda: "● Silence" in rows(app, "microphones")[-1])
        assert choices.recall() == Choices("Headset", "Headset")
        await pilot.press("escape", "j")
        await until(lambda: app.view.state is CallState.IDLE)
        await pilot.press("j")
        await until(lambda: len(script.sessions) == 2)
        options = script.sessions[1].options
        assert (options.speaker, options.microphone) == ("Headset", "silence")
    path = state_directory() / "devices.json"
    assert path.stat().st_mode & 0o777 == 0o600


async def test_another_camera_or_the_screen_is_shown_at_once_and_only_cameras_are_remembered(
    fake: FakeSoundDevice,
) -> None:
    script = Script()
    app = conference(script)
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: len(rows(app, "cameras")) == 6)
        await pilot.press("tab", "tab", "down", "enter")
        await until(lambda: app.view.picture == "/dev/video0")
        await until(lambda: "● Integrated Camera (/dev/video0)  (default, in use)" in rows(app, "cameras"))
        assert choices.recall() == Choices(camera="/dev/video0")
        await pilot.press("down", "enter")
        await until(lambda: app.view.picture == "screen")
        await until(lambda: "● This screen  (in use: screen)" in rows(app, "cameras"))
        await pilot.press("t")
        assert "own picture" in said(app, "status")
        assert choices.recall() == Choices(camera="/dev/video0")
        await pilot.press("escape", "j")
        await until(lambda: app.view.state is CallState.IDLE)
        assert app.view.picture == ""
        await pilot.press("j")
        await until(lambda: len(script.sessions) == 2)
        assert script.sessions[1].options.camera == "screen"


async def test_a_file_and_the_test_picture_are_reached_by_keys(fake: FakeSoundDevice, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    app = conference()
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: len(rows(app, "cameras")) == 6)
        await pilot.press("tab", "tab", "end", "up", "enter")
        await until(lambda: app.view.picture == "test")
        await pilot.press("up", "enter")
        await until(lambda: isinstance(app.screen, PathScreen))
        app.screen.query_one(Input).value = str(clip)
        await pilot.press("enter")
        await until(lambda: app.view.picture == printable(str(clip), 60))
        # A real call says the file's name.
        app.view = replace(app.view, picture="clip.mp4")
        await until(lambda: "● A file…  (in use: clip.mp4)" in rows(app, "cameras"))
        await pilot.press("enter", "escape")
        await until(lambda: isinstance(app.screen, DeviceScreen))
        assert choices.recall() == Choices()


async def test_where_no_screen_can_be_shown_the_reason_is_said(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = screens.Screens(problem="there is no screen here", hint="Start antconf in a graphical session")
    monkeypatch.setattr(screens, "list_screens", lambda: none)
    app = conference()
    async with app.run_test(size=(100, 40)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: "  This screen  (not here)" in rows(app, "cameras"))
        await pilot.press("tab", "tab", "down", "down", "enter")
        await until(lambda: "there is no screen here" in said(app, "status"))
        assert app.view.picture == ""


async def test_the_camera_of_the_last_time_is_used_while_it_is_there(fake: FakeSoundDevice) -> None:
    for camera, expected, told in (
        ("/dev/video0", "/dev/video0", []),
        ("/dev/video4", "", ["The camera /dev/video4 is not there: the default one is used."]),
    ):
        choices.remember(Choices(camera=camera))
        script = Script()
        app = conference(script)
        async with app.run_test():
            await until(lambda app=app: app.view.people)  # type: ignore[misc]
            assert script.sessions[0].options.camera == expected
            assert [line.payload for line in log_of(app).lines if line.info == "device"] == told


async def test_a_choice_before_joining_is_for_the_join(fake: FakeSoundDevice) -> None:
    script = Script()
    app = conference(script, NOT_JOINED)
    async with app.run_test() as pilot:
        await until(lambda: isinstance(app.screen, JoinScreen))
        await pilot.press("escape")
        await until(lambda: app.screen is app.screen_stack[0])
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, DeviceScreen) and len(rows(app, "outputs")) == 4)
        assert "Not in a room" in said(app, "figures")
        await until(lambda: "echo cancellation" in said(app, "echo"))
        await pilot.press("down", "down", "enter", "escape")
        await until(lambda: app.screen is app.screen_stack[0])
        await pilot.press("s")
        await until(lambda: isinstance(app.screen, JoinScreen))
        await pilot.press("tab", *"room1", "enter")
        await until(lambda: script.sessions)
        assert script.sessions[0].options.speaker == "Headset"


async def test_devices_of_the_last_time_are_used_when_none_are_named(fake: FakeSoundDevice) -> None:
    choices.remember(Choices("Headset", "Headset"))
    script = Script()
    app = conference(script, replace(OPTIONS, speaker="none"))
    async with app.run_test():
        await until(lambda: script.sessions)
    options = script.sessions[0].options
    assert (options.speaker, options.microphone) == ("none", "Headset")


async def test_a_remembered_device_that_is_gone_is_a_note(fake: FakeSoundDevice) -> None:
    choices.remember(Choices("Headset", "Blue Yeti"))
    script = Script()
    app = conference(script)
    async with app.run_test():
        await until(lambda: app.view.people)
        assert (script.sessions[0].options.speaker, script.sessions[0].options.microphone) == ("Headset", "")
        notes = [line.payload for line in log_of(app).lines if line.info == "device"]
        assert notes == ["The microphone Blue Yeti is not there: the default one is used."]


async def test_a_remembered_device_that_does_not_open_is_a_note_and_a_named_one_an_error(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices.remember(Choices("Headset"))

    class Busy(Script):
        def __call__(self, options, emit, board):  # type: ignore[no-untyped-def]
            self.error = DeviceError("sound output Headset cannot be opened: busy") if options.speaker else None
            return super().__call__(options, emit, board)

    script = Busy()
    app = conference(script)
    async with app.run_test():
        await until(lambda: app.view.people)
        assert any(
            "Headset cannot be opened: busy: the default one is used." in line.payload for line in log_of(app).lines
        )
        assert [session.closed for session in script.sessions] == [1, 0]
    app = conference(Busy(), replace(OPTIONS, speaker="Headset"))
    async with app.run_test():
        await until(lambda: app.view.state is CallState.FAILED)
        assert app.view.exit_code == 7


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '{"speaker": 7}', "\x00\xff", "[" * 100_000, '{"speaker": "a\\u001b"}']
)
async def test_a_broken_file_of_choices_is_no_harm(text: str) -> None:
    path = state_directory() / "devices.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="latin-1")
    assert choices.recall() in (Choices(), Choices("a\N{REPLACEMENT CHARACTER}"))


async def test_devices_come_and_go_and_the_selection_stays(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.05)
    app = conference(Script())
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: len(rows(app, "outputs")) == 4)
        await pilot.press("down", "down")
        outputs = app.screen.query_one("#outputs", DeviceList)
        assert outputs.selected is not None
        assert outputs.selected.name == "Headset"
        fake.devices.insert(0, {**fake.devices[0], "name": "[/Monitor]\x1b[2J"})
        await until(lambda: len(rows(app, "outputs")) == 5)
        assert rows(app, "outputs")[1] == "  [/Monitor]\N{REPLACEMENT CHARACTER}[2J  (default)"
        assert outputs.selected.name == "Headset"
        del fake.devices[2]
        await until(lambda: len(rows(app, "outputs")) == 4)
        assert outputs.selected.title == "No sound"


async def test_a_tone_is_played_on_the_selected_output(fake: FakeSoundDevice) -> None:
    app = conference(Script())
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: len(rows(app, "outputs")) == 4)
        await pilot.press("down", "down", "t")
        await until(lambda: fake.streams and fake.streams[0].active)
        assert fake.streams[0].device == "Headset"
        assert "A tone on: Headset" in said(app, "status")
        # Once more before it is over: nothing happens.
        await pilot.press("t")
        while fake.streams[0].active:
            fake.streams[0].play(4800)
            await asyncio.sleep(0)
        await until(lambda: "There was a tone on: Headset" in said(app, "status"))
        assert len(fake.streams) == 1
        await pilot.press("end", "t")
        assert "nothing to try" in said(app, "status")


async def test_a_microphone_is_listened_to_until_asked_again_or_closed(fake: FakeSoundDevice) -> None:
    app = conference(Script(), NOT_JOINED)
    async with app.run_test() as pilot:
        await until(lambda: isinstance(app.screen, JoinScreen))
        await pilot.press("escape")
        await until(lambda: app.screen is app.screen_stack[0])
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, DeviceScreen) and len(rows(app, "microphones")) == 4)
        meter = app.screen.query_one(LevelMeter)
        for closing in ("t", "escape"):
            await pilot.press("tab") if app.screen.query_one("#outputs").has_focus else None
            await pilot.press("t")
            await until(lambda: "Listening to: Headset" in said(app, "status"))
            stream = fake.streams[-1]
            stream.record(np.full(480, 0.125, dtype=np.float32))
            await until(lambda: meter.lit > 3)
            assert said(app, "heard") == "sound, peak -18 dBFS"
            await pilot.press(closing)
            await until(lambda stream=stream: stream.closed)  # type: ignore[misc]
        assert len(fake.streams) == 2


async def test_a_device_that_fails_to_open_is_said(fake: FakeSoundDevice) -> None:
    app = conference(Script())
    async with app.run_test(size=(100, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: len(rows(app, "outputs")) == 4)
        fake.devices.clear()
        await pilot.press("down", "down", "t")
        await until(lambda: "sound output Headset cannot be opened" in said(app, "status"))
        await pilot.press("tab", "down", "t")
        await until(lambda: "microphone Headset cannot be opened" in said(app, "status"))


async def test_without_portaudio_the_screen_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch)
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    app = conference(Script())
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, DeviceScreen) and "libportaudio2" in said(app, "status"))
        assert rows(app, "outputs") == ["● System default  (in use: Built-in Audio)", "  No sound"]


async def test_the_figures_of_the_call_are_asked_for_every_second(fake: FakeSoundDevice) -> None:
    report = SoundReport("Speakers", "Headset", "echo cancellation: on", 62.4, 60.0, 0.44, 3, 1, 80.0, 153.0, 2)
    script = Script(report=report)
    app = conference(script)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, DeviceScreen) and said(app, "figures"))
        assert said(app, "echo") == "echo cancellation: on"
        assert said(app, "figures") == (
            "2 voices, buffer 62 ms of 60, concealed 0.4 %, late 3, underruns 1, device 80 ms, mouth to ear 153 ms"
        )
        script.report = replace(report, late=4, mouth_to_ear_ms=None)
        await until(lambda: "late 4, underruns 1, device 80 ms" in said(app, "figures"))
        assert "mouth" not in said(app, "figures")


async def test_the_own_level_moves_in_a_call(fake: FakeSoundDevice) -> None:
    app = conference(Script(paints=True))
    async with app.run_test() as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, DeviceScreen))
        meter, seen = app.screen.query_one(LevelMeter), set[int]()

        def moves() -> bool:
            seen.add(meter.lit)
            return len(seen) >= 3

        await until(moves)


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (120, 36)])
async def test_it_fits_the_screen(fake: FakeSoundDevice, size: tuple[int, int]) -> None:
    for number in range(20):
        fake.plug(f"Interface {number}", inputs=1)
    app = conference(Script(report=SoundReport("Speakers", "Headset", "echo cancellation: not installed", voices=24)))
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.people)
        await pilot.press("o")
        await until(lambda: isinstance(app.screen, DeviceScreen) and len(rows(app, "outputs")) == 24)
        await pilot.pause()
        text = drawn(app)
        for word in ("Soundoutput", "Microphone", "Level", "Camera", "echocancellation", "24voices"):
            assert word in text
        await pilot.press("end", "t")
        await until(lambda: "Nosound:nothingtotry" in drawn(app))
