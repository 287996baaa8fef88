"""What servers do that ours does not: each behaviour of the signalling reference's section 11, met by a conference.

Everything goes through the real wire and real media; pictures and sounds are told by colour and pitch.
"""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.peers import BLUE
from tests.faults.ams import ROOM, Ams, Message, PlayEnd
from tests.interop.person import LOOKS, Person
from tests.waiting import until
from tui.core import session, signaling
from tui.core.events import Callback, CallState
from tui.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.faults.ams import Slot

pytestmark = pytest.mark.faults


@pytest.fixture
async def ams() -> AsyncIterator[Ams]:
    async with Ams() as ams:
        yield ams


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for pause in ("RETRY_EMPTY", "RETRY_LOST", "RETRY_IN_USE"):
        monkeypatch.setattr(session, pause, 0.05)


@asynccontextmanager
async def guest(ams: Ams, stream_id: str = "alice", **options: Any) -> AsyncIterator[Person]:
    """Our client, in the room."""
    person = Person(ams.url, stream_id, **options)
    try:
        await person.join()
        yield person
    finally:
        await person.aclose()


class Other:
    """Somebody whom the scripted server shows."""

    def __init__(self, stream_id: str) -> None:
        self.stream_id = stream_id


BOB, CAROL = Other("bob"), Other("carol")


def infos(person: Person, *, errors: bool = False) -> list[str]:
    return [event.info for event in person.events if isinstance(event, Callback) and event.error is errors]


async def is_gone(person: Person, other: Other) -> None:
    """Not listed, and no tile and no sound of theirs is left."""
    await until(lambda: person.about(other) is None, what=f"{other.stream_id} leaves {person.others()}")


# -- 2: publishing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("candidates", ["before the answer", "after the answer", "in the answer"])
async def test_publishing_takes_candidates_at_any_time(ams: Ams, candidates: str) -> None:
    async def send_answer(stream_id: str, sdp: str) -> None:
        lines = sdp.splitlines()
        found = list(dict.fromkeys(line[2:] for line in lines if line.startswith("a=candidate:")))
        bare = "\r\n".join(line for line in lines if not line.startswith(("a=candidate", "a=end-of"))) + "\r\n"
        assert found

        async def trickle() -> None:
            for text in found:
                await ams.say("takeCandidate", streamId=stream_id, label=0, id="0", candidate=text)
            await ams.say("takeCandidate", streamId=stream_id, label=0, id="0", candidate="")

        if candidates == "before the answer":
            await trickle()
        text = sdp if candidates == "in the answer" else bare
        await ams.say("takeConfiguration", streamId=stream_id, type="answer", sdp=text)
        if candidates == "after the answer":
            await trickle()

    ams.send_answer = send_answer  # type: ignore[method-assign]
    async with guest(ams) as alice:
        assert "publish_started" in infos(alice)
        end = ams.publish_end
        assert end is not None
        await until(lambda: end.audio_levels and end.channel_label == "alice")


# -- 3 and 4: names of tracks ------------------------------------------------------------------------


@pytest.mark.parametrize("with_mapping", [True, False], ids=["idMapping", "msid"])
async def test_slots_are_found_with_and_without_id_mapping(ams: Ams, with_mapping: bool) -> None:
    ams.with_mapping = with_mapping
    ams.people = ["bob", "carol"]
    async with guest(ams) as alice:
        await asyncio.gather(alice.meets(BOB), alice.meets(CAROL))


async def test_an_older_server_names_people_in_its_tracks(ams: Ams) -> None:
    """No slots, no lists of who is in them, no pushed membership, no subtrack queries."""
    ams.with_mapping = False
    ams.pushes_assignments = False
    for query in ("getSubtracks", "getSubtracksCount", "getVideoTrackAssignmentsCommand"):
        del ams.on[query]

    async def play(message: Message) -> None:
        end = PlayEnd()
        end.add("bob", "bob", *LOOKS["bob"])
        end.open_channel()
        end.add("carol", "carol", *LOOKS["carol"])
        await ams.begin_play(end)

    async def get_broadcast_object(message: Message) -> None:
        stream_id = message["streamId"]
        record = {"streamId": stream_id, "name": stream_id.title(), "status": "broadcasting"}
        if stream_id == ROOM:
            record["subTrackStreamIds"] = ["bob", "carol", "alice"]
        await ams.notify("broadcastObject", streamId=stream_id, broadcast=json.dumps(record))

    ams.on |= {"play": play, "getBroadcastObject": get_broadcast_object}
    async with guest(ams) as alice:
        await asyncio.gather(alice.sees(BOB), alice.hears(BOB), alice.sees(CAROL), alice.hears(CAROL))
        assert set(alice.others()) == {"bob", "carol"}


