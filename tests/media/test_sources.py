"""What the options open: test source, files, microphone and camera, and what is said when they are missing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.waiting import until
from tui.config import JoinOptions
from tui.errors import DeviceError
from tui.media import capture, portaudio
from tui.media.sources import (
    CameraVideo,
    MicrophoneAudio,
    Silence,
    Sources,
    TestPattern,
    TestTone,
    open_sources,
)

from .fake_sounddevice import FakeSoundDevice, install
from .test_files import write_media

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    monkeypatch.setattr(capture, "_RETRY_SECONDS", 0.02)
    monkeypatch.setattr(capture, "default_camera", lambda: "")
    return install(monkeypatch)


def stop(sources: Sources) -> None:
    for track in (sources.audio, sources.video):
        if track is not None:
            track.stop()


async def test_watching_only_publishes_nothing(fake: FakeSoundDevice) -> None:
    assert await open_sources(JoinOptions(play_only=True, source="test")) == Sources()
    assert await open_sources(JoinOptions(audio=False, video=False)) == Sources()
    assert await open_sources(JoinOptions(audio=False, video=False, source="gone.mp4")) == Sources()


async def test_the_test_source_is_a_pattern_and_a_soft_beep(fake: FakeSoundDevice) -> None:
    sources = await open_sources(JoinOptions(source="test"))
    assert isinstance(sources.audio, TestTone)
    assert isinstance(sources.video, TestPattern)
    assert sources.notes == ()
    assert max(np.abs(sources.audio.samples(start)).max() for start in range(0, 96_000, 960)) <= 0.1
    assert (await open_sources(JoinOptions(source="test", audio=False))).audio is None
    assert (await open_sources(JoinOptions(source="test", video=False))).video is None


async def test_a_file_takes_the_place_of_both(tmp_path: Path) -> None:
    film = await open_sources(JoinOptions(source=str(write_media(tmp_path / "film.mp4"))))
    assert film.audio is not None
    assert film.video is not None
    assert film.notes == ()
    stop(film)
    song = await open_sources(JoinOptions(source=str(write_media(tmp_path / "song.wav", video=False))))
    assert song.video is None
    assert len(song.notes) == 1
    assert "song.wav has no picture" in song.notes[0]
    stop(song)


async def test_a_file_that_cannot_be_played_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"gone\.mp4"):
        await open_sources(JoinOptions(source=str(tmp_path / "gone.mp4")))


async def test_without_devices_there_is_silence_no_picture_and_a_line_for_each(fake: FakeSoundDevice) -> None:
    sources = await open_sources(JoinOptions())
    assert isinstance(sources.audio, Silence)
    assert sources.audio.stand_in
    assert sources.video is None
    assert len(sources.notes) == 2
    assert "not heard" in sources.notes[0]
    assert "sound server" in sources.notes[0]
    assert "not seen" in sources.notes[1]
    assert "--source" in sources.notes[1]
    assert not any("\n" in note for note in sources.notes)


async def test_without_the_library_the_line_says_what_to_install(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    sources = await open_sources(JoinOptions(video=False))
    assert isinstance(sources.audio, Silence)
    assert "libportaudio2" in sources.notes[0]


async def test_a_named_device_that_is_not_there_is_an_error(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    with pytest.raises(DeviceError, match="Nowhere"):
        await open_sources(JoinOptions(microphone="Nowhere"))
    with pytest.raises(DeviceError, match="nowhere"):
        await open_sources(JoinOptions(camera="/dev/nowhere"))
    # The microphone, open by then, is given back.
    assert len(fake.streams) == 1
    await until(lambda: fake.streams[0].closed, what="the microphone's end")


async def test_the_microphone_sends_what_it_hears(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=2, outputs=0)
    fake.look()
    sources = await open_sources(JoinOptions(video=False))
    assert isinstance(sources.audio, MicrophoneAudio)
    assert sources.notes == ()
    at = np.arange(9600) / 48_000
    heard = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    for part in np.split(heard, 20):
        fake.streams[0].record(part)
    sent = np.concatenate([sources.audio.samples(start) for start in range(0, 9600, 960)])
    assert np.allclose(sent[240:], heard[240:], atol=1e-6)
    stop(sources)
    await until(lambda: fake.streams[0].closed, what="the microphone's end")


async def test_a_muted_microphone_is_listened_to_but_not_sent(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone = MicrophoneAudio()
    microphone.open()
    levels: list[float] = []
    microphone.on_level = levels.append
    microphone.enabled = False
    for _ in range(8):
        fake.streams[0].record(np.full(960, 0.5, dtype=np.float32))
    frames = [await microphone.recv() for _ in range(5)]
    assert not any(frame.to_ndarray().any() for frame in frames)
    assert min(levels[1:]) > 0.8
    microphone.stop()


async def test_a_microphone_at_44100_hz_keeps_its_pitch(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0, rate=44_100.0)
    fake.look()
    fake.refused_rates = {48_000}
    microphone = MicrophoneAudio("Webcam")
    microphone.open()
    assert fake.streams[0].samplerate == 44_100
    at = np.arange(44_100) / 44_100
    heard = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    sent = []
    for number, part in enumerate(np.split(heard, 50)):
        fake.streams[0].record(part)
        if number >= 5:
            sent.append(microphone.samples(0))
    sound = np.concatenate(sent)[4800:]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    assert np.fft.rfftfreq(len(sound), 1 / 48_000)[spectrum.argmax()] == pytest.approx(440, abs=2)
    microphone.stop()


async def test_a_lost_microphone_comes_back(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone = MicrophoneAudio()
    microphone.open()
    microphone.enabled = False
    fake.devices.clear()
    fake.streams[0].active = False
    assert not microphone.samples(0).any()
    await until(lambda: fake.streams[0].closed and fake.starts > 1, what="some tries")
    fake.plug("Webcam", inputs=1, outputs=0)
    await until(lambda: len(fake.streams) == 2 and fake.streams[1].active, what="the return")
    for _ in range(5):
        fake.streams[1].record(np.full(960, 0.5, dtype=np.float32))
    microphone.samples(0)
    assert microphone.samples(960).any()
    assert not microphone.enabled
    microphone.stop()
    await until(lambda: fake.streams[1].closed, what="the microphone's end")


async def test_stopping_while_lost_ends_the_search(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone = MicrophoneAudio()
    microphone.open()
    fake.devices.clear()
    fake.streams[0].active = False
    microphone.samples(0)
    microphone.stop()
    await until(lambda: not microphone._reopening, what="the search's end")
    assert not portaudio._open


async def test_a_camera_is_scaled_and_given_back(
    tmp_path: Path, fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A file read as it is stands in for the device: what comes after opening is the same.
    path = write_media(tmp_path / "camera.avi", seconds=1.0, audio=False, size=(1280, 720))
    monkeypatch.setattr(capture, "_CAMERA_FORMAT", {sys.platform: "avi"})
    monkeypatch.setattr(capture, "_WISHES", ({"bogus_option": "1"}, {}))
    camera = CameraVideo(str(path))
    camera.open()
    await until(lambda: camera.picture(0.0).width == 640, what="a picture")
    picture = camera.picture(0.0)
    assert (picture.width, picture.height, picture.format.name) == (640, 360, "yuv420p")
    assert picture.to_ndarray(format="rgb24")[100, 100].max() > 180
    camera.stop()
