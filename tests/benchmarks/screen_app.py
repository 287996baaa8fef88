"""The program of the line benchmark: the app as the command line runs it, with people who talk and no network.

``python -m tests.benchmarks.screen_app CLIP LOG PEOPLE``: ``CLIP`` are frames in ``yuv420p`` (NumPy). After each update
of the pictures one more cell is written, a braille character in the corner whose number counts the updates: it comes
to the far end after the update itself, through multiplexers as well. ``LOG`` says when what was in it was filmed:
lines of a count and a ``time.monotonic``.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from tests.benchmarks.screen_line import COUNTER, COUNTS
from tests.ui.scripted import SELF, Script, ScriptedSession, joined
from tui.app import ConferenceApp
from tui.config import JoinOptions
from tui.core.events import Participant
from tui.logbook import Logbook, log_file
from tui.media.board import LOCAL
from tui.terminal import run_app, surface

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.media.board import Board
    from tui.session import CallEvent

FRAMES_PER_SECOND = 15.0


class _Filmed(ScriptedSession):
    """Everybody moves, each at another place of the clip."""

    def __init__(
        self, script: Script, options: JoinOptions, emit: Callable[[CallEvent], None], board: Board, clip: Path
    ) -> None:
        super().__init__(script, options, emit, board)
        planes = np.load(clip)
        # There and back, so that nothing jumps.
        self._clip = [*planes, *planes[-2:0:-1]]

    async def _paint(self) -> None:
        keys = [LOCAL, *(one.video for one in self.script.people if one.video)]  # type: ignore[attr-defined]
        began = time.monotonic()
        while True:
            self.ticks += 1
            for number, key in enumerate(keys):
                if self.board.wish(key) is not None:
                    planes = self._clip[(self.ticks * 2 + number * 37) % len(self._clip)]
                    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                    frame.opaque = time.monotonic()
                    self.board.show(key, frame)
            await asyncio.sleep(max(0.0, began + self.ticks / FRAMES_PER_SECOND - time.monotonic()))


def main(clip: str, log: str, people: str) -> int:
    room = [SELF]
    room += [
        Participant(f"stream{number}", f"Person {number}", talking=number == 1, video=f"videoTrack{number}")
        for number in range(1, int(people))
    ]
    script = Script(joined(room), paints=True)
    script.people = room  # type: ignore[attr-defined]
    shown = surface()

    def session(options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> ScriptedSession:
        return _Filmed(script, options, emit, board, Path(clip))

    app = ConferenceApp(
        JoinOptions("wss://meet.example.org/app/websocket", "room1", "Alice", "streamalice"),
        session,
        shown.look,
        frames_per_second=FRAMES_PER_SECOND,
    )
    with Path(log).open("w", buffering=1) as lines, Logbook(log_file()) as book:
        _count(app, lines.write)
        return run_app(app, book)


def _count(app: ConferenceApp, write: Callable[[str], object]) -> None:
    """Have each update followed by its count, and written down."""
    board = app._board
    newest, count = 0.0, 0
    frame_of = board.frame

    def frame(key: str) -> av.VideoFrame | None:
        nonlocal newest
        found = frame_of(key)
        if found is not None and isinstance(found.opaque, float):
            newest = max(newest, found.opaque)
        return found

    def mark() -> None:
        driver, projector = app.driver, app.projector
        if driver is None or projector is None:
            app.set_timer(0.01, mark)
            return
        show_of = driver.show

        def show(picture: bytes) -> bool:
            nonlocal count
            taken = show_of(picture)
            if taken and len(picture) > 64:
                count += 1
                columns, rows = app.size
                cell = chr(COUNTER + count % COUNTS)
                write(f"{count} {newest:.4f} {len(picture)} {projector.pacer.reason!r}\n")
                show_of(f"\x1b7\x1b[{rows};{columns - 1}H{cell}\x1b8".encode())
            return taken

        driver.show = show  # type: ignore[method-assign]

    board.frame = frame  # type: ignore[method-assign]
    app.call_later(mark)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
