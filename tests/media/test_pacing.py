"""The pace of pictures on lines of every kind: what is seen how late, and that keys come first."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.screen_line import Screen, Terminal
from tui.media.pacing import CAP, FIXED_PACE, LEAST, MOST, NUMBERS, THRIFTY, THRIFTY_PACE, WINDOW, Pacer

FPS = 15.0
KILOBIT = 125.0
"""Bytes."""


def screen(kilobits: float, pacer: Pacer | None = None, **line: object) -> Screen:
    return Screen(pacer or Pacer(FPS), kilobits * KILOBIT, **line)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kilobits", "updates", "age", "key"),
    [(64, 1, 1.0, 0.3), (256, 12, 0.15, 0.15), (1000, 14.5, 0.1, 0.1), (10_000, 14.5, 0.1, 0.06)],
)
def test_pictures_are_young_and_keys_quick_on_every_line(
    kilobits: float, updates: float, age: float, key: float
) -> None:
    line = screen(kilobits, demand=20_000)
    line.run(5)
    figures = line.run(30)
    assert figures.updates >= updates
    assert figures.age[0] <= age
    assert figures.key[1] <= key


@pytest.mark.parametrize(("kilobits", "share"), [(256, 0.6), (1000, 0.3), (4000, 0.3)])
def test_most_of_the_line_is_used_until_the_picture_is_good(kilobits: float, share: float) -> None:
    """From then on it had better be young."""
    line = screen(kilobits, demand=100_000)
    line.run(5)
    assert line.run(30).bytes >= share * kilobits * KILOBIT
    assert line.pacer.rate == pytest.approx(kilobits * KILOBIT, rel=0.3)


def test_what_is_near_soon_gets_all_it_takes() -> None:
    line = screen(1e6, round_trip=0.001, demand=30_000)
    line.run(1)
    figures = line.run(1)
    assert figures.bytes >= 0.9 * FPS * 30_000
    assert line.pacer.rung == Pacer(FPS).rung
    assert line.pacer.reason == ""


@pytest.mark.parametrize(("round_trip", "age"), [(0.15, 0.2), (0.3, 0.3)])
def test_a_long_way_is_filled(round_trip: float, age: float) -> None:
    line = screen(1000, round_trip=round_trip)
    line.run(5)
    figures = line.run(20)
    assert figures.updates >= 14
    assert figures.age[0] <= age
    assert line.pacer.round_trip == pytest.approx(round_trip, abs=0.01)


def test_a_way_that_becomes_longer_is_learnt() -> None:
    line = screen(1000)
    line.run(10)
    line.round_trip = 0.2
    line.run(25)
    assert line.run(10).updates >= 14
    assert line.pacer.round_trip == pytest.approx(0.2, abs=0.01)


def test_jitter_is_not_taken_for_a_slow_line() -> None:
    line = screen(1000, jitter=0.03)
    line.run(5)
    figures = line.run(30)
    assert figures.updates >= 14
    assert figures.bytes >= 30_000
    assert line.pacer.reason == ""


def test_a_line_that_falls_to_an_eighth_is_caught_up_with() -> None:
    line = screen(1000)
    line.run(10)
    line.rate /= 8
    assert line.run(2.5).age[1] <= 1.5
    after = line.run(5)
    assert after.age[0] <= 0.2
    assert after.key[1] <= 0.25
    line.rate *= 8
    line.run(20)
    assert line.run(5).bytes >= 45_000
    assert line.pacer.reason == ""


def test_the_ladder_gives_up_one_thing_after_the_other() -> None:
    seen = []
    for kilobits in (2000, 256, 100, 64, 22, 12, 2):
        line = screen(kilobits, demand=50_000, keys=False)
        line.run(60 if kilobits > 2 else 120)
        rung = line.pacer.rung
        seen.append((rung.pictures, rung.everybody, round(rung.frames_per_second)))
        assert bool(line.pacer.reason) is (rung.frames_per_second < 15)
    assert seen == [
        (True, True, 15),
        (True, True, 15),
        (True, True, 10),
        (True, True, 5),
        (True, False, 5),
        (True, False, 2),
        (False, False, 1),
    ]


def test_the_reason_says_how_slow_and_what_is_given_up() -> None:
    line = screen(64)
    line.run(30)
    speed, what = line.pacer.reason.split(", ")
    assert what == "pictures at 5/s"
    assert speed.removeprefix("line slow: ").removesuffix(" kbit/s").isdigit()


def test_fewer_cells_need_less() -> None:
    line = screen(256)
    line.pacer.cells = 500
    line.run(30)
    assert line.pacer.reason == ""


def test_the_ladder_does_not_swing() -> None:
    line = screen(256, demand=50_000)
    rungs = []
    for _ in range(600):
        line.rate = line._chance.uniform(150, 400) * KILOBIT
        line.run(0.5)
        rungs.append(line.pacer.rung)
    assert sum(before != after for before, after in itertools.pairwise(rungs)) <= 20


def test_a_quiet_picture_gets_its_pace_back() -> None:
    line = screen(100, demand=50_000)
    line.run(20)
    assert line.pacer.reason.endswith("pictures at 10/s")
    line.demand = 400
    line.run(30)
    assert line.pacer.reason == ""


def test_a_repaint_goes_first() -> None:
    line = screen(64)
    line.run(10)
    line.write(30_000)
    # It takes 3.75 s, and until then there is only one key after another.
    assert line.run(3.5).updates <= 1
    assert line.run(2).updates >= 1
    after = line.run(10)
    assert after.updates >= 4
    assert after.key[1] <= 0.3


def test_a_repaint_before_the_first_picture_is_waited_for() -> None:
    line = screen(64)
    line.write(30_000)
    line.run(10)
    assert not line.pacer.fixed
    assert line.run(10).updates >= 4


def test_text_that_is_written_all_the_time_takes_from_the_pictures() -> None:
    line = screen(256, demand=50_000)
    line.run(5)
    alone = line.run(10).bytes
    beside = []
    for _ in range(100):
        line.write(1600)
        beside.append(line.run(0.1).bytes)
    assert sum(beside[20:]) / 80 <= 0.7 * alone
    assert line.run(5).key[1] < 0.3


def test_a_terminal_that_never_answers_gets_a_fixed_rate() -> None:
    line = screen(256, terminal=Terminal.SILENT, demand=50_000)
    line.run(10)
    figures = line.run(20)
    assert 0.8 * FIXED_PACE <= figures.updates <= FIXED_PACE
    assert CAP / 2 <= figures.bytes <= CAP
    assert figures.key[1] <= 0.3
    assert line.pacer.reason == "the terminal does not answer: pictures at 5/s"


def test_a_terminal_that_answers_late_is_steered_after_all() -> None:
    line = screen(256, terminal=Terminal.SILENT)
    line.run(15)
    line.terminal = Terminal.ANSWERS
    line.run(10)
    assert not line.pacer.fixed
    assert line.run(10).updates >= 12


def test_one_who_answers_for_the_terminal_is_not_believed() -> None:
    line = screen(256, Pacer(FPS, proxied=True), terminal=Terminal.NEAR, demand=50_000)
    line.run(5)
    figures = line.run(20)
    assert CAP / 2 <= figures.bytes <= CAP
    assert figures.key[1] <= 0.15
    assert line.pacer.capped


def test_one_who_might_but_does_not_is() -> None:
    line = screen(1000, Pacer(FPS, proxied=True), demand=50_000)
    line.run(5)
    assert line.run(10).bytes > 2 * CAP
    assert not line.pacer.capped


def test_a_terminal_that_is_not_read_gets_little_and_shows_the_present_when_it_is() -> None:
    line = screen(1000, keys=False)
    line.run(10)
    line.stalled = True
    assert line.run(20).queue <= WINDOW * 8000
    assert line.pacer.reason == "the terminal has stopped answering: pictures wait"
    line.stalled = False
    line.run(0.5)
    assert line.run(0.5).age[1] <= 0.3


def test_answers_that_are_lost_do_not_stop_it() -> None:
    line = screen(1000)
    line.run(5)
    line.terminal = Terminal.SILENT
    line.run(4)
    line.terminal = Terminal.ANSWERS
    line.run(4)
    assert line.run(5).updates >= 14


def test_after_a_suspension_nothing_is_waited_for() -> None:
    pacer = Pacer(FPS)
    pacer.answered(pacer.sent(0.0, 600), 0.04)
    for now in (1.0, 1.1):
        pacer.sent(now, pacer.budget(now))
    assert pacer.budget(1.2) == 0 or pacer.sent(1.2, 500)
    pacer.forget(3600.0)
    assert pacer.budget(3600.0) > 0
    assert pacer.rung.pictures


def test_what_was_never_asked_or_was_answered_before_is_ignored() -> None:
    pacer = Pacer(FPS)
    number = pacer.sent(1.0, 600)
    for forged in (0, -1, number + 1, NUMBERS, NUMBERS + 1, 10**9):
        pacer.answered(forged, 1.01)
    assert pacer.round_trip is None
    pacer.answered(number, 1.04)
    assert pacer.round_trip == pytest.approx(0.04)
    pacer.answered(number, 1.05)
    pacer.answered(number, 900.0)
    assert pacer.round_trip == pytest.approx(0.04)


def test_a_later_answer_stands_for_those_before_it() -> None:
    pacer = Pacer(FPS)
    pacer.answered(pacer.sent(0.0, 600), 0.04)
    first, second = pacer.sent(0.1, 300), pacer.sent(0.2, 300)
    assert pacer.age(0.25) == pytest.approx(0.25)
    pacer.answered(second, 0.24)
    assert pacer.age(0.25) == pytest.approx(0.05)
    pacer.answered(first, 0.26)
    assert pacer.age(0.27) == pytest.approx(0.07)


def test_a_hostile_terminal_stays_within_the_bound() -> None:
    chance = random.Random(3)
    pacer, now, total = Pacer(FPS), 0.0, 0
    for _ in range(60_000):
        now += chance.choice((0.0, 0.0001, 0.001, 0.01))
        budget = pacer.budget(now)
        assert 0 <= budget <= MOST
        if budget:
            assert 1 <= pacer.sent(now, budget) <= NUMBERS
            total += budget
        for _ in range(chance.randrange(4)):
            pacer.answered(chance.randrange(-2, NUMBERS + 3), now)
    assert total <= 1.1 * now * FPS * MOST
    assert len(pacer._flight) < NUMBERS


def test_wild_answers_do_not_end_it() -> None:
    line = screen(256)
    for _ in range(2000):
        line.pacer.answered(line._chance.randrange(0, NUMBERS + 2), line.now)
        line.run(0.01)
    line.run(15)
    figures = line.run(10)
    assert figures.updates >= 10
    assert figures.key[1] <= 0.2


def test_no_picture_is_larger_than_the_line_takes_nor_smaller_than_a_picture() -> None:
    line = screen(64, demand=50_000)
    line.run(20)
    size = line.run(20)
    assert LEAST <= size.bytes / size.updates <= 2 * LEAST


@pytest.mark.parametrize("kilobits", [64, 10_000])
def test_who_wants_little_gets_little_on_every_line_and_all_again_at_once(kilobits: float) -> None:
    line = screen(kilobits, demand=50_000, keys=False)
    line.run(20)
    before = line.pacer.rung
    line.pacer.thrifty = True
    rung = line.pacer.rung
    assert (rung.pictures, rung.everybody, rung.plain, rung.frames_per_second) == (True, False, True, THRIFTY_PACE)
    line.run(3)
    figures = line.run(30)
    assert 0.5 <= figures.updates <= 1.1 * THRIFTY_PACE
    assert figures.bytes <= 1.2 * THRIFTY_PACE * THRIFTY
    assert line.pacer.reason == ""
    line.pacer.thrifty = False
    assert line.pacer.rung == before


def test_who_wants_little_gets_little_also_where_nobody_answers() -> None:
    line = screen(1000, terminal=Terminal.SILENT, demand=50_000, keys=False)
    line.pacer.thrifty = True
    line.run(20)
    assert line.pacer.fixed
    figures = line.run(20)
    assert figures.updates <= 1.1 * THRIFTY_PACE
    assert figures.bytes <= 1.2 * THRIFTY_PACE * THRIFTY
