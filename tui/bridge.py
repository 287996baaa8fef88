"""The only door between the core's thread and Textual: calls in, one message out.

Used by the app. The core lives on an event loop of its own in a thread of its own, because a terminal that
stops reading blocks Textual's loop and must not stop the call. Calls return at once; what comes of them is
told by `Bridge.News`, of which at most one is under way: whoever gets it asks `Bridge.take` for the newest
state and the lines in between. Nothing here waits for the screen or grows with what the server sends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from textual.message import Message

from tui.choices import Choices, equipped
from tui.core.collector import settle
from tui.core.events import (
    Callback,
    CallState,
    CallStateChanged,
    Direction,
    ModeratorRequest,
    Wish,
)
from tui.digest import Digest
from tui.errors import AntconfError, DeviceError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.message_pump import MessagePump

    from tui.config import JoinOptions
    from tui.media.board import Board
    from tui.session import CallEvent, Session, SessionFactory, SoundReport
    from tui.statistics import Statistics
    from tui.updates import Update

LEAVE_LIMIT: Final = 2.0
"""Seconds that leaving may take before it is given up."""

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
        self._digest = Digest(clock)
        self._ringing = False
        self._asked: tuple[JoinOptions, Choices] | None = None
        self._session: Session | None = None
        self._joining: asyncio.Task[None] | None = None
        self._call = 0
        self._settled = -1
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
        return self._digest.take()

    @property
    def state(self) -> CallState:
        """Where the call stands now; ahead of what the screen shows."""
        return self._digest.state

    def join(self, options: JoinOptions, choices: Choices | None = None) -> None:
        """Enter a room with a new session; one that is open is left first.

        ``choices`` are the devices to use where ``options`` name none; one that is missing is no error.
        """
        self._enter(CallState.CONNECTING)
        self._asked = options, choices or Choices()
        self._ask(self._join(*self._asked))

    def leave(self) -> None:
        """Leave the room, or give up joining it."""
        self._enter(CallState.LEAVING)
        self._ask(self._leave())

    def publish(self) -> None:
        """Take part in the room that was joined to listen, with the devices that were asked for then."""
        if self._asked is not None:
            options, choices = self._asked
            self._ask(self._publish(replace(options, play_only=False), choices))

    def stop_publishing(self) -> None:
        """Only listen and watch."""
        self._ask(self._set(lambda session: session.stop_publishing()))

    def set_microphone(self, on: bool) -> None:
        """Speak or be silent."""
        self._ask(self._set(lambda session: session.set_microphone(on)))

    def set_camera(self, on: bool) -> None:
        """Be seen or not."""
        self._ask(self._set(lambda session: session.set_camera(on)))

    def set_away(self, away: bool) -> None:
        """Be away or back."""
        self._ask(self._set(lambda session: session.set_away(away)))

    def set_low_bandwidth(self, low: bool) -> None:
        """Sound first, on a thin line; holds for the next rooms too."""
        self._digest.set_low_bandwidth(low)
        if self._loop is not None:
            self._ask(self._set(lambda session: session.set_low_bandwidth(low)))
        self._ring()

    def set_deafened(self, deafened: bool) -> None:
        """Hear nothing or everybody."""
        self._ask(self._set(lambda session: session.set_deafened(deafened)))

    @property
    def volume(self) -> float:
        """How loud everybody together is wanted; ahead of what the session has told."""
        return self._digest.volume

    def set_volume(self, volume: float) -> None:
        """How loud everybody is together, 0.0 to 2.0; holds for the next rooms too."""
        self._digest.set_volume(volume)
        self._ask(self._set(lambda session: session.set_volume(volume)))
        self._ring()

    def set_voice(self, stream_id: str, volume: float, muted: bool) -> None:
        """How loud that person is, 0.0 to 2.0, and whether they are heard at all; holds for the next rooms too."""
        self._digest.set_voice(stream_id, volume, muted)
        self._ask(self._set(lambda session: session.set_voice(stream_id, volume, muted)))
        self._ring()

    def use_speaker(self, device: str) -> None:
        """Play on another output from now on."""
        self._ask(self._set(lambda session: session.use_speaker(device)))

    def use_microphone(self, device: str) -> None:
        """Record with another microphone from now on."""
        self._use(microphone=device)
        self._ask(self._set(lambda session: session.use_microphone(device)))

    def use_camera(self, device: str) -> None:
        """Show another camera, a screen, a file or nothing from now on."""
        self._use(camera=device)
        self._ask(self._set(lambda session: session.use_camera(device)))

    def _use(self, **devices: str) -> None:
        """Whoever only listens speaks with these, if they speak at all."""
        if self._asked is not None:
            options, choices = self._asked
            self._asked = replace(options, **devices), choices  # type: ignore[arg-type]

    def share(self, source: str) -> None:
        """Show a screen, a file or a test picture beside the camera."""
        self._ask(self._set(lambda session: session.share(source)))

    def stop_sharing(self) -> None:
        """Show no such screen any more."""
        self._ask(self._set(lambda session: session.stop_sharing()))

    def retry(self) -> None:
        """Try the lost connection again at once."""
        self._ask(self._set(lambda session: session.retry()))

    def speak_while_held(self, seconds: float) -> None:
        """Speak for that time, unless asked anew."""
        self._ask(self._set(lambda session: session.speak_while_held(seconds)))

    def sound_report(self) -> SoundReport | None:
        """How the sound is doing, ``None`` without a call."""
        session = self._session
        return session.sound_report() if session is not None else None

    def statistics(self) -> Statistics | None:
        """How the call does, ``None`` without one."""
        session = self._session
        return session.statistics() if session is not None else None

    def answer(self, number: int, granted: bool) -> None:
        """Answer a moderator's request; the next one, if there is any, is the question from now on."""
        request = self._digest.answered(number)
        if request is None:
            return
        self._ask(self._set(lambda session: session.answer_request(request, granted)))
        if granted and request.wish is Wish.SPEAK:
            self.publish()
        self._ring()

    def say(self, text: str) -> None:
        """Say something in the chat."""
        self._ask(self._set(lambda session: session.chat(text)))

    def react(self, reaction: str) -> None:
        """Show a feeling."""
        self._ask(self._set(lambda session: session.react(reaction)))

    def raise_hand(self) -> None:
        """Ask to be allowed to speak."""
        self._ask(self._set(lambda session: session.raise_hand()))

    def answer_hand(self, stream_id: str, granted: bool) -> None:
        """Tell a listener who raised a hand whether to speak."""
        self._digest.put_hand_down(stream_id)
        self._ring()
        self._ask(self._set(lambda session: session.answer_hand(stream_id, granted)))

    def ask(self, stream_id: str, favour: Wish) -> None:
        """Ask somebody else in the room for something."""
        self._ask(self._set(lambda session: session.ask(stream_id, favour)))

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

    async def _join(self, options: JoinOptions, choices: Choices) -> None:
        async with self._turn:
            await self._part()
            self._enter(CallState.CONNECTING)
            self._joining = asyncio.current_task()
            try:
                chosen, notes = await equipped(options, choices)
                self._note(*notes)
                try:
                    await self._open(chosen)
                except DeviceError as error:
                    if chosen == options:
                        raise
                    # Nobody asked for it now: what was chosen some time ago may be in use or broken.
                    await self._part()
                    self._note(f"{error}: the default one is used.")
                    await self._open(options)
            except AntconfError:
                await self._part()
                raise
            finally:
                self._joining = None

    async def _open(self, options: JoinOptions) -> None:
        session = self._session = self._factory(options, partial(self._heard, self._call), self._board)
        if self._digest.volume != 1.0:
            await session.set_volume(self._digest.volume)
        if self._digest.low_bandwidth:
            await session.set_low_bandwidth(True)
        for stream_id, (volume, muted) in self._digest.voices.items():
            await session.set_voice(stream_id, volume, muted)
        await session.join()

    async def _publish(self, options: JoinOptions, choices: Choices) -> None:
        chosen, notes = await equipped(options, choices)
        self._note(*notes)
        await self._set(lambda session: session.publish(chosen))

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
        except TimeoutError:
            self._told(Callback("leaving took too long", None, Direction.LOCAL, self._clock(), error=True))
        finally:
            # What an old session still says is not about the next one.
            self._call += 1
            self._session = None
            # Devices are given back however the leaving went.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVE_LIMIT):
                    await session.aclose()

    async def _part_failed(self, call: int) -> None:
        """Nothing comes of that call any more: its microphone and camera are given back."""
        async with self._turn:
            if call == self._call:
                await self._part()

    def _note(self, *notes: str) -> None:
        for note in notes:
            self._told(Callback("device", note, Direction.LOCAL, self._clock()))

    def _heard(self, call: int, event: CallEvent) -> None:
        if call == self._call:
            self._told(event)
            if isinstance(event, CallStateChanged) and event.state is CallState.FAILED:
                self._ask(self._part_failed(call))
            elif isinstance(event, CallStateChanged) and event.state is CallState.JOINED and call != self._settled:
                self._settled = call
                self._ask(settle())

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
        self._digest.enter(state)
        self._ring()

    def _told(self, event: CallEvent) -> None:
        """Quick, and never raises into the session."""
        try:
            self._digest.tell(event)
        except Exception as error:
            self._fail(error)
            return
        if isinstance(event, ModeratorRequest) and event.obeyed and event.wish is Wish.SPEAK:
            self.publish()
        self._ring()

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
