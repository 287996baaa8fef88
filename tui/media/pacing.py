"""How much picture the line to the terminal takes now: bytes for each update, and what is given up on a bad line.

Nothing here knows of sockets or clocks: times are arguments, in seconds of one monotonic clock. Each update ends with
a question that the terminal answers when it has come to it (terminal-video.md, section E), so the answers tell what no
buffer on this side can: how long the way is and how long it waits on it. The projector asks `Pacer.budget`, writes at
most so much and says so with `Pacer.sent`; the driver tells what else is written (`Pacer.other`) and what is answered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil, inf, isfinite
from statistics import median
from typing import Final

NUMBERS: Final = 48
"""Updates are numbered 1 to 48, over and over: each is a column of the smallest screen."""
MOST: Final = 40 * 1024
"""Bytes of one update at most, however quickly the terminal answers."""
WINDOW: Final = 8
"""Updates under way at most: no more than ``WINDOW * MOST`` bytes of pictures wait anywhere."""
LEAST: Final = 600
"""Bytes of one update at least: less is hardly a picture. Only one that measures the way is smaller."""

FIXED_PACE: Final = 5.0
CAP: Final = 20_000
"""Updates and bytes in a second for a terminal that does not answer; the bytes also when somebody nearer does."""

THRIFTY_PACE: Final = 1.0
THRIFTY: Final = 2 * 1024
"""Updates in a second and bytes of one at most when the user asks for it, whatever the line takes."""

_FIRST: Final = 1024
"""Bytes of the first update; it doubles until the line is felt."""
_BARE: Final = 64
"""Bytes of a question without a picture, at most."""
_ASK_EVERY: Final = 1.0
"""Seconds between two such questions: they measure the way itself; pictures have their own time on the line in it."""
_NEAR: Final = 0.003
"""Who answers more quickly is on this machine."""
_HEARD_NEAR: Final = 3
_KNOWN: Final = 20
"""Answers that are not from near until it is believed that none is."""

_DOUBT: Final = 2.0
"""Seconds of waiting at the least size until there is a pause, to measure the way again."""
_PATIENCE: Final = 3.0
_CAUTION: Final = 8_000
"""Bytes per second of a line of which nothing is known yet."""
_SILENCE: Final = 3
"""After so many losses in a row there is only a question now and then."""

_SHARE: Final = 0.7
"""Of the time between two updates that one may take on the line; the rest is for text and keys."""
_BRISK: Final = 0.35
"""The same where that is enough for a good picture: what is seen is then the younger."""
_ENOUGH: Final = 0.8
"""Bytes of one update and cell that make a good picture."""
_FILLED: Final = 0.9
"""Of the line at most, or what once waits on it would never get less."""
_SHORTEST: Final = 0.03
_LONGEST: Final = 0.12
"""Seconds of queue that are aimed at, between these."""
_CERTAIN: Final = 4.0
"""Times as long leave no doubt."""
_SAME: Final = (0.6, 1.7)
"""Times the rate that was said last: what is said stays within them, as each change is a repaint."""
_IN_FULL: Final = 0.7
"""Of its budget: an update that took less says nothing about more."""


@dataclass(frozen=True, slots=True)
class Rung:
    """What the line is good for: a step of the ladder."""

    frames_per_second: float
    everybody: bool = True
    """Pictures of all who are seen, not only of who speaks."""
    pictures: bool = True
    plain: bool = False
    """In no more than 256 colours."""


@dataclass(slots=True)
class _Update:
    number: int
    at: float
    size: int
    own: int
    """Bytes of the update itself; the others of ``size`` were written between it and the one before."""
    began: float
    """When the first of ``size`` was written."""
    budget: int
    """What it might have taken; 0: it is only a question."""
    alone: bool
    """Nothing else was under way: its answer tells how long the way is."""
    lost: bool = False


class Pacer:
    """The pace of one terminal. ``frames_per_second`` are wanted.

    ``proxied``: something on this machine may answer in the terminal's place (tmux, screen, mosh); if it does,
    no more than ``cap`` bytes per second are written, as nobody knows what is behind it.
    """

    def __init__(self, frames_per_second: float, *, proxied: bool = False, cap: int = CAP) -> None:
        self.cells = 4000
        """Cells of all pictures that are seen: what the bytes must suffice for."""
        self.proxied = proxied
        """Who answers may be nearer than the terminal, and nobody knows more."""
        self._cap = cap
        self._ladder = Ladder(frames_per_second)
        self._flight: deque[_Update] = deque()
        self._number = 0
        self._budget = _FIRST
        self._doubling = True
        self._due = 0.0
        self._cut = 0.0
        self._waited = 0.0
        self._doubted = inf
        self._said = 0.0
        self._way = Way()
        self._line = Line()
        self._others = 0
        self._others_began = 0.0
        self._asked = 0.0
        self._heard = 0
        self._near = 0
        self._losses = 0
        self._shown: float | None = None

    @property
    def thrifty(self) -> bool:
        """The user wants as little as possible: the ladder is held down."""
        return self._ladder.held

    @thrifty.setter
    def thrifty(self, thrifty: bool) -> None:
        self._ladder.held = thrifty

    # What may be written.

    def budget(self, now: float) -> int:
        """Bytes that an update may have now; 0: none now."""
        self._expire(now)
        rung = self.rung
        # Ticks are not exact: one that is a little early is meant.
        early = 0.25 / rung.frames_per_second
        if not rung.pictures or now < self._due - early or self._line.busy(now) or self._waiting >= self._window:
            return 0
        if self._doubts(now):
            return 0
        if self._losses and not self.fixed:
            return LEAST
        # What text has taken of its time is not there for the picture.
        return max(min(LEAST, self._allowed), self._allowed - self._others)

    def asks(self, now: float) -> bool:
        """Whether to write a question without a picture now: before all, between updates, or while there are none."""
        if not self._number:
            return True
        if self._doubts(now):
            return not self._flight
        every = _PATIENCE if self._losses else _ASK_EVERY
        return self._heard > 0 and now - self._asked >= every and (self._losses > 0 or not self._line.busy(now))

    def sent(self, now: float, size: int) -> int:
        """An update of ``size`` bytes, its question included, is on its way: the number to be answered."""
        self._number = self._number % NUMBERS + 1
        while self._flight and (
            len(self._flight) >= NUMBERS - 1 or any(update.number == self._number for update in self._flight)
        ):
            self._flight.popleft()
        began = self._others_began if self._others else now
        bare = size <= _BARE
        budget = 0 if bare else self._allowed
        alone = not self._flight and not self._others
        self._flight.append(_Update(self._number, now, size + self._others, size, began, budget, alone))
        self._others = 0
        self._line.write(now, size, self._given)
        if bare:
            self._asked = now
            if alone:
                self._doubted = inf
        else:
            # An update that comes late does not delay the next one.
            interval = 1 / self.rung.frames_per_second
            self._due = max(self._due + interval, now + interval / 2)
        return self._number

    def other(self, now: float, size: int) -> None:
        """Text of ``size`` bytes was written: it goes first, pictures wait until it has passed."""
        if not self._others or not self._line.busy(now):
            self._others, self._others_began = 0, now
        self._others += size
        self._line.write(now, size, self._given)

    def answered(self, number: int | None, now: float) -> None:
        """The terminal has come to the update of this number, to the oldest when the answer names none.

        What it was never asked is ignored, and what it has answered before.
        """
        update = next((update for update in self._flight if number in (update.number, None)), None)
        if update is None or now < update.at:
            return
        passed = []
        while (first := self._flight.popleft()) is not update:
            passed.append(first)
        passed.append(first)
        self._heard += 1
        self._shown = update.at
        if update.lost:
            # The line was dead for a while: what it told before is stale, that it lives is not.
            self._losses = 0
            rest = self._unpassed
            self._flight.clear()
            self._line.restart(now)
            self._line.write(now, rest, self._given)
            self._ladder.late(now)
            return
        self._losses = 0
        delay = now - update.at
        if delay < self._way.round_trip or (update.alone and not update.budget):
            self._way.took(delay)
        # However busy this machine is: a few quick ones are enough, and no far terminal has any.
        self._near += delay < _NEAR
        waited = delay - self._way.round_trip
        size = sum(update.size for update in passed)
        own = sum(update.own for update in passed)
        self._line.passed(now, self._way.round_trip, passed[0].began, size, own)
        self._line.correct(now, self._unpassed, self._given)
        self._steer(update, waited, now)
        if not _SAME[0] * self._said < self._line.rate < _SAME[1] * self._said:
            self._said = self._line.rate
        if update.budget:
            self._ladder.judge(now, self._rate_allowed / max(1, self.cells), update.own >= _IN_FULL * update.budget)

    def know_way(self, round_trip: float) -> None:
        """Somebody has measured the way: so many seconds there and back when nothing is on it."""
        self._way.known = round_trip

    def forget(self, now: float) -> None:
        """The answers under way will not come: the program was suspended, or the terminal is another one."""
        self._flight.clear()
        self._others = 0
        self._losses = 0
        self._due = now
        self._line.restart(now)

    # What it has come to.

    @property
    def rung(self) -> Rung:
        """What to show."""
        if self.fixed:
            return self._ladder.fixed
        return self._ladder.off if self._losses >= _SILENCE else self._ladder.rung

    @property
    def fixed(self) -> bool:
        """The terminal has never answered."""
        return not self._heard and self._losses > 0

    @property
    def capped(self) -> bool:
        """Somebody on this machine answers, as far as is known: the terminal is further away."""
        return self.proxied and (self._near >= _HEARD_NEAR or self._heard < _KNOWN)

    @property
    def reason(self) -> str:
        """Why pictures are worse than they could be, in a few words for the status line; empty when they are not."""
        rung = self.rung
        if self.fixed:
            return f"the terminal does not answer: pictures at {rung.frames_per_second:.0f}/s"
        if self._losses >= _SILENCE:
            return "the terminal has stopped answering: pictures wait"
        if rung == self._ladder.thrifty:
            return ""
        if rung == self._ladder.best:
            return f"pictures at {self._cap // 1000} KB/s at most" if self.capped else ""
        speed = f"line slow: {_kilobits(self._said)} kbit/s" if self._said else "line slow"
        if not rung.pictures:
            return f"{speed}, no pictures"
        if not rung.everybody:
            return f"{speed}, only who speaks at {rung.frames_per_second:.0f}/s"
        return f"{speed}, pictures at {rung.frames_per_second:.0f}/s"

    @property
    def round_trip(self) -> float | None:
        """Seconds to the terminal and back when nothing is in the way; ``None`` before the first answer."""
        return self._way.round_trip if isfinite(self._way.round_trip) else None

    @property
    def rate(self) -> float | None:
        """Bytes per second that the line takes, as far as it was felt."""
        return self._line.rate or None

    def age(self, now: float) -> float | None:
        """Seconds since the newest update was written that the terminal has come to."""
        return None if self._shown is None else now - self._shown

    # How.

    @property
    def _given(self) -> float:
        """The rate to reckon with: what was felt, within what is allowed."""
        if self.fixed:
            return self._cap
        rate = self._line.rate or _CAUTION
        return min(rate, self._cap) if self.capped else rate

    @property
    def _allowed(self) -> int:
        share = int(_SHARE * self._cap / self.rung.frames_per_second)
        allowed = share if self.fixed else self._budget
        if self.capped:
            allowed = min(allowed, share)
        elif self._line.rate and not self.fixed:
            brisk = _BRISK * self._line.rate / self.rung.frames_per_second
            allowed = min(allowed, int(max(_ENOUGH * self.cells, brisk)))
        return min(allowed, THRIFTY) if self.thrifty else allowed

    @property
    def _rate_allowed(self) -> float:
        rate = self._budget * self._ladder.rung.frames_per_second
        return min(rate, _SHARE * self._line.rate) if self._line.rate else rate

    @property
    def _window(self) -> int:
        """Updates that may be unanswered: what the way holds, and one more on either side."""
        if self.fixed:
            return NUMBERS + 1
        if not isfinite(self._way.round_trip):
            # Until the first question is answered.
            return 0
        if self._losses:
            return 1
        return min(WINDOW, 2 + ceil(self._way.round_trip * self.rung.frames_per_second))

    @property
    def _waiting(self) -> int:
        return sum(update.budget > 0 and not update.lost for update in self._flight)

    @property
    def _unpassed(self) -> int:
        """Bytes that no answer stands for."""
        return sum(update.size for update in self._flight) + self._others

    def _doubts(self, now: float) -> bool:
        """The smallest updates wait for long: either on the line, or the way is longer than it was."""
        return now - self._doubted > _DOUBT

    def _expire(self, now: float) -> None:
        """Give up answers that are overdue."""
        # A whole screen of text takes its time, too; before anything was heard, what was written before the question.
        waited_for = self._unpassed if self._heard else next((one.size for one in self._flight if not one.lost), 0)
        patience = _PATIENCE + waited_for / self._given
        if all(update.lost or now - update.at < patience for update in self._flight):
            return
        if not self._heard:
            # Nobody will tell when what was written has passed; it was taken for slower than it is.
            self._line.restart(now)
        for update in self._flight:
            update.lost = True
        self._losses += 1
        self._budget = max(LEAST, self._budget // 2)
        self._doubling = False

    def _steer(self, update: _Update, waited: float, now: float) -> None:
        """Less when it waited, more when it did not though it was as large as it might be."""
        target = self._ladder.target
        # One that was late may have met a busy machine; a queue makes the next one late as well.
        steady, self._waited = min(waited, self._waited), waited
        if waited > _CERTAIN * target:
            steady = waited
        if steady <= target or self._budget > LEAST:
            self._doubted = inf
        elif self._doubted == inf:
            self._doubted = now
        if steady > target:
            waited = steady
            # Those sent before the last cut tell of what was before it.
            if update.at >= self._cut:
                self._budget = max(LEAST, int(self._budget * max(0.5, target / waited)))
                self._cut = now
            self._doubling = False
        elif (
            update.budget
            and update.own >= _IN_FULL * update.budget
            and waited < _IN_FULL * target
            and self._budget <= self._allowed
        ):
            self._budget = min(MOST, int(self._budget * (2 if self._doubling else 1.12)))


class Way:
    """How long the way is: a short one of the last answers to mere questions, not the shortest."""

    def __init__(self) -> None:
        self.known: float | None = None
        """As somebody has measured it."""
        self._delays: deque[float] = deque(maxlen=5)

    @property
    def round_trip(self) -> float:
        """Seconds; infinite as long as it is unknown."""
        if self.known is not None:
            return self.known
        return sorted(self._delays)[len(self._delays) // 4] if self._delays else inf

    def took(self, delay: float) -> None:
        """An answer took so long."""
        self._delays.append(delay)


class Line:
    """What is between here and the terminal, taken for a queue that empties at one rate."""

    def __init__(self) -> None:
        self.rate = 0.0
        """Bytes per second; 0 when unknown."""
        self.free = 0.0
        """When the queue will be empty."""
        self._departed = 0.0
        self._rates: deque[float] = deque(maxlen=5)

    def busy(self, now: float) -> bool:
        """Whether what was written has not passed yet."""
        return self.free > now

    def write(self, now: float, size: int, rate: float) -> None:
        """So much more is in the queue."""
        self.free = max(self.free, now) + size / (_FILLED * rate)

    def passed(self, now: float, way: float, began: float, size: int, own: int) -> None:
        """``size`` bytes, the first of them written when it ``began``, are answered."""
        departed = now - way
        # The way may be shorter than was thought: nobody is infinitely quick.
        seconds = max(departed - max(began, self._departed), 0.1 * (now - began), 1e-4)
        self._departed = departed
        if size < LEAST // 2:
            return
        if size > 2 * own:
            # Text comes when it comes: there may have been gaps.
            self.rate = max(self.rate, size / seconds)
            return
        # The middle one: some are late because a machine was busy.
        self._rates.append(size / seconds)
        self.rate = median(self._rates)

    def correct(self, now: float, rest: int, rate: float) -> None:
        """By an answer: only ``rest`` bytes can be in the queue."""
        self.free = min(self.free, now + rest / rate)

    def restart(self, now: float) -> None:
        """Nothing is known to be in the queue."""
        self.free = self._departed = now


class Ladder:
    """Which rung, by bytes per second and cell; up again slowly, and more slowly each time that it did not last."""

    _HOLD: Final = 0.5
    _REST: Final = 3.0
    _LONGEST_REST: Final = 60.0
    _LATE: Final = 20.0
    """Seconds between two answers that came too late: one alone is a line that was dead for a while."""

    def __init__(self, frames_per_second: float) -> None:
        full = frames_per_second
        self.held = False
        """The user wants as little as possible: the ladder waits at `thrifty`."""
        self.thrifty = Rung(min(full, THRIFTY_PACE), everybody=False, plain=True)
        self._fixed = Rung(min(full, FIXED_PACE))
        self.off = Rung(1.0, everybody=False, pictures=False)
        # Fewer colours are no rung: the canvas sends them cell by cell where bytes are short.
        self._rungs = (
            Rung(full),
            Rung(min(full, max(1.0, full * 2 / 3))),
            Rung(min(full, max(1.0, full / 3))),
            Rung(min(full, max(1.0, full / 3)), everybody=False),
            Rung(min(full, max(1.0, full / 7)), everybody=False),
            self.off,
        )
        self._needs = (3.0, 2.0, 0.7, 0.35, 0.15, 0.0)
        self._at = 0
        self._full = 0.0
        self._short_since: float | None = None
        self._ample_since: float | None = None
        self._rest = self._REST
        self._rose = self._late = -inf

    @property
    def fixed(self) -> Rung:
        """For a terminal that does not answer."""
        return self.thrifty if self.held else self._fixed

    @property
    def best(self) -> Rung:
        """The top."""
        return self.thrifty if self.held else self._rungs[0]

    @property
    def rung(self) -> Rung:
        """Where it stands."""
        return self.thrifty if self.held else self._rungs[self._at]

    @property
    def target(self) -> float:
        """Seconds that an update may wait on the line."""
        return min(max(_SHARE / self.rung.frames_per_second, _SHORTEST), _LONGEST)

    def late(self, now: float) -> None:
        """An answer came after it had been given up."""
        if now - self._late < self._LATE:
            self._at = min(self._at + 1, len(self._rungs) - 1)
        self._late = now

    def judge(self, now: float, supply: float, full: bool) -> None:
        """``supply``: bytes per second and cell that there are; ``full``: the last update took its budget."""
        if self.held:
            # So little says nothing about the line.
            return
        self._full = 0.9 * self._full + 0.1 * full
        short = self._full > 0.5 and supply < 0.8 * self._needs[self._at]
        # Where nothing is written there is nothing to go by: it is tried.
        tries = self._full < 0.1 or not self.rung.pictures
        ample = self._at > 0 and (supply > 1.3 * self._needs[self._at - 1] or tries)
        self._short_since = (self._short_since or now) if short else None
        self._ample_since = (self._ample_since or now) if ample else None
        if self._short_since is not None and now - self._short_since >= self._HOLD:
            if now - self._rose < 10.0:
                self._rest = min(self._LONGEST_REST, 2 * self._rest)
            self._at += 1
        elif self._ample_since is not None and now - self._ample_since >= self._rest:
            if now - self._rose > 4 * self._rest:
                self._rest = self._REST
            self._rose = now
            self._at -= 1
        else:
            return
        self._short_since = self._ample_since = None


def _kilobits(rate: float) -> int:
    """Two digits of it."""
    bits = rate * 8 / 1000
    return 10 * round(bits / 10) if bits >= 100 else round(bits)
