"""One publish or one play, begun again whenever it is lost, until it is stopped on purpose.

Used by the link, which owns one per stream id. A session owns the peer connection of its present attempt and does,
strictly one after another, what the protocol asks of it. Source: signalling reference, 4.4 to 4.6.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from typing import TYPE_CHECKING, Any, Protocol

from tui.core.messages import Play, Publish
from tui.core.peer import LentTrack, PlayPeer, PublishPeer, RemoteTrack
from tui.core.protocol import Actions, AddCandidate, ApplyAnswer, ApplyOffer, MakeOffer
from tui.core.sdp import RenewalError
from tui.core.signaling import back_off
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiortc import RTCIceServer

    from tui.core.aiortc_internals import Addresses
    from tui.core.protocol import Protocol as Signalling

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT = 12.0
"""Seconds from ``publish`` or ``play`` to a connection; aiortc alone would try for ever (trap 14)."""

RETRY_EMPTY = 3.0
"""Seconds before a room is played again in which nobody publishes (section 4.5)."""

RETRY_LOST = 0.5
"""Seconds before a lost session is begun again, doubled each time that it does not come up (section 4.6)."""

RETRY_IN_USE = 2.0
"""Seconds before an id is tried again that the server still holds for our former self."""

IN_USE_TRIES = 10


class Over(enum.Enum):
    """Why one attempt of a session ended."""

    LOST = "lost"
    FINISHED = "finished"
    EMPTY = "empty"
    IN_USE = "in use"
    REFUSED = "refused"


class SessionOwner(Protocol):
    """What a session needs of the link that owns it."""

    signalling: Signalling
    online: asyncio.Event
    reconnects: bool
    addresses: Addresses

    async def ice_servers(self) -> Sequence[RTCIceServer]:
        """What to gather with, once the server has had its say."""

    async def carry_out(self, actions: Actions) -> None:
        """Do what the protocol says."""

    def lend(self) -> list[LentTrack]:
        """The own tracks, for one connection."""

    def callback(self, info: str, obj: Any) -> None:
        """Tell the application."""

    def callback_error(self, error: str, obj: Any) -> None:
        """Tell the application of a failure."""

    def ended(self, stream_id: str) -> None:
        """The session has given up."""


class Session:
    """A stream that shall be published or played; listens to its own peer."""

    def __init__(self, owner: SessionOwner, command: Publish | Play) -> None:
        self.task: asyncio.Task[Any] | None = None
        self.publishes = isinstance(command, Publish)
        self._owner = owner
        self._command = command
        self._stream_id = command.stream_id
        self._peer: PublishPeer | PlayPeer | None = None
        self._lent: list[LentTrack] = []
        self._inbox: asyncio.Queue[Any] = asyncio.Queue(maxsize=256)
        self._deadline: asyncio.Timeout | None = None
        self._hurry = asyncio.Event()
        self._was_up = False
        self._is_up = False

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self._peer is not None and self._peer.connected

    @property
    def own_level(self) -> int:
        """Loudness of what is sent now."""
        return min((track.audio_level for track in self._lent), default=127)

    def take(self, action: Any) -> None:
        """Something to do for the peer, in order; bounded by the protocol's own limits."""
        if not self._inbox.full():
            self._inbox.put_nowait(action)

    def end(self, over: Over) -> None:
        """This attempt is over."""
        if self._inbox.full():
            self._inbox.get_nowait()
        self._inbox.put_nowait(over)

    def hurry(self) -> None:
        """Something began: do not wait any longer before the next attempt."""
        self._hurry.set()

    def send_data(self, data: str | bytes) -> bool:
        """Send on the data channel; ``False`` when it is not open."""
        return self._peer is not None and self._peer.send(data)

    async def run(self) -> None:
        """Attempt after attempt; returns when there is no point in another."""
        owner, in_use, pauses = self._owner, 0, back_off(RETRY_LOST)
        while True:
            await owner.online.wait()
            self._is_up = False
            over = await self._attempt()
            if self._is_up:
                # What was up comes back soon; what never gets up is asked for less and less often.
                pauses = back_off(RETRY_LOST)
            in_use = in_use + 1 if over is Over.IN_USE else 0
            hopeless = over is Over.IN_USE and (not self._was_up or in_use > IN_USE_TRIES)
            if over is Over.REFUSED or hopeless or not owner.reconnects:
                owner.ended(self._stream_id)
                owner.callback_error("session_ended", {"streamId": self._stream_id, "reason": over.value})
                return
            self._hurry.clear()
            delay = next(pauses) if over is Over.LOST else RETRY_IN_USE if over is Over.IN_USE else RETRY_EMPTY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._hurry.wait()
            if over is Over.LOST:
                kind = "publisher" if self.publishes else "player"
                owner.callback(f"reconnection_attempt_for_{kind}", self._stream_id)

    async def _attempt(self) -> Over:
        owner = self._owner
        while not self._inbox.empty():
            self._inbox.get_nowait()
        servers = await owner.ice_servers()
        kind = PublishPeer if self.publishes else PlayPeer
        self._peer = kind(self, servers, owner.addresses)
        try:
            begin = owner.signalling.publish if self.publishes else owner.signalling.play
            await owner.carry_out(begin(self._command))  # type: ignore[arg-type]
            async with asyncio.timeout(CONNECT_TIMEOUT) as self._deadline:
                while True:
                    action = await self._inbox.get()
                    if isinstance(action, Over):
                        return action
                    await owner.carry_out(await self._do(action))
        except TimeoutError:
            owner.callback_error(
                "connection_timeout", {"streamId": self._stream_id, "message": "no media path to the server"}
            )
            return Over.LOST
        finally:
            self._deadline = None
            peer, self._peer = self._peer, None
            for track in self._lent:
                track.stop()
            self._lent.clear()
            if stopping := owner.signalling.stop(self._stream_id):
                await owner.carry_out(stopping)
            await peer.aclose()

    async def _do(self, action: Any) -> Actions:
        protocol, stream_id = self._owner.signalling, self._stream_id
        try:
            match action, self._peer:
                case MakeOffer(), PublishPeer() as peer:
                    return protocol.offer_made(stream_id, await peer.offer(self._lend(), stream_id))
                case ApplyAnswer(), PublishPeer() as peer:
                    await peer.accept_answer(action.sdp)
                    return protocol.described(stream_id)
                case ApplyOffer(), PlayPeer() as peer:
                    answer = await peer.accept_offer(action.sdp, action.id_mapping)
                    return protocol.answer_made(stream_id, answer)
                case AddCandidate(), peer if peer is not None:
                    await peer.add_candidate(action.candidate, action.label, action.mid)
        except RenewalError as error:
            logger.info("%s: %s", self._stream_id, error)
            self.end(Over.LOST)
        except WireError as error:
            self._owner.callback_error("notSetRemoteDescription", {"streamId": stream_id, "message": str(error)})
            if isinstance(action, ApplyOffer) and self.connected:
                return protocol.offer_refused(stream_id)
            self.end(Over.REFUSED if isinstance(action, ApplyAnswer) else Over.FINISHED)
        return ()

    def _lend(self) -> list[LentTrack]:
        self._lent = self._owner.lend()
        return self._lent

    # what the peer says

    def ice_state(self, state: str) -> None:
        """`PeerListener`."""
        self._owner.callback("ice_connection_state_changed", {"state": state, "streamId": self._stream_id})

    def connection_state(self, state: str) -> None:
        """`PeerListener`."""
        if state == "connected":
            self._was_up = self._is_up = True
            if self._deadline is not None and not self._deadline.expired():
                self._deadline.reschedule(None)
        elif state in ("failed", "closed"):
            self.end(Over.LOST)

    def channel_state(self, is_open: bool) -> None:
        """`PeerListener`."""
        self._owner.callback("data_channel_opened" if is_open else "data_channel_closed", self._stream_id)

    def data(self, data: str | bytes) -> None:
        """`PeerListener`."""
        self._owner.callback("data_received", {"streamId": self._stream_id, "data": data})

    def track(self, track: RemoteTrack) -> None:
        """`PeerListener`."""
        self._owner.callback(
            "newTrackAvailable",
            {
                "streamId": self._stream_id,
                "trackId": track.track_id,
                "track": track.track,
                "remoteTrack": track,
            },
        )
