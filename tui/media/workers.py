"""A few threads for many small jobs that would hold up a loop, such as decoding one picture.

Used by the reception. The threads are daemons, as those of `tui.media.threads`, and start when there is work.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


class Workers:
    """Does jobs in the order in which they come, ``count`` at once; any thread may submit."""

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def submit(self, job: Callable[[], None]) -> None:
        """Do this soon; dropped after `close`. Whoever submits sees to it that not too much waits."""
        with self._lock:
            if self._closed:
                return
            self._jobs.put(job)
            if len(self._threads) < self._count:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def close(self) -> None:
        """End the threads after the jobs that wait, without waiting for it; idempotent."""
        with self._lock:
            self._closed = True
            for _ in self._threads:
                self._jobs.put(None)
            self._threads.clear()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                logger.exception("%s failed", self._name)
            del job  # what it belongs to may end before the next one comes
