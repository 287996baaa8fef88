"""Opus by libopus itself: what one voice's packets sound like, and what is heard where packets are missing.

Used by `Voice`, on the device's thread.
"""

from __future__ import annotations

from ctypes import POINTER, c_float, c_int
from typing import TYPE_CHECKING

import numpy as np

from tui.media.libopus import library
from tui.media.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from tui.media.sound import Samples

MOST_BYTES = 1275
"""Of one packet (hostile-inputs.md, limits)."""
MOST_SAMPLES = SAMPLE_RATE * 120 // 1000
"""Of one packet, 120 ms."""
STEP = SAMPLE_RATE * 25 // 10_000
"""Sound is made up in multiples of 2.5 ms."""

_CELT = 0x80


class OpusDecoder:
    """One stream's decoder; mono, whatever is sent. Raises ``OSError`` where there is no libopus.

    What its methods return is overwritten by the next call.
    """

    joins = True

    def __init__(self) -> None:
        opus = library()
        if opus is None:
            raise OSError("no libopus here")
        error = c_int()
        self._opus = opus
        self._state = opus.opus_decoder_create(SAMPLE_RATE, 1, error)
        if not self._state:
            raise OSError(f"no Opus decoder: {error.value}")
        self._decode = opus.opus_decode_float
        self._sound = np.zeros(MOST_SAMPLES, dtype=np.float32)
        self._address = self._sound.ctypes.data_as(POINTER(c_float))

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._opus.opus_decoder_destroy(self._state)

    def decode(self, payload: bytes) -> Samples:
        """The packet's sound; raises ``ValueError`` for what is malformed."""
        return self._heard(self._decode(self._state, payload, len(payload), self._address, MOST_SAMPLES, 0))

    def conceal(self, samples: int) -> Samples:
        """Sound that goes on from what was heard last: made up, or the noise that a silent sender asked for."""
        count = min(MOST_SAMPLES, -(-samples // STEP) * STEP)
        return self._heard(self._decode(self._state, None, 0, self._address, count, 0))[:samples]

    def recover(self, payload: bytes, samples: int) -> Samples:
        """The sound before this packet, of which it carries a copy where `has_copy` says so."""
        count = min(MOST_SAMPLES, -(-samples // STEP) * STEP)
        return self._heard(self._decode(self._state, payload, len(payload), self._address, count, 1))[-samples:]

    def has_copy(self, payload: bytes) -> bool:
        """Whether forward error correction for the packet before is in this one (RFC 6716, 4.2.4)."""
        if len(payload) < 3 or payload[0] & _CELT or payload[0] & 3:
            return False
        frames = (1, 1, 2, 3)[payload[0] >> 3 & 3] if payload[0] >> 3 < 12 else 1
        return bool(payload[1] >> (7 - frames) & 1)

    def _heard(self, count: int) -> Samples:
        if count < 0:
            raise ValueError(f"libopus: error {count}")
        return self._sound[:count]
