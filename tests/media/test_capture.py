"""Cameras: what is asked of the device, what becomes of its pictures, and what is said when it fails.

FFmpeg's test sources stand in for the device: all that comes after opening is the same.
"""

from __future__ import annotations

import errno
import sys
import threading
from typing import TYPE_CHECKING, Any

import av
import pytest

from tests.waiting import until
from tui.config import JoinOptions
from tui.errors import DeviceError
from tui.media import capture
from tui.media.capture import CameraVideo, Grab
from tui.media.sources import open_picture
from tui.media.video_encoding import VideoCoding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.container import InputContainer

RED = "color=c=red:size=1280x720:rate=30"


class Camera:
    """What is plugged in: FFmpeg's source ``graph``, or the ``refusal`` to open it; notes what was asked for."""

    def __init__(self) -> None:
        self.graph = f"{RED},realtime"
        self.refusal: Callable[[dict[str, str]], Exception | None] = lambda _: None
        self.asked: list[dict[str, str]] = []
        self.opened: list[InputContainer] = []

    def open(self, grab: Grab) -> InputContainer:
        wishes = dict(grab.options)
        self.asked.append(wishes)
        if (error := self.refusal(wishes)) is not None:
            raise error
        self.opened.append(av.open(self.graph, format="lavfi"))
        return self.opened[-1]

    @property
    def is_closed(self) -> bool:
        return not threads()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "capture"]


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Camera:
    camera = Camera()
    monkeypatch.setattr(Grab, "open", lambda grab: camera.open(grab))
    monkeypatch.setattr(capture, "_RETRY_SECONDS", 0.05)
    return camera


@pytest.fixture
def watched() -> Iterator[Callable[..., CameraVideo]]:
    tracks: list[CameraVideo] = []

    def watch(*arguments: Any) -> CameraVideo:
        tracks.append(CameraVideo("/dev/video7", *arguments))
        tracks[-1].open()
        return tracks[-1]

    yield watch
    for track in tracks:
        track.stop()


