"""The sound desk: who is heard how loud, devices that are exchanged or refused, recordings and figures."""

from __future__ import annotations

import asyncio
import stat
import wave
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from tests.media.fake_sounddevice import FakeSoundDevice, install
from tests.waiting import until
from tui import desk as desk_module
from tui.config import JoinOptions
from tui.core.audio import Playout
from tui.core.events import Callback, Participant
from tui.desk import SoundDesk
from tui.errors import DeviceError, FileError
from tui.media import echo
from tui.media import mixer as mixer_module
from tui.media import playback as playback_module
from tui.media.capture import MicrophoneAudio
from tui.media.generated import Silence, TestTone
from tui.media.playback import OutputFigures, Playback
from tui.media.sources import open_microphone
from tui.media.switched import SwitchedAudio
from tui.session import SoundChanged, SoundReport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.media.recording import Recording
    from tui.media.sound import Samples
    from tui.session import CallEvent

ROOM, OWN = 500.0, 1000.0


class Stage:
    """A desk on a machine with headphones and two microphones, and all that it told."""

    def __init__(self, device: FakeSoundDevice) -> None:
        self.device = device
        self.told: list[CallEvent] = []
        self.ended = 0
        self._desks: list[SoundDesk] = []
        self._own: list[SwitchedAudio] = []

    def desk(self, **options: object) -> SoundDesk:
        """One that is not open yet."""

        def end() -> None:
            self.ended += 1

        self._desks.append(SoundDesk(JoinOptions(**options), self.told.append, end))  # type: ignore[arg-type]
        return self._desks[-1]

    async def microphone(self, name: str = "Webcam") -> SwitchedAudio:
        """What is published, from a microphone."""
        return self.own(cast("MicrophoneAudio", await open_microphone(name, JoinOptions())))

    def own(self, source: MicrophoneAudio | Silence | TestTone) -> SwitchedAudio:
        """What is published, from this source."""
        self._own.append(SwitchedAudio(source))
        return self._own[-1]

    @property
    def sound(self) -> SoundChanged:
        """What was told last of the sound."""
        return [event for event in self.told if isinstance(event, SoundChanged)][-1]

    @property
    def notes(self) -> list[object]:
        return [event.obj for event in self.told if isinstance(event, Callback)]

    async def aclose(self) -> None:
        for own in self._own:
            own.stop()
        for desk in self._desks:
            await desk.aclose()
            await desk.aclose()


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(playback_module, "_WATCH_SECONDS", 0.02)
    device = install(monkeypatch)
    device.plug("Headphones", outputs=2)
    device.plug("Webcam", inputs=1, outputs=0)
    device.plug("Headset", inputs=1, outputs=0)
    device.look()
    stage = Stage(device)
    yield stage
    await stage.aclose()


class Canceller:
    """Notes what it is asked to take out of what."""

    made: list[Canceller]

    def __init__(self) -> None:
        self.made.append(self)
        self.played = 0
        self.delay = 0.0
        self.closed = False

    def play(self, sound: Samples) -> None:
        self.played += len(sound)

    def capture(self, sound: Samples) -> Samples:
        return sound * np.float32(0.5)

    def set_delay(self, seconds: float) -> None:
        self.delay = seconds

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def cancellers(monkeypatch: pytest.MonkeyPatch) -> list[Canceller]:
    """Those that were made, on a machine where echo cancellation is installed."""
    monkeypatch.setattr(Canceller, "made", [], raising=False)
    monkeypatch.setattr(desk_module, "EchoCanceller", Canceller)
    monkeypatch.setattr(echo, "available", lambda: True)
    return Canceller.made


class Hum:
    """A voice at `ROOM` Hz that never ends."""

    def __init__(self) -> None:
        self.gain = 1.0
        self.muted = False
        self.figures = Playout()
        self._pulled = 0

    def wake(self) -> None:
        pass

    def pull(self, out: Samples) -> None:
        out[:] = tone(ROOM, self._pulled, len(out))
        self._pulled += len(out)

    def playout(self) -> Playout:
        return self.figures


@pytest.fixture
def _hums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixer_module, "Voice", Hum)


