"""Conferences over real WebRTC through the local room server: who is seen, heard and listed, by content."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame

from tests.core.peers import BLUE, GREEN, RED, Colour, frequency, is_colour, mono
from tests.waiting import named_tasks, own_threads, until
from tui.core import link
from tui.core.conference import Conference
from tui.core.events import (
    CallState,
    CallStateChanged,
    Event,
    LocalMediaChanged,
    Participant,
    RosterChanged,
    TrackAdded,
    TrackRemoved,
)
from tui.errors import ExitCode
from tui.media.generated import TestTone, VoiceAudio
from tui.media.pictures import SolidColour
from tui.server.room import Labels
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.core.peer import RemoteTrack

BLACK = (0, 0, 0)
LOOKS: dict[str, tuple[Colour, float]] = {"alice": (RED, 440.0), "bob": (BLUE, 660.0), "carol": (GREEN, 880.0)}


class Person:
    """A conference of which everything is noted; sees and hears by content."""

    def __init__(self, url: str, stream_id: str, **options: Any) -> None:
        colour, pitch = LOOKS.get(stream_id, (RED, 440.0))
        media = {} if options.get("play_only") else {"audio": TestTone(pitch), "video": SolidColour(colour)}
        self._media = media | options
        self.stream_id = stream_id
        self.events: list[Event] = []
        self.tracks: dict[str, RemoteTrack] = {}
        self.conference = Conference(url, "room1", stream_id, self._note, name=stream_id.title(), **self._media)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        match event:
            case TrackAdded(track):
                self.tracks[track.key] = track
            case TrackRemoved(track):
                del self.tracks[track.key]

    async def join(self) -> None:
        await self.conference.join()
        assert self.conference.state is CallState.JOINED, self.states[-1]

    async def aclose(self) -> None:
        await self.conference.aclose()
        for track in (self._media.get("audio"), self._media.get("video")):
            if track is not None:
                track.stop()

    def drop_socket(self) -> None:
        """As if the network cut the connection to the server."""
        adaptor: Any = self.conference._adaptor
        adaptor._link._socket._connection.transport.abort()

    @property
    def states(self) -> list[CallStateChanged]:
        return [event for event in self.events if isinstance(event, CallStateChanged)]

    def others(self) -> dict[str, Participant]:
        return {one.stream_id: one for one in self.conference.participants if not one.is_self}

    def about(self, other: Person) -> Participant | None:
        return self.others().get(other.stream_id)

    def track_of(self, other: Person, kind: str) -> RemoteTrack | None:
        participant = self.about(other)
        key = participant and (participant.video if kind == "video" else participant.audio)
        return self.tracks.get(key) if key else None

    async def sees(self, other: Person, colour: Colour | None = None) -> None:
        """That person's picture arrives, and is of that colour or the person's own."""
        wanted = colour or LOOKS[other.stream_id][0]

        async def look(track: RemoteTrack) -> bool:
            frame = await track.track.recv()
            assert isinstance(frame, VideoFrame)
            return is_colour(frame, wanted)

        await self._find(other, "video", look)

    async def hears(self, other: Person, pitch: float | None = None) -> None:
        """That person's sound arrives, and is of that pitch or the person's own; 0 is silence."""
        wanted = LOOKS[other.stream_id][1] if pitch is None else pitch

        async def listen(track: RemoteTrack) -> bool:
            return abs(await frequency(track.track) - wanted) < 8

        await self._find(other, "audio", listen)

    async def _find(self, other: Person, kind: str, matches: Any) -> None:
        ends = time.monotonic() + 10
        while time.monotonic() < ends:
            track = await until(
                lambda: self.track_of(other, kind), what=f"{kind} of {other.stream_id}: {self.others()}"
            )
            assert track is not None
            try:
                async with asyncio.timeout(3):
                    if await matches(track):
                        return
            except (TimeoutError, MediaStreamError):
                continue
        raise AssertionError(f"{self.stream_id} does not find the {kind} of {other.stream_id}")

    async def meets(self, other: Person) -> None:
        """Sees, hears and knows the name."""
        await asyncio.gather(self.sees(other), self.hears(other))
        await until(lambda: (about := self.about(other)) and about.name == other.stream_id.title())


@asynccontextmanager
async def people(server: RoomServer, *stream_ids: str, **options: Any) -> AsyncIterator[list[Person]]:
    """These people, all in the room."""
    async with AsyncExitStack() as stack:
        found = [Person(server.url, stream_id, **options) for stream_id in stream_ids]
        for person in found:
            stack.push_async_callback(person.aclose)
        await asyncio.gather(*(person.join() for person in found))
        yield found


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as server:
        yield server


@pytest.mark.parametrize("labels", Labels)
@pytest.mark.parametrize("id_mapping", [True, False])
async def test_two_people_meet_whatever_the_server_calls_its_tracks(labels: Labels, id_mapping: bool) -> None:
    async with (
        RoomServer(labels=labels, id_mapping=id_mapping) as server,
        people(server, "alice", "bob") as (alice, bob),
    ):
        await asyncio.gather(alice.meets(bob), bob.meets(alice))
        assert list(alice.others()) == ["bob"]
        assert list(bob.others()) == ["alice"]
        assert len(alice.tracks) == len(bob.tracks) == 2
        myself = alice.conference.participants[0]
        assert (myself.is_self, myself.stream_id, myself.name) == (True, "alice", "Alice")
        assert (myself.video, myself.audio) == ("local", "local")


async def test_leaving_and_coming_back(server: RoomServer) -> None:
    async with people(server, "alice", "bob") as (alice, bob):
        await asyncio.gather(alice.meets(bob), bob.meets(alice))
        for _ in range(2):
            async with asyncio.timeout(4):
                await bob.conference.leave()
            assert [event.state for event in bob.states[-2:]] == [CallState.LEAVING, CallState.IDLE]
            assert bob.tracks == {}
            assert bob.conference.participants == ()
            await until(lambda: not alice.others())
            await until(lambda: not alice.tracks)
            await bob.join()
            await asyncio.gather(alice.meets(bob), bob.meets(alice))
        assert {event.state for event in alice.states} == {CallState.CONNECTING, CallState.JOINED}


async def test_a_third_comes_and_goes_and_the_two_go_on(server: RoomServer) -> None:
    async with people(server, "alice", "bob") as (alice, bob):
        await asyncio.gather(alice.meets(bob), bob.meets(alice))
        kept = {**alice.tracks, **bob.tracks}
        sound = alice.track_of(bob, "audio")
        assert sound is not None
        silences: list[float] = []

        async def listen() -> None:
            """Notes every moment in which bob is not heard by alice."""
            while True:
                pitch = await frequency(sound.track, 10)
                if abs(pitch - LOOKS["bob"][1]) > 20:
                    silences.append(pitch)

        listening = asyncio.create_task(listen())
        async with people(server, "carol") as (carol,):
            await asyncio.gather(alice.meets(carol), bob.meets(carol), carol.meets(alice), carol.meets(bob))
            assert set(alice.others()) == {"bob", "carol"}
        for one in (alice, bob):
            await until(lambda one=one: len(one.others()) == 1 and len(one.tracks) == 2)  # type: ignore[misc]
        listening.cancel()
        assert len(silences) <= 1, silences
        assert {**alice.tracks, **bob.tracks} == kept
        await asyncio.gather(alice.sees(bob), bob.meets(alice))


async def test_who_is_muted_sends_zeros_and_is_shown_so(server: RoomServer) -> None:
    async with people(server, "alice", "bob") as (alice, bob):
        await bob.meets(alice)
        await alice.conference.set_microphone(False)
        assert LocalMediaChanged(microphone=False, camera=True) in alice.events
        await until(lambda: (about := bob.about(alice)) and not about.microphone)
        await bob.hears(alice, 0.0)
        sound = bob.track_of(alice, "audio")
        assert sound is not None
        for _ in range(10):
            frame = await sound.track.recv()
            assert isinstance(frame, AudioFrame)
            assert int(np.abs(mono(frame)).max()) <= 1
        assert sound.audio_level == 127
        await bob.sees(alice)

        await alice.conference.set_microphone(True)
        await until(lambda: (about := bob.about(alice)) and about.microphone)
        await bob.hears(alice)


async def test_who_turns_the_camera_off_sends_black_and_is_shown_so(server: RoomServer) -> None:
    async with people(server, "alice", "bob") as (alice, bob):
        await bob.meets(alice)
        await alice.conference.set_camera(False)
        await until(lambda: (about := bob.about(alice)) and not about.camera)
        await bob.sees(alice, BLACK)
        await bob.hears(alice)
        await alice.conference.set_camera(True)
        await until(lambda: (about := bob.about(alice)) and about.camera)
        await bob.sees(alice)


async def test_whoever_comes_later_learns_who_is_muted(server: RoomServer) -> None:
    async with people(server, "alice") as (alice,):
        await alice.conference.set_microphone(False)
        await alice.conference.set_camera(False)
        async with people(server, "bob") as (bob,):
            await until(lambda: (about := bob.about(alice)) and not about.microphone and not about.camera)
            await bob.sees(alice, BLACK)


async def test_the_talking_mark_follows_the_voice(server: RoomServer) -> None:
    speaks = False
    voice = VoiceAudio(150, lambda _: speaks)
    async with people(server, "alice", audio=voice) as (alice,), people(server, "bob") as (bob,):
        await bob.sees(alice)
        for speaks in (True, False, True, False):
            await until(lambda: (about := bob.about(alice)) and about.talking is speaks, what=f"talking {speaks}")  # noqa: B023
            await until(lambda: alice.conference.participants[0].talking is speaks)  # noqa: B023


async def test_a_viewer_sees_everybody_and_is_no_participant(server: RoomServer) -> None:
    async with (
        people(server, "alice", "bob") as (alice, bob),
        people(server, "viewer", play_only=True) as (viewer,),
    ):
        await asyncio.gather(viewer.meets(alice), viewer.meets(bob), alice.meets(bob))
        assert set(viewer.others()) == {"alice", "bob"}
        assert set(alice.others()) == {"bob"}
        assert len(viewer.tracks) == 4
        assert LocalMediaChanged(None, None) in viewer.events


async def test_a_viewer_of_an_empty_room_waits_there(server: RoomServer) -> None:
    async with people(server, "viewer", play_only=True) as (viewer,), people(server, "alice") as (alice,):
        await viewer.meets(alice)


async def test_after_a_break_everything_is_as_before(server: RoomServer) -> None:
    """Also the muted microphone, which the first publish did not know of."""
    async with people(server, "alice", "bob") as (alice, bob):
        await asyncio.gather(alice.meets(bob), bob.meets(alice))
        await alice.conference.set_microphone(False)
        await until(lambda: (about := bob.about(alice)) and not about.microphone)
        alice.drop_socket()
        await until(lambda: alice.states[-1].state is CallState.RECONNECTING)
        await until(lambda: alice.states[-1].state is CallState.JOINED)
        await asyncio.gather(alice.meets(bob), bob.sees(alice), bob.hears(alice, 0.0))
        await until(lambda: (about := bob.about(alice)) and not about.microphone)
        assert set(alice.others()) == {"bob"}
        assert len(alice.tracks) == 2


async def test_an_id_that_is_in_use_is_refused(server: RoomServer) -> None:
    async with people(server, "alice") as (alice,):
        second = Person(server.url, "alice")
        await second.conference.join()
        failed = second.states[-1]
        assert (failed.state, failed.exit_code) == (CallState.FAILED, ExitCode.REFUSED)
        assert "in use" in failed.reason
        assert failed.hint
        assert alice.conference.state is CallState.JOINED
        await second.aclose()


async def test_a_server_that_is_not_there(server: RoomServer) -> None:
    await server.aclose()
    alice = Person(server.url, "alice")
    await alice.conference.join()
    failed = alice.states[-1]
    assert (failed.state, failed.exit_code) == (CallState.FAILED, 4)
    assert f"127.0.0.1:{server.port}" in failed.reason
    assert alice.conference.participants == ()
    await alice.aclose()


async def test_a_server_that_does_not_come_back(server: RoomServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "SOCKET_TRIES", 1)
    async with people(server, "alice") as (alice,):
        await server.aclose()
        await until(lambda: alice.states[-1].state is CallState.FAILED)
        assert alice.states[-1].exit_code is ExitCode.LOST
        assert [event.state for event in alice.states[-2:]] == [CallState.RECONNECTING, CallState.FAILED]


async def test_leaving_while_the_server_lets_us_wait() -> None:
    accepted = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read()
        await reader.read()
        writer.close()

    before = asyncio.all_tasks()
    silent = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    alice = Person(f"ws://127.0.0.1:{silent.sockets[0].getsockname()[1]}/live/websocket", "alice")
    joining = asyncio.create_task(alice.conference.join())
    await accepted.wait()
    async with asyncio.timeout(2):
        await alice.conference.leave()
        await joining
    assert [event.state for event in alice.states] == [CallState.CONNECTING, CallState.LEAVING, CallState.IDLE]
    await alice.aclose()
    silent.close()
    await until(lambda: asyncio.all_tasks() <= before)


@pytest.mark.parametrize("moment", ["open", "publish", "publish_started", "newTrackAvailable"])
async def test_leaving_at_every_moment_of_joining(server: RoomServer, moment: str) -> None:
    """However far it had come: out at once, gone for the others, nothing left behind."""
    async with people(server, "bob") as (bob,):
        await until(lambda: any(getattr(event, "info", "") == "play_started" for event in bob.events))
        tasks, threads = named_tasks(), own_threads()
        alice = Person(server.url, "alice")
        joining = asyncio.create_task(alice.conference.join())
        infos = {"open": "initialized"}.get(moment, moment)
        await until(lambda: any(getattr(event, "info", "") == infos for event in alice.events))
        async with asyncio.timeout(4):
            await alice.conference.leave()
            await joining
        assert alice.states[-1].state is CallState.IDLE
        await alice.aclose()
        await until(lambda: not bob.others() and not bob.tracks)
        await until(lambda: named_tasks() == tasks, what="tasks end")
        await until(lambda: own_threads() <= threads, what="threads end")


async def test_every_roster_begins_with_oneself(server: RoomServer) -> None:
    async with people(server, "alice", "bob") as (alice, bob):
        await asyncio.gather(alice.meets(bob), bob.meets(alice))
    for one in (alice, bob):
        rosters = [event.participants for event in one.events if isinstance(event, RosterChanged)]
        assert all(people[0].is_self and not any(other.is_self for other in people[1:]) for people in rosters if people)
        assert rosters[-1] == ()
