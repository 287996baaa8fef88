"""What the server's error definitions mean: how a session reacts to each, and how it is said to people.

Used by the link, which passes the reaction on to the session, and by the conference, which tells why it gave up.
Source: signalling reference, 3.7.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tui.errors import RefusedError
from tui.text import printable


class Reaction(enum.Enum):
    """What a session does about an error."""

    NOBODY_YET = "nobody yet"
    """The room is empty: asked again quietly for as long as the session lasts (section 4.5)."""
    IN_USE = "in use"
    """Somebody else has the id; after a loss that is our former self, which the server will let go."""
    TWICE = "twice"
    """The server takes us for begun already: stop, wait, begin."""
    PASSING = "passing"
    """May be gone at the next try, which comes later each time."""
    BUSY = "busy"
    """As `PASSING`, but the server needs time first."""
    FINAL = "final"
    """Trying again does not mend it."""
    REPORTED = "reported"
    """An answer to something else than ``publish`` or ``play``: no session is concerned."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One definition: the reaction, the fault and the next step as people read them.

    ``tries`` is how often in a row it may come before it counts as final; ``None`` is without end.
    """

    reaction: Reaction
    text: str
    hint: str = ""
    tries: int | None = None


_ASK = "ask whoever runs the server"
_LATER = "try again later"
_FIREWALL = "if the server's media ports are behind a firewall, give a TURN server with --ice-server"

MEANINGS: dict[str, Meaning] = {
    "no_stream_exist": Meaning(Reaction.NOBODY_YET, "nobody is in the room yet"),
    "stream_not_exist_or_not_streaming": Meaning(Reaction.NOBODY_YET, "nobody is in the room yet"),
    "streamIdInUse": Meaning(Reaction.IN_USE, "this stream id is in use", "leave --stream-id out, or choose another"),
    "already_publishing": Meaning(
        Reaction.TWICE, "the server says that this stream is published already", "choose another --stream-id", 3
    ),
    "already_playing": Meaning(Reaction.TWICE, "the server says that this room is played already", _LATER, 3),
    "highResourceUsage": Meaning(Reaction.BUSY, "the server is at the limit of its processor or memory", _LATER),
    "viewerLimitReached": Meaning(Reaction.PASSING, "the room has as many viewers as it may", _LATER),
    "encoderNotOpened": Meaning(Reaction.PASSING, "the server's encoder did not start", _LATER),
    "encoderBlocked": Meaning(Reaction.PASSING, "the server's encoder is stuck", _LATER),
    "notSetLocalDescription": Meaning(Reaction.PASSING, "the server could not make its own description", _ASK, 1),
    "publishTimeoutError": Meaning(Reaction.PASSING, "no media reached the server", _FIREWALL, 3),
    "noPacketReceivedForTimeoutDuration": Meaning(Reaction.PASSING, "our media stopped reaching the server", _FIREWALL),
    "data_store_not_available": Meaning(Reaction.PASSING, "the server's data store is not available", _LATER),
    "server_error_check_logs": Meaning(Reaction.PASSING, "the server had an internal error", _ASK),
    "mainTrackDBOperationFailed": Meaning(Reaction.PASSING, "the server could not record the room", _LATER),
    "not_initialized_yet": Meaning(Reaction.PASSING, "the server is still starting", _LATER),
    "unauthorized_access": Meaning(
        Reaction.FINAL, "the server refused the token", "give a token made for this room with --token-file"
    ),
    "user_blocked": Meaning(Reaction.FINAL, "the server has blocked this user", _ASK),
    "invalidStreamName": Meaning(
        Reaction.FINAL, "the server does not take this stream id", "use letters, digits, '-', '_' and '.'"
    ),
    "not_allowed_unregistered_streams": Meaning(
        Reaction.FINAL,
        "the server takes only registered streams",
        "join with --play-only, or have the stream registered",
    ),
    "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks": Meaning(
        Reaction.FINAL, "the room is full", "join with --play-only"
    ),
    "room_not_active_or_expired": Meaning(Reaction.FINAL, "the room is not open at this time", _ASK),
    "stream_not_active_or_expired": Meaning(Reaction.FINAL, "the stream is not open at this time", _ASK),
    "license_suspended_please_renew_license": Meaning(Reaction.FINAL, "the server's licence is suspended", _ASK),
    "no_codec_enabled_in_the_server": Meaning(
        Reaction.FINAL, "the server has no codec enabled", "enable H264 or VP8 there"
    ),
    "no_encoder_settings": Meaning(Reaction.FINAL, "the server has no encoder settings", _ASK),
    "notSetRemoteDescription": Meaning(
        Reaction.FINAL, "the server and this client have no codec in common", "enable H264 or VP8 there"
    ),
    "webrtc_not_enabled": Meaning(Reaction.FINAL, "WebRTC is switched off in this application", _ASK),
    "no_active_streams_in_room": Meaning(Reaction.REPORTED, "nobody publishes into the room"),
    "noStreamNameSpecified": Meaning(Reaction.REPORTED, "the server missed a stream id"),
    "no_room_specified": Meaning(Reaction.REPORTED, "the server missed a room id"),
    "authenticationTokenNotValid": Meaning(Reaction.REPORTED, "the token for push notifications is not valid"),
    "missingParameter": Meaning(Reaction.REPORTED, "the server missed a parameter"),
    "no_peer_associated_before": Meaning(Reaction.REPORTED, "there is no other end of the peer-to-peer session"),
}


def _those(*reactions: Reaction) -> frozenset[str]:
    return frozenset(definition for definition, meaning in MEANINGS.items() if meaning.reaction in reactions)


NOBODY_YET = _those(Reaction.NOBODY_YET)
"""The room is empty, which is no failure."""

IN_USE = _those(Reaction.IN_USE)
REFUSALS = _those(Reaction.FINAL)
PASSING = _those(Reaction.PASSING, Reaction.BUSY)


def refusal(definition: str, stream_id: object) -> RefusedError:
    """The definition as an error for people, about that stream."""
    meaning = MEANINGS.get(definition)
    text, hint = (meaning.text, meaning.hint) if meaning else (f"the server refused: {printable(definition, 100)}", "")
    return RefusedError(f"{text} ({printable(str(stream_id), 60)})", hint)