def hum(desk: SoundDesk, key: str) -> Hum:
    return cast("Hum", desk.mixer.add(key))


def tone(frequency: float, start: int, count: int) -> Samples:
    at = np.arange(start, start + count) / 48_000
    return (0.4 * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def strength(sound: Samples, frequency: float) -> float:
    """The amplitude at a frequency."""
    at = np.arange(len(sound)) / 48_000
    return float(2 * np.abs(np.mean(sound * np.exp(-2j * np.pi * frequency * at))))


def recorded(path: Path) -> Samples:
    with wave.open(str(path)) as file:
        return (np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16) / 32768).astype(np.float32)


def person(name: str, audio: str | None) -> Participant:
    return Participant(name, name.title(), audio=audio)


def loudness_of(desk: SoundDesk, key: str) -> tuple[float, bool]:
    voice = desk.mixer.voice(key)
    assert voice is not None
    return voice.gain, voice.muted


# -- what is heard -----------------------------------------------------------------------------------


def test_how_loud_somebody_is_follows_them_from_track_to_track(stage: Stage) -> None:
    desk = stage.desk()
    for key in ("audio-1", "audio-2"):
        desk.mixer.add(key)
    desk.set_voice("bob", 0.5, True)
    desk.follow([person("bob", "audio-1"), person("carol", "audio-2")])
    assert [loudness_of(desk, key) for key in ("audio-1", "audio-2")] == [(0.5, True), (1.0, False)]
    desk.follow([person("bob", "audio-2"), person("carol", "audio-1")])
    assert [loudness_of(desk, key) for key in ("audio-1", "audio-2")] == [(1.0, False), (0.5, True)]
    desk.mixer.remove("audio-2")
    desk.follow([person("bob", None), person("carol", "audio-1")])
    desk.mixer.add("audio-3")
    desk.follow([person("bob", "audio-3"), person("carol", "audio-1")])
    assert [loudness_of(desk, key) for key in ("audio-1", "audio-3")] == [(1.0, False), (0.5, True)]
    desk.set_voice("bob", 1.0, False)
    assert loudness_of(desk, "audio-3") == (1.0, False)


def test_whoever_is_muted_stays_so_when_their_track_begins_after_the_roster_named_it(stage: Stage) -> None:
    desk = stage.desk()
    desk.set_voice("bob", 1.0, True)
    desk.follow([person("bob", "audio-1")])
    for _ in range(2):
        desk.mixer.add("audio-1")
        desk.level()
        assert loudness_of(desk, "audio-1") == (1.0, True)
        desk.mixer.remove("audio-1")


@pytest.mark.parametrize(
    ("wanted", "volume"), [(-1.0, 0.0), (0.3, 0.3), (2.0, 2.0), (7.0, 2.0), (float("inf"), 2.0), (float("nan"), 0.0)]
)
def test_a_volume_is_between_nothing_and_twice(stage: Stage, wanted: float, volume: float) -> None:
    desk = stage.desk()
    desk.mixer.add("audio-1")
    desk.follow([person("bob", "audio-1")])
    desk.set_voice("bob", wanted, False)
    desk.set_volume(wanted)
    assert loudness_of(desk, "audio-1") == (volume, False)
    assert desk.mixer.volume == volume
    assert stage.sound.volume == volume


async def test_an_output_that_cannot_be_opened_is_told_and_the_old_one_goes_on(stage: Stage) -> None:
    desk = stage.desk()
    await desk.open(None)
    assert stage.sound == SoundChanged("Headphones")
    await desk.use_speaker("Nowhere")
    assert stage.sound.output == "Headphones"
    assert stage.device.streams[-1].active
    assert len(stage.notes) == 1
    assert "Nowhere" in str(stage.notes[0])
    assert "antconf devices" in str(stage.notes[0])
    await desk.use_speaker("none")
    assert stage.sound == SoundChanged(None)
    assert len(stage.notes) == 1


async def test_an_output_that_is_lost_in_the_call_is_told_with_a_hint(stage: Stage) -> None:
    await stage.desk().open(None)
    stage.device.devices.clear()
    stage.device.streams[0].active = False
    await until(lambda: stage.sound.output is None, what="the loss")
    assert "No sound device" in stage.sound.hint