# -- 5: joining --------------------------------------------------------------------------------------


async def test_a_pair_is_appended_behind_the_data_channel(ams: Ams) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        assert ams.play_end is not None
        ams.seat(ams.play_end, "carol")
        ams.people.append("carol")
        await ams.notify("subtrackAdded", mainTrack=ROOM, trackId="carol")
        await ams.offer()
        ams.assign()
        await asyncio.gather(alice.meets(CAROL), alice.meets(BOB))
        offered = [line for line in ams.play_end.connection.localDescription.sdp.splitlines() if line[:2] == "m="]
        assert [line.split(" ")[0] for line in offered] == ["m=video", "m=audio", "m=application", "m=video", "m=audio"]


async def test_two_offers_in_quick_succession_are_answered_in_order(ams: Ams) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        end = ams.play_end
        assert end is not None
        # The first is out of date before it is answered; a server that speaks once takes only the last answer.
        ams.on["takeConfiguration"] = ams.note_only
        before = len(ams.commands("takeConfiguration"))
        await ams.offer()
        ams.seat(end, "carol")
        ams.people.append("carol")
        await ams.offer()
        await until(lambda: len(ams.commands("takeConfiguration")) >= before + 2)
        await asyncio.sleep(0)
        await ams.take_configuration(ams.commands("takeConfiguration")[-1])
        ams.on["takeConfiguration"] = ams.take_configuration
        ams.assign()
        await asyncio.gather(alice.meets(CAROL), alice.meets(BOB))


# -- 6: leaving --------------------------------------------------------------------------------------


def drop_msid(sdp: str, slot: Slot) -> str:
    """The sections of that slot without their msid lines."""
    sections = sdp.split("\r\nm=")
    mids = {f"a=mid:{slot.video.mid}", f"a=mid:{slot.audio.mid}"}
    kept = [
        "\r\n".join(line for line in section.split("\r\n") if not line.startswith("a=msid:"))
        if mids & set(section.split("\r\n"))
        else section
        for section in sections
    ]
    return "\r\nm=".join(kept)


@pytest.mark.parametrize("how", ["inactive", "msid dropped", "list only", "notification only"])
async def test_who_leaves_is_gone_however_the_server_says_it(ams: Ams, how: str) -> None:
    ams.people = ["bob", "carol"]
    async with guest(ams) as alice:
        await asyncio.gather(alice.meets(BOB), alice.meets(CAROL))
        end = ams.play_end
        assert end is not None
        slot = end.slots[1]
        ams.people.remove("carol")
        if how == "inactive":
            slot.video.direction = slot.audio.direction = "inactive"
            await ams.offer()
        elif how == "msid dropped":
            ams.offer_text = lambda sdp: drop_msid(sdp, slot)
            end.slots.remove(slot)
            await ams.offer()
        if how == "notification only":
            del ams.on["getSubtracks"]
            await ams.notify("subtrackRemoved", mainTrack=ROOM, trackId="carol")
        else:
            ams.owners |= {slot.video_label: "", slot.audio_label: ""}
            end.tell({"eventType": "TRACK_LIST_UPDATED", "streamId": ROOM})
        await is_gone(alice, CAROL)
        await alice.meets(BOB)
        assert set(alice.others()) == {"bob"}


# -- 7: slots ----------------------------------------------------------------------------------------


async def test_a_slot_moves_to_somebody_else_without_an_offer(ams: Ams) -> None:
    ams.people = ["bob", "carol"]
    ams.pushes_assignments = False

    async def play(message: Message) -> None:
        """One pair for two people, as with a limit of one slot; who is in it is told late."""
        end = PlayEnd()
        ams.seat(end, "bob")
        end.open_channel()
        await ams.begin_play(end)

    ams.on["play"] = play
    del ams.on["getVideoTrackAssignmentsCommand"]
    async with guest(ams) as alice:
        await until(lambda: len(alice.tracks) == 2 and len(alice.others()) == 2)
        assert all(one.video is None for one in alice.others().values()), "nobody's slot yet"
        ams.assign()
        await alice.meets(BOB)
        tracks = set(alice.tracks)
        ams.owners["videoTrack0"] = "carol"
        ams.assign()
        await until(lambda: (carol := alice.about(CAROL)) and carol.video)
        bob = alice.about(BOB)
        assert bob is not None
        assert (bob.video, bob.audio is not None) == (None, True), "the sound stays where it was"
        assert await shows(alice, "carol", BLUE), "the track shows what it showed, its owner is another"
        ams.owners["videoTrack0"] = ""
        ams.assign()
        await until(lambda: all(one.video is None for one in alice.others().values()))
        assert set(alice.tracks) == tracks


