"""Echo cancellation: what is played does not come back through the microphone, what is said does."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tui.media import echo
from tui.media.echo import BLOCK, EchoCanceller
from tui.media.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.media.sound import Samples

DELAY = 0.06


def murmur(seed: int, seconds: float) -> Samples:
    """Noise with the spectrum and the rhythm of speech."""
    count = int(seconds * SAMPLE_RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    sound = np.fft.irfft(spectrum * (frequencies > 100) / (1 + (frequencies / 700) ** 2) ** 0.7, count)
    at = np.arange(count) / SAMPLE_RATE
    rhythm = np.clip(np.sin(2 * np.pi * 3 * at + seed) + np.sin(2 * np.pi * 0.7 * at), 0.0, None)
    spoken: Samples = (0.4 * sound / np.abs(sound).max() * rhythm).astype(np.float32)
    return spoken


def echoed(sound: Samples) -> Samples:
    """As the microphone hears the loudspeaker."""
    delay = int(DELAY * SAMPLE_RATE)
    return np.concatenate([np.zeros(delay, dtype=np.float32), 0.4 * sound[:-delay]])


def decibels(sound: Samples, start: float, end: float) -> float:
    part = sound[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    return float(10 * np.log10(np.mean(np.square(part)) + 1e-12))


def through(canceller: EchoCanceller, played: Samples, recorded: Samples, block: int) -> Samples:
    """What is left of a recording while something is played by a device of such blocks."""
    left: list[Samples] = []
    for start in range(0, len(played) - block + 1, block):
        canceller.play(played[start : start + block])
        while (len(left) + 1) * BLOCK <= start + block:
            first = len(left) * BLOCK
            left.append(canceller.capture(recorded[first : first + BLOCK]))
    return np.concatenate(left)


@pytest.fixture
def canceller() -> Iterator[EchoCanceller]:
    pytest.importorskip("livekit.rtc")
    made = EchoCanceller()
    assert made.ready.wait(30.0)
    assert made.active
    yield made
    made.close()


@pytest.mark.parametrize("block", [BLOCK, 960, 1024])
def test_what_is_played_is_taken_out(canceller: EchoCanceller, block: int) -> None:
    far = murmur(1, 4.0)
    canceller.set_delay(DELAY)
    left = through(canceller, far, echoed(far), block)
    assert decibels(left, 2.0, 3.9) < decibels(echoed(far), 2.0, 3.9) - 20


def test_what_is_said_is_left(canceller: EchoCanceller) -> None:
    far = murmur(1, 5.0)
    far[3 * SAMPLE_RATE :] = 0.0
    near = murmur(2, 5.0)
    near[: 3 * SAMPLE_RATE] = 0.0
    left = through(canceller, far, echoed(far) + near, 960)
    assert decibels(left, 1.0, 3.0) < decibels(echoed(far), 1.0, 3.0) - 20
    assert decibels(left, 3.5, 4.9) > decibels(near, 3.5, 4.9) - 6
    assert np.abs(left).max() <= 1.0


def test_both_at_once_leave_the_voice(canceller: EchoCanceller) -> None:
    far, near = murmur(1, 6.0), murmur(2, 6.0)
    near[: 3 * SAMPLE_RATE] = 0.0
    left = through(canceller, far, echoed(far) + near, 960)
    assert decibels(left, 3.5, 5.9) > decibels(near, 3.5, 5.9) - 6
    assert decibels(left, 1.5, 3.0) < decibels(echoed(far), 1.5, 3.0) - 20


def test_what_waits_is_bounded(canceller: EchoCanceller) -> None:
    for _ in range(1000):
        canceller.play(np.zeros(960, dtype=np.float32))
    assert len(canceller._played) == echo._WAITING


def test_closed_it_lets_everything_pass(canceller: EchoCanceller) -> None:
    canceller.close()
    canceller.close()
    sound = murmur(1, 0.01)
    canceller.play(sound)
    assert canceller.capture(sound) is sound
    assert not canceller.active


def test_a_module_that_fails_lets_the_voice_pass(canceller: EchoCanceller, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_frame: object) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr(canceller._module, "process_stream", fail)
    sound = murmur(1, 0.01)
    assert canceller.capture(sound) is sound
    assert not canceller.active


def test_without_the_package_sound_passes_and_the_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "livekit", None)
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)
    assert not echo.available()
    assert echo.INSTALL in echo.status(True)
    made = EchoCanceller()
    assert made.ready.wait(30.0)
    sound = murmur(1, 0.01)
    made.play(sound)
    assert not made.active
    assert made.capture(sound) is sound


def test_the_line_for_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo, "available", lambda: True)
    assert echo.status(True) == "echo cancellation: on"
    assert echo.status(False) == "echo cancellation: off"


def test_the_package_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, tui.media.sources, tui.media.echo as e; e.available(); print('livekit.rtc' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.strip() == "False"
