"""The microphone: whatever the device delivers becomes 48 kHz mono by our clock, through loss and return."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.waiting import block_until
from tui.errors import DeviceError
from tui.media import capture
from tui.media.capture import MicrophoneAudio
from tui.media.inlet import SILENT

from .fake_sounddevice import FakeSoundDevice, install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.media.sound import Samples


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    monkeypatch.setattr(capture, "_RETRY_SECONDS", 0.02)
    return install(monkeypatch)


@pytest.fixture
def microphone() -> Iterator[MicrophoneAudio]:
    microphone = MicrophoneAudio()
    yield microphone
    microphone.stop()


def sine(rate: int, seconds: float = 0.2, amplitude: float = 0.5) -> Samples:
    at = np.arange(int(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * 440 * at)).astype(np.float32)


def heard(microphone: MicrophoneAudio, seconds: float = 0.18) -> Samples:
    return np.concatenate([microphone.samples(number * 960) for number in range(int(seconds * 50))])


def frequency(samples: Samples) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17))
    return float(np.fft.rfftfreq(1 << 17, 1 / 48_000)[spectrum.argmax()])


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (44_100, 2), (16_000, 1), (96_000, 8)])
def test_any_rate_and_channels_become_one_at_48_khz(
    fake: FakeSoundDevice, microphone: MicrophoneAudio, rate: int, channels: int
) -> None:
    fake.plug("Webcam", inputs=channels, outputs=0, rate=float(rate))
    fake.look()
    fake.refused_rates = {48_000, 44_100, 32_000, 16_000, 8_000} - {rate}
    fake.refused_channels = {1, 2} - {channels}
    microphone.open()
    stream = fake.streams[0]
    assert (stream.samplerate, stream.channels) == (rate, channels)
    stream.record(sine(rate))
    sound = heard(microphone)
    assert frequency(sound[480:]) == pytest.approx(440, abs=3)
    assert np.abs(sound).max() == pytest.approx(0.5, rel=0.02)


def test_more_than_eight_channels_are_never_asked_for(fake: FakeSoundDevice, microphone: MicrophoneAudio) -> None:
    fake.plug("Mixer desk", inputs=32, outputs=0)
    fake.look()
    fake.refused_channels = {1, 2}
    microphone.open()
    assert fake.streams[0].channels == 8
    block = np.zeros((9600, 8), dtype=np.float32)
    block[:, 3] = sine(48_000, amplitude=0.8)
    fake.streams[0].record(block)
    assert np.abs(heard(microphone)).max() == pytest.approx(0.1, rel=0.02)


def test_low_latency_asks_the_device_for_less_and_waits_for_less(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    waits = []
    for low_latency in (False, True):
        microphone = MicrophoneAudio(low_latency=low_latency)
        microphone.open()
        stream = fake.streams[-1]
        blocks = 0
        while not microphone.samples(0).any():
            stream.record(np.full(480, 0.5, dtype=np.float32))
            blocks += 1
        waits.append((stream.latency, blocks))
        microphone.stop()
    assert waits == [(0.06, 6), (0.02, 3)]


def test_a_lost_microphone_comes_back_with_the_same_mute_and_processor(
    fake: FakeSoundDevice, microphone: MicrophoneAudio
) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone.open()
    microphone.enabled = False
    microphone.processor = np.negative
    fake.streams[0].record(sine(48_000))
    fake.streams[0].active = False
    microphone.samples(0)
    block_until(lambda: len(fake.streams) == 2, "the return")
    assert fake.streams[0].closed
    block_until(lambda: not microphone._reopening, "the end of it")
    fake.streams[1].record(np.full(9600, 0.5, dtype=np.float32))
    assert heard(microphone, 0.1)[2400:] == pytest.approx(-0.5, abs=0.001)
    assert not microphone.enabled
    assert len(fake.streams) == 2


def test_a_microphone_that_was_just_plugged_in_is_found(fake: FakeSoundDevice) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    fake.plug("Headset", inputs=1, outputs=0)
    microphone = MicrophoneAudio("Headset")
    microphone.open()
    microphone.stop()
    assert fake.starts == 1
    with pytest.raises(DeviceError, match="Nowhere"):
        MicrophoneAudio("Nowhere").open()
    assert fake.starts == 1


def test_the_processor_gets_blocks_of_10_ms(fake: FakeSoundDevice, microphone: MicrophoneAudio) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone.open()
    sizes: list[int] = []

    def half(block: Samples) -> Samples:
        sizes.append(len(block))
        return block * np.float32(0.5)

    microphone.processor = half
    fake.streams[0].record(sine(48_000))
    assert np.abs(heard(microphone)).max() == pytest.approx(0.25, rel=0.02)
    assert set(sizes) == {480}


def test_a_processor_that_fails_is_removed_and_the_voice_stays(
    fake: FakeSoundDevice, microphone: MicrophoneAudio, caplog: pytest.LogCaptureFixture
) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone.open()
    microphone.processor = lambda block: block[:7]
    fake.streams[0].record(sine(48_000))
    assert np.abs(heard(microphone)).max() == pytest.approx(0.5, rel=0.02)
    assert microphone.processor is None
    assert len(caplog.records) == 1


def test_the_hint_is_the_devices(fake: FakeSoundDevice, microphone: MicrophoneAudio) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    assert microphone.hint == ""
    microphone.open()
    assert microphone.hint == ""
    for _ in range(60):
        fake.streams[0].record(np.zeros(4800, dtype=np.float32))
    assert microphone.hint == SILENT


def test_stopping_while_it_is_lost_opens_nothing_more(fake: FakeSoundDevice, microphone: MicrophoneAudio) -> None:
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone.open()
    fake.devices.clear()
    fake.streams[0].active = False
    microphone.samples(0)
    block_until(lambda: fake.starts > 2, "some tries")
    microphone.stop()
    block_until(lambda: not any(thread.name == "microphone" for thread in threading.enumerate()), "the thread's end")
    assert len(fake.streams) == 1
