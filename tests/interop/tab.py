"""A participant in a browser tab: the official SDK on the page ``room.html``, driven and asked through playwright.

Used by the tests with the marker ``interop``. What the page decodes is compared by content: everybody has a colour and
a tone of their own.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.interop.person import COLOUR_TOLERANCE, LOOKS, Person, event_of, people
from tests.waiting import until_found
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Labels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from playwright.async_api import Browser, ConsoleMessage, Page

    from tests.core.peers import Colour
    from tests.interop.person import Somebody

Sample = dict[str, Any]

PITCH_TOLERANCE = 8.0
PATIENCE = 20.0
"""Seconds: the SDK's own reconnection takes up to eight, and a machine may be busy."""

ENERGY = 0.05
"""Root mean square of a tone that counts as heard; everybody's is 0.2."""


class Tab:
    """One page, one person. Opened by `tab`."""

    def __init__(self, page: Page, stream_id: str, expected_errors: frozenset[str]) -> None:
        self.page = page
        self.stream_id = stream_id
        self.expected_errors = set(expected_errors)
        self.page_errors: list[str] = []
        self.is_cut_off = False
        """The server goes away: promises of the SDK that break with it are left unhandled by itself."""
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        # The browser's own words about a connection that failed are about the network, not about the page.
        if message.type == "error" and "WebSocket connection to" not in message.text:
            self.page_errors.append(message.text)

    # -- what the person does --

    async def join(self) -> None:
        """Press the button."""
        assert await self.page.inner_text("#join") == "Join"
        await self.page.click("#join")

    async def leave(self) -> None:
        """Press it again."""
        assert await self.page.inner_text("#join") == "Leave"
        await self.page.click("#join")

    async def watch(self, what: dict[str, Any]) -> None:
        """Play by the SDK's object form instead of by the button."""
        await self.page.evaluate("what => room.watch(what)", what)

    async def unwatch(self) -> None:
        """Stop what `watch` began, and wait until that is so."""
        since = len(await self.log())
        await self.page.evaluate("room.leave()")
        await self.told("play_finished", since=since)

    async def turn(self, device: str, on: bool, dialect: str) -> None:
        """The "microphone" or the "camera", and say so in the dialect of PAGE or CIRCLE."""
        await self.page.evaluate("([device, on, dialect]) => room.turn(device, on, dialect)", [device, on, dialect])

    async def call(self, method: str, *arguments: object) -> None:
        """A method of the SDK."""
        await self.page.evaluate("([method, args]) => { room.adaptor[method](...args); }", [method, list(arguments)])

    async def say(self, event: dict[str, Any] | bytes, channel: str | None = None) -> None:
        """Send an event or bytes on the own data channel, or on that of another connection."""
        if isinstance(event, bytes):
            send = "([channel, data]) => room.adaptor.sendData(channel, Uint8Array.from(data).buffer)"
            await self.page.evaluate(send, [channel or self.stream_id, list(event)])
        else:
            await self.call("sendData", channel or self.stream_id, json.dumps(event))

    # -- what the SDK said --

    async def log(self) -> list[dict[str, Any]]:
        """Every callback as ``info`` or ``error`` with its ``obj``, in order."""
        entries: list[dict[str, Any]] = await self.page.evaluate("room.log")
        return entries

    async def told(self, *infos: str, since: int = 0) -> Any:
        """Waits for one of these callbacks, and returns its object; ``since`` skips that many entries of the log."""

        async def look() -> list[Any]:
            return [entry for entry in (await self.log())[since:] if entry.get("info") in infos]

        return (await until_found(look, PATIENCE, f"{infos} at {self.stream_id}"))[0]["obj"]

    async def fails(self, error: str, since: int = 0) -> Any:
        """Waits for an error, and returns its object."""

        async def look() -> list[Any]:
            return [entry for entry in (await self.log())[since:] if entry.get("error") == error]

        return (await until_found(look, PATIENCE, f"{error} at {self.stream_id}"))[0]["obj"]

    async def asks(self, method: str, *arguments: object, answer: str) -> Any:
        """Calls a method of the SDK, and returns what its answer carries."""
        since = len(await self.log())
        await self.call(method, *arguments)
        return await self.told(answer, since=since)

    async def gets(self, wanted: dict[str, Any]) -> None:
        """Waits for an event with these fields on the data channel."""

        async def look() -> bool:
            return any(wanted.items() <= event.items() for event in await self.heard())

        await until_found(look, PATIENCE, f"{wanted} at {self.stream_id}")

    async def gets_bytes(self, wanted: bytes) -> None:
        """Waits for exactly these bytes on the data channel."""

        async def look() -> bool:
            return bool(await self.page.evaluate("text => room.binaries.includes(text)", wanted.decode("latin-1")))

        await until_found(look, PATIENCE, f"{len(wanted)} bytes at {self.stream_id}")

    async def heard(self) -> list[dict[str, Any]]:
        """Every event that came on the data channels."""
        return [event_of(entry["obj"]) for entry in await self.log() if entry.get("info") == "data_received"]

    # -- what the person sees and hears --

    async def sample(self) -> list[Sample]:
        """Every player of the page, as ``room.js`` describes it."""
        players: list[Sample] = await self.page.evaluate("room.sample()")
        return players

    async def owners(self) -> set[str]:
        """Whose picture or sound is in the grid."""
        return {player["owner"] for player in await self.sample() if player["owner"]}

    async def media(self) -> set[tuple[str, str]]:
        """Who is in the grid with what, as (stream id, "video" or "audio")."""
        return {
            (player["owner"], kind)
            for player in await self.sample()
            for kind in ("video", "audio")
            if player["owner"] and player[kind]
        }

    async def sent_codec(self) -> str:
        """The MIME type of the video that is being sent."""
        codec: str = await self.page.evaluate("room.sentCodec()")
        return codec

    async def loss_reported(self) -> float:
        """The part of the own sound that is said to get lost."""
        loss: float = await self.page.evaluate("room.lossReported()")
        return loss

    async def sees(self, other: Somebody, colour: Colour | None = None, size: tuple[int, int] | None = None) -> None:
        """That person's picture is decoded, and is of that colour or the person's own.

        Five new frames are waited for; one in another colour, as the SDK paints black only every three seconds.
        """
        enough = 5 if colour is None else 1
        wanted = colour or LOOKS[other.stream_id][0]
        first: dict[str, int] = {}

        def is_shown(label: str, video: Sample) -> bool:
            difference = max(abs(have - want) for have, want in zip(video["colour"], wanted, strict=True))
            decoded = video["frames"] - first.setdefault(label, video["frames"])
            fits = size is None or (video["width"], video["height"]) == size
            return difference < COLOUR_TOLERANCE and decoded >= enough and fits

        await self._finds(other, "video", is_shown)

    async def hears(self, other: Somebody, pitch: float | None = None) -> None:
        """That person's sound arrives, and is of that pitch or the person's own; 0 is silence."""
        wanted = LOOKS[other.stream_id][1] if pitch is None else pitch
        first: dict[str, int] = {}

        def is_heard(label: str, audio: Sample) -> bool:
            if audio["samples"] == first.setdefault(label, audio["samples"]):
                return False
            if wanted == 0:
                return bool(audio["energy"] < ENERGY / 10)
            return bool(audio["energy"] > ENERGY and abs(audio["frequency"] - wanted) < PITCH_TOLERANCE)

        await self._finds(other, "audio", is_heard)

    async def loses(self, other: Somebody, kind: str) -> None:
        """Nothing more of that person's "video" or "audio" is decoded."""
        counter = {"video": "frames", "audio": "samples"}[kind]

        async def count() -> list[int]:
            return [p[kind][counter] for p in await self.sample() if p["owner"] == other.stream_id and p[kind]]

        async def stands_still() -> bool:
            before = await count()
            await asyncio.sleep(0.5)
            return before == await count()

        await until_found(stands_still, PATIENCE, f"{kind} of {other.stream_id} at {self.stream_id} goes on")

    async def meets(self, *others: Somebody) -> None:
        """Sees and hears them."""
        for other in others:
            await self.sees(other)
            await self.hears(other)

    async def _finds(self, other: Somebody, kind: str, matches: Callable[[str, Sample], bool]) -> None:
        players: list[Sample] = []

        async def look() -> bool:
            players[:] = await self.sample()
            return any(
                matches(player["label"], player[kind])
                for player in players
                if player["owner"] == other.stream_id and player[kind]
            )

        await until_found(look, PATIENCE, lambda: f"{kind} of {other.stream_id} at {self.stream_id}: {players}")


