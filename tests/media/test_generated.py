"""Computed sound and pictures: pitch, rhythm, silence, movement, and that portraits can be told apart."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tui.media.cells import Depth, Encoder, Glyphs, Look, Size
from tui.media.generated import TestTone, VoiceAudio
from tui.media.pictures import PortraitVideo, TestPattern

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tui.media.sound import Samples
    from tui.media.tracks import AudioTrack, VideoTrack


def played(track: AudioTrack, seconds: float) -> Samples:
    return np.concatenate([track.samples(start) for start in range(0, int(seconds * 48_000), 960)])


def spectrum(samples: Samples) -> tuple[NDArray[np.floating], NDArray[np.float64]]:
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    share: NDArray[np.float64] = power / power.sum()
    return np.fft.rfftfreq(len(samples), 1 / 48_000), share


def cells(track: VideoTrack, at: float) -> NDArray[np.int32]:
    grid = Encoder(Look(Glyphs.HALF, Depth.TRUECOLOR)).encode(track.picture(at), Size(30, 10))
    both = np.stack([grid.foreground, grid.background])
    return np.stack([both >> 16 & 255, both >> 8 & 255, both & 255])


@pytest.mark.parametrize("frequency", [220.0, 440.0, 1000.0])
def test_the_tone_has_its_frequency_across_frames(frequency: float) -> None:
    frequencies, power = spectrum(played(TestTone(frequency), 1.0))
    assert frequencies[power.argmax()] == pytest.approx(frequency, abs=1)
    assert power[np.abs(frequencies - frequency) < 5].sum() > 0.999


def test_the_beeping_tone_is_silent_between() -> None:
    sound = played(TestTone(440.0, every=2.0), 4.0).reshape(2, -1)
    assert np.abs(sound[:, :24_000]).max() > 0.29
    assert not sound[:, 24_001:].any()
    assert np.abs(np.diff(sound[0])).max() < 0.03


@pytest.mark.parametrize("pitch", [95.0, 140.0, 220.0])
def test_a_voice_has_its_pitch_formants_and_syllables(pitch: float) -> None:
    sound = played(VoiceAudio(pitch, lambda at: True), 4.0)
    assert 0.3 < np.abs(sound).max() < 0.6
    frequencies, power = spectrum(sound[:4800])
    low = frequencies < 1.3 * pitch
    assert frequencies[low][power[low].argmax()] == pytest.approx(pitch, rel=0.15)
    frequencies, power = spectrum(sound)
    assert power[frequencies < 900].sum() > 0.7
    assert 0.02 < power[(frequencies > 900) & (frequencies < 3000)].sum() < 0.3
    assert power[frequencies > 5000].sum() < 0.001
    envelope = np.abs(sound).reshape(-1, 480).max(axis=1)
    rhythm = np.abs(np.fft.rfft(envelope - envelope.mean()))
    assert np.fft.rfftfreq(len(envelope), 0.01)[rhythm.argmax()] == pytest.approx(4.0, abs=0.3)
    assert np.abs(np.diff(sound)).max() < 0.1


def test_a_voice_is_silent_while_it_does_not_speak() -> None:
    sound = played(VoiceAudio(120.0, lambda at: 1.0 <= at < 2.0), 3.0)
    assert not sound[:48_000].any()
    assert np.abs(sound[48_000:96_000]).max() > 0.3
    assert not sound[96_960:].any()
    assert np.abs(np.diff(sound)).max() < 0.1


def test_portraits_differ_in_every_look() -> None:
    for first, second in itertools.combinations(range(4), 2):
        a, b = cells(PortraitVideo(first), 1.0), cells(PortraitVideo(second), 1.0)
        assert np.abs(a.astype(int) - b).mean() > 30


@pytest.mark.parametrize("index", range(4))
def test_portraits_move_and_use_strong_colours(index: int) -> None:
    track = PortraitVideo(index)
    moments = [cells(track, at) for at in (0.5, 1.2, 1.9)]
    for a, b in itertools.pairwise(moments):
        assert (np.abs(a.astype(int) - b).max(axis=0) > 40).mean() > 0.05
    assert (moments[0].max(axis=0) - moments[0].min(axis=0)).max() > 120


def test_the_mouth_moves_only_while_speaking() -> None:
    silent = PortraitVideo(2, lambda at: False)
    talking = PortraitVideo(2, lambda at: True)
    mouth = np.s_[:, :, 5:8, 12:18]
    spread = [
        np.ptp([cells(track, at)[mouth].mean() for at in np.linspace(10.0, 10.3, 6)]) for track in (silent, talking)
    ]
    assert spread[1] > 2 * spread[0] + 2


def test_the_pattern_is_colourful_and_its_hand_turns() -> None:
    track = TestPattern()
    early, later = cells(track, 0.0), cells(track, 2.0)
    hues = {tuple(colour) for colour in early.reshape(3, -1).T // 64}
    assert len(hues) >= 8
    # The hand points up, then down, in orange.
    orange = [(grid[0] > 180) & (grid[1] > 90) & (grid[1] < 200) & (grid[2] < 90) for grid in (early, later)]
    assert orange[0][:, :5, 13:17].any()
    assert not orange[0][:, 6:, 13:17].any()
    assert orange[1][:, 5:, 13:17].any()
