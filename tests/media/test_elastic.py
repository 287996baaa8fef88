"""Two clocks that differ: the resampler between them, and what waits before it for half an hour."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.waiting import Clock
from tui.media import inlet as inlet_module
from tui.media.elastic import EMERGENCY_PPM, MOST_PPM, Drift, Elastic
from tui.media.inlet import CLIPPING, SILENT, Inlet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.media.sound import Samples

HALF_AN_HOUR = 1800.0


def sine(frequency: float, rate: int) -> Callable[[Samples], None]:
    """A source at this rate."""
    count = 0

    def read(out: Samples) -> None:
        nonlocal count
        out[:] = 0.5 * np.sin(2 * np.pi * frequency * np.arange(count, count + len(out)) / rate)
        count += len(out)

    return read


def pulled(elastic: Elastic, count: int, block: int) -> Samples:
    out = np.empty(count, dtype=np.float32)
    for start in range(0, count, block):
        elastic.pull(out[start : start + block])
    return out


def purity(samples: Samples, frequency: float, rate: int) -> tuple[float, float]:
    """Amplitude of the frequency, and by how many dB it is above all else."""
    at = np.arange(len(samples)) / rate
    parts = np.stack([np.sin(2 * np.pi * frequency * at), np.cos(2 * np.pi * frequency * at)], axis=1)
    fit = np.linalg.lstsq(parts, samples.astype(np.float64), rcond=None)[0]
    rest = samples - parts @ fit
    return float(np.hypot(*fit)), float(10 * np.log10(np.mean((parts @ fit) ** 2) / np.mean(rest**2)))


def test_somebody_else_who_holds_a_few_milliseconds_is_not_fought() -> None:
    drift = Drift()
    for _ in range(14_400):
        drift.update(3.0, 0.25)
    assert 0.0 < drift.ppm < 250.0


@pytest.mark.parametrize(
    ("source_rate", "rate"),
    [(48_000, 48_000), (48_000, 44_100), (44_100, 48_000), (48_000, 16_000), (8_000, 48_000), (48_000, 8_000)],
)
def test_pitch_and_level_stay_and_little_is_added(source_rate: int, rate: int) -> None:
    elastic = Elastic(sine(1000.0, source_rate), source_rate, rate)
    out = pulled(elastic, rate, rate // 100)
    amplitude, decibels = purity(out[rate // 4 :], 1000.0, rate)
    assert amplitude == pytest.approx(0.5, rel=0.001)
    assert decibels > 65
    assert elastic.delay_ms <= 2.0


def test_what_is_read_in_advance_is_the_delay_and_no_more() -> None:
    read = 0

    def silence(out: Samples) -> None:
        nonlocal read
        read += len(out)
        out.fill(0.0)

    elastic = Elastic(silence, 48_000, 48_000)
    for count in range(1, 100):
        elastic.pull(np.empty(480, dtype=np.float32))
        assert 0 <= read - 480 * count <= elastic.delay_ms * 48 + 1


def test_a_turned_ratio_takes_more_and_is_heard_as_the_same_tone() -> None:
    elastic = Elastic(sine(1000.0, 48_000), 48_000, 48_000)
    parts = []
    for ppm in (0.0, 500.0, -500.0, 200.0):
        elastic.drift.ppm = ppm
        parts.append(pulled(elastic, 24_000, 480))
        assert purity(parts[-1][480:], 1000.0 * (1 + ppm * 1e-6), 48_000)[1] > 60
    # Nothing is torn where it turns.
    assert np.abs(np.diff(np.concatenate(parts)[48:])).max() < 1.01 * 0.5 * 2 * np.pi * 1000 / 48_000


def test_the_size_of_the_blocks_changes_nothing() -> None:
    outs = [pulled(Elastic(sine(700.0, 44_100), 44_100, 48_000), 9600, block) for block in (1, 441, 480, 5000)]
    for other in outs[1:]:
        # One phase of the filter, where a rounding falls to the other side.
        assert np.allclose(outs[0], other, atol=1e-4)


def test_a_constant_stays_what_it_is() -> None:
    def ones(out: Samples) -> None:
        out.fill(1.0)

    out = pulled(Elastic(ones, 44_100, 48_000), 4800, 480)[480:]
    assert np.allclose(out, 1.0, atol=1e-5)


def test_the_ratio_is_turned_within_limits_and_comes_back() -> None:
    drift = Drift()
    for surplus, limit in ((40.0, MOST_PPM), (300.0, EMERGENCY_PPM)):
        for _ in range(4000):
            drift.update(surplus, 0.25)
        assert drift.ppm == limit
    for _ in range(480):
        drift.update(-5.0, 0.25)
    # Not for minutes because of what it was before.
    assert drift.ppm < 0.0


def off_target(depths_ms: list[float], target_ms: float) -> float:
    """The most by which the depth of any second is off; within one it goes up and down with every packet."""
    seconds = np.array(depths_ms[: len(depths_ms) // 25 * 25]).reshape(-1, 25).mean(axis=1)
    return float(np.abs(seconds - target_ms).max())


@pytest.mark.parametrize("skew_ppm", [200.0, -200.0])
def test_for_half_an_hour_the_device_may_be_off_by_200_ppm(skew_ppm: float) -> None:
    """Packets of 20 ms with jitter at the room's clock, blocks of 40 ms at the device's."""
    rate, target_ms, block = 2_000, 60.0, np.empty(80, dtype=np.float32)
    waiting = (target_ms + 40.0) / 1000 * rate
    dice = random.Random(1)

    def read(out: Samples) -> None:
        nonlocal waiting
        waiting -= len(out)
        out.fill(0.0)

    elastic = Elastic(read, rate, rate)
    arrives, sent, look = 0.0, 0, 0.0
    lowest = waiting
    depths: list[float] = []
    turned: list[float] = []
    for number in range(int(HALF_AN_HOUR / 0.04)):
        now = number * 0.04
        while arrives <= now:
            waiting += 0.02 * rate
            sent += 1
            arrives = sent * 0.02 / (1 + skew_ppm * 1e-6) + dice.uniform(0.0, 0.015)
        elastic.pull(block)
        lowest = min(lowest, waiting)
        depths.append(waiting * 1000 / rate)
        if now >= look:
            elastic.drift.update(depths[-1] - target_ms, 0.25)
            turned.append(elastic.drift.ppm)
            look += 0.25 + dice.uniform(0.0, 0.005)
    assert off_target(depths, target_ms) < 20.0
    assert lowest > 0
    assert float(np.mean(turned[-2400:])) == pytest.approx(skew_ppm, abs=20.0)


@pytest.mark.parametrize(("skew_ppm", "seconds"), [(200.0, HALF_AN_HOUR), (-200.0, 300.0)])
def test_for_half_an_hour_the_microphone_may_be_off_by_200_ppm(
    skew_ppm: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of 40 ms at the device's clock, pulled every 40 ms of ours by a loop that is late now and then."""
    rate, clock, late = 2_000, Clock(), random.Random(2)
    monkeypatch.setattr(inlet_module, "SAMPLE_RATE", rate)
    inlet = Inlet(rate, 0.12, clock)
    block, out = np.full((80, 1), 0.1, dtype=np.float32), np.empty(80, dtype=np.float32)
    taken = 0
    depths: list[float] = []
    for number in range(int(seconds / 0.04)):
        clock.now = number * 0.04 + late.uniform(0.0, 0.02)
        while taken * 0.04 / (1 + skew_ppm * 1e-6) <= clock.now:
            due, clock.now = clock.now, taken * 0.04 / (1 + skew_ppm * 1e-6)
            inlet.take(block)
            clock.now = due
            taken += 1
        depths.append(inlet.depth_ms)
        inlet.pull(out)
    assert off_target(depths[25:], 120.0) < 20.0
    assert (inlet.underruns, inlet.dropped_ms) == (0, 0.0)
    assert inlet.drift_ppm == pytest.approx(skew_ppm, abs=60.0)
    assert inlet.hint == ""


