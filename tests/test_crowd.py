"""Names as they are drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tui.core.events import Participant
from tui.crowd import Crowd
from tui.statistics import Health


def names(*given: str) -> list[str]:
    crowd = Crowd()
    crowd.follow(Participant(f"stream{n}", name) for n, name in enumerate(given))
    return [person.name for person in crowd.draw()]


@pytest.mark.parametrize("name", ["", "   ", "\n\t"])
def test_a_missing_name_is_said(name: str) -> None:
    assert names(name) == ["(no name)"]


def test_look_alikes_are_told_apart_by_their_ids() -> None:
    assert names("Bob", "bob", "\uff22ob", "Bo\u200db") == [
        "Bob",
        "bob #tream1",
        "\uff22ob #tream2",
        "Bo\u200db #tream3",
    ]


def test_nobody_else_is_you() -> None:
    assert names("You", "(you)") == ["You #tream0", "(you) #tream1"]


def test_a_long_name_is_cut() -> None:
    assert len(names("x" * 10_000)[0]) == 40


def test_whoever_has_not_changed_stays_the_same_object() -> None:
    voices: dict[str, tuple[float, bool]] = {}
    hands: set[str] = set()
    crowd = Crowd(voices, hands)
    roster = [Participant(f"stream{n}", f"Person {n}") for n in range(4)]
    crowd.follow(roster)
    before = crowd.draw()
    assert all(old is new for old, new in zip(before, crowd.draw(), strict=True))
    crowd.follow([roster[0], replace(roster[1], talking=True), Participant("stream2", "Person 2"), *roster[3:]])
    voices["stream3"] = 0.5, True
    hands.add("stream0")
    after = crowd.draw()
    assert [old is new for old, new in zip(before, after, strict=True)] == [False, False, True, False]
    assert (after[0].hand, after[1].talking, after[3].volume, after[3].silenced) == (True, True, 0.5, True)
    crowd.qualities = {"stream2": (Health.POOR, "the picture freezes")}
    assert [person.quality for person in crowd.draw()] == [Health.UNKNOWN, Health.UNKNOWN, Health.POOR, Health.UNKNOWN]
    crowd.follow([roster[1]])
    assert [person.name for person in crowd.draw()] == ["Person 1"]


def test_somebody_is_called_otherwise_when_a_look_alike_comes_or_goes() -> None:
    crowd = Crowd()
    bob, other = Participant("stream1", "Bob"), Participant("stream2", "bob")
    crowd.follow([bob, other])
    assert [person.name for person in crowd.draw()] == ["Bob", "bob #tream2"]
    crowd.follow([other])
    assert [person.name for person in crowd.draw()] == ["bob"]
