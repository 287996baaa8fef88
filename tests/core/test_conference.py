"""A conference's states and lists, driven by what an adaptor would say; real media is in tests/interop."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from aiortc import AudioStreamTrack, VideoStreamTrack

from tests.waiting import until
from tui.core import attendance, roster, talkers
from tui.core import conference as module
from tui.core.adaptor import WebRTCAdaptor
from tui.core.attendance import PAGE
from tui.core.commands import GetSubtracks, Ping, Publish
from tui.core.conference import Conference
from tui.core.door import TRACK_LIMITS
from tui.core.events import (
    Announced,
    Callback,
    CallState,
    CallStateChanged,
    ChatMessage,
    Direction,
    Event,
    LocalMediaChanged,
    ModeratorRequest,
    Notice,
    OnRequest,
    Participant,
    PublishingRefused,
    RetryPlanned,
    RosterChanged,
    ShareState,
    SharingChanged,
    TrackAdded,
    TrackRemoved,
    Wish,
)
from tui.core.peer import RemoteTrack
from tui.core.refusals import refusal
from tui.core.sdp import TrackLine
from tui.errors import ExitCode, LostError, RefusedError, UnreachableError
from tui.media.generated import Silence
from tui.media.pictures import Black

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

E = TypeVar("E", bound=Event)


class Adaptor:
    """Takes the place of `WebRTCAdaptor`: notes the commands, and says what a test makes it say."""

    made: list[Adaptor]
    opening: Callable[[], Awaitable[None]]
    closing: Callable[[], Awaitable[None]]

    def __init__(self, url: str, callback: Callable[..., None], callback_error: Callable[..., None], **_: Any) -> None:
        self.say = callback
        self.refuse = callback_error
        self.commands: list[tuple[Any, ...]] = []
        self.level = 127
        self.open_channels = {"alice", "room1"}
        self.closed = False
        Adaptor.made.append(self)

    async def open(self) -> None:
        await Adaptor.opening()

    async def aclose(self) -> None:
        self.commands.append(("aclose",))
        await Adaptor.closing()
        self.closed = True

    async def publish(self, stream_id: str, *_: Any, meta_data: str, **options: Any) -> None:
        self.published = options
        self.commands.append(("publish", stream_id, json.loads(meta_data)))

    async def play(self, stream_id: str, *_: Any, **options: Any) -> None:
        self.options = options
        self.commands.append(("play", stream_id))

    async def update_stream_meta_data(self, stream_id: str, meta_data: str) -> None:
        self.commands.append(("meta", stream_id, json.loads(meta_data)))

    def send_data(self, stream_id: str, data: str) -> bool:
        if stream_id not in self.open_channels:
            return False
        self.commands.append(("data", stream_id, json.loads(data)))
        return True

    def use_tracks(self, audio: object, video: object) -> None:
        self.commands.append(("use_tracks", audio, video))

    def own_level(self, _: str) -> int:
        return self.level

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        """Every other command is noted by its name."""
        assert name in dir(WebRTCAdaptor), name

        async def command(*arguments: Any, **named: Any) -> None:
            self.commands.append((name, *arguments, *named.values()))

        return command

    def sent(self, name: str) -> list[tuple[Any, ...]]:
        return [command[1:] for command in self.commands if command[0] == name]

    @property
    def data(self) -> list[tuple[str, Any]]:
        """What was sent on which data channel."""
        return [(way, event) for way, event in self.sent("data")]


async def _at_once() -> None:
    pass


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WebRTCAdaptor", Adaptor)
    Adaptor.made = []
    Adaptor.opening = staticmethod(_at_once)
    Adaptor.closing = staticmethod(_at_once)


class Room:
    """A conference with its events noted."""

    def __init__(self, **options: Any) -> None:
        self.events: list[Event] = []
        media = {} if options.get("play_only") else {"audio": Silence(), "video": Black()}
        stream_id = options.pop("stream_id", "alice")
        self.conference = Conference(
            "ws://localhost/live/websocket", "room1", stream_id, self.events.append, **(media | options)
        )

    @property
    def adaptor(self) -> Adaptor:
        return Adaptor.made[-1]

    def now(self) -> CallState:
        """The state; a call, so that mypy does not take it for unchanging."""
        return self.conference.state

    @property
    def states(self) -> list[CallState]:
        return [event.state for event in self.events if isinstance(event, CallStateChanged)]

    @property
    def names(self) -> list[str]:
        return [person.name for person in self.conference.participants]

    def log(self, info: str) -> list[Callback]:
        return [event for event in self.events if isinstance(event, Callback) and event.info == info]

    def publish_started(self) -> None:
        self.adaptor.say("publish_started", {"streamId": "alice", "room": "room1"})

    def play_started(self) -> None:
        self.adaptor.say("play_started", {"streamId": "room1"})

    def list_people(self, *entries: object) -> None:
        self.adaptor.say("subtrackList", {"streamId": "room1", "subtrackList": list(entries)})

    def hear(self, event: object, way: str = "room1") -> None:
        """A data-channel message arrives."""
        data = event if isinstance(event, str | bytes) else json.dumps(event)
        self.adaptor.say("data_received", {"streamId": way, "data": data})

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def person(self, stream_id: str) -> Participant:
        return next(one for one in self.conference.participants if one.stream_id == stream_id)

    async def join(self) -> None:
        before = len(Adaptor.made)
        joining = asyncio.create_task(self.conference.join())
        await until(lambda: len(Adaptor.made) > before and self.adaptor.sent("play"))
        self.publish_started()
        self.play_started()
        await joining
        assert self.now() is CallState.JOINED


@pytest.fixture
async def room() -> Any:
    room = Room()
    await room.join()
    yield room
    await room.conference.aclose()


def record(stream_id: str, name: str = "", **meta_data: object) -> str:
    return json.dumps({"streamId": stream_id, "name": name, "metaData": json.dumps(meta_data)})


# -- in and out --------------------------------------------------------------------------------------


async def test_joining_and_leaving() -> None:
    room = Room(name="Alice")
    assert room.now() is CallState.IDLE
    await room.join()
    assert room.adaptor.sent("publish") == [("alice", {"isMicMuted": False, "isCameraOn": True, "isCameraOff": False})]
    assert room.names == ["Alice"]
    assert room.conference.participants[0].is_self
    assert LocalMediaChanged(microphone=True, camera=True) in room.events
    await room.conference.leave()
    assert room.states == [CallState.CONNECTING, CallState.JOINED, CallState.LEAVING, CallState.IDLE]
    assert room.adaptor.closed
    assert room.names == []
    assert room.events.index(RosterChanged(())) > room.events.index(CallStateChanged(CallState.LEAVING))


async def test_leaving_without_being_there_is_nothing() -> None:
    room = Room()
    await room.conference.leave()
    await room.conference.aclose()
    assert room.events == []


async def test_joining_twice_at_once_is_joining_once() -> None:
    room = Room()
    both = asyncio.gather(room.conference.join(), room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.publish_started()
    await both
    await room.conference.join()
    assert len(Adaptor.made) == 1
    await room.conference.aclose()


async def test_a_viewer_is_there_when_the_room_plays() -> None:
    room = Room(play_only=True)
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    assert room.adaptor.sent("publish") == []
    room.play_started()
    await joining
    assert room.states == [CallState.CONNECTING, CallState.JOINED]
    assert LocalMediaChanged(None, None, play_only=True) in room.events
    await room.conference.aclose()


async def test_an_empty_room_is_a_room_for_a_viewer() -> None:
    room = Room(play_only=True)
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.adaptor.refuse("no_stream_exist", {"streamId": "room1"})
    await joining
    assert room.now() is CallState.JOINED
    await room.conference.aclose()


async def test_the_own_stream_makes_one_a_participant_and_nothing_less() -> None:
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.play_started()
    room.adaptor.refuse("no_stream_exist", {"streamId": "room1"})
    room.adaptor.say("publish_started", {"streamId": "bob"})
    assert room.now() is CallState.CONNECTING
    room.publish_started()
    await joining
    await room.conference.aclose()


async def test_a_server_that_never_lets_us_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOIN_TIMEOUT", 0.05)
    room = Room()
    await room.conference.join()
    failed = room.events[-1]
    assert isinstance(failed, CallStateChanged)
    assert (failed.state, failed.exit_code) == (CallState.FAILED, ExitCode.UNREACHABLE)
    assert "room1" in failed.reason
    assert failed.hint
    assert room.adaptor.closed


@pytest.mark.parametrize(
    "hinder",
    [
        lambda room: room.adaptor.say("closed", {"reason": "not \x1b the protocol"}),
        lambda room: room.adaptor.refuse("notSetRemoteDescription", {"message": "not \x1b the protocol"}),
    ],
    ids=["socket", "description"],
)
async def test_what_kept_us_from_coming_in_is_named(
    monkeypatch: pytest.MonkeyPatch, hinder: Callable[[Room], None]
) -> None:
    monkeypatch.setattr(module, "JOIN_TIMEOUT", 0.2)
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    hinder(room)
    await joining
    failed = room.told(CallStateChanged)[-1]
    assert failed.reason.endswith("within 0 s: not \N{REPLACEMENT CHARACTER} the protocol")
    assert failed.hint == ""


async def test_a_server_that_is_not_there() -> None:
    async def refuse() -> None:
        raise UnreachableError("nobody there", "start it")

    Adaptor.opening = staticmethod(refuse)
    room = Room()
    await room.conference.join()
    assert CallStateChanged(CallState.FAILED, "nobody there", "start it", ExitCode.UNREACHABLE) in room.events
    Adaptor.opening = staticmethod(_at_once)
    await room.join()
    await room.conference.aclose()


async def test_a_stream_cannot_have_the_rooms_id() -> None:
    """Both would be one session to the server and to the adaptor."""
    room = Room(stream_id="room1")
    await room.conference.join()
    assert (room.now(), room.told(CallStateChanged)[-1].exit_code) == (CallState.FAILED, ExitCode.USAGE)
    assert not room.adaptor.sent("publish")
    watching = await viewer(stream_id="room1")
    await watching.conference.aclose()


async def test_a_defect_is_raised_and_not_waited_for() -> None:
    async def break_down() -> None:
        raise RuntimeError("defect")

    Adaptor.opening = staticmethod(break_down)
    room = Room()
    with pytest.raises(RuntimeError, match="defect"):
        await room.conference.join()
    await room.conference.aclose()
    assert room.now() is CallState.IDLE


@pytest.mark.parametrize(
    ("definition", "words"),
    [("unauthorized_access", "token"), ("streamIdInUse", "in use"), ("\x1b[2Jnew one", "\ufffd[2Jnew one")],
)
async def test_a_refusal_is_told_in_plain_words(definition: str, words: str) -> None:
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.adaptor.refuse(definition, {"streamId": "alice"})
    room.adaptor.refuse("session_ended", {"streamId": "alice", "cause": refusal(definition, "alice")})
    await joining
    failed = room.events[-1]
    assert isinstance(failed, CallStateChanged)
    assert (failed.state, failed.exit_code) == (CallState.FAILED, ExitCode.REFUSED)
    assert words in failed.reason


@pytest.mark.parametrize("error", [LostError("gone for good"), RefusedError("go away")])
async def test_a_connection_that_is_given_up_ends_the_call(room: Room, error: LostError | RefusedError) -> None:
    room.adaptor.say("closed", {"reason": "x"})
    room.adaptor.refuse("WebSocketNotConnected", {"message": str(error), "cause": error})
    room.adaptor.refuse("session_ended", {"streamId": "alice", "cause": LostError("lost")})
    await until(lambda: room.now() is CallState.FAILED)
    assert room.states.count(CallState.FAILED) == 1
    assert CallStateChanged(CallState.FAILED, str(error), "", error.exit_code) in room.events
    assert room.adaptor.closed
    await room.join()


# -- leaving and joining at the wrong moment ---------------------------------------------------------


async def test_leaving_while_the_connection_opens() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    Adaptor.opening = staticmethod(never)
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: room.states == [CallState.CONNECTING])
    await room.conference.leave()
    await joining
    assert room.states == [CallState.CONNECTING, CallState.LEAVING, CallState.IDLE]
    assert room.adaptor.closed


async def test_leaving_before_joining_has_begun() -> None:
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await asyncio.sleep(0)
    async with asyncio.timeout(2):
        await room.conference.leave()
        await joining
    assert room.now() is CallState.IDLE


async def test_leaving_while_joining_fails() -> None:
    closing, closed = asyncio.Event(), asyncio.Event()

    async def refuse() -> None:
        raise UnreachableError("nobody there")

    async def close() -> None:
        closing.set()
        await closed.wait()

    Adaptor.opening, Adaptor.closing = staticmethod(refuse), staticmethod(close)
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await closing.wait()
    leaving = asyncio.create_task(room.conference.leave())
    await asyncio.sleep(0)
    closed.set()
    await leaving
    await joining
    assert room.adaptor.closed
    assert room.now() in (CallState.FAILED, CallState.IDLE)


async def test_joining_while_leaving(room: Room) -> None:
    closing, closed = asyncio.Event(), asyncio.Event()

    async def close() -> None:
        closing.set()
        await closed.wait()

    Adaptor.closing = staticmethod(close)
    former = room.adaptor
    leaving = asyncio.create_task(room.conference.leave())
    await closing.wait()
    joining = asyncio.create_task(room.conference.join())
    await asyncio.sleep(0)
    closed.set()
    await leaving
    await until(lambda: room.adaptor is not former and room.adaptor.sent("play"))
    room.publish_started()
    await joining
    assert room.states[-4:] == [CallState.LEAVING, CallState.IDLE, CallState.CONNECTING, CallState.JOINED]
    assert room.names == ["alice"]
    assert former.closed
    assert not room.adaptor.closed


async def test_what_comes_late_does_not_bring_us_back(room: Room) -> None:
    async def close() -> None:
        room.publish_started()
        room.play_started()
        room.adaptor.say("session_restored", {"streamId": "alice"})
        room.adaptor.say("closed", {"reason": ""})

    Adaptor.closing = staticmethod(close)
    await room.conference.leave()
    assert room.states[-2:] == [CallState.LEAVING, CallState.IDLE]


async def test_all_its_tasks_end_with_it() -> None:
    before = asyncio.all_tasks()
    room = Room()
    await room.join()
    assert asyncio.all_tasks() > before
    await room.conference.aclose()
    assert asyncio.all_tasks() == before


# -- lost and found ----------------------------------------------------------------------------------


async def test_a_player_that_was_lost_alone_comes_back(room: Room) -> None:
    room.adaptor.say("reconnection_attempt_for_player", "room1")
    assert room.now() is CallState.RECONNECTING
    room.play_started()
    assert room.now() is CallState.JOINED


async def test_a_publisher_that_was_lost_alone_comes_back(room: Room) -> None:
    room.adaptor.say("reconnection_attempt_for_publisher", "alice")
    assert room.now() is CallState.RECONNECTING
    room.play_started()
    assert room.now() is CallState.RECONNECTING
    room.publish_started()
    assert room.now() is CallState.JOINED


async def test_a_publisher_may_be_restored(room: Room) -> None:
    room.adaptor.say("reconnection_attempt_for_publisher", "alice")
    room.adaptor.say("session_restored", {"streamId": "alice"})
    assert room.now() is CallState.JOINED


async def test_a_publisher_that_the_server_ended_is_missed_at_once(room: Room) -> None:
    room.adaptor.say("publish_finished", {"streamId": "alice"})
    assert room.now() is CallState.RECONNECTING
    room.publish_started()
    assert room.now() is CallState.JOINED


async def test_what_is_said_while_it_ends_is_no_loss(room: Room) -> None:
    async def say_closed() -> None:
        room.adaptor.say("closed", {"reason": ""})
        room.publish_started()
        room.play_started()

    Adaptor.closing = staticmethod(say_closed)
    room.adaptor.refuse("session_ended", {"streamId": "alice", "cause": RefusedError("go away")})
    await until(lambda: room.now() is CallState.FAILED)
    assert room.states == [CallState.CONNECTING, CallState.JOINED, CallState.FAILED]


async def test_another_stream_that_is_not_there_is_not_our_room(room: Room) -> None:
    room.adaptor.say("reconnection_attempt_for_player", "room1")
    room.adaptor.refuse("no_stream_exist", {"streamId": "other"})
    assert room.now() is CallState.RECONNECTING
    room.adaptor.refuse("no_stream_exist", {})
    assert room.now() is CallState.JOINED


@pytest.mark.parametrize("order", ["publish, play", "play, publish"])
@pytest.mark.parametrize("empty", [True, False])
async def test_after_the_socket_both_come_back(room: Room, order: str, empty: bool) -> None:
    def play() -> None:
        if empty:
            room.adaptor.refuse("no_stream_exist", {"streamId": "room1"})
        else:
            room.play_started()

    room.adaptor.say("closed", {"reason": "x"})
    room.adaptor.say("reconnection_attempt_for_player", "room1")
    room.adaptor.say("reconnection_attempt_for_publisher", "alice")
    first, second = (room.publish_started, play) if order == "publish, play" else (play, room.publish_started)
    first()
    assert room.now() is CallState.RECONNECTING
    second()
    assert room.now() is CallState.JOINED
    assert room.states.count(CallState.RECONNECTING) == 1


async def test_a_viewer_comes_back_by_playing_alone() -> None:
    room = Room(play_only=True)
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.play_started()
    await joining
    room.adaptor.say("closed", {"reason": "x"})
    assert room.now() is CallState.RECONNECTING
    room.play_started()
    assert room.now() is CallState.JOINED
    await room.conference.aclose()


async def test_a_speaker_who_does_not_listen_comes_back_by_publishing_alone() -> None:
    room = Room(publish_only=True)
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("publish"))
    room.publish_started()
    await joining
    room.adaptor.say("closed", {"reason": "x"})
    room.publish_started()
    assert room.now() is CallState.JOINED
    await room.conference.aclose()


@pytest.mark.parametrize("away", [True, False])
async def test_what_was_muted_in_between_is_told_again(room: Room, away: bool) -> None:
    """A stream that is published again has the metaData of its first time."""
    if away:
        room.adaptor.say("closed", {"reason": "x"})
    await room.conference.set_microphone(False)
    if not away:
        room.adaptor.say("closed", {"reason": "x"})
    room.adaptor.commands.clear()
    room.play_started()
    room.publish_started()
    await until(lambda: room.adaptor.sent("meta"))
    assert room.adaptor.sent("meta") == [("alice", {"isMicMuted": True, "isCameraOn": True, "isCameraOff": False})]


async def test_a_restored_stream_is_told_everything_again(room: Room) -> None:
    """Its record may hold what was said last before the loss (section 4.6)."""
    await room.conference.set_microphone(False)
    room.adaptor.say("closed", {"reason": "x"})
    await room.conference.set_microphone(True)
    room.adaptor.commands.clear()
    room.play_started()
    room.adaptor.say("session_restored", {"streamId": "alice"})
    await until(lambda: room.adaptor.sent("meta"))
    assert room.adaptor.sent("meta") == [("alice", {"isMicMuted": False, "isCameraOn": True, "isCameraOff": False})]


async def test_muting_is_told_while_only_the_player_is_away(room: Room) -> None:
    room.adaptor.say("reconnection_attempt_for_player", "room1")
    await room.conference.set_microphone(False)
    assert [meta["isMicMuted"] for _, meta in room.adaptor.sent("meta")] == [True]


async def test_what_was_not_changed_is_not_told_again(room: Room) -> None:
    room.adaptor.say("closed", {"reason": "x"})
    room.play_started()
    room.publish_started()
    await until(lambda: room.adaptor.sent("request_video_track_assignments"))
    assert room.adaptor.sent("meta") == []


# -- microphone and camera ---------------------------------------------------------------------------


async def test_muting_is_media_then_meta_data_then_event(room: Room) -> None:
    room.adaptor.commands.clear()
    await room.conference.set_microphone(False)
    assert [command for command in room.adaptor.commands if command[0] in ("meta", "data")] == [
        ("meta", "alice", {"isMicMuted": True, "isCameraOn": True, "isCameraOff": False}),
        ("data", "alice", {"streamId": "alice", "eventType": "MIC_MUTED"}),
    ]
    assert LocalMediaChanged(microphone=False, camera=True) in room.events
    assert not room.conference.participants[0].microphone
    await room.conference.set_microphone(False)
    assert len(room.adaptor.sent("data")) == 1


@pytest.mark.parametrize("presses", [100, 101])
async def test_of_many_quick_changes_the_last_one_holds(room: Room, presses: int) -> None:
    """hostile-inputs.md, DEV-11."""
    await asyncio.gather(*(room.conference.set_microphone(bool(number % 2)) for number in range(presses)))
    on = presses % 2 == 0
    assert room.conference.participants[0].microphone is on
    assert room.adaptor.sent("meta")[-1][1]["isMicMuted"] is not on
    assert room.adaptor.data[-1][1]["eventType"] == ("MIC_UNMUTED" if on else "MIC_MUTED")


async def test_a_microphone_that_is_found_in_the_call_is_told() -> None:
    source = Silence()
    source.stand_in = True
    room = Room(audio=source)
    await room.join()
    assert not room.conference.participants[0].microphone
    source.stand_in = False
    await room.conference.microphone_changed()
    assert room.conference.participants[0].microphone
    assert LocalMediaChanged(microphone=True, camera=True) in room.events
    assert room.adaptor.data[-1][1]["eventType"] == "MIC_UNMUTED"
    await room.conference.aclose()


async def test_a_camera_that_is_chosen_in_the_call_is_told() -> None:
    source = Black()
    source.stand_in = True
    room = Room(video=source)
    await room.join()
    assert LocalMediaChanged(microphone=True, camera=None) in room.events
    assert (room.conference.participants[0].camera, room.conference.participants[0].video) == (False, None)
    await room.conference.set_camera(False)
    assert room.adaptor.data == []
    source.stand_in = False
    await room.conference.camera_changed()
    assert room.conference.participants[0].camera
    assert room.conference.participants[0].video
    assert room.adaptor.data[-1][1]["eventType"] == "CAM_TURNED_ON"
    await room.conference.aclose()


async def test_the_camera_likewise(room: Room) -> None:
    await room.conference.set_camera(False)
    await room.conference.set_camera(True)
    await room.conference.set_microphone(False)
    assert [event["eventType"] for _, event in room.adaptor.data] == ["CAM_TURNED_OFF", "CAM_TURNED_ON", "MIC_MUTED"]
    assert [meta["isCameraOff"] for _, meta in room.adaptor.sent("meta")] == [True, False, False]


async def test_before_joining_nobody_is_told_but_the_choice_holds() -> None:
    room = Room()
    await room.conference.set_microphone(False)
    await room.conference.set_camera(False)
    assert Adaptor.made == []
    await room.join()
    assert room.adaptor.sent("publish")[0][1] == {"isMicMuted": True, "isCameraOn": False, "isCameraOff": True}
    room.adaptor.say("data_channel_opened", "alice")
    await room.conference.set_camera(True)
    assert [event["eventType"] for _, event in room.adaptor.data] == ["CAM_TURNED_ON"]
    await room.conference.aclose()


# -- away ----------------------------------------------------------------------------------------------


async def test_who_is_away_is_neither_heard_nor_seen_and_says_so_and_comes_back_as_before(room: Room) -> None:
    await room.conference.set_camera(False)
    room.adaptor.commands.clear()
    await room.conference.set_away(True)
    assert [command for command in room.adaptor.commands if command[0] in ("meta", "data")] == [
        ("meta", "alice", {"isMicMuted": True, "isCameraOn": False, "isCameraOff": True, "isAway": True}),
        ("data", "alice", {"streamId": "alice", "eventType": "CAM_TURNED_OFF"}),
        ("data", "alice", {"streamId": "alice", "eventType": "MIC_MUTED"}),
    ]
    assert room.told(LocalMediaChanged)[-1] == LocalMediaChanged(False, False, away=True)
    assert room.person("alice").away
    await room.conference.set_away(True)
    assert len(room.adaptor.sent("meta")) == 1
    await room.conference.set_away(False)
    assert room.told(LocalMediaChanged)[-1] == LocalMediaChanged(True, False, away=False)
    assert room.adaptor.sent("meta")[-1][1] == {
        "isMicMuted": False,
        "isCameraOn": False,
        "isCameraOff": True,
        "isAway": False,
    }
    assert not room.person("alice").away


@pytest.mark.parametrize("what", ["microphone", "camera"])
async def test_who_speaks_or_is_seen_is_not_away(room: Room, what: str) -> None:
    await room.conference.set_away(True)
    await getattr(room.conference, f"set_{what}")(True)
    assert room.told(LocalMediaChanged)[-1] == LocalMediaChanged(what == "microphone", what == "camera")
    assert not room.adaptor.sent("meta")[-1][1]["isAway"]
    await room.conference.set_away(False)
    assert room.told(LocalMediaChanged)[-1] == LocalMediaChanged(what == "microphone", what == "camera")


async def test_being_away_and_muted_outlasts_a_lost_connection(room: Room) -> None:
    await room.conference.set_microphone(False)
    await room.conference.set_away(True)
    room.adaptor.say("closed", {"reason": "x"})
    room.adaptor.commands.clear()
    room.play_started()
    room.publish_started()
    await until(lambda: room.adaptor.sent("meta"))
    (meta,) = room.adaptor.sent("meta")
    assert (meta[1]["isMicMuted"], meta[1]["isCameraOn"], meta[1]["isAway"]) == (True, False, True)
    await room.conference.set_away(False)
    assert room.told(LocalMediaChanged)[-1] == LocalMediaChanged(False, True)


async def test_others_who_are_away_are_marked_until_they_are_back(room: Room) -> None:
    room.list_people(record("bob", "Bob", isAway=True), record("carol", "Carol", isAway="yes"))
    assert [room.person(one).away for one in ("bob", "carol")] == [True, False]
    # Other applications say nothing of it.
    room.list_people(record("bob", "Bob"), record("carol", "Carol"))
    assert room.person("bob").away
    room.hear({"eventType": "MIC_MUTED", "streamId": "bob"})
    assert room.person("bob").away
    room.hear({"eventType": "MIC_UNMUTED", "streamId": "bob"})
    assert not room.person("bob").away


# -- recording ---------------------------------------------------------------------------------------


async def test_who_records_says_so_in_meta_data_and_event(room: Room) -> None:
    room.adaptor.commands.clear()
    for on in (True, True, False):
        await room.conference.announce_recording(on)
        assert room.person("alice").recording is on
    assert [meta["isRecording"] for _, meta in room.adaptor.sent("meta")] == [True, False]
    assert room.adaptor.data == [
        ("alice", {"streamId": "alice", "eventType": "RECORDING_TURNED_ON"}),
        ("alice", {"streamId": "alice", "eventType": "RECORDING_TURNED_OFF"}),
    ]
    assert room.told(LocalMediaChanged)[1:] == []


async def test_a_recording_from_before_is_told_as_soon_as_there_is_a_channel() -> None:
    room = Room()
    await room.conference.announce_recording(True)
    await room.join()
    assert room.adaptor.sent("publish")[0][1]["isRecording"] is True
    room.adaptor.say("data_channel_opened", "alice")
    await until(lambda: room.adaptor.data == [("alice", {"streamId": "alice", "eventType": "RECORDING_TURNED_ON"})])
    await room.conference.aclose()


async def test_who_only_plays_says_so_to_the_room_by_name() -> None:
    room = Room(play_only=True, name="Vera", stream_id="viewer")
    await room.join()
    room.adaptor.commands.clear()
    await room.conference.announce_recording(True)
    event = {"streamId": "viewer", "eventType": "RECORDING_TURNED_ON", "senderStreamName": "Vera"}
    assert room.adaptor.data == [("room1", event)]
    assert room.adaptor.sent("meta") == []
    await room.conference.aclose()


async def test_others_who_record_are_marked(room: Room) -> None:
    room.list_people(record("bob", "Bob"), record("carol", "Carol", isRecording=True))
    assert [room.person(one).recording for one in ("bob", "carol")] == [False, True]
    room.hear({"eventType": "RECORDING_TURNED_ON", "streamId": "bob"})
    room.hear({"eventType": "RECORDING_TURNED_OFF", "streamId": "carol"})
    assert [room.person(one).recording for one in ("bob", "carol")] == [True, False]
    # The list of somebody else's application says nothing of it.
    room.list_people(record("bob", "Bob"), record("carol", "Carol"))
    assert room.person("bob").recording
    assert room.told(Announced) == [
        Announced(Notice.RECORDING_ON, "bob", "Bob"),
        Announced(Notice.RECORDING_OFF, "carol", "Carol"),
    ]


async def test_a_listener_who_records_is_met(room: Room) -> None:
    room.hear({"eventType": "RECORDING_TURNED_ON", "streamId": "ghost"})
    room.hear({"eventType": "RECORDING_TURNED_ON", "streamId": "viewer", "senderStreamName": "Vera"})
    assert [(one.name, one.recording) for one in room.conference.participants[1:]] == [("Vera", True)]


# -- people ------------------------------------------------------------------------------------------


async def test_people_come_and_go(room: Room) -> None:
    room.adaptor.say("subtrackAdded", {"mainTrack": "room1", "trackId": "bob"})
    assert room.names == ["alice", "bob"]
    room.adaptor.say("subtrackAdded", {"mainTrack": "other", "trackId": "carol"})
    room.adaptor.say("subtrackAdded", {"mainTrack": "room1", "trackId": None})
    room.adaptor.say("subtrackAdded", {"mainTrack": "room1", "trackId": "room1"})
    room.adaptor.say("broadcastObject", {"broadcast": record("bob", "Bob", isMicMuted=True)})
    room.adaptor.say("broadcastObject", {"broadcast": record("stranger", "Stranger")})
    room.adaptor.say("broadcastObject", {})
    assert room.names == ["alice", "Bob"]
    assert not room.conference.participants[1].microphone
    room.list_people(record("carol", "Carol"), "broken", None, record("alice", "Me"))
    assert room.names == ["alice", "Carol"]
    room.adaptor.say("subtrackRemoved", {"mainTrack": "room1", "trackId": "carol"})
    assert room.names == ["alice"]


async def test_nobody_hears_of_an_unchanged_room(room: Room) -> None:
    room.list_people(record("bob", "Bob"))
    before = [event for event in room.events if isinstance(event, RosterChanged)]
    room.list_people(record("bob", "Bob"))
    assert [event for event in room.events if isinstance(event, RosterChanged)] == before


async def test_a_long_list_is_read_page_by_page(room: Room) -> None:
    people = [record(f"p{number}") for number in range(2 * PAGE + 7)]
    await until(lambda: room.adaptor.sent("get_subtracks"))
    room.adaptor.commands.clear()
    for start in range(0, len(people), PAGE):
        room.list_people(*people[start : start + PAGE])
        await asyncio.sleep(0)
    await until(lambda: len(room.names) == len(people) + 1)
    offsets = [offset for _, offset, _ in room.adaptor.sent("get_subtracks")]
    assert offsets == [PAGE, 2 * PAGE]


@pytest.mark.parametrize("entry", ["broken", record("bob")])
async def test_a_list_without_end_is_cut_off(room: Room, entry: str) -> None:
    await until(lambda: room.adaptor.sent("get_subtracks"))
    room.adaptor.commands.clear()
    for turn in range(100):
        room.list_people(*[entry] * PAGE)
        await asyncio.sleep(0)
        if len(room.adaptor.sent("get_subtracks")) < turn + 1:
            break
    offsets = [offset for _, offset, _ in room.adaptor.sent("get_subtracks")]
    assert offsets == [PAGE * turn for turn in range(1, 20)]


async def test_slots_and_tracks(room: Room) -> None:
    room.list_people(record("bob", "Bob"))
    track = RemoteTrack(TrackLine("0", "audio", "ARDAMSaaudioTrack0"), AudioStreamTrack())
    room.adaptor.say("newTrackAvailable", {"remoteTrack": track, "track": track.track, "trackId": track.track_id})
    assert TrackAdded(track) in room.events
    assert room.conference.participants[1].audio is None
    event = {"eventType": "AUDIO_TRACK_ASSIGNMENT", "payload": [{"audioLabel": "audioTrack0", "trackId": "bob"}]}
    room.adaptor.say("data_received", {"streamId": "room1", "data": json.dumps(event)})
    assert room.conference.participants[1].audio == track.key
    assert room.conference.owner_of(track) == "bob"
    track.track.stop()
    assert room.events.count(TrackRemoved(track)) == 1
    assert room.conference.participants[1].audio is None


async def test_the_events_of_others_count_at_once_and_are_checked(room: Room) -> None:
    room.list_people(record("bob", "Bob"))
    room.adaptor.commands.clear()
    room.adaptor.say("data_received", {"data": json.dumps({"eventType": "MIC_MUTED", "streamId": "bob"})})
    assert not room.conference.participants[1].microphone
    await until(lambda: room.adaptor.sent("get_subtracks"))
    assert room.adaptor.sent("request_video_track_assignments")


@pytest.mark.parametrize(
    "data",
    [
        "not JSON",
        "[" * 100_000,
        "[]",
        "{}",
        b"\x00binary",
        None,
        7,
        json.dumps({"eventType": 7}),
        json.dumps({"eventType": "MIC_MUTED", "streamId": ["bob"]}),
        json.dumps({"eventType": "MIC_MUTED"}),
        json.dumps({"eventType": "VIDEO_TRACK_ASSIGNMENT_LIST", "payload": 7}),
        json.dumps({"eventType": "UPDATE_AUDIO_LEVEL", "audioLevel": "loud"}),
        json.dumps({"eventType": "UPDATE_PARTICIPANT_ROLE", "streamId": "alice", "role": "host"}),
    ],
)
async def test_odd_data_changes_nobody(room: Room, data: object) -> None:
    room.list_people(record("bob", "Bob"))
    before = room.conference.participants
    room.adaptor.say("data_received", {"streamId": "room1", "data": data})
    assert room.conference.participants == before


async def test_who_talks_is_shown_for_a_while(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TALKING_PERIOD", 0.02)
    monkeypatch.setattr(talkers, "TALKING_HOLD", 0.1)
    room.adaptor.level = 20
    await until(lambda: room.conference.participants[0].talking)
    room.adaptor.level = 127
    await until(lambda: not room.conference.participants[0].talking)
    room.adaptor.level = 20
    await room.conference.set_microphone(False)
    assert not room.conference.participants[0].talking


# -- what the server sends back, and how much of it --------------------------------------------------


def slot(room: Room, label: str, kind: str = "audio") -> RemoteTrack:
    """A remote track of that label begins."""
    media = AudioStreamTrack() if kind == "audio" else VideoStreamTrack()
    track = RemoteTrack(TrackLine("0", kind, f"ARDAMS{kind[0]}{label}"), media)
    room.adaptor.say("newTrackAvailable", {"remoteTrack": track, "track": media, "trackId": track.track_id})
    return track


def sounds(*owners: str) -> dict[str, object]:
    payload = [{"audioLabel": f"audioTrack{index}", "trackId": owner} for index, owner in enumerate(owners)]
    return {"eventType": "AUDIO_TRACK_ASSIGNMENT", "streamId": "room1", "payload": payload}


def pictures(*owners: str) -> dict[str, object]:
    payload = [{"videoLabel": f"videoTrack{index}", "trackId": owner} for index, owner in enumerate(owners)]
    return {"eventType": "VIDEO_TRACK_ASSIGNMENT_LIST", "streamId": "room1", "payload": payload}


async def test_what_carries_ourselves_is_not_there_to_be_played(room: Room) -> None:
    """After a reconnect the server may send our own sound back (section 4.6)."""
    track = slot(room, "audioTrack0")
    assert room.told(TrackAdded) == [TrackAdded(track)]
    room.events.clear()
    for owner, told in (
        ("bob", []),
        ("alice", [TrackRemoved(track)]),
        ("alice", []),
        ("carol", [TrackAdded(track)]),
        ("alice_presentation", [TrackRemoved(track)]),
        ("", [TrackAdded(track)]),
    ):
        room.hear(sounds(owner))
        assert [event for event in room.events if isinstance(event, TrackAdded | TrackRemoved)] == told, owner
        room.events.clear()
    room.hear(sounds("alice"))
    room.events.clear()
    track.track.stop()
    assert room.told(TrackRemoved) == []
    named = slot(room, "alice")
    assert room.told(TrackAdded) == []
    named.track.stop()


async def test_who_is_on_a_track_changes_while_the_track_stays(room: Room) -> None:
    track = slot(room, "videoTrack0", "video")
    room.hear(pictures("bob"))
    assert room.person("bob").video == track.key
    room.hear(pictures("carol"))
    assert (room.person("bob").video, room.person("carol").video) == (None, track.key)
    await until(lambda: room.told(RosterChanged)[-1].participants == room.conference.participants)
    assert room.told(TrackRemoved) == []
    track.track.stop()


async def test_a_crowd_that_comes_and_goes_is_told_in_few_rosters(room: Room) -> None:
    room.events.clear()
    for number in range(10_000):
        info = "subtrackRemoved" if number % 2 else "subtrackAdded"
        room.adaptor.say(info, {"mainTrack": "room1", "trackId": f"p{number // 2}"})
    for number in range(3000):
        room.adaptor.say("subtrackAdded", {"mainTrack": "room1", "trackId": f"q{number}"})
    await until(lambda: (told := room.told(RosterChanged)) and len(told[-1].participants) == 1001)
    # So many as there were periods while this ran, not so many as there were changes.
    assert len(room.told(RosterChanged)) < 200
    assert len(room.log("subtrackAdded")) == 8000


async def test_the_first_change_is_told_at_once(room: Room) -> None:
    await asyncio.sleep(2 * module.ROSTER_PERIOD)
    room.adaptor.say("subtrackAdded", {"mainTrack": "room1", "trackId": "bob"})
    assert [one.stream_id for one in room.told(RosterChanged)[-1].participants] == ["alice", "bob"]


async def test_a_flood_on_the_data_channel_is_told_in_one_line(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TALKING_PERIOD", 0.01)
    for number in range(1000):
        room.hear({"eventType": "CHAT_MESSAGE", "streamId": "bob", "message": str(number)})
    assert len(room.told(ChatMessage)) == 20
    await until(lambda: room.log("data_channel_error"))
    (line,) = room.log("data_channel_error")
    assert line.obj == {"streamId": "room1", "error": "980 messages dropped"}
    assert line.error


async def test_whom_there_is_no_room_for_is_counted(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    for limited in (attendance, roster):
        monkeypatch.setattr(limited, "PARTICIPANT_LIMIT", 2)
    # Ourselves are on the server's list as well.
    room.adaptor.say("subtrackCount", {"streamId": "room1", "count": 7})
    room.list_people(record("bob"), record("carol"), record("dave"))
    await until(lambda: room.told(RosterChanged)[-1].more == 4)
    assert len(room.told(RosterChanged)[-1].participants) == 3
    room.adaptor.say("subtrackCount", {"streamId": "room1", "count": 3})
    room.adaptor.say("subtrackRemoved", {"mainTrack": "room1", "trackId": "bob"})
    await until(lambda: room.told(RosterChanged)[-1].more == 0)


# -- lists in every form -----------------------------------------------------------------------------


async def test_other_answers_name_people_too(room: Room) -> None:
    """Older servers list a room's members in its own record (section 3.6), the legacy join by three names (3.4)."""
    members = {"streamId": "room1", "subTrackStreamIds": ["bob", "alice", "room1", 7, None]}
    room.adaptor.say("broadcastObject", {"streamId": "room1", "broadcast": json.dumps(members)})
    assert room.names == ["alice", "bob"]
    entry = {"streamId": "carol", "streamName": "Carol", "metaData": json.dumps({"isMicMuted": True})}
    for info, key in (("roomInformation", "room"), ("joinedTheRoom", "ATTR_ROOM_NAME")):
        room.adaptor.say(info, {key: "room1", "streams": ["bob", "carol"], "streamList": [entry, "x", None]})
        room.adaptor.say(info, {key: "other", "streams": ["eve"], "streamList": None})
    assert room.names == ["alice", "bob", "Carol"]
    assert not room.person("carol").microphone
    room.adaptor.say("trackList", {"streamId": "room1", "trackList": ["dave", 7, "bad id"]})
    assert room.names == ["alice", "bob", "Carol", "dave"]
    track = slot(room, "videoTrack0", "video")
    room.adaptor.say(
        "videoTrackAssignmentList",
        {"streamId": "room1", "videoTrackAssignments": [{"videoLabel": "videoTrack0", "trackId": "dave"}]},
    )
    assert room.person("dave").video == track.key
    for about, owner in (({}, "carol"), ({"streamId": "other"}, "eve"), ({"streamId": None}, "bob")):
        entry = {"videoLabel": "videoTrack0", "trackId": owner}
        room.adaptor.say("videoTrackAssignmentList", {**about, "payload": [entry]})
        if owner != "eve":
            assert room.person(owner).video == track.key
    assert room.names == ["alice", "bob", "Carol", "dave"]
    track.track.stop()


