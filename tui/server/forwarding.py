"""RTP from one publisher's track to every viewer's slot, packet by packet, nothing decoded.

An `Inlet` is a track that arrives, used by the publish sessions; an `Outlet` is a slot that leaves, used by the
viewers; a `SendQueue` is one viewer's way out. An outlet keeps its own SSRC, sequence, clock and payload type
while its inlet changes, so that a viewer sees one stream that goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiortc import clock
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    HeaderExtensions,
    HeaderExtensionsMap,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
)

from tui.allowance import Allowance
from tui.core.aiortc_internals import (
    RtpOutlet,
    ask_key_frame,
    estimate_at_least,
    never_decode,
    report_loss,
    tap_rtcp,
    tap_rtp,
    unpack_estimate,
)
from tui.server.codecs import Codec, begins_key_frame, picture_size
from tui.server.meters import LevelMeter, LossMeter, RateMeter
from tui.server.slots import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCRtpReceiver, RTCRtpSender
    from aiortc.rtcrtpparameters import RTCRtpSendParameters
    from aiortc.rtp import AnyRtcpPacket

LEAST_ESTIMATE = 600_000
"""Bits per second that every publisher of a picture may send: enough for 640x360."""

PACKET_LIMIT = {Kind.VIDEO: 1500, Kind.AUDIO: 400}
"""Packets of one publisher's track that are passed on in a second: 15 Mbit/s of pictures, eight times a usual voice."""

REPORT_LIMIT = 10
"""Sender reports of one publisher's track that are passed on in a second; one or two are usual."""

KEY_FRAME_INTERVAL = 0.5
"""Seconds between two key-frame requests to one publisher."""

HISTORY = 256
"""Packets of a slot that can still be sent again."""

RESEND_LIMIT = 1000
"""Packets that one slot sends again in a second."""

JUMP = 3000
"""A step of the sequence number that is a new beginning and no loss."""

QUEUE_LIMIT = 1024
"""Packets that wait for one viewer before the oldest is dropped."""

ESTIMATE_LIMIT = 1_000_000_000
"""Bits per second: what a viewer estimates beyond this is not believed."""

CLOCK_RATE = {Kind.VIDEO: 90_000, Kind.AUDIO: 48_000}


class Numbering:
    """Counts a stream's packets without end, and without those that carry nothing but padding."""

    def __init__(self, sequence_number: int) -> None:
        self._newest = sequence_number
        self._padding: deque[int] = deque()
        self._forgotten = 0

    def step(self, sequence_number: int) -> int:
        """How far this packet is from the newest one, negative when it is late."""
        return (sequence_number - self._newest + 0x8000) % 0x10000 - 0x8000

    def count_out(self, sequence_number: int) -> None:
        """This packet will not be passed on; a late one has left its gap already."""
        if (step := self.step(sequence_number)) > 0:
            self._newest += step
            self._padding.append(self._newest)
        if len(self._padding) > HISTORY:
            self._padding.popleft()
            self._forgotten += 1

    def number(self, sequence_number: int) -> int:
        """The place of this packet among those that are passed on."""
        place = self._newest + self.step(sequence_number)
        self._newest = max(self._newest, place)
        return place - self._forgotten - bisect_left(self._padding, place)


