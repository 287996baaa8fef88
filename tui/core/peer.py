"""One peer connection of a session: offer or answer, candidates, data channel, remote tracks.

Used by the adaptor, one `PublishPeer` per published stream and one `PlayPeer` per played room. A peer reports to a
`PeerListener` on the core's loop and never raises after it was built, but for `WireError` at a broken description.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from functools import partial
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
    ask_key_frame,
    audio_level,
    bytes_moved,
    candidates_from,
    codec_name,
    encode_sound,
    encode_video,
    ignore_bye,
    park,
    reception,
    reconnect,
    repeat_nacks,
    round_trip_time,
    route,
    sent_codec,
    skip_quiet,
    take_packets,
    tap_rtp,
    transmission,
)
from tui.core.audio import AudioPacket, AudioSink, Playout, SoundEncoder
from tui.core.channel import Channel, ChannelListener
from tui.core.door import Door, checked_answer
from tui.core.pictures import Pictures
from tui.core.sdp import RenewalError, TrackLine, is_usable_candidate
from tui.core.stats import Figures, Inbound, Outbound
from tui.core.tasks import Tasks
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiortc import RTCRtpReceiver, RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters
    from aiortc.rtp import RtpPacket
    from av.frame import Frame
    from av.packet import Packet

    from tui.core.video import VideoEncoder

logger = logging.getLogger(__name__)

CLOSE_TIMEOUT = 2.0
"""Seconds that an orderly close may take."""

_serials = itertools.count()


class RemoteTrack:
    """A track that somebody else sends, from the moment its m-line becomes active until it is not.

    ``key`` is unique in the process, ``mid`` and ``track_id`` are the wire's, ``label`` is the slot or the
    participant (signalling reference, 5.3). Sound comes as packets to the sink that `listen` was given, video as
    encoded pictures to who watches ``pictures``; from ``track`` comes nothing but its ``ended`` event, for both.
    ``ask`` sends a picture loss indication to an SSRC.
    """

    def __init__(self, line: TrackLine, track: MediaStreamTrack, ask: Callable[[int], object] = lambda _: None) -> None:
        self.key = f"{line.kind}-{next(_serials)}"
        self.mid = line.mid
        self.kind = line.kind
        self.track_id = line.track_id
        self.label = line.label
        self.track = track
        self.pictures = Pictures(ask)
        self.bytes_received = 0
        """Of the payload, as WebRTC counts them."""
        self.last_packet = 0.0
        """Seconds since the epoch."""
        self._sink: AudioSink | None = None
        self._codec: RTCRtpCodecParameters | None = None
        self._level = 127
        self._heard = 0.0

    def listen(self, sink: AudioSink | None) -> None:
        """Give the packets of a sound to ``sink`` from now on; without one they are dropped."""
        self._sink = sink

    def take(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> None:
        """A packet of a known codec that has just arrived."""
        self._codec = codec
        if self.kind == "video":
            self.pictures.take(packet, codec)
            return
        if self._sink is None:
            return
        level = packet.extensions.audio_level
        self._sink.push(
            AudioPacket(
                codec=codec_name(codec),
                clock_rate=codec.clockRate,
                ssrc=packet.ssrc,
                sequence=packet.sequence_number,
                timestamp=packet.timestamp,
                payload=packet.payload,
                arrival=time.monotonic(),
                level=None if level is None else int(level[1]),
            )
        )

    @property
    def is_decoded(self) -> bool:
        """Whether a sound's packets are played; those that say that they are quiet need not come while they are not."""
        return self._sink is not None and not self._sink.resting

    @property
    def codec(self) -> str:
        """Of the newest packet, as ``opus`` or ``vp8``; empty before the first one."""
        return codec_name(self._codec) if self._codec is not None else ""

    @property
    def playout(self) -> Playout:
        """What became of the packets of a sound; all zero while nobody listens."""
        return self._sink.playout() if self._sink is not None else Playout()

    @property
    def audio_level(self) -> int:
        """Loudness by the RFC 6464 extension: 0 is loudest, 127 silence or nothing heard for 400 ms."""
        return self._level if time.monotonic() - self._heard < 0.4 else 127

    def hear(self, packet: RtpPacket) -> None:
        """Take the level extension of a packet that has just arrived, and count it."""
        self.bytes_received += len(packet.payload)
        self.last_packet = time.time()
        if packet.extensions.audio_level is not None:
            self._level = int(packet.extensions.audio_level[1])
            self._heard = time.monotonic()

    def count(self, payloads: int) -> None:
        """So many bytes of sound have come that were not looked at."""
        self.bytes_received += payloads

    def __repr__(self) -> str:
        return f"RemoteTrack({self.key}, {self.track_id})"


