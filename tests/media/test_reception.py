"""What comes from the room: voices, levels and pictures from tracks that tests feed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamTrack
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket

from tests.core.camera import Camera, picture
from tests.core.peers import BLUE, GREEN, RED, is_colour
from tests.media.line import encoded, sent, tone
from tests.waiting import own_threads, until
from tui.core.events import Participant
from tui.core.peer import RemoteTrack
from tui.core.sdp import TrackLine
from tui.media import viewing
from tui.media.board import LOCAL, Board
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.mixer import Mixer
from tui.media.reception import Reception

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.core.peers import Colour

LOOK = Look(Glyphs.HALF, Depth.TRUECOLOR)
SIZE = Size(32, 9)


class SilentTrack(MediaStreamTrack):
    """What the core knows of a track whose packets tests feed."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    async def recv(self) -> None:  # type: ignore[override]
        raise NotImplementedError


def remote(key: str, kind: str) -> RemoteTrack:
    found = RemoteTrack(TrackLine("0", kind, key), SilentTrack(kind))
    found.key = key
    return found


class Room:
    """A reception with its board and mixer."""

    def __init__(self) -> None:
        self.board = Board(LOOK)
        self.mixer = Mixer()
        self.reception = Reception(self.board, self.mixer)

    def add(self, key: str) -> Actor:
        """A picture."""
        actor = Actor(remote(key, "video"))
        self.reception.add(actor.remote)
        return actor

    def hear(self, key: str) -> Speaker:
        """A sound."""
        speaker = Speaker(remote(key, "audio"))
        self.reception.add(speaker.remote)
        return speaker

    def shows(self, key: str, colour: Colour) -> bool:
        frame = self.board.frame(key)
        return frame is not None and is_colour(frame, colour)


class Actor:
    """Sends pictures on a remote track, packet by packet."""

    def __init__(self, remote: RemoteTrack) -> None:
        self.remote = remote
        self._camera = Camera()

    def send(self, colour: Colour, key: bool = False) -> None:
        for packet in self._camera.shoot(colour, key):
            self.remote.pictures.take(packet, self._camera.codec)


class Speaker:
    """Says a tone on a remote track, packet by packet."""

    def __init__(self, remote: RemoteTrack) -> None:
        self.remote = remote
        self._codec = RTCRtpCodecParameters("audio/opus", 48_000, 2, 111)
        self._packets = sent(encoded(tone(1, 500.0)))

    def say(self, count: int) -> None:
        for _ in range(count):
            said = self._packets.pop(0)
            packet = RtpPacket(111, 0, said.sequence, said.timestamp, said.ssrc, said.payload)
            self.remote.take(packet, self._codec)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    await room.reception.aclose()
    await room.reception.aclose()


def mixed(room: Room, seconds: float) -> float:
    """The loudest sample of so much sound, which the device asks for at once."""
    out = np.empty(round(seconds * 48_000), dtype=np.float32)
    room.mixer.mix(out)
    return float(np.abs(out).max())


async def test_sound_reaches_the_mix_and_its_level_the_board(room: Room) -> None:
    speaker = room.hear("a")
    speaker.say(20)
    await until(lambda: mixed(room, 0.02) > 0.4, what="sound")
    await until(lambda: room.board.level("a") > 0.5, what="the level")
    assert speaker.remote.playout.packets == 20
    await until(lambda: room.board.level("a") == 0.0, what="the level's decay")


async def test_pictures_are_shown_only_while_somebody_looks(room: Room) -> None:
    actor = room.add("v")
    actor.send(RED)
    assert not room.reception.watched
    room.board.want({"v": SIZE})
    await until(lambda: room.reception.watched, what="the view")
    assert room.reception.watched == {"v"}
    actor.send(RED)
    actor.send(GREEN, key=True)
    await until(lambda: room.shows("v", GREEN), what="the picture")
    room.board.want({})
    await until(lambda: not room.reception.watched, what="the end")
    before = actor.remote.pictures.showing.decoded
    actor.send(BLUE, key=True)
    assert actor.remote.pictures.showing.decoded == before == 1


async def test_a_picture_that_is_wanted_already_is_shown_from_its_beginning(room: Room) -> None:
    room.board.want({"v": SIZE})
    actor = room.add("v")
    actor.send(RED)
    await until(lambda: room.shows("v", RED), what="the picture")


async def test_a_picture_stands_still_unless_the_camera_is_off(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "FREEZE", 0.1)
    room.board.want({"v": SIZE, "w": SIZE, "screen": SIZE})
    people = [Participant("b", "B", video="v", camera=False, presentation="screen"), Participant("c", "C", video="w")]
    actors = [room.add("v"), room.add("screen")]
    room.reception.follow(people)
    actors.append(room.add("w"))
    for actor in actors:
        actor.send(RED)
    await until(lambda: room.board.stopped("w") is not None and room.board.stopped("screen") is not None)
    assert room.board.stopped("v") is None
    assert time.monotonic() - (room.board.stopped("w") or 0.0) > 0.1
    room.reception.follow([Participant("b", "B", video="v")])
    await until(lambda: room.board.stopped("v") is not None, what="the camera that is on")
    actors[0].send(GREEN)
    await until(lambda: room.board.stopped("v") is None or room.shows("v", GREEN), what="the next picture")


async def test_removing_forgets_voice_level_and_picture(room: Room) -> None:
    room.board.want({"v": SIZE})
    speaker = room.hear("a")
    speaker.say(20)
    video = room.add("v")
    video.send(RED)
    await until(lambda: mixed(room, 0.02) > 0.4, what="sound")
    await until(lambda: room.shows("v", RED) and room.board.level("a") > 0, what="both")
    for key in ("a", "v", "v"):
        room.reception.remove(key)
    video.send(GREEN, key=True)
    await asyncio.sleep(0.02)
    assert room.board.frame("v") is None
    assert room.board.level("a") == 0.0
    assert room.mixer.voice("a") is None
    speaker.say(20)
    assert speaker.remote.playout.packets == 0
    assert mixed(room, 0.3) < 0.01


async def test_a_key_may_come_back_with_another_track(room: Room) -> None:
    room.board.want({"v": SIZE})
    first = room.add("v")
    second = room.add("v")
    first.send(RED)
    second.send(GREEN)
    await until(lambda: room.shows("v", GREEN), what="the picture")
    assert not first.remote.pictures.is_watched


async def test_the_own_picture_is_shown_while_it_is_seen(room: Room) -> None:
    room.reception.preview(picture(RED))
    assert room.board.frame(LOCAL) is None
    room.board.want({LOCAL: SIZE})
    room.reception.preview(picture(RED))
    assert room.shows(LOCAL, RED)


async def test_closing_ends_every_task_and_thread() -> None:
    room = Room()
    tasks, threads = asyncio.all_tasks(), own_threads()
    room.board.want({f"v{number}": SIZE for number in range(5)})
    for number in range(5):
        room.hear(f"a{number}")
        room.add(f"v{number}").send(RED)
    assert len(asyncio.all_tasks()) > len(tasks)
    await until(lambda: all(room.shows(f"v{number}", RED) for number in range(5)), what="the pictures")
    assert len(own_threads()) > len(threads)
    await room.reception.aclose()
    assert asyncio.all_tasks() == tasks
    await until(lambda: own_threads() == threads, what="the decoders' end")
