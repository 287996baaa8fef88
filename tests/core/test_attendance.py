"""A room's list is read page by page, whatever order and size the pages come in."""

from __future__ import annotations

import json

import pytest

from tests.waiting import Clock
from tui.core.attendance import PAGE, READING_TIMEOUT, Reading
from tui.core.roster import PARTICIPANT_LIMIT


@pytest.fixture
def clock() -> Clock:
    return Clock(100.0)


@pytest.fixture
def reading(clock: Clock) -> Reading:
    return Reading(clock)


def records(start: int, count: int) -> list[str]:
    return [json.dumps({"streamId": f"p{number}"}) for number in range(start, start + count)]


def ids(read: object) -> list[str]:
    assert isinstance(read, tuple)
    return [broadcast.stream_id for broadcast in read]


def test_a_short_list_is_one_page(reading: Reading) -> None:
    assert reading.begin()
    assert ids(reading.take(records(0, 3))) == ["p0", "p1", "p2"]
    assert reading.pages == 1
    assert ids(reading.take([])) == []
    assert reading.pages == 1


def test_a_long_list_is_as_many_pages_as_it_takes(reading: Reading) -> None:
    reading.begin()
    assert reading.take(records(0, PAGE)) == PAGE
    assert reading.take(records(PAGE, PAGE)) == 2 * PAGE
    assert len(ids(reading.take(records(2 * PAGE, 7)))) == 2 * PAGE + 7
    assert reading.pages == 3


def test_a_list_of_full_pages_ends_with_an_empty_one(reading: Reading) -> None:
    reading.begin()
    reading.take(records(0, PAGE))
    assert len(ids(reading.take([]))) == PAGE


def test_nothing_is_begun_while_a_page_is_on_its_way(clock: Clock, reading: Reading) -> None:
    """Or its records would be taken for the first page of the next reading, and everybody else for gone."""
    reading.begin()
    assert reading.take(records(0, PAGE)) == PAGE
    assert not reading.begin()
    assert len(ids(reading.take(records(PAGE, 10)))) == PAGE + 10
    assert reading.begin()
    clock.now += READING_TIMEOUT
    assert reading.begin()


def test_a_lost_connection_ends_the_reading(reading: Reading) -> None:
    reading.begin()
    reading.take(records(0, PAGE))
    reading.forget()
    assert reading.begin()
    assert ids(reading.take(records(0, 1))) == ["p0"]


def test_it_is_known_when_the_list_was_asked_for(clock: Clock, reading: Reading) -> None:
    reading.begin()
    clock.now += 1
    reading.take(records(0, PAGE))
    clock.now += 1
    reading.take(records(PAGE, 1))
    assert reading.asked_at == 100.0


def test_a_server_may_give_fewer_than_it_is_asked_for(reading: Reading) -> None:
    """The count says that there are more (section 9, no. 19)."""
    reading.count = 40
    reading.begin()
    assert reading.take(records(0, 15)) == 15
    assert reading.take(records(15, 15)) == 30
    assert len(ids(reading.take(records(30, 10)))) == 40


def test_a_count_that_is_too_high_ends_with_an_empty_page(reading: Reading) -> None:
    reading.count = 40
    reading.begin()
    assert reading.take(records(0, 15)) == 15
    assert len(ids(reading.take([]))) == 15


def test_a_list_without_end_is_cut_off(reading: Reading) -> None:
    reading.begin()
    turns = 0
    while isinstance(reading.take(records(0, PAGE)), int):
        turns += 1
        assert turns < 100
    assert turns == PARTICIPANT_LIMIT // PAGE - 1


def test_broken_entries_count_as_entries(reading: Reading) -> None:
    reading.begin()
    broken: list[object] = ["broken", None, 7, "[]", '{"streamId": 7}', '{"streamId": "\\u001b"}']
    assert reading.take(broken + records(0, PAGE - len(broken))) == PAGE
    assert len(ids(reading.take([]))) == PAGE - len(broken)


def test_a_server_that_gives_no_list_is_known_by_its_silence(clock: Clock, reading: Reading) -> None:
    assert reading.begin()
    assert not reading.in_vain
    clock.now += READING_TIMEOUT
    assert reading.begin()
    assert reading.in_vain
    assert reading.take([]) == ()
    assert not reading.in_vain, "it was only slow"
    reading.begin()
    clock.now += READING_TIMEOUT
    reading.begin()
    reading.forget()
    assert not reading.in_vain, "another connection, another server perhaps"
