"""The way to a server: its WebSocket, how fast it answers, and the STUN and TURN servers on the way of the media.

Used by the doctor. Everything has a deadline; what fails is part of the answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from tui.errors import AntconfError, UnreachableError

if TYPE_CHECKING:
    from aioice import stun
    from aiortc import RTCIceServer

    from tui.config import JoinOptions
    from tui.core.ice import IceAddress
    from tui.core.signaling import Signaling
    from tui.core.wire import Json, Message

CONNECT_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Aim:
    """Where to go; without options nowhere."""

    options: JoinOptions | None = None
    origin: str = ""
    """Who names the server, see `tui.settings`."""
    problem: str = ""
    """Why it is not known where."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing on the way: how it went, in words; ``failure`` and ``hint`` say why it did not."""

    name: str
    text: str = ""
    failure: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """All of it; there is no server when none is known, and no ICE server when nobody names one."""

    server: Tried | None = None
    ice: tuple[Tried, ...] = ()


def travel(aim: Aim) -> Route:
    """Try everything once; blocks for a minute at most and never raises `AntconfError`."""
    return asyncio.run(_travel(aim.options)) if aim.options is not None else Route()


async def _travel(options: JoinOptions) -> Route:
    from tui.core.ice import SERVER_LIMIT, named

    tried: Tried | None = None
    servers = named(options.ice_servers, options.ice_username, options.ice_credential)
    if options.url:
        tried, told = await _knock(options)
        servers = servers or told
    return Route(tried, tuple(await asyncio.gather(*map(_try_ice, (servers or [])[:SERVER_LIMIT]))))


async def _knock(options: JoinOptions) -> tuple[Tried, list[RTCIceServer]]:
    """Open the WebSocket, ping, and ask for the ICE server."""
    from tui.core.address import is_loopback
    from tui.core.commands import GetIceServerConfig, Ping
    from tui.core.discovery import Endpoint
    from tui.core.ice import is_private, usable
    from tui.core.signaling import Signaling

    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            server = options.server
            url = await server.websocket_url() if isinstance(server, Endpoint) else server
            began = time.perf_counter()
            socket = await Signaling.open(url)
        opened = time.perf_counter() - began
        try:
            began = time.perf_counter()
            await _asked(socket, Ping(), "pong")
            answered = time.perf_counter() - began
            text = f"{url}: connected in {opened * 1000:.0f} ms, round trip {answered * 1000:.1f} ms"
            if options.ice_servers or is_loopback(url):
                return Tried("server", text), []
            record = await _asked(socket, GetIceServerConfig(), "iceServerConfig")
            private = is_private(socket.remote_host)
        finally:
            await socket.aclose()
    except TimeoutError:
        return Tried("server", failure=f"{options.url} did not answer in time"), []
    except AntconfError as error:
        return Tried("server", failure=str(error), hint=error.hint), []
    return Tried("server", text), usable(_named_by(record), private=private)[0]


async def _asked(socket: Signaling, question: Message, command: str) -> Json:
    """The answer to a question; anything else that the server says meanwhile is passed over."""
    from tui.core.wire import load_object

    async with asyncio.timeout(ANSWER_SECONDS):
        await socket.send(question)
        async for text in socket:
            if (record := load_object(text)).get("command") == command:
                return record
    raise UnreachableError("the server ended the connection")


def _named_by(record: Json) -> list[RTCIceServer]:
    from aiortc import RTCIceServer

    uri, username, credential = (
        value if isinstance(value, str) else ""
        for value in map(record.get, ("stunServerUri", "turnServerUsername", "turnServerCredential"))
    )
    return [RTCIceServer(uri, username or None, credential or None)] if uri else []


async def _try_ice(server: RTCIceServer) -> Tried:
    from aioice import stun

    from tui.core.ice import ice_address

    uri = server.urls if isinstance(server.urls, str) else server.urls[0]
    if (address := ice_address(uri)) is None:
        return Tried(uri, failure="is no address that can be used", hint="example: turn:host:3478?transport=udp")
    is_turn = address.scheme != "stun"
    began = time.perf_counter()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            if is_turn:
                await _allocate(address, server.username, server.credential)
            else:
                await _bind(address)
    except (TimeoutError, stun.TransactionTimeout):
        return Tried(uri, failure=f"no answer within {ANSWER_SECONDS:g} s", hint="a firewall may be in the way")
    except stun.TransactionFailed as error:
        code = error.response.error_code
        if code == 401 and not (server.username and server.credential):
            return Tried(uri, failure="wants a user name and a password", hint="--ice-username, --ice-credential-file")
        return Tried(uri, failure="refuses user name or password" if code == 401 else f"refuses with code {code}")
    except (OSError, stun.TransactionError, ValueError, ConnectionError) as error:
        return Tried(uri, failure=f"cannot be reached: {getattr(error, 'strerror', None) or error}")
    took = (time.perf_counter() - began) * 1000
    return Tried(uri, f"relays, after {took:.0f} ms" if is_turn else f"round trip {took:.1f} ms")


class _Binding(asyncio.DatagramProtocol):
    """Asks a STUN server where it sees us, over and over until it answers."""

    def __init__(self) -> None:
        self._transport: asyncio.DatagramTransport | None = None
        self._transaction: stun.Transaction | None = None
        self._id = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def send_stun(self, message: stun.Message, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._transport.sendto(bytes(message))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        from aioice import stun

        try:
            message = stun.parse_message(data)
        except ValueError:
            return
        if self._transaction is not None and message.transaction_id == self._id:
            self._transaction.response_received(message, addr)

    async def run(self, address: IceAddress) -> None:
        from aioice import stun

        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        self._id = request.transaction_id
        self._transaction = stun.Transaction(request, (address.host, address.port), self)
        await self._transaction.run()


async def _bind(address: IceAddress) -> None:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(_Binding, remote_addr=(address.host, address.port))
    try:
        await protocol.run(address)
    finally:
        transport.close()


class _Relayed(asyncio.DatagramProtocol):
    """Nothing is sent: it only says when the relay has been given back."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


async def _allocate(address: IceAddress, username: str | None, credential: str | None) -> None:
    from aioice import turn

    transport, protocol = await turn.create_turn_endpoint(
        _Relayed,
        (address.host, address.port),
        username,
        credential,
        ssl=address.scheme == "turns",
        transport=address.transport,
    )
    transport.close()
    await protocol.ended.wait()
