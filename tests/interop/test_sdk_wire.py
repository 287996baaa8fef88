"""Word for word: our adaptor beside the official SDK, the same calls made and the same messages heard.

A scripted socket writes down what each of them says; nothing is answered but the pings and the beginning of a publish.
"""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from websockets.asyncio.server import serve

from tests.core import wire
from tests.interop.tab import tab
from tests.waiting import until
from tui.core import link
from tui.core.adaptor import WebRTCAdaptor
from tui.core.refusals import MEANINGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser
    from websockets.asyncio.server import ServerConnection

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="session")]

PUSH = ("sub-7", "a.b.c")

CALLS: list[tuple[str, str, tuple[Any, ...]]] = [
    ("getBroadcastObject", "get_broadcast_object", ("room1",)),
    ("getSubtrackCount", "get_subtrack_count", ("room1", "host", "broadcasting")),
    ("getTracks", "get_tracks", ("room1", "t")),
    ("getStreamInfo", "get_stream_info", ("bob",)),
    ("getRoomInfo", "get_room_info", ("room1", "alice")),
    ("getSubscriberCount", "get_subscriber_count", ("room1",)),
    ("getSubscriberList", "get_subscriber_list", ("room1", 10, 20)),
    ("getDebugInfo", "get_debug_info", ("alice",)),
    ("getIceServerConfiguration", "get_ice_server_configuration", ()),
    ("requestVideoTrackAssignments", "request_video_track_assignments", ("room1",)),
    ("updateVideoTrackAssignments", "update_video_track_assignments", ("room1", 4, 2)),
    ("setMaxVideoTrackCount", "set_max_video_track_count", ("alice", 4)),
    ("assignVideoTrack", "assign_video_track", ("videoTrack0", "bob", True)),
    ("enableTrack", "enable_track", ("room1", "bob", False)),
    ("toggleVideo", "toggle_video", ("room1", "bob", True)),
    ("toggleAudio", "toggle_audio", ("room1", "bob", False)),
    ("forceStreamQuality", "force_stream_quality", ("room1", 360)),
    ("updateStreamMetaData", "update_stream_meta_data", ("alice", '{"isMicMuted":true}')),
    ("peerMessage", "peer_message", ("call7", "note", "psst")),
    ("registerPushNotificationToken", "register_push_notification_token", (*PUSH, "device", "fcm")),
    ("sendPushNotification", "send_push_notification", (*PUSH, {"title": "hi"}, ["carol"])),
    ("sendPushNotificationToTopic", "send_push_notification_to_topic", (*PUSH, {"title": "hi"}, "news")),
    ("joinRoom", "join_room", ("room1", "alice", "multitrack", "Alice", "host", "{}")),
    ("join", "join", ("call7",)),
    ("publish", "publish", ("alice", "t", "sub-7", "123456", "Alice", "room1", '{"a":1}', "host")),
    ("play", "play", ("room1", "t", "room1", ["!bob"], "sub-7", "123456", "viewer", "host")),
    ("stop", "stop", ("alice",)),
    ("stop", "stop", ("room1",)),
    ("leave", "leave", ("call7",)),
    ("leaveFromRoom", "leave_from_room", ("room1", "alice")),
]
"""The SDK's method, ours, and the arguments of both."""

Message = dict[str, Any]


