"""The adaptor's connection to its server: the socket, the sessions on it, and their return after a loss.

Used by `WebRTCAdaptor` alone. Texts go to the protocol, its actions are carried out here or by the session that they
concern. Source: signalling reference, 1.4, 3.7 and 4.6.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from aiortc import RTCIceServer

from tui.allowance import Allowance
from tui.core.address import check_url, is_loopback, with_target
from tui.core.aiortc_internals import Addresses
from tui.core.discovery import Endpoint
from tui.core.ice import is_private, usable
from tui.core.protocol import (
    Actions,
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    Gone,
    MakeOffer,
    Protocol,
    Report,
    Resume,
    Send,
    Started,
    UseIceServer,
)
from tui.core.refusals import MEANINGS, Reaction
from tui.core.session import Over, Session
from tui.core.signaling import Signaling, back_off
from tui.core.tasks import Tasks
from tui.core.wire import FieldError
from tui.errors import AntconfError, LostError, RefusedError, UnreachableError, UsageError, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.auth import Credentials
    from tui.core.commands import Play, Publish
    from tui.core.peer import LentTrack
    from tui.core.stats import PeerStats
    from tui.core.wire import Message

logger = logging.getLogger(__name__)

ICE_CONFIG_TIMEOUT = 1.0
"""Seconds to wait for the server's ``iceServerConfig`` (section 3.3)."""

SOCKET_TRIES = 20
"""Connects in a row that may fail before a lost connection is given up: about two minutes."""

URGED_GAP = 1.0
"""Seconds between two tries that are asked for by `Link.retry`, at least."""

FAREWELL_TIMEOUT = 1.0
"""Seconds that ``aclose`` waits for the server to confirm the last stops."""

BAD_MESSAGES = 20
BAD_MESSAGE_SPAN = 10.0
"""So many broken messages in so many seconds, and the socket is closed (hostile inputs, WS-8)."""

_SPOKEN = {
    "community_edition": "this server is the Community Edition: it can take your stream, but cannot play rooms",
    "signalling_flood": "the server renegotiates without end, it is followed once a second",
}