def listened(sound: Callable[[int], Samples], seconds: float, real_rate: float = 48_000.0) -> Inlet:
    """A microphone at "48 kHz" that delivered blocks of 10 ms."""
    clock = Clock()
    inlet = Inlet(48_000, 0.06, clock)
    for number in range(int(seconds * real_rate / 480)):
        clock.now = number * 480 / real_rate
        inlet.take(sound(number))
    return inlet


def noise(number: int) -> Samples:
    return np.random.default_rng(number).uniform(-0.1, 0.1, (480, 2)).astype(np.float32)


def test_a_microphone_that_delivers_silence_is_named() -> None:
    def zeros(number: int) -> Samples:
        return np.zeros((480, 1), dtype=np.float32)

    def rubbish(number: int) -> Samples:
        return np.full((480, 1), np.nan, dtype=np.float32)

    assert listened(zeros, 4.0).hint == ""
    assert listened(zeros, 6.0).hint == SILENT
    assert listened(rubbish, 6.0).hint == SILENT
    inlet = listened(zeros, 6.0)
    inlet.take(noise(1))
    assert inlet.hint == ""


def test_a_microphone_that_clips_is_named_for_a_while() -> None:
    clock = Clock()
    inlet = Inlet(48_000, 0.06, clock)
    inlet.take(20 * noise(1))
    assert inlet.hint == CLIPPING
    clock.now = 6.0
    inlet.take(noise(2))
    assert inlet.hint == ""


@pytest.mark.parametrize("real_rate", [44_100.0, 52_000.0])
def test_a_clock_that_says_what_is_not_so_is_named(real_rate: float) -> None:
    assert f"{real_rate:.0f} samples a second and calls it 48000" in listened(noise, 12.0, real_rate).hint
    assert listened(noise, 12.0, 48_000 * 1.0003).hint == ""


def test_channels_are_averaged_and_what_is_no_number_is_silence() -> None:
    inlet = Inlet(48_000, 0.06, Clock())
    block = np.zeros((4800, 8), dtype=np.float32)
    block[:, 0] = 4.0
    block[2400:, 1] = np.inf
    inlet.take(block)
    out = np.empty(4000, dtype=np.float32)
    inlet.pull(out)
    assert np.allclose(out[600:2000], 0.5, atol=0.01)
    assert np.allclose(out[2600:], 0.0, atol=0.01)
