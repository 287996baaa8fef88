"""A room for the audio benchmark, or the people in it.

``python -m tests.benchmarks.crowd_room``, started as a `Child`: one for the server, another for everybody in it.
"""

from __future__ import annotations

import asyncio
import gc
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from tests.benchmarks.child import answer
from tui.core.conference import Conference
from tui.core.events import CallState
from tui.media.generated import Silence, TestTone, VoiceAudio
from tui.media.pictures import PortraitVideo
from tui.media.sound import FRAME_SAMPLES
from tui.media.tracks import AudioTrack, stereo_frame
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av import AudioFrame

    from tui.core.audio import SoundEncoder
    from tui.media.sound import Samples
    from tui.media.tracks import VideoTrack

ROOM = "room1"
TONE, AMPLITUDE = 660.0, 0.3
"""What the first person with a picture sounds like all the time."""

_TOGETHER = 4
"""So many join at a time."""

_LAP = 250
"""Frames after which a recital begins anew: 5 s."""


class Recital(AudioTrack):
    """A voice that talks without a pause, encoded beforehand: so many of them leave the machine time to listen."""

    def __init__(self, pitch: float) -> None:
        super().__init__()
        babble = VoiceAudio(pitch, lambda at: True)
        self._frames = [babble.samples(number * FRAME_SAMPLES) for number in range(_LAP)]
        encoder = super().encoder()
        assert encoder is not None
        self._payloads = [
            encoder.encode(stereo_frame(samples, number * FRAME_SAMPLES))[0]
            for number, samples in enumerate(self._frames)
        ]

    def samples(self, start: int) -> Samples:
        """The next 20 ms."""
        return self._frames[start // FRAME_SAMPLES % _LAP]

    def encoder(self) -> SoundEncoder:
        """Knows what comes of every frame."""
        return Recited(self._payloads)


class Recited:
    """An encoder that has encoded everything already."""

    def __init__(self, payloads: list[list[bytes]]) -> None:
        self._payloads = payloads

    def encode(self, frame: AudioFrame) -> tuple[list[bytes], int]:
        """See `SoundEncoder`."""
        start = frame.pts or 0
        return self._payloads[start // FRAME_SAMPLES % _LAP], start

    def hear_loss(self, fraction: float) -> None:
        """It is too late for that."""


class Crowd:
    """A server, or people in a room."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def open(self) -> str:
        """The address of an empty room."""
        return (await self._stack.enter_async_context(RoomServer())).url

    async def talk(self, url: str, people: int) -> None:
        """So many come in who all talk without a pause."""
        await self._enter(url, [(Recital(90.0 + 10.0 * number), None) for number in range(people)])

    async def show(self, url: str, first: int, last: int) -> None:
        """Those with these numbers come in with pictures; number 0 is a steady tone, the others are silent."""
        sounds = [Silence() if number else TestTone(TONE, AMPLITUDE) for number in range(first, last)]
        people = [(sound, PortraitVideo(number % 4)) for number, sound in enumerate(sounds, first)]
        await self._enter(url, people, first)
        # It is the listener that is looked at: a speaker who stands still would be taken for its gap.
        gc.disable()

    async def aclose(self) -> None:
        """Everybody out."""
        await self._stack.aclose()

    async def _enter(self, url: str, people: Sequence[tuple[AudioTrack, VideoTrack | None]], first: int = 0) -> None:
        names = [f"person{number}" for number in range(first, first + len(people))]
        conferences = [
            Conference(*(url, ROOM, name, lambda event: None), name=name, publish_only=True, audio=audio, video=video)
            for name, (audio, video) in zip(names, people, strict=True)
        ]
        for conference in conferences:
            self._stack.push_async_callback(conference.aclose)
        for audio, video in people:
            for track in (audio, video):
                if track is not None:
                    self._stack.callback(track.stop)
        for begin in range(0, len(conferences), _TOGETHER):
            await asyncio.gather(*(conference.join() for conference in conferences[begin : begin + _TOGETHER]))
        outside = sum(conference.state is not CallState.JOINED for conference in conferences)
        if outside:
            raise RuntimeError(f"{outside} of {len(conferences)} are not in the room")


async def main() -> None:
    """Answer until standard input ends."""
    crowd = Crowd()
    try:
        await answer(open=crowd.open, talk=crowd.talk, show=crowd.show)
    finally:
        await crowd.aclose()


if __name__ == "__main__":
    asyncio.run(main())
