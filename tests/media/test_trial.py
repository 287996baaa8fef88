"""Trying devices: what is played, what a microphone is said to deliver, and that devices are given back."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.media.plugged import plugged
from tests.waiting import until
from tui.errors import DeviceError
from tui.media import portaudio
from tui.media.trial import MicrophoneTrial, play_tone


async def test_the_tone_is_short_soft_at_its_ends_and_gives_the_device_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = plugged(monkeypatch)
    fake.plug("Speakers", rate=44_100.0)
    playing = asyncio.create_task(asyncio.to_thread(play_tone, "Speakers"))
    await until(lambda: fake.streams and fake.streams[0].active)
    stream = fake.streams[0]
    heard = np.concatenate([stream.play(stream.samplerate // 100) for _ in range(150)])[:, 0]
    assert await playing == "Speakers"
    assert stream.closed
    sounding = heard[: stream.samplerate]
    spectrum = np.abs(np.fft.rfft(sounding))
    assert spectrum.argmax() == 660
    assert np.abs(sounding).max() == pytest.approx(0.2, rel=0.01)
    assert not heard[stream.samplerate :].any()
    assert np.abs(np.diff(heard)).max() < 0.03


async def test_an_output_that_takes_no_sound_is_an_error_and_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = plugged(monkeypatch)
    fake.plug("Speakers")
    monkeypatch.setattr(portaudio, "START_WITHIN", -2.9)
    with pytest.raises(DeviceError, match="takes no sound"):
        await asyncio.to_thread(play_tone)
    assert fake.streams[0].closed


@pytest.mark.parametrize(
    ("sample", "verdict"),
    [
        (0.0, "silence"),
        (0.0005, "silence"),
        (0.125, "sound, peak -18 dBFS"),
        (1.0, "sound that is too loud, peak 0 dBFS"),
        (np.nan, "silence"),
    ],
)
def test_what_a_microphone_delivers_is_said(monkeypatch: pytest.MonkeyPatch, sample: float, verdict: str) -> None:
    fake = plugged(monkeypatch)
    fake.plug("Headset", inputs=1, outputs=0)
    trial = MicrophoneTrial.open("Headset")
    assert (trial.name, trial.verdict) == ("Headset", "nothing")
    fake.streams[0].record(np.full(480, sample, dtype=np.float32))
    assert trial.verdict == verdict
    assert (trial.level > 0.3) is (sample > 0.1)
    trial.close()
    trial.close()
    assert fake.streams[0].closed


def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch)
    for attempt in (play_tone, MicrophoneTrial.open):
        with pytest.raises(DeviceError, match="Headset"):
            attempt("Headset")
