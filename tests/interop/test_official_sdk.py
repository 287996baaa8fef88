"""The official SDK in two tabs of a real browser, and one of us, in a room of the local server: by content."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.person import people
from tests.interop.tab import Tab, everybody_meets, room, tab
from tests.waiting import until, until_found
from tui.core.events import Announced, ChatMessage, ModeratorRequest, Notice, Reaction, Wish
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Labels

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="session")]


BLACK = (0, 0, 0)
META_DATA = {"PAGE": '{"isMicMuted":true,"isCameraOff":false}', "CIRCLE": '{"isMicMuted":true,"isCameraOn":true}'}
FAKE_CAMERA = (0, 135, 0)
FAKE_MICROPHONE = 398.0


@pytest.fixture(params=Labels, ids=lambda labels: labels.name.lower())
def labels(request: pytest.FixtureRequest) -> Labels:
    found: Labels = request.param
    return found


async def broadcast(asker: Tab, stream_id: str) -> dict[str, Any]:
    """What the server says of a stream."""
    answer = await asker.asks("getBroadcastObject", stream_id, answer="broadcastObject")
    assert answer["streamId"] == stream_id
    found: dict[str, Any] = json.loads(answer["broadcast"])
    return found


async def until_meta_data(asker: Tab, stream_id: str, text: str) -> None:
    """A participant's metaData is this, for whoever asks."""

    async def is_stored() -> bool:
        return bool((await broadcast(asker, stream_id))["metaData"] == text)

    await until_found(is_stored, what=f"{text} of {stream_id}")


def drop_socket(server: RoomServer, stream_id: str) -> None:
    """Cut the connection of that publisher without a word."""
    (connection,) = (found for found in server._connections if stream_id in found.client.ingests)
    connection._socket.transport.abort()


async def test_everybody_sees_and_hears_everybody(browser: Browser, pages: str, labels: Labels) -> None:
    async with room(browser, pages, labels) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        assert await bob.owners() == {"alice", "carol"}
        assert await carol.owners() == {"alice", "bob"}
        assert set(alice.others()) == {"bob", "carol"}
        assert len(alice.tracks) == 4


def chat(sender: str, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """One message as PAGE and as CIRCLE write it, without what is different each time."""
    circle = {"eventType": "MESSAGE_RECEIVED", "message": text, "name": sender.title(), "senderId": sender}
    return {"eventType": "CHAT_MESSAGE", "streamId": sender, "message": text}, circle


async def test_chat_in_both_dialects_reaches_everybody_else(browser: Browser, pages: str, labels: Labels) -> None:
    async with room(browser, pages, labels) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        for sender, hearer in ((bob, carol), (carol, bob)):
            for event in chat(sender.stream_id, f"grüezi <b>mitenand</b>, says {sender.stream_id}"):
                await sender.say({"date": "Tue Sep 02 2025 10:11:12 GMT+0000 (Coordinated Universal Time)"} | event)
                await asyncio.gather(alice.gets(event), hearer.gets(event))
        # What came in both dialects was said once.
        assert [(said.sender, said.text) for said in alice.events if isinstance(said, ChatMessage)] == [
            (sender, f"grüezi <b>mitenand</b>, says {sender}") for sender in ("bob", "carol")
        ]
        assert alice.conference.say("hello, tabs")
        for event in chat("alice", "hello, tabs"):
            await asyncio.gather(bob.gets(event), carol.gets(event))
        for one in (alice, bob, carol):
            events = await one.heard()
            assert not any(one.stream_id in (event.get("senderId"), event.get("streamId")) for event in events)


async def test_requests_and_reactions_go_both_ways(browser: Browser, pages: str) -> None:
    async with room(browser, pages) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)

        await bob.say({"eventType": "TURN_YOUR_MIC_OFF", "streamId": "alice", "senderStreamId": "bob"})
        request = await until(
            lambda: next((event for event in alice.events if isinstance(event, ModeratorRequest)), None)
        )
        assert request is not None
        assert (request.wish, request.sender) == (Wish.MICROPHONE_OFF, "bob")
        await alice.conference.answer_request(request, True)
        await asyncio.gather(*(one.gets({"eventType": "MIC_MUTED", "streamId": "alice"}) for one in (bob, carol)))
        await asyncio.gather(bob.hears(alice, 0.0), carol.hears(alice, 0.0))

        assert alice.conference.ask(Wish.CAMERA_OFF, "carol")
        await carol.gets({"eventType": "TURN_YOUR_CAM_OFF", "streamId": "carol", "senderStreamId": "alice"})

        reaction = {"eventType": "REACTIONS", "reaction": "thumbs_up"}
        assert alice.conference.react("thumbs_up")
        await asyncio.gather(*(one.gets(reaction | {"senderStreamId": "alice"}) for one in (bob, carol)))
        await carol.say(reaction | {"streamId": "carol", "senderStreamId": "carol", "senderStreamName": "Carol"})
        await until(lambda: Reaction("carol", "Carol", "thumbs_up") in alice.events)

        hand = {"eventType": "REQUEST_BECOME_PUBLISHER", "streamId": "room1"}
        await bob.say(hand | {"senderStreamId": "bob", "senderStreamName": "Bob"})
        await until(lambda: Announced(Notice.HAND_RAISED, "bob", "Bob") in alice.events)


