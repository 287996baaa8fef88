"""Names as they are drawn."""

from __future__ import annotations

import pytest

from tui.core.events import Participant
from tui.crowd import Crowd


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
