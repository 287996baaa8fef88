"""A conference's states and lists, driven by what an adaptor would say; real media is in tests/interop."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiortc import AudioStreamTrack

from tests.waiting import until
from tui.core import conference as module
from tui.core.conference import PAGE, Conference
from tui.core.events import (
    Callback,
    CallState,
    CallStateChanged,
    Direction,
    Event,
    LocalMediaChanged,
    RosterChanged,
    TrackAdded,
    TrackRemoved,
)
from tui.core.messages import GetSubtracks, Ping, Publish
from tui.core.peer import RemoteTrack
from tui.core.sdp import TrackLine
from tui.errors import ExitCode, LostError, RefusedError, UnreachableError
from tui.media.generated import Silence
from tui.media.pictures import Black

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


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
        self.closed = False
        Adaptor.made.append(self)

    async def open(self) -> None:
        await Adaptor.opening()

    async def aclose(self) -> None:
        await Adaptor.closing()
        self.closed = True

    async def publish(self, stream_id: str, *_: Any, meta_data: str, **__: Any) -> None:
        self.commands.append(("publish", stream_id, json.loads(meta_data)))

    async def play(self, stream_id: str, *_: Any) -> None:
        self.commands.append(("play", stream_id))

    async def get_subtracks(self, stream_id: str, offset: int, size: int) -> None:
        self.commands.append(("get_subtracks", stream_id, offset, size))

    async def request_video_track_assignments(self, stream_id: str) -> None:
        self.commands.append(("assignments", stream_id))

    async def update_stream_meta_data(self, stream_id: str, meta_data: str) -> None:
        self.commands.append(("meta", stream_id, json.loads(meta_data)))

    def send_data(self, stream_id: str, data: str) -> bool:
        self.commands.append(("data", stream_id, json.loads(data)))
        return True

    def own_level(self, _: str) -> int:
        return self.level

    def sent(self, name: str) -> list[tuple[Any, ...]]:
        return [command[1:] for command in self.commands if command[0] == name]


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
        self.conference = Conference(
            "ws://localhost/live/websocket", "room1", "alice", self.events.append, **(media | options)
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
    assert RosterChanged(()) in room.events


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
    assert LocalMediaChanged(None, None) in room.events
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


@pytest.mark.parametrize(
    ("definition", "words"),
    [("unauthorized_access", "token"), ("streamIdInUse", "in use"), ("\x1b[2Jnew one", "\ufffd[2Jnew one")],
)
async def test_a_refusal_is_told_in_plain_words(definition: str, words: str) -> None:
    room = Room()
    joining = asyncio.create_task(room.conference.join())
    await until(lambda: Adaptor.made and room.adaptor.sent("play"))
    room.adaptor.refuse(definition, {"streamId": "alice"})
    room.adaptor.refuse("session_ended", {"streamId": "alice", "reason": "refused"})
    await joining
    failed = room.events[-1]
    assert isinstance(failed, CallStateChanged)
    assert (failed.state, failed.exit_code) == (CallState.FAILED, ExitCode.REFUSED)
    assert words in failed.reason


@pytest.mark.parametrize("error", [LostError("gone for good"), RefusedError("go away")])
async def test_a_connection_that_is_given_up_ends_the_call(room: Room, error: LostError | RefusedError) -> None:
    room.adaptor.say("closed", {"reason": "x"})
    room.adaptor.refuse("WebSocketNotConnected", {"message": str(error), "cause": error})
    room.adaptor.refuse("session_ended", {"streamId": "alice", "reason": "lost"})
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


async def test_muting_is_told_while_only_the_player_is_away(room: Room) -> None:
    room.adaptor.say("reconnection_attempt_for_player", "room1")
    await room.conference.set_microphone(False)
    assert [meta["isMicMuted"] for _, meta in room.adaptor.sent("meta")] == [True]


async def test_what_was_not_changed_is_not_told_again(room: Room) -> None:
    room.adaptor.say("closed", {"reason": "x"})
    room.play_started()
    room.publish_started()
    await until(lambda: room.adaptor.sent("assignments"))
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


async def test_the_camera_likewise(room: Room) -> None:
    await room.conference.set_camera(False)
    await room.conference.set_camera(True)
    assert [data["eventType"] for _, data in room.adaptor.sent("data")] == ["CAM_TURNED_OFF", "CAM_TURNED_ON"]
    assert [meta["isCameraOff"] for _, meta in room.adaptor.sent("meta")] == [True, False]


async def test_before_joining_nobody_is_told_but_the_choice_holds() -> None:
    room = Room()
    await room.conference.set_microphone(False)
    await room.conference.set_camera(False)
    assert Adaptor.made == []
    await room.join()
    assert room.adaptor.sent("publish")[0][1] == {"isMicMuted": True, "isCameraOn": False, "isCameraOff": True}
    await room.conference.aclose()


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
    room.adaptor.commands.clear()
    for start in range(0, len(people), PAGE):
        room.list_people(*people[start : start + PAGE])
        await asyncio.sleep(0)
    await until(lambda: len(room.names) == len(people) + 1)
    offsets = [offset for _, offset, _ in room.adaptor.sent("get_subtracks")]
    assert offsets == [PAGE, 2 * PAGE]


@pytest.mark.parametrize("entry", ["broken", record("bob")])
async def test_a_list_without_end_is_cut_off(room: Room, entry: str) -> None:
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
    assert room.adaptor.sent("assignments")


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
    monkeypatch.setattr(module, "TALKING_HOLD", 0.1)
    room.adaptor.level = 20
    await until(lambda: room.conference.participants[0].talking)
    room.adaptor.level = 127
    await until(lambda: not room.conference.participants[0].talking)
    room.adaptor.level = 20
    await room.conference.set_microphone(False)
    assert not room.conference.participants[0].talking


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


async def test_the_log_holds_no_live_objects(room: Room) -> None:
    track = RemoteTrack(TrackLine("0", "audio", "ARDAMSabob"), AudioStreamTrack())
    room.adaptor.say("newTrackAvailable", {"remoteTrack": track, "track": track.track, "trackId": track.track_id})
    room.adaptor.say("data_received", {"streamId": "room1", "data": b"\x00" * 100})
    for name in ("newTrackAvailable", "data_received"):
        json.dumps(room.log(name)[0].obj)
    track.track.stop()
