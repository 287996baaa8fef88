"""The client's side of the signalling, without any I/O: frames in, actions out. All rules of order live here.

Used by the adaptor, which carries the actions out and reports back what it did. Nothing in here waits, opens a
socket or touches a peer connection, so every rule is tested with plain values. Source: signalling reference, 4.
"""

from __future__ import annotations

import enum
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from tui.allowance import Allowance
from tui.core.commands import GetIceServerConfig
from tui.core.messages import (
    ANSWERS,
    IceServerConfig,
    Notification,
    PeerMessage,
    Pong,
    ServerError,
    Start,
    Stop,
    TakeCandidate,
    TakeConfiguration,
    parse_from_server,
)
from tui.core.pace import Pace
from tui.core.refusals import NOBODY_YET
from tui.core.wire import Message, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.commands import Play, Publish

logger = logging.getLogger(__name__)

CANDIDATE_LIMIT = 100
"""Remote candidates that a session takes; more are dropped (hostile inputs: limits)."""

CANDIDATES_AT_ONCE = 40
CANDIDATES_SPAN = 2.0
"""As many in as many seconds: 20 a second, and a server's whole list at once."""

OFFER_RATE = 1
OFFER_BURST = 10
"""Offers that a session answers in a second, and at once: people may come in a crowd (hostile inputs, WS-19)."""

COMMUNITY_SURE = 2
COMMUNITY_TRIES = 4
COMMUNITY_SPAN = 12.0
"""Plays of a room without a stream in it until the server is said to be the Community Edition: when its answer to
``getIceServerConfig`` has given it away, and when it answers no question at all; the latter over this many seconds."""

MADE_UP = frozenset(
    {
        "initialized",
        "closed",
        "newTrackAvailable",
        "ice_connection_state_changed",
        "data_channel_opened",
        "data_channel_closed",
        "reconnection_attempt_for_publisher",
        "reconnection_attempt_for_player",
        "retry_planned",
        "WebSocketNotConnected",
        "session_ended",
        "connection_timeout",
        "community_edition",
        "signalling_flood",
        "data_channel_error",
        "speaking_but_muted",
        "updated_stats",
        "internal_error",
    }
)
"""Callbacks and errors of this client's own: a server that says one of them has made a mistake, or wants to be us."""


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
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Resume:
    """Call `Protocol.resume` after so many seconds: an offer waits for its turn."""

    stream_id: str
    after: float


@dataclass(frozen=True, slots=True)
class Started:
    """The server has our stream, for the first time in this attempt: the room it belongs to exists."""

    stream_id: str


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


Action: TypeAlias = (
    Send | MakeOffer | ApplyAnswer | ApplyOffer | AddCandidate | UseIceServer | Resume | Started | Gone | Report
)
Actions: TypeAlias = tuple[Action, ...]


# -- sessions ----------------------------------------------------------------------------------------


class Phase(enum.Enum):
    """Where the exchange of descriptions of one session stands."""

    REQUESTED = "requested"
    OFFERING = "offering"
    OFFERED = "offered"
    ANSWERING = "answering"
    STABLE = "stable"


class Edition(enum.Enum):
    """Which server this is, as far as its answers have shown (section 8)."""

    UNKNOWN = "unknown"
    COMMUNITY = "community"
    ENTERPRISE = "enterprise"


_ENTERPRISE_ONLY = frozenset(
    {
        "play_started",
        "session_restored",
        "subtrackAdded",
        "subtrackRemoved",
        "broadcastObject",
        "subtrackList",
        "subtrackCount",
        "subscriberCount",
        "subscriberList",
        "debugInfo",
        "joinedTheRoom",
        *ANSWERS,
    }
)


@dataclass(slots=True)
class _Session:
    publishes: bool
    candidate_allowance: Allowance
    offer_pace: Pace
    room: str = ""
    phase: Phase = Phase.REQUESTED
    started: bool = False
    described: bool = False
    candidates: deque[TakeCandidate] = field(default_factory=deque)
    candidates_seen: int = 0
    waiting: TakeConfiguration | None = None
    slowed: bool = False
    resuming: bool = False


