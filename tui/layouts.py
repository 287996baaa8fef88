"""How the room lays out its people, remembered until the next time.

Used by the app, the room and the video grid. One picture on the whole screen is no layout: one comes back from it.
"""

from __future__ import annotations

import enum
from typing import Final

from tui.config import keep, kept

_FILE: Final = "screen.json"


class Layout(enum.StrEnum):
    """What there is to choose from, in the order in which one key goes through it."""

    GRID = "grid"
    """Everybody alike, as large as they fit."""
    SPEAKER = "speaker"
    """Who speaks large, the others in a strip."""
    LIST = "list"
    """No pictures."""

    @property
    def following(self) -> Layout:
        """The next one, or the first again."""
        every = list(Layout)
        return every[(every.index(self) + 1) % len(every)]


def recall() -> Layout | None:
    """What was chosen last; ``None`` when nothing was, or when that cannot be read."""
    last = kept(_FILE, ["layout"]).get("layout")
    return Layout(last) if last in set(Layout) else None


def remember(layout: Layout) -> None:
    """Keep it until the next time; failing to keep it is no error."""
    keep(_FILE, {"layout": layout})
