"""Pacing, muting, the level meter and the preview of local tracks."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError

from tui.media import tracks
from tui.media.generated import Silence, TestTone
from tui.media.pictures import Black, SolidColour, TestPattern


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(tracks, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(tracks, "asyncio", SimpleNamespace(sleep=self._sleep))

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def test_sound_comes_in_frames_of_20_ms_as_time_passes(clock: Clock) -> None:
    track = TestTone()
    for number in range(100):
        frame = await track.recv()
        assert frame.pts == number * 960
        assert clock.now == pytest.approx(100.0 + number * 0.02)
        assert (frame.sample_rate, frame.samples, frame.layout.name, frame.format.name) == (
            48_000,
            960,
            "stereo",
            "s16",
        )
        assert frame.time_base == Fraction(1, 48_000)


async def test_pictures_come_15_times_a_second(clock: Clock) -> None:
    track = TestPattern()
    for number in range(45):
        frame = await track.recv()
        assert frame.pts == number * 6000
        assert clock.now == pytest.approx(100.0 + number / 15)
        assert (frame.width, frame.height, frame.format.name) == (320, 180, "yuv420p")


async def test_after_a_stall_there_is_no_burst(clock: Clock) -> None:
    track = Silence()
    await track.recv()
    clock.now += 5.0
    late = await track.recv()
    assert late.pts == 5 * 48_000
    assert late.pts % 960 == 0
    before = clock.now
    assert (await track.recv()).pts == 5 * 48_000 + 960
    assert clock.now == pytest.approx(before + 0.02)


async def test_small_delays_are_caught_up(clock: Clock) -> None:
    track = Silence()
    await track.recv()
    clock.now += 0.1
    stamps = [(await track.recv()).pts for _ in range(10)]
    assert stamps == [960 * number for number in range(1, 11)]
    assert clock.now == pytest.approx(100.2)


async def test_frames_are_never_early_by_the_real_clock() -> None:
    track = TestTone()
    start = time.monotonic()
    for _ in range(10):
        frame = await track.recv()
        assert time.monotonic() - start >= (frame.pts or 0) / 48_000 - 0.005


async def test_both_channels_are_equal() -> None:
    samples = (await TestTone().recv()).to_ndarray().reshape(-1, 2)
    assert np.array_equal(samples[:, 0], samples[:, 1])
    assert np.abs(samples).max() > 9000


async def test_muted_sends_only_zeros_and_still_measures(clock: Clock) -> None:
    track = TestTone()
    levels: list[float] = []
    track.on_level = levels.append
    await track.recv()
    track.enabled = False
    frames = [await track.recv() for _ in range(10)]
    assert not any(frame.to_ndarray().any() for frame in frames)
    assert [frame.pts for frame in frames] == [960 * number for number in range(1, 11)]
    track.enabled = True
    assert (await track.recv()).to_ndarray().any()
    assert len(levels) == 12
    assert min(levels) > 0.7


async def test_a_camera_that_is_off_sends_black(clock: Clock) -> None:
    track = SolidColour((255, 0, 0))
    red = await track.recv()
    assert red.to_ndarray(format="rgb24")[90, 160].tolist() == pytest.approx([255, 0, 0], abs=6)
    track.enabled = False
    black = await track.recv()
    assert black.pts == 6000
    assert (black.width, black.height) == (red.width, red.height)
    assert black.to_ndarray(format="rgb24").max() <= 2


async def test_black_is_black() -> None:
    assert (await Black().recv()).to_ndarray(format="rgb24").max() <= 2


async def test_stop_ends_the_track_once_even_while_waiting() -> None:
    track = Silence()
    ended: list[str] = []
    track.on("ended", lambda: ended.append("ended"))
    await track.recv()
    waiting = asyncio.ensure_future(track.recv())
    await asyncio.sleep(0)
    track.stop()
    track.stop()
    with pytest.raises(MediaStreamError):
        await waiting
    with pytest.raises(MediaStreamError):
        await track.recv()
    assert ended == ["ended"]
