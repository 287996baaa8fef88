"""The adaptor's connection to its server: the socket, the sessions on it, and their return after a loss.

Used by `WebRTCAdaptor` alone. Texts go to the protocol, its actions are carried out here or by the session that they
concern. Source: signalling reference, 1.4, 3.7 and 4.6.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from aiortc import RTCIceServer

from tui.core.address import is_loopback
from tui.core.aiortc_internals import Addresses
from tui.core.protocol import (
    Actions,
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    Gone,
    MakeOffer,
    Protocol,
    Report,
    Send,
    UseIceServer,
)
from tui.core.refusals import IN_USE, NOBODY_YET, PASSING, REFUSALS
from tui.core.session import Over, Session
from tui.core.signaling import Signaling, back_off
from tui.core.tasks import Tasks
from tui.errors import AntconfError, LostError, RefusedError, UsageError, WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.messages import Message, Play, Publish
    from tui.core.peer import LentTrack

logger = logging.getLogger(__name__)

ICE_CONFIG_TIMEOUT = 1.0
"""Seconds to wait for the server's ``iceServerConfig`` (section 3.3)."""

SOCKET_TRIES = 20
"""Connects in a row that may fail before a lost connection is given up: about two minutes."""

FAREWELL_TIMEOUT = 1.0
"""Seconds that ``aclose`` waits for the server to confirm the last stops."""

BAD_MESSAGES = 20
BAD_MESSAGE_SPAN = 10.0
"""So many broken messages in so many seconds, and the socket is closed (hostile inputs, WS-8)."""

_ICE_URI = re.compile(r"(stun|turn|turns):[^\s?]{1,255}(\?transport=(udp|tcp))?\Z")


class Link:
    """One server, and everything that is published to it and played from it.

    ``callback`` and ``callback_error`` are the adaptor's; ``lend`` gives the own tracks to a new connection.
    """

    def __init__(
        self,
        url: str,
        *,
        callback: Callable[[str, Any], None],
        callback_error: Callable[[str, Any], None],
        lend: Callable[[], list[LentTrack]],
        ice_servers: Sequence[RTCIceServer] | None,
        reconnects: bool,
        on_command: Callable[[Message], None] | None,
    ) -> None:
        local = is_loopback(url)
        self.callback = callback
        self.callback_error = callback_error
        self.lend = lend
        self.signalling = Protocol()
        self.online = asyncio.Event()
        self.reconnects = reconnects
        self.addresses = Addresses.LOOPBACK if local else Addresses.HOST
        self.sessions: dict[str, Session] = {}
        self._url = url
        self._ice_servers = [] if local else list(ice_servers or ())
        self._asks_ice = not local and ice_servers is None
        self._ice_known = asyncio.Event()
        self._on_command = on_command
        self._tasks = Tasks(self._task_failed)
        self._opening = asyncio.Lock()
        self._socket: Signaling | None = None
        self._reading: asyncio.Task[Any]
        self._farewells: set[str] = set()
        self._farewell = asyncio.Event()
        self._bad: deque[float] = deque(maxlen=BAD_MESSAGES)
        self._closed = False

    # lifetime

    async def open(self) -> None:
        """Connect the socket, unless it is; ``publish`` and ``play`` do it by themselves.

        Raises `UsageError`, `UnreachableError` or `RefusedError`.
        """
        async with self._opening:
            self._check_not_closed()
            if self._socket is None:
                socket = await Signaling.open(self._url)
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
        await asyncio.gather(*(self.end(stream_id) for stream_id in list(self.sessions)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_TIMEOUT):
                while self._farewells and self.online.is_set():
                    self._farewell.clear()
                    await self._farewell.wait()
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

    async def _run(self, socket: Signaling) -> None:
        while True:
            await self._serve(socket)
            next_socket = await self._reopen() if self.reconnects and self.sessions and not self._closed else None
            if next_socket is None:
                self._socket = None
                return
            socket = self._socket = next_socket

    async def _serve(self, socket: Signaling) -> None:
        """One socket from its opening to its end."""
        reason = ""
        self._bad.clear()
        self.online.set()
        try:
            async with socket:
                self.callback("initialized", None)
                if self._asks_ice:
                    await socket.ask_ice_servers()
                async for text in socket:
                    await self._receive(text)
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
            self.callback("closed", {"reason": reason})

    async def _reopen(self) -> Signaling | None:
        for _, delay in zip(range(SOCKET_TRIES), back_off(), strict=False):
            await asyncio.sleep(delay)
            try:
                return await Signaling.open(self._url)
            except (RefusedError, UsageError) as error:
                self._fail("WebSocketNotConnected", error)
                return None
            except AntconfError as error:
                logger.info("reconnecting: %s", error)
        self._fail("WebSocketNotConnected", LostError(f"the server did not come back after {SOCKET_TRIES} tries"))
        return None

    async def _receive(self, text: str | bytes) -> None:
        try:
            actions = self.signalling.receive(text)
        except WireError as error:
            self._bad.append(time.monotonic())
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
                case Gone(stream_id):
                    self._tell(stream_id, Over.FINISHED)
                case MakeOffer(stream_id) | ApplyAnswer(stream_id) | ApplyOffer(stream_id) | AddCandidate(stream_id):
                    if (session := self.sessions.get(stream_id)) is not None:
                        session.take(action)

    async def send(self, message: Message) -> None:
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
            self.callback_error(info, obj)
            if info in NOBODY_YET:
                self._tell(stream_id, Over.EMPTY)
            elif info in IN_USE:
                self._tell(stream_id, Over.IN_USE)
            elif info in REFUSALS:
                self._tell(stream_id, Over.REFUSED)
            elif info in PASSING:
                self._tell(stream_id, Over.LOST)
            return
        self.callback(info, obj)
        if info in ("publish_finished", "play_finished") and isinstance(stream_id, str):
            if stream_id in self._farewells:  # the session that was stopped, not one begun since under its id
                self._farewells.discard(stream_id)
                self._farewell.set()
            else:
                self._tell(stream_id, Over.FINISHED)
        elif info in ("publish_started", "session_restored"):
            for session in self.sessions.values():
                session.hurry()
        elif info == "server_will_stop" and self._socket is not None:
            self._tasks.spawn(self._socket.aclose(), "closing before the server stops")

    def _use_ice_server(self, server: UseIceServer) -> None:
        if self._asks_ice:
            usable = _ICE_URI.match(server.uri) is not None
            named = RTCIceServer(server.uri, server.username or None, server.credential or None)
            self._ice_servers = [named] if usable else []
            if server.uri and not usable:
                logger.warning("the server named an ICE server that cannot be used")
        self._ice_known.set()

    # sessions

    async def begin(self, command: Publish | Play) -> None:
        await self.open()
        while command.stream_id in self.sessions:
            await self.end(command.stream_id)
        self._check_not_closed()
        session = Session(self, command)
        self.sessions[command.stream_id] = session
        session.task = self._tasks.spawn(session.run(), f"session {command.command}")

    async def end(self, stream_id: str) -> None:
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

    def _tell(self, stream_id: Any, over: Over) -> None:
        """End that session's attempt; an error that names no stream concerns whoever is not connected yet."""
        sessions = [self.sessions[stream_id]] if stream_id in self.sessions else []
        if not stream_id and not sessions:
            sessions = [session for session in self.sessions.values() if not session.connected]
        for session in sessions:
            session.end(over)

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

    def _fail(self, error: str, cause: Exception) -> None:
        self.callback_error(error, {"message": str(cause), "cause": cause})

    def _task_failed(self, error: BaseException) -> None:
        self.callback_error("internal_error", {"message": repr(error), "cause": error})
