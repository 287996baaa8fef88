"""``antconf events``: the same conference without a terminal. One JSON object per callback on stdout, talk on stderr.

Used by the CLI. Nothing of Textual is loaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tui.core.conference import Conference
from tui.core.events import Callback, CallState, CallStateChanged, Direction
from tui.errors import ExitCode
from tui.media.sources import open_sources
from tui.text import printable, redacted, with_hint

if TYPE_CHECKING:
    from tui.config import JoinOptions
    from tui.core.events import Event


def run(options: JoinOptions) -> ExitCode:
    """Be in the room until a signal, a refusal or a closed stdout; raises `DeviceError` for a named source."""
    return asyncio.run(_Listener(options).run())


class _Listener:
    def __init__(self, options: JoinOptions) -> None:
        self._options = options
        self._ended: asyncio.Future[ExitCode]

    async def run(self) -> ExitCode:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._end, ExitCode[number.name])
        sources = await open_sources(self._options)
        for note in sources.notes:
            _talk(printable(note, 400))
        options = self._options
        conference = Conference(
            options.url,
            options.room,
            options.stream_id,
            self._on_event,
            name=options.name,
            token=options.token,
            play_only=options.play_only,
            audio=sources.audio,
            video=sources.video,
        )
        joining = asyncio.ensure_future(conference.join())
        try:
            return await self._ended
        finally:
            await conference.aclose()
            await joining
            for track in (sources.audio, sources.video):
                if track is not None:
                    track.stop()

    def _end(self, code: ExitCode) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def _on_event(self, event: Event) -> None:
        match event:
            case Callback(direction=Direction.IN | Direction.LOCAL):
                self._write(event)
            case CallStateChanged(CallState.FAILED):
                _talk(with_hint(event.reason, event.hint))
                self._end(event.exit_code)
            case CallStateChanged():
                _talk(event.state.value)

    def _write(self, callback: Callback) -> None:
        record = {
            "time": datetime.fromtimestamp(callback.at, UTC).isoformat(timespec="milliseconds"),
            "info": callback.info,
            "obj": redacted(callback.obj),
            "error": callback.error,
        }
        try:
            # Escaped to ASCII, so that no remote control character reaches a terminal.
            print(json.dumps(record, default=str), flush=True)  # noqa: T201
        except BrokenPipeError:
            # The reader has gone; what is left in the buffer must not raise again at exit.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._end(ExitCode.OK)


def _talk(text: str) -> None:
    print(f"antconf: {text}", file=sys.stderr, flush=True)  # noqa: T201
