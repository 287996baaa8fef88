"""One peer connection of one client: what the publish and the play sessions have in common.

Used by `ingest` and `viewer`. A session ends exactly once, for one named reason, and says so to its owner at once;
closing the connection follows in `aclose`. Whatever aiortc raises on a client's SDP becomes a `WireError`.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from typing import TYPE_CHECKING

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tui.core.aiortc_internals import Addresses, candidates_from
from tui.core.tasks import Tasks
from tui.errors import WireError
from tui.server.gate import CANDIDATE_LIMIT, checked_candidate, checked_sdp
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from aiortc import RTCDataChannel, RTCIceCandidate

log = logging.getLogger(__name__)

DESCRIPTION_TIMEOUT = 5.0
"""Seconds that aiortc may take to read one description."""

CHANNEL_LIMIT = 8
"""Data channels that the client may open on one connection."""

CLOSE_TIMEOUT = 1.0
"""Seconds that aiortc may take to close a connection."""

BUFFER_LIMIT = 1 << 20
"""Bytes that may wait on one data channel."""


class Ending(enum.Enum):
    """Why a session ended."""

    STOPPED = enum.auto()
    """The client asked for it."""
    GONE = enum.auto()
    """The client's socket closed."""
    REPLACED = enum.auto()
    """The same stream id is published anew."""
    LOST = enum.auto()
    """The peer connection failed or was closed by the peer."""
    TIMEOUT = enum.auto()
    """It did not come up in time."""
    SILENT = enum.auto()
    """It sent nothing for too long."""
    REFUSED = enum.auto()
    """Its description cannot be used."""
    EMPTY = enum.auto()
    """Nobody is left to be played."""
    SHUTDOWN = enum.auto()
    """The server stops."""


class Session:
    """A peer connection that lives until `end`."""

    def __init__(self, stream_id: str, addresses: Addresses, start_timeout: float) -> None:
        self.stream_id = stream_id
        self.ending: Ending | None = None
        self.started = False
        configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._connection = RTCPeerConnection(configuration)
        self._connection.on("connectionstatechange", self._state_changed)
        self._connection.on("datachannel", self._channel_opened)
        self._channels: list[RTCDataChannel] = []
        self._addresses = addresses
        self._loopback = addresses is Addresses.LOOPBACK
        self._early: list[tuple[RTCIceCandidate, int, str | None]] | None = []
        self._candidates = 0
        self._tasks = Tasks(self._failed)
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(start_timeout, self.end, Ending.TIMEOUT)

    def end(self, ending: Ending) -> None:
        """End the session; only the first reason counts."""
        if self.ending is None:
            self.ending = ending
            self._deadline.cancel()
            self._ended(ending)

    async def aclose(self) -> None:
        """Close the connection and every task of the session."""
        self.end(Ending.SHUTDOWN)
        await self._tasks.aclose()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.close()
        except Exception as error:  # a connection that read a broken SDP can fail to close
            log.debug("closing %s: %s", printable(self.stream_id), printable(repr(error)))

    async def take_candidate(self, text: str, label: int, mid: str | None) -> None:
        """A trickled candidate; kept until there is a description, skipped when it is unusable."""
        candidate = checked_candidate(text, loopback=self._loopback)
        self._candidates += 1
        if candidate is None or self._candidates > CANDIDATE_LIMIT or self.ending is not None:
            return
        if self._early is not None:
            self._early.append((candidate, label, mid))
        else:
            await self._add_candidate(candidate, label, mid)

    # -- for the two kinds of session --

    def _ended(self, ending: Ending) -> None:
        """The session ended: tell the owner."""
        raise NotImplementedError

    def _connected(self) -> None:
        """The peer connection is up."""

    def _said(self, message: str | bytes) -> None:
        """A message on a data channel: tell the owner."""
        raise NotImplementedError

    def _begin(self) -> None:
        """The session has done what it was opened for, so it is not too late any more."""
        self.started = True
        self._deadline.cancel()

    def _write(self, channel: RTCDataChannel, message: str | bytes) -> None:
        """Send on a data channel; one that does not keep up, or takes no message so long, misses it."""
        if channel.readyState == "open" and channel.bufferedAmount <= BUFFER_LIMIT:
            with contextlib.suppress(ValueError):
                channel.send(message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.spawn(work, f"session {printable(self.stream_id)}")

    def _failed(self, _error: BaseException) -> None:
        self.end(Ending.LOST)

    async def _set_remote(self, kind: str, sdp: str) -> None:
        description = RTCSessionDescription(sdp=checked_sdp(sdp, loopback=self._loopback), type=kind)
        try:
            async with asyncio.timeout(DESCRIPTION_TIMEOUT):
                await self._connection.setRemoteDescription(description)
        except Exception as error:  # aiortc raises seven kinds of exception on a broken SDP
            raise WireError(f"SDP refused: {printable(repr(error))}") from error
        early, self._early = self._early or [], None
        for candidate, label, mid in early:
            await self._add_candidate(candidate, label, mid)

    async def _set_local(self) -> str:
        try:
            with candidates_from(self._addresses):
                await self._connection.setLocalDescription()
        except Exception as error:  # as above: the remote description is part of this one
            raise WireError(f"SDP refused: {printable(repr(error))}") from error
        sdp: str = self._connection.localDescription.sdp
        return sdp

    async def _add_candidate(self, candidate: RTCIceCandidate, label: int, mid: str | None) -> None:
        candidate.sdpMLineIndex, candidate.sdpMid = label, mid
        try:
            await self._connection.addIceCandidate(candidate)
        except Exception as error:  # one candidate is never worth a connection
            log.debug("candidate of %s: %s", printable(self.stream_id), printable(repr(error)))

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        if len(self._channels) >= CHANNEL_LIMIT:
            channel.close()
        else:
            self._channels.append(channel)
            channel.on("message", self._said)
            channel.on("close", lambda: self._channels.remove(channel))

    def _state_changed(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected()
        elif state in ("failed", "closed"):
            self.end(Ending.LOST)
