"""Media files as sources: what they contain is what is sent; what is no media is refused by name."""

from __future__ import annotations

import threading
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import av
import numpy as np
import pytest

from tests.waiting import block_until
from tui.errors import DeviceError, ExitCode
from tui.media.files import FileAudio, FileMedia, FileVideo
from tui.media.video_encoding import VideoCoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tui.media.sound import Samples

DEADLINE = 20.0


def write_media(
    path: Path, seconds: float = 2.0, audio: bool = True, video: bool = True, size: tuple[int, int] = (320, 240)
) -> Path:
    """A 440 Hz tone at 44.1 kHz stereo, and pictures that are red in the first half and blue in the second."""
    with av.open(str(path), "w") as container:
        codec: Literal["pcm_s16le", "aac"] = "pcm_s16le" if path.suffix == ".wav" else "aac"
        tone = container.add_stream(codec, rate=44_100, layout="stereo") if audio else None
        film = container.add_stream("mpeg4", rate=25) if video else None
        if film is not None:
            film.width, film.height, film.pix_fmt = *size, "yuv420p"
            film.bit_rate = 2_000_000
            for number in range(int(seconds * 25)):
                colour = (230, 20, 20) if number < seconds * 12.5 else (20, 20, 230)
                pixels = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                container.mux(film.encode(frame))
            container.mux(film.encode(None))
        if tone is not None:
            at = np.arange(int(seconds * 44_100)) / 44_100
            wave = np.repeat((0.4 * 32767 * np.sin(2 * np.pi * 440 * at)).astype(np.int16), 2)
            for start in range(0, len(wave), 2048):
                part = av.AudioFrame.from_ndarray(wave[None, start : start + 2048], format="s16", layout="stereo")
                part.sample_rate, part.pts = 44_100, start // 2
                container.mux(tone.encode(part))
            container.mux(tone.encode(None))
    return path


@pytest.fixture
def opened() -> Iterator[Callable[..., FileMedia]]:
    files: list[FileMedia] = []

    def open_file(path: Path, audio: bool = True, video: bool = True, **options: Any) -> FileMedia:
        files.append(FileMedia(str(path), audio, video, **options))
        return files[-1]

    yield open_file
    for file in files:
        for track in tracks_of(file):
            track.stop()
    block_until(lambda: not threads(), "the threads' end")


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "media file"]


def play(file: FileMedia, seconds: float) -> tuple[Samples, list[av.VideoFrame]]:
    """Take sound and pictures side by side, as fast as they are decoded."""
    sound: list[Samples] = []
    pictures: list[av.VideoFrame] = []
    for step in range(int(seconds * 50)):
        block_until(lambda: all(track.ahead >= 0.02 for track in tracks_of(file)), "the decoder")
        if file.audio is not None:
            sound.append(file.audio.samples(step * 960))
        if file.video is not None:
            pictures.append(file.video.picture(step / 50))
    return np.concatenate(sound) if sound else np.zeros(0, dtype=np.float32), pictures


def tracks_of(file: FileMedia) -> list[FileAudio | FileVideo]:
    return [track for track in (file.audio, file.video) if track is not None]


def colour(frame: av.VideoFrame) -> list[int]:
    return [int(channel) for channel in frame.to_ndarray(format="rgb24")[60, 80]]


def peak_frequency(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / 48_000)[spectrum.argmax()])


def test_sound_and_pictures_are_the_files_and_go_round(tmp_path: Path, opened: Callable[..., FileMedia]) -> None:
    file = opened(write_media(tmp_path / "film.mp4"))
    sound, pictures = play(file, 5.5)
    for start in (0.2, 1.0, 2.4, 4.4):
        part = sound[int(start * 48_000) :][:24_000]
        assert peak_frequency(part) == pytest.approx(440, abs=2)
        assert np.abs(part).max() == pytest.approx(0.4, rel=0.1)
    seen = [colour(pictures[int(at * 50)]) for at in (0.5, 1.5, 2.5, 3.5, 4.5)]
    assert ["red" if rgb[0] > 180 > 80 > rgb[2] else "blue" for rgb in seen] == ["red", "blue"] * 2 + ["red"]


def test_a_file_that_plays_once_is_followed_by_silence_and_black(
    tmp_path: Path, opened: Callable[..., FileMedia]
) -> None:
    ends: list[str] = []
    file = opened(write_media(tmp_path / "film.mp4"), once=True, on_end=lambda: ends.append("ended"))
    assert file.audio is not None
    assert file.video is not None
    sound, pictures = play(file, 1.5)
    assert peak_frequency(sound[-24_000:]) == pytest.approx(440, abs=2)
    assert colour(pictures[-1])[2] > 180
    assert ends == []
    block_until(lambda: not threads(), "the thread's end")
    rest = [file.audio.samples(start) for start in range(72_000, 144_000, 960)]
    assert rest[0].any()
    assert not np.concatenate(rest[-25:]).any()
    assert ends == [], "the picture goes on"
    assert max(colour(file.video.picture(3.0))) < 10
    file.video.picture(3.1)
    file.audio.samples(144_000)
    assert ends == ["ended"]
    assert (file.audio.readyState, file.video.readyState) == ("live", "live")


