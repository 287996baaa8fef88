"""What the bridge knows of a call: what it can ask for and what it is told.

Used by the app and the bridge. `tui.call.Call` is the real one, the app's tests put a scripted one in its place;
nothing heavy is imported here, so that the first screen does not wait for the media libraries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from tui.core.events import Event

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
