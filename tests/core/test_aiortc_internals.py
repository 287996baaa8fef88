"""Every private name and behaviour of aiortc that `aiortc_internals` relies on: red as soon as aiortc changes."""

from __future__ import annotations

import asyncio
import socket
import threading
from fractions import Fraction
from importlib.metadata import version
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aioice.ice
import pytest
from aiortc import RTCRtpSender, RTCSessionDescription, rtcdtlstransport, rtcrtpsender, rtcsctptransport, rtp
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtpSendParameters
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    AnyRtcpPacket,
    HeaderExtensions,
    HeaderExtensionsMap,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    RtpPacket,
)
from av.packet import Packet

from tests.core.peers import (
    BLUE,
    GREEN,
    RED,
    collect_tracks,
    frequency,
    local,
    negotiate,
    new_connection,
    shows,
)
from tests.waiting import Clock, until
from tui.core import aiortc_internals
from tui.core.aiortc_internals import (
    NACK_INTERVAL,
    NACK_PATIENCE,
    NACK_REACH,
    SOURCE_LIMIT,
    SSRC_LIMIT,
    Addresses,
    RtpOutlet,
    ask_key_frame,
    bytes_moved,
    candidates_from,
    encode_sound,
    encode_video,
    estimate_at_least,
    host_addresses,
    ignore_bye,
    keep_codec,
    media_of,
    name_track,
    never_decode,
    park,
    reception,
    reconnect,
    repeat_nacks,
    report_loss,
    round_trip_time,
    route,
    take_packets,
    tap_rtcp,
    tap_rtp,
    transmission,
    unpack_estimate,
)
from tui.core.peer import LentTrack
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiortc import MediaStreamTrack, RTCRtpReceiver
    from av import AudioFrame, VideoFrame


class Pair:
    """``near`` offers and sends, ``far`` answers and receives."""

    def __init__(self) -> None:
        self.near = new_connection()
        self.far = new_connection()
        self.tracks = collect_tracks(self.far)
        self.local: list[MediaStreamTrack] = []

    def send(self, *tracks: MediaStreamTrack) -> None:
        for track in tracks:
            self.near.addTransceiver(track, "sendonly")
            self.local.append(track)

    async def negotiate(self) -> None:
        await negotiate(self.near, self.far)

    async def connected(self) -> None:
        await until(lambda: {self.near.connectionState, self.far.connectionState} == {"connected"})

    @property
    def receiver(self) -> RTCRtpReceiver:
        return self.far.getReceivers()[0]

    async def aclose(self) -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(self.near.close(), self.far.close())
        for track in (*self.local, *self.tracks):
            track.stop()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    pair = Pair()
    yield pair
    await pair.aclose()


def decoders() -> int:
    """Decoder threads that run."""
    return sum(thread.name.endswith("-decoder") for thread in threading.enumerate())


def test_the_version_is_the_one_that_was_looked_into() -> None:
    assert version("aiortc").startswith("1.16.")


# -- process-wide ------------------------------------------------------------------------------------


def test_the_repairs_are_in_place() -> None:
    assert (aioice.ice.CONSENT_INTERVAL, aioice.ice.CONSENT_FAILURES) == (1, 4)
    assert aioice.ice.get_host_addresses is aiortc_internals._chosen_addresses
    assert rtcdtlstransport.RtpRouter.route_rtp is aiortc_internals._route_by_mid
    assert {35, 63, 96, 127} <= set(rtp.DYNAMIC_PAYLOAD_TYPES) <= set(range(128)) - {*range(72, 77), 0, 8}
    assert rtcsctptransport.RTCSctpTransport._data_channel_receive is aiortc_internals._read_data_or_skip
    (opus,) = [codec for codec in CODECS["audio"] if codec.mimeType == "audio/opus"]
    assert opus.parameters == {"minptime": 10, "useinbandfec": 1}
    aiortc_internals.install()
    assert aiortc_internals._read_data is not aiortc_internals._read_data_or_skip
    assert aioice.ice.StunProtocol.datagram_received is aiortc_internals._datagram_or_skip
    assert aiortc_internals._take_datagram is not aiortc_internals._datagram_or_skip
    assert aiortc_internals._host_addresses is not aiortc_internals._chosen_addresses


async def test_a_peer_that_vanishes_is_missed_by_its_consent(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aioice.ice, "CONSENT_INTERVAL", 0.05)
    monkeypatch.setattr(aioice.ice, "CONSENT_FAILURES", 2)
    monkeypatch.setattr("aioice.stun.RETRY_MAX", 1)
    monkeypatch.setattr("aioice.stun.RETRY_RTO", 0.02)
    pair.near.createDataChannel("x")
    await pair.negotiate()
    await pair.connected()
    assert pair.far.sctp is not None
    for protocol in pair.far.sctp.transport.transport._connection._protocols:
        protocol.transport.abort()
    await until(lambda: pair.near.connectionState in ("closed", "failed"), 5)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Addresses.HOST, ["192.0.2.1", "2001:db8::1"]),
        (Addresses.LOOPBACK, ["127.0.0.1"]),
        (Addresses.ALL, ["127.0.0.1", "192.0.2.1", "2001:db8::1"]),
    ],
)
def test_which_addresses_are_offered(monkeypatch: pytest.MonkeyPatch, choice: Addresses, expected: list[str]) -> None:
    monkeypatch.setattr(aiortc_internals, "_host_addresses", lambda *_: ["192.0.2.1", "2001:db8::1"])
    with candidates_from(choice):
        assert aioice.ice.get_host_addresses(True, True) == expected
    assert aioice.ice.get_host_addresses(True, True) == ["192.0.2.1", "2001:db8::1"]
    assert host_addresses() == ["192.0.2.1", "2001:db8::1"]


