"""What comes from the room: every remote track, to the mixer or the board.

Used by the call, on the core's loop. Sound goes from the connection to its voice as packets, video to its view as
encoded pictures, and nothing of it is decoded that nobody hears or sees.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from tui.core.tasks import Tasks
from tui.media.board import LOCAL
from tui.media.viewing import View
from tui.media.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import av

    from tui.core.events import Participant
    from tui.core.peer import RemoteTrack
    from tui.media.board import Board
    from tui.media.mixer import Mixer

_LOOK_SECONDS = 0.05
_LOOKS_PER_LEVEL = 2
_MOST_DECODERS = 4


class Reception:
    """Voices and views of remote tracks, and the own preview."""

    def __init__(self, board: Board, mixer: Mixer) -> None:
        self._board = board
        self._mixer = mixer
        self._tasks = Tasks()
        self._heard: dict[str, RemoteTrack] = {}
        self._views: dict[str, View] = {}
        self._cameras_off: frozenset[str] = frozenset()
        self._workers = Workers(min(_MOST_DECODERS, os.cpu_count() or 1), "video decoder")
        self._looking: asyncio.Task[None] | None = None

    @property
    def watched(self) -> Collection[str]:
        """The keys of the videos that somebody sees now."""
        return {key for key, view in self._views.items() if view.is_watched}

    def add(self, remote: RemoteTrack) -> None:
        """Hear or see this track until it is removed."""
        self.remove(remote.key)
        if remote.kind == "audio":
            self._heard[remote.key] = remote
            remote.listen(self._mixer.add(remote.key))
        else:
            view = self._views[remote.key] = View(self._board, remote.key, remote.pictures, self._workers)
            view.is_sent = remote.key not in self._cameras_off
            view.look()
        if self._looking is None:
            self._looking = self._tasks.spawn(self._look(), "looks at what is seen and heard")

    def remove(self, key: str) -> None:
        """Neither hear nor see this track any more; nothing happens when there is none."""
        if key in self._heard:
            self._heard.pop(key).listen(None)
            self._mixer.remove(key)
        elif key in self._views:
            self._views.pop(key).close()
        self._board.forget(key)

    def follow(self, participants: Iterable[Participant]) -> None:
        """Who has switched the camera off is not missed."""
        self._cameras_off = frozenset(person.video for person in participants if person.video and not person.camera)
        for key, view in self._views.items():
            view.is_sent = key not in self._cameras_off

    def preview(self, frame: av.VideoFrame) -> None:
        """Show a frame of the own picture."""
        self._board.show(LOCAL, frame)

    async def aclose(self) -> None:
        """Forget everything; idempotent."""
        for key in (*self._heard, *self._views):
            self.remove(key)
        await self._tasks.aclose()
        self._looking = None
        self._workers.close()

    async def _look(self) -> None:
        looks = 0
        while True:
            for view in self._views.values():
                view.look()
            if looks % _LOOKS_PER_LEVEL == 0:
                for key in self._heard:
                    voice = self._mixer.voice(key)
                    if voice is not None:
                        self._board.set_level(key, voice.level)
            looks += 1
            await asyncio.sleep(_LOOK_SECONDS)
