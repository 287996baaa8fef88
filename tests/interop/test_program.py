"""The program itself, in a terminal, in one room with the official SDK in two tabs."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest

from tests.interop.person import LOOKS
from tests.interop.tab import Tab, tab
from tests.media.test_files import write_media
from tests.pseudo_terminal import PseudoTerminal
from tests.waiting import until_found
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Labels

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = [
    pytest.mark.interop,
    pytest.mark.pty,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]

PITCH, RED, BLUE = 440.0, (230, 20, 20), (20, 20, 230)
"""Of the film that is sent, which is first red and then blue."""


class Kim:
    """Who sits at the terminal."""

    stream_id = "kim"


@pytest.mark.parametrize("labels", Labels, ids=lambda labels: labels.name.lower())
async def test_two_tabs_and_the_program_in_one_room(
    browser: Browser, pages: str, labels: Labels, tmp_path: Path
) -> None:
    film = write_media(tmp_path / "film.mkv")
    async with (
        RoomServer(allowed_origins=[pages], options=Options(labels=labels)) as server,
        tab(browser, pages, server.url, "bob") as bob,
        tab(browser, pages, server.url, "carol") as carol,
    ):
        await asyncio.gather(bob.join(), carol.join())
        who = ["--name", "Kim", "--stream-id", "kim", "--source", str(film), "--speaker", "none"]
        with PseudoTerminal([sys.executable, "-m", "tui", "join", server.url, "room1", *who]) as terminal:

            async def shows(text: str) -> None:
                await asyncio.to_thread(terminal.shows, text)

            async def shows_picture_of(other: Tab, shown: bool = True) -> None:
                colour = LOOKS[other.stream_id][0]
                await asyncio.to_thread(
                    terminal.until, lambda: (terminal.cells_of(colour) > 40) is shown, f"{other.stream_id}: {shown}"
                )

            for name in ("● joined", "Bob", "Carol"):
                await shows(name)
            for one in (bob, carol):
                await shows_picture_of(one)
                await one.hears(Kim(), PITCH)
                for colour in (RED, BLUE):
                    await one.sees(Kim(), colour)

            terminal.press("m")
            for one in (bob, carol):
                await one.gets({"eventType": "MIC_MUTED", "streamId": "kim"})
                await one.hears(Kim(), 0)
            terminal.press("m")
            await bob.hears(Kim(), PITCH)

            terminal.press("c")
            await shows("⏎ Send")
            terminal.press("Hello from here\r")
            await bob.gets({"eventType": "MESSAGE_RECEIVED", "senderId": "kim", "message": "Hello from here"})
            # On a machine with much else to do it may have been away for a moment, and nothing is said twice.
            await shows("● joined")
            await carol.say({"eventType": "CHAT_MESSAGE", "streamId": "carol", "message": "Hello from a tab"})
            await shows("Hello from a tab")
            terminal.press("\x1b")

            await carol.leave()
            await shows_picture_of(carol, shown=False)
            await carol.join()
            await shows_picture_of(carol)
            await carol.hears(Kim(), PITCH)

            terminal.press("q")
            assert await asyncio.to_thread(terminal.exit_code) == 0
            for one, other in ((bob, carol), (carol, bob)):
                await until_found(lambda one=one, other=other: is_alone_with(one, other), 2.0, "Kim has left")  # type: ignore[misc]


async def is_alone_with(one: Tab, other: Tab) -> bool:
    return await one.owners() == {other.stream_id}