async def shows(person: Person, stream_id: str, colour: tuple[int, int, int]) -> bool:
    await person.sees(Other(stream_id), colour)
    return True


async def test_an_assignment_for_somebody_unknown_is_bound_when_the_list_comes(ams: Ams) -> None:
    ams.people = ["bob"]
    answer = ams.on.pop("getSubtracks")
    async with guest(ams) as alice:
        await until(lambda: (bob := alice.about(BOB)) and bob.video)
        ams.on["getSubtracks"] = answer
        await alice.meets(BOB)


# -- 8: an empty room --------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("definition", ["no_stream_exist", "stream_not_exist_or_not_streaming"])
async def test_the_first_in_a_room_waits_for_company(ams: Ams, definition: str) -> None:
    async def play(message: Message) -> None:
        if len(ams.commands("play")) < 5:
            await ams.refuse(definition, error_code="404", streamId=ROOM)
        else:
            ams.people = ["bob"]
            await Ams.play(ams, message)

    ams.on["play"] = play
    async with guest(ams) as alice:
        assert set(infos(alice, errors=True)) <= {definition}
        await alice.meets(BOB)
        assert {state.state for state in alice.states} == {CallState.CONNECTING, CallState.JOINED}
        assert len(ams.commands("publish")) == 1


@pytest.mark.usefixtures("quick")
async def test_when_the_room_is_finished_publishing_goes_on_and_the_room_is_played_again(ams: Ams) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        end, ams.play_end = ams.play_end, None
        assert end is not None
        await end.aclose()
        await ams.notify("play_finished", streamId=ROOM, subscriberId=None)
        await until(lambda: len(ams.commands("play")) == 2)
        await alice.meets(BOB)
        assert len(ams.commands("publish")) == 1


async def test_the_first_offer_may_hold_the_data_channel_alone(ams: Ams) -> None:
    async with guest(ams) as alice:
        await until(lambda: "play_started" in infos(alice) and "data_channel_opened" in infos(alice))
        end = ams.play_end
        assert end is not None
        ams.people = ["bob"]
        ams.seat(end, "bob")
        await ams.offer()
        ams.assign()
        await alice.meets(BOB)


# -- 9: the Community Edition ------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
async def test_the_community_edition_is_said_in_plain_words_and_keeps_our_stream(ams: Ams) -> None:
    async def play(message: Message) -> None:
        await ams.refuse("no_stream_exist", error_code="404", streamId=message["streamId"])

    for query in ("getSubtracks", "getSubtracksCount", "getVideoTrackAssignmentsCommand"):
        del ams.on[query]
    ams.on["play"] = play
    async with guest(ams) as alice:
        await until(lambda: "community_edition" in infos(alice, errors=True), timeout=30)
        assert infos(alice, errors=True).count("community_edition") == 1
        assert alice.conference.state is CallState.JOINED
        assert len(ams.commands("publish")) == 1


# -- 10: errors --------------------------------------------------------------------------------------

FATAL = {
    "unauthorized_access": "token",
    "user_blocked": "blocked",
    "invalidStreamName": "stream id",
    "streamIdInUse": "in use",
    "not_allowed_unregistered_streams": "registered",
    "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks": "full",
    "license_suspended_please_renew_license": "licence",
    "notSetRemoteDescription": "codec",
    "webrtc_not_enabled": "",
    "stream_not_active_or_expired": "",
}


@pytest.mark.parametrize("definition", sorted(FATAL))
async def test_a_refusal_ends_the_attempt_in_plain_words(ams: Ams, definition: str) -> None:
    async def publish(message: Message) -> None:
        await ams.refuse(definition, streamId=message["streamId"], information="\x1b[31m[bold]")

    ams.on["publish"] = publish
    alice = Person(ams.url, "alice")
    await alice.conference.join()
    failed = alice.states[-1]
    assert (failed.state, failed.exit_code) == (CallState.FAILED, ExitCode.REFUSED)
    assert FATAL[definition] in failed.reason.lower()
    assert len(ams.commands("publish")) == 1
    await alice.aclose()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("definition", ["highResourceUsage", "publishTimeoutError", "data_store_not_available"])
