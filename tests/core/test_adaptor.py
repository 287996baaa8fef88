"""`WebRTCAdaptor` by the SDK's names, against the local room server and against scripted ones."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from av import VideoFrame
from websockets.asyncio.server import ServerConnection, serve

from tests.core import wire
from tests.core.peers import BLUE, RED, frequency, shows
from tests.waiting import own_threads, until
from tui.core import link, session
from tui.core.adaptor import WebRTCAdaptor
from tui.core.messages import Broadcast
from tui.core.refusals import IN_USE, NOBODY_YET, PASSING, REFUSALS
from tui.core.signaling import back_off
from tui.errors import LostError, UnreachableError, UsageError
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from aiortc import MediaStreamTrack

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

    def track(self, kind: str) -> MediaStreamTrack | None:
        """The newest remote track of that kind that has not ended."""
        tracks = [obj["track"] for obj in self.objects("newTrackAvailable")]
        return next((track for track in reversed(tracks) if track.kind == kind and track.readyState == "live"), None)

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
        await made.told.callback_with("publish_started")
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
        await bob.adaptor.get_subtracks_count("room1")
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
        assert await other.told.refusal("session_ended") == {"streamId": "alice", "reason": "in use"}
        async with client(server.url) as bob:
            await bob.adaptor.play("room1")
            await media_flows(bob.told)


async def test_a_dropped_socket_comes_back_with_media(server: RoomServer) -> None:
    async with publishing(server) as alice, client(server.url) as bob:
        await bob.adaptor.play("room1")
        await media_flows(bob.told)
        for dropped in (bob, alice):
            dropped.told.calls.clear()
            bob.told.calls.clear()
            dropped.drop_socket()
            assert (await dropped.told.callback_with("closed"))["reason"]
            await dropped.told.callback_with("initialized")
            kind = "player" if dropped is bob else "publisher"
            assert await dropped.told.callback_with(f"reconnection_attempt_for_{kind}")
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
        assert await alice.told.refusal("session_ended") == {"streamId": "alice", "reason": "lost"}
        await alice.adaptor.publish("alice", main_track="room1")
        await alice.told.callback_with("publish_started", 2)


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


@pytest.mark.parametrize("definition", sorted(PASSING))
async def test_a_passing_error_is_asked_again_less_and_less_often(
    definition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pause comes from one back-off, until a connection has been up."""
    begun: list[float] = []
    paused: list[float] = []

    def pauses(first: float) -> Iterator[float]:
        begun.append(first)
        for pause in back_off(first):
            paused.append(pause)
            yield 0.0

    monkeypatch.setattr(session, "back_off", pauses)
    async with scripted(refusing(definition)) as (url, commands), client(url, audio=TestTone()) as alice:
        await alice.adaptor.publish("alice")
        await until(lambda: commands.count("publish") >= 5)
    assert begun == [session.RETRY_LOST]
    assert paused[3] > 3 * paused[0]


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
