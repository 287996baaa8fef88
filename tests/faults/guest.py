"""Our client in the room of a scripted server, and the people whom that server shows."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.interop.person import Person
from tui.core.events import Callback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.ams import Ams


@asynccontextmanager
async def guest(ams: Ams, stream_id: str = "alice", **options: Any) -> AsyncIterator[Person]:
    """Our client, in the room."""
    person = Person(ams.url, stream_id, **options)
    try:
        await person.join()
        yield person
    finally:
        await person.aclose()


class Other:
    """Somebody whom the scripted server shows."""

    def __init__(self, stream_id: str) -> None:
        self.stream_id = stream_id


BOB, CAROL = Other("bob"), Other("carol")


def infos(person: Person, *, errors: bool = False) -> list[str]:
    """The names of all callbacks so far, or of all errors."""
    return [event.info for event in person.events if isinstance(event, Callback) and event.error is errors]
