"""The door that every remote offer passes: what aiortc is shown, and what the other end gets back."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.core import wire
from tui.core.aiortc_internals import Addresses, candidates_from
from tui.core.door import CANDIDATE_LIMIT, TRACK_LIMITS, Door, checked_answer
from tui.core.sdp import (
    LINE_LIMIT,
    NAME_LIMIT,
    SDP_LIMIT,
    SECTION_LIMIT,
    Description,
    RenewalError,
    Section,
    TrackLine,
    is_usable_candidate,
    track_label,
)
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

TWO_SLOTS = wire.text("two_slots.sdp")
HEAD = tuple(Description.parse(TWO_SLOTS).session)
VIDEO0, AUDIO0, CHANNEL, VIDEO1, AUDIO1 = Description.parse(TWO_SLOTS).sections


def sdp(*sections: Section) -> str:
    """An offer of these sections, all of them bundled but the rejected ones."""
    session = [line for line in HEAD if not line.startswith("a=group:")]
    mids = [section.mid for section in sections if section.mid and not section.rejected]
    return str(Description((*session, "a=group:BUNDLE " + " ".join(mids)), sections))


def changed(section: Section, old: str, new: str) -> Section:
    """The section with one text in its lines replaced; the text must be there."""
    assert any(old in line for line in section.lines)
    return Section(tuple(line.replace(old, new) for line in section.lines))


def without(section: Section, start: str) -> Section:
    return Section(tuple(line for line in section.lines if not line.startswith(start)))


def inactive(section: Section) -> Section:
    return changed(section, "a=sendonly", "a=inactive")


def rejected(section: Section) -> Section:
    return Section((section.lines[0].replace(" 9 ", " 0 "), *section.lines[1:]))


def video(*codecs: str) -> Section:
    """The first video section with payload types 96, 97, … for these ``rtpmap`` names and ``fmtp`` parameters."""
    lines = [line for line in VIDEO0.lines[1:] if not line.startswith(("a=rtpmap", "a=fmtp", "a=rtcp-fb", "a=ssrc"))]
    payloads = [str(96 + index) for index in range(len(codecs))]
    for payload, codec in zip(payloads, codecs, strict=True):
        name, _, parameters = codec.partition(" ")
        lines.append(f"a=rtpmap:{payload} {name}/90000")
        if parameters:
            lines.append(f"a=fmtp:{payload} {parameters}")
    return Section((" ".join(["m=video 9 UDP/TLS/RTP/SAVPF", *payloads]), *lines))


def shown(offer_text: str) -> tuple[Section, ...]:
    return Description.parse(offer_text).sections


def bundle(text: str) -> list[str]:
    """The mids of the one BUNDLE group."""
    (line,) = [line for line in Description.parse(text).session if line.startswith("a=group:BUNDLE")]
    return line.split(" ")[1:]


# -- reading -----------------------------------------------------------------------------------------


def test_a_description_is_written_as_it_was_read() -> None:
    assert str(Description.parse(TWO_SLOTS)) == TWO_SLOTS.replace("\n", "\r\n")
    assert Description.parse(TWO_SLOTS.replace("\n", "\r\n")) == Description.parse(TWO_SLOTS)


def test_what_a_section_says() -> None:
    assert (VIDEO0.kind, VIDEO0.mid, VIDEO0.direction, VIDEO0.track_id) == (
        "video",
        "0",
        "sendonly",
        "ARDAMSvvideoTrack0",
    )
    assert (CHANNEL.kind, CHANNEL.mid, CHANNEL.direction, CHANNEL.track_id) == ("application", "2", "sendrecv", "")
    assert VIDEO0.sends
    assert not inactive(VIDEO0).sends
    assert rejected(VIDEO0).rejected
    assert not rejected(VIDEO0).sends
    bundle_only = Section((*rejected(VIDEO0).lines, "a=bundle-only"))
    assert not bundle_only.rejected
    assert not changed(VIDEO0, "a=sendonly", "a=recvonly").sends
    assert changed(VIDEO0, "a=sendonly", "a=sendrecv").sends


@pytest.mark.parametrize(
    ("track_id", "label"),
    [
        ("ARDAMSvvideoTrack0", "videoTrack0"),
        ("ARDAMSaaudioTrack11", "audioTrack11"),
        ("ARDAMSvalice", "alice"),
        ("alice", "alice"),
        ("ARDAMSxalice", "ARDAMSxalice"),
        ("", ""),
    ],
)
def test_the_label_is_the_track_id_without_the_prefix(track_id: str, label: str) -> None:
    assert track_label(track_id) == label
    assert TrackLine("0", "video", track_id).label == label


BROKEN = {
    "empty": "",
    "blank": "\n\n",
    "not SDP": "hello",
    "JSON": "{}",
    "only CR": "\r",
    "NUL": "\x00",
    "lone surrogate": "\ud800",
    "second line first": "s=-\nv=0\n",
    "too long": "v=0\n" + "a" * SDP_LIMIT,
    "too many lines": "v=0\n" + "a=x\n" * LINE_LIMIT,
    "too many sources": TWO_SLOTS + "".join(f"a=ssrc:{number} cname:x\n" for number in range(65)),
    "too many codecs": TWO_SLOTS + "a=rtpmap:0 x/1\n" * 129,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_sdp_is_refused(text: str) -> None:
    with pytest.raises(WireError):
        Description.parse(text)
    with pytest.raises(WireError):
        Door().admit(text)


def test_lines_end_where_aiortc_ends_them() -> None:
    text = TWO_SLOTS.replace("a=mid:0\n", "a=mid:0\x0b\n")
    assert Door().admit(text).tracks[0].mid == "0"


# -- what aiortc is shown ----------------------------------------------------------------------------


def test_the_two_slots_of_the_reference() -> None:
    offer = Door().admit(TWO_SLOTS)
    assert offer.tracks == (
        TrackLine("0", "video", "ARDAMSvvideoTrack0"),
        TrackLine("1", "audio", "ARDAMSaaudioTrack0"),
        TrackLine("3", "video", "ARDAMSvvideoTrack1"),
        TrackLine("4", "audio", "ARDAMSaaudioTrack1"),
    )
    assert [section.mid for section in shown(offer.sdp)] == ["0", "1", "2", "3", "4"]
    assert bundle(offer.sdp) == ["0", "1", "2", "3", "4"]


def test_the_id_mapping_outranks_the_msid() -> None:
    mapping = {"0": "ARDAMSvbob", "1": "", "3": 7, "4": None, "9": "ARDAMSvnobody"}
    assert [line.track_id for line in Door().admit(TWO_SLOTS, mapping).tracks] == [
        "ARDAMSvbob",
        "ARDAMSaaudioTrack0",
        "ARDAMSvvideoTrack1",
        "ARDAMSaaudioTrack1",
    ]


def test_without_any_name_a_track_has_its_mid() -> None:
    assert Door().admit(sdp(without(VIDEO0, "a=msid"))).tracks == (TrackLine("0", "video", "0"),)


def test_rtx_and_red_are_dropped_with_all_their_lines() -> None:
    first, second, *_ = shown(Door().admit(TWO_SLOTS).sdp)
    assert first.lines[0] == "m=video 9 UDP/TLS/RTP/SAVPF 127"
    assert not [line for line in first.lines if "rtx" in line or ":125" in line]
    assert second.lines[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 111"
    assert not [line for line in second.lines if "red" in line or ":63" in line or ":110" in line]
    assert "a=fmtp:111 minptime=10;useinbandfec=1" in second.lines


def test_static_audio_needs_no_rtpmap() -> None:
    pcm = changed(without(without(AUDIO0, "a=rtpmap"), "a=fmtp"), " 111 63 110", " 0 8 13 99")
    assert shown(Door().admit(sdp(pcm)).sdp)[0].lines[0] == "m=audio 9 UDP/TLS/RTP/SAVPF 0 8"


def test_video_has_no_abs_send_time_and_audio_keeps_its_extensions() -> None:
    timed = Section((*AUDIO0.lines, "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"))
    first, second = shown(Door().admit(sdp(VIDEO0, timed)).sdp)
    assert [line for line in first.lines if line.startswith("a=extmap")] == [
        "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid"
    ]
    assert len([line for line in second.lines if line.startswith("a=extmap")]) == 3


@pytest.mark.parametrize("profile", ["4d001f", "640c1f", "42001f", "42e01f"])
def test_every_h264_profile_is_shown_as_baseline(profile: str) -> None:
    offered = video(f"H264 packetization-mode=1;profile-level-id={profile}")
    assert "a=fmtp:96 packetization-mode=1;profile-level-id=42e01f" in shown(Door().admit(sdp(offered)).sdp)[0].lines


@pytest.mark.parametrize("fmtp", ["", " packetization-mode=0;profile-level-id=42e01f"])
def test_h264_of_another_packetization_is_dropped(fmtp: str) -> None:
    kept = shown(Door().admit(sdp(video(f"H264{fmtp}", "VP8"))).sdp)[0]
    assert kept.lines[0] == "m=video 9 UDP/TLS/RTP/SAVPF 97"
    door = Door()
    assert [line.mid for line in door.admit(sdp(AUDIO0, video(f"H264{fmtp}"))).tracks] == ["1"]


def test_a_section_with_vp9_alone_is_left_out() -> None:
    offer = Door().admit(sdp(AUDIO0, video("VP9"), VIDEO1))
    assert [line.mid for line in offer.tracks] == ["1", "3"]
    assert [section.mid for section in shown(offer.sdp)] == ["1", "3"]


def test_rejected_and_inactive_sections_carry_no_track() -> None:
    offer = Door().admit(sdp(AUDIO0, rejected(VIDEO0), inactive(VIDEO1)))
    assert [line.mid for line in offer.tracks] == ["1"]
    assert [section.mid for section in shown(offer.sdp)] == ["1", "3"]


def test_a_bundle_only_section_is_shown_open() -> None:
    offer = Door().admit(sdp(AUDIO0, Section((*rejected(VIDEO0).lines, "a=bundle-only"))))
    assert [line.mid for line in offer.tracks] == ["1", "0"]
    assert shown(offer.sdp)[1].lines[0].startswith("m=video 9 ")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (0, 2, 1)])
def test_the_data_channel_may_be_anywhere(order: tuple[int, ...]) -> None:
    sections = [(VIDEO0, AUDIO0, CHANNEL)[index] for index in order]
    offer = Door().admit(sdp(*sections))
    assert [section.mid for section in shown(offer.sdp)] == [section.mid for section in sections]
    assert {line.mid for line in offer.tracks} == {"0", "1"}


def test_a_data_channel_alone_is_an_offer() -> None:
    assert Door().admit(sdp(CHANNEL)).tracks == ()


def test_a_second_data_channel_is_rejected() -> None:
    door = Door()
    offer = door.admit(sdp(CHANNEL, changed(CHANNEL, "a=mid:2", "a=mid:7")))
    assert [section.mid for section in shown(offer.sdp)] == ["2"]


@pytest.mark.parametrize("kind", ["text", "message", "image", ""])
def test_other_kinds_of_media_are_left_out(kind: str) -> None:
    other = changed(VIDEO0, "m=video", f"m={kind}")
    assert [line.mid for line in Door().admit(sdp(AUDIO0, other)).tracks] == ["1"]


@pytest.mark.parametrize("line", ["m=", "m=application", "m=video", "m=video 9", "m=video 9 UDP/TLS/RTP/SAVPF"])
def test_a_stunted_section_is_left_out(line: str) -> None:
    stunted = Section((line, *VIDEO0.lines[1:]))
    assert [one.mid for one in Door().admit(sdp(AUDIO0, stunted)).tracks] == ["1"]


def test_sections_without_a_mid_of_their_own_are_left_out() -> None:
    none = without(VIDEO0, "a=mid")
    doubled = Section((*VIDEO1.lines, "a=mid:8"))
    again = changed(VIDEO0, "a=mid:0", "a=mid:1")
    offer = Door().admit(sdp(AUDIO0, none, doubled, again))
    assert offer.tracks == (TrackLine("1", "audio", "ARDAMSaaudioTrack0"),)


@pytest.mark.parametrize("sections", [(), (rejected(VIDEO0),), (video("VP9"),), (without(VIDEO0, "a=mid"),)])
def test_an_offer_of_which_nothing_is_left_is_refused(sections: tuple[Section, ...]) -> None:
    with pytest.raises(WireError):
        Door().admit(sdp(*sections))


# -- one offer after another -------------------------------------------------------------------------


def test_sections_that_go_stay_shown_as_inactive() -> None:
    door = Door()
    door.admit(TWO_SLOTS)
    offer = door.admit(sdp(VIDEO0, AUDIO0, CHANNEL, rejected(VIDEO1)))
    assert [line.mid for line in offer.tracks] == ["0", "1"]
    assert [section.mid for section in shown(offer.sdp)] == ["0", "1", "2", "3", "4"]
    assert [section.direction for section in shown(offer.sdp)] == [
        "sendonly",
        "sendonly",
        "sendrecv",
        "inactive",
        "inactive",
    ]
    assert bundle(offer.sdp) == ["0", "1", "2", "3", "4"]


def test_inactive_and_back() -> None:
    door = Door()
    door.admit(TWO_SLOTS)
    gone = door.admit(sdp(VIDEO0, AUDIO0, CHANNEL, inactive(VIDEO1), AUDIO1))
    assert [line.mid for line in gone.tracks] == ["0", "1", "4"]
    assert shown(gone.sdp)[3].direction == "inactive"
    back = door.admit(TWO_SLOTS)
    assert [line.mid for line in back.tracks] == ["0", "1", "3", "4"]
    assert shown(back.sdp)[3].direction == "sendonly"


def test_a_recycled_line_takes_the_place_that_fell_free() -> None:
    door = Door()
    door.admit(TWO_SLOTS)
    recycled = changed(changed(VIDEO1, "a=mid:3", "a=mid:5"), "videoTrack1", "videoTrack2")
    offer = door.admit(sdp(VIDEO0, AUDIO0, CHANNEL, recycled, AUDIO1))
    assert [section.mid for section in shown(offer.sdp)] == ["0", "1", "2", "3", "4"]
    assert shown(offer.sdp)[3].direction == "sendonly"
    assert offer.places == {"0": "0", "1": "1", "2": "2", "5": "3", "4": "4"}
    assert offer.tracks[2:] == (
        TrackLine("5", "video", "ARDAMSvvideoTrack2"),
        TrackLine("4", "audio", "ARDAMSaaudioTrack1"),
    )
    assert offer.tracks[2].place == "3"


def test_an_old_mid_that_comes_back_does_not_take_a_place_that_is_taken() -> None:
    door = Door()
    door.admit(TWO_SLOTS)
    recycled = changed(VIDEO1, "a=mid:3", "a=mid:5")
    door.admit(sdp(VIDEO0, AUDIO0, CHANNEL, recycled, AUDIO1))
    offer = door.admit(sdp(VIDEO0, AUDIO0, CHANNEL, recycled, AUDIO1, VIDEO1))
    assert offer.places["5"] == "3"
    assert offer.places["3"] == "3.2"
    assert [section.mid for section in shown(offer.sdp)] == ["0", "1", "2", "3", "4", "3.2"]


def test_a_place_is_only_reused_by_its_kind() -> None:
    door = Door()
    door.admit(TWO_SLOTS)
    offer = door.admit(sdp(VIDEO0, AUDIO0, CHANNEL, changed(AUDIO1, "a=mid:4", "a=mid:5"), rejected(AUDIO1)))
    assert offer.places == {"0": "0", "1": "1", "2": "2", "5": "4"}
    assert [section.kind for section in shown(offer.sdp)] == ["video", "audio", "application", "video", "audio"]


def test_without_the_first_section_the_room_has_to_be_played_anew() -> None:
    door = Door()
    door.admit(TWO_SLOTS)
    with pytest.raises(RenewalError):
        door.admit(sdp(rejected(VIDEO0), AUDIO0, CHANNEL, VIDEO1, AUDIO1))
    with pytest.raises(RenewalError):
        door.admit(sdp(AUDIO0, CHANNEL))


def test_a_connection_does_not_grow_with_those_who_come_and_go() -> None:
    door = Door()
    for turn in range(500):
        offer = door.admit(sdp(CHANNEL, changed(VIDEO0, "a=mid:0", f"a=mid:v{turn}")))
    assert len(shown(offer.sdp)) == 2
    assert offer.places == {"2": "2", "v499": "v0"}


def test_a_connection_that_has_to_grow_beyond_the_limit_is_played_anew() -> None:
    door = Door()
    door.admit(sdp(CHANNEL, *(changed(VIDEO0, "a=mid:0", f"a=mid:v{number}") for number in range(SECTION_LIMIT - 1))))
    with pytest.raises(RenewalError):
        door.admit(sdp(CHANNEL, AUDIO0))


def test_a_section_does_not_change_its_kind() -> None:
    door = Door()
    door.admit(TWO_SLOTS)
    with pytest.raises(WireError, match="changed its kind"):
        door.admit(sdp(VIDEO0, changed(VIDEO1, "a=mid:3", "a=mid:1"), CHANNEL))


def test_the_first_line_alone_is_an_sdp_without_media() -> None:
    assert Description.parse("v=0\r\n").sections == ()
    with pytest.raises(WireError):
        Door().admit("v=0\r\n")


def test_a_refused_offer_changes_nothing() -> None:
    door = Door()
    before = door.admit(TWO_SLOTS)
    extra = changed(VIDEO1, "a=mid:3", "a=mid:5")
    with pytest.raises(WireError):
        door.admit(sdp(VIDEO0, extra, changed(VIDEO1, "a=mid:3", "a=mid:1")))
    assert door.admit(TWO_SLOTS) == before


# -- candidates --------------------------------------------------------------------------------------

HOST = "1 1 udp 2113937151 192.0.2.7 51000 typ host"


@pytest.mark.parametrize(
    "text",
    [
        HOST,
        f"candidate:{HOST}",
        HOST.replace("udp", "UDP"),
        HOST.replace("udp", "tcp") + " tcptype passive",
        HOST.replace("192.0.2.7", "2001:db8::1"),
        HOST.replace("host", "srflx") + " raddr 10.0.0.1 rport 9 generation 0 ufrag abcd network-cost 999",
        HOST.replace(" 1 udp", " 2 udp"),
    ],
)
def test_candidates_that_are_used(text: str) -> None:
    assert is_usable_candidate(text, loopback=False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "end-of-candidates",
        "1 1 udp 2113937151 192.0.2.7 51000 typ",
        HOST.replace("udp", "sctp"),
        HOST.replace("51000", "0"),
        HOST.replace("51000", "99999"),
        HOST.replace("51000", "-1"),
        HOST.replace("51000", "x"),
        HOST.replace("51000", "9" * 5000),
        HOST.replace(" 1 udp", " 3 udp"),
        HOST.replace(" 1 udp", " x udp"),
        HOST.replace("2113937151", "-1"),
        HOST.replace("192.0.2.7", "999.1.1.1"),
        HOST.replace("192.0.2.7", "0.0.0.0"),
        HOST.replace("192.0.2.7", "224.0.0.251"),
        HOST.replace("192.0.2.7", "255.255.255.255"),
        HOST.replace("192.0.2.7", "169.254.169.254"),
        HOST.replace("192.0.2.7", "ff02::fb"),
        HOST.replace("192.0.2.7", "fe80::1"),
        HOST.replace("192.0.2.7", "4e2f9d5b-0f5d-4a3c-9f0e-1f2a3b4c5d6e.local"),
        HOST.replace("192.0.2.7", "host.example.org"),
        HOST.replace("typ", "type"),
        HOST.replace("host", "srflx") + " raddr 10.0.0.1 rport x",
        HOST.replace("host", "srflx") + " rport x rport 1",
    ],
)
def test_candidates_that_are_not_used(text: str) -> None:
    assert not is_usable_candidate(text, loopback=True)


@pytest.mark.parametrize("pass_through", [lambda text: Door().admit(text).sdp, partial(checked_answer, loopback=False)])
def test_only_usable_candidates_are_shown(pass_through: Callable[[str], str]) -> None:
    texts = [HOST, HOST.replace("192.0.2.7", "x.local"), "garbage", HOST.replace("51000", "51001")]
    lines = [f"a=candidate:{text}" for text in texts]
    (section,) = shown(pass_through(sdp(Section((*VIDEO0.lines, *lines, "a=end-of-candidates")))))
    assert [line for line in section.lines if "candidate" in line] == [lines[0], lines[3]]


# -- a real peer -------------------------------------------------------------------------------------


class Peer:
    """An aiortc connection behind a door, without a network."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.door = Door()

    async def answer(self, *sections: Section) -> str:
        """The answer to an offer of these sections."""
        offer = self.door.admit(sdp(*sections))
        await self.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
        with candidates_from(Addresses.LOOPBACK):
            await self.connection.setLocalDescription()
        return self.door.answer(self.connection.localDescription.sdp)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    yield peer
    await peer.connection.close()


