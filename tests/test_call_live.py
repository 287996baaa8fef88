"""A whole call through the local server: what another client sees of ours while its source changes."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.hearing import frequency
from tests.seeing import eye_on
from tests.server.raw_client import RawClient
from tests.waiting import until
from tui import call as call_module
from tui.call import Call
from tui.config import JoinOptions
from tui.core.conference import Conference
from tui.core.events import (
    Announced,
    CallState,
    CallStateChanged,
    LocalMediaChanged,
    Notice,
    Participant,
    RosterChanged,
    ShareState,
    SharingChanged,
    TrackAdded,
    TrackRemoved,
)
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look
from tui.media.pictures import SolidColour
from tui.media.sources import Sources, open_picture
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from tui.core.events import Event
    from tui.core.peer import RemoteTrack
    from tui.media.tracks import VideoTrack
    from tui.session import CallEvent

COLOURS = {"red": (200, 30, 30), "blue": (30, 30, 200)}


async def test_others_see_each_source_at_once_and_the_room_knows_when_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def opened(device: str, options: JoinOptions, tell: object = None) -> VideoTrack:
        if device == "none":
            return await open_picture(device, options)
        return SolidColour(COLOURS[device])

    monkeypatch.setattr(call_module, "open_picture", opened)
    told: list[CallEvent] = []
    async with RoomServer() as server, await RawClient.open(server.url) as viewer:
        options = JoinOptions(
            server.url, "room1", "Alice", "alice", camera="none", microphone="silence", speaker="none"
        )
        call = Call(options, told.append, Board(Look(Glyphs.HALF, Depth.TRUECOLOR)))
        try:
            await call.join()
            await until(lambda: CallStateChanged(CallState.JOINED) in told)
            await viewer.play("room1")
            await until(lambda: viewer.heard)

            def shows(colour: tuple[int, int, int]) -> bool:
                return any(heard.track.kind == "video" and heard.shows(colour) for heard in viewer.heard.values())

            for device in ("red", "blue", "red"):
                await call.use_camera(device)
                await until(lambda device=device: shows(COLOURS[device]), what=device)  # type: ignore[misc]
            await call.set_camera(False)
            await until(lambda: shows((0, 0, 0)))
            await call.set_camera(True)
            await until(lambda: shows(COLOURS["red"]))
            await call.use_camera("none")
            await until(lambda: shows((0, 0, 0)))
            events = [json.loads(text)["eventType"] for text in viewer.said if isinstance(text, str) and "CAM_" in text]
            assert events == ["CAM_TURNED_ON"] * 3 + ["CAM_TURNED_OFF", "CAM_TURNED_ON", "CAM_TURNED_OFF"]
        finally:
            await call.leave()
            await call.aclose()


class Watcher:
    """Bob, who looks at what others share."""

    def __init__(self, server: RoomServer) -> None:
        self.told: list[Event] = []
        self.conference = Conference(server.url, "room1", "bob", self.told.append, name="Bob")

    @property
    def alice(self) -> Participant | None:
        people = self.conference.participants
        return next((person for person in people if person.stream_id == "alice"), None)

    @property
    def presentation(self) -> str | None:
        return self.alice.presentation if self.alice is not None else None

    def pictures(self) -> int:
        """How many of the shared screen were decoded."""
        tracks = [event.track for event in self.told if isinstance(event, TrackAdded)]
        shared = next((track for track in tracks if track.key == self.presentation), None)
        return eye_on(shared).showing().decoded if shared is not None else 0

    def tracks(self, stream_id: str) -> list[RemoteTrack]:
        """What comes of that person now."""
        gone = [event.track for event in self.told if isinstance(event, TrackRemoved)]
        added = [event.track for event in self.told if isinstance(event, TrackAdded) and event.track not in gone]
        return [track for track in added if self.conference.owner_of(track) == stream_id]

    def times_shared(self) -> int:
        return self.told.count(Announced(Notice.SCREEN_SHARED, "alice", "Alice"))


@asynccontextmanager
async def two_of_us(server: RoomServer) -> AsyncIterator[tuple[Call, list[CallEvent], Watcher]]:
    """Alice, whose call is told in the list, and Bob."""
    told: list[CallEvent] = []
    options = JoinOptions(server.url, "room1", "Alice", "alice", camera="none", microphone="silence", speaker="none")
    call, bob = Call(options, told.append, Board(Look(Glyphs.HALF, Depth.TRUECOLOR))), Watcher(server)
    try:
        await call.join()
        await bob.conference.join()
        await until(lambda: bob.alice and bob.alice.name == "Alice")
        yield call, told, bob
    finally:
        await call.leave()
        await call.aclose()
        await bob.conference.aclose()


async def test_a_shared_screen_is_seen_beside_the_camera_until_it_is_stopped() -> None:
    async with RoomServer() as server, two_of_us(server) as (call, told, bob):
        await call.share("test")
        await until(lambda: bob.presentation and bob.pictures() > 3, what="the shared screen")
        assert bob.alice is not None
        assert bob.alice.sharing
        assert [person.stream_id for person in bob.conference.participants] == ["bob", "alice"]
        assert SharingChanged(ShareState.ON, "test") in told
        await until(lambda: bob.times_shared() == 1)

        # Ourselves we see in the list, and on no track.
        myself = [event.participants[0] for event in told if isinstance(event, RosterChanged)][-1]
        assert myself.sharing
        assert myself.presentation is None

        await call.stop_sharing()
        await until(lambda: bob.alice and not bob.alice.sharing and not bob.presentation, timeout=2.0)
        assert SharingChanged(ShareState.OFF, "test") in told

        await call.share("test")
        await until(lambda: bob.presentation and bob.pictures() > 3, what="the screen, shared again")
        await until(lambda: bob.times_shared() == 2)
        await call.leave()
        await until(lambda: bob.alice is None, timeout=2.0)
        assert [person.stream_id for person in bob.conference.participants] == ["bob"]


async def test_a_shared_screen_comes_back_with_the_connection() -> None:
    async with RoomServer() as server, two_of_us(server) as (call, told, bob):
        await call.share("test")
        await until(lambda: bob.presentation and bob.pictures() > 3)
        assert call._conference is not None
        assert call._conference._adaptor is not None
        socket = call._conference._adaptor._link._socket
        assert socket is not None
        socket._connection.transport.abort()
        await until(lambda: told.count(SharingChanged(ShareState.ON, "test")) == 2)
        shares = [event.state for event in told if isinstance(event, SharingChanged)]
        assert shares == [ShareState.STARTING, ShareState.ON, ShareState.STARTING, ShareState.ON]
        before = bob.pictures()
        await until(lambda: bob.pictures() > before + 3, what="pictures after the loss")
        states = [event.state for event in told if isinstance(event, CallStateChanged)]
        assert states == [CallState.CONNECTING, CallState.JOINED, CallState.RECONNECTING, CallState.JOINED]


async def test_what_cannot_be_shared_is_said_and_the_call_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", "")
    async with RoomServer() as server, two_of_us(server) as (call, told, _):
        await call.share("/nowhere/talk.mp4")
        ended = [event for event in told if isinstance(event, SharingChanged)]
        assert [(event.state, event.reason) for event in ended] == [
            (ShareState.OFF, "/nowhere/talk.mp4 does not exist")
        ]
        assert call._conference is not None
        assert call._conference.state is CallState.JOINED


async def test_a_listener_takes_part_is_seen_and_heard_and_only_listens_again() -> None:
    told: list[CallEvent] = []
    board = Board(Look(Glyphs.HALF, Depth.TRUECOLOR))
    options = JoinOptions("", "room1", "Vera", "vera", play_only=True, source="test", speaker="none")
    async with RoomServer() as server:
        options = replace(options, url=server.url)
        call, bob = Call(options, told.append, board), Watcher(server)
        try:
            await call.join()
            await bob.conference.join()
            await until(lambda: {"bob", "vera"} <= {one.stream_id for one in bob.conference.participants})

            def vera() -> Participant | None:
                return next((one for one in bob.conference.participants if one.stream_id == "vera"), None)

            assert not told.count(LocalMediaChanged(True, True))
            await call.publish(replace(options, play_only=False))
            track = await until(lambda: next((one for one in bob.tracks("vera") if one.kind == "video"), None))
            sound = await until(lambda: next((one for one in bob.tracks("vera") if one.kind == "audio"), None))
            assert track is not None
            assert sound is not None
            await eye_on(track).recv()
            # The tone comes and goes.
            assert any([await frequency(sound) > 0 for _ in range(4)])
            await until(lambda: (person := vera()) and not person.play_only and person.name == "Vera")
            assert LocalMediaChanged(True, True) in told
            assert call._conference is not None
            assert call._conference.participants[0].is_self

            await call.stop_publishing()
            await until(lambda: not bob.tracks("vera"), timeout=2.0)
            assert call._sources == Sources()
            assert call._conference.state is CallState.JOINED
            # And once more.
            await call.publish(replace(options, play_only=False))
            await until(lambda: len(bob.tracks("vera")) == 2)
            states = [event.state for event in told if isinstance(event, CallStateChanged)]
            assert states == [CallState.CONNECTING, CallState.JOINED]
        finally:
            await call.leave()
            await call.aclose()
            await bob.conference.aclose()
