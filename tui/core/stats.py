"""What a connection does: figures by the SDK's own names, for a whole connection and for each track it receives.

Used by the sessions, one `Meter` per connection. A peer hands over `Figures`, which are counters; a meter makes rates
of them. Source: signalling reference, 3.8 (the SDK's ``PeerStats``).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_INTERVAL = 0.05
"""Seconds between two samples below which the earlier rates stand."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """Counters of a track that is received; ``jitter`` in seconds, ``level`` as in RFC 6464."""

    track_id: str
    mid: str
    kind: str
    level: int = 127
    bytes: int = 0
    packets: int = 0
    packets_lost: int = 0
    jitter: float = 0.0
    frames_received: int = 0
    frames_decoded: int = 0
    frames_dropped: int = 0
    width: int = 0
    height: int = 0
    decode_time: float = 0.0
    freezes: int = 0
    frozen: float = 0.0
    key_frames_requested: int = 0
    last_packet: float = 0.0
    """Seconds since the epoch, 0 before the first one."""
    delay: float = 0.0
    """Seconds of sound that wait to be heard."""
    concealed: float = 0.0
    """Seconds of sound that had to be made up so far."""
    codec: str = ""
    """Of the newest packet, as ``opus`` or ``vp8``; empty before the first one."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """Counters of a track that is sent; losses, ``jitter`` and ``round_trip_time`` (seconds) as the server reports."""

    kind: str
    level: int = 127
    packets: int = 0
    packets_lost: int = 0
    fraction_lost: float = 0.0
    jitter: float = 0.0
    round_trip_time: float = 0.0
    frames: int = 0
    width: int = 0
    height: int = 0
    target_bitrate: int = 0
    """Bits a second that the encoder may use, 0 when it is not known."""
    bytes: int = 0
    codec: str = ""
    """The negotiated one; empty before that."""
    mid: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that one connection has counted so far; bytes are those of the wire."""

    bytes_sent: int = 0
    bytes_received: int = 0
    round_trip_time: float = 0.0
    inbound: tuple[Inbound, ...] = ()
    outbound: tuple[Outbound, ...] = ()


@dataclass(frozen=True, slots=True)
class TrackStats:
    """A track that is received, an entry of the SDK's ``inboundRtpList``.

    Beyond the SDK's: ``mid``, ``kind``, ``codec``, ``packets_received``, ``packets_lost``, ``current_bitrate`` in
    kbit/s, ``pli_count`` (key frames asked for), ``freeze_count``, and in seconds ``total_decode_time``,
    ``total_freezes_duration``, ``jitter``, ``jitter_buffer_delay`` and ``concealed``. Time stamps are milliseconds
    since the epoch.
    """

    track_identifier: str
    mid: str
    kind: str
    bytes_received: int
    packets_received: int
    packets_lost: int
    fraction_lost: float
    jitter: float
    frames_received: int
    frames_decoded: int
    frames_dropped: int
    frames_per_second: float
    frame_width: int
    frame_height: int
    total_decode_time: float
    freeze_count: int
    total_freezes_duration: float
    pli_count: int
    current_bitrate: int
    jitter_buffer_delay: float
    concealed: float
    last_packet_received_timestamp: int
    current_time: int
    codec: str = ""

    def as_sdk(self) -> dict[str, Any]:
        """By the SDK's own keys; losses have the kind in their name there."""
        named = _camel(self)
        named[f"{self.kind}PacketsLost"] = named["packetsLost"]
        return named


@dataclass(frozen=True, slots=True)
class SentStats:
    """A track that is sent; losses, ``jitter`` and ``round_trip_time`` (seconds) as the server reports them."""

    mid: str
    kind: str
    codec: str
    packets_sent: int
    fraction_lost: float
    jitter: float
    round_trip_time: float
    current_bitrate: int
    frames_per_second: float
    frame_width: int
    frame_height: int


