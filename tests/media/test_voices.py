"""One remote voice and the mix of many: levels, bounds, and never above full scale."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tui.media import voices
from tui.media.mixer import MOST_VOICES, Mixer
from tui.media.tracks import stereo_frame
from tui.media.voices import Voice

if TYPE_CHECKING:
    from tui.media.sound import Samples


def tone(start: int, frequency: float = 440.0, amplitude: float = 0.5, count: int = 960) -> Samples:
    at = np.arange(start, start + count) / 48_000
    return (amplitude * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def say(voice: Voice, seconds: float, frequency: float = 440.0, amplitude: float = 0.5) -> None:
    for start in range(0, int(seconds * 48_000), 960):
        voice.push(stereo_frame(tone(start, frequency, amplitude), start))


def mixed(mixer: Mixer, seconds: float, block: int = 480) -> Samples:
    parts = [np.empty(block, dtype=np.float32) for _ in range(int(seconds * 48_000) // block)]
    for part in parts:
        mixer.mix(part)
    return np.concatenate(parts)


def strength(samples: Samples, frequency: float) -> float:
    """Amplitude of one frequency in the samples."""
    at = np.arange(len(samples)) / 48_000
    return float(2 * np.abs(np.mean(samples * np.exp(-2j * np.pi * frequency * at))))


def test_a_voice_is_heard_as_it_was_said() -> None:
    voice = Voice()
    say(voice, 0.3)
    out = np.empty(9600, dtype=np.float32)
    voice.pull(out)
    assert strength(out[480:], 440.0) == pytest.approx(0.5, rel=0.02)
    assert voice.depth_ms == pytest.approx(100.0)
    assert (voice.underruns, voice.dropped_ms) == (0, 0.0)


def test_a_voice_nobody_hears_keeps_400_ms_and_then_catches_up() -> None:
    voice = Voice()
    say(voice, 3.0)
    assert voice.depth_ms == 400.0
    voice.pull(np.empty(480, dtype=np.float32))
    assert voice.dropped_ms == pytest.approx(3000 - 60)
    assert voice.depth_ms == pytest.approx(50)


def test_the_level_follows_the_voice_and_decays(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=10.0)
    monkeypatch.setattr(voices, "time", SimpleNamespace(monotonic=lambda: clock.now))
    voice = Voice()
    assert voice.level == 0.0
    say(voice, 0.04, amplitude=0.5)
    assert voice.level == pytest.approx(1 + 20 * np.log10(0.5 / np.sqrt(2)) / 60, abs=0.01)
    loud = voice.level
    clock.now += 0.3
    assert voice.level == pytest.approx(loud - 0.5)
    clock.now += 5.0
    assert voice.level == 0.0


def test_an_empty_frame_does_no_harm() -> None:
    voice = Voice()
    for form in ("s16", "fltp"):
        frame = av.AudioFrame(format=form, layout="stereo", samples=0)
        frame.sample_rate = 48_000
        with contextlib.suppress(ValueError, av.FFmpegError):
            voice.push(frame)
    say(voice, 0.1)
    assert voice.depth_ms == pytest.approx(100)


def test_the_mix_holds_every_voice_at_its_level() -> None:
    mixer = Mixer()
    for number, frequency in enumerate((300.0, 500.0, 800.0)):
        say(mixer.add(str(number)), 0.4, frequency, 0.2)
    out = mixed(mixer, 0.3)[4800:]
    for frequency in (300.0, 500.0, 800.0):
        assert strength(out, frequency) == pytest.approx(0.2, rel=0.05)
    assert strength(out, 1100.0) < 0.005


def test_gain_mute_and_deafness() -> None:
    mixer = Mixer()
    say(mixer.add("a"), 0.4, 300.0, 0.2)
    say(mixer.add("b"), 0.4, 500.0, 0.2)
    mixed(mixer, 0.1)
    mixer.add("a").gain = 0.5
    mixer.add("b").muted = True
    out = mixed(mixer, 0.1)
    assert strength(out, 300.0) == pytest.approx(0.1, rel=0.05)
    assert strength(out, 500.0) < 0.002
    mixer.deafened = True
    assert not mixed(mixer, 0.1).any()
    assert mixer.add("a").depth_ms == pytest.approx(100)
    assert mixer.add("b").depth_ms == pytest.approx(100)


@pytest.mark.parametrize("count", [2, 24])
def test_never_above_full_scale(count: int) -> None:
    mixer = Mixer()
    at = np.arange(960)
    for number in range(count):
        voice = mixer.add(str(number))
        square = np.where(at % 96 < 48, 1.0, -1.0).astype(np.float32)
        for start in range(0, 19_200, 960):
            voice.push(stereo_frame(square, start))
    out = mixed(mixer, 0.35)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1.0
    assert np.abs(out[9600:]).max() > 0.9


def test_a_voice_alone_below_the_limit_is_left_alone() -> None:
    mixer = Mixer()
    say(mixer.add("a"), 0.4, 440.0, 0.8)
    out = mixed(mixer, 0.3)
    assert np.allclose(out[240:], np.concatenate([tone(s, 440.0, 0.8) for s in range(0, 14_400, 960)])[240:], atol=1e-3)


def test_the_limiter_lets_go_again() -> None:
    mixer = Mixer()
    loud, soft = mixer.add("loud"), mixer.add("soft")
    for start in range(0, 9600, 960):
        loud.push(stereo_frame(np.ones(960, dtype=np.float32), start))
        loud.gain = 8.0
    mixed(mixer, 0.2)
    for _ in range(4):
        say(soft, 0.3, 440.0, 0.2)
        out = mixed(mixer, 0.3)
    assert strength(out[2400:7200], 440.0) == pytest.approx(0.2, rel=0.05)


def test_no_more_than_24_voices_and_the_next_moves_up() -> None:
    mixer = Mixer()
    for number in range(MOST_VOICES + 1):
        say(mixer.add(str(number)), 0.2, 440.0, 0.5 if number == MOST_VOICES else 0.0)
    assert not mixed(mixer, 0.05).any()
    mixer.remove("3")
    assert mixed(mixer, 0.05).any()


def test_adding_twice_is_one_voice_and_removing_twice_is_fine() -> None:
    mixer = Mixer()
    assert mixer.add("a") is mixer.add("a")
    assert mixer.voice("a") is mixer.add("a")
    mixer.remove("a")
    mixer.remove("a")
    assert mixer.voice("a") is None
    assert not mixed(mixer, 0.01).any()


def test_large_blocks_are_mixed_in_one_piece() -> None:
    mixer = Mixer()
    say(mixer.add("a"), 0.4, 440.0, 0.5)
    out = mixed(mixer, 0.25, block=12_000)
    assert strength(out[480:], 440.0) == pytest.approx(0.5, rel=0.02)


def test_voices_come_and_go_while_another_thread_mixes() -> None:
    mixer = Mixer()
    stop = threading.Event()
    failures: list[BaseException] = []

    def pull() -> None:
        out = np.empty(480, dtype=np.float32)
        try:
            while not stop.is_set():
                mixer.mix(out)
                assert np.abs(out).max() <= 1.0
        except BaseException as error:
            failures.append(error)

    puller = threading.Thread(target=pull)
    puller.start()
    for number in range(300):
        say(mixer.add(str(number)), 0.06, 440.0, 0.9)
        mixer.remove(str(number - 5))
    stop.set()
    puller.join()
    assert not failures
