"""One publish session: the client offers, the server answers receive-only and taps the packets.

Used by the application. The publisher's own choice of VP8 and H264 decides, since nothing is transcoded and every
viewer is offered both; no RTX, so that what is sent again comes on the media's own SSRC.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from tui.core.aiortc_internals import keep_codec
from tui.errors import WireError
from tui.server.codecs import Codec
from tui.server.forwarding import Inlet
from tui.server.meters import SILENCE
from tui.server.session import Ending, Session
from tui.server.slots import Kind

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver

    from tui.core.aiortc_internals import Addresses

CODECS = {Kind.VIDEO: (Codec.VP8, Codec.H264), Kind.AUDIO: (Codec.OPUS,)}
"""What is taken from publishers and offered to viewers."""


class Publisher(Protocol):
    """Who a publish session belongs to."""

    def is_open(self) -> bool:
        """Whether its signalling still stands."""

    def publish_started(self, ingest: Ingest) -> None:
        """Media arrives."""

    def publish_ended(self, ingest: Ingest, ending: Ending) -> None:
        """The session is over; close it."""

    def publish_said(self, ingest: Ingest, message: str | bytes) -> None:
        """A message on the publisher's data channel."""


class Ingest(Session):
    """The peer connection of one published stream."""

    def __init__(self, owner: Publisher, stream_id: str, addresses: Addresses, start_timeout: float) -> None:
        super().__init__(stream_id, addresses, start_timeout)
        self.owner = owner
        self._inlets: dict[RTCRtpTransceiver, Inlet] = {}
        self._began = time.monotonic()
        self._heard = False

    @property
    def inlets(self) -> dict[Kind, Inlet]:
        """The tracks that are being sent, one of each kind at most."""
        return {
            inlet.kind: inlet
            for transceiver, inlet in self._inlets.items()
            if transceiver.currentDirection == "recvonly"
        }

    @property
    def audio_level(self) -> int:
        """How loud it has been lately; 127 is silence."""
        inlet = self.inlets.get(Kind.AUDIO)
        return SILENCE if inlet is None else inlet.audio_level

    @property
    def video_size(self) -> tuple[int, int] | None:
        """Width and height of the last key frame; ``None`` before there was one."""
        inlet = self.inlets.get(Kind.VIDEO)
        return None if inlet is None else inlet.picture_size

    @property
    def heard_at(self) -> float:
        """When the last packet of media came, or when the session began, by the monotonic clock."""
        return max((inlet.heard_at for inlet in self._inlets.values()), default=self._began)

    @property
    def packets(self) -> int:
        """Packets of media that have arrived."""
        return sum(inlet.packets for inlet in self._inlets.values())

    @property
    def received_bytes(self) -> int:
        """Bytes of media that have arrived, without headers."""
        return sum(inlet.octets for inlet in self._inlets.values())

    def codec(self, kind: Kind) -> Codec | None:
        """What it is encoded with; ``None`` when nothing of that kind is sent."""
        inlet = self.inlets.get(kind)
        return None if inlet is None else inlet.codec

    def bitrate(self, kind: Kind) -> int:
        """Bits per second that arrive."""
        inlet = self.inlets.get(kind)
        return 0 if inlet is None else inlet.bitrate

    def tell(self, message: str | bytes) -> None:
        """Send on the publisher's data channel, the first that it opened; one that does not keep up misses it."""
        for channel in self._channels[:1]:
            self._write(channel, message)

    def start(self) -> None:
        """It is live from now on; only the first time counts. It still has to connect in time."""
        if not self.started:
            self.started = True
            self.owner.publish_started(self)

    async def answer(self, sdp: str) -> str:
        """The answer to the client's offer; raises `WireError` when there is none."""
        await self._set_remote("offer", sdp)
        for transceiver in self._connection.getTransceivers():
            self._admit(transceiver)
        return await self._set_local()

    def _admit(self, transceiver: RTCRtpTransceiver) -> None:
        kind = Kind(transceiver.kind)
        inlet = self._inlets.get(transceiver)
        wanted = CODECS[kind] if inlet is None else (inlet.codec,)
        kept = keep_codec(transceiver, *wanted)
        if kept is None:
            raise WireError(f"no {' or '.join(wanted)} in the offer")
        if inlet is None and any(other.kind is kind for other in self._inlets.values()):
            transceiver.direction = "inactive"
            return
        if inlet is None:
            codec = next(codec for codec in wanted if codec.lower() == kept.mimeType.lower())
            inlet = self._inlets[transceiver] = Inlet(kind, transceiver.receiver, codec, self._media_arrived)
            if kind is Kind.VIDEO:
                self._spawn(inlet.ask_key_frames())
        inlet.payload_type = kept.payloadType

    def _media_arrived(self) -> None:
        if not self._heard:
            self._heard = True
            self._check_started()

    def _connected(self) -> None:
        self._check_started()

    def _check_started(self) -> None:
        connected = self._connection.connectionState == "connected"
        if connected and self.ending is None and (self._heard or not self.inlets):
            self.start()
            self._begin()

    def _ended(self, ending: Ending) -> None:
        self.owner.publish_ended(self, ending)

    def _said(self, message: str | bytes) -> None:
        if self.ending is None:
            self.owner.publish_said(self, message)
