"""What the room is told of ourselves as it changes: metaData first, then the events, until each was taken.

Used by the conference, one for each time in a room. Source: signalling reference, 6.5: whoever hears of a change looks
at the metaData, which must be there before.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from tui.core.events import ShareState

if TYPE_CHECKING:
    from tui.core.adaptor import WebRTCAdaptor
    from tui.core.presence import Presence
    from tui.core.sharing import Sharing
    from tui.core.wire import Json


class AnnouncementsOwner(Protocol):
    """What announcing needs of the conference."""

    @property
    def announcer(self) -> WebRTCAdaptor | None:
        """Whom to tell; ``None`` while the room does not listen."""

    def send_event(self, event: Json, *, to_room: bool = False) -> bool:
        """Put an event on its way."""


class Announcements:
    """What is not told yet."""

    def __init__(self, owner: AnnouncementsOwner, presence: Presence, sharing: Sharing) -> None:
        self._owner = owner
        self._presence = presence
        self._sharing = sharing
        self._telling = asyncio.Lock()
        self._published = self._told = ""
        self._untold: set[str] = set()
        self._screen_untold = False

    def publish(self) -> str:
        """The metaData that the own stream begins with: all that was changed before is in it."""
        self._published = self._presence.meta_data()
        self._untold.clear()
        return self._published

    def published(self, restored: bool) -> None:
        """Published again it has the metaData of its first time; what a restored one has, nobody says."""
        self._told = "" if restored else self._published

    def changed(self, *media: str) -> None:
        """Of ``microphone``, ``camera`` and ``recording``, these."""
        self._untold.update(media)

    def screen(self, shown: bool) -> None:
        """Others can see our screen, which they do not know yet; or it is shown no more, which nobody is told."""
        self._screen_untold = shown

    async def tell(self) -> None:
        """Tell what is not told; what finds no way stays untold until the next time."""
        async with self._telling:
            adaptor, presence = self._owner.announcer, self._presence
            if adaptor is None:
                return
            meta_data = presence.meta_data()
            # Who only plays has none.
            if meta_data != self._told and not presence.play_only:
                self._told = meta_data
                await adaptor.update_stream_meta_data(presence.stream_id, meta_data)
            for medium in sorted(self._untold):
                event = {"streamId": presence.stream_id, "eventType": presence.events()[medium]}
                if presence.play_only:
                    # They are on nobody's list.
                    event["senderStreamName"] = presence.name
                if self._owner.send_event(event):
                    self._untold.discard(medium)
            if self._screen_untold and self._sharing.state is ShareState.ON:
                self._screen_untold = not self._owner.send_event(self._sharing.event)
