"""Every private name of aiortc and aioice that this project touches, behind plain functions.

Used by `core.peer` and `server.forwarding`; nobody else reaches inside aiortc. The version is pinned
(``aiortc==1.16.*``) and a test per name fails loudly when one moves. The traps that each function repairs are
numbered in the aiortc reference.
"""

from __future__ import annotations

import enum
import logging
import math
import queue
import struct
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

import aioice.ice
import aioice.stun
import numpy as np
from aiortc import rtcdtlstransport, rtcrtpreceiver, rtcrtpsender, rtcsctptransport, rtp
from aiortc.codecs import CODECS, get_encoder
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    HeaderExtensionsMap,
    RtcpByePacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpSrPacket,
    RtpPacket,
)
from aiortc.stats import RTCRemoteInboundRtpStreamStats

from tui.core.hush import Hush, Murmur

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
    from aiortc.codecs.base import Encoder
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
    from aiortc.rtp import AnyRtcpPacket
    from av import AudioFrame

    from tui.core.audio import SoundEncoder
    from tui.core.video import VideoEncoder

logger = logging.getLogger(__name__)

CONSENT_INTERVAL = 1
"""Seconds between two checks that the peer is still there."""

CONSENT_FAILURES = 4
"""Unanswered checks after which the connection is given up: 5 s instead of aiortc's 30 s (trap 13)."""


DATAGRAM_LIMIT = 1024
"""Datagrams that wait for a connection to read them: half a second of a full line."""

_LAST_OF_STUN = 3
"""The highest first byte of a STUN message (RFC 7983)."""

SSRC_LIMIT = 512
"""Synchronisation sources that a connection remembers."""

SOURCE_LIMIT = 8
"""Synchronisation sources of one receiver that are reported on; a report has room for 31."""

NACK_INTERVAL = 0.06
"""Seconds between two requests for what is missing, at least: they are made when a packet comes."""

NACK_PATIENCE = 0.4
"""Seconds for which a packet is asked for."""

NACK_REACH = 128
"""Packets back that a sender still has, and that are asked for at once: aiortc's own history."""


class Addresses(enum.Enum):
    """Which local addresses become ICE candidates (trap 15: aioice alone never offers loopback)."""

    HOST = enum.auto()
    LOOPBACK = enum.auto()
    ALL = enum.auto()


_addresses: ContextVar[Addresses] = ContextVar("addresses", default=Addresses.HOST)
_host_addresses = aioice.ice.get_host_addresses
_read_extensions = rtp.HeaderExtensionsMap.get
_unpack_estimate = rtp.unpack_remb_fci
_route_by_ssrc = rtcdtlstransport.RtpRouter.route_rtp
_route_reports = rtcdtlstransport.RtpRouter.route_rtcp
_ask_stun = aioice.ice.StunProtocol.request
_take_datagram = aioice.ice.StunProtocol.datagram_received
_read_data = rtcsctptransport.RTCSctpTransport._data_channel_receive


@contextmanager
def candidates_from(addresses: Addresses) -> Iterator[None]:
    """Gather from these addresses in the block: put it around ``setLocalDescription``."""
    token = _addresses.set(addresses)
    try:
        yield
    finally:
        _addresses.reset(token)


def host_addresses() -> list[str]:
    """The IPv4 addresses of this machine that others may reach: what `Addresses.HOST` offers."""
    return list(_host_addresses(True, False))


def _chosen_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    choice = _addresses.get()
    found = [] if choice is Addresses.LOOPBACK else _host_addresses(use_ipv4, use_ipv6)
    return found if choice is Addresses.HOST else ["127.0.0.1", *found]


class _Routes:
    """Whose packets are whose on one connection, beyond what aiortc's router knows."""

    def __init__(self) -> None:
        self.places: Mapping[str, str] | None = None
        """The other end's mids and aiortc's; ``None`` where both are the same."""
        self.mids: dict[int, str] = {}
        """The mid of each SSRC, also of those that have nothing to send now."""


_routes: WeakKeyDictionary[rtcdtlstransport.RtpRouter, _Routes] = WeakKeyDictionary()


