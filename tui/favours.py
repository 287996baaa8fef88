"""What can be asked of somebody else in the room, in words, and what of it makes sense just now.

Used by the app, the updates and the dialog. Whoever is asked decides: no server enforces any of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tui.core.events import Wish
from tui.core.wire import is_stream_id

if TYPE_CHECKING:
    from tui.updates import Person

FAVOURS: Final = {
    Wish.MICROPHONE_OFF: "mute the microphone",
    Wish.MICROPHONE_ON: "turn the microphone on",
    Wish.CAMERA_OFF: "turn the camera off",
    Wish.LISTEN: "listen only",
    Wish.SPEAK: "speak",
}
"""The end of "ask Bob to"."""


def favours(person: Person) -> tuple[Wish, ...]:
    """What this person could do who is as they are now; nothing of oneself."""
    if person.is_self or not is_stream_id(person.key):
        return ()
    if person.play_only:
        return (Wish.SPEAK,)
    microphone = Wish.MICROPHONE_OFF if person.microphone else Wish.MICROPHONE_ON
    return (microphone, *((Wish.CAMERA_OFF,) if person.camera else ()), Wish.LISTEN)