def test_a_song_has_no_picture_and_a_silent_film_no_sound(tmp_path: Path, opened: Callable[..., FileMedia]) -> None:
    song = opened(write_media(tmp_path / "song.wav", video=False))
    assert song.video is None
    assert peak_frequency(play(song, 3.0)[0]) == pytest.approx(440, abs=2)
    film = opened(write_media(tmp_path / "film.mp4", audio=False))
    assert film.audio is None
    assert colour(play(film, 0.5)[1][-1])[0] > 180


def test_only_what_is_wanted_is_opened(tmp_path: Path, opened: Callable[..., FileMedia]) -> None:
    path = write_media(tmp_path / "film.mp4")
    assert opened(path, video=False).video is None
    assert opened(path, audio=False).audio is None
    with pytest.raises(DeviceError, match=r"film\.mp4"):
        opened(write_media(tmp_path / "film.mp4", audio=False), video=False)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1280, 720), (640, 360)), ((320, 240), (320, 240)), ((640, 640), (360, 360)), ((322, 130), (322, 130))],
)
def test_pictures_are_scaled_down_to_what_is_asked_for(
    size: tuple[int, int], expected: tuple[int, int], tmp_path: Path, opened: Callable[..., FileMedia]
) -> None:
    path = write_media(tmp_path / "film.mp4", seconds=0.4, audio=False, size=size)
    file = opened(path, coding=VideoCoding(640, 360))
    frame = play(file, 0.1)[1][-1]
    assert (frame.width, frame.height, frame.format.name) == (*expected, "yuv420p")


def test_what_waits_is_bounded(tmp_path: Path, opened: Callable[..., FileMedia]) -> None:
    file = opened(write_media(tmp_path / "film.mp4", seconds=6.0))
    assert file.audio is not None
    assert file.video is not None
    sound, pictures = file.audio, file.video
    block_until(lambda: sound.ahead >= 0.5 and pictures.ahead >= 0.5, "the decoder")
    assert max(sound.ahead, pictures.ahead) < 4.2
    for step in range(100):
        sound.samples(step * 960)
    block_until(lambda: sound.ahead >= 0.5 or pictures.ahead >= 4.0, "the decoder")
    assert max(sound.ahead, pictures.ahead) < 4.2


def test_a_still_picture_stays(tmp_path: Path, opened: Callable[..., FileMedia]) -> None:
    path = tmp_path / "still.png"
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "rgb24"
        pixels = np.full((240, 320, 3), (20, 200, 20), dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    pictures = play(opened(path), 2.0)[1]
    assert colour(pictures[0])[1] > 180
    assert colour(pictures[-1])[1] > 180


def test_a_truncated_file_plays_what_there_is(tmp_path: Path, opened: Callable[..., FileMedia]) -> None:
    path = write_media(tmp_path / "film.mkv", seconds=4.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    sound, pictures = play(opened(path), 1.0)
    assert peak_frequency(sound) == pytest.approx(440, abs=2)
    assert colour(pictures[20])[0] > 180


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.mp4", b""),
        ("text.mp4", b"This is not a film.\n" * 50),
        ("text.txt", b"This is not a film.\n" * 50),
        ("noise.webm", bytes(np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8))),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/film.ts\n#EXT-X-ENDLIST\n"),
        ("local.m3u8", b"#EXTM3U\n#EXTINF:2,\nfilm.ts\n#EXT-X-ENDLIST\n"),
        ("list.ffconcat", b"ffconcat version 1.0\nfile film.mp4\n"),
        ("call.sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_media_is_refused_by_name(name: str, content: bytes, tmp_path: Path) -> None:
    write_media(tmp_path / "film.mp4", seconds=0.4)
    write_media(tmp_path / "film.ts", seconds=0.4)
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DeviceError, match=name) as caught:
        FileMedia(str(path))
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code is ExitCode.DEVICE
    assert caught.value.hint
    block_until(lambda: not threads(), "the threads' end")


def test_a_missing_file_a_folder_and_a_url_are_refused_by_name(tmp_path: Path) -> None:
    for path in (str(tmp_path / "gone.mp4"), str(tmp_path), "http://127.0.0.1:9/film.mp4", "rtsp://camera/1", "pipe:0"):
        with pytest.raises(DeviceError) as caught:
            FileMedia(path)
        assert path in str(caught.value)


def test_a_name_with_escapes_is_shown_harmless(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        FileMedia(str(tmp_path / "film\x1b[2J.mp4"))
    assert "\x1b" not in str(caught.value)


def test_too_large_a_picture_is_refused(tmp_path: Path) -> None:
    path = write_media(tmp_path / "huge.avi", seconds=0.08, audio=False, size=(4112, 2310))
    with pytest.raises(DeviceError, match="4096x2304"):
        FileMedia(str(path))


def test_the_thread_ends_with_the_last_track(tmp_path: Path, opened: Callable[..., FileMedia]) -> None:
    file = opened(write_media(tmp_path / "film.mp4"))
    assert file.audio is not None
    assert file.video is not None
    file.audio.stop()
    file.audio.stop()
    assert threads()
    file.video.stop()
    block_until(lambda: not threads(), "the thread's end")
