"""What the local server says unasked, and its rarer refusals, as the official SDK hears them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.interop.person import people
from tests.interop.tab import Tab, everybody_meets, room, tab
from tests.waiting import until, until_found
from tui.core.events import CallState, Wish
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Labels, Limits

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="session")]


async def until_told(one: Tab, info: str, wanted: dict[str, Any]) -> None:
    """A callback of that name with these fields."""

    async def look() -> bool:
        return any(entry.get("info") == info and wanted.items() <= entry["obj"].items() for entry in await one.log())

    await until_found(look, 20, f"{info} {wanted} at {one.stream_id}")


async def test_comings_and_goings_are_told(browser: Browser, pages: str) -> None:
    """subtrackAdded and subtrackRemoved; TRACK_LIST_UPDATED, PLAYER_ADDED and PLAYER_REMOVED; streaming_started."""
    async with room(browser, pages) as (server, alice, bob, carol):
        await everybody_meets(alice, bob, carol)
        async with tab(browser, pages, server.url, "erin", playOnly=True) as erin:
            await erin.join()
            await bob.gets({"eventType": "PLAYER_ADDED", "streamId": "room1"})
            await carol.leave()
            gone = {"mainTrack": "room1", "trackId": "carol"}
            await asyncio.gather(*(until_told(one, "subtrackRemoved", gone) for one in (bob, erin)))
            await carol.join()
            await asyncio.gather(*(until_told(one, "subtrackAdded", gone) for one in (bob, erin)))
            for one in (bob, erin):
                await one.gets({"eventType": "TRACK_LIST_UPDATED", "streamId": "room1"})
            await everybody_meets(alice, bob, carol)
            await erin.leave()
            await bob.gets({"eventType": "PLAYER_REMOVED", "streamId": "room1"})


async def test_who_came_too_early_hears_when_it_begins(browser: Browser, pages: str) -> None:
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        tab(browser, pages, server.url, "erin", "no_stream_exist", playOnly=True) as erin,
        tab(browser, pages, server.url, "bob") as bob,
    ):
        await erin.join()
        await erin.fails("no_stream_exist")
        await bob.join()
        await until_told(erin, "streaming_started", {"streamId": "room1"})
        await erin.meets(bob)


async def test_roles_decide_who_is_seen(browser: Browser, pages: str) -> None:
    """A listener sees nobody until the host makes a speaker active, and nobody when that is over (6.6)."""
    matrix = {"host": ("host", "speaker", "active_speaker"), "listener": ("active_speaker",)}
    async with (
        RoomServer(allowed_origins=[pages], options=Options(visibility=matrix)) as server,
        tab(browser, pages, server.url, "bob", role="host") as bob,
        tab(browser, pages, server.url, "carol", role="speaker") as carol,
        tab(browser, pages, server.url, "erin", role="listener", playOnly=True) as erin,
    ):
        await asyncio.gather(bob.join(), carol.join())
        await bob.meets(carol)
        await erin.join()
        await erin.told("play_started")
        for role, seen in (("active_speaker", {"carol"}), ("speaker", set[str]())):
            server.update_role("carol", role)
            event = {"eventType": "UPDATE_PARTICIPANT_ROLE", "streamId": "carol", "role": role}
            await asyncio.gather(bob.gets(event), erin.gets(event))
            await until_found(partial(shows, erin, seen), 10, f"{seen} at erin")
            await bob.meets(carol)


async def shows(one: Tab, stream_ids: set[str]) -> bool:
    return await one.owners() == stream_ids


async def test_slots_go_to_who_is_heard_by_the_browsers_own_levels(browser: Browser, pages: str) -> None:
    """One slot of each kind, for a tab and for one of us: whoever falls silent loses it to whoever speaks (5.4)."""
    options = Options(limits=Limits(video=1, audio=1), send_audio_level=True)
    async with (
        RoomServer(allowed_origins=[pages], options=options) as server,
        people(server, "alice", play_only=True) as (alice,),
        tab(browser, pages, server.url, "bob") as bob,
        tab(browser, pages, server.url, "carol") as carol,
        tab(browser, pages, server.url, "erin", playOnly=True) as erin,
    ):
        await asyncio.gather(bob.join(), carol.join())
        await until(lambda: set(alice.others()) == {"bob", "carol"}, 20)
        await erin.join()

        async def are_shown(*stream_ids: str) -> bool:
            """These and nobody else."""
            ours = {one.stream_id for one in alice.others().values() if one.video and one.audio}
            return ours == await erin.owners() == set(stream_ids)

        for speaker, silent in ((carol, bob), (bob, carol), (carol, bob)):
            await silent.turn("microphone", False, "CIRCLE")
            await speaker.turn("microphone", True, "CIRCLE")
            await until_found(partial(are_shown, speaker.stream_id), 20, f"{speaker.stream_id} in the slots")
            await asyncio.gather(erin.meets(speaker), alice.sees(speaker), alice.hears(speaker))
            await erin.gets({"eventType": "UPDATE_AUDIO_LEVEL", "streamId": silent.stream_id, "audioLevel": 127})


@pytest.mark.parametrize("labels", Labels)
async def test_a_tab_lets_a_listener_speak_who_is_seen_and_heard_until_told_to_listen(
    browser: Browser, pages: str, labels: Labels
) -> None:
    """The room that was joined to watch goes on all along; what the official application sends (6.3)."""
    async with (
        RoomServer(allowed_origins=[pages], options=Options(labels=labels)) as server,
        people(server, "alice", play_only=True) as (alice,),
        tab(browser, pages, server.url, "bob") as bob,
    ):
        await bob.join()
        await alice.meets(bob)
        assert alice.conference.raise_hand()
        about_alice = {"streamId": "room1", "senderStreamId": "alice"}
        await bob.gets({"eventType": "REQUEST_BECOME_PUBLISHER"} | about_alice)
        for _ in range(2):
            alice.events.clear()
            await bob.say({"eventType": "APPROVE_BECOME_PUBLISHER"} | about_alice)
            await alice.conference.answer_request(await alice.request(Wish.SPEAK), True)
            await alice.take_part()
            await asyncio.gather(bob.meets(alice), alice.meets(bob))
            assert "alice" not in alice.others()
            await bob.say({"eventType": "MAKE_LISTENER_AGAIN"} | about_alice)
            await alice.conference.answer_request(await alice.request(Wish.LISTEN), True)
            await until_found(partial(shows, bob, set[str]()), 10, "nobody at bob")
            await alice.meets(bob)
        assert not [one for one in alice.states if one.state is not CallState.JOINED]


async def test_who_only_plays_is_listed_by_the_older_way(browser: Browser, pages: str) -> None:
    """joinRoom and leaveFromRoom; others find the person in subtrackList."""
    async with (
        room(browser, pages) as (server, alice, bob, carol),
        tab(browser, pages, server.url, "erin", playOnly=True) as erin,
    ):
        await everybody_meets(alice, bob, carol)
        await erin.join()
        joined = await erin.asks("joinRoom", "room1", "erin", "multitrack", "Erin", "", "{}", answer="joinedTheRoom")
        assert set(joined["streams"]) == {"alice", "bob", "carol"}
        assert (joined["ATTR_ROOM_NAME"], joined["maxTrackCount"]) == ("room1", -1)
        await until(lambda: (about := alice.about(erin)) and about.name == "Erin")
        await erin.asks("leaveFromRoom", "room1", "erin", answer="leavedFromRoom")
        await until(lambda: alice.about(erin) is None)


async def test_who_is_one_too_many_or_not_wanted_is_told_so(browser: Browser, pages: str) -> None:
    full = "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks"
    async with (
        RoomServer(allowed_origins=[pages], options=Options(subtracks_limit=1, viewer_limit=1)) as server,
        tab(browser, pages, server.url, "bob") as bob,
        tab(browser, pages, server.url, "carol", full, "viewerLimitReached") as carol,
        tab(browser, pages, server.url, "dave", "user_blocked", subscriberId="sub-7", subscriberCode="1") as dave,
    ):
        server.access.block("room1", "sub-7", 60)
        await bob.join()
        await bob.told("play_started")
        await carol.join()
        assert (await carol.fails(full))["streamId"] == "carol"
        assert (await carol.fails("viewerLimitReached"))["streamId"] == "room1"
        await carol.leave()
        await dave.join()
        assert (await dave.fails("user_blocked"))["streamId"] == "dave"
        await dave.leave()
