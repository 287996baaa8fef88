"""The rewriting of packets, without a connection."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiortc.codecs import HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    AnyRtcpPacket,
    HeaderExtensionsMap,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSenderInfo,
    RtcpSrPacket,
    RtpPacket,
    is_rtcp,
    pack_remb_fci,
)

from tui.allowance import Allowance
from tui.server import forwarding
from tui.server.codecs import Codec
from tui.server.forwarding import (
    ESTIMATE_LIMIT,
    HISTORY,
    JUMP,
    PACKET_LIMIT,
    QUEUE_LIMIT,
    REPORT_LIMIT,
    Inlet,
    Numbering,
    Outlet,
    SendQueue,
)
from tui.server.meters import LOSS_LIMIT
from tui.server.slots import Kind

from .raw_client import until

KEY, DELTA = b"\x10\x00\x00\x00", b"\x10\x01\x00\x00"
H264_KEY, H264_DELTA = b"\x67\x42\xe0\x1f", b"\x41\x9a\x24"
OUTLET_SSRC, PAYLOAD_TYPE, H264_PAYLOAD_TYPE = 77, 97, 101


class Bench:
    """An outlet, and inlets for it, with a queue that keeps what would be sent."""

    def __init__(self, kind: Kind = Kind.VIDEO) -> None:
        self.kind = kind
        self.now = 100.0
        self.asked: list[int] = []
        self.sent: list[bytes] = []
        self.map = HeaderExtensionsMap()
        sender = cast("Any", SimpleNamespace(_ssrc=OUTLET_SSRC, send=None, stop=None))
        queue = cast("Any", SimpleNamespace(put=lambda _outlet, data: self.sent.append(data)))
        self.estimates: list[int] = []
        self.losses: list[int] = []
        self.receiver = SimpleNamespace()
        self.outlet = Outlet(kind, sender, queue, self.estimates.append)
        self.outlet.mid = "3"

    def start(self, both: bool = True) -> None:
        parameters = RTCRtpSendParameters(
            codecs=[
                RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=PAYLOAD_TYPE),
                RTCRtpCodecParameters(mimeType="video/H264", clockRate=90000, payloadType=H264_PAYLOAD_TYPE),
                RTCRtpCodecParameters(mimeType="audio/opus", clockRate=48000, payloadType=96),
            ][: 2 if both else 1],
            headerExtensions=[*HEADER_EXTENSIONS["video"], HEADER_EXTENSIONS["audio"][1]],
        )
        parameters.rtcp.cname = "server"
        self.map.configure(parameters)
        self.outlet.start(parameters, self.map)

    def inlet(self, codec: Codec = Codec.VP8) -> Inlet:
        async def pli(ssrc: int) -> None:
            self.asked.append(ssrc)

        async def ignore(*_arguments: Any) -> None:
            pass

        async def reported(packet: AnyRtcpPacket) -> None:
            assert isinstance(packet, RtcpRrPacket)
            self.losses += [report.fraction_lost for report in packet.reports]

        receiver = SimpleNamespace(
            _send_rtcp_pli=pli,
            _send_rtcp=reported,
            _handle_rtp_packet=ignore,
            _handle_rtcp_packet=ignore,
            _RTCRtpReceiver__remote_bitrate_estimator=None,
        )
        inlet = Inlet(self.kind, cast("Any", receiver), codec, lambda: None)
        inlet.payload_type = 100
        self.receiver = receiver
        return inlet

    def rtp(self) -> list[RtpPacket]:
        return [RtpPacket.parse(data, self.map) for data in self.sent if not is_rtcp(data)]

    def reports(self) -> list[RtcpSrPacket]:
        found = [packet for data in self.sent if is_rtcp(data) for packet in RtcpPacket.parse(data)]
        return [packet for packet in found if isinstance(packet, RtcpSrPacket)]


def packet(
    sequence: int, payload: bytes = DELTA, timestamp: int = 0, ssrc: int = 1, payload_type: int = 100
) -> RtpPacket:
    return RtpPacket(
        payload_type=payload_type,
        sequence_number=sequence % 65536,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=payload,
    )


def sender_report(ssrc: int, rtp_timestamp: int) -> RtcpSrPacket:
    info = RtcpSenderInfo(ntp_timestamp=99, rtp_timestamp=rtp_timestamp, packet_count=5, octet_count=6)
    return RtcpSrPacket(ssrc=ssrc, sender_info=info)


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    made.start()
    return made


async def test_a_packet_leaves_in_the_slots_own_numbers(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    first = packet(10, KEY, 1000)
    first.marker = 1
    first.extensions.audio_level = (False, 42)
    inlet.hear(first)
    inlet.hear(packet(12, DELTA, 4000))
    one, two = bench.rtp()
    assert (one.ssrc, one.payload_type, one.payload, one.marker) == (OUTLET_SSRC, PAYLOAD_TYPE, KEY, 1)
    assert one.extensions.mid == "3"
    assert one.extensions.audio_level == (False, 42)
    assert one.extensions.abs_send_time is not None
    assert (two.sequence_number - one.sequence_number) % 65536 == 2
    assert (two.timestamp - one.timestamp) % (1 << 32) == 3000
    assert inlet.audio_level == 42


async def test_nothing_leaves_before_the_slot_is_negotiated() -> None:
    bench = Bench()
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    inlet.hear(packet(1, KEY))
    assert bench.sent == []


async def test_a_picture_begins_with_a_key_frame(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    inlet.hear(packet(1, DELTA))
    inlet.hear(packet(2, b"\x00\x00\x00\x00"))
    assert bench.rtp() == []
    inlet.hear(packet(3, KEY))
    inlet.hear(packet(2, b"\x00late"))
    assert [one.payload for one in bench.rtp()] == [KEY]


async def test_a_slot_that_changes_owner_goes_on_continuously(bench: Bench) -> None:
    alice, bob = bench.inlet(), bench.inlet()
    bench.outlet.connect(alice)
    alice.hear(packet(65535, KEY, 5))
    alice.hear(packet(65536, DELTA, 3005))
    bench.outlet.connect(bob)
    alice.hear(packet(65537, DELTA, 6005))
    bob.hear(packet(500, DELTA, 9, ssrc=2))
    bob.hear(packet(501, KEY, 77, ssrc=2))
    bob.hear(packet(502, DELTA, 3077, ssrc=2))
    sent = bench.rtp()
    assert [one.payload for one in sent] == [KEY, DELTA, KEY, DELTA]
    assert {one.ssrc for one in sent} == {OUTLET_SSRC}
    steps = [(b.sequence_number - a.sequence_number) % 65536 for a, b in pairwise(sent)]
    assert steps == [1, 1, 1]
    assert 0 < (sent[2].timestamp - sent[1].timestamp) % (1 << 32) < 90_000


async def test_a_slot_changes_to_an_owner_of_another_codec(bench: Bench) -> None:
    alice, bob = bench.inlet(), bench.inlet(Codec.H264)
    bench.outlet.connect(alice)
    alice.hear(packet(5, KEY))
    bench.outlet.connect(bob)
    for number, payload in enumerate((H264_DELTA, KEY, H264_KEY, H264_DELTA)):
        bob.hear(packet(900 + number, payload, ssrc=2))
    sent = bench.rtp()
    assert [one.payload for one in sent] == [KEY, H264_KEY, H264_DELTA]
    assert [one.payload_type for one in sent] == [PAYLOAD_TYPE, H264_PAYLOAD_TYPE, H264_PAYLOAD_TYPE]
    assert {one.ssrc for one in sent} == {OUTLET_SSRC}
    assert [(b.sequence_number - a.sequence_number) % 65536 for a, b in pairwise(sent)] == [1, 1]


async def test_a_codec_that_the_viewer_does_not_take_is_not_sent() -> None:
    bench = Bench()
    bench.start(both=False)
    alice, bob = bench.inlet(), bench.inlet(Codec.H264)
    bench.outlet.connect(bob)
    bob.hear(packet(5, H264_KEY))
    assert bench.sent == []
    bench.outlet.connect(alice)
    alice.hear(packet(5, KEY))
    assert [one.payload for one in bench.rtp()] == [KEY]


async def test_a_slot_that_is_not_to_be_sent_goes_on_with_a_key_frame(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    inlet.hear(packet(1, KEY))
    bench.outlet.connect(None)
    inlet.hear(packet(2, KEY))
    bench.outlet.connect(inlet)
    inlet.hear(packet(3, DELTA))
    inlet.hear(packet(4, KEY))
    sent = bench.rtp()
    assert len(sent) == 2
    assert (sent[1].sequence_number - sent[0].sequence_number) % 65536 == 1


async def test_a_track_is_measured_while_it_passes(bench: Bench) -> None:
    inlet = bench.inlet()
    vp8_key_frame = b"\x10\x10\x00\x00\x9d\x01\x2a" + (320).to_bytes(2, "little") + (180).to_bytes(2, "little")
    assert (inlet.packets, inlet.octets, inlet.picture_size) == (0, 0, None)
    for number, payload in enumerate((DELTA, vp8_key_frame, DELTA, b"")):
        inlet.hear(packet(number, payload))
    inlet.hear(packet(9, KEY, payload_type=101))
    assert (inlet.packets, inlet.octets) == (4, len(vp8_key_frame) + 2 * len(DELTA))
    assert inlet.picture_size == (320, 180)


async def test_a_flood_is_cut_off(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(forwarding, "Allowance", lambda limit, seconds: Allowance(limit, seconds, lambda: now))
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    for number in range(PACKET_LIMIT[Kind.VIDEO] + 50):
        inlet.hear(packet(number, KEY))
    assert len(bench.sent) == PACKET_LIMIT[Kind.VIDEO]
    now = 1.0
    inlet.hear(packet(PACKET_LIMIT[Kind.VIDEO] + 50, KEY))
    assert len(bench.sent) == PACKET_LIMIT[Kind.VIDEO] + 1


async def test_what_a_viewer_estimates_is_believed_within_reason(bench: Bench) -> None:
    def estimate(fci: bytes) -> None:
        bench.outlet.hear_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=9, media_ssrc=0, fci=fci))

    estimate(pack_remb_fci(800_000, [OUTLET_SSRC]))
    estimate(b"REMB\x01\xff\xff\xff" + bytes(4))
    estimate(b"REMB\x01\x00\x00\x00" + bytes(4))
    for garbage in (b"", b"REMB", b"LONG" + bytes(8), b"REMB\xff\x00\x00\x00"):
        estimate(garbage)
    assert bench.estimates[:3] == [pytest.approx(800_000, rel=0.01), ESTIMATE_LIMIT, 0]
    assert len(bench.estimates) == 3


def receiver_report(ssrc: int, loss: int) -> RtcpRrPacket:
    info = RtcpReceiverInfo(ssrc=ssrc, fraction_lost=loss, packets_lost=0, highest_sequence=0, jitter=0, lsr=0, dlsr=0)
    return RtcpRrPacket(ssrc=9, reports=[info])


async def test_who_speaks_learns_what_listeners_lose() -> None:
    bench = Bench(Kind.AUDIO)
    inlet = bench.inlet(Codec.OPUS)
    bench.outlet.hear_rtcp(receiver_report(OUTLET_SSRC, 90))  # of nobody
    bench.outlet.connect(inlet)

    async def told(own: int) -> int:
        await bench.receiver._send_rtcp(receiver_report(1, own))
        return bench.losses[-1]

    assert await told(5) == 5
    bench.outlet.hear_rtcp(receiver_report(OUTLET_SSRC + 1, 60))  # of another stream
    assert await told(5) == 5
    bench.outlet.hear_rtcp(receiver_report(OUTLET_SSRC, 30))
    assert await told(5) == 30
    assert await told(40) == 40, "the way up is worse"
    bench.outlet.hear_rtcp(receiver_report(OUTLET_SSRC, 255))
    assert await told(5) == LOSS_LIMIT
    bench.outlet.connect(None)
    assert await told(5) == 5


async def test_a_publisher_that_begins_anew_is_followed(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    for one in (packet(5, KEY), packet(5 + JUMP + 1, DELTA), packet(5 + JUMP + 2, KEY), packet(9, KEY, ssrc=8)):
        inlet.hear(one)
    numbers = [one.sequence_number for one in bench.rtp()]
    assert [(number - numbers[0]) % 65536 for number in numbers] == [0, 1, 2]


async def test_padding_leaves_no_gap(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    for one in (packet(1, KEY), packet(2, b""), packet(4), packet(3), packet(5, b""), packet(6)):
        inlet.hear(one)
    numbers = [one.sequence_number for one in bench.rtp()]
    assert [(number - numbers[0]) % 65536 for number in numbers] == [0, 2, 1, 3]


async def test_other_payload_types_are_not_passed_on(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    inlet.hear(packet(1, KEY, payload_type=101))
    assert bench.sent == []


async def test_a_missed_packet_is_sent_again_while_it_is_remembered(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    inlet.hear(packet(1, KEY))
    for sequence in range(2, HISTORY + 2):
        inlet.hear(packet(sequence))
    first, second = bench.rtp()[:2]
    bench.sent.clear()
    lost = [first.sequence_number, second.sequence_number]
    bench.outlet.hear_rtcp(RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=9, media_ssrc=OUTLET_SSRC, lost=lost))
    assert [one.sequence_number for one in bench.rtp()] == [second.sequence_number]


async def test_a_sender_report_is_translated_and_repeated_for_newcomers(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    inlet.hear(packet(1, KEY, 1000))
    inlet.hear_rtcp(sender_report(1, 1500))
    inlet.hear_rtcp(sender_report(2, 1))
    (report,) = bench.reports()
    assert (report.ssrc, report.sender_info.ntp_timestamp, report.sender_info.packet_count) == (OUTLET_SSRC, 99, 1)
    assert (report.sender_info.rtp_timestamp - bench.rtp()[0].timestamp) % (1 << 32) == 500
    later = Bench()
    later.start()
    later.outlet.connect(inlet)
    inlet.hear(packet(2, KEY, 2000))
    assert len(later.reports()) == 1


async def test_a_flood_of_sender_reports_is_cut_off(bench: Bench) -> None:
    inlet = bench.inlet()
    bench.outlet.connect(inlet)
    inlet.hear(packet(1, KEY, 1000))
    for _ in range(100 * REPORT_LIMIT):
        inlet.hear_rtcp(sender_report(1, 1500))
    assert REPORT_LIMIT <= len(bench.reports()) <= 2 * REPORT_LIMIT


async def test_key_frames_are_asked_for_at_once_and_then_seldom(bench: Bench) -> None:
    inlet = bench.inlet()
    asking = asyncio.create_task(inlet.ask_key_frames())
    try:
        bench.outlet.connect(inlet)
        inlet.hear(packet(1, KEY, ssrc=5))
        for _ in range(50):
            bench.outlet.hear_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=9, media_ssrc=OUTLET_SSRC))
            await asyncio.sleep(0)
        assert bench.asked == [5]
        await until(lambda: len(bench.asked) == 2)
    finally:
        asking.cancel()


async def test_a_viewer_that_is_too_slow_loses_the_oldest() -> None:
    queue = SendQueue()
    written: list[bytes] = []

    async def write(data: bytes) -> None:
        written.append(data)

    outlet = cast("Any", SimpleNamespace(write=write))
    for index in range(QUEUE_LIMIT + 2):
        queue.put(outlet, index.to_bytes(2, "big"))
    running = asyncio.create_task(queue.run())
    await until(lambda: len(written) == QUEUE_LIMIT)
    running.cancel()
    assert queue.dropped == 2
    assert written[0] == (2).to_bytes(2, "big")


def test_numbers_count_across_the_wrap() -> None:
    numbering = Numbering(65534)
    found = [numbering.number(sequence % 65536) for sequence in (65534, 65535, 65537, 65536)]
    assert [number - found[0] for number in found] == [0, 1, 3, 2]
