"""The local room server: a stand-in for Ant Media Server Enterprise that forwards media without decoding it.

Used by the demo, the ``serve`` command and the tests. This module is the WebSocket side: who may connect, how much
is read from and queued for one client, and how it all ends. What the commands mean is the application's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from tui.allowance import Allowance
from tui.core.aiortc_internals import Addresses, host_addresses
from tui.core.commands import parse_from_client
from tui.core.tasks import Tasks
from tui.core.wire import ID_RULE, MESSAGE_LIMIT, MissingFieldError, is_stream_id
from tui.errors import AntconfError, UnreachableError, UsageError, WireError
from tui.server.application import Application
from tui.server.client import Client
from tui.server.community import Community
from tui.server.options import Edition, Options
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

    from tui.server.access import Access

log = logging.getLogger(__name__)

CLIENT_LIMIT = 64
"""Sockets that are served at the same time."""

QUEUE_MESSAGES = 256
QUEUE_BYTES = 1 << 20
"""What may wait for one client before it is closed as too slow."""

GARBAGE_LIMIT = 20
GARBAGE_PERIOD = 10.0
"""So many unreadable messages in so many seconds close a client."""

HANDSHAKE_TIMEOUT = 1.5
"""Seconds for the opening handshake; a stopping server waits for those that have begun."""

MESSAGE_RATE = 200
MESSAGE_PERIOD = 5
"""So many messages a second, on average over so many seconds, are read from one client."""

MESSAGE_BYTES = 2 << 20
"""So many bytes of one client are read in that period; a description has some 10 KiB."""

WAITING_FRAMES = 4
"""What of one client is taken from its socket and not yet read."""

FIRST_WORD_TIMEOUT = 10.0
"""Seconds that a new client may stay silent."""

PING_INTERVAL = 3.0
PING_TIMEOUT = 5.0
"""Keep-alive of the WebSocket: a client that froze is gone within eight seconds."""

_WILDCARDS = ("0.0.0.0", "::")

CLOSE_TIMEOUT = 0.5
"""Seconds for each of the last words and the closing handshake of a stopping server."""

# What websockets says about a failed handshake quotes the peer; refusals are logged here instead.
_quiet = logging.getLogger(f"{__name__}.websockets")
_quiet.setLevel(logging.CRITICAL)


class RoomServer:
    """``async with RoomServer() as server:`` then connect to ``server.url``."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        app: str = "live",
        allowed_origins: Collection[str] = (),
        options: Options | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._app = app
        self._path = f"/{app}/websocket"
        self._allowed_origins = frozenset(allowed_origins)
        self._options = options or Options()
        kind = Community if self._options.edition is Edition.COMMUNITY else Application
        self._application = kind(self._options, Addresses.LOOPBACK if _is_loopback(host) else Addresses.ALL)
        self._connections: set[_Connection] = set()
        self._server: Server | None = None
        self._closed: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._port

    @property
    def url(self) -> str:
        """The address for clients on this machine."""
        return self._url_at({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host))

    @property
    def urls(self) -> list[str]:
        """The addresses for clients on other machines."""
        if _is_loopback(self._host):
            return []
        return [self._url_at(host) for host in (host_addresses() if self._host in _WILDCARDS else [self._host])]

    def _url_at(self, host: str) -> str:
        return f"ws://{f'[{host}]' if ':' in host else host}:{self._port}{self._path}"

    @property
    def access(self) -> Access:
        """Who is let in: makes tokens, registers and blocks subscribers, as AMS's REST interface does."""
        return self._application.access

    def update_role(self, stream_id: str, role: str) -> None:
        """Give a participant another role, as AMS's applications do."""
        self._application.update_role(stream_id, role)

    async def start(self) -> None:
        """Listen; raises `UnreachableError` or `UsageError` when that cannot be."""
        if not self._host:
            raise UsageError("the address to listen on is empty", "listen on 127.0.0.1, or on 0.0.0.0 for everybody")
        if not is_stream_id(self._app):
            raise UsageError(f"the application name {printable(self._app, 60)!r} cannot be in a URL", ID_RULE)
        if not (_is_loopback(self._host) or self._options.open or self.access.guarded):
            raise UsageError(
                f"on {printable(self._host)} everybody in the network could come in",
                "give --token-file FILE, or --open to let everybody in",
            )
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self._port,
                process_request=self._admit,
                compression=None,
                max_size=MESSAGE_LIMIT,
                max_queue=WAITING_FRAMES,
                open_timeout=HANDSHAKE_TIMEOUT,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                logger=_quiet,
            )
        except (OSError, OverflowError, UnicodeError) as error:
            raise _bind_error(self._host, self._port, error) from error
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        self._application.start()
        log.info("listening on port %d", self._port)

    async def aclose(self) -> None:
        """Say so to every client, end every session and free the port, within two seconds; idempotent."""
        if self._closed is None:
            self._closed = asyncio.create_task(self._close())
        await asyncio.shield(self._closed)

    async def _close(self) -> None:
        if self._server is None:
            return
        self._server.close(close_connections=False)
        connections = tuple(self._connections)
        for connection in connections:
            connection.client.notify("server_will_stop")
        await asyncio.gather(*(connection.flush() for connection in connections))
        await asyncio.gather(
            self._application.aclose(),
            self._server.wait_closed(),
            *(connection.hang_up() for connection in connections),
        )

    async def _serve(self, socket: ServerConnection) -> None:
        connection = _Connection(socket, self._application)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Refuse what is not a client of this application; ``None`` lets it in."""
        if request.path.partition("?")[0] != self._path:
            return socket.respond(HTTPStatus.NOT_FOUND, "no such application\n")
        for origin in request.headers.get_all("Origin"):
            if not self._is_own_page(origin):
                log.info("page of another origin refused: %s", printable(origin))
                return socket.respond(HTTPStatus.FORBIDDEN, "origin not allowed\n")
        if len(self._connections) >= CLIENT_LIMIT:
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients\n")
        return None

    def _is_own_page(self, origin: str) -> bool:
        # Compared with the bound address and not with the Host header, which a rebound name would match.
        try:
            host = urlsplit(origin).hostname
        except ValueError:
            return False
        same = host == self._host or (_is_loopback(self._host) and host is not None and _is_loopback(host))
        return same or origin in self._allowed_origins


class _Connection:
    """One socket: reads commands, writes answers from a bounded queue."""

    def __init__(self, socket: ServerConnection, application: Application) -> None:
        self.client = Client(
            application,
            self._put,
            lambda: socket.state is State.OPEN,
            address=str(socket.remote_address[0]) if socket.remote_address else "",
            user_agent=_user_agent(socket),
        )
        self._socket = socket
        self._application = application
        self._garbage = Allowance(GARBAGE_LIMIT - 1, GARBAGE_PERIOD)
        self._pace = Allowance(MESSAGE_RATE * MESSAGE_PERIOD, MESSAGE_PERIOD)
        self._volume = Allowance(MESSAGE_BYTES, MESSAGE_PERIOD)
        self._queue: deque[str] = deque()
        self._queued_bytes = 0
        self._filled = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()

    async def run(self) -> None:
        """Serve the socket until it closes; its sessions end with it."""
        tasks = Tasks()
        tasks.spawn(self._write(), "writing to a client")
        reader = tasks.spawn(self._read(), "reading from a client")
        closed = tasks.spawn(self._socket.wait_closed(), "waiting for a client's end")
        try:
            await asyncio.wait({reader, closed}, return_when=asyncio.FIRST_COMPLETED)
            # What was said before the end is still heard, unless it is too much.
            await asyncio.wait({reader}, timeout=CLOSE_TIMEOUT)
        finally:
            self._application.leave(self.client)
            await tasks.aclose()

    async def flush(self) -> None:
        """Wait until everything queued is written, or a slow client has had its time."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._flushed.wait()
        except TimeoutError:
            self._abort()

    async def hang_up(self) -> None:
        """Close the socket in order, or cut it."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._socket.close(1001)
        except TimeoutError:
            self._abort()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(FIRST_WORD_TIMEOUT):
                first = await self._socket.recv()
            await self._take(first)
            async for text in self._socket:
                await self._take(text)

    async def _take(self, text: str | bytes) -> None:
        # Who is faster is read more slowly: nothing is lost, and nobody else waits.
        await self._pace.turn()
        await self._volume.turn(len(text))
        try:
            if isinstance(text, bytes):
                raise WireError("a binary frame")
            await self._application.handle(self.client, parse_from_client(text))
        except WireError as error:
            if isinstance(error, MissingFieldError) and self._application.misses(self.client, error):
                return
            log.info("message dropped: %s", printable(str(error)))
            if not self._garbage.take():
                await self._socket.close(1008, "too many unreadable messages")
        except Exception:  # one client's command must not end the others' room
            log.exception("a command failed")
            self.client.refuse("server_error_check_logs")

    def _put(self, text: str) -> None:
        if self._socket.state is not State.OPEN:
            return
        self._queue.append(text)
        self._queued_bytes += len(text)
        self._flushed.clear()
        self._filled.set()
        if len(self._queue) > QUEUE_MESSAGES or self._queued_bytes > QUEUE_BYTES:
            log.info("a client that does not read is closed")
            self._abort()

    async def _write(self) -> None:
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._queue:
                    text = self._queue.popleft()
                    await self._socket.send(text)
                    self._queued_bytes -= len(text)
                self._flushed.set()
        except ConnectionClosed:
            self._queue.clear()
            self._flushed.set()

    def _abort(self) -> None:
        self._queue.clear()
        self._flushed.set()
        self._socket.transport.abort()


def _user_agent(socket: ServerConnection) -> str:
    agents = socket.request.headers.get_all("User-Agent") if socket.request is not None else []
    return printable(agents[0], 256) if agents else ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bind_error(host: str, port: int, error: OSError | OverflowError | UnicodeError) -> AntconfError:
    place = f"port {port} on {printable(host)}"
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return UnreachableError(f"{place} is in use", "choose another port, or 0 for a free one")
    if code == errno.EACCES:
        return UsageError(f"{place} needs privileges", "choose a port above 1023, or 0 for a free one")
    if isinstance(error, OverflowError):
        return UsageError(f"{port} is not a port", "choose one between 0 and 65535")
    return UsageError(f"{printable(host)} is not an address of this machine", "listen on 127.0.0.1")
