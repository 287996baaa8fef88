"""The latest pictures and sound levels of a call, shared by two threads without a queue.

The core's thread writes what is newest, the screen reads when it draws: nothing piles up when the terminal is
slow. The screen also says here which pictures it can see and how large, so that nothing else is encoded.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tui.media.cells import CellGrid, Look, Size

LOCAL = "local"
"""Key of the own preview and of the own microphone's level; remote keys are `RemoteTrack.key`."""


class Board:
    """Newest picture per video track and newest level per audio track; every method is thread-safe."""

    def __init__(self, look: Look, frames_per_second: float = 8.0) -> None:
        self.look = look
        self.frames_per_second = frames_per_second
        self._lock = threading.Lock()
        self._wishes: dict[str, Size] = {}
        self._pictures: dict[str, CellGrid] = {}
        self._levels: dict[str, float] = {}

    def want(self, wishes: Mapping[str, Size]) -> None:
        """Screen: exactly these pictures are visible now, at these sizes."""
        with self._lock:
            self._wishes = dict(wishes)
            for key in [key for key in self._pictures if key not in self._wishes]:
                del self._pictures[key]

    def wish(self, key: str) -> Size | None:
        """Core: the size to encode this picture at, ``None`` when nobody sees it."""
        with self._lock:
            return self._wishes.get(key)

    def show(self, key: str, picture: CellGrid) -> None:
        """Core: this is the newest picture; dropped when nobody wants it any more."""
        with self._lock:
            if key in self._wishes:
                self._pictures[key] = picture

    def picture(self, key: str) -> CellGrid | None:
        """Screen: the newest picture, the same object until a newer one comes."""
        with self._lock:
            return self._pictures.get(key)

    def set_level(self, key: str, level: float) -> None:
        """Core: how loud this track is now, 0.0 (silence) to 1.0 (full scale)."""
        with self._lock:
            self._levels[key] = level

    def level(self, key: str) -> float:
        """Screen: how loud this track is now; 0.0 when unknown."""
        with self._lock:
            return self._levels.get(key, 0.0)

    def forget(self, key: str) -> None:
        """Core: this track has ended."""
        with self._lock:
            self._pictures.pop(key, None)
            self._levels.pop(key, None)