@pytest.mark.parametrize(
    ("labels", "dialect"), [(Labels.STREAM, "PAGE"), (Labels.SLOT, "CIRCLE")], ids=["stream-PAGE", "slot-CIRCLE"]
)
async def test_a_tab_turns_its_devices_off_and_on(browser: Browser, pages: str, labels: Labels, dialect: str) -> None:
    async with room(browser, pages, labels) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)

        await bob.turn("microphone", False, dialect)
        await carol.gets({"eventType": "MIC_MUTED", "streamId": "bob"})
        await until(lambda: (about := alice.about(bob)) and not about.microphone)
        await asyncio.gather(alice.hears(bob, 0.0), carol.hears(bob, 0.0))
        await until_meta_data(carol, "bob", META_DATA[dialect])

        await bob.turn("camera", False, dialect)
        await carol.gets({"eventType": "CAM_TURNED_OFF", "streamId": "bob"})
        await until(lambda: (about := alice.about(bob)) and not about.camera)
        await asyncio.gather(alice.sees(bob, BLACK), carol.sees(bob, BLACK))

        await bob.turn("microphone", True, dialect)
        await bob.turn("camera", True, dialect)
        await carol.gets({"eventType": "MIC_UNMUTED", "streamId": "bob"})
        await carol.gets({"eventType": "CAM_TURNED_ON", "streamId": "bob"})
        await until(lambda: (about := alice.about(bob)) and about.microphone and about.camera)
        await asyncio.gather(alice.meets(bob), carol.meets(bob))


async def test_we_turn_our_devices_off_and_on(browser: Browser, pages: str, labels: Labels) -> None:
    async with room(browser, pages, labels) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        await alice.conference.set_microphone(False)
        await alice.conference.set_camera(False)
        for one in (bob, carol):
            await one.gets({"eventType": "MIC_MUTED", "streamId": "alice"})
            await one.gets({"eventType": "CAM_TURNED_OFF", "streamId": "alice"})
            about = json.loads((await broadcast(one, "alice"))["metaData"])
            assert about == {"isMicMuted": True, "isCameraOn": False, "isCameraOff": True}
            await one.hears(alice, 0.0)
            await one.sees(alice, BLACK)
        await alice.conference.set_microphone(True)
        await alice.conference.set_camera(True)
        for one in (bob, carol):
            await one.gets({"eventType": "MIC_UNMUTED", "streamId": "alice"})
            await one.gets({"eventType": "CAM_TURNED_ON", "streamId": "alice"})
            await one.meets(alice)


async def test_a_tab_that_leaves_vanishes_and_may_return(browser: Browser, pages: str, labels: Labels) -> None:
    async with room(browser, pages, labels) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)

        async def is_listed() -> bool:
            listed = await carol.asks("getSubtracks", "room1", "", 0, 50, answer="subtrackList")
            return "bob" in [json.loads(entry)["streamId"] for entry in listed["subtrackList"]]

        async def is_gone() -> bool:
            return "bob" not in await carol.owners() and not await is_listed()

        for _again in range(2):
            await bob.leave()
            await asyncio.gather(
                until(lambda: set(alice.others()) == {"carol"} and len(alice.tracks) == 2, 2.0, "gone for alice"),
                until_found(is_gone, 2.0, "gone for carol"),
            )
            assert await bob.sample() == []
            await bob.join()
            await everybody_meets(alice, bob, carol)
            assert await carol.owners() == {"alice", "bob"}


async def test_we_leave_and_return(browser: Browser, pages: str, labels: Labels) -> None:
    async with room(browser, pages, labels) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)

        async def are_alone() -> bool:
            return (await bob.owners(), await carol.owners()) == ({"carol"}, {"bob"})

        for _again in range(2):
            await alice.conference.leave()
            await until_found(are_alone, 2.0, "gone for bob and carol")
            await alice.join()
            await everybody_meets(alice, bob, carol)