@dataclass(frozen=True, slots=True)
class PeerStats:
    """One connection at one moment. Bitrates in kbit/s, times in seconds, time stamps in milliseconds since the epoch.

    ``res_width``, ``res_height`` and ``src_fps`` are the picture that is sent, ``frame_width`` and ``frame_height`` the
    one sent or, on a connection that plays, the largest received; ``audio_level`` is 0 to 1.
    ``available_outgoing_bitrate`` is what the encoder was told to keep to. What is not known is 0 or empty.
    ``outbound_rtp_list`` is no name of the SDK's.
    """

    stream_id: str
    start_time: int = 0
    current_timestamp: int = 0
    total_bytes_received: int = 0
    total_bytes_sent: int = 0
    average_incoming_bitrate: int = 0
    average_outgoing_bitrate: int = 0
    current_incoming_bitrate: int = 0
    current_outgoing_bitrate: int = 0
    available_outgoing_bitrate: float = 0.0
    current_round_trip_time: float = 0.0
    fraction_lost: float = 0.0
    video_packets_sent: int = 0
    video_packets_received: int = 0
    video_packets_lost: int = 0
    video_jitter: float = 0.0
    video_round_trip_time: float = 0.0
    audio_packets_sent: int = 0
    audio_packets_received: int = 0
    audio_packets_lost: int = 0
    audio_jitter: float = 0.0
    audio_round_trip_time: float = 0.0
    audio_level: float = 0.0
    total_frames_encoded: int = 0
    current_fps: float = 0.0
    src_fps: float = 0.0
    res_width: int = 0
    res_height: int = 0
    frame_width: int = 0
    frame_height: int = 0
    frames_received: int = 0
    frames_decoded: int = 0
    frames_dropped: int = 0
    quality_limitation_reason: str = ""
    audio_jitter_average_delay: float = 0.0
    video_jitter_average_delay: float = 0.0
    inbound_rtp_list: tuple[TrackStats, ...] = ()
    outbound_rtp_list: tuple[SentStats, ...] = ()

    def as_sdk(self) -> dict[str, Any]:
        """By the SDK's own keys, JSON-like."""
        named = _camel(self)
        named["currentFPS"] = named.pop("currentFps")
        named["inboundRtpList"] = [track.as_sdk() for track in self.inbound_rtp_list]
        del named["outboundRtpList"]
        return named


def _camel(value: PeerStats | TrackStats) -> dict[str, Any]:
    keys = _TRACK_KEYS if isinstance(value, TrackStats) else _PEER_KEYS
    return {key: getattr(value, name) for name, key in keys}


def _keys(kind: type[PeerStats | TrackStats]) -> tuple[tuple[str, str], ...]:
    split = ((item.name, *item.name.split("_")) for item in fields(kind))
    return tuple((name, first + "".join(word.capitalize() for word in rest)) for name, first, *rest in split)


_PEER_KEYS = _keys(PeerStats)
_TRACK_KEYS = _keys(TrackStats)


