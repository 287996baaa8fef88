"""A call: a `Conference` with its sound and pictures, still without a terminal.

The bridge drives it on the core's thread; `Session` is the whole of what the bridge knows about it, so that the
app's tests put a scripted one in its place.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from tui.core.conference import Conference
from tui.core.events import Callback, Direction, Event, TrackAdded, TrackRemoved
from tui.media.board import LOCAL
from tui.media.mixer import Mixer
from tui.media.playback import Playback
from tui.media.reception import Reception
from tui.media.sources import Sources, open_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.config import JoinOptions
    from tui.media.board import Board


@dataclass(frozen=True, slots=True)
class SoundChanged:
    """Where the room's sound goes: ``output`` names the device; without one, ``hint`` says what to do.

    ``deafened`` is the user's own choice to hear nothing.
    """

    output: str | None
    hint: str = ""
    deafened: bool = False


CallEvent: TypeAlias = Event | SoundChanged


class Session(Protocol):
    """What the bridge drives; every method runs on the core's loop and may be called at any time."""

    async def join(self) -> None:
        """Enter the room; returns when the way in has begun. Failures come as `CallStateChanged`."""

    async def leave(self) -> None:
        """Leave the room, orderly, within 2 s; nothing happens when not in it."""

    async def set_microphone(self, on: bool) -> None:
        """Speak or send silence; the room is told."""

    async def set_camera(self, on: bool) -> None:
        """Send the picture or black; the room is told."""

    async def set_deafened(self, deafened: bool) -> None:
        """Hear nothing or everybody."""

    async def aclose(self) -> None:
        """Leave if need be and give everything back; idempotent."""


SessionFactory: TypeAlias = "Callable[[JoinOptions, Callable[[CallEvent], None], Board], Session]"


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
