"""Waiting in tests: on a condition, never for a time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEADLINE = 10.0


async def until(predicate: Callable[[], T], timeout: float = DEADLINE, what: str = "") -> T:
    """The first true value of the predicate; fails after ``timeout`` seconds."""
    ends = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > ends:
            raise AssertionError(f"not within {timeout} s: {what or predicate}")
        await asyncio.sleep(0.02)
    return value


def own_threads() -> set[threading.Thread]:
    """The threads that run now, without the loop's pool, which grows with its use and stays."""
    return {thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")}


def named_tasks() -> list[str]:
    """The names of all tasks that were given one: aiortc's own come and go while it runs."""
    return sorted(task.get_name() for task in asyncio.all_tasks() if not task.get_name().startswith("Task-"))


def block_until(condition: Callable[[], bool], what: str, timeout: float = 30.0) -> None:
    """Wait without a loop; fails after ``timeout`` seconds."""
    ends = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < ends, f"not within {timeout} s: {what}"
        time.sleep(0.02)