@asynccontextmanager
async def tab(
    browser: Browser, origin: str, websocket_url: str, stream_id: str, *expected_errors: str, **person: Any
) -> AsyncIterator[Tab]:
    """A tab with an open socket; see ``open`` in ``room.js`` for ``person``.

    At the end the SDK must have raised no other errors than the expected ones, and the page none at all.
    """
    colour, pitch = LOOKS[stream_id]
    looks = {"colour": colour, "width": 320, "height": 180, "pitch": pitch, "name": stream_id.title()}
    context = await browser.new_context()
    try:
        page = await context.new_page()
        one = Tab(page, stream_id, frozenset(expected_errors))
        await page.goto(f"{origin}/room.html")
        await page.wait_for_function("window.room")
        nothing = dict.fromkeys(("token", "subscriberId", "subscriberCode", "role"), "")
        about = {"streamId": stream_id, "metaData": "{}"} | nothing | looks | person
        await page.evaluate("([url, who]) => room.open(url, who)", [websocket_url, about])
        await one.told("initialized")
        yield one
        unexpected = [entry for entry in await one.log() if entry.get("error", "") not in {"", *one.expected_errors}]
        page_errors = [] if one.is_cut_off else one.page_errors
        assert (unexpected, page_errors) == ([], []), f"{stream_id}: {unexpected} {page_errors}"
    finally:
        await context.close()


@asynccontextmanager
async def room(
    browser: Browser, pages: str, labels: Labels = Labels.SLOT
) -> AsyncIterator[tuple[RoomServer, Person, Tab, Tab]]:
    """A server, alice who is one of us, and bob and carol in two tabs; all have joined."""
    async with (
        RoomServer(allowed_origins=[pages], options=Options(labels=labels)) as server,
        people(server, "alice") as (alice,),
        tab(browser, pages, server.url, "bob") as bob,
        tab(browser, pages, server.url, "carol") as carol,
    ):
        await asyncio.gather(bob.join(), carol.join())
        yield server, alice, bob, carol


async def everybody_meets(alice: Person, bob: Tab, carol: Tab) -> None:
    """Each one sees and hears the two others."""
    await asyncio.gather(alice.meets(bob), alice.meets(carol), bob.meets(alice, carol), carol.meets(alice, bob))