async def test_who_slips_between_two_pages_stays_listed(room: Room) -> None:
    people = [record(f"p{number}") for number in range(PAGE + 10)]
    for pages in ([people[:PAGE], people[PAGE:]], [people[:PAGE], people[PAGE + 1 :]]):
        for page in pages:
            room.list_people(*page)
        assert f"p{PAGE}" in {person.stream_id for person in room.conference.participants}


async def test_a_change_of_the_count_is_a_reason_to_look(room: Room) -> None:
    await until(lambda: room.adaptor.sent("get_subtrack_count"))
    room.adaptor.say("subtrackList", {"streamId": "room1", "subtrackList": []})
    room.adaptor.commands.clear()
    for count in (None, "2", True, 2):
        room.adaptor.say("subtrackCount", {"streamId": "room1", "count": count})
    await until(lambda: room.adaptor.sent("get_subtracks"))
    assert len(room.adaptor.sent("request_video_track_assignments")) == 1
    room.adaptor.say("subtrackList", {"streamId": "room1", "subtrackList": []})
    room.adaptor.say("subtrackCount", {"streamId": "room1", "count": 2})
    assert not room.conference._attendance._reason.is_set()


async def test_the_list_is_asked_for_by_the_clock_too(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendance, "REFRESH", 0.01)
    monkeypatch.setattr(attendance, "DEBOUNCE", 0.01)
    for turn in range(1, 4):
        await until(lambda turn=turn: len(room.adaptor.sent("get_subtracks")) >= turn)  # type: ignore[misc]
        room.list_people(record("bob"))