def check_answer(text: str, *, mids: Sequence[str], refused: Sequence[str] = ()) -> tuple[Section, ...]:
    """The answer has a section for each of the offer, in its order, and bundles just the accepted ones."""
    sections = shown(text)
    assert [section.mid for section in sections] == list(mids)
    assert [section.mid for section in sections if section.lines[0].split(" ")[1] == "0"] == list(refused)
    assert bundle(text) == [mid for mid in mids if mid not in refused]
    assert all(section.direction == "inactive" for section in sections if section.mid in refused)
    return sections


async def test_aiortc_answers_the_two_slots(peer: Peer) -> None:
    text = await peer.answer(VIDEO0, AUDIO0, CHANNEL, VIDEO1, AUDIO1)
    sections = check_answer(text, mids="01234")
    assert [section.direction for section in sections if section.kind != "application"] == ["recvonly"] * 4
    assert sections[0].lines[0].endswith(" UDP/TLS/RTP/SAVPF 127")
    assert "a=setup:active" in sections[0].lines
    assert "a=extmap-allow-mixed" in Description.parse(text).session


async def test_mixed_extensions_are_not_promised_unasked(peer: Peer) -> None:
    offer = peer.door.admit(sdp(VIDEO0).replace("a=extmap-allow-mixed\r\n", ""))
    await peer.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
    await peer.connection.setLocalDescription()
    assert "allow-mixed" not in peer.door.answer(peer.connection.localDescription.sdp)