async def test_the_choice_holds_for_one_gathering_alone() -> None:
    hosts = set(aioice.ice.get_host_addresses(True, True))

    async def gathered(choice: Addresses) -> set[str]:
        connection = new_connection()
        connection.createDataChannel("x")
        with candidates_from(choice):
            await connection.setLocalDescription()
        lines = connection.localDescription.sdp.splitlines()
        await connection.close()
        return {line.split()[4] for line in lines if line.startswith("a=candidate:")}

    loopback, host, both = await asyncio.gather(*map(gathered, (Addresses.LOOPBACK, Addresses.HOST, Addresses.ALL)))
    assert loopback == {"127.0.0.1"}
    assert host == hosts
    assert both == hosts | {"127.0.0.1"}


async def test_without_ssrc_lines_the_mid_tells_two_pictures_apart(pair: Pair) -> None:
    def without_ssrc(sdp: str) -> str:
        kept = [line for line in sdp.splitlines() if not line.startswith("a=ssrc")]
        assert len(kept) < len(sdp.splitlines())
        return "\r\n".join(kept) + "\r\n"

    pair.send(SolidColour(RED), SolidColour(BLUE))
    await negotiate(pair.near, pair.far, without_ssrc)
    async with asyncio.timeout(10):
        assert all(await asyncio.gather(shows(pair.tracks[0], RED), shows(pair.tracks[1], BLUE)))


def anybody() -> Any:
    """A receiver as far as the router needs one."""
    return object()


def packet_of(ssrc: int, mid: str | None = None, payload_type: int = 96) -> RtpPacket:
    packet = RtpPacket(payload_type=payload_type, ssrc=ssrc)
    packet.extensions.mid = mid
    return packet


class Routed:
    """A connection's router with two receivers, of the mids ``0`` and ``1``, both for payload type 96."""

    def __init__(self) -> None:
        self.connection = new_connection()
        for _ in range(2):
            self.connection.addTransceiver("video")
        self.router = self.connection.getTransceivers()[0].receiver.transport._rtp_router
        self.first, self.second = anybody(), anybody()
        self.router.register_receiver(self.first, [], [96], "0")
        self.router.register_receiver(self.second, [], [96], "1")

    def __call__(self, ssrc: int, mid: str | None = None, payload_type: int = 96) -> Any:
        return self.router.route_rtp(packet_of(ssrc, mid, payload_type))


async def test_the_mid_decides_and_is_remembered() -> None:
    """libwebrtc writes it into the first packets alone."""
    routed = Routed()
    assert routed(7) is None, "two receivers for one payload type"
    assert routed(7, "1") is routed.second
    assert routed(7) is routed.second
    assert routed(7, "0") is routed.first
    assert routed(7) is routed.first
    assert routed.router.ssrc_table[7] is routed.first, "for reports"


async def test_a_mid_without_its_payload_type_is_nobodys() -> None:
    routed = Routed()
    assert routed(7, "0", 97) is None
    routed.router.register_receiver(routed.second, [], [98], "1")
    assert routed(7, "0", 98) is None, "only the second takes it"


async def test_packets_of_who_has_left_go_to_nobody() -> None:
    """aiortc would give them to the one who stays, and mix two pictures."""
    routed = Routed()
    route(routed.connection, {"0": "0", "1": "1"}, {5: "1"})
    assert routed(7, "0") is routed.first
    routed.router.unregister_receiver(routed.first)
    assert routed(7) is None
    assert routed(7, "0") is None
    assert routed(5) is routed.second, "known from the SDP"
    routed.router.register_receiver(routed.first, [], [96], "0")
    assert routed(7) is routed.first, "and back"


async def test_a_mid_is_what_the_newest_offer_calls_it() -> None:
    routed = Routed()
    route(routed.connection, {"0": "0", "5": "1"}, {})
    assert routed(7, "5") is routed.second
    assert routed(8, "1") is None, "that was the one before"
    route(routed.connection, {"0": "0", "6": "1"}, {})
    assert routed(7) is None
    assert routed(9, "6") is routed.second


async def test_the_router_does_not_grow() -> None:
    routed = Routed()
    for ssrc in range(3 * SSRC_LIMIT):
        routed(ssrc, "0")
    routed.router.unregister_receiver(routed.second)
    for ssrc in range(3 * SSRC_LIMIT, 6 * SSRC_LIMIT):
        assert routed(ssrc) is routed.first
    assert len(routed.router.ssrc_table) <= SSRC_LIMIT + 1


