"""Real media through the server: raw aiortc clients publish a colour and a tone, and look for them at the viewer."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, cast

import pytest
from aiortc import rtcrtpreceiver
from aiortc.rtp import is_rtcp

from tui.allowance import Allowance
from tui.core.aiortc_internals import Addresses, transmission
from tui.core.channel import BINARY_LIMIT, chunks
from tui.server import client as client_module
from tui.server import viewer as viewer_module
from tui.server.client import TALK_LIMIT
from tui.server.forwarding import SendQueue
from tui.server.ingest import Ingest
from tui.server.options import Options
from tui.server.session import CHANNEL_LIMIT
from tui.server.signaling import RoomServer
from tui.server.slots import Labels, Limits

from .raw_client import (
    BLUE,
    GREEN,
    HEIGHT,
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


VP8, H264 = "video/VP8", "video/H264"


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
        assert [line.split()[1] for line in offer.splitlines() if line.startswith("a=rtpmap:")] == [
            "VP8/90000",
            "H264/90000",
            "opus/48000/2",
        ]
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


async def test_who_speaks_learns_that_a_listener_has_a_bad_line(
    server: RoomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = SendQueue.put
    packets = 0

    def losing(queue: SendQueue, outlet: RtpOutlet, data: bytes) -> None:
        nonlocal packets
        packets += 1
        if packets % 5 or is_rtcp(data):
            put(queue, outlet, data)

    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as good:
        await alice.publish("alice", hertz=440)
        await good.play()
        assert alice.publishing is not None
        sender = alice.publishing.getSenders()[0]
        await until(lambda: transmission(sender).jitter > 0, "a report")
        assert transmission(sender).fraction_lost == 0.0
        monkeypatch.setattr(SendQueue, "put", losing)
        await until(lambda: transmission(sender).fraction_lost > 0.1, "a report of loss")
        assert transmission(sender).lost == 0, "nothing was lost on the way up"
        monkeypatch.setattr(SendQueue, "put", put)
        await until(lambda: transmission(sender).fraction_lost == 0.0, "a report without loss")


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
        RoomServer(options=Options(labels=Labels.STREAM, id_mapping=False)) as server,
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


async def test_a_chatterer_and_a_long_message_are_cut_off(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(client_module, "Allowance", lambda limit, seconds: Allowance(limit, seconds, lambda: now))
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as listener:
        await alice.publish("alice")
        await listener.play()
        channel = alice.channel
        assert channel is not None
        channel.send("x" * ((64 << 10) + 1))
        for index in range(3 * TALK_LIMIT):
            channel.send(f"message {index}")
        await until(lambda: f"message {TALK_LIMIT - 1}" in listener.said)

        def asks_until_heard() -> bool:
            nonlocal now
            now += 1.0
            channel.send("last word")
            return "last word" in listener.said

        # In order, so that every message before has been refused or passed on.
        channel.send("not this word")
        await until(lambda: channel.bufferedAmount == 0)
        texts = [text for text in listener.said if isinstance(text, str) and not text.startswith("{")]
        assert texts == [f"message {index}" for index in range(TALK_LIMIT)]
        await until(asks_until_heard)


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


async def test_a_publisher_that_comes_back_is_shown_in_the_same_slots(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as viewer, await RawClient.open(server.url) as alice:
        await alice.publish("alice", colour=RED, hertz=440)
        await viewer.play()
        track = await sees(viewer, "ARDAMSvvideoTrack0", RED)
        offers = len(viewer.offers)
        alice.socket.transport.abort()
        await until(lambda: alice.publishing and alice.publishing.connectionState == "closed")
        async with await RawClient.open(server.url) as again:
            again.video_codecs = (H264,)
            await again.publish("alice", "session_restored", colour=BLUE, hertz=880)
            assert await sees(viewer, "ARDAMSvvideoTrack0", BLUE) is track
            await hears(viewer, "ARDAMSaaudioTrack0", 880)
            assert len(viewer.offers) == offers
            assert viewer.owners() == ["alice"]
            assert not viewer.found("notification", "subtrackRemoved")


async def test_a_publisher_that_comes_back_without_its_camera_frees_that_slot(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as viewer, await RawClient.open(server.url) as alice:
        await alice.publish("alice", colour=RED, hertz=440)
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        alice.socket.transport.abort()
        await until(lambda: alice.publishing and alice.publishing.connectionState == "closed")
        async with await RawClient.open(server.url) as again:
            await again.publish("alice", "session_restored", hertz=880)
            await hears(viewer, "ARDAMSaaudioTrack0", 880)
            await until(lambda: viewer.owners() == [""])
            assert viewer.owners("AUDIO_TRACK_ASSIGNMENT") == ["alice"]
            assert directions(viewer.offers[-1]) == {"0": "", "1": "inactive", "2": "sendonly"}


@pytest.mark.parametrize("codec", [H264, VP8])
async def test_both_codecs_meet_in_one_room_and_share_a_slot(server: RoomServer, codec: str) -> None:
    async with await RawClient.open(server.url) as viewer, await RawClient.open(server.url) as alice:
        alice.video_codecs = (codec,)
        await alice.publish("alice", colour=RED)
        await viewer.play()
        track = await sees(viewer, "ARDAMSvvideoTrack0", RED)
        async with await RawClient.open(server.url) as bob:
            bob.video_codecs = (VP8 if codec == H264 else H264,)
            await bob.publish("bob", colour=GREEN)
            await sees(viewer, "ARDAMSvvideoTrack1", GREEN)
            await viewer.send("setMaxVideoTrackCountCommand", streamId="room1", maxTrackCount=1)
            await until(lambda: viewer.owners() == ["alice", ""])
            offers = len(viewer.offers)
            for owner, colour in (("bob", GREEN), ("alice", RED), ("bob", GREEN)):
                await viewer.send("assignVideoTrackCommand", streamId=owner, videoTrackId="videoTrack0", enabled=True)
                assert await sees(viewer, "ARDAMSvvideoTrack0", colour) is track
                assert viewer.owners() == [owner, ""]
            assert len(viewer.offers) == offers


@pytest.mark.parametrize("codecs", [(VP8, H264), (H264, VP8)])
async def test_the_publishers_first_codec_is_taken(server: RoomServer, codecs: tuple[str, ...]) -> None:
    async with await RawClient.open(server.url) as alice:
        alice.video_codecs = codecs
        await alice.publish("alice", colour=RED)
        assert alice.publishing is not None
        answer = alice.publishing.remoteDescription.sdp
        names = [line.split()[1] for line in answer.splitlines() if line.startswith("a=rtpmap:")]
        assert names == [f"{codecs[0].removeprefix('video/')}/90000"]


async def test_a_publisher_without_a_codec_for_anybody_is_refused(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice:
        await alice.send("publish", streamId="alice", mainTrack="room1")
        connection = new_connection()
        connection.addTrack(Picture(RED))
        sdp = (await describe(connection)).replace("VP8/90000", "AV1/90000").replace("H264/90000", "H265/90000")
        await alice.send("takeConfiguration", streamId="alice", type="offer", sdp=sdp)
        await alice.expect("error", "notSetRemoteDescription", streamId="alice")
        await connection.close()


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
    async with RoomServer(options=Options(start_timeout=1.0)) as server, await RawClient.open(server.url) as alice:
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


async def test_a_player_may_speak_on_a_channel_of_its_own(server: RoomServer) -> None:
    """As the official SDK does when it plays by the object form of its call."""
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as viewer,
        await RawClient.open(server.url) as other,
    ):
        await alice.publish("alice")
        await other.play()
        viewer._prepare_playing()
        assert viewer.playing is not None
        own = viewer.playing.createDataChannel("room1")
        await viewer.send("play", streamId="room1")
        await viewer.expect("notification", "play_started")
        await until(lambda: own.readyState == "open")
        own.send("hello")
        await until(lambda: "hello" in other.said)
        assert "hello" not in viewer.said
        more = [viewer.playing.createDataChannel(f"more {index}") for index in range(CHANNEL_LIMIT)]
        await until(lambda: more[-1].readyState == "closed")
        more[0].close()
        await until(lambda: more[0].readyState == "closed")
        # One that is closed makes room for another.
        more[0] = viewer.playing.createDataChannel("again")
        await until(lambda: more[0].readyState == "open")
        more[0].send("hello again")
        await until(lambda: "hello again" in other.said)


async def test_a_binary_of_the_longest_kind_passes(server: RoomServer) -> None:
    pieces = list(chunks(bytes(range(256)) * (BINARY_LIMIT // 256)))
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice")
        await viewer.play()
        assert alice.channel is not None
        for piece in pieces:
            alice.channel.send(piece)
        await until(lambda: [said for said in viewer.said if isinstance(said, bytes)] == pieces)


async def test_nothing_is_decoded(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    decoders: list[object] = []
    monkeypatch.setattr(rtcrtpreceiver, "get_decoder", decoders.append)
    async with await RawClient.open(server.url) as alice:
        await alice.publish("alice", colour=RED, hertz=440)
        assert alice.publishing is not None
        tracks = [sender.track for sender in alice.publishing.getSenders()]
        await until(lambda: all(isinstance(track, (Picture, Tone)) and track.count > 10 for track in tracks))
    assert decoders == []


async def test_a_player_says_what_it_wants_to_be_sent(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED, hertz=440)
        await viewer.play(disableTracksByDefault=True)
        await until(lambda: viewer.owners() == ["alice"] and len(viewer.heard) == 2)
        await viewer.send("toggleAudio", streamId="room1", trackId="alice", enabled=True)
        await hears(viewer, "ARDAMSaaudioTrack0", 440)
        track = viewer.track("ARDAMSvvideoTrack0")
        assert track is not None
        assert track.frames == 0
        await viewer.send("enableTrack", streamId="room1", trackId="alice", enabled=True)
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        await viewer.send("toggleVideo", streamId="room1", trackId="alice", enabled=False)
        await stands_still(track)
        await hears(viewer, "ARDAMSaaudioTrack0", 440)
        await viewer.send("toggleVideo", streamId="room1", trackId="alice", enabled=True)
        track.forget()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        assert len(viewer.offers) == 2


async def stands_still(track: Heard) -> None:
    """Nothing more arrives: half a second is seven pictures."""
    seen, since = -1, time.monotonic()

    def quiet() -> bool:
        nonlocal seen, since
        if track.frames != seen:
            seen, since = track.frames, time.monotonic()
        return time.monotonic() - since > 0.5

    await until(quiet)


async def test_a_player_pages_through_a_room_of_more_than_its_slots() -> None:
    colours = {"alice": RED, "bob": GREEN, "carol": BLUE}
    async with (
        RoomServer(options=Options(limits=Limits(video=1))) as server,
        await RawClient.open(server.url) as viewer,
        AsyncExitStack() as people,
    ):
        for name, colour in colours.items():
            client = await people.enter_async_context(await RawClient.open(server.url))
            await client.publish(name, colour=colour)
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        offers = len(viewer.offers)
        for offset, (name, colour) in enumerate(colours.items()):
            await viewer.send("updateVideoTrackAssignmentsCommand", streamId="room1", offset=offset, size=1)
            await sees(viewer, "ARDAMSvvideoTrack0", colour)
            await until(lambda name=name: viewer.owners() == [name])  # type: ignore[misc]
        assert len(viewer.offers) == offers
        await viewer.send("setMaxVideoTrackCountCommand", streamId="room1", maxTrackCount=3)
        await viewer.send("getVideoTrackAssignmentsCommand", streamId="room1")
        await until(lambda: len(viewer.events("VIDEO_TRACK_ASSIGNMENT_LIST")) > 4)
        assert len(viewer.owners()) == 1, "no more than the server allows"


async def test_the_limit_may_be_set_by_the_own_streams_id(server: RoomServer) -> None:
    async with (
        await RawClient.open(server.url) as alice,
        await RawClient.open(server.url) as bob,
        await RawClient.open(server.url) as carol,
    ):
        await alice.publish("alice", colour=RED)
        await bob.publish("bob", colour=GREEN)
        await carol.publish("carol")
        await carol.play(own="carol")
        await until(lambda: carol.owners() == ["alice", "bob"])
        await carol.send("setMaxVideoTrackCountCommand", streamId="carol", maxTrackCount=1)
        await until(lambda: carol.owners() == ["alice", ""])
        await alice.send("setMaxVideoTrackCountCommand", streamId="room1", maxTrackCount=0)
        await carol.send("setMaxVideoTrackCountCommand", streamId="carol", maxTrackCount=-1)
        await until(lambda: carol.owners() == ["alice", "bob"])


async def test_a_wish_for_another_quality_is_answered_with_the_one_there_is(server: RoomServer) -> None:
    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED)
        await viewer.play()
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        await viewer.send("forceStreamQuality", streamId="room1", streamHeight="auto", trackId="alice")
        told = await viewer.expect("notification", "resolutionChangeInfo")
        assert (told["streamId"], told["streamHeight"]) == ("room1", HEIGHT)
        await viewer.send("forceStreamQuality", streamId="room1", streamHeight=360)
        await viewer.send("ping")
        await viewer.expect("pong")
        assert len(viewer.found("notification", "resolutionChangeInfo")) == 1


async def test_garbage_among_the_media_disturbs_nobody(server: RoomServer) -> None:
    numbers = itertools.count(1)

    def rtp(head: bytes, payload_type: int, rest: bytes) -> bytes:
        return head + bytes([payload_type, 0, next(numbers)]) + bytes(4) + b"\x00\x00\x00\x07" + rest

    async with await RawClient.open(server.url) as alice, await RawClient.open(server.url) as viewer:
        await alice.publish("alice", colour=RED)
        await viewer.play()
        track = await sees(viewer, "ARDAMSvvideoTrack0", RED)
        assert alice.publishing is not None
        assert viewer.playing is not None
        up = alice.publishing.getSenders()[0]
        down = viewer.playing.getTransceivers()[0].receiver.transport
        ssrc = up._ssrc.to_bytes(4, "big")
        hostile = [
            rtp(b"\x80", 55, b"unknown payload type"),
            rtp(b"\x8f", 97, bytes(60) + b"fifteen sources"),
            rtp(b"\x90", 97, b"\xbe\xde\x00\x01\x30\x01\x00\x00" + b"a short extension"),
            rtp(b"\xa0", 97, b"\x00" * 3 + b"\x04"),
            rtp(b"\xa0", 97, b"\xff"),
            b"\x8f\xce\x00\x04" + bytes(8) + b"REMB\xff\x00\x00\x00",
            b"\x8f\xce\x00\x05" + bytes(8) + b"REMB\x01\xff\xff\xff" + ssrc,
            b"\x81\xcb\x00\x01" + b"\x00\x00\x00\x01",
            b"\x81\xc9\xff\xff" + bytes(4),
        ]
        for transport in (up.transport, down):
            for packet in hostile:
                await transport._send_rtp(packet)
        for _ in range(300):
            await down._send_rtp(b"\x81\xce\x00\x02" + bytes(4) + ssrc)
        track.forget()
        frames = track.frames
        await sees(viewer, "ARDAMSvvideoTrack0", RED)
        await until(lambda: track.frames > frames + 10)
        assert not viewer.found("notification", "play_finished")
        assert not alice.found("notification", "publish_finished")


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
