"""`WebRTCAdaptor` by the SDK's names, against the local room server and against scripted ones."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
from collections import deque
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from av import VideoFrame
from pyee.asyncio import AsyncIOEventEmitter
from websockets.asyncio.server import ServerConnection, serve

from tests.core import wire
from tests.core.peers import BLUE, RED
from tests.hearing import frequency
from tests.seeing import shows
from tests.waiting import Clock, own_threads, until
from tui.allowance import Allowance
from tui.core import adaptor as adaptor_module
from tui.core import link, protocol, session
from tui.core.adaptor import WebRTCAdaptor
from tui.core.auth import Credentials, Totp
from tui.core.records import Broadcast
from tui.core.refusals import IN_USE, MEANINGS, NOBODY_YET, PASSING, REFUSALS, Reaction
from tui.core.signaling import back_off
from tui.errors import LostError, RefusedError, UnreachableError, UsageError
from tui.media.generated import TestTone, VoiceAudio
from tui.media.pictures import SolidColour
from tui.server.options import Edition, Options
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tui.core.peer import RemoteTrack

TWO_SLOTS = wire.text("two_slots.sdp")


class Told:
    """What an adaptor's two callbacks were told, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.errors: list[tuple[str, Any]] = []

    def callback(self, info: str, obj: Any) -> None:
        self.calls.append((info, obj))

    def callback_error(self, error: str, obj: Any) -> None:
        self.errors.append((error, obj))

    def objects(self, info: str) -> list[Any]:
        return [obj for name, obj in self.calls if name == info]

    def refusals(self, error: str) -> list[Any]:
        return [obj for name, obj in self.errors if name == error]

    async def callback_with(self, info: str, count: int = 1) -> Any:
        """The object of the callback of that name that came as number ``count``."""
        await until(lambda: len(self.objects(info)) >= count, what=f"{info} among {self.names} {self.errors}")
        return self.objects(info)[count - 1]

    async def refusal(self, error: str, count: int = 1) -> Any:
        await until(lambda: len(self.refusals(error)) >= count, what=f"{error} among {self.names} {self.errors}")
        return self.refusals(error)[count - 1]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def track(self, kind: str) -> RemoteTrack | None:
        """The newest remote track of that kind that has not ended."""
        tracks: list[RemoteTrack] = [obj["remoteTrack"] for obj in self.objects("newTrackAvailable")]
        live = [track for track in tracks if track.kind == kind and track.track.readyState == "live"]
        return live[-1] if live else None

    def data(self) -> list[Any]:
        """What came on data channels, but for the server's own events."""
        said = [obj["data"] for obj in self.objects("data_received")]
        return [data for data in said if not (isinstance(data, str) and "eventType" in data)]


class Client:
    """An adaptor with its callbacks noted."""

    def __init__(self, url: str, **options: Any) -> None:
        self.told = Told()
        self.adaptor = WebRTCAdaptor(
            websocket_url=url, callback=self.told.callback, callback_error=self.told.callback_error, **options
        )

    def drop_socket(self) -> None:
        """As if the network cut the connection to the server."""
        socket = self.adaptor._link._socket
        assert socket is not None
        socket._connection.transport.abort()


@asynccontextmanager
async def client(url: str, **options: Any) -> AsyncIterator[Client]:
    made = Client(url, **options)
    try:
        yield made
    finally:
        await made.adaptor.aclose()
        for track in (options.get("audio"), options.get("video")):
            if track is not None:
                track.stop()


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as server:
        yield server


@asynccontextmanager
async def publishing(server: RoomServer, stream_id: str = "alice", **options: Any) -> AsyncIterator[Client]:
    """Somebody who is in the room with a red picture and a tone."""
    media = {"audio": TestTone(440), "video": SolidColour(RED)} | options
    async with client(server.url, **media) as made:
        await made.adaptor.publish(stream_id, stream_name=stream_id.title(), main_track="room1")
        # A socket that was dropped leaves its place for the next one.
        await until(lambda: {"publish_started", "session_restored"} & set(made.told.names))
        yield made


async def media_flows(told: Told) -> None:
    """Red and 440 Hz arrive by the newest tracks."""
    await until(lambda: told.track("video") and told.track("audio"), what=f"tracks among {told.names}")
    picture, sound = told.track("video"), told.track("audio")
    assert picture is not None
    assert sound is not None
    async with asyncio.timeout(10):
        assert await shows(picture, RED)
        assert abs(await frequency(sound) - 440) < 5


# -- publish, play, stop -----------------------------------------------------------------------------


async def test_publish_play_and_stop_by_the_names_of_the_sdk(server: RoomServer) -> None:
    async with publishing(server) as alice, client(server.url, play_only=True) as bob:
        started = await alice.told.callback_with("publish_started")
        assert (started["streamId"], started["room"]) == ("alice", "room1")

        await bob.adaptor.play("room1", room_id="room1")
        assert (await bob.told.callback_with("play_started"))["streamId"] == "room1"
        await media_flows(bob.told)
        tracks = {obj["trackId"]: obj for obj in bob.told.objects("newTrackAvailable")}
        assert set(tracks) == {"ARDAMSvvideoTrack0", "ARDAMSaaudioTrack0"}
        for track_id, obj in tracks.items():
            assert obj["streamId"] == "room1"
            assert obj["remoteTrack"].track_id == track_id
            assert obj["remoteTrack"].track is obj["track"]

        await bob.adaptor.stop("room1")
        assert (await bob.told.callback_with("play_finished"))["streamId"] == "room1"
        assert {obj["track"].readyState for obj in tracks.values()} == {"ended"}
        await alice.adaptor.stop("alice")
        assert (await alice.told.callback_with("publish_finished"))["streamId"] == "alice"
        for told in (alice.told, bob.told):
            assert told.errors == []
            assert told.calls[0] == ("initialized", None)
            assert not [name for name in told.names if name.startswith("reconnection")]
        states = [obj["state"] for obj in alice.told.objects("ice_connection_state_changed")]
        assert states[0] == "checking"
        assert states[-1] == "completed"
    assert bob.told.names[-1] == "closed"


async def test_a_room_is_played_beside_the_own_stream_which_is_left_out(server: RoomServer) -> None:
    async with publishing(server) as alice, publishing(server, "bob") as bob:
        await alice.adaptor.play("room1", room_id="room1")
        await alice.told.callback_with("play_started")
        await media_flows(alice.told)
        assert len(alice.told.objects("newTrackAvailable")) == 2
        await bob.adaptor.stop("bob")
        await until(lambda: alice.told.track("video") is None)


async def test_a_single_stream_is_played_too(server: RoomServer) -> None:
    async with publishing(server), client(server.url) as bob:
        await bob.adaptor.play("alice")
        await media_flows(bob.told)


async def test_only_the_wanted_tracks_are_played(server: RoomServer) -> None:
    async with publishing(server), publishing(server, "bob"), client(server.url) as carol:
        await carol.adaptor.play("room1", enable_tracks=["!bob"])
        await media_flows(carol.told)
        assert len(carol.told.objects("newTrackAvailable")) == 2


