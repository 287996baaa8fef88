"""How well each person is received: what is judged, and that the word does not flicker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_statistics import stats
from tui.quality import BETTER_AFTER, WORSE_AFTER, Qualities
from tui.statistics import Health

if TYPE_CHECKING:
    from tui.core.stats import TrackStats


PACKETS = 100


class Room:
    """Counts what comes on each track, sample by sample."""

    def __init__(self) -> None:
        self.qualities = Qualities()
        self._tracks: dict[str, TrackStats] = {}

    def track(self, mid: str, kind: str = "audio", **more: Any) -> TrackStats:
        """The next sample of it, after two seconds; ``lost``, ``frozen`` and ``concealed`` are since the last one."""
        template = replace(stats().inbound_rtp_list[0], kind=kind, current_time=0, packets_received=0)
        before = self._tracks.get(mid, replace(template, mid=mid, track_identifier=f"track{mid}"))
        now = replace(
            before,
            packets_received=before.packets_received + more.get("packets", PACKETS),
            packets_lost=before.packets_lost + more.get("lost", 0),
            total_freezes_duration=before.total_freezes_duration + more.get("frozen", 0.0),
            concealed=before.concealed + more.get("concealed", 0.0),
            jitter=more.get("jitter", 0.0),
            current_time=before.current_time + 2000,
        )
        self._tracks[mid] = now
        return now

    def told(self, **owners: TrackStats) -> str:
        """The words for everybody after this sample."""
        self.qualities.take(owners.items())
        return " ".join(f"{owner}:{health.value}" for owner, (health, _) in sorted(self.qualities.people.items()))


@pytest.mark.parametrize(
    ("kind", "what", "health", "reason"),
    [
        ("audio", {}, Health.GOOD, ""),
        ("audio", {"lost": 5}, Health.FAIR, "parts of the sound are lost"),
        ("video", {"lost": 30}, Health.POOR, "parts of the picture are lost"),
        ("audio", {"jitter": 0.1}, Health.FAIR, "the sound comes irregularly"),
        ("video", {"jitter": 5.0}, Health.GOOD, ""),
        ("video", {"frozen": 0.4}, Health.FAIR, "the picture freezes"),
        ("video", {"frozen": 9.0}, Health.POOR, "the picture freezes"),
        ("audio", {"concealed": 0.4}, Health.FAIR, "the sound breaks off"),
        ("audio", {"concealed": -0.4}, Health.GOOD, ""),
        ("audio", {"packets": 3, "lost": 3}, Health.GOOD, ""),
    ],
)
def test_a_track_is_judged_with_a_reason(kind: str, what: dict[str, float], health: Health, reason: str) -> None:
    room = Room()
    for _ in range(1 + WORSE_AFTER):
        room.told(bob=room.track("0", kind, **what))
    assert room.qualities.people == {"bob": (health, reason)}


def test_nothing_is_said_of_whom_nothing_is_known() -> None:
    room = Room()
    assert room.told(bob=room.track("0")) == ""
    assert not room.qualities.take([("", room.track("1")), ("", room.track("1"))])
    for _ in range(5):
        assert room.told(carol=room.track("2", packets=0)) == ""


def test_the_worst_of_somebodys_tracks_counts() -> None:
    room = Room()
    for _ in range(1 + WORSE_AFTER):
        tracks = [("bob", room.track("0")), ("bob", room.track("1", "video", lost=50)), ("carol", room.track("2"))]
        room.qualities.take(tracks)
    assert room.qualities.people == {
        "bob": (Health.POOR, "parts of the picture are lost"),
        "carol": (Health.GOOD, ""),
    }


def test_one_bad_moment_is_no_news_and_getting_better_takes_longer() -> None:
    room = Room()
    losses = (0, 0, 50, 0, 50, 50, 0, 0, 0, 0)
    told = [room.told(bob=room.track("0", lost=lost)) for lost in losses]
    good, poor = "bob:good", "bob:poor"
    assert told == ["", good, good, good, good, poor, poor, poor, good, good]


def test_a_change_is_told_once() -> None:
    room = Room()
    changes = [room.qualities.take([("bob", room.track("0"))]) for _ in range(5)]
    assert changes == [False, True, False, False, False]
    words = room.qualities.people
    for _ in range(WORSE_AFTER):
        room.qualities.take([("bob", room.track("0", lost=50))])
    assert words == {"bob": (Health.GOOD, "")}


def test_whoever_sends_nothing_any_more_is_not_known_after_a_while() -> None:
    room = Room()
    for _ in range(3):
        room.told(bob=room.track("0"))
    told = [room.told() for _ in range(BETTER_AFTER + 1)]
    assert told == ["bob:good"] * (BETTER_AFTER - 1) + [""] * 2
    assert not room.qualities._recent


def test_what_somebody_else_lost_in_the_same_slot_is_not_held_against_the_next() -> None:
    room = Room()
    for _ in range(4):
        room.told(bob=room.track("0", lost=50))
    assert room.told(carol=room.track("0", lost=50)) == "bob:poor"
    assert room.told(carol=room.track("0")) == "bob:poor carol:good"
