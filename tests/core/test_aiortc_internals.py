"""Every private name and behaviour of aiortc that `aiortc_internals` relies on: red as soon as aiortc changes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import aioice.ice
import pytest
from aiortc import rtcdtlstransport
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from aiortc.rtp import RTCP_PSFB_PLI, AnyRtcpPacket, RtcpByePacket, RtcpPsfbPacket, RtcpSrPacket, RtpPacket

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
from tests.waiting import until
from tui.core import aiortc_internals
from tui.core.aiortc_internals import (
    Addresses,
    RtpOutlet,
    ask_key_frame,
    candidates_from,
    forget,
    ignore_bye,
    keep_codec,
    keep_newest,
    name_track,
    never_decode,
    park,
    reconnect,
    skip_empty_frames,
    tap_rtcp,
    tap_rtp,
)
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiortc import MediaStreamTrack, RTCRtpReceiver
    from aiortc.rtcrtpparameters import RTCRtpSendParameters
    from aiortc.rtp import HeaderExtensionsMap


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
    aiortc_internals.install()
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


# -- a connection ------------------------------------------------------------------------------------


@pytest.mark.parametrize("repaired", [True, False])
async def test_an_offer_during_the_handshake_brings_its_tracks(pair: Pair, repaired: bool) -> None:
    """Without the repair it does not: the day that changes, the repair can go."""
    pair.near.createDataChannel("x")
    await pair.negotiate()
    pair.send(SolidColour(RED), TestTone(440))
    await pair.negotiate()
    assert pair.near.connectionState != "connected"
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


async def test_a_transceiver_is_forgotten(pair: Pair) -> None:
    pair.send(TestTone(), SolidColour(RED))
    first, second = pair.near.getTransceivers()
    await first.stop()
    forget(pair.near, first)
    assert pair.near.getTransceivers() == [second]


@pytest.mark.parametrize(("codec", "others"), [("video/VP8", "H264"), ("VIDEO/h264", "VP8")])
async def test_one_codec_is_kept_in_the_answer(pair: Pair, codec: str, others: str) -> None:
    pair.send(SolidColour(RED))
    offer = await local(pair.near)
    assert f" {others}/90000" in offer
    await pair.far.setRemoteDescription(pair.near.localDescription)
    (transceiver,) = pair.far.getTransceivers()
    payload = keep_codec(transceiver, codec)
    assert f"m=video {9} UDP/TLS/RTP/SAVPF {payload}" in _open(await local(pair.far))
    assert keep_codec(transceiver, "video/AV1") is None


def _open(sdp: str) -> str:
    """With port 9 in each m-line, as aiortc writes the candidate's port."""
    lines = [line.split(" ") for line in sdp.splitlines()]
    return "\r\n".join(" ".join([line[0], "9", *line[2:]] if line[0].startswith("m=") else line) for line in lines)


# -- receiving ---------------------------------------------------------------------------------------


async def test_the_newest_frames_are_kept_and_never_the_end_lost() -> None:
    track: Any = RemoteStreamTrack("video")
    keep_newest(track, 2)
    for frame in range(10):
        await track._queue.put(frame)
    assert [await track.recv(), await track.recv()] == [8, 9]
    for item in (10, 11, None):
        await track._queue.put(item)
    assert await track.recv() == 11
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert track.readyState == "ended"


async def test_an_unread_track_does_not_grow(pair: Pair) -> None:
    pair.far.on("track", partial(keep_newest, frames=3))
    pair.send(TestTone())
    await pair.negotiate()
    heard = 0

    def hear(_: RtpPacket) -> None:
        nonlocal heard
        heard += 1

    tap_rtp(pair.receiver, hear)
    await until(lambda: heard >= 30)
    assert pair.tracks[0]._queue.qsize() <= 3  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        first = await pair.tracks[0].recv()
    assert first.pts is not None
    assert first.pts >= 15 * 960


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


@pytest.mark.parametrize("skipped", [True, False])
@pytest.mark.parametrize("kind", ["audio", "video"])
async def test_an_empty_packet_does_not_silence_a_track(pair: Pair, kind: str, skipped: bool) -> None:
    """Without the repair it does: the day that changes, the repair can go."""

    def begin(track: MediaStreamTrack) -> None:
        keep_newest(track, 2)
        if skipped:
            skip_empty_frames(pair.receiver)

    pair.far.on("track", begin)
    pair.send(TestTone(440) if kind == "audio" else SolidColour(RED))
    await pair.negotiate()
    packets: list[RtpPacket] = []
    tap_rtp(pair.receiver, packets.append)
    track = pair.tracks[0]
    async with asyncio.timeout(10):
        await track.recv()
        last = packets[-1]
        empty = RtpPacket(
            payload_type=last.payload_type,
            sequence_number=(last.sequence_number + 1) % (1 << 16),
            timestamp=last.timestamp + 960,
            ssrc=last.ssrc,
        )
        await pair.near.getSenders()[0].transport._send_rtp(empty.serialize())
        before = len(packets)
        await until(lambda: len(packets) > before + 10)
        received = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                while received < 10:
                    await track.recv()
                    received += 1
    assert (received == 10) is skipped


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
        connection: ("_RTCPeerConnection__connect", "_RTCPeerConnection__transceivers"),
        transceiver: ("_codecs", "_RTCRtpTransceiver__receiver"),
        transceiver.sender: ("_ssrc", "_stream_id", "_track_id", "send", "stop"),
        transceiver.receiver: (
            "_RTCRtpReceiver__decoder_queue",
            "_handle_rtp_packet",
            "_handle_rtcp_packet",
            "_send_rtcp_pli",
            "_set_rtcp_ssrc",
            "_track",
        ),
        RemoteStreamTrack("audio"): ("_queue",),
        transceiver.receiver.transport: ("_register_rtp_sender", "_unregister_rtp_sender", "_send_rtp"),
        rtcdtlstransport.RtpRouter(): ("mid_table", "ssrc_table", "route_rtp"),
    }
    for owner, names in expected.items():
        for name in names:
            assert hasattr(owner, name), f"{type(owner).__name__} has no {name}"
