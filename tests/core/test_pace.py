"""A burst at once, then the steady rate."""

from __future__ import annotations

import pytest

from tui.core.pace import Pace


def test_a_burst_then_the_rate() -> None:
    now = 100.0
    pace = Pace(2, 3, lambda: now)
    assert [pace.take() for _ in range(5)] == [True, True, True, False, False]
    assert pace.due_in() == pytest.approx(0.5)
    now += 0.25
    assert not pace.take()
    assert pace.due_in() == pytest.approx(0.25)
    now += 0.25
    assert [pace.take() for _ in range(2)] == [True, False]
    now += 3600
    assert [pace.take() for _ in range(5)] == [True, True, True, False, False]


def test_what_is_not_used_is_not_saved_up() -> None:
    now = 0.0
    pace = Pace(1, 1, lambda: now)
    taken = 0
    for step in range(1000):
        now = step * 0.1
        taken += pace.take()
    assert 99 <= taken <= 101
