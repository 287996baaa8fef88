"""A listener of the audio benchmark: this client's core, a voice in the mixer, and an ear in the place of a device.

``python -m tests.benchmarks.client_listener``, started as a `Child`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.child import answer
from tests.benchmarks.recorder import Recorder
from tests.waiting import until
from tui.core.conference import Conference
from tui.core.events import CallState, Event, TrackAdded
from tui.core.tasks import Tasks
from tui.media.mixer import Mixer

if TYPE_CHECKING:
    from tui.media.voices import Voice

_LOOK = 0.1
"""Seconds between two looks at the figures."""


class Listening:
    """One room, played as long as the process lives."""

    def __init__(self) -> None:
        self._mixer = Mixer()
        self._voice: Voice | None = None
        self._conference: Conference | None = None
        self._recorder: Recorder | None = None
        self._tasks = Tasks()
        self._figures: list[dict[str, float]] = []

    async def join(self, url: str, room: str, seconds: float) -> None:
        """Play the room and record it from now on, ``seconds`` at most."""
        self._recorder = Recorder(self._mixer.mix, seconds)
        self._recorder.start()
        self._conference = Conference(url, room, "listener", self._note, play_only=True)
        await self._conference.join()
        if self._conference.state is not CallState.JOINED:
            raise RuntimeError("the listener is not in the room")
        await until(lambda: self._voice is not None and self._voice.playout().packets)
        self._tasks.spawn(self._look(), "looking at the figures")

    async def finish(self, path: str) -> dict[str, Any]:
        """Save what was heard; when that began, and the figures meanwhile."""
        assert self._recorder is not None
        np.save(path, self._recorder.stop())
        return {"began": self._recorder.began, "latest": self._recorder.latest, "figures": self._figures}

    async def aclose(self) -> None:
        """Leave."""
        await self._tasks.aclose()
        if self._conference is not None:
            await self._conference.aclose()

    def _note(self, event: Event) -> None:
        if isinstance(event, TrackAdded) and event.track.kind == "audio":
            self._voice = self._mixer.add(event.track.key)
            event.track.listen(self._voice)

    async def _look(self) -> None:
        assert self._voice is not None
        while True:
            now = self._voice.playout()
            self._figures.append(
                {
                    "at": time.monotonic(),
                    "played": now.played_ms,
                    "concealed": now.concealed_ms,
                    "buffer": now.depth_ms,
                    "target": now.target_ms,
                    "lost": now.lost,
                    "recovered": now.recovered,
                    "late": now.late,
                    "resets": now.resets,
                }
            )
            await asyncio.sleep(_LOOK)


async def main() -> None:
    """Answer until standard input ends."""
    listening = Listening()
    try:
        await answer(join=listening.join, finish=listening.finish)
    finally:
        await listening.aclose()


if __name__ == "__main__":
    asyncio.run(main())
