"""One publish session: the client offers, the server answers receive-only and taps the packets.

Used by the application. VP8 and Opus only, so that every viewer of a room can be offered the same codecs, and no
RTX, so that what is sent again comes on the media's own SSRC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.core.aiortc_internals import keep_codec
from tui.errors import WireError
from tui.server.forwarding import Inlet
from tui.server.room import SILENCE, Kind
from tui.server.session import Ending, Session

if TYPE_CHECKING:
    from aiortc import RTCDataChannel, RTCRtpTransceiver

    from tui.core.aiortc_internals import Addresses

CODECS = {Kind.VIDEO: "video/VP8", Kind.AUDIO: "audio/opus"}

CHANNEL_LIMIT = 8
"""Data channels that one publisher may open."""


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
        self._channels = 0
        self._heard = False
        self._connection.on("datachannel", self._channel_opened)

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
        """The last audio level heard; 127 is silence."""
        inlet = self.inlets.get(Kind.AUDIO)
        return SILENCE if inlet is None else inlet.audio_level

    async def answer(self, sdp: str) -> str:
        """The answer to the client's offer; raises `WireError` when there is none."""
        await self._set_remote("offer", sdp)
        for transceiver in self._connection.getTransceivers():
            self._admit(transceiver)
        return await self._set_local()

    def _admit(self, transceiver: RTCRtpTransceiver) -> None:
        kind = Kind(transceiver.kind)
        payload_type = keep_codec(transceiver, CODECS[kind])
        if payload_type is None:
            raise WireError(f"no {CODECS[kind]} in the offer")
        if transceiver in self._inlets:
            return
        if any(inlet.kind is kind for inlet in self._inlets.values()):
            transceiver.direction = "inactive"
            return
        inlet = Inlet(kind, transceiver.receiver, payload_type, self._media_arrived)
        self._inlets[transceiver] = inlet
        if kind is Kind.VIDEO:
            self._spawn(inlet.ask_key_frames())

    def _media_arrived(self) -> None:
        if not self._heard:
            self._heard = True
            self._check_started()

    def _connected(self) -> None:
        self._check_started()

    def _check_started(self) -> None:
        connected = self._connection.connectionState == "connected"
        if connected and not self.started and self.ending is None and (self._heard or not self.inlets):
            self._begin()
            self.owner.publish_started(self)

    def _ended(self, ending: Ending) -> None:
        self.owner.publish_ended(self, ending)

    def _channel_opened(self, channel: RTCDataChannel) -> None:
        self._channels += 1
        if self._channels > CHANNEL_LIMIT:
            channel.close()
        else:
            channel.on("message", self._said)

    def _said(self, message: str | bytes) -> None:
        if self.ending is None:
            self.owner.publish_said(self, message)