@pytest.mark.parametrize(
    ("info", "stream_id"),
    [
        ("play_started", "room1"),
        ("play_finished", "room1"),
        ("publish_started", "alice"),
        ("session_restored", "alice"),
        ("subtrackAdded", "room1"),
        ("subtrackRemoved", "room1"),
        ("TRACK_LIST_UPDATED", "room1"),
    ],
)
async def test_what_may_have_changed_the_list_is_a_reason_to_look(
    monkeypatch: pytest.MonkeyPatch, info: str, stream_id: str
) -> None:
    monkeypatch.setattr(attendance, "REFRESH", 3600.0)
    room = Room()
    await room.join()
    await until(lambda: room.adaptor.sent("request_video_track_assignments"))
    room.list_people()
    room.adaptor.commands.clear()
    if info == "TRACK_LIST_UPDATED":
        room.hear({"eventType": info, "streamId": stream_id})
    else:
        room.adaptor.say(info, {"streamId": stream_id, "mainTrack": stream_id, "trackId": "bob"})
    await until(lambda: room.adaptor.sent("get_subtracks"))
    await room.conference.aclose()


async def test_a_second_reading_waits_for_the_first(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that is on its way must not be taken for the first page of the next reading."""
    monkeypatch.setattr(attendance, "DEBOUNCE", 0.01)
    await until(lambda: room.adaptor.sent("get_subtracks"))
    room.adaptor.commands.clear()
    room.list_people(*[record(f"p{number}") for number in range(PAGE)])
    room.adaptor.say("subtrackAdded", {"mainTrack": "room1", "trackId": "late"})
    await asyncio.sleep(0.1)
    assert room.adaptor.sent("get_subtracks") == [("room1", PAGE, PAGE)]
    room.list_people(record("last"))
    assert len(room.names) == PAGE + 3
    await until(lambda: room.adaptor.sent("get_subtracks")[1:] == [("room1", 0, PAGE)])


@pytest.mark.parametrize("way", ["notification", "list", "track", "slot"])
async def test_who_leaves_is_gone_however_the_server_says_it(room: Room, way: str) -> None:
    """Section 4.3: with or without a new description, with or without a notification."""
    named = "bob" if way == "track" else "videoTrack0"
    track = slot(room, named, "video")
    if way != "track":
        room.list_people(record("bob", "Bob"))
        room.hear(pictures("bob"))
    assert room.person("bob").video == track.key
    match way:
        case "notification":
            room.adaptor.say("subtrackRemoved", {"mainTrack": "room1", "trackId": "bob"})
            room.hear(pictures("bob"))
        case "list":
            room.list_people()
            room.list_people()
            room.hear(pictures("bob"))
        case "track":
            track.track.stop()
        case "slot":
            room.hear(pictures(""))
            room.list_people()
    assert room.names == ["alice"]
    track.track.stop()


@pytest.mark.parametrize("first", ["refused", "data channel only"])
async def test_the_first_in_a_room_waits_without_complaint(first: str) -> None:
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.publish_started()
    await joining
    for _ in range(5):
        if first == "refused":
            room.adaptor.refuse("no_stream_exist", {"streamId": "room1", "error_code": "404"})
    room.play_started()
    room.adaptor.say("data_channel_opened", "room1")
    assert room.states == [CallState.CONNECTING, CallState.JOINED]
    slot(room, "bob", "video").track.stop()
    await room.conference.aclose()


ANSWERS = ("subtrackAdded", "subtrackRemoved", "subtrackList", "subtrackCount", "broadcastObject", "roomInformation",
           "joinedTheRoom", "trackList", "videoTrackAssignmentList", "publish_started", "play_started", "play_finished",
           "session_restored", "data_received", "data_channel_opened", "closed", "bitrateMeasurement", "never heard of",
           "reconnection_attempt_for_player", "reconnection_attempt_for_publisher")  # fmt: skip
KEYS = ("streamId", "mainTrack", "trackId", "subtrackList", "count", "broadcast", "room", "ATTR_ROOM_NAME", "streams",
        "streamList", "trackList", "payload", "videoTrackAssignments", "data", "reason")  # fmt: skip
ODD: tuple[object, ...] = (
    None,
    "",
    "room1",
    0,
    -1,
    True,
    [],
    {},
    [None],
    [[]],
    [{}],
    ["x", 7],
    [{"streamId": None}],
    "{}",
    "[]",
    b"\x00",
)


@pytest.mark.parametrize("info", ANSWERS)
async def test_nothing_that_a_server_leaves_out_or_makes_up_does_harm(room: Room, info: str) -> None:
    """Section 11, no. 15."""
    room.adaptor.say(info, None)
    room.adaptor.say(info, {})
    for value in ODD:
        room.adaptor.say(info, value)
        room.adaptor.say(info, dict.fromkeys(KEYS, value))
        for key in KEYS:
            room.adaptor.say(info, {"streamId": "room1", "mainTrack": "room1", "room": "room1", key: value})
    room.play_started()
    room.publish_started()
    room.list_people(record("bob"))
    await until(lambda: "bob" in room.names)
    assert room.now() is CallState.JOINED


async def test_the_room_may_stop_playing_and_we_stay(room: Room) -> None:
    """The last of the others has left, or the room's record is gone (section 4.5)."""
    track = slot(room, "videoTrack0", "video")
    room.hear(pictures("bob"))
    room.adaptor.say("play_finished", {"streamId": "room1"})
    assert room.now() is CallState.JOINED
    assert room.conference.owner_of(track) is None
    room.adaptor.refuse("no_stream_exist", {"streamId": "room1"})
    assert room.now() is CallState.JOINED
    assert "failed" not in [str(state) for state in room.states]
    track.track.stop()


async def test_the_community_edition_is_said_and_the_publish_kept(room: Room) -> None:
    room.adaptor.refuse("community_edition", {"streamId": "room1", "message": "no rooms here", "hint": "go"})
    assert room.events[-1] == CallStateChanged(CallState.JOINED, "no rooms here", "go")
    assert room.now() is CallState.JOINED
    assert not room.adaptor.closed


async def test_the_cause_of_an_end_is_told_as_it_is(room: Room) -> None:
    error = RefusedError("the room is full", "join with --play-only")
    room.adaptor.refuse("session_ended", {"streamId": "alice", "definition": "x", "cause": error})
    await until(lambda: room.now() is CallState.FAILED)
    assert CallStateChanged(CallState.FAILED, "the room is full", error.hint, ExitCode.REFUSED) in room.events


# -- talk --------------------------------------------------------------------------------------------


async def test_chat_goes_over_the_own_stream_and_else_over_the_room(room: Room) -> None:
    room.adaptor.commands.clear()
    assert room.conference.say("one")
    room.adaptor.open_channels = {"room1"}
    assert room.conference.say("two")
    room.adaptor.open_channels = {"room1", "alice"}
    room.adaptor.say("reconnection_attempt_for_publisher", "alice")
    assert room.conference.say("three")
    assert [(way, event["message"]) for way, event in room.adaptor.data] == [
        ("alice", "one"),
        ("room1", "two"),
        ("room1", "three"),
    ]
    assert [message.text for message in room.told(ChatMessage)] == ["one", "two", "three"]
    assert [line.direction for line in room.log("data_sent")] == [Direction.OUT] * 3


async def test_a_hand_is_raised_on_the_rooms_own_channel(room: Room) -> None:
    """As the official application does; whoever publishes has both (section 6.3)."""
    room.adaptor.commands.clear()
    assert room.conference.raise_hand()
    assert [(way, event["eventType"]) for way, event in room.adaptor.data] == [("room1", "REQUEST_BECOME_PUBLISHER")]
    room.adaptor.open_channels = {"alice"}
    assert not room.conference.raise_hand()


async def test_who_only_watches_chats_over_the_room() -> None:
    room = await viewer(name="Vera")
    assert room.conference.say("hi")
    assert room.conference.raise_hand()
    assert [way for way, _ in room.adaptor.data] == ["room1", "room1"]
    assert room.adaptor.data[0][1]["name"] == "Vera"
    await room.conference.aclose()


def publishes(viewer: Room) -> None:
    viewer.adaptor.open_channels = {"vera", "room1"}
    viewer.adaptor.say("publish_started", {"streamId": "vera", "room": "room1"})


async def test_a_listener_takes_part_while_the_room_goes_on_and_listens_again() -> None:
    room = await viewer(name="Vera", stream_id="vera")
    await until(lambda: room.adaptor.sent("join_room"))
    sound, picture = Silence(), Black()
    assert await room.conference.begin_to_publish(sound, picture)
    assert not await room.conference.begin_to_publish(sound, picture)
    names = [command[0] for command in room.adaptor.commands]
    assert names.index("leave_from_room") < names.index("use_tracks") < names.index("publish")
    assert room.adaptor.sent("use_tracks")[-1] == (sound, picture)
    assert room.told(LocalMediaChanged)[-1].play_only is False
    assert room.now() is CallState.JOINED
    # Until it is published, what is said goes over the room.
    assert room.conference.raise_hand()
    publishes(room)
    # The server sends us ourselves: when it began it did not know of our stream.
    await until(lambda: ("room1", "vera", False) in room.adaptor.sent("enable_track"))
    assert not room.person("vera").play_only
    await room.conference.set_max_video_tracks(3)
    assert room.adaptor.sent("set_max_video_track_count")[-1] == ("vera", 3)
    room.adaptor.commands.clear()
    await room.conference.stop_publishing()
    assert room.adaptor.sent("stop") == [("vera",)]
    assert room.adaptor.sent("join_room")
    assert room.adaptor.sent("set_max_video_track_count")[-1] == ("room1", 3)
    assert room.told(LocalMediaChanged)[-1].play_only
    room.adaptor.say("publish_finished", {"streamId": "vera"})
    assert room.now() is CallState.JOINED
    assert room.states.count(CallState.RECONNECTING) == 0
    await room.conference.aclose()


async def test_who_takes_part_later_is_back_only_when_both_are() -> None:
    room = await viewer(name="Vera", stream_id="vera")
    await room.conference.begin_to_publish(Silence(), Black())
    publishes(room)
    room.adaptor.say("closed", {"reason": "x"})
    assert room.now() is CallState.RECONNECTING
    room.play_started()
    assert room.now() is CallState.RECONNECTING
    publishes(room)
    assert room.now() is CallState.JOINED
    await room.conference.aclose()


async def test_who_only_listens_again_while_the_connection_is_away_is_back_with_the_room() -> None:
    room = await viewer(name="Vera", stream_id="vera")
    await room.conference.begin_to_publish(Silence(), Black())
    publishes(room)
    room.adaptor.say("reconnection_attempt_for_publisher", {"streamId": "vera"})
    assert room.now() is CallState.RECONNECTING
    await room.conference.stop_publishing()
    assert room.now() is CallState.JOINED
    await room.conference.aclose()


async def test_a_listener_whom_the_server_does_not_let_speak_listens_on() -> None:
    room = await viewer(name="Vera", stream_id="vera")
    await room.conference.begin_to_publish(Silence(), Black())
    cause = RefusedError("the server wants a token to publish", "ask for one")
    room.adaptor.refuse("session_ended", {"streamId": "vera", "cause": cause})
    await until(lambda: room.told(PublishingRefused))
    assert room.told(PublishingRefused) == [PublishingRefused(str(cause), "ask for one")]
    assert room.now() is CallState.JOINED
    assert room.person("vera").play_only
    await room.conference.aclose()


async def test_a_stream_that_cannot_be_the_rooms_is_refused_before_anything_is_sent() -> None:
    room = await viewer(name="Vera", stream_id="room1")
    await room.conference.begin_to_publish(Silence(), Black())
    assert "the same" in room.told(PublishingRefused)[0].reason
    assert not room.adaptor.sent("publish")
    assert room.person("room1").play_only
    await room.conference.aclose()


async def test_who_has_left_or_takes_part_anyway_does_not_begin_to(room: Room) -> None:
    assert not await room.conference.begin_to_publish(Silence(), Black())
    await room.conference.leave()
    assert not await room.conference.begin_to_publish(Silence(), Black())
    await room.conference.stop_publishing()
    assert not room.adaptor.sent("stop")


@pytest.mark.parametrize("setting", OnRequest)
async def test_to_speak_or_to_listen_is_a_question(setting: OnRequest) -> None:
    room = await viewer(name="Vera", stream_id="vera", on_request=setting)
    speak = {"eventType": "APPROVE_BECOME_PUBLISHER", "streamId": "room1", "senderStreamId": "vera"}
    room.hear(speak | {"senderStreamId": "bob"})
    room.hear(speak)
    requests = room.told(ModeratorRequest)
    assert [(one.wish, one.sender, one.obeyed) for one in requests] == (
        [] if setting is OnRequest.IGNORE else [(Wish.SPEAK, "", setting is OnRequest.OBEY)]
    )
    await room.conference.begin_to_publish(Silence(), Black())
    publishes(room)
    listen = {"eventType": "MAKE_LISTENER_AGAIN", "streamId": "room1", "senderStreamId": "vera"}
    room.hear(listen)
    if setting is OnRequest.ASK:
        await room.conference.answer_request(room.told(ModeratorRequest)[-1], True)
    if setting is OnRequest.IGNORE:
        assert not room.person("vera").play_only
    else:
        await until(lambda: room.person("vera").play_only)
    await room.conference.aclose()


async def test_what_could_not_be_said_is_said_when_a_channel_opens(room: Room) -> None:
    room.adaptor.open_channels = set()
    assert room.conference.say("hi")
    assert room.told(ChatMessage)[-1].unsent
    room.adaptor.open_channels = {"alice"}
    room.adaptor.say("data_channel_opened", "alice")
    assert [event["message"] for _, event in room.adaptor.data] == ["hi"]
    assert not room.told(ChatMessage)[-1].unsent


async def test_what_could_not_be_said_is_said_when_the_own_stream_is_back(room: Room) -> None:
    """The channel may open before the server says that it has our stream; nobody else need be in the room."""
    room.adaptor.open_channels = {"alice"}
    room.adaptor.say("reconnection_attempt_for_publisher", "alice")
    room.adaptor.say("data_channel_opened", "alice")
    assert room.conference.say("hi")
    assert room.told(ChatMessage)[-1].unsent
    room.publish_started()
    assert [event["message"] for _, event in room.adaptor.data] == ["hi"]
    assert not room.told(ChatMessage)[-1].unsent


async def test_outside_of_a_room_nothing_can_be_said() -> None:
    room = Room()
    conference = room.conference
    assert not conference.say("hi")
    assert not conference.react("thumbs_up")
    assert not conference.raise_hand()
    assert not conference.answer_hand("bob", True)
    assert not conference.ask(Wish.LISTEN, "bob")
    assert not conference.ask(Wish.MICROPHONE_OFF, "bob")
    assert room.events == []


async def test_chat_of_others_is_told_once(room: Room) -> None:
    room.list_people(record("bob", "Bob"))
    event = {"eventType": "MESSAGE_RECEIVED", "message": "hi", "senderId": "bob", "name": "Bob", "date": "x"}
    room.hear(event, "alice")
    room.hear(event, "room1")
    room.hear({"eventType": "CHAT_MESSAGE", "streamId": "viewer", "message": "me too"})
    assert [(one.name, one.text, one.verified) for one in room.told(ChatMessage)] == [
        ("Bob", "hi", True),
        ("viewer", "me too", False),
    ]
    assert room.person("viewer").play_only


@pytest.mark.parametrize("on_request", ["ask", "obey"])
async def test_a_moderator_mutes_us_as_we_would_do_it(on_request: str) -> None:
    room = Room(on_request=OnRequest(on_request))
    await room.join()
    room.list_people(record("bob", "Bob"))
    room.adaptor.commands.clear()
    room.hear({"eventType": "TURN_YOUR_MIC_OFF", "streamId": "alice", "senderStreamId": "bob"})
    (request,) = room.told(ModeratorRequest)
    if on_request == "ask":
        assert room.adaptor.data == []
        await room.conference.answer_request(request, True)
    await until(lambda: room.adaptor.data)
    assert [command for command in room.adaptor.commands if command[0] in ("meta", "data")] == [
        ("meta", "alice", {"isMicMuted": True, "isCameraOn": True, "isCameraOff": False}),
        ("data", "alice", {"streamId": "alice", "eventType": "MIC_MUTED"}),
    ]
    assert LocalMediaChanged(microphone=False, camera=True) in room.events
    await room.conference.aclose()


async def test_changes_while_away_are_told_in_order_afterwards(room: Room) -> None:
    room.adaptor.say("closed", {"reason": "x"})
    room.adaptor.open_channels = set()
    await room.conference.set_microphone(False)
    await room.conference.set_camera(False)
    await room.conference.set_camera(True)
    assert room.adaptor.sent("meta") == room.adaptor.data == []
    room.play_started()
    room.publish_started()
    await until(lambda: room.adaptor.sent("meta"))
    assert room.adaptor.data == []
    room.adaptor.open_channels = {"alice"}
    room.adaptor.say("data_channel_opened", "alice")
    await until(lambda: len(room.adaptor.data) == 2)
    assert [meta["isMicMuted"] for _, meta in room.adaptor.sent("meta")] == [True]
    assert [event["eventType"] for _, event in room.adaptor.data] == ["CAM_TURNED_ON", "MIC_MUTED"]


# -- what we want to see -----------------------------------------------------------------------------


WISHES = ("set_max_video_track_count", "update_video_track_assignments", "assign_video_track", "enable_track",
          "toggle_audio", "toggle_video", "force_stream_quality")  # fmt: skip


async def test_what_we_want_to_see_is_said_now_and_after_every_loss(room: Room) -> None:
    room.hear(pictures("bob", "carol"))
    await until(lambda: room.adaptor.sent("get_broadcast_object"))
    room.adaptor.commands.clear()
    conference = room.conference
    await conference.set_max_video_tracks(4)
    await conference.show_page(2, 2)
    assert await conference.pin("carol")
    await conference.set_track_enabled("bob", False)
    await conference.set_track_enabled("carol", False, "audio")
    await conference.set_track_enabled("carol", True, "video")
    await conference.set_quality(360)
    await conference.set_quality(720, "carol")
    wished = [
        ("set_max_video_track_count", "alice", 4),
        ("update_video_track_assignments", "room1", 2, 2),
        ("assign_video_track", "videoTrack1", "carol", True),
        ("enable_track", "room1", "bob", False),
        ("toggle_audio", "room1", "carol", False),
        ("toggle_video", "room1", "carol", True),
        ("force_stream_quality", "room1", 360, None),
        ("force_stream_quality", "room1", 720, "carol"),
    ]
    assert [command for command in room.adaptor.commands if command[0] in WISHES] == wished
    room.adaptor.say("reconnection_attempt_for_player", "room1")
    room.adaptor.commands.clear()
    await conference.set_max_video_tracks(6)
    assert not room.adaptor.sent("set_max_video_track_count")
    room.play_started()
    await until(lambda: len(room.adaptor.sent("force_stream_quality")) == 2)
    wished[0] = ("set_max_video_track_count", "alice", 6)
    # Who was pinned has another slot now, perhaps.
    room.hear(pictures("carol", "bob"))
    await until(lambda: room.adaptor.sent("assign_video_track"))
    del wished[2]
    wished.append(("assign_video_track", "videoTrack0", "carol", True))
    assert [command for command in room.adaptor.commands if command[0] in WISHES] == wished
    room.hear(pictures("carol", "bob"))
    assert not room.conference._viewing.due


async def test_the_sizes_of_a_picture_are_asked_for_and_known_once_they_are_told(room: Room) -> None:
    await room.conference.ask_renditions("bob")
    assert room.adaptor.sent("get_stream_info") == [("bob",)]
    assert room.conference.renditions_of("bob") == ()
    sizes = [{"streamWidth": 1280, "streamHeight": 720}, {"streamWidth": 426, "streamHeight": 240}]
    room.adaptor.say("streamInformation", {"streamId": "bob", "streamInfo": sizes})
    assert [size.height for size in room.conference.renditions_of("bob")] == [240, 720]


async def test_a_pinned_person_is_told_and_can_be_unpinned(room: Room) -> None:
    await until(lambda: room.adaptor.sent("get_broadcast_object"))
    assert not await room.conference.pin("dave")
    room.hear(pictures("bob", "carol"))
    room.adaptor.commands.clear()
    assert await room.conference.pin("dave")
    assert await room.conference.pin("erin", "videoTrack1")
    await room.conference.unpin("dave")
    await room.conference.unpin("erin")
    await room.conference.unpin("erin")
    assert room.adaptor.sent("assign_video_track") == [
        ("videoTrack1", "dave", True),
        ("videoTrack1", "dave", False),
        ("videoTrack1", "erin", True),
        ("videoTrack1", "erin", False),
    ]
    assert [(event["eventType"], event["streamId"]) for _, event in room.adaptor.data] == [
        ("PIN_USER", "dave"),
        ("PIN_USER", "erin"),
        ("UNPIN_USER", "erin"),
    ]


async def viewer(**options: Any) -> Room:
    """A conference that only watches, joined."""
    room = Room(play_only=True, **options)
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.play_started()
    await joining
    return room


async def test_all_who_were_pinned_are_pinned_again(room: Room) -> None:
    """Neither is in a slot of the new connection, and no list between the two says that one slot is pinned."""
    await until(lambda: room.adaptor.sent("get_broadcast_object"))
    room.hear(pictures("bob", "carol"))
    await room.conference.pin("bob")
    await room.conference.pin("carol")
    room.adaptor.say("reconnection_attempt_for_player", "room1")
    room.adaptor.commands.clear()
    room.play_started()
    await until(lambda: room.conference._viewing.due)
    room.hear(pictures("dave", "erin"))
    await until(lambda: not room.conference._viewing.due)
    pins = room.adaptor.sent("assign_video_track")
    assert {slot for slot, _, on in pins if on} == {"videoTrack0", "videoTrack1"}
    assert {stream_id for _, stream_id, on in pins if on} == {"bob", "carol"}
    assert all(on for _, _, on in pins)


@pytest.mark.parametrize("own_limit", [None, 4])
async def test_of_a_crowd_the_server_chooses_whom_we_see(room: Room, own_limit: int | None) -> None:
    """More pictures than can be received: by the limit the slots go to who speaks, instead of to who came first."""
    await until(lambda: room.adaptor.sent("get_broadcast_object"))
    if own_limit is not None:
        await room.conference.set_max_video_tracks(own_limit)
    room.adaptor.commands.clear()
    crowd = [record(f"p{number}") for number in range(TRACK_LIMITS["video"])]
    room.list_people(*crowd, record("viewer", playOnly=True))
    room.adaptor.say("subtrackAdded", {"mainTrack": "room1", "trackId": "room1"})
    assert room.conference._viewing.most == own_limit
    for turn in range(2):
        room.list_people(*crowd, record(f"one-too-many-{turn}"))
    if own_limit is None:
        await until(lambda: room.adaptor.sent("set_max_video_track_count"))
        assert room.adaptor.sent("set_max_video_track_count") == [("alice", TRACK_LIMITS["video"])]
    assert room.conference._viewing.most == (own_limit or TRACK_LIMITS["video"])
    await room.conference.set_max_video_tracks(100)
    assert room.adaptor.sent("set_max_video_track_count")[-1] == ("alice", TRACK_LIMITS["video"])


@pytest.mark.parametrize("info", ["publish_started", "session_restored"])
async def test_the_limit_goes_with_the_own_stream(room: Room, info: str) -> None:
    """It is the stream's wish, so it is said again when the stream alone has come back."""
    await until(lambda: room.adaptor.sent("get_broadcast_object"))
    await room.conference.set_max_video_tracks(4)
    room.adaptor.say("reconnection_attempt_for_publisher", "alice")
    room.adaptor.commands.clear()
    room.adaptor.say(info, {"streamId": "alice"})
    await until(lambda: room.adaptor.sent("set_max_video_track_count"))
    assert room.adaptor.sent("set_max_video_track_count") == [("alice", 4)]


async def test_a_viewer_wishes_in_the_rooms_name() -> None:
    """Section 9, no. 6."""
    room = await viewer(tracks_off=True)
    await room.conference.set_max_video_tracks(2)
    await until(lambda: room.adaptor.sent("set_max_video_track_count") == [("room1", 2)])
    assert room.adaptor.options["disable_tracks_by_default"]
    await room.conference.aclose()


async def test_a_viewer_with_a_name_is_listed_until_it_leaves() -> None:
    """As the official application does it: by the legacy join, after each play."""
    room = await viewer(name="Vera", role="listener")
    await until(lambda: room.adaptor.sent("join_room"))
    ((room_name, stream_id, name, role, meta_data),) = room.adaptor.sent("join_room")
    assert (room_name, stream_id, name, role) == ("room1", "alice", "Vera", "listener")
    assert json.loads(meta_data)["playOnly"]
    assert json.loads(meta_data)["role"] == "listener"
    room.adaptor.say("closed", {"reason": "x"})
    room.play_started()
    await until(lambda: len(room.adaptor.sent("join_room")) == 2)
    await room.conference.leave()
    assert [command[0] for command in room.adaptor.commands[-2:]] == ["leave_from_room", "aclose"]
    assert room.adaptor.sent("leave_from_room") == [("room1", "alice")]


@pytest.mark.parametrize("options", [{}, {"name": "Vera", "listed": False}])
async def test_a_viewer_may_stay_unlisted(options: dict[str, Any]) -> None:
    room = await viewer(**options)
    await until(lambda: room.adaptor.sent("get_broadcast_object"))
    await room.conference.leave()
    assert not room.adaptor.sent("join_room")
    assert not room.adaptor.sent("leave_from_room")


# -- the log -----------------------------------------------------------------------------------------


async def test_every_callback_is_an_event_with_its_direction(room: Room) -> None:
    conference: Any = room.conference
    conference._journal.command(Publish(stream_id="alice"))
    conference._journal.command(GetSubtracks(stream_id="room1"))
    conference._journal.command(Ping())
    room.adaptor.say("initialized", None)
    room.adaptor.refuse("no_stream_exist", {"streamId": "room1"})
    (publish,), (query,) = room.log("publish"), room.log("getSubtracks")
    assert (publish.direction, publish.routine) == (Direction.OUT, False)
    assert (query.direction, query.routine) == (Direction.OUT, True)
    assert room.log("ping") == []
    assert room.log("initialized")[0].direction is Direction.LOCAL
    assert room.log("publish_started")[0].direction is Direction.IN
    refused = room.log("no_stream_exist")[0]
    assert (refused.error, refused.direction) == (True, Direction.IN)


async def test_what_repeats_is_routine_until_it_changes(room: Room) -> None:
    for entries in ([record("bob")], [record("bob")], [record("carol")]):
        room.list_people(*entries)
    assert [event.routine for event in room.log("subtrackList")] == [False, True, False]


async def test_levels_are_routine_and_new_owners_are_not(room: Room) -> None:
    def levels(owner: str, level: int) -> dict[str, object]:
        entry = {"audioLabel": "audioTrack0", "trackId": owner, "audioLevel": level}
        return {"eventType": "AUDIO_TRACK_ASSIGNMENT", "streamId": "room1", "payload": [entry]}

    for event in (levels("bob", 30), levels("bob", 40), levels("carol", 40), levels("carol", 41)):
        room.hear(event)
    for level in (1, 2):
        room.hear({"eventType": "UPDATE_AUDIO_LEVEL", "streamId": "bob", "audioLevel": level})
    for _ in range(2):
        room.hear({"eventType": "REACTIONS", "streamId": "bob"})
    assert [line.routine for line in room.log("data_received")] == [False, True, False, True, False, True, False, False]
    room.adaptor.say("bitrateMeasurement", {"streamId": "room1", "targetBitrate": 1})
    assert room.log("bitrateMeasurement")[0].routine


async def test_the_log_holds_no_live_objects(room: Room) -> None:
    track = RemoteTrack(TrackLine("0", "audio", "ARDAMSabob"), AudioStreamTrack())
    room.adaptor.say("newTrackAvailable", {"remoteTrack": track, "track": track.track, "trackId": track.track_id})
    room.adaptor.say("data_received", {"streamId": "room1", "data": b"\x00" * 100})
    for name in ("newTrackAvailable", "data_received"):
        json.dumps(room.log(name)[0].obj)
    track.track.stop()


# -- the own screen ----------------------------------------------------------------------------------

SCREEN = "alice_presentation"
SHARED = {"streamId": SCREEN, "eventType": "SCREEN_SHARED_ON"}


def screen_started(room: Room, info: str = "publish_started") -> None:
    room.adaptor.say(info, {"streamId": SCREEN, "room": "room1"})


async def shared(room: Room) -> Black:
    """A screen that others see."""
    picture = Black()
    assert await room.conference.share(picture, "screen :0")
    await until(lambda: len(room.adaptor.sent("publish")) == 2)
    screen_started(room)
    await until(lambda: ("alice", SHARED) in room.adaptor.data)
    return picture


async def test_a_screen_is_a_second_stream_and_is_announced_when_it_can_be_seen() -> None:
    room = Room(name="Alice", role="speaker")
    await room.join()
    picture = Black()
    assert await room.conference.share(picture, "screen :0")
    await until(lambda: len(room.adaptor.sent("publish")) == 2)
    stream_id, meta_data = room.adaptor.sent("publish")[1]
    assert stream_id == SCREEN
    assert meta_data == {
        "isMicMuted": False,
        "isCameraOn": True,
        "isScreenShared": True,
        "playOnly": False,
        "role": "speaker",
    }
    assert room.adaptor.published == {
        "stream_name": "Alice - Screen Share",
        "main_track": "room1",
        "role": "speaker",
        "credentials": None,
        "picture": picture,
    }
    assert room.adaptor.data == []
    assert not room.person("alice").sharing
    screen_started(room)
    await until(lambda: room.adaptor.data == [("alice", SHARED)])
    assert room.person("alice").sharing
    assert room.person("alice").presentation is None
    # The server is not to send it back.
    await until(lambda: room.adaptor.sent("enable_track") == [("room1", SCREEN, False)])
    assert room.told(SharingChanged) == [
        SharingChanged(ShareState.STARTING, "screen :0"),
        SharingChanged(ShareState.ON, "screen :0"),
    ]
    await room.conference.aclose()


async def test_sharing_is_stopped_and_begun_again(room: Room) -> None:
    picture = await shared(room)
    await room.conference.stop_sharing()
    assert room.adaptor.sent("stop") == [(SCREEN,)]
    assert room.told(SharingChanged)[-1] == SharingChanged(ShareState.OFF, "screen :0")
    assert not room.person("alice").sharing
    assert picture.readyState == "live"
    room.adaptor.say("publish_finished", {"streamId": SCREEN})
    screen_started(room)  # too late
    assert room.told(SharingChanged)[-1].state is ShareState.OFF
    await room.conference.stop_sharing()
    assert room.adaptor.sent("stop") == [(SCREEN,)]
    assert await room.conference.share(picture)
    await until(lambda: len(room.adaptor.sent("publish")) == 3)
    # Another one takes its place.
    assert await room.conference.share(Black(), "talk.mp4")
    await until(lambda: len(room.adaptor.sent("publish")) == 4)
    assert room.adaptor.sent("stop") == [(SCREEN,), (SCREEN,)]
    states = [event.state for event in room.told(SharingChanged)]
    assert states[3:] == [ShareState.STARTING, ShareState.OFF, ShareState.STARTING]


async def test_a_screen_that_waits_for_a_connection_can_be_given_up(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    async def waits(stream_id: str, **_: Any) -> None:
        begun.append(stream_id)
        await asyncio.Event().wait()

    monkeypatch.setattr(room.adaptor, "publish", waits)
    assert await room.conference.share(Black())
    await until(lambda: begun == [SCREEN])
    await room.conference.stop_sharing()
    assert [event.state for event in room.told(SharingChanged)] == [ShareState.STARTING, ShareState.OFF]
    await until(lambda: "sharing a screen" not in [task.get_name() for task in asyncio.all_tasks()])


@pytest.mark.parametrize("restored", [False, True])
async def test_a_screen_comes_back_with_the_connection_and_is_told_when_it_is_new(room: Room, restored: bool) -> None:
    await shared(room)
    room.adaptor.say("closed", {"reason": "gone"})
    assert room.told(SharingChanged)[-1].state is ShareState.STARTING
    assert not room.person("alice").sharing
    room.adaptor.commands.clear()
    # Before the own stream is back nobody can be told.
    room.adaptor.open_channels.clear()
    screen_started(room, "session_restored" if restored else "publish_started")
    assert room.now() is CallState.RECONNECTING
    room.adaptor.open_channels |= {"alice", "room1"}
    room.publish_started()
    room.play_started()
    assert room.now() is CallState.JOINED
    assert room.person("alice").sharing
    await until(lambda: room.adaptor.sent("get_broadcast_object"))
    await until(lambda: [SHARED] * (not restored) == [event for _, event in room.adaptor.data])
    await until(lambda: ("room1", SCREEN, False) in room.adaptor.sent("enable_track"))


@pytest.mark.parametrize("info", ["publish_finished", "reconnection_attempt_for_publisher", "retry_planned"])
async def test_the_call_is_not_lost_with_the_screen(room: Room, info: str) -> None:
    await shared(room)
    is_attempt = info == "reconnection_attempt_for_publisher"
    plan = {"attempt": 1, "seconds": 1.0, "reason": "the connection was lost"}
    room.adaptor.say(info, SCREEN if is_attempt else {"streamId": SCREEN, **plan})
    assert room.now() is CallState.JOINED
    lost = ShareState.ON if info == "retry_planned" else ShareState.STARTING
    assert room.told(SharingChanged)[-1].state is lost
    assert room.told(RetryPlanned) == []


async def test_a_screen_that_is_refused_is_told_and_the_call_goes_on(room: Room) -> None:
    assert await room.conference.share(Black(), "screen :0")
    cause = RefusedError("the room is full")
    room.adaptor.refuse("session_ended", {"streamId": SCREEN, "cause": cause})
    assert room.told(SharingChanged)[-1] == SharingChanged(ShareState.OFF, "screen :0", "the room is full")
    assert room.now() is CallState.JOINED


async def test_a_screen_that_cannot_be_published_is_told(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> None:
        raise LostError("the signalling connection is closed")

    monkeypatch.setattr(room.adaptor, "publish", fails)
    assert await room.conference.share(Black())
    await until(lambda: room.told(SharingChanged)[-1].reason == "the signalling connection is closed")
    assert room.now() is CallState.JOINED


async def test_sharing_ends_with_the_time_in_the_room(room: Room) -> None:
    await shared(room)
    await room.conference.leave()
    assert room.told(SharingChanged)[-1].state is ShareState.OFF
    await room.join()
    assert room.adaptor.sent("enable_track") == []
    await room.conference.leave()
    await room.conference.stop_sharing()
    assert not await room.conference.share(Black())


async def test_who_only_plays_has_no_screen() -> None:
    room = Room(play_only=True, name="Bob", stream_id="bob")
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.play_started()
    await joining
    assert not await room.conference.share(Black())
    assert room.adaptor.sent("publish") == []
    await room.conference.aclose()


async def test_what_is_said_on_the_channel_of_the_screen_is_not_heard_twice(room: Room) -> None:
    await shared(room)
    room.list_people(record("bob", "Bob"))
    await until(lambda: "Bob" in room.names)
    event = {"eventType": "CHAT_MESSAGE", "streamId": "bob", "message": "hello"}
    room.hear(event, SCREEN)
    assert room.told(ChatMessage) == []
    room.hear(event)
    assert [message.text for message in room.told(ChatMessage)] == ["hello"]


# -- the next try ------------------------------------------------------------------------------------


async def test_the_next_try_is_told_while_reconnecting_alone(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    plan = {"attempt": 3, "seconds": 5.0, "reason": "connection refused"}
    room.adaptor.say("retry_planned", plan)
    assert room.told(RetryPlanned) == []
    room.adaptor.say("closed", {"reason": "gone"})
    room.adaptor.say("retry_planned", plan)
    assert room.told(RetryPlanned) == [RetryPlanned(3, 1005.0, "connection refused")]
    # The log has the figures too.
    assert [line.obj for line in room.log("retry_planned")] == [plan, plan]
    assert {line.direction for line in room.log("retry_planned")} == {Direction.LOCAL}


async def test_trying_at_once_is_passed_on(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(room.adaptor, "retry", lambda: asked.append(True), raising=False)
    room.conference.retry()
    assert asked == [True]
    await room.conference.leave()
    room.conference.retry()
    assert asked == [True]
