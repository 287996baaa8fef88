"""The data channel of one session: whole texts and whole binaries in and out, whatever the other end sends.

Used by `core.peer`. A publisher opens its channel itself, a player gets it from the server; either way it is read
with bounds and written with back-pressure. Source: signalling reference, 6.1 and 6.4; hostile inputs, DC-1 to DC-7.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tui.allowance import Allowance
from tui.core.wire import DATA_LIMIT
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiortc import RTCDataChannel

logger = logging.getLogger(__name__)

BINARY_LIMIT = 1 << 20
"""Bytes of one binary message, sent or put together."""

CHUNK = 16_000
"""Bytes of a binary message that travel at once."""

TRANSFER_TIMEOUT = 10.0
"""Seconds that a binary message may take to arrive whole."""

TRANSFERS = 8
"""Binary messages that may be on their way to us at the same time."""

CHANNELS = 8
"""Channels of one connection that are read; more are closed."""

BUFFER_LIMIT = 1 << 20
"""Bytes handed to the connection and not yet sent; above it messages wait."""

WAITING_MESSAGES = 100
WAITING_BYTES = 4 << 20
"""What may wait; more is refused."""

MESSAGES_PER_SECOND = 1000
"""Messages that are still looked at; what is beyond costs no more than its reception."""

TEXT_BYTES_PER_SECOND = 256 << 10
"""Bytes of texts that are still read."""

_HEADER = struct.Struct("<ii")
_TOKEN = struct.Struct("<i")
_TOKENS = 999_999


@dataclass(slots=True)
class _Transfer:
    size: int
    ends: float
    parts: list[bytes] = field(default_factory=list)
    received: int = 0


class Assembly:
    """Puts chunked binary messages together; memory grows by what has arrived, never by what was announced."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._transfers: dict[int, _Transfer] = {}

    @property
    def held(self) -> int:
        """Bytes of messages that are not whole yet."""
        return sum(transfer.received for transfer in self._transfers.values())

    def forget_late(self) -> int:
        """Drop what did not arrive whole in time; returns how many messages that were."""
        now = self._clock()
        late = [token for token, transfer in self._transfers.items() if now >= transfer.ends]
        for token in late:
            del self._transfers[token]
        return len(late)

    def take(self, data: bytes) -> bytes | None:
        """A header or a chunk; the whole message with its last chunk. Raises `WireError` for anything else."""
        self.forget_late()
        if len(data) < _TOKEN.size:
            raise WireError(f"binary message of {len(data)} bytes is neither header nor chunk")
        (token,) = _TOKEN.unpack_from(data)
        transfer = self._transfers.get(token)
        if transfer is None:
            self._begin(token, data)
            return None
        chunk = data[_TOKEN.size :]
        left = transfer.size - transfer.received
        # Four bytes are only ever the last ones: else it is a second header under the same token.
        if not chunk or len(chunk) > left or (len(data) == _HEADER.size and left != len(chunk)):
            del self._transfers[token]
            raise WireError(f"binary message {token}: {len(chunk)} bytes where {left} are missing")
        transfer.parts.append(chunk)
        transfer.received += len(chunk)
        if transfer.received < transfer.size:
            return None
        del self._transfers[token]
        return b"".join(transfer.parts)

    def _begin(self, token: int, data: bytes) -> None:
        if len(data) != _HEADER.size:
            raise WireError(f"binary chunk of {len(data)} bytes without a header")
        _, size = _HEADER.unpack(data)
        if not 0 < size <= BINARY_LIMIT:
            raise WireError(f"binary message of {size} bytes refused (limit {BINARY_LIMIT})")
        if len(self._transfers) == TRANSFERS:
            raise WireError(f"more than {TRANSFERS} binary messages at the same time")
        self._transfers[token] = _Transfer(size, self._clock() + TRANSFER_TIMEOUT)


def chunks(data: bytes) -> Iterator[bytes]:
    """A binary message as it travels: the header, then its chunks."""
    token = secrets.randbelow(_TOKENS)
    yield _HEADER.pack(token, len(data))
    for start in range(0, len(data), CHUNK):
        yield _TOKEN.pack(token) + data[start : start + CHUNK]


class ChannelListener(Protocol):
    """What a channel tells its owner; plain functions, called on the core's loop."""

    def channel_state(self, is_open: bool) -> None:
        """Messages can be sent from now on, or not any more."""

    def channel_error(self, error: str) -> None:
        """Something was not sent or not read; said at most once a second."""

    def data(self, data: str | bytes) -> None:
        """A whole message: a text within `DATA_LIMIT`, or bytes within `BINARY_LIMIT`."""


