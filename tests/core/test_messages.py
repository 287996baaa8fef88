"""Every wire message of the signalling reference, whole and broken, as `tui.core.messages` reads it."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.core import wire
from tui.core import wire as wire_types
from tui.core.commands import (
    AssignVideoTrack,
    EnableTrack,
    ForceStreamQuality,
    GetBroadcastObject,
    GetDebugInfo,
    GetIceServerConfig,
    GetRoomInfo,
    GetStreamInfo,
    GetSubscriberCount,
    GetSubscribers,
    GetSubtracks,
    GetSubtracksCount,
    GetTrackList,
    GetVideoTrackAssignments,
    Join,
    JoinRoom,
    Leave,
    LeaveFromRoom,
    Ping,
    Play,
    Publish,
    RegisterPushNotificationToken,
    SendPushNotification,
    SetMaxVideoTrackCount,
    ToggleAudio,
    ToggleVideo,
    UpdateStreamMetaData,
    UpdateVideoTrackAssignments,
    parse_from_client,
)
from tui.core.messages import (
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
from tui.core.records import Assignment, Broadcast, read_assignments
from tui.core.wire import MESSAGE_LIMIT, VALUES_LIMIT, Message, MissingFieldError, Unknown, is_stream_id, load_object
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable

META = '{"isMicMuted":false,"isCameraOn":true}'
CANDIDATE = TakeCandidate(
    stream_id="room1", candidate="candidate:1 1 udp 2113937151 192.0.2.7 51000 typ host", label=0, id="0"
)
OFFER = TakeConfiguration(
    stream_id="room1",
    type="offer",
    sdp="v=0\r\n",
    id_mapping={"0": "ARDAMSvvideoTrack0", "1": "ARDAMSaaudioTrack0"},
)
PEER_MESSAGE = PeerMessage(stream_id="x", definition="d", data="...")
ANSWER = TakeConfiguration(stream_id="alice", type="answer", sdp="v=0\r\n")

FROM_CLIENT: dict[str, Message] = {
    "ping": Ping(),
    "get_ice_server_config": GetIceServerConfig(),
    "publish": Publish(stream_id="alice", stream_name="Alice", main_track="room1", meta_data=META),
    "play": Play(stream_id="room1", room="room1", track_list=["bob", "!carol"], user_publish_id="alice"),
    "take_configuration_offer": OFFER,
    "take_configuration_answer": ANSWER,
    "take_candidate": CANDIDATE,
    "stop": Stop(stream_id="alice"),
    "get_broadcast_object": GetBroadcastObject(stream_id="room1"),
    "get_subtracks": GetSubtracks(stream_id="room1", size=15, role="host"),
    "get_subtracks_count": GetSubtracksCount(stream_id="room1"),
    "get_video_track_assignments": GetVideoTrackAssignments(stream_id="room1"),
    "update_stream_meta_data": UpdateStreamMetaData(stream_id="alice", meta_data='{"isMicMuted":true}'),
    "peer_message": PEER_MESSAGE,
    "get_track_list": GetTrackList(stream_id="room1", token="t"),
    "get_stream_info": GetStreamInfo(stream_id="alice"),
    "get_room_info": GetRoomInfo(room="room1", stream_id="alice"),
    "get_subscriber_count": GetSubscriberCount(stream_id="room1"),
    "get_subscribers": GetSubscribers(stream_id="room1", offset=10, size=20),
    "get_debug_info": GetDebugInfo(stream_id="alice"),
    "enable_track": EnableTrack(stream_id="room1", track_id="bob", enabled=False),
    "toggle_video": ToggleVideo(stream_id="room1", track_id="bob", enabled=True),
    "toggle_audio": ToggleAudio(stream_id="room1", track_id="bob", enabled=False),
    "force_stream_quality": ForceStreamQuality(stream_id="room1", stream_height=360, track_id="bob"),
    "set_max_video_track_count": SetMaxVideoTrackCount(stream_id="alice", max_track_count=4),
    "update_video_track_assignments": UpdateVideoTrackAssignments(stream_id="room1", offset=4, size=2),
    "assign_video_track": AssignVideoTrack(stream_id="bob", video_track_id="videoTrack0", enabled=True),
    "register_push_notification_token": RegisterPushNotificationToken(
        subscriber_id="u", token="jwt", pns_registration_token="device", pns_type="fcm"
    ),
    "send_push_notification": SendPushNotification(
        subscriber_id="u",
        token="jwt",
        push_notification_content={"title": "Call"},
        subscriber_ids_to_notify=["v", "w"],
    ),
    "send_push_notification_to_topic": SendPushNotification(
        subscriber_id="u", token="jwt", push_notification_content={"title": "Call"}, topic="room1"
    ),
    "join_room": JoinRoom(
        room="room1", stream_id="alice", main_track="room1", mode="multitrack", stream_name="Alice", metadata="{}"
    ),
    "leave_from_room": LeaveFromRoom(room="room1", stream_id="alice", main_track="room1"),
    "join": Join(stream_id="alice"),
    "leave": Leave(stream_id="alice"),
}
FROM_SERVER: dict[str, Message] = {
    "pong": Pong(),
    "start": Start(stream_id="alice"),
    "take_configuration_offer": OFFER,
    "take_configuration_answer": ANSWER,
    "take_candidate": CANDIDATE,
    "stop": Stop(stream_id="alice"),
    "peer_message": PEER_MESSAGE,
    "ice_server_config": IceServerConfig(
        stun_server_uri="turn:turn.example.org:3478", turn_server_username="u", turn_server_credential="p"
    ),
}
KNOWN = [(parse_from_client, name, expected) for name, expected in FROM_CLIENT.items()]
KNOWN += [(parse_from_server, name, expected) for name, expected in FROM_SERVER.items()]
known = pytest.mark.parametrize(
    ("parse", "name", "expected"), KNOWN, ids=[f"{name}-{parse.__name__[11:]}" for parse, name, _ in KNOWN]
)
Parse: TypeAlias = "Callable[[str | bytes], Message]"


def wire_fields(expected: Message) -> dict[str, bool]:
    """The wire's keys of a message's fields, and whether each is required."""
    keys = {wire_types._key(item.name): item for item in fields(expected)}
    return {key: item.default is item.default_factory for key, item in keys.items()}  # both MISSING


def test_every_message_class_has_a_fixture() -> None:
    seen = {type(expected).__name__ for _, _, expected in KNOWN} | {"Notification", "ServerError", "Unknown"}
    assert seen == {kind.__name__ for kind in Message.__subclasses__()}


@known
def test_a_message_is_read_whole(parse: Parse, name: str, expected: Message) -> None:
    assert parse(json.dumps(wire.message(name))) == expected


@known
def test_bytes_are_read_like_text(parse: Parse, name: str, expected: Message) -> None:
    assert parse(json.dumps(wire.message(name)).encode()) == expected


@known
def test_the_order_of_the_keys_does_not_matter(parse: Parse, name: str, expected: Message) -> None:
    assert parse(json.dumps(dict(reversed(wire.message(name).items())))) == expected


@known
def test_unknown_keys_are_ignored(parse: Parse, name: str, expected: Message) -> None:
    assert parse(json.dumps(wire.message(name) | {"future": {"a": [1]}, "raw": 3})) == expected


@known
def test_what_is_encoded_reads_back(parse: Parse, name: str, expected: Message) -> None:
    assert parse(expected.encode()) == expected


@known
def test_no_null_is_ever_sent(parse: Parse, name: str, expected: Message) -> None:
    sent = json.loads(expected.encode())
    assert None not in sent.values()
    assert {key: value for key, value in wire.message(name).items() if key in sent} == sent


@known
@pytest.mark.parametrize("absent", ["missing", "null"])
def test_each_field_may_be_absent_unless_it_is_required(
    parse: Parse, name: str, expected: Message, absent: str
) -> None:
    for key, required in wire_fields(expected).items():
        value = wire.message(name)
        if absent == "null":
            value[key] = None
        else:
            value.pop(key, None)
        if required:
            with pytest.raises(MissingFieldError, match=expected.command):
                parse(json.dumps(value))
        else:
            field_name = next(item.name for item in fields(expected) if wire_types._key(item.name) == key)
            default = next(item for item in fields(type(expected)) if item.name == field_name)
            empty = default.default_factory() if callable(default.default_factory) else default.default
            assert parse(json.dumps(value)) == replace(expected, **{field_name: empty})


@known
def test_each_field_of_a_wrong_type_is_refused_by_name(parse: Parse, name: str, expected: Message) -> None:
    for key in wire_fields(expected).keys() - {"data"}:
        right = wire.message(name).get(key)
        wrong: list[Any] = [
            bad
            for bad in (7, 7.5, "7", True, [7], {"7": 7})
            if (key != "streamHeight" or type(bad) not in (int, str))
            and (type(bad) is not type(right) or isinstance(bad, list))  # a list of numbers is no list of names
        ]
        if right is None:
            wrong = [7.5]
        for bad in wrong:
            with pytest.raises(WireError, match=key):
                parse(json.dumps(wire.message(name) | {key: bad}))


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_is_no_integer(value: bool) -> None:
    with pytest.raises(WireError, match="label"):
        parse_from_server(json.dumps(wire.message("take_candidate") | {"label": value}))


@pytest.mark.parametrize("value", [0, 1, "true"])
def test_only_a_boolean_is_a_boolean(value: object) -> None:
    with pytest.raises(WireError, match="video"):
        parse_from_client(json.dumps(wire.message("publish") | {"video": value}))


@pytest.mark.parametrize("name", wire.names("notification_"))
def test_a_notification_keeps_the_whole_object(name: str) -> None:
    value = wire.message(name)
    read = parse_from_server(json.dumps(value))
    assert read == Notification(definition=value["definition"], stream_id=value.get("streamId", ""), raw=value)


@pytest.mark.parametrize("name", wire.names("error_"))
def test_an_error_keeps_the_whole_object(name: str) -> None:
    value = wire.message(name)
    read = parse_from_server(json.dumps(value))
    assert read == ServerError(definition=value["definition"], stream_id=value.get("streamId", ""), raw=value)


@pytest.mark.parametrize("name", ["connect_with_new_id", "stream_information", "room_information", "track_list"])
def test_other_commands_are_kept_as_unknown(name: str) -> None:
    value = wire.message(name)
    assert parse_from_server(json.dumps(value)) == Unknown(name=value["command"], raw=value)


def test_each_side_knows_only_what_is_said_to_it() -> None:
    assert isinstance(parse_from_server('{"command":"publish","streamId":"a"}'), Unknown)
    assert isinstance(parse_from_client('{"command":"start","streamId":"a"}'), Unknown)


@pytest.mark.parametrize("kind", ["notification", "error"])
@pytest.mark.parametrize("definition", [7, True, [], {}])
def test_a_definition_that_is_no_text_is_refused(kind: str, definition: object) -> None:
    with pytest.raises(WireError):
        parse_from_server(json.dumps({"command": kind, "definition": definition}))


def test_an_error_needs_a_definition_and_a_notification_does_not() -> None:
    """The answer to a push notification has ``success`` instead."""
    with pytest.raises(MissingFieldError):
        parse_from_server('{"command":"error","definition":null}')
    assert parse_from_server('{"command":"notification"}') == Notification(raw={"command": "notification"})


NOT_A_MESSAGE = {
    "empty": "",
    "blank": "  ",
    "not JSON": "hello",
    "cut off": '{"command":"pong"',
    "two values": '{"command":"pong"}{"command":"pong"}',
    "list": "[]",
    "text": '"x"',
    "null": "null",
    "number": "7",
    "no command": "{}",
    "null for command": '{"command":null}',
    "number for command": '{"command":7}',
    "list for command": '{"command":["pong"]}',
    "byte order mark": '\ufeff{"command":"pong"}',
    "NaN": '{"command":"notification","definition":"d","count":NaN}',
    "Infinity": '{"command":"notification","definition":"d","count":-Infinity}',
    "out of range": '{"command":"notification","definition":"d","count":1e999}',
    "5000 digits": '{"command":"notification","definition":"d","count":' + "7" * 5000 + "}",
    "100 000 brackets": "[" * 100_000,
    "100 000 nested objects": '{"command":' * 100_000,
    "33 levels": '{"command":"notification","definition":"d","a":' + "[" * 32 + "]" * 32 + "}",
    "too many lists": '{"command":"pong","a":[' + "[]," * VALUES_LIMIT + "1]}",
    "too many numbers": '{"command":"pong","a":[' + "1," * VALUES_LIMIT + "1]}",
    "too many keys": '{"command":"pong","a":{' + ",".join(f'"{key}":1' for key in range(VALUES_LIMIT)) + "}}",
    "too many signs in a text that does not end": '{"command":"pong","a":"' + ',\\"' * VALUES_LIMIT,
    "over the limit": '{"command":"pong","a":"' + "x" * MESSAGE_LIMIT + '"}',
    "control character": '{"command":"po\x00ng"}',
}


@pytest.mark.parametrize("text", NOT_A_MESSAGE.values(), ids=NOT_A_MESSAGE.keys())
@pytest.mark.parametrize("parse", [parse_from_client, parse_from_server])
def test_what_is_no_message_is_a_wire_error(parse: Parse, text: str) -> None:
    with pytest.raises(WireError) as caught:
        parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("frame", [b"\xff\xfe\x00", b"\x00", b"\xc3\x28", '{"command":"caf\xe9"'.encode("latin-1")])
def test_bytes_that_are_no_text_are_a_wire_error(frame: bytes) -> None:
    with pytest.raises(WireError):
        parse_from_server(frame)


def test_a_message_at_the_limit_is_still_read() -> None:
    frame = '{"command":"pong","a":"'
    frame += "x" * (MESSAGE_LIMIT - len(frame) - 2) + '"}'
    assert len(frame) == MESSAGE_LIMIT
    assert parse_from_server(frame) == Pong()


def test_the_records_of_many_people_are_read() -> None:
    """As many as AMS gives at once, with all that its records hold."""
    record = json.dumps({f"field{number}": None for number in range(70)})
    frame = {"command": "notification", "definition": "subtrackList", "subtrackList": [record] * 250}
    assert isinstance(parse_from_server(json.dumps(frame)), Notification)


def test_one_participant_cannot_make_a_list_unreadable() -> None:
    """Signs in a name or in metaData are not the list's own values."""
    record = json.dumps({"streamId": "eve", "name": ',[{\\",' * 1000, "metaData": "," * (16 << 10)})
    frame = {"command": "notification", "definition": "subtrackList", "subtrackList": [record] * 16}
    read = parse_from_server(json.dumps(frame))
    assert isinstance(read, Notification)
    assert Broadcast.read(read.raw["subtrackList"][0]) is not None


