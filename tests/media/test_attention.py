"""What the server is told to send no longer, and how seldom."""

from __future__ import annotations

import pytest

from tests.waiting import Clock
from tui.media.attention import LINGERS, Attention

OWNERS = {"video-1": "bob", "video-2": "carol"}


@pytest.fixture
def clock() -> Clock:
    return Clock(50.0)


def test_who_is_seen_is_never_switched_off(clock: Clock) -> None:
    attention = Attention(clock)
    for _ in range(100):
        clock.now += 1
        assert attention.changes(OWNERS, ["video-1", "video-2"]) == []


def test_who_is_not_seen_for_a_while_is_switched_off_once_and_on_at_once(clock: Clock) -> None:
    attention = Attention(clock)
    assert attention.changes(OWNERS, ["video-1"]) == []
    clock.now += LINGERS - 0.1
    assert attention.changes(OWNERS, ["video-1"]) == []
    clock.now += 0.2
    assert attention.changes(OWNERS, ["video-1"]) == [("carol", False)]
    clock.now += 100
    assert attention.changes(OWNERS, ["video-1"]) == []
    assert attention.changes(OWNERS, ["video-1", "video-2"]) == [("carol", True)]
    assert attention.changes(OWNERS, ["video-1", "video-2"]) == []


def test_turning_pages_says_nothing(clock: Clock) -> None:
    attention = Attention(clock)
    for turn in range(200):
        clock.now += LINGERS / 3
        assert attention.changes(OWNERS, [f"video-{turn % 2 + 1}"]) == []


def test_who_is_seen_on_one_of_several_videos_is_seen(clock: Clock) -> None:
    attention = Attention(clock)
    for _ in range(10):
        clock.now += LINGERS
        assert attention.changes({"video-1": "bob", "video-3": "bob"}, ["video-3"]) == []


def test_who_is_switched_off_and_comes_back_on_another_track_is_switched_on(clock: Clock) -> None:
    attention = Attention(clock)
    attention.changes(OWNERS, [])
    clock.now += LINGERS
    assert set(attention.changes(OWNERS, [])) == {("bob", False), ("carol", False)}
    assert attention.changes({}, []) == []
    assert attention.changes({"video-9": "bob"}, ["video-9"]) == [("bob", True)]


def test_a_crowd_is_not_switched_off_all_at_once_but_in_the_end(clock: Clock) -> None:
    attention = Attention(clock)
    crowd = {f"video-{number}": f"p{number}" for number in range(100)}
    attention.changes(crowd, [])
    clock.now += LINGERS
    first = len(attention.changes(crowd, []))
    assert 0 < first < 30
    told = first
    for _ in range(60):
        clock.now += 1
        told += len(attention.changes(crowd, []))
    assert told == 100
