"""Conferences over real WebRTC through the local room server: who is seen, heard and listed, by content."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.hearing import Ear, pitch
from tests.interop.person import LOOKS, Person, people
from tests.waiting import named_tasks, own_threads, until
from tui.core import link
from tui.core.events import (
    Announced,
    Callback,
    CallState,
    ChatMessage,
    LocalMediaChanged,
    ModeratorRequest,
    Notice,
    Reaction,
    RosterChanged,
    Wish,
)
from tui.errors import ExitCode
from tui.media.generated import VoiceAudio
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Labels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BLACK = (0, 0, 0)


def chat(person: Person) -> list[ChatMessage]:
    """Every message that this person was told of."""
    return [event for event in person.events if isinstance(event, ChatMessage)]


def said(person: Person) -> list[tuple[str, str]]:
    """Who said what, as far as this person knows."""
    return [(message.sender, message.text) for message in chat(person) if not message.unsent]


def seen(person: Person) -> set[str]:
    """Whose pictures this person is sent."""
    return {stream_id for stream_id, about in person.others().items() if about.video is not None}


async def can_speak(person: Person) -> None:
    """Every data channel of this person is open."""
    sessions = {"room1"} if person.conference.participants[0].play_only else {"room1", person.stream_id}

    def opened() -> set[object]:
        return {
            event.obj for event in person.events if isinstance(event, Callback) and event.info == "data_channel_opened"
        }

    await until(lambda: opened() == sessions, what=f"channels of {person.stream_id}")


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as server:
        yield server


@pytest.mark.parametrize("labels", Labels)
@pytest.mark.parametrize("id_mapping", [True, False])
async def test_two_people_meet_whatever_the_server_calls_its_tracks(labels: Labels, id_mapping: bool) -> None:
    async with (
        RoomServer(options=Options(labels=labels, id_mapping=id_mapping)) as server,
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
        ear = Ear(sound)

        async def listen() -> None:
            """Notes every moment in which bob is not heard by alice."""
            await ear.hear(0.5)
            while True:
                heard = pitch(await ear.hear(0.2))
                if abs(heard - LOOKS["bob"][1]) > 20:
                    silences.append(heard)

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
        ear = Ear(sound)
        await ear.hear(0.2)
        assert np.abs(await ear.hear(0.2)).max() < 2 / 32768
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


async def test_a_viewer_sees_everybody_and_is_listed_as_such(server: RoomServer) -> None:
    async with (
        people(server, "alice", "bob") as (alice, bob),
        people(server, "viewer", play_only=True) as (viewer,),
    ):
        await asyncio.gather(viewer.meets(alice), viewer.meets(bob), alice.meets(bob))
        assert set(viewer.others()) == {"alice", "bob"}
        assert len(viewer.tracks) == 4
        assert LocalMediaChanged(None, None, play_only=True) in viewer.events
        about = await until(lambda: alice.about(viewer))
        assert about is not None
        assert (about.name, about.play_only, about.video, about.audio) == ("Viewer", True, None, None)
        assert len(alice.tracks) == 2
        await viewer.conference.leave()
        await until(lambda: set(alice.others()) == {"bob"})


async def test_chat_travels_in_all_directions(server: RoomServer) -> None:
    """Over the own stream's channel and over the room's, each message once, the own one not again."""
    async with (
        people(server, "alice", "bob") as (alice, bob),
        people(server, "viewer", play_only=True) as (viewer,),
    ):
        everybody = (alice, bob, viewer)
        await asyncio.gather(*(can_speak(one) for one in everybody))
        for one in everybody:
            assert one.conference.say(f"I am {one.stream_id} ✓")
            assert one.conference.say("same words")
        for one in everybody:
            await until(lambda one=one: len(said(one)) == 6)  # type: ignore[misc]
            assert sorted(said(one)) == sorted(
                (other.stream_id, text) for other in everybody for text in (f"I am {other.stream_id} ✓", "same words")
            )
            assert [message.own for message in chat(one)] == [message.sender == one.stream_id for message in chat(one)]
        await until(lambda: alice.about(viewer))


async def test_a_word_said_too_early_arrives_later(server: RoomServer) -> None:
    async with people(server, "bob") as (bob,):
        await can_speak(bob)
        alice = Person(server.url, "alice")
        joining = asyncio.create_task(alice.join())
        await until(lambda: alice.conference.state is CallState.CONNECTING)
        assert alice.conference.say("am I early?")
        assert chat(alice)[0].unsent
        await joining
        await until(lambda: said(bob) == [("alice", "am I early?")])
        assert [(message.number == chat(alice)[0].number, message.unsent) for message in chat(alice)] == [
            (True, True),
            (True, False),
        ]
        await alice.aclose()


async def test_reactions_hands_and_requests_travel(server: RoomServer) -> None:
    async with (
        people(server, "alice", "bob") as (alice, bob),
        people(server, "viewer", play_only=True) as (viewer,),
    ):
        await asyncio.gather(*(can_speak(one) for one in (alice, bob, viewer)))
        await until(lambda: alice.about(bob) and bob.about(alice) and alice.about(viewer))
        assert alice.conference.react("party_popper")
        assert viewer.conference.raise_hand()
        await until(lambda: Reaction("alice", "Alice", "party_popper") in bob.events)
        await until(lambda: Announced(Notice.HAND_RAISED, "viewer", "Viewer") in alice.events)
        assert alice.conference.answer_hand("viewer", True)
        await until(lambda: Announced(Notice.MAY_SPEAK, "viewer", "viewer") in viewer.events)
        assert bob.conference.ask(Wish.MICROPHONE_OFF, "alice")
        request = await until(lambda: next((one for one in alice.events if isinstance(one, ModeratorRequest)), None))
        assert request is not None
        assert request.sender == "bob"
        await bob.hears(alice)
        await alice.conference.answer_request(request, True)
        await until(lambda: (about := bob.about(alice)) and not about.microphone)
        await bob.hears(alice, 0.0)


async def test_a_flood_of_small_messages_leaves_the_sound_alone(server: RoomServer) -> None:
    """Hostile inputs, DC-2: counted and told in a line, and nobody is cut off."""
    async with people(server, "alice", "bob", "carol") as (alice, bob, carol):
        await asyncio.gather(alice.meets(bob), alice.meets(carol), can_speak(bob), can_speak(carol))
        adaptor: Any = bob.conference._adaptor
        for number in range(10_000):
            event = {"eventType": "CHAT_MESSAGE", "streamId": "bob", "message": str(number)}
            adaptor.send_data("bob", json.dumps(event))
            if number % 100 == 0:
                await asyncio.sleep(0)
        await alice.hears(carol)
        assert carol.conference.say("still here")
        await until(lambda: ("carol", "still here") in said(alice), 30)
        assert sum(sender == "bob" for sender, _ in said(alice)) < 1000
        assert alice.conference.state is CallState.JOINED
        await alice.meets(bob)


async def test_everything_is_wished_again_after_a_break() -> None:
    """With one slot for three others: the limit and the pin outlive the connection."""
    async with (
        RoomServer() as server,
        people(server, "alice", "bob", "carol") as (alice, bob, carol),
        people(server, "dave") as (dave,),
    ):
        await asyncio.gather(alice.meets(bob), alice.meets(carol), dave.meets(alice))
        await alice.conference.set_max_video_tracks(1)
        await until(lambda: len(seen(alice)) == 1)
        for pinned in (carol, bob):
            await alice.conference.pin(pinned.stream_id)
            await until(lambda pinned=pinned: seen(alice) == {pinned.stream_id})  # type: ignore[misc]
            await alice.sees(pinned)
        assert alice.others()["bob"].pinned
        alice.drop_socket()
        await until(lambda: alice.states[-1].state is CallState.RECONNECTING)
        await until(lambda: alice.states[-1].state is CallState.JOINED)
        await until(lambda: seen(alice) == {"bob"})
        await alice.sees(bob)


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
        await until(lambda: not {"playing", "changes"} & set(named_tasks()))
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