async def test_the_own_picture_is_shown_as_it_is_sent(server: RoomServer) -> None:
    shown: list[VideoFrame] = []
    async with publishing(server, local_preview=shown.append):
        await until(lambda: len(shown) >= 5)
    assert all(isinstance(frame, VideoFrame) for frame in shown)
    assert [frame.pts for frame in shown] == sorted({frame.pts for frame in shown if frame.pts is not None})


async def test_the_own_loudness(server: RoomServer) -> None:
    async with publishing(server, audio=TestTone(440, amplitude=0.5)) as alice:
        await until(lambda: alice.adaptor.own_level("alice") < 15)
        assert alice.adaptor.own_level("room1") == 127
    assert alice.adaptor.own_level("alice") == 127


async def test_the_callers_tracks_outlive_the_connection(server: RoomServer) -> None:
    media = {"audio": TestTone(440), "video": SolidColour(RED)}
    async with client(server.url) as bob:
        for _ in range(2):
            alice = Client(server.url, **media)
            await alice.adaptor.publish("alice", main_track="room1")
            await alice.told.callback_with("publish_started")
            await bob.adaptor.play("room1")
            await media_flows(bob.told)
            await alice.adaptor.aclose()
            assert {track.readyState for track in media.values()} == {"live"}
            await bob.adaptor.stop("room1")
            bob.told.calls.clear()
    for track in media.values():
        track.stop()


async def test_without_an_own_error_callback_errors_come_to_the_other(server: RoomServer) -> None:
    told = Told()
    adaptor = WebRTCAdaptor(server.url, told.callback)
    async with adaptor:
        await adaptor.play("room1")
        assert (await told.callback_with("no_stream_exist"))["error_code"] == "404"


@pytest.mark.parametrize("stream_id", ["", "a b", "../x", "x" * 257])
async def test_a_bad_id_is_refused_before_anything_is_sent(server: RoomServer, stream_id: str) -> None:
    async with client(server.url) as alice:
        for begin in (alice.adaptor.publish, alice.adaptor.play):
            with pytest.raises(UsageError):
                await begin(stream_id)
        assert alice.told.calls == []


async def test_a_server_that_is_not_there(server: RoomServer) -> None:
    await server.aclose()
    async with client(server.url) as alice:
        for begin in (alice.adaptor.publish, alice.adaptor.play):
            with pytest.raises(UnreachableError):
                await begin("alice")
        with pytest.raises(UnreachableError):
            await alice.adaptor.open()


# -- data and queries --------------------------------------------------------------------------------


async def test_data_travels_both_ways(server: RoomServer) -> None:
    async with publishing(server) as alice, client(server.url) as bob:
        assert not bob.adaptor.send_data("room1", "too early")
        await alice.adaptor.play("room1")
        await bob.adaptor.play("room1")
        await until(lambda: len(alice.told.objects("data_channel_opened")) == 2)
        assert set(alice.told.objects("data_channel_opened")) == {"alice", "room1"}
        assert await bob.told.callback_with("data_channel_opened") == "room1"

        assert alice.adaptor.send_data("alice", "from alice")
        assert alice.adaptor.send_data("alice", b"\x00\x01")
        assert bob.adaptor.send_data("room1", "from bob")
        await until(lambda: bob.told.data() == ["from alice", b"\x00\x01"], what=str(bob.told.data()))
        await until(lambda: alice.told.data() == ["from bob"], what=str(alice.told.data()))
        assert {obj["streamId"] for obj in bob.told.objects("data_received")} == {"room1"}

        assert not alice.adaptor.send_data("nobody", "x")
        assert not alice.adaptor.send_data("alice", "x" * (1 << 20))
        await alice.adaptor.stop("alice")
        assert not alice.adaptor.send_data("alice", "too late")


