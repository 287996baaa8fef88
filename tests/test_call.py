"""A call's pictures and volumes follow their people between slots and tracks; speaking while a key is held."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import av
import pytest

from tests.media.test_files import write_media
from tests.waiting import until
from tui import call as call_module
from tui.call import Call
from tui.config import JoinOptions
from tui.core.events import (
    Callback,
    Participant,
    RosterChanged,
    ShareState,
    SharingChanged,
    TrackAdded,
    TrackRemoved,
)
from tui.core.peer import RemoteTrack
from tui.core.renditions import Rendition
from tui.core.sdp import TrackLine
from tui.core.stats import Figures, Inbound, Meter, PeerStats
from tui.media import sharpness
from tui.media.board import LOCAL, Board
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.generated import Silence
from tui.media.pictures import Black, TestPattern
from tui.media.sources import CameraVideo, open_sources
from tui.session import PictureChanged, QualityChanged
from tui.statistics import Health

if TYPE_CHECKING:
    from pathlib import Path

    from tui.media.tracks import VideoTrack
    from tui.session import CallEvent


class Conference:
    """One whose microphone is what it was told last."""

    def __init__(self, microphone: bool | None = False) -> None:
        self.microphone = microphone
        self.told: list[bool] = []
        self.asked: list[str] = []
        self.qualities: list[tuple[str | None, int]] = []

    def owner_of(self, track: RemoteTrack) -> str | None:
        return {"videoTrack0": "bob"}.get(track.label)

    def renditions_of(self, stream_id: str) -> tuple[Rendition, ...]:
        return (Rendition(426, 240), Rendition(1280, 720)) if stream_id in self.asked else ()

    async def ask_renditions(self, stream_id: str) -> None:
        self.asked.append(stream_id)

    async def set_quality(self, height: int, stream_id: str | None = None) -> None:
        self.qualities.append((stream_id, height))

    async def set_microphone(self, on: bool) -> None:
        self.microphone = on
        self.told.append(on)

    async def aclose(self) -> None:
        pass


def call_in(conference: Conference | None) -> Call:
    call = Call(JoinOptions(), lambda _: None, Board(Look(Glyphs.HALF, Depth.TRUECOLOR)))
    call._conference = conference  # type: ignore[assignment]
    return call


def test_nobodys_last_picture_is_shown_as_somebody_elses() -> None:
    board = Board(Look(Glyphs.HALF, Depth.TRUECOLOR))
    call = Call(JoinOptions(), lambda _: None, board)
    keys = ("video-1", "video-2", LOCAL)
    board.want(dict.fromkeys(keys, Size(1, 1)))
    picture = av.VideoFrame(16, 16, "yuv420p")

    def shown(*people: Participant) -> list[str]:
        """What is still on the board after this roster."""
        for key in keys:
            board.show(key, picture)
        call._on_event(RosterChanged(people))
        return [key for key in keys if board.frame(key) is not None]

    alice = Participant("alice", "Alice", is_self=True, video=LOCAL)
    bob, carol = Participant("bob", "Bob", video="video-1"), Participant("carol", "Carol", presentation="video-2")
    assert shown(alice, bob, carol) == list(keys)
    assert shown(alice, bob, carol) == list(keys)
    assert shown(alice, Participant("carol", "Carol", video="video-1", presentation="video-2")) == ["video-2", LOCAL]
    assert shown(alice) == [LOCAL]


async def test_whoever_is_muted_stays_so_when_their_track_comes_back_under_the_same_roster() -> None:
    call = call_in(None)
    remote = RemoteTrack(TrackLine("1", "audio", "audioTrack0"), Silence())
    await call.set_voice("bob", 0.5, True)
    call._on_event(TrackAdded(remote))
    call._on_event(RosterChanged((Participant("bob", "Bob", audio=remote.key),)))
    call._on_event(TrackRemoved(remote))
    call._on_event(TrackAdded(remote))
    voice = call._desk.mixer.voice(remote.key)
    assert voice is not None
    assert (voice.gain, voice.muted) == (0.5, True)
    await call.aclose()


class Measured(Conference):
    """One whose room is received worse from sample to sample on one track, of which it does not say whose it is."""

    turn = 0

    def owner_of(self, track: RemoteTrack) -> None:
        return None

    async def stats(self, own: bool = False) -> PeerStats | None:
        if own:
            return None
        self.turn += 1
        clock = iter((0.0, 2.0))
        meter = Meter("room1", lambda: next(clock))
        track = Inbound("ARDAMSaaudioTrack0", "1", "audio", packets=self.turn * 50, packets_lost=self.turn * 50)
        stats = meter.sample(Figures(inbound=(track,)))
        times = [replace(one, current_time=self.turn * 2000) for one in stats.inbound_rtp_list]
        return replace(stats, inbound_rtp_list=tuple(times))


async def test_how_well_somebody_is_received_is_told_once_it_lasts_and_stays_with_them() -> None:
    told: list[CallEvent] = []
    call = Call(JoinOptions(), told.append, Board(Look(Glyphs.HALF, Depth.TRUECOLOR)))
    remote = RemoteTrack(TrackLine("1", "audio", "audioTrack0"), Silence())
    call._on_event(TrackAdded(remote))
    call._on_event(RosterChanged((Participant("bob", "Bob", audio=remote.key),)))
    conference: Any = Measured()
    for _ in range(4):
        await call._measure(conference)
    qualities = [event.people for event in told if isinstance(event, QualityChanged)]
    assert qualities == [{"bob": (Health.POOR, "parts of the sound are lost")}]
    assert call.statistics().samples[-1].tracks[0].key == remote.key
    await call.aclose()


async def test_a_small_tile_gets_the_low_picture_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharpness, "FALLS", 0.1)
    conference = Conference()
    call = call_in(conference)
    remote = RemoteTrack(TrackLine("1", "video", "videoTrack0"), Black())
    call._on_event(TrackAdded(remote))
    call._tasks.spawn(call._attend(), "attention")
    call._board.want({remote.key: Size(40, 12)})
    await until(lambda: conference.qualities == [("bob", 240)], what="the low picture")
    call._board.want({remote.key: Size(300, 80)})
    await until(lambda: conference.qualities == [("bob", 240), ("bob", 0)], what="what the server chooses")
    assert conference.asked == ["bob"]
    await call.aclose()


async def test_the_microphone_is_on_while_held_and_off_after_that_time() -> None:
    conference = Conference()
    call = call_in(conference)
    for _ in range(2):
        await call.speak_while_held(0.05)
        assert conference.microphone
        await until(lambda: not conference.microphone, what="the end")
    assert conference.told == [True, False] * 2
    await call.aclose()


async def test_holding_on_puts_the_end_off_and_tells_nothing() -> None:
    conference = Conference()
    call = call_in(conference)
    await call.speak_while_held(0.05)
    await call.speak_while_held(5.0)
    await asyncio.sleep(0.1)
    assert conference.told == [True]
    await call.speak_while_held(0.05)
    await until(lambda: not conference.microphone, what="the end")
    assert conference.told == [True, False]
    await call.aclose()


async def test_nobody_speaks_for_ever_by_holding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "_LONGEST_HELD", 0.05)
    conference = Conference()
    call = call_in(conference)
    await call.speak_while_held(3600.0)
    await until(lambda: conference.told == [True, False], what="the end")
    await call.aclose()


@pytest.mark.parametrize("conference", [Conference(True), Conference(None), None])
async def test_holding_does_nothing_when_the_microphone_is_on_or_there_is_none(conference: Conference | None) -> None:
    call = call_in(conference)
    await call.speak_while_held(0.01)
    await asyncio.sleep(0.05)
    assert conference is None or conference.told == []
    await call.aclose()


@pytest.mark.parametrize("on", [True, False])
async def test_what_is_chosen_while_held_stays(on: bool) -> None:
    conference = Conference()
    call = call_in(conference)
    await call.speak_while_held(0.05)
    await call.set_microphone(on)
    await asyncio.sleep(0.1)
    assert conference.told == [True, on]
    await call.aclose()


async def test_leaving_for_good_forgets_what_is_held() -> None:
    conference = Conference()
    call = call_in(conference)
    await call.speak_while_held(0.05)
    await call.aclose()
    await asyncio.sleep(0.1)
    assert conference.told == [True]


class Room(Conference):
    """Counts how often it was told of another picture."""

    changes = 0
    shared: VideoTrack | None = None
    takes_screens = True

    async def camera_changed(self) -> None:
        self.changes += 1

    async def share(self, picture: VideoTrack, source: str = "") -> bool:
        self.shared = picture if self.takes_screens else None
        return self.takes_screens

    async def stop_sharing(self) -> None:
        self.shared = None


async def showing(options: JoinOptions) -> tuple[Call, Room, list[CallEvent]]:
    """A call that publishes what the options say, and what it tells."""
    told: list[CallEvent] = []
    call = Call(options, told.append, Board(Look(Glyphs.HALF, Depth.TRUECOLOR)))
    call._sources = await open_sources(options)
    room = Room()
    call._conference = room  # type: ignore[assignment]
    return call, room, told


async def test_another_picture_is_shown_and_the_room_is_told(tmp_path: Path) -> None:
    call, room, told = await showing(JoinOptions(audio=False, camera="none"))
    own = call._sources.video
    assert own is not None
    assert own.stand_in
    film = write_media(tmp_path / "film.mp4", audio=False)
    for device, label in (("test", "test"), (str(film), "film.mp4"), ("none", "")):
        await call.use_camera(device)
        assert told[-1] == PictureChanged(label)
        assert own.stand_in == (device == "none")
        assert not call._board.mirrored
    assert room.changes == 3
    await call.aclose()
    await until(lambda: own.source.readyState == "ended")


async def test_a_picture_that_does_not_open_is_a_line_and_the_old_one_goes_on() -> None:
    call, room, told = await showing(JoinOptions(audio=False, camera="test"))
    own = call._sources.video
    assert own is not None
    before = own.source
    for device, what in (("/dev/nowhere", "camera /dev/nowhere is not there"), ("screen::971", "X display :971")):
        await call.use_camera(device)
        (note,) = told
        assert isinstance(note, Callback)
        assert what in str(note.obj)
        told.clear()
    assert own.source is before
    assert before.readyState == "live"
    assert room.changes == 0
    await call.aclose()


async def test_the_camera_in_use_is_not_opened_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(CameraVideo, "open", lambda camera: opened.append(camera.device))
    monkeypatch.setattr(call_module, "default_camera", lambda: "/dev/video3")
    call, room, _ = await showing(JoinOptions(audio=False, camera="/dev/video3"))
    await call.use_camera("/dev/video3")
    await call.use_camera("")
    assert opened == ["/dev/video3"]
    await call.use_camera("/dev/video4")
    assert opened == ["/dev/video3", "/dev/video4"]
    assert room.changes == 1
    await call.aclose()


async def test_a_camera_that_opens_when_the_call_is_over_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = threading.Event(), threading.Event()
    opened: list[CameraVideo] = []

    def slow(camera: CameraVideo) -> None:
        begun.set()
        go.wait(10)
        opened.append(camera)

    monkeypatch.setattr(CameraVideo, "open", slow)
    call, _, _ = await showing(JoinOptions(audio=False, camera="test"))
    switching = asyncio.ensure_future(call.use_camera("/dev/video3"))
    await until(begun.is_set)
    await call.aclose()
    go.set()
    await switching
    await until(lambda: opened and opened[0].readyState == "ended")


async def test_who_publishes_no_picture_is_told_so() -> None:
    call, room, told = await showing(JoinOptions(audio=False, video=False))
    await call.use_camera("test")
    (note,) = told
    assert isinstance(note, Callback)
    assert "no picture" in str(note.obj)
    assert room.changes == 0
    await call.aclose()


async def test_a_shared_picture_is_given_back_when_it_is_seen_no_more() -> None:
    call, room, told = await showing(JoinOptions(audio=False, camera="none"))
    pictures = []
    for is_stopped in (True, False):
        await call.share("test")
        assert room.shared is not None
        pictures.append(room.shared)
        if is_stopped:
            call._on_event(SharingChanged(ShareState.OFF))
    assert [picture.readyState for picture in pictures] == ["ended", "live"]
    await call.aclose()
    assert pictures[1].readyState == "ended"
    assert told == [SharingChanged(ShareState.OFF)]


async def test_a_picture_that_opens_when_the_call_is_over_is_not_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[VideoTrack] = []

    async def opening(*_: object) -> VideoTrack:
        opened.append(TestPattern())
        return opened[-1]

    monkeypatch.setattr(call_module, "open_shared", opening)
    call, room, _ = await showing(JoinOptions(audio=False, camera="none"))
    room.takes_screens = False
    await call.share("test")
    assert [picture.readyState for picture in opened] == ["ended"]
    await call.aclose()