async def test_a_tab_whose_socket_is_cut_comes_back(browser: Browser, pages: str, labels: Labels) -> None:
    async with room(browser, pages, labels) as (server, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        bob.expected_errors |= {"WebSocketNotConnected", "data_channel_error"}
        for _again in range(2):
            before = len(await bob.log())
            drop_socket(server, "bob")
            await bob.told("reconnection_attempt_for_publisher", since=before)
            await bob.told("publish_started", "session_restored", since=before)
            await bob.told("play_started", since=before)
            await everybody_meets(alice, bob, carol)


async def test_everybody_is_back_after_a_restart_of_the_server(browser: Browser, pages: str, labels: Labels) -> None:
    async with room(browser, pages, labels) as (server, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        for one in (bob, carol):
            one.expected_errors |= {"WebSocketNotConnected", "data_channel_error"}
            one.is_cut_off = True
        await server.aclose()
        await bob.told("server_will_stop")
        await bob.told("closed")
        async with RoomServer(port=server.port, allowed_origins=[pages], options=Options(labels=labels)):
            await until(lambda: set(alice.others()) == {"bob", "carol"}, 30.0)
            await everybody_meets(alice, bob, carol)


async def test_the_samples_queries(browser: Browser, pages: str, labels: Labels) -> None:
    """getBroadcastObject of the room and of a person, getSubtracks in pages, getSubtrackCount, updateStreamMetaData."""
    async with room(browser, pages, labels) as (_, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        everybody = {"alice", "bob", "carol"}

        about_room = await broadcast(bob, "room1")
        assert (about_room["streamId"], about_room["status"], about_room["virtual"]) == ("room1", "broadcasting", True)
        if labels is Labels.STREAM:
            assert set(about_room["subTrackStreamIds"]) == everybody

        assert (await bob.asks("getSubtrackCount", "room1", "", "", answer="subtrackCount"))["count"] == 3
        pages_of_two = [
            (await bob.asks("getSubtracks", "room1", "", offset, 2, answer="subtrackList"))["subtrackList"]
            for offset in (0, 2, 4)
        ]
        assert [len(page) for page in pages_of_two] == [2, 1, 0]
        listed = {entry["streamId"]: entry for page in pages_of_two for entry in map(json.loads, page)}
        assert {stream_id: entry["name"] for stream_id, entry in listed.items()} == {
            "alice": "Alice",
            "bob": "Bob",
            "carol": "Carol",
        }
        assert {entry["mainTrackStreamId"] for entry in listed.values()} == {"room1"}
        assert {entry["status"] for entry in listed.values()} == {"broadcasting"}

        for text in ('""', "no JSON at all", '{"isMicMuted":true,"isCameraOn":true,"hand":"\\u270b"}'):
            await carol.call("updateStreamMetaData", "carol", text)
            await until_meta_data(bob, "carol", text)
        # Nobody was told by an event, so it is the next look at the list that brings it.
        await until(lambda: (about := alice.about(carol)) and not about.microphone)
        assert "broadcast" not in await bob.asks("getBroadcastObject", "nobody", answer="broadcastObject")


async def test_the_browsers_own_devices(browser: Browser, pages: str) -> None:
    """getUserMedia as the SDK does it by default: Chromium's fake camera moves, its fake microphone beeps."""
    devices = {"video": {"width": 320, "height": 180}, "audio": True}
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        people(server, "alice") as (alice,),
        tab(browser, pages, server.url, "bob", devices=devices) as bob,
        tab(browser, pages, server.url, "carol") as carol,
    ):
        await asyncio.gather(bob.join(), carol.join())
        await asyncio.gather(bob.meets(alice, carol), alice.meets(carol))
        await asyncio.gather(alice.sees(bob, FAKE_CAMERA, (320, 180)), carol.sees(bob, FAKE_CAMERA, (320, 180)))
        await asyncio.gather(alice.hears(bob, FAKE_MICROPHONE), carol.hears(bob, FAKE_MICROPHONE))
        await bob.turn("camera", False, "CIRCLE")
        await asyncio.gather(alice.sees(bob, BLACK), carol.sees(bob, BLACK))
        await bob.turn("camera", True, "CIRCLE")
        await asyncio.gather(alice.sees(bob, FAKE_CAMERA), carol.sees(bob, FAKE_CAMERA))
