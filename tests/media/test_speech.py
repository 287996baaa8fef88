"""When a muted person is told that nobody hears them."""

from __future__ import annotations

import numpy as np

from tui.media.generated import VoiceAudio
from tui.media.sound import FRAME_SAMPLES, loudness
from tui.media.speech import SpeechWatch

NOISE = 0.2


def speech(seconds: float) -> list[float]:
    """The loudness of a voice, frame by frame."""
    voice = VoiceAudio(120.0, lambda _: True)
    return [loudness(voice.samples(number * FRAME_SAMPLES)) for number in range(int(seconds * 50))]


def notices(watch: SpeechWatch, levels: list[float], muted: bool = True) -> list[int]:
    """The frames at which something is said."""
    return [number for number, level in enumerate(levels) if watch.hear(level, muted)]


def test_who_talks_while_muted_is_told_soon_and_seldom() -> None:
    found = notices(SpeechWatch(), [NOISE] * 50 + speech(25.0))
    assert 50 < found[0] < 100
    assert len(found) == 3
    assert min(np.diff(found)) >= 500


def test_who_is_heard_is_told_nothing() -> None:
    assert notices(SpeechWatch(), speech(20.0), muted=False) == []


def test_the_end_of_a_word_after_muting_is_no_talking() -> None:
    watch = SpeechWatch()
    notices(watch, speech(5.0), muted=False)
    assert notices(watch, speech(0.2) + [NOISE] * 200) == []


def test_a_cough_a_quiet_room_and_a_hum_are_no_talking() -> None:
    assert notices(SpeechWatch(), ([NOISE] * 100 + [0.9] * 8) * 20) == []
    assert notices(SpeechWatch(), [0.28, 0.1] * 1000) == []
    watch = SpeechWatch()
    notices(watch, [0.5] * 1500)
    assert notices(watch, [0.5] * 3000) == []
