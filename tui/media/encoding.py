"""The own sound as Opus: an encoder for one connection, whose settings follow what the receiver reports.

Used by `tui.media.tracks`. libopus itself, since PyAV's cannot be told of losses while it encodes.
"""

from __future__ import annotations

import ctypes
import logging
import math
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tui.media.libopus import library
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import AudioFrame

logger = logging.getLogger(__name__)

LOSS_MEMORY = 3.0
"""Seconds over which reported losses are averaged."""
LOSSY, CLEAN = 0.02, 0.01
"""From the first loss on redundancy is sent, below the second no more: on a clean line it costs 0.4 PESQ."""
LOSS_LIMIT = 25
"""Percent of loss that are prepared for at most."""

_VOIP = 2048
_SET_BITRATE, _SET_FEC, _SET_LOSS, _SET_DTX, _RESET = 4002, 4012, 4014, 4016, 4028
_LARGEST = 1275
_NOTHING = 2
"""Bytes of a frame that need not be sent."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How a sound is encoded."""

    bitrate: int = 32
    """In kbit/s, 6 to 128."""
    dtx: bool = False
    """Send nearly nothing while nobody speaks."""


class OpusEncoder:
    """Opus for voice, mono, in frames of 20 ms; a `SoundEncoder`. Raises ``OSError`` without libopus."""

    def __init__(self, coding: Coding, clock: Callable[[], float] = time.monotonic) -> None:
        found = library()
        if found is None:
            raise OSError("there is no libopus on this machine")
        self._opus = found
        error = ctypes.c_int()
        self._encoder: int = found.opus_encoder_create(SAMPLE_RATE, 1, _VOIP, ctypes.byref(error))
        if not self._encoder:
            raise OSError(f"libopus makes no encoder: error {error.value}")
        weakref.finalize(self, found.opus_encoder_destroy, self._encoder)
        self._set(_SET_BITRATE, coding.bitrate * 1000)
        self._set(_SET_DTX, int(coding.dtx))
        self._dtx = coding.dtx
        self._paused = False
        self._silent = False
        self._sound = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        self._packet = ctypes.create_string_buffer(_LARGEST)
        self._clock = clock
        self._loss = 0.0
        self._reported_at = clock()
        self.protects = 0
        """Percent of loss that is prepared for by redundancy, 0 for none."""

    def encode(self, frame: AudioFrame) -> tuple[list[bytes], int]:
        """`SoundEncoder`; the frame is s16 of 20 ms at 48 kHz, with equal channels."""
        packed = frame.to_ndarray().reshape(FRAME_SAMPLES, -1)[:, 0]
        np.multiply(packed, np.float32(1 / 32768), out=self._sound)
        silent = not packed.any()
        if silent and not self._silent:
            # What the encoder keeps of the past would be heard in the first packet of silence: after "muted".
            self._opus.opus_encoder_ctl(self._encoder, _RESET)
        self._silent = silent
        sound = self._sound.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        length = self._opus.opus_encode_float(self._encoder, sound, FRAME_SAMPLES, self._packet, _LARGEST)
        if length < 1:
            raise ValueError(f"libopus refuses a frame: error {length}")
        # The first such frame goes out, as libwebrtc has it: it tells the pause from a loss.
        paused, self._paused = self._paused, self._dtx and length <= _NOTHING
        payloads = [] if paused and self._paused else [self._packet.raw[:length]]
        return payloads, frame.pts or 0

    def hear_loss(self, fraction: float) -> None:
        """`SoundEncoder`."""
        now = self._clock()
        self._loss += (fraction - self._loss) * (1 - math.exp((self._reported_at - now) / LOSS_MEMORY))
        self._reported_at = now
        is_lossy = self._loss > (CLEAN if self.protects else LOSSY)
        protects = max(1, min(LOSS_LIMIT, round(100 * self._loss))) if is_lossy else 0
        if protects != self.protects:
            self._set(_SET_FEC, int(is_lossy))
            self._set(_SET_LOSS, protects)
            self.protects = protects

    def _set(self, request: int, value: int) -> None:
        self._opus.opus_encoder_ctl(self._encoder, request, ctypes.c_int32(value))


def opus_encoder(coding: Coding) -> OpusEncoder | None:
    """An encoder for one connection; ``None`` without libopus, which the log says."""
    try:
        return OpusEncoder(coding)
    except OSError as error:
        logger.warning("the own sound is encoded without care for losses: %s", error)
        return None
