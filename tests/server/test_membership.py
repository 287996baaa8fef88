"""Who is told what when people come, go, watch and change: over a real socket and real connections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tui.server import reports
from tui.server.options import Options
from tui.server.signaling import RoomServer

from .raw_client import BLUE, GREEN, RED, RawClient, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as running:
        yield running


def heard_as_publisher(client: RawClient) -> list[dict[str, Any]]:
    """What comes on the publish connection's own channel, from now on."""
    events: list[dict[str, Any]] = []

    def hear(message: str) -> None:
        events.append(json.loads(message))

    assert client.channel is not None
    client.channel.on("message", hear)
    return events


async def test_comings_and_goings_are_told_to_everybody_else(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as bob,
    ):
        await alice.publish("alice")
        await alice.play(own="alice")
        await bob.publish("bob", colour=BLUE)
        added = await alice.expect("notification", "subtrackAdded")
        assert added == {
            "command": "notification",
            "definition": "subtrackAdded",
            "mainTrack": "room1",
            "trackId": "bob",
        }
        await until(lambda: alice.owners() == ["bob"])
        assert alice.events("TRACK_LIST_UPDATED")
        await bob.send("stop", streamId="bob")
        await alice.expect("notification", "subtrackRemoved", mainTrack="room1", trackId="bob")
        await alice.send("stop", streamId="alice")
        await alice.expect("notification", "play_finished", streamId="room1")
        assert not alice.found("notification", trackId="alice")


async def test_a_single_streams_publisher_hears_its_players(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
        await RawClient.open(server.url) as other,
    ):
        await alice.publish("alice", room="")
        heard: list[object] = []
        assert alice.channel is not None
        alice.channel.on("message", heard.append)
        for client in (viewer, other):
            await client.play("alice")
        assert viewer.play_channel is not None
        viewer.play_channel.send("hello")
        await until(lambda: "hello" in heard and "hello" in other.said)
        assert "hello" not in viewer.said


async def test_a_listed_person_that_moves_is_missed_in_the_old_room(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
        await RawClient.open(server.url) as listener,
    ):
        await alice.publish("alice")
        await viewer.play()
        await until(lambda: viewer.events("TRACK_LIST_UPDATED"))

        async def told(room: str) -> None:
            before = len(viewer.events("TRACK_LIST_UPDATED"))
            await listener.send("joinRoom", room=room, streamId="listener")
            await until(lambda: len(viewer.events("TRACK_LIST_UPDATED")) > before, f"told of {room}")

        await told("room1")
        await told("room2")


async def test_publishers_hear_who_watches(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
    ):
        await alice.publish("alice")
        events = heard_as_publisher(alice)
        await alice.play(own="alice")
        await viewer.play(subscriberId="sub1", subscriberName="Viv")
        expected = {"streamId": "room1", "subscriberId": "sub1", "subscriberName": "Viv"}
        await until(lambda: events == [{"eventType": "PLAYER_ADDED", **expected}], "one event")
        started = viewer.found("notification", "play_started")[0]
        assert (started["streamId"], started["subscriberId"]) == ("room1", "sub1")
        await viewer.send("stop", streamId="room1")
        await until(lambda: events[1:] == [{"eventType": "PLAYER_REMOVED", **expected}], "another one")


async def test_the_last_one_leaves_and_the_room_ends(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
    ):
        await alice.publish("alice")
        await viewer.play()
        await alice.send("stop", streamId="alice")
        await viewer.expect("notification", "play_finished", streamId="room1", subscriberId="")
        await viewer.send("getBroadcastObject", streamId="room1")
        assert "broadcast" not in await viewer.expect("notification", "broadcastObject")


async def test_who_came_too_early_hears_when_it_begins(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as early,
        await RawClient.open(server.url) as elsewhere,
    ):
        await early.send("play", streamId="room1")
        await early.expect("error", "no_stream_exist")
        await elsewhere.send("play", streamId="room2")
        await elsewhere.expect("error", "no_stream_exist")
        await alice.publish("alice")
        await early.expect("notification", "streaming_started", streamId="room1")
        await early.play()
        assert not elsewhere.found("notification")


