"""One peer connection of a session: offer or answer, candidates, data channel, remote tracks.

Used by the adaptor, one `PublishPeer` per published stream and one `PlayPeer` per played room. A peer reports to a
`PeerListener` on the core's loop and never raises after it was built, but for `WireError` at a broken description.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp
from av import AudioFrame, VideoFrame

from tui.core.aiortc_internals import (
    Addresses,
    audio_level,
    candidates_from,
    ignore_bye,
    keep_newest,
    park,
    reconnect,
    skip_empty_frames,
    tap_rtp,
)
from tui.core.messages import DATA_LIMIT
from tui.core.sdp import Door, TrackLine, checked_answer, is_usable_candidate
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiortc import RTCDataChannel, RTCRtpTransceiver
    from aiortc.rtp import RtpPacket
    from av.frame import Frame
    from av.packet import Packet

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT = 2.0
"""Seconds that an orderly close may take."""

NEWEST_FRAMES = {"audio": 50, "video": 2}
"""Decoded frames that an unread track keeps: a second of sound, two pictures."""

_serials = itertools.count()


class RemoteTrack:
    """A track that somebody else sends, from the moment its m-line becomes active until it is not.

    ``key`` is unique in the process, ``mid`` and ``track_id`` are the wire's, ``label`` is the slot or the
    participant (signalling reference, 5.3). Read frames from ``track``; its ``ended`` event marks the end.
    """

    def __init__(self, line: TrackLine, track: MediaStreamTrack) -> None:
        self.key = f"{line.kind}-{next(_serials)}"
        self.mid = line.mid
        self.kind = line.kind
        self.track_id = line.track_id
        self.label = line.label
        self.track = track
        self._level = 127
        self._heard = 0.0

    @property
    def audio_level(self) -> int:
        """Loudness by the RFC 6464 extension: 0 is loudest, 127 silence or nothing heard for 400 ms."""
        return self._level if time.monotonic() - self._heard < 0.4 else 127

    def hear(self, packet: RtpPacket) -> None:
        """Take the level extension of a packet that has just arrived."""
        if packet.extensions.audio_level is not None:
            self._level = int(packet.extensions.audio_level[1])
            self._heard = time.monotonic()

    def __repr__(self) -> str:
        return f"RemoteTrack({self.key}, {self.track_id})"


class LocalTrack(MediaStreamTrack):
    """A track to publish: while ``enabled`` is false it gives silence or black at the same pace.

    A ``stand_in`` only keeps the stream alive: there is no device behind it, and nobody is told that there is.
    """

    enabled: bool = True
    stand_in: bool = False


class LentTrack(MediaStreamTrack):
    """A local track lent to one connection: ending the connection does not end the source.

    ``preview`` sees every picture on its way out; ``audio_level`` is that of the newest sound, as in `RemoteTrack`.
    """

    def __init__(self, source: LocalTrack, preview: Callable[[VideoFrame], None] | None = None) -> None:
        super().__init__()
        self.kind = source.kind
        self.audio_level = 127
        self._source = source
        self._preview = preview

    async def recv(self) -> Frame | Packet[Any]:
        """The source's next frame."""
        frame = await self._source.recv()
        if isinstance(frame, AudioFrame):
            self.audio_level = audio_level(frame)
        elif isinstance(frame, VideoFrame) and self._preview is not None:
            self._preview(frame)
        return frame


class PeerListener(Protocol):
    """What a peer tells its owner; plain functions, called on the core's loop."""

    def ice_state(self, state: str) -> None:
        """``new``, ``checking``, ``completed``, ``failed`` or ``closed``."""

    def connection_state(self, state: str) -> None:
        """``new``, ``connecting``, ``connected``, ``failed`` or ``closed``."""

    def channel_state(self, is_open: bool) -> None:
        """The data channel opened or closed."""

    def data(self, data: str | bytes) -> None:
        """A data-channel message within `DATA_LIMIT`."""

    def track(self, track: RemoteTrack) -> None:
        """A remote track begins."""