async def test_what_passes_is_tried_again_until_it_has_passed(ams: Ams, definition: str) -> None:
    async def publish(message: Message) -> None:
        if len(ams.commands("publish")) < 3:
            await ams.refuse(definition, streamId=message["streamId"])
        else:
            await Ams.publish(ams, message)

    ams.on["publish"] = publish
    async with guest(ams):
        assert len(ams.commands("publish")) == 3


# -- 11: coming back ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("how", ["dropped", "server_will_stop"])
async def test_a_socket_that_goes_in_the_middle_of_a_call_comes_back(ams: Ams, how: str) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        if how == "dropped":
            ams.drop()
        else:
            await ams.notify("server_will_stop")
        await until(lambda: ams.sockets == 2)
        await until(lambda: alice.conference.state is CallState.JOINED)
        await alice.meets(BOB)
        assert set(alice.others()) == {"bob"}


@pytest.mark.usefixtures("quick")
async def test_an_id_that_is_still_in_use_after_a_break_is_waited_for(ams: Ams) -> None:
    async with guest(ams) as alice:

        async def publish(message: Message) -> None:
            if len(ams.commands("publish")) < 5:
                await ams.refuse("streamIdInUse", streamId=message["streamId"])
            else:
                await Ams.publish(ams, message)

        ams.on["publish"] = publish
        ams.drop()
        await until(lambda: alice.conference.state is CallState.RECONNECTING)
        await until(lambda: alice.conference.state is CallState.JOINED)
        assert len(ams.commands("publish")) == 5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "restored", [{"definition": "session_restored"}, {"description": "streaming_session_Restored"}], ids=["code", "doc"]
)
async def test_a_publisher_that_is_restored_is_back(ams: Ams, restored: dict[str, str]) -> None:
    async with guest(ams) as alice:

        async def confirm(stream_id: str) -> None:
            await ams.say("notification", **restored, streamId=stream_id)

        ams.confirm_publish = confirm  # type: ignore[method-assign]
        ams.drop()
        await until(lambda: alice.conference.state is CallState.RECONNECTING)
        await until(lambda: alice.conference.state is CallState.JOINED)


# -- 12: the keep-alive ------------------------------------------------------------------------------


async def test_a_server_without_pongs_is_left_and_a_slow_one_is_not(ams: Ams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signaling, "PING_INTERVAL", 0.3)

    async def slow(message: Message) -> None:
        await asyncio.sleep(0.45)
        await ams.say("pong")

    ams.on["ping"] = slow
    async with guest(ams) as alice:
        await until(lambda: len(ams.commands("ping")) > 6)
        assert ams.sockets == 1
        del ams.on["ping"]
        for query in ("getSubtracks", "getSubtracksCount", "getVideoTrackAssignmentsCommand"):
            del ams.on[query]
        await until(lambda: alice.conference.state is CallState.RECONNECTING)
        ams.on["ping"] = ams.ping
        await until(lambda: ams.sockets == 2 and alice.conference.state is CallState.JOINED)


# -- 13: the data channel ----------------------------------------------------------------------------


def hostile_messages() -> list[str | bytes]:
    """What must neither end the call nor be taken for anything."""
    token = 77
    return [
        "not JSON at all",
        "\x1b]0;owned\x07<script>alert(1)</script>",
        "[]",
        "null",
        "7",
        '{"eventType":7}',
        '{"eventType":"NOBODY_KNOWS_IT","streamId":"bob"}',
        '{"eventType":"MESSAGE_RECEIVED"}',
        '{"eventType":"MESSAGE_RECEIVED","message":7,"senderId":[],"date":{}}',
        '{"eventType":"CHAT_MESSAGE","streamId":null,"message":null}',
        '{"eventType":"VIDEO_TRACK_ASSIGNMENT_LIST","payload":[null,7,{"videoLabel":7}]}',
        '{"eventType":"AUDIO_TRACK_ASSIGNMENT","payload":"x"}',
        '{"eventType":"UPDATE_AUDIO_LEVEL","streamId":"bob","audioLevel":"loud"}',
        '{"eventType":"REACTIONS","reaction":{"a":1}}',
        '{"eventType":"TURN_YOUR_MIC_OFF","streamId":"somebody else"}',
        "[" * 2000,
        "x" * 60_000,
        b"\x00",
        struct.pack("<ii", token, -1),
        struct.pack("<ii", token, 2**31 - 1) + b"x" * 100,
        struct.pack("<ii", token, 10) + b"",
        struct.pack("<i", 4242) + b"a chunk of nothing",
    ]


