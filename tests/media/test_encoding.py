"""The own sound as Opus: what leaves, what is held back, and how it is protected on a lossy line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.hearing import pitch
from tests.waiting import Clock
from tui.media import encoding
from tui.media.encoding import LOSS_LIMIT, Coding, OpusEncoder, opus_encoder
from tui.media.generated import VoiceAudio
from tui.media.libopus import library
from tui.media.opus import OpusDecoder
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE
from tui.media.tracks import stereo_frame

if TYPE_CHECKING:
    from tui.media.sound import Samples

pytestmark = pytest.mark.skipif(library() is None, reason="no libopus here")


def tone(seconds: float, frequency: float = 440.0, amplitude: float = 0.3) -> Samples:
    at = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def speech(seconds: float) -> Samples:
    voice = VoiceAudio(120.0, lambda _: True)
    return np.concatenate([voice.samples(start) for start in range(0, int(seconds * SAMPLE_RATE), FRAME_SAMPLES)])


def silence(seconds: float) -> Samples:
    return np.zeros(int(seconds * SAMPLE_RATE), dtype=np.float32)


def encoded(encoder: OpusEncoder, sound: Samples, start: int = 0) -> list[tuple[int, bytes]]:
    """What is sent of a sound, each packet with its time."""
    found = []
    for first in range(0, len(sound), FRAME_SAMPLES):
        frame = stereo_frame(sound[first : first + FRAME_SAMPLES], start + first)
        payloads, timestamp = encoder.encode(frame)
        assert timestamp == start + first
        found += [(timestamp, payload) for payload in payloads]
    return found


def decoded(packets: list[tuple[int, bytes]]) -> Samples:
    decoder = OpusDecoder()
    return np.concatenate([decoder.decode(payload).copy() for _, payload in packets])


def test_what_is_encoded_is_heard_as_it_was() -> None:
    packets = encoded(OpusEncoder(Coding()), tone(1.0))
    assert [at for at, _ in packets] == list(range(0, SAMPLE_RATE, FRAME_SAMPLES))
    # The third bit of the first byte says stereo (RFC 6716, 3.1).
    assert not any(payload[0] & 4 for _, payload in packets)
    heard = decoded(packets)[SAMPLE_RATE // 2 :]
    assert pitch(heard) == pytest.approx(440, abs=2)
    assert np.abs(heard).max() == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("bitrate", [8, 32, 96])
def test_the_bitrate_is_the_chosen_one(bitrate: int) -> None:
    packets = encoded(OpusEncoder(Coding(bitrate)), speech(4.0))
    assert sum(len(payload) for _, payload in packets) * 8 / 4000 == pytest.approx(bitrate, rel=0.3)


def test_with_dtx_hardly_anything_is_sent_of_silence() -> None:
    encoder = OpusEncoder(Coding(dtx=True))
    encoded(encoder, speech(1.0))
    packets = encoded(encoder, silence(10.0), start=SAMPLE_RATE)
    pause = [at for at, _ in packets if at > 2 * SAMPLE_RATE]
    assert 9 * SAMPLE_RATE / 0.4 / SAMPLE_RATE <= len(pause) + 2 < 60
    assert max(np.diff(pause)) <= 0.4 * SAMPLE_RATE
    # Said once at its beginning: nothing follows.
    assert [len(payload) for _, payload in packets if len(payload) <= 2]
    again = encoded(encoder, speech(1.0), start=11 * SAMPLE_RATE)
    assert again[0][0] <= 11 * SAMPLE_RATE + 2 * FRAME_SAMPLES
    assert len(again) >= 40


def test_without_dtx_silence_is_sent_in_full() -> None:
    assert len(encoded(OpusEncoder(Coding()), silence(3.0))) == 150


@pytest.mark.parametrize("protected", [False, True])
def test_nothing_of_the_voice_is_in_the_packets_of_silence(protected: bool) -> None:
    """Neither what the codec overlaps with the past nor the copy that forward error correction adds."""
    clock = Clock()
    encoder = OpusEncoder(Coding(), clock)
    if protected:
        report(encoder, clock, 0.2, times=5)
    encoded(encoder, speech(1.0))
    for _, payload in encoded(encoder, silence(0.5)):
        assert not OpusDecoder().has_copy(payload)
        assert np.abs(OpusDecoder().decode(payload)).max() < 1e-3


# -- losses ------------------------------------------------------------------------------------------


def report(encoder: OpusEncoder, clock: Clock, fraction: float, times: int, every: float = 1.0) -> None:
    for _ in range(times):
        clock.now += every
        encoder.hear_loss(fraction)


def copies(encoder: OpusEncoder) -> int:
    """How many of the packets of a second of speech carry the one before."""
    decoder = OpusDecoder()
    return sum(decoder.has_copy(payload) for _, payload in encoded(encoder, speech(1.0)))


def test_a_lossy_line_is_protected_and_a_clean_one_not() -> None:
    clock = Clock()
    encoder = OpusEncoder(Coding(), clock)
    assert copies(encoder) == 0
    report(encoder, clock, 0.05, times=5)
    assert encoder.protects == pytest.approx(4, abs=1)
    assert copies(encoder) > 30
    report(encoder, clock, 0.015, times=20)
    assert encoder.protects, "between both limits it stays as it is"
    report(encoder, clock, 0.0, times=5)
    assert encoder.protects == 0
    encoded(encoder, speech(0.2))
    assert copies(encoder) == 0
    report(encoder, clock, 0.015, times=20)
    assert encoder.protects == 0, "between both limits it stays as it is"


def test_one_lost_packet_is_no_lossy_line_but_a_long_report_is() -> None:
    clock = Clock()
    encoder = OpusEncoder(Coding(), clock)
    report(encoder, clock, 1 / 50, times=1)
    report(encoder, clock, 0.0, times=3)
    assert encoder.protects == 0
    # libwebrtc reports every five seconds.
    report(encoder, clock, 0.05, times=1, every=5.0)
    assert encoder.protects


def test_what_is_reported_is_believed_within_reason() -> None:
    clock = Clock()
    encoder = OpusEncoder(Coding(), clock)
    report(encoder, clock, 1.0, times=1000, every=0.0)
    assert encoder.protects == 0
    report(encoder, clock, 1.0, times=10)
    assert encoder.protects == LOSS_LIMIT


def test_a_lost_frame_comes_back_from_the_next_packet() -> None:
    clock = Clock()
    encoder = OpusEncoder(Coding(), clock)
    report(encoder, clock, 0.1, times=10)
    packets = encoded(encoder, speech(2.0))

    def heard(lost: set[int]) -> Samples:
        decoder, parts = OpusDecoder(), []
        for number, (_, payload) in enumerate(packets):
            if number in lost:
                parts.append(decoder.recover(packets[number + 1][1], FRAME_SAMPLES).copy())
            else:
                parts.append(decoder.decode(payload).copy())
        return np.concatenate(parts)

    # Between two syllables there is nothing to copy.
    lost = {number for number in range(20, 90, 7) if OpusDecoder().has_copy(packets[number + 1][1])}
    assert len(lost) > 5
    whole, mended = heard(set()), heard(lost)
    for number in lost:
        frame = slice(number * FRAME_SAMPLES, (number + 1) * FRAME_SAMPLES)
        assert np.corrcoef(whole[frame], mended[frame])[0, 1] > 0.6


def test_without_libopus_it_is_left_to_aiortc(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(encoding, "library", lambda: None)
    assert opus_encoder(Coding()) is None
    assert "libopus" in caplog.text
