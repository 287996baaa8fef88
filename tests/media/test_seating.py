"""Who is pinned while they are large, and how many slots are asked for."""

from __future__ import annotations

import pytest

from tests.waiting import Clock
from tui.core.events import Participant
from tui.media.seating import AGAIN, LINGERS, PATIENCE, Benches, Seating

MYSELF = Participant("alice", "Alice", is_self=True)
BOB = Participant("bob", "Bob", video="video-0")
CAROL = Participant("carol", "Carol")
SHORT = Benches.of([MYSELF, BOB, CAROL])
ENOUGH = Benches.of([MYSELF, BOB, Participant("carol", "Carol", video="video-1")])


@pytest.fixture
def clock() -> Clock:
    return Clock(50.0)


def test_who_sits_and_who_waits() -> None:
    people = [
        MYSELF,
        Participant("bob", "Bob", video="video-0", presentation="video-1"),
        Participant("dave", "Dave", camera=False),
        Participant("erin", "Erin", play_only=True),
    ]
    benches = Benches.of(people)
    assert benches.seated == {"bob", "bob_presentation"}
    assert not benches.is_short
    assert Benches.of([*people, CAROL]).is_short
    assert not Benches.of([MYSELF, CAROL]).is_short, "without any slot there is nothing to be short of"


def test_who_has_a_picture_needs_no_pin(clock: Clock) -> None:
    seating = Seating(clock)
    for featured in (None, "bob", "carol"):
        for _ in range(10):
            clock.now += 10
            assert seating.pins(featured, False, ENOUGH) == []


def test_who_is_left_out_is_pinned_while_they_are_large(clock: Clock) -> None:
    seating = Seating(clock)
    assert seating.pins("carol", False, SHORT) == []
    clock.now += PATIENCE
    assert seating.pins("carol", False, SHORT) == [("carol", True)]
    assert seating.pins("carol", False, SHORT) == []
    clock.now += AGAIN / 2
    assert seating.pins("carol", False, ENOUGH) == []
    assert seating.pins("bob", False, ENOUGH) == [("carol", False)]


def test_who_is_still_left_out_is_pinned_again_but_seldom(clock: Clock) -> None:
    seating = Seating(clock)
    pinned = 0
    for _ in range(600):
        clock.now += 0.1
        pinned += len(seating.pins("carol", False, SHORT))
    assert pinned == 60 // AGAIN


def test_whoever_is_seen_alone_is_pinned_where_slots_are_short(clock: Clock) -> None:
    seating = Seating(clock)
    seating.pins("bob", True, SHORT)
    clock.now += PATIENCE
    assert seating.pins("bob", False, SHORT) == []
    seating.pins("bob", True, SHORT)
    clock.now += PATIENCE
    assert seating.pins("bob", True, SHORT) == [("bob", True)]
    assert seating.pins(None, False, SHORT) == [("bob", False)]


def test_the_users_own_pins_are_left_alone(clock: Clock) -> None:
    seating = Seating(clock)
    seating.pins("carol", False, SHORT)
    clock.now += PATIENCE
    assert seating.pins("carol", False, SHORT, ["carol"]) == []
    seating.pins("carol", False, SHORT)
    clock.now += PATIENCE
    assert seating.pins("carol", False, SHORT) == [("carol", True)]
    assert seating.pins("bob", False, SHORT, ["carol"]) == []


def alone(seating: Seating, clock: Clock, seconds: float, benches: Benches = SHORT) -> list[int]:
    """What is asked for while only Bob is seen."""
    said = []
    for _ in range(round(seconds * 10)):
        clock.now += 0.1
        seating.pins("bob", True, benches)
        if (most := seating.most("bob", True, benches)) is not None:
            said.append(most)
    return said


def test_one_slot_is_enough_for_one_picture_and_all_are_there_at_once_afterwards(clock: Clock) -> None:
    seating = Seating(clock)
    assert alone(seating, clock, LINGERS) == []
    assert alone(seating, clock, PATIENCE + 1) == [1]
    clock.now += 2
    seating.pins(None, False, SHORT)
    assert seating.most(None, False, SHORT) == 2
    assert seating.most(None, False, SHORT) is None


def test_where_everybody_has_a_slot_nothing_is_said_about_their_number(clock: Clock) -> None:
    seating = Seating(clock)
    assert alone(seating, clock, 10 * LINGERS, ENOUGH) == []
    assert seating.most(None, False, ENOUGH) is None


def test_once_a_number_was_said_it_grows_with_the_room(clock: Clock) -> None:
    seating = Seating(clock)
    alone(seating, clock, LINGERS + PATIENCE + 1)
    clock.now += 2
    assert seating.most(None, False, SHORT) == 2
    crowd = Benches.of([MYSELF, BOB, *(Participant(f"p{number}", "") for number in range(9))])
    clock.now += 2
    assert seating.most(None, False, crowd) == 10
