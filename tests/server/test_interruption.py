"""A publisher whose connection breaks: its place is kept for the grace time, and not longer (reference, 4.6)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from tui.server.options import Options
from tui.server.signaling import RoomServer

from .raw_client import BLUE, GREEN, RED, RawClient, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONG = Options(grace=60.0)
SHORT = Options(grace=0.5)


@contextlib.asynccontextmanager
async def room(options: Options) -> AsyncIterator[tuple[RoomServer, RawClient, RawClient]]:
    """A server, alice who publishes red, and a viewer who sees it."""
    async with (
        RoomServer(options=options) as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
    ):
        await alice.publish("alice", colour=RED, hertz=440, streamName="Alice")
        await viewer.play()
        await sees(viewer, RED)
        yield server, alice, viewer


async def sees(viewer: RawClient, colour: tuple[int, int, int]) -> None:
    def showing() -> bool:
        track = viewer.track("ARDAMSvvideoTrack0")
        return track is not None and track.shows(colour)

    await until(showing, f"{colour}")


async def lose_socket(client: RawClient) -> None:
    client.socket.transport.abort()
    await client.closed.wait()


async def gone(server: RoomServer) -> None:
    """The server has seen that the client's socket is closed."""
    await until(lambda: len(server._connections) == 1, "one connection")


async def come_back(server: RoomServer, colour: tuple[int, int, int], **fields: str) -> RawClient:
    client = await RawClient.open(server.url)
    await client.send("publish", streamId="alice", mainTrack="room1", **fields)
    await client.expect("start")
    await client.offer("alice", colour, 440)
    return client


async def test_who_comes_back_in_time_is_restored_and_viewers_keep_their_slot() -> None:
    async with room(LONG) as (server, alice, viewer):
        offers, track = len(viewer.offers), viewer.track("ARDAMSvvideoTrack0")
        await lose_socket(alice)
        await gone(server)
        async with await come_back(server, BLUE, streamName="Alice again") as back:
            restored = await back.expect("notification", "session_restored", streamId="alice")
            assert restored["room"] == "room1"
            await sees(viewer, BLUE)
            assert viewer.track("ARDAMSvvideoTrack0") is track
            assert len(viewer.offers) == offers
            assert not viewer.found("notification", "subtrackRemoved")
            assert not back.found("notification", "publish_started")
            await back.send("getBroadcastObject", streamId="alice")
            record = json.loads((await back.expect("notification", "broadcastObject"))["broadcast"])
            assert (record["name"], record["status"]) == ("Alice again", "broadcasting")
            # And it is an ordinary publisher again.
            await back.send("stop", streamId="alice")
            await viewer.expect("notification", "subtrackRemoved", trackId="alice")
            await viewer.expect("notification", "play_finished")


async def test_the_same_socket_may_come_back_when_only_its_media_broke() -> None:
    async with room(LONG) as (_server, alice, viewer):
        assert alice.publishing is not None
        await alice.publishing.close()

        async def published() -> bool:
            await alice.send("publish", streamId="alice", mainTrack="room1")
            await asyncio.sleep(0.05)
            return bool(len(alice.found("start")) == 2)

        while not await published():
            assert {error["definition"] for error in alice.found("error")} == {"already_publishing"}
        await alice.offer("alice", GREEN)
        await alice.expect("notification", "session_restored", streamId="alice")
        await sees(viewer, GREEN)
        assert not viewer.found("notification", "subtrackRemoved")


async def test_who_does_not_come_back_is_gone_after_the_grace_time() -> None:
    async with room(SHORT) as (_server, alice, viewer):
        await lose_socket(alice)
        await viewer.expect("notification", "subtrackRemoved", trackId="alice")
        await viewer.expect("notification", "play_finished", streamId="room1")
        await viewer.send("getSubtracks", streamId="room1", offset=0, size=15)
        assert (await viewer.expect("notification", "subtrackList"))["subtrackList"] == []


async def test_a_broken_publisher_hears_that_it_is_given_up() -> None:
    async with room(SHORT) as (_server, alice, viewer):
        assert alice.publishing is not None
        await alice.publishing.close()
        await alice.expect("notification", "publish_finished", streamId="alice")
        await viewer.expect("notification", "subtrackRemoved", trackId="alice")


