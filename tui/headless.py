"""``antconf events``: the same conference without a screen. Used by the CLI; nothing of Textual is loaded.

One JSON object per callback on stdout and talk on stderr; or, with ``--text``, lines for people on stdout, and what is
typed on stdin is said in the chat.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections import deque
from concurrent.futures import CancelledError
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tui.core.conference import Conference
from tui.core.events import Callback, CallState, CallStateChanged, Direction, ModeratorRequest, Wish
from tui.core.ice import named
from tui.errors import ExitCode, FileError
from tui.media.sources import open_sources
from tui.streams import say, tell
from tui.text import printable, redacted, with_hint
from tui.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.config import JoinOptions
    from tui.core.events import Event
    from tui.updates import Person


LINE_LIMIT = 4096
"""Characters of a typed line; the chat keeps half of that."""
COMMANDS = "/who, /mute, /unmute, /camera on|off, /react NAME, /hand, /yes, /no, /retry, /leave"


def run(options: JoinOptions, as_text: bool = False) -> ExitCode:
    """Be in the room until a signal, a refusal or a closed stdout; raises `DeviceError` for a named source."""
    return asyncio.run((_Writer(options) if as_text else _Listener(options)).run())


class _Listener:
    """Callbacks as JSON."""

    def __init__(self, options: JoinOptions) -> None:
        self._options = options
        self._ended: asyncio.Future[ExitCode]
        self._conference: Conference

    async def run(self) -> ExitCode:
        loop = asyncio.get_running_loop()
        self._ended = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal, ExitCode[number.name])
        sources = await open_sources(self._options)
        for note in sources.notes:
            _talk(printable(note, 400))
        options = self._options
        conference = self._conference = Conference(
            options.server,
            options.room,
            options.stream_id,
            self._on_event,
            name=options.name,
            credentials=options.credentials,
            ice_servers=named(options.ice_servers, options.ice_username, options.ice_credential),
            play_only=options.play_only,
            on_request=options.on_request,
            audio=sources.audio,
            video=sources.video,
        )
        joining = asyncio.ensure_future(conference.join())
        joining.add_done_callback(self._on_joined)
        self._begin()
        try:
            return await self._ended
        finally:
            await conference.aclose()
            await joining
            for track in (sources.audio, sources.video):
                if track is not None:
                    track.stop()

    def _begin(self) -> None:
        """The way in has begun."""

    def _on_joined(self, joining: asyncio.Future[None]) -> None:
        """Failures are told as events; a defect ends the program."""
        if not joining.cancelled() and (defect := joining.exception()) is not None and not self._ended.done():
            self._ended.set_exception(defect)

    def _on_signal(self, code: ExitCode) -> None:
        """The first one leaves the room, the second one does not wait for that."""
        if self._ended.done():
            os._exit(code)
        self._end(code)

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
                _talk(with_hint(": ".join(filter(None, (event.state.value, event.reason))), event.hint))

    def _write(self, callback: Callback) -> None:
        record = {
            "time": datetime.fromtimestamp(callback.at, UTC).isoformat(timespec="milliseconds"),
            "info": callback.info,
            "obj": redacted(callback.obj),
            "error": callback.error,
        }
        # Escaped to ASCII, so that no remote control character reaches a terminal.
        self._print(json.dumps(record, default=str))

    def _print(self, text: str) -> None:
        try:
            if not say(text):
                self._end(ExitCode.OK)
        except FileError as error:
            if not self._ended.done():
                self._ended.set_exception(error)


class _Writer(_Listener):
    """Lines for people, and what they type."""

    def __init__(self, options: JoinOptions) -> None:
        super().__init__(options)
        self._transcript = Transcript()
        self._requests: deque[ModeratorRequest] = deque(maxlen=20)

    def _begin(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=[loop], name="typed lines", daemon=True).start()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ModeratorRequest) and not event.obeyed and event.wish is not Wish.SPEAK:
            self._requests.append(event)
        for line in self._transcript.lines(event):
            self._print(line)
        if isinstance(event, CallStateChanged) and event.state is CallState.FAILED:
            self._end(event.exit_code)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread: a line is taken when the one before was dealt with."""
        # Its end is no wish to leave: it may be empty from the beginning.
        with contextlib.suppress(OSError, ValueError, RuntimeError, CancelledError):
            for line in _typed_lines():
                asyncio.run_coroutine_threadsafe(self._typed(line.strip()), loop).result()

    async def _typed(self, line: str) -> None:
        conference = self._conference
        match line.split():
            case []:
                pass
            case ["/leave" | "/quit"]:
                self._end(ExitCode.OK)
            case ["/who"]:
                for person in self._transcript.people:
                    self._print(_described(person))
            case ["/mute"]:
                await conference.set_microphone(False)
            case ["/unmute"]:
                await conference.set_microphone(True)
            case ["/camera", "on" | "off" as state]:
                await conference.set_camera(state == "on")
            case ["/react", name]:
                self._unless(conference.react(name))
            case ["/hand"]:
                self._unless(conference.raise_hand())
            case ["/yes" | "/no" as answer] if self._requests:
                await conference.answer_request(self._requests.popleft(), answer == "/yes")
            case ["/retry"]:
                conference.retry()
            case [word, *_] if word.startswith("/") and not word.startswith("//"):
                self._print(f"there is no {printable(word, 40)} now; there are {COMMANDS}, and // begins a text with /")
            case _:
                self._unless(conference.say(line.removeprefix("/") if line.startswith("//") else line))

    def _unless(self, done: bool) -> None:
        if not done:
            self._print("not sent: there is no way to the room just now")


def _typed_lines() -> Iterator[str]:
    """From stdin; of a line without end only the beginning is held."""
    begins = True
    while piece := sys.stdin.readline(LINE_LIMIT):
        if begins:
            yield piece
        begins = piece.endswith("\n")


def _described(person: Person) -> str:
    doing = [
        word
        for word, is_so in (
            ("you", person.is_self),
            ("muted", not person.microphone),
            ("camera off", not person.camera),
            ("shares a screen", person.sharing),
            ("records", person.recording),
        )
        if is_so
    ]
    return f"{person.name} ({', '.join(doing)})" if doing else person.name


def _talk(text: str) -> None:
    tell(f"antconf: {text}")
