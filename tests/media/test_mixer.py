"""The mix of many voices: loudness, the limiter, who is told, and that one bad voice harms nobody."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from tests.waiting import Clock
from tui.core.audio import Playout
from tui.media import mixer as mixer_module
from tui.media.mixer import LOUDEST, MOST_VOICES, Mixer
from tui.media.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.media.sound import Samples


class Speaker:
    """A voice that says whatever the test wants; silent at first."""

    def __init__(self) -> None:
        self.gain = 1.0
        self.muted = False
        self.pulled = 0
        self.figures = Playout()
        self.resting = False
        self.on_packet: Callable[[int | None], None] = lambda level: None
        self._sound: Callable[[Samples], Samples | float] = lambda at: 0.0

    def say(self, sound: Callable[[Samples], Samples | float]) -> None:
        """``sound`` makes samples of the seconds since the beginning."""
        self._sound = sound

    def pull(self, out: Samples) -> None:
        at = np.arange(self.pulled, self.pulled + len(out)) / SAMPLE_RATE
        out[:] = self._sound(at.astype(np.float32))
        self.pulled += len(out)

    def playout(self) -> Playout:
        return self.figures

    def rest(self) -> None:
        self.resting = True

    def wake(self) -> None:
        self.resting = False


@pytest.fixture
def mixer(monkeypatch: pytest.MonkeyPatch) -> Mixer:
    monkeypatch.setattr(mixer_module, "Voice", Speaker)
    return Mixer()


def speaker(mixer: Mixer, key: str) -> Speaker:
    return cast("Speaker", mixer.add(key))


def tone(frequency: float, amplitude: float) -> Callable[[Samples], Samples]:
    return lambda at: (amplitude * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def square(amplitude: float) -> Callable[[Samples], Samples]:
    return lambda at: np.where(at % 0.002 < 0.001, amplitude, -amplitude).astype(np.float32)


def mixed(mixer: Mixer, seconds: float, block: int = 480) -> Samples:
    parts = [np.empty(block, dtype=np.float32) for _ in range(int(seconds * SAMPLE_RATE) // block)]
    for part in parts:
        mixer.mix(part)
    return np.concatenate(parts)


def strength(samples: Samples, frequency: float) -> float:
    """Amplitude of one frequency in the samples."""
    at = np.arange(len(samples)) / SAMPLE_RATE
    return float(2 * np.abs(np.mean(samples * np.exp(-2j * np.pi * frequency * at))))


def test_the_mix_holds_every_voice_at_its_level(mixer: Mixer) -> None:
    for number, frequency in enumerate((300.0, 500.0, 800.0)):
        speaker(mixer, str(number)).say(tone(frequency, 0.2))
    out = mixed(mixer, 0.3)
    for frequency in (300.0, 500.0, 800.0):
        assert strength(out, frequency) == pytest.approx(0.2, rel=0.01)
    assert strength(out, 1100.0) < 0.001


def test_a_voice_alone_below_the_limit_is_left_alone(mixer: Mixer) -> None:
    voice = speaker(mixer, "a")
    voice.say(tone(440.0, 0.8))
    out = mixed(mixer, 0.3)
    assert np.array_equal(out, tone(440.0, 0.8)((np.arange(len(out)) / SAMPLE_RATE).astype(np.float32)))


def test_everybody_has_a_volume_from_nothing_to_double_and_can_be_muted(mixer: Mixer) -> None:
    soft, loud, muted, mad = (speaker(mixer, key) for key in "abcd")
    for voice, frequency in ((soft, 300.0), (loud, 500.0), (muted, 800.0), (mad, 1100.0)):
        voice.say(tone(frequency, 0.1))
    soft.gain, loud.gain, muted.muted, mad.gain = 0.0, 2.0, True, float("nan")
    mixed(mixer, 0.1)
    out = mixed(mixer, 0.1)
    assert strength(out, 300.0) < 1e-5
    assert strength(out, 500.0) == pytest.approx(0.2, rel=0.01)
    assert strength(out, 800.0) < 1e-5
    assert strength(out, 1100.0) < 1e-5
    # Whoever is not heard is pulled all the same, or the sound would pile up.
    assert soft.pulled == muted.pulled == loud.pulled == 9600
    loud.gain = 50.0
    mixed(mixer, 0.01)
    assert strength(mixed(mixer, 0.1), 500.0) == pytest.approx(0.1 * LOUDEST, rel=0.01)


def test_volume_and_mute_do_not_click(mixer: Mixer) -> None:
    voice = speaker(mixer, "a")
    voice.say(lambda at: 0.5)
    steps = []
    for change in (0.0, 1.0, 0.3):
        voice.gain = change
        steps.append(mixed(mixer, 0.01))
    voice.muted = True
    steps.append(mixed(mixer, 0.01))
    mixer.volume = 0.2
    steps.append(mixed(mixer, 0.01))
    assert np.abs(np.diff(np.concatenate(steps))).max() < 0.002


def test_a_mute_during_a_pause_holds_from_the_first_sample(mixer: Mixer) -> None:
    voice = speaker(mixer, "a")
    mixed(mixer, 0.01)
    voice.muted = True
    mixed(mixer, 0.01)
    voice.say(lambda at: 0.5)
    assert not mixed(mixer, 0.01).any()


def test_the_volume_is_for_all_and_deafness_for_oneself_only(mixer: Mixer) -> None:
    heard: list[Samples] = []
    mixer.listen(lambda block: heard.append(block.copy()))
    speaker(mixer, "a").say(tone(440.0, 0.2))
    mixer.volume = 0.5
    mixed(mixer, 0.01)
    assert strength(mixed(mixer, 0.1), 440.0) == pytest.approx(0.1, rel=0.01)
    mixer.deafened = True
    mixed(mixer, 0.01)
    assert not mixed(mixer, 0.1).any()
    assert strength(np.concatenate(heard[-10:]), 440.0) == pytest.approx(0.2, rel=0.01)
    assert mixer.level == pytest.approx(1 + 20 * np.log10(0.2 / np.sqrt(2)) / 60, abs=0.01)


@pytest.mark.parametrize("count", [2, 24])
@pytest.mark.parametrize("volume", [1.0, 2.0])
def test_never_above_full_scale(mixer: Mixer, count: int, volume: float) -> None:
    heard: list[float] = []
    mixer.listen(lambda block: heard.append(float(np.abs(block).max())))
    mixer.volume = volume
    for number in range(count):
        voice = speaker(mixer, str(number))
        voice.gain = 2.0
        voice.say(square(1.0))
    out = mixed(mixer, 0.35)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 1.0
    assert np.abs(out[9600:]).max() > 0.9
    assert max(heard) <= 1.0


def test_a_constant_at_full_scale_stays_below_it(mixer: Mixer) -> None:
    for key in "ab":
        speaker(mixer, key).say(lambda at: 1.0)
    out = mixed(mixer, 0.1)
    assert out.min() > 0.9
    assert out.max() <= 1.0


def test_the_limiter_lets_go_again(mixer: Mixer) -> None:
    voice = speaker(mixer, "a")
    voice.gain = 2.0
    voice.say(lambda at: 1.0)
    mixed(mixer, 0.2)
    voice.gain = 1.0
    voice.say(tone(440.0, 0.2))
    mixed(mixer, 1.0)
    assert strength(mixed(mixer, 0.1), 440.0) == pytest.approx(0.2, rel=0.01)


@pytest.mark.parametrize("rubbish", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_what_is_no_number_is_silence_and_the_others_are_heard(mixer: Mixer, rubbish: float) -> None:
    bad = speaker(mixer, "bad")
    bad.say(lambda at: np.where(at < 0.105, np.float32(0.0), np.float32(rubbish)))
    speaker(mixer, "good").say(tone(440.0, 0.2))
    out = mixed(mixer, 0.2)
    assert np.isfinite(out).all()
    assert strength(out, 440.0) == pytest.approx(0.2, rel=0.01)
    bad.say(tone(880.0, 0.1))
    assert strength(mixed(mixer, 0.1), 880.0) == pytest.approx(0.1, rel=0.01)


def test_a_voice_that_fails_is_silent_and_said_once(mixer: Mixer, caplog: pytest.LogCaptureFixture) -> None:
    speaker(mixer, "bad").say(lambda at: 1 / 0)
    speaker(mixer, "good").say(tone(440.0, 0.2))
    assert strength(mixed(mixer, 0.2), 440.0) == pytest.approx(0.2, rel=0.01)
    assert len(caplog.records) == 1


def test_a_listener_that_fails_is_removed_and_said_once(mixer: Mixer, caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def bad(block: Samples) -> None:
        calls.append(1)
        raise OSError("disk full")

    def good(block: Samples) -> None:
        calls.append(2)

    mixer.listen(bad)
    mixer.listen(good)
    mixed(mixer, 0.03)
    assert calls == [1, 2, 2, 2]
    assert len(caplog.records) == 1
    mixer.unlisten(good)
    mixer.unlisten(good)
    mixed(mixer, 0.01)
    assert len(calls) == 4


def test_no_more_than_24_voices_and_the_next_moves_up(mixer: Mixer) -> None:
    last = [speaker(mixer, str(number)) for number in range(MOST_VOICES + 1)][-1]
    last.say(tone(440.0, 0.5))
    assert last.resting
    assert not mixed(mixer, 0.05).any()
    mixer.remove("3")
    assert not last.resting
    assert mixed(mixer, 0.05).any()


def crowd(mixer: Mixer, people: int) -> list[Speaker]:
    """Nobody has said anything for a while."""
    speakers = [speaker(mixer, str(number)) for number in range(people)]
    mixer._clock.now += 10.0  # type: ignore[attr-defined]
    return speakers


@pytest.fixture
def crowded(monkeypatch: pytest.MonkeyPatch) -> Mixer:
    monkeypatch.setattr(mixer_module, "Voice", Speaker)
    return Mixer(Clock())


def test_whoever_talks_is_mixed_and_who_is_quiet_rests(crowded: Mixer) -> None:
    speakers = crowd(crowded, 60)
    assert sum(not one.resting for one in speakers) == MOST_VOICES
    speakers[59].say(tone(440.0, 0.2))
    speakers[59].on_packet(20)
    assert strength(mixed(crowded, 0.1), 440.0) == pytest.approx(0.2, rel=0.01)
    assert sum(not one.resting for one in speakers) == MOST_VOICES
    pulled = [one.pulled for one in speakers]
    mixed(crowded, 0.1)
    assert sum(one.pulled > before for one, before in zip(speakers, pulled, strict=True)) == MOST_VOICES
    assert len(crowded._heard) <= 2 * MOST_VOICES


def test_who_loses_the_place_fades_out(crowded: Mixer) -> None:
    speakers = crowd(crowded, MOST_VOICES + 1)
    speakers[0].say(lambda at: 0.5)
    for one in speakers[1:-1]:
        one.on_packet(20)
    before = mixed(crowded, 0.05)
    speakers[-1].on_packet(20)
    assert speakers[0].resting
    after = mixed(crowded, 0.05)
    assert np.abs(np.diff(np.concatenate([before, after]))).max() < 0.002
    assert not after[480:].any()


def test_who_comes_back_within_a_block_is_pulled_once(crowded: Mixer) -> None:
    speakers = crowd(crowded, MOST_VOICES + 1)
    crowded._clock.now += 10.0  # type: ignore[attr-defined]
    for one in speakers[1:-1]:
        one.on_packet(30)
    speakers[-1].on_packet(30)
    assert speakers[0].resting
    speakers[0].on_packet(20)
    assert not speakers[0].resting
    pulled = speakers[0].pulled
    mixed(crowded, 0.01)
    assert speakers[0].pulled == pulled + 480


def test_who_was_muted_here_needs_no_place(crowded: Mixer) -> None:
    speakers = crowd(crowded, MOST_VOICES + 1)
    speakers[-1].muted = True
    speakers[-1].on_packet(20)
    assert speakers[-1].resting
    speakers[-1].muted = False
    speakers[-1].on_packet(20)
    assert not speakers[-1].resting


def test_a_packet_that_comes_after_the_end_is_nobodys(crowded: Mixer) -> None:
    speakers = crowd(crowded, MOST_VOICES + 1)
    crowded.remove(str(MOST_VOICES))
    speakers[-1].on_packet(10)
    mixed(crowded, 0.01)
    assert speakers[-1].pulled == 0


def test_adding_twice_is_one_voice_and_removing_twice_is_fine(mixer: Mixer) -> None:
    assert mixer.add("a") is mixer.add("a")
    assert mixer.voice("a") is mixer.add("a")
    mixer.remove("a")
    mixer.remove("a")
    assert mixer.voice("a") is None
    assert not mixed(mixer, 0.01).any()


def test_large_and_empty_blocks_are_mixed_in_one_piece(mixer: Mixer) -> None:
    speaker(mixer, "a").say(tone(440.0, 0.5))
    mixer.mix(np.empty(0, dtype=np.float32))
    assert strength(mixed(mixer, 0.25, block=12_000), 440.0) == pytest.approx(0.5, rel=0.01)


def test_the_depth_is_the_mean_of_those_who_play(mixer: Mixer) -> None:
    assert mixer.depth() is None
    a, b, idle, dry = (speaker(mixer, key) for key in "abcd")
    for round_ in (1, 2):
        a.figures = Playout(played_ms=250.0 * round_, depth_ms=80.0, target_ms=60.0)
        b.figures = Playout(played_ms=250.0 * round_, depth_ms=40.0, target_ms=40.0)
        idle.figures = Playout(played_ms=100.0, depth_ms=200.0, target_ms=60.0)
        dry.figures = Playout(played_ms=250.0 * round_, depth_ms=0.0, target_ms=60.0)
        depth = mixer.depth()
    assert depth == (60.0, 50.0)
    mixer.remove("a")
    b.figures = Playout(played_ms=750.0, depth_ms=45.0, target_ms=40.0)
    assert mixer.depth() == (45.0, 40.0)
    assert mixer.depth() is None


def test_voices_come_and_go_while_another_thread_mixes(mixer: Mixer) -> None:
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
        speaker(mixer, str(number)).say(tone(440.0, 0.9))
        mixer.remove(str(number - 5))
    stop.set()
    puller.join()
    assert not failures