class Link:
    """One server, and everything that is published to it and played from it.

    ``callback`` and ``callback_error`` are the adaptor's. A server is a URL, or the endpoint that names one;
    ``target`` is the cluster hint.
    """

    def __init__(
        self,
        server: str | Endpoint,
        target: str,
        *,
        callback: Callable[[str, Any], None],
        callback_error: Callable[[str, Any], None],
        ice_servers: Sequence[RTCIceServer] | None,
        reconnects: bool,
        on_command: Callable[[Message], None] | None,
    ) -> None:
        self.callback = callback
        self.callback_error = callback_error
        self.signalling = Protocol()
        self.online = asyncio.Event()
        self.reconnects = reconnects
        self.addresses = Addresses.HOST
        self.sessions: dict[str, Session] = {}
        self._server = server
        self._target = target
        self._given_ice_servers = ice_servers
        self._ice_servers: list[RTCIceServer] = []
        self._asks_ice = False
        self._is_private = False
        self._ice_known = asyncio.Event()
        self._on_command = on_command
        self._tasks = Tasks(self._task_failed)
        self._opening = asyncio.Lock()
        self._socket: Signaling | None = None
        self._reading: asyncio.Task[Any]
        self._farewells: set[str] = set()
        self._farewell = asyncio.Event()
        self._complaints = Allowance(1, 1.0)
        self._urges = Allowance(1, URGED_GAP)
        self._urged = asyncio.Event()
        self._fault = ""
        self._bad: deque[float] = deque(maxlen=BAD_MESSAGES)
        self._watched: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    # lifetime

    async def open(self) -> None:
        """Connect the socket, unless it is; ``publish`` and ``play`` do it by themselves.

        Raises `UsageError`, `UnreachableError` or `RefusedError`.
        """
        async with self._opening:
            self._check_not_closed()
            if self._socket is None:
                socket = await self._connect()
                if self._closed:
                    await socket.aclose()
                    self._check_not_closed()
                self._socket = socket
                self._reading = self._tasks.spawn(self._run(socket), "signalling")
        if not await self._is_online():
            raise LostError("the signalling connection is closed")

    def _check_not_closed(self) -> None:
        if self._closed:
            raise LostError("the adaptor is closed")

    async def aclose(self) -> None:
        """Stop every session, close the socket; idempotent, within about 4 s."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.gather(*(self.end(stream_id) for stream_id in list(self.sessions)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_TIMEOUT):
                    while self._farewells and self.online.is_set():
                        self._farewell.clear()
                        await self._farewell.wait()
        finally:
            # Also for whoever has no more patience: a socket that stays open would ping for ever.
            await self._tasks.aclose()
            if self._socket is not None:
                await self._socket.aclose()

    async def _is_online(self) -> bool:
        """Wait for the socket to be open, as long as anything tries to open it."""
        opened = self._tasks.spawn(self.online.wait(), "waiting for the socket")
        try:
            await asyncio.wait({opened, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            return opened.done() and not opened.cancelled()
        finally:
            opened.cancel()

    # the socket

    async def _connect(self) -> Signaling:
        server = self._server
        url = await server.websocket_url() if isinstance(server, Endpoint) else check_url(server)
        socket = await Signaling.open(with_target(url, self._target))
        local = is_loopback(url)
        self.addresses = Addresses.LOOPBACK if local else Addresses.HOST
        self._is_private = is_private(socket.remote_host)
        self._asks_ice = not local and self._given_ice_servers is None
        self._take_ice_servers(self._given_ice_servers or (), private=True)
        return socket

    async def _run(self, socket: Signaling) -> None:
        while True:
            refusal = await self._serve(socket)
            next_socket = None
            if refusal is not None:
                await self._give_up(refusal)
            elif self.reconnects and self.sessions and not self._closed:
                next_socket = await self._reopen()
            if next_socket is None:
                self._socket = None
                return
            socket = self._socket = next_socket

    async def _serve(self, socket: Signaling) -> RefusedError | None:
        """One socket from its opening to its end; returns why the server does not want us, if that was the end."""
        reason = ""
        self._bad.clear()
        self.online.set()
        try:
            async with socket:
                self.callback("initialized", None)
                if self._asks_ice:
                    await self.ask_ice_servers()
                async for text in socket:
                    await self._receive(text)
        except RefusedError as error:
            reason = str(error)
            return error
        except (LostError, WireError) as error:
            reason = str(error)
        finally:
            self.online.clear()
            self._ice_known.clear()
            self.signalling.disconnected()
            self._farewells.clear()
            self._farewell.set()
            for session in self.sessions.values():
                session.end(Over.LOST)
            self._fault = reason or "the connection was lost"
            self.callback("closed", {"reason": reason})
        return None

    async def _reopen(self) -> Signaling | None:
        patience, unasked, delays = 0.0, 0, back_off()
        for attempt in itertools.count(1):
            if unasked == SOCKET_TRIES:
                break
            # Whoever is impatient shall not be given up the sooner for it.
            unasked += not await self._wait(attempt, max(next(delays), patience))
            try:
                return await self._connect()
            except (RefusedError, UsageError) as error:
                await self._give_up(error)
                return None
            except AntconfError as error:
                logger.info("reconnecting: %s", error)
                self._fault = str(error)
                patience = error.retry_after if isinstance(error, UnreachableError) else 0.0
        await self._give_up(LostError(f"the server did not come back after {SOCKET_TRIES} tries"))
        return None

    async def _wait(self, attempt: int, seconds: float) -> bool:
        """Until the next try of the socket; whether somebody asked for it earlier."""
        self.plan_retry("", attempt, seconds, self._fault)
        self._urged.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._urged.wait()
        return False

    def plan_retry(self, stream_id: str, attempt: int, seconds: float, reason: str) -> None:
        """Tell when the next try of a session is due, or of the socket when no stream is named."""
        about = {"streamId": stream_id} if stream_id else {}
        plan = {"attempt": attempt, "seconds": round(seconds, 1), "reason": reason}
        self.callback("retry_planned", about | plan)

    def retry(self) -> None:
        """Whatever waits to be tried again waits no longer; nothing happens when that was asked for just now."""
        if self._urges.take():
            self._urged.set()
            for session in self.sessions.values():
                session.retry()

    async def _give_up(self, cause: AntconfError) -> None:
        """There will be no other socket: every session ends with this one."""
        abandoned = list(self.sessions.values())
        self.sessions.clear()
        for stream_id in list(self._watched):
            self.unwatch(stream_id)
        tasks = [session.task for session in abandoned if session.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.callback_error("WebSocketNotConnected", {"message": str(cause), "cause": cause})

    async def _receive(self, text: str | bytes) -> None:
        try:
            actions = self.signalling.receive(text)
        except FieldError as error:
            if self._complaints.take():
                logger.warning("signalling: %s", error)
            return
        except WireError as error:
            self._bad.append(time.monotonic())
            if self._complaints.take():
                logger.warning("signalling: %s", error)
            if len(self._bad) == BAD_MESSAGES and self._bad[-1] - self._bad[0] < BAD_MESSAGE_SPAN:
                raise WireError("the server keeps sending what is not the signalling protocol") from error
            return
        await self.carry_out(actions)

    async def carry_out(self, actions: Actions) -> None:
        """For the sessions: do what the protocol says, in order."""
        for action in actions:
            match action:
                case Send(message):
                    await self.send(message)
                case Report(info, obj, error):
                    self._report(info, obj, error)
                case UseIceServer():
                    self._use_ice_server(action)
                case Resume(stream_id, after):
                    self._tasks.spawn(self._resume(stream_id, after), "the offer that waits")
                case Started():
                    for player in self.sessions.values():
                        player.hurry()
                case Gone(stream_id):
                    self._end_attempt(stream_id)
                case MakeOffer(stream_id) | ApplyAnswer(stream_id) | ApplyOffer(stream_id) | AddCandidate(stream_id):
                    if (session := self.sessions.get(stream_id)) is not None:
                        session.take(action)

    async def _resume(self, stream_id: str, after: float) -> None:
        await asyncio.sleep(after)
        await self.carry_out(self.signalling.resume(stream_id))

    async def send(self, message: Message) -> None:
        """Write one message; nothing happens while the socket is not open."""
        socket = self._socket
        if socket is None or not self.online.is_set():
            return
        if self._on_command is not None:
            self._on_command(message)
        with contextlib.suppress(LostError):  # the reading side reports the end of the socket
            await socket.send(message)

    def _report(self, info: str, obj: Any, error: bool) -> None:
        stream_id = obj.get("streamId") if isinstance(obj, dict) else None
        if error:
            self.callback_error(info, {**obj, "message": _SPOKEN[info]} if info in _SPOKEN else obj)
            self._refuse(stream_id, info)
            return
        self.callback(info, obj)
        if info in ("publish_finished", "play_finished") and isinstance(stream_id, str):
            if stream_id in self._farewells:  # the session that was stopped, not one begun since under its id
                self._farewells.discard(stream_id)
                self._farewell.set()
            else:
                self._end_attempt(stream_id)
        elif info == "server_will_stop" and self._socket is not None:
            self._tasks.spawn(self._socket.aclose(), "closing before the server stops")

    async def ask_ice_servers(self) -> None:
        """Ask for the server's STUN or TURN address."""
        await self.carry_out(self.signalling.ask_ice_servers())

    def _use_ice_server(self, server: UseIceServer) -> None:
        if self._asks_ice:
            named = RTCIceServer(server.uri, server.username or None, server.credential or None)
            self._take_ice_servers([named] if server.uri else [], private=self._is_private)
        self._ice_known.set()

    def _take_ice_servers(self, servers: Sequence[RTCIceServer], *, private: bool) -> None:
        self._ice_servers, complaints = usable(servers, private=private)
        for complaint in complaints:
            logger.warning("%s", complaint)

    # sessions

    async def begin(
        self,
        command: Publish | Play,
        credentials: Credentials,
        lend: Callable[[], list[LentTrack]] = list,
    ) -> None:
        """Begin a session, in place of the one of that id; ``lend`` gives the tracks to each of its connections."""
        await self.open()
        while command.stream_id in self.sessions:
            await self._end_session(command.stream_id)
        self._check_not_closed()
        session = Session(self, command, credentials, lend)
        self.sessions[command.stream_id] = session
        session.task = self._tasks.spawn(session.run(), f"session {command.command}")

    async def end(self, stream_id: str) -> None:
        self.unwatch(stream_id)
        await self._end_session(stream_id)

    async def _end_session(self, stream_id: str) -> None:
        session = self.sessions.pop(stream_id, None)
        if session is None:
            return
        actions = self.signalling.stop(stream_id)
        if actions and self.online.is_set():
            self._farewells.add(stream_id)
        await self.carry_out(actions)
        if session.task is not None:
            session.task.cancel()
            await asyncio.gather(session.task, return_exceptions=True)

    def _end_attempt(self, stream_id: str) -> None:
        if (session := self.sessions.get(stream_id)) is not None:
            session.end(Over.FINISHED)

    def _refuse(self, stream_id: Any, definition: str) -> None:
        """Tell the session of that id; an error that names no stream concerns whoever is not connected yet."""
        meaning = MEANINGS.get(definition)
        if meaning is None or meaning.reaction is Reaction.REPORTED:
            return
        if isinstance(stream_id, str) and stream_id:
            concerned = [self.sessions[stream_id]] if stream_id in self.sessions else []
        else:
            concerned = [session for session in self.sessions.values() if not session.connected]
        for session in concerned:
            session.refuse(definition)

    # figures

    def stats(self, stream_id: str) -> PeerStats | None:
        """Of that session's connection as of now, ``None`` without one."""
        session = self.sessions.get(stream_id)
        return session.stats() if session else None

    def watch(self, stream_id: str, period: float) -> None:
        """Tell ``updated_stats`` each so many seconds; nothing happens when that is done already."""
        if stream_id not in self._watched and not self._closed:
            self._watched[stream_id] = self._tasks.spawn(self._watch(stream_id, period), "statistics")

    def unwatch(self, stream_id: str) -> None:
        """Undo `watch`."""
        if (task := self._watched.pop(stream_id, None)) is not None:
            task.cancel()

    async def _watch(self, stream_id: str, period: float) -> None:
        while True:
            await asyncio.sleep(period)
            if (stats := self.stats(stream_id)) is not None:
                self.callback("updated_stats", stats.as_sdk())

    def published_id(self) -> str:
        """For the sessions: the id of the own stream, empty when nothing is published."""
        return next((stream_id for stream_id, session in self.sessions.items() if session.publishes), "")

    async def ice_servers(self) -> list[RTCIceServer]:
        """For the sessions: what to gather with, once the server has had its say."""
        if self._asks_ice:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ICE_CONFIG_TIMEOUT):
                    await self._ice_known.wait()
        return self._ice_servers

    def ended(self, stream_id: str) -> None:
        """A session has given up."""
        self.sessions.pop(stream_id, None)
        self.unwatch(stream_id)

    def _task_failed(self, error: BaseException) -> None:
        self.callback_error("internal_error", {"message": repr(error), "cause": error})
