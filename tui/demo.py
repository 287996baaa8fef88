"""The room of ``antconf demo``: a local server and four participants, in a process of their own.

Used by the CLI as `Demo`; ``python -m tui.demo`` is the other side. A process and not a thread, because five
more ends of WebRTC in one interpreter would steal the time of the screen. It ends when its standard input does, so
that nothing is left running however the parent ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from tui.core.collector import settle
from tui.errors import UnreachableError
from tui.rooms import at

if TYPE_CHECKING:
    from types import TracebackType

    from tui.config import JoinOptions

ROOM = "demo"
START_TIMEOUT = 20.0
"""Seconds for the server to say where it is."""

END_TIMEOUT = 4.0
"""Seconds for participants and server to leave, before they are ended."""


class Demo:
    """``with Demo(log.noise, options) as demo``: the room for whoever asks for it, and none before.

    ``options`` hold for it as far as they do not say where to go.
    """

    def __init__(self, noise: int, options: JoinOptions) -> None:
        self._noise = noise
        self._options = options
        self._turn = threading.Lock()
        self._room: DemoRoom | None = None
        self._closed = False
        self.url = ""
        """Where it is, once `options` has told: an address that means nothing to the next run."""

    def begin(self) -> DemoRoom:
        """Let it start, if it does not yet. Raises `UnreachableError` after the end."""
        with self._turn:
            if self._closed:
                raise UnreachableError("the local room server has ended")
            if self._room is None:
                self._room = DemoRoom(self._noise)
            return self._room

    def options(self) -> JoinOptions:
        """How to join it; blocks until it is there. Raises `UnreachableError` when it did not start."""
        from tui.media.devices import list_cameras

        room = self.begin()
        # Without a camera one would not see oneself.
        camera = self._options.camera or ("" if list_cameras() else "test")
        name = self._options.name or os.environ.get("USER", "me")
        self.url = room.url()
        return replace(at(self._options, self.url), room=ROOM, name=name, camera=camera)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._turn:
            self._closed = True
            if self._room is not None:
                self._room.close()


class DemoRoom:
    """``with DemoRoom(log.noise) as room``: starts at once and complains there; `url` waits for it."""

    def __init__(self, noise: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tui.demo"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=noise,
            text=True,
            # A session of its own: signals of the terminal are the parent's to answer.
            start_new_session=True,
        )
        self._url = ""

    def url(self) -> str:
        """Where the server listens; raises `UnreachableError` when it did not start."""
        if not self._url:
            assert self._process.stdout is not None
            ready, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT)
            self._url = self._process.stdout.readline().strip() if ready else ""
            if not self._url:
                raise UnreachableError("the local room server did not start", "the log says why")
        return self._url

    def close(self) -> None:
        """End the process and wait for it; idempotent."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


async def _host() -> None:
    from tui.server.bots import Bots
    from tui.server.signaling import RoomServer

    async with RoomServer() as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        async with Bots(server.url, ROOM):
            await asyncio.gather(settle(), _end_of_input())


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()


if __name__ == "__main__":
    asyncio.run(_host())
