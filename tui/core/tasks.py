"""Background work with an owner: every task is held, named, logged when it fails, and ended with its owner.

Used wherever an object of the core, the media or the server starts work that outlives a call.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

logger = logging.getLogger(__name__)


class Tasks:
    """A set of running tasks; ``failed`` is told of an exception that nobody awaits."""

    def __init__(self, failed: Callable[[BaseException], None] | None = None) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._failed = failed

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start work; its failure is logged under ``name``."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def finish(self, timeout: float) -> None:
        """Wait so many seconds for what still runs, then end it."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout)
        await self.aclose()

    async def aclose(self) -> None:
        """Cancel what still runs and wait for its end; idempotent, safe from one of its own tasks."""
        others = [task for task in self._running if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logger.error("%s failed", task.get_name(), exc_info=error)
            if self._failed is not None:
                self._failed(error)
