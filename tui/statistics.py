"""How a call does, sample by sample over the last minutes, and what that means in one word.

Filled by the call on the core's loop, read by the statistics screen from its own thread. Source of the figures:
`tui.core.stats`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.stats import PeerStats, TrackStats

SAMPLES: Final = 150
"""Of two seconds each: five minutes."""
TRACKS: Final = 200
"""Of one sample at most."""

_POOR_LOSS, _FAIR_LOSS = 0.10, 0.03
_POOR_TRIP, _FAIR_TRIP = 1.0, 0.4
_POOR_JITTER, _FAIR_JITTER = 0.2, 0.08
"""Parts of all packets, and seconds."""
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
        self, at: float, sent: PeerStats | None, received: PeerStats | None, who: Callable[[TrackStats], str]
    ) -> bool:
        """Another sample; whether the verdict has changed. ``who`` names the participant on a track."""
        sample = _sample(at, sent, received, who)
        self._samples.append(sample)
        self._verdicts.append(judge(sample) if sent is not None or received is not None else (Health.UNKNOWN, ""))
        before = self.health, self.reason
        # As good as the better of the last ones: a single bad moment is no news.
        self.health, self.reason = min(self._verdicts, key=lambda verdict: _ORDER.index(verdict[0]))
        return before != (self.health, self.reason)


_ORDER = (Health.UNKNOWN, Health.GOOD, Health.FAIR, Health.POOR)


def judge(sample: Sample) -> tuple[Health, str]:
    """The line in one word, and why."""
    loss, trip, jitter = max(sample.loss_in, sample.loss_out), sample.round_trip_ms / 1000, sample.jitter_ms / 1000
    verdicts = (
        (_degree(loss, _FAIR_LOSS, _POOR_LOSS), f"{_rounded(loss * 100)} % of the packets are lost"),
        (_degree(trip, _FAIR_TRIP, _POOR_TRIP), f"{_rounded(trip * 10) / 10:g} s to the server and back"),
        (_degree(jitter, _FAIR_JITTER, _POOR_JITTER), "packets come irregularly"),
    )
    worst, reason = max(verdicts, key=lambda verdict: _ORDER.index(verdict[0]))
    return worst, "" if worst is Health.GOOD else reason


def _rounded(value: float) -> int:
    """Two figures: a reason that changes all the time is not read."""
    step = 5 if value >= 10 else 1
    return max(step, round(value / step) * step)


def _degree(value: float, fair: float, poor: float) -> Health:
    return Health.POOR if value >= poor else Health.FAIR if value >= fair else Health.GOOD


def _sample(at: float, sent: PeerStats | None, received: PeerStats | None, who: Callable[[TrackStats], str]) -> Sample:
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
        tracks=tuple(_figures(track, who(track)) for track in tracks),
    )


def _figures(track: TrackStats, who: str) -> TrackFigures:
    return TrackFigures(
        who=printable(who, 40),
        kind="sound" if track.kind == "audio" else "picture",
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
    )
