"""Participants for demos and tests: real clients of the core that publish generated pictures and voices.

Used by ``antconf demo`` and by the tests. Each is a `Conference` of its own, over real WebRTC, into whatever server
it is pointed at; nothing in here knows the local one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tui.core.conference import Conference
from tui.media.sources import PortraitVideo, VoiceAudio

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.events import Event

TURN = 3.0
"""Seconds that one participant talks before the next one does."""


@dataclass(frozen=True, slots=True)
class Role:
    """Who a demo participant is; ``pitch`` of its voice is in Hz."""

    stream_id: str
    name: str
    pitch: float


CAST = (
    Role("bruno", "Bruno", 110.0),
    Role("rosa", "Rosa", 220.0),
    Role("robo", "Robo", 82.0),
    Role("momo", "Momo", 294.0),
)
"""The four of ``antconf demo``, in the order in which they talk; their pictures are `PortraitVideo` 0 to 3."""


class Bots:
    """A cast in one room: ``async with Bots(url, room)`` brings them in and takes them out again."""

    def __init__(
        self,
        url: str,
        room: str,
        cast: Sequence[Role] = CAST,
        *,
        turn: float = TURN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = clock()
        self._clock = clock
        self._turn = turn
        self._cast = cast
        self._voices = [VoiceAudio(role.pitch, self._speaks(index)) for index, role in enumerate(cast)]
        self._pictures = [PortraitVideo(index, self._speaks(index)) for index in range(len(cast))]
        self.conferences = [
            Conference(
                url, room, role.stream_id, _ignore, name=role.name, publish_only=True, audio=voice, video=picture
            )
            for role, voice, picture in zip(cast, self._voices, self._pictures, strict=True)
        ]

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(conference.join() for conference in self.conferences))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Everybody leaves; idempotent."""
        await asyncio.gather(*(conference.aclose() for conference in self.conferences))
        for track in (*self._voices, *self._pictures):
            track.stop()

    def _speaks(self, index: int) -> Callable[[float], bool]:
        def speaking(_: float) -> bool:
            """Turns by one clock for all, so that never two talk at once."""
            turn = int((self._clock() - self._start) / self._turn)
            return turn % len(self._cast) == index

        return speaking


def _ignore(event: Event) -> None:
    """A demo participant has no screen."""
