"""Make the pictures of this folder from the running app: the first in the demo's room, the others in a scripted one.

Run it from the project's root: ``python -m screenshots.make``. With ``rsvg-convert`` there, PNG files come
beside the SVG files.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ui.room import conference
from tests.ui.scripted import AT, Script, joined, sharing
from tests.ui.test_snapshots import lobby
from tests.ui.test_snapshots import talk as conversation
from tests.ui.test_statistics import measured
from tests.waiting import until
from tui.app import ConferenceApp
from tui.call import Call
from tui.config import JoinOptions
from tui.core.events import CallState
from tui.demo import ROOM, DemoRoom
from tui.media.cells import Depth, Glyphs, Look
from tui.widgets.video_grid import VideoGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parent
LOOK = Look(Glyphs.BLOCK, Depth.TRUECOLOR)


async def picture(
    name: str, app: ConferenceApp, size: tuple[int, int], keys: Sequence[str] = (), state: CallState = CallState.JOINED
) -> None:
    """One picture of the app in a state, after some keys."""
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(lambda: app.view.state is state)
        # Long enough for every tile to have its picture.
        await pilot.pause(1)
        await pilot.press(*keys)
        await pilot.pause(0.5)
        drawn = FOLDER / f"{name}.svg"
        app.save_screenshot(str(drawn))
    if converter := shutil.which("rsvg-convert"):
        _convert(converter, drawn)


def _convert(converter: str, drawn: Path) -> None:
    """A PNG with a font that is here, as the one that is named is fetched from the network."""
    text = re.sub(r"@font-face\s*\{[^}]*\}", "", drawn.read_text(encoding="utf-8")).replace("Fira Code", "monospace")
    command = [converter, "--output", str(drawn.with_suffix(".png"))]
    subprocess.run(command, input=text.encode(), check=True)


async def demo() -> None:
    """The room of ``antconf demo``, with its real participants, in the layouts that have pictures."""
    with DemoRoom(subprocess.DEVNULL) as room:
        options = JoinOptions(room.url(), ROOM, "Kim", "stream4711", camera="test")
        app = ConferenceApp(options, Call, LOOK, clock=lambda: AT)
        async with app.run_test(size=(120, 36)) as pilot:
            await until(lambda: len(app.view.people) == 5)
            grid = app.screen.query_one(VideoGrid)

            def talks(layout: str) -> bool:
                tiles = [tile for tile in grid.tiles if tile.leads or layout == "room"]
                seen = all(tile.picture is not None for tile in grid.tiles)
                return seen and any(tile.person is not None and tile.person.talking for tile in tiles)

            for name, key in (("room", ""), ("speaker", "h")):
                await pilot.press(*key)
                await pilot.pause(3)
                await until(lambda: talks(name), 60, "somebody who talks")  # noqa: B023
                app.save_screenshot(str(FOLDER / f"{name}.svg"))
            # The layout is remembered.
            await pilot.press("h", "h")
    if converter := shutil.which("rsvg-convert"):
        for name in ("room", "speaker"):
            _convert(converter, FOLDER / f"{name}.svg")


async def main() -> None:
    """All pictures."""
    app = lobby("retro", "design-review", "daily", look=LOOK)
    await picture("join", app, (80, 24), ["f3", "f4", "down", "enter"], CallState.IDLE)
    await demo()
    shared = Script(joined(sharing("streamcarol")), still=True)
    await picture("focus", conference(shared, look=LOOK), (120, 36), ["b"])
    await picture("room-80x24", conference(Script(still=True)), (80, 24))
    talk = Script([*joined(), *conversation()], still=True, statistics=measured())
    await picture("chat", conference(talk), (120, 36), ["c"])
    await picture("statistics", conference(talk), (120, 36), ["g"])
    await picture("event", conference(talk), (120, 36), ["l", "home", *["down"] * 3, "enter"])
    await picture("narrow", conference(talk), (60, 20))
    light = conference(talk)
    light.theme = "light"
    await picture("light", light, (100, 30))
    await picture("help", conference(Script(still=True)), (100, 40), ["question_mark"])


if __name__ == "__main__":
    # Rooms of late are nobody's own.
    with tempfile.TemporaryDirectory() as state:
        os.environ |= {"TZ": "UTC", "XDG_STATE_HOME": state}
        time.tzset()
        asyncio.run(main())
