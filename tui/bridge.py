"""The only door between the core's thread and Textual: calls in, one message out.

Used by the app. The core lives on an event loop of its own in a thread of its own, because a terminal that
stops reading blocks Textual's loop and must not stop the call. Calls return at once; what comes of them is
told by `Bridge.News`, of which at most one is under way: whoever gets it asks `Bridge.take` for the newest
state and the lines in between. Nothing here waits for the screen or grows with what the server sends.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from textual.message import Message

from tui.core.events import (
    Callback,
    CallState,
    CallStateChanged,
    Direction,
    LocalMediaChanged,
    RosterChanged,
    TrackAdded,
    TrackRemoved,
)
from tui.errors import AntconfError
from tui.session import SoundChanged
from tui.text import printable, with_hint
from tui.updates import CallView, LogLine, Update, log_line, people

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.message_pump import MessagePump

    from tui.config import JoinOptions
    from tui.core.events import Participant
    from tui.media.board import Board
    from tui.session import CallEvent, Session, SessionFactory

LEAVE_LIMIT: Final = 2.0
"""Seconds that leaving may take before it is given up."""
LINES: Final = 2000
"""Log lines that wait for the screen at most; the oldest go first."""

_NETWORK: Final = frozenset({"aiortc", "aioice", "websockets", "OpenSSL", "pylibsrtp", "pyee", "asyncio"})
"""Libraries in which what the other end sends can raise outside of any call of ours."""

_log = logging.getLogger(__name__)


class Bridge:
    """Runs one session after another on the core's thread and tells ``target`` about them."""

    @dataclass
    class News(Message, bubble=False):
        """Something new waits in `Bridge.take`."""

    @dataclass
    class Failed(Message, bubble=False):
        """The core broke: a defect, not a refusal. The app must end."""

        error: BaseException

    def __init__(
        self,
        target: MessagePump,
        session: SessionFactory,
        board: Board,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._target = target
        self._factory = session
        self._board = board
        self._clock = clock
        self._lock = threading.Lock()
        self._view = CallView()
        self._roster: tuple[Participant, ...] | None = None
        self._lines: deque[LogLine] = deque(maxlen=LINES)
        self._dropped = 0
        self._ringing = False
        self._session: Session | None = None
        self._joining: asyncio.Task[None] | None = None
        self._call = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None
        """The defect that ended the core."""

    # From the screen's thread.

    def start(self) -> None:
        """Start the core's thread; once."""
        # Two threads share the interpreter: with the default of 5 ms a busy screen delays every RTP packet.
        sys.setswitchinterval(0.0005)
        # What lives as long as the program need not be walked by collections that stall sound.
        gc.freeze()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="core", daemon=True)
        self._thread.start()

    def take(self) -> Update:
        """Everything new since the last call."""
        with self._lock:
            self._ringing = False
            roster, self._roster = self._roster, None
            if roster is not None:
                self._view = replace(self._view, people=people(roster))
            update = Update(self._view, tuple(self._lines), self._dropped)
            self._lines.clear()
            self._dropped = 0
        return update

    @property
    def state(self) -> CallState:
        """Where the call stands now; ahead of what the screen shows."""
        with self._lock:
            return self._view.state

    def join(self, options: JoinOptions) -> None:
        """Enter a room with a new session; one that is open is left first."""
        self._enter(CallState.CONNECTING)
        self._ask(self._join(options))

    def leave(self) -> None:
        """Leave the room, or give up joining it."""
        self._enter(CallState.LEAVING)
        self._ask(self._leave())

    def set_microphone(self, on: bool) -> None:
        """Speak or be silent."""
        self._ask(self._set(lambda session: session.set_microphone(on)))

    def set_camera(self, on: bool) -> None:
        """Be seen or not."""
        self._ask(self._set(lambda session: session.set_camera(on)))

    def set_deafened(self, deafened: bool) -> None:
        """Hear nothing or everybody."""
        self._ask(self._set(lambda session: session.set_deafened(deafened)))

    def close_soon(self) -> None:
        """Leave and end the core's thread, without waiting; from any thread, any number of times."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._ended.set)
            except RuntimeError:
                _log.debug("the core's loop has ended already")

    async def aclose(self) -> None:
        """`close_soon`, and wait for it within `LEAVE_LIMIT`; idempotent."""
        self.close_soon()
        if self._thread is None:
            return
        await asyncio.to_thread(self._thread.join, LEAVE_LIMIT)
        if self._thread.is_alive():
            _log.warning("the core's thread did not end in %s s", LEAVE_LIMIT)

    def _ask(self, work: Coroutine[object, object, None]) -> None:
        watched = self._watched(work)
        try:
            assert self._loop is not None
            asyncio.run_coroutine_threadsafe(watched, self._loop)
        except RuntimeError:
            # The loop has ended; nothing is left to ask.
            watched.close()
            work.close()

    # On the core's thread.

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(self._live())
        except BaseException as error:
            self._fail(error)

    async def _live(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._stray)
        await self._ended.wait()
        try:
            async with asyncio.timeout(LEAVE_LIMIT * 0.9):
                await self._leave()
        except TimeoutError:
            _log.warning("leaving took too long and was given up")

    async def _watched(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except AntconfError as error:
            self._told(CallStateChanged(CallState.FAILED, str(error), error.hint, error.exit_code))
        except Exception as error:
            self._fail(error)

    async def _join(self, options: JoinOptions) -> None:
        async with self._turn:
            await self._part()
            self._enter(CallState.CONNECTING)
            self._joining = asyncio.current_task()
            try:
                self._session = self._factory(options, partial(self._heard, self._call), self._board)
                await self._session.join()
            finally:
                self._joining = None

    async def _leave(self) -> None:
        if self._joining is not None:
            self._joining.cancel()
        async with self._turn:
            await self._part()
            if self.state is not CallState.IDLE:
                self._told(CallStateChanged(CallState.IDLE))

    async def _set(self, change: Callable[[Session], Coroutine[object, object, None]]) -> None:
        if self._session is not None:
            await change(self._session)

    async def _part(self) -> None:
        session = self._session
        if session is None:
            return
        try:
            async with asyncio.timeout(LEAVE_LIMIT):
                await session.leave()
                await session.aclose()
        except TimeoutError:
            self._told(Callback("leaving took too long", None, Direction.LOCAL, self._clock(), error=True))
        finally:
            # What an old session still says is not about the next one.
            self._call += 1
            self._session = None

    def _heard(self, call: int, event: CallEvent) -> None:
        if call == self._call:
            self._told(event)

    def _stray(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """An error that nobody awaited: what the network did to a library is only told, others are defects."""
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError) and _raised_in(error) not in _NETWORK:
            self._fail(error)
            return
        text = str(error or context.get("message", ""))
        _log.warning("stray error in the core: %s", text, exc_info=error if isinstance(error, Exception) else None)
        self._told(Callback("stray error", text, Direction.LOCAL, self._clock(), error=True))

    def _fail(self, error: BaseException) -> None:
        _log.error("the core failed", exc_info=error)
        self.failure = error
        self._target.post_message(self.Failed(error))

    # From both.

    def _enter(self, state: CallState) -> None:
        with self._lock:
            self._view = self._moved(CallStateChanged(state))
        self._ring()

    def _told(self, event: CallEvent) -> None:
        """Keep what is new in ``event``; quick, and never raises into the session."""
        try:
            line = self._line(event)
        except Exception as error:
            self._fail(error)
            return
        with self._lock:
            match event:
                case CallStateChanged():
                    self._view = self._moved(event)
                case RosterChanged(participants):
                    self._roster = participants
                case LocalMediaChanged(microphone, camera):
                    self._view = replace(self._view, microphone=microphone, camera=camera)
                case Callback() | TrackAdded() | TrackRemoved():
                    pass
                case SoundChanged():
                    self._view = self._heard_by(event)
            if line is not None:
                if len(self._lines) == LINES:
                    self._dropped += 1
                self._lines.append(line)
        self._ring()

    def _moved(self, event: CallStateChanged) -> CallView:
        match event.state:
            case CallState.JOINED if self._view.joined_at is None:
                joined_at: float | None = self._clock()
            case CallState.JOINED | CallState.RECONNECTING | CallState.LEAVING:
                joined_at = self._view.joined_at
            case _:
                joined_at = None
        moved = replace(
            self._view,
            state=event.state,
            reason=printable(event.reason),
            hint=printable(event.hint),
            exit_code=event.exit_code,
            joined_at=joined_at,
        )
        if event.state in (CallState.IDLE, CallState.FAILED):
            self._roster = None
            moved = replace(moved, people=(), microphone=None, camera=None, output=None, output_hint="")
        return moved

    def _heard_by(self, sound: SoundChanged) -> CallView:
        return replace(
            self._view,
            output=None if sound.output is None else printable(sound.output, 60),
            output_hint=printable(sound.hint),
            deafened=sound.deafened,
        )

    def _line(self, event: CallEvent) -> LogLine | None:
        match event:
            case Callback(routine=True):
                # Pings and unchanged polls would push what matters out of sight.
                return None
            case Callback():
                return log_line(event)
            case CallStateChanged(state, reason, hint):
                text = with_hint(reason, hint)
                return LogLine(self._clock(), Direction.LOCAL, state.value, text, state is CallState.FAILED)
            case RosterChanged() | LocalMediaChanged() | TrackAdded() | TrackRemoved():
                return None
            case SoundChanged(output, hint, deafened):
                text = "deafened" if deafened else output or f"no sound: {hint}"
                return LogLine(self._clock(), Direction.LOCAL, "sound", printable(text))

    def _ring(self) -> None:
        with self._lock:
            if self._ringing:
                return
            self._ringing = True
        if not self._target.post_message(self.News()):
            with self._lock:
                self._ringing = False


def _raised_in(error: Exception) -> str:
    """The top-level package whose code raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    name = traceback.tb_frame.f_globals.get("__name__", "") if traceback is not None else ""
    return str(name).partition(".")[0]