async def test_odd_data_harms_nobody(ams: Ams) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        end = ams.play_end
        assert end is not None
        for message in hostile_messages():
            end.tell(message)
        end.tell({"streamId": "bob", "eventType": "MIC_MUTED"})
        await until(lambda: (bob := alice.about(BOB)) and not bob.microphone)
        await alice.sees(BOB)
        own = alice.conference.participants[0]
        assert (own.microphone, own.camera) == (True, True)


async def test_binary_arrives_whole_from_its_chunks(ams: Ams) -> None:
    ams.people = ["bob"]
    content = bytes(range(256)) * 200
    async with guest(ams) as alice:
        await until(lambda: "play_started" in infos(alice) and ams.play_end and ams.play_end.channel)
        end = ams.play_end
        assert end is not None
        assert end.channel is not None
        await until(lambda: end.channel and end.channel.readyState == "open")
        token = struct.pack("<i", 99)
        end.tell(token + struct.pack("<i", len(content)))
        for start in range(0, len(content), 16_000):
            end.tell(token + content[start : start + 16_000])
        shown = f"{len(content)} bytes"
        await until(lambda: any(shown in str(event.obj) for event in alice.events if isinstance(event, Callback)))


# -- 14: lists ---------------------------------------------------------------------------------------


async def test_lists_with_pages_and_broken_records(ams: Ams) -> None:
    people = ["bob", *(f"person{number}" for number in range(120))]
    entries: list[Any] = [json.dumps({"streamId": one, "status": "broadcasting", "metaData": '""'}) for one in people]
    entries[3:3] = ["{broken", "null", 7, '{"name":"no id"}', '{"streamId":"bob","metaData":"{\\"isMic"}']
    ams.on["play"] = lambda message: ams.begin_play(PlayEnd(channel_first=True))

    async def get_subtracks(message: Message) -> None:
        first = message["offset"]
        page = entries[first : first + message["size"]]
        await ams.notify("subtrackList", streamId=ROOM, subtrackList=page)

    ams.on["getSubtracks"] = get_subtracks
    async with guest(ams) as alice:
        await until(lambda: len(alice.others()) == 121)
        assert alice.others()["bob"].name == "bob"
        assert all(one.microphone and one.camera for one in alice.others().values())


# -- 15: nulls, extras, another order ------------------------------------------------------------------


def with_nulls(message: Message) -> Message:
    return message | {"linkSession": None, "subscriberId": None, "information": None}


def with_extras(message: Message) -> Message:
    return message | {"someday": {"a": [1, None]}, "ATTR_X": "", "priority": 7.5}


def reversed_keys(message: Message) -> Message:
    return dict(reversed(message.items()))


@pytest.mark.parametrize("rewrite", [with_nulls, with_extras, reversed_keys])
async def test_messages_may_hold_nulls_and_extras_in_any_order(ams: Ams, rewrite: Any) -> None:
    ams.rewrite = rewrite
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)


# -- 16 and 17: a strict server, and one that listens to levels ---------------------------------------


async def test_a_strict_server_finds_nothing_to_complain_about(ams: Ams) -> None:
    """The ids are chosen to break the rule on lines with the codec's name (5.7); `Ams` fails by itself."""
    ams.people = ["bob"]
    async with guest(ams, "my-opus-1") as alice:
        await alice.meets(BOB)
        await until(lambda: ams.publish_end and ams.publish_end.channel_label == "my-opus-1")


async def test_our_voice_carries_its_level_and_silence_says_so(ams: Ams) -> None:
    async with guest(ams) as alice:
        end = ams.publish_end
        assert end is not None
        await until(lambda: len(end.audio_levels) > 20)
        assert all(level is not None and level < 30 for level in end.audio_levels[-5:])
        await alice.conference.set_microphone(False)
        await until(lambda: end.audio_levels[-5:] == [127] * 5)
