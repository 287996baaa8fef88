"""What can be asked of the server, over a real socket and with real media (signalling reference, 2.4, 3.4 to 3.6)."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.waiting import until_found
from tui.core.messages import IceServerConfig
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Limits

from .raw_client import HEIGHT, RED, WIDTH, RawClient, until


async def asked(client: RawClient, command: str, answer: str, definition: str | None = None, **fields: Any) -> Any:
    """The answer to one query, the next that comes."""
    before = len(client.found(answer, definition))
    await client.send(command, **fields)
    await until(lambda: len(client.found(answer, definition)) > before, f"{answer} {definition}")
    return client.found(answer, definition)[-1]


async def names(client: RawClient, **fields: Any) -> list[str]:
    answer = await asked(client, "getSubtracks", "notification", "subtrackList", streamId="room1", **fields)
    return [json.loads(entry)["streamId"] for entry in answer["subtrackList"]]


async def count(client: RawClient, **fields: Any) -> int:
    answer = await asked(client, "getSubtracksCount", "notification", "subtrackCount", streamId="room1", **fields)
    number: int = answer["count"]
    return number


async def test_ice_servers_are_told_as_they_were_given() -> None:
    ice_server = IceServerConfig(
        stun_server_uri="turn:turn.example.org", turn_server_username="u", turn_server_credential="p"
    )
    async with RoomServer(options=Options(ice_server=ice_server)) as server, await RawClient.open(server.url) as client:
        assert await asked(client, "getIceServerConfig", "iceServerConfig") == {
            "command": "iceServerConfig",
            "stunServerUri": "turn:turn.example.org",
            "turnServerUsername": "u",
            "turnServerCredential": "p",
        }


async def test_a_record_moves_with_its_stream() -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as alice:
        await alice.publish("alice", colour=RED, hertz=440, streamName="Alice", role="host", metaData='{"a":1}')

        async def record() -> dict[str, Any]:
            answer = await asked(alice, "getBroadcastObject", "notification", "broadcastObject", streamId="alice")
            found: dict[str, Any] = json.loads(answer["broadcast"])
            return found

        first = await record()
        assert first["status"] == "broadcasting"
        assert (first["name"], first["role"], first["metaData"]) == ("Alice", "host", '{"a":1}')
        assert (first["mainTrackStreamId"], first["zombi"], first["virtual"]) == ("room1", True, False)
        assert first["ipAddr"] == "127.0.0.1"
        assert "websockets" in first["userAgent"]
        assert first["date"] <= first["startTime"] <= first["updateTime"]
        assert abs(first["updateTime"] - time.time() * 1000) < 60_000

        async def grown() -> bool:
            later = await record()
            fields = ("duration", "updateTime", "receivedBytes", "bitrate")
            return later["bitrate"] > 1000 and all(later[field] > first[field] for field in fields[:3])

        while not await grown():
            pass


async def test_a_stream_tells_its_size_and_bitrates() -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as alice:
        await alice.publish("alice", colour=RED, hertz=440)

        async def info(stream_id: str) -> list[dict[str, Any]]:
            answer = await asked(alice, "getStreamInfo", "streamInformation", streamId=stream_id)
            assert answer["streamId"] == stream_id
            found: list[dict[str, Any]] = answer["streamInfo"]
            return found

        while not (seen := (await info("alice"))[0])["videoBitrate"] or not seen["audioBitrate"]:
            pass
        assert (seen["streamWidth"], seen["streamHeight"], seen["videoCodec"]) == (WIDTH, HEIGHT, "vp8")
        assert await info("room1") == []


async def test_a_room_is_listed_in_every_way_that_clients_ask() -> None:
    async with (
        RoomServer() as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as bob,
    ):
        await alice.publish("alice", streamName="Zoe", role="host", metaData="{}")
        await bob.publish("bob", streamName="Adam")
        assert await names(bob, offset=0, size=15) == ["alice", "bob"]
        assert await names(bob, offset=1, size=15) == ["bob"]
        assert await names(bob, offset=0, size=1, role=None, status=None) == ["alice"]
        assert await names(bob, role="host") == ["alice"]
        assert await names(bob, sortBy="name", orderBy="asc") == ["bob", "alice"]
        assert await names(bob, search="zo") == ["alice"]
        assert await names(bob, status="finished") == []
        assert [await count(bob), await count(bob, role="host"), await count(bob, status="preparing")] == [2, 1, 0]
        tracks = await asked(bob, "getTrackList", "trackList", streamId="room1", token="")
        assert tracks == {"command": "trackList", "streamId": "room1", "trackList": ["alice", "bob"]}
        assert await asked(bob, "getRoomInfo", "roomInformation", room="room1", streamId="bob") == {
            "command": "roomInformation",
            "streams": ["alice", "bob"],
            "streamList": [
                {"streamId": "alice", "streamName": "Zoe", "metaData": "{}"},
                {"streamId": "bob", "streamName": "Adam", "metaData": None},
            ],
            "ATTR_ROOM_NAME": "room1",
            "room": "room1",
        }
        room = await asked(bob, "getBroadcastObject", "notification", "broadcastObject", streamId="room1")
        record = json.loads(room["broadcast"])
        assert (record["virtual"], record["streamId"], record["status"]) == (True, "room1", "broadcasting")


async def test_viewers_are_counted_and_listed() -> None:
    async with (
        RoomServer() as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
    ):
        await alice.publish("alice")
        await viewer.play(subscriberId="sub1", subscriberName="Viv")
        await alice.play(own="alice")
        found = await asked(alice, "getSubscriberCount", "notification", "subscriberCount", streamId="room1")
        assert found["count"] == 2

        async def listed(offset: int, size: int) -> list[dict[str, Any]]:
            fields = {"streamId": "room1", "offset": offset, "size": size}
            answer = await asked(alice, "getSubscribers", "notification", "subscriberList", **fields)
            return [json.loads(entry) for entry in answer["subscriberList"]]

        first, second = await listed(0, 50)
        assert (first["subscriberId"], first["subscriberName"], first["connected"]) == ("sub1", "Viv", True)
        assert second["subscriberId"] == "alice"
        assert await listed(1, 1) == [second]
        assert await listed(5, 5) == await listed(-1, -1) == []
        room = await asked(alice, "getBroadcastObject", "notification", "broadcastObject", streamId="room1")
        assert json.loads(room["broadcast"])["webRTCViewerCount"] == 2


async def test_debug_info_says_who_is_in_which_slot() -> None:
    async with (
        RoomServer(options=Options(limits=Limits(video=1))) as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as bob,
    ):
        await alice.publish("alice", colour=RED, hertz=440)
        await bob.publish("bob")
        await bob.play(own="bob")
        await until(lambda: bob.owners() == ["alice"])
        await bob.send("assignVideoTrackCommand", streamId="alice", videoTrackId="videoTrack0", enabled=True)
        slot = "{label:videoTrack0,assigned stream id:alice,reserved:true}"
        # By the own id, as the official application asks, and by the room's.
        for stream_id in ("bob", "room1"):

            async def is_pinned(stream_id: str = stream_id) -> list[str]:
                answer = await asked(bob, "getDebugInfo", "notification", "debugInfo", streamId=stream_id)
                lines: list[str] = answer["debugInfo"].splitlines()
                return lines if lines[:1] == [slot] else []

            lines = await until_found(is_pinned, what=slot)
            assert "{label:audioTrack0,assigned stream id:alice,reserved:false}" in lines
        nobody = await asked(alice, "getDebugInfo", "notification", "debugInfo", streamId="alice")
        assert nobody["debugInfo"] == ""