async def test_a_rejected_section_is_answered_with_port_0(peer: Peer) -> None:
    await peer.answer(VIDEO0, AUDIO0, CHANNEL, VIDEO1, AUDIO1)
    text = await peer.answer(VIDEO0, AUDIO0, CHANNEL, rejected(VIDEO1), AUDIO1)
    sections = check_answer(text, mids="01234", refused=["3"])
    assert sections[3].kind == "video"
    assert [line for line in sections[3].lines if line.startswith("a=rtpmap:")]


async def test_a_hopeless_codec_is_answered_with_port_0(peer: Peer) -> None:
    check_answer(await peer.answer(AUDIO0, video("VP9", "AV1"), VIDEO1), mids="103", refused=["0"])


async def test_a_recycled_line_is_answered_in_its_place(peer: Peer) -> None:
    await peer.answer(VIDEO0, AUDIO0, CHANNEL, VIDEO1, AUDIO1)
    await peer.answer(VIDEO0, AUDIO0, CHANNEL, rejected(VIDEO1), rejected(AUDIO1))
    recycled = changed(VIDEO1, "a=mid:3", "a=mid:5")
    text = await peer.answer(VIDEO0, AUDIO0, CHANNEL, recycled, rejected(AUDIO1))
    sections = check_answer(text, mids="01254", refused=["4"])
    assert sections[3].direction == "recvonly"