class Meter:
    """Makes rates of one connection's counters. The first sample has no rates yet: they are 0."""

    def __init__(self, stream_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream_id = stream_id
        self._clock = clock
        self._first: tuple[float, Figures] | None = None
        self._last: tuple[float, Figures] | None = None
        self._started = 0
        self._stats: PeerStats | None = None

    def sample(self, figures: Figures) -> PeerStats:
        """The figures as of now; rates are since the sample before."""
        now, stamp = self._clock(), int(time.time() * 1000)
        if self._stats is not None and self._last is not None and now - self._last[0] < SHORTEST_INTERVAL:
            return self._stats
        if self._first is None:
            self._first, self._started = (now, figures), stamp
        first_at, first = self._first
        last_at, last = self._last or self._first
        span, whole = now - last_at, now - first_at
        before = {track.mid: track for track in last.inbound if self._last is not None}
        sent_before = {track.mid: track for track in last.outbound if self._last is not None}
        tracks = tuple(_track(track, before.get(track.mid), span, stamp) for track in figures.inbound)
        video_in, audio_in = ([track for track in tracks if track.kind == kind] for kind in ("video", "audio"))
        video = _sent(figures, "video")
        audio = _sent(figures, "audio")
        fps = _rate(_frames(figures) - _frames(last), span)
        largest = max(video_in, key=lambda track: track.frame_width * track.frame_height, default=None)
        lost = max([video.fraction_lost, audio.fraction_lost, *(track.fraction_lost for track in tracks)])
        level = min([audio.level, *(track.level for track in figures.inbound if track.kind == "audio")])
        self._last = now, figures
        self._stats = PeerStats(
            stream_id=self._stream_id,
            start_time=self._started,
            current_timestamp=stamp,
            total_bytes_received=figures.bytes_received,
            total_bytes_sent=figures.bytes_sent,
            average_incoming_bitrate=_kilobits(figures.bytes_received - first.bytes_received, whole),
            average_outgoing_bitrate=_kilobits(figures.bytes_sent - first.bytes_sent, whole),
            current_incoming_bitrate=_kilobits(figures.bytes_received - last.bytes_received, span),
            current_outgoing_bitrate=_kilobits(figures.bytes_sent - last.bytes_sent, span),
            available_outgoing_bitrate=video.target_bitrate / 1000,
            current_round_trip_time=figures.round_trip_time,
            fraction_lost=lost,
            video_packets_sent=video.packets,
            video_packets_received=sum(track.packets_received for track in video_in),
            video_packets_lost=video.packets_lost + sum(track.packets_lost for track in video_in),
            video_jitter=max([video.jitter, *(track.jitter for track in video_in)]),
            video_round_trip_time=video.round_trip_time,
            audio_packets_sent=audio.packets,
            audio_packets_received=sum(track.packets_received for track in audio_in),
            audio_packets_lost=audio.packets_lost + sum(track.packets_lost for track in audio_in),
            audio_jitter=max([audio.jitter, *(track.jitter for track in audio_in)]),
            audio_round_trip_time=audio.round_trip_time,
            audio_level=0.0 if level >= 127 else 10 ** (-level / 20),
            total_frames_encoded=video.frames,
            current_fps=fps,
            src_fps=fps,
            res_width=video.width,
            res_height=video.height,
            frame_width=video.width or (largest.frame_width if largest else 0),
            frame_height=video.height or (largest.frame_height if largest else 0),
            frames_received=sum(track.frames_received for track in video_in),
            frames_decoded=sum(track.frames_decoded for track in video_in),
            frames_dropped=sum(track.frames_dropped for track in video_in),
            audio_jitter_average_delay=round(_mean([track.delay for track in figures.inbound if track.delay]), 4),
            inbound_rtp_list=tracks,
            outbound_rtp_list=tuple(_sending(track, sent_before.get(track.mid), span) for track in figures.outbound),
        )
        return self._stats


def _track(now: Inbound, before: Inbound | None, span: float, stamp: int) -> TrackStats:
    if before is None or before.packets > now.packets or before.track_id != now.track_id:
        # A line that somebody else has now begins anew.
        before, span = now, 0.0
    lost = max(0, now.packets_lost - before.packets_lost)
    expected = lost + now.packets - before.packets
    return TrackStats(
        track_identifier=now.track_id,
        mid=now.mid,
        kind=now.kind,
        bytes_received=now.bytes,
        packets_received=now.packets,
        packets_lost=now.packets_lost,
        fraction_lost=round(lost / expected, 4) if expected else 0.0,
        jitter=now.jitter,
        frames_received=now.frames_received,
        frames_decoded=now.frames_decoded,
        frames_dropped=now.frames_dropped,
        frames_per_second=_rate(now.frames_decoded - before.frames_decoded, span),
        frame_width=now.width,
        frame_height=now.height,
        total_decode_time=round(now.decode_time, 4),
        freeze_count=now.freezes,
        total_freezes_duration=round(now.frozen, 3),
        pli_count=now.key_frames_requested,
        current_bitrate=_kilobits(now.bytes - before.bytes, span),
        jitter_buffer_delay=now.delay,
        concealed=now.concealed,
        last_packet_received_timestamp=int(now.last_packet * 1000),
        current_time=stamp,
        codec=now.codec,
    )


def _sending(now: Outbound, before: Outbound | None, span: float) -> SentStats:
    if before is None:
        before, span = now, 0.0
    return SentStats(
        mid=now.mid,
        kind=now.kind,
        codec=now.codec,
        packets_sent=now.packets,
        fraction_lost=now.fraction_lost,
        jitter=now.jitter,
        round_trip_time=now.round_trip_time,
        current_bitrate=_kilobits(now.bytes - before.bytes, span),
        frames_per_second=_rate(now.frames - before.frames, span),
        frame_width=now.width,
        frame_height=now.height,
    )


def _sent(figures: Figures, kind: str) -> Outbound:
    return next((track for track in figures.outbound if track.kind == kind), Outbound(kind))


def _frames(figures: Figures) -> int:
    return _sent(figures, "video").frames


def _rate(events: int, seconds: float) -> float:
    return round(max(0, events) / seconds, 1) if seconds > 0 else 0.0


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _kilobits(octets: int, seconds: float) -> int:
    return int(max(0, octets) * 8 / seconds / 1000) if seconds > 0 else 0
