"""Every method of the official SDK that goes on the wire, by its answer or by what the tab then sees and hears."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from tests.interop.person import people
from tests.interop.tab import Tab, everybody_meets, room, tab
from tests.waiting import until_found
from tui.core.auth import Credentials, Totp
from tui.server.access import Secrets
from tui.server.options import Options
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Collection

    from playwright.async_api import Browser

    from tests.interop.person import Somebody

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="session")]


async def test_tracks_are_switched(browser: Browser, pages: str) -> None:
    """toggleVideo, toggleAudio and enableTrack are obeyed for the one who asks, and for nobody else."""
    async with room(browser, pages) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)

        await bob.call("toggleVideo", "room1", "alice", False)
        await bob.loses(alice, "video")
        await asyncio.gather(bob.hears(alice), bob.meets(carol), carol.meets(alice))
        await bob.call("toggleVideo", "room1", "alice", True)
        await bob.sees(alice)

        await bob.call("toggleAudio", "room1", "carol", False)
        await bob.loses(carol, "audio")
        await asyncio.gather(bob.sees(carol), bob.hears(alice), alice.hears(carol))
        await bob.call("toggleAudio", "room1", "carol", True)
        await bob.hears(carol)

        await bob.call("enableTrack", "room1", "carol", False)
        await bob.loses(carol, "video")
        await bob.loses(carol, "audio")
        await bob.meets(alice)
        await bob.call("enableTrack", "room1", "carol", True)
        await bob.meets(carol)


async def slots(one: Tab) -> dict[str, tuple[str, str]]:
    """Every slot as getDebugInfo tells it: who is in it, and whether it is reserved."""
    answer = await one.asks("getDebugInfo", one.stream_id, answer="debugInfo")
    found = {}
    for line in answer["debugInfo"].splitlines():
        fields = dict(field.split(":") for field in line.strip("{}").split(","))
        found[fields["label"]] = (fields["assigned stream id"], fields["reserved"])
    return found


async def until_seated(one: Tab, owners: Collection[str], reserved: Collection[str] = ()) -> None:
    """Exactly these have video slots, as the server says and as the page shows."""

    async def are_seated() -> bool:
        video = [entry for label, entry in (await slots(one)).items() if label.startswith("video")]
        shown = {owner for owner, kind in await one.media() if kind == "video"}
        seated = {owner for owner, _ in video if owner}
        pinned = {owner for owner, pinned in video if owner and pinned == "true"}
        return seated == shown == set(owners) and pinned == set(reserved)

    await until_found(are_seated, what=f"{set(owners)} in the video slots")


async def test_slots_are_limited_pinned_and_paged(browser: Browser, pages: str) -> None:
    """setMaxVideoTrackCount, assignVideoTrack, updateVideoTrackAssignments; getDebugInfo shows it."""
    async with room(browser, pages) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        await until_seated(bob, {"alice", "carol"})

        await bob.call("setMaxVideoTrackCount", "bob", 1)
        await until_found(lambda: has_slots(bob, 1))
        await bob.call("assignVideoTrack", "videoTrack0", "carol", True)
        await until_seated(bob, {"carol"}, reserved={"carol"})
        await bob.sees(carol)
        await asyncio.gather(bob.hears(alice), bob.hears(carol))
        await bob.call("assignVideoTrack", "videoTrack0", "alice", True)
        await until_seated(bob, {"alice"}, reserved={"alice"})
        await bob.sees(alice)
        await bob.call("assignVideoTrack", "videoTrack0", "alice", False)
        await until_seated(bob, {"alice"})

        await bob.call("updateVideoTrackAssignments", "room1", 1, 1)
        await until_seated(bob, {"carol"})
        await bob.sees(carol)

        before = len(await bob.heard())
        await bob.call("requestVideoTrackAssignments", "room1")
        await until_found(lambda: is_told_who_sits(bob, before, {"carol"}))

        await bob.call("setMaxVideoTrackCount", "bob", -1)
        await until_seated(bob, {"alice", "carol"})
        await bob.meets(alice, carol)
        await carol.meets(alice, bob)


async def has_slots(one: Tab, count: int) -> bool:
    return sum(label.startswith("video") and bool(owner) for label, (owner, _) in (await slots(one)).items()) == count


async def is_told_who_sits(one: Tab, since: int, owners: set[str]) -> bool:
    events = [event for event in (await one.heard())[since:] if event.get("eventType") == "VIDEO_TRACK_ASSIGNMENT_LIST"]
    return bool(events) and {entry["trackId"] for entry in events[-1]["payload"]} - {""} == owners


async def test_what_is_asked_is_answered(browser: Browser, pages: str) -> None:
    """getTracks, getStreamInfo, getRoomInfo, getSubscriberCount, getSubscriberList, getSubtracks by role, ping."""
    async with room(browser, pages) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        everybody = {"alice", "bob", "carol"}

        assert set((await bob.asks("getTracks", "room1", "", answer="trackList"))["trackList"]) == everybody
        (info,) = (await bob.asks("getStreamInfo", "carol", answer="streamInformation"))["streamInfo"]
        assert (info["streamWidth"], info["streamHeight"]) == (320, 180)
        assert info["videoCodec"].lower() == "vp8"
        assert info["videoBitrate"] > 0
        assert info["audioBitrate"] > 0
        about = await bob.asks("getRoomInfo", "room1", "bob", answer="roomInformation")
        assert {entry["streamId"]: entry["streamName"] for entry in about["streamList"]} == {
            one: one.title() for one in everybody
        }
        assert set(about["streams"]) == everybody
        assert (await bob.asks("getSubscriberCount", "room1", answer="subscriberCount"))["count"] == 3
        listed = await bob.asks("getSubscriberList", "room1", 0, 2, answer="subscriberList")
        assert len(listed["subscriberList"]) == 2
        assert all(json.loads(entry)["streamId"] == "room1" for entry in listed["subscriberList"])
        assert (await bob.asks("getSubtracks", "room1", "host", 0, 9, answer="subtrackList"))["subtrackList"] == []
        await bob.told("bitrateMeasurement")
        await bob.told("pong")

        bob.expected_errors |= {"no_stream_exist", "no_active_streams_in_room"}
        await bob.call("getStreamInfo", "nobody")
        assert (await bob.fails("no_stream_exist"))["streamId"] == "nobody"
        await bob.call("getRoomInfo", "room2", "bob")
        assert (await bob.fails("no_active_streams_in_room"))["room"] == "room2"


async def test_a_single_stream_is_played(browser: Browser, pages: str) -> None:
    """play in its object form, without a room; forceStreamQuality."""
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        tab(browser, pages, server.url, "bob") as bob,
        tab(browser, pages, server.url, "erin", playOnly=True) as erin,
    ):
        await bob.join()
        await bob.told("publish_started")
        await erin.watch({"streamId": "bob", "subscriberId": "erin-7", "subscriberName": "Erin", "subscriberCode": ""})
        await erin.meets(bob)
        (viewer,) = (await bob.asks("getSubscriberList", "bob", 0, 9, answer="subscriberList"))["subscriberList"]
        assert (json.loads(viewer)["subscriberId"], json.loads(viewer)["subscriberName"]) == ("erin-7", "Erin")
        assert (await erin.asks("forceStreamQuality", "bob", 180, answer="resolutionChangeInfo"))["streamHeight"] == 180
        await bob.leave()
        await erin.told("play_finished")


async def test_only_the_wanted_tracks_are_played(browser: Browser, pages: str) -> None:
    """The track list of play, and disableTracksByDefault, which enableTrack lifts for one."""
    async with (
        room(browser, pages) as (server, alice, bob, carol),
        tab(browser, pages, server.url, "erin", playOnly=True) as erin,
    ):
        await everybody_meets(alice, bob, carol)
        await erin.watch({"streamId": "room1", "roomId": "room1", "enableTracks": ["!alice"]})
        await erin.meets(bob, carol)
        assert await erin.owners() == {"bob", "carol"}
        await erin.unwatch()

        await erin.watch({"streamId": "room1", "roomId": "room1", "disableTracksByDefault": True})
        await erin.told("play_started")
        for one in (alice, bob, carol):
            await loses_all(erin, one)
        await erin.call("enableTrack", "room1", "bob", True)
        await erin.meets(bob)
        await loses_all(erin, carol)


async def loses_all(one: Tab, other: Somebody) -> None:
    await one.loses(other, "video")
    await one.loses(other, "audio")


async def test_binary_data_goes_in_pieces(browser: Browser, pages: str) -> None:
    """sendData of what does not fit into one message, both ways; updateAudioLevel, which is an event."""
    async with room(browser, pages) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        for size in (40, 40_000):
            from_bob, from_alice = (bytes(factor * index % 256 for index in range(size)) for factor in (7, 3))
            await bob.say(from_bob)
            await carol.gets_bytes(from_bob)
            await alice.say(from_alice)
            await asyncio.gather(bob.gets_bytes(from_alice), carol.gets_bytes(from_alice))
        assert [obj["data"] for obj in alice.received() if "bytes" in obj["data"]] == ["40 bytes", "40000 bytes"]

        await bob.call("updateAudioLevel", "bob", 41)
        wanted = {"eventType": "UPDATE_AUDIO_LEVEL", "streamId": "bob", "audioLevel": 41}
        await asyncio.gather(carol.gets(wanted), alice.gets(wanted))


async def test_the_figures_of_the_sdk(browser: Browser, pages: str) -> None:
    """enableStats counts what this server forwards as what it is."""
    async with room(browser, pages) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        await bob.call("enableStats", "room1", 500)
        stats: dict[str, Any] = {}

        async def counts() -> bool:
            stats.update(await bob.told("updated_stats", since=len(await bob.log())))
            return bool(stats["framesDecoded"] > 10 and stats["audioPacketsReceived"] > 10)

        await until_found(counts, what=lambda: f"figures: {stats}")
        tracks = {entry["trackIdentifier"] for entry in stats["inboundRtpList"]}
        assert tracks == {f"ARDAMS{kind[0]}{kind}Track{number}" for kind in ("video", "audio") for number in (0, 1)}
        assert stats["videoPacketsLost"] == stats["audioPacketsLost"] == 0


async def test_push_is_refused_by_name(browser: Browser, pages: str) -> None:
    """registerPushNotificationToken, sendPushNotification, sendPushNotificationToTopic."""
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        tab(browser, pages, server.url, "bob", "authenticationTokenNotValid") as bob,
    ):
        for method, *arguments in (
            ("registerPushNotificationToken", "bob", "a.b.c", "device", "fcm"),
            ("sendPushNotification", "bob", "a.b.c", {"title": "hi"}, ["carol"]),
            ("sendPushNotificationToTopic", "bob", "a.b.c", {"title": "hi"}, "news"),
        ):
            since = len(await bob.log())
            await bob.call(str(method), *arguments)
            await bob.fails("authenticationTokenNotValid", since=since)


async def test_two_tabs_call_each_other(browser: Browser, pages: str) -> None:
    """join, peerMessage and leave: peer to peer, the server only relays."""
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        tab(browser, pages, server.url, "bob", dataOnly=True) as bob,
        tab(browser, pages, server.url, "carol", dataOnly=True) as carol,
    ):
        await bob.call("join", "call7")
        await bob.told("joined")
        await carol.call("join", "call7")
        await asyncio.gather(*(one.told("data_channel_opened") for one in (bob, carol)))
        event = {"eventType": "CHAT_MESSAGE", "streamId": "bob", "message": "from one to the other"}
        await bob.say(event, "call7")
        await carol.gets(event)
        await carol.call("peerMessage", "call7", "note", "psst")
        relayed = await bob.told("peerMessageCommand")
        assert (relayed["streamId"], relayed["definition"], relayed["data"]) == ("call7", "note", "psst")
        await bob.call("leave", "call7")
        await bob.told("leaved")
        await until_found(lambda: carol.page.evaluate("room.adaptor.signallingState('call7') === null"))


async def test_the_older_way_to_leave(browser: Browser, pages: str) -> None:
    """leaveFromRoom is answered; it does not stop what is published."""
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        tab(browser, pages, server.url, "bob") as bob,
    ):
        assert (await bob.asks("leaveFromRoom", "room1", "bob", answer="leavedFromRoom"))["ATTR_ROOM_NAME"] == "room1"


async def test_refusals_by_name(browser: Browser, pages: str) -> None:
    """What the SDK hears when it publishes or plays what it must not."""
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        tab(browser, pages, server.url, "bob") as bob,
        tab(browser, pages, server.url, "carol", "streamIdInUse", "invalidStreamName", "already_playing") as carol,
    ):
        await bob.join()
        await bob.told("publish_started")
        await carol.call("publish", "bob", "", "", "", "Bob", "room1", "{}", "")
        assert (await carol.fails("streamIdInUse"))["streamId"] == "bob"
        await carol.call("stop", "bob")
        await carol.call("publish", "no such name!", "", "", "", "", "room1", "{}", "")
        await carol.fails("invalidStreamName")
        await carol.call("stop", "no such name!")
        await carol.join()
        await carol.meets(bob)
        await bob.meets(carol)
        await carol.call("play", "room1", "", "room1", [], "", "", "", "")
        await carol.fails("already_playing")
        await carol.meets(bob)


async def test_who_shows_a_token_or_a_code_is_let_in(browser: Browser, pages: str) -> None:
    """A JWT for the room, and the code of a subscriber; without them publish and play are refused."""
    key, secret = "0123456789abcdef0123456789abcdef", "the room's own"
    token = jwt.encode({"streamId": "room1", "type": "publish", "exp": time.time() + 60}, key, "HS256")
    totp = Totp(secret, registered=False)
    code = totp.code("sub-7", "room1", "publish")
    async with (
        RoomServer(allowed_origins=[pages], options=Options(secrets=Secrets(jwt=key, totp=secret))) as server,
        people(server, "alice", credentials=Credentials(subscriber_id="sub-8", totp=totp)) as (alice,),
        tab(browser, pages, server.url, "bob", token=token) as bob,
        tab(browser, pages, server.url, "carol", subscriberId="sub-7", subscriberCode=code) as carol,
        tab(browser, pages, server.url, "dave", "unauthorized_access") as dave,
    ):
        for one in (bob, carol, dave):
            await one.join()
        await everybody_meets(alice, bob, carol)
        refused = {
            entry["obj"].get("streamId") for entry in await dave.log() if entry.get("error") == "unauthorized_access"
        }
        assert refused == {"dave", "room1"}
        assert set(alice.others()) == {"bob", "carol"}
