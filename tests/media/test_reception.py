"""What comes from the room: voices, levels and pictures from tracks that tests feed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from tests.waiting import until
from tui.media.board import LOCAL, Board
from tui.media.cells import CellGrid, Depth, Glyphs, Look, Size
from tui.media.mixer import Mixer
from tui.media.reception import Reception
from tui.media.tracks import stereo_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOK = Look(Glyphs.HALF, Depth.TRUECOLOR)
SIZE = Size(32, 9)


class FedTrack(MediaStreamTrack):
    """Gives what a test puts in; ``None`` ends it, an exception is raised."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.frames: asyncio.Queue[av.AudioFrame | av.VideoFrame | Exception | None] = asyncio.Queue()

    async def recv(self) -> av.AudioFrame | av.VideoFrame:
        frame = await self.frames.get()
        if frame is None:
            raise MediaStreamError
        if isinstance(frame, Exception):
            raise frame
        return frame


class Room:
    """A reception with its board and mixer."""

    def __init__(self) -> None:
        self.board = Board(LOOK, frames_per_second=1000.0)
        self.mixer = Mixer()
        self.reception = Reception(self.board, self.mixer)

    def add(self, key: str, kind: str) -> FedTrack:
        track = FedTrack(kind)
        self.reception.add(key, kind, track)
        return track


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    await room.reception.aclose()
    await room.reception.aclose()


def colour(rgb: tuple[int, int, int], width: int = 320, height: int = 180) -> av.VideoFrame:
    pixels = np.full((height, width, 3), rgb, dtype=np.uint8)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")


def sound(amplitude: float = 0.5) -> av.AudioFrame:
    at = np.arange(960) / 48_000
    return stereo_frame((amplitude * np.sin(2 * np.pi * 500 * at)).astype(np.float32), 0)


def hue(picture: CellGrid | None) -> str:
    if picture is None:
        return "none"
    value = int(picture.foreground[4, 16])
    return max(zip((value >> 16 & 255, value >> 8 & 255, value & 255), ("red", "green", "blue"), strict=True))[1]


async def test_sound_reaches_the_mix_and_its_level_the_board(room: Room) -> None:
    track = room.add("a", "audio")
    for _ in range(10):
        track.frames.put_nowait(sound())
    voice = room.mixer.voice("a")
    assert voice is not None
    await until(lambda: voice.depth_ms == pytest.approx(200), what="sound")
    await until(lambda: room.board.level("a") > 0.5, what="the level")
    out = np.empty(4800, dtype=np.float32)
    room.mixer.mix(out)
    assert np.abs(out).max() == pytest.approx(0.5, rel=0.02)
    await until(lambda: room.board.level("a") == 0.0, what="the level's decay")


async def test_pictures_are_shown_only_while_somebody_looks(room: Room) -> None:
    track = room.add("v", "video")
    track.frames.put_nowait(colour((255, 0, 0)))
    await until(track.frames.empty, what="the reader")
    assert room.board.picture("v") is None
    room.board.want({"v": SIZE})
    track.frames.put_nowait(colour((0, 255, 0)))
    await until(lambda: hue(room.board.picture("v")) == "green", what="the picture")
    picture = room.board.picture("v")
    assert picture is not None
    assert picture.glyphs.shape == (9, 32)
    room.board.want({"v": Size(16, 5)})
    track.frames.put_nowait(colour((0, 0, 255)))
    await until(lambda: hue_of_small(room.board.picture("v")) == "blue", what="the smaller picture")


def hue_of_small(picture: CellGrid | None) -> str:
    if picture is None or picture.glyphs.shape != (5, 16):
        return "none"
    return "blue" if int(picture.foreground[2, 8]) & 255 > 200 else "other"


