"""How well each person is received, in a word that does not flicker: by losses, irregular sound, what is missing.

Fed by the call with the tracks of each sample; the screen is told what has changed. Sans I/O.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from tui.statistics import JITTER, LOSS, TRACKS, Health, degree, rank

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tui.core.stats import TrackStats

WORSE_AFTER: Final = 2
BETTER_AFTER: Final = 3
"""So many samples in a row say so before it is told; also until somebody of whom nothing comes is not known."""

_MISSING: Final = 0.1, 0.3
"""Parts of the time, frozen or made up, from which on it is only fair, and poor."""
_FEWEST: Final = 10
"""Packets of a sample below which a loss says nothing."""

Verdict: TypeAlias = tuple[Health, str]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A track as it was in the last sample."""

    owner: str
    track: TrackStats


class Qualities:
    """The people whose sound or picture arrives."""

    def __init__(self) -> None:
        self.people: Mapping[str, Verdict] = {}
        """By stream id, those of whom anything is known; another object after each change."""
        self._recent: dict[str, deque[Verdict | None]] = {}
        self._seen: dict[str, _Seen] = {}

    def take(self, tracks: Iterable[tuple[str, TrackStats]]) -> bool:
        """Another sample: all tracks with the stream ids of who is on them, empty when nobody knows.

        Whether a verdict has changed.
        """
        verdicts: dict[str, Verdict] = {}
        seen: dict[str, _Seen] = {}
        for owner, track in list(tracks)[:TRACKS]:
            if not owner:
                continue
            before = self._seen.get(track.mid)
            seen[track.mid] = _Seen(owner, track)
            # Of a track that somebody else had, the difference is about nobody.
            if before is not None and before.owner == owner and (verdict := _judged(before.track, track)) is not None:
                verdicts[owner] = max(verdicts.get(owner, verdict), verdict, key=_rank)
        self._seen = seen
        people = dict(self.people)
        for owner in {*self._recent, *verdicts}:
            recent = self._recent.setdefault(owner, deque(maxlen=BETTER_AFTER))
            recent.append(verdicts.get(owner))
            verdict = _calm(people.get(owner), list(recent))
            if verdict is not None:
                people[owner] = verdict
            else:
                people.pop(owner, None)
                if not any(recent):
                    del self._recent[owner]
        changed = people != self.people
        if changed:
            self.people = people
        return changed


def _calm(told: Verdict | None, recent: list[Verdict | None]) -> Verdict | None:
    """What to tell after these samples, oldest first, when ``told`` was told last."""
    known = [verdict for verdict in recent if verdict is not None]
    if not known:
        return told if len(recent) < BETTER_AFTER else None
    lasting = min(known[-WORSE_AFTER:], key=_rank)
    if told is None:
        return lasting if len(known) >= WORSE_AFTER or lasting[0] is Health.GOOD else None
    if len(known) >= WORSE_AFTER and _rank(lasting) > _rank(told):
        return lasting
    worst = max(known, key=_rank)
    return worst if len(known) == BETTER_AFTER and _rank(worst) < _rank(told) else told


def _judged(before: TrackStats, now: TrackStats) -> Verdict | None:
    """One track since the sample before; ``None`` when nothing came."""
    received, lost = now.packets_received - before.packets_received, now.packets_lost - before.packets_lost
    seconds = (now.current_time - before.current_time) / 1000
    if received <= 0 or seconds <= 0 or now.track_identifier != before.track_identifier:
        return None
    expected = received + max(0, lost)
    frozen = max(0.0, now.total_freezes_duration - before.total_freezes_duration) / seconds
    made_up = max(0.0, now.concealed - before.concealed) / seconds
    what = "the sound" if now.kind == "audio" else "the picture"
    verdicts = (
        (degree(max(0, lost) / expected if expected >= _FEWEST else 0.0, LOSS), f"parts of {what} are lost"),
        # A picture comes in bursts, whose spread says nothing.
        (degree(now.jitter if now.kind == "audio" else 0.0, JITTER), "the sound comes irregularly"),
        (degree(frozen, _MISSING), "the picture freezes"),
        (degree(made_up, _MISSING), "the sound breaks off"),
    )
    worst, reason = max(verdicts, key=_rank)
    return worst, "" if worst is Health.GOOD else reason


def _rank(verdict: Verdict) -> int:
    return rank(verdict[0])
