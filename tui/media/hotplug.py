"""Sound devices that come, go, or become the default one while the program runs; noticed at little cost.

Used by playback and the device screen. PortAudio itself never looks again: see `portaudio.list_afresh`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tui.core.tasks import Tasks
from tui.errors import DeviceError
from tui.media import portaudio
from tui.media.threads import in_thread
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS = 1.0
_LIST_SECONDS = 10.0
_SETTLE_SECONDS = 0.3
_SERVER_AGAIN_SECONDS = 5.0
_ANSWER_SECONDS = 2.0
_CARDS = Path("/proc/asound/cards")
_NODES = Path("/dev/snd")
_NEWS = (b" on sink #", b" on source #", b" on card #")


class Watch:
    """Calls ``changed`` on the loop soon after something happened, once for what happens together.

    Linux: the kernel's list of sound cards, and the sound server's own word where PulseAudio's ``pactl`` is
    installed. Elsewhere a process lists the devices every ten seconds: watch only while somebody looks.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._tasks = Tasks()
        self._timer: asyncio.TimerHandle | None = None
        self._started = False

    def start(self) -> None:
        """Begin to watch; nothing happens when it does already."""
        if self._started:
            return
        self._started = True
        if sys.platform == "linux":
            self._tasks.spawn(self._look(), "sound cards")
            if shutil.which("pactl"):
                self._tasks.spawn(self._subscribe(), "sound server")
        else:
            self._tasks.spawn(self._list(), "sound devices")

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Watch no more; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.aclose()

    def _notice(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_SETTLE_SECONDS, self._changed)

    async def _look(self) -> None:
        seen = _cards()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if (now := _cards()) != seen:
                seen = now
                self._notice()

    async def _list(self) -> None:
        seen: portaudio.Listing | None = None
        while True:
            with contextlib.suppress(DeviceError):
                now = await in_thread(portaudio.list_afresh)
                if seen is not None and now != seen:
                    self._notice()
                seen = now
            await asyncio.sleep(_LIST_SECONDS)

    async def _subscribe(self) -> None:
        while True:
            if await self._told():
                self._notice()
            await asyncio.sleep(_SERVER_AGAIN_SECONDS)

    async def _told(self) -> bool:
        """Pass on what the sound server tells until it ends; whether it told anything."""
        process = await asyncio.create_subprocess_exec(
            *("pactl", "subscribe"),
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        told = False
        try:
            # A line longer than the reader's limit is a ValueError.
            with contextlib.suppress(ValueError):
                while line := await process.stdout.readline():
                    told = True
                    # A change of a sink is also its volume; one of the server is another default.
                    if b"'change'" in line:
                        if b" on server" in line:
                            self._notice()
                    elif any(news in line for news in _NEWS):
                        self._notice()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return told


def server_output() -> str:
    """What the sound server calls its default output; empty without a server that says. Blocks for 4 s at most."""
    if sys.platform != "linux" or shutil.which("pactl") is None:
        return ""
    default = next((line[14:] for line in _asked("info") if line.startswith("Default Sink: ")), "")
    lines = iter(_asked("list", "sinks") if default else [])
    for line in lines:
        if line.strip() == f"Name: {default}":
            described = next(lines, "").strip().removeprefix("Description: ")
            return printable(described or default)
    return printable(default)


def _asked(*question: str) -> list[str]:
    try:
        answer = subprocess.run(
            ["pactl", *question],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.decode("utf-8", "replace").splitlines()


def _cards() -> tuple[str, ...]:
    try:
        return (_CARDS.read_text("utf-8", "replace"), *sorted(os.listdir(_NODES)))
    except OSError:
        return ()
