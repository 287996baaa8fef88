"""How irregularly a voice's packets arrive and its device asks for sound, and so how long packets should wait.

Used by `Voice`. Everything is in samples of 48 kHz.
"""

from __future__ import annotations

import numpy as np

from tui.media.sound import SAMPLE_RATE

LEAST, MOST = SAMPLE_RATE * 20 // 1000, SAMPLE_RATE * 200 // 1000
"""Bounds of the target."""

_QUANTILE = 0.97
_BIN = SAMPLE_RATE * 5 // 1000
_BINS = 64
_MEMORY = 250
"""Observations after which an old one weighs a third."""
_EAGER = 25
"""Until so many observations the target is no less than `_CAUTIOUS`."""
_CAUTIOUS = SAMPLE_RATE * 40 // 1000
_TOGETHER = SAMPLE_RATE * 10 // 1000
_WATCHED, _BREAK = 10.0, 1.0
"""Seconds over which a sender's clock is measured, and without a packet that end it."""
_BELIEVED = 0.5
"""An error beyond this is a jump and not a rate."""
_EPOCH = SAMPLE_RATE // 2
_EPOCHS = 5


class Lowest:
    """The least of the values of the last 2.5 s: down at once, up when the time has gone by."""

    def __init__(self) -> None:
        self.value = 0
        self._epochs: list[int] = []
        self._ends = 0

    def note(self, now: int, value: int) -> None:
        """One more value."""
        if not self._epochs or now >= self._ends:
            self._epochs.append(value)
            del self._epochs[:-_EPOCHS]
            self._ends = now + _EPOCH
        elif value < self._epochs[-1]:
            self._epochs[-1] = value
        else:
            return
        self.value = min(self._epochs)

    def shift(self, by: int) -> None:
        """All values so far were by so much more."""
        self._epochs = [value + by for value in self._epochs]
        self.value += by

    def forget(self) -> None:
        """Begin with the next value."""
        self._epochs.clear()


class ArrivalDelay:
    """A histogram of the packets' delays that forgets.

    A packet's delay is its arrival less its timestamp, by two clocks that agree on nothing: only the excess over the
    fastest of the last seconds means anything. The fastest follows the sender's clock, and a change of the route.
    What arrives together is one observation, so that a line that stood still counts once.
    """

    def __init__(self) -> None:
        self.target = _CAUTIOUS
        """How long a packet should wait beyond the fastest's arrival: the 97th percentile, 20 to 200 ms."""
        self._fastest = Lowest()
        self._shares = np.zeros(_BINS)
        self._observed = 0
        self._together = 0
        self._slowest: int | None = None

    @property
    def fastest(self) -> int:
        """The least of the last seconds."""
        return self._fastest.value

    def forget(self) -> None:
        """Another stream begins, with a clock of its own; the line is the same."""
        self._fastest.forget()
        self._slowest = None

    def note(self, arrival: int, time: int) -> None:
        """A packet with this timestamp has arrived."""
        delay = arrival - time
        if self._slowest is not None and arrival - self._together >= _TOGETHER:
            self._observe(self._slowest - self.fastest)
            self._slowest = None
        if self._slowest is None:
            self._together, self._slowest = arrival, delay
        else:
            self._slowest = max(delay, self._slowest)
        self._fastest.note(arrival, delay)

    def _observe(self, delay: int) -> None:
        self._observed += 1
        weight = 1 / min(self._observed, _MEMORY)
        self._shares *= 1 - weight
        self._shares[min(max(delay, 0) // _BIN, _BINS - 1)] += weight
        summed = self._shares.cumsum()
        bins = int(summed.searchsorted(_QUANTILE))
        within = (_QUANTILE - (summed[bins] - self._shares[bins])) / self._shares[bins] if bins < _BINS else 1.0
        least = LEAST if self._observed > _EAGER else _CAUTIOUS
        self.target = min(max(int((bins + within) * _BIN), least), MOST)


class SenderClock:
    """Whether the timestamps of a sender run at the rate that it names."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = 0.0
        self._error = 0.0

    def note(self, arrival: float, timestamp: int, rate: int) -> float:
        """A packet has come, at so many seconds; by how much the clock is fast, measured over ten seconds.

        0.0 until then; a pause or a jump of the timestamps begins anew.
        """
        if self._first is None or arrival - self._last > _BREAK:
            self._first = arrival, timestamp
        self._last = arrival
        since, begun = self._first
        passed = arrival - since
        if passed >= _WATCHED:
            error = ((timestamp - begun) & 0xFFFFFFFF) / (passed * rate) - 1
            self._first = arrival, timestamp
            if abs(error) < _BELIEVED:
                self._error = error
        return self._error


class Demand:
    """How regularly the device asks for sound: in blocks, early or late, and by its own clock."""

    def __init__(self) -> None:
        self._offset = Lowest()
        self._ahead = Lowest()

    @property
    def offset(self) -> int:
        """Samples handed out at time 0, if the device had always asked as late as it did lately."""
        return self._offset.value

    @property
    def ahead(self) -> int:
        """How much earlier than that it wants its samples."""
        return -min(0, self._ahead.value)

    def note(self, now: int, handed: int) -> None:
        """The device begins to ask, and has had so many samples."""
        before = self.offset
        self._offset.note(now, handed - now)
        if self.offset > before:
            # What was early measured by a stall is not so without it, or the voice would wait for it once more.
            self._ahead.shift(self.offset - before)

    def make(self, now: int, made: int) -> None:
        """Sound is made for it, when so much was made already."""
        self._ahead.note(now, now + self.offset - made)
