"""How much of what is written to a terminal far away has arrived, where a multiplexer answers in its place.

Used by the projector. tmux answers every question at once, and sshd's buffers take megabytes before anything is felt:
on a slow line that is minutes of pictures, with every key behind them. But sshd's TCP connection is one of this
machine, and Linux tells everybody how much was given to it and how much the other end has acknowledged
(``sock_diag(7)``). So each answer of the multiplexer is held back until all that it stands for is acknowledged. While
the connection takes no more, more waits in sshd, unseen: then nobody knows yet what the answer stands for.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tui.core.tasks import Tasks

_SOCK_DIAG: Final = 4
_BY_FAMILY: Final = 20
_REQUEST: Final = 1
_ERROR: Final = 2
_INFO: Final = 2
_MEMORY: Final = 7
_WANTED: Final = 1 << (_INFO - 1) | 1 << (_MEMORY - 1)
_ANY_STATE: Final = 0xFFFFFFFF
_NO_COOKIE: Final = b"\xff" * 8
_HEADER: Final = struct.Struct("=LHHLL")
_MESSAGE: Final = 72
"""Bytes of ``inet_diag_msg``."""
_UNACKNOWLEDGED: Final = 60
"""Where in it the bytes are that wait to be acknowledged."""
_ACKNOWLEDGED: Final = 120
"""Where in ``tcp_info`` the bytes are that were, since Linux 4.1."""
_SHORTEST: Final = 148
"""Where in it the shortest round trip of late is, in microseconds, since Linux 4.9."""
_UNMEASURED: Final = 60_000_000
_MEMINFO: Final = struct.Struct("=12xL4xL")
"""Of ``sk_meminfo``: how much the connection may hold, and holds."""

_SETTLES: Final = 0.01
"""Seconds from the multiplexer's answer until what it has read is with sshd's connection."""
_LOOKS: Final = 0.01
"""Seconds between two looks while something is awaited."""
_FINDS: Final = 2.0
"""Seconds between two looks for another connection, while the terminal is detached."""
_HELD: Final = 64
"""Answers that are held back at most; the oldest are forgotten, as those of a terminal that is gone."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes since the connection began: ``given`` to it, and ``arrived`` at the other end.

    While it is ``full`` more waits to be given to it. ``round_trip``: seconds there and back when nothing is in the
    way, ``None`` as long as that is not known.
    """

    given: int
    arrived: int
    full: bool = False
    round_trip: float | None = None


class Uplink:
    """sshd's connection to whoever sits before the terminal."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)
        self._socket.settimeout(0.1)

    @classmethod
    def open(cls, connection: str) -> Self | None:
        """By the value of ``SSH_CONNECTION``; ``None`` where nothing can be known of it."""
        try:
            there, there_port, here, here_port = connection.split()
            request = _request(here, int(here_port), there, int(there_port))
            uplink = cls(request)
        except (ValueError, OSError, AttributeError, struct.error):
            return None
        if uplink.progress() is None:
            uplink.close()
            return None
        return uplink

    def progress(self) -> Progress | None:
        """As of now; ``None`` when the connection has ended."""
        try:
            self._socket.send(self._request)
            answer = self._socket.recv(4096)
        except OSError:
            return None
        return _progress(answer)

    def close(self) -> None:
        """Look no more; idempotent."""
        self._socket.close()


def _request(here: str, here_port: int, there: str, there_port: int) -> bytes:
    addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in (here, there)]
    family = socket.AF_INET if addresses[0].version == 4 else socket.AF_INET6
    pair = b"".join(address.packed.ljust(16, b"\0") for address in addresses)
    about = struct.pack("!HH", here_port, there_port) + pair + bytes(4) + _NO_COOKIE
    body = struct.pack("=BBBxL", family, socket.IPPROTO_TCP, _WANTED, _ANY_STATE) + about
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body


