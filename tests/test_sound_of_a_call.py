"""A call's sound ends when it has to: speaking while a key is held, and recordings."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.media.fake_sounddevice import install
from tests.waiting import until
from tui import desk
from tui.call import Call
from tui.config import JoinOptions
from tui.core.events import Callback
from tui.errors import DeviceError
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look
from tui.media.generated import Silence
from tui.media.switched import SwitchedAudio
from tui.session import SoundChanged

if TYPE_CHECKING:
    from pathlib import Path

    from tui.session import CallEvent


class HangingConference:
    """Its room is not told anything any more: the line is gone, and nobody has noticed yet."""

    def __init__(self) -> None:
        self.microphone = False
        self.gone = asyncio.Event()

    async def set_microphone(self, on: bool) -> None:
        self.microphone = on
        await self.gone.wait()

    async def aclose(self) -> None:
        await self.gone.wait()


def call_with(conference: HangingConference, options: JoinOptions) -> Call:
    call = Call(options, lambda event: None, Board(Look(Glyphs.HALF, Depth.TRUECOLOR)))
    call._conference = conference  # type: ignore[assignment]
    return call


async def test_a_held_microphone_goes_off_also_when_the_room_cannot_be_told() -> None:
    conference = HangingConference()
    call = call_with(conference, JoinOptions())
    speaking = asyncio.ensure_future(call.speak_while_held(0.2))
    await until(lambda: conference.microphone)
    await until(lambda: not conference.microphone)
    conference.gone.set()
    await speaking
    await call.aclose()


async def test_a_conference_that_hangs_does_not_keep_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    conference = HangingConference()
    call = call_with(conference, JoinOptions(speaker="none", record_audio=str(tmp_path / "call.wav")))
    await call._desk.open(None)
    recording = call._desk._recording
    assert recording is not None
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await call.aclose()
    assert not recording._thread.is_alive()


async def test_a_refused_output_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    path = tmp_path / "call.wav"
    for options in (JoinOptions(speaker="nosuch"), JoinOptions(require_audio=True)):
        sound = desk.SoundDesk(replaced(options, path), lambda event: None, lambda: None)
        with pytest.raises(DeviceError):
            await sound.open(None)
        await sound.aclose()
    assert not path.exists()


async def test_a_recording_that_fails_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    told: list[CallEvent] = []
    ended: list[bool] = []
    options = JoinOptions(speaker="none", record_audio=str(tmp_path / "call.wav"))
    sound = desk.SoundDesk(options, told.append, lambda: ended.append(True))
    await sound.open(None)
    recording = sound._recording
    assert recording is not None
    assert [event.recording for event in told if isinstance(event, SoundChanged)] == ["call.wav"]
    monkeypatch.setattr(recording._file, "write", full)
    await until(lambda: ended)
    assert not sound.is_recording
    notes = [event.obj for event in told if isinstance(event, Callback)]
    assert notes == ["The recording has ended: No space left on device."]
    await sound.aclose()


async def test_of_two_microphones_the_last_that_was_chosen_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = {"slow": asyncio.Event(), "quick": asyncio.Event()}

    async def open_when_told(device: str, options: JoinOptions) -> Silence:
        await opened[device].wait()
        return sources[device]

    sources = {"slow": Silence(), "quick": Silence()}
    monkeypatch.setattr(desk, "open_microphone", open_when_told)
    own = SwitchedAudio(Silence())
    sound = desk.SoundDesk(JoinOptions(), lambda event: None, lambda: None)
    sound._own = own
    choices = [asyncio.ensure_future(sound.use_microphone(device)) for device in ("slow", "quick")]
    opened["quick"].set()
    await asyncio.sleep(0)
    opened["slow"].set()
    assert await asyncio.gather(*choices) == [True, True]
    assert own.source is sources["quick"]


def full(sound: object) -> None:
    raise OSError(28, "No space left on device")


def replaced(options: JoinOptions, path: Path) -> JoinOptions:
    return JoinOptions(speaker=options.speaker, require_audio=options.require_audio, record_audio=str(path))