@asynccontextmanager
async def writing_down() -> AsyncIterator[tuple[str, list[Message]]]:
    """A socket's URL, and everything that is said on it but the pings."""
    said: list[Message] = []

    async def talk(socket: ServerConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["command"] == "ping":
                await socket.send('{"command":"pong"}')
                continue
            said.append(message)
            if message["command"] == "publish":
                await socket.send(json.dumps({"command": "start", "streamId": message["streamId"]}))

    async with serve(talk, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket", said


def meant(message: Message) -> Message:
    """Without what means the same when it is left out (signalling reference, 1.5 and 2.3), and without the SDP."""
    fields = {key: value for key, value in message.items() if value not in ("", None, []) and key != "sdp"}
    if fields["command"] == "play" and fields.get("disableTracksByDefault") is False:
        del fields["disableTracksByDefault"]
    return fields


def first_of(said: list[Message], wanted: Message) -> list[Message]:
    """What was said of that kind about that stream, the first time: both begin again what nobody answers."""
    keys = ("command", "streamId", "type", "topic")
    return [meant(one) for one in said if all(one.get(key) == wanted.get(key) for key in keys)][:1]


def has_offered(said: list[Message]) -> bool:
    return any(message["command"] == "takeConfiguration" for message in said)


async def test_our_commands_are_the_sdks(browser: Browser, pages: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "FAREWELL_TIMEOUT", 0.1)
    async with (
        writing_down() as (theirs_url, theirs),
        writing_down() as (ours_url, ours),
        tab(browser, pages, theirs_url, "alice", dataOnly=True) as alice,
        WebRTCAdaptor(ours_url, lambda *_: None) as adaptor,
    ):
        for method, _, arguments in CALLS:
            if method == "stop":
                await until(lambda: has_offered(theirs))
            await alice.call(method, *arguments)
        for _, method, arguments in CALLS:
            if method == "stop":
                await until(lambda: has_offered(ours))
            await getattr(adaptor, method)(*arguments)
        # The only one whose arguments have another order here.
        await alice.call("getSubtracks", "room1", "host", 2, 15)
        await adaptor.get_subtracks("room1", 2, 15, "host")
        for said in (theirs, ours):
            await until(lambda said=said: said[-1]["command"] == "getSubtracks")  # type: ignore[misc]
    assert {one["command"] for one in ours} == {one["command"] for one in theirs} - {"takeCandidate"}
    for message in theirs:
        if message["command"] != "takeCandidate":
            assert first_of(ours, message) == first_of(theirs, message) != []
    offers = [one for said in (ours, theirs) for one in said if one["command"] == "takeConfiguration"]
    assert all(one.keys() == {"command", "streamId", "type", "sdp"} for one in offers)


def said_by_a_server() -> list[Message]:
    """Every notification, answer and error of the reference; what has a meaning only within a session is left out."""
    answers = ["stream_information", "room_information", "track_list", "peer_message"]
    notified = [name for name in wire.names("notification_") if name != "notification_server_will_stop"]
    refused = [
        {"command": "error", "definition": definition, "streamId": "somebody", "information": None, "error_code": "404"}
        for definition in sorted(MEANINGS)
    ]
    return [*map(wire.message, [*notified, *answers]), *refused]


END: Message = {"command": "notification", "definition": "that was all"}

Told = list[tuple[str, Any]]


async def test_our_callbacks_are_the_sdks(browser: Browser, pages: str) -> None:
    """The same messages to both: the same names with the same objects, in the same order, as news or as an error."""
    messages = said_by_a_server()
    sockets: list[ServerConnection] = []

    async def talk(socket: ServerConnection) -> None:
        sockets.append(socket)
        async for _ in socket:
            pass

    ours: Told = []
    our_errors: Told = []
    async with serve(talk, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"
        async with (
            tab(browser, pages, url, "alice", *MEANINGS, dataOnly=True) as alice,
            WebRTCAdaptor(url, lambda *told: ours.append(told), lambda *told: our_errors.append(told)),
        ):
            await until(lambda: len(sockets) == 2)
            for socket in sockets:
                for message in [*messages, END]:
                    await socket.send(json.dumps(message))
            await alice.told(END["definition"])
            await until(lambda: ours[-1] == (END["definition"], END))
            log = await alice.log()
    expected = {message.get("definition", message["command"]) for message in messages} | {"peerMessageCommand"}
    theirs = [(entry["info"], entry["obj"]) for entry in log if entry.get("info") in expected]
    their_errors = [(entry["error"], entry["obj"]) for entry in log if "error" in entry]
    assert [told for told in ours if told[0] in expected] == theirs
    assert our_errors == their_errors
    assert len(theirs) + len(their_errors) == len(messages)
