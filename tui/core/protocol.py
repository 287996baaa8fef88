"""The client's side of the signalling, without any I/O: frames in, actions out. All rules of order live here.

Used by the adaptor, which carries the actions out and reports back what it did. Nothing in here waits, opens a
socket or touches a peer connection, so every rule is tested with plain values. Source: signalling reference, 4.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from tui.core.messages import (
    IceServerConfig,
    Message,
    Notification,
    Play,
    Pong,
    Publish,
    ServerError,
    Start,
    Stop,
    TakeCandidate,
    TakeConfiguration,
    Unknown,
    parse_from_server,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

CANDIDATE_LIMIT = 100
"""Remote candidates that a session takes; more are dropped (hostile inputs: limits)."""


# -- actions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Write this message to the socket."""

    message: Message


@dataclass(frozen=True, slots=True)
class MakeOffer:
    """Create the publish offer, then call `Protocol.offer_made`."""

    stream_id: str


@dataclass(frozen=True, slots=True)
class ApplyAnswer:
    """Apply the answer to the publish offer, then call `Protocol.described`."""

    stream_id: str
    sdp: str


@dataclass(frozen=True, slots=True)
class ApplyOffer:
    """Answer this offer, then call `Protocol.answer_made`, or `Protocol.offer_refused`."""

    stream_id: str
    sdp: str
    id_mapping: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """Give this candidate to the session's connection; its remote description is set."""

    stream_id: str
    candidate: str
    label: int
    mid: str | None


@dataclass(frozen=True, slots=True)
class UseIceServer:
    """The server named a STUN or TURN address; an empty ``uri`` means none."""

    uri: str
    username: str
    credential: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The other side ended this session by a ``stop``."""

    stream_id: str


@dataclass(frozen=True, slots=True)
class Report:
    """A callback for the application: the SDK's ``callback`` or, with ``error``, ``callbackError``."""

    info: str
    obj: Any
    error: bool = False


Action: TypeAlias = Send | MakeOffer | ApplyAnswer | ApplyOffer | AddCandidate | UseIceServer | Gone | Report
Actions: TypeAlias = tuple[Action, ...]


# -- sessions ----------------------------------------------------------------------------------------


class Phase(enum.Enum):
    """Where the exchange of descriptions of one session stands."""

    REQUESTED = "requested"
    OFFERING = "offering"
    OFFERED = "offered"
    ANSWERING = "answering"
    STABLE = "stable"


@dataclass(slots=True)
class _Session:
    publishes: bool
    phase: Phase = Phase.REQUESTED
    described: bool = False
    candidates: deque[TakeCandidate] = field(default_factory=deque)
    candidates_seen: int = 0
    waiting: TakeConfiguration | None = None


