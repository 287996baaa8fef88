"""The rules of order of the signalling, with plain values: no socket, no peer connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.core import wire
from tui.core.messages import Play, Publish, Stop, TakeConfiguration
from tui.core.protocol import (
    CANDIDATE_LIMIT,
    Actions,
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    Gone,
    MakeOffer,
    Phase,
    Protocol,
    Report,
    Send,
    UseIceServer,
)
from tui.errors import WireError

PUBLISH = Publish(stream_id="alice", main_track="room1")
PLAY = Play(stream_id="room1")


def receive(protocol: Protocol, command: str, **values: Any) -> Actions:
    return protocol.receive(json.dumps({"command": command, **values}))


def start(protocol: Protocol) -> Actions:
    return receive(protocol, "start", streamId="alice")


def answer(protocol: Protocol, sdp: str = "answer") -> Actions:
    return receive(protocol, "takeConfiguration", streamId="alice", type="answer", sdp=sdp)


def offer(protocol: Protocol, sdp: str = "offer") -> Actions:
    return receive(protocol, "takeConfiguration", streamId="room1", type="offer", sdp=sdp)


def candidate(protocol: Protocol, stream_id: str, text: str = "c", **values: Any) -> Actions:
    return receive(protocol, "takeCandidate", streamId=stream_id, candidate=text, label=0, id="0", **values)


def publishing(*, answered: bool = True) -> Protocol:
    """A protocol whose publish session has offered, or is through with it."""
    protocol = Protocol()
    protocol.publish(PUBLISH)
    start(protocol)
    protocol.offer_made("alice", "ours")
    if answered:
        answer(protocol)
        protocol.described("alice")
    return protocol


def playing() -> Protocol:
    """A protocol whose play session has answered one offer."""
    protocol = Protocol()
    protocol.play(PLAY)
    offer(protocol)
    protocol.answer_made("room1", "ours")
    return protocol


# -- publishing --------------------------------------------------------------------------------------


def test_publishing_from_the_request_to_the_answer() -> None:
    protocol = Protocol()
    assert protocol.phase("alice") is None
    assert protocol.publish(PUBLISH) == (Send(PUBLISH),)
    assert protocol.phase("alice") is Phase.REQUESTED
    assert start(protocol) == (MakeOffer("alice"),)
    assert protocol.phase("alice") is Phase.OFFERING
    assert protocol.offer_made("alice", "ours") == (
        Send(TakeConfiguration(stream_id="alice", type="offer", sdp="ours")),
    )
    assert protocol.phase("alice") is Phase.OFFERED
    assert answer(protocol, "theirs") == (ApplyAnswer("alice", "theirs"),)
    assert protocol.phase("alice") is Phase.STABLE
    assert protocol.described("alice") == ()


def test_a_second_start_is_ignored() -> None:
    protocol = Protocol()
    protocol.publish(PUBLISH)
    start(protocol)
    assert start(protocol) == ()
    protocol.offer_made("alice", "ours")
    assert start(protocol) == ()
    answer(protocol)
    assert start(protocol) == ()
    assert protocol.phase("alice") is Phase.STABLE


def test_a_start_for_a_play_session_is_ignored() -> None:
    protocol = Protocol()
    protocol.play(PLAY)
    assert receive(protocol, "start", streamId="room1") == ()
    assert protocol.phase("room1") is Phase.REQUESTED


def test_an_answer_before_the_offer_is_ignored() -> None:
    protocol = Protocol()
    protocol.publish(PUBLISH)
    assert answer(protocol) == ()
    start(protocol)
    assert answer(protocol) == ()
    assert protocol.phase("alice") is Phase.OFFERING


def test_only_the_first_answer_counts() -> None:
    protocol = publishing()
    assert answer(protocol, "another") == ()


def test_a_server_must_not_offer_to_a_publisher() -> None:
    protocol = publishing(answered=False)
    assert receive(protocol, "takeConfiguration", streamId="alice", type="offer", sdp="x") == ()
    assert answer(protocol) == (ApplyAnswer("alice", "answer"),)


def test_an_offer_that_comes_too_late_is_not_sent() -> None:
    protocol = Protocol()
    protocol.publish(PUBLISH)
    assert protocol.offer_made("alice", "not asked for") == ()
    start(protocol)
    protocol.stop("alice")
    assert protocol.offer_made("alice", "stopped") == ()


def test_publishing_again_begins_anew() -> None:
    protocol = publishing()
    assert protocol.publish(PUBLISH) == (Send(PUBLISH),)
    assert protocol.phase("alice") is Phase.REQUESTED
    assert candidate(protocol, "alice") == ()
    assert start(protocol) == (MakeOffer("alice"),)


# -- playing -----------------------------------------------------------------------------------------


def test_playing_from_the_request_to_the_answer() -> None:
    protocol = Protocol()
    assert protocol.play(PLAY) == (Send(PLAY),)
    assert protocol.receive(json.dumps(wire.message("take_configuration_offer"))) == (
        ApplyOffer("room1", "v=0\r\n", {"0": "ARDAMSvvideoTrack0", "1": "ARDAMSaaudioTrack0"}),
    )
    assert protocol.phase("room1") is Phase.ANSWERING
    assert protocol.answer_made("room1", "ours") == (
        Send(TakeConfiguration(stream_id="room1", type="answer", sdp="ours")),
    )
    assert protocol.phase("room1") is Phase.STABLE


def test_an_offer_without_id_mapping_has_none() -> None:
    protocol = Protocol()
    protocol.play(PLAY)
    assert offer(protocol) == (ApplyOffer("room1", "offer", None),)


def test_of_offers_in_quick_succession_the_newest_is_answered_next() -> None:
    protocol = Protocol()
    protocol.play(PLAY)
    assert offer(protocol, "first") == (ApplyOffer("room1", "first", None),)
    for number in range(1000):
        assert offer(protocol, f"later {number}") == ()
    sent, applied = protocol.answer_made("room1", "to the first")
    assert sent == Send(TakeConfiguration(stream_id="room1", type="answer", sdp="to the first"))
    assert applied == ApplyOffer("room1", "later 999", None)
    assert protocol.phase("room1") is Phase.ANSWERING
    assert len(protocol.answer_made("room1", "to the last")) == 1
    assert protocol.phase("room1") is Phase.STABLE


def test_after_a_refused_offer_the_next_one_is_taken() -> None:
    protocol = playing()
    offer(protocol, "broken")
    offer(protocol, "good")
    assert protocol.offer_refused("room1") == (ApplyOffer("room1", "good", None),)
    assert protocol.answer_made("room1", "ours")
    offer(protocol, "broken")
    assert protocol.offer_refused("room1") == ()
    assert protocol.phase("room1") is Phase.STABLE
    assert offer(protocol, "good again") == (ApplyOffer("room1", "good again", None),)


@pytest.mark.parametrize("kind", ["answer", "pranswer", "rollback", ""])
def test_a_player_takes_nothing_but_offers(kind: str) -> None:
    protocol = playing()
    assert receive(protocol, "takeConfiguration", streamId="room1", type=kind, sdp="x") == ()
    assert protocol.phase("room1") is Phase.STABLE


def test_an_answer_that_nobody_waits_for_is_not_sent() -> None:
    protocol = playing()
    assert protocol.answer_made("room1", "again") == ()
    assert protocol.offer_refused("room1") == ()
    protocol.publish(PUBLISH)
    assert protocol.answer_made("alice", "wrong role") == ()


# -- candidates --------------------------------------------------------------------------------------


def test_candidates_wait_for_the_answer() -> None:
    protocol = publishing(answered=False)
    assert candidate(protocol, "alice", "early") == ()
    assert answer(protocol) == (ApplyAnswer("alice", "answer"),)
    assert candidate(protocol, "alice", "while it is applied") == ()
    assert protocol.described("alice") == (
        AddCandidate("alice", "early", 0, "0"),
        AddCandidate("alice", "while it is applied", 0, "0"),
    )
    assert candidate(protocol, "alice", "late") == (AddCandidate("alice", "late", 0, "0"),)
    assert protocol.described("alice") == ()


def test_candidates_wait_for_the_offer() -> None:
    protocol = Protocol()
    protocol.play(PLAY)
    assert candidate(protocol, "room1", "early") == ()
    offer(protocol)
    assert candidate(protocol, "room1", "while it is answered") == ()
    sent, *queued = protocol.answer_made("room1", "ours")
    assert isinstance(sent, Send)
    assert queued == [
        AddCandidate("room1", "early", 0, "0"),
        AddCandidate("room1", "while it is answered", 0, "0"),
    ]
    offer(protocol, "second")
    assert candidate(protocol, "room1", "later") == (AddCandidate("room1", "later", 0, "0"),)


def test_a_candidate_keeps_its_line_and_its_mid() -> None:
    protocol = playing()
    received = receive(protocol, "takeCandidate", streamId="room1", candidate="c", label=3)
    assert received == (AddCandidate("room1", "c", 3, None),)


def test_an_empty_candidate_is_skipped() -> None:
    assert candidate(playing(), "room1", "") == ()


@pytest.mark.parametrize("described", [True, False])
def test_a_session_takes_a_hundred_candidates(described: bool) -> None:
    protocol = playing() if described else Protocol()
    if not described:
        protocol.play(PLAY)
    at_once = [candidate(protocol, "room1", str(number)) for number in range(1000)]
    taken = sum(map(len, at_once)) + len(protocol.described("room1"))
    assert taken == CANDIDATE_LIMIT == 100
    protocol.play(PLAY)
    candidate(protocol, "room1", "of the next session")
    assert len(protocol.described("room1")) == 1


# -- the end -----------------------------------------------------------------------------------------


def test_stop_is_sent_once_and_what_comes_later_is_ignored() -> None:
    protocol = playing()
    assert protocol.stop("room1") == (Send(Stop(stream_id="room1")),)
    assert protocol.stop("room1") == ()
    assert protocol.phase("room1") is None
    assert offer(protocol) == ()
    assert candidate(protocol, "room1") == ()
    assert protocol.answer_made("room1", "too late") == ()


def test_a_stop_of_the_server_ends_that_session_alone() -> None:
    protocol = publishing()
    protocol.play(PLAY)
    assert receive(protocol, "stop", streamId="alice") == (Gone("alice"),)
    assert protocol.phase("alice") is None
    assert protocol.phase("room1") is Phase.REQUESTED
    assert receive(protocol, "stop", streamId="alice") == ()
    assert protocol.stop("alice") == ()


def test_with_the_socket_all_sessions_end() -> None:
    protocol = publishing()
    protocol.play(PLAY)
    protocol.disconnected()
    assert protocol.phase("alice") is None
    assert protocol.phase("room1") is None
    assert protocol.stop("alice") == ()
    assert start(protocol) == ()


@pytest.mark.parametrize("stream_id", ["bob", "", "Alice", "alice "])
def test_messages_for_unknown_streams_are_ignored(stream_id: str) -> None:
    protocol = publishing(answered=False)
    assert receive(protocol, "start", streamId=stream_id) == ()
    assert receive(protocol, "stop", streamId=stream_id) == ()
    assert receive(protocol, "takeConfiguration", streamId=stream_id, type="answer", sdp="x") == ()
    assert receive(protocol, "takeConfiguration", streamId=stream_id, type="offer", sdp="x") == ()
    assert candidate(protocol, stream_id) == ()
    assert protocol.described(stream_id) == ()
    assert protocol.phase("alice") is Phase.OFFERED
    assert protocol.phase(stream_id) is None


# -- everything else ---------------------------------------------------------------------------------


def test_the_ice_server_is_handed_on() -> None:
    received = Protocol().receive(json.dumps(wire.message("ice_server_config")))
    assert received == (UseIceServer("turn:turn.example.org:3478", "u", "p"),)
    assert receive(Protocol(), "iceServerConfig") == (UseIceServer("", "", ""),)


NO_STREAM_NAME = {"command": "error", "definition": "noStreamNameSpecified"}


def test_a_community_server_has_no_ice_server() -> None:
    protocol = Protocol()
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (UseIceServer("", "", ""),)
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (
        Report("noStreamNameSpecified", NO_STREAM_NAME, error=True),
    )
    protocol.disconnected()
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (UseIceServer("", "", ""),)


def test_later_the_same_error_is_an_error() -> None:
    protocol = Protocol()
    receive(protocol, "pong")
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (
        Report("noStreamNameSpecified", NO_STREAM_NAME, error=True),
    )


@pytest.mark.parametrize("name", wire.names("notification_"))
def test_every_notification_is_reported_whole(name: str) -> None:
    value = wire.message(name)
    assert Protocol().receive(json.dumps(value)) == (Report(value["definition"], value),)


@pytest.mark.parametrize("name", wire.names("error_no"))
def test_errors_are_reported_whole(name: str) -> None:
    value = wire.message(name)
    protocol = playing()
    assert protocol.receive(json.dumps(value)) == (Report(value["definition"], value, error=True),)


@pytest.mark.parametrize("name", ["stream_information", "room_information", "track_list"])
def test_answers_that_are_commands_are_reported_too(name: str) -> None:
    value = wire.message(name)
    assert Protocol().receive(json.dumps(value)) == (Report(value["command"], value),)


@pytest.mark.parametrize("name", ["connect_with_new_id", "peer_message", "publish", "ping", "event_update_audio_level"])
def test_what_is_not_known_is_ignored(name: str) -> None:
    assert Protocol().receive(json.dumps(wire.message(name))) == ()


def test_a_pong_is_reported() -> None:
    assert receive(Protocol(), "pong") == (Report("pong", None),)


def test_garbage_changes_nothing() -> None:
    protocol = publishing(answered=False)
    with pytest.raises(WireError):
        protocol.receive("garbage")
    with pytest.raises(WireError):
        receive(protocol, "takeConfiguration", streamId="alice", type="answer", sdp=None)
    with pytest.raises(WireError):
        receive(protocol, "takeCandidate", streamId="alice", candidate="c", label="0")
    assert protocol.phase("alice") is Phase.OFFERED
    assert answer(protocol) == (ApplyAnswer("alice", "answer"),)


def test_garbage_is_not_the_first_message() -> None:
    protocol = Protocol()
    with pytest.raises(WireError):
        protocol.receive("garbage")
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (UseIceServer("", "", ""),)