async def test_a_missing_output_is_an_error_only_when_it_is_named_or_required(stage: Stage) -> None:
    with pytest.raises(DeviceError, match="Nowhere"):
        await stage.desk(speaker="Nowhere").open(None)
    with pytest.raises(DeviceError) as refusal:
        await stage.desk(require_audio=True, speaker="none").open(None)
    assert "--require-audio" in refusal.value.hint
    await stage.desk(require_audio=True).open(None)
    stage.device.devices.clear()
    stage.device.look()
    with pytest.raises(DeviceError, match="no sound output") as refusal:
        await stage.desk(require_audio=True).open(None)
    assert "No sound device" in refusal.value.hint
    await stage.desk().open(None)
    assert stage.sound.output is None
    assert stage.sound.hint == refusal.value.hint


# -- what is said ------------------------------------------------------------------------------------


async def test_a_microphone_that_cannot_be_opened_is_told_and_the_old_one_goes_on(stage: Stage) -> None:
    desk, own = stage.desk(), await stage.microphone("Webcam")
    await desk.open(own)
    assert stage.sound.microphone == "Webcam"
    webcam = own.source
    assert not await desk.use_microphone("Nowhere")
    assert own.source is webcam
    assert stage.device.streams[0].active
    assert len(stage.notes) == 1
    assert "Nowhere" in str(stage.notes[0])
    assert "antconf devices" in str(stage.notes[0])
    assert await desk.use_microphone("Headset")
    assert stage.sound.microphone == "Headset"
    await until(lambda: stage.device.streams[0].closed, what="the webcam's end")
    assert len(stage.notes) == 1


async def test_who_publishes_no_sound_gets_no_microphone(stage: Stage) -> None:
    desk = stage.desk(play_only=True)
    await desk.open(None)
    opened = len(stage.device.streams)
    assert not await desk.use_microphone("Headset")
    assert len(stage.device.streams) == opened
    assert stage.sound.microphone == ""


async def test_what_is_wrong_with_the_microphone_is_told_once_each_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = stage.desk()
    await desk.open(await stage.microphone())
    for complaint in ("", "silent", "silent", "clipping", "", "clipping"):
        monkeypatch.setattr(MicrophoneAudio, "hint", complaint)
        desk.look_after()
    assert stage.notes == ["silent", "clipping", "clipping"]


async def test_a_microphone_that_opens_after_the_end_is_given_back(stage: Stage, cancellers: list[Canceller]) -> None:
    desk, own = stage.desk(), stage.own(Silence())
    await desk.open(own)
    switching = asyncio.ensure_future(desk.use_microphone("Webcam"))
    await asyncio.sleep(0)
    own.stop()
    await desk.aclose()
    assert not await switching
    await until(lambda: all(stream.closed for stream in stage.device.streams), what="the microphone's end")
    assert not cancellers


async def test_echo_is_taken_out_of_a_real_microphone_only(stage: Stage, cancellers: list[Canceller]) -> None:
    desk, own = stage.desk(), stage.own(Silence())
    await desk.open(own)
    assert not cancellers
    assert stage.sound.echo == ""
    await desk.use_microphone("test")
    assert not cancellers
    for name in ("Webcam", "Headset"):
        await desk.use_microphone(name)
        assert isinstance(own.source, MicrophoneAudio)
        assert own.source.processor == cancellers[0].capture
        assert stage.sound.echo == "echo cancellation: on"
    assert len(cancellers) == 1
    stage.device.streams[0].play(480)
    assert cancellers[0].played >= 480
    desk.look_after()
    assert cancellers[0].delay > 0
    await desk.aclose()
    assert cancellers[0].closed


@pytest.mark.parametrize(("installed", "wanted", "line"), [(True, False, "off"), (False, True, "not installed")])
async def test_without_echo_cancellation_the_microphone_is_left_as_it_is(
    stage: Stage, cancellers: list[Canceller], monkeypatch: pytest.MonkeyPatch, installed: bool, wanted: bool, line: str
) -> None:
    monkeypatch.setattr(echo, "available", lambda: installed)
    own = await stage.microphone()
    await stage.desk(echo_cancellation=wanted).open(own)
    assert not cancellers
    assert isinstance(own.source, MicrophoneAudio)
    assert own.source.processor is None
    assert line in stage.sound.echo


