"""The call's figures: samples of what was counted, and a word for the line that does not flicker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tui.core.stats import Figures, Inbound, Meter, PeerStats, SentStats, TrackStats
from tui.statistics import SAMPLES, TRACKS, Health, Sample, Statistics, judge

GOOD = Sample(0.0, incoming=500, round_trip_ms=40)


def stats(**more: float) -> PeerStats:
    """What a connection that plays says of one sound that arrives."""
    clock = iter((0.0, 1.0))
    meter = Meter("room1", lambda: next(clock))
    meter.sample(Figures(inbound=(Inbound("t", "0", "audio"),)))
    arrived = Inbound("t", "0", "audio", bytes=5000, packets=50, **more)  # type: ignore[arg-type]
    return meter.sample(Figures(inbound=(arrived,), bytes_received=6000, round_trip_time=0.05))


def nobody(track: TrackStats) -> str:
    return "somebody"


@pytest.mark.parametrize(
    ("bad", "health", "reason"),
    [
        ({}, Health.GOOD, ""),
        ({"loss_in": 0.05}, Health.FAIR, "5 % of the packets are lost"),
        ({"loss_out": 0.23}, Health.POOR, "25 % of the packets are lost"),
        ({"round_trip_ms": 520}, Health.FAIR, "0.5 s to the server and back"),
        ({"round_trip_ms": 2000}, Health.POOR, "2 s to the server and back"),
        ({"jitter_ms": 90}, Health.FAIR, "packets come irregularly"),
        ({"loss_in": 0.05, "jitter_ms": 500}, Health.POOR, "packets come irregularly"),
    ],
)
def test_a_sample_is_judged_with_a_reason(bad: dict[str, float], health: Health, reason: str) -> None:
    assert judge(replace(GOOD, **bad)) == (health, reason)  # type: ignore[arg-type]


def test_one_bad_moment_is_no_news_and_two_are() -> None:
    statistics = Statistics()
    heard: list[tuple[bool, str]] = []
    for at, lost in enumerate((0, 20, 20, 0)):
        heard.append((statistics.take(at, None, stats(packets_lost=lost), nobody), statistics.health.value))
    assert heard == [(True, "good"), (False, "good"), (True, "poor"), (True, "good")]


def test_nothing_is_known_without_a_connection() -> None:
    statistics = Statistics()
    assert not statistics.take(0, None, None, nobody)
    assert statistics.health is Health.UNKNOWN
    assert statistics.samples[-1].tracks == ()


def test_a_sample_holds_each_track_under_its_owners_name() -> None:
    statistics = Statistics()
    statistics.take(0, None, stats(delay=0.045, concealed=1.5, jitter=0.004), lambda track: "Bob\x1b[2J")
    (track,) = statistics.samples[-1].tracks
    assert (track.key, track.label, track.mid, track.codec) == ("", "t", "0", "")
    assert track.who == "Bob\N{REPLACEMENT CHARACTER}[2J"
    assert (track.kind, track.kilobits, track.loss) == ("sound", 40, 0.0)
    assert (track.buffer_ms, track.concealed_ms, track.jitter_ms) == (45.0, 1500.0, 4.0)
    assert statistics.samples[-1].incoming == 48
    assert statistics.samples[-1].round_trip_ms == 50


def test_a_sample_names_the_track_its_slot_and_its_codec_safely_and_what_is_sent() -> None:
    statistics = Statistics()
    received = replace(stats().inbound_rtp_list[0], track_identifier="ARDAMSaaudioTrack0\x1b", codec="opus\x1b")
    own = SentStats("1", "video", "vp8", 100, 0.02, 0.003, 0.04, 300, 15.0, 320, 180)
    statistics.take(
        0,
        replace(stats(), outbound_rtp_list=(own,)),
        replace(stats(), inbound_rtp_list=(received,)),
        nobody,
        lambda track: f"audio-{track.mid}",
    )
    (track,), (sent,) = statistics.samples[-1].tracks, statistics.samples[-1].sent
    bad = "\N{REPLACEMENT CHARACTER}"
    assert (track.key, track.label, track.codec) == ("audio-0", "audioTrack0" + bad, "opus" + bad)
    assert (sent.kind, sent.codec, sent.kilobits, sent.size) == ("picture", "vp8", 300, (320, 180))
    assert (sent.jitter_ms, sent.round_trip_ms) == (3.0, 40.0)


def test_samples_and_tracks_are_bounded() -> None:
    statistics = Statistics()
    many = replace(stats(), inbound_rtp_list=stats().inbound_rtp_list * (TRACKS + 50))
    for at in range(SAMPLES + 10):
        statistics.take(at, None, many if at == SAMPLES else stats(), nobody)
    assert len(statistics.samples) == SAMPLES
    assert max(len(sample.tracks) for sample in statistics.samples) == TRACKS
