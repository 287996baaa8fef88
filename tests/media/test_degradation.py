"""Fewer and smaller pictures while the machine is short of time, and back without going to and fro."""

from __future__ import annotations

import pytest

from tests.waiting import Clock
from tui.media.degradation import FIRST_WAIT, SETTLING, Degradation


class Machine:
    """Encodes pictures; ``cost`` is the time for a whole one, in seconds."""

    def __init__(self, frames_per_second: int = 15) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.cost = 0.002
        self.degradation = Degradation(frames_per_second, self.told.append, self.clock)

    @property
    def state(self) -> tuple[int, float]:
        return self.degradation.frames_per_second, self.degradation.scale

    def run(self, seconds: float) -> list[tuple[int, float]]:
        """The states that it goes through."""
        states = [self.state]
        ends = self.clock.now + seconds
        while self.clock.now < ends:
            self.clock.now += 1 / self.degradation.frames_per_second
            self.degradation.spent(self.cost * self.degradation.scale**2)
            if self.state != states[-1]:
                states.append(self.state)
        return states


def test_a_machine_with_time_sends_everything() -> None:
    machine = Machine()
    machine.cost = 0.03
    assert machine.run(120) == [(15, 1.0)]
    assert machine.told == []


def test_first_there_are_fewer_pictures_then_smaller_ones() -> None:
    machine = Machine()
    machine.cost = 0.5
    assert machine.run(60) == [(15, 1.0), (10, 1.0), (8, 1.0), (8, 0.75), (8, 0.5), (5, 0.5)]
    assert machine.told[0] == "This machine is short of time: your pictures are sent 10 a second at full size."
    assert machine.told[-1].endswith("5 a second at 50 % of their size.")


def test_no_more_is_given_up_than_has_to_be() -> None:
    machine = Machine()
    machine.cost = 0.055
    assert machine.run(60) == [(15, 1.0), (10, 1.0)]


def test_a_single_slow_picture_changes_nothing() -> None:
    machine = Machine()
    machine.run(5)
    machine.degradation.spent(0.1)
    assert machine.run(5) == [(15, 1.0)]


def test_everything_comes_back_when_the_machine_has_time_again() -> None:
    machine = Machine()
    machine.cost = 0.5
    machine.run(60)
    machine.cost = 0.002
    assert machine.run(90)[-1] == (15, 1.0)
    assert machine.told[-1] == "Your pictures are sent 15 a second at full size again."


def test_it_does_not_go_to_and_fro() -> None:
    """What costs much as a whole and little when it is less is tried ever more seldom."""
    machine = Machine()
    changes = []
    for _ in range(10):
        # Others leave the machine alone only while little is sent.
        for _ in range(6000):
            machine.cost = 0.2 if machine.state == (15, 1.0) else 0.002
            changes += machine.run(0.1)[1:]
    tries = changes.count((15, 1.0))
    assert tries < 600 * 10 / 60 + 10
    assert tries > 5


@pytest.mark.parametrize("rate", [1, 3, 5])
def test_few_pictures_do_not_become_none(rate: int) -> None:
    machine = Machine(rate)
    machine.cost = 2.0
    machine.run(60)
    assert machine.degradation.frames_per_second == min(rate, 4)


def test_constants_leave_room_between_up_and_down() -> None:
    assert FIRST_WAIT > 2 * SETTLING / 15
