"""What the screen is told, as frozen values whose strings are safe to draw.

Made by the bridge out of the core's events; the app, the screens and the widgets know nothing else of a call.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.core.events import CallState, Direction
from tui.errors import ExitCode
from tui.text import compact, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.events import Callback, Participant

_NAME_LIMIT = 40
_ID_LIMIT = 40
_INFO_LIMIT = 60
_NO_NAME = "(no name)"
_RESERVED = frozenset({"you", "(you)"})
"""Names that would pass for oneself."""


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
    people: tuple[Person, ...] = ()
    microphone: bool | None = None
    camera: bool | None = None
    output: str | None = None
    output_hint: str = ""
    deafened: bool = False

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


@dataclass(frozen=True, slots=True)
class Update:
    """Everything new since the last one: the newest state, and the lines in between."""

    view: CallView
    lines: tuple[LogLine, ...] = ()
    dropped: int = 0
    """Lines that came too fast to be kept."""


def log_line(callback: Callback) -> LogLine:
    """A callback as a line of the log."""
    return LogLine(
        callback.at,
        callback.direction,
        printable(callback.info, _INFO_LIMIT),
        compact(callback.obj),
        callback.error,
    )


def people(roster: Iterable[Participant]) -> tuple[Person, ...]:
    """The roster as it is drawn: names cut, empty ones named, look-alikes told apart by their ids."""
    seen: set[str] = set()
    drawn: list[Person] = []
    for participant in roster:
        stream_id = printable(participant.stream_id, _ID_LIMIT)
        name = printable(participant.name, _NAME_LIMIT).strip() or _NO_NAME
        look = _skeleton(name)
        if not participant.is_self and (look in seen or look in _RESERVED):
            name = f"{name} #{stream_id[-6:]}"
        seen.add(look)
        drawn.append(
            Person(
                key=participant.stream_id,
                stream_id=stream_id,
                name=name,
                is_self=participant.is_self,
                microphone=participant.microphone,
                camera=participant.camera,
                talking=participant.talking,
                video=participant.video,
                audio=participant.audio,
            )
        )
    return tuple(drawn)


def _skeleton(name: str) -> str:
    """What two names share when they look alike: width, case, spaces and joiners do not tell them apart."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(
        character for character in folded if not character.isspace() and unicodedata.category(character) != "Cf"
    )
