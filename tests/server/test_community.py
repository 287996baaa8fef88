"""The Community Edition's answers, column by column of the signalling reference, section 8."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tui.server.options import Edition, Options
from tui.server.signaling import RoomServer

from .raw_client import RED, Picture, RawClient, describe, new_connection, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer(options=Options(edition=Edition.COMMUNITY, grace=60.0)) as running:
        yield running


@pytest.fixture
async def client(server: RoomServer) -> AsyncIterator[RawClient]:
    async with await RawClient.open(server.url) as opened:
        yield opened


async def test_everything_but_a_ping_has_to_name_a_stream(client: RawClient) -> None:
    await client.send("ping")
    await client.expect("pong")
    commands = ("getIceServerConfig", "publish", "getRoomInfo", "nonsense", "sendPushNotification")
    for command in commands:
        await client.send(command)
    await until(lambda: len(client.found("error", "noStreamNameSpecified")) == len(commands))
    await client.send("getSubtracks", streamId="a b")
    await client.expect("error", "invalidStreamName")


async def test_nothing_can_be_played_and_queries_are_not_answered(client: RawClient) -> None:
    await client.publish("alice", colour=RED)
    for command in ("play", "getStreamInfo"):
        for stream_id in ("alice", "room1"):
            await client.send(command, streamId=stream_id)
            error = await client.expect("error", "no_stream_exist", streamId=stream_id)
            assert error["error_code"] == "404"
    await until(lambda: len(client.found("error", "no_stream_exist")) == 4)
    answered = len(client.messages)
    for command in ("getBroadcastObject", "getSubtracks", "getSubtracksCount", "getTrackList", "getSubscriberCount"):
        await client.send(command, streamId="room1")
    await client.send("enableTrack", streamId="room1", trackId="alice", enabled=True)
    await client.send("ping")
    await client.expect("pong")
    assert len(client.messages) == answered + 1


async def test_publishing_works_without_a_room_and_starts_with_the_answer(client: RawClient) -> None:
    await client.send("publish", streamId="alice", mainTrack="room1", token="x", role="host", metaData="{}")
    await client.expect("start", streamId="alice")
    await client.offer("alice", RED)
    started = await client.expect("notification", "publish_started", streamId="alice")
    assert "room" not in started
    answer = client.found("takeConfiguration", type="answer")[0]
    assert client.messages.index(started) == client.messages.index(answer) + 1
    assert "a=recvonly" in answer["sdp"]
    assert client.channel is not None
    await until(lambda: client.channel is not None and client.channel.readyState == "open")
    client.channel.send("nobody hears this")
    await client.send("stop", streamId="whatever")
    await client.expect("notification", "publish_finished", streamId="alice")
    assert len(client.found("notification", "publish_started")) == 1


async def test_a_stream_is_live_before_any_media_could_come(client: RawClient) -> None:
    """As soon as it is negotiated: nobody takes the answer here."""
    await client.send("publish", streamId="alice")
    await client.expect("start", streamId="alice")
    connection = new_connection()
    connection.addTrack(Picture(RED))
    await client.send("takeConfiguration", streamId="alice", type="offer", sdp=await describe(connection))
    await client.expect("notification", "publish_started", streamId="alice")
    await connection.close()


async def test_a_second_publish_replaces_the_first(client: RawClient) -> None:
    await client.send("publish", streamId="alice")
    await client.expect("start", streamId="alice")
    await client.send("publish", streamId="bob")
    await client.expect("notification", "publish_finished", streamId="alice")
    await client.expect("start", streamId="bob")
    await client.send("publish", streamId="bob")
    await client.expect("error", "streamIdInUse", streamId="bob")


async def test_a_live_id_is_in_use_until_its_socket_closes(server: RoomServer, client: RawClient) -> None:
    await client.publish("alice", colour=RED)
    async with await RawClient.open(server.url) as other:
        await other.send("publish", streamId="alice")
        await other.expect("error", "streamIdInUse", streamId="alice")
        await client.socket.close()

        # Nothing is kept for it.
        async def published() -> bool:
            await other.send("publish", streamId="alice")
            await asyncio.sleep(0.05)
            return bool(other.found("start"))

        async with asyncio.timeout(5):
            while not await published():
                pass


async def test_a_broken_connection_stops_the_stream(client: RawClient) -> None:
    await client.publish("alice", colour=RED)
    connection = client.publishing
    assert connection is not None
    await until(lambda: connection.connectionState == "connected")
    await connection.close()
    await client.expect("notification", "publish_finished", streamId="alice")
