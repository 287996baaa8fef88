"""How long joining takes: from the key press to the first remote sound and to the first picture on a tile.

Run it by hand, ``python -m tests.benchmarks.join [RUNS]``: the real app without a terminal, the demo's room in a
process of its own, everything on loopback. Prints a table; nothing is asserted.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from tui.app import ConferenceApp
from tui.call import Call
from tui.config import JoinOptions
from tui.core.events import CallState
from tui.demo import ROOM, DemoRoom
from tui.media.cells import Depth, Glyphs, Look
from tui.media.mixer import Mixer
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DEADLINE = 30.0
STEP = 0.005


class Ear:
    """Notes when the mixer first gives sound."""

    def __init__(self) -> None:
        self.heard = 0.0
        mix = Mixer.mix

        def noted(mixer: Mixer, out: NDArray[np.float32]) -> None:
            mix(mixer, out)
            if not self.heard and float(np.abs(out).max(initial=0.0)) > 0.001:
                self.heard = time.perf_counter()

        Mixer.mix = noted  # type: ignore[method-assign, assignment]


async def main(runs: int) -> None:
    ear = Ear()
    sound: list[float] = []
    picture: list[float] = []
    with DemoRoom(subprocess.DEVNULL) as room:
        options = JoinOptions(url=room.url(), room=ROOM, name="Bench", source="test")
        app = ConferenceApp(options, Call, Look(Glyphs.HALF, Depth.TRUECOLOR))
        async with app.run_test(size=(120, 36)):
            await until(lambda: app.view.state is CallState.JOINED and tiles(app) == 4)
            for _ in range(runs):
                app.simulate_key("j")
                await until(lambda: app.view.state is CallState.IDLE and tiles(app) == 0)
                ear.heard = 0.0
                sound_at, picture_at = await joined(app, ear)
                sound.append(sound_at)
                picture.append(picture_at)
    for name, times in (("first sound", sound), ("first tile", picture)):
        print(
            f"{name:12} median {statistics.median(times) * 1000:5.0f} ms   "
            f"from {min(times) * 1000:.0f} to {max(times) * 1000:.0f} ms   n={len(times)}"
        )


async def joined(app: ConferenceApp, ear: Ear) -> tuple[float, float]:
    """Press the key; seconds to the first sound and to the first remote picture."""
    pressed = time.perf_counter()
    app.simulate_key("j")
    await until(lambda: tiles(app) > 0)
    seen = time.perf_counter()
    await until(lambda: ear.heard > 0)
    return ear.heard - pressed, seen - pressed


def tiles(app: ConferenceApp) -> int:
    """How many tiles show a remote picture."""
    tiles = app.screen.query(VideoTile)
    return sum(tile._picture is not None and tile.person is not None and not tile.person.is_self for tile in tiles)


async def until(condition: Callable[[], bool]) -> None:
    end = time.perf_counter() + DEADLINE
    while not condition():
        if time.perf_counter() > end:
            raise TimeoutError("the room did not come to the awaited state")
        await asyncio.sleep(STEP)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
