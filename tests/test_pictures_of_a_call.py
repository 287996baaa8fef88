"""A call's pictures through a real server: back quickly when they are seen again, and not sent while they are not."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.core.peers import BLUE, GREEN, RED, is_colour
from tests.server.raw_client import RawClient
from tests.waiting import until
from tui.call import Call
from tui.config import JoinOptions
from tui.core.conference import Conference
from tui.core.events import Callback, CallState, Direction, RosterChanged, TrackAdded
from tui.media import attention, seating
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.pictures import SolidColour
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.core.peers import Colour
    from tui.core.events import Participant
    from tui.core.peer import RemoteTrack
    from tui.session import CallEvent

SIZE = Size(40, 12)


class Spectator:
    """A call that only watches, and the board that its screen would read."""

    def __init__(self, url: str) -> None:
        self.board = Board(Look(Glyphs.HALF, Depth.TRUECOLOR))
        self.videos: list[RemoteTrack] = []
        self.people: tuple[Participant, ...] = ()
        self.sent: list[str] = []
        self.limits: list[int] = []
        """How many pictures were asked for, each time."""
        options = JoinOptions(url=url, room="room1", play_only=True, speaker="none")
        self.call = Call(options, self._note, self.board)

    def _note(self, event: CallEvent) -> None:
        if isinstance(event, TrackAdded) and event.track.kind == "video":
            self.videos.append(event.track)
        elif isinstance(event, RosterChanged):
            self.people = event.participants
        elif isinstance(event, Callback) and event.direction is Direction.OUT:
            self.sent.append(event.info)
            if event.info == "setMaxVideoTrackCountCommand" and isinstance(event.obj, dict):
                self.limits.append(event.obj["maxTrackCount"])

    def see(self, *videos: RemoteTrack) -> None:
        self.board.want({video.key: SIZE for video in videos})

    def shows(self, video: RemoteTrack, colour: Colour) -> bool:
        frame = self.board.frame(video.key)
        return frame is not None and is_colour(frame, colour)

    def has_a_picture(self, stream_id: str, colour: Colour) -> bool:
        """Whether their slot is known, and shows them."""
        keys = {one.stream_id: one.video for one in self.people}
        return any(video.key == keys.get(stream_id) and self.shows(video, colour) for video in self.videos)

    def is_coloured(self, video: RemoteTrack) -> bool:
        return self.shows(video, RED) or self.shows(video, GREEN)


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as server:
        yield server


@contextlib.asynccontextmanager
async def room(url: str, slots: int = 2, colours: Sequence[Colour] = (RED, GREEN)) -> AsyncIterator[Spectator]:
    """Two people with pictures, or more, and who watches them in so many slots."""
    pictures = [SolidColour(colour) for colour in colours]
    people = [
        Conference(url, "room1", f"p{number}", lambda _: None, video=picture) for number, picture in enumerate(pictures)
    ]
    spectator = Spectator(url)
    try:
        for person in people:
            await person.join()
            assert person.state is CallState.JOINED
        await spectator.call.join()
        await until(lambda: len(spectator.videos) == slots, what="the pictures")
        yield spectator
    finally:
        await asyncio.gather(spectator.call.aclose(), *(person.aclose() for person in people))
        for picture in pictures:
            picture.stop()


async def test_what_is_hidden_is_not_decoded_and_is_back_at_once_when_it_is_seen(server: RoomServer) -> None:
    async with room(server.url) as spectator:
        first, second = spectator.videos
        spectator.see(first, second)
        await until(lambda: spectator.is_coloured(first) and spectator.is_coloured(second))
        for _ in range(3):
            spectator.see(first)
            await until(lambda: not second.pictures.is_watched)
            hidden, seen = second.pictures.showing.decoded, first.pictures.showing.decoded
            came = second.pictures.received
            await until(lambda: first.pictures.showing.decoded > seen + 10 and second.pictures.received > came + 5)  # noqa: B023
            assert second.pictures.showing.decoded == hidden
            assert spectator.board.frame(second.key) is None
            spectator.see(first, second)
            await until(lambda: spectator.is_coloured(second), 2, what="the picture again")
        assert second.pictures.key_frames_requested >= 3
        assert first.pictures.showing.freezes == 0


async def test_what_nobody_looks_at_for_a_while_is_not_even_sent(
    server: RoomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "LINGERS", 0.5)
    async with room(server.url) as spectator:
        first, second = spectator.videos
        spectator.see(first, second)
        await until(lambda: spectator.is_coloured(first) and spectator.is_coloured(second))
        spectator.see(first)

        async def silent() -> bool:
            before, others = second.bytes_received, first.pictures.received
            await until(lambda: first.pictures.received > others + 5)
            return second.bytes_received == before

        async with asyncio.timeout(10):
            while not await silent():
                pass
        assert spectator.shows(first, RED) or spectator.shows(first, GREEN)
        spectator.see(first, second)
        await until(lambda: spectator.is_coloured(second), 3, what="the picture again")
        assert spectator.board.stopped(second.key) is None


async def test_whoever_is_large_has_a_picture_though_the_slots_are_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seating, "PATIENCE", 0.2)
    monkeypatch.setattr(seating, "LINGERS", 0.5)
    async with RoomServer(options=Options(limits=Limits(video=1))) as server, room(server.url, slots=1) as spectator:
        (video,) = spectator.videos
        spectator.see(video)

        def has_a_picture(stream_id: str) -> bool:
            colour = {"p0": RED, "p1": GREEN}[stream_id]
            seated = any(one.video for one in spectator.people if one.stream_id == stream_id)
            return seated and spectator.shows(video, colour)

        await until(lambda: len(spectator.people) == 3 and any(map(has_a_picture, ("p0", "p1"))), what="one picture")
        for _ in range(2):
            left_out = next(one.stream_id for one in spectator.people[1:] if one.video is None)
            spectator.board.feature(left_out, alone=True)
            await until(lambda: has_a_picture(left_out), what=f"the picture of {left_out}")  # noqa: B023
        await until(lambda: spectator.limits[-1:] == [1], what="fewer slots")
        spectator.board.feature(None)
        await until(lambda: spectator.limits[-1] > 1, what="all slots again")


async def test_turning_the_page_brings_the_pictures_of_the_people_on_it_and_back() -> None:
    colours = (RED, GREEN, BLUE, (200, 200, 30))
    async with (
        RoomServer(options=Options(limits=Limits(video=2))) as server,
        await RawClient.open(server.url) as heard,
    ):
        # The server counts only who sends a picture.
        await heard.publish("heard", hertz=440)
        async with room(server.url, colours=colours) as spectator:
            await until(lambda: len(spectator.people) == 6, what="everybody on the list")

            def have_pictures(*people: int) -> bool:
                # A slot that was empty comes back with another track.
                spectator.see(*spectator.videos)
                return all(spectator.has_a_picture(f"p{one}", colours[one]) for one in people)

            await until(lambda: have_pictures(0, 1), what="the first two pictures")
            assert "updateVideoTrackAssignmentsCommand" not in spectator.sent
            for _ in range(2):
                spectator.board.turn_to(["p2", "p3"])
                await until(lambda: have_pictures(2, 3), what="the second page")
                spectator.board.turn_to([])
                await until(lambda: have_pictures(0, 1), what="the first page")
            spectator.board.feature("p0")
            spectator.board.turn_to(["p3"])
            await until(lambda: have_pictures(0, 3), what="who is large, and the last page")
            spectator.board.feature(None)
            spectator.board.turn_to([])
            await until(lambda: have_pictures(0, 1), what="the first page")


async def test_a_server_with_one_quality_is_asked_what_it_has_and_for_nothing_else(server: RoomServer) -> None:
    async with room(server.url) as spectator:
        spectator.see(*spectator.videos)
        await until(lambda: all(map(spectator.is_coloured, spectator.videos)))
        await until(lambda: spectator.sent.count("getStreamInfo") == 2, what="both were asked about")
        assert "forceStreamQuality" not in spectator.sent
        assert "setMaxVideoTrackCountCommand" not in spectator.sent
