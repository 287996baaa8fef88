"""How much less of the own picture is sent while the machine cannot keep up: fewer pictures, then smaller ones.

Used by `tui.media.tracks`, told by the encoder how long each picture took. Sound is worth more than the picture, so
that a machine that is short of time gives up the picture first.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

TOO_MUCH, LITTLE = 0.6, 0.25
"""Share of the time that encoding takes: above the first less is sent, below the second more is tried."""
LEAST_FRAMES_PER_SECOND = 4
THRIFTY_SCALE = 1 / 2
SETTLING = 8
"""Pictures between two steps down."""
FIRST_WAIT, LONGEST_WAIT = 5.0, 60.0
"""Seconds of ease before a step up; they double each time that such a step was one too many."""

_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Step:
    """What is left: a part of the frame rate, and of width and height."""

    rate: float
    scale: float

    @property
    def load(self) -> float:
        """Of what the whole costs, about."""
        return self.rate * self.scale**2


STEPS = (Step(1.0, 1.0), Step(2 / 3, 1.0), Step(1 / 2, 1.0), Step(1 / 2, 3 / 4), Step(1 / 2, 1 / 2), Step(1 / 3, 1 / 2))


class Degradation:
    """The step that a picture is at; ``tell`` gets a line for the user at each change."""

    def __init__(
        self,
        frames_per_second: int,
        tell: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tell = tell
        self.thrifty = False
        """The user wants to send as little as possible."""
        self._wanted = frames_per_second
        self._clock = clock
        self._at = 0
        self._share = 0.0
        self._settled = 0
        self._eased: float | None = None
        self._wait = FIRST_WAIT
        self._raised = -LONGEST_WAIT

    @property
    def frames_per_second(self) -> int:
        """How many pictures a second are to be sent now."""
        wished = 0 if self.thrifty else round(self._wanted * STEPS[self._at].rate)
        return max(wished, min(self._wanted, LEAST_FRAMES_PER_SECOND))

    @property
    def scale(self) -> float:
        """What is left of width and height."""
        scale = STEPS[self._at].scale
        return min(scale, THRIFTY_SCALE) if self.thrifty else scale

    def spent(self, seconds: float) -> None:
        """So long it took from a picture to its packet, waiting for a processor included."""
        if self.thrifty:
            # So little says nothing about the machine.
            return
        share = seconds * self.frames_per_second
        self._share += (share - self._share) * _WEIGHT
        self._settled += 1
        now = self._clock()
        if self._share > TOO_MUCH and self._settled >= SETTLING and self._at + 1 < len(STEPS):
            if now - self._raised < 2 * self._wait:
                self._wait = min(LONGEST_WAIT, 2 * self._wait)
            self._go(self._at + 1)
        elif self._at and self._share * STEPS[self._at - 1].load / STEPS[self._at].load < LITTLE:
            self._eased = now if self._eased is None else self._eased
            if now - self._eased >= self._wait:
                self._raised = now
                self._go(self._at - 1)
        else:
            self._eased = None
            if not self._at and now - self._raised > LONGEST_WAIT:
                self._wait = FIRST_WAIT

    def _go(self, step: int) -> None:
        self._share *= STEPS[step].load / STEPS[self._at].load
        less = step > self._at
        self._at, self._settled, self._eased = step, 0, None
        size = "at full size" if self.scale == 1.0 else f"at {100 * self.scale:.0f} % of their size"
        what = f"{self.frames_per_second} a second {size}"
        text = (
            f"This machine is short of time: your pictures are sent {what}."
            if less
            else f"Your pictures are sent {what} again."
        )
        logger.warning("%s", text)
        if self.tell is not None:
            self.tell(text)
