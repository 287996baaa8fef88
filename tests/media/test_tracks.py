"""Pacing, muting, the level meter and the preview of local tracks."""

from __future__ import annotations

import asyncio
import itertools
import time
from fractions import Fraction
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from av.video.frame import PictureType

from tui.media import tracks
from tui.media.generated import Silence, TestTone, VoiceAudio
from tui.media.pictures import Black, SolidColour, TestPattern
from tui.media.tracks import Sampler
from tui.media.video_encoding import VideoCoding

if TYPE_CHECKING:
    from tui.media.sound import Samples


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


@pytest.mark.parametrize("rate", [5, 30])
async def test_pictures_come_as_often_and_as_large_as_they_are_wanted(clock: Clock, rate: int) -> None:
    track = TestPattern(VideoCoding(640, 480, rate))
    for number in range(10):
        frame = await track.recv()
        assert frame.pts == number * 90_000 // rate
        assert clock.now == pytest.approx(100.0 + number / rate)
        # The shape stays.
        assert (frame.width, frame.height) == (640, 360)


async def test_a_machine_that_is_short_of_time_makes_fewer_pictures(clock: Clock) -> None:
    track = TestPattern()
    for _ in range(60):
        track.degradation.spent(0.1)
    assert track.degradation.frames_per_second == 5
    stamps = [(await track.recv()).pts or 0 for _ in range(5)]
    assert [later - earlier for earlier, later in itertools.pairwise(stamps)] == [18_000] * 4


async def test_black_is_sent_at_once_and_then_seldom(clock: Clock) -> None:
    track = SolidColour((255, 0, 0))
    for _ in range(3):
        await track.recv()
    track.enabled = False
    begun = clock.now
    times = []
    for _ in range(25):
        assert (await track.recv()).to_ndarray(format="rgb24").max() <= 2
        times.append(clock.now - begun)
    assert times[14] == pytest.approx(1.0)
    assert [later - earlier for earlier, later in itertools.pairwise(times[15:])] == [pytest.approx(7 / 15)] * 9
    track.enabled = True
    now = clock.now
    assert (await track.recv()).to_ndarray(format="rgb24").max() > 200
    assert clock.now - now == pytest.approx(1 / 15)


async def test_what_is_seen_first_and_after_black_is_a_key_frame(clock: Clock) -> None:
    track = SolidColour((255, 0, 0))
    marks = []
    for enabled in (True, True, False, False, True, True):
        track.enabled = enabled
        marks.append((await track.recv()).pict_type == PictureType.I)
    assert marks == [True, False] * 3


@pytest.mark.parametrize(
    ("come", "wanted", "taken"), [(30, 15, 15), (25, 15, 15), (20, 15, 15), (10, 15, 10), (60, 7, 7)]
)
def test_of_too_many_pictures_the_right_number_is_taken_evenly(come: int, wanted: int, taken: int) -> None:
    sampler = Sampler(wanted)
    times = [number / come for number in range(come * 10) if sampler.takes(number / come)]
    assert len(times) == pytest.approx(taken * 10, abs=1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert max(gaps) < 1 / taken + 1.01 / come


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


async def test_what_leaves_can_be_listened_to(clock: Clock) -> None:
    track = TestTone()
    left: list[Samples] = []
    track.on_sent = left.append
    for enabled in (True, False, True):
        track.enabled = enabled
        await track.recv()
    assert [bool(samples.any()) for samples in left] == [True, False, True]
    assert [len(samples) for samples in left] == [960] * 3


async def test_who_talks_while_muted_is_noticed(clock: Clock) -> None:
    track = VoiceAudio(120.0, lambda _: True)
    noticed: list[float] = []
    track.on_muted_speech = lambda: noticed.append(clock.now)
    for _ in range(200):
        await track.recv()
    assert noticed == []
    track.enabled = False
    frames = [await track.recv() for _ in range(200)]
    assert not any(frame.to_ndarray().any() for frame in frames)
    assert len(noticed) == 1


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
