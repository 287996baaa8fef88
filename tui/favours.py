"""What can be asked of somebody else in the room, in words, and what of it makes sense just now.

Used by the session, the bridge and the dialog. Whoever is asked decides: no server enforces any of it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from tui.core.wire import is_stream_id

if TYPE_CHECKING:
    from tui.updates import Person


class Favour(StrEnum):
    """The end of "ask Bob to"."""

    MUTE = "mute the microphone"
    UNMUTE = "turn the microphone on"
    HIDE = "turn the camera off"
    LISTEN = "listen only"
    SPEAK = "speak"


def favours(person: Person) -> tuple[Favour, ...]:
    """What this person could do who is as they are now; nothing of oneself."""
    if person.is_self or not is_stream_id(person.key):
        return ()
    if person.play_only:
        return (Favour.SPEAK,)
    microphone = Favour.MUTE if person.microphone else Favour.UNMUTE
    return (microphone, *((Favour.HIDE,) if person.camera else ()), Favour.LISTEN)
