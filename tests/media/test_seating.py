"""Who is pinned while they are large, which page and how many slots are asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.waiting import Clock
from tui.core.events import Participant
from tui.media.seating import AGAIN, LINGERS, PATIENCE, Benches, Seating

if TYPE_CHECKING:
    from collections.abc import Sequence

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


CROWD = [Participant(f"p{place}", f"Person {place}") for place in range(6)]
FIRST, SECOND = ("p0", "p1"), ("p2", "p3")


def seats(*seated: str, others: Sequence[Participant] = CROWD, pinned: str = "") -> Benches:
    """A room in which only these have a picture."""
    people = [
        replace(one, video=f"video-{one.stream_id}", pinned=one.stream_id == pinned) if one.stream_id in seated else one
        for one in others
    ]
    return Benches.of([MYSELF, *people])


def test_a_later_page_is_asked_for_once_and_so_is_the_way_back(clock: Clock) -> None:
    seating = Seating(clock)
    assert seating.page((), seats(*FIRST)) is None
    assert seating.page(SECOND, seats(*FIRST)) == (2, 2)
    assert seating.page(SECOND, seats(*FIRST)) is None
    clock.now += 60
    assert seating.page(SECOND, seats(*SECOND)) is None
    assert seating.page((), seats(*SECOND)) == (0, 2)
    clock.now += 60
    assert seating.page((), seats(*SECOND)) is None


def test_where_everybody_on_the_page_has_a_picture_no_page_is_asked_for(clock: Clock) -> None:
    seating = Seating(clock)
    for benches in (seats(*FIRST, *SECOND), seats(*(one.stream_id for one in CROWD))):
        clock.now += 60
        assert seating.page(SECOND, benches) is None
        assert seating.page((), benches) is None


def test_who_shows_nothing_needs_no_page_but_has_a_place_on_the_list(clock: Clock) -> None:
    seating = Seating(clock)
    listener = Participant("listener", "Erin", play_only=True)
    dark = [listener, *(replace(one, camera=False) for one in CROWD[:4]), *CROWD[4:]]
    assert seating.page(SECOND, seats(others=dark)) is None
    assert seating.page(("listener",), seats(others=dark)) is None
    assert seating.page(("p4", "p5"), seats(others=dark)) == (4, 2)


def test_somebody_in_the_middle_of_a_page_may_be_missing_from_it(clock: Clock) -> None:
    assert Seating(clock).page(("p2", "p4"), seats(*FIRST)) == (2, 3)


def test_pages_are_turned_faster_than_they_are_asked_for_and_the_last_one_counts(clock: Clock) -> None:
    seating = Seating(clock)
    pages = [(f"p{place}",) for place in range(1, 6)]
    asked = [seating.page(pages[turn % 5], seats("p0")) for turn in range(100)]
    assert sum(one is not None for one in asked) == 4
    clock.now += 1
    assert seating.page(pages[2], seats("p0")) == (3, 1)


def test_a_page_moves_when_somebody_before_it_leaves(clock: Clock) -> None:
    seating = Seating(clock)
    seating.page(SECOND, seats(*FIRST))
    clock.now += PATIENCE
    assert seating.page(SECOND, seats(*SECOND, others=CROWD[1:])) == (1, 2)


def test_a_server_that_counts_otherwise_is_asked_once_more_and_then_rightly(clock: Clock) -> None:
    seating = Seating(clock)
    assert seating.page(SECOND, seats(*FIRST)) == (2, 2)
    clock.now += PATIENCE
    assert seating.page(SECOND, seats(*FIRST)) is None, "nothing has come of it yet"
    assert seating.page(SECOND, seats("p1", "p2")) == (3, 2)
    for _ in range(10):
        clock.now += 1
        assert seating.page(SECOND, seats("p1", "p2")) is None
    assert seating.page(("p4", "p5"), seats(*SECOND)) == (5, 2)
    assert seating.page((), seats("p4", "p5")) == (0, 2)


def test_a_page_of_more_than_the_slots_is_left_at_that(clock: Clock) -> None:
    seating = Seating(clock)
    page = ("p2", "p3", "p4", "p5")
    assert seating.page(page, seats(*FIRST)) == (2, 4)
    for _ in range(10):
        clock.now += 1
        assert seating.page(page, seats("p0", *SECOND, pinned="p0")) is None


def test_whoever_is_large_keeps_the_seat_while_pages_are_turned(clock: Clock) -> None:
    seating = Seating(clock)
    assert seating.pins("p0", False, seats(*FIRST), shown=()) == []
    assert seating.pins("p0", False, seats(*FIRST), shown=SECOND) == [("p0", True)]
    assert seating.page(SECOND, seats(*FIRST)) == (2, 2)
    clock.now += 60
    assert seating.pins("p0", False, seats("p0", "p2"), shown=SECOND) == []
    assert seating.page(SECOND, seats("p0", "p2", pinned="p0")) is None


def test_a_shared_screen_keeps_its_seat_while_pages_are_turned(clock: Clock) -> None:
    seating = Seating(clock)
    shares = [replace(CROWD[0], presentation="video-9"), *CROWD[1:]]
    assert seating.pins(None, False, seats("p0", others=shares), shown=()) == []
    assert seating.pins(None, False, seats("p0", others=shares), shown=SECOND) == [("p0_presentation", True)]
    assert seating.page(SECOND, seats("p0", others=shares)) == (2, 2)
    assert seating.pins(None, False, seats("p2", others=shares), shown=()) == [], "not before the way back is asked for"
    assert seating.page((), seats("p2", others=shares)) == (0, 2)
    assert seating.pins(None, False, seats("p2", others=shares), shown=()) == [("p0_presentation", False)]
