"""One remote video: encoded pictures come from the core, the newest decoded frame goes to the board.

Created by the `Reception`. Nothing is put together or decoded while the board does not want the picture; when it does
again, a key frame is asked for at once and decoding begins with it. A picture that stops is told to the board.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from tui.core.video import Showing
from tui.media.thinning import Thinning
from tui.media.video_decoder import RefusedError, VideoDecoder
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.pictures import Pictures
    from tui.core.video import EncodedPicture
    from tui.media.board import Board
    from tui.media.workers import Workers

logger = logging.getLogger(__name__)

FREEZE = 2.0
"""Seconds without a picture after which it stands still."""

_LEAST_COLUMNS, _LEAST_ROWS = 4, 2
"""A smaller picture shows nothing."""

_INBOX = 30
_INBOX_BYTES = 8 << 20
"""What waits to be decoded, at most: more would be seen too late."""

_COMPLAINTS = 3
"""Lines of the log about one video."""

_SOONEST, _LATEST = 0.5, 16.0
"""Seconds between two requests for a key frame while nothing helps, first and in the end."""


class View:
    """Who watches one remote video, a `VideoSink`.

    `push`, `look`, `showing` and `close` belong to the core's loop. Decoding happens in one of the workers' threads,
    one picture at a time, so that no video keeps the others waiting.
    """

    def __init__(
        self,
        board: Board,
        key: str,
        pictures: Pictures,
        workers: Workers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.is_sent = True
        """Whether the sender's camera is on: otherwise nothing is missed."""
        self._board = board
        self._key = key
        self._pictures = pictures
        self._workers = workers
        self._clock = clock
        self._thinning = Thinning(clock)
        self._awake_since: float | None = None
        self._ask_after = _SOONEST
        self._ask_due = 0.0
        self._dropped = 0
        # From here on the loop's and a worker's, with the lock.
        self._lock = threading.Lock()
        self._inbox: deque[EncodedPicture | None] = deque()
        self._inbox_bytes = 0
        self._is_busy = False
        self._shown_at = 0.0
        self._needs_key_frame = False
        # The worker's.
        self._decoder = VideoDecoder(clock)
        self._rhythm = _Rhythm()
        self._refused = 0
        self._decode_time = 0.0
        self._size = (0, 0)
        self._complaints: set[str] = set()

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks."""
        return self._awake_since is not None

    def push(self, picture: EncodedPicture) -> None:
        """`VideoSink`."""
        if not self._is_wanted:
            self.look()
        if not self.is_watched or not self._thinning.takes(picture, self._board.frames_per_second):
            self._dropped += 1
            return
        with self._lock:
            if len(self._inbox) >= _INBOX or self._inbox_bytes + len(picture.data) > _INBOX_BYTES:
                self._dropped += 1
                self._empty()
                self._needs_key_frame = True
            else:
                self._inbox.append(picture)
                self._inbox_bytes += len(picture.data)
        self._begin_work()
        self._ask()

    def showing(self) -> Showing:
        """`VideoSink`."""
        return Showing(
            decoded=self._rhythm.pictures,
            dropped=self._dropped + self._refused,
            width=self._size[0],
            height=self._size[1],
            decode_time=self._decode_time,
            freezes=self._rhythm.freezes,
            frozen=self._rhythm.frozen,
        )

    def look(self) -> None:
        """Begin or end watching as the board wants, and tell it of a picture that stands still; call it often."""
        if self._is_wanted is not self.is_watched:
            if self.is_watched:
                self._fall_asleep()
            else:
                self._wake()
        if self._awake_since is None:
            return
        since = max(self._shown_at, self._awake_since)
        if self.is_sent and self._clock() - since > FREEZE:
            self._board.stop(self._key, since)
            with self._lock:
                self._needs_key_frame = True
        self._ask()

    def close(self) -> None:
        """Watch no more; idempotent."""
        if self.is_watched:
            self._fall_asleep()
        self._pictures.watch(None)

    @property
    def _is_wanted(self) -> bool:
        size = self._board.wish(self._key)
        return (
            size is not None
            and size.columns >= _LEAST_COLUMNS
            and size.rows >= _LEAST_ROWS
            and self._board.frames_per_second > 0
        )

    def _wake(self) -> None:
        self._awake_since = self._clock()
        self._ask_after, self._ask_due = _SOONEST, 0.0
        self._needs_key_frame = False
        self._pictures.watch(self)

    def _fall_asleep(self) -> None:
        self._pictures.pause()
        with self._lock:
            self._awake_since = None
            self._empty()
        self._board.forget(self._key)  # neither the picture nor that it stood still is true for long
        self._begin_work()

    def _empty(self) -> None:
        """Nothing waits any more but word for the decoder to begin anew."""
        self._dropped += sum(picture is not None for picture in self._inbox)
        self._inbox.clear()
        self._inbox.append(None)
        self._inbox_bytes = 0

    def _ask(self) -> None:
        """Ask for a key frame while one is needed, again and again but ever more seldom."""
        if not self._needs_key_frame:
            self._ask_after = _SOONEST
        elif (now := self._clock()) >= self._ask_due:
            self._ask_due, self._ask_after = now + self._ask_after, min(2 * self._ask_after, _LATEST)
            self._pictures.ask_key_frame()

    def _begin_work(self) -> None:
        with self._lock:
            begins, self._is_busy = not self._is_busy, True
        if begins:
            self._workers.submit(self._work)

    # -- in a worker's thread --

    def _work(self) -> None:
        """Decode one picture, then give way to the other videos."""
        with self._lock:
            picture = self._inbox.popleft() if self._inbox else None
            if picture is not None:
                self._inbox_bytes -= len(picture.data)
        if picture is None:
            self._decoder.begin_anew()
            self._rhythm.pause()
        else:
            try:
                self._decode(picture)
            except RefusedError as refusal:
                self._refuse(str(refusal))
            except Exception:
                self._refuse("picture that broke the decoder")
                self._decoder.begin_anew()
                logger.debug("decoding failed", exc_info=True)
        with self._lock:
            self._needs_key_frame |= picture is not None and self._decoder.awaits_key_frame
            self._is_busy = goes_on = bool(self._inbox)
        if goes_on:
            self._workers.submit(self._work)

    def _decode(self, picture: EncodedPicture) -> None:
        begun = time.perf_counter()
        frame = self._decoder.decode(picture)
        if frame is None:
            self._refused += 1
            return
        self._decode_time += time.perf_counter() - begun
        now = self._clock()
        self._rhythm.beat(now)
        self._size = frame.width, frame.height
        with self._lock:
            self._shown_at = now
            self._needs_key_frame = False
            if self._awake_since is not None:
                self._board.show(self._key, frame)

    def _refuse(self, why: str) -> None:
        """Say each kind of refusal once, and no more than a few."""
        self._refused += 1
        kind = why.partition(":")[0]
        if kind not in self._complaints and len(self._complaints) < _COMPLAINTS:
            self._complaints.add(kind)
            logger.warning("video track %s: %s refused", printable(self._key), printable(why))


class _Rhythm:
    """How regularly pictures come: a freeze is a gap far beyond the usual one (WebRTC's ``freezeCount``)."""

    def __init__(self) -> None:
        self.pictures = 0
        self.freezes = 0
        self.frozen = 0.0
        self._last: float | None = None
        self._usual: float | None = None

    def pause(self) -> None:
        """The next gap is not the sender's."""
        self._last = None

    def beat(self, now: float) -> None:
        """One more picture."""
        self.pictures += 1
        if self._last is not None:
            gap = now - self._last
            if self._usual is None:
                self._usual = gap
            elif gap >= max(3 * self._usual, self._usual + 0.15):
                self.freezes += 1
                self.frozen += gap
            else:
                self._usual += (gap - self._usual) / 30
        self._last = now
