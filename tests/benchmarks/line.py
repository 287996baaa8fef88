"""A bad line between the local room server and one listener: a UDP relay that loses and delays, and the way into it.

Used by the audio benchmark. A `Line` is a WebSocket address to join by: what passes is rewritten so that both ends
believe the relay's ports to be the other one's, and all their datagrams go through the relay. Media on the way to the
listener is lost and delayed as a `Condition` says; STUN, DTLS, RTCP and the way back are left alone.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.server import ServerConnection

Address = tuple[str, int]

HOST = "127.0.0.1"
_LARGEST = 65536
_CANDIDATE = "candidate:"


@dataclass(frozen=True, slots=True)
class Condition:
    """What a line does to media, each packet for itself; probabilities from 0 to 1."""

    name: str
    loss: float = 0.0
    """The share of all packets that is lost in the long run."""
    burst: int = 1
    """So many packets in a row are lost each time."""
    jitter: float = 0.0
    """Milliseconds: every packet is delayed by anything from 0 to twice that, all equally likely, as netem's
    ``delay 40ms 40ms`` does it; packets overtake each other."""


CONDITIONS = (
    Condition("clean"),
    Condition("1 %", loss=0.01),
    Condition("5 %", loss=0.05),
    Condition("10 %", loss=0.10),
    Condition("20 %", loss=0.20),
    Condition("40 ms", jitter=40.0),
    Condition("5 % + 40 ms", loss=0.05, jitter=40.0),
    Condition("5 % by threes", loss=0.05, burst=3),
)


class Fate:
    """What happens to the packets one after another: the same for the same condition and seed."""

    def __init__(self, condition: Condition, seed: int) -> None:
        self._condition = condition
        self._random = random.Random(seed)
        self._losing = 0
        # So often that the share of lost ones comes out, as nothing begins within a burst.
        loss, burst = condition.loss, condition.burst
        self._begins = loss / (loss + burst * (1 - loss))

    def next(self) -> float | None:
        """Seconds of delay for the next packet, ``None`` when it is lost."""
        # Both are always drawn, so that the delays are the same at every loss.
        begins = self._random.random() < self._begins
        delay = self._random.uniform(0.0, 2 * self._condition.jitter / 1000)
        if self._losing == 0 and begins:
            self._losing = self._condition.burst
        if self._losing:
            self._losing -= 1
            return None
        return delay


def is_media(datagram: bytes) -> bool:
    """Whether it is RTP: neither STUN nor DTLS by its first byte, nor RTCP by its second (RFC 5761, 7983)."""
    return len(datagram) >= 12 and 128 <= datagram[0] <= 191 and not 64 <= datagram[1] & 0x7F <= 95


class Relay:
    """Two ports for every pair of addresses: the listener's packets come out as if from elsewhere, and the server's.

    Counts the media on the way to the listener from `impair` on.
    """

    def __init__(self) -> None:
        self.packets = self.lost = self.octets = 0
        self.stall = 0.0
        """Seconds between two packets of media at the worst, before their fate: of the sender and the machine."""
        self._came = 0.0
        self.on_media: Callable[[], None] = lambda: None
        """Told of every media packet on the way to the listener, before its fate is known."""
        self._fate: Fate | None = None
        self._loop = asyncio.get_running_loop()
        self._servers: dict[Address, socket.socket] = {}
        """What stands in for each address of the server; the listener sends to it."""
        self._listeners: dict[Address, socket.socket] = {}
        """What stands in for each address of the listener; the server sends to it."""

    def impair(self, condition: Condition, seed: int) -> None:
        """Do this to the media from now on."""
        self.packets = self.lost = self.octets = 0
        self.stall, self._came = 0.0, self._loop.time()
        self._fate = Fate(condition, seed)

    def for_server(self, address: Address) -> int:
        """The port that stands in for this address of the server."""
        return self._port(self._servers, address, self._to_server)

    def for_listener(self, address: Address) -> int:
        """The port that stands in for this address of the listener."""
        return self._port(self._listeners, address, self._to_listener)

    def close(self) -> None:
        """Give the ports back; what is still delayed is dropped."""
        for stand_in in (*self._servers.values(), *self._listeners.values()):
            self._loop.remove_reader(stand_in)
            stand_in.close()
        self._servers.clear()
        self._listeners.clear()

    def _port(
        self, table: dict[Address, socket.socket], address: Address, pass_on: Callable[[bytes, Address, Address], None]
    ) -> int:
        if address not in table:
            table[address] = stand_in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stand_in.setblocking(False)
            stand_in.bind((HOST, 0))
            self._loop.add_reader(stand_in, self._read, stand_in, address, pass_on)
        return int(table[address].getsockname()[1])

    def _read(
        self, stand_in: socket.socket, address: Address, pass_on: Callable[[bytes, Address, Address], None]
    ) -> None:
        while True:
            try:
                datagram, sender = stand_in.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            except OSError:  # an earlier datagram found nobody
                continue
            pass_on(datagram, sender, address)

    def _to_server(self, datagram: bytes, listener: Address, server: Address) -> None:
        self.for_listener(listener)
        _send(self._listeners[listener], datagram, server)

    def _to_listener(self, datagram: bytes, server: Address, listener: Address) -> None:
        self.for_server(server)
        stand_in = self._servers[server]
        if not is_media(datagram):
            _send(stand_in, datagram, listener)
            return
        self.on_media()
        now = self._loop.time()
        self.stall, self._came = max(self.stall, now - self._came), now
        self.packets += 1
        self.octets += len(datagram)
        delay = self._fate.next() if self._fate is not None else 0.0
        if delay is None:
            self.lost += 1
        elif delay:
            self._loop.call_later(delay, _send, stand_in, datagram, listener)
        else:
            _send(stand_in, datagram, listener)


def _send(stand_in: socket.socket, datagram: bytes, address: Address) -> None:
    if stand_in.fileno() >= 0:
        try:
            stand_in.sendto(datagram, address)
        except OSError:  # an address that cannot be reached from here is one candidate less
            return


class Line:
    """``async with Line(server.url) as line``: one listener joins by ``line.url``; a second one is refused."""

    def __init__(self, server_url: str) -> None:
        self.relay = Relay()
        self._server_url = server_url
        self._stack = AsyncExitStack()
        self._port = 0

    @property
    def url(self) -> str:
        """The address for the listener."""
        return f"ws://{HOST}:{self._port}/live/websocket"

    async def __aenter__(self) -> Self:
        server = await self._stack.enter_async_context(serve(self._serve, HOST, 0, compression=None, max_size=None))
        self._port = next(iter(server.sockets)).getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        self.relay.close()

    async def _serve(self, listener: ServerConnection) -> None:
        async with connect(self._server_url, compression=None, max_size=None, proxy=None) as server:
            down = asyncio.create_task(_pass(server, listener, self.relay.for_server))
            up = asyncio.create_task(_pass(listener, server, self.relay.for_listener))
            await asyncio.wait({down, up}, return_when=asyncio.FIRST_COMPLETED)
            for task in (down, up):
                task.cancel()


async def _pass(
    source: AsyncIterable[str | bytes], sink: ClientConnection | ServerConnection, port: Callable[[Address], int]
) -> None:
    try:
        async for text in source:
            message = rewritten(json.loads(text), port)
            if message is not None:
                await sink.send(json.dumps(message))
    except ConnectionClosed:
        return


def rewritten(message: dict[str, Any], port: Callable[[Address], int]) -> dict[str, Any] | None:
    """The message with the relay's ports in its candidates; ``None`` when nothing is left of it."""
    if isinstance(message.get("sdp"), str):
        lines = (_line(line, port) for line in message["sdp"].splitlines())
        message["sdp"] = "".join(f"{line}\r\n" for line in lines if line is not None)
    elif message.get("command") == "takeCandidate" and message.get("candidate"):
        candidate = _candidate(message["candidate"], port)
        if candidate is None:
            return None
        message["candidate"] = candidate
    return message