async def test_the_newest_picture_wins_and_is_never_left_out(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.board.frames_per_second = 10.0
    shown: list[CellGrid] = []
    show = room.board.show

    def watched(key: str, picture: CellGrid) -> None:
        shown.append(picture)
        show(key, picture)

    monkeypatch.setattr(room.board, "show", watched)
    room.board.want({"v": SIZE})
    track = room.add("v", "video")
    for _ in range(20):
        track.frames.put_nowait(colour((255, 0, 0)))
    track.frames.put_nowait(colour((0, 0, 255)))
    await until(lambda: hue(room.board.picture("v")) == "blue", what="the newest picture")
    assert [hue(picture) for picture in shown] == ["red", "blue"]


async def test_tracks_are_drained_even_unseen(room: Room) -> None:
    tracks = [room.add(str(number), "video") for number in range(5)]
    for track in tracks:
        for _ in range(50):
            track.frames.put_nowait(colour((9, 9, 9), 64, 36))
    await until(lambda: all(track.frames.empty() for track in tracks), what="the readers")


async def test_a_picture_too_large_is_refused_once_and_the_next_shown(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room.board.want({"v": SIZE})
    track = room.add("v", "video")
    for _ in range(3):
        track.frames.put_nowait(av.VideoFrame(4098, 2304, "yuv420p"))
        await until(track.frames.empty, what="the reader")
        await asyncio.sleep(0.002)
    assert room.board.picture("v") is None
    track.frames.put_nowait(colour((0, 255, 0)))
    await until(lambda: hue(room.board.picture("v")) == "green", what="the picture")
    assert [record.getMessage() for record in caplog.records] == ["video track v: picture of 4098x2304 refused"]


async def test_a_track_that_fails_harms_no_other_and_is_named(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    bad, good = room.add("bad\x1b", "audio"), room.add("good", "audio")
    bad.frames.put_nowait(RuntimeError("decoder"))
    await until(lambda: bool(caplog.records), what="the complaint")
    assert "bad\N{REPLACEMENT CHARACTER}" in caplog.text
    assert "\x1b" not in caplog.records[0].getMessage()
    good.frames.put_nowait(sound())
    voice = room.mixer.voice("good")
    assert voice is not None
    await until(lambda: voice.depth_ms > 0, what="the other voice")


async def test_a_track_may_end_by_itself(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    track = room.add("a", "audio")
    track.frames.put_nowait(None)
    await until(track.frames.empty, what="the end")
    room.reception.remove("a")
    room.reception.remove("a")
    assert room.mixer.voice("a") is None
    assert not caplog.records


async def test_removing_forgets_voice_level_and_picture(room: Room) -> None:
    room.board.want({"v": SIZE})
    room.add("a", "audio").frames.put_nowait(sound())
    video = room.add("v", "video")
    video.frames.put_nowait(colour((255, 0, 0)))
    await until(lambda: room.board.picture("v") is not None and room.board.level("a") > 0, what="both")
    video.frames.put_nowait(colour((0, 255, 0)))
    for key in ("a", "v"):
        room.reception.remove(key)
    await asyncio.sleep(0.02)
    assert room.board.picture("v") is None
    assert room.board.level("a") == 0.0
    assert room.mixer.voice("a") is None


async def test_a_key_may_come_back_with_another_track(room: Room) -> None:
    room.board.want({"v": SIZE})
    first = room.add("v", "video")
    second = room.add("v", "video")
    await asyncio.sleep(0)
    first.frames.put_nowait(colour((255, 0, 0)))
    second.frames.put_nowait(colour((0, 255, 0)))
    await until(lambda: hue(room.board.picture("v")) == "green", what="the picture")
    assert not first.frames.empty()


async def test_the_own_picture_is_mirrored(room: Room) -> None:
    room.board.want({LOCAL: SIZE})
    pixels = np.zeros((180, 320, 3), dtype=np.uint8)
    pixels[:, :160] = 255
    room.reception.preview(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
    picture = room.board.picture(LOCAL)
    assert picture is not None
    assert (picture.foreground[:, :15] == 0).all()
    assert (picture.foreground[:, 17:] == 0xFFFFFF).all()


async def test_closing_ends_every_task() -> None:
    room = Room()
    before = asyncio.all_tasks()
    for number in range(5):
        room.add(f"a{number}", "audio")
        room.add(f"v{number}", "video")
    assert len(asyncio.all_tasks()) > len(before)
    await room.reception.aclose()
    assert asyncio.all_tasks() == before
