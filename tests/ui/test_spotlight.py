"""Who is large: whoever has talked for a moment, and calmly so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.waiting import Clock
from tui.updates import Person
from tui.widgets.spotlight import TAKES, Spotlight

ALICE = Person("alice", "alice", "Alice", is_self=True)
BOB, CAROL, DAVE = (Person(name, name, name.title()) for name in ("bob", "carol", "dave"))
EVERYBODY = [ALICE, BOB, CAROL, DAVE]


class Scene:
    """A room in which people talk for some time."""

    def __init__(self) -> None:
        self.clock = Clock(50.0)
        self.spotlight = Spotlight(self.clock)
        self.pictures = list(EVERYBODY)
        self.large: list[str | None] = []

    def pass_by(self, seconds: float, pinned: str | None = None, **levels: float) -> str | None:
        """Who is large after these have talked so loud for so long."""
        for _ in range(round(seconds * 4)):
            self.clock.now += 0.25
            people = [replace(one, talking=one.key in levels) for one in self.pictures]
            self.large.append(self.spotlight.choose(people, lambda one: levels[one.key], pinned))
        return self.large[-1]


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_before_anybody_has_talked_it_is_the_first_of_the_others(scene: Scene) -> None:
    assert scene.pass_by(10) == "bob"
    scene.pictures = [ALICE]
    assert scene.pass_by(1) == "alice", "alone one sees oneself"
    scene.pictures = [ALICE, DAVE]
    assert scene.pass_by(1) == "dave"
    assert Spotlight(Clock()).choose([], lambda _: 0.0, None) is None


def test_whoever_talks_takes_over_after_a_moment_and_stays(scene: Scene) -> None:
    scene.pass_by(1)
    assert scene.pass_by(TAKES - 0.25, carol=0.2) == "bob"
    assert scene.pass_by(0.75, carol=0.2) == "carol"
    assert scene.pass_by(60) == "carol"


def test_a_cough_does_not_take_over(scene: Scene) -> None:
    scene.pass_by(1)
    for _ in range(50):
        scene.pass_by(TAKES - 0.5, carol=0.9)
        scene.pass_by(0.5)
    assert set(scene.large) == {"bob"}


def test_one_never_sees_oneself_for_talking(scene: Scene) -> None:
    scene.pass_by(1)
    assert scene.pass_by(30, alice=0.9) == "bob"


def test_whoever_talks_is_not_interrupted_by_somebody_as_loud(scene: Scene) -> None:
    assert scene.pass_by(5, carol=0.3) == "carol"
    assert scene.pass_by(30, carol=0.3, dave=0.4) == "carol"
    assert scene.pass_by(30, carol=0.1, dave=0.5) == "dave"


def test_of_two_who_begin_together_the_louder_takes_over(scene: Scene) -> None:
    scene.pass_by(1)
    assert scene.pass_by(5, carol=0.2, dave=0.3) == "dave"


def test_it_changes_seldom_however_people_talk_over_each_other(scene: Scene) -> None:
    for turn in range(400):
        loud = [0.5 if turn % 3 == number else None for number in range(3)]
        talking = {key: level for key, level in zip(("bob", "carol", "dave"), loud, strict=True) if level}
        scene.pass_by(0.5, None, **talking)
    changes = sum(one != other for one, other in zip(scene.large, scene.large[1:], strict=False))
    assert changes == 0


def test_the_muted_do_not_count(scene: Scene) -> None:
    scene.pictures = [ALICE, BOB, replace(CAROL, microphone=False)]
    assert scene.pass_by(10, carol=0.9) == "bob"


def test_who_leaves_makes_room_for_whoever_talks(scene: Scene) -> None:
    scene.pass_by(5, carol=0.3)
    scene.pictures.remove(CAROL)
    assert scene.pass_by(0.25, dave=0.1) == "dave"
    scene.pictures.remove(DAVE)
    assert scene.pass_by(0.25) == "bob"


def test_a_pin_and_a_screen_go_first_and_the_speaker_is_kept_meanwhile(scene: Scene) -> None:
    screen, other = (replace(one, key=f"{one.key}_presentation", owner=one.key) for one in (DAVE, BOB))
    scene.pass_by(5, carol=0.3)
    scene.pictures = [ALICE, BOB, CAROL, screen, DAVE]
    assert scene.pass_by(5) == screen.key
    scene.pictures = [ALICE, other, BOB, CAROL, screen, DAVE]
    assert scene.pass_by(5, bob=0.1) == screen.key, "who shares later does not interrupt"
    assert scene.pass_by(1, pinned="alice") == "alice"
    assert scene.pass_by(1, pinned="nobody") == screen.key
    scene.pictures = list(EVERYBODY)
    assert scene.pass_by(1) == "bob"
