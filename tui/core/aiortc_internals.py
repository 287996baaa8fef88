"""Every private name of aiortc and aioice that this project touches, behind plain functions.

Used by `core.peer` and `server.forwarding`; nobody else reaches inside aiortc. The version is pinned
(``aiortc==1.16.*``) and a test per name fails loudly when one moves. The traps that each function repairs are
numbered in the aiortc reference.
"""

from __future__ import annotations

import asyncio
import enum
import math
import queue
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

import aioice.ice
import numpy as np
from aiortc import rtcdtlstransport, rtcrtpreceiver, rtp
from aiortc.rtp import HeaderExtensionsMap, RtcpByePacket, RtpPacket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiortc import RTCPeerConnection, RTCRtpReceiver, RTCRtpSender, RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpSendParameters
    from aiortc.rtp import AnyRtcpPacket
    from av import AudioFrame

CONSENT_INTERVAL = 1
"""Seconds between two checks that the peer is still there."""

CONSENT_FAILURES = 4
"""Unanswered checks after which the connection is given up: 5 s instead of aiortc's 30 s (trap 13)."""


class Addresses(enum.Enum):
    """Which local addresses become ICE candidates (trap 15: aioice alone never offers loopback)."""

    HOST = enum.auto()
    LOOPBACK = enum.auto()
    ALL = enum.auto()


_addresses: ContextVar[Addresses] = ContextVar("addresses", default=Addresses.HOST)
_host_addresses = aioice.ice.get_host_addresses
_route_by_ssrc = rtcdtlstransport.RtpRouter.route_rtp


@contextmanager
def candidates_from(addresses: Addresses) -> Iterator[None]:
    """Gather from these addresses in the block: put it around ``setLocalDescription``."""
    token = _addresses.set(addresses)
    try:
        yield
    finally:
        _addresses.reset(token)


def _chosen_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    choice = _addresses.get()
    found = [] if choice is Addresses.LOOPBACK else _host_addresses(use_ipv4, use_ipv6)
    return found if choice is Addresses.HOST else ["127.0.0.1", *found]


def _route_by_mid(router: rtcdtlstransport.RtpRouter, packet: RtpPacket) -> Any:
    """The mid extension decides where it is known (trap 9), the SSRC where it is not."""
    mid = packet.extensions.mid
    receiver = router.mid_table.get(mid) if mid is not None else None
    if receiver is None:
        return _route_by_ssrc(router, packet)
    router.ssrc_table[packet.ssrc] = receiver
    return receiver


def audio_level(frame: AudioFrame) -> int:
    """Loudness of s16 samples on the scale of RFC 6464: 0 is full scale, 127 silence."""
    samples = frame.to_ndarray().astype(np.float32)
    power = float(np.mean(np.square(samples))) / 32768.0**2
    return 127 if power <= 0 else min(127, max(0, round(-10 * math.log10(power))))


def install() -> None:
    """Put the process-wide repairs in place; idempotent, called when this module is imported."""
    aioice.ice.CONSENT_INTERVAL = CONSENT_INTERVAL
    aioice.ice.CONSENT_FAILURES = CONSENT_FAILURES
    aioice.ice.get_host_addresses = _chosen_addresses
    # aiortc's own walks over every sample in Python: a hundredth of a core per stream.
    rtp.compute_audio_level_dbov = lambda frame: -audio_level(frame)
    rtcdtlstransport.RtpRouter.route_rtp = _route_by_mid  # type: ignore[method-assign, assignment]


install()


# -- a connection ------------------------------------------------------------------------------------


async def reconnect(connection: RTCPeerConnection) -> None:
    """Start what a re-offer added while DTLS was still connecting (trap 3); idempotent."""
    await connection._RTCPeerConnection__connect()  # type: ignore[attr-defined]


def forget(connection: RTCPeerConnection, transceiver: RTCRtpTransceiver) -> None:
    """Take a stopped transceiver out of the connection."""
    connection._RTCPeerConnection__transceivers.remove(transceiver)  # type: ignore[attr-defined]


def keep_codec(transceiver: RTCRtpTransceiver, mime_type: str) -> int | None:
    """Answer with this codec alone, and return its payload type; ``None`` when it was not offered.

    Call it between ``setRemoteDescription`` and ``setLocalDescription``: ``setCodecPreferences`` comes too late for a
    transceiver that an offer has just created.
    """
    kept = [codec for codec in transceiver._codecs if codec.mimeType.lower() == mime_type.lower()][:1]
    transceiver._codecs = kept
    return kept[0].payloadType if kept else None


# -- receiving ---------------------------------------------------------------------------------------


class _NewestFrames(asyncio.Queue[Any]):
    """A queue that drops its oldest frame when it is full, and never the end mark."""

    async def put(self, item: Any) -> None:
        if self.full():
            self.get_nowait()
        self.put_nowait(item)


def keep_newest(track: Any, frames: int) -> None:
    """Bound a remote track to its newest frames (trap 10); call it in the ``track`` event."""
    track._queue = _NewestFrames(maxsize=frames)


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


def tap_rtcp(receiver: RTCRtpReceiver, hear: Callable[[AnyRtcpPacket], None]) -> None:
    """Show every RTCP packet of a receiver to ``hear`` before aiortc handles it."""
    handle = receiver._handle_rtcp_packet

    async def heard(packet: AnyRtcpPacket) -> None:
        hear(packet)
        await handle(packet)

    receiver._handle_rtcp_packet = heard  # type: ignore[method-assign]


class _NotEmpty(queue.Queue[Any]):
    """Swallows encoded frames without a byte in them: FFmpeg takes the first one for the end of the stream."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None or item[1].data:
            super().put(item, block, timeout)


def skip_empty_frames(receiver: RTCRtpReceiver) -> None:
    """Survive packets of nothing but padding, which would silence the decoder for good; call it in ``track``."""
    receiver._RTCRtpReceiver__decoder_queue = _NotEmpty()  # type: ignore[attr-defined]


class _Undecoded(queue.Queue[Any]):
    """Swallows encoded frames, but lets the end mark through to the decoder thread."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            super().put(item, block, timeout)


def never_decode(receiver: RTCRtpReceiver) -> None:
    """Keep NACK, reports and bandwidth estimation, decode nothing; call it before the receiver starts."""
    receiver._RTCRtpReceiver__decoder_queue = _Undecoded()  # type: ignore[attr-defined]


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
