"""The server's words over a real socket: commands, refusals, limits and the end. No media."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.waiting import DEADLINE
from tui.errors import UnreachableError, UsageError
from tui.server import signaling
from tui.server.access import Secrets
from tui.server.options import Options
from tui.server.signaling import RoomServer

from .raw_client import RawClient, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer(options=Options(start_timeout=3.0)) as running:
        yield running


@pytest.fixture
async def client(server: RoomServer) -> AsyncIterator[RawClient]:
    async with await RawClient.open(server.url) as opened:
        yield opened


async def status_of(url: str, **options: Any) -> int:
    try:
        async with connect(url, **options):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


# -- who may connect --


async def test_only_the_applications_path_is_served(server: RoomServer) -> None:
    assert await status_of(server.url) == 101
    assert await status_of(server.url + "?target=origin") == 101
    for path in ("/", "/live", "/other/websocket", "/live/websocket/", "/live/websocket/signaling"):
        assert await status_of(f"ws://127.0.0.1:{server.port}{path}") == 404


async def test_a_page_of_another_origin_is_refused() -> None:
    async with RoomServer(allowed_origins=["https://conference.example"]) as server:
        assert await status_of(server.url, origin="http://evil.example") == 403
        assert await status_of(server.url, origin="null") == 403
        rebound = {"Host": f"evil.example:{server.port}"}
        origin = f"http://evil.example:{server.port}"
        assert await status_of(server.url, origin=origin, additional_headers=rebound) == 403
        assert await status_of(server.url, origin="http://localhost:8080") == 101
        assert await status_of(server.url, origin="https://conference.example") == 101


async def test_the_sixty_fifth_client_is_refused(server: RoomServer) -> None:
    opened = [await connect(server.url) for _ in range(signaling.CLIENT_LIMIT)]
    try:
        assert await status_of(server.url) == 503
        await opened.pop().close()
        await until(lambda: len(server._connections) < signaling.CLIENT_LIMIT)
        assert await status_of(server.url) == 101
    finally:
        await asyncio.gather(*(one.close() for one in opened))


async def test_a_client_that_never_speaks_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "FIRST_WORD_TIMEOUT", 0.2)
    async with RoomServer() as server, connect(server.url) as silent, await RawClient.open(server.url) as other:
        await other.send("ping")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(silent.recv(), 5)
        await other.send("ping")
        await until(lambda: len(other.found("pong")) == 2)


async def test_an_address_that_cannot_be_had_is_named(server: RoomServer) -> None:
    with pytest.raises(UnreachableError, match=f"port {server.port} on 127.0.0.1 is in use"):
        await RoomServer(port=server.port).start()
    with pytest.raises(UsageError, match=r"192\.0\.2\.1 is not an address"):
        await RoomServer(host="192.0.2.1", options=Options(open=True)).start()
    with pytest.raises(UsageError, match="70000 is not a port"):
        await RoomServer(port=70_000).start()
    for host in ("a..b", "x" * 300, "\udcff"):
        with pytest.raises(UsageError, match="is not an address of this machine"):
            await RoomServer(host=host, options=Options(open=True)).start()
    with pytest.raises(UsageError, match="is empty"):
        await RoomServer(host="", options=Options(open=True)).start()


@pytest.mark.parametrize("app", ["", "a/../b", "a b", "\x1b[31m", "x?y"])
async def test_an_application_needs_a_name_that_can_be_in_a_url(app: str) -> None:
    with pytest.raises(UsageError, match="application name"):
        await RoomServer(app=app).start()


async def test_others_are_let_in_only_by_a_token_or_on_purpose() -> None:
    with pytest.raises(UsageError, match=r"0\.0\.0\.0 everybody"):
        await RoomServer(host="0.0.0.0").start()
    for options in (Options(open=True), Options(secrets=Secrets(token="t"))):
        async with RoomServer(host="0.0.0.0", options=options) as server:
            assert server.url == f"ws://127.0.0.1:{server.port}/live/websocket"
            assert all(f":{server.port}/live/websocket" in url and "//127." not in url for url in server.urls)
            assert await status_of(server.url) == 101
    async with RoomServer() as server:
        assert server.urls == []


# -- commands --


async def test_small_talk(client: RawClient) -> None:
    await client.send("ping")
    await client.expect("pong")
    await client.send("getIceServerConfig")
    assert (await client.expect("iceServerConfig"))["stunServerUri"] == ""


async def test_an_empty_room_cannot_be_played(client: RawClient) -> None:
    await client.send("play", streamId="room1")
    error = await client.expect("error", "no_stream_exist", streamId="room1")
    assert error["error_code"] == "404"


@pytest.mark.parametrize("command", ["publish", "play"])
async def test_ids_are_checked(client: RawClient, command: str) -> None:
    await client.send(command)
    await client.send(command, streamId="")
    await until(lambda: len(client.found("error", "noStreamNameSpecified")) == 2)
    await client.send(command, streamId="a b\x1b[2J")
    error = await client.expect("error", "invalidStreamName")
    assert "streamId" not in error


async def test_a_live_id_belongs_to_its_socket(server: RoomServer, client: RawClient) -> None:
    await client.send("publish", streamId="alice", mainTrack="room1")
    await client.expect("start", streamId="alice")
    async with await RawClient.open(server.url) as other:
        await other.send("publish", streamId="alice", mainTrack="room1")
        await other.expect("error", "streamIdInUse", streamId="alice")
        await other.send("publish", streamId="room1")
        await other.expect("error", "streamIdInUse", streamId="room1")
        await client.send("publish", streamId="alice", mainTrack="room1")
        await client.expect("error", "already_publishing", streamId="alice")
        await client.socket.close()
        await other.send("publish", streamId="alice", mainTrack="room1")
        await other.expect("start", streamId="alice")


async def test_a_moved_publisher_leaves_its_old_room_empty(server: RoomServer, client: RawClient) -> None:
    await client.send("publish", streamId="alice", mainTrack="room1")
    await client.expect("start")
    async with await RawClient.open(server.url) as viewer:
        viewer.answers_offers = False
        await viewer.send("play", streamId="room1")
        await until(lambda: viewer.offers)
        await viewer.send("play", streamId="room1")
        await viewer.expect("error", "already_playing")
        await client.send("stop", streamId="alice")
        await client.send("publish", streamId="alice", mainTrack="room2")
        await viewer.expect("notification", "play_finished", streamId="room1")
        assert len(client.found("start")) == 2


async def test_stop_ends_what_it_names(client: RawClient) -> None:
    await client.send("stop", streamId="nobody")
    await client.send("publish", streamId="alice", mainTrack="room1")
    await client.send("stop", streamId="alice")
    await client.expect("notification", "publish_finished", streamId="alice")
    await client.send("play", streamId="room1")
    await client.expect("error", "no_stream_exist")
    assert not client.found("notification", streamId="nobody")


async def test_the_first_offer_is_the_data_channel_alone(client: RawClient) -> None:
    client.answers_offers = False
    await client.send("publish", streamId="alice", mainTrack="room1")
    await client.send("play", streamId="room1", userPublishId="alice")
    await until(lambda: client.offers)
    offer = client.offers[0]
    assert offer["streamId"] == "room1"
    assert offer["idMapping"] == {}
    assert [line.split()[0] for line in offer["sdp"].splitlines() if line.startswith("m=")] == ["m=application"]
    addresses = {line.split()[4] for line in offer["sdp"].splitlines() if line.startswith("a=candidate:")}
    assert addresses == {"127.0.0.1"}


async def test_queries_are_answered(client: RawClient) -> None:
    await client.send("publish", streamId="alice", mainTrack="room1", streamName="Alice", metaData='{"a":1}')
    await client.send("updateStreamMetaData", streamId="alice", metaData='{"a":2}')
    await client.send("updateStreamMetaData", streamId="room1", metaData='{"a":3}')
    await client.send("getBroadcastObject", streamId="alice")
    record = json.loads((await client.expect("notification", "broadcastObject", streamId="alice"))["broadcast"])
    assert (record["name"], record["mainTrackStreamId"], record["metaData"]) == ("Alice", "room1", '{"a":2}')
    await client.send("getBroadcastObject", streamId="room1")
    room = json.loads((await client.expect("notification", "broadcastObject", streamId="room1"))["broadcast"])
    assert (room["virtual"], room["metaData"]) == (True, "")
    await client.send("getBroadcastObject", streamId="nobody")
    assert "broadcast" not in await client.expect("notification", "broadcastObject", streamId="nobody")
    await client.send("getSubtracks", streamId="room1", offset=0, size=15)
    assert (await client.expect("notification", "subtrackList", streamId="room1"))["subtrackList"] == []
    await client.send("getSubtracksCount", streamId="room1")
    assert (await client.expect("notification", "subtrackCount", streamId="room1"))["count"] == 0


async def test_sessions_of_one_client_are_bounded(client: RawClient) -> None:
    for index in range(17):
        await client.send("publish", streamId=f"p{index}", mainTrack="room1")
    await client.expect("error", "highResourceUsage", streamId="p16")
    assert len(client.found("start")) == 16


# -- what a hostile client sends --


async def test_unknown_commands_are_ignored(client: RawClient) -> None:
    for command in ("videoCall", "event", "", "x" * 1000):
        await client.send(command, streamId="room1")
    for _ in range(50):
        await client.send("forceStreamQuality", streamId="room1", streamHeight=0)
    await client.send("ping")
    await client.expect("pong")
    assert len(client.messages) == 1


async def test_some_garbage_is_dropped_and_much_of_it_ends_the_client(server: RoomServer) -> None:
    garbage = ["", "{", "[]", "null", '{"command":1}', '{"command":"publish","streamId":7}', "[" * 5000]
    garbage.append('{"command":"takeCandidate","streamId":"a","label":"0"}')
    async with await RawClient.open(server.url) as good, await RawClient.open(server.url) as bad:
        for text in garbage:
            await bad.socket.send(text)
        await bad.send("ping")
        await bad.expect("pong")
        for _ in range(signaling.GARBAGE_LIMIT - len(garbage)):
            await bad.socket.send("garbage")
        await asyncio.wait_for(bad.closed.wait(), 5)
        assert bad.socket.close_code == 1008
        await good.send("ping")
        await good.expect("pong")


async def test_a_message_too_long_ends_the_client(client: RawClient) -> None:
    await client.socket.send("x" * ((1 << 20) + 1))
    await asyncio.wait_for(client.closed.wait(), 5)
    assert client.socket.close_code == 1009


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "nonsense",
        "v=0\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 99\r\n",
        "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 500,
    ],
    ids=["empty", "prose", "version", "no-credentials", "sections"],
)
async def test_a_broken_offer_is_refused(client: RawClient, sdp: str) -> None:
    await client.send("publish", streamId="alice", mainTrack="room1")
    await client.send("takeConfiguration", streamId="alice", type="offer", sdp=sdp)
    await client.expect("error", "notSetRemoteDescription", streamId="alice")
    await client.send("play", streamId="room1")
    await client.expect("error", "no_stream_exist")


async def test_a_broken_answer_ends_the_play_session(client: RawClient) -> None:
    client.answers_offers = False
    await client.send("publish", streamId="alice", mainTrack="room1")
    await client.send("play", streamId="room1")
    await until(lambda: client.offers)
    await client.send("takeConfiguration", streamId="room1", type="answer", sdp="v=0\r\nm=audio")
    await client.expect("error", "notSetRemoteDescription", streamId="room1")


async def test_a_session_that_never_comes_up_is_dropped() -> None:
    async with RoomServer(options=Options(start_timeout=0.3)) as server, await RawClient.open(server.url) as client:
        client.answers_offers = False
        await client.send("publish", streamId="alice", mainTrack="room1")
        await client.send("play", streamId="room1")
        await client.expect("error", "publishTimeoutError", streamId="alice")
        await client.expect("notification", "play_finished", streamId="room1")
        await client.send("play", streamId="room1")
        await client.expect("error", "no_stream_exist")


async def test_candidates_for_nobody_are_ignored(client: RawClient) -> None:
    text = "candidate:1 1 udp 2113937151 127.0.0.1 51000 typ host"
    await client.send("publish", streamId="alice", mainTrack="room1")
    for index in range(300):
        stream_id = "alice" if index % 2 else "nobody"
        await client.send("takeCandidate", streamId=stream_id, label=0, id="0", candidate=text)
    await client.send("takeCandidate", streamId="alice", label=0, candidate="rubbish")
    await client.send("ping")
    await client.expect("pong")
    assert not client.found("error")


async def test_a_client_that_does_not_read_is_closed(server: RoomServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, signaling.__name__)
    async with connect(server.url, max_queue=1) as slow, await RawClient.open(server.url) as good:
        await slow.send(json.dumps({"command": "publish", "streamId": "alice", "metaData": "x" * 16_000}))
        try:
            for _ in range(3000):
                await slow.send('{"command":"getBroadcastObject","streamId":"alice"}')
        except ConnectionClosed:
            pass
        await until(lambda: "does not read" in caplog.text)
        await good.send("publish", streamId="alice")
        await good.expect("start")


# -- the end --


async def test_the_server_stops_in_time_and_leaves_nothing() -> None:
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    server = RoomServer()
    await server.start()
    client = await RawClient.open(server.url)
    client.answers_offers = False
    idle = await connect(server.url)
    await client.send("publish", streamId="alice", mainTrack="room1")
    await client.send("play", streamId="room1")
    await until(lambda: client.offers)
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(server.aclose(), server.aclose())
        await server.aclose()
    await client.expect("notification", "server_will_stop")
    await asyncio.wait_for(client.closed.wait(), 1)
    await client.aclose()
    await idle.close()
    await until(lambda: asyncio.all_tasks() <= tasks, "no task is left")
    assert set(threading.enumerate()) <= threads
    with socket.create_server(("127.0.0.1", server.port)):
        pass


async def test_half_a_handshake_does_not_hold_the_server_up() -> None:
    server = RoomServer()
    await server.start()
    _reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /live/websocket HTTP/1.1\r\n")
    async with asyncio.timeout(2):
        await server.aclose()
    writer.close()


async def test_a_server_that_never_started_closes() -> None:
    await RoomServer().aclose()