async def test_no_listener_gives_anything_back(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that a listener returns ends in an error of the loop, long after (aiortc reference, trap 19)."""
    run, given = AsyncIOEventEmitter._emit_run, dict[str, Any]()

    def noted(emitter: AsyncIOEventEmitter, listener: Any, arguments: Any, named: Any) -> None:
        def listening(*arguments: Any, **named: Any) -> Any:
            value = listener(*arguments, **named)
            if listener.__module__.startswith("tui."):
                given[listener.__qualname__] = given.get(listener.__qualname__, value) or value
            return value

        run(emitter, listening, arguments, named)

    monkeypatch.setattr(AsyncIOEventEmitter, "_emit_run", noted)
    async with publishing(server) as alice, client(server.url) as bob:
        await bob.adaptor.play("room1")
        await media_flows(bob.told)
        await until(lambda: alice.adaptor.send_data("alice", "hello"))
        await until(lambda: bob.told.data())
    heard = {name.split(".")[0] for name in given}
    assert heard >= {"Peer", "PlayPeer", "Channel", "Session", "Viewer"}
    assert set(given.values()) == {None}, given


async def test_the_servers_records_are_asked_for(server: RoomServer) -> None:
    async with publishing(server) as alice, client(server.url) as bob:
        await bob.adaptor.open()
        await bob.adaptor.get_broadcast_object("alice")
        answer = await bob.told.callback_with("broadcastObject")
        record = Broadcast.read(answer["broadcast"])
        assert record == Broadcast("alice", "Alice", "broadcasting", "room1")

        await alice.adaptor.update_stream_meta_data("alice", '{"isMicMuted":true}')
        await alice.adaptor.get_subtracks("room1")
        answer = await alice.told.callback_with("subtrackList")
        assert [Broadcast.read(entry) for entry in answer["subtrackList"]] == [
            Broadcast("alice", "Alice", "broadcasting", "room1", {"isMicMuted": True})
        ]
        await bob.adaptor.get_subtrack_count("room1")
        assert (await bob.told.callback_with("subtrackCount"))["count"] == 1

        await bob.adaptor.play("room1")
        await bob.told.callback_with("data_channel_opened")
        await media_flows(bob.told)

        def lists() -> list[dict[str, Any]]:
            events = [json.loads(obj["data"]) for obj in bob.told.objects("data_received")]
            return [event for event in events if event["eventType"] == "VIDEO_TRACK_ASSIGNMENT_LIST"]

        before = len(lists())
        await bob.adaptor.request_video_track_assignments("room1")
        await until(lambda: len(lists()) > before)
        assert lists()[-1]["payload"] == [{"videoLabel": "videoTrack0", "trackId": "alice", "reserved": False}]


# -- coming back -------------------------------------------------------------------------------------


async def test_an_empty_room_is_played_when_somebody_comes(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "RETRY_EMPTY", 0.2)
    async with client(server.url) as bob:
        await bob.adaptor.play("room1", room_id="room1")
        assert (await bob.told.refusal("no_stream_exist", 2))["streamId"] == "room1"
        async with publishing(server):
            await media_flows(bob.told)
        assert {name for name, _ in bob.told.errors} == {"no_stream_exist"}
        assert not [name for name in bob.told.names if name.startswith("reconnection")]


async def test_the_own_stream_wakes_the_waiting_room(server: RoomServer) -> None:
    """`publish_started` means that the room exists: no need to wait out the pause."""
    async with client(server.url, audio=TestTone()) as alice:
        await alice.adaptor.play("room1")
        await alice.told.refusal("no_stream_exist")
        await alice.adaptor.publish("alice", main_track="room1")
        async with asyncio.timeout(session.RETRY_EMPTY - 0.5):
            await alice.told.callback_with("play_started")


async def test_when_the_room_has_emptied_it_is_played_again(
    server: RoomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "RETRY_EMPTY", 0.2)
    async with client(server.url) as bob:
        async with publishing(server):
            await bob.adaptor.play("room1")
            await media_flows(bob.told)
        await bob.told.callback_with("play_finished")
        await bob.told.refusal("no_stream_exist")
        async with publishing(server):
            await bob.told.callback_with("play_started", 2)
            await media_flows(bob.told)


async def test_an_id_in_use_is_given_up_at_the_first_try(server: RoomServer) -> None:
    async with publishing(server), client(server.url, audio=TestTone()) as other:
        await other.adaptor.publish("alice", main_track="room1")
        assert (await other.told.refusal("streamIdInUse"))["streamId"] == "alice"
        ended = await other.told.refusal("session_ended")
        assert (ended["streamId"], ended["reason"], ended["definition"]) == ("alice", "in use", "streamIdInUse")
        assert isinstance(ended["cause"], RefusedError)
        async with client(server.url) as bob:
            await bob.adaptor.play("room1")
            await media_flows(bob.told)


async def test_a_dropped_socket_comes_back_with_media(server: RoomServer) -> None:
    async with publishing(server) as alice, client(server.url) as bob:
        await bob.adaptor.play("room1")
        await media_flows(bob.told)
        for dropped in (bob, alice):
            dropped.told.calls.clear()
            dropped.drop_socket()
            assert (await dropped.told.callback_with("closed"))["reason"]
            await dropped.told.callback_with("initialized")
            kind = "player" if dropped is bob else "publisher"
            assert await dropped.told.callback_with(f"reconnection_attempt_for_{kind}")
            if dropped is alice:
                # Whoever plays it keeps the tracks.
                await alice.told.callback_with("session_restored")
            await media_flows(bob.told)
        assert bob.told.errors == []
        assert alice.told.errors == []


async def test_a_server_that_stops_and_comes_back() -> None:
    async with RoomServer() as first:
        url, port = first.url, first.port
        alice, bob = Client(url, audio=TestTone(440), video=SolidColour(RED)), Client(url)
        await alice.adaptor.publish("alice", main_track="room1")
        await alice.told.callback_with("publish_started")
        await bob.adaptor.play("room1")
        await media_flows(bob.told)
        await first.aclose()
        for one in (alice, bob):
            await one.told.callback_with("server_will_stop")
            await one.told.callback_with("closed")
        bob.told.calls.clear()
    async with RoomServer(port=port):
        await media_flows(bob.told)
        await asyncio.gather(alice.adaptor.aclose(), bob.adaptor.aclose())


async def test_without_reconnecting_the_sessions_end(server: RoomServer) -> None:
    async with publishing(server, reconnect=False) as alice:
        alice.drop_socket()
        ended = await alice.told.refusal("session_ended")
        assert (ended["streamId"], ended["reason"], ended["definition"]) == ("alice", "lost", "")
        assert isinstance(ended["cause"], LostError)
        await alice.adaptor.publish("alice", main_track="room1")
        await alice.told.callback_with("session_restored")


async def test_publishing_and_playing_again_at_once(server: RoomServer) -> None:
    """What the server says about the former session does not end the new one."""
    async with publishing(server) as alice, client(server.url) as bob:
        await bob.adaptor.play("room1")
        await media_flows(bob.told)
        bob.told.calls.clear()
        async with asyncio.timeout(session.RETRY_EMPTY - 0.5):
            await bob.adaptor.play("room1")
            await media_flows(bob.told)
        async with asyncio.timeout(session.RETRY_EMPTY - 0.5):
            await alice.adaptor.publish("alice", main_track="room1")
            await alice.told.callback_with("publish_started", 2)


async def test_a_server_that_is_gone_for_good(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "SOCKET_TRIES", 2)
    monkeypatch.setattr(link, "back_off", lambda: iter([0.01, 0.01]))
    async with publishing(server) as alice:
        await server.aclose()
        failure = await alice.told.refusal("WebSocketNotConnected")
        assert isinstance(failure["cause"], LostError)
        assert failure["message"] == str(failure["cause"])


# -- the end -----------------------------------------------------------------------------------------


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


async def test_closing_leaves_no_task_no_thread_and_no_socket(server: RoomServer) -> None:
    async def round_of_two() -> None:
        async with publishing(server) as alice, publishing(server, "bob", video=SolidColour(BLUE)) as bob:
            for one in (alice, bob):
                await one.adaptor.play("room1")
                await one.told.callback_with("play_started")
            await until(lambda: alice.told.track("video"))
            track = alice.told.track("video")
            assert track is not None
            assert await shows(track, BLUE)
            bob.drop_socket()

    await round_of_two()
    await asyncio.sleep(0)
    tasks, threads, files = asyncio.all_tasks(), own_threads(), open_files()
    await round_of_two()
    await until(lambda: asyncio.all_tasks() <= tasks, what="tasks end")
    await until(lambda: own_threads() <= threads, what="threads end")
    await until(lambda: open_files() <= files, what="sockets close")


async def test_closing_twice_and_using_it_afterwards(server: RoomServer) -> None:
    async with publishing(server) as alice:
        await asyncio.gather(alice.adaptor.aclose(), alice.adaptor.aclose())
        await alice.adaptor.aclose()
        await alice.adaptor.stop("alice")
        assert not alice.adaptor.send_data("alice", "x")
        await alice.adaptor.get_subtracks("room1")
        for use in (alice.adaptor.open(), alice.adaptor.publish("alice"), alice.adaptor.play("room1")):
            with pytest.raises(LostError):
                await use


async def test_closing_while_it_opens_leaves_nothing_open() -> None:
    """The handshake ends after the adaptor was closed."""
    admitted, let_in = asyncio.Event(), asyncio.Event()
    commands: list[Any] = []

    async def wait(*_: object) -> None:
        admitted.set()
        await let_in.wait()

    async def listen(socket: ServerConnection) -> None:
        async for text in socket:
            commands.append(text)

    async with serve(listen, "127.0.0.1", 0, process_request=wait) as slow:
        port = next(iter(slow.sockets)).getsockname()[1]
        told = Told()
        before = asyncio.all_tasks()
        adaptor = WebRTCAdaptor(f"ws://127.0.0.1:{port}/live/websocket", told.callback)
        opening = asyncio.create_task(adaptor.publish("alice"))
        await admitted.wait()
        await adaptor.aclose()
        let_in.set()
        with pytest.raises(LostError):
            await opening
        await until(lambda: not slow.connections, what="the socket closes")
        assert commands == []
        assert told.calls == []
    await until(lambda: asyncio.all_tasks() <= before)


async def test_closing_is_done_although_nobody_waits_for_its_end() -> None:
    """The server confirms no stop, and the user has no patience."""
    before = asyncio.all_tasks()
    async with scripted(lambda _: None) as (url, commands):
        adaptor = WebRTCAdaptor(url, Told().callback)
        await adaptor.play("room1")
        await until(lambda: "play" in commands)
        closing = asyncio.create_task(adaptor.aclose())
        await until(lambda: "stop" in commands)
        closing.cancel()
        await asyncio.wait({closing})
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "signalling"]
        with pytest.raises(LostError):
            await adaptor.open()
    await until(lambda: asyncio.all_tasks() <= before, what="tasks end")


async def test_publishing_twice_at_the_same_time_is_publishing_once(server: RoomServer) -> None:
    async with client(server.url, audio=TestTone()) as alice:
        await asyncio.gather(*(alice.adaptor.publish("alice", main_track="room1") for _ in range(3)))
        await alice.told.callback_with("publish_started")
        await alice.adaptor.stop("alice")
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "session publish"]


# -- a server by script ------------------------------------------------------------------------------


@asynccontextmanager
async def scripted(reply: Callable[[dict[str, Any]], dict[str, Any] | None]) -> AsyncIterator[tuple[str, list[str]]]:
    """A URL where each command gets this reply; and the names of the commands so far."""
    commands: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            commands.append(message["command"])
            if (answer := reply(message)) is not None:
                await socket.send(json.dumps(answer))

    async with serve(talk, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket", commands


def refusing(definition: str, *, named: bool = True) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        if message["command"] not in ("publish", "play"):
            return None
        about = {"streamId": message["streamId"]} if named else {}
        return {"command": "error", "definition": definition, **about}

    return reply


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("RETRY_EMPTY", "RETRY_LOST", "RETRY_IN_USE"):
        monkeypatch.setattr(session, pause, 0.02)
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 1.0)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("definition", sorted(REFUSALS | IN_USE))
@pytest.mark.parametrize("begin", ["publish", "play"])
async def test_a_refusal_that_is_final_ends_the_session(definition: str, begin: str) -> None:
    async with scripted(refusing(definition)) as (url, commands), client(url, audio=TestTone()) as alice:
        await getattr(alice.adaptor, begin)("alice")
        ended = await alice.told.refusal("session_ended")
        assert ended["streamId"] == "alice"
        assert [error for error, _ in alice.told.errors] == [definition, "session_ended"]
        await alice.adaptor.stop("alice")
        assert commands.count(begin) == 1


@pytest.mark.usefixtures("quick")
async def test_a_refusal_that_names_no_stream_concerns_what_is_not_connected() -> None:
    async with scripted(refusing("unauthorized_access", named=False)) as (url, _), client(url) as alice:
        await alice.adaptor.play("room1")
        assert (await alice.told.refusal("session_ended"))["streamId"] == "room1"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("definition", sorted(NOBODY_YET))
async def test_nobody_yet_is_tried_again_for_as_long_as_it_takes(definition: str) -> None:
    async with scripted(refusing(definition)) as (url, commands), client(url) as alice:
        await alice.adaptor.play("room1")
        await until(lambda: commands.count("play") >= 15)
        assert {error for error, _ in alice.told.errors} == {definition}
        await alice.adaptor.stop("room1")
        count = commands.count("play")
        await alice.adaptor.get_subtracks("room1")
        await until(lambda: "getSubtracks" in commands)
        assert commands.count("play") == count


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every pause of a back-off takes no time; the list has how long they would have been."""
    paused: list[float] = []

    def pauses(first: float) -> Iterator[float]:
        for pause in back_off(first):
            paused.append(pause)
            yield 0.0

    monkeypatch.setattr(session, "back_off", pauses)
    monkeypatch.setattr(session, "RETRY_BUSY", 0.02)
    monkeypatch.setattr(session, "RETRY_IN_USE", 0.02)
    return paused


@pytest.mark.parametrize("definition", sorted(name for name in PASSING if MEANINGS[name].tries is None))
async def test_a_passing_error_is_asked_again_less_and_less_often(definition: str, no_pauses: list[float]) -> None:
    """Every pause comes from one back-off, until a connection has been up."""
    async with scripted(refusing(definition)) as (url, commands), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice")
        await until(lambda: commands.count("publish") >= 5)
    assert no_pauses[3] > 3 * no_pauses[0]


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("definition", sorted(name for name, meaning in MEANINGS.items() if meaning.tries is not None))
async def test_some_errors_are_asked_again_only_so_often(definition: str) -> None:
    tries = MEANINGS[definition].tries
    assert tries is not None
    async with scripted(refusing(definition)) as (url, commands), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice")
        ended = await alice.told.refusal("session_ended")
        assert ended["definition"] == definition
        assert isinstance(ended["cause"], RefusedError)
        assert MEANINGS[definition].text in str(ended["cause"])
        assert commands.count("publish") == tries + 1


async def test_a_busy_server_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[float] = []

    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        if message["command"] == "publish":
            begun.append(asyncio.get_running_loop().time())
        return refusing("highResourceUsage")(message)

    monkeypatch.setattr(session, "RETRY_BUSY", 1.5)
    async with scripted(reply) as (url, _), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice")
        await until(lambda: len(begun) == 2)
    assert begun[1] - begun[0] >= 1.5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "definition", sorted(name for name, meaning in MEANINGS.items() if meaning.reaction is Reaction.REPORTED)
)
async def test_an_answer_to_a_query_concerns_no_session(definition: str) -> None:
    async with (
        scripted(refusing(definition, named=False)) as (url, commands),
        client(url, audio=TestTone()) as alice,
    ):
        await alice.adaptor.publish("alice")
        await alice.told.refusal(definition)
        await alice.adaptor.get_subtracks("room1")
        await until(lambda: "getSubtracks" in commands)
        assert [error for error, _ in alice.told.errors] == [definition]
        assert commands.count("publish") == 1


