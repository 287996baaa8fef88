"""How a call does, sample by sample over the last minutes, and what that means in one word.

Filled by the call on the core's loop, read by the statistics screen from its own thread. Source of the figures:
`tui.core.stats`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tui.core.sdp import track_label
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.stats import PeerStats, SentStats, TrackStats

SAMPLES: Final = 150
"""Of two seconds each: five minutes."""
TRACKS: Final = 200
"""Of one sample at most."""

LOSS: Final = 0.03, 0.10
JITTER: Final = 0.08, 0.2
_TRIP: Final = 0.4, 1.0
"""Parts of all packets, and seconds, from which on it is only fair, and poor."""
_LASTING: Final = 2
"""So many samples in a row are as bad before it is said."""


class Health(StrEnum):
    """How good the line is."""

    UNKNOWN = ""
    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


@dataclass(frozen=True, slots=True)
class TrackFigures:
    """One track that is received, as it is drawn."""

    who: str
    kind: str
    kilobits: int
    loss: float
    """Part of the packets since the last sample."""
    jitter_ms: float
    frames_per_second: float
    size: tuple[int, int]
    dropped: int
    """Frames so far."""
    decode_ms: float
    """For each frame, since the beginning."""
    freezes: int
    key_frames: int
    """Asked for so far."""
    buffer_ms: float
    concealed_ms: float
    """Sound made up so far."""
    key: str = ""
    """Of the track, as a `Person` names it."""
    label: str = ""
    """The slot, or whose track it is."""
    mid: str = ""
    codec: str = ""


@dataclass(frozen=True, slots=True)
class SentFigures:
    """One track that is sent, as it is drawn; losses as the server reports them."""

    kind: str
    mid: str
    codec: str
    kilobits: int
    loss: float
    jitter_ms: float
    round_trip_ms: float
    frames_per_second: float
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sample:
    """The whole call at one moment; bitrates in kbit/s."""

    at: float
    incoming: int = 0
    outgoing: int = 0
    loss_in: float = 0.0
    loss_out: float = 0.0
    jitter_ms: float = 0.0
    round_trip_ms: float = 0.0
    sent_size: tuple[int, int] = (0, 0)
    sent_frames_per_second: float = 0.0
    allowed: int = 0
    """What the own picture may take."""
    tracks: tuple[TrackFigures, ...] = ()
    sent: tuple[SentFigures, ...] = ()


class Statistics:
    """The samples of one call; written by one thread, read by any."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._verdicts: deque[tuple[Health, str]] = deque(maxlen=_LASTING)
        self.health = Health.UNKNOWN
        self.reason = ""
        """Why it is not good, in a few words."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Oldest first."""
        return tuple(self._samples)

    def take(
        self,
        at: float,
        sent: PeerStats | None,
        received: PeerStats | None,
        who: Callable[[TrackStats], str],
        key: Callable[[TrackStats], str] = lambda track: "",
    ) -> bool:
        """Another sample; whether the verdict has changed.

        ``who`` names the participant on a track, ``key`` is what a `tui.core.peer.RemoteTrack` calls itself.
        """
        sample = _sample(at, sent, received, who, key)
        self._samples.append(sample)
        self._verdicts.append(judge(sample) if sent is not None or received is not None else (Health.UNKNOWN, ""))
        before = self.health, self.reason
        # As good as the better of the last ones: a single bad moment is no news.
        self.health, self.reason = min(self._verdicts, key=lambda verdict: rank(verdict[0]))
        return before != (self.health, self.reason)


_ORDER = (Health.UNKNOWN, Health.GOOD, Health.FAIR, Health.POOR)


def rank(health: Health) -> int:
    """The worse, the larger."""
    return _ORDER.index(health)


def judge(sample: Sample) -> tuple[Health, str]:
    """The line in one word, and why."""
    loss, trip, jitter = max(sample.loss_in, sample.loss_out), sample.round_trip_ms / 1000, sample.jitter_ms / 1000
    verdicts = (
        (degree(loss, LOSS), f"{_rounded(loss * 100)} % of the packets are lost"),
        (degree(trip, _TRIP), f"{_rounded(trip * 10) / 10:g} s to the server and back"),
        (degree(jitter, JITTER), "packets come irregularly"),
    )
    worst, reason = max(verdicts, key=lambda verdict: rank(verdict[0]))
    return worst, "" if worst is Health.GOOD else reason


def _rounded(value: float) -> int:
    """Two figures: a reason that changes all the time is not read."""
    step = 5 if value >= 10 else 1
    return max(step, round(value / step) * step)


def degree(value: float, limits: tuple[float, float]) -> Health:
    """How bad that is, by the limits from which on it is fair, and poor."""
    fair, poor = limits
    return Health.POOR if value >= poor else Health.FAIR if value >= fair else Health.GOOD


def _sample(
    at: float,
    sent: PeerStats | None,
    received: PeerStats | None,
    who: Callable[[TrackStats], str],
    key: Callable[[TrackStats], str],
) -> Sample:
    tracks = () if received is None else received.inbound_rtp_list[:TRACKS]
    packets = [track for track in tracks if track.current_bitrate]
    return Sample(
        at=at,
        incoming=0 if received is None else received.current_incoming_bitrate,
        outgoing=0 if sent is None else sent.current_outgoing_bitrate,
        loss_in=max((track.fraction_lost for track in packets), default=0.0),
        loss_out=0.0 if sent is None else sent.fraction_lost,
        # A picture comes in bursts, whose spread says nothing of the line.
        jitter_ms=1000 * max((track.jitter for track in packets if track.kind == "audio"), default=0.0),
        round_trip_ms=1000 * max((stats.current_round_trip_time for stats in (sent, received) if stats), default=0.0),
        sent_size=(0, 0) if sent is None else (sent.res_width, sent.res_height),
        sent_frames_per_second=0.0 if sent is None else sent.src_fps,
        allowed=0 if sent is None else int(sent.available_outgoing_bitrate),
        tracks=tuple(_figures(track, who(track), key(track)) for track in tracks),
        sent=() if sent is None else tuple(_sending(track) for track in sent.outbound_rtp_list),
    )


def _figures(track: TrackStats, who: str, key: str) -> TrackFigures:
    return TrackFigures(
        who=printable(who, 40),
        kind=_kind(track.kind),
        kilobits=track.current_bitrate,
        loss=track.fraction_lost,
        jitter_ms=1000 * track.jitter,
        frames_per_second=track.frames_per_second,
        size=(track.frame_width, track.frame_height),
        dropped=track.frames_dropped,
        decode_ms=1000 * track.total_decode_time / max(1, track.frames_decoded),
        freezes=track.freeze_count,
        key_frames=track.pli_count,
        buffer_ms=1000 * track.jitter_buffer_delay,
        concealed_ms=1000 * track.concealed,
        key=key,
        label=printable(track_label(track.track_identifier), 40),
        mid=printable(track.mid, 20),
        codec=printable(track.codec, 20),
    )


def _sending(track: SentStats) -> SentFigures:
    return SentFigures(
        kind=_kind(track.kind),
        mid=printable(track.mid, 20),
        codec=printable(track.codec, 20),
        kilobits=track.current_bitrate,
        loss=track.fraction_lost,
        jitter_ms=1000 * track.jitter,
        round_trip_ms=1000 * track.round_trip_time,
        frames_per_second=track.frames_per_second,
        size=(track.frame_width, track.frame_height),
    )


def _kind(kind: str) -> str:
    return "sound" if kind == "audio" else "picture"
