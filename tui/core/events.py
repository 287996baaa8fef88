"""Everything the core tells its user, as frozen values: the SDK's callbacks and the conference's own state.

Emitted by the adaptor and the conference on the core's loop; read by the bridge, the headless command,
the demo participants and the tests. Strings in here are as received: clean them with `tui.text` to show them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from tui.errors import ExitCode

if TYPE_CHECKING:
    from tui.core.peer import RemoteTrack


class Direction(StrEnum):
    """Where a log line comes from."""

    IN = "in"
    OUT = "out"
    LOCAL = "local"


class CallState(StrEnum):
    """Where a conference stands (signalling reference, 4.6)."""

    IDLE = "idle"
    CONNECTING = "connecting"
    JOINED = "joined"
    RECONNECTING = "reconnecting"
    LEAVING = "leaving"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Callback:
    """One ``callback(info, obj)`` or ``callbackError(info, obj)`` of the SDK, or a command sent (``OUT``).

    ``at`` is seconds since the epoch, ``obj`` is JSON-like. ``routine`` marks what repeats for as long as the call
    lasts and says nothing new: pings, polls and their unchanged answers.
    """

    info: str
    obj: object
    direction: Direction
    at: float
    error: bool = False
    routine: bool = False


@dataclass(frozen=True, slots=True)
class CallStateChanged:
    """The conference moved to another state; ``reason`` is one line for people, ``hint`` the next step.

    ``exit_code`` is what a program should end with that ends because of this state.
    """

    state: CallState
    reason: str = ""
    hint: str = ""
    exit_code: ExitCode = ExitCode.OK


@dataclass(frozen=True, slots=True)
class Participant:
    """One person in the room, as of now.

    ``video`` and ``audio`` name the tracks that carry them at present (`RemoteTrack.key`), ``None`` without.
    """

    stream_id: str
    name: str
    is_self: bool = False
    microphone: bool = True
    camera: bool = True
    talking: bool = False
    video: str | None = None
    audio: str | None = None


@dataclass(frozen=True, slots=True)
class RosterChanged:
    """Who is in the room now, oneself first, then in order of arrival."""

    participants: tuple[Participant, ...]


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """A remote track begins; read ``track.track`` (it keeps only the newest frames when nobody does)."""

    track: RemoteTrack


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A remote track has ended."""

    track: RemoteTrack


@dataclass(frozen=True, slots=True)
class LocalMediaChanged:
    """State of the own microphone and camera; ``None`` means there is none in this call."""

    microphone: bool | None
    camera: bool | None


Event: TypeAlias = Callback | CallStateChanged | RosterChanged | TrackAdded | TrackRemoved | LocalMediaChanged
