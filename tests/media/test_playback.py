"""Playback without a sound card: the null output, hints, rates, and devices that come and go."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from tests.waiting import Clock, until
from tui.core.audio import Playout
from tui.errors import DeviceError
from tui.media import hotplug, portaudio
from tui.media import mixer as mixer_module
from tui.media import playback as playback_module
from tui.media.mixer import Mixer
from tui.media.playback import Playback

from .fake_sounddevice import FakeSoundDevice, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tui.media.sound import Samples


@pytest.fixture(autouse=True)
def _tones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixer_module, "Voice", Tone)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    monkeypatch.setattr(playback_module, "_RETRY_SECONDS", (0.02,))
    monkeypatch.setattr(playback_module, "_RETURN_SECONDS", (0.02,))
    monkeypatch.setattr(playback_module, "_WATCH_SECONDS", 0.02)
    return install(monkeypatch)


class Changes(list[tuple[str | None, str]]):
    """Everything `on_change` was told."""

    def __call__(self, name: str | None, hint: str) -> None:
        self.append((name, hint))


class Tone:
    """A voice that hums at 440 Hz, and counts what is pulled."""

    def __init__(self) -> None:
        self.gain = 1.0
        self.muted = False
        self.amplitude = 0.5
        self.pulled = 0
        self.figures = Playout()

    def wake(self) -> None:
        pass

    def pull(self, out: Samples) -> None:
        at = np.arange(self.pulled, self.pulled + len(out)) / 48_000
        out[:] = self.amplitude * np.sin(2 * np.pi * 440 * at)
        self.pulled += len(out)

    def playout(self) -> Playout:
        return self.figures


def say(mixer: Mixer) -> Tone:
    return cast("Tone", mixer.add("a"))


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
    voice = say(mixer)
    opened.append(await Playback.open(mixer, on_change=changes))
    assert opened[0].name is None
    assert "libportaudio2" in opened[0].hint
    assert changes == [(None, opened[0].hint)]
    await until(lambda: voice.pulled > 4800, what="the null output")


async def test_without_the_python_package_it_is_the_same(
    monkeypatch: pytest.MonkeyPatch, opened: list[Playback]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    opened.append(await Playback.open(Mixer()))
    assert opened[0].name is None
    assert "libportaudio2" in opened[0].hint


@pytest.mark.parametrize(("over_ssh", "advice"), [(True, "where you sit"), (False, "antconf doctor")])
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
    voice = say(mixer)
    opened.append(await Playback.open(mixer))
    assert advice in opened[0].hint
    assert "\n" not in opened[0].hint
    await until(lambda: voice.pulled > 4800, what="the null output")


async def test_the_device_plays_the_mix_on_both_channels(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers\x1b[2J")
    fake.look()
    mixer, changes = Mixer(), Changes()
    opened.append(await Playback.open(mixer, on_change=changes))
    stream = fake.streams[0]
    assert opened[0].name == "Speakers\N{REPLACEMENT CHARACTER}[2J"
    assert changes == [(opened[0].name, "")]
    assert (stream.samplerate, stream.channels) == (48_000, 2)
    assert (stream.latency, stream.blocksize) == (0.06, 480)
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
    for number in ("9" * 20, "9" * 5000):
        with pytest.raises(DeviceError, match="cannot be opened"):
            await Playback.open(Mixer(), number)


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
    voice = say(mixer)
    await until(lambda: voice.pulled > 4800, what="the null output")
    await until(lambda: fake.starts >= 3, what="some tries")
    fake.plug("Headset")
    await until(lambda: opened[0].name == "Headset", what="the return")
    assert [name for name, hint in changes] == ["Speakers", None, "Headset"]
    assert np.concatenate([fake.streams[-1].play(480) for _ in range(10)]).any()
    # The null output has let go, and so has the lost device, should it call once more.
    pulled = voice.pulled
    assert not fake.streams[0].play(480).any()
    await asyncio.sleep(0.1)
    assert voice.pulled == pulled


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
    monkeypatch.setattr(mixer, "mix", lambda out: 1 / 0)
    opened.append(await Playback.open(mixer))
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


async def test_closing_while_the_sound_server_is_asked_gives_the_device_back(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def server_output() -> str:
        asked.set()
        answer.wait(10)
        return ""

    monkeypatch.setattr(hotplug.Watch, "start", lambda watch: None)
    monkeypatch.setattr(hotplug, "server_output", server_output)
    fake.plug("pulse")
    fake.look()
    opening = asyncio.ensure_future(Playback.open(Mixer()))
    await until(asked.is_set, what="the question")
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    answer.set()
    assert [stream.closed for stream in fake.streams] == [True]


async def test_another_device_that_opens_after_the_end_is_given_back(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.plug("Speakers")
    fake.plug("Headphones")
    fake.look()
    output = await Playback.open(Mixer())
    asked, go, open_output = threading.Event(), threading.Event(), portaudio.open_output

    def slow(device: str, fill: Callable[..., None], latency: float) -> portaudio.Stream:
        asked.set()
        go.wait(10)
        return open_output(device, fill, latency)

    monkeypatch.setattr(portaudio, "open_output", slow)
    using = asyncio.ensure_future(output.use("Headphones"))
    await until(asked.is_set, what="the opening")
    await output.aclose()
    go.set()
    with pytest.raises(DeviceError):
        await using
    assert [stream.closed for stream in fake.streams] == [True, True]


async def test_closing_gives_the_device_back(fake: FakeSoundDevice) -> None:
    fake.plug("Speakers")
    fake.look()
    output = await Playback.open(Mixer())
    await output.aclose()
    await output.aclose()
    assert fake.streams[0].closed
    assert len(fake.streams) == 1


async def test_no_output_on_purpose_is_no_hint_and_opens_nothing(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer, changes = Mixer(), Changes()
    voice = say(mixer)
    opened.append(await Playback.open(mixer, "none", changes))
    await until(lambda: voice.pulled > 48_000 // 4, what="the clock")
    assert (opened[0].name, opened[0].hint, changes, fake.streams) == (None, "", [], [])
    await opened[0].use("Speakers")
    assert changes == [("Speakers", "")]
    await opened[0].use("none")
    assert changes == [("Speakers", ""), (None, "")]
    assert fake.streams[0].closed
    pulled = voice.pulled
    await until(lambda: voice.pulled > pulled + 4800, what="the clock again")
    assert len(fake.streams) == 1


async def test_another_device_takes_over_in_the_call(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers")
    fake.plug("Headset", rate=44_100.0)
    fake.look()
    fake.interface = "Core Audio"
    mixer, changes = Mixer(), Changes()
    say(mixer)
    opened.append(await Playback.open(mixer, "Speakers", changes))
    fake.streams[0].play(480)
    await opened[0].use("Headset")
    assert fake.streams[0].closed
    assert fake.streams[1].samplerate == 44_100
    assert fake.streams[1].play(441).any()
    assert [name for name, hint in changes] == ["Speakers", "Headset"]
    assert opened[0].figures().callbacks == 2


async def test_a_device_that_cannot_be_opened_leaves_the_one_before(
    fake: FakeSoundDevice, opened: list[Playback]
) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer, changes = Mixer(), Changes()
    say(mixer)
    opened.append(await Playback.open(mixer, on_change=changes))
    with pytest.raises(DeviceError, match="Nowhere"):
        await opened[0].use("Nowhere")
    assert opened[0].name == "Speakers"
    assert (len(fake.streams), fake.streams[0].active, fake.starts) == (1, True, 0)
    assert fake.streams[0].play(480).any()
    assert len(changes) == 1


async def test_a_device_that_was_just_plugged_in_is_found(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer = Mixer()
    say(mixer)
    opened.append(await Playback.open(mixer))
    fake.plug("Headset")
    await opened[0].use("Headset")
    assert fake.starts == 1
    assert opened[0].name == "Headset"
    assert fake.streams[-1].play(480).any()


async def test_what_was_just_plugged_in_but_does_not_open_leaves_the_one_before(
    fake: FakeSoundDevice, opened: list[Playback]
) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer = Mixer()
    say(mixer)
    opened.append(await Playback.open(mixer))
    fake.plug("Headset", outputs=7)
    fake.refused_devices.add("Headset")
    with pytest.raises(DeviceError, match="Headset"):
        await opened[0].use("Headset")
    assert opened[0].name == "Speakers"
    assert fake.streams[-1].play(480).any()


async def test_a_device_that_refuses_gets_the_next_best_format(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Eight", outputs=8, rate=96_000.0)
    fake.look()
    fake.refused_rates = {48_000, 44_100, 32_000, 16_000, 8_000}
    fake.refused_channels = {1, 2}
    fake.takes_any_block_only = True
    mixer = Mixer()
    say(mixer)
    opened.append(await Playback.open(mixer))
    stream = fake.streams[0]
    assert (stream.samplerate, stream.channels, stream.blocksize) == (96_000, 8, 0)
    block = np.concatenate([stream.play(count) for count in (1, 777, 20_000)])
    assert frequency(block[960:, 7], 96_000) == pytest.approx(440, abs=5)


async def test_low_latency_is_asked_for_and_a_storm_of_underruns_raises_it_step_by_step(
    fake: FakeSoundDevice, opened: list[Playback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "_SETTLE_SECONDS", -1.0)
    fake.plug("Speakers")
    fake.look()
    mixer, changes = Mixer(), Changes()
    say(mixer)
    opened.append(await Playback.open(mixer, on_change=changes, low_latency=True))
    for step in range(1, 5):
        stream = fake.streams[-1]
        assert (stream.latency, stream.blocksize) == (portaudio.LATENCIES[step - 1], 240 if step == 1 else 480)
        stream.play(240)
        await asyncio.sleep(0.05)
        stream.missed = True
        for _ in range(playback_module._STORM_UNDERRUNS):
            stream.play(240)
        await until(functools.partial(lambda stream: stream.closed, stream), what=f"the end of step {step}")
        await until(lambda: fake.streams[-1].active, what="the next one")
    await until(lambda: "120 ms" in opened[0].hint, what="the hint")
    assert [hint[-11:-4] for name, hint in changes if hint] == [" 40 ms ", " 60 ms ", " 80 ms ", "120 ms "]
    # There is no more after that.
    for _ in range(20):
        fake.streams[-1].missed = True
        fake.streams[-1].play(480)
    await asyncio.sleep(0.1)
    assert len(fake.streams) == 5
    assert opened[0].figures().underruns >= 20 + 19


async def test_one_underrun_now_and_then_is_only_counted(
    fake: FakeSoundDevice, opened: list[Playback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "_SETTLE_SECONDS", -1.0)
    fake.plug("Speakers")
    fake.look()
    opened.append(await Playback.open(Mixer()))
    stream = fake.streams[0]
    stream.play(480)
    for _ in range(3):
        stream.missed = True
        stream.play(480)
        stream.missed = False
        stream.play(480)
    await asyncio.sleep(0.1)
    figures = opened[0].figures()
    assert (figures.underruns, figures.callbacks, len(fake.streams)) == (3, 7, 1)
    assert figures.asked_latency_ms == 60


async def test_a_late_callback_counts_though_the_device_says_nothing(
    fake: FakeSoundDevice, opened: list[Playback], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(100.0)
    monkeypatch.setattr(portaudio, "time", SimpleNamespace(monotonic=clock))
    fake.plug("Speakers")
    fake.look()
    opened.append(await Playback.open(Mixer()))
    stream = fake.streams[0]
    for pause in (0.0, 2.5, 0.01, 0.06, 0.08):
        clock.now += pause
        stream.play(480)
    figures = opened[0].figures()
    assert figures.underruns == 2
    assert figures.largest_gap_ms == pytest.approx(2500)


async def test_a_device_for_one_stream_only_is_given_back_before_it_is_opened_again(
    fake: FakeSoundDevice, opened: list[Playback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portaudio, "_SETTLE_SECONDS", -1.0)
    fake.plug("Speakers")
    fake.look()
    fake.exclusive = True
    mixer, changes = Mixer(), Changes()
    voice = say(mixer)
    opened.append(await Playback.open(mixer, on_change=changes))
    stream = fake.streams[0]
    stream.play(480)
    await asyncio.sleep(0.05)
    stream.missed = True
    for _ in range(playback_module._STORM_UNDERRUNS):
        stream.play(480)
    await until(lambda: "80 ms" in opened[0].hint, what="the step")
    assert fake.streams[-1].latency == 0.08
    assert fake.streams[-1].play(480).any()
    pulled = voice.pulled
    await asyncio.sleep(0.1)
    assert voice.pulled == pulled
    assert [name for name, hint in changes] == ["Speakers", "Speakers"]


async def test_the_way_from_mouth_to_ear_is_the_sum_of_its_parts(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer = Mixer()
    voice = say(mixer)
    opened.append(await Playback.open(mixer))
    assert opened[0].figures().mouth_to_ear_ms is None
    for _ in range(300):
        fake.streams[0].play(480)
    assert opened[0].figures().latency_ms == pytest.approx(25.0, abs=0.1)
    for number in range(10_000):
        voice.figures = Playout(played_ms=float(number), depth_ms=60.0, target_ms=40.0)
        if opened[0].figures().mouth_to_ear_ms is not None:
            break
        await asyncio.sleep(0.005)
    figures = opened[0].figures(network_ms=30.0)
    assert figures.mouth_to_ear_ms == pytest.approx(20 + 30 + 60 + 25 + 1 / 3, abs=0.2)
    # More waits than should: more is taken.
    assert figures.drift_ppm > 0


async def test_another_default_of_the_sound_server_is_said_once(
    fake: FakeSoundDevice, opened: list[Playback], monkeypatch: pytest.MonkeyPatch
) -> None:
    watches: list[Callable[[], None]] = []

    class Watch:
        def __init__(self, changed: Callable[[], None]) -> None:
            watches.append(changed)

        def start(self) -> None:
            pass

        async def aclose(self) -> None:
            pass

    names = ["Loudspeakers"]
    monkeypatch.setattr(hotplug, "Watch", Watch)
    monkeypatch.setattr(hotplug, "server_output", lambda: names[-1])
    fake.plug("default")
    fake.look()
    changes = Changes()
    opened.append(await Playback.open(Mixer(), on_change=changes))
    assert changes == [("Loudspeakers", "")]
    names.append("Headphones")
    for _ in range(3):
        watches[0]()
    await until(lambda: len(changes) > 1, what="the news")
    await asyncio.sleep(0.05)
    assert changes[1:] == [("Headphones", "")]
    assert len(fake.streams) == 1


async def test_a_busy_neighbour_does_not_hide_a_new_output(fake: FakeSoundDevice, opened: list[Playback]) -> None:
    """A microphone is open: PortAudio must not be restarted for nothing, but it must for what came."""
    fake.plug("Webcam", inputs=1, outputs=0)
    fake.look()
    microphone = portaudio.open_input("Webcam", lambda block, rate: None)
    opened.append(await Playback.open(Mixer()))
    assert opened[0].name is None
    await asyncio.sleep(0.1)
    assert (fake.starts, fake.streams[0].closed) == (0, False)
    fake.plug("Speakers")
    await until(lambda: opened[0].name == "Speakers", what="the output")
    assert fake.streams[0].closed
    microphone.close()


async def test_the_callback_leaves_nothing_to_the_garbage_collector(
    fake: FakeSoundDevice, opened: list[Playback]
) -> None:
    fake.plug("Speakers")
    fake.look()
    mixer = Mixer()
    mixer.listen(lambda block: None)
    say(mixer)
    opened.append(await Playback.open(mixer))
    stream = fake.streams[0]
    stream.play(480)
    gc.collect()
    gc.disable()
    try:
        for _ in range(200):
            stream.play(480)
        assert gc.collect() == 0
    finally:
        gc.enable()
