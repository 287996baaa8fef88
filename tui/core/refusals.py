"""What the server's error definitions mean: which are final, which pass, and how to say them to people.

Used by the link, which decides whether to try again, and by the conference, which tells why it gave up.
Source: signalling reference, 3.7.
"""

from __future__ import annotations

from tui.errors import RefusedError
from tui.text import printable

REFUSALS = frozenset(
    {
        "unauthorized_access",
        "user_blocked",
        "invalidStreamName",
        "not_allowed_unregistered_streams",
        "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks",
        "room_not_active_or_expired",
        "stream_not_active_or_expired",
        "license_suspended_please_renew_license",
        "no_codec_enabled_in_the_server",
        "no_encoder_settings",
        "notSetRemoteDescription",
        "webrtc_not_enabled",
    }
)
"""Errors that trying again does not mend (section 3.7)."""

PASSING = frozenset(
    {
        "publishTimeoutError",
        "noPacketReceivedForTimeoutDuration",
        "highResourceUsage",
        "viewerLimitReached",
        "encoderNotOpened",
        "encoderBlocked",
        "notSetLocalDescription",
        "data_store_not_available",
        "server_error_check_logs",
        "mainTrackDBOperationFailed",
        "not_initialized_yet",
    }
)
"""Errors that may be gone at the next try, which comes later each time."""

NOBODY_YET = frozenset({"no_stream_exist", "stream_not_exist_or_not_streaming", "no_active_streams_in_room"})
IN_USE = frozenset({"streamIdInUse", "already_publishing", "already_playing"})

_PLAIN_WORDS = {
    "unauthorized_access": ("the server refused the token", "give a token made for this room with --token-file"),
    "user_blocked": ("the server has blocked this user", "ask whoever runs the server"),
    "streamIdInUse": ("this stream id is in use", "leave --stream-id out, or choose another"),
    "already_publishing": ("this stream id is in use", "leave --stream-id out, or choose another"),
    "invalidStreamName": ("the server does not take this stream id", "use letters, digits, '-', '_' and '.'"),
    "not_allowed_unregistered_streams": ("the server takes only registered streams", "join with --play-only"),
    "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks": (
        "the room is full",
        "join with --play-only",
    ),
    "license_suspended_please_renew_license": ("the server's licence is suspended", "ask whoever runs the server"),
    "notSetRemoteDescription": ("the server and this client have no codec in common", "enable H264 or VP8 there"),
}


def refusal(definition: str, stream_id: object) -> RefusedError:
    """The definition as an error for people, about that stream."""
    text, hint = _PLAIN_WORDS.get(definition, (f"the server refused: {printable(definition, 100)}", ""))
    return RefusedError(f"{text} ({printable(str(stream_id), 60)})", hint)
