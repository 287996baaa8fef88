"""From joining to the first decoded picture: our client and the official SDK in Chromium, side by side in one run.

Run it by hand, ``python -m tests.benchmarks.first_frame [RUNS]``: the local room server with one publisher, on
loopback; the two join in turn, each publishing and playing. The browser's socket is open before it joins, ours is not.
Prints a table; nothing is asserted.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.interop.browser import chromium, web_server
from tests.interop.official import install_sdk
from tests.interop.person import people
from tests.interop.tab import tab
from tests.seeing import Eye
from tui.core.conference import Conference
from tui.core.events import Event, TrackAdded
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from playwright.async_api import Browser

DEADLINE = 20.0
PAUSE = 2.0
"""Seconds between two joins: a publisher makes a key frame once a second at most, the one before has had its own."""

_FIRST_FRAME = """() => new Promise(resolve => {
    const began = performance.now();
    document.getElementById("join").click();
    const look = () => {
        const shown = [...document.querySelectorAll("video")];
        if (shown.some(video => video.getVideoPlaybackQuality().totalVideoFrames > 0)) {
            resolve(performance.now() - began);
        } else {
            setTimeout(look, 5);
        }
    };
    look();
})"""


async def ours(url: str) -> float:
    """Milliseconds of our client."""
    arrived: asyncio.Queue[TrackAdded] = asyncio.Queue()

    def note(event: Event) -> None:
        if isinstance(event, TrackAdded) and event.track.kind == "video":
            arrived.put_nowait(event)

    tone, picture = TestTone(660), SolidColour((30, 30, 200))
    conference = Conference(url, "room1", "bob", note, name="Bob", audio=tone, video=picture)
    began = time.perf_counter()
    joining = asyncio.create_task(conference.join())
    try:
        async with asyncio.timeout(DEADLINE):
            await Eye((await arrived.get()).track).recv()
        return (time.perf_counter() - began) * 1000
    finally:
        await joining
        await conference.aclose()
        tone.stop()
        picture.stop()


async def browsers(browser: Browser, origin: str, url: str) -> float:
    """Milliseconds of the official SDK."""
    async with tab(browser, origin, url, "carol") as one, asyncio.timeout(DEADLINE):
        taken: float = await one.page.evaluate(_FIRST_FRAME)
        await one.leave()
        return taken


async def main(runs: int) -> None:
    client: list[float] = []
    sdk: list[float] = []
    with tempfile.TemporaryDirectory() as folder, web_server(install_sdk(Path(folder))) as origin:
        async with (
            RoomServer(allowed_origins=[origin]) as server,
            people(server, "alice"),
            chromium() as browser,
        ):
            for _ in range(runs):
                await asyncio.sleep(PAUSE)
                client.append(await ours(server.url))
                await asyncio.sleep(PAUSE)
                sdk.append(await browsers(browser, origin, server.url))
    print(f"join to first decoded picture, ms, {runs} runs each")
    for name, found in (("antconf", client), ("SDK in Chromium", sdk)):
        print(f"{name:16} median {statistics.median(found):6.0f}   from {min(found):6.0f} to {max(found):6.0f}")
    print(f"ratio of the medians {statistics.median(client) / statistics.median(sdk):.2f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