def _route_by_mid(router: rtcdtlstransport.RtpRouter, packet: RtpPacket) -> Any:
    """The mid decides (trap 9), told by the packet or by an earlier one: libwebrtc stops telling it after a while.

    Only what never had a mid goes by aiortc's rules, which give a stranger's packets to whoever is alone.
    """
    routes = _routes.setdefault(router, _Routes())
    _forget_oldest(router.ssrc_table, SSRC_LIMIT)
    told = packet.extensions.mid
    if told is not None and routes.mids.get(packet.ssrc) != told:
        routes.mids[packet.ssrc] = told
        _forget_oldest(routes.mids, SSRC_LIMIT)
    mid = routes.mids.get(packet.ssrc)
    if mid is None:
        receiver = _route_by_ssrc(router, packet)
    else:
        receiver = router.mid_table.get(mid if routes.places is None else routes.places.get(mid, ""))
        if receiver is None or receiver not in router.payload_type_table.get(packet.payload_type, ()):
            return None
        router.ssrc_table[packet.ssrc] = receiver  # for RTCP
    # A receiver whose sender changes its SSRC again and again does not report on all that there ever were.
    if len(getattr(receiver, "_RTCRtpReceiver__remote_streams", ())) > SOURCE_LIMIT:
        for name in ("remote_streams", "active_ssrc", "lsr", "lsr_time"):
            _forget_oldest(getattr(receiver, f"_RTCRtpReceiver__{name}"), SOURCE_LIMIT)
    return receiver


def _route_key_requests(router: rtcdtlstransport.RtpRouter, packet: AnyRtcpPacket) -> set[Any]:
    """A full intra request names its sender in its body (RFC 5104, 4.3.1), where aiortc does not look."""
    recipients: set[Any] = set(_route_reports(router, packet))
    if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_FIR:
        for start in range(0, len(packet.fci) - 7, 8):
            sender = router.senders.get(int.from_bytes(packet.fci[start : start + 4], "big"))
            if sender is not None:
                recipients.add(sender)
    return recipients


def _forget_oldest(table: dict[Any, Any], limit: int) -> None:
    while len(table) > limit:
        del table[next(iter(table))]


async def _read_data_or_skip(
    transport: rtcsctptransport.RTCSctpTransport, stream_id: int, pp_id: int, data: bytes
) -> None:
    """A text that is not UTF-8 or a channel opened twice would end the whole connection, media included."""
    try:
        await _read_data(transport, stream_id, pp_id, data)
    except (UnicodeDecodeError, AssertionError) as error:
        logger.debug("data-channel message skipped: %r", error)


_round_trips: WeakKeyDictionary[aioice.ice.Connection, float] = WeakKeyDictionary()


async def _time_stun(
    protocol: aioice.ice.StunProtocol,
    request: aioice.stun.Message,
    addr: tuple[str, int],
    integrity_key: bytes | None = None,
    retransmissions: int | None = None,
) -> tuple[aioice.stun.Message, tuple[str, int]]:
    """A consent check, which is never repeated, tells how long the way there and back is."""
    begun = time.monotonic()
    answer = await _ask_stun(protocol, request, addr, integrity_key, retransmissions)
    if retransmissions == 0:
        _round_trips[protocol.receiver] = time.monotonic() - begun
    return answer


_hushes: WeakKeyDictionary[aioice.ice.Connection, Hush] = WeakKeyDictionary()


def _datagram_or_skip(protocol: aioice.ice.StunProtocol, data: bytes, addr: tuple[Any, ...]) -> None:
    """Anybody can send these from anywhere: an empty one would end the connection, a broken one raises in the loop.

    What is not STUN waits in a queue without a bound, in vain until the connection is up.
    """
    if not data or (data[0] > _LAST_OF_STUN and protocol.receiver._queue.qsize() >= DATAGRAM_LIMIT):
        return
    hush = _hushes.get(protocol.receiver)
    if hush is not None and hush.skips(data):
        return
    try:
        _take_datagram(protocol, data, addr)
    except Exception as error:  # aioice expects one kind, and raises at least four
        logger.debug("datagram skipped: %r", error)


def audio_level(frame: AudioFrame) -> int:
    """Loudness of s16 samples on the scale of RFC 6464: 0 is full scale, 127 silence."""
    samples = frame.to_ndarray().astype(np.float32)
    power = float(np.mean(np.square(samples))) / 32768.0**2
    return 127 if power <= 0 else min(127, max(0, round(-10 * math.log10(power))))


