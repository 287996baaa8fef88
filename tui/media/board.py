"""The latest pictures and sound levels of a call, shared by two threads without a queue.

The core's thread writes what is newest, the screen reads when it draws: nothing piles up when the terminal is
slow. The screen also says here which pictures it can see, how large and how often, so that nothing else is decoded.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import av

    from tui.media.cells import Look, Size

LOCAL = "local"
"""Key of the own preview and of the own microphone's level; remote keys are `RemoteTrack.key`."""


class Board:
    """Newest frame per video track and newest level per audio track; every method is thread-safe."""

    def __init__(self, look: Look, frames_per_second: float = 15.0) -> None:
        self.look = look
        self.frames_per_second = frames_per_second
        """What the terminal can take now of one picture; the screen changes it, to decode more is in vain."""
        self.mirrored = True
        """Whether people see themselves in the own preview, and so expect a mirror; not so when it is a screen."""
        self._lock = threading.Lock()
        self._wishes: dict[str, Size] = {}
        self._featured: tuple[str | None, bool] = (None, False)
        self._page: tuple[str, ...] = ()
        self._frames: dict[str, av.VideoFrame] = {}
        self._stopped: dict[str, float] = {}
        self._levels: dict[str, float] = {}

    def want(self, wishes: Mapping[str, Size]) -> None:
        """Screen: exactly these pictures are seen now, at these sizes; frames of all others are dropped.

        Of a picture that is seen in part, it is the size that the whole would have.
        """
        with self._lock:
            self._wishes = dict(wishes)
            for key in [key for key in self._frames if key not in self._wishes]:
                del self._frames[key]

    def wish(self, key: str) -> Size | None:
        """Core: the size that this picture is seen at, ``None`` when nobody sees it."""
        with self._lock:
            return self._wishes.get(key)

    def feature(self, stream_id: str | None, *, alone: bool = False) -> None:
        """Screen: this one is the large one, with or without a picture now, or nobody is; or nobody else is seen."""
        with self._lock:
            self._featured = (stream_id, alone)

    @property
    def featured(self) -> tuple[str | None, bool]:
        """Core: the stream id of the large one, ``None`` when nobody else is; whether nobody but them is to be seen."""
        with self._lock:
            return self._featured

    def turn_to(self, stream_ids: Collection[str]) -> None:
        """Screen: these people are on the page of tiles that is seen; nobody is meant by the first one, or by none."""
        with self._lock:
            self._page = tuple(stream_ids)

    @property
    def page(self) -> tuple[str, ...]:
        """Core: who is on the page that is seen, when it is not the first."""
        with self._lock:
            return self._page

    def show(self, key: str, frame: av.VideoFrame) -> None:
        """Core: this is the newest frame, and the picture moves; dropped when nobody wants it any more."""
        with self._lock:
            self._stopped.pop(key, None)
            if key in self._wishes:
                self._frames[key] = frame

    def frame(self, key: str) -> av.VideoFrame | None:
        """Screen: the newest frame, the same object until a newer one comes."""
        with self._lock:
            return self._frames.get(key)

    def stop(self, key: str, since: float) -> None:
        """Core: nothing new has come since then (``time.monotonic``) though it should; until the next `show`."""
        with self._lock:
            self._stopped[key] = since

    def stopped(self, key: str) -> float | None:
        """Screen: since when (``time.monotonic``) the picture stands still, ``None`` when it moves."""
        with self._lock:
            return self._stopped.get(key)

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
            self._frames.pop(key, None)
            self._stopped.pop(key, None)
            self._levels.pop(key, None)
