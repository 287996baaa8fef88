"""The own camera and microphone before a room is joined: seen and measured here, sent nowhere.

Used by the join screen. A camera can be opened once only: `Preview.aclose` returns when it was given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

from tui.config import screen_of
from tui.core.tasks import Tasks
from tui.errors import DeviceError
from tui.media.board import LOCAL
from tui.media.capture import CapturedVideo
from tui.media.sources import open_picture
from tui.media.threads import in_thread
from tui.media.trial import MicrophoneTrial
from tui.text import with_hint

if TYPE_CHECKING:
    from tui.config import JoinOptions
    from tui.media.board import Board
    from tui.media.sources import VideoTrack

RELEASE_LIMIT: Final = 2.0
"""Seconds for the devices to be given back; one that hangs is left to its thread."""

_FRAMES_PER_SECOND: Final = 10


class Preview:
    """`open` it once, close it always; on the board the picture is the own one."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._tasks = Tasks()
        self._turn = asyncio.Lock()
        self._closed = False
        self._picture: VideoTrack | None = None
        self._microphone: MicrophoneTrial | None = None

    @property
    def level(self) -> float:
        """How loud the microphone is now, 0.0 to 1.0."""
        return self._microphone.level if self._microphone is not None else 0.0

    @property
    def verdict(self) -> str:
        """What the microphone delivers, in words; empty without one."""
        return self._microphone.verdict if self._microphone is not None else ""

    @property
    def shows(self) -> bool:
        """Whether there is a picture."""
        return self._picture is not None

    async def open(self, options: JoinOptions) -> list[str]:
        """Open what would be sent with these options; a line for each device that cannot be opened."""
        faults = []
        async with self._turn:
            try:
                await self._open_picture(options)
            except DeviceError as error:
                faults.append(with_hint(str(error), error.hint))
            try:
                await self._open_microphone(options)
            except DeviceError as error:
                faults.append(with_hint(str(error), error.hint))
        return faults

    async def _open_picture(self, options: JoinOptions) -> None:
        if self._closed or options.play_only or not options.video:
            return
        picture = self._picture = await open_picture(options.source or options.camera, options)
        self._board.mirrored = picture.is_mirrored
        self._tasks.spawn(self._show(picture), "own picture before the call")

    async def _open_microphone(self, options: JoinOptions) -> None:
        if self._closed or options.play_only or not options.audio or options.microphone in ("test", "silence"):
            return
        # A file or a test picture brings its own sound.
        if not options.source or screen_of(options.source) is not None:
            device = options.microphone
            self._microphone = await in_thread(lambda: MicrophoneTrial.open(device), discard=MicrophoneTrial.close)

    async def aclose(self) -> None:
        """Give the devices back, and wait for that within `RELEASE_LIMIT`; idempotent."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_LIMIT):
                # What is being opened now can be closed only after.
                async with self._turn:
                    await self._release()
        await self._tasks.aclose()
        self._board.forget(LOCAL)

    async def _release(self) -> None:
        picture, self._picture = self._picture, None
        microphone, self._microphone = self._microphone, None
        if picture is not None:
            picture.stop()
        if microphone is not None:
            await in_thread(microphone.close)
        if isinstance(picture, CapturedVideo):
            await in_thread(lambda: picture.released.wait(RELEASE_LIMIT))

    async def _show(self, picture: VideoTrack) -> None:
        began = time.monotonic()
        while True:
            if self._board.wish(LOCAL) is not None:
                # Some are painted, not taken.
                self._board.show(LOCAL, await asyncio.to_thread(picture.picture, time.monotonic() - began))
            await asyncio.sleep(1 / _FRAMES_PER_SECOND)