def test_meta_data_of_many_values_is_not_read() -> None:
    meta_data = json.dumps({"isMicMuted": True, "x": [[]] * 1000})
    record = Broadcast.read(json.dumps({"streamId": "eve", "metaData": meta_data}))
    assert record is not None
    assert record.meta_data == {}


def test_32_levels_are_read() -> None:
    deep = '{"command":"notification","definition":"d","a":' + "[" * 31 + "]" * 31 + "}"
    assert isinstance(parse_from_server(deep), Notification)
    assert load_object('{"a":' + "[" * 31 + "]" * 31 + "}")


def test_what_is_read_can_always_be_sent_on() -> None:
    """A lone surrogate, a NUL and an endless number pass through the encoder again."""
    text = '{"command":"updateStreamMetaData","streamId":"a","metaData":"\\ud800\\u0000 1e999"}'
    read = parse_from_client(text)
    assert parse_from_client(read.encode()) == read
    read.encode().encode()


def test_of_a_doubled_key_the_last_counts() -> None:
    assert parse_from_server('{"command":"pong","command":"start","streamId":"a"}') == Start(stream_id="a")


# -- inside ------------------------------------------------------------------------------------------


def test_a_broadcast_is_read_from_its_json_text() -> None:
    expected = Broadcast(
        stream_id="alice",
        name="Alice",
        status="broadcasting",
        main_track="room1",
        meta_data={"isMicMuted": False, "isCameraOn": True},
    )
    assert Broadcast.read(json.dumps(wire.message("broadcast"))) == expected
    assert Broadcast.read(wire.message("broadcast")) == expected
    assert Broadcast.read(wire.message("notification_broadcast_object")["broadcast"]) == expected