async def test_a_second_channel_and_a_doubled_mid_are_answered_with_port_0(peer: Peer) -> None:
    twin = changed(CHANNEL, "a=mid:2", "a=mid:7")
    doubled = changed(VIDEO1, "a=mid:3", "a=mid:1")
    text = await peer.answer(AUDIO0, CHANNEL, twin, doubled)
    sections = shown(text)
    assert [section.lines[0].split(" ")[1] == "0" for section in sections] == [False, False, True, True]
    assert bundle(text) == ["1", "2"]


async def test_of_two_sections_with_one_mid_the_usable_one_is_answered(peer: Peer) -> None:
    dead = rejected(changed(VIDEO1, "a=mid:3", "a=mid:0"))
    sections = shown(await peer.answer(AUDIO0, dead, VIDEO0))
    assert [section.lines[0].split(" ")[1] == "0" for section in sections] == [False, True, False]


async def test_inactive_is_answered_inactive_and_back(peer: Peer) -> None:
    await peer.answer(VIDEO0, AUDIO0)
    assert shown(await peer.answer(VIDEO0, inactive(AUDIO0)))[1].direction == "inactive"
    assert shown(await peer.answer(VIDEO0, AUDIO0))[1].direction == "recvonly"


@pytest.mark.parametrize("profile", ["4d001f", "640c1f"])
async def test_aiortc_takes_h264_of_every_profile(peer: Peer, profile: str) -> None:
    offered = video("VP9", f"H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile}")
    (section,) = check_answer(await peer.answer(offered), mids="0")
    assert "a=rtpmap:97 H264/90000" in section.lines


