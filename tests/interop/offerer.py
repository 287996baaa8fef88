"""A scripted Ant Media Server whose media side is a page in Chromium: the nearest thing to AMS's own libwebrtc.

Used by the tests with the marker ``interop``. The page (``pages/offerer.html``) makes the play offers, or answers a
publish offer; here is the signalling socket in front of it, which does nothing unless the test says so.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection, serve

from tests.core.peers import Colour
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

Look = tuple[Colour, float]
"""The colour of somebody's picture and the frequency of the sound."""

ROOM = "room1"


class Offerer:
    """One client at a time, and the page that it talks to."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.url = ""
        self.plays = 0
        """How often the room was played; the last one counts."""
        self.commands: list[dict[str, Any]] = []
        self.looks: dict[str, Look] = {}
        """Who is to be seen and heard."""
        self.candidates = "inline"
        """Where the page's candidates go: ``inline``, ``before`` or ``after`` the offer, or ``none``."""
        self.id_mapping = False
        self.listed: list[str] | None = None
        """Who is in the room by the server's word, when it is asked."""
        self._socket: ServerConnection | None = None
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._publishes: list[str] | None = None

    async def call(self, function: str, *arguments: Any) -> Any:
        """Call a function of the page."""
        return await self.page.evaluate(f"(given) => room.{function}(...given)", list(arguments))

    # what the server does

    async def begin(self, **options: Any) -> None:
        """A fresh connection in the page, nobody in it."""
        self.looks.clear()
        while not self._answers.empty():
            self._answers.get_nowait()
        await self.call("begin", options)

    async def add(self, name: str, look: Look, *, size: tuple[int, int] = (160, 120), **options: Any) -> None:
        """Sections for somebody; the client learns of them by the next offer."""
        if "audio" in options.get("kinds", ["audio"]) and "video" in options.get("kinds", ["video"]):
            self.looks[name] = look
        await self.call("add", name, _described(look, size), options)

    async def remove(self, name: str, how: str) -> None:
        """Somebody leaves: ``inactive``, ``msid`` or ``stop``."""
        del self.looks[name]
        await self.call("remove", name, how)

    async def reuse(self, name: str, other: str, look: Look) -> None:
        """The sections of ``name`` carry ``other`` from the next offer on."""
        self.looks.pop(name, None)
        self.looks[other] = look
        await self.call("reuse", name, other, _described(look, (160, 120)))

    async def back(self, name: str, look: Look) -> None:
        """Somebody who was inactive sends again."""
        self.looks[name] = look
        await self.call("reuse", name, None, None)

    async def send_offer(self) -> str:
        """The next offer, as it goes out."""
        made = await self.call("offer")
        sdp, candidates = made["sdp"], made["candidates"]
        if self.candidates == "inline":
            sdp = _with_candidates(sdp, candidates)
        trickled = [
            {
                "command": "takeCandidate",
                "streamId": ROOM,
                "label": one["sdpMLineIndex"],
                "id": one["sdpMid"],
                "candidate": one["candidate"],
            }
            for one in candidates
        ]
        if self.candidates == "before":
            await self.send(*trickled)
        message = {"command": "takeConfiguration", "streamId": ROOM, "type": "offer", "sdp": sdp}
        await self.send(message | ({"idMapping": made["mapping"]} if self.id_mapping else {}))
        if self.candidates == "after":
            await self.send(*trickled)
        return str(sdp)

    async def take_answer(self) -> str:
        """The client's next answer, which has not been given to Chromium."""
        async with asyncio.timeout(25):
            return await self._answers.get()

    async def apply(self, answer: str) -> None:
        """Chromium takes the answer."""
        assert await self.call("answer", answer) == "stable"

    async def offer(self) -> str:
        """One offer, and its answer that Chromium has taken."""
        await self.send_offer()
        answer = await self.take_answer()
        await self.apply(answer)
        return answer

    async def send(self, *messages: dict[str, Any]) -> None:
        """Messages to the client."""
        assert self._socket is not None
        for message in messages:
            await self._socket.send(json.dumps(message))

    async def notify(self, definition: str, **fields: Any) -> None:
        """A notification to the client."""
        await self.send({"command": "notification", "definition": definition, **fields})

    async def played(self, times: int = 1) -> None:
        """Wait until the client has played the room so often."""
        await until(lambda: self.plays >= times, what=f"play number {times}")

    def prefer(self, *codecs: str) -> None:
        """Answer publish offers, with these video codecs alone."""
        self._publishes = list(codecs)

    # what the client says

    async def _serve(self, socket: ServerConnection) -> None:
        self._socket = socket
        async for text in socket:
            message = json.loads(text)
            self.commands.append(message)
            match message:
                case {"command": "play"}:
                    self.plays += 1
                case {"command": "publish", "streamId": stream_id} if self._publishes is not None:
                    await self.send({"command": "start", "streamId": stream_id})
                case {"command": "takeConfiguration", "type": "answer", "sdp": sdp}:
                    self._answers.put_nowait(sdp)
                case {"command": "takeConfiguration", "type": "offer", "sdp": sdp, "streamId": stream_id}:
                    answer = {"command": "takeConfiguration", "streamId": stream_id, "type": "answer"}
                    await self.send(answer | {"sdp": await self.call("accept", sdp, self._publishes)})
                case {"command": "takeCandidate", "candidate": candidate, "label": label, "id": mid}:
                    await self.call("addCandidate", {"candidate": candidate, "sdpMLineIndex": label, "sdpMid": mid})
                case {"command": "getSubtracks"} if self.listed is not None:
                    entries = [json.dumps({"streamId": name, "status": "broadcasting"}) for name in self.listed]
                    await self.notify("subtrackList", streamId=ROOM, subtrackList=entries)
                case {"command": "ping"}:
                    await self.send({"command": "pong"})


@asynccontextmanager
async def offerer(page: Page) -> AsyncIterator[Offerer]:
    """The server in front of that page, on a port of its own."""
    made = Offerer(page)
    async with serve(made._serve, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        made.url = f"ws://127.0.0.1:{port}/live/websocket"
        yield made


def _described(look: Look, size: tuple[int, int]) -> dict[str, Any]:
    colour, frequency = look
    return {"colour": list(colour), "frequency": frequency, "width": size[0], "height": size[1]}


def _with_candidates(sdp: str, candidates: list[dict[str, Any]]) -> str:
    """The SDP with each candidate in its own section."""
    session, *sections = sdp.split("\r\nm=")
    for candidate in candidates:
        index = next(i for i, text in enumerate(sections) if f"\r\na=mid:{candidate['sdpMid']}\r\n" in text + "\r\n")
        sections[index] = sections[index].rstrip("\r\n") + f"\r\na={candidate['candidate']}"
    return "\r\nm=".join([session, *(text.rstrip("\r\n") for text in sections)]) + "\r\n"