async def test_a_receiver_reports_on_the_newest_sources_alone(pair: Pair) -> None:
    """More than 31 would break its reports."""
    pair.send(TestTone())
    await pair.negotiate()
    await pair.connected()
    sender = pair.near.getSenders()[0]
    packets: list[RtpPacket] = []
    tap_rtp(pair.receiver, packets.append)
    await until(lambda: packets)
    for ssrc in range(1, 100):
        other = RtpPacket(payload_type=packets[0].payload_type, ssrc=ssrc, payload=b"x")
        await sender.transport._send_rtp(other.serialize())
    await until(lambda: packets[-1].ssrc == 99 or any(packet.ssrc == 99 for packet in packets))
    sources = pair.receiver._RTCRtpReceiver__remote_streams  # type: ignore[attr-defined]
    assert len(sources) <= SOURCE_LIMIT + 1


# -- a connection ------------------------------------------------------------------------------------


@pytest.mark.parametrize("repaired", [True, False])
async def test_an_offer_during_the_handshake_brings_its_tracks(pair: Pair, repaired: bool) -> None:
    """Without the repair it does not: the day that changes, the repair can go."""
    pair.near.createDataChannel("x")
    await pair.negotiate()
    assert pair.far.sctp is not None
    ice, going_on = pair.far.sctp.transport.transport, asyncio.Event()
    receive = ice._recv

    async def received() -> bytes:
        data = await receive()
        await going_on.wait()
        return data

    ice._recv = received
    pair.send(SolidColour(RED), TestTone(440))
    await pair.negotiate()
    assert "connected" not in (pair.near.connectionState, pair.far.connectionState)
    going_on.set()
    await pair.connected()
    if not repaired:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pair.tracks[0].recv(), 0.5)
        return
    for connection in (pair.near, pair.far, pair.far):
        await reconnect(connection)
    async with asyncio.timeout(10):
        assert await shows(pair.tracks[0], RED)
        assert abs(await frequency(pair.tracks[1]) - 440) < 5


async def test_a_closed_connection_can_be_reconnected_without_harm(pair: Pair) -> None:
    pair.send(TestTone())
    await pair.negotiate()
    await pair.far.close()
    await reconnect(pair.far)
    assert pair.far.connectionState == "closed"


@pytest.mark.parametrize(("codec", "others"), [("video/VP8", "H264"), ("VIDEO/h264", "VP8")])
async def test_one_codec_is_kept_in_the_answer(pair: Pair, codec: str, others: str) -> None:
    pair.send(SolidColour(RED))
    offer = await local(pair.near)
    assert f" {others}/90000" in offer
    await pair.far.setRemoteDescription(pair.near.localDescription)
    (transceiver,) = pair.far.getTransceivers()
    kept = keep_codec(transceiver, "video/AV1", codec)
    assert kept is not None
    assert f"m=video {9} UDP/TLS/RTP/SAVPF {kept.payloadType}\r\n" in _open(await local(pair.far)) + "\r\n"
    assert keep_codec(transceiver, "video/AV1") is None


async def test_the_first_codec_of_the_offer_is_kept(pair: Pair) -> None:
    pair.send(SolidColour(RED))
    await local(pair.near)
    await pair.far.setRemoteDescription(pair.near.localDescription)
    (transceiver,) = pair.far.getTransceivers()
    kept = keep_codec(transceiver, "video/H264", "video/VP8")
    assert kept is not None
    assert kept.mimeType == "video/VP8"


def _open(sdp: str) -> str:
    """With port 9 in each m-line, as aiortc writes the candidate's port."""
    lines = [line.split(" ") for line in sdp.splitlines()]
    return "\r\n".join(" ".join([line[0], "9", *line[2:]] if line[0].startswith("m=") else line) for line in lines)


# -- receiving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignored", [True, False])
async def test_a_bye_does_not_end_a_track(pair: Pair, ignored: bool) -> None:
    """Without the repair it does: the day that changes, the repair can go."""
    pair.send(TestTone(440))
    await pair.negotiate()
    if ignored:
        ignore_bye(pair.receiver)
    track = pair.tracks[0]
    async with asyncio.timeout(10):
        await track.recv()
        (sender,) = pair.near.getSenders()
        bye = bytes(RtcpByePacket(sources=[sender._ssrc]))
        await sender.transport._send_rtp(bye)
        if ignored:
            assert abs(await frequency(track, 50) - 440) < 5
        else:
            with pytest.raises(MediaStreamError):
                await frequency(track, 100)


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
async def test_what_is_taken_as_packets_is_not_decoded(pair: Pair, codec: str) -> None:
    taken: list[tuple[RtpPacket, str]] = []

    def begin(_: MediaStreamTrack) -> None:
        take_packets(pair.receiver, lambda packet, negotiated: taken.append((packet, negotiated.mimeType)))

    pair.far.on("track", begin)
    pair.send(SolidColour(RED))
    pair.near.getTransceivers()[0].setCodecPreferences(
        [one for one in RTCRtpSender.getCapabilities("video").codecs if one.mimeType == codec]
    )
    await pair.negotiate()
    await until(lambda: len(taken) > 10)
    assert {name for _, name in taken} == {codec}
    first = media_of(taken[0][0])
    assert first[3:6] == b"\x9d\x01\x2a" if codec == "video/VP8" else first.startswith(b"\0\0\0\1\x67")
    # The decoder has said that it has ended, and nothing else.
    await until(lambda: not pair.receiver._RTCRtpReceiver__decoder_thread.is_alive())  # type: ignore[attr-defined]
    assert pair.tracks[0]._queue.qsize() <= 1  # type: ignore[attr-defined]
    _empty_the_next(pair.near.getSenders()[0])
    await until(lambda: [packet for packet, _ in taken if not packet.payload and media_of(packet) == b""])
    before = len(taken)
    await until(lambda: len(taken) > before + 5)