class LocalTrack(MediaStreamTrack):
    """A track to publish: while ``enabled`` is false it gives silence or black at the same pace.

    A ``stand_in`` only keeps the stream alive: there is nothing behind it, and nobody is told that there is.
    """

    enabled: bool = True
    stand_in: bool = False
    on_muted_speech: Callable[[], None] | None = None
    """Told when somebody talks into a muted microphone, by tracks that notice."""

    def encoder(self) -> SoundEncoder | None:
        """A fresh encoder for the frames of a sound on one connection; ``None`` leaves it to aiortc."""
        return None

    def video_encoder(self, codec: str) -> VideoEncoder | None:
        """The same for a picture, as ``vp8`` or ``h264``."""
        return None


class LentTrack(MediaStreamTrack):
    """A local track lent to one connection: ending the connection does not end the source.

    ``preview`` sees every picture on its way out; ``audio_level`` is that of the newest sound, as in `RemoteTrack`.
    """

    def __init__(self, source: LocalTrack, preview: Callable[[VideoFrame], None] | None = None) -> None:
        super().__init__()
        self.kind = source.kind
        self.audio_level = 127
        self.frames = 0
        self.size = (0, 0)
        self._source = source
        self._preview = preview

    def encoder(self) -> SoundEncoder | None:
        """See `LocalTrack.encoder`."""
        return self._source.encoder()

    def video_encoder(self, codec: str) -> VideoEncoder | None:
        """See `LocalTrack.video_encoder`."""
        return self._source.video_encoder(codec)

    async def recv(self) -> Frame | Packet[Any]:
        """The source's next frame."""
        frame = await self._source.recv()
        self.frames += 1
        if isinstance(frame, AudioFrame):
            self.audio_level = audio_level(frame)
        elif isinstance(frame, VideoFrame):
            self.size = (frame.width, frame.height)
            if self._preview is not None:
                self._preview(frame)
        return frame


class PeerListener(ChannelListener, Protocol):
    """What a peer and its data channel tell their owner; plain functions, called on the core's loop."""

    def ice_state(self, state: str) -> None:
        """``new``, ``checking``, ``completed``, ``failed`` or ``closed``."""

    def connection_state(self, state: str) -> None:
        """``new``, ``connecting``, ``connected``, ``failed`` or ``closed``."""

    def track(self, track: RemoteTrack) -> None:
        """A remote track begins."""


