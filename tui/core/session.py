"""One publish or one play, begun again whenever it is lost, until it is stopped on purpose.

Used by the link, which owns one per stream id. A session owns the peer connection of its present attempt and does,
strictly one after another, what the protocol asks of it. Source: signalling reference, 4.4 to 4.6.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from tui.core.commands import Play, Publish
from tui.core.peer import LentTrack, PlayPeer, PublishPeer, RemoteTrack
from tui.core.protocol import Actions, AddCandidate, ApplyAnswer, ApplyOffer, MakeOffer
from tui.core.refusals import MEANINGS, Reaction, refusal
from tui.core.sdp import RenewalError
from tui.core.signaling import back_off
from tui.core.stats import Meter, PeerStats
from tui.errors import AntconfError, LostError, RefusedError, WireError
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aiortc import RTCIceServer

    from tui.core.aiortc_internals import Addresses
    from tui.core.auth import Credentials
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

RETRY_BUSY = 3.0
"""Seconds at least that a server with too much to do is left alone."""

RETRY_COMMUNITY = 30.0
"""Seconds before a room is tried again on a server that most likely never plays one."""


class Over(enum.Enum):
    """Why one attempt of a session ended."""

    LOST = "lost"
    FINISHED = "finished"
    EMPTY = "empty"
    IN_USE = "in use"
    BUSY = "busy"
    REFUSED = "refused"


_OVER = {
    Reaction.NOBODY_YET: Over.EMPTY,
    Reaction.IN_USE: Over.IN_USE,
    Reaction.TWICE: Over.IN_USE,
    Reaction.PASSING: Over.LOST,
    Reaction.BUSY: Over.BUSY,
    Reaction.FINAL: Over.REFUSED,
}


@dataclass(frozen=True, slots=True)
class _End:
    """The end of an attempt, and the error that the server gave for it, or else what was seen of it here."""

    over: Over
    definition: str = ""
    seen: str = "the connection was lost"

    @property
    def reason(self) -> str:
        """Why, in one line."""
        meaning = MEANINGS.get(self.definition)
        return meaning.text if meaning is not None else self.seen


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

    def published_id(self) -> str:
        """The id of the own stream, empty when nothing is published."""

    def callback(self, info: str, obj: Any) -> None:
        """Tell the application."""

    def callback_error(self, error: str, obj: Any) -> None:
        """Tell the application of a failure."""

    def plan_retry(self, stream_id: str, attempt: int, seconds: float, reason: str) -> None:
        """Tell when the next attempt is due."""

    def ended(self, stream_id: str) -> None:
        """The session has given up."""


class Session:
    """A stream that shall be published or played; listens to its own peer."""

    def __init__(
        self,
        owner: SessionOwner,
        command: Publish | Play,
        credentials: Credentials,
        lend: Callable[[], list[LentTrack]],
    ) -> None:
        self.task: asyncio.Task[Any] | None = None
        self.publishes = isinstance(command, Publish)
        self._owner = owner
        self._command = command
        self._signed = command
        self._credentials = credentials
        self._lender = lend
        self._stream_id = command.stream_id
        self._peer: PublishPeer | PlayPeer | None = None
        self._meter = Meter(command.stream_id)
        self._lent: list[LentTrack] = []
        self._inbox: asyncio.Queue[Any] = asyncio.Queue(maxsize=256)
        self._deadline: asyncio.Timeout | None = None
        self._hurry = asyncio.Event()
        self._urged = asyncio.Event()
        self._was_accepted = False
        self._is_up = False

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self._peer is not None and self._peer.connected

    @property
    def signalling_state(self) -> str | None:
        """Of the present connection, by WebRTC's names."""
        return self._peer.signalling_state if self._peer else None

    @property
    def ice_connection_state(self) -> str | None:
        """Of the present connection, by WebRTC's names."""
        return self._peer.ice_connection_state if self._peer else None

    @property
    def own_level(self) -> int:
        """Loudness of what is sent now."""
        return min((track.audio_level for track in self._lent), default=127)

    def stats(self) -> PeerStats | None:
        """Of the present connection as of now, ``None`` without one."""
        return self._meter.sample(self._peer.figures()) if self._peer is not None else None

    def take(self, action: Any) -> None:
        """Something to do for the peer, in order; bounded by the protocol's own limits."""
        if not self._inbox.full():
            self._inbox.put_nowait(action)

    def end(self, over: Over, definition: str = "") -> None:
        """This attempt is over."""
        if self._inbox.full():
            self._inbox.get_nowait()
        self._inbox.put_nowait(_End(over, definition))

    def refuse(self, definition: str) -> None:
        """The server has an error for this session (section 3.7)."""
        reaction = MEANINGS[definition].reaction
        # What is up was not meant, or we are taken at our word: the answer to a query, or a play that is playing.
        if reaction is Reaction.NOBODY_YET and (self.publishes or self.connected):
            return
        if reaction is Reaction.TWICE and self.connected:
            return
        if reaction in _OVER:
            self.end(_OVER[reaction], definition)

    def hurry(self) -> None:
        """Something began: do not wait any longer before the room is played again."""
        self._hurry.set()

    def retry(self) -> None:
        """Whatever the next attempt waits for: wait no longer."""
        self._urged.set()
        self._hurry.set()

    def send_data(self, data: str | bytes) -> bool:
        """Send on the data channel; ``False`` when it is not open."""
        return self._peer is not None and self._peer.send(data)

    async def run(self) -> None:
        """Attempt after attempt; returns when there is no point in another."""
        owner, pauses, last, row, tries = self._owner, back_off(RETRY_LOST), "", 0, 0
        while True:
            await owner.online.wait()
            self._is_up = False
            self._hurry.clear()
            end = await self._attempt()
            if self._is_up:
                # What was up comes back soon; what never gets up is asked for less and less often.
                pauses = back_off(RETRY_LOST)
            row = row + 1 if end.definition and end.definition == last and not self._is_up else 1
            tries = 1 if self._is_up else tries + 1
            last = end.definition
            if not owner.reconnects or self._is_hopeless(end, row):
                self._give_up(end)
                return
            await self._pause(end, tries, pauses)
            if end.over in (Over.LOST, Over.BUSY):
                kind = "publisher" if self.publishes else "player"
                owner.callback(f"reconnection_attempt_for_{kind}", self._stream_id)

    def _is_hopeless(self, end: _End, row: int) -> bool:
        if end.over is Over.REFUSED:
            # A code that ran out on its way to the server: the next one is another.
            has_run_out = self._fresh().subscriber_code != self._signed.subscriber_code
            return not (end.definition == "unauthorized_access" and has_run_out)
        if end.over is Over.IN_USE and self._was_accepted:
            return row > IN_USE_TRIES
        meaning = MEANINGS.get(end.definition)
        if meaning is None:
            return False
        return meaning.reaction is Reaction.IN_USE or (meaning.tries is not None and row > meaning.tries)

    def _give_up(self, end: _End) -> None:
        self._owner.ended(self._stream_id)
        about = {"streamId": self._stream_id, "reason": end.over.value, "definition": end.definition}
        self._owner.callback_error("session_ended", {**about, "cause": self._cause(end)})

    def _cause(self, end: _End) -> AntconfError:
        shown = printable(self._stream_id, 60)
        if not end.definition:
            return LostError(f"the connection was lost ({shown})")
        if end.definition != "unauthorized_access":
            return refusal(end.definition, self._stream_id)
        room = self._command.main_track if isinstance(self._command, Publish) else ""
        text, hint = self._credentials.refused(
            room or self._stream_id, publishes=self.publishes, used=self._was_accepted
        )
        return RefusedError(f"{text} ({shown})", hint)

    async def _pause(self, end: _End, attempt: int, pauses: Iterator[float]) -> None:
        waking = self._urged
        match end.over:
            case Over.LOST:
                seconds = next(pauses)
            case Over.BUSY:
                seconds = max(RETRY_BUSY, next(pauses))
            case Over.IN_USE:
                seconds = RETRY_IN_USE
            case _:
                is_vain = end.over is Over.EMPTY and not self._owner.signalling.plays_rooms
                seconds = RETRY_COMMUNITY if is_vain else RETRY_EMPTY
                waking = self._hurry
        self._urged.clear()
        # A room that has nobody in it is waited for in silence, and without a socket it is that which is tried.
        if (self.publishes or waking is self._urged) and self._owner.online.is_set():
            self._owner.plan_retry(self._stream_id, attempt, seconds, end.reason)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await waking.wait()

    async def _attempt(self) -> _End:
        owner = self._owner
        while not self._inbox.empty():
            self._inbox.get_nowait()
        servers = await owner.ice_servers()
        kind = PublishPeer if self.publishes else PlayPeer
        self._peer = kind(self, servers, owner.addresses)
        self._meter = Meter(self._stream_id)
        try:
            self._signed = self._fresh()
            begin = owner.signalling.publish if self.publishes else owner.signalling.play
            await owner.carry_out(begin(self._signed))  # type: ignore[arg-type]
            async with asyncio.timeout(CONNECT_TIMEOUT) as self._deadline:
                while True:
                    action = await self._inbox.get()
                    if isinstance(action, _End):
                        if action.over is Over.EMPTY:
                            owner.signalling.forget(self._stream_id)
                        return action
                    await owner.carry_out(await self._do(action))
        except TimeoutError:
            owner.callback_error(
                "connection_timeout", {"streamId": self._stream_id, "message": "no media path to the server"}
            )
            return _End(Over.LOST, seen="no media path to the server")
        finally:
            self._deadline = None
            peer, self._peer = self._peer, None
            for track in self._lent:
                track.stop()
            self._lent.clear()
            if stopping := owner.signalling.stop(self._stream_id):
                await owner.carry_out(stopping)
            await peer.aclose()

    def _fresh(self) -> Publish | Play:
        """The command as of now: with a code that holds, and with the own stream that a room is to leave out."""
        command = self._command
        if isinstance(command, Play):
            command = replace(command, user_publish_id=self._owner.published_id())
        return self._credentials.sign(command)

    async def _do(self, action: Any) -> Actions:
        protocol, stream_id = self._owner.signalling, self._stream_id
        self._was_accepted = self._was_accepted or not isinstance(action, AddCandidate)
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
            if isinstance(action, ApplyAnswer):
                self.end(Over.REFUSED, "notSetRemoteDescription")
            else:
                self.end(Over.FINISHED)
        return ()

    def _lend(self) -> list[LentTrack]:
        self._lent = self._lender()
        return self._lent

    # what the peer says

    def ice_state(self, state: str) -> None:
        """`PeerListener`."""
        self._owner.callback("ice_connection_state_changed", {"state": state, "streamId": self._stream_id})

    def connection_state(self, state: str) -> None:
        """`PeerListener`."""
        if state == "connected":
            self._is_up = True
            if self._deadline is not None and not self._deadline.expired():
                self._deadline.reschedule(None)
        elif state in ("failed", "closed"):
            self.end(Over.LOST)

    def channel_state(self, is_open: bool) -> None:
        """`PeerListener`."""
        self._owner.callback("data_channel_opened" if is_open else "data_channel_closed", self._stream_id)

    def channel_error(self, error: str) -> None:
        """`PeerListener`."""
        self._owner.callback_error("data_channel_error", {"streamId": self._stream_id, "error": error})

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