@pytest.mark.parametrize("repeated", [True, False])
async def test_what_is_lost_again_is_asked_for_again(pair: Pair, repeated: bool) -> None:
    """Without the repair it is asked for once: the day that changes, the repair can go."""
    wanted = True

    def begin(_: MediaStreamTrack) -> None:
        if repeated:
            repeat_nacks(pair.receiver, lambda: wanted)

    pair.far.on("track", begin)
    pair.send(SolidColour(RED))
    await pair.negotiate()
    packets: list[RtpPacket] = []
    tap_rtp(pair.receiver, packets.append)
    await until(lambda: packets)
    # Lost for good: whatever is sent again is lost again.
    handle, lost, asked = pair.receiver._handle_rtp_packet, set[int](), list[int]()
    sender = pair.near.getSenders()[0]
    hear = sender._handle_rtcp_packet

    async def lossy(packet: RtpPacket, arrival_time_ms: int) -> None:
        if not lost:
            lost.add(packet.sequence_number)
        if packet.sequence_number not in lost and packet.ssrc == sender._ssrc:
            await handle(packet, arrival_time_ms)

    async def hearing(packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpRtpfbPacket):
            asked.extend(lost.intersection(packet.lost))
        await hear(packet)

    sender._handle_rtcp_packet = hearing  # type: ignore[method-assign]
    pair.receiver._handle_rtp_packet = lossy  # type: ignore[method-assign]
    await until(lambda: asked)
    before = len(packets)
    await until(lambda: len(packets) > before + 15)
    assert (len(asked) > 2) is repeated
    assert len(asked) < 10


def missing(*numbers: int, clock: Clock, wanted: Callable[[], bool] = lambda: True) -> Any:
    generator: Any = aiortc_internals._Missing(wanted, clock)
    for number in numbers:
        generator.add(RtpPacket(sequence_number=number))
    return generator


def test_what_is_missing_is_asked_for_until_it_comes_or_is_too_late() -> None:
    clock = Clock(5.0)
    generator = missing(65_534, clock=clock)

    def add(number: int, after: float = 0.0) -> tuple[bool, list[int]]:
        clock.now += after
        return generator.add(RtpPacket(sequence_number=number)), generator.missing

    assert add(1) == (True, [65_535, 0])
    assert add(2, 0.01) == (False, [65_535, 0])
    assert add(65_535, 0.01) == (False, [0])
    assert add(3, NACK_INTERVAL) == (True, [0])
    assert add(5, 0.01) == (True, [0, 4])
    assert add(6, NACK_PATIENCE - NACK_INTERVAL)[1] == [4]
    assert add(7, NACK_PATIENCE) == (False, [])


def test_a_jump_is_no_loss() -> None:
    generator = missing(1, 30_000, 1, clock=Clock())
    assert generator.missing == []
    generator = missing(1, 1 + NACK_REACH, clock=Clock())
    assert len(generator.missing) == NACK_REACH - 1


def test_nothing_is_asked_for_while_nobody_wants_it() -> None:
    wanted = True
    generator = missing(1, 3, clock=Clock(), wanted=lambda: wanted)
    assert generator.missing == [2]
    wanted = False
    assert not generator.add(RtpPacket(sequence_number=9))
    assert generator.missing == []
    wanted = True
    assert not generator.add(RtpPacket(sequence_number=20))
    assert generator.add(RtpPacket(sequence_number=22))
    assert generator.missing == [21]


def _empty_the_next(sender: RTCRtpSender) -> None:
    """Take the payload out of the sender's next RTP packet."""
    transport = sender.transport
    send = transport._send_rtp

    async def emptied(data: bytes) -> None:
        if not rtp.is_rtcp(data):
            packet = RtpPacket.parse(data)
            packet.payload, transport._send_rtp = b"", send  # type: ignore[method-assign]
            data = packet.serialize()
        await send(data)

    transport._send_rtp = emptied  # type: ignore[method-assign]


async def test_packets_are_shown_before_they_are_decoded(pair: Pair) -> None:
    pair.send(TestTone())
    await pair.negotiate()
    packets: list[RtpPacket] = []
    reports: list[AnyRtcpPacket] = []
    tap_rtp(pair.receiver, packets.append)
    tap_rtcp(pair.receiver, reports.append)
    async with asyncio.timeout(10):
        await pair.tracks[0].recv()
        await until(lambda: any(isinstance(packet, RtcpSrPacket) for packet in reports))
    assert all(packet.extensions.audio_level is not None for packet in packets)
    assert {packet.ssrc for packet in packets} == {pair.near.getSenders()[0]._ssrc}


