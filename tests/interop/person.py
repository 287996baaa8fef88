"""Who takes part in the conferences of these tests: everybody with a colour and a tone of their own.

Used by the tests of conferences, with and without a browser.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from aiortc.mediastreams import MediaStreamError

from tests.core.peers import BLUE, GREEN, RED, Colour, is_colour
from tests.hearing import frequency
from tests.seeing import eye_on
from tests.waiting import until, until_found
from tui.core.conference import Conference
from tui.core.events import (
    Callback,
    CallState,
    CallStateChanged,
    Event,
    ModeratorRequest,
    Participant,
    TrackAdded,
    TrackRemoved,
    Wish,
)
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.core.peer import RemoteTrack
    from tui.server.signaling import RoomServer

LOOKS: dict[str, tuple[Colour, float]] = {
    "alice": (RED, 440.0),
    "bob": (BLUE, 660.0),
    "carol": (GREEN, 880.0),
    "dave": ((160, 160, 160), 550.0),
    "erin": ((160, 30, 160), 770.0),
}

COLOUR_TOLERANCE = 45
"""A browser takes another matrix from RGB to YUV than we do, and VP8 does not say which."""


def event_of(received: object) -> dict[str, Any]:
    """The event that a ``data_received`` brings; empty for what is none."""
    try:
        event = json.loads(received["data"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return {}
    return event if isinstance(event, dict) else {}


class Somebody(Protocol):
    """Who can be met in a room."""

    @property
    def stream_id(self) -> str: ...


class Person:
    """A conference of which everything is noted; sees and hears by content."""

    def __init__(self, url: str, stream_id: str, **options: Any) -> None:
        self._look = LOOKS.get(stream_id, LOOKS["alice"])
        media = {} if options.get("play_only") else self._shown()
        self._media = media | options
        self.stream_id = stream_id
        self.events: list[Event] = []
        self.tracks: dict[str, RemoteTrack] = {}
        self.conference = Conference(url, "room1", stream_id, self._note, name=stream_id.title(), **self._media)

    def _shown(self) -> dict[str, Any]:
        colour, pitch = self._look
        return {"audio": TestTone(pitch), "video": SolidColour(colour)}

    async def take_part(self) -> None:
        """Who joined to watch is seen and heard from now on."""
        self._media |= (shown := self._shown())
        assert await self.conference.begin_to_publish(**shown)

    async def request(self, wish: Wish) -> ModeratorRequest:
        """What somebody asks of us."""
        found = await until(
            lambda: next((one for one in self.events if isinstance(one, ModeratorRequest) and one.wish is wish), None)
        )
        assert found is not None
        return found

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

    async def say(self, event: dict[str, Any] | bytes) -> None:
        """Send an event or bytes on the data channel, whatever they are."""
        adaptor: Any = self.conference._adaptor
        assert adaptor.send_data(self.stream_id, event if isinstance(event, bytes) else json.dumps(event))

    async def gets(self, wanted: dict[str, Any]) -> None:
        """Waits for an event with these fields on the data channel."""

        async def look() -> bool:
            return any(wanted.items() <= event.items() for event in await self.heard())

        await until_found(look, what=f"{wanted} at {self.stream_id}")

    async def heard(self) -> list[dict[str, Any]]:
        """Every event that came on the data channel."""
        return [event_of(obj) for obj in self.received()]

    def received(self) -> list[dict[str, Any]]:
        """Every ``data_received``, as the log has it."""
        told = [event.obj for event in self.events if isinstance(event, Callback) and event.info == "data_received"]
        return [obj for obj in told if isinstance(obj, dict)]

    @property
    def states(self) -> list[CallStateChanged]:
        return [event for event in self.events if isinstance(event, CallStateChanged)]

    def others(self) -> dict[str, Participant]:
        return {one.stream_id: one for one in self.conference.participants if not one.is_self}

    def about(self, other: Somebody) -> Participant | None:
        return self.others().get(other.stream_id)

    def track_of(self, other: Somebody, kind: str) -> RemoteTrack | None:
        participant = self.about(other)
        key = participant and (participant.video if kind == "video" else participant.audio)
        return self.tracks.get(key) if key else None

    async def sees(self, other: Somebody, colour: Colour | None = None, size: tuple[int, int] | None = None) -> None:
        """That person's picture arrives, and is of that colour or the person's own, and of that size if any."""
        wanted = colour or LOOKS[other.stream_id][0]

        async def look(track: RemoteTrack) -> bool:
            frame = await eye_on(track).recv()
            fits = size is None or (frame.width, frame.height) == size
            return fits and is_colour(frame, wanted, COLOUR_TOLERANCE)

        await self._find(other, "video", look)

    async def hears(self, other: Somebody, pitch: float | None = None) -> None:
        """That person's sound arrives, and is of that pitch or the person's own; 0 is silence."""
        wanted = LOOKS[other.stream_id][1] if pitch is None else pitch

        async def listen(track: RemoteTrack) -> bool:
            return abs(await frequency(track) - wanted) < 8

        await self._find(other, "audio", listen)

    async def _find(self, other: Somebody, kind: str, matches: Any) -> None:
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

    async def meets(self, other: Somebody) -> None:
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