def test_there_is_no_answer_without_an_offer_or_with_another() -> None:
    with pytest.raises(WireError):
        Door().answer(TWO_SLOTS)
    door = Door()
    door.admit(TWO_SLOTS)
    with pytest.raises(WireError):
        door.answer(sdp(VIDEO0))


def mutant(chance: random.Random) -> str:
    """The two slots with one to three lines lost, doubled, moved, cut or filled with rubbish."""
    lines = TWO_SLOTS.splitlines()
    for _ in range(chance.randint(1, 3)):
        index, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        cut = chance.randrange(len(lines[index]) + 1)
        rubbish = chance.choice(["\x0b", "\r", "\x00", "9" * 30, " ", ":", "\u2028", "-1", "\ud800"])
        match chance.randrange(5):
            case 0:
                del lines[index]
            case 1:
                lines.insert(other, lines[index])
            case 2:
                lines[index], lines[other] = lines[other], lines[index]
            case 3:
                lines[index] = lines[index][:cut]
            case 4:
                lines[index] = lines[index][:cut] + rubbish + lines[index][cut:]
    return "\r\n".join(lines)


def test_nothing_but_a_wire_error_comes_out_of_the_door() -> None:
    chance = random.Random(7)
    refused = 0
    for _ in range(2000):
        door = Door()
        try:
            door.answer(door.admit(mutant(chance)).sdp)
        except WireError:
            refused += 1
    assert 0 < refused < 1000


