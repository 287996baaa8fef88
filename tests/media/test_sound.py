"""The ring between threads, conversion to the own format, and loudness."""

from __future__ import annotations

import threading

import av
import numpy as np
import pytest

from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE, Converter, Ring, Samples, loudness


def sine(frequency: float, seconds: float, rate: int = SAMPLE_RATE, amplitude: float = 0.5) -> Samples:
    at = np.arange(int(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def pulled(ring: Ring, count: int) -> Samples:
    out = np.full(count, 9.0, dtype=np.float32)
    ring.pull(out)
    return out


def frame_of(samples: Samples, form: str, layout: str, rate: int) -> av.AudioFrame:
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    block = np.repeat(samples[None, :], channels, axis=0)
    if form.startswith("s16"):
        block = (block * 32767).astype(np.int16)
    if not form.endswith("p"):
        block = block.T.reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format=form, layout=layout)
    frame.sample_rate = rate
    return frame


def peak_frequency(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[spectrum.argmax()])


def test_what_goes_in_comes_out_in_order() -> None:
    ring = Ring(limit=4800, prefill=960)
    sound = sine(440, 0.08)
    ring.push(sound)
    out = np.concatenate([pulled(ring, 480) for _ in range(8)])
    assert np.array_equal(out, sound)
    assert (ring.underruns, ring.dropped, ring.depth) == (0, 0, 0)


def test_waits_for_the_prefill() -> None:
    ring = Ring(limit=4800, prefill=960)
    ring.push(np.ones(480, dtype=np.float32))
    assert not pulled(ring, 480).any()
    assert ring.underruns == 0
    ring.push(np.ones(480, dtype=np.float32))
    assert pulled(ring, 480)[-1] == 1.0


def test_begins_and_ends_with_a_slope_not_a_click() -> None:
    ring = Ring(limit=4800, prefill=480)
    ring.push(np.full(960, 0.8, dtype=np.float32))
    out = np.concatenate([pulled(ring, 480) for _ in range(4)])
    assert out[0] == 0.0
    assert out.max() == pytest.approx(0.8)
    assert np.abs(np.diff(out, prepend=0.0)).max() < 0.005
    assert not out[1300:].any()
    assert ring.underruns == 1


def test_short_blocks_have_no_clicks_either() -> None:
    ring = Ring(limit=4800, prefill=480)
    ring.push(np.full(500, 0.8, dtype=np.float32))
    out = np.concatenate([pulled(ring, 64) for _ in range(20)])
    assert np.abs(np.diff(out, prepend=0.0)).max() < 0.02


def test_a_new_start_after_an_underrun_needs_the_prefill_again() -> None:
    ring = Ring(limit=4800, prefill=960)
    ring.push(np.ones(960, dtype=np.float32))
    pulled(ring, 960)
    pulled(ring, 960)
    ring.push(np.ones(480, dtype=np.float32))
    assert not pulled(ring, 480).any()
    assert ring.underruns == 1


def test_the_oldest_is_dropped_beyond_the_limit() -> None:
    ring = Ring(limit=4800, prefill=960)
    sound = np.arange(9600, dtype=np.float32)
    for part in np.split(sound, 20):
        ring.push(part)
    assert ring.depth == 4800
    out = pulled(ring, 960)
    assert ring.dropped == 9600 - 960
    assert np.array_equal(out[240:], sound[-720:])
    assert ring.depth == 0


def test_one_push_larger_than_everything() -> None:
    ring = Ring(limit=1000, prefill=100)
    ring.push(np.arange(50_000, dtype=np.float32))
    assert ring.depth == 1000
    assert pulled(ring, 500)[-1] == 49_999.0


def test_blocks_larger_than_the_prefill_do_not_stutter() -> None:
    ring = Ring(limit=19_200, prefill=960)
    for _ in range(40):
        ring.push(np.ones(960, dtype=np.float32))
        if ring.depth >= 4800:
            assert pulled(ring, 4096)[-1] == 1.0
    assert ring.underruns == 0


def test_two_threads_get_every_sample_once_and_in_order() -> None:
    ring = Ring(limit=48_000, prefill=960)
    total = 2_000 * 160
    consumed: list[Samples] = []
    done = threading.Event()

    def produce() -> None:
        for start in range(0, total, 160):
            while ring.depth > 40_000:
                done.wait(0.001)
            ring.push(np.arange(start + 1, start + 161, dtype=np.float32))
        done.set()

    producer = threading.Thread(target=produce)
    producer.start()
    while not (done.is_set() and ring.depth < 960):
        if ring.depth >= 960:
            consumed.append(pulled(ring, 480))
    producer.join()
    heard = np.concatenate(consumed)
    assert ring.dropped == 0
    assert np.array_equal(heard[240:], np.arange(241, len(heard) + 1, dtype=np.float32))


@pytest.mark.parametrize(
    ("form", "layout", "rate"),
    [
        ("s16", "stereo", 48_000),
        ("s16", "mono", 48_000),
        ("s16p", "stereo", 44_100),
        ("flt", "mono", 16_000),
        ("fltp", "stereo", 48_000),
        ("s16", "mono", 8_000),
        ("fltp", "5.1", 48_000),
    ],
)
def test_every_format_becomes_48_khz_mono_of_the_same_pitch_and_level(form: str, layout: str, rate: int) -> None:
    converter = Converter()
    source = sine(440, 1.0, rate)
    step = rate // 50
    sound = np.concatenate(
        [converter.convert(frame_of(source[at : at + step], form, layout, rate)) for at in range(0, rate, step)]
    )
    assert sound.dtype == np.float32
    assert len(sound) == pytest.approx(SAMPLE_RATE, rel=0.02)
    assert peak_frequency(sound) == pytest.approx(440, abs=2)
    if layout != "5.1":
        assert np.abs(sound[4800:-4800]).max() == pytest.approx(0.5, rel=0.02)


def test_the_format_may_change_on_the_way() -> None:
    converter = Converter()
    for form, layout, rate in (("s16", "stereo", 48_000), ("flt", "mono", 8_000), ("fltp", "stereo", 44_100)):
        for _ in range(3):
            sound = converter.convert(frame_of(sine(440, 0.02, rate), form, layout, rate))
        assert 0 < len(sound) <= 2 * FRAME_SAMPLES


def test_what_is_no_number_becomes_silence() -> None:
    broken = np.full(960, np.nan, dtype=np.float32)
    broken[480:] = np.inf
    sound = Converter().convert(frame_of(broken, "flt", "mono", 48_000))
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1.0
    assert not sound[:480].any()


def test_loudness_is_even_in_decibels() -> None:
    assert loudness(np.zeros(960, dtype=np.float32)) == 0.0
    assert loudness(np.zeros(0, dtype=np.float32)) == 0.0
    assert loudness(np.ones(960, dtype=np.float32)) == 1.0
    steps = [loudness(np.full(960, 10 ** (-db / 20), dtype=np.float32)) for db in (0, 15, 30, 45, 60)]
    assert np.allclose(steps, [1.0, 0.75, 0.5, 0.25, 0.0], atol=1e-3)
    assert loudness(np.full(960, np.nan, dtype=np.float32)) == 0.0