def test_a_subtrack_list_holds_broadcasts() -> None:
    entries = wire.message("notification_subtrack_list")["subtrackList"]
    read = [Broadcast.read(entry) for entry in entries]
    assert [broadcast and broadcast.stream_id for broadcast in read] == ["alice", "bob"]
    assert read[1] == Broadcast(stream_id="bob")


@pytest.mark.parametrize("text", [None, 7, "", "x", "[]", "{}", '{"streamId":7}', '{"streamId":""}', b"\xff", "[" * 99])
def test_a_broken_broadcast_is_none(text: object) -> None:
    assert Broadcast.read(text) is None


@pytest.mark.parametrize("value", [None, 7, True, [], {}, "", '""', "null", "[]", "not JSON", '{"a":NaN}'])
def test_a_broadcast_with_odd_fields_keeps_the_rest(value: object) -> None:
    record = wire.message("broadcast") | {"name": 7, "status": None, "mainTrackStreamId": [], "metaData": value}
    assert Broadcast.read(json.dumps(record)) == Broadcast(stream_id="alice")


def test_assignments_are_read() -> None:
    assert read_assignments(wire.message("event_video_track_assignment_list")) == (
        Assignment("videoTrack0", "bob", reserved=True),
        Assignment("videoTrack1", ""),
    )
    # An entry without a label belongs to no slot.
    audio = wire.message("event_audio_track_assignment")
    assert read_assignments(audio, "audioLabel") == (Assignment("audioTrack0", "bob"),)