def _extensions_or_none(known: HeaderExtensionsMap, profile: int, value: bytes) -> rtp.HeaderExtensions:
    """A packet's header extensions; one that is too short would end the connection, so all of them are left out."""
    try:
        return _read_extensions(known, profile, value)
    except struct.error:
        return rtp.HeaderExtensions()


def unpack_estimate(data: bytes) -> tuple[int, list[int]]:
    """The bitrate and the SSRCs of a REMB; raises `ValueError` for a short one, which ends aiortc's connection."""
    try:
        return _unpack_estimate(data)
    except struct.error as error:
        raise ValueError("a REMB that is too short") from error


def install() -> None:
    """Put the process-wide repairs in place; idempotent, called when this module is imported."""
    aioice.ice.CONSENT_INTERVAL = CONSENT_INTERVAL
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES
    aioice.ice.get_host_addresses = _chosen_addresses
    aioice.ice.StunProtocol.request = _time_stun  # type: ignore[method-assign, assignment]
    aioice.ice.StunProtocol.datagram_received = _datagram_or_skip  # type: ignore[method-assign, assignment]
    rtp.HeaderExtensionsMap.get = _extensions_or_none  # type: ignore[method-assign, assignment]
    rtp.unpack_remb_fci = unpack_estimate
    rtcrtpsender.unpack_remb_fci = unpack_estimate  # type: ignore[attr-defined]
    # libwebrtc gives numbers from below to codecs that found no room above; aiortc would answer with another one.
    rtp.DYNAMIC_PAYLOAD_TYPES = (*range(35, 64), *range(96, 128))  # type: ignore[assignment]
    rtcdtlstransport.RtpRouter.route_rtp = _route_by_mid  # type: ignore[method-assign, assignment]
    rtcdtlstransport.RtpRouter.route_rtcp = _route_key_requests  # type: ignore[method-assign, assignment]
    rtcsctptransport.RTCSctpTransport._data_channel_receive = _read_data_or_skip  # type: ignore[method-assign, assignment]
    # Without this libwebrtc never adds what repairs losses, neither for us nor for those we forward to.
    for codec in CODECS["audio"]:
        if codec.mimeType == "audio/opus":
            codec.parameters |= {"minptime": 10, "useinbandfec": 1}


install()


# -- a connection ------------------------------------------------------------------------------------


async def reconnect(connection: RTCPeerConnection) -> None:
    """Start what a re-offer added while DTLS was still connecting (trap 3); idempotent."""
    await connection._RTCPeerConnection__connect()  # type: ignore[attr-defined]


def route(connection: RTCPeerConnection, places: Mapping[str, str], mids: Mapping[int, str]) -> None:
    """Say whose packets are whose: ``places`` maps the other end's mids to aiortc's, ``mids`` its SSRCs to its mids.

    Packets of a mid that has no place are dropped from now on. Replaces what was said before, but for SSRCs.
    """
    for router in {transceiver.receiver.transport._rtp_router for transceiver in connection.getTransceivers()}:
        routes = _routes.setdefault(router, _Routes())
        routes.places = dict(places)
        routes.mids |= mids
        _forget_oldest(routes.mids, SSRC_LIMIT)


def keep_codec(transceiver: RTCRtpTransceiver, *mime_types: str) -> RTCRtpCodecParameters | None:
    """Answer with one of these codecs alone, the first in the offer's order; ``None`` when none was offered.

    Call it between ``setRemoteDescription`` and ``setLocalDescription``: ``setCodecPreferences`` comes too late for a
    transceiver that an offer has just created.
    """
    names = {mime_type.lower() for mime_type in mime_types}
    kept = [codec for codec in transceiver._codecs if codec.mimeType.lower() in names][:1]
    transceiver._codecs = kept
    return kept[0] if kept else None


# -- receiving ---------------------------------------------------------------------------------------