def _progress(answer: bytes) -> Progress | None:
    """What the kernel says of one connection; ``None`` when there is no such one, or it does not say."""
    if len(answer) < _HEADER.size + _MESSAGE or _HEADER.unpack_from(answer)[1] == _ERROR:
        return None
    (waiting,) = struct.unpack_from("=L", answer, _HEADER.size + _UNACKNOWLEDGED)
    parts = dict(_attributes(answer, _HEADER.size + _MESSAGE))
    if len(parts.get(_INFO, b"")) < _SHORTEST + 4 or len(parts.get(_MEMORY, b"")) < _MEMINFO.size:
        return None
    (arrived,) = struct.unpack_from("=Q", parts[_INFO], _ACKNOWLEDGED)
    (shortest,) = struct.unpack_from("=L", parts[_INFO], _SHORTEST)
    limit, held = _MEMINFO.unpack_from(parts[_MEMORY])
    round_trip = shortest / 1e6 if 0 < shortest < _UNMEASURED else None
    # Linux wakes who wants to write once a third is free.
    return Progress(arrived + waiting, arrived, 3 * held >= 2 * limit, round_trip)


def _attributes(answer: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + 4 <= len(answer):
        length, kind = struct.unpack_from("=HH", answer, at)
        yield kind, answer[at + 4 : at + length]
        at += max(4, length + 3 & ~3)


class Paced(Protocol):
    """Whom answers are for: the `tui.media.pacing.Pacer`."""

    proxied: bool

    def answered(self, number: int | None, now: float) -> None:
        """The terminal has come to the update of this number, and to those before it."""

    def know_way(self, round_trip: float) -> None:
        """So long is the way there and back when nothing is on it."""


class Arrivals:
    """Holds answers back until what they stand for has arrived, then gives them to the ``pacer``.

    When the connection has ended ``find``, which may block, names the one of whoever is there now; while that is an
    ended one there is no answer at all, as nobody looks. It names none where nobody knows: from then on answers pass
    as they come, of one who may be near.
    """

    def __init__(
        self, uplink: Uplink, pacer: Paced, find: Callable[[], str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._uplink: Uplink | None = uplink
        self._pacer = pacer
        self._find = find
        self._clock = clock
        pacer.proxied = False
        self._read: deque[tuple[int, float]] = deque(maxlen=_HELD)
        """What the multiplexer has come to, and when."""
        self._awaited: deque[tuple[int, int]] = deque(maxlen=_HELD)
        """What is on the connection, and how many bytes must arrive."""
        self._some = asyncio.Event()
        self._full_at = -inf
        """When the connection was seen to take no more."""

    def start(self, tasks: Tasks) -> None:
        """Begin to look, as one of these."""
        tasks.spawn(self._run(), "arrivals")

    def close(self) -> None:
        """Look no more; idempotent."""
        if self._uplink is not None:
            self._uplink.close()

    def take(self, number: int, at: float) -> None:
        """The multiplexer has answered."""
        if self._uplink is None:
            self._pacer.answered(number, at)
        else:
            self._read.append((number, at))
            self._some.set()

    async def _run(self) -> None:
        while self._uplink is not None:
            if not self._read and not self._awaited:
                self._some.clear()
                await self._some.wait()
            progress = self._uplink.progress()
            if progress is None:
                self._uplink.close()
                self._uplink = await self._another()
                continue
            now = self._clock()
            if progress.round_trip is not None:
                self._pacer.know_way(max(progress.round_trip, _SETTLES) + _LOOKS / 2)
            newest = None
            while self._awaited and progress.arrived >= self._awaited[0][1]:
                newest = self._awaited.popleft()[0]
            if newest is not None:
                # It stands for those before it: one after the other they would seem to have been infinitely quick.
                self._pacer.answered(newest, now)
            if progress.full:
                self._full_at = now
            while self._read and now - max(self._read[0][1], self._full_at) >= _SETTLES:
                self._awaited.append((self._read.popleft()[0], progress.given))
            await asyncio.sleep(_LOOKS)

    async def _another(self) -> Uplink | None:
        """The person has gone; who comes back may do so from elsewhere."""
        while connection := await asyncio.to_thread(self._find):
            if (uplink := Uplink.open(connection)) is not None:
                self._read.clear()
                self._awaited.clear()
                return uplink
            await asyncio.sleep(_FINDS)
        self._pacer.proxied = True
        return None
