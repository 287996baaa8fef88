"""Every error of the server has one reaction, plain words and a next step."""

from __future__ import annotations

import pytest

from tui.core.refusals import IN_USE, MEANINGS, NOBODY_YET, PASSING, REFUSALS, Reaction, refusal

# Section 3.7 of the signalling reference, in its order.
DEFINITIONS = [
    "no_stream_exist",
    "stream_not_exist_or_not_streaming",
    "no_active_streams_in_room",
    "noStreamNameSpecified",
    "invalidStreamName",
    "streamIdInUse",
    "already_publishing",
    "already_playing",
    "not_allowed_unregistered_streams",
    "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks",
    "no_room_specified",
    "room_not_active_or_expired",
    "stream_not_active_or_expired",
    "unauthorized_access",
    "user_blocked",
    "authenticationTokenNotValid",
    "missingParameter",
    "viewerLimitReached",
    "highResourceUsage",
    "license_suspended_please_renew_license",
    "no_codec_enabled_in_the_server",
    "no_encoder_settings",
    "encoderNotOpened",
    "encoderBlocked",
    "notSetRemoteDescription",
    "notSetLocalDescription",
    "publishTimeoutError",
    "noPacketReceivedForTimeoutDuration",
    "webrtc_not_enabled",
    "no_peer_associated_before",
    "data_store_not_available",
    "server_error_check_logs",
    "mainTrackDBOperationFailed",
    "not_initialized_yet",
]


def test_every_definition_is_in_exactly_one_class() -> None:
    assert sorted(MEANINGS) == sorted(DEFINITIONS)
    classes = [NOBODY_YET, IN_USE, PASSING, REFUSALS]
    other = {name for name, meaning in MEANINGS.items() if meaning.reaction in (Reaction.REPORTED, Reaction.TWICE)}
    assert sum(map(len, classes)) + len(other) == len(DEFINITIONS)
    assert set().union(*classes, other) == set(DEFINITIONS)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_it_is_said_in_plain_words(definition: str) -> None:
    meaning = MEANINGS[definition]
    error = refusal(definition, "room1")
    assert str(error) == f"{meaning.text} (room1)"
    assert "_" not in meaning.text
    assert definition not in meaning.text
    if meaning.reaction not in (Reaction.REPORTED, Reaction.NOBODY_YET):
        assert error.hint
    assert error.exit_code == 5


@pytest.mark.parametrize("definition", ["", "future_error", "\x1b[2J" + "x" * 100_000])
def test_what_is_not_known_is_shown_harmless(definition: str) -> None:
    error = refusal(definition, "\x1b" * 1000)
    assert str(error).startswith("the server refused")
    assert "\x1b" not in str(error)
    assert len(str(error)) < 300