# -- the recording -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("_hums")
async def test_a_recording_holds_both_sides_for_its_owner_alone_also_what_a_deafened_user_misses(
    stage: Stage, tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    desk, own = stage.desk(record_audio=str(path)), stage.own(TestTone(OWN))
    await desk.open(own)
    assert stage.sound.recording == "call.wav"
    assert desk.is_recording
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    hum(desk, "audio-1")
    desk.set_deafened(True)
    assert stage.sound.deafened
    stage.device.streams[0].play(4800)
    assert not stage.device.streams[0].play(4800).any()
    for _ in range(5):
        await own.recv()
    await desk.aclose()
    sound = recorded(path)
    loud = sound[np.flatnonzero(np.abs(sound) > 0.01)[0] :]
    assert strength(loud, ROOM) > 0.1
    assert strength(loud, OWN) > 0.05
    assert not stage.notes


async def test_nothing_is_recorded_over_a_file_that_is_there(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(b"mine")
    desk = stage.desk(record_audio=str(path))
    with pytest.raises(FileError, match="exists already"):
        await desk.open(None)
    assert path.read_bytes() == b"mine"
    assert not desk.is_recording


@pytest.mark.usefixtures("_hums")
async def test_a_recording_that_ended_by_itself_is_told_and_gets_nothing_more(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, own = stage.desk(record_audio=str(tmp_path / "call.wav")), stage.own(Silence())
    await desk.open(own)
    recording = desk._recording
    assert recording is not None

    def full(sound: Samples) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recording._file, "write", full)
    await until(lambda: stage.ended, what="the end")
    assert not desk.is_recording
    assert stage.sound.recording == ""
    assert stage.notes == ["The recording has ended: No space left on device."]
    hum(desk, "audio-1")
    stage.device.streams[0].play(4800)
    await own.recv()
    assert (recording._timeline.own.end, recording._timeline.room.end) == (0, 0)
    assert stage.ended == 1


async def closed_with_a_recording(desk: SoundDesk) -> Recording:
    await desk.open(None)
    recording = desk._recording
    assert recording is not None
    await desk.aclose()
    return recording


def test_a_disk_that_answers_after_the_program_has_ended_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(install(monkeypatch))
    recording = asyncio.run(closed_with_a_recording(stage.desk(record_audio=str(tmp_path / "call.wav"))))
    assert recording._on_end is not None
    recording._on_end("Input/output error")
    assert not stage.ended


# -- figures -----------------------------------------------------------------------------------------


class Output:
    """A playback with known figures."""

    name = "Headphones"

    def figures(self, network_ms: float = 0.0) -> OutputFigures:
        return OutputFigures(underruns=3, latency_ms=40.0, mouth_to_ear_ms=100.0 + network_ms)

    async def aclose(self) -> None:
        pass


def test_a_desk_that_is_not_open_has_nothing_to_report(stage: Stage) -> None:
    assert stage.desk().report() == SoundReport()


@pytest.mark.usefixtures("_hums")
async def test_the_report_is_of_the_worst_voice_and_of_the_whole_way(stage: Stage) -> None:
    desk = stage.desk()
    desk._own = await stage.microphone("Headset")
    desk._playback = cast("Playback", Output())
    hum(desk, "audio-1").figures = Playout(played_ms=900.0, concealed_ms=100.0, late=2, depth_ms=60.0, target_ms=90.0)
    hum(desk, "audio-2").figures = Playout(played_ms=1000.0, late=1, depth_ms=80.0, target_ms=40.0)
    report = desk.report(round_trip=0.1)
    assert (report.output, report.microphone, report.voices) == ("Headphones", "Headset", 2)
    assert "echo cancellation" in report.echo
    assert (report.depth_ms, report.target_ms, report.late) == (80.0, 90.0, 3)
    assert report.concealed_percent == pytest.approx(5.0)
    assert (report.underruns, report.device_latency_ms) == (3, 40.0)
    assert report.mouth_to_ear_ms == pytest.approx(150.0)