# -- hostile and broken offers (hostile inputs, section 4) -----------------------------------------------


def each(old: str, new: str) -> str:
    """The two slots with one text replaced wherever it is."""
    assert old in TWO_SLOTS
    return TWO_SLOTS.replace(old, new)


FINGERPRINT = next(line for line in VIDEO0.lines if line.startswith("a=fingerprint:"))


@pytest.mark.parametrize(
    "line",
    ["", FINGERPRINT.replace("sha-256", "sha-1"), FINGERPRINT[:-1], "a=fingerprint:sha-256", "a=fingerprint:"],
)
def test_without_a_fingerprint_there_is_no_connection(line: str) -> None:
    """SDP-4: there is no fall-back to plain media."""
    with pytest.raises(WireError, match="media encryption check failed"):
        Door().admit(each(FINGERPRINT, line))


def test_a_fingerprint_may_be_given_for_all() -> None:
    text = each(FINGERPRINT + "\n", "").replace("t=0 0\n", f"t=0 0\n{FINGERPRINT}\n")
    assert len(Door().admit(text).tracks) == 4


@pytest.mark.parametrize("line", ["", "a=ice-ufrag:", "a=ice-ufrag:abc", "a=ice-ufrag:" + "a" * 10_000])
def test_an_impossible_ice_user_name_is_refused(line: str) -> None:
    with pytest.raises(WireError, match="ICE user name"):
        Door().admit(each("a=ice-ufrag:abcd", line))


@pytest.mark.parametrize("line", ["", "a=ice-pwd:", "a=ice-pwd:short", "a=ice-pwd:" + "a" * 10_000])
def test_an_impossible_ice_password_is_refused(line: str) -> None:
    with pytest.raises(WireError, match="ICE password"):
        Door().admit(each("a=ice-pwd:0123456789012345678901", line))


@pytest.mark.parametrize("line", ["", "a=setup:", "a=setup:both"])
def test_an_impossible_dtls_role_is_refused(line: str) -> None:
    with pytest.raises(WireError, match="DTLS role"):
        Door().admit(each("a=setup:actpass", line))


@pytest.mark.parametrize(
    ("formats", "kept"),
    [
        ("127 127 125", "127"),
        ("999 127", "127"),
        ("-1 x 127", "127"),
        ("72 127", "127"),
        (" ".join(str(number) for number in range(300)), "127"),
    ],
)
def test_impossible_formats_are_dropped(formats: str, kept: str) -> None:
    """SDP-6."""
    maps = [f"a=rtpmap:{payload} VP8/90000" for payload in ("999", "-1", "x", "72")]
    section = Section((changed(VIDEO0, " 127 125", f" {formats}").lines[0], *VIDEO0.lines[1:], *maps))
    assert shown(Door().admit(sdp(section)).sdp)[0].formats == tuple(kept.split())


def test_a_section_of_impossible_formats_is_left_out() -> None:
    section = changed(VIDEO1, " 127 125", " 999")
    assert [line.mid for line in Door().admit(sdp(AUDIO0, section)).tracks] == ["1"]


@pytest.mark.parametrize("line", ["a=ptime:120", "a=maxptime:3", "a=fmtp:111 stereo=1;sprop-stereo=x;maxptime=0"])
def test_odd_wishes_do_no_harm(line: str) -> None:
    """SDP-7."""
    assert len(Door().admit(sdp(VIDEO0, Section((*AUDIO0.lines, line)))).tracks) == 2


def test_sections_are_known_by_their_mid_in_whatever_order() -> None:
    """SDP-8: removed and reordered is followed; a change of kind is refused, and the old state stands."""
    door = Door()
    before = door.admit(TWO_SLOTS)
    after = door.admit(sdp(AUDIO1, CHANNEL, VIDEO1, VIDEO0))
    assert set(after.tracks) == set(before.tracks) - {TrackLine("1", "audio", "ARDAMSaaudioTrack0")}
    assert [section.mid for section in shown(after.sdp)] == ["0", "1", "2", "3", "4"]
    with pytest.raises(WireError):
        door.admit(sdp(VIDEO0, changed(VIDEO1, "a=mid:3", "a=mid:4")))
    assert door.admit(TWO_SLOTS).tracks == before.tracks


def crowd(kind: Section, count: int) -> list[Section]:
    lines = [line for line in kind.lines if not line.startswith(("a=ssrc", "a=rtcp-fb", "a=extmap"))]
    return [changed(Section(tuple(lines)), f"a=mid:{kind.mid}", f"a=mid:{kind.kind}{n}") for n in range(count)]


