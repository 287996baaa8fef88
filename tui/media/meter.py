"""How loud a remote voice is, and whether somebody speaks; used by `Voice`."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SILENT = 127
"""The lowest level of RFC 6464."""

_DECAY_SECONDS = 0.6
_RANGE = 60
"""Decibels from full scale down to a loudness of 0."""
_TALKS, _IS_HEARD = 45, 55
"""Decibels below full scale: enough to begin to talk, and to go on."""
_TALK_LASTS = 0.4
"""Seconds."""


class VoiceMeter:
    """Fed with what is heard and what the sender says of it; read by any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._loudness = 0.0
        self._at = 0.0
        self._is_told = False
        self._talked_at = -math.inf

    @property
    def loudness(self) -> float:
        """How loud it is now, 0.0 to 1.0; falls to nothing in 0.6 s when nothing comes."""
        return max(0.0, self._loudness - (self._clock() - self._at) / _DECAY_SECONDS)

    @property
    def level(self) -> int:
        """The same on the scale of RFC 6464."""
        loudness = self.loudness
        return round(_RANGE * (1 - loudness)) if loudness > 0 else SILENT

    @property
    def talking(self) -> bool:
        """Whether somebody speaks: by what the sender says of the level, else by what is heard."""
        return self._clock() - self._talked_at < _TALK_LASTS

    def hear(self, loudness: float) -> None:
        """What is played now is so loud."""
        now = self._clock()
        if loudness >= self._loudness - (now - self._at) / _DECAY_SECONDS:
            self._loudness, self._at = loudness, now
        if not self._is_told:
            self._talk(_RANGE * (1 - loudness))

    def be_told(self, level: int | None) -> None:
        """The sender says so of what is played now, or nothing."""
        self._is_told = level is not None
        if level is not None:
            self._talk(level)

    def believe(self, level: int | None) -> None:
        """The sender says so of what is not played."""
        self.be_told(level)
        if level is not None:
            self.hear(max(0.0, 1 - level / _RANGE))

    def _talk(self, level: float) -> None:
        """Whoever is loud talks, and goes on while heard."""
        now = self._clock()
        if level <= _TALKS or (level <= _IS_HEARD and now - self._talked_at < _TALK_LASTS):
            self._talked_at = now