def ignore_bye(receiver: RTCRtpReceiver) -> None:
    """Keep the decoder at an RTCP BYE: the SDP alone says when a track ends (libwebrtc trap 2)."""
    handle = receiver._handle_rtcp_packet

    async def without_bye(packet: AnyRtcpPacket) -> None:
        if not isinstance(packet, RtcpByePacket):
            await handle(packet)

    receiver._handle_rtcp_packet = without_bye  # type: ignore[method-assign]


def tap_rtp(receiver: RTCRtpReceiver, hear: Callable[[RtpPacket], None]) -> None:
    """Show every RTP packet of a receiver to ``hear`` before aiortc handles it."""
    handle = receiver._handle_rtp_packet

    async def heard(packet: RtpPacket, arrival_time_ms: int) -> None:
        hear(packet)
        await handle(packet, arrival_time_ms)

    receiver._handle_rtp_packet = heard  # type: ignore[method-assign]


def skip_quiet(receiver: RTCRtpReceiver, wanted: Callable[[], bool], skipped: Callable[[int], None]) -> None:
    """Let go of what a voice sends while it says that it is quiet and is not ``wanted``, but for a sample of it.

    It counts as received all the same; ``skipped`` is told the bytes of its payloads.
    """
    transport, handle = receiver.transport, receiver._handle_rtp_packet
    ids = transport._rtp_header_extensions_map._HeaderExtensionsMap__ids  # type: ignore[attr-defined]
    hush = _hushes.setdefault(transport.transport._connection, Hush())
    voice = Murmur(wanted)

    async def counted(packet: RtpPacket, arrival_time_ms: int) -> None:
        if packet.extensions.audio_level is not None:
            hush.follow(packet.ssrc, voice, ids.audio_level)
        if voice.packets:
            stream = receiver._RTCRtpReceiver__remote_streams.get(packet.ssrc)  # type: ignore[attr-defined]
            if stream is not None:
                stream.packets_received += voice.packets
            transport._RTCDtlsTransport__rx_packets += voice.packets  # type: ignore[attr-defined]
            transport._RTCDtlsTransport__rx_bytes += voice.datagrams  # type: ignore[attr-defined]
            skipped(voice.payloads)
            voice.forget()
        await handle(packet, arrival_time_ms)

    receiver._handle_rtp_packet = counted  # type: ignore[method-assign]


def tap_rtcp(receiver: RTCRtpReceiver, hear: Callable[[AnyRtcpPacket], None]) -> None:
    """Show every RTCP packet of a receiver to ``hear`` before aiortc handles it."""
    handle = receiver._handle_rtcp_packet

    async def heard(packet: AnyRtcpPacket) -> None:
        hear(packet)
        await handle(packet)

    receiver._handle_rtcp_packet = heard  # type: ignore[method-assign]


class _Passage:
    """In the place of a jitter buffer: what arrives is handed on at once, and nothing is decoded."""

    def __init__(self, take: Callable[[RtpPacket], None]) -> None:
        self._take = take

    def add(self, packet: RtpPacket) -> tuple[bool, None]:
        """Neither a key frame is wanted nor a frame complete."""
        self._take(packet)
        return False, None


def take_packets(receiver: RTCRtpReceiver, take: Callable[[RtpPacket, RTCRtpCodecParameters], None]) -> None:
    """Hand every packet of a known codec to ``take`` instead of decoding it; call it in ``track``.

    The decoder's thread ends as soon as it has begun: it would keep the process where a close is cut short.
    """

    def taken(packet: RtpPacket) -> None:
        take(packet, receiver._RTCRtpReceiver__codecs[packet.payload_type])  # type: ignore[attr-defined]

    receiver._RTCRtpReceiver__jitter_buffer = _Passage(taken)  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__decoder_queue.put(None)  # type: ignore[attr-defined]


def media_of(packet: RtpPacket) -> bytes:
    """What of a packet that `take_packets` hands on is the codec's; H.264 with start codes. May be empty."""
    media: bytes = packet._data  # type: ignore[attr-defined]
    return media