async def test_legacy_joining_lists_who_only_plays(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as listener,
    ):
        await alice.publish("alice", streamName="Alice")
        await alice.play(own="alice")
        fields = {"room": "room1", "mainTrack": "room1", "streamId": "lis", "mode": "multitrack", "streamName": "Lis"}
        await listener.send("joinRoom", **fields, role="listener", metadata='{"playOnly":true}')
        joined = await listener.expect("notification", "joinedTheRoom", streamId="lis")
        assert (joined["room"], joined["ATTR_ROOM_NAME"], joined["maxTrackCount"]) == ("room1", "room1", -1)
        assert joined["streams"] == ["alice"]
        assert joined["streamList"] == [{"streamId": "alice", "streamName": "Alice", "metaData": None}]

        async def listed() -> list[dict[str, Any]]:
            before = len(alice.found("notification", "subtrackList"))
            await alice.send("getSubtracks", streamId="room1")
            await until(lambda: len(alice.found("notification", "subtrackList")) > before)
            return [json.loads(entry) for entry in alice.found("notification", "subtrackList")[-1]["subtrackList"]]

        updates = len(alice.events("TRACK_LIST_UPDATED"))
        assert updates
        entry = (await listed())[1]
        assert (entry["streamId"], entry["name"], entry["role"]) == ("lis", "Lis", "listener")
        assert (entry["status"], entry["metaData"]) == ("created", '{"playOnly":true}')
        await listener.send("updateStreamMetaData", streamId="lis", metaData='{"hand":true}')
        await listener.send("ping")
        await listener.expect("pong")
        assert (await listed())[1]["metaData"] == '{"hand":true}'
        await listener.send("leaveFromRoom", room="room1", mainTrack="room1", streamId="lis")
        left = await listener.expect("notification", "leavedFromRoom", streamId="lis")
        assert left["ATTR_ROOM_NAME"] == "room1"
        assert [record["streamId"] for record in await listed()] == ["alice"]
        await until(lambda: len(alice.events("TRACK_LIST_UPDATED")) > updates)

        # A listener becomes a publisher; nobody else gets its id; its socket takes it off the list.
        await listener.send("joinRoom", **fields)
        await until(lambda: len(listener.found("notification", "joinedTheRoom")) == 2)
        await alice.send("joinRoom", **fields)
        await alice.send("publish", streamId="lis", mainTrack="room1")
        await until(lambda: len(alice.found("error", "streamIdInUse", streamId="lis")) == 2)
        await listener.publish("lis")
        assert [record["status"] for record in await listed()] == ["broadcasting", "broadcasting"]
        await listener.send("stop", streamId="lis")
        await listener.send("joinRoom", **fields)
        await until(lambda: len(listener.found("notification", "joinedTheRoom")) == 3)
        await listener.socket.close()
        while len(await listed()) > 1:
            pass


async def test_a_listener_sees_who_is_on_stage() -> None:
    everybody = ("host", "speaker", "active_speaker")
    visibility = {"host": everybody, "speaker": everybody, "listener": ("active_speaker",)}
    async with (
        RoomServer(options=Options(visibility=visibility)) as server,
        await RawClient.open(server.url) as host,
        await RawClient.open(server.url) as speaker,
        await RawClient.open(server.url) as listener,
    ):
        await host.publish("host", colour=RED, role="host")
        await speaker.publish("speaker", colour=GREEN, role="speaker")
        await host.play(own="host")
        await listener.play(role="listener")
        await until(lambda: host.owners() == ["speaker"])
        assert listener.owners() == []
        server.update_role("speaker", "active_speaker")
        await until(lambda: listener.owners() == ["speaker"])
        assert listener.events("UPDATE_PARTICIPANT_ROLE")[-1] == {
            "eventType": "UPDATE_PARTICIPANT_ROLE",
            "streamId": "speaker",
            "role": "active_speaker",
        }
        server.update_role("speaker", "speaker")
        await until(lambda: listener.owners() == [""])
        assert host.owners() == ["speaker"]
        server.update_role("nobody", "host")


async def test_players_are_told_their_bitrates(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "BITRATE_INTERVAL", 0.3)
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
    ):
        await alice.publish("alice", colour=RED, hertz=440)
        await viewer.play()
        measured = "bitrateMeasurement"

        def flowing() -> list[dict[str, Any]]:
            found = viewer.found("notification", measured, streamId="room1")
            return [one for one in found if one["videoBitrate"] > 1000 and one["audioBitrate"] > 1000]

        figures = (await until(flowing))[-1]
        assert figures["targetBitrate"] > 0
        assert not alice.found("notification", measured)


@pytest.mark.parametrize("wanted", [True, False])
async def test_audio_levels_are_told_when_wanted(wanted: bool) -> None:
    async with (
        RoomServer(options=Options(send_audio_level=wanted)) as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
    ):
        await alice.publish("alice", hertz=440)
        await viewer.play()
        if not wanted:
            await until(lambda: len(viewer.events("AUDIO_TRACK_ASSIGNMENT")) > 5)
            assert not viewer.events("UPDATE_AUDIO_LEVEL")
            return

        def loud() -> bool:
            events = viewer.events("UPDATE_AUDIO_LEVEL")
            return bool(events) and 0 <= events[-1]["audioLevel"] < 60

        await until(loud)
        event = viewer.events("UPDATE_AUDIO_LEVEL")[-1]
        assert (event["command"], event["streamId"]) == ("event", "alice")