BROKEN_SDP = ["", "hello", "v=0\r\n", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("sdp", BROKEN_SDP)
async def test_a_broken_offer_is_told_and_the_room_played_again(sdp: str) -> None:
    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        if message["command"] != "play":
            return None
        return {"command": "takeConfiguration", "streamId": "room1", "type": "offer", "sdp": sdp}

    async with scripted(reply) as (url, commands), client(url) as alice:
        await alice.adaptor.play("room1")
        await until(lambda: commands.count("play") >= 3, what=f"{commands} {alice.told.errors}")
        assert {error for error, _ in alice.told.errors} <= {"notSetRemoteDescription", "connection_timeout"}
        assert alice.told.errors
        assert "\n" not in alice.told.errors[0][1]["message"]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("sdp", BROKEN_SDP)
async def test_a_broken_answer_ends_the_session(sdp: str) -> None:
    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        if message["command"] == "publish":
            return {"command": "start", "streamId": "alice"}
        if message["command"] == "takeConfiguration":
            return {"command": "takeConfiguration", "streamId": "alice", "type": "answer", "sdp": sdp}
        return None

    async with scripted(reply) as (url, _), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice")
        assert (await alice.told.refusal("session_ended"))["reason"] == "refused"
        assert [error for error, _ in alice.told.errors] == ["notSetRemoteDescription", "session_ended"]


@pytest.mark.usefixtures("quick")
async def test_a_server_that_never_answers_is_asked_again() -> None:
    async with scripted(lambda _: None) as (url, commands), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice")
        await alice.told.refusal("connection_timeout")
        assert await alice.told.callback_with("reconnection_attempt_for_publisher") == "alice"
        await until(lambda: commands.count("publish") >= 2)
        assert commands[:3] == ["publish", "stop", "publish"]


@pytest.mark.usefixtures("quick")
async def test_a_room_that_is_played_again_leaves_out_what_was_published_since() -> None:
    sent: list[dict[str, Any]] = []

    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        sent.append(message)
        if message["command"] == "play":
            return {"command": "error", "definition": "no_stream_exist", "streamId": "room1"}
        return None

    async with scripted(reply) as (url, _), client(url, audio=TestTone()) as alice:
        await alice.adaptor.play("room1")
        await alice.adaptor.publish("alice", main_track="room1")

        def left_out() -> set[str]:
            return {one["userPublishId"] for one in sent if one["command"] == "play"}

        await until(lambda: left_out() == {"", "alice"})


async def test_fields_that_cannot_be_used_do_not_end_the_socket() -> None:
    async def talk(socket: ServerConnection) -> None:
        bad = {"command": "takeCandidate", "streamId": "room1", "label": "0", "candidate": "x"}
        for _ in range(50):
            await socket.send(json.dumps(bad))
        await socket.send(json.dumps({"command": "notification", "definition": "still_here"}))
        await socket.wait_closed()

    async with serve(talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with client(f"ws://127.0.0.1:{port}/live/websocket") as alice:
            await alice.adaptor.open()
            await alice.told.callback_with("still_here")
            assert "closed" not in alice.told.names


def offer(sdp: str) -> dict[str, Any]:
    return {"command": "takeConfiguration", "streamId": "room1", "type": "offer", "sdp": sdp}


@pytest.mark.usefixtures("quick")
async def test_an_offer_that_needs_a_new_connection_gets_one() -> None:
    """The first section of the bundle is rejected: stop, and play again."""
    rejected = TWO_SLOTS.replace("m=video 9 ", "m=video 0 ", 1)

    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        offers = {"play": TWO_SLOTS, "takeConfiguration": rejected}
        return offer(offers[message["command"]]) if message["command"] in offers else None

    async with scripted(reply) as (url, commands), client(url) as alice:
        await alice.adaptor.play("room1")
        await until(lambda: commands.count("play") >= 2)
        assert commands[:4] == ["play", "takeConfiguration", "stop", "play"]
        assert alice.told.errors == []


async def test_rubbish_candidates_do_no_harm() -> None:
    rubbish: list[Any] = [
        "garbage",
        "candidate:1 1 udp 1 192.0.2.1 9 typ srflx raddr 10.0.0.1 rport x",
        "candidate:1 1 udp 1 x.local 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 99999 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host",
    ]
    answers: list[str] = []

    async def talk(socket: ServerConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["command"] == "play":
                await socket.send(json.dumps(offer(TWO_SLOTS)))
            elif message["command"] == "takeConfiguration":
                answers.append(message["sdp"])
                for candidate in rubbish:
                    for place in ({"label": 0, "id": "0"}, {"label": 99}, {"label": -1, "id": "nowhere"}):
                        about = {"command": "takeCandidate", "streamId": "room1", "candidate": candidate, **place}
                        await socket.send(json.dumps(about))
                if len(answers) < 3:
                    await socket.send(json.dumps(offer(TWO_SLOTS)))

    async with serve(talk, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with client(f"ws://127.0.0.1:{port}/live/websocket") as alice:
            await alice.adaptor.play("room1")
            await until(lambda: len(answers) == 3)
            assert alice.told.errors == []


async def test_what_a_loopback_server_is_sent() -> None:
    sent: list[dict[str, Any]] = []
    async with (
        scripted(sent.append) as (url, commands),
        client(url, audio=TestTone()) as alice,
    ):
        await alice.adaptor.publish("alice", "secret", stream_name="Alice", main_track="room1", meta_data="{}")
        await alice.adaptor.play("room1", "secret", "room1")
        await until(lambda: len(commands) >= 2)
    publish, play = sent[:2]
    assert publish["command"] == "publish"
    assert (publish["video"], publish["audio"], publish["token"]) == (False, True, "secret")
    assert play["command"] == "play"
    assert (play["room"], play["userPublishId"], play["trackList"]) == ("room1", "alice", [])
    assert "getIceServerConfig" not in commands


# -- who comes back, and as whom ---------------------------------------------------------------------


ACCEPTED = {"command": "start", "streamId": "alice"}


def accepting_once_then(definition: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """The first publish is accepted, and never gets a media path; every other one is refused."""
    published = 0

    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        nonlocal published
        if message["command"] != "publish":
            return None
        published += 1
        return ACCEPTED if published == 1 else refusing(definition)(message)

    return reply


@pytest.mark.usefixtures("quick")
async def test_after_a_loss_an_id_in_use_is_our_former_self() -> None:
    async with scripted(accepting_once_then("streamIdInUse")) as (url, commands), client(url) as alice:
        await alice.adaptor.publish("alice")
        ended = await alice.told.refusal("session_ended")
        assert ended["definition"] == "streamIdInUse"
        assert commands.count("publish") == 1 + session.IN_USE_TRIES + 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        (Credentials("onetime"), "good for one entrance"),
        (Credentials("", "sub1", "123456"), "code has expired"),
        (Credentials("", "sub1", totp=Totp("ABCDEFGH", period=3600)), "code was refused"),
        (Credentials(), "wants a token"),
    ],
)
async def test_a_token_that_is_not_taken_again_is_one_clear_end(credentials: Credentials, said: str) -> None:
    """No storm of retries, and what was wrong with it (hostile inputs, WS-24)."""
    async with scripted(accepting_once_then("unauthorized_access")) as (url, commands), client(url) as alice:
        await alice.adaptor.publish("alice", main_track="room1", credentials=credentials)
        ended = await alice.told.refusal("session_ended")
        assert said in str(ended["cause"])
        assert ended["cause"].hint
        assert ended["cause"].exit_code == 5
        assert commands.count("publish") == 2
        assert [error for error, _ in alice.told.errors][-2:] == ["unauthorized_access", "session_ended"]


@pytest.mark.usefixtures("quick")
async def test_each_attempt_has_a_fresh_code(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []
    codes = iter(range(100_000, 999_999))
    monkeypatch.setattr(Totp, "code", lambda *_: str(next(codes)))
    credentials = Credentials("t", "sub1", totp=Totp("ABCDEFGH"))

    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        sent.append(message)
        return refusing("not_initialized_yet" if message["command"] == "publish" else "no_stream_exist")(message)

    async with scripted(reply) as (url, _), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice", main_track="room1", credentials=credentials)
        await alice.adaptor.play("room1", credentials=credentials)
        await until(lambda: min(sum(m["command"] == c for m in sent) for c in ("publish", "play")) >= 3)
    begun = [message for message in sent if message["command"] in ("publish", "play")]
    assert {(message["token"], message["subscriberId"]) for message in begun} == {("t", "sub1")}
    assert len({message["subscriberCode"] for message in begun}) == len(begun)


@pytest.mark.usefixtures("quick")
async def test_a_code_that_ran_out_on_its_way_is_followed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = iter(["111111", "222222", "222222", "222222"])
    monkeypatch.setattr(Totp, "code", lambda *_: next(codes))

    async with scripted(refusing("unauthorized_access")) as (url, commands), client(url) as alice:
        await alice.adaptor.play("room1", credentials=Credentials("", "sub1", totp=Totp("ABCDEFGH")))
        await alice.told.refusal("session_ended")
        assert commands.count("play") == 2


# -- answers that mean something else ----------------------------------------------------------------


async def test_a_refused_query_about_a_live_stream_does_not_end_it(server: RoomServer) -> None:
    async with publishing(server) as alice, publishing(server, "bob") as bob:
        await alice.adaptor.play("room1")
        await alice.told.callback_with("play_started")
        for definition in (*NOBODY_YET, "already_playing", "already_publishing"):
            for stream_id in ("alice", "room1"):
                text = json.dumps({"command": "error", "definition": definition, "streamId": stream_id})
                await alice.adaptor._link._receive(text)
        await media_flows(alice.told)
        assert "session_ended" not in [error for error, _ in alice.told.errors]
        assert not [name for name in (*alice.told.names, *bob.told.names) if name.startswith("reconnection")]
        assert len(alice.told.objects("publish_started")) == 1


async def test_own_publishing_hurries_a_room_that_is_refused_at_the_same_moment() -> None:
    """`publish_started` comes between the play and the answer that nobody is there."""
    played = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal played
        async for text in socket:
            message = json.loads(text)
            if message["command"] == "play":
                played += 1
                if played == 1:
                    await socket.send(
                        json.dumps({"command": "notification", "definition": "publish_started", "streamId": "alice"})
                    )
                await socket.send(json.dumps(refusing("no_stream_exist")(message)))

    async with serve(talk, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"
        async with client(url, audio=TestTone()) as alice:
            await alice.adaptor.publish("alice", main_track="room1")
            await alice.adaptor.play("room1")
            async with asyncio.timeout(session.RETRY_EMPTY - 0.5):
                await until(lambda: played == 2)


@pytest.mark.usefixtures("quick")
async def test_the_community_edition_is_told_once_and_publishing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 8: silence for queries, one error for what has no stream id, and no room ever."""

    def reply(message: dict[str, Any]) -> dict[str, Any] | None:
        match message["command"]:
            case "publish":
                return {"command": "notification", "definition": "publish_started", "streamId": message["streamId"]}
            case "play":
                return refusing("no_stream_exist")(message)
            case "getIceServerConfig":
                return {"command": "error", "definition": "noStreamNameSpecified"}
        return None

    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 30.0)
    async with scripted(reply) as (url, commands), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice", main_track="room1")
        await alice.told.callback_with("publish_started")
        await alice.adaptor.play("room1")
        told = await alice.told.refusal("community_edition")
        assert told["streamId"] == "room1"
        assert "Community Edition" in told["message"]
        played = commands.count("play")
        await alice.adaptor.get_subtracks("room1")
        await until(lambda: commands[-1] == "getSubtracks")
        assert played == commands.count("play") == protocol.COMMUNITY_SURE
        assert {error for error, _ in alice.told.errors} == {"no_stream_exist", "community_edition"}
        assert set(alice.adaptor._link.sessions) == {"alice", "room1"}


@pytest.mark.usefixtures("quick")
async def test_the_community_edition_of_the_local_server_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CONNECT_TIMEOUT", 12.0)
    options = Options(edition=Edition.COMMUNITY)
    async with RoomServer(options=options) as server, publishing(server) as alice:
        await alice.adaptor.play("room1")
        assert (await alice.told.refusal("community_edition"))["streamId"] == "room1"
        assert alice.adaptor.ice_connection_state("alice") == "completed"


async def test_a_server_that_renegotiates_without_end_is_named_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "OFFER_BURST", 2)
    answers = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal answers
        async for text in socket:
            if json.loads(text)["command"] in ("play", "takeConfiguration"):
                answers += 1
                for _ in range(20):
                    await socket.send(json.dumps(offer(TWO_SLOTS)))

    async with serve(talk, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"
        async with client(url) as alice:
            await alice.adaptor.play("room1")
            told = await alice.told.refusal("signalling_flood")
            assert told["streamId"] == "room1"
            assert told["message"]
            before = answers
            await until(lambda: answers >= before + 2)
            assert [error for error, _ in alice.told.errors] == ["signalling_flood"]
            assert "closed" not in alice.told.names


async def test_when_the_server_is_given_up_no_session_is_left(
    server: RoomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "SOCKET_TRIES", 1)
    monkeypatch.setattr(link, "back_off", lambda: iter([0.01]))
    async with publishing(server) as alice:
        await alice.adaptor.play("room1")
        alice.adaptor.enable_stats("alice")
        await server.aclose()
        await alice.told.refusal("WebSocketNotConnected")
        assert alice.adaptor._link.sessions == {}
        assert alice.adaptor._link._watched == {}
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("session")]


@pytest.mark.parametrize(("code", "reason"), [(1008, ""), (1000, "Unauthorized"), (4001, "token expired")])
async def test_a_server_that_closes_because_of_who_we_are_is_not_tried_again(code: int, reason: str) -> None:
    connected = 0

    async def talk(socket: ServerConnection) -> None:
        nonlocal connected
        connected += 1
        async for _ in socket:
            await socket.close(code, reason)

    async with serve(talk, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"
        async with client(url) as alice:
            await alice.adaptor.play("room1")
            failure = await alice.told.refusal("WebSocketNotConnected")
            assert isinstance(failure["cause"], RefusedError)
            assert failure["cause"].exit_code == 5
            assert connected == 1
            assert alice.adaptor._link.sessions == {}


# -- every method and every message ------------------------------------------------------------------


def documented() -> dict[str, str]:
    """The table of the module: what each method of the SDK is here."""
    table = (adaptor_module.__doc__ or "").split("\n====")[2]
    rows = [line.split(maxsplit=1) for line in table.splitlines() if line and not line.startswith("=")]
    return dict(rows)


def browser_only() -> set[str]:
    text = (adaptor_module.__doc__ or "").partition("Without meaning outside a browser")[2].partition("\n\n")[0]
    return set(re.findall(r"\b[a-z]+[A-Z]\w*|\bregister\b", text))


# What is public in JavaScript only because nothing is private there.
INNER = {
    "constructor",
    "initPlugins",
    "notifyEventListeners",
    "notifyErrorEventListeners",
    "sendPublishCommand",
    "reconnectIfRequired",
    "tryAgain",
    "onTrack",
    "iceCandidateReceived",
    "sanitizeHTML",
    "initDataChannel",
    "initPeerConnection",
    "oniceconnectionstatechangeCallback",
    "closePeerConnection",
    "gotDescription",
    "takeConfiguration",
    "takeCandidate",
    "addIceCandidate",
    "startPublishing",
    "parseStats",
    "checkWebSocketConnection",
    "websocketCallback",
}


def snake_case(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def test_the_table_names_the_methods_that_there_are() -> None:
    table = documented()
    methods = {
        name for name, member in inspect.getmembers(WebRTCAdaptor, inspect.isfunction) if not name.startswith("_")
    }
    named = {javascript: here for javascript, here in table.items() if here.isidentifier()}
    assert set(named.values()) <= methods
    for javascript, here in named.items():
        assert here == snake_case(javascript) or javascript in ("initialize", "closeWebSocket")
    assert methods - set(named.values()) == {"own_level", "retry", "use_tracks"}
    assert not browser_only() & set(table)


@pytest.mark.interop
def test_the_table_misses_no_method_of_the_official_sdk(official_sdk: Path) -> None:
    (source,) = official_sdk.glob("webrtc_adaptor-*.js")
    text = source.read_text().partition("\nclass WebRTCAdaptor {")[2]
    methods = set(re.findall(r"^  (?:static )?(\w+)\([^\n]*\) {$", text, re.MULTILINE))
    assert len(methods) > 80
    assert methods - INNER - {"playStream"} <= set(documented()) | browser_only()
    assert browser_only() <= methods


SDK_CALLS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "get_ice_server_config": ("get_ice_server_configuration", ()),
    "get_broadcast_object": ("get_broadcast_object", ("room1",)),
    "get_subtracks": ("get_subtracks", ("room1", 0, 15, "host")),
    "get_subtracks_count": ("get_subtrack_count", ("room1",)),
    "get_video_track_assignments": ("request_video_track_assignments", ("room1",)),
    "update_stream_meta_data": ("update_stream_meta_data", ("alice", '{"isMicMuted":true}')),
    "peer_message": ("peer_message", ("x", "d", "...")),
    "get_track_list": ("get_tracks", ("room1", "t")),
    "get_stream_info": ("get_stream_info", ("alice",)),
    "get_room_info": ("get_room_info", ("room1", "alice")),
    "get_subscriber_count": ("get_subscriber_count", ("room1",)),
    "get_subscribers": ("get_subscriber_list", ("room1", 10, 20)),
    "get_debug_info": ("get_debug_info", ("alice",)),
    "enable_track": ("enable_track", ("room1", "bob", False)),
    "toggle_video": ("toggle_video", ("room1", "bob", True)),
    "toggle_audio": ("toggle_audio", ("room1", "bob", False)),
    "force_stream_quality": ("force_stream_quality", ("room1", 360, "bob")),
    "set_max_video_track_count": ("set_max_video_track_count", ("alice", 4)),
    "update_video_track_assignments": ("update_video_track_assignments", ("room1", 4, 2)),
    "assign_video_track": ("assign_video_track", ("videoTrack0", "bob", True)),
    "register_push_notification_token": ("register_push_notification_token", ("u", "jwt", "device", "fcm")),
    "send_push_notification": ("send_push_notification", ("u", "jwt", {"title": "Call"}, ("v", "w"))),
    "send_push_notification_to_topic": ("send_push_notification_to_topic", ("u", "jwt", {"title": "Call"}, "room1")),
    "join_room": ("join_room", ("room1", "alice", "multitrack", "Alice", "", "{}")),
    "leave_from_room": ("leave_from_room", ("room1", "alice")),
    "join": ("join", ("alice",)),
    "leave": ("leave", ("alice",)),
}
"""Which method sends the message of which fixture."""


async def test_each_method_sends_the_message_of_the_reference() -> None:
    sent: list[dict[str, Any]] = []
    async with scripted(sent.append) as (url, _), client(url) as alice:
        await alice.adaptor.open()
        for method, arguments in SDK_CALLS.values():
            await getattr(alice.adaptor, method)(*arguments)
        await until(lambda: len(sent) == len(SDK_CALLS))
    for name, got in zip(SDK_CALLS, sent, strict=True):
        expected = {key: value for key, value in wire.message(name).items() if value is not None}
        assert {key: got.get(key) for key in expected} == expected, name
        assert all(value in ("", [], 0, False) for key, value in got.items() if key not in expected), name


async def test_nothing_is_sent_before_the_socket_is_open() -> None:
    async with scripted(lambda _: None) as (url, commands), client(url) as alice:
        for method, arguments in SDK_CALLS.values():
            await getattr(alice.adaptor, method)(*arguments)
        await alice.adaptor.open()
        await alice.adaptor.get_debug_info("alice")
        await until(lambda: bool(commands))
        assert commands == ["getDebugInfo"]


async def test_options_of_playing_reach_the_server() -> None:
    sent: list[dict[str, Any]] = []
    async with scripted(sent.append) as (url, _), client(url) as alice:
        await alice.adaptor.play(
            "room1",
            "t",
            "room1",
            ["bob"],
            "sub1",
            "123456",
            "me",
            "host",
            subscriber_name="Alice",
            disable_tracks_by_default=True,
        )
        await until(lambda: bool(sent))
    assert sent[0] == {
        "command": "play",
        "streamId": "room1",
        "token": "t",
        "room": "room1",
        "trackList": ["bob"],
        "subscriberId": "sub1",
        "subscriberCode": "123456",
        "viewerInfo": "me",
        "role": "host",
        "userPublishId": "",
        "subscriberName": "Alice",
        "disableTracksByDefault": True,
    }


async def test_the_states_of_a_connection(server: RoomServer) -> None:
    async with publishing(server) as alice:
        await until(lambda: alice.adaptor.ice_connection_state("alice") == "completed")
        assert alice.adaptor.signalling_state("alice") == "stable"
        await alice.adaptor.stop("alice")
        assert alice.adaptor.signalling_state("alice") is None
        assert alice.adaptor.ice_connection_state("alice") is None


async def test_own_media_are_switched_off_and_on(server: RoomServer) -> None:
    audio, video = TestTone(440), SolidColour(RED)
    async with publishing(server, audio=audio, video=video) as alice:
        alice.adaptor.mute_local_mic()
        alice.adaptor.turn_off_local_camera()
        assert (audio.enabled, video.enabled) == (False, False)
        await until(lambda: alice.adaptor.own_level("alice") == 127)
        alice.adaptor.unmute_local_mic()
        alice.adaptor.turn_on_local_camera()
        assert (audio.enabled, video.enabled) == (True, True)
    async with client(server.url) as nobody:
        nobody.adaptor.mute_local_mic()
        nobody.adaptor.turn_on_local_camera()


async def test_who_talks_while_muted_is_told(server: RoomServer) -> None:
    async with publishing(server, audio=VoiceAudio(120.0, lambda _: True)) as alice:
        alice.adaptor.mute_local_mic()
        await alice.told.callback_with("speaking_but_muted")


async def test_the_audio_level_goes_by_data_channel(server: RoomServer) -> None:
    async with publishing(server) as alice, client(server.url) as bob:
        await bob.adaptor.play("room1")
        await bob.told.callback_with("data_channel_opened")
        await alice.told.callback_with("data_channel_opened")
        assert alice.adaptor.update_audio_level("alice", 30)

        def levels() -> list[Any]:
            said = [
                json.loads(obj["data"]) for obj in bob.told.objects("data_received") if "AUDIO_LEVEL" in obj["data"]
            ]
            return [event for event in said if event.get("audioLevel") == 30]

        assert (await until(levels))[0] == {"streamId": "alice", "eventType": "UPDATE_AUDIO_LEVEL", "audioLevel": 30}


BROKEN_VALUES: list[Any] = [
    *(None, 7, -1.5, True, "", "\ud800\x00\x1b[2J", "x" * 5000),
    *([], {}, [None], {"": [{}]}),
]


def mutants(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A message with one field broken in every way that a server might think of."""
    yield value
    yield dict(reversed(value.items()))
    yield value | {"future": {"a": [1]}, "raw": None, "linkSession": None, "subscriberId": None}
    for key in value:
        yield {name: kept for name, kept in value.items() if name != key}
        if key != "command":
            for bad in BROKEN_VALUES:
                yield value | {key: bad}
            yield value | {key: json.dumps(value[key])}
            yield value | {key: [value[key]]}


async def test_no_message_however_broken_does_any_harm(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fixture with every field missing, null, of a wrong type, doubled, reversed or encoded twice."""
    monkeypatch.setattr(link, "BAD_MESSAGES", 1 << 20)
    monkeypatch.setattr(session, "RETRY_EMPTY", 0.02)
    async with client(server.url, audio=TestTone()) as alice, publishing(server, "carol"):
        alice.adaptor._link._bad = deque(maxlen=1)
        await alice.adaptor.publish("alice", main_track="room1")
        await alice.adaptor.play("room1")
        told = 0
        for name in wire.names():
            if name == "notification_server_will_stop":
                continue
            for mutant in mutants(wire.message(name)):
                if mutant.get("definition") != "server_will_stop":
                    await alice.adaptor._link._receive(json.dumps(mutant))
            await asyncio.sleep(0)
            told = len(alice.told.calls) + len(alice.told.errors)
        assert told > 500
        assert "internal_error" not in [error for error, _ in alice.told.errors]
        await alice.adaptor.stop("alice")
        await alice.adaptor.stop("room1")
        await alice.adaptor.play("room1")
        alice.told.calls.clear()
        await media_flows(alice.told)


# -- a second picture, and the next try --------------------------------------------------------------


async def test_a_second_picture_goes_beside_the_own_tracks_over_the_same_socket(server: RoomServer) -> None:
    screen = SolidColour(BLUE)
    async with publishing(server) as alice, client(server.url) as bob:
        await alice.adaptor.publish("alice_presentation", main_track="room1", picture=screen)
        await alice.told.callback_with("publish_started", 2)
        await bob.adaptor.play("room1")
        await until(lambda: len(tracks(bob, "video")) == 2 and len(tracks(bob, "audio")) == 1)
        async with asyncio.timeout(20):
            for colour in (RED, BLUE):
                assert any([await shows(track, colour) for track in tracks(bob, "video")])
        await alice.adaptor.stop("alice_presentation")
        finished = await alice.told.callback_with("publish_finished")
        assert finished["streamId"] == "alice_presentation"
        assert screen.readyState == "live"
        await until(lambda: len(tracks(bob, "video")) == 1)
        assert await shows(tracks(bob, "video")[0], RED)
    screen.stop()


def tracks(of: Client, kind: str) -> list[RemoteTrack]:
    """What plays now."""
    told = [obj["remoteTrack"] for obj in of.told.objects("newTrackAvailable")]
    return [track for track in told if track.kind == kind and track.track.readyState == "live"]


def plans(told: Told) -> list[dict[str, Any]]:
    return told.objects("retry_planned")


async def test_each_try_of_the_socket_is_told_before_it_with_its_reason(
    server: RoomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "SOCKET_TRIES", 3)
    monkeypatch.setattr(link, "back_off", lambda: iter([0.3, 0.01, 0.02]))
    async with publishing(server) as alice:
        await alice.adaptor.play("room1")
        await server.aclose()
        await alice.told.refusal("WebSocketNotConnected")
        told = plans(alice.told)
    assert [(plan["attempt"], plan["seconds"]) for plan in told] == [(1, 0.3), (2, 0.0), (3, 0.0)]
    assert all("streamId" not in plan for plan in told)
    assert "cannot be reached" not in told[0]["reason"]
    assert "cannot be reached" in told[1]["reason"]


async def test_a_try_that_is_asked_for_comes_at_once_and_is_not_held_against_us(
    server: RoomServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "SOCKET_TRIES", 1)
    monkeypatch.setattr(link, "back_off", lambda: iter([60.0, 60.0, 0.01]))
    async with publishing(server) as alice:
        await server.aclose()

        def pressed(attempt: int) -> bool:
            alice.adaptor.retry()
            return len(plans(alice.told)) > attempt

        for attempt in (1, 2):
            await alice.told.callback_with("retry_planned", attempt)
            await until(lambda attempt=attempt: pressed(attempt))  # type: ignore[misc]
        await alice.told.refusal("WebSocketNotConnected")
        assert [plan["attempt"] for plan in plans(alice.told)] == [1, 2, 3]


async def test_tries_can_be_asked_for_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(100.0)
    monkeypatch.setattr(link, "Allowance", partial(Allowance, clock=clock))
    monkeypatch.setattr(session, "RETRY_BUSY", 60.0)
    async with scripted(refusing("highResourceUsage")) as (url, commands), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice")
        await until(lambda: len(plans(alice.told)) == 1)
        assert plans(alice.told)[0] == {
            "streamId": "alice",
            "attempt": 1,
            "seconds": 60.0,
            "reason": MEANINGS["highResourceUsage"].text,
        }
        alice.adaptor.retry()
        await until(lambda: len(plans(alice.told)) == 2)
        alice.adaptor.retry()
        waiting = alice.adaptor._link.sessions["alice"]
        assert not waiting._urged.is_set()
        clock.now += link.URGED_GAP
        alice.adaptor.retry()
        await until(lambda: len(plans(alice.told)) == 3)
        assert commands.count("publish") == 3


async def test_an_empty_room_is_waited_for_in_silence() -> None:
    async with scripted(refusing("no_stream_exist")) as (url, commands), client(url) as bob:
        await bob.adaptor.play("room1")
        await until(lambda: commands.count("play") == 1 and "no_stream_exist" in dict(bob.told.errors))
        bob.adaptor.retry()
        await until(lambda: commands.count("play") == 2)
        assert plans(bob.told) == []
