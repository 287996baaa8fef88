"""Clients that mean harm: bounded, answered as AMS answers, and never to the harm of the others."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed

from tui.core.wire import DATA_LIMIT
from tui.server import client as client_module
from tui.server import signaling
from tui.server.players import WAITING_LIMIT
from tui.server.signaling import RoomServer

from .raw_client import RED, Heard, RawClient, describe, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as running:
        yield running


@pytest.fixture
async def bad(server: RoomServer) -> AsyncIterator[RawClient]:
    async with await RawClient.open(server.url) as opened:
        yield opened


@contextlib.asynccontextmanager
async def call(server: RoomServer) -> AsyncIterator[tuple[RawClient, RawClient]]:
    """Alice who publishes and a viewer who sees her; at the end of the block the viewer still does."""
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED, hertz=440)
        await viewer.play()
        await until(lambda: (track := viewer.track("ARDAMSvvideoTrack0")) is not None and track.shows(RED))
        yield alice, viewer
        for kind in ("ARDAMSvvideoTrack0", "ARDAMSaaudioTrack0"):
            await goes_on(viewer.track(kind))
        await alice.send("ping")
        await alice.expect("pong")


async def goes_on(track: Heard | None) -> None:
    assert track is not None
    before = track.frames
    await until(lambda: track.frames > before + 10, "media goes on")


async def alive(client: RawClient) -> None:
    before = len(client.found("pong"))
    await client.send("ping")
    await until(lambda: len(client.found("pong")) > before, "a pong")


WRONG_TYPES: list[dict[str, Any]] = [
    {"command": "publish", "streamId": 7},
    {"command": "publish", "streamId": {"a": 1}},
    {"command": "publish", "streamId": "a", "video": "true"},
    {"command": "publish", "streamId": "a", "metaData": {}},
    {"command": "play", "streamId": "room1", "trackList": "alice"},
    {"command": "play", "streamId": "room1", "trackList": [1]},
    {"command": "takeCandidate", "streamId": "a", "label": "0", "candidate": "x"},
    {"command": "takeCandidate", "streamId": "a", "label": 0.0, "candidate": "x"},
    {"command": "takeCandidate", "streamId": "a", "label": True, "candidate": "x"},
    {"command": "takeConfiguration", "streamId": "a", "type": "offer", "sdp": None},
    {"command": "takeConfiguration", "streamId": "a", "type": ["offer"], "sdp": ""},
    {"command": "getSubtracks", "streamId": "room1", "offset": "0"},
    {"command": "getSubtracks", "streamId": "room1", "size": 1.5},
    {"command": "enableTrack", "streamId": "room1", "trackId": "a", "enabled": "yes"},
    {"command": "setMaxVideoTrackCountCommand", "streamId": "room1", "maxTrackCount": None},
    {"command": ["publish"], "streamId": "a"},
]


async def test_a_wrong_type_is_met_with_silence(bad: RawClient) -> None:
    for message in WRONG_TYPES:
        await bad.socket.send(json.dumps(message))
    await alive(bad)
    assert [message["command"] for message in bad.messages] == ["pong"]


@pytest.mark.parametrize(
    "frame",
    [
        b'{"command":"ping"}',
        b"\xff\xfe",
        '\ufeff{"command":"ping"}',
        '{"command":"ping"}{"command":"ping"}',
        '{"command":"ping","x":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"command":"ping","x":' + "[" * 40 + "]" * 40 + "}",
        '{"command":"ping","x":' + "9" * 5_000 + "}",
        '{"command":"ping","x":NaN}',
        '{"command":"ping","x":Infinity}',
    ],
    ids=["binary", "not-utf8", "bom", "two-values", "brackets", "deep", "digits", "nan", "infinity"],
)
async def test_what_is_no_message_is_dropped(bad: RawClient, frame: str | bytes) -> None:
    await bad.socket.send(frame)
    await bad.send("getIceServerConfig")
    await bad.expect("iceServerConfig")
    assert not bad.found("pong")
    await alive(bad)


@pytest.mark.parametrize(
    "fields",
    [
        {"streamId": "a\u0000b"},
        {"streamId": "\ud800"},
        {"streamId": "a" * 257},
        {"streamId": "../etc"},
        {"streamId": "a", "mainTrack": "\x1b]0;x\x07"},
    ],
)
async def test_an_id_that_is_none_is_named(bad: RawClient, fields: dict[str, str]) -> None:
    await bad.send("publish", **fields)
    await bad.expect("error", "invalidStreamName")


async def test_what_has_no_order_is_ignored(bad: RawClient) -> None:
    await bad.send("takeConfiguration", streamId="alice", type="answer", sdp="v=0")
    await bad.send("takeConfiguration", streamId="alice", type="offer", sdp="v=0")
    await bad.send("takeConfiguration", streamId="alice", type="rollback", sdp="v=0")
    await bad.send("takeCandidate", streamId="alice", label=0, candidate="candidate:1 1 udp 1 127.0.0.1 9 typ host")
    await bad.send("stop", streamId="alice")
    await bad.send("publish", streamId="alice")
    await bad.send("takeConfiguration", streamId="alice", type="answer", sdp="v=0")
    await alive(bad)
    assert [message["command"] for message in bad.messages] == ["start", "pong"]


async def test_a_flood_is_read_slowly_and_the_others_do_not_notice(
    server: RoomServer, bad: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with call(server) as (alice, _viewer):
        monkeypatch.setattr(signaling, "MESSAGE_RATE", 20)
        async with await RawClient.open(server.url) as flooding:
            for _ in range(300):
                await flooding.send("getSubtracks", streamId="room1")
            # 20 a second over 5 seconds: so many at once, and no more for a while.
            await until(lambda: len(flooding.found("notification", "subtrackList")) == 100)
            for client in (alice, bad):
                await alive(client)
            assert len(flooding.found("notification", "subtrackList")) == 100
            flooding.socket.transport.abort()


async def test_offers_without_end_are_answered_slowly(
    server: RoomServer, bad: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with call(server) as (alice, viewer):
        monkeypatch.setattr(client_module, "OFFERS", 3)
        monkeypatch.setattr(client_module, "OFFER_PERIOD", 600.0)
        async with await RawClient.open(server.url) as eve:
            await eve.publish("eve")
            for _ in range(2):
                await eve.negotiate("eve")
            assert eve.publishing is not None
            sdp = await describe(eve.publishing)
            await eve.send("takeConfiguration", streamId="eve", type="offer", sdp=sdp)
            for client in (alice, bad):
                await alive(client)
            assert len(eve.found("takeConfiguration", type="answer")) == 3
            await eve.send("stop", streamId="eve")
        # Its socket is closed: nothing more has to wait for its turn.
        await until(lambda: len(server._connections) == 3)
        assert not viewer.found("notification", "play_finished")


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (("play", {"streamId": "room1"}), ("stop", {"streamId": "room1"})),
        (("publish", {"streamId": "eve", "mainTrack": "room1"}), ("stop", {"streamId": "eve"})),
        (("joinRoom", {"streamId": "eve", "room": "room1"}), ("leaveFromRoom", {"streamId": "eve", "room": "room1"})),
    ],
    ids=["play", "publish", "joinRoom"],
)
async def test_coming_and_going_without_end_is_slowed_down(
    server: RoomServer,
    monkeypatch: pytest.MonkeyPatch,
    begin: tuple[str, dict[str, str]],
    end: tuple[str, dict[str, str]],
) -> None:
    async with call(server) as (alice, viewer):
        monkeypatch.setattr(client_module, "BEGINNINGS", 3)
        monkeypatch.setattr(client_module, "BEGINNING_PERIOD", 600.0)
        async with await RawClient.open(server.url) as eve:
            eve.answers_offers = False
            for _ in range(10):
                for command, fields in (begin, end):
                    await eve.send(command, **fields)
            finished = ("play_finished", "publish_finished", "leavedFromRoom")
            await until(lambda: sum(one.get("definition") in finished for one in eve.messages) == 3)
            for client in (alice, viewer):
                await alive(client)
            assert sum(one.get("definition") in finished for one in eve.messages) == 3


async def test_who_waits_for_everything_leaves_room_for_others(
    server: RoomServer, bad: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "BEGINNINGS", 1000)
    async with await RawClient.open(server.url) as eve:
        for number in range(2 * WAITING_LIMIT):
            await eve.send("play", streamId=f"room{number}")
        await until(lambda: len(eve.found("error", "no_stream_exist")) == 2 * WAITING_LIMIT)
        await bad.send("play", streamId="other")
        await bad.expect("error", "no_stream_exist")
        async with await RawClient.open(server.url) as alice:
            await alice.publish("alice", room=f"room{2 * WAITING_LIMIT - 1}")
            await alice.send("stop", streamId="alice")
            await alice.expect("notification", "publish_finished")
            await alice.publish("bob", room="other")
            await bad.expect("notification", "streaming_started", streamId="other")
        assert not eve.found("notification", "streaming_started")


async def test_a_data_channel_flood_reaches_nobody_in_full(server: RoomServer, bad: RawClient) -> None:
    async with call(server) as (alice, viewer):
        await bad.publish("eve")
        channel = bad.channel
        assert channel is not None
        await until(lambda: channel.readyState == "open")
        for number in range(2000):
            channel.send(f"flood {number}")
        assert alice.channel is not None
        await until(lambda: "flood 0" in viewer.said)
        alice.channel.send("still here")
        await until(lambda: "still here" in viewer.said)
        assert len([text for text in viewer.said if str(text).startswith("flood")]) < 2000


async def test_what_is_too_long_for_a_data_channel_is_not_passed_on(server: RoomServer, bad: RawClient) -> None:
    async with call(server) as (_alice, viewer):
        await bad.publish("eve")
        channel = bad.channel
        assert channel is not None
        await until(lambda: channel.readyState == "open")
        for size in (DATA_LIMIT + 1, DATA_LIMIT):
            channel.send(b"\x00" * size)
        channel.send("done")
        await until(lambda: "done" in viewer.said)
        assert [len(data) for data in viewer.said if isinstance(data, bytes)] == [DATA_LIMIT]


async def test_somebody_elses_stream_cannot_be_touched(server: RoomServer, bad: RawClient) -> None:
    async with call(server) as (alice, viewer):
        await bad.send("stop", streamId="alice")
        await bad.send("stop", streamId="room1")
        await bad.send("updateStreamMetaData", streamId="alice", metaData="forged")
        await bad.send("takeConfiguration", streamId="alice", type="offer", sdp="v=0")
        await bad.send("takeCandidate", streamId="alice", label=0, candidate="x")
        await bad.send("leaveFromRoom", room="room1", streamId="alice")
        await bad.send("enableTrack", streamId="room1", trackId="alice", enabled=False)
        await bad.send("getBroadcastObject", streamId="alice")
        record = json.loads((await bad.expect("notification", "broadcastObject"))["broadcast"])
        assert record["metaData"] == ""
        assert not [one for one in alice.messages if one.get("definition") in ("publish_finished", "error")]
        assert not viewer.found("notification", "play_finished")


async def test_meta_data_is_bounded(server: RoomServer, bad: RawClient) -> None:
    await bad.send("publish", streamId="eve", mainTrack="room1", metaData="m" * 100, streamName="n" * 100_000)
    await bad.send("updateStreamMetaData", streamId="eve", metaData="m" * 100_000)
    await bad.send("getBroadcastObject", streamId="eve")
    record = json.loads((await bad.expect("notification", "broadcastObject"))["broadcast"])
    assert (record["metaData"], len(record["name"])) == ("", 256)


async def test_who_plays_cannot_make_the_list_of_viewers_too_long(server: RoomServer, bad: RawClient) -> None:
    huge = "x" * 900_000
    async with call(server) as (alice, viewer):
        bad.answers_offers = False
        await bad.send("play", streamId="room1", subscriberName=huge)
        await bad.send("play", streamId="alice", subscriberId=huge)
        await until(lambda: len(bad.offers) == 2)
        await viewer.send("stop", streamId="nothing")
        await alice.send("getSubscribers", streamId="room1", offset=0, size=50)
        listed = (await alice.expect("notification", "subscriberList"))["subscriberList"]
        assert max(len(entry) for entry in listed) < 1000


async def test_sixty_four_clients_that_come_and_go_leave_nothing(server: RoomServer) -> None:
    tasks = len(asyncio.all_tasks())

    async def visit(number: int) -> None:
        async with await RawClient.open(server.url) as visitor:
            visitor.answers_offers = False
            await visitor.send("publish", streamId=f"p{number}", mainTrack="room1")
            await visitor.send("play", streamId="room1")
            await visitor.send("join", streamId=f"call{number}")
            await visitor.send("joinRoom", streamId=f"l{number}", room="room1")
            await visitor.expect("notification", "joinedTheRoom")
            if number % 2:
                visitor.socket.transport.abort()

    async with asyncio.timeout(60):
        await asyncio.gather(*(visit(number) for number in range(signaling.CLIENT_LIMIT)))
    await until(lambda: not server._connections)
    await until(lambda: len(asyncio.all_tasks()) <= tasks, "no task is left")
    async with await RawClient.open(server.url) as client:
        await client.send("getSubtracks", streamId="room1", status="created")
        assert (await client.expect("notification", "subtrackList"))["subtrackList"] == []
        await client.send("play", streamId="room1")
        await client.expect("error", "no_stream_exist")


async def test_a_frozen_client_is_gone_within_ten_seconds(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its socket and its media both stop answering at once, as a process does that is stopped."""
    async with call(server) as (_alice, viewer), await RawClient.open(server.url) as frozen:
        await frozen.publish("frozen", colour=RED)
        await viewer.expect("notification", "subtrackAdded", trackId="frozen")
        freeze(frozen, monkeypatch)
        await until(lambda: viewer.found("notification", "subtrackRemoved", trackId="frozen"), deadline=10)
        frozen.socket.transport.abort()


def freeze(client: RawClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from its socket, and no packet leaves its publish connection."""
    client.socket.transport.pause_reading()
    connection = client.publishing
    assert connection is not None
    assert connection.sctp is not None
    for protocol in connection.sctp.transport.transport._connection._protocols:
        monkeypatch.setattr(protocol, "send_stun", lambda *_: None)
        monkeypatch.setattr(protocol.transport, "sendto", lambda *_: None)


async def test_a_closed_socket_ends_a_flood(server: RoomServer, bad: RawClient) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in range(100):
            await bad.socket.send("{")
    await asyncio.wait_for(bad.closed.wait(), 5)
    assert bad.socket.close_code == 1008