def pixel(track: CameraVideo) -> list[int]:
    frame = track.picture(0.0)
    return [int(value) for value in frame.to_ndarray(format="rgb24")[frame.height // 2, frame.width // 2]]


def is_red(track: CameraVideo) -> bool:
    red, green, blue = pixel(track)
    return red > 180 > 80 > max(green, blue)


def is_black(track: CameraVideo) -> bool:
    return max(pixel(track)) <= 2


async def test_the_picture_is_scaled_and_the_device_given_back(
    camera: Camera, watched: Callable[..., CameraVideo]
) -> None:
    track = watched(VideoCoding(640, 480))
    assert is_red(track), "whoever switches to it need not see black first"
    picture = track.picture(0.0)
    assert (picture.width, picture.height, picture.format.name) == (640, 360, "yuv420p")
    track.stop()
    await until(lambda: camera.is_closed, what="the device's end")


async def test_only_the_newest_picture_is_kept_and_no_more_than_are_wanted(
    camera: Camera, watched: Callable[..., CameraVideo], monkeypatch: pytest.MonkeyPatch
) -> None:
    camera.graph = "testsrc2=size=320x180:rate=60,realtime"
    kept: list[float] = []
    take = CameraVideo._take

    def noted(track: CameraVideo, frame: av.VideoFrame, now: float) -> None:
        kept.append(frame.time or 0.0)
        take(track, frame, now)

    monkeypatch.setattr(CameraVideo, "_take", noted)
    track = watched(VideoCoding(frames_per_second=10))
    await until(lambda: len(kept) > 10)
    assert 0.05 < (kept[-1] - kept[1]) / (len(kept) - 2) < 0.2
    first = track.picture(0.0)
    await until(lambda: track.picture(0.0) is not first)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("linux", ("v4l2", {"input_format": "mjpeg"})),
        ("darwin", ("avfoundation", None)),
        ("win32", ("dshow", {"vcodec": "mjpeg"})),
    ],
)
def test_the_device_is_asked_for_size_and_rate(
    platform: str, expected: tuple[str, dict[str, str] | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    grabs = CameraVideo("cam", VideoCoding(640, 360, 20)).grabs()
    form, compressed = expected
    assert {grab.format for grab in grabs} == {form}
    assert {grab.url for grab in grabs} == {"cam"}
    asked = {"video_size": "640x360", "framerate": "20"}
    assert grabs[0].options == asked
    assert grabs[-1].options == {}
    if compressed is not None:
        assert grabs[1].options == asked | compressed


def test_a_device_that_refuses_is_asked_for_less(camera: Camera, watched: Callable[..., CameraVideo]) -> None:
    camera.refusal = lambda wishes: ValueError("no such size") if "video_size" in wishes else None
    watched()
    assert camera.asked[-1] == {"framerate": "30"}


def test_a_device_that_is_slow_uncompressed_is_asked_for_compressed_pictures(
    camera: Camera, watched: Callable[..., CameraVideo]
) -> None:
    def slow(wishes: dict[str, str]) -> None:
        camera.graph = "testsrc2=size=320x180:rate=" + ("30" if "input_format" in wishes else "5")

    camera.refusal = slow
    watched()
    assert "input_format" in camera.asked[-1]


def test_a_device_that_is_always_slow_is_used_all_the_same(camera: Camera, watched: Callable[..., CameraVideo]) -> None:
    camera.graph = "testsrc2=size=320x180:rate=5"
    watched()
    assert camera.asked[-1] == camera.asked[0]


@pytest.mark.parametrize(
    ("number", "what", "hint"),
    [
        (errno.EBUSY, "is in use by another program", "Close that program"),
        (errno.EACCES, "permission denied", "sudo usermod -aG video"),
        (errno.ENOENT, "is not there", "antconf devices"),
        (errno.ENOTTY, "is no camera", "antconf devices"),
        (errno.EINVAL, "cannot be opened: .*strange", "antconf devices"),
    ],
)
async def test_why_it_does_not_open_is_said(camera: Camera, number: int, what: str, hint: str) -> None:
    camera.refusal = lambda _: av.FFmpegError(number, "strange")
    with pytest.raises(DeviceError, match=what) as caught:
        await open_picture("/dev/video7", JoinOptions())
    assert hint in caught.value.hint
    assert "/dev/video7" in str(caught.value)


async def test_a_busy_device_is_not_asked_again_and_again(camera: Camera) -> None:
    camera.refusal = lambda _: av.FFmpegError(errno.EBUSY, "busy")
    with pytest.raises(DeviceError):
        await open_picture("/dev/video7", JoinOptions())
    assert len(camera.asked) == 1


async def test_a_lost_camera_is_black_and_comes_back_and_both_are_said_once(
    camera: Camera, watched: Callable[..., CameraVideo]
) -> None:
    told: list[str] = []
    # It is pulled out after a second.
    camera.graph = f"{RED}:duration=1,realtime"
    track = watched(VideoCoding(), told.append)
    await until(lambda: is_red(track))
    camera.refusal = lambda _: av.FFmpegError(errno.ENODEV, "gone")
    await until(lambda: is_black(track) and len(camera.asked) > 4, what="some tries")
    assert len(told) == 1
    assert told[0].startswith("Camera /dev/video7 is lost, you are black until it is back")
    camera.graph = f"{RED},realtime"
    camera.refusal = lambda _: None
    await until(lambda: is_red(track))
    assert told[1:] == ["Camera /dev/video7 is back."]


async def test_a_camera_that_sends_nothing_any_more_is_black_and_said(
    camera: Camera, watched: Callable[..., CameraVideo], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    track = watched(VideoCoding(), told.append)
    await until(lambda: is_red(track))
    monkeypatch.setattr(capture, "STALLED_SECONDS", -1.0)
    assert is_black(track)
    assert is_black(track)
    monkeypatch.setattr(capture, "STALLED_SECONDS", 60.0)
    assert is_red(track)
    assert told == ["Camera /dev/video7 sends no pictures: you are black.", "Camera /dev/video7 is back."]


async def test_nobody_is_filmed_while_nobody_sees_it(camera: Camera, watched: Callable[..., CameraVideo]) -> None:
    told: list[str] = []
    track = watched(VideoCoding(), told.append)
    await until(lambda: is_red(track))
    track.rest(True)
    await until(lambda: is_black(track), what="the device's end")
    with pytest.raises(AssertionError, match="not open"):
        camera.opened[0].demux(video=0).__next__()
    track.rest(False)
    await until(lambda: is_red(track))
    assert len(camera.opened) == 2
    assert told == []


async def test_a_camera_that_somebody_else_took_while_it_rested_is_said(
    camera: Camera, watched: Callable[..., CameraVideo]
) -> None:
    told: list[str] = []
    track = watched(VideoCoding(), told.append)
    await until(lambda: is_red(track))
    track.rest(True)
    await until(lambda: is_black(track))
    camera.refusal = lambda _: av.FFmpegError(errno.EBUSY, "busy")
    track.rest(False)
    await until(lambda: is_black(track) and told)
    assert "is in use by another program" in told[0]


@pytest.mark.parametrize("resting", [True, False])
async def test_stopping_ends_the_search(camera: Camera, watched: Callable[..., CameraVideo], resting: bool) -> None:
    track = watched()
    camera.refusal = lambda _: av.FFmpegError(errno.ENODEV, "gone")
    track.rest(resting)
    track.stop()
    await until(lambda: camera.is_closed)


@pytest.mark.parametrize(
    "graph",
    [
        "testsrc2=size=3840x2160:rate=30",
        "testsrc2=size=2x2:rate=30,realtime",
        "testsrc2=size=322x177:rate=30,format=yuv444p10le,realtime",
        "testsrc2=size=320x180:rate=30,format=gray,realtime",
        "testsrc2=size=320x180:rate=1,realtime",
    ],
)
async def test_strange_pictures_are_shown(camera: Camera, watched: Callable[..., CameraVideo], graph: str) -> None:
    camera.graph = graph
    track = watched()
    await until(lambda: max(pixel(track)) > 20)
    picture = track.picture(0.0)
    assert picture.width <= 320
    assert picture.height <= 180
    assert (picture.width % 2, picture.height % 2, picture.format.name) == (0, 0, "yuv420p")
