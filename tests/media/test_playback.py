"""Playback without a sound card: the null output, hints, rates, and devices that come and go."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.waiting import until
from tui.errors import DeviceError
from tui.media import playback as playback_module
from tui.media import portaudio
from tui.media.mixer import Mixer
from tui.media.playback import Playback
from tui.media.tracks import stereo_frame

from .fake_sounddevice import FakeSoundDevice, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tui.media.sound import Samples


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    monkeypatch.setattr(playback_module, "_RETRY_SECONDS", (0.02,))
    monkeypatch.setattr(playback_module, "_WATCH_SECONDS", 0.02)
    return install(monkeypatch)


class Changes(list[tuple[str | None, str]]):
    """Everything `on_change` was told."""

    def __call__(self, name: str | None, hint: str) -> None:
        self.append((name, hint))


def say(mixer: Mixer, seconds: float = 0.4, amplitude: float = 0.5) -> None:
    voice = mixer.add("a")
    for start in range(0, int(seconds * 48_000), 960):
        at = np.arange(start, start + 960) / 48_000
        voice.push(stereo_frame((amplitude * np.sin(2 * np.pi * 440 * at)).astype(np.float32), start))


def frequency(samples: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


@pytest.fixture
async def opened() -> AsyncIterator[list[Playback]]:
    outputs: list[Playback] = []
    yield outputs
    for output in outputs:
        await output.aclose()
        await output.aclose()


async def test_without_the_library_the_mixer_still_runs(
    monkeypatch: pytest.MonkeyPatch, opened: list[Playback]
) -> None:
    def absent(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.setattr(importlib, "import_module", absent)
    mixer, changes = Mixer(), Changes()
    say(mixer)
    opened.append(await Playback.open(mixer, on_change=changes))
    assert opened[0].name is None
    assert "libportaudio2" in opened[0].hint
    assert changes == [(None, opened[0].hint)]
    await until(lambda: mixer.add("a").depth_ms < 300, what="the null output")


async def test_without_the_python_package_it_is_the_same(
    monkeypatch: pytest.MonkeyPatch, opened: list[Playback]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    opened.append(await Playback.open(Mixer()))
    assert opened[0].name is None
    assert "libportaudio2" in opened[0].hint


@pytest.mark.parametrize(("over_ssh", "advice"), [(True, "PULSE_SERVER"), (False, "plug one in")])
async def test_without_a_device_one_line_says_what_to_do(
    over_ssh: bool,
    advice: str,
    fake: FakeSoundDevice,
    monkeypatch: pytest.MonkeyPatch,
    opened: list[Playback],
) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    if over_ssh:
        monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    mixer = Mixer()
    say(mixer)
    opened.append(await Playback.open(mixer))
    assert advice in opened[0].hint
    assert "\n" not in opened[0].hint
    await until(lambda: mixer.add("a").depth_ms < 300, what="the null output")


async def test_the_device_plays_the_mix_on_both_channels(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers\x1b[2J")
    fake.look()
    mixer, changes = Mixer(), Changes()
    opened.append(await Playback.open(mixer, on_change=changes))
    stream = fake.streams[0]
    assert opened[0].name == "Speakers\N{REPLACEMENT CHARACTER}[2J"
    assert changes == [(opened[0].name, "")]
    assert (stream.samplerate, stream.channels) == (48_000, 2)
    assert stream.latency >= 0.06
    say(mixer)
    block = np.concatenate([stream.play(480) for _ in range(20)])
    assert np.array_equal(block[:, 0], block[:, 1])
    assert frequency(block[2400:, 0], 48_000) == pytest.approx(440, abs=8)
    assert np.abs(block).max() == pytest.approx(0.5, rel=0.02)


async def test_a_mono_device_at_44100_hz_plays_the_same_pitch(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Headset", outputs=1, rate=44_100.0)
    fake.look()
    fake.refused_rates = {48_000}
    mixer = Mixer()
    opened.append(await Playback.open(mixer))
    stream = fake.streams[0]
    assert (stream.samplerate, stream.channels) == (44_100, 1)
    say(mixer)
    block = np.concatenate([stream.play(441) for _ in range(34)])[:, 0]
    assert len(block) == 34 * 441
    assert frequency(block[4410:], 44_100) == pytest.approx(440, abs=5)
    assert np.abs(block[4410:]).max() == pytest.approx(0.5, rel=0.05)


async def test_a_named_device_that_is_not_there_is_an_error(fake: FakeSoundDevice) -> None:
    fake.plug("Speakers")
    fake.look()
    with pytest.raises(DeviceError, match="Nowhere"):
        await Playback.open(Mixer(), "Nowhere")
    with pytest.raises(DeviceError, match="7"):
        await Playback.open(Mixer(), "7")


async def test_devices_open_by_name_and_by_number(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers")
    fake.plug("Headset")
    fake.look()
    opened.append(await Playback.open(Mixer(), "Headset"))
    opened.append(await Playback.open(Mixer(), "1"))
    assert [stream.device for stream in fake.streams] == ["Headset", 1]
    assert [output.name for output in opened] == ["Headset", "Headset"]


async def test_a_lost_device_is_replaced_and_taken_back(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer, changes = Mixer(), Changes()
    opened.append(await Playback.open(mixer, on_change=changes))
    fake.devices.clear()
    fake.streams[0].active = False
    await until(lambda: opened[0].name is None, what="the loss")
    await until(lambda: fake.streams[0].closed, what="the old stream's end")
    say(mixer)
    await until(lambda: mixer.add("a").depth_ms < 300, what="the null output")
    await until(lambda: fake.starts >= 3, what="some tries")
    fake.plug("Headset")
    await until(lambda: opened[0].name == "Headset", what="the return")
    assert [name for name, hint in changes] == ["Speakers", None, "Headset"]
    say(mixer)
    assert np.concatenate([fake.streams[-1].play(480) for _ in range(10)]).any()
    # The null output has let go: what waits is left to the device.
    say(mixer)
    waiting = mixer.add("a").depth_ms
    await asyncio.sleep(0.1)
    assert mixer.add("a").depth_ms == waiting


async def test_a_hung_server_is_seen_by_its_silence(
    fake: FakeSoundDevice, opened: list[Playback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "SILENT_AFTER", 0.05)
    monkeypatch.setattr(portaudio, "START_WITHIN", 0.05)
    fake.plug("Speakers")
    fake.look()
    opened.append(await Playback.open(Mixer()))
    fake.devices.clear()
    assert fake.streams[0].active
    await until(lambda: opened[0].name is None, what="the loss")


async def test_portaudio_that_does_not_start_again_is_tried_again(
    fake: FakeSoundDevice, opened: list[Playback]
) -> None:
    opened.append(await Playback.open(Mixer()))
    fake.fails_to_start = True
    await until(lambda: fake._initialized == 0, what="a failure")
    fake.plug("Speakers")
    fake.fails_to_start = False
    await until(lambda: opened[0].name == "Speakers", what="the device")


async def test_a_failing_mix_is_silence_not_a_dead_device(
    fake: FakeSoundDevice, opened: list[Playback], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer = Mixer()
    opened.append(await Playback.open(mixer))
    monkeypatch.setattr(mixer, "mix", lambda out: 1 / 0)
    assert not fake.streams[0].play(480).any()
    assert not fake.streams[0].play(480).any()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_closing_while_opening_gives_the_device_back(fake: FakeSoundDevice) -> None:
    fake.plug("Speakers")
    fake.look()
    opening = asyncio.ensure_future(Playback.open(Mixer()))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await until(lambda: all(stream.closed for stream in fake.streams) and bool(fake.streams), what="the stream's end")


async def test_closing_gives_the_device_back(fake: FakeSoundDevice) -> None:
    fake.plug("Speakers")
    fake.look()
    output = await Playback.open(Mixer())
    await output.aclose()
    await output.aclose()
    assert fake.streams[0].closed
    assert len(fake.streams) == 1
