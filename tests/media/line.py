"""A voice's way over a bad line, by a clock that is computed: samples to Opus packets, to arrivals, to a `Voice`.

Used by the tests of what is heard. The same every time; hours of sound take seconds.
"""

from __future__ import annotations

import ctypes
import random
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tests.waiting import Clock
from tui.core.audio import AudioPacket
from tui.media.libopus import library
from tui.media.sound import SAMPLE_RATE
from tui.media.voices import Voice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tui.core.audio import Playout
    from tui.media.sound import Samples

FRAME = SAMPLE_RATE // 50
_VOIP = 2048
_SET_BITRATE, _SET_FEC, _SET_LOSS, _SET_DTX = 4002, 4012, 4014, 4016


def tone(seconds: float, frequency: float = 440.0, amplitude: float = 0.5) -> Samples:
    """A sine, whole frames of it."""
    at = np.arange(round(seconds * 50) * FRAME) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * frequency * at)).astype(np.float32)


def babble(seconds: float, seed: int = 1) -> Samples:
    """Something like speech: voiced syllables of changing pitch, a pause of 0.4 s every two seconds."""
    chance = np.random.default_rng(seed)
    at = np.arange(round(seconds * 50) * FRAME) / SAMPLE_RATE
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * at + chance.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    sound = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3.3 * at)
    speaks = (at % 2.0) < 1.6
    return (0.15 * sound * syllables * speaks).astype(np.float32)


def encoded(sound: Samples, bitrate: int = 32_000, loss: int = 0, dtx: bool = False, frame: int = FRAME) -> list[bytes]:
    """Opus for voice, mono; with forward error correction when a ``loss`` in percent is expected."""
    opus = library()
    assert opus is not None
    error = ctypes.c_int()
    encoder = opus.opus_encoder_create(SAMPLE_RATE, 1, _VOIP, ctypes.byref(error))
    for request, value in ((_SET_BITRATE, bitrate), (_SET_FEC, int(loss > 0)), (_SET_LOSS, loss), (_SET_DTX, int(dtx))):
        assert opus.opus_encoder_ctl(ctypes.c_void_p(encoder), request, ctypes.c_int32(value)) == 0
    payload = ctypes.create_string_buffer(1275)
    payloads = []
    for start in range(0, len(sound) - frame + 1, frame):
        part = np.ascontiguousarray(sound[start : start + frame])
        samples = part.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        count = opus.opus_encode_float(encoder, samples, frame, payload, len(payload))
        assert count > 0
        payloads.append(payload.raw[:count])
    opus.opus_encoder_destroy(encoder)
    return payloads


def sent(
    payloads: Sequence[bytes], begin: float = 0.0, *, ssrc: int = 1, sequence: int = 1000, timestamp: int = 5000
) -> list[AudioPacket]:
    """One packet each 20 ms, from ``begin`` on; the numbers are those of the first one."""
    return [
        AudioPacket(
            codec="opus",
            clock_rate=SAMPLE_RATE,
            ssrc=ssrc,
            sequence=sequence + number & 0xFFFF,
            timestamp=timestamp + number * FRAME & 0xFFFFFFFF,
            payload=payload,
            arrival=begin + number / 50,
        )
        for number, payload in enumerate(payloads)
    ]


@dataclass(frozen=True, slots=True)
class Line:
    """What becomes of packets on their way."""

    loss: float = 0.0
    """Share of packets that are lost."""
    burst: int = 1
    """So many are lost in a row."""
    jitter: float = 0.0
    """Seconds: each packet is late by 0 to twice that, all equally likely, and may overtake others."""
    keeps_order: bool = False
    """Though late, none overtakes another."""
    duplicates: float = 0.0
    """Share of packets that come twice, the second time 15 ms later."""
    skew: float = 0.0
    """The sender's clock is faster by so many millionths."""
    freeze: tuple[float, float] = (0.0, 0.0)
    """From when to when nothing passes; it all comes at the end."""
    seed: int = 1

    def carry(self, packets: Iterable[AudioPacket]) -> list[AudioPacket]:
        """What arrives, in order of arrival."""
        chance = random.Random(self.seed)
        begins = self.loss / (self.loss + self.burst * (1 - self.loss))
        losing, latest, arrived = 0, 0.0, []
        for packet in packets:
            arrival = packet.arrival / (1 + self.skew / 1e6)
            arrival += chance.uniform(0.0, 2 * self.jitter)
            if self.freeze[0] <= arrival < self.freeze[1]:
                arrival = self.freeze[1]
            if self.keeps_order:
                arrival = latest = max(arrival, latest)
            lost, twice = chance.random() < begins, chance.random() < self.duplicates
            if losing or lost:
                losing = (losing or self.burst) - 1
                continue
            arrived.append(replace(packet, arrival=arrival))
            if twice:
                arrived.append(replace(packet, arrival=arrival + 0.015))
        return sorted(arrived, key=lambda packet: packet.arrival)


class Listener:
    """A voice and the device that pulls it, both on a clock of their own."""

    def __init__(self, block: int = 480) -> None:
        self.clock = Clock()
        self.voice = Voice(self.clock)
        self.block = block
        self._pulled = 0
        self._paused = 0.0
        self._coming: deque[AudioPacket] = deque()

    def pause(self, seconds: float) -> None:
        """The device asks for nothing for so long."""
        self._paused += seconds

    def hear(
        self, packets: Sequence[AudioPacket], seconds: float, each: Callable[[Playout], None] | None = None
    ) -> Samples:
        """What is heard for so long while these packets arrive; ``each`` is told the figures after each block."""
        parts = []
        self._coming += packets
        for _ in range(round(seconds * SAMPLE_RATE) // self.block):
            self.clock.now = self._pulled / SAMPLE_RATE + self._paused
            while self._coming and self._coming[0].arrival <= self.clock.now:
                self.voice.push(self._coming.popleft())
            block = np.empty(self.block, dtype=np.float32)
            self.voice.pull(block)
            parts.append(block)
            self._pulled += self.block
            if each is not None:
                each(self.voice.playout())
        return np.concatenate(parts)
