"""Bitrates and levels, by a clock that is set by hand."""

from __future__ import annotations

from tests.waiting import Clock
from tui.server.meters import LOSS_LIMIT, LOSS_MEMORY, SILENCE, UNHEARD, LevelMeter, LossMeter, RateMeter


def test_a_rate_is_that_of_the_last_second_and_ends_with_the_stream() -> None:
    clock = Clock(50.0)
    meter = RateMeter(clock)
    assert meter.bitrate == 0
    for _ in range(10):
        clock.now += 0.1
        meter.count(1000)
    clock.now += 0.1
    assert 70_000 < meter.bitrate < 90_000
    clock.now += 1.0
    meter.count(0)
    clock.now += 1.0
    assert meter.bitrate == 0


def test_a_voice_is_followed_quickly_up_and_slowly_down() -> None:
    clock = Clock(50.0)
    meter = LevelMeter(clock)
    assert meter.level == SILENCE

    def hear(level: int, packets: int) -> None:
        for _ in range(packets):
            meter.hear(level)
            clock.now += 0.02

    hear(100, 1)
    assert meter.level == 100
    hear(20, 20)
    assert meter.level < 25
    hear(100, 10)
    assert meter.level < 45
    hear(100, 250)
    assert meter.level > 95


def test_whoever_sends_nothing_is_silent() -> None:
    clock = Clock(50.0)
    meter = LevelMeter(clock)
    meter.hear(10)
    clock.now += UNHEARD + 0.01
    assert meter.level == SILENCE
    meter.hear(90)
    assert meter.level == 90


def test_the_worst_line_counts_while_its_report_is_fresh() -> None:
    clock = Clock(50.0)
    meter = LossMeter(clock)
    assert meter.worst == 0
    meter.hear("bob", 30)
    clock.now += LOSS_MEMORY / 2
    meter.hear("carol", 12)
    assert meter.worst == 30
    clock.now += LOSS_MEMORY / 2 + 0.1
    assert meter.worst == 12
    meter.hear("bob", 255)
    assert meter.worst == LOSS_LIMIT
    meter.forget("bob")
    meter.forget("bob")
    assert meter.worst == 12
