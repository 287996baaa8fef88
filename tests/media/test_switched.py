"""A source that is exchanged while it is published."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.hearing import pitch
from tui.media.capture import CameraVideo
from tui.media.degradation import LEAST_FRAMES_PER_SECOND, THRIFTY_SCALE
from tui.media.encoding import Coding
from tui.media.generated import Silence, TestTone
from tui.media.pictures import SolidColour, TestPattern
from tui.media.sound import FRAME_SAMPLES
from tui.media.switched import THRIFTY_KILOBITS, SwitchedAudio, SwitchedVideo
from tui.media.video_encoding import VideoCoding

if TYPE_CHECKING:
    from av import VideoFrame

    from tui.media.sound import Samples
    from tui.media.tracks import VideoTrack


class Counted(TestTone):
    """Notes which samples it is asked for."""

    def __init__(self, frequency: float) -> None:
        super().__init__(frequency)
        self.asked: list[int] = []

    def samples(self, start: int) -> Samples:
        self.asked.append(start)
        return super().samples(start)


def hear(track: SwitchedAudio, start: int) -> float:
    return pitch(np.concatenate([track.samples(start + number * FRAME_SAMPLES) for number in range(25)]))


def test_another_source_is_heard_from_the_next_frame_on() -> None:
    first, second = Counted(440), Counted(880)
    track = SwitchedAudio(first)
    assert hear(track, 0) == pytest.approx(440, abs=3)
    track.switch(second)
    assert hear(track, 24_000) == pytest.approx(880, abs=3)
    assert (first.readyState, second.readyState) == ("ended", "live")
    assert second.asked[0] == 0, "a file begins at its beginning"
    track.stop()
    assert second.readyState == "ended"


def test_muting_and_coding_stay_and_a_stand_in_is_one_no_more() -> None:
    nothing = Silence()
    nothing.stand_in = True
    nothing.coding = Coding(64, dtx=True)
    track = SwitchedAudio(nothing)
    assert track.stand_in
    track.enabled = False
    track.switch(TestTone())
    assert not track.stand_in
    assert not track.enabled
    assert track.coding == Coding(64, dtx=True)
    track.stop()


def test_what_is_switched_to_too_late_is_given_back() -> None:
    track = SwitchedAudio(Silence())
    track.stop()
    late = TestTone()
    track.switch(late)
    assert late.readyState == "ended"


class Recorder(SolidColour):
    """Notes whether it rests."""

    def __init__(self, rgb: tuple[int, int, int] = (255, 0, 0), coding: VideoCoding | None = None) -> None:
        super().__init__(rgb, coding)
        self.rests: list[bool] = []
        self.asked: list[float] = []

    def rest(self, resting: bool) -> None:
        self.rests.append(resting)

    def picture(self, at: float) -> VideoFrame:
        self.asked.append(at)
        return super().picture(at)


def test_a_picture_rests_while_it_is_off_also_a_new_one() -> None:
    first, second = Recorder(), Recorder()
    track = SwitchedVideo(first)
    track.enabled = False
    assert not track.enabled
    assert first.rests == [True]
    track.switch(second)
    assert second.rests == [True]
    assert first.readyState == "ended"
    track.enabled = True
    assert second.rests == [True, False]


def test_a_picture_is_sent_as_its_source_wants_and_counts_from_its_own_beginning() -> None:
    first, second = Recorder(), Recorder(coding=VideoCoding(1280, 720, 5, 800))
    track = SwitchedVideo(first)
    track.picture(10.0)
    track.picture(10.5)
    track.degradation.spent(9.0)
    track.switch(second)
    assert track.coding == second.coding
    assert (track.degradation.frames_per_second, track.degradation.scale) == (5, 1.0)
    track.picture(12.0)
    track.picture(12.2)
    assert first.asked == [0.0, 0.5]
    assert second.asked == [0.0, pytest.approx(0.2)]


def test_a_thrifty_picture_is_small_slow_and_coarse_also_of_another_source() -> None:
    first, second = Recorder(), Recorder(coding=VideoCoding(1280, 720, 30, 800))
    track = SwitchedVideo(first)
    track.thrifty = True
    for coding in (first.coding, second.coding):
        assert track.coding == replace(coding, bitrate=THRIFTY_KILOBITS)
        assert track.degradation.frames_per_second == LEAST_FRAMES_PER_SECOND
        assert track.degradation.scale == THRIFTY_SCALE
        track.switch(second)
    track.thrifty = False
    assert track.coding == second.coding
    assert (track.degradation.frames_per_second, track.degradation.scale) == (30, 1.0)


def test_stopping_a_picture_stops_its_source_and_any_that_comes_later() -> None:
    first, second = Recorder(), Recorder()
    track = SwitchedVideo(first)
    track.stop()
    track.switch(second)
    assert (first.readyState, second.readyState) == ("ended", "ended")


@pytest.mark.parametrize(("source", "mirrored"), [(CameraVideo("/dev/video9"), True), (TestPattern(), False)])
def test_only_a_camera_is_a_mirror(source: VideoTrack, mirrored: bool) -> None:
    assert SwitchedVideo(source).is_mirrored == mirrored