async def test_what_is_never_decoded_costs_no_decoder(pair: Pair) -> None:
    packets: list[RtpPacket] = []

    def begin(_: MediaStreamTrack) -> None:
        never_decode(pair.receiver)
        tap_rtp(pair.receiver, packets.append)

    pair.far.on("track", begin)
    pair.send(TestTone())
    await pair.negotiate()
    await until(lambda: len(packets) > 30)
    assert pair.tracks[0]._queue.empty()  # type: ignore[attr-defined]
    assert decoders() == 1
    async with asyncio.timeout(2):
        await pair.receiver.stop()
    assert decoders() == 0


async def test_a_key_frame_is_asked_for(pair: Pair) -> None:
    pair.send(SolidColour(RED))
    await pair.negotiate()
    (sender,) = pair.near.getSenders()
    heard: list[AnyRtcpPacket] = []
    handle = sender._handle_rtcp_packet

    async def hear(packet: AnyRtcpPacket) -> None:
        heard.append(packet)
        await handle(packet)

    sender._handle_rtcp_packet = hear  # type: ignore[method-assign]
    async with asyncio.timeout(10):
        await pair.tracks[0].recv()
    await ask_key_frame(pair.receiver, sender._ssrc)

    def asked() -> bool:
        return any(isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_PLI for packet in heard)

    await until(asked)


async def test_a_parked_line_comes_back_twenty_times(pair: Pair) -> None:
    pair.send(TestTone(440), SolidColour(GREEN))
    await pair.negotiate()
    await pair.connected()
    near, far = pair.near.getTransceivers()[1], pair.far.getTransceivers()[1]
    async with asyncio.timeout(10):
        await pair.tracks[1].recv()
    threads, tasks = decoders(), len(asyncio.all_tasks())
    for cycle in range(20):
        near.direction = "inactive"
        old = pair.tracks[-1]
        await park(far)
        await pair.negotiate()
        with pytest.raises(MediaStreamError):
            await _drained(old)
        assert decoders() == threads - 1
        near.direction = "sendonly"
        await pair.negotiate()
        assert len(pair.tracks) == cycle + 3, "no track event"
        await until(lambda: decoders() == threads)
    async with asyncio.timeout(10):
        assert await shows(pair.tracks[-1], GREEN)
        assert abs(await frequency(pair.tracks[0], 50) - 440) < 5
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def _drained(track: MediaStreamTrack) -> None:
    async with asyncio.timeout(5):
        while True:
            await track.recv()


async def test_a_line_can_be_parked_before_anything_came(pair: Pair) -> None:
    pair.send(TestTone(), SolidColour(RED))
    await pair.negotiate()
    await park(pair.far.getTransceivers()[1])
    await pair.negotiate()
    async with asyncio.timeout(10):
        assert await shows(pair.tracks[-1], RED)


# -- sending -----------------------------------------------------------------------------------------


async def test_a_sender_is_named(pair: Pair) -> None:
    pair.send(SolidColour(RED))
    name_track(pair.near.getSenders()[0], "ARDAMS", "ARDAMSvalice")
    assert "a=msid:ARDAMS ARDAMSvalice\r\n" in await local(pair.near)


class Encoder:
    """A `SoundEncoder` of every second frame, that notes what it is told."""

    def __init__(self) -> None:
        self.frames = 0
        self.losses: list[float] = []

    def encode(self, frame: AudioFrame) -> tuple[list[bytes], int]:
        self.frames += 1
        return ([b"\xf8own"] if self.frames % 2 else []), frame.pts or 0

    def hear_loss(self, fraction: float) -> None:
        self.losses.append(fraction)


async def test_a_sound_is_encoded_by_its_own_encoder(pair: Pair) -> None:
    track, encoder = LentTrack(TestTone(440, amplitude=0.5)), Encoder()
    pair.send(track)
    encode_sound(pair.near.getSenders()[0], encoder)
    await pair.negotiate()
    heard: list[RtpPacket] = []
    tap_rtp(pair.receiver, heard.append)
    await until(lambda: len(heard) > 20)
    assert {packet.payload for packet in heard} == {b"\xf8own"}
    assert {packet.extensions.audio_level for packet in heard} == {(False, 9)}
    assert [(packet.sequence_number - heard[0].sequence_number) % 65536 for packet in heard] == list(range(len(heard)))
    assert (heard[1].timestamp - heard[0].timestamp) % (1 << 32) == 2 * 960


async def test_an_encoder_hears_of_the_loss_that_is_reported(pair: Pair) -> None:
    encoder = Encoder()
    pair.send(LentTrack(TestTone(440)))
    sender = pair.near.getSenders()[0]
    encode_sound(sender, encoder)
    await pair.negotiate()
    report_loss(pair.receiver, lambda: 64)
    await until(lambda: 0.25 in encoder.losses)
    strange = RtcpReceiverInfo(
        ssrc=sender._ssrc + 1, fraction_lost=99, packets_lost=0, highest_sequence=0, jitter=0, lsr=0, dlsr=0
    )
    await sender._handle_rtcp_packet(RtcpRrPacket(ssrc=1, reports=[strange]))
    assert 99 / 256 not in encoder.losses
    # aiortc hears of it as well.
    assert transmission(sender).fraction_lost == 0.25


