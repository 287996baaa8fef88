"""A call's pictures through a real server: back quickly when they are seen again, and not sent while they are not."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.core.peers import GREEN, RED, is_colour
from tests.waiting import until
from tui.call import Call
from tui.config import JoinOptions
from tui.core.conference import Conference
from tui.core.events import CallState, TrackAdded
from tui.media import attention
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.pictures import SolidColour
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.core.peers import Colour
    from tui.core.peer import RemoteTrack
    from tui.session import CallEvent

SIZE = Size(40, 12)


class Spectator:
    """A call that only watches, and the board that its screen would read."""

    def __init__(self, url: str) -> None:
        self.board = Board(Look(Glyphs.HALF, Depth.TRUECOLOR))
        self.videos: list[RemoteTrack] = []
        options = JoinOptions(url=url, room="room1", play_only=True, speaker="none")
        self.call = Call(options, self._note, self.board)

    def _note(self, event: CallEvent) -> None:
        if isinstance(event, TrackAdded) and event.track.kind == "video":
            self.videos.append(event.track)

    def see(self, *videos: RemoteTrack) -> None:
        self.board.want({video.key: SIZE for video in videos})

    def shows(self, video: RemoteTrack, colour: Colour) -> bool:
        frame = self.board.frame(video.key)
        return frame is not None and is_colour(frame, colour)

    def is_coloured(self, video: RemoteTrack) -> bool:
        return self.shows(video, RED) or self.shows(video, GREEN)


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as server:
        yield server


@contextlib.asynccontextmanager
async def room(url: str) -> AsyncIterator[Spectator]:
    """Two people with pictures, and who watches them."""
    pictures = [SolidColour(RED), SolidColour(GREEN)]
    people = [
        Conference(url, "room1", f"p{number}", lambda _: None, video=picture) for number, picture in enumerate(pictures)
    ]
    spectator = Spectator(url)
    try:
        for person in people:
            await person.join()
            assert person.state is CallState.JOINED
        await spectator.call.join()
        await until(lambda: len(spectator.videos) == 2, what="both pictures")
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
