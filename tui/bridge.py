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
import itertools
import logging
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from textual.message import Message

from tui.choices import Choices, equipped
from tui.core.collector import settle
from tui.core.events import (
    Announced,
    Callback,
    CallState,
    CallStateChanged,
    ChatMessage,
    Direction,
    LocalMediaChanged,
    ModeratorRequest,
    Notice,
    PublishingRefused,
    Reaction,
    RetryPlanned,
    RosterChanged,
    SharingChanged,
    TrackAdded,
    TrackRemoved,
    Wish,
)
from tui.crowd import Crowd
from tui.errors import AntconfError, DeviceError
from tui.session import Asked, HealthChanged, MutedSpeech, PictureChanged, QualityChanged, SoundChanged
from tui.text import printable, with_hint
from tui.updates import (
    CallView,
    ChatLine,
    LogLine,
    Question,
    Retry,
    Share,
    Update,
    aside,
    chat_line,
    log_line,
    question,
    request_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from textual.message_pump import MessagePump

    from tui.config import JoinOptions
    from tui.core.events import Participant
    from tui.media.board import Board
    from tui.session import CallEvent, Session, SessionFactory, SoundReport
    from tui.statistics import Statistics

LEAVE_LIMIT: Final = 2.0
"""Seconds that leaving may take before it is given up."""
REQUESTS: Final = 20
"""Moderators' requests that wait for an answer."""

HANDS: Final = 200
"""Raised hands that are remembered; whoever asks after that is only told of in the chat."""
CHAT: Final = 500
"""Entries of the chat that wait for the screen at most; the oldest go first."""
LINES: Final = 2000
"""Log lines that wait for the screen at most; the oldest go first."""
REMINDER_PAUSE: Final = 10.0
"""Seconds between two reminders that one talks while muted."""

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
        self._chat: deque[ChatLine] = deque(maxlen=CHAT)
        self._asides = itertools.count(1)
        self._hands: set[str] = set()
        self._requests: deque[ModeratorRequest] = deque(maxlen=REQUESTS)
        self._ringing = False
        self._volume = 1.0
        self._low_bandwidth = False
        self._voices: dict[str, tuple[float, bool]] = {}
        self._crowd = Crowd(self._voices, self._hands)
        self._sound_said = ""
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
            roster, self._roster = self._roster, None
            if roster is not None:
                # Their hands have been seen.
                self._hands -= self._crowd.follow(roster)
                self._view = replace(self._view, people=self._crowd.draw())
            update = Update(self._view, tuple(self._lines), self._dropped, tuple(self._chat))
            self._lines.clear()
            self._chat.clear()
            self._dropped = 0
        return update

    @property
    def state(self) -> CallState:
        """Where the call stands now; ahead of what the screen shows."""
        with self._lock:
            return self._view.state

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
        with self._lock:
            self._low_bandwidth = low
            self._view = replace(self._view, low_bandwidth=low)
        if self._loop is not None:
            self._ask(self._set(lambda session: session.set_low_bandwidth(low)))
        self._ring()

    def set_deafened(self, deafened: bool) -> None:
        """Hear nothing or everybody."""
        self._ask(self._set(lambda session: session.set_deafened(deafened)))

    @property
    def volume(self) -> float:
        """How loud everybody together is wanted; ahead of what the session has told."""
        return self._volume

    def set_volume(self, volume: float) -> None:
        """How loud everybody is together, 0.0 to 2.0; holds for the next rooms too."""
        with self._lock:
            self._volume = volume
            self._view = replace(self._view, volume=volume)
        self._ask(self._set(lambda session: session.set_volume(volume)))
        self._ring()

    def set_voice(self, stream_id: str, volume: float, muted: bool) -> None:
        """How loud that person is, 0.0 to 2.0, and whether they are heard at all; holds for the next rooms too."""
        with self._lock:
            self._voices[stream_id] = (volume, muted)
            self._view = replace(self._view, people=self._crowd.draw())
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
        with self._lock:
            request = next((request for request in self._requests if request.number == number), None)
            if request is None:
                return
            self._requests.remove(request)
            self._view = replace(self._view, question=self._question())
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
        with self._lock:
            self._hands.discard(stream_id)
            self._view = replace(self._view, people=self._crowd.draw())
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
        if self._volume != 1.0:
            await session.set_volume(self._volume)
        if self._low_bandwidth:
            await session.set_low_bandwidth(True)
        for stream_id, (volume, muted) in self._voices.items():
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
                case RetryPlanned(attempt, due, reason):
                    self._view = replace(self._view, retry=Retry(attempt, due, printable(reason)))
                case SharingChanged(state, source, reason, hint):
                    share = Share(state, printable(source, 60), printable(reason), printable(hint))
                    self._view = replace(self._view, share=share)
                case LocalMediaChanged(microphone, camera, away, play_only):
                    self._view = replace(
                        self._view, microphone=microphone, camera=camera, away=away, play_only=play_only
                    )
                case PublishingRefused(reason, hint):
                    self._view = replace(self._view, refusal=with_hint(printable(reason), printable(hint)))
                case Callback() | TrackAdded() | TrackRemoved():
                    pass
                case ModeratorRequest(wish=Wish.SPEAK, obeyed=True):
                    self.publish()
                case ModeratorRequest(obeyed=False):
                    self._requests.append(event)
                    self._view = replace(self._view, question=self._question())
                case ChatMessage():
                    self._chat.append(chat_line(event))
                case Reaction() | Announced():
                    self._announce(event)
                case Asked():
                    self._chat.append(request_line(event, next(self._asides), self._clock()))
                case ModeratorRequest():
                    pass
                case SoundChanged():
                    self._view = self._heard_by(event)
                case PictureChanged(source):
                    self._view = replace(self._view, picture=printable(source, 60))
                case HealthChanged(health, reason):
                    self._view = replace(self._view, health=health, health_reason=printable(reason, 60))
                case QualityChanged(people):
                    self._crowd.qualities = people
                    self._view = replace(self._view, people=self._crowd.draw())
                case MutedSpeech() if line is not None:
                    self._view = replace(self._view, muted_speech=line.at)
                case MutedSpeech():
                    pass
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
            retry=None,
        )
        if event.state in (CallState.IDLE, CallState.FAILED):
            self._roster = None
            self._requests.clear()
            self._hands.clear()
            self._crowd.follow(())
            self._crowd.qualities = {}
            self._sound_said = ""
            moved = replace(
                moved,
                people=(),
                microphone=None,
                camera=None,
                away=False,
                play_only=False,
                refusal="",
                output=None,
                output_hint="",
                volume=self._volume,
                input="",
                picture="",
                share=Share(),
                echo="",
                recording="",
                muted_speech=None,
                health="",
                health_reason="",
                question=None,
            )
        return moved

    def _announce(self, event: Reaction | Announced) -> None:
        """What nobody said in words, in the chat and in the list."""
        entry = aside(event, next(self._asides), self._clock())
        if entry is not None:
            self._chat.append(entry)
        match event:
            case Announced(Notice.HAND_RAISED, stream_id) if len(self._hands) < HANDS:
                self._hands.add(stream_id)
            case Announced(Notice.MAY_NOT_SPEAK, stream_id):
                self._hands.discard(stream_id)
        self._view = replace(self._view, people=self._crowd.draw())

    def _question(self) -> Question | None:
        return question(self._requests[0]) if self._requests else None

    def _heard_by(self, sound: SoundChanged) -> CallView:
        return replace(
            self._view,
            output=None if sound.output is None else printable(sound.output, 60),
            output_hint=printable(sound.hint),
            deafened=sound.deafened,
            volume=sound.volume,
            input=printable(sound.microphone, 60),
            echo=printable(sound.echo),
            recording=printable(sound.recording, 60),
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
            case RosterChanged() | LocalMediaChanged() | TrackAdded() | TrackRemoved() | QualityChanged():
                return None
            case PublishingRefused(reason, hint):
                return LogLine(self._clock(), Direction.LOCAL, "listening", printable(with_hint(reason, hint)), True)
            case RetryPlanned():
                # The callback that it is made of is in the log already.
                return None
            case SharingChanged(state, source, reason, hint):
                said = ": ".join(filter(None, (state.value, source, with_hint(reason, hint))))
                return LogLine(self._clock(), Direction.LOCAL, "share", printable(said), bool(reason))
            case ChatMessage() | Reaction() | ModeratorRequest() | Announced() | Asked():
                # Their data-channel messages are in the log already.
                return None
            case SoundChanged():
                text = _said(event)
                if text == self._sound_said:
                    # A volume changes by many small steps.
                    return None
                self._sound_said = text
                return LogLine(self._clock(), Direction.LOCAL, "sound", printable(text))
            case PictureChanged(source):
                return LogLine(self._clock(), Direction.LOCAL, "picture", printable(source) or "none")
            case HealthChanged(health, reason):
                said = f"{health}: {reason}" if reason else health
                return LogLine(self._clock(), Direction.LOCAL, "line", printable(said)) if health else None
            case MutedSpeech():
                now, before = self._clock(), self._view.muted_speech
                if self._view.away:
                    return None
                if before is not None and 0 <= now - before < REMINDER_PAUSE:
                    return None
                return LogLine(now, Direction.LOCAL, "sound", "You are muted but talking.")

    def _ring(self) -> None:
        with self._lock:
            if self._ringing:
                return
            self._ringing = True
        if not self._target.post_message(self.News()):
            with self._lock:
                self._ringing = False


def _said(sound: SoundChanged) -> str:
    """What the log says of the sound."""
    parts = ["deafened" if sound.deafened else sound.output or f"no sound: {sound.hint}"]
    if sound.microphone:
        parts.append(f"microphone: {sound.microphone}")
    if sound.recording:
        parts.append(f"recording to {sound.recording}")
    return ", ".join(parts)


def _raised_in(error: Exception) -> str:
    """The top-level package whose code raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    name = traceback.tb_frame.f_globals.get("__name__", "") if traceback is not None else ""
    return str(name).partition(".")[0]
