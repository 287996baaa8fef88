"""A call: a `Conference` with its sound and pictures, still without a terminal.

The bridge drives it on the core's thread, as a `tui.session.Session`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.conference import Conference
from tui.core.events import Callback, Direction, TrackAdded, TrackRemoved
from tui.media.board import LOCAL
from tui.media.mixer import Mixer
from tui.media.playback import Playback
from tui.media.reception import Reception
from tui.media.sources import Sources, open_sources
from tui.session import SoundChanged

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.config import JoinOptions
    from tui.core.events import Event
    from tui.media.board import Board
    from tui.session import CallEvent


class Call:
    """One room with everything that is heard and seen in it; a `Session`.

    Devices are opened when the room is joined and given back when it is left.
    """

    def __init__(self, options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> None:
        self._options = options
        self._emit = emit
        self._board = board
        self._mixer = Mixer()
        self._reception = Reception(board, self._mixer)
        self._playback: Playback | None = None
        self._sources = Sources()
        self._conference: Conference | None = None
        self._sound: tuple[str | None, str] = (None, "")

    async def join(self) -> None:
        """`Session`; raises `DeviceError` for a device or file that was named and cannot be opened."""
        options = self._options
        self._sources = await open_sources(options)
        for note in self._sources.notes:
            self._emit(Callback("device", note, Direction.LOCAL, time.time()))
        if self._sources.audio is not None:
            self._sources.audio.on_level = self._on_own_level
        self._conference = Conference(
            options.url,
            options.room,
            options.stream_id,
            self._on_event,
            name=options.name,
            token=options.token,
            play_only=options.play_only,
            audio=self._sources.audio,
            video=self._sources.video,
            local_preview=self._reception.preview,
        )
        self._playback = await Playback.open(self._mixer, on_change=self._on_output)
        await self._conference.join()

    async def leave(self) -> None:
        """`Session`."""
        if self._conference is not None:
            await self._conference.leave()

    async def set_microphone(self, on: bool) -> None:
        """`Session`."""
        if self._conference is not None:
            await self._conference.set_microphone(on)

    async def set_camera(self, on: bool) -> None:
        """`Session`."""
        if self._conference is not None:
            await self._conference.set_camera(on)

    async def set_deafened(self, deafened: bool) -> None:
        """`Session`."""
        self._mixer.deafened = deafened
        self._tell_sound()

    async def aclose(self) -> None:
        """`Session`."""
        if self._conference is not None:
            await self._conference.aclose()
        await self._reception.aclose()
        if self._playback is not None:
            await self._playback.aclose()
        for track in (self._sources.audio, self._sources.video):
            if track is not None:
                track.stop()
        self._board.forget(LOCAL)

    def _on_event(self, event: Event) -> None:
        match event:
            case TrackAdded(track):
                self._reception.add(track.key, track.kind, track.track)
            case TrackRemoved(track):
                self._reception.remove(track.key)
        self._emit(event)

    def _on_own_level(self, level: float) -> None:
        self._board.set_level(LOCAL, level)

    def _on_output(self, output: str | None, hint: str) -> None:
        self._sound = (output, hint)
        self._tell_sound()

    def _tell_sound(self) -> None:
        output, hint = self._sound
        self._emit(SoundChanged(output, hint, self._mixer.deafened))
