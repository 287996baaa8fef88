"""The newest state of a call and what happened since it was last read, bounded, for a screen that may be slow.

Used by the bridge: the core's thread tells, the screen's takes. Nothing grows with what the server sends; what is
dropped is counted, or the oldest of its kind.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final

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
)
from tui.crowd import Crowd
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
    from collections.abc import Callable, Mapping

    from tui.core.events import Participant
    from tui.session import CallEvent

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


class Digest:
    """One call after another; every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
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
        self._volume = 1.0
        self._voices: dict[str, tuple[float, bool]] = {}
        self._crowd = Crowd(self._voices, self._hands)
        self._sound_said = ""

    # What the screen asks for.

    def take(self) -> Update:
        """Everything new since the last call."""
        with self._lock:
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
        """Where the call stands now; ahead of what was taken."""
        with self._lock:
            return self._view.state

    @property
    def volume(self) -> float:
        """How loud everybody together is wanted; ahead of what the session has told."""
        return self._volume

    @property
    def voices(self) -> Mapping[str, tuple[float, bool]]:
        """How loud each person is wanted, and whether they are heard at all, by stream id."""
        with self._lock:
            return dict(self._voices)

    @property
    def low_bandwidth(self) -> bool:
        """Whether sound goes first."""
        return self._view.low_bandwidth

    # What the user wants; it holds for the next calls too.

    def set_low_bandwidth(self, low: bool) -> None:
        """Sound first."""
        with self._lock:
            self._view = replace(self._view, low_bandwidth=low)

    def set_volume(self, volume: float) -> None:
        """How loud everybody is together."""
        with self._lock:
            self._volume = volume
            self._view = replace(self._view, volume=volume)

    def set_voice(self, stream_id: str, volume: float, muted: bool) -> None:
        """How loud that person is, and whether they are heard at all."""
        with self._lock:
            self._voices[stream_id] = (volume, muted)
            self._view = replace(self._view, people=self._crowd.draw())

    def answered(self, number: int) -> ModeratorRequest | None:
        """That request is answered: the next one, if there is any, is the question from now on."""
        with self._lock:
            request = next((request for request in self._requests if request.number == number), None)
            if request is not None:
                self._requests.remove(request)
                self._view = replace(self._view, question=self._question())
            return request

    def put_hand_down(self, stream_id: str) -> None:
        """That person has been answered."""
        with self._lock:
            self._hands.discard(stream_id)
            self._view = replace(self._view, people=self._crowd.draw())

    # What happens.

    def enter(self, state: CallState) -> None:
        """The call is in this state, though nobody has told so yet."""
        with self._lock:
            self._view = self._moved(CallStateChanged(state))

    def tell(self, event: CallEvent) -> None:
        """Keep what is new in ``event``; quick."""
        line = self._line(event)
        with self._lock:
            match event:
                case CallStateChanged():
                    self._view = self._moved(event)
                case RosterChanged(participants, more):
                    self._roster = participants
                    self._view = replace(self._view, more=more)
                case RetryPlanned(attempt, due, reason):
                    self._view = replace(self._view, retry=Retry(attempt, due, printable(reason)))
                case SharingChanged(state, source, reason, hint):
                    share = Share(state, printable(source, 60), printable(reason), printable(hint))
                    self._view = replace(self._view, share=share)
                case LocalMediaChanged(microphone, camera, away, play_only):
                    refusal = self._view.refusal if play_only else ""
                    self._view = replace(
                        self._view,
                        microphone=microphone,
                        camera=camera,
                        away=away,
                        play_only=play_only,
                        refusal=refusal,
                    )
                case PublishingRefused(reason, hint):
                    self._view = replace(self._view, refusal=with_hint(printable(reason), printable(hint)))
                case Callback() | TrackAdded() | TrackRemoved():
                    pass
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
                more=0,
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


def _said(sound: SoundChanged) -> str:
    """What the log says of the sound."""
    parts = ["deafened" if sound.deafened else sound.output or f"no sound: {sound.hint}"]
    if sound.microphone:
        parts.append(f"microphone: {sound.microphone}")
    if sound.recording:
        parts.append(f"recording to {sound.recording}")
    return ", ".join(parts)
