"""What the options open: test source, files, microphone and camera, and what is said when they are missing."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.hearing import pitch
from tests.waiting import until
from tui.config import JoinOptions
from tui.errors import DeviceError
from tui.media import capture, portaudio
from tui.media.encoding import Coding
from tui.media.files import FileMedia, FileVideo
from tui.media.sources import (
    Black,
    MicrophoneAudio,
    Silence,
    Sources,
    TestPattern,
    TestTone,
    open_microphone,
    open_picture,
    open_sources,
)
from tui.media.video_encoding import VideoCoding

from .fake_sounddevice import FakeSoundDevice, install
from .test_files import threads, write_media

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
    assert sources.audio is not None
    assert isinstance(sources.audio.source, TestTone)
    assert sources.video is not None
    assert isinstance(sources.video.source, TestPattern)
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
    assert song.video is not None
    assert isinstance(song.video.source, Black)
    assert song.video.stand_in
    assert len(song.notes) == 1
    assert "song.wav has no picture" in song.notes[0]
    stop(song)


async def test_a_file_that_plays_once_says_when_it_has_ended(tmp_path: Path) -> None:
    path = write_media(tmp_path / "song.wav", seconds=0.4, video=False)
    told: list[str] = []
    song = await open_sources(JoinOptions(source=str(path), source_once=True), told.append)
    assert song.audio is not None
    await until(lambda: not threads(), what="all of it decoded")
    loud = [bool(song.audio.samples(start).any()) for start in range(0, 48_000, 960)]
    assert all(loud[1:19])
    assert not any(loud[25:])
    assert len(told) == 1
    assert "song.wav has ended" in told[0]
    stop(song)


async def test_what_is_sent_is_encoded_as_the_options_say(fake: FakeSoundDevice) -> None:
    sources = await open_sources(JoinOptions(source="test", audio_bitrate=64, dtx=True))
    assert sources.audio is not None
    assert sources.audio.coding == Coding(64, dtx=True)
    stop(sources)


@pytest.mark.parametrize(("name", "source"), [("test", TestTone), ("silence", Silence)])
async def test_a_microphone_may_be_a_tone_or_silence(fake: FakeSoundDevice, name: str, source: type) -> None:
    sources = await open_sources(JoinOptions(microphone=name, video=False))
    assert sources.audio is not None
    assert isinstance(sources.audio.source, source)
    assert not sources.audio.stand_in
    assert sources.notes == ()
    assert fake.streams == []


async def test_another_microphone_is_opened_in_the_call(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.plug("Headset", inputs=1, outputs=0)
    fake.look()
    options = JoinOptions(video=False)
    sources = await open_sources(options)
    assert sources.audio is not None
    with pytest.raises(DeviceError, match="Nowhere"):
        await open_microphone("Nowhere", options)
    sources.audio.switch(await open_microphone("Headset", options))
    await until(lambda: fake.streams[0].closed, what="the first one's end")
    assert fake.streams[-1].active
    stop(sources)
    await until(lambda: all(stream.closed for stream in fake.streams), what="the end of both")


async def test_a_file_that_cannot_be_played_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"gone\.mp4"):
        await open_sources(JoinOptions(source=str(tmp_path / "gone.mp4")))


async def test_without_devices_there_is_silence_no_picture_and_a_line_for_each(fake: FakeSoundDevice) -> None:
    sources = await open_sources(JoinOptions())
    assert sources.audio is not None
    assert isinstance(sources.audio.source, Silence)
    assert sources.audio.stand_in
    # Black is sent, so that a camera can be chosen later on.
    assert sources.video is not None
    assert isinstance(sources.video.source, Black)
    assert sources.video.stand_in
    assert len(sources.notes) == 2
    assert "not heard" in sources.notes[0]
    assert "antconf doctor" in sources.notes[0]
    assert "not seen" in sources.notes[1]
    assert "--source" in sources.notes[1]
    assert not any("\n" in note for note in sources.notes)


async def test_without_the_library_the_line_says_what_to_install(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    sources = await open_sources(JoinOptions(video=False))
    assert sources.audio is not None
    assert isinstance(sources.audio.source, Silence)
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
    assert sources.audio is not None
    assert isinstance(sources.audio.source, MicrophoneAudio)
    assert sources.notes == ()
    at = np.arange(9600) / 48_000
    heard = (0.5 * np.sin(2 * np.pi * 440 * at)).astype(np.float32)
    for part in np.split(heard, 20):
        fake.streams[0].record(part)
    sent = np.concatenate([sources.audio.samples(start) for start in range(0, 9600, 960)])
    assert pitch(sent[240:]) == pytest.approx(440, abs=6)
    assert np.corrcoef(sent[240:], heard[240:])[0, 1] > 0.99
    assert np.abs(sent).max() == pytest.approx(0.5, rel=0.05)
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

    def heard() -> bool:
        fake.streams[1].record(np.full(960, 0.5, dtype=np.float32))
        return bool(microphone.samples(0).any())

    await until(heard, what="its sound")
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


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        ("test", JoinOptions(), VideoCoding(320, 180, 15, 300)),
        ("test", JoinOptions(video_size=(640, 360), video_fps=10, video_bitrate=700), VideoCoding(640, 360, 10, 700)),
        ("none", JoinOptions(video_fps=5), VideoCoding(320, 180, 5, 300)),
    ],
)
async def test_a_picture_is_sent_as_the_options_say(source: str, options: JoinOptions, expected: VideoCoding) -> None:
    picture = await open_picture(source, options)
    assert picture.coding == expected
    assert (picture.picture(0.0).width, picture.picture(0.0).height) == (expected.width, expected.height)


async def test_another_picture_may_be_a_file(tmp_path: Path) -> None:
    path = write_media(tmp_path / "film.mp4", size=(640, 360))
    picture = await open_picture(str(path), JoinOptions(video_size=(160, 90)))
    assert isinstance(picture, FileVideo)
    assert picture.label == "film.mp4"
    await until(lambda: picture.picture(0.0).to_ndarray(format="rgb24")[40, 80, 0] > 180)
    assert (picture.picture(0.0).width, picture.picture(0.0).height) == (160, 90)
    picture.stop()
    await until(lambda: not threads(), what="the end of the file's thread")


async def test_another_picture_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    song = write_media(tmp_path / "song.wav", video=False)
    for device, what in (("/dev/nowhere", "camera /dev/nowhere is not there"), (str(song), "neither sound nor pict")):
        with pytest.raises(DeviceError, match=what):
            await open_picture(device, JoinOptions())


async def test_a_file_that_opens_when_nobody_waits_any_more_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_media(tmp_path / "film.mp4")
    opened, begin = threading.Event(), FileMedia.__init__

    def noted(file: FileMedia, *arguments: Any, **options: Any) -> None:
        begin(file, *arguments, **options)
        opened.set()

    monkeypatch.setattr(FileMedia, "__init__", noted)
    running = threads()
    opening = asyncio.ensure_future(open_sources(JoinOptions(source=str(path))))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(opened.is_set, what="the file")
    await until(lambda: threads() == running, what="the end of the file's thread")