@dataclass(slots=True)
class _Emptiness:
    """How often a room had nobody in it, and since when."""

    since: float
    tries: int = 0


class Protocol:
    """The state of every session on one socket.

    Feed it each frame with `receive`; tell it what the application wants (`publish`, `play`, `stop`) and what was
    done (`offer_made`, `described`, `answer_made`, `offer_refused`). Each returns the actions that follow, in order.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.edition = Edition.UNKNOWN
        self.plays_rooms = True
        """Whether the server can play rooms, as far as we have been able to tell."""
        self.unknown = 0
        """Messages of a kind that this version does not know."""
        self._clock = clock
        self._sessions: dict[str, _Session] = {}
        self._ice_questions = 0
        self._empty: dict[str, _Emptiness] = {}

    def phase(self, stream_id: str) -> Phase | None:
        """Where that session stands, ``None`` when there is none."""
        session = self._sessions.get(stream_id)
        return session.phase if session else None

    # what the application wants

    def publish(self, command: Publish) -> Actions:
        """Begin, or begin again, a publish session."""
        self._sessions[command.stream_id] = self._new(publishes=True, room=command.main_track)
        return (Send(command),)

    def play(self, command: Play) -> Actions:
        """Begin, or begin again, a play session."""
        self._sessions[command.stream_id] = self._new(publishes=False)
        return (Send(command),)

    def _new(self, *, publishes: bool, room: str = "") -> _Session:
        return _Session(
            publishes,
            Allowance(CANDIDATES_AT_ONCE, CANDIDATES_SPAN, self._clock),
            Pace(OFFER_RATE, OFFER_BURST, self._clock),
            room,
        )

    def stop(self, stream_id: str) -> Actions:
        """End a session; what still comes for it is ignored."""
        if self._sessions.pop(stream_id, None) is None:
            return ()
        return (Send(Stop(stream_id=stream_id)),)

    def forget(self, stream_id: str) -> None:
        """A play that the server has refused needs no stop: the Community Edition would end our publishing by it."""
        self._sessions.pop(stream_id, None)

    def ask_ice_servers(self) -> Actions:
        """Ask for the server's STUN or TURN address; `UseIceServer` follows, whatever the edition."""
        self._ice_questions += 1
        return (Send(GetIceServerConfig()),)

    def disconnected(self) -> None:
        """The socket is gone and with it every session."""
        self._sessions.clear()
        self._empty.clear()
        self._ice_questions = 0
        self.edition = Edition.UNKNOWN

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

    def resume(self, stream_id: str) -> Actions:
        """The time of a `Resume` has come."""
        session = self._sessions.get(stream_id)
        if session is None or not session.resuming:
            return ()
        session.resuming = False
        if session.phase is Phase.ANSWERING:
            return ()
        return self._next_offer(stream_id, session)

    # what the server says

    def receive(self, text: str | bytes) -> Actions:
        """One frame. Raises `WireError` when it is not a message; the state is then as before."""
        message = parse_from_server(text)
        match message:
            case Start():
                return self._start(message)
            case TakeConfiguration():
                return self._take_configuration(message)
            case TakeCandidate():
                return self._take_candidate(message)
            case IceServerConfig():
                self._answered(Edition.ENTERPRISE)
                return (
                    UseIceServer(message.stun_server_uri, message.turn_server_username, message.turn_server_credential),
                )
            case Pong():
                return (Report("pong", None),)
            case Stop():
                gone = self._sessions.pop(message.stream_id, None)
                return (Gone(message.stream_id),) if gone else ()
            case Notification():
                return self._notification(message)
            case ServerError(definition="noStreamNameSpecified") if self._ice_questions:
                # The Community Edition's answer to getIceServerConfig (section 1.2).
                self._answered(Edition.COMMUNITY)
                return (UseIceServer("", "", ""),)
            case ServerError() if message.definition not in MADE_UP:
                report = Report(message.definition, message.raw, error=True)
                if message.definition in NOBODY_YET:
                    return (report, *self._nobody_yet(message.stream_id))
                return (report,)
            case PeerMessage():
                return (Report(message.command, {"command": message.command, **message.payload()}),)
            case Unknown(name=name) if name in ANSWERS:
                return self._report(name, message.raw)
            case Unknown():
                self.unknown += 1
                logger.debug("signalling: unknown command %r ignored, number %d", message.name[:60], self.unknown)
        return ()

    def _notification(self, message: Notification) -> Actions:
        name = message.definition
        if "streaming_session_Restored" in (name, message.description):
            # One document's form of it (section 3.5).
            name = "session_restored"
        report = self._report(message.command if name in MADE_UP else name or message.command, message.raw)
        session = self._sessions.get(message.stream_id)
        if name not in ("publish_started", "session_restored") or session is None or not session.publishes:
            return report
        first, session.started = not session.started, True
        return (*report, Started(message.stream_id)) if first else report

    def _report(self, name: str, raw: Mapping[str, Any]) -> Actions:
        if name in _ENTERPRISE_ONLY:
            self.edition = Edition.ENTERPRISE
        return (Report(name, raw),)

    def _answered(self, edition: Edition) -> None:
        self._ice_questions = max(0, self._ice_questions - 1)
        self.edition = edition

    def _nobody_yet(self, room: str) -> Actions:
        """Whether an empty room is one that this server cannot play (section 8)."""
        session = self._sessions.get(room)
        if session is None or session.publishes or not self.plays_rooms or self.edition is Edition.ENTERPRISE:
            return ()
        publishers = [other for other in self._sessions.values() if other.publishes and other.room == room]
        if any(not publisher.started for publisher in publishers):
            return ()
        empty = self._empty.setdefault(room, _Emptiness(self._clock()))
        empty.tries += 1
        if self.edition is Edition.COMMUNITY:
            sure = empty.tries >= COMMUNITY_SURE
        elif publishers:
            sure = empty.tries >= COMMUNITY_TRIES and self._clock() - empty.since >= COMMUNITY_SPAN
        else:
            return ()
        if sure:
            self.plays_rooms = False
            return (Report("community_edition", {"streamId": room}, error=True),)
        return () if self._ice_questions or self.edition is Edition.COMMUNITY else self.ask_ice_servers()

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
        self.edition, self.plays_rooms = Edition.ENTERPRISE, True
        # Each offer holds the whole state, so only the newest one has to wait.
        session.waiting = message
        return () if session.phase is Phase.ANSWERING else self._next_offer(message.stream_id, session)

    def _next_offer(self, stream_id: str, session: _Session) -> Actions:
        if session.phase is Phase.ANSWERING:
            session.phase = Phase.STABLE
        if session.waiting is None or session.resuming:
            return ()
        if not session.offer_pace.take():
            session.resuming = True
            resume = Resume(stream_id, session.offer_pace.due_in())
            first, session.slowed = not session.slowed, True
            return (Report("signalling_flood", {"streamId": stream_id}, error=True), resume) if first else (resume,)
        message, session.waiting = session.waiting, None
        session.phase = Phase.ANSWERING
        return (ApplyOffer(message.stream_id, message.sdp, message.id_mapping),)

    def _take_candidate(self, message: TakeCandidate) -> Actions:
        session = self._sessions.get(message.stream_id)
        if session is None or not message.candidate or session.candidates_seen >= CANDIDATE_LIMIT:
            return ()
        if not session.candidate_allowance.take():
            return ()
        session.candidates_seen += 1
        if not session.described:
            session.candidates.append(message)
            return ()
        return (_candidate(message),)


def _candidate(message: TakeCandidate) -> AddCandidate:
    return AddCandidate(message.stream_id, message.candidate, message.label, message.id)