@pytest.mark.parametrize(("codec", "rate", "own"), [("audio/opus", 48_000, False), ("audio/PCMU", 8_000, True)])
async def test_without_an_encoder_or_opus_aiortc_encodes(pair: Pair, codec: str, rate: int, own: bool) -> None:
    encoder = Encoder()
    pair.send(LentTrack(TestTone(440)))
    transceiver = pair.near.getTransceivers()[0]
    transceiver.setCodecPreferences(
        [one for one in RTCRtpSender.getCapabilities("audio").codecs if one.mimeType == codec]
    )
    encode_sound(transceiver.sender, encoder if own else None)
    await pair.negotiate()
    async with asyncio.timeout(10):
        await until(lambda: pair.tracks)
        assert abs(await frequency(pair.tracks[0]) * rate / 48_000 - 440) < 5
    assert encoder.frames == 0


class PictureEncoder:
    """Sends a numbered line for every other picture and notes what it is told."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.frames = 0
        self.key_requests = 0
        self.losses: list[float] = []
        self.target_bitrate = 123_000
        self.size = (0, 0)

    async def encode(self, frame: VideoFrame) -> Packet[Any] | None:
        self.frames += 1
        self.size = (frame.width // 2, frame.height // 2)
        if not self.frames % 2:
            return None
        packet: Packet[Any] = Packet(b"picture %d" % self.frames)
        packet.pts, packet.time_base = frame.pts, Fraction(1, 90_000)
        return packet

    def want_key_frame(self) -> None:
        self.key_requests += 1

    def hear_loss(self, fraction: float) -> None:
        self.losses.append(fraction)


async def test_a_picture_is_encoded_by_its_own_encoder_which_hears_what_the_receiver_says(pair: Pair) -> None:
    made: list[PictureEncoder] = []

    def make(codec: str) -> PictureEncoder:
        made.append(PictureEncoder(codec))
        return made[-1]

    pair.send(LentTrack(SolidColour(RED)))
    sender = pair.near.getSenders()[0]
    encode_video(sender, make)
    await pair.negotiate()
    heard: list[RtpPacket] = []
    take_packets(pair.receiver, lambda packet, codec: heard.append(packet))
    await until(lambda: len(heard) > 5)
    (encoder,) = made
    assert encoder.codec == "vp8"
    assert [media_of(packet) for packet in heard[:3]] == [b"picture 1", b"picture 3", b"picture 5"]
    # The time of the pictures: two steps of a fifteenth of a second.
    assert (heard[1].timestamp - heard[0].timestamp) % (1 << 32) == 2 * 6000
    assert transmission(sender).target_bitrate == 123_000
    # What was sent, which may be smaller than what was filmed.
    assert transmission(sender).size == (160, 90)

    for fmt, media_ssrc, body in (
        (RTCP_PSFB_PLI, sender._ssrc, b""),
        (RTCP_PSFB_FIR, 0, sender._ssrc.to_bytes(4, "big") + bytes(4)),
    ):
        before = encoder.key_requests
        await pair.receiver._send_rtcp(RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=media_ssrc, fci=body))
        await until(lambda before=before: encoder.key_requests == before + 1)  # type: ignore[misc]
    estimate = rtp.pack_remb_fci(456_000, [sender._ssrc])
    await pair.receiver._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=estimate))
    await until(lambda: encoder.target_bitrate == 456_000)
    report_loss(pair.receiver, lambda: 64)
    await until(lambda: 0.25 in encoder.losses)


@pytest.mark.parametrize("body", [b"", b"\x00" * 4, b"\x00" * 8, b"\xff" * 20])
async def test_a_request_for_a_key_frame_of_nobody_or_cut_short_is_no_harm(pair: Pair, body: bytes) -> None:
    requests: list[str] = []

    def make(codec: str) -> PictureEncoder:
        encoder = PictureEncoder(codec)
        encoder.want_key_frame = lambda: requests.append(codec)  # type: ignore[method-assign]
        return encoder

    pair.send(LentTrack(SolidColour(RED)))
    sender = pair.near.getSenders()[0]
    encode_video(sender, make)
    await pair.negotiate()
    heard: list[RtpPacket] = []
    tap_rtp(pair.receiver, heard.append)
    await until(lambda: heard)
    await pair.receiver._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=1, media_ssrc=0, fci=body))
    await pair.receiver._send_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=sender._ssrc))
    await until(lambda: requests)
    assert len(requests) == 1
    count = len(heard)
    await until(lambda: len(heard) > count, what="the stream goes on")


async def test_a_loss_is_reported_as_at_least_so_much(pair: Pair) -> None:
    pair.send(TestTone(440))
    await pair.negotiate()
    sender = pair.near.getSenders()[0]
    await until(lambda: transmission(sender).jitter > 0, what="a report")
    assert transmission(sender).fraction_lost == 0.0
    report_loss(pair.receiver, lambda: 32)
    await until(lambda: transmission(sender).fraction_lost == 0.125)


class Source:
    """An `RtpSource` that notes what it is told."""

    def __init__(self) -> None:
        self.codecs: list[str] = []
        self.mids: list[str] = []
        self.extensions: HeaderExtensionsMap | None = None
        self.heard: list[AnyRtcpPacket] = []

    def start(self, parameters: RTCRtpSendParameters, extensions: HeaderExtensionsMap) -> None:
        self.codecs.append(parameters.codecs[0].mimeType)
        self.mids.append(parameters.muxId)
        self.extensions = extensions

    def hear_rtcp(self, packet: AnyRtcpPacket) -> None:
        self.heard.append(packet)


async def test_ready_packets_are_sent_without_an_encoder(pair: Pair) -> None:
    transceiver = pair.near.addTransceiver("video", "sendonly")
    source = Source()
    outlet = RtpOutlet(transceiver.sender, source)
    packet = RtpPacket(payload_type=97, sequence_number=7, timestamp=9, ssrc=outlet.ssrc, payload=b"\x90\x80\x01hello")
    await outlet.write(packet.serialize())
    await pair.negotiate()
    heard: list[RtpPacket] = []
    tap_rtp(pair.receiver, heard.append)
    await until(lambda: source.codecs)
    await reconnect(pair.near)
    assert source.codecs == ["video/VP8"]
    assert source.mids == [transceiver.mid]
    await until(lambda: pair.far.connectionState == "connected")

    async def sent() -> bool:
        packet.sequence_number += 1
        assert source.extensions is not None
        await outlet.write(packet.serialize(source.extensions))
        await asyncio.sleep(0.02)
        return bool(heard)

    async with asyncio.timeout(10):
        while not await sent():
            pass
    assert heard[0].payload == packet.payload
    assert heard[0].ssrc == outlet.ssrc
    assert heard[0].sequence_number > 7

    await ask_key_frame(pair.receiver, outlet.ssrc)
    await until(lambda: [one for one in source.heard if isinstance(one, RtcpPsfbPacket) and one.fmt == RTCP_PSFB_PLI])

    await transceiver.sender.stop()
    count = len(heard)
    await outlet.write(packet.serialize())
    await pair.near.close()
    await outlet.write(packet.serialize())
    assert len(heard) == count


async def test_a_connection_has_every_private_name() -> None:
    """Names that a live test might miss because Python sets them where there are none."""
    connection = new_connection()
    transceiver = connection.addTransceiver("audio")
    expected: dict[Any, tuple[str, ...]] = {
        connection: ("_RTCPeerConnection__connect",),
        transceiver: ("_codecs", "_RTCRtpTransceiver__receiver"),
        transceiver.sender: ("_ssrc", "_stream_id", "_track_id", "send", "stop"),
        transceiver.receiver: (
            "_RTCRtpReceiver__active_ssrc",
            "_RTCRtpReceiver__decoder_queue",
            "_RTCRtpReceiver__jitter_buffer",
            "_RTCRtpReceiver__lsr",
            "_RTCRtpReceiver__lsr_time",
            "_RTCRtpReceiver__nack_generator",
            "_RTCRtpReceiver__remote_streams",
            "_handle_rtp_packet",
            "_handle_rtcp_packet",
            "_send_rtcp_pli",
            "_set_rtcp_ssrc",
            "_track",
        ),
        RemoteStreamTrack("audio"): ("_queue",),
        transceiver.receiver.transport: ("_register_rtp_sender", "_unregister_rtp_sender", "_send_rtp"),
        rtcdtlstransport.RtpRouter(): ("mid_table", "payload_type_table", "ssrc_table", "route_rtp"),
    }
    for owner, names in expected.items():
        for name in names:
            assert hasattr(owner, name), f"{type(owner).__name__} has no {name}"


@pytest.mark.parametrize("skipped", [True, False])
async def test_a_broken_text_does_not_end_the_connection(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, skipped: bool
) -> None:
    """Without the repair one message that is not UTF-8 closes everything, media included."""
    if not skipped:
        monkeypatch.setattr(rtcsctptransport.RTCSctpTransport, "_data_channel_receive", aiortc_internals._read_data)
    heard: list[str] = []
    pair.far.on("datachannel", lambda channel: channel.on("message", heard.append))
    channel = pair.near.createDataChannel("alice")
    await pair.negotiate()
    await until(lambda: channel.readyState == "open")
    transport: Any = channel.transport
    transport._data_channel_queue.append((channel, rtcsctptransport.WEBRTC_STRING, b"\xff\xfe"))
    channel.send("whole")
    if skipped:
        await until(lambda: heard == ["whole"])
        assert pair.far.connectionState == "connected"
    else:
        await until(lambda: pair.far.connectionState == "closed")
        assert heard == []


STRAY = {
    "empty": b"",
    "STUN with half an attribute": b"\x01\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x80\x2a\x00\x02" + bytes(4),
    "DTLS alert": bytes.fromhex("15fefd000000000000000100020100"),
    "noise": b"\x80\x6f" + bytes(range(200)),
}


@pytest.mark.parametrize("skipped", [True, False], ids=["repaired", "stock"])
async def test_a_strangers_datagrams_do_not_end_the_connection(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, skipped: bool
) -> None:
    """Anybody can send them from anywhere: without the repair one that is empty closes everything, media included."""
    if not skipped:
        monkeypatch.setattr(aioice.ice.StunProtocol, "datagram_received", aiortc_internals._take_datagram)
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    heard: list[str] = []
    pair.far.on("datachannel", lambda channel: channel.on("message", heard.append))
    channel = pair.near.createDataChannel("alice")
    await pair.negotiate()
    await until(lambda: channel.readyState == "open")
    assert pair.far.sctp is not None
    ports = [
        protocol.transport.get_extra_info("sockname")
        for protocol in pair.far.sctp.transport.transport._connection._protocols
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for datagram in [*STRAY.values(), STRAY["empty"]]:
            for port in ports:
                stranger.sendto(datagram, port)
    if skipped:
        channel.send("still here")
        await until(lambda: heard == ["still here"])
        assert pair.far.connectionState == "connected"
        assert faults == []
    else:
        await until(lambda: pair.far.connectionState == "closed")


def test_what_nobody_reads_is_bounded() -> None:
    queue: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
    protocol: Any = SimpleNamespace(receiver=SimpleNamespace(_queue=queue))
    for _ in range(aiortc_internals.DATAGRAM_LIMIT):
        queue.put_nowait((b"\x80", 1))
    aiortc_internals._datagram_or_skip(protocol, b"\x80" * 1000, ("127.0.0.1", 1))
    assert queue.qsize() == aiortc_internals.DATAGRAM_LIMIT


@pytest.mark.parametrize("extensions", [b"\xbe\xde\x00\x01\x30\x01\x00\x00", b"\x10\x00\x00\x01\x02\x00\x00\x00"])
def test_header_extensions_that_are_too_short_are_left_out(extensions: bytes) -> None:
    known = HeaderExtensionsMap()
    known.configure(RTCRtpSendParameters(headerExtensions=[*HEADER_EXTENSIONS["audio"], *HEADER_EXTENSIONS["video"]]))
    head = RtpPacket(payload_type=97, sequence_number=5).serialize(known)
    packet = RtpPacket.parse(bytes([head[0] | 0x10]) + head[1:] + extensions + b"media", known)
    assert packet.payload == b"media"
    assert packet.extensions == HeaderExtensions()


def test_a_short_bandwidth_estimate_is_a_value_error_wherever_aiortc_reads_it() -> None:
    for unpack in (unpack_estimate, rtp.unpack_remb_fci, vars(rtcrtpsender)["unpack_remb_fci"]):
        assert unpack(rtp.pack_remb_fci(1000, [7])) == (1000, [7])
        with pytest.raises(ValueError, match="short"):
            unpack(b"REMB\xff\x00\x00\x00")


@pytest.mark.parametrize("least", [0, 900_000_000])
async def test_a_sender_is_allowed_at_least_so_much(pair: Pair, monkeypatch: pytest.MonkeyPatch, least: int) -> None:
    heard: list[int] = []

    def spy(data: bytes) -> tuple[int, list[int]]:
        estimate = unpack_estimate(data)
        heard.append(estimate[0])
        return estimate

    monkeypatch.setattr("aiortc.rtcrtpsender.unpack_remb_fci", spy)
    pair.send(SolidColour(RED), TestTone())
    await pair.far.setRemoteDescription(RTCSessionDescription(await local(pair.near), "offer"))
    for transceiver in pair.far.getTransceivers():
        estimate_at_least(transceiver.receiver, least)
    await pair.near.setRemoteDescription(RTCSessionDescription(await local(pair.far), "answer"))
    await until(lambda: heard)
    assert (heard[0] > 890_000_000) is bool(least)


# -- figures -----------------------------------------------------------------------------------------


async def test_what_is_counted_on_both_ends() -> None:
    """Every private counter of aiortc that the figures are made of, and the way there and back of aioice."""
    sender, receiver = new_connection(), new_connection()
    tracks = collect_tracks(receiver)

    sender.addTransceiver(SolidColour(RED), "sendonly")
    sender.createDataChannel("figures")
    await negotiate(sender, receiver)
    (incoming,) = receiver.getReceivers()
    await until(lambda: reception(incoming).packets > 3 and round_trip_time(receiver) > 0)
    counted = reception(incoming)
    assert (counted.lost, counted.jitter >= 0) == (0, True)
    assert 0 < round_trip_time(receiver) < 2
    sent = transmission(sender.getSenders()[0])
    assert sent.packets >= counted.packets
    assert sent.target_bitrate > 0
    await until(lambda: transmission(sender.getSenders()[0]).round_trip_time > 0)
    assert bytes_moved(sender)[0] >= bytes_moved(receiver)[1] > 1000
    assert transmission(receiver.getSenders()[0]).packets == 0
    assert len(tracks) == 1
    await asyncio.gather(sender.close(), receiver.close())