def test_of_a_crowd_as_many_are_received_as_can_be() -> None:
    """SDP-9: the others are asked not to send, and follow when somebody leaves."""
    door = Door()
    voices, pictures = crowd(AUDIO0, TRACK_LIMITS["audio"] + 2), crowd(VIDEO0, TRACK_LIMITS["video"] + 3)
    offer = door.admit(sdp(*voices, *pictures))
    assert offer.left_out == 5
    assert len([line for line in offer.tracks if line.kind == "audio"]) == TRACK_LIMITS["audio"]
    received = [line.mid for line in offer.tracks if line.kind == "video"]
    assert received == [f"video{number}" for number in range(TRACK_LIMITS["video"])]
    assert {section.mid for section in shown(offer.sdp) if section.direction == "inactive"} == {
        "audio64",
        "audio65",
        "video16",
        "video17",
        "video18",
    }
    offer = door.admit(sdp(*voices, inactive(pictures[0]), *reversed(pictures[1:])))
    received = [line.mid for line in offer.tracks if line.kind == "video"]
    assert set(received) == {*(f"video{number}" for number in range(1, 16)), "video18"}


async def test_sections_beyond_the_limit_are_rejected(peer: Peer) -> None:
    sections = [CHANNEL, *crowd(VIDEO0, SECTION_LIMIT + 5)]
    answered = shown(await peer.answer(*sections))
    assert len(answered) == len(sections)
    assert [section.rejected for section in answered] == [False] * SECTION_LIMIT + [True] * 6


async def test_of_three_hundred_voices_as_many_are_received_as_can_be(peer: Peer) -> None:
    sections = [CHANNEL, *crowd(AUDIO0, 300)]
    for _ in range(2):
        answered = shown(await peer.answer(*sections))
        assert len(answered) == len(sections)
        assert sum(not section.rejected for section in answered) == SECTION_LIMIT
        assert sum(section.direction == "recvonly" for section in answered) == TRACK_LIMITS["audio"]
        assert len(peer.connection.getTransceivers()) == SECTION_LIMIT - 1


def test_a_thousand_sections_without_a_line_are_refused() -> None:
    with pytest.raises(WireError):
        Door().admit("v=0\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 111\n" * 1000)


@pytest.mark.parametrize("value", ["0", "1", "65536", "4294967295"])
def test_a_message_size_is_taken(value: str) -> None:
    """SDP-10: aiortc obeys it when it sends."""
    (section,) = shown(
        Door().admit(sdp(Section((*without(CHANNEL, "a=max").lines, f"a=max-message-size:{value}")))).sdp
    )
    assert section.attribute("max-message-size") == value


@pytest.mark.parametrize("value", ["-1", "", "x", "9" * 400])
def test_a_message_size_without_sense_is_as_good_as_none(value: str) -> None:
    (section,) = shown(
        Door().admit(sdp(Section((*without(CHANNEL, "a=max").lines, f"a=max-message-size:{value}")))).sdp
    )
    assert section.attribute("max-message-size") is None


def test_a_channel_has_the_usual_port_unless_it_says_otherwise() -> None:
    (section,) = shown(Door().admit(sdp(without(CHANNEL, "a=sctp-port"))).sdp)
    assert section.attribute("sctp-port") == "5000"


def test_names_have_an_end() -> None:
    """SDP-13: a track's id is cut, a mid of that length is none."""
    long = "x" * 10_000
    named = changed(VIDEO0, "ARDAMSvvideoTrack0", long)
    assert Door().admit(sdp(named)).tracks[0].track_id == long[:NAME_LIMIT]
    assert Door().admit(sdp(VIDEO0), {"0": long}).tracks[0].track_id == long[:NAME_LIMIT]
    assert Door().admit(sdp(AUDIO0, changed(VIDEO0, "a=mid:0", f"a=mid:{long}"))).tracks[0].mid == "1"
    escaped = changed(VIDEO0, "ARDAMSvvideoTrack0", "ARDAMSv\x1b[2J")
    assert Door().admit(sdp(escaped)).tracks[0].label == "\x1b[2J", "whoever draws it makes it printable"


@pytest.mark.parametrize("line", ["a=extmap:x urn:y", "a=ssrc:x cname:y", "a=rtpmap:111 opus", "a=rtcp:x", "c=IN"])
def test_what_aiortc_cannot_read_is_refused_before_it_sees_it(line: str) -> None:
    door = Door()
    before = door.admit(TWO_SLOTS)
    with pytest.raises(WireError):
        door.admit(sdp(VIDEO0, Section((*AUDIO0.lines, line))))
    assert door.admit(TWO_SLOTS) == before


def test_a_section_that_loses_its_name_has_lost_its_owner() -> None:
    door = Door()
    nameless = without(VIDEO1, "a=msid")
    assert [line.mid for line in door.admit(sdp(VIDEO0, nameless)).tracks] == ["0", "3"], "it never had one"
    assert [line.mid for line in door.admit(sdp(VIDEO0, VIDEO1)).tracks] == ["0", "3"]
    for _ in range(2):
        gone = door.admit(sdp(VIDEO0, nameless))
        assert [line.mid for line in gone.tracks] == ["0"]
        assert shown(gone.sdp)[1].direction == "inactive"
    assert [line.mid for line in door.admit(sdp(VIDEO0, nameless), {"3": "ARDAMSvbob"}).tracks] == ["0", "3"]


def test_repair_sources_are_hidden_and_media_sources_told() -> None:
    offer = Door().admit(TWO_SLOTS)
    assert not [line for line in shown(offer.sdp)[0].lines if "1002" in line or "ssrc-group" in line]
    assert offer.ssrcs == {1001: "0", 1003: "1", **{ssrc: mid for ssrc, mid in offer.ssrcs.items() if mid in "34"}}


