"""Waiting for what other tasks and threads do, with a deadline and without fixed sleeps."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE = 20.0


async def until(condition: Callable[[], bool], what: str) -> None:
    """Let the loop run until the condition holds; fails the test when it does not come true."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        await asyncio.sleep(0.005)
