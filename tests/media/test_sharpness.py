"""Which height is asked for, when, and how seldom."""

from __future__ import annotations

import pytest

from tests.waiting import Clock
from tui.core.renditions import Rendition
from tui.media.cells import Size
from tui.media.sharpness import AUTOMATIC, FALLS, RISES, Sharpness, lowest

SIZES = (Rendition(426, 240), Rendition(640, 360), Rendition(1280, 720))
OWNERS = {"video-1": "bob", "video-2": "carol"}
SMALL, MIDDLE, LARGE = Size(40, 12), Size(150, 42), Size(300, 80)


@pytest.fixture
def clock() -> Clock:
    return Clock(50.0)


@pytest.mark.parametrize(
    ("size", "height"),
    [
        (SMALL, 240),
        (MIDDLE, 360),
        (LARGE, AUTOMATIC),
        (Size(40, 80), 240),
        (Size(1, 1), 240),
    ],
)
def test_the_lowest_that_shows_all_that_the_tile_can(size: Size, height: int) -> None:
    assert lowest(SIZES, size) == height


@pytest.mark.parametrize("sizes", [(), SIZES[:1]])
def test_where_there_is_no_choice_nothing_is_asked(clock: Clock, sizes: tuple[Rendition, ...]) -> None:
    sharpness = Sharpness(clock)
    for _ in range(100):
        clock.now += 1
        assert sharpness.changes(OWNERS, {"video-1": SMALL}, lambda _: sizes) == []


def test_each_one_that_is_seen_is_asked_about_once_on_each_track(clock: Clock) -> None:
    sharpness = Sharpness(clock)
    assert sharpness.questions(OWNERS, {"video-1": SMALL}) == ["bob"]
    assert sharpness.questions(OWNERS, {"video-1": LARGE}) == []
    assert sharpness.questions(OWNERS, {"video-1": SMALL, "video-2": SMALL}) == ["carol"]
    assert sharpness.questions({"video-1": "bob", "video-2": "dave"}, dict.fromkeys(OWNERS, SMALL)) == ["dave"]
    assert sharpness.questions(OWNERS, dict.fromkeys(OWNERS, SMALL)) == ["carol"]


def test_a_crowd_is_not_asked_about_all_at_once_but_in_the_end(clock: Clock) -> None:
    sharpness = Sharpness(clock)
    crowd = {f"video-{number}": f"p{number}" for number in range(50)}
    asked = sharpness.questions(crowd, dict.fromkeys(crowd, SMALL))
    assert 0 < len(asked) < 20
    for _ in range(60):
        clock.now += 1
        asked += sharpness.questions(crowd, dict.fromkeys(crowd, SMALL))
    assert sorted(asked) == sorted(crowd.values())


def test_a_small_picture_is_asked_for_after_a_while_and_the_servers_choice_soon_when_it_grows(clock: Clock) -> None:
    sharpness = Sharpness(clock)

    def changes(size: Size) -> list[tuple[str, int]]:
        return sharpness.changes(OWNERS, {"video-1": size}, lambda _: SIZES)

    assert changes(SMALL) == []
    clock.now += FALLS - 0.1
    assert changes(SMALL) == []
    clock.now += 0.2
    assert changes(SMALL) == [("bob", 240)]
    assert changes(LARGE) == []
    clock.now += RISES + 0.1
    assert changes(LARGE) == [("bob", AUTOMATIC)]
    clock.now += 100
    assert changes(LARGE) == []


def test_who_turns_back_in_time_says_nothing(clock: Clock) -> None:
    sharpness = Sharpness(clock)
    for turn in range(100):
        clock.now += FALLS / 3
        assert sharpness.changes(OWNERS, {"video-1": (SMALL, LARGE)[turn % 2]}, lambda _: SIZES) == []


def test_what_is_not_seen_is_left_as_it_is(clock: Clock) -> None:
    sharpness = Sharpness(clock)
    sharpness.changes(OWNERS, {"video-1": SMALL}, lambda _: SIZES)
    clock.now += FALLS
    assert sharpness.changes(OWNERS, {"video-1": SMALL}, lambda _: SIZES) == [("bob", 240)]
    clock.now += 100
    assert sharpness.changes(OWNERS, {}, lambda _: SIZES) == []
    assert sharpness.changes(OWNERS, {"video-1": SMALL}, lambda _: SIZES) == []


def test_of_two_tiles_the_larger_counts(clock: Clock) -> None:
    sharpness = Sharpness(clock)
    owners = {"video-1": "bob", "video-3": "bob"}
    for _ in range(10):
        clock.now += FALLS
        told = sharpness.changes(owners, {"video-1": SMALL, "video-3": LARGE}, lambda _: SIZES)
        assert told == []


def test_the_rate_is_limited(clock: Clock) -> None:
    sharpness = Sharpness(clock)
    crowd = {f"video-{number}": f"p{number}" for number in range(50)}
    watched = dict.fromkeys(crowd, SMALL)
    sharpness.changes(crowd, watched, lambda _: SIZES)
    clock.now += FALLS
    told = len(sharpness.changes(crowd, watched, lambda _: SIZES))
    assert 0 < told < 20
    for _ in range(60):
        clock.now += 1
        told += len(sharpness.changes(crowd, watched, lambda _: SIZES))
    assert told == 50