@pytest.mark.parametrize("payload", [None, 7, "x", {}, [None, 7, "x", [], {}, {"videoLabel": 7}, {"videoLabel": ""}]])
def test_broken_assignments_are_none(payload: object) -> None:
    assert read_assignments({"payload": payload}) == ()
    assert read_assignments({}) == ()


def test_an_assignment_without_a_person_is_an_empty_slot() -> None:
    assert read_assignments({"payload": [{"videoLabel": "videoTrack0", "trackId": None, "reserved": "yes"}]}) == (
        Assignment("videoTrack0", ""),
    )


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, '{"a":' + "7" * 5000 + "}", '{"a":' + "[" * 32 + "]" * 32 + "}"],
    ids=["lists", "objects", "digits", "33 levels"],
)
def test_a_bomb_inside_is_an_empty_object(text: str) -> None:
    assert load_object(text) == {}


@pytest.mark.parametrize("text", ["a", "A-Z_0.9", "opus", "x" * 256])
def test_ids_that_the_server_takes(text: str) -> None:
    assert is_stream_id(text)


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "../x", "a/b", 'a"b', "a\n", "\x1b[0m", "a\x00", "\N{GRINNING FACE}", "é", "x" * 257]
)
def test_ids_that_the_server_does_not_take(text: str) -> None:
    assert not is_stream_id(text)


def test_no_secret_is_in_a_representation() -> None:
    shown = [
        Publish(stream_id="a", token="canary", subscriber_code="canary"),
        Play(stream_id="a", token="canary", subscriber_code="canary"),
        IceServerConfig(turn_server_credential="canary"),
        RegisterPushNotificationToken(
            subscriber_id="u", token="canary", pns_registration_token="canary", pns_type="fcm"
        ),
    ]
    assert "canary" not in repr(shown)