class Inlet:
    """One publisher's track. ``heard`` is called with every packet of media."""

    def __init__(self, kind: Kind, receiver: RTCRtpReceiver, codec: Codec, heard: Callable[[], None]) -> None:
        self.kind = kind
        self.codec = codec
        self.payload_type: int | None = None
        self.picture_size: tuple[int, int] | None = None
        self.packets = 0
        self.octets = 0
        self.heard_at = time.monotonic()
        self.last_report: RtcpSrPacket | None = None
        self._receiver = receiver
        self._heard = heard
        self._outlets: set[Outlet] = set()
        self._ssrc: int | None = None
        self._numbering = Numbering(0)
        self._level = LevelMeter()
        self._loss = LossMeter()
        self._rate = RateMeter()
        self._allowance = Allowance(PACKET_LIMIT[kind], 1.0)
        self._reports = Allowance(REPORT_LIMIT, 1.0)
        self._key_frame_wanted = asyncio.Event()
        never_decode(receiver)
        estimate_at_least(receiver, LEAST_ESTIMATE)
        tap_rtp(receiver, self.hear)
        tap_rtcp(receiver, self.hear_rtcp)
        if kind is Kind.AUDIO:
            # Who speaks protects the sound only if he learns of the loss behind us too; lost pictures are sent again.
            report_loss(receiver, lambda: self._loss.worst)

    @property
    def audio_level(self) -> int:
        """How loud it has been lately: 0 is loudest, 127 silence."""
        return self._level.level

    @property
    def bitrate(self) -> int:
        """Bits per second of media that arrive."""
        return self._rate.bitrate

    def attach(self, outlet: Outlet) -> None:
        """Pass every packet on to this outlet from now on."""
        self._outlets.add(outlet)
        self.ask_key_frame()

    def detach(self, outlet: Outlet) -> None:
        """Pass nothing on to this outlet any more."""
        self._outlets.discard(outlet)
        self._loss.forget(outlet)

    def hear_loss(self, outlet: Outlet, loss: int) -> None:
        """Its viewer misses that part of the packets, in 1/256."""
        self._loss.hear(outlet, loss)

    def hear(self, packet: RtpPacket) -> None:
        """A packet arrived."""
        if packet.payload_type != self.payload_type or not self._allowance.take():
            return
        self.heard_at = time.monotonic()
        self._heard()
        self.packets += 1
        self.octets += len(packet.payload)
        self._rate.count(len(packet.payload))
        if packet.ssrc != self._ssrc or abs(self._numbering.step(packet.sequence_number)) > JUMP:
            self._begin(packet)
        if not packet.payload:
            self._numbering.count_out(packet.sequence_number)
            return
        if packet.extensions.audio_level is not None:
            self._level.hear(packet.extensions.audio_level[1])
        number = self._numbering.number(packet.sequence_number)
        decodable = begins_key_frame(self.codec, packet.payload)
        if decodable and self.kind is Kind.VIDEO:
            self.picture_size = picture_size(self.codec, packet.payload) or self.picture_size
        for outlet in tuple(self._outlets):
            outlet.forward(packet, self.codec, number, decodable)

    def _begin(self, packet: RtpPacket) -> None:
        self._ssrc = packet.ssrc
        self._numbering = Numbering(packet.sequence_number)
        self.last_report = None
        for outlet in self._outlets:
            outlet.rejoin()

    def hear_rtcp(self, packet: AnyRtcpPacket) -> None:
        """A sender report gives the viewers this track's place in time."""
        if isinstance(packet, RtcpSrPacket) and packet.ssrc == self._ssrc and self._reports.take():
            self.last_report = packet
            for outlet in tuple(self._outlets):
                outlet.report(packet)

    def ask_key_frame(self) -> None:
        """A viewer cannot go on without a key frame."""
        if self.kind is Kind.VIDEO:
            self._key_frame_wanted.set()

    async def ask_key_frames(self) -> None:
        """Pass the wish for a key frame on to the publisher, not too often; runs while the session lives."""
        while True:
            await self._key_frame_wanted.wait()
            if self._ssrc is not None:
                self._key_frame_wanted.clear()
                await ask_key_frame(self._receiver, self._ssrc)
            await asyncio.sleep(KEY_FRAME_INTERVAL)


@dataclass(frozen=True, slots=True)
class _Join:
    """How an inlet's numbers become an outlet's, since the outlet joined it."""

    first: int
    number_offset: int
    timestamp_offset: int


