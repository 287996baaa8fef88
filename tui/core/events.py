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
class RetryPlanned:
    """While reconnecting: the connection is tried again, for the ``attempt``-th time since it was lost.

    ``due`` is when, seconds since the epoch, unless `Conference.retry` is asked first; ``reason`` is why the last one
    ended, one line for people.
    """

    attempt: int
    due: float
    reason: str


class ShareState(StrEnum):
    """What becomes of the screen that we share."""

    OFF = "off"
    STARTING = "starting"
    """Nobody sees it yet, or not at the moment."""
    ON = "on"


@dataclass(frozen=True, slots=True)
class SharingChanged:
    """Whether the room sees a screen of ours beside the camera; ``source`` is what `Conference.share` called it.

    ``reason`` is why it ended when nobody asked for it, and ``hint`` the next step.
    """

    state: ShareState
    source: str = ""
    reason: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Participant:
    """One person in the room, as of now.

    ``video``, ``audio`` and ``presentation`` (the picture of a shared screen) name the tracks that carry them at
    present (`RemoteTrack.key`), ``None`` without. ``sharing`` is whoever shares a screen, though it may reach us on no
    track, as our own never does. ``pinned`` is whoever keeps the slot whoever speaks, ``recording`` whoever says that
    they record the call, ``away`` whoever says that they are, ``stale`` whoever the server has not heard of for a
    while. Whose picture plays before the server says who it is has a ``stream_id`` that begins with ``?``.
    """

    stream_id: str
    name: str
    is_self: bool = False
    microphone: bool = True
    camera: bool = True
    talking: bool = False
    video: str | None = None
    audio: str | None = None
    presentation: str | None = None
    role: str = ""
    play_only: bool = False
    pinned: bool = False
    recording: bool = False
    stale: bool = False
    sharing: bool = False
    away: bool = False


@dataclass(frozen=True, slots=True)
class RosterChanged:
    """Who is in the room now, oneself first, then in order of arrival; the server counts so many ``more``."""

    participants: tuple[Participant, ...]
    more: int = 0


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """A remote track begins; sound goes to who listens (`RemoteTrack.listen`), video to who watches its ``pictures``.

    A track on which the server sends ourselves is not told of, for as long as it does.
    """

    track: RemoteTrack


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A remote track has ended, or carries ourselves from now on."""

    track: RemoteTrack


@dataclass(frozen=True, slots=True)
class LocalMediaChanged:
    """State of the own microphone and camera; ``None`` means there is none in this call.

    ``away``: both are off until one is back. ``play_only``: nothing of ours is sent.
    """

    microphone: bool | None
    camera: bool | None
    away: bool = False
    play_only: bool = False


@dataclass(frozen=True, slots=True)
class PublishingRefused:
    """Who began to publish in the call only listens again: ``reason`` is why, one line, and ``hint`` the next step."""

    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """Somebody said something to the room; ``at`` is seconds since the epoch.

    ``verified`` is false where the claimed sender is not in the room as far as the server says. Own messages that
    could not be sent yet are ``unsent``, and come again under the same ``number`` once they are.
    """

    number: int
    sender: str
    name: str
    text: str
    at: float
    own: bool = False
    verified: bool = True
    unsent: bool = False


@dataclass(frozen=True, slots=True)
class Reaction:
    """A sign of a participant's feelings: ``thumbs_up``, ``party_popper``, … (section 6.3); unknown ones too."""

    sender: str
    name: str
    reaction: str


class Wish(StrEnum):
    """What a moderator can ask of a participant."""

    MICROPHONE_OFF = "TURN_YOUR_MIC_OFF"
    MICROPHONE_ON = "TURN_YOUR_MIC_ON"
    CAMERA_OFF = "TURN_YOUR_CAM_OFF"
    SPEAK = "APPROVE_BECOME_PUBLISHER"
    """Publish: a raised hand was seen."""
    LISTEN = "MAKE_LISTENER_AGAIN"
    """Publish no more."""


class OnRequest(StrEnum):
    """What becomes of a moderator's request; anybody can send one."""

    ASK = "ask"
    OBEY = "obey"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class ModeratorRequest:
    """``sender`` asks us to do ``wish``: answer with `Conference.answer_request`, unless it was ``obeyed`` already.

    The wire does not say who lets us speak or wants us to listen: both names are empty then. To speak takes devices,
    so whoever owns them carries that out, with `Conference.begin_to_publish`.
    """

    number: int
    wish: Wish
    sender: str
    name: str
    obeyed: bool = False


class Notice(StrEnum):
    """What else a participant or the server announces (section 6.2 and 6.3)."""

    HAND_RAISED = "REQUEST_BECOME_PUBLISHER"
    """A listener would like to speak."""
    MAY_SPEAK = "APPROVE_BECOME_PUBLISHER"
    """We may speak; a `ModeratorRequest` follows, unless they are ignored."""
    MAY_NOT_SPEAK = "REJECT_BECOME_PUBLISHER"
    LISTEN_AGAIN = "MAKE_LISTENER_AGAIN"
    """We shall only listen again; a `ModeratorRequest` follows here too."""
    PINNED = "PIN_USER"
    """Somebody looks at us alone: a better picture is worth while."""
    UNPINNED = "UNPIN_USER"
    SCREEN_SHARED = "SCREEN_SHARED_ON"
    RECORDING_ON = "RECORDING_TURNED_ON"
    RECORDING_OFF = "RECORDING_TURNED_OFF"
    BROADCAST_ON = "BROADCAST_ON"
    BROADCAST_OFF = "BROADCAST_OFF"
    VIEWER_ADDED = "PLAYER_ADDED"
    VIEWER_REMOVED = "PLAYER_REMOVED"


@dataclass(frozen=True, slots=True)
class Announced:
    """A notice about the participant ``stream_id``, who may be ourselves, or about a viewer known by name alone."""

    notice: Notice
    stream_id: str
    name: str


Event: TypeAlias = (
    Callback
    | CallStateChanged
    | RetryPlanned
    | SharingChanged
    | RosterChanged
    | TrackAdded
    | TrackRemoved
    | LocalMediaChanged
    | PublishingRefused
    | ChatMessage
    | Reaction
    | ModeratorRequest
    | Announced
)