def test_the_first_of_the_bundle_owns_the_transport_wherever_it_is() -> None:
    text = sdp(AUDIO0, VIDEO0).replace("BUNDLE 1 0", "BUNDLE 0 1")
    assert [section.mid for section in shown(Door().admit(text).sdp)] == ["0", "1"]


def test_what_is_not_bundled_is_left_out() -> None:
    text = sdp(VIDEO0, AUDIO0, VIDEO1)
    assert [line.mid for line in Door().admit(text.replace("BUNDLE 0 1 3", "BUNDLE 0 3")).tracks] == ["0", "3"]
    assert [line.mid for line in Door().admit(text.replace("a=group:BUNDLE 0 1 3\r\n", "")).tracks] == ["0"]


async def test_without_a_bundle_there_is_none_in_the_answer(peer: Peer) -> None:
    offer = peer.door.admit(sdp(VIDEO0).replace("a=group:BUNDLE 0\r\n", ""))
    await peer.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
    await peer.connection.setLocalDescription()
    assert "BUNDLE" not in peer.door.answer(peer.connection.localDescription.sdp)


async def test_the_first_of_the_bundle_is_not_rejected_for_its_codec(peer: Peer) -> None:
    """libwebrtc could not go on: it is answered inactive, by its own names."""
    hopeless = video("VP9 profile-id=0", "AV1")
    sections = check_answer(await peer.answer(hopeless, AUDIO0, VIDEO1), mids="013")
    assert sections[0].direction == "inactive"
    assert sections[0].formats == ("96",)
    assert "a=rtpmap:96 VP9/90000" in sections[0].lines
    assert "a=fmtp:96 profile-id=0" in sections[0].lines
    usable = shown(await peer.answer(VIDEO0, AUDIO0, VIDEO1))[0]
    assert (usable.direction, usable.formats) == ("recvonly", ("127",))


@pytest.mark.parametrize("payload", [35, 63, 96, 127])
async def test_a_format_keeps_its_number(peer: Peer, payload: int) -> None:
    low = Section(tuple(line.replace("96", str(payload)) for line in video("VP8").lines))
    assert shown(await peer.answer(low))[0].formats == (str(payload),)


# -- what the server silently rejects (signalling reference, 5.7) ------------------------------------------


def offends(text: str) -> list[str]:
    """The lines for which Ant Media Server drops a client's description without a word."""
    lines = text.splitlines()
    found = [line for line in lines if "opus" in line and "opus/48000/2" not in line]
    for line in lines:
        if line.startswith(("m=audio", "m=video")) and " UDP/TLS/RTP/SAVPF " in line:
            payloads = line.split(" ")[3:]
            found += [p for p in payloads if not any(one.startswith(f"a=rtpmap:{p} ") for one in lines)]
    return found


@pytest.mark.parametrize(
    "section",
    [
        changed(AUDIO1, "opus/48000/2", "multiopus/48000/6"),
        changed(without(without(AUDIO1, "a=rtpmap"), "a=fmtp"), " 111 63 110", " 13"),
        Section(("m=audio 9", *AUDIO1.lines[1:])),
        rejected(AUDIO1),
        rejected(VIDEO1),
        video("VP9", "AV1"),
        without(VIDEO1, "a=rtpmap"),
    ],
)
async def test_no_answer_offends_the_server(peer: Peer, section: Section) -> None:
    other = Section(tuple("a=mid:9" if line.startswith("a=mid:") else line for line in section.lines))
    answer = await peer.answer(VIDEO0, AUDIO0, CHANNEL, other)
    assert shown(answer)[3].rejected
    assert offends(answer) == []


# -- where candidates go -----------------------------------------------------------------------------


def test_the_last_section_shown_has_all_candidates() -> None:
    """libwebrtc writes those of a bundle into its first section, aiortc reads the last one's."""
    first, second = HOST, HOST.replace("51000", "51001")
    sections = (
        Section((*VIDEO0.lines, f"a=candidate:{first}", "a=end-of-candidates")),
        Section((*AUDIO0.lines, f"a=candidate:{second}", f"a=candidate:{first}")),
        CHANNEL,
    )
    for text in (Door().admit(sdp(*sections)).sdp, checked_answer(sdp(*sections), loopback=False)):
        *others, last = shown(text)
        assert not [line for section in others for line in section.lines if "candidate" in line]
        assert [line for line in last.lines if "candidate" in line] == [f"a=candidate:{first}", f"a=candidate:{second}"]


def test_candidates_have_a_limit() -> None:
    lines = [f"a=candidate:{HOST.replace('51000', str(1000 + port))}" for port in range(500)]
    (section,) = shown(Door().admit(sdp(Section((*VIDEO0.lines, *lines)))).sdp)
    assert [line for line in section.lines if "candidate" in line] == lines[:CANDIDATE_LIMIT]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_only_a_server_on_this_machine_names_this_machine(address: str) -> None:
    """ICE-4: in a description and trickled."""
    text = HOST.replace("192.0.2.7", address)
    assert is_usable_candidate(text, loopback=True)
    assert not is_usable_candidate(text, loopback=False)
    for loopback in (True, False):
        offer = Door(loopback).admit(sdp(Section((*VIDEO0.lines, f"a=candidate:{text}"))))
        assert ("a=candidate" in offer.sdp) is loopback
