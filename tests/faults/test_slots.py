"""Who is in which slot: told before the track, after it, or never, and changed without an offer (section 11, row 7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.core.peers import BLUE
from tests.faults.ams import Ams, Message, PlayEnd
from tests.faults.guest import BOB, CAROL, Other, guest
from tests.hearing import frequency
from tests.interop.person import LOOKS
from tests.waiting import until

if TYPE_CHECKING:
    from tests.interop.person import Person

pytestmark = pytest.mark.faults


async def test_a_slot_moves_to_somebody_else_without_an_offer(ams: Ams) -> None:
    ams.people = ["bob", "carol"]
    ams.pushes_assignments = False

    async def play(message: Message) -> None:
        """One pair for two people, as with a limit of one slot; who is in it is told late."""
        end = PlayEnd()
        ams.seat(end, "bob")
        end.open_channel()
        await ams.begin_play(end)

    ams.on["play"] = play
    del ams.on["getVideoTrackAssignmentsCommand"]
    async with guest(ams) as alice:
        await until(lambda: len(alice.tracks) == 2 and len(alice.others()) == 2)
        assert all(one.video is None for one in alice.others().values()), "nobody's slot yet"
        ams.assign()
        await alice.meets(BOB)
        tracks = set(alice.tracks)
        ams.owners["videoTrack0"] = "carol"
        ams.assign()
        await until(lambda: (carol := alice.about(CAROL)) and carol.video)
        bob = alice.about(BOB)
        assert bob is not None
        assert (bob.video, bob.audio is not None) == (None, True), "the sound stays where it was"
        assert await shows(alice, "carol", BLUE), "the track shows what it showed, its owner is another"
        ams.owners["videoTrack0"] = ""
        ams.assign()
        await until(lambda: all(one.video is None for one in alice.others().values()))
        assert set(alice.tracks) == tracks


async def shows(person: Person, stream_id: str, colour: tuple[int, int, int]) -> bool:
    await person.sees(Other(stream_id), colour)
    return True


async def test_an_assignment_for_somebody_unknown_is_bound_when_the_list_comes(ams: Ams) -> None:
    ams.people = ["bob"]
    answer = ams.on.pop("getSubtracks")
    async with guest(ams) as alice:
        await until(lambda: (bob := alice.about(BOB)) and bob.video)
        ams.on["getSubtracks"] = answer
        await alice.meets(BOB)


async def test_a_list_may_name_a_slot_before_there_is_a_track(ams: Ams) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        assert ams.play_end is not None
        ams.people.append("carol")
        ams.owners |= {"videoTrack1": "carol", "audioTrack1": "carol"}
        ams.assign()
        await until(lambda: alice.about(CAROL))
        assert alice.track_of(CAROL, "video") is None
        ams.seat(ams.play_end, "carol")
        await ams.offer()
        await asyncio.gather(alice.meets(CAROL), alice.meets(BOB))


async def test_without_any_list_the_picture_is_of_somebody_unknown(ams: Ams) -> None:
    """It is shown and heard all the same, and belongs to somebody as soon as a list says to whom."""
    ams.people = ["bob"]
    ams.pushes_assignments = False
    del ams.on["getVideoTrackAssignmentsCommand"]
    async with guest(ams) as alice:
        unknown = await until(lambda: next((one for one in alice.others().values() if one.name == "unknown"), None))
        assert unknown is not None
        await alice.sees(Other(unknown.stream_id), LOOKS["bob"][0])
        (sound,) = (track for track in alice.tracks.values() if track.kind == "audio")
        assert abs(await frequency(sound) - LOOKS["bob"][1]) < 8
        ams.assign()
        await alice.meets(BOB)
        assert set(alice.others()) == {"bob"}


async def test_who_is_pinned_is_said_by_the_list(ams: Ams) -> None:
    ams.people = ["bob", "carol"]
    async with guest(ams) as alice:

        def pinned() -> set[str]:
            return {one.stream_id for one in alice.others().values() if one.pinned}

        await asyncio.gather(alice.meets(BOB), alice.meets(CAROL))
        for reserved in ({"carol"}, {"bob"}, set[str]()):
            ams.reserved = reserved
            ams.assign()
            await until(lambda wanted=reserved: pinned() == wanted)  # type: ignore[misc]
