"""Small jobs in few threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.waiting import block_until
from tui.media.workers import Workers

if TYPE_CHECKING:
    import pytest


def running(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_jobs_are_done_in_order_by_few_threads_and_a_failure_is_named(caplog: pytest.LogCaptureFixture) -> None:
    workers, done = Workers(1, "patient worker"), list[int]()
    assert running("patient worker") == 0
    for number in range(20):
        workers.submit(lambda number=number: done.append(number // (number != 7)))  # type: ignore[misc]
    block_until(lambda: len(done) == 19, "the jobs")
    assert done == [number for number in range(20) if number != 7]
    assert running("patient worker") == 1
    assert "patient worker failed" in caplog.text
    workers.close()
    workers.close()
    block_until(lambda: running("patient worker") == 0, "the end")
    workers.submit(lambda: done.append(99))
    assert running("patient worker") == 0


def test_one_that_hangs_holds_up_no_other() -> None:
    workers, hangs, done = Workers(2, "one of two"), threading.Event(), list[int]()

    def hang() -> None:
        hangs.wait(10)

    workers.submit(hang)
    for number in range(5):
        workers.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    block_until(lambda: len(done) == 5, "the other's jobs")
    hangs.set()
    workers.close()
    block_until(lambda: running("one of two") == 0, "the end")