class Peer:
    """What publishing and playing share: the connection, its data channel, its end."""

    def __init__(self, listener: PeerListener, ice_servers: Sequence[RTCIceServer], addresses: Addresses) -> None:
        self._listener = listener
        self._addresses = addresses
        self._channel = Channel(listener)
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

    @property
    def signalling_state(self) -> str:
        """``stable``, ``have-local-offer``, ``have-remote-offer`` or ``closed``."""
        state: str = self._connection.signalingState
        return state

    @property
    def ice_connection_state(self) -> str:
        """``new``, ``checking``, ``completed``, ``failed`` or ``closed``."""
        state: str = self._connection.iceConnectionState
        return state

    @property
    def _is_local(self) -> bool:
        """Whether the server is on this machine, so that its candidates may be too."""
        return self._addresses is not Addresses.HOST

    async def add_candidate(self, candidate: str, label: int, mid: str | None) -> None:
        """A trickled candidate; what cannot be used is skipped."""
        if self._closed or not is_usable_candidate(candidate, loopback=self._is_local):
            return
        try:
            parsed = candidate_from_sdp(candidate.removeprefix("candidate:"))
            parsed.sdpMid = mid
            parsed.sdpMLineIndex = None if mid is not None else label
            await self._connection.addIceCandidate(parsed)
        except Exception as error:  # aiortc raises many kinds for what the other end sent
            logger.debug("candidate skipped: %r", error)

    def send(self, data: str | bytes) -> bool:
        """Send on the data channel; ``False`` when it is not open, or does not take that much."""
        return self._channel.send(data)

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
        self._channel.close()

    def figures(self) -> Figures:
        """What was counted so far."""
        sent, received = bytes_moved(self._connection)
        transceivers = self._connection.getTransceivers()
        receivers = {transceiver.receiver.track: transceiver.receiver for transceiver in transceivers}
        return Figures(
            bytes_sent=sent,
            bytes_received=received,
            round_trip_time=round_trip_time(self._connection),
            inbound=tuple(_inbound(track, receivers[track.track]) for track in self._remote_tracks()),
            outbound=tuple(
                _outbound(transceiver.sender.track, transceiver)
                for transceiver in transceivers
                if isinstance(transceiver.sender.track, LentTrack)
            ),
        )

    def _remote_tracks(self) -> list[RemoteTrack]:
        """None where nothing is received."""
        return []

    def _end_tracks(self) -> None:
        """Nothing to end where nothing is received."""

    async def _set_local(self) -> str:
        with candidates_from(self._addresses):
            await self._connection.setLocalDescription()
        return self._connection.localDescription.sdp

    def _on_ice_state(self) -> None:
        if not self._closed:
            self._listener.ice_state(self._connection.iceConnectionState)

    def _on_connection_state(self) -> None:
        state = self._connection.connectionState
        if self._closed:
            return
        if state == "failed" and self._connection.iceConnectionState == "completed":
            logger.warning("media encryption check failed")
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

    async def offer(self, tracks: Sequence[LentTrack], channel_label: str) -> str:
        """The SDP offer, with all candidates in it."""
        # Tracks first: with MAX_BUNDLE a channel that comes first leaves nothing connected (trap 2).
        for track in tracks:
            sender = self._connection.addTransceiver(track, "sendonly").sender
            if track.kind == "audio":
                encode_sound(sender, track.encoder())
            else:
                encode_video(sender, track.video_encoder)
        self._channel.adopt(self._connection.createDataChannel(channel_label))
        return await self._set_local()

    async def accept_answer(self, sdp: str) -> None:
        """Raises `WireError` when the answer cannot be used."""
        text = checked_answer(sdp, loopback=self._is_local)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
        except Exception as error:  # aiortc raises seven kinds of exception for broken SDP
            raise WireError(f"the server's answer cannot be used: {error}") from error


