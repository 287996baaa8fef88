"""What the packets of one voice sound like, by codec, and what is heard where packets are missing.

Used by `Voice`. Everything is mono at 48 kHz.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import av
import numpy as np

from tui.media.libopus import library
from tui.media.opus import MOST_BYTES, MOST_SAMPLES, OpusDecoder
from tui.media.sound import SAMPLE_RATE, Converter
from tui.media.stretch import period

if TYPE_CHECKING:
    from tui.core.audio import AudioPacket
    from tui.media.sound import Samples

_TAPS = 16
_FADE = SAMPLE_RATE * 60 // 1000
_OPUS_FRAMES = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
"""Samples in a frame, by the configuration number of its packet."""


class Decoder(Protocol):
    """One stream's decoder. What the methods return may be overwritten by the next call."""

    joins: bool
    """Whether what is decoded goes on from what was made up before."""

    def decode(self, payload: bytes) -> Samples:
        """The packet's sound; raises ``ValueError`` or ``av.FFmpegError`` for what is malformed."""

    def conceal(self, samples: int) -> Samples:
        """So many samples that go on from what was heard last."""

    def recover(self, payload: bytes, samples: int) -> Samples:
        """The last so many samples before this packet, if it `has_copy` of them."""

    def has_copy(self, payload: bytes) -> bool:
        """Whether forward error correction for the packet before is in this one."""


def duration_of(packet: AudioPacket) -> int:
    """Samples of 48 kHz in a packet, 0 for what cannot be played."""
    if packet.codec == "opus":
        samples = _opus_samples(packet.payload) if packet.clock_rate == SAMPLE_RATE else 0
    else:
        known = packet.codec in ("pcmu", "pcma", "g722") and packet.clock_rate == 8000
        samples = 6 * len(packet.payload) if known else 0
    return samples if samples <= MOST_SAMPLES else 0


def decoder_for(codec: str) -> Decoder:
    """A new decoder for a packet that `duration_of` knows."""
    match codec:
        case "pcmu":
            return Companded(_MU_LAW)
        case "pcma":
            return Companded(_A_LAW)
        case "g722":
            return G722()
    return OpusDecoder() if library() is not None else PlainOpus()


def _opus_samples(payload: bytes) -> int:
    """By the first bytes (RFC 6716, 3); 0 for what cannot be Opus."""
    if not 0 < len(payload) <= MOST_BYTES:
        return 0
    form = payload[0] & 3
    count = (1, 2, 2)[form] if form < 3 else (payload[1] & 0x3F if len(payload) > 1 else 0)
    return _OPUS_FRAMES[payload[0] >> 3] * count


class Repetition:
    """Concealment for codecs without their own: the last period of the sound, ever softer."""

    joins = False

    def __init__(self) -> None:
        self._last = np.zeros(0, dtype=np.float32)
        self._loop = np.zeros(0, dtype=np.float32)
        self._made = 0

    def conceal(self, samples: int) -> Samples:
        """`Decoder`."""
        if not len(self._last):
            return np.zeros(samples, dtype=np.float32)
        if not len(self._loop):
            length = period(self._last[::-1])[0] or len(self._last)
            self._loop = self._last[-length:]
        at = np.arange(self._made, self._made + samples)
        self._made += samples
        gain = np.maximum(0.0, 1.0 - at / _FADE)
        made: Samples = (self._loop[at % len(self._loop)] * gain).astype(np.float32)
        return made

    def recover(self, payload: bytes, samples: int) -> Samples:
        """`Decoder`."""
        return self.conceal(samples)

    def has_copy(self, payload: bytes) -> bool:
        """`Decoder`."""
        return False

    def _keep(self, sound: Samples) -> Samples:
        self._last = np.concatenate([self._last, sound])[-_FADE // 2 :]
        self._loop = self._last[:0]
        self._made = 0
        return sound


class Upsampler:
    """To 48 kHz from a whole fraction of it; every call gives exactly as many times more samples."""

    def __init__(self, factor: int) -> None:
        middle = _TAPS * factor / 2 - 0.5
        at = np.arange(_TAPS * factor) - middle
        taps = np.sinc(0.92 * at / factor) * np.kaiser(_TAPS * factor, 7.0)
        phases = taps.reshape(_TAPS, factor)
        self._phases = tuple((phases / phases.sum(axis=0)).astype(np.float32).T)
        self._before = np.zeros(_TAPS - 1, dtype=np.float32)

    def convert(self, sound: Samples) -> Samples:
        """The next samples, half a millisecond or one later."""
        whole = np.concatenate([self._before, sound])
        self._before = whole[-(_TAPS - 1) :]
        return np.stack([np.convolve(whole, phase, "valid") for phase in self._phases], axis=1).reshape(-1)


class Companded(Repetition):
    """G.711."""

    def __init__(self, table: Samples) -> None:
        super().__init__()
        self._table = table
        self._upsampler = Upsampler(6)

    def decode(self, payload: bytes) -> Samples:
        """`Decoder`."""
        return self._keep(self._upsampler.convert(self._table[np.frombuffer(payload, dtype=np.uint8)]))


class G722(Repetition):
    """G.722, decoded by FFmpeg."""

    def __init__(self) -> None:
        super().__init__()
        self._codec = av.CodecContext.create("g722", "r")
        self._upsampler = Upsampler(3)

    def decode(self, payload: bytes) -> Samples:
        """`Decoder`."""
        frames = self._codec.decode(av.Packet(payload))
        parts = [frame.to_ndarray().reshape(-1).astype(np.float32) / 32768 for frame in frames]
        if not parts:
            raise ValueError("nothing decoded")
        return self._keep(self._upsampler.convert(np.concatenate(parts)))


class PlainOpus(Repetition):
    """Opus by FFmpeg, where there is no libopus: no error correction, and concealment by repetition."""

    def __init__(self) -> None:
        super().__init__()
        self._codec = av.CodecContext.create("opus", "r")
        self._converter = Converter()

    def decode(self, payload: bytes) -> Samples:
        """`Decoder`."""
        if len(payload) < 3:
            return self.conceal(_opus_samples(payload))
        parts = [self._converter.convert(frame) for frame in self._codec.decode(av.Packet(payload))]
        if not parts:
            raise ValueError("nothing decoded")
        return self._keep(np.concatenate(parts))


def _mu_law() -> Samples:
    code = ~np.arange(256) & 0xFF
    size = (((code & 0x0F) << 3) + 0x84 << (code >> 4 & 7)) - 0x84
    return (np.where(code & 0x80, -size, size) / 32768).astype(np.float32)


def _a_law() -> Samples:
    code = np.arange(256) ^ 0x55
    exponent = code >> 4 & 7
    size = np.where(exponent, ((code & 0x0F) << 4) + 0x108 << np.maximum(exponent - 1, 0), ((code & 0x0F) << 4) + 8)
    return (np.where(code & 0x80, size, -size) / 32768).astype(np.float32)


_MU_LAW, _A_LAW = _mu_law(), _a_law()
