"""Make the pictures of this folder from the running app with a scripted room.

Run it from the project's root: ``python -m screenshots.make``. With ``rsvg-convert`` there, PNG files come
beside the SVG files.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ui.room import NOWHERE, conference
from tests.ui.scripted import ROOM, Script, joined
from tests.waiting import until
from tui.core.events import CallState, Participant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.app import ConferenceApp

FOLDER = Path(__file__).parent
PEOPLE = (
    *ROOM,
    Participant("streamerin", "Erin", video="videoTrack2"),
    Participant("streamfrank", "Frank", microphone=False, video="videoTrack3"),
)


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


async def main() -> None:
    """All pictures."""
    await picture("join", conference(options=NOWHERE), (80, 24), state=CallState.IDLE)
    await picture("room", conference(Script(joined(PEOPLE), still=True)), (120, 36))
    await picture("room-80x24", conference(Script(still=True)), (80, 24))
    await picture("help", conference(Script(still=True)), (100, 40), ["question_mark"])


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    time.tzset()
    asyncio.run(main())