class PlayPeer(Peer):
    """A room: answers each offer of the server, one at a time, and follows who begins and ends."""

    def __init__(self, listener: PeerListener, ice_servers: Sequence[RTCIceServer], addresses: Addresses) -> None:
        super().__init__(listener, ice_servers, addresses)
        self._door = Door(loopback=self._is_local)
        self._tracks: dict[str, RemoteTrack] = {}
        self._lines: dict[str, TrackLine] = {}
        """What the newest offer says about the tracks; both by the mid under which aiortc knows them."""
        self._answered = False
        self._tasks = Tasks()
        self._connection.on("track", self._on_track)
        self._connection.on("datachannel", self._channel.adopt)

    async def accept_offer(self, sdp: str, id_mapping: Mapping[str, Any] | None) -> str:
        """The SDP answer.

        Raises `WireError` when the offer cannot be used: everything is as it was, and the next offer may be better.
        Raises `RenewalError` when this connection is no good any more: the room has to be played anew.
        """
        offer = self._door.admit(sdp, id_mapping)
        if offer.left_out:
            logger.warning("%d tracks more than can be received are not shown", offer.left_out)
        earlier, self._lines = self._lines, {line.place: line for line in offer.tracks}
        try:
            for place in list(self._tracks):
                line = self._lines.get(place)
                if line is None or not line.continues(earlier[place]):
                    await self._park(place)
            await self._connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            route(self._connection, offer.places, offer.ssrcs)
            answer = self._door.answer(await self._set_local())
        except Exception as error:  # aiortc raises seven kinds of exception for broken SDP
            # Half of the offer may be in effect, and libwebrtc waits for its answer before it offers again.
            kind = RenewalError if self._answered else WireError
            raise kind(f"the server's offer cannot be used: {error}") from error
        self._answered = True
        return answer

    def _remote_tracks(self) -> list[RemoteTrack]:
        return list(self._tracks.values())

    async def aclose(self) -> None:
        """Close the connection within `CLOSE_TIMEOUT`; idempotent."""
        await super().aclose()
        await self._tasks.aclose()

    def _end_tracks(self) -> None:
        for track in self._tracks.values():
            track.track.stop()
        self._tracks.clear()

    async def _park(self, place: str) -> None:
        ended = self._tracks.pop(place)
        transceiver = self._transceiver(ended.track)
        if transceiver is not None:
            await park(transceiver)
        ended.track.stop()

    def _on_track(self, track: MediaStreamTrack) -> None:
        transceiver = self._transceiver(track)
        if transceiver is None or transceiver.mid not in self._lines:
            return
        receiver = transceiver.receiver
        remote = RemoteTrack(self._lines[transceiver.mid], track, partial(self._ask_key_frame, receiver))
        ignore_bye(receiver)
        take_packets(receiver, remote.take)
        if track.kind == "video":
            repeat_nacks(receiver, lambda: remote.pictures.is_watched)
        else:
            skip_quiet(receiver, lambda: remote.is_decoded, remote.count)
        tap_rtp(receiver, remote.hear)
        self._tracks[transceiver.mid] = remote
        self._listener.track(remote)

    def _ask_key_frame(self, receiver: RTCRtpReceiver, ssrc: int) -> None:
        self._tasks.spawn(ask_key_frame(receiver, ssrc), "asking for a key frame")

    def _transceiver(self, track: MediaStreamTrack) -> RTCRtpTransceiver | None:
        return next((t for t in self._connection.getTransceivers() if t.receiver.track is track), None)


def _inbound(track: RemoteTrack, receiver: RTCRtpReceiver) -> Inbound:
    counted = reception(receiver)
    playout, pictures = track.playout, track.pictures
    showing = pictures.showing
    return Inbound(
        track_id=track.track_id,
        mid=track.mid,
        kind=track.kind,
        level=track.audio_level,
        bytes=track.bytes_received,
        packets=counted.packets,
        packets_lost=counted.lost,
        jitter=counted.jitter,
        frames_received=pictures.received,
        frames_decoded=showing.decoded,
        frames_dropped=pictures.dropped,
        width=showing.width,
        height=showing.height,
        decode_time=showing.decode_time,
        freezes=showing.freezes,
        frozen=showing.frozen,
        key_frames_requested=pictures.key_frames_requested,
        last_packet=track.last_packet,
        delay=playout.depth_ms / 1000,
        concealed=playout.concealed_ms / 1000,
        codec=track.codec,
    )


def _outbound(track: LentTrack, transceiver: RTCRtpTransceiver) -> Outbound:
    counted = transmission(transceiver.sender)
    # Smaller than the source's while the machine is short of time.
    width, height = counted.size if any(counted.size) else track.size
    return Outbound(
        kind=track.kind,
        level=track.audio_level,
        packets=counted.packets,
        packets_lost=counted.lost,
        fraction_lost=counted.fraction_lost,
        jitter=counted.jitter,
        round_trip_time=counted.round_trip_time,
        frames=track.frames,
        width=width,
        height=height,
        target_bitrate=counted.target_bitrate,
        bytes=counted.bytes,
        codec=sent_codec(transceiver),
        mid=transceiver.mid or "",
    )
