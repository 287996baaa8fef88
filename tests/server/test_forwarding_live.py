"""Real media through the server: raw aiortc clients publish a colour and a tone, and look for them at the viewer."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, cast

import pytest
from aiortc import rtcrtpreceiver
from aiortc.rtp import is_rtcp

from tui.core.aiortc_internals import Addresses
from tui.server import viewer as viewer_module
from tui.server.client import TALK_LIMIT
from tui.server.forwarding import SendQueue
from tui.server.ingest import CHANNEL_LIMIT, Ingest
from tui.server.room import Labels
from tui.server.signaling import RoomServer

from .raw_client import (
    BLUE,
    GREEN,
    RED,
    Heard,
    Picture,
    RawClient,
    Tone,
    describe,
    new_connection,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.core.aiortc_internals import RtpOutlet
    from tui.server.ingest import Publisher
    from tui.server.session import Ending


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as running:
        yield running


async def sees(client: RawClient, track_id: str, colour: tuple[int, int, int]) -> Heard:
    def showing() -> Heard | None:
        track = client.track(track_id)
        return track if track is not None and track.shows(colour) else None

    found: Heard = await until(showing, f"{colour} in {track_id}, mapping {client.mapping}")
    return found


async def hears(client: RawClient, track_id: str, hertz: float) -> None:
    def heard() -> bool:
        track = client.track(track_id)
        return track is not None and abs(track.hertz - hertz) < 5

    await until(heard, f"{hertz} Hz in {track_id}, mapping {client.mapping}")


async def owners_are(client: RawClient, expected: set[str]) -> None:
    await until(lambda: set(client.owners()) == expected, f"{expected}, not {client.owners()}")


def directions(offer: dict[str, str]) -> dict[str, str]:
    """Mid to direction."""
    found: dict[str, str] = {}
    for section in offer["sdp"].split("\r\nm=")[1:]:
        lines = section.splitlines()
        mid = next(line[6:] for line in lines if line.startswith("a=mid:"))
        found[mid] = next((line[2:] for line in lines if line in ("a=sendonly", "a=inactive")), "")
    return found


async def test_picture_and_sound_reach_a_viewer(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED, hertz=440)
        started = alice.found("notification", "publish_started")[0]
        assert (started["room"], started["ATTR_ROOM_NAME"]) == ("room1", "room1")
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        await hears(viewer, "ARDAMSaaudioTrack0", 440)
        assert viewer.owners() == ["alice"]
        audio = viewer.events("AUDIO_TRACK_ASSIGNMENT")[-1]["payload"]
        assert audio[0]["trackId"] == "alice"
        assert audio[0]["audioLevel"] < 40
        offer = viewer.offers[-1]["sdp"]
        assert offer.count("a=rtpmap:") == 2
        assert "VP8" in offer
        assert "opus" in offer
        assert "a=msid:ARDAMS ARDAMSvvideoTrack0" in offer


async def test_a_lost_packet_is_sent_again(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    put = SendQueue.put
    lost: set[bytes] = set()
    found: set[bytes] = set()
    packets = 0

    def losing(queue: SendQueue, outlet: RtpOutlet, data: bytes) -> None:
        nonlocal packets
        packets += 1
        number = data[2:4]
        if not is_rtcp(data) and packets % 5 == 0 and len(lost) < 5:
            lost.add(number)
            return
        found.update(lost & {number})
        put(queue, outlet, data)

    monkeypatch.setattr(SendQueue, "put", losing)
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED)
        await viewer.play()
        track = await sees(viewer, "ARDAMSvvideoTrack0", RED)
        await until(lambda: len(lost) == 5 and found == lost and track.frames > 30)


async def test_somebody_leaves_and_another_takes_the_slot(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as bob:
        await alice.publish("alice", colour=RED, hertz=440)
        await bob.publish("bob", colour=BLUE)
        await bob.play(own="bob")
        track = await sees(bob, "ARDAMSvvideoTrack0", RED)
        await hears(bob, "ARDAMSaaudioTrack0", 440)
        assert bob.owners() == ["alice"]

        await alice.send("stop", streamId="alice")
        await alice.expect("notification", "publish_finished", streamId="alice")
        await bob.expect("notification", "subtrackRemoved", mainTrack="room1", trackId="alice")
        await until(lambda: bob.owners() == [""])
        assert {event["streamId"] for event in bob.events("TRACK_LIST_UPDATED")} == {"room1"}
        await until(lambda: bob.owners("AUDIO_TRACK_ASSIGNMENT") == [""])
        assert bob.offers[-1]["idMapping"] == {}
        assert directions(bob.offers[-1]) == {"0": "", "1": "inactive", "2": "inactive"}
        track.forget()

        async with await RawClient.open(server.url) as carol:
            await carol.publish("carol", colour=GREEN, hertz=880)
            await bob.expect("notification", "subtrackAdded", mainTrack="room1", trackId="carol")
            assert await sees(bob, "ARDAMSvvideoTrack0", GREEN) is track
            await hears(bob, "ARDAMSaaudioTrack0", 880)
            await until(lambda: bob.owners() == ["carol"])
            assert directions(bob.offers[-1]) == {"0": "", "1": "sendonly", "2": "sendonly"}


async def test_three_in_a_room_see_each_other_and_not_themselves(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as bob,
        await RawClient.open(server.url) as carol,
    ):
        await alice.publish("alice", colour=RED)
        await alice.play(own="alice")
        await asyncio.gather(bob.publish("bob", colour=GREEN), carol.publish("carol", colour=BLUE))
        await asyncio.gather(bob.play(own="bob"), carol.play(own="carol"))
        colours = {"alice": RED, "bob": GREEN, "carol": BLUE}
        for client, own in ((alice, "alice"), (bob, "bob"), (carol, "carol")):
            await owners_are(client, colours.keys() - {own})
            for index, owner in enumerate(client.owners()):
                await sees(client, f"ARDAMSvvideoTrack{index}", colours[owner])
        await alice.send("getSubtracks", streamId="room1")
        page = (await alice.expect("notification", "subtrackList"))["subtrackList"]
        assert {json.loads(text)["streamId"] for text in page} == {"alice", "bob", "carol"}
        await alice.send("getSubtracksCount", streamId="room1")
        assert (await alice.expect("notification", "subtrackCount"))["count"] == 3
        before = len(alice.events("VIDEO_TRACK_ASSIGNMENT_LIST"))
        await alice.send("getVideoTrackAssignmentsCommand", streamId="room1")
        await until(lambda: len(alice.events("VIDEO_TRACK_ASSIGNMENT_LIST")) == before + 1)


async def test_an_old_server_names_tracks_after_their_streams() -> None:
    async with (
        RoomServer(labels=Labels.STREAM, id_mapping=False) as server,
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
    ):
        await alice.publish("alice", colour=RED)
        await viewer.play()
        await until(lambda: "1" in viewer.heard)
        await until(lambda: viewer.heard["1"].shows(RED))
        assert all("idMapping" not in offer for offer in viewer.offers)
        assert "a=msid:ARDAMS ARDAMSvalice" in viewer.offers[-1]["sdp"]
        assert not viewer.events("VIDEO_TRACK_ASSIGNMENT_LIST")
        async with await RawClient.open(server.url) as bob:
            await bob.publish("bob", colour=GREEN)
            await alice.send("stop", streamId="alice")
            await until(lambda: "2" in viewer.heard and viewer.heard["2"].shows(GREEN))
            await until(lambda: directions(viewer.offers[-1]) == {"0": "", "1": "inactive", "2": "sendonly"})
            assert "a=msid:ARDAMS ARDAMSvbob" in viewer.offers[-1]["sdp"]


async def test_alone_in_the_room_there_is_only_the_data_channel(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice:
        await alice.publish("alice", colour=RED)
        await alice.play(own="alice")
        await until(lambda: alice.events("VIDEO_TRACK_ASSIGNMENT_LIST"))
        assert [directions(offer) for offer in alice.offers] == [{"0": ""}]
        await alice.send("stop", streamId="alice")
        await alice.expect("notification", "play_finished", streamId="room1")
        assert alice.playing is not None
        await until(lambda: alice.playing and alice.playing.connectionState == "closed")


async def test_only_wanted_tracks_and_single_streams_are_played(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as bob,
        await RawClient.open(server.url) as viewer,
        await RawClient.open(server.url) as single,
    ):
        await alice.publish("alice", colour=RED)
        await bob.publish("bob", colour=BLUE)
        await viewer.play(trackList=["!alice"])
        await sees(viewer, "ARDAMSvvideoTrack0", BLUE)
        assert viewer.owners() == ["bob"]
        await single.play("alice")
        await sees(single, "ARDAMSvvideoTrack0", RED)


async def test_everybody_in_the_room_reads_what_one_says(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as bob,
        await RawClient.open(server.url) as listener,
    ):
        for client, name in ((alice, "alice"), (bob, "bob")):
            await client.publish(name)
            await client.play(own=name)
        await listener.play()
        assert alice.channel is not None
        assert listener.play_channel is not None
        alice.channel.send("from alice")
        alice.channel.send(b"\x00\x01")
        listener.play_channel.send("from the listener")
        await until(lambda: {"from alice", b"\x00\x01", "from the listener"} <= set(bob.said))
        await until(lambda: "from the listener" in alice.said)
        await until(lambda: "from alice" in listener.said)
        assert "from alice" not in alice.said
        assert "from the listener" not in listener.said


async def test_a_chatterer_and_a_long_message_are_cut_off(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as listener:
        await alice.publish("alice")
        await listener.play()
        channel = alice.channel
        assert channel is not None
        channel.send("x" * ((64 << 10) + 1))
        for index in range(3 * TALK_LIMIT):
            channel.send(f"message {index}")
        await until(lambda: "message 0" in listener.said)

        def asks_until_heard() -> bool:
            channel.send("last word")
            return "last word" in listener.said

        # Refused while the second lasts. A new one begins at most once while the messages arrive.
        await until(asks_until_heard)
        texts = [text for text in listener.said if text.startswith("message ")]
        assert TALK_LIMIT - 1 <= len(texts) <= 2 * TALK_LIMIT
        assert not [text for text in listener.said if text.startswith("x")]


async def test_a_live_publisher_keeps_its_id_and_a_dead_one_gives_way(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as first, await RawClient.open(server.url) as second:
        await first.publish("alice", colour=RED)
        async with await RawClient.open(server.url) as viewer:
            await viewer.play()
            await sees(viewer, "ARDAMSvvideoTrack0", RED)
            await second.send("publish", streamId="alice", mainTrack="room1")
            await second.expect("error", "streamIdInUse", streamId="alice")
            await second.send("publish", streamId="keeper", mainTrack="room1")

            assert first.publishing is not None
            await first.publishing.close()
            await first.expect("notification", "publish_finished", streamId="alice")
            await viewer.expect("notification", "subtrackRemoved", trackId="alice")
            await second.publish("alice", colour=GREEN)
            await sees(viewer, "ARDAMSvvideoTrack0", GREEN)


async def test_the_same_socket_publishes_anew_and_viewers_stay(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED)
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        old = alice.publishing
        alice.messages.clear()
        await alice.publish("alice", colour=BLUE)
        await sees(viewer, "ARDAMSvvideoTrack0", BLUE)
        assert not viewer.found("notification", "play_finished")
        assert not alice.found("notification", "publish_finished")
        assert old is not None
        await old.close()


async def test_a_viewer_that_vanishes_is_forgotten(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED)
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        assert viewer.playing is not None
        await viewer.playing.close()
        await viewer.expect("notification", "play_finished", streamId="room1")
        viewer.messages.clear()
        viewer.heard.clear()
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)


async def test_a_socket_that_closes_takes_its_sessions_with_it(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as bob:
        await alice.publish("alice", colour=RED)
        await bob.publish("bob", colour=BLUE)
        await alice.play(own="alice")
        await bob.play(own="bob")
        await sees(bob, "ARDAMSvvideoTrack0", RED)
        alice.socket.transport.abort()
        await bob.expect("notification", "subtrackRemoved", trackId="alice")
        ended = [connection for connection in (alice.publishing, alice.playing) if connection is not None]
        await until(lambda: [connection.connectionState for connection in ended] == ["closed", "closed"])


async def test_a_viewer_that_stops_answering_is_dropped(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer_module, "ANSWER_TIMEOUT", 0.5)
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice")
        await viewer.play()
        viewer.answers_offers = False
        async with await RawClient.open(server.url) as bob:
            await bob.publish("bob", colour=RED)
            await viewer.expect("notification", "play_finished", streamId="room1")
            assert len(viewer.offers) == 2


async def test_changes_wait_for_the_answer(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED)
        viewer.answers_offers = False
        playing = asyncio.create_task(viewer.play())
        await until(lambda: viewer.offers)
        async with await RawClient.open(server.url) as bob:
            await bob.publish("bob", colour=BLUE)
            await bob.send("ping")
            await bob.expect("pong")
            assert len(viewer.offers) == 1
            viewer.answers_offers = True
            await viewer.answer(viewer.offers[0])
            await playing
            await sees(viewer, "ARDAMSvvideoTrack0", RED)
            await sees(viewer, "ARDAMSvvideoTrack1", BLUE)
            assert len(viewer.offers) == 2


async def test_a_publisher_adds_its_camera_later(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", hertz=440)
        await viewer.play()
        await hears(viewer, "ARDAMSaaudioTrack0", 440)
        assert viewer.owners() == []
        assert alice.publishing is not None
        alice.publishing.addTrack(Picture(GREEN))
        await alice.negotiate("alice")
        await sees(viewer, "ARDAMSvvideoTrack0", GREEN)
        assert viewer.owners() == ["alice"]


async def test_a_second_camera_is_declined(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED)
        assert alice.publishing is not None
        alice.publishing.addTrack(Picture(BLUE))
        answer = await alice.negotiate("alice")
        assert [line for line in answer.splitlines() if line in ("a=recvonly", "a=inactive")] == [
            "a=recvonly",
            "a=inactive",
        ]
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        assert viewer.owners() == ["alice"]


async def test_a_publisher_without_media_is_dropped() -> None:
    async with RoomServer(start_timeout=1.0) as server, await RawClient.open(server.url) as alice:
        await alice.send("publish", streamId="alice", mainTrack="room1")
        connection = alice.publishing = new_connection()
        connection.addTransceiver("audio", "sendonly")
        await alice.negotiate("alice")
        await until(lambda: connection.connectionState == "connected")
        await alice.expect("error", "publishTimeoutError", streamId="alice")
        assert not alice.found("notification", "publish_started")


async def test_a_publisher_opens_only_so_many_channels(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice:
        await alice.publish("alice")
        assert alice.publishing is not None
        more = [alice.publishing.createDataChannel(f"more {index}") for index in range(CHANNEL_LIMIT)]
        await until(lambda: more[-1].readyState == "closed")
        assert {channel.readyState for channel in more[:-1]} == {"open"}


async def test_nothing_is_decoded(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    decoders: list[object] = []
    monkeypatch.setattr(rtcrtpreceiver, "get_decoder", decoders.append)
    async with await RawClient.open(server.url) as alice:
        await alice.publish("alice", colour=RED, hertz=440)
        assert alice.publishing is not None
        tracks = [sender.track for sender in alice.publishing.getSenders()]
        await until(lambda: all(isinstance(track, (Picture, Tone)) and track.count > 10 for track in tracks))
    assert decoders == []


async def test_candidates_may_come_one_by_one_and_early() -> None:
    class Nobody:
        def publish_ended(self, ingest: Ingest, ending: Ending) -> None:
            pass

    connection = new_connection()
    connection.addTrack(Picture(RED))
    lines = (await describe(connection)).splitlines()
    candidates = [line[2:] for line in lines if line.startswith("a=candidate:")]
    rest = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of"))]
    ingest = Ingest(cast("Publisher", Nobody()), "alice", Addresses.LOOPBACK, 10.0)
    for candidate in candidates:
        await ingest.take_candidate(candidate, 0, "0")
    await ingest.answer("\r\n".join(rest) + "\r\n")
    await ingest.take_candidate(candidates[0].replace("127.0.0.1", "127.0.0.2"), 0, "0")
    await ingest.take_candidate("rubbish", 0, "0")
    transport = ingest._connection.getTransceivers()[0].receiver.transport.transport
    assert [known.ip for known in transport.getRemoteCandidates()] == ["127.0.0.1", "127.0.0.2"]
    await ingest.aclose()
    await connection.close()


async def test_a_busy_room_leaves_no_thread_and_no_task() -> None:
    threads, tasks = set(threading.enumerate()), asyncio.all_tasks()
    server = RoomServer()
    await server.start()
    alice, bob = await RawClient.open(server.url), await RawClient.open(server.url)
    for client, name, colour in ((alice, "alice", RED), (bob, "bob", BLUE)):
        await client.publish(name, colour=colour, hertz=440)
        await client.play(own=name)
    await sees(alice, "ARDAMSvvideoTrack0", BLUE)
    await sees(bob, "ARDAMSvvideoTrack0", RED)
    async with asyncio.timeout(2):
        await server.aclose()
    await asyncio.gather(alice.aclose(), bob.aclose())
    await until(lambda: asyncio.all_tasks() <= tasks, "no task is left")
    left = {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}
    assert left <= threads
