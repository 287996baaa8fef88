"""The WebSocket to the server: connect, keep alive, back off. It carries texts and knows nothing of their meaning.

Used by the adaptor. Faults come as the errors of `tui.errors`, each one line with what to do next
(hostile inputs, section 3).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    ProxyError,
    WebSocketException,
)
from websockets.frames import CloseCode

from tui.allowance import Allowance
from tui.core.address import check_url, is_loopback
from tui.core.commands import Ping
from tui.core.wire import MESSAGE_LIMIT, Message
from tui.errors import AntconfError, LostError, RefusedError, UnreachableError, UsageError
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

OPEN_TIMEOUT = 10.0
"""Seconds for name look-up, TCP, TLS and the WebSocket handshake together."""

CLOSE_TIMEOUT = 0.5
"""Seconds that a server has to confirm the end; together with the farewell less than a user waits for."""

PING_INTERVAL = 3.0
"""Seconds between application pings (signalling reference, 1.3)."""

_PROXY = "look at the proxy settings of the environment: https_proxy, http_proxy, no_proxy"
_SCHEMES = "wss:// is usually port 5443, ws:// port 5080"

MESSAGES_AT_ONCE = 1000
MESSAGES_SPAN = 5.0
"""Messages that are read in so many seconds; then the server has to wait (hostile inputs, WS-18)."""

BYTES_AT_ONCE = 8 << 20
"""Bytes of messages that are read in as many seconds: the records of a thousand people, three times."""

MAX_REDIRECTS = 3

LONGEST_RETRY_AFTER = 60.0
"""Seconds that a busy server may keep us waiting (hostile inputs, WS-3)."""

LOOKS_PER_PING = 3
SILENT_PINGS = 3
"""Pings without any answer after which the link is taken for dead."""

_ABOUT_ACCESS = re.compile(r"\b(un)?auth|\bforbidden\b|\bdenied\b|\btoken\b", re.IGNORECASE)

_OUR_COMPLAINTS = (CloseCode.PROTOCOL_ERROR, CloseCode.INVALID_DATA, CloseCode.MESSAGE_TOO_BIG)


def back_off(first: float = 0.5, limit: float = 8.0) -> Iterator[float]:
    """Seconds to wait before each next try: doubling to the limit, with 20 % jitter."""
    delay = first
    while True:
        yield delay * random.uniform(0.8, 1.2)
        delay = min(delay * 2, limit)


class Signaling:
    """One open socket. Iterate over it for the texts that arrive; it ends when the socket does.

    ``async with await Signaling.open(url) as socket``. Raises `LostError` from the iteration when the server closes
    or falls silent.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._heard = time.monotonic()
        self._fault = ""
        self._allowance = Allowance(MESSAGES_AT_ONCE, MESSAGES_SPAN)
        self._volume = Allowance(BYTES_AT_ONCE, MESSAGES_SPAN)
        self._pinging = asyncio.create_task(self._keep_alive())

    @classmethod
    async def open(cls, url: str) -> Self:
        """Raises `UsageError`, `UnreachableError` or `RefusedError`; each names host and reason."""
        check_url(url)
        try:
            connection = await _Connect(
                url,
                create_connection=_Connection,
                max_size=MESSAGE_LIMIT,
                open_timeout=OPEN_TIMEOUT,
                close_timeout=CLOSE_TIMEOUT,
                ping_interval=None,
                proxy=None if is_loopback(url) else True,
            )
        except (OSError, WebSocketException, TimeoutError, ValueError, ImportError) as error:
            raise _explained(error, url) from error
        return cls(connection)

    async def send(self, message: Message) -> None:
        """Write one message. Raises `LostError` when the socket is closed."""
        try:
            await self._connection.send(message.encode())
        except ConnectionClosed as error:
            raise LostError("the signalling connection is closed") from error

    @property
    def remote_host(self) -> str:
        """The address at the other end, for what depends on its being near."""
        address = self._connection.remote_address
        return str(address[0]) if address else ""

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            async for text in self._connection:
                self._heard = time.monotonic()
                await self._allowance.turn()
                await self._volume.turn(len(text))
                yield text
        except ConnectionClosed as error:
            if error.sent is not None and error.sent.code in _OUR_COMPLAINTS:
                reason = printable(error.sent.reason)
                self._fault = f"the server does not keep to the WebSocket protocol ({error.sent.code}: {reason})"
        raise self._end()

    async def aclose(self) -> None:
        """Close the socket; idempotent."""
        self._pinging.cancel()
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _keep_alive(self) -> None:
        for step in itertools.count(1):
            # Looked at more often than pinged: a dead link is noticed within the time of its silent pings.
            await asyncio.sleep(PING_INTERVAL / LOOKS_PER_PING)
            if time.monotonic() - self._heard > PING_INTERVAL * (SILENT_PINGS - 1 / LOOKS_PER_PING):
                self._fault = "the server does not answer any more"
                self._connection.transport.abort()
                return
            if step % LOOKS_PER_PING == 0:
                try:
                    await self._connection.send(Ping().encode())
                except ConnectionClosed:
                    return

    def _end(self) -> AntconfError:
        """Why nothing more comes: a refusal when the server closed because of who we are (hostile inputs, WS-21)."""
        code, reason = self._connection.close_code, printable(self._connection.close_reason or "")
        if self._fault:
            return LostError(self._fault)
        if code in (None, CloseCode.ABNORMAL_CLOSURE):
            return LostError("the signalling connection broke")
        text = f"the server closed the signalling connection ({code}{': ' + reason if reason else ''})"
        if code == CloseCode.POLICY_VIOLATION or _ABOUT_ACCESS.search(reason):
            return RefusedError(text, "give a token made for this room with --token-file")
        return LostError(text)


