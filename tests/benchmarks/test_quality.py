"""The judge of the audio benchmark finds what was done to speech."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks import quality, speech
from tests.benchmarks.quality import judge
from tests.benchmarks.speech import RATE

LATE = RATE // 10
why = speech.missing() or quality.missing()
pytestmark = pytest.mark.skipif(bool(why), reason=why)


def recording() -> quality.Sound:
    """The speech once, from second 1.1 on."""
    said = speech.speech().samples
    return np.pad(said, (RATE + LATE, RATE))


def test_what_comes_as_it_was_is_perfect_and_its_delay_is_found() -> None:
    verdict = judge(recording(), 1.0, laps=1)
    assert verdict.mean > 4.6
    assert verdict.missing == 0
    assert set(verdict.delays) == {100.0}


def test_a_tenth_in_holes_is_found_missing() -> None:
    heard = recording()
    random = np.random.default_rng(1)
    for first in range(0, len(heard), RATE // 50):
        if random.random() < 0.1:
            heard[first : first + RATE // 50] = 0
    verdict = judge(heard, 1.0, laps=1)
    assert verdict.missing == pytest.approx(0.1, abs=0.03)
    assert verdict.mean < 3


def test_a_delay_that_grows_in_a_sentence_is_followed() -> None:
    heard = recording()
    first, last = speech.speech().sentences[1]
    middle = RATE + LATE + (first + last) // 2
    heard = np.concatenate((heard[:middle], np.zeros(LATE, np.float32), heard[middle:]))
    delays = judge(heard, 1.0, laps=1).delays
    assert {delays[0], delays[-1]} == {100.0, 200.0}


def test_silence_is_all_missing() -> None:
    verdict = judge(np.zeros_like(recording()), 1.0, laps=1)
    assert (verdict.mean, verdict.missing, verdict.delays) == (1.0, 1.0, ())