class Protocol:
    """The state of every session on one socket.

    Feed it each frame with `receive`; tell it what the application wants (`publish`, `play`, `stop`) and what was
    done (`offer_made`, `described`, `answer_made`, `offer_refused`). Each returns the actions that follow, in order.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._greeted = False

    def phase(self, stream_id: str) -> Phase | None:
        """Where that session stands, ``None`` when there is none."""
        session = self._sessions.get(stream_id)
        return session.phase if session else None

    # what the application wants

    def publish(self, command: Publish) -> Actions:
        """Begin, or begin again, a publish session."""
        self._sessions[command.stream_id] = _Session(publishes=True)
        return (Send(command),)

    def play(self, command: Play) -> Actions:
        """Begin, or begin again, a play session."""
        self._sessions[command.stream_id] = _Session(publishes=False)
        return (Send(command),)

    def stop(self, stream_id: str) -> Actions:
        """End a session; what still comes for it is ignored."""
        if self._sessions.pop(stream_id, None) is None:
            return ()
        return (Send(Stop(stream_id=stream_id)),)

    def disconnected(self) -> None:
        """The socket is gone and with it every session."""
        self._sessions.clear()
        self._greeted = False

    # what was done

    def offer_made(self, stream_id: str, sdp: str) -> Actions:
        """The publish offer exists."""
        session = self._sessions.get(stream_id)
        if session is None or session.phase is not Phase.OFFERING:
            return ()
        session.phase = Phase.OFFERED
        return (Send(TakeConfiguration(stream_id=stream_id, type="offer", sdp=sdp)),)

    def described(self, stream_id: str) -> Actions:
        """The remote description is set: the candidates that came before it follow."""
        session = self._sessions.get(stream_id)
        if session is None:
            return ()
        session.described = True
        queued = tuple(_candidate(message) for message in session.candidates)
        session.candidates.clear()
        return queued

    def answer_made(self, stream_id: str, sdp: str) -> Actions:
        """An offer was answered: the answer goes out, and the newest offer that waited comes next."""
        session = self._sessions.get(stream_id)
        if session is None or session.phase is not Phase.ANSWERING:
            return ()
        answer = Send(TakeConfiguration(stream_id=stream_id, type="answer", sdp=sdp))
        return (answer, *self.described(stream_id), *self._next_offer(stream_id, session))

    def offer_refused(self, stream_id: str) -> Actions:
        """An offer could not be answered: the old state stands."""
        session = self._sessions.get(stream_id)
        if session is None or session.phase is not Phase.ANSWERING:
            return ()
        return self._next_offer(stream_id, session)

    # what the server says

    def receive(self, text: str | bytes) -> Actions:
        """One frame. Raises `WireError` when it is not a message; the state is then as before."""
        message = parse_from_server(text)
        first, self._greeted = not self._greeted, True
        match message:
            case Start():
                return self._start(message)
            case TakeConfiguration():
                return self._take_configuration(message)
            case TakeCandidate():
                return self._take_candidate(message)
            case IceServerConfig():
                return (
                    UseIceServer(message.stun_server_uri, message.turn_server_username, message.turn_server_credential),
                )
            case Pong():
                return (Report("pong", None),)
            case Stop():
                gone = self._sessions.pop(message.stream_id, None)
                return (Gone(message.stream_id),) if gone else ()
            case Notification():
                return (Report(message.definition, message.raw),)
            case ServerError(definition="noStreamNameSpecified") if first:
                # The Community Edition's answer to getIceServerConfig (section 1.2).
                return (UseIceServer("", "", ""),)
            case ServerError():
                return (Report(message.definition, message.raw, error=True),)
            case Unknown(name="streamInformation" | "roomInformation" | "trackList"):
                return (Report(message.name, message.raw),)
            case _:
                return ()

    def _start(self, message: Start) -> Actions:
        session = self._sessions.get(message.stream_id)
        if session is None or not session.publishes or session.phase is not Phase.REQUESTED:
            return ()
        session.phase = Phase.OFFERING
        return (MakeOffer(message.stream_id),)

    def _take_configuration(self, message: TakeConfiguration) -> Actions:
        session = self._sessions.get(message.stream_id)
        if session is None:
            return ()
        if session.publishes:
            if message.type != "answer" or session.phase is not Phase.OFFERED:
                return ()
            session.phase = Phase.STABLE
            return (ApplyAnswer(message.stream_id, message.sdp),)
        if message.type != "offer":
            return ()
        if session.phase is Phase.ANSWERING:
            # Each offer holds the whole state, so only the newest one has to wait.
            session.waiting = message
            return ()
        return self._apply(session, message)

    def _apply(self, session: _Session, message: TakeConfiguration) -> Actions:
        session.phase = Phase.ANSWERING
        return (ApplyOffer(message.stream_id, message.sdp, message.id_mapping),)

    def _next_offer(self, stream_id: str, session: _Session) -> Actions:
        session.phase = Phase.STABLE
        waiting, session.waiting = session.waiting, None
        return self._apply(session, waiting) if waiting else ()

    def _take_candidate(self, message: TakeCandidate) -> Actions:
        session = self._sessions.get(message.stream_id)
        if session is None or not message.candidate or session.candidates_seen >= CANDIDATE_LIMIT:
            return ()
        session.candidates_seen += 1
        if not session.described:
            session.candidates.append(message)
            return ()
        return (_candidate(message),)


def _candidate(message: TakeCandidate) -> AddCandidate:
    return AddCandidate(message.stream_id, message.candidate, message.label, message.id)
