"""Waiting in tests: on a condition, never for a time."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

DEADLINE = 10.0


class Clock:
    """A time that passes when it is told to: set ``now``, in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


async def until(predicate: Callable[[], T], timeout: float = DEADLINE, what: str = "") -> T:
    """The first true value of the predicate; fails after ``timeout`` seconds."""
    ends = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > ends:
            raise AssertionError(f"not within {timeout} s: {what or predicate}")
        await asyncio.sleep(0.02)
    return value


async def until_found(
    look: Callable[[], Awaitable[T]], timeout: float = DEADLINE, what: Callable[[], object] | str = ""
) -> T:
    """As `until`, for what has to be asked for; ``what`` may be asked for at the end."""
    ends = time.monotonic() + timeout
    while not (value := await look()):
        if time.monotonic() > ends:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what or look}")
        await asyncio.sleep(0.05)
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