class Outlet:
    """One slot of a viewer: what its current inlet sends, as one stream of its own.

    ``mid`` is the m-line's name for the viewer. A packet of a codec that the viewer did not take is not sent.
    """

    def __init__(self, kind: Kind, sender: RTCRtpSender, queue: SendQueue, estimated: Callable[[int], None]) -> None:
        self.kind = kind
        self.mid = ""
        self.inlet: Inlet | None = None
        self._queue = queue
        self._estimated = estimated
        self._extensions = HeaderExtensionsMap()
        self._payload_types: dict[str, int] = {}
        self._cname = ""
        self._join: _Join | None = None
        # The lower half: a sequence that wraps at once upsets SRTP.
        self._newest = random.randrange(1 << 15)
        self._timestamp = random.randrange(1 << 32)
        self._sent_at = time.monotonic()
        self._packets = 0
        self._octets = 0
        self._history: dict[int, RtpPacket] = {}
        self._resends = Allowance(RESEND_LIMIT, 1.0)
        self._rate = RateMeter()
        self._rtp = RtpOutlet(sender, self)

    @property
    def bitrate(self) -> int:
        """Bits per second of media that are sent."""
        return self._rate.bitrate

    # -- called by aiortc through `RtpOutlet` --

    def start(self, parameters: RTCRtpSendParameters, extensions: HeaderExtensionsMap) -> None:
        """The slot is negotiated and connected."""
        for codec in parameters.codecs:
            if codec.payloadType is not None:
                self._payload_types.setdefault(codec.mimeType.lower(), codec.payloadType)
        self._cname = parameters.rtcp.cname or ""
        self._extensions = extensions
        self._ask_key_frame()

    def hear_rtcp(self, packet: AnyRtcpPacket) -> None:
        """The viewer misses packets, or a picture to go on from, or says how it is."""
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for sequence_number in packet.lost[:HISTORY]:
                self._resend(sequence_number)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
            self._ask_key_frame()
        elif isinstance(packet, (RtcpRrPacket, RtcpSrPacket)) and self.inlet is not None:
            for report in packet.reports:
                if report.ssrc == self._rtp.ssrc:
                    self.inlet.hear_loss(self, report.fraction_lost)
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            with contextlib.suppress(ValueError):
                self._estimated(min(unpack_estimate(packet.fci)[0], ESTIMATE_LIMIT))

    # -- called by the viewer --

    def connect(self, inlet: Inlet | None) -> None:
        """Change who is heard or seen in this slot; ``None`` for nobody."""
        if inlet is self.inlet:
            return
        if self.inlet is not None:
            self.inlet.detach(self)
        self.inlet = inlet
        self.rejoin()
        if inlet is not None:
            inlet.attach(self)

    # -- called by the inlet --

    def rejoin(self) -> None:
        """The next packet that can be decoded by itself is a new beginning."""
        self._join = None

    def forward(self, packet: RtpPacket, codec: Codec, number: int, decodable: bool) -> None:
        """Pass one packet on; ``decodable`` means that a decoder may begin here."""
        payload_type = self._payload_types.get(codec.lower())
        if payload_type is None:
            return
        joins = self._join is None
        if self._join is None:
            if not decodable:
                self._ask_key_frame()
                return
            self._join = self._joined(packet, number)
        place = number + self._join.number_offset
        if number < self._join.first or place <= self._newest - HISTORY:
            return
        self._send(packet, payload_type, place, (packet.timestamp + self._join.timestamp_offset) % (1 << 32))
        if joins and self.inlet is not None and self.inlet.last_report is not None:
            self.report(self.inlet.last_report)

    def report(self, report: RtcpSrPacket) -> None:
        """The publisher's sender report, in this slot's own numbers."""
        if self._join is None:
            return
        sent = RtcpSenderInfo(
            ntp_timestamp=report.sender_info.ntp_timestamp,
            rtp_timestamp=(report.sender_info.rtp_timestamp + self._join.timestamp_offset) % (1 << 32),
            packet_count=self._packets % (1 << 32),
            octet_count=self._octets % (1 << 32),
        )
        ssrc = self._rtp.ssrc
        name = RtcpSdesPacket(chunks=[RtcpSourceInfo(ssrc=ssrc, items=[(1, self._cname.encode())])])
        self._queue.put(self._rtp, bytes(RtcpSrPacket(ssrc=ssrc, sender_info=sent)) + bytes(name))

    def _ask_key_frame(self) -> None:
        if self.inlet is not None:
            self.inlet.ask_key_frame()

    def _joined(self, packet: RtpPacket, number: int) -> _Join:
        silent_for = time.monotonic() - self._sent_at
        timestamp = self._timestamp + max(1, round(silent_for * CLOCK_RATE[self.kind]))
        return _Join(
            first=number,
            number_offset=self._newest + 1 - number,
            timestamp_offset=timestamp - packet.timestamp,
        )

    def _send(self, packet: RtpPacket, payload_type: int, place: int, timestamp: int) -> None:
        copy = RtpPacket(
            payload_type=payload_type,
            marker=packet.marker,
            sequence_number=place % (1 << 16),
            timestamp=timestamp,
            ssrc=self._rtp.ssrc,
            payload=packet.payload,
        )
        copy.extensions = HeaderExtensions(mid=self.mid, audio_level=packet.extensions.audio_level)
        self._history[copy.sequence_number % HISTORY] = copy
        if place > self._newest:
            self._newest = place
            self._timestamp = timestamp
            self._sent_at = time.monotonic()
        self._packets += 1
        self._octets += len(copy.payload)
        self._rate.count(len(copy.payload))
        self._put(copy)

    def _resend(self, sequence_number: int) -> None:
        packet = self._history.get(sequence_number % HISTORY)
        if packet is not None and packet.sequence_number == sequence_number and self._resends.take():
            self._put(packet)

    def _put(self, packet: RtpPacket) -> None:
        packet.extensions.abs_send_time = (clock.current_ntp_time() >> 14) & 0x00FFFFFF
        self._queue.put(self._rtp, packet.serialize(self._extensions))


class SendQueue:
    """One viewer's packets on their way out, in order; the oldest goes when the viewer is too slow."""

    def __init__(self) -> None:
        self.dropped = 0
        self._packets: deque[tuple[RtpOutlet, bytes]] = deque()
        self._filled = asyncio.Event()

    def put(self, outlet: RtpOutlet, data: bytes) -> None:
        """Send this packet soon."""
        if len(self._packets) >= QUEUE_LIMIT:
            self._packets.popleft()
            self.dropped += 1
        self._packets.append((outlet, data))
        self._filled.set()

    async def run(self) -> None:
        """Write what is put; runs while the session lives."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._packets:
                outlet, data = self._packets.popleft()
                await outlet.write(data)
