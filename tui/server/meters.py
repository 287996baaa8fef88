"""What is measured of a stream while it passes: its bitrate, how loud it is, and how much of it gets lost.

Used by the ingests and the viewers. A meter costs a few additions per packet and no task.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

SILENCE = 127
"""The audio level of somebody who is not heard (RFC 6464; 0 is the loudest)."""

PERIOD = 1.0
"""Seconds over which a bitrate is taken."""

ATTACK, RELEASE = 0.1, 1.0
"""Seconds in which a level follows a voice that rises, and one that falls: pauses between words count little."""

LOSS_LIMIT = 64
"""Loss of a viewer that is believed, in 1/256."""

LOSS_MEMORY = 10.0
"""Seconds for which a viewer's report holds."""

UNHEARD = 1.0
"""Seconds without a packet after which somebody is silent."""


class RateMeter:
    """Bits per second of what is counted, over the last whole period."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._bytes = 0
        self._rate = 0.0

    def count(self, size: int) -> None:
        """So many bytes have passed."""
        self._turn()
        self._bytes += size

    @property
    def bitrate(self) -> int:
        """Bits per second; 0 once nothing passes any more."""
        self._turn()
        return round(self._rate)

    def _turn(self) -> None:
        elapsed = self._clock() - self._began
        if elapsed >= PERIOD:
            self._rate = self._bytes * 8 / elapsed
            self._began += elapsed
            self._bytes = 0


class LevelMeter:
    """How loud somebody has been lately, from the levels in the packets."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._level = float(SILENCE)
        self._heard = -math.inf

    def hear(self, level: int) -> None:
        """The level of the newest packet, 0 to 127."""
        now = self._clock()
        elapsed = now - self._heard
        if elapsed > UNHEARD:
            self._level = level
        else:
            follows = ATTACK if level < self._level else RELEASE
            self._level += (level - self._level) * (1 - math.exp(-elapsed / follows))
        self._heard = now

    @property
    def level(self) -> int:
        """From 0, the loudest, to `SILENCE`."""
        return SILENCE if self._clock() - self._heard > UNHEARD else round(self._level)


class LossMeter:
    """What part of a stream gets lost on the way to the viewer who has the worst line."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reports: dict[Hashable, tuple[int, float]] = {}

    def hear(self, viewer: Hashable, loss: int) -> None:
        """What this viewer reports, in 1/256."""
        self._reports[viewer] = min(loss, LOSS_LIMIT), self._clock()

    def forget(self, viewer: Hashable) -> None:
        """This viewer is not sent anything any more."""
        self._reports.pop(viewer, None)

    @property
    def worst(self) -> int:
        """In 1/256, 0 without a recent report."""
        since = self._clock() - LOSS_MEMORY
        return max((loss for loss, at in self._reports.values() if at >= since), default=0)
