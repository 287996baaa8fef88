"""The WebSocket to the server: connect, keep alive, back off. It carries texts and knows nothing of their meaning.

Used by the adaptor. Faults come as the errors of `tui.errors`, each one line with what to do next
(hostile inputs, section 3).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import socket
import ssl
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import CloseCode

from tui.core.address import check_url, is_loopback
from tui.core.messages import MESSAGE_LIMIT, GetIceServerConfig, Message, Ping
from tui.errors import AntconfError, LostError, RefusedError, UnreachableError, UsageError
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from websockets.asyncio.client import ClientConnection

OPEN_TIMEOUT = 10.0
"""Seconds for name look-up, TCP, TLS and the WebSocket handshake together."""

PING_INTERVAL = 3.0
"""Seconds between application pings (signalling reference, 1.3)."""

_SCHEMES = "wss:// is usually port 5443, ws:// port 5080"

LOOKS_PER_PING = 3
SILENT_PINGS = 3
"""Pings without any answer after which the link is taken for dead."""

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
        self._pinging = asyncio.create_task(self._keep_alive())

    @classmethod
    async def open(cls, url: str) -> Self:
        """Raises `UsageError`, `UnreachableError` or `RefusedError`; each names host and reason."""
        check_url(url)
        try:
            connection = await connect(
                url,
                max_size=MESSAGE_LIMIT,
                open_timeout=OPEN_TIMEOUT,
                close_timeout=1,
                ping_interval=None,
                proxy=None if is_loopback(url) else True,
            )
        except (OSError, WebSocketException, TimeoutError, ValueError) as error:
            raise _explained(error, url) from error
        return cls(connection)

    async def send(self, message: Message) -> None:
        """Write one message. Raises `LostError` when the socket is closed."""
        try:
            await self._connection.send(message.encode())
        except ConnectionClosed as error:
            raise LostError("the signalling connection is closed") from error

    async def ask_ice_servers(self) -> None:
        """Ask for the server's STUN or TURN address."""
        await self.send(GetIceServerConfig())

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            async for text in self._connection:
                self._heard = time.monotonic()
                yield text
        except ConnectionClosed as error:
            if error.sent is not None and error.sent.code in _OUR_COMPLAINTS:
                reason = printable(error.sent.reason)
                self._fault = f"the server does not keep to the WebSocket protocol ({error.sent.code}: {reason})"
        raise LostError(self._fault or self._close_reason())

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

    def _close_reason(self) -> str:
        code, reason = self._connection.close_code, printable(self._connection.close_reason or "")
        if code in (None, 1006):
            return "the signalling connection broke"
        return f"the server closed the signalling connection ({code}{': ' + reason if reason else ''})"


def _explained(error: Exception, url: str) -> AntconfError:
    """The fault of a failed connect as one line for people."""
    where, path = printable(urlsplit(url).netloc), urlsplit(url).path
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
        return UnreachableError(f"{where} answered HTTP {status} instead of opening a WebSocket")
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


def _os_reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else type(error).__name__
