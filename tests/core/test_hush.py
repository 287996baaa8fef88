"""Which packets need not be decrypted, and that nobody can tell from the figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiortc import RTCSessionDescription
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpReceiveParameters
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, RtcpSenderInfo, RtcpSrPacket, RtpPacket

from tests.core.peers import local, new_connection
from tests.core.test_peer import Listener
from tests.waiting import Clock, until
from tui.core.aiortc_internals import Addresses, encode_sound, name_track
from tui.core.hush import INTERVAL, QUIET, VOICE_LIMIT, Hush, Murmur, told_level
from tui.core.peer import LentTrack, PlayPeer
from tui.media.generated import TestTone
from tui.media.voices import Voice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MID, LEVEL = 1, 10
URIS = {MID: "urn:ietf:params:rtp-hdrext:sdes:mid", LEVEL: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}
SSRC = 7


def packet(level: int | None = 80, *, ssrc: int = SSRC, mid: str | None = "12", voiced: bool = False) -> bytes:
    """What comes, as long as if it were encrypted."""
    extensions = HeaderExtensionsMap()
    known = [RTCRtpHeaderExtensionParameters(id=number, uri=uri) for number, uri in URIS.items()]
    extensions.configure(RTCRtpReceiveParameters(headerExtensions=known))
    made = RtpPacket(payload_type=111, ssrc=ssrc, payload=bytes(60 + 10))
    made.extensions = HeaderExtensions(mid=mid, audio_level=None if level is None else (voiced, level))
    return made.serialize(extensions)


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def voice() -> Murmur:
    return Murmur(lambda: False)


@pytest.fixture
def hush(clock: Clock, voice: Murmur) -> Hush:
    hush = Hush(clock)
    hush.follow(SSRC, voice, LEVEL)
    assert not hush.skips(packet())  # the first one
    return hush


@pytest.mark.parametrize("level", [0, 30, 127])
@pytest.mark.parametrize("voiced", [True, False])
@pytest.mark.parametrize("mid", [None, "1", "123"])
def test_the_level_is_read_as_aiortc_reads_it(level: int, voiced: bool, mid: str | None) -> None:
    assert told_level(packet(level, voiced=voiced, mid=mid), LEVEL) == level


def test_a_quiet_packet_that_nobody_wants_is_skipped_and_counted(hush: Hush, voice: Murmur) -> None:
    data = packet()
    assert hush.skips(data)
    assert hush.skips(packet(QUIET))
    assert not hush.skips(packet(QUIET - 1))
    assert (voice.packets, voice.datagrams, voice.payloads) == (2, 2 * len(data), 2 * 60)


def test_a_packet_is_looked_at_now_and_then(hush: Hush, clock: Clock) -> None:
    looked_at = 0
    for _ in range(500):
        clock.now += 0.02
        looked_at += not hush.skips(packet())
    assert looked_at == pytest.approx(500 * 0.02 / INTERVAL, abs=1)


def test_whoever_is_decoded_is_never_skipped(hush: Hush, voice: Murmur) -> None:
    voice.wanted = lambda: True
    assert not hush.skips(packet())


@pytest.mark.parametrize(
    "data",
    [
        packet(None),
        packet(ssrc=SSRC + 1),
        b"",
        b"\x80",
        bytes(RtcpSrPacket(ssrc=1, sender_info=RtcpSenderInfo(SSRC << 32, 0, 0, 0))),
        bytes([22]) + packet()[1:],
        bytes([0]) + packet()[1:],
        bytes([packet()[0] & ~0x10]) + packet()[1:],
        bytes([packet()[0] | 1]) + packet()[1:],
        packet()[:12] + b"\x10\x00" + packet()[14:],
        packet()[:14] + b"\x00\x00" + packet()[16:],
        packet()[:16],
        packet()[:16] + b"\xf0" + packet()[17:],
        packet()[:16] + bytes([LEVEL << 4 | 1]) + packet()[17:],
    ],
)
def test_all_else_is_looked_at(hush: Hush, data: bytes) -> None:
    assert not hush.skips(data)


def test_nothing_that_comes_raises(hush: Hush) -> None:
    whole = packet()
    for length in range(len(whole)):
        for filled in (0x00, 0xA0, 0xFF):
            hush.skips(whole[:length] + bytes([filled]) * 8)


def test_no_more_sources_are_known_than_there_can_be(hush: Hush) -> None:
    for ssrc in range(100, 100 + VOICE_LIMIT):
        hush.follow(ssrc, Murmur(lambda: False), LEVEL)
    assert not hush.skips(packet())
    assert len(hush._voices) == VOICE_LIMIT


@pytest.fixture
async def tone() -> AsyncIterator[TestTone]:
    tone = TestTone()
    yield tone
    tone.stop()


async def test_a_voice_at_rest_is_sampled_and_the_figures_are_right(tone: TestTone) -> None:
    listener, server = Listener(), new_connection()
    peer = PlayPeer(listener, [], Addresses.LOOPBACK)
    tone.enabled = False
    lent = LentTrack(tone)
    sender = server.addTransceiver(lent, "sendonly").sender
    server.createDataChannel("room1")
    name_track(sender, "ARDAMS", "ARDAMSaaudioTrack0")
    seen = 0

    def see(level: int | None) -> None:
        nonlocal seen
        seen += 1

    try:
        encode_sound(sender, lent.encoder())
        answer = await peer.accept_offer(await local(server), None)
        await server.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        (track,) = await until(lambda: listener.tracks)
        voice = Voice()
        voice.rest()
        voice.on_packet = see
        track.listen(voice)
        await until(lambda: seen >= 4, what="samples")
        (figures,) = peer.figures().inbound
        assert figures.packets > 10 * seen
        assert figures.packets_lost == 0
        assert figures.bytes > 0
        assert track.audio_level == 127
        tone.enabled = True
        await until(lambda: track.audio_level < 20, what="the tone")
        before, count = seen, peer.figures().inbound[0].packets
        await until(lambda: seen > before + 20)
        assert peer.figures().inbound[0].packets - count <= seen - before + 1
        assert peer.figures().inbound[0].packets_lost == 0
    finally:
        lent.stop()
        await peer.aclose()
        await server.close()