async def test_stop_ends_at_once_also_after_the_connection_broke() -> None:
    async with room(LONG) as (_server, alice, viewer):
        assert alice.publishing is not None
        await alice.publishing.close()
        await alice.send("stop", streamId="alice")
        await viewer.expect("notification", "subtrackRemoved", trackId="alice")
        await alice.expect("notification", "publish_finished", streamId="alice")


async def test_a_strangers_stop_ends_nothing() -> None:
    async with room(LONG) as (server, alice, viewer):
        await lose_socket(alice)
        await gone(server)
        await viewer.send("stop", streamId="alice")
        async with await come_back(server, BLUE) as back:
            await back.expect("notification", "session_restored")


async def test_a_try_to_come_back_that_fails_ends_it() -> None:
    async with room(Options(grace=60.0, start_timeout=1.0)) as (server, alice, viewer):
        await lose_socket(alice)
        await gone(server)
        async with await RawClient.open(server.url) as back:
            await back.send("publish", streamId="alice", mainTrack="room1")
            await back.expect("start")
            await back.expect("error", "publishTimeoutError", streamId="alice")
            await viewer.expect("notification", "subtrackRemoved", trackId="alice")
            await back.send("publish", streamId="alice", mainTrack="room1")
            await until(lambda: len(back.found("start")) == 2)


async def test_a_try_that_is_interrupted_leaves_the_place_for_the_next_one() -> None:
    async with room(LONG) as (server, alice, viewer):
        await lose_socket(alice)
        await gone(server)
        async with await RawClient.open(server.url) as first:
            await first.send("publish", streamId="alice", mainTrack="room1")
            await first.expect("start")
            async with await RawClient.open(server.url) as second:
                await second.send("publish", streamId="alice", mainTrack="room1")
                await second.expect("error", "streamIdInUse")
        await gone(server)
        async with await come_back(server, BLUE) as back:
            await back.expect("notification", "session_restored")
            await sees(viewer, BLUE)
            assert not viewer.found("notification", "subtrackRemoved")


async def test_who_comes_back_into_another_room_leaves_the_old_one() -> None:
    async with room(LONG) as (server, alice, viewer):
        await lose_socket(alice)
        await gone(server)
        async with await RawClient.open(server.url) as back:
            await back.publish("alice", room="room2", colour=BLUE)
            await viewer.expect("notification", "subtrackRemoved", mainTrack="room1", trackId="alice")


async def test_nobody_ends_a_try_to_come_back() -> None:
    async with room(LONG) as (server, alice, viewer):
        assert alice.publishing is not None
        await alice.publishing.close()
        async with await RawClient.open(server.url) as back, await RawClient.open(server.url) as other:

            async def accepted() -> bool:
                await back.send("publish", streamId="alice", mainTrack="room1")
                await asyncio.sleep(0.05)
                return bool(back.found("start"))

            while not await accepted():
                pass
            await alice.send("stop", streamId="alice")
            await other.send("publish", streamId="alice", mainTrack="room2")
            await other.expect("error", "streamIdInUse", streamId="alice")
            await back.offer("alice", BLUE)
            await back.expect("notification", "session_restored", streamId="alice")
            await sees(viewer, BLUE)
            assert not viewer.found("notification", "subtrackRemoved")


async def test_without_a_grace_time_it_is_gone_at_once() -> None:
    async with room(Options(grace=0.0)) as (_server, alice, viewer):
        await lose_socket(alice)
        await viewer.expect("notification", "subtrackRemoved", trackId="alice")


async def test_a_full_room_keeps_the_place_of_who_comes_back() -> None:
    async with room(Options(grace=60.0, subtracks_limit=1)) as (server, alice, _viewer):
        await lose_socket(alice)
        await gone(server)
        async with await RawClient.open(server.url) as other:
            await other.send("publish", streamId="bob", mainTrack="room1")
            await other.expect("error", streamId="bob")
        async with await come_back(server, BLUE) as back:
            await back.expect("notification", "session_restored")


async def test_the_server_stops_while_somebody_is_away() -> None:
    async with room(LONG) as (server, alice, _viewer):
        await lose_socket(alice)
        await gone(server)
        async with asyncio.timeout(2):
            await server.aclose()
