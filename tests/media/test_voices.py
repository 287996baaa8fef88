"""One remote voice over every kind of line: what is heard, by content, and what is counted."""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.hearing import pitch
from tests.media.line import FRAME, Line, Listener, babble, encoded, sent, tone
from tui.media import decoding, voices
from tui.media.opus import OpusDecoder
from tui.media.sound import SAMPLE_RATE
from tui.media.voices import Voice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.audio import AudioPacket
    from tui.media.sound import Samples

STEP = 0.02
HISS = np.random.default_rng(7)


@pytest.fixture(scope="module")
def spoken() -> list[bytes]:
    """Ten seconds of something like speech, with error correction."""
    return encoded(babble(10), loss=10)


@pytest.fixture(scope="module")
def hum() -> list[bytes]:
    """Ten seconds of 440 Hz."""
    return encoded(tone(10))


def strength(sound: Samples, frequency: float = 440.0) -> float:
    """Amplitude of one frequency."""
    at = np.arange(len(sound)) / SAMPLE_RATE
    return float(2 * np.abs(np.mean(sound * np.exp(-2j * np.pi * frequency * at))))


def second(sound: Samples, begin: float, end: float) -> Samples:
    return sound[int(begin * SAMPLE_RATE) : int(end * SAMPLE_RATE)]


