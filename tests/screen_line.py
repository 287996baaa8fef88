"""A line to a terminal by a clock that is computed: bytes at a rate, a way to go, and a terminal that answers or not.

Used by the tests of the pacing. The same every time; minutes take a second.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.media.pacing import Pacer

_STEP = 0.002
_KEYS = 0.37
"""Seconds between two keys."""
_ECHO = 200
_QUESTION = 24
SOURCE = 15.0
"""Pictures per second that there are."""


class Terminal(Enum):
    """Who answers."""

    ANSWERS = auto()
    SILENT = auto()
    NEAR = auto()
    """Somebody before the line answers at once."""


@dataclass(slots=True)
class _Item:
    size: float
    arrived: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one `Screen.run`; times in seconds, 50th and 95th percentiles."""

    updates: float
    """Per second, that came to the terminal."""
    age: tuple[float, float]
    """Of the picture that is seen."""
    key: tuple[float, float]
    """From a key to its echo."""
    bytes: float
    """Of pictures per second."""
    queue: float
    """The most bytes that were in the line."""


@dataclass
class Screen:
    """A projector with its line and terminal: `run` it for so long."""

    pacer: Pacer
    rate: float
    """Bytes per second."""
    round_trip: float = 0.04
    jitter: float = 0.0
    """Seconds: each answer is late by anything up to it."""
    terminal: Terminal = Terminal.ANSWERS
    demand: int = 6000
    """Bytes that each update would take if it might."""
    keys: bool = True
    now: float = 0.0
    stalled: bool = False
    """Nothing is read."""
    _queue: deque[_Item] = field(default_factory=deque)
    _later: list[tuple[float, int, Callable[[float], None]]] = field(default_factory=list)
    _waiting: float = 0.0
    _shown: float = 0.0
    _updates: int = 0
    _sizes: int = 0
    _echoes: list[float] = field(default_factory=list)
    _chance: random.Random = field(default_factory=lambda: random.Random(1))
    _next_key: float = 0.2
    _count: int = 0
    _captured: float = -1.0

    def write(self, size: int) -> None:
        """Textual draws."""
        self.pacer.other(self.now, size)
        self._push(size, lambda now: None)

    def run(self, seconds: float) -> Figures:
        """What was seen meanwhile."""
        self._updates = self._sizes = 0
        self._echoes = []
        ages, most, ends = [], 0.0, self.now + seconds
        ticks = 0
        while self.now < ends:
            self.now += _STEP
            ticks += 1
            self._pass()
            for entry in [entry for entry in self._later if entry[0] <= self.now]:
                self._later.remove(entry)
                entry[2](self.now)
            if self.keys and self.now >= self._next_key:
                self._next_key = self.now + _KEYS
                self._after(self.round_trip / 2, self._echo(self.now))
            captured = int(self.now * SOURCE) / SOURCE
            if self.pacer.asks(self.now):
                self._update(_QUESTION, None)
            if captured > self._captured and (budget := self.pacer.budget(self.now)):
                self._captured = captured
                self._update(min(budget, self.demand), captured)
            if ticks % 10 == 0:
                ages.append(self.now - self._shown)
            most = max(most, self._waiting)
        seconds = seconds or 1.0
        return Figures(
            self._updates / seconds, _percentiles(ages), _percentiles(self._echoes), self._sizes / seconds, most
        )

    def _update(self, size: int, captured: float | None) -> None:
        number = self.pacer.sent(self.now, size)
        self._sizes += size

        def arrived(now: float) -> None:
            if captured is not None:
                self._shown = captured
                self._updates += 1
            if self.terminal is Terminal.ANSWERS:
                self._answer(number, self.round_trip / 2)

        self._push(size, arrived)
        if self.terminal is Terminal.NEAR:
            self._answer(number, 0.001)

    def _answer(self, number: int, after: float) -> None:
        self._after(after + self._chance.uniform(0, self.jitter), lambda now: self.pacer.answered(number, now))

    def _echo(self, pressed: float) -> Callable[[float], None]:
        def drawn(now: float) -> None:
            self.pacer.other(now, _ECHO)
            self._push(_ECHO, lambda now: self._echoes.append(now - pressed))

        return drawn

    def _push(self, size: int, arrived: Callable[[float], None]) -> None:
        self._queue.append(_Item(size, arrived))
        self._waiting += size

    def _pass(self) -> None:
        room = 0.0 if self.stalled else self.rate * _STEP
        while self._queue and room > 0:
            item = self._queue[0]
            taken = min(item.size, room)
            item.size -= taken
            room -= taken
            self._waiting -= taken
            if item.size <= 0:
                self._queue.popleft()
                self._after(self.round_trip / 2, item.arrived)

    def _after(self, seconds: float, call: Callable[[float], None]) -> None:
        self._count += 1
        self._later.append((self.now + seconds, self._count, call))


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return (float("inf"), float("inf"))
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
