"""The room of the audio benchmark: the local server, somebody who speaks, and a line to each listener.

``python -m tests.benchmarks.room``, started as a `Child`. The speaker is this client, so that its error correction
follows the losses that the server reports to it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.child import answer
from tests.benchmarks.line import Beginning, Condition, Line
from tests.benchmarks.speech import speech
from tests.waiting import until
from tui.core.conference import Conference
from tui.core.events import CallState
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE
from tui.media.tracks import AudioTrack
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from tui.media.sound import Samples

ROOM = "room1"
_LINGER = 1.5
"""Seconds that the line goes on after the last word."""


class Speaker(AudioTrack):
    """Says the speech over and over, from the first frame on, and notes when."""

    def __init__(self) -> None:
        super().__init__()
        self._said = speech().samples
        self.spoken_at = float("inf")
        """When sample 0 was spoken, by ``time.monotonic``: a frame leaves when its last sample is."""
        self.position = 0
        """The sample that is spoken now."""
        self.first = 0
        """The sample that is the speech's first: the laps before and after go by it."""

    def samples(self, start: int) -> Samples:
        """The next 20 ms of the speech."""
        end = start + FRAME_SAMPLES
        self.position = end
        # The earliest frame tells best: the others wait for the loop as well.
        self.spoken_at = min(self.spoken_at, time.monotonic() - end / SAMPLE_RATE)
        return self._said.take(np.arange(start, end) - self.first, mode="wrap")


class Hosting:
    """The server, the speaker and the lines, as long as the process lives."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._lines: list[Line] = []
        self._speaker = Speaker()

    async def open(self, listeners: int) -> list[str]:
        """Somebody speaks from now on; an address for each listener to join by."""
        server = await self._stack.enter_async_context(RoomServer())
        speaker = Conference(
            server.url, ROOM, "speaker", lambda event: None, name="Speaker", publish_only=True, audio=self._speaker
        )
        self._stack.push_async_callback(speaker.aclose)
        await speaker.join()
        if speaker.state is not CallState.JOINED:
            raise RuntimeError("the speaker is not in the room")
        self._lines = [await self._stack.enter_async_context(Line(server.url)) for _ in range(listeners)]
        return [line.url for line in self._lines]

    async def speak(self, condition: dict[str, Any], seed: int, warm_up: float, laps: int) -> dict[str, Any]:
        """Make the line as bad as that, warm up, and return when the speech was then said so many times.

        ``spoken_at``: when its measured part began. ``lost``: the share of the packets of each line that was, from
        the warm-up's beginning on. ``stall``: the longest time without a packet, 0.02 on a machine that has time.
        """
        relays = [line.relay for line in self._lines]
        beginning = Beginning(relays, Condition(**condition), seed)
        await beginning.done.wait()
        began = time.monotonic()
        first = self._speaker.first = self._speaker.position + int(warm_up * SAMPLE_RATE)
        last = first + laps * len(speech().samples)
        await until(lambda: self._speaker.position >= last, timeout=warm_up + (laps + 1) * speech().seconds)
        lasted = time.monotonic() - began
        await asyncio.sleep(_LINGER)
        return {
            "spoken_at": self._speaker.spoken_at + first / SAMPLE_RATE,
            "lost": [relay.lost / max(1, relay.packets) for relay in relays],
            "stall": max(relay.stall for relay in relays),
            "kilobits": relays[0].octets * 8 / 1000 / lasted,
        }

    async def aclose(self) -> None:
        """Everybody out."""
        await self._stack.aclose()
        self._speaker.stop()


async def main() -> None:
    """Answer until standard input ends."""
    hosting = Hosting()
    try:
        await answer(open=hosting.open, speak=hosting.speak)
    finally:
        await hosting.aclose()


if __name__ == "__main__":
    asyncio.run(main())
