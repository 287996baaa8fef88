"""The rules of order of the signalling, with plain values: no socket, no peer connection."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest

from tests.core import wire
from tests.waiting import Clock
from tui.core.commands import GetIceServerConfig, Play, Publish
from tui.core.messages import Stop, TakeConfiguration
from tui.core.protocol import (
    CANDIDATE_LIMIT,
    CANDIDATES_AT_ONCE,
    COMMUNITY_SPAN,
    COMMUNITY_TRIES,
    MADE_UP,
    OFFER_BURST,
    Actions,
    AddCandidate,
    ApplyAnswer,
    ApplyOffer,
    Edition,
    Gone,
    MakeOffer,
    Phase,
    Protocol,
    Report,
    Resume,
    Send,
    Started,
    UseIceServer,
)
from tui.errors import WireError

PUBLISH = Publish(stream_id="alice", main_track="room1")
PLAY = Play(stream_id="room1")


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


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
def test_a_session_takes_a_hundred_candidates(described: bool, clock: Clock) -> None:
    protocol = Protocol(clock)
    protocol.play(PLAY)
    if described:
        offer(protocol)
        protocol.answer_made("room1", "ours")
    taken: list[Actions] = []
    for number in range(10_000):
        taken.append(candidate(protocol, "room1", str(number)))
        clock.now += 1.0
    assert sum(map(len, taken)) + len(protocol.described("room1")) == CANDIDATE_LIMIT == 100
    protocol.play(PLAY)
    candidate(protocol, "room1", "of the next session")
    assert len(protocol.described("room1")) == 1


def test_a_flood_of_candidates_is_cut_off_and_later_ones_are_taken(clock: Clock) -> None:
    protocol = Protocol(clock)
    protocol.play(PLAY)
    for number in range(1000):
        candidate(protocol, "room1", str(number))
    assert len(protocol.described("room1")) == CANDIDATES_AT_ONCE == 40
    clock.now += 2.0
    assert candidate(protocol, "room1", "later") == (AddCandidate("room1", "later", 0, "0"),)


# -- offers without end ------------------------------------------------------------------------------


def answered(protocol: Protocol, clock: Clock, seconds: float, every: float) -> list[float]:
    """When an offer was answered, while the server makes one in each such period."""
    at: list[float] = []
    resumes: list[float] = []
    begun, next_offer = clock.now, clock.now
    todo: list[Any] = []
    while clock.now < begun + seconds:
        if clock.now >= next_offer:
            next_offer += every
            todo += offer(protocol, f"at {clock.now}")
        if resumes and clock.now >= resumes[0]:
            resumes.pop(0)
            todo += protocol.resume("room1")
        while todo:
            match todo.pop(0):
                case ApplyOffer():
                    at.append(clock.now - begun)
                    todo += protocol.answer_made("room1", "ours")
                case Resume(_, after):
                    resumes.append(clock.now + after)
        clock.now += 0.005
    assert len(resumes) <= 1
    return at


def test_a_crowd_that_comes_at_once_does_not_wait(clock: Clock) -> None:
    protocol = Protocol(clock)
    protocol.play(PLAY)
    assert answered(protocol, clock, 1.0, 0.2) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8], abs=0.01)


def test_a_server_that_renegotiates_without_end_is_followed_once_a_second(clock: Clock) -> None:
    protocol = Protocol(clock)
    protocol.play(PLAY)
    at = answered(protocol, clock, 60.0, 0.01)
    assert OFFER_BURST + 55 <= len(at) <= OFFER_BURST + 60
    late = [moment for moment in at if moment > 20]
    assert min(after - before for before, after in itertools.pairwise(late)) > 0.9


def test_renegotiating_without_end_is_named_once_and_the_newest_offer_counts(clock: Clock) -> None:
    protocol = Protocol(clock)
    protocol.play(PLAY)
    for _ in range(OFFER_BURST):
        assert isinstance(offer(protocol)[-1], ApplyOffer)
        protocol.answer_made("room1", "ours")
    named, resume = offer(protocol, "one too many")
    assert named == Report("signalling_flood", {"streamId": "room1"}, error=True)
    assert isinstance(resume, Resume)
    assert resume.after == pytest.approx(1.0)
    assert offer(protocol, "another") == ()
    assert offer(protocol, "the newest") == ()
    assert protocol.phase("room1") is Phase.STABLE
    (again,) = protocol.resume("room1")
    assert isinstance(again, Resume)
    clock.now += 1.0
    assert protocol.resume("room1") == (ApplyOffer("room1", "the newest", None),)
    protocol.answer_made("room1", "ours")
    (resume,) = offer(protocol, "and so on")
    assert isinstance(resume, Resume)
    assert protocol.stop("room1")
    clock.now += 1.0
    assert protocol.resume("room1") == ()


def test_an_offer_that_waits_does_not_overtake_the_one_that_is_answered(clock: Clock) -> None:
    protocol = Protocol(clock)
    protocol.play(PLAY)
    for _ in range(OFFER_BURST - 1):
        offer(protocol)
        protocol.answer_made("room1", "ours")
    offer(protocol, "the last that may")
    assert offer(protocol, "waits") == ()
    clock.now += 5.0
    assert protocol.resume("room1") == ()
    assert protocol.answer_made("room1", "ours")[-1] == ApplyOffer("room1", "waits", None)


def test_a_play_that_was_refused_is_not_stopped() -> None:
    protocol = publishing()
    protocol.play(PLAY)
    protocol.forget("room1")
    assert protocol.stop("room1") == ()
    assert protocol.phase("alice") is Phase.STABLE
    protocol.forget("nobody")


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
    assert protocol.ask_ice_servers() == (Send(GetIceServerConfig()),)
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (UseIceServer("", "", ""),)
    assert protocol.edition is Edition.COMMUNITY
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (
        Report("noStreamNameSpecified", NO_STREAM_NAME, error=True),
    )
    protocol.disconnected()
    protocol.ask_ice_servers()
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (UseIceServer("", "", ""),)


def test_unasked_the_same_error_is_an_error() -> None:
    protocol = Protocol()
    assert protocol.receive(json.dumps(NO_STREAM_NAME)) == (
        Report("noStreamNameSpecified", NO_STREAM_NAME, error=True),
    )
    assert protocol.edition is Edition.UNKNOWN


@pytest.mark.parametrize("name", wire.names("notification_"))
def test_every_notification_is_reported_whole(name: str) -> None:
    value = wire.message(name)
    assert Protocol().receive(json.dumps(value)) == (Report(value["definition"], value),)


@pytest.mark.parametrize(
    "value",
    [
        {"definition": "session_restored"},
        {"description": "streaming_session_Restored"},
        {"definition": None, "description": "streaming_session_Restored"},
        {"definition": "streaming_session_Restored"},
        {"definition": "publish_started"},
    ],
)
def test_a_publisher_that_is_back_has_started(value: dict[str, Any]) -> None:
    protocol = publishing()
    whole = {"command": "notification", "streamId": "alice", **value}
    name = "publish_started" if value.get("definition") == "publish_started" else "session_restored"
    assert protocol.receive(json.dumps(whole)) == (Report(name, whole), Started("alice"))
    assert protocol.receive(json.dumps(whole)) == (Report(name, whole),)


def test_only_an_own_publisher_starts() -> None:
    protocol = playing()
    for stream_id in ("room1", "alice", ""):
        reports = receive(protocol, "notification", definition="publish_started", streamId=stream_id)
        assert [type(action) for action in reports] == [Report]


@pytest.mark.parametrize("definition", [{}, {"definition": None}, {"definition": ""}])
def test_a_notification_without_a_name_is_reported_as_one(definition: dict[str, Any]) -> None:
    """The answer to a push notification that went well."""
    value = {"command": "notification", "success": True, **definition}
    assert Protocol().receive(json.dumps(value)) == (Report("notification", value),)


@pytest.mark.parametrize("name", sorted(MADE_UP))
def test_a_server_cannot_speak_for_this_client(name: str) -> None:
    """What comes with objects of ours is never taken from the wire."""
    protocol = playing()
    (report,) = receive(protocol, "notification", definition=name, streamId="alice")
    assert isinstance(report, Report)
    assert report.info == "notification"
    assert receive(protocol, "error", definition=name, streamId="alice") == ()


@pytest.mark.parametrize("name", wire.names("error_no"))
def test_errors_are_reported_whole(name: str) -> None:
    value = wire.message(name)
    protocol = playing()
    assert protocol.receive(json.dumps(value)) == (Report(value["definition"], value, error=True),)


@pytest.mark.parametrize(
    "name", ["stream_information", "room_information", "track_list", "connect_with_new_id", "peer_message"]
)
def test_answers_that_are_commands_are_reported_too(name: str) -> None:
    value = wire.message(name)
    assert Protocol().receive(json.dumps(value)) == (Report(value["command"], value),)


@pytest.mark.parametrize("command", ["notification", "videoTrackAssignmentList"])
def test_the_assignment_list_may_be_a_message_too(command: str) -> None:
    about = {"definition": "videoTrackAssignmentList"} if command == "notification" else {}
    value = {"command": command, **about, "streamId": "room1", "videoTrackAssignments": []}
    assert Protocol().receive(json.dumps(value)) == (Report("videoTrackAssignmentList", value),)


def test_what_is_not_known_is_ignored_and_counted() -> None:
    protocol = Protocol()
    for name in ("future", "", "ping", "publish"):
        assert receive(protocol, name, streamId="alice") == ()
    assert protocol.unknown == 4


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


# -- the Community Edition ---------------------------------------------------------------------------


NOBODY = {"command": "error", "definition": "no_stream_exist", "error_code": "404", "streamId": "room1"}
IS_COMMUNITY = Report("community_edition", {"streamId": "room1"}, error=True)


def in_a_room(clock: Clock, *, started: bool = True) -> Protocol:
    """Our own stream is in the room, and the room is played."""
    protocol = Protocol(clock)
    protocol.publish(PUBLISH)
    if started:
        receive(protocol, "notification", definition="publish_started", streamId="alice")
    protocol.play(PLAY)
    return protocol


def nobody(protocol: Protocol, clock: Clock, times: int, every: float = 3.0) -> list[Any]:
    """What follows, besides the error itself, when the room is empty so many times."""
    more: list[Any] = []
    for _ in range(times):
        report, *rest = protocol.receive(json.dumps(NOBODY))
        assert report == Report("no_stream_exist", NOBODY, error=True)
        more += rest
        clock.now += every
    return more


def test_a_server_that_gives_itself_away_cannot_play_rooms(clock: Clock) -> None:
    protocol = in_a_room(clock)
    assert nobody(protocol, clock, 1) == [Send(GetIceServerConfig())]
    protocol.receive(json.dumps(NO_STREAM_NAME))
    assert protocol.plays_rooms
    assert nobody(protocol, clock, 100) == [IS_COMMUNITY]
    assert not protocol.plays_rooms
    protocol.disconnected()
    protocol.play(PLAY)
    assert nobody(protocol, clock, 100) == []


def test_a_server_that_offers_after_all_can_play_rooms(clock: Clock) -> None:
    protocol = in_a_room(clock)
    nobody(protocol, clock, 1)
    protocol.receive(json.dumps(NO_STREAM_NAME))
    nobody(protocol, clock, 1)
    assert not protocol.plays_rooms
    receive(protocol, "takeConfiguration", streamId="room1", type="offer", sdp="v=0")
    assert protocol.plays_rooms


def test_a_server_that_answers_nothing_is_believed_to_be_it_after_a_while(clock: Clock) -> None:
    protocol = in_a_room(clock)
    assert nobody(protocol, clock, COMMUNITY_TRIES) == [Send(GetIceServerConfig())]
    assert nobody(protocol, clock, 100) == [IS_COMMUNITY]
    assert clock.now - 1000 >= COMMUNITY_SPAN


def test_quick_answers_alone_are_not_enough(clock: Clock) -> None:
    assert nobody(in_a_room(clock), clock, 100, every=0.1) == [Send(GetIceServerConfig())]


def test_who_only_watches_cannot_tell_unless_the_server_gives_itself_away(clock: Clock) -> None:
    protocol = Protocol(clock)
    protocol.play(PLAY)
    assert nobody(protocol, clock, 100) == []
    protocol.ask_ice_servers()
    protocol.receive(json.dumps(NO_STREAM_NAME))
    assert nobody(protocol, clock, 100) == [IS_COMMUNITY]


def test_before_the_own_stream_is_in_the_room_nothing_is_concluded(clock: Clock) -> None:
    assert nobody(in_a_room(clock, started=False), clock, 100) == []


@pytest.mark.parametrize(
    "value",
    [
        {"command": "iceServerConfig"},
        {"command": "takeConfiguration", "streamId": "room1", "type": "offer", "sdp": "v=0"},
        {"command": "notification", "definition": "subtrackList", "subtrackList": []},
        {"command": "notification", "definition": "subtrackCount", "count": 1},
        {"command": "roomInformation"},
    ],
    ids=lambda value: value.get("definition") or value["command"],
)
def test_alone_in_a_room_of_the_enterprise_edition_it_is_not_suspected(value: dict[str, Any], clock: Clock) -> None:
    protocol = in_a_room(clock)
    nobody(protocol, clock, 1)
    protocol.receive(json.dumps(value))
    assert protocol.edition is Edition.ENTERPRISE
    assert nobody(protocol, clock, 1000) == []
    assert protocol.plays_rooms
