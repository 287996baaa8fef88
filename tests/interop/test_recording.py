"""Whoever records is marked at everybody else, over the real wire: those who are there and those who come later."""

from __future__ import annotations

from tests.interop.person import Person, people
from tests.waiting import until
from tui.server.signaling import RoomServer


def recording(person: Person) -> set[str]:
    """Whom this person sees recording."""
    return {one.stream_id for one in person.conference.participants if one.recording}


async def test_everybody_knows_who_records() -> None:
    async with RoomServer() as server, people(server, "alice", "bob") as (alice, bob):
        await alice.conference.announce_recording(True)
        await until(lambda: recording(bob) == {"alice"})
        async with people(server, "carol") as (carol,):
            await until(lambda: recording(carol) == {"alice"})
            await alice.conference.announce_recording(False)
            await until(lambda: recording(bob) == recording(carol) == set())
