"""Every error of the signalling reference, 3.7, that this server can give: how it is provoked, and its exact words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tui.server.access import Purpose, Secrets, Subscriber, hash_token
from tui.server.options import Options
from tui.server.publishers import Publishers
from tui.server.signaling import RoomServer

from .raw_client import RED, RawClient, describe, new_connection, until

if TYPE_CHECKING:
    from tui.server.client import Client

ROOM_FULL = "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks"


def words(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "command"}


@pytest.mark.parametrize(
    ("command", "fields", "expected"),
    [
        ("publish", {}, {"definition": "noStreamNameSpecified"}),
        ("publish", {"streamId": ""}, {"definition": "noStreamNameSpecified"}),
        ("play", {"streamId": "a b"}, {"definition": "invalidStreamName"}),
        ("publish", {"streamId": "é"}, {"definition": "invalidStreamName"}),
        ("publish", {"streamId": "a", "mainTrack": "a/b"}, {"definition": "invalidStreamName", "streamId": "a"}),
        ("publish", {"streamId": "a", "mainTrack": "a"}, {"definition": "streamIdInUse", "streamId": "a"}),
        ("play", {"streamId": "room1"}, {"definition": "no_stream_exist", "error_code": "404", "streamId": "room1"}),
        ("getStreamInfo", {"streamId": "s"}, {"definition": "no_stream_exist", "error_code": "404", "streamId": "s"}),
        ("getRoomInfo", {"room": "r", "streamId": "a"}, {"definition": "no_active_streams_in_room", "room": "r"}),
        ("getRoomInfo", {"streamId": "a"}, {"definition": "no_room_specified", "streamId": "a"}),
        ("joinRoom", {"streamId": "a"}, {"definition": "no_room_specified", "streamId": "a"}),
        ("leaveFromRoom", {"streamId": "a"}, {"definition": "no_room_specified", "streamId": "a"}),
        ("leave", {"streamId": "a"}, {"definition": "no_peer_associated_before", "streamId": "a"}),
        ("peerMessageCommand", {"streamId": "a"}, {"definition": "no_peer_associated_before", "streamId": "a"}),
    ],
)
async def test_an_error_has_ams_own_words(command: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        await client.send(command, **fields)
        assert words(await client.expect("error")) == expected


PUSH = {"subscriberId": "a", "token": "t", "pnsRegistrationToken": "p", "pnsType": "fcm"}


@pytest.mark.parametrize(
    ("command", "fields", "definition"),
    [
        ("registerPushNotificationToken", PUSH, "authenticationTokenNotValid"),
        ("registerPushNotificationToken", {**PUSH, "subscriberId": ""}, "missingParameter"),
        ("registerPushNotificationToken", {"subscriberId": "a"}, "missingParameter"),
        ("sendPushNotification", {**PUSH, "pushNotificationContent": {}, "topic": "x"}, "authenticationTokenNotValid"),
        ("sendPushNotification", {"token": "t"}, "missingParameter"),
    ],
)
async def test_push_notifications_are_refused_by_name(command: str, fields: dict[str, Any], definition: str) -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        await client.send(command, **fields)
        error = await client.expect("error")
        assert error["definition"] == definition
        assert error["information"].startswith(f"{command}: ")
        assert not client.found("notification")


async def test_in_use_already_publishing_and_already_playing() -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        client.answers_offers = False
        await client.send("publish", streamId="alice", mainTrack="room1")
        await client.send("publish", streamId="alice", mainTrack="room1")
        await client.expect("error", "already_publishing", streamId="alice")
        await client.send("play", streamId="room1")
        await client.send("play", streamId="room1")
        await client.expect("error", "already_playing", streamId="room1")
        async with await RawClient.open(server.url) as other:
            for stream_id in ("alice", "room1"):
                await other.send("publish", streamId=stream_id, mainTrack="room2")
                await other.expect("error", "streamIdInUse", streamId=stream_id)


async def test_limits_of_the_server() -> None:
    options = Options(subtracks_limit=1, viewer_limit=1)
    async with RoomServer(options=options) as server, await RawClient.open(server.url) as client:
        client.answers_offers = False
        await client.send("publish", streamId="alice", mainTrack="room1")
        await client.send("publish", streamId="bob", mainTrack="room1")
        assert words(await client.expect("error", streamId="bob")) == {"definition": ROOM_FULL, "streamId": "bob"}
        await client.send("publish", streamId="bob", mainTrack="room2")
        await client.expect("start", streamId="bob")
        await client.send("play", streamId="room1")
        await until(lambda: client.offers)
        async with await RawClient.open(server.url) as other:
            await other.send("play", streamId="room1")
            assert words(await other.expect("error")) == {"definition": "viewerLimitReached", "streamId": "room1"}


async def test_one_client_begins_only_so_much() -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        for index in range(16):
            await client.send("publish", streamId=f"p{index}", mainTrack="room1")
        for command, fields in (
            ("publish", {"streamId": "more", "mainTrack": "room1"}),
            ("play", {"streamId": "room1"}),
            ("joinRoom", {"streamId": "listener", "room": "room1"}),
        ):
            await client.send(command, **fields)
            await client.expect("error", "highResourceUsage", streamId=fields["streamId"])


async def test_without_a_token_nobody_comes_in_and_with_it_both_ways() -> None:
    async with RoomServer(options=Options(secrets=Secrets(one_time=True))) as server:
        token = server.access.make_token("room1")
        async with await RawClient.open(server.url) as client:
            client.answers_offers = False
            await client.send("publish", streamId="alice", mainTrack="room1")
            assert words(await client.expect("error")) == {"definition": "unauthorized_access", "streamId": "alice"}
            await client.send("publish", streamId="alice", mainTrack="room1", token=token)
            await client.expect("start", streamId="alice")
            await client.send("play", streamId="room1", token=token)
            await until(lambda: client.offers)
            for command, fields in (
                ("play", {"streamId": "alice", "token": token}),
                ("joinRoom", {"streamId": "listener", "room": "room2"}),
                ("join", {"streamId": "call"}),
            ):
                await client.send(command, **fields)
                await client.expect("error", "unauthorized_access", streamId=fields["streamId"])
            # Whoever is in the room may be listed there.
            await client.send("joinRoom", streamId="listener", room="room1")
            await client.expect("notification", "joinedTheRoom", streamId="listener")
        async with await RawClient.open(server.url) as other:
            await other.send("play", streamId="room1", token=token)
            await other.expect("error", "unauthorized_access", streamId="room1")


async def test_without_a_token_nobody_is_told_who_is_inside() -> None:
    """Silence: an error about a token would end a client that only asks too early."""
    async with (
        RoomServer(options=Options(secrets=Secrets(token="sesame"))) as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as eve,
    ):
        await alice.publish("alice", token="sesame", streamName="Alice")
        for client in (eve, alice):
            for command, fields in (
                ("getBroadcastObject", {"streamId": "alice"}),
                ("getBroadcastObject", {"streamId": "room1"}),
                ("getSubtracks", {"streamId": "room1"}),
                ("getSubtracksCount", {"streamId": "room1"}),
                ("getTrackList", {"streamId": "room1"}),
                ("getSubscribers", {"streamId": "room1"}),
                ("getStreamInfo", {"streamId": "alice"}),
                ("getRoomInfo", {"streamId": "eve", "room": "room1"}),
            ):
                await client.send(command, **fields)
            await client.send("ping")
            await client.expect("pong")
        assert [message["command"] for message in eve.messages] == ["pong"]
        answers = alice.messages[[message.get("definition") for message in alice.messages].index("publish_started") :]
        assert len(answers) == 1 + 8 + 1


async def test_admission_to_one_room_is_no_way_into_another() -> None:
    secret = "h" * 32
    token = {room: hash_token(room, Purpose.PUBLISH, secret) for room in ("room1", "room2")}
    async with (
        RoomServer(options=Options(secrets=Secrets(hash=secret))) as server,
        await RawClient.open(server.url) as eve,
        await RawClient.open(server.url) as alice,
    ):
        await eve.publish("room2", token=token["room1"])
        await alice.send("publish", streamId="alice", mainTrack="room2", token=token["room2"])
        await alice.expect("error", "streamIdInUse", streamId="alice")
        await eve.send("stop", streamId="room2")
        await eve.expect("notification", "publish_finished")
        await alice.publish("alice", room="room2", token=token["room2"])
        await eve.send("publish", streamId="room2", mainTrack="room1", token=token["room1"])
        await eve.expect("error", "streamIdInUse", streamId="room2")


async def test_a_blocked_subscriber_is_told_so() -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        server.access.register(Subscriber(subscriber_id="sub1", stream_id="room1", secret="A" * 16))
        server.access.block("room1", "sub1", 60)
        await client.send("play", streamId="room1", subscriberId="sub1", subscriberCode="123456")
        assert words(await client.expect("error")) == {"definition": "user_blocked", "streamId": "room1"}


async def test_a_description_that_cannot_be_used() -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        await client.send("publish", streamId="alice")
        await client.send("takeConfiguration", streamId="alice", type="offer", sdp="v=0\r\n")
        expected = {"definition": "notSetRemoteDescription", "streamId": "alice", "subscriberId": ""}
        assert words(await client.expect("error")) == expected


async def test_a_publisher_that_never_comes_up() -> None:
    async with RoomServer(options=Options(start_timeout=0.2)) as server, await RawClient.open(server.url) as client:
        await client.send("publish", streamId="alice")
        assert (await client.expect("error", "publishTimeoutError"))["streamId"] == "alice"


async def test_an_sdp_that_ams_drops_is_dropped_without_a_word() -> None:
    options = Options(strict=True, start_timeout=0.5)
    async with RoomServer(options=options) as server, await RawClient.open(server.url) as client:
        connection = new_connection()
        connection.addTransceiver("audio")
        try:
            sdp = await describe(connection)
        finally:
            await connection.close()
        await client.send("publish", streamId="alice")
        broken = sdp.replace("opus/48000/2", "opus/48000")
        await client.send("takeConfiguration", streamId="alice", type="offer", sdp=broken)
        await client.expect("error", "publishTimeoutError", streamId="alice")
        assert not client.found("takeConfiguration")
        # The same without the fault is answered.
        await client.send("publish", streamId="alice")
        await client.send("takeConfiguration", streamId="alice", type="offer", sdp=sdp)
        await client.expect("takeConfiguration", type="answer")


async def test_a_publisher_that_falls_silent() -> None:
    async with (
        RoomServer(options=Options(packet_timeout=0.5)) as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as data_only,
    ):
        await data_only.publish("data")
        await alice.publish("alice", colour=RED)
        assert alice.publishing is not None
        alice.publishing.getSenders()[0].replaceTrack(None)
        error = await alice.expect("error", "noPacketReceivedForTimeoutDuration")
        assert error["streamId"] == "alice"
        # Who never sent media is not silent.
        assert not data_only.found("error")


async def test_a_defect_of_the_server_is_an_answer_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_publishers: Publishers, _client: Client, _message: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Publishers, "publish", fail)
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        await client.send("publish", streamId="alice")
        assert words(await client.expect("error")) == {"definition": "server_error_check_logs"}
        await client.send("ping")
        await client.expect("pong")


async def test_the_id_of_a_refused_command_is_echoed_only_if_it_is_one() -> None:
    async with RoomServer() as server, await RawClient.open(server.url) as client:
        await client.socket.send(json.dumps({"command": "play", "streamId": "a\x1b[2J"}))
        assert "streamId" not in await client.expect("error", "invalidStreamName")
