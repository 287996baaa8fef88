"""What servers do that ours does not: each behaviour of the signalling reference's section 11, met by a conference.

Everything goes through the real wire and real media; pictures and sounds are told by colour and pitch.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.ams import ROOM, Ams, Message, PlayEnd
from tests.faults.guest import BOB, CAROL, Other, guest, infos
from tests.interop.person import LOOKS, Person
from tests.waiting import until
from tui.core import attendance, signaling
from tui.core.events import CallState
from tui.core.refusals import IN_USE, MEANINGS, PASSING, REFUSALS, Reaction
from tui.core.sdp import Description
from tui.errors import ExitCode
from tui.server.sections import Sections

if TYPE_CHECKING:
    from tests.faults.ams import Slot

pytestmark = pytest.mark.faults


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


async def test_an_older_server_names_people_in_its_tracks(ams: Ams, monkeypatch: pytest.MonkeyPatch) -> None:
    """No slots, no lists of who is in them, no pushed membership, no subtrack queries: records alone."""
    for name, seconds in (("READING_TIMEOUT", 0.5), ("REFRESH", 0.3), ("DEBOUNCE", 0.1)):
        monkeypatch.setattr(attendance, name, seconds)
    ams.with_mapping = False
    ams.pushes_assignments = False
    for query in ("getSubtracks", "getSubtracksCount", "getVideoTrackAssignmentsCommand"):
        del ams.on[query]
    ams.people = ["bob", "dave", "alice"]

    async def play(message: Message) -> None:
        end = PlayEnd()
        end.add("bob", "bob", *LOOKS["bob"])
        end.open_channel()
        await ams.begin_play(end)

    async def get_broadcast_object(message: Message) -> None:
        stream_id = message["streamId"]
        record = {"streamId": stream_id, "name": stream_id.title(), "status": "broadcasting"}
        if stream_id == ROOM:
            record["subTrackStreamIds"] = ams.people
        await ams.notify("broadcastObject", streamId=stream_id, broadcast=json.dumps(record))

    ams.on |= {"play": play, "getBroadcastObject": get_broadcast_object}
    async with guest(ams) as alice:
        await alice.meets(BOB)
        await until(lambda: {one.name for one in alice.others().values()} == {"Bob", "Dave"})
        assert ams.play_end is not None
        ams.play_end.add("carol", "carol", *LOOKS["carol"])
        ams.people[1:2] = ["carol"]
        await ams.offer()
        await alice.meets(CAROL)
        await until(lambda: set(alice.others()) == {"bob", "carol"})
        asked = [message["streamId"] for message in ams.commands("getBroadcastObject")]
        assert sorted(set(asked) - {ROOM}) == sorted(one for one in asked if one != ROOM), "each person once"
        ams.people.remove("carol")
        await is_gone(alice, CAROL)
        await alice.meets(BOB)


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


@pytest.mark.parametrize("how", ["inactive", "msid dropped", "port 0", "list only", "notification only"])
async def test_who_leaves_is_gone_however_the_server_says_it(ams: Ams, how: str) -> None:
    ams.people = ["bob", "carol"]
    sections = Sections()
    if how == "port 0":
        # aiortc cannot reject a section of its own offer.
        ams.offer_text, ams.answer_text = sections.offer, sections.answer
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
        elif how == "port 0":
            for line in (slot.video, slot.audio):
                line.direction = "inactive"
                sections.reject(str(line.mid))
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
        answer = Description.parse(ams.commands("takeConfiguration")[-1]["sdp"])
        assert sum(section.rejected for section in answer.sections) == (2 if how == "port 0" else 0)


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
@pytest.mark.parametrize("gives_itself_away", [True, False])
async def test_the_community_edition_is_said_in_plain_words_and_keeps_our_stream(
    ams: Ams, gives_itself_away: bool
) -> None:
    async def play(message: Message) -> None:
        await ams.refuse("no_stream_exist", error_code="404", streamId=message["streamId"])

    async def get_ice_server_config(message: Message) -> None:
        await ams.refuse("noStreamNameSpecified")

    for query in ("getSubtracks", "getSubtracksCount", "getVideoTrackAssignmentsCommand"):
        del ams.on[query]
    ams.on["play"] = play
    if gives_itself_away:
        ams.on["getIceServerConfig"] = get_ice_server_config
    async with guest(ams) as alice:
        await until(lambda: "community_edition" in infos(alice, errors=True), timeout=30)
        assert infos(alice, errors=True).count("community_edition") == 1
        assert "noStreamNameSpecified" not in infos(alice, errors=True)
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
}
"""A word that must not be missing in what people are told."""

REPORTED = {name for name, meaning in MEANINGS.items() if meaning.reaction is Reaction.REPORTED}


@pytest.mark.parametrize("definition", sorted(REFUSALS | IN_USE))
@pytest.mark.parametrize("command", ["publish", "play"])
async def test_a_refusal_ends_the_attempt_in_plain_words(ams: Ams, command: str, definition: str) -> None:
    async def refuse(message: Message) -> None:
        await ams.refuse(definition, streamId=message["streamId"], information="\x1b[31m[bold]")

    ams.on[command] = refuse
    alice = Person(ams.url, "alice", play_only=command == "play")
    await alice.conference.join()
    failed = alice.states[-1]
    assert (failed.state, failed.exit_code) == (CallState.FAILED, ExitCode.REFUSED)
    assert FATAL.get(definition, "") in failed.reason.lower()
    assert "\x1b" not in failed.reason + failed.hint
    assert len(ams.commands(command)) == 1
    await alice.aclose()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("definition", sorted(PASSING | {"already_publishing", "already_playing"}))
@pytest.mark.parametrize("command", ["publish", "play"])
async def test_what_passes_is_tried_again_until_it_has_passed(ams: Ams, command: str, definition: str) -> None:
    carry_out, refused = ams.on[command], 0

    async def refuse_once(message: Message) -> None:
        nonlocal refused
        if not refused:
            refused += 1
            await ams.refuse(definition, streamId=message["streamId"])
        else:
            await carry_out(message)

    ams.on[command] = refuse_once
    async with guest(ams, play_only=command == "play"):
        assert len(ams.commands(command)) == 2


@pytest.mark.parametrize("definition", sorted(REPORTED))
async def test_an_error_about_something_else_ends_nothing(ams: Ams, definition: str) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await ams.refuse(definition, information=None)
        await until(lambda: definition in infos(alice, errors=True))
        await alice.meets(BOB)
        assert alice.conference.state is CallState.JOINED
        assert len(ams.commands("publish")) == len(ams.commands("play")) == 1


async def test_what_is_up_is_not_begun_again_because_the_server_says_that_it_is(ams: Ams) -> None:
    ams.people = ["bob"]
    async with guest(ams) as alice:
        await alice.meets(BOB)
        about = {"already_publishing": "alice", "already_playing": ROOM, "no_stream_exist": ROOM}
        for definition, stream_id in about.items():
            await ams.refuse(definition, streamId=stream_id)
        await until(lambda: set(about) <= set(infos(alice, errors=True)))
        await alice.meets(BOB)
        assert not ams.commands("stop")
        assert len(ams.commands("publish")) == len(ams.commands("play")) == 1


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


async def test_a_record_that_the_server_forgot_to_end_is_nobody(ams: Ams) -> None:
    """Of who broke off; a record that lags behind in the call is marked instead."""
    now = 1_725_266_105_690
    late = {"updateTime": now - 60_000}
    about: dict[str, Message] = {"bob": {"updateTime": now}, "carol": late}
    ams.people = ["bob"]

    async def get_subtracks(message: Message) -> None:
        await ams.list_people("bob", "carol", **about)

    ams.on["getSubtracks"] = get_subtracks
    async with guest(ams) as alice:
        await alice.meets(BOB)
        assert set(alice.others()) == {"bob"}
        about["carol"] = {"updateTime": now}
        await ams.notify("subtrackAdded", mainTrack=ROOM, trackId="carol")
        await until(lambda: (carol := alice.about(CAROL)) and carol.name == "Carol" and not carol.stale)
        about["carol"] = late
        await ams.notify("subtrackAdded", mainTrack=ROOM, trackId="carol")
        await until(lambda: (carol := alice.about(CAROL)) and carol.stale)


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