def gaps(sound: Samples, longest: float = 0.02) -> list[float]:
    """Where a tone is silent for longer than this, in seconds."""
    loud = np.abs(sound[: len(sound) // 48 * 48]).reshape(-1, 48).max(axis=1) > 0.02
    edges = np.flatnonzero(np.diff(np.concatenate(([True], loud, [True])).astype(int)))
    return [float(begin) / 1000 for begin, end in edges.reshape(-1, 2) if end - begin > longest * 1000]


def steepest(sound: Samples) -> float:
    """The largest step from one sample to the next: a click is steep."""
    return float(np.abs(np.diff(sound)).max())


def delay(sound: Samples, said: Samples, at: float, length: float = 0.5) -> float:
    """Seconds from the mouth to the ear of what was said at that time."""
    part = second(said, at, at + length)
    around = second(sound, at, at + length + 1.0)
    products = np.correlate(around[::8], part[::8], "valid")
    energy = np.concatenate(([0.0], np.cumsum(np.square(around[::8], dtype=np.float64))))
    energies = energy[len(part[::8]) :] - energy[: -len(part[::8])]
    return float((products / np.sqrt(energies + 1e-3)).argmax()) * 8 / SAMPLE_RATE


# -- a good line -------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [64, 441, 480, 960, 1024, 4800])
def test_a_voice_is_heard_as_it_was_said_in_blocks_of_any_length(hum: list[bytes], block: int) -> None:
    listener = Listener(block)
    sound = second(listener.hear(sent(hum), 9), 1, 9)
    assert strength(second(sound, 0, 0.5)) == pytest.approx(0.5, rel=0.03)
    assert gaps(sound) == []
    assert steepest(sound) < 0.04
    figures = listener.voice.playout()
    assert (figures.lost, figures.late, figures.resets, figures.concealed_ms) == (0, 0, 0, 0.0)


def test_a_clean_line_is_no_worse_than_plain_decoding() -> None:
    payloads = encoded(babble(6))
    decoder = OpusDecoder()
    plain = np.concatenate([decoder.decode(payload).copy() for payload in payloads])
    heard = Listener().hear(sent(payloads), 6)
    # Sample by sample from the first pause on, in which the buffer shrinks to its least.
    late = round(delay(heard, plain, 2.5) * SAMPLE_RATE)
    assert late < 0.04 * SAMPLE_RATE
    assert np.allclose(second(heard, 3, 3.5), second(plain, 3 - late / SAMPLE_RATE, 3.5)[: SAMPLE_RATE // 2], atol=1e-4)


def test_nothing_is_heard_and_nothing_counted_before_the_first_packet() -> None:
    listener = Listener()
    assert not listener.hear([], 1).any()
    assert listener.voice.playout().played_ms == 0
    assert listener.voice.playout().concealed_ms == 0


def test_the_beginning_is_a_slope(hum: list[bytes]) -> None:
    assert steepest(Listener().hear(sent(hum), 1)) < 0.04


# -- losses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.10])
def test_what_is_lost_is_recovered_or_concealed(spoken: list[bytes], loss: float) -> None:
    listener = Listener()
    packets = Line(loss=loss).carry(sent(spoken * 6))
    depths: list[float] = []
    listener.hear(packets, 59, lambda figures: depths.append(figures.depth_ms))
    figures = listener.voice.playout()
    lost = len(spoken) * 6 * 59 // 60 - figures.packets
    assert figures.lost == pytest.approx(lost, abs=5)
    assert figures.recovered > 0.5 * figures.lost
    assert figures.concealed_ms == pytest.approx((figures.lost - figures.recovered) * 20, abs=100)
    assert (figures.late, figures.resets) == (0, 0)
    assert np.percentile(depths[500:], 95) <= 80


def test_a_lost_packet_is_no_gap_and_no_click_in_a_tone(hum: list[bytes]) -> None:
    packets = [packet for number, packet in enumerate(sent(hum)) if number not in (100, 200, 201, 300, 301, 302)]
    listener = Listener()
    sound = second(listener.hear(packets, 9), 1, 9)
    assert gaps(sound, 0.01) == []
    assert steepest(sound) < 0.1
    assert listener.voice.playout().lost == 6


def test_the_copy_in_the_next_packet_is_played(spoken: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost sounds more like what was said with the error correction than without."""
    lost = [number for number in range(20, 400, 6) if OpusDecoder().has_copy(spoken[number + 1])]
    packets = [packet for number, packet in enumerate(sent(spoken)) if number not in lost]
    whole = Listener().hear(sent(spoken), 9)
    errors = []
    for _ in range(2):
        listener = Listener()
        errors.append(float(np.square(listener.hear(packets, 9) - whole).sum()))
        assert listener.voice.playout().recovered == (len(lost) if len(errors) == 1 else 0)
        monkeypatch.setattr(OpusDecoder, "has_copy", lambda self, payload: False)
    assert errors[0] < 0.5 * errors[1]


def test_loss_and_jitter_stay_within_the_limits(spoken: list[bytes]) -> None:
    """The condition of the benchmark: 5 % of loss and 40 ms of jitter, packets overtaking each other."""
    listener = Listener()
    depths: list[float] = []
    listener.hear(
        Line(loss=0.05, jitter=0.04).carry(sent(spoken * 6)), 59, lambda figures: depths.append(figures.depth_ms)
    )
    figures = listener.voice.playout()
    assert np.percentile(depths[500:], 95) <= 120
    assert figures.late <= 0.02 * figures.packets
    assert figures.concealed_ms <= 0.05 * figures.played_ms
    assert figures.resets == 0


@pytest.mark.parametrize("keeps_order", [False, True])
@pytest.mark.parametrize("jitter", [0.02, 0.05])
def test_the_buffer_is_as_long_as_the_line_is_restless(hum: list[bytes], jitter: float, keeps_order: bool) -> None:
    listener = Listener()
    packets = Line(jitter=jitter, keeps_order=keeps_order, duplicates=0.1).carry(sent(hum * 3))
    targets: list[float] = []
    sound = listener.hear(packets, 29, lambda figures: targets.append(figures.target_ms))
    assert np.median(targets[500:]) == pytest.approx(2000 * jitter + 10, abs=20)
    figures = listener.voice.playout()
    assert figures.late <= 0.04 * figures.packets
    assert figures.duplicate == pytest.approx(0.1 * figures.packets, rel=0.3)
    assert gaps(second(sound, 2, 29)) == []


def test_the_buffer_shrinks_again_when_the_line_is_quiet(spoken: list[bytes]) -> None:
    listener = Listener()
    packets = sent(spoken * 6)
    rough = Line(jitter=0.08).carry(packets[:1000])
    targets: list[float] = []
    listener.hear(rough + packets[1008:], 59, lambda figures: targets.append(figures.target_ms))
    assert targets[1900] > 130
    assert targets[-1] < 60
    assert listener.voice.playout().depth_ms < 70


# -- silence -----------------------------------------------------------------------------------------


def test_a_silent_sender_is_neither_loss_nor_concealment() -> None:
    """DTX: one packet each 400 ms while nobody speaks, the numbers going on."""
    said = np.concatenate([tone(2), np.zeros(3 * SAMPLE_RATE, dtype=np.float32), tone(2)])
    payloads = encoded(said, dtx=True)
    packets, sequence, unsent = [], 1000, 0
    for packet in sent(payloads):
        unsent = unsent + 1 if len(packet.payload) <= 2 else 0
        if unsent % 20 <= 1:
            packets.append(replace(packet, sequence=sequence))
            sequence += 1
    assert len(packets) < len(payloads) - 100
    listener = Listener()
    sound = listener.hear(packets, 7)
    figures = listener.voice.playout()
    assert (figures.lost, figures.concealed_ms, figures.late, figures.resets) == (0, 0.0, 0, 0)
    assert strength(second(sound, 1, 1.5)) == pytest.approx(0.5, rel=0.03)
    assert np.abs(second(sound, 3, 4.5)).max() < 0.01
    assert strength(second(sound, 6, 6.5)) == pytest.approx(0.5, rel=0.03)
    assert delay(sound, said, 4.8, 0.5) < 0.08


def test_a_sender_that_pauses_without_saying_so_is_not_concealed(hum: list[bytes]) -> None:
    """As any sender without DTX that stops and goes on: the numbers go on, the time has passed."""
    packets = sent(hum)
    later = [replace(packet, sequence=packet.sequence - 100) for packet in packets[200:]]
    listener = Listener()
    listener.hear(packets[:100] + later, 8)
    figures = listener.voice.playout()
    assert (figures.lost, figures.concealed_ms, figures.resets) == (0, 0.0, 0)


def test_whoever_stops_fades_away_and_comes_back(hum: list[bytes]) -> None:
    packets = sent(hum)
    listener = Listener()
    sound = listener.hear([p for p in packets if not 2 <= p.arrival < 5], 8)
    assert not second(sound, 2.4, 5).any()
    assert steepest(sound) < 0.1
    assert strength(second(sound, 5.3, 5.8)) == pytest.approx(0.5, rel=0.05)
    assert listener.voice.playout().lost == pytest.approx(150, abs=2)
    assert listener.voice.level > 0


# -- latency -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("frozen", [0.3, 2.0])
def test_after_a_freeze_the_delay_is_as_before_within_five_seconds(frozen: float) -> None:
    said = babble(20)
    packets = Line(freeze=(5.0, 5.0 + frozen)).carry(sent(encoded(said)))
    listener = Listener()
    sound = listener.hear(packets, 20)
    before = delay(sound, said, 2.5)
    assert delay(sound, said, 10.5) == pytest.approx(before, abs=0.03)
    assert listener.voice.playout().resets == 0


def test_after_a_freeze_old_sound_is_not_played(hum: list[bytes]) -> None:
    """440 Hz are frozen for two seconds while the sender goes on to 880: what was left of 440 is over at once."""
    packets = sent(encoded(np.concatenate([tone(4), tone(4, 880.0)])))
    listener = Listener()
    sound = listener.hear(Line(freeze=(2.2, 4.8)).carry(packets), 8)
    assert strength(second(sound, 5.0, 5.5)) < 0.02
    assert strength(second(sound, 5.0, 5.5), 880.0) == pytest.approx(0.5, rel=0.05)
    assert steepest(second(sound, 1, 8)) < 0.12


def test_a_voice_nobody_pulled_is_heard_from_now_on(hum: list[bytes]) -> None:
    voice_packets = sent(encoded(np.concatenate([tone(8), tone(4, 880.0)])))
    listener = Listener()
    for packet in voice_packets[:420]:
        listener.voice.push(packet)
    listener.pause(8.4)
    sound = listener.hear(voice_packets[420:], 2.0)
    assert strength(second(sound, 0.5, 1.0), 880.0) == pytest.approx(0.5, rel=0.05)
    assert listener.voice.playout().depth_ms < 100
    figures = listener.voice.playout()
    assert figures.late >= 420 - 256
    assert figures.packets == 520


@pytest.mark.parametrize(("stalled", "at_once"), [(3.0, 3.0), (3.0, 1.5), (0.3, 0.3), (0.0, 2.0)])
def test_a_device_that_asks_for_much_at_once_is_not_waited_for_twice(
    spoken: list[bytes], stalled: float, at_once: float
) -> None:
    """A stall of it, or one draught: within three seconds a packet waits as long as before."""
    listener = Listener()
    coming = sent(spoken * 2)
    voice, block = listener.voice, np.empty(480, dtype=np.float32)
    depths: list[float] = []

    def pull(now: float) -> None:
        listener.clock.now = now
        while coming and coming[0].arrival <= now:
            voice.push(coming.pop(0))
        voice.pull(block)

    for number in range(500):
        pull(number / 100)
    before = voice.playout().depth_ms
    for _ in range(round(100 * at_once)):
        pull(5.0 + stalled)
    for number in range(1000):
        pull(5.0 + stalled + number / 100)
        depths.append(voice.playout().depth_ms)
    assert max(depths[300:]) < before + 15


@pytest.mark.parametrize("skew", [200, -200])
def test_half_an_hour_of_a_clock_that_is_200_ppm_off(skew: int) -> None:
    """The buffer stays within 20 ms of its target, second by second; nothing is reset, nothing is missing."""
    payloads = encoded(babble(20)) * 90
    listener = Listener(960)
    off: list[float] = []
    sound = listener.hear(Line(skew=skew).carry(sent(payloads)), 1795, lambda f: off.append(f.depth_ms - f.target_ms))
    means = np.array(off[: len(off) // 50 * 50]).reshape(-1, 50).mean(axis=1)[5:]
    assert np.abs(means).max() <= 20
    figures = listener.voice.playout()
    assert (figures.resets, figures.late, figures.lost) == (0, 0, 0)
    assert figures.concealed_ms == 0
    assert steepest(second(sound, 1, 1795)) < 0.2


def test_a_fast_tone_without_a_pause_is_shortened_by_its_period(hum: list[bytes]) -> None:
    listener = Listener()
    depths: list[float] = []
    sound = listener.hear(Line(skew=5000).carry(sent(hum * 6)), 58, lambda figures: depths.append(figures.depth_ms))
    assert max(depths[500:]) < 100
    assert gaps(second(sound, 1, 58)) == []
    assert steepest(second(sound, 1, 58)) < 0.06
    figures = listener.voice.playout()
    assert (figures.resets, figures.lost, figures.late) == (0, 0, 0)


def test_a_sender_of_44100_labelled_48000_is_heard_without_a_growing_delay(
    hum: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Each packet says 20 ms and comes after 21.8; that is said once."""
    listener = Listener()
    depths: list[float] = []
    sound = listener.hear(
        Line(skew=(44_100 / 48_000 - 1) * 1e6).carry(sent(hum * 3)), 30, lambda f: depths.append(f.depth_ms)
    )
    assert max(depths[500:]) < 250
    assert gaps(second(sound, 1, 30), 0.03) == []
    assert listener.voice.playout().resets <= 1
    assert [record.message for record in caplog.records if "odd clock" in record.message] == [
        "a sender has an odd clock, -8 %: what it says is stretched or cut"
    ]


@pytest.mark.parametrize("spoiled", ["nothing", "jitter", "jump", "pause"])
def test_a_clock_is_not_odd_for_what_the_line_does(
    spoiled: str, hum: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    packets = sent(hum * 3)
    if spoiled == "jump":
        packets = renumbered(packets, 12, timestamp=1 << 31)
    elif spoiled == "pause":
        packets = [packet for packet in packets if not 8 < packet.arrival < 14]
        packets = renumbered(packets, 14, timestamp=-5 * SAMPLE_RATE)
    line = Line(jitter=0.1, loss=0.1) if spoiled == "jitter" else Line(skew=200)
    Listener().hear(line.carry(packets), 30)
    assert "odd clock" not in caplog.text


# -- hostile numbers ---------------------------------------------------------------------------------


def renumbered(packets: Sequence[AudioPacket], after: float, **steps: int) -> list[AudioPacket]:
    """The packets from that time on with other numbers."""
    sequence, timestamp, ssrc = (steps.get(name, 0) for name in ("sequence", "timestamp", "ssrc"))
    return [
        packet
        if packet.arrival < after
        else replace(
            packet,
            sequence=packet.sequence + sequence & 0xFFFF,
            timestamp=packet.timestamp + timestamp & 0xFFFFFFFF,
            ssrc=packet.ssrc + ssrc,
        )
        for packet in packets
    ]


@pytest.mark.parametrize(
    "steps",
    [
        {"ssrc": 1},
        {"ssrc": 1, "sequence": 12_345, "timestamp": 987_654_321},
        {"sequence": 30_000},
        {"sequence": -30_000},
        {"timestamp": 1 << 31},
        {"timestamp": -(1 << 31) + 1},
        {"timestamp": -SAMPLE_RATE},
        {"timestamp": -10 * SAMPLE_RATE},
        {"timestamp": SAMPLE_RATE},
        {"timestamp": 100 * SAMPLE_RATE},
        {"sequence": -500, "timestamp": -500 * FRAME},
    ],
    ids=str,
)
def test_playing_begins_anew_within_200_ms(steps: dict[str, int]) -> None:
    before, after = tone(3), tone(5, 880.0)
    said = np.concatenate([before, after])
    listener = Listener()
    sound = listener.hear(renumbered(sent(encoded(before) + encoded(after)), 3.0, **steps), 8)
    assert strength(second(sound, 3.2, 3.7), 880.0) == pytest.approx(0.5, rel=0.06)
    assert strength(second(sound, 3.2, 3.7)) < 0.02
    assert gaps(second(sound, 1, 8), 0.15) == []
    assert steepest(sound) < 0.15
    figures = listener.voice.playout()
    assert figures.resets <= 1
    assert figures.depth_ms < 80
    assert delay(sound, said, 2.9, 0.9) < 0.1


def test_numbers_wrap(hum: list[bytes]) -> None:
    listener = Listener()
    packets = sent(hum, sequence=65_300, timestamp=(1 << 32) - 100 * FRAME)
    sound = listener.hear(Line(loss=0.02, jitter=0.03).carry(packets), 9)
    assert gaps(second(sound, 1, 9)) == []
    figures = listener.voice.playout()
    assert figures.resets == 0
    assert figures.late < 10


@pytest.mark.parametrize("run", [1, 2, 3, 10])
@pytest.mark.parametrize("ssrc", [1, 2], ids=["same", "other"])
def test_two_who_send_at_once_do_not_make_it_flip_without_end(run: int, ssrc: int) -> None:
    one = sent(encoded(tone(20)))
    other = sent(encoded(tone(20, 880.0)), sequence=40_000, timestamp=1 << 30, ssrc=ssrc)
    packets = [p for first in range(0, 1000, run) for part in (one, other) for p in part[first : first + run]]
    packets = [replace(packet, arrival=number / 100) for number, packet in enumerate(packets)]
    listener = Listener()
    listener.hear(packets, 20)
    assert listener.voice.playout().resets <= (0 if run < 3 else 9)


def test_a_single_stray_packet_changes_nothing(hum: list[bytes]) -> None:
    packets = sent(hum)
    strays = [
        replace(packets[100], ssrc=9),
        replace(packets[150], sequence=packets[150].sequence + 20_000),
        replace(packets[200], timestamp=7),
    ]
    listener = Listener()
    sound = listener.hear(sorted([*packets, *strays], key=lambda packet: packet.arrival), 9)
    assert gaps(second(sound, 1, 9)) == []
    assert steepest(second(sound, 1, 9)) < 0.04
    assert listener.voice.playout().resets == 0


# -- hostile payloads --------------------------------------------------------------------------------

PAYLOADS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda payload: b"",
    "one byte": lambda payload: payload[:1],
    "one byte of nonsense": lambda payload: b"\xff",
    "1276": lambda payload: payload + bytes(1276 - len(payload)),
    "65000": lambda payload: bytes(65_000),
    "random": lambda payload: HISS.bytes(len(payload)),
    "truncated": lambda payload: payload[:10],
}


@pytest.mark.parametrize("kind", PAYLOADS)
@pytest.mark.parametrize("count", [1, 5])
def test_a_broken_payload_costs_200_ms_at_most(hum: list[bytes], kind: str, count: int) -> None:
    packets = sent(hum)
    for number in range(100, 100 + count):
        packets[number] = replace(packets[number], payload=PAYLOADS[kind](packets[number].payload))
    listener = Listener()
    sound = listener.hear(packets, 9)
    end = 2 + count * 0.02
    assert strength(second(sound, end + 0.2, end + 0.7)) == pytest.approx(0.5, rel=0.03)
    assert gaps(second(sound, 1, 9), 0.05 if count == 1 else 0.2) == []
    assert np.isfinite(sound).all()
    figures = listener.voice.playout()
    if kind in ("empty", "1276", "65000"):
        assert figures.malformed == count
        assert figures.lost == count
    assert figures.resets == 0


def test_a_packet_of_nothing_between_others_is_no_gap(hum: list[bytes]) -> None:
    """Padding takes a number of its own, though no time (RTP-1)."""
    packets = sent(hum)
    after = [replace(packet, sequence=packet.sequence + 1) for packet in packets[100:]]
    padding = replace(packets[100], payload=b"")
    listener = Listener()
    sound = second(listener.hear([*packets[:100], padding, *after], 9), 1, 9)
    assert steepest(sound) < 0.04
    figures = listener.voice.playout()
    assert (figures.malformed, figures.lost, figures.concealed_ms) == (1, 0, 0.0)


def together(payloads: Sequence[bytes]) -> bytes:
    """One packet of many frames of different lengths."""
    assert len({payload[0] for payload in payloads}) == 1
    lengths = bytes(len(payload) - 1 for payload in payloads[:-1])
    assert max(lengths) < 252
    frames = b"".join(payload[1:] for payload in payloads)
    return bytes([payloads[0][0] | 3, 0x80 | len(payloads)]) + lengths + frames


@pytest.mark.parametrize("milliseconds", [2.5, 5, 10, 40, 60, 120])
def test_frames_of_every_length(milliseconds: float) -> None:
    frame = int(milliseconds * 48)
    if milliseconds == 120:
        # Longer than the encoder makes them: six frames with one head (RFC 6716, 3.2.5).
        single = encoded(tone(6))
        payloads = [together(single[start : start + 6]) for start in range(0, len(single), 6)]
    else:
        payloads = encoded(tone(6), frame=frame)
    packets = [
        replace(packet, timestamp=5000 + number * frame, arrival=(number + 1) * frame / SAMPLE_RATE)
        for number, packet in enumerate(sent(payloads))
    ]
    listener = Listener()
    sound = listener.hear(packets, 5)
    assert gaps(second(sound, 1, 5)) == []
    assert strength(second(sound, 2, 2.5)) == pytest.approx(0.5, rel=0.05)
    assert listener.voice.playout().lost == 0


def test_mono_and_stereo_by_turns(hum: list[bytes]) -> None:
    """The bit that says stereo, set where it is a lie, is played or concealed."""
    packets = sent(hum)
    for number in range(100, 150, 2):
        payload = packets[number].payload
        packets[number] = replace(packets[number], payload=bytes([payload[0] ^ 4]) + payload[1:])
    listener = Listener()
    sound = listener.hear(packets, 9)
    assert np.isfinite(sound).all()
    assert strength(second(sound, 3.2, 3.7)) == pytest.approx(0.5, rel=0.03)


def test_what_is_no_number_becomes_silence(hum: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    decode = OpusDecoder.decode
    calls: list[int] = []

    def broken(self: OpusDecoder, payload: bytes) -> Samples:
        sound = decode(self, payload)
        calls.append(1)
        if 100 <= len(calls) < 110:
            sound = sound.copy()
            sound[::7] = np.nan
            sound[::11] = np.inf
        return sound

    monkeypatch.setattr(OpusDecoder, "decode", broken)
    sound = Listener().hear(sent(hum), 9)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1.0
    assert strength(second(sound, 4, 4.5)) == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("numbers", ["right", "any"])
def test_random_packets_raise_nothing(numbers: str) -> None:
    chance = random.Random(3)
    packets = sent([chance.randbytes(chance.choice([0, 1, 2, 3, 60, 500, 1275, 1400])) for _ in range(3000)])
    if numbers == "any":
        packets = [
            replace(
                packet,
                sequence=chance.getrandbits(16),
                timestamp=chance.getrandbits(32),
                ssrc=chance.getrandbits(1),
                codec=chance.choice(["opus", "pcmu", "g722", "what"]),
                clock_rate=chance.choice([0, 8000, 48_000, -5]),
                level=chance.choice([None, 0, 127, 1000]),
            )
            for packet in packets
        ]
    listener = Listener()
    sound = listener.hear(packets, 60)
    assert np.isfinite(sound).all()
    assert listener.voice.playout().packets == 3000
    assert 0 <= listener.voice.level <= 1
    assert listener.voice.playout().resets <= 62
    listener.hear([], 2)
    assert not listener.hear([], 1).any()


def test_packets_that_bring_no_sound_renew_the_decoder(hum: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[OpusDecoder] = []
    create = decoding.decoder_for

    def creating(codec: str) -> decoding.Decoder:
        decoder = create(codec)
        assert isinstance(decoder, OpusDecoder)
        made.append(decoder)
        return decoder

    def refuse(payload: bytes) -> Samples:
        raise ValueError("spoilt")

    monkeypatch.setattr(voices, "decoder_for", creating)
    listener = Listener()
    listener.hear(sent(hum), 2)
    monkeypatch.setattr(made[0], "decode", refuse)
    sound = listener.hear([], 4)
    assert len(made) == 2
    assert strength(second(sound, 2.5, 3.0)) == pytest.approx(0.5, rel=0.03)
    figures = listener.voice.playout()
    assert figures.resets == 1
    assert figures.malformed > 10


@pytest.mark.parametrize("step", [0, 1])
def test_long_packets_that_all_claim_the_same_time_cost_next_to_nothing(
    hum: list[bytes], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """120 ms of each, of which a sample is new, after a pause that leaves too much to wait for."""
    decoded: list[bytes] = []
    decode = OpusDecoder.decode

    def counted(decoder: OpusDecoder, payload: bytes) -> Samples:
        decoded.append(payload)
        return decode(decoder, payload)

    monkeypatch.setattr(OpusDecoder, "decode", counted)
    listener = Listener()
    packets = sent(hum[:100])
    listener.hear(packets, 3)
    decoded.clear()
    last = packets[-1]
    endless = [
        replace(
            last,
            sequence=last.sequence + number,
            timestamp=last.timestamp + FRAME + step * number,
            payload=bytes([0xFB, 6]) + bytes(40),
            arrival=3.0 + number / 1000,
        )
        for number in range(1, 1000)
    ]
    listener.hear([replace(packet, arrival=3.0) for packet in endless[:200]] + endless[200:], 2)
    assert len(decoded) < 2 / 0.12
    assert listener.voice.playout().packets == 1099


def test_a_flood_is_bounded(hum: list[bytes]) -> None:
    voice = Voice()
    for number in range(100_000):
        voice.push(replace(sent(hum[:1])[0], sequence=number & 0xFFFF, timestamp=number * FRAME))
    voice.pull(np.empty(480, dtype=np.float32))
    figures = voice.playout()
    assert figures.packets == 100_000
    assert figures.late >= 100_000 - 600
    assert figures.depth_ms <= 256 * 20


def test_one_hostile_voice_leaves_the_others_untouched(hum: list[bytes]) -> None:
    """Of four voices one gets everything that is bad; the others sound sample by sample as without it."""
    chance = random.Random(5)
    bad = [
        replace(
            packet,
            payload=chance.choice([b"", b"\x01", chance.randbytes(1400), chance.randbytes(80), packet.payload]),
            sequence=chance.choice([packet.sequence, chance.getrandbits(16)]),
            timestamp=chance.choice([packet.timestamp, chance.getrandbits(32)]),
        )
        for packet in sent(hum)
    ]
    lines = [Line(seed=seed, loss=0.02, jitter=0.02).carry(sent(hum)) for seed in (1, 2, 3)]
    alone = [Listener().hear(packets, 9) for packets in lines]
    listeners = [Listener() for _ in range(4)]
    together: list[list[Samples]] = [[] for _ in range(4)]
    for tenth in range(90):
        for place, (listener, packets) in enumerate(zip(listeners, [*lines, bad], strict=True)):
            now = [p for p in packets if tenth / 10 <= p.arrival < (tenth + 1) / 10]
            together[place].append(listener.hear(now, 0.1))
    for expected, parts in zip(alone, together, strict=False):
        assert np.array_equal(expected, np.concatenate(parts))


# -- other codecs ------------------------------------------------------------------------------------


def g711(sound: Samples, codec: str) -> list[bytes]:
    return coded(sound, {"pcmu": "pcm_mulaw", "pcma": "pcm_alaw"}[codec], 8000)


def coded(sound: Samples, name: str, rate: int) -> list[bytes]:
    """The bytes of this codec, 20 ms a packet."""
    encoder = av.CodecContext.create(name, "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = rate, "mono", "s16"
    small = (sound[:: SAMPLE_RATE // rate] * 32767).astype(np.int16)
    data = b""
    for start in range(0, len(small), rate // 50):
        frame = av.AudioFrame.from_ndarray(small[None, start : start + rate // 50], format="s16", layout="mono")
        frame.sample_rate = rate
        data += b"".join(bytes(packet) for packet in encoder.encode(frame))
    return [data[start : start + 160] for start in range(0, len(data), 160)]


@pytest.mark.parametrize("codec", ["pcmu", "pcma", "g722"])
def test_the_other_codecs_are_heard_and_concealed(codec: str) -> None:
    payloads = coded(tone(6), "g722", 16_000) if codec == "g722" else g711(tone(6), codec)
    packets = [
        replace(packet, codec=codec, clock_rate=8000, timestamp=number * 160)
        for number, packet in enumerate(sent(payloads))
        if number not in (100, 150, 151)
    ]
    listener = Listener()
    sound = listener.hear(packets, 5)
    assert strength(second(sound, 1, 1.5)) == pytest.approx(0.5, rel=0.05)
    assert gaps(second(sound, 1, 5), 0.01) == []
    assert steepest(second(sound, 1, 5)) < 0.15
    assert listener.voice.playout().lost == 3


def test_without_libopus_it_is_decoded_plainly_and_said_once(
    hum: list[bytes], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (voices, decoding):
        monkeypatch.setattr(module, "library", lambda: None)
    voices._say_plain.cache_clear()
    for _ in range(2):
        listener = Listener()
        packets = [packet for number, packet in enumerate(sent(hum)) if number not in (100, 200)]
        packets[50] = replace(packets[50], payload=b"\xff\xff\xff")
        sound = listener.hear(packets, 9)
        assert strength(second(sound, 2.5, 3.0)) == pytest.approx(0.5, rel=0.03)
        assert gaps(second(sound, 2, 9), 0.015) == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "libopus" in caplog.text
    voices._say_plain.cache_clear()


def test_another_codec_is_another_stream() -> None:
    first = sent(encoded(tone(3)))
    payloads = g711(tone(3, 880.0), "pcmu")
    other = [
        replace(packet, codec="pcmu", clock_rate=8000, sequence=1150 + number, timestamp=number * 160)
        for number, packet in enumerate(sent(payloads, 3.0))
    ]
    sound = Listener().hear(first + other, 6)
    assert strength(second(sound, 3.3, 3.8), 880.0) == pytest.approx(0.5, rel=0.05)


# -- level and talking -------------------------------------------------------------------------------


def test_the_level_follows_the_voice_and_falls_in_600_ms(hum: list[bytes]) -> None:
    listener = Listener()
    assert listener.voice.level == 0.0
    listener.hear(sent(hum), 1)
    loud = listener.voice.level
    assert loud == pytest.approx(1 + 20 * np.log10(0.5 / np.sqrt(2)) / 60, abs=0.02)
    listener.clock.now += 0.3
    assert listener.voice.level == pytest.approx(loud - 0.5, abs=0.03)
    listener.clock.now += 5.0
    assert listener.voice.level == 0.0


def test_whoever_speaks_talks_and_a_pause_between_words_does_not_end_it() -> None:
    listener = Listener()
    said = np.concatenate([np.zeros(SAMPLE_RATE, dtype=np.float32), babble(3), tone(0.4, amplitude=0.0)])
    talks: list[bool] = []
    sound = np.concatenate([said, np.zeros(2 * SAMPLE_RATE, dtype=np.float32)])
    listener.hear(sent(encoded(sound)), 6, lambda figures: talks.append(listener.voice.talking))
    assert not any(talks[:90])
    assert all(talks[130:250])
    assert not any(talks[-50:])


def test_noise_below_the_threshold_does_not_talk() -> None:
    listener = Listener()
    noise = (HISS.standard_normal(3 * SAMPLE_RATE) * 0.002).astype(np.float32)
    talks: list[bool] = []
    listener.hear(sent(encoded(noise)), 3, lambda figures: talks.append(listener.voice.talking))
    assert not any(talks)


def test_the_level_extension_decides_where_it_is_sent(hum: list[bytes]) -> None:
    listener = Listener()
    packets = sent(hum)
    packets = [replace(p, level=127 if p.arrival < 2 else 20) for p in packets]
    talks: list[bool] = []
    listener.hear(packets, 4, lambda figures: talks.append(listener.voice.talking))
    assert not any(talks[:200])
    assert all(talks[220:])


# -- two threads -------------------------------------------------------------------------------------


def test_packets_come_while_another_thread_pulls(hum: list[bytes]) -> None:
    voice = Voice()
    stop = threading.Event()
    failures: list[BaseException] = []

    def pull() -> None:
        out = np.empty(480, dtype=np.float32)
        try:
            while not stop.is_set():
                voice.pull(out)
                assert np.isfinite(out).all()
        except BaseException as error:
            failures.append(error)

    puller = threading.Thread(target=pull)
    puller.start()
    packets = sent(hum * 10)
    for packet in packets:
        voice.push(packet)
        voice.playout()
    stop.set()
    puller.join()
    voice.pull(np.empty(480, dtype=np.float32))
    assert not failures
    assert voice.playout().packets == len(packets)


def test_the_pitch_stays_when_the_buffer_shrinks(hum: list[bytes]) -> None:
    sound = Listener().hear(Line(freeze=(3.0, 3.3)).carry(sent(hum)), 8)
    assert pitch(second(sound, 3.4, 5.4)) == pytest.approx(440, abs=2)


# -- at rest -----------------------------------------------------------------------------------------


class Sleeper(Listener):
    """A voice that is not pulled while it rests."""

    def sleep(self, packets: Sequence[AudioPacket], seconds: float) -> None:
        """Rest for so long while these packets arrive."""
        self.voice.rest()
        begun = self._pulled / SAMPLE_RATE + self._paused
        for packet in packets:
            self.clock.now = packet.arrival
            self.voice.push(packet)
        self.pause(seconds)
        self.clock.now = begun + seconds
        self.voice.wake()


@pytest.mark.parametrize("rest", [0.2, 3.0, 100.0])
def test_a_voice_that_rested_is_heard_from_the_first_word_on(rest: float) -> None:
    silence = round(50 * rest)
    word = 0.3 * tone(1)
    said = np.concatenate([tone(1), np.zeros(silence * FRAME, dtype=np.float32), word, np.zeros(FRAME * 25)])
    packets = sent(encoded(said.astype(np.float32)))
    sleeper = Sleeper()
    assert strength(second(sleeper.hear(packets[:50], 1.0), 0.3, 0.9)) == pytest.approx(0.5, rel=0.03)
    # It is woken by the first packet of the word.
    sleeper.sleep(packets[50 : 51 + silence], rest + STEP)
    sound = sleeper.hear(packets[51 + silence :], 1.5)
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    assert loud[0] / SAMPLE_RATE < 0.08
    assert (loud[-1] - loud[0]) / SAMPLE_RATE == pytest.approx(1.0, abs=0.05)
    assert gaps(sound[loud[0] : loud[-1]]) == []
    figures = sleeper.voice.playout()
    assert (figures.lost, figures.resets) == (0, 0)
    assert figures.concealed_ms < 60
    assert sleeper.voice.playout().depth_ms < 120


def test_a_voice_does_not_begin_with_a_gap() -> None:
    """Of a quiet voice that rests only samples come: what lies between two of them is nothing to be made up."""
    packets = sent(encoded(np.concatenate([np.zeros(50 * FRAME, dtype=np.float32), tone(1)])))
    sleeper = Sleeper()
    sleeper.sleep([packets[20], packets[47], packets[50]], 1.0 + STEP)
    sound = sleeper.hear(packets[51:], 1.0)
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    assert loud[0] / SAMPLE_RATE < 0.08
    figures = sleeper.voice.playout()
    assert (figures.lost, figures.concealed_ms) == (0, 0.0)


def test_while_a_voice_rests_nothing_is_decoded_and_little_is_kept(hum: list[bytes]) -> None:
    sleeper = Sleeper()
    sleeper.hear(sent(hum)[:50], 1.0)
    before = sleeper.voice.playout()
    sleeper.voice.rest()
    for packet in sent(hum)[50:]:
        sleeper.clock.now = packet.arrival
        sleeper.voice.push(replace(packet, level=30))
    assert len(sleeper.voice._lead) <= 8
    assert not sleeper.voice._inbox
    after = sleeper.voice.playout()
    assert (after.packets, after.played_ms, after.depth_ms) == (before.packets, before.played_ms, 0.0)
    # The sender says how loud it is.
    assert sleeper.voice.level == pytest.approx(0.5, abs=0.05)
    assert sleeper.voice.talking
    sleeper.clock.now += 2
    assert sleeper.voice.level == 0.0
    assert not sleeper.voice.talking


def test_a_voice_tells_how_loud_each_packet_is(hum: list[bytes]) -> None:
    told: list[int | None] = []
    sleeper = Sleeper()
    sleeper.voice.on_packet = told.append
    packets = sent(hum)
    sleeper.voice.push(replace(packets[0], level=33))
    sleeper.hear(packets[1:50], 1.0)
    # What it does not say is heard, -9 dBFS.
    assert told[0] == 33
    assert told[-1] == pytest.approx(9, abs=3)
    sleeper.voice.rest()
    sleeper.voice.push(packets[50])
    sleeper.voice.push(replace(packets[51], payload=b"\x48\xff"))
    sleeper.voice.push(replace(packets[52], level=40))
    assert told[-3:] == [None, 127, 40]