class _Missing:
    """In the place of a NACK generator: what is missing is asked for again and again, but not for ever (trap 11)."""

    def __init__(self, wanted: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._wanted = wanted
        self._clock = clock
        self._newest: int | None = None
        self._since: dict[int, float] = {}
        self._asked = 0.0

    @property
    def missing(self) -> list[int]:
        """The sequence numbers to ask for."""
        return list(self._since)

    def add(self, packet: RtpPacket) -> bool:
        """One more packet; whether to ask now."""
        if not self._wanted():
            self._since.clear()
            self._newest = None
            return False
        now, number = self._clock(), packet.sequence_number
        ahead = 0 if self._newest is None else (number - self._newest + 0x8000 & 0xFFFF) - 0x8000
        if self._newest is None or abs(ahead) > NACK_REACH:
            self._newest = number
            self._since.clear()
            return False
        is_new = ahead > 1
        if ahead > 0:
            self._since |= dict.fromkeys((self._newest + step & 0xFFFF for step in range(1, ahead)), now)
            self._newest = number
        else:
            self._since.pop(number, None)
        if self._since:
            _forget_oldest(self._since, NACK_REACH)
            for late in [late for late, since in self._since.items() if now - since > NACK_PATIENCE]:
                del self._since[late]
        if not self._since or not (is_new or now - self._asked >= NACK_INTERVAL):
            return False
        self._asked = now
        return True


def repeat_nacks(receiver: RTCRtpReceiver, wanted: Callable[[], bool]) -> None:
    """Ask for lost packets of a video again while they may still be of use, and only while they are ``wanted``."""
    receiver._RTCRtpReceiver__nack_generator = _Missing(wanted)  # type: ignore[attr-defined]


class _Undecoded(queue.Queue[Any]):
    """Swallows encoded frames, but lets the end mark through to the decoder thread."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            super().put(item, block, timeout)


def never_decode(receiver: RTCRtpReceiver) -> None:
    """Keep NACK, reports and bandwidth estimation, decode nothing; call it before the receiver starts."""
    receiver._RTCRtpReceiver__decoder_queue = _Undecoded()  # type: ignore[attr-defined]


class _Estimator:
    """aiortc's estimate of the bandwidth, but never less than so many bits per second."""

    def __init__(self, estimator: Any, least: int) -> None:
        self._estimator = estimator
        self._least = least

    def add(self, **packet: int) -> tuple[int, list[int]] | None:
        """What aiortc's own says about a packet."""
        estimate = self._estimator.add(**packet)
        return None if estimate is None else (max(estimate[0], self._least), estimate[1])


def estimate_at_least(receiver: RTCRtpReceiver, bitrate: int) -> None:
    """Report at least that many bits per second to the sender of a video.

    aiortc's estimate follows what is being sent, so that a still picture would choke the motion after it for half a
    minute. Real congestion still shows as loss in the receiver's reports, which libwebrtc heeds as well.
    """
    estimator = receiver._RTCRtpReceiver__remote_bitrate_estimator  # type: ignore[attr-defined]
    if estimator is not None:
        receiver._RTCRtpReceiver__remote_bitrate_estimator = _Estimator(estimator, bitrate)  # type: ignore[attr-defined]


def report_loss(receiver: RTCRtpReceiver, least: Callable[[], int]) -> None:
    """Report at least that loss to the sender, in 1/256 as in RTCP: what those have who get the packets from us."""
    send = receiver._send_rtcp

    async def raised(packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpRrPacket):
            for report in packet.reports:
                report.fraction_lost = max(report.fraction_lost, least())
        await send(packet)

    receiver._send_rtcp = raised  # type: ignore[method-assign]


async def ask_key_frame(receiver: RTCRtpReceiver, ssrc: int) -> None:
    """Send a picture loss indication to the sender of that SSRC."""
    await receiver._send_rtcp_pli(ssrc)


async def park(transceiver: RTCRtpTransceiver) -> None:
    """Free an m-line that went inactive, so that it fires ``track`` again when it returns (traps 7 and 8)."""
    receiver = transceiver.receiver
    await receiver.stop()
    fresh = rtcrtpreceiver.RTCRtpReceiver(transceiver.kind, receiver.transport)
    fresh._set_rtcp_ssrc(transceiver.sender._ssrc)
    transceiver._RTCRtpTransceiver__receiver = fresh  # type: ignore[attr-defined]


# -- sending -----------------------------------------------------------------------------------------


def name_track(sender: RTCRtpSender, stream_id: str, track_id: str) -> None:
    """Choose both parts of the sender's ``a=msid``; call it before ``createOffer``."""
    sender._stream_id = stream_id
    sender._track_id = track_id


def encode_sound(sender: RTCRtpSender, encoder: SoundEncoder | None) -> None:
    """Encode a track that has an ``audio_level``: with ``encoder`` where Opus is negotiated, else with aiortc's own.

    On the loop: a thread costs as much again as the encoding, and a frame that waited for it could leave after the
    microphone was muted. The encoder is told what the receiver reports as lost.
    """
    handle = sender._handle_rtcp_packet
    spare: Encoder | None = None

    async def next_frame(codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        nonlocal spare
        frame = await sender.track.recv()
        if encoder is not None and codec.mimeType.lower() == "audio/opus":
            payloads, timestamp = encoder.encode(frame)  # type: ignore[arg-type]
        else:
            spare = spare or get_encoder(codec)
            payloads, timestamp = spare.encode(frame)  # type: ignore[arg-type]
        return RTCEncodedFrame(payloads, timestamp, -sender.track.audio_level) if payloads else None  # type: ignore[attr-defined]

    async def heard(packet: AnyRtcpPacket) -> None:
        if encoder is not None and isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
            for report in packet.reports:
                if report.ssrc == sender._ssrc:
                    encoder.hear_loss(report.fraction_lost / 256)
        await handle(packet)

    sender._next_encoded_frame = next_frame  # type: ignore[method-assign]
    sender._handle_rtcp_packet = heard  # type: ignore[method-assign]


def encode_video(sender: RTCRtpSender, make: Callable[[str], VideoEncoder | None]) -> None:
    """Encode a track with what ``make`` gives for the negotiated codec, ``vp8`` or ``h264``, else with aiortc's own.

    The encoder is told what the receiver asks for and reports: key frames, bandwidth, losses.
    """
    handle, spare = sender._handle_rtcp_packet, sender._next_encoded_frame
    encoder: VideoEncoder | None = None
    packer: Encoder | None = None

    async def next_frame(codec: RTCRtpCodecParameters) -> RTCEncodedFrame | None:
        nonlocal encoder, packer
        if packer is None:
            packer = get_encoder(codec)
            # aiortc itself sets its ``target_bitrate`` to what a REMB says.
            encoder = sender._RTCRtpSender__encoder = make(codec.name.lower())  # type: ignore[attr-defined]
            if encoder is not None:
                sender._send_keyframe = encoder.want_key_frame  # type: ignore[method-assign]
        if encoder is None:
            return await spare(codec)
        packet = await encoder.encode(await sender.track.recv())  # type: ignore[arg-type]
        if packet is None:
            return None
        payloads, timestamp = packer.pack(packet)
        return RTCEncodedFrame(payloads, timestamp, None)  # type: ignore[arg-type]

    async def heard(packet: AnyRtcpPacket) -> None:
        if encoder is not None and isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
            for report in packet.reports:
                if report.ssrc == sender._ssrc:
                    encoder.hear_loss(report.fraction_lost / 256)
        await handle(packet)

    sender._next_encoded_frame = next_frame  # type: ignore[method-assign]
    sender._handle_rtcp_packet = heard  # type: ignore[method-assign]


class RtpSource(Protocol):
    """What sends instead of an encoder: told when it may begin, and shown the RTCP about its SSRC."""

    def start(self, parameters: RTCRtpSendParameters, extensions: HeaderExtensionsMap) -> None:
        """The connection is up: ``parameters.codecs[0]`` is what was negotiated. Called once."""

    def hear_rtcp(self, packet: AnyRtcpPacket) -> None:
        """An RTCP packet about this source's SSRC."""


class RtpOutlet:
    """A sender without an encoder: writes ready RTP packets to the sender's transport.

    Replaces ``send`` and ``stop`` of one `RTCRtpSender`; packets written before the connection is up, or after
    it is gone, are dropped.
    """

    def __init__(self, sender: RTCRtpSender, source: RtpSource) -> None:
        self.ssrc: int = sender._ssrc
        self._ssrc = self.ssrc
        self._sender = sender
        self._source = source
        self._extensions = HeaderExtensionsMap()
        self._started = False
        sender.send = self._send  # type: ignore[method-assign]
        sender.stop = self._stop  # type: ignore[method-assign]

    async def _send(self, parameters: RTCRtpSendParameters) -> None:
        if self._started:
            return
        self._started = True
        self._extensions.configure(parameters)
        self._sender.transport._register_rtp_sender(self, parameters)
        self._source.start(parameters, self._extensions)

    async def _stop(self) -> None:
        if self._started:
            self._started = False
            self._sender.transport._unregister_rtp_sender(self)

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        self._source.hear_rtcp(packet)

    async def write(self, data: bytes) -> None:
        """Encrypt and send one serialised RTP or RTCP packet."""
        if not self._started:
            return
        try:
            await self._sender.transport._send_rtp(data)
        except ConnectionError:
            self._started = False


# -- figures -----------------------------------------------------------------------------------------


def bytes_moved(connection: RTCPeerConnection) -> tuple[int, int]:
    """Bytes sent and received on the wire so far; a connection of this project has one transport."""
    sent = received = 0
    for transport in _transports(connection):
        sent += transport._RTCDtlsTransport__tx_bytes  # type: ignore[attr-defined]
        received += transport._RTCDtlsTransport__rx_bytes  # type: ignore[attr-defined]
    return sent, received


def round_trip_time(connection: RTCPeerConnection) -> float:
    """Seconds that the newest consent check took, 0 before the first one."""
    return max((_round_trips.get(each.transport._connection, 0.0) for each in _transports(connection)), default=0.0)


def _transports(connection: RTCPeerConnection) -> set[rtcdtlstransport.RTCDtlsTransport]:
    found = {transceiver.receiver.transport for transceiver in connection.getTransceivers()}
    return found | ({connection.sctp.transport} if connection.sctp is not None else set())


@dataclass(frozen=True, slots=True)
class Reception:
    """The packets that a receiver counts; ``jitter`` in seconds."""

    packets: int
    lost: int
    jitter: float


def reception(receiver: RTCRtpReceiver) -> Reception:
    """The counters of a receiver."""
    streams = list(receiver._RTCRtpReceiver__remote_streams.values())  # type: ignore[attr-defined]
    return Reception(
        packets=sum(stream.packets_received for stream in streams),
        lost=sum(max(0, stream.packets_lost) for stream in streams),
        jitter=streams[-1].jitter / streams[-1]._clockrate if streams else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Transmission:
    """What a sender counts, and what the other end reports about it; times in seconds."""

    packets: int
    lost: int
    fraction_lost: float
    jitter: float
    round_trip_time: float
    target_bitrate: int
    size: tuple[int, int]
    """Of the newest picture; zeros where the encoder does not tell."""
    bytes: int


_CLOCK_RATES = {"audio": 48_000, "video": 90_000}


def transmission(sender: RTCRtpSender) -> Transmission:
    """The counters of a sender; zeros where nothing was reported yet."""
    reports = sender._RTCRtpSender__stats.values()  # type: ignore[attr-defined]
    report = next((each for each in reports if isinstance(each, RTCRemoteInboundRtpStreamStats)), None)
    encoder = sender._RTCRtpSender__encoder  # type: ignore[attr-defined]
    return Transmission(
        packets=sender._RTCRtpSender__packet_count,  # type: ignore[attr-defined]
        lost=max(0, report.packetsLost) if report else 0,
        fraction_lost=report.fractionLost / 256 if report else 0.0,
        jitter=report.jitter / _CLOCK_RATES[sender.kind] if report else 0.0,
        round_trip_time=max(0.0, report.roundTripTime or 0.0) if report else 0.0,
        target_bitrate=getattr(encoder, "target_bitrate", 0),
        size=getattr(encoder, "size", (0, 0)),
        bytes=sender._RTCRtpSender__octet_count,  # type: ignore[attr-defined]
    )


def sent_codec(transceiver: RTCRtpTransceiver) -> str:
    """The codec that was negotiated for what is sent, as ``opus`` or ``vp8``; empty before that."""
    codecs = transceiver._codecs if transceiver.currentDirection is not None else []
    return codec_name(codecs[0]) if codecs else ""


def codec_name(codec: RTCRtpCodecParameters) -> str:
    """As ``opus`` or ``vp8``."""
    return codec.mimeType.partition("/")[2].lower()