class Channel:
    """The data channel of one connection: it speaks through the first that is open, and hears through all."""

    def __init__(self, listener: ChannelListener) -> None:
        self._listener = listener
        self._channels: list[RTCDataChannel] = []
        self._speaks: RTCDataChannel | None = None
        self._waiting: deque[str | bytes] = deque()
        self._assembly = Assembly()
        self._late: asyncio.TimerHandle | None = None
        self._allowance = Allowance(MESSAGES_PER_SECOND, 1.0)
        self._volume = Allowance(TEXT_BYTES_PER_SECOND, 1.0)
        self._complaints = 0
        self._complaining: asyncio.TimerHandle | None = None

    def adopt(self, channel: RTCDataChannel) -> None:
        """Another channel of the connection; beyond `CHANNELS` it is closed."""
        if len(self._channels) >= CHANNELS:
            self._complain(f"more than {CHANNELS} data channels")
            channel.close()
            return
        self._channels.append(channel)
        channel.on("message", self._on_message)
        channel.on("close", lambda: self._on_close(channel))
        channel.on("bufferedamountlow", lambda: self._on_low(channel))
        channel.bufferedAmountLowThreshold = BUFFER_LIMIT // 2
        if channel.readyState == "open":
            self._on_change()
        else:
            channel.on("open", self._on_change)

    def send(self, data: str | bytes) -> bool:
        """Send, or keep until the connection has sent what came before.

        ``False`` when the channel is not open, too much waits already, or the message is too long for us or for the
        other end: a text over `DATA_LIMIT`, bytes over `BINARY_LIMIT`.
        """
        size = _size(data)
        limit = DATA_LIMIT if isinstance(data, str) else BINARY_LIMIT
        if self._speaks is None:
            return False
        if size > limit:
            self._complain(f"message of {size} bytes not sent (limit {limit})")
            return False
        if not self._waiting and self._speaks.bufferedAmount < BUFFER_LIMIT:
            return self._pass_on(self._speaks, data)
        if len(self._waiting) >= WAITING_MESSAGES or size + sum(map(_size, self._waiting)) > WAITING_BYTES:
            self._complain("message not sent: the connection does not keep up")
            return False
        self._waiting.append(data)
        return True

    def close(self) -> None:
        """Say nothing more; idempotent."""
        for timer in (self._complaining, self._late):
            if timer is not None:
                timer.cancel()
        self._speaks = None
        self._waiting.clear()

    def _pass_on(self, channel: RTCDataChannel, data: str | bytes) -> bool:
        if channel.readyState != "open":
            return False
        try:
            for part in [data] if isinstance(data, str) else chunks(data):
                channel.send(part)
        except ValueError as error:  # longer than the other end's max-message-size, or not Unicode
            self._complain(f"message not sent: {error}")
            return False
        return True

    def _on_close(self, channel: RTCDataChannel) -> None:
        self._channels.remove(channel)
        self._on_change()

    def _on_change(self) -> None:
        before = self._speaks
        self._speaks = next((channel for channel in self._channels if channel.readyState == "open"), None)
        if self._speaks is None:
            if self._waiting:
                self._complain(f"{len(self._waiting)} messages not sent: the channel has closed")
            self._waiting.clear()
        else:
            self._on_low(self._speaks)
        if (before is None) != (self._speaks is None):
            self._listener.channel_state(self._speaks is not None)

    def _on_low(self, channel: RTCDataChannel) -> None:
        while self._waiting and channel is self._speaks and channel.bufferedAmount < BUFFER_LIMIT:
            self._pass_on(channel, self._waiting.popleft())

    def _on_message(self, data: str | bytes) -> None:
        if not self._allowance.take():
            self._complain(f"more than {MESSAGES_PER_SECOND} messages in a second")
            return
        if isinstance(data, str):
            if _size(data) > DATA_LIMIT:
                self._complain(f"text of {_size(data)} bytes refused (limit {DATA_LIMIT})")
            elif not self._volume.take(_size(data)):
                self._complain(f"more than {TEXT_BYTES_PER_SECOND} bytes of text in a second")
            else:
                self._listener.data(data)
            return
        try:
            whole = self._assembly.take(data)
        except WireError as error:
            self._complain(str(error))
            return
        if whole is not None:
            self._listener.data(whole)
        elif self._late is None:
            self._late = asyncio.get_running_loop().call_later(TRANSFER_TIMEOUT, self._forget_late)

    def _forget_late(self) -> None:
        """Free what will never be whole, also when nothing more arrives."""
        self._late = None
        late = self._assembly.forget_late()
        if late:
            self._complain(f"{late} binary messages did not arrive whole within {TRANSFER_TIMEOUT:.0f} s")
        if self._assembly.held:
            self._late = asyncio.get_running_loop().call_later(TRANSFER_TIMEOUT, self._forget_late)

    def _complain(self, error: str) -> None:
        """Said at once, then counted: what others send must not fill the log."""
        if self._complaining is not None:
            self._complaints += 1
            return
        logger.warning("data channel: %s", error)
        self._listener.channel_error(error)
        self._complaining = asyncio.get_running_loop().call_later(1.0, self._complain_of_the_rest)

    def _complain_of_the_rest(self) -> None:
        self._complaining = None
        if self._complaints:
            dropped, self._complaints = self._complaints, 0
            self._complain(f"{dropped} messages dropped")


def _size(data: str | bytes) -> int:
    """Bytes on the wire."""
    if isinstance(data, bytes) or data.isascii():
        return len(data)
    return len(data.encode(errors="replace"))