class Peer:
    """What publishing and playing share: the connection, its data channel, its end."""

    def __init__(self, listener: PeerListener, ice_servers: Sequence[RTCIceServer], addresses: Addresses) -> None:
        self._listener = listener
        self._addresses = addresses
        self._channel: RTCDataChannel | None = None
        self._closed = False
        # An empty list, not None: aiortc would contact a public STUN server (trap 16).
        self._connection = RTCPeerConnection(
            RTCConfiguration(iceServers=list(ice_servers), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connection.on("iceconnectionstatechange", self._on_ice_state)
        self._connection.on("connectionstatechange", self._on_connection_state)
        self._reconnecting: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self._connection.connectionState == "connected"

    async def add_candidate(self, candidate: str, label: int, mid: str | None) -> None:
        """A trickled candidate; what cannot be used is skipped."""
        if self._closed or not is_usable_candidate(candidate):
            return
        try:
            parsed = candidate_from_sdp(candidate.removeprefix("candidate:"))
            parsed.sdpMid = mid
            parsed.sdpMLineIndex = None if mid is not None else label
            await self._connection.addIceCandidate(parsed)
        except Exception as error:  # aiortc raises many kinds for what the other end sent
            logger.debug("candidate skipped: %r", error)

    def send(self, text: str | bytes) -> bool:
        """Send on the data channel; ``False`` when it is not open, or the other end does not take that much."""
        if self._channel is None or self._channel.readyState != "open":
            return False
        try:
            self._channel.send(text)
        except ValueError as error:
            logger.warning("data-channel message not sent: %s", error)
            return False
        return True

    async def aclose(self) -> None:
        """Close the connection within `CLOSE_TIMEOUT`; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._reconnecting is not None:
            self._reconnecting.cancel()
        self._end_tracks()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._connection.close()
        except Exception as error:  # aiortc's close raises too when the description was broken
            logger.warning("peer connection did not close cleanly: %r", error)

    def _end_tracks(self) -> None:
        """Nothing to end where nothing is received."""

    async def _set_local(self) -> str:
        with candidates_from(self._addresses):
            await self._connection.setLocalDescription()
        return self._connection.localDescription.sdp

    def _adopt(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        channel.on("open", self._on_channel_open)
        channel.on("close", self._on_channel_close)
        channel.on("message", self._on_message)
        if channel.readyState == "open":
            self._on_channel_open()

    def _on_channel_open(self) -> None:
        self._listener.channel_state(True)

    def _on_channel_close(self) -> None:
        self._listener.channel_state(False)

    def _on_message(self, data: str | bytes) -> None:
        if len(data) > DATA_LIMIT:
            logger.warning("data-channel message of %d bytes refused (limit %d)", len(data), DATA_LIMIT)
            return
        self._listener.data(data)

    def _on_ice_state(self) -> None:
        if not self._closed:
            self._listener.ice_state(self._connection.iceConnectionState)

    def _on_connection_state(self) -> None:
        state = self._connection.connectionState
        if self._closed:
            return
        if state == "connected" and self._reconnecting is None:
            self._reconnecting = asyncio.ensure_future(self._start_late_tracks())
        self._listener.connection_state(state)

    async def _start_late_tracks(self) -> None:
        """A description that came during the DTLS handshake left its tracks unstarted (trap 3)."""
        try:
            await reconnect(self._connection)
        except Exception as error:  # a connection that dies in this moment reports it by its state
            logger.debug("starting late tracks: %r", error)


class PublishPeer(Peer):
    """The own stream: sends the given tracks, opens the data channel, offers once."""

    async def offer(self, tracks: Sequence[MediaStreamTrack], channel_label: str) -> str:
        """The SDP offer, with all candidates in it."""
        # Tracks first: with MAX_BUNDLE a channel that comes first leaves nothing connected (trap 2).
        for track in tracks:
            self._connection.addTransceiver(track, "sendonly")
        self._adopt(self._connection.createDataChannel(channel_label))
        return await self._set_local()

    async def accept_answer(self, sdp: str) -> None:
        """Raises `WireError` when the answer cannot be used."""
        text = checked_answer(sdp)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
        except Exception as error:  # aiortc raises seven kinds of exception for broken SDP
            raise WireError(f"the server's answer cannot be used: {error}") from error


class PlayPeer(Peer):
    """A room: answers each offer of the server, one at a time, and follows who begins and ends."""

    def __init__(self, listener: PeerListener, ice_servers: Sequence[RTCIceServer], addresses: Addresses) -> None:
        super().__init__(listener, ice_servers, addresses)
        self._door = Door()
        self._tracks: dict[str, RemoteTrack] = {}
        self._lines: dict[str, TrackLine] = {}
        self._connection.on("track", self._on_track)
        self._connection.on("datachannel", self._adopt)

    async def accept_offer(self, sdp: str, id_mapping: Mapping[str, Any] | None) -> str:
        """The SDP answer. Raises `WireError` when the offer cannot be used."""
        offer = self._door.admit(sdp, id_mapping)
        self._lines = {line.mid: line for line in offer.tracks}
        for mid, track in list(self._tracks.items()):
            line = self._lines.get(mid)
            if line is None or line.track_id != track.track_id:
                await self._park(mid)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            answer = await self._set_local()
        except Exception as error:  # aiortc raises seven kinds of exception for broken SDP
            raise WireError(f"the server's offer cannot be used: {error}") from error
        return self._door.answer(answer)

    def _end_tracks(self) -> None:
        for track in self._tracks.values():
            track.track.stop()
        self._tracks.clear()

    async def _park(self, mid: str) -> None:
        ended = self._tracks.pop(mid)
        transceiver = self._transceiver(ended.track)
        if transceiver is not None:
            await park(transceiver)
        ended.track.stop()

    def _on_track(self, track: MediaStreamTrack) -> None:
        transceiver = self._transceiver(track)
        if transceiver is None or transceiver.mid not in self._lines:
            return
        keep_newest(track, NEWEST_FRAMES[track.kind])
        remote = RemoteTrack(self._lines[transceiver.mid], track)
        ignore_bye(transceiver.receiver)
        skip_empty_frames(transceiver.receiver)
        if track.kind == "audio":
            tap_rtp(transceiver.receiver, remote.hear)
        self._tracks[remote.mid] = remote
        self._listener.track(remote)

    def _transceiver(self, track: MediaStreamTrack) -> RTCRtpTransceiver | None:
        return next((t for t in self._connection.getTransceivers() if t.receiver.track is track), None)