class _Connection(ClientConnection):
    """Cuts off at once whoever answers the handshake with something else, and perhaps without end."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.handshake_exc is not None:
            self.transport.abort()


class _Connect(connect):
    """Follows a redirect only to the same host by the same scheme, and three of them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._redirects = 0

    def process_redirect(self, exc: Exception) -> Exception | str:
        found = super().process_redirect(exc)
        if isinstance(found, Exception):
            return found
        before, after = urlsplit(self.uri), urlsplit(found)
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            return _RedirectError("redirects without end")
        if (before.scheme, before.hostname) != (after.scheme, after.hostname):
            return _RedirectError(f"redirects to {printable(after.netloc, 100)}, which is another place")
        return found


class _RedirectError(InvalidHandshake):
    """A redirect that is not followed."""


def _explained(error: Exception, url: str) -> AntconfError:
    """The fault of a failed connect as one line for people."""
    where, path = printable(urlsplit(url).netloc), urlsplit(url).path
    if isinstance(error, _RedirectError):
        return UnreachableError(f"{where} {error}", "give the URL that it redirects to, if you trust it")
    if isinstance(error, ProxyError):
        return UnreachableError(f"the proxy does not let us to {where}: {printable(str(error))}", _PROXY)
    if isinstance(error, ImportError):
        return UnreachableError(f"the way to {where} leads through a SOCKS proxy, which needs python-socks", _PROXY)
    if isinstance(error, InvalidURI):
        if error.uri != url:
            return UnreachableError(f"{where} redirects to {printable(error.uri)}, which is no WebSocket")
        return UsageError(f"the server URL is malformed: {printable(error.msg)}")
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status in (401, 403):
            return RefusedError(f"{where} refused the connection (HTTP {status})")
        if status == 404:
            return UnreachableError(
                f"{where} has no application at {printable(path)} (HTTP 404)",
                "the path is /APP/websocket, for example /live/websocket",
            )
        text = f"{where} answered HTTP {status} instead of opening a WebSocket"
        is_passing = status == 429 or status >= 500
        return UnreachableError(text, retry_after=_retry_after(error) if is_passing else 0.0)
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"the certificate of {where} was refused: {printable(error.verify_message)}",
            "use the host name that the certificate is made for, or set SSL_CERT_FILE to its authority",
        )
    if isinstance(error, ssl.SSLError):
        return UnreachableError(f"no TLS connection to {where}: {printable(error.reason or str(error))}", _SCHEMES)
    if isinstance(error, socket.gaierror):
        return UnreachableError(f"the name of {where} was not found")
    if isinstance(error, TimeoutError):
        return UnreachableError(f"{where} did not answer within {OPEN_TIMEOUT:.0f} s")
    if isinstance(error, (InvalidMessage, InvalidHandshake)):
        return UnreachableError(f"{where} is not a WebSocket server")
    if isinstance(error, ConnectionResetError):
        return UnreachableError(f"{where} closed the connection at once", _SCHEMES)
    if isinstance(error, OSError):
        return UnreachableError(f"{where} cannot be reached: {printable(_os_reason(error))}")
    return UnreachableError(f"{where} cannot be reached: {printable(str(error))}")


def _retry_after(error: InvalidStatus) -> float:
    """Seconds that the server asks for, within `LONGEST_RETRY_AFTER`; a date is not read."""
    asked = error.response.headers.get_all("Retry-After")
    if len(asked) != 1 or re.fullmatch(r"[0-9]{1,6}", asked[0].strip()) is None:
        return 0.0
    return min(float(asked[0]), LONGEST_RETRY_AFTER)


def _os_reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__
