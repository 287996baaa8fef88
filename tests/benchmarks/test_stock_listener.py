"""The player that stock aiortc is heard by in the audio benchmark is a fair one."""

from __future__ import annotations

import numpy as np
from av import AudioFrame

from tests.benchmarks.recorder import BLOCK
from tests.benchmarks.stock_listener import Player

FRAME = 960


class Ear:
    """Frames of one value each, and the values that are heard."""

    def __init__(self) -> None:
        self._player = Player()

    def push(self, *values: int) -> None:
        for value in values:
            packed = np.full((1, 2 * FRAME), value, dtype=np.int16)
            frame = AudioFrame.from_ndarray(packed, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, value * FRAME
            self._player.push(frame)

    def pull(self, frames: int) -> list[int]:
        heard = []
        for _ in range(frames * FRAME // BLOCK):
            block = np.ones(BLOCK, dtype=np.float32)
            self._player.pull(block)
            heard += [round(float(block[0]) * 32768)]
            assert block.min() == block.max()
        return heard[::2]


def test_frames_are_played_in_their_order_and_nothing_after_them() -> None:
    ear = Ear()
    assert ear.pull(1) == [0]
    ear.push(1, 2, 3)
    assert ear.pull(5) == [1, 2, 3, 0, 0]


def test_what_never_comes_is_silence_of_its_length() -> None:
    ear = Ear()
    ear.push(1, 2, 3, 6)
    assert ear.pull(6) == [1, 2, 3, 0, 0, 6]


def test_what_comes_late_is_played_at_once_and_delays_what_follows() -> None:
    ear = Ear()
    ear.push(1, 2, 3)
    assert ear.pull(5) == [1, 2, 3, 0, 0]
    ear.push(4, 5, 7)
    assert ear.pull(4) == [4, 5, 0, 7]


def test_waiting_counts_as_the_silence_of_what_never_comes() -> None:
    ear = Ear()
    ear.push(1, 2, 3)
    assert ear.pull(5) == [1, 2, 3, 0, 0]
    ear.push(6, 7)
    assert ear.pull(2) == [6, 7]


def test_a_jump_of_the_timestamps_is_no_long_silence() -> None:
    ear = Ear()
    ear.push(1, 2, 3, 500)
    assert ear.pull(4) == [1, 2, 3, 500]
