"""What the screen is told, as frozen values whose strings are safe to draw.

Made by the bridge out of the core's events; the app, the screens and the widgets know nothing else of a call.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tui.core.events import CallState, Direction, Notice, Reaction, ShareState, Wish
from tui.errors import ExitCode
from tui.favours import FAVOURS
from tui.statistics import Health
from tui.text import compact, paragraphs, printable, redacted, written

if TYPE_CHECKING:
    from tui.core.events import Announced, Callback, ChatMessage, ModeratorRequest
    from tui.session import Asked

_NAME_LIMIT = 40
ID_LIMIT = 40
_INFO_LIMIT = 60
WHOLE_LIMIT = 16 << 10
"""Characters of a payload that the log keeps."""
_NO_NAME = "(no name)"
_NAMES = 10_000
"""Of which it is remembered how they look."""


@dataclass(frozen=True, slots=True)
class Person:
    """A participant as it is drawn."""

    key: str
    """The stream id as received: identity only, never drawn."""
    stream_id: str
    name: str
    is_self: bool = False
    microphone: bool = True
    camera: bool = True
    talking: bool = False
    video: str | None = None
    audio: str | None = None
    presentation: str | None = None
    owner: str = ""
    """Of a shared screen: the key of who shares it."""
    recording: bool = False
    sharing: bool = False
    """Shows a screen, though its picture may not reach us."""
    hand: bool = False
    """Asks to be allowed to speak."""
    away: bool = False
    volume: float = 1.0
    """How loud the user wants to hear this person."""
    silenced: bool = False
    """Not heard at all: the user's own choice, unlike ``microphone``."""
    role: str = ""
    play_only: bool = False
    stale: bool = False
    """The server has not heard of them for a while."""
    quality: Health = Health.UNKNOWN
    """How well they are received."""
    quality_reason: str = ""
    """Why it is not good."""

    @property
    def screen(self) -> Person | None:
        """The shared screen, as somebody with a picture of their own; ``None`` when nothing is shared."""
        if self.presentation is None:
            return None
        return replace(
            self,
            key=f"{self.key}_presentation",
            name=f"{self.name}: screen",
            is_self=False,
            microphone=True,
            camera=True,
            talking=False,
            away=False,
            video=self.presentation,
            audio=None,
            presentation=None,
            sharing=False,
            owner=self.key,
            quality=Health.UNKNOWN,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A moderator's request that waits for an answer."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Retry:
    """The next try of a lost connection: the how many-th, when in seconds since the epoch, and why it is needed."""

    attempt: int
    due: float
    reason: str


@dataclass(frozen=True, slots=True)
class Share:
    """The screen that we share: ``source`` is its name, ``reason`` why it ended when nobody asked for it."""

    state: ShareState = ShareState.OFF
    source: str = ""
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class CallView:
    """The whole state of the call as the screen shows it."""

    state: CallState = CallState.IDLE
    reason: str = ""
    hint: str = ""
    exit_code: ExitCode = ExitCode.OK
    """What the program ends with when it ends in this state."""
    joined_at: float | None = None
    """Seconds since the epoch; kept while reconnecting."""
    retry: Retry | None = None
    """What comes next while reconnecting, as soon as it is known."""
    people: tuple[Person, ...] = ()
    more: int = 0
    """How many are in the room besides, as the server counts."""
    microphone: bool | None = None
    camera: bool | None = None
    output: str | None = None
    output_hint: str = ""
    deafened: bool = False
    volume: float = 1.0
    """How loud everybody is together."""
    input: str = ""
    """The microphone in use."""
    picture: str = ""
    """What is shown of ourselves: a camera, a screen, a file."""
    share: Share = Share()
    """What is shown beside that."""
    echo: str = ""
    """One line on echo cancellation, empty without a microphone."""
    recording: str = ""
    """The file that everything is recorded to."""
    muted_speech: float | None = None
    """When the user last talked while muted, seconds since the epoch."""
    health: str = ""
    """The line in one word, empty while nothing is known."""
    health_reason: str = ""
    question: Question | None = None
    """What has to be answered next."""
    away: bool = False
    """Microphone and camera are off until one is back."""
    play_only: bool = False
    """Nothing of ours is sent."""
    refusal: str = ""
    """Why we only listen again, who had begun to take part."""
    low_bandwidth: bool = False
    """Sound first: few and small pictures, of who speaks alone."""

    @property
    def in_call(self) -> bool:
        """In a room or on the way in: leaving is what can be asked for next."""
        return self.state in (CallState.CONNECTING, CallState.JOINED, CallState.RECONNECTING)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the event log."""

    at: float
    direction: Direction
    info: str
    payload: str = ""
    error: bool = False
    stream: str = ""
    """Id of the stream that it is about, where it says."""
    size: int = 0
    """Of the payload as JSON, in characters."""
    whole: str = ""
    """The payload as JSON, cut at `WHOLE_LIMIT`, secrets blanked; not yet safe to draw."""


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One entry of the chat; ``text`` may have several lines."""

    number: int
    """Positive for a message: one that comes again has changed. Negative for an aside."""
    at: float
    name: str
    text: str
    own: bool = False
    verified: bool = True
    unsent: bool = False
    """Waits for a connection."""
    aside: bool = False
    """Something that happened and was not said."""


@dataclass(frozen=True, slots=True)
class Update:
    """Everything new since the last one: the newest state, and the lines in between."""

    view: CallView
    lines: tuple[LogLine, ...] = ()
    dropped: int = 0
    """Lines that came too fast to be kept."""
    chat: tuple[ChatLine, ...] = ()


def log_line(callback: Callback) -> LogLine:
    """A callback as a line of the log."""
    safe = redacted(callback.obj)
    stream = safe.get("streamId") if isinstance(safe, Mapping) else None
    whole = "" if safe is None else written(safe)
    return LogLine(
        callback.at,
        callback.direction,
        printable(callback.info, _INFO_LIMIT),
        compact(safe),
        callback.error,
        printable(stream, ID_LIMIT) if isinstance(stream, str) else "",
        len(whole),
        whole[:WHOLE_LIMIT],
    )


def chat_line(message: ChatMessage) -> ChatLine:
    """A message as it is drawn."""
    name = called(message.name)
    text = paragraphs(message.text)
    return ChatLine(message.number, message.at, name, text, message.own, message.verified, message.unsent)


def aside(event: Reaction | Announced, number: int, at: float) -> ChatLine | None:
    """What somebody shows or asks for without words, as an entry of the chat; ``None`` for what is drawn elsewhere."""
    name = called(event.name)
    if isinstance(event, Reaction):
        shown = REACTIONS.get(event.reaction, "")
        words = printable(event.reaction, ID_LIMIT).replace("_", " ")
        text = f"{name} reacts: {words} {shown}".rstrip()
    elif event.notice in _NOTICES:
        text = _NOTICES[event.notice].format(name=name)
    else:
        return None
    return ChatLine(-number, at, name, text, aside=True)


def request_line(asked: Asked, number: int, at: float) -> ChatLine:
    """What we asked somebody for, as an entry of the chat."""
    name = called(asked.name)
    return ChatLine(-number, at, name, f"you ask {name} to {FAVOURS[asked.favour]}", own=True, aside=True)


REACTIONS: Final = {
    "sparkling_heart": "💖",
    "thumbs_up": "👍",
    "party_popper": "🎉",
    "clapping_hands": "👏",
    "face_with_tears_of_joy": "😂",
    "open_mouth": "😮",
    "sad_face": "😢",
    "thinking_face": "🤔",
    "thumbs_down": "👎",
}
"""What can be shown, by its name on the wire (signalling reference, 6.3)."""

_NOTICES: Final = {
    Notice.HAND_RAISED: "{name} raises a hand",
    Notice.MAY_SPEAK: "you may speak",
    Notice.MAY_NOT_SPEAK: "you are asked to go on listening",
    Notice.LISTEN_AGAIN: "you are asked to listen again",
    Notice.SCREEN_SHARED: "{name} shares a screen",
    Notice.RECORDING_ON: "{name} records the call",
    Notice.RECORDING_OFF: "{name} does not record any more",
    Notice.BROADCAST_ON: "the call is broadcast",
    Notice.BROADCAST_OFF: "the call is not broadcast any more",
}


_WISHES = {
    Wish.MICROPHONE_OFF: "mute your microphone",
    Wish.MICROPHONE_ON: "turn your microphone on",
    Wish.CAMERA_OFF: "turn your camera off",
}
_INVITATIONS = {
    Wish.SPEAK: "You may speak. Take part with microphone and camera?",
    Wish.LISTEN: "You are asked to listen only. Stop sending sound and picture?",
}


def question(request: ModeratorRequest) -> Question:
    """A moderator's request as it is asked."""
    if request.wish in _INVITATIONS:
        return Question(request.number, _INVITATIONS[request.wish])
    name = called(request.name)
    return Question(request.number, f"{name} asks you to {_WISHES[request.wish]}.")


@lru_cache(_NAMES)
def called(name: str) -> str:
    """A name as it is drawn."""
    return printable(name, _NAME_LIMIT).strip() or _NO_NAME


@lru_cache(_NAMES)
def skeleton(name: str) -> str:
    """What two names share when they look alike: width, case, spaces and joiners do not tell them apart."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(
        character for character in folded if not character.isspace() and unicodedata.category(character) != "Cf"
    )


def countdown(seconds: float) -> str:
    """What is left, in whole seconds: nothing is left only when it is over."""
    return f"{max(0, math.ceil(seconds))} s"