def _line(line: str, port: Callable[[Address], int]) -> str | None:
    if not line.startswith(f"a={_CANDIDATE}"):
        return line
    candidate = _candidate(line.removeprefix("a="), port)
    return None if candidate is None else f"a={candidate}"


def _candidate(text: str, port: Callable[[Address], int]) -> str | None:
    """The candidate with the address of its stand-in; ``None`` for what is not UDP over IPv4."""
    words = text.split()
    if len(words) < 8 or words[2].lower() != "udp" or ":" in words[4]:
        return None
    words[4:6] = [HOST, str(port((words[4], int(words[5]))))]
    # Where it was seen from says nothing on this side.
    while words[8:9] == ["raddr"] or words[8:9] == ["rport"]:
        del words[8:10]
    return " ".join(words)


class Beginning:
    """Impairs several relays between two packets, so that all of them lose the very same ones."""

    def __init__(self, relays: list[Relay], condition: Condition, seed: int) -> None:
        self._relays = relays
        self._condition = condition
        self._seed = seed
        self.done = asyncio.Event()
        relays[0].on_media = self._wait_a_little

    def _wait_a_little(self) -> None:
        self._relays[0].on_media = lambda: None
        # Packets come every 20 ms, and reach the relays within a few.
        asyncio.get_running_loop().call_later(0.010, self._begin)

    def _begin(self) -> None:
        for relay in self._relays:
            relay.impair(self._condition, self._seed)
        self.done.set()
