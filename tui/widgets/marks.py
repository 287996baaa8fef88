"""Marks for states, always next to a word: one set for UTF-8 terminals, one for plain ASCII.

Used by all widgets; the app chooses the set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tui.core.events import CallState, Direction
from tui.statistics import Health


@dataclass(frozen=True, slots=True)
class Marks:
    """One character for each state."""

    on: str
    off: str
    waiting: str
    failed: str
    chosen: str
    filled: str
    empty: str
    ellipsis: str
    into: str
    out: str
    here: str
    hand: str
    recording: str
    screen: str
    pinned: str
    silenced: str
    good: str
    fair: str
    poor: str
    heights: str
    """Of the columns of a small graph, from nothing to full."""

    def state(self, state: CallState) -> str:
        """The mark of a call's state."""
        match state:
            case CallState.JOINED:
                return self.on
            case CallState.FAILED:
                return self.failed
            case CallState.IDLE:
                return self.off
            case _:
                return self.waiting

    def direction(self, direction: Direction) -> str:
        """The mark of a log line's origin."""
        return {Direction.IN: self.into, Direction.OUT: self.out, Direction.LOCAL: self.here}[direction]

    def quality(self, quality: Health) -> str:
        """The mark of how well somebody is received; none where that is not known."""
        match quality:
            case Health.GOOD:
                return self.good
            case Health.FAIR:
                return self.fair
            case Health.POOR:
                return self.poor
            case Health.UNKNOWN:
                return ""

    def bar(self, lit: int, width: int) -> str:
        """A bar with ``lit`` of ``width`` steps filled."""
        return self.filled * lit + self.empty * (width - lit)


UNICODE: Final = Marks(
    on="●",
    off="○",
    waiting="…",
    failed="✕",
    chosen="▸",
    filled="▮",
    empty="▯",
    ellipsis="…",
    into="←",
    out="→",
    here="·",
    hand="▲",
    recording="◉",
    screen="▣",
    pinned="◆",
    silenced="⊘",
    good="▇",
    fair="▄",
    poor="▂",
    heights="▁▂▃▄▅▆▇█",
)

ASCII: Final = Marks(
    on="*",
    off="o",
    waiting=".",
    failed="x",
    chosen=">",
    filled="#",
    empty="-",
    ellipsis="~",
    into="<-",
    out="->",
    here="--",
    hand="^",
    recording="@",
    screen="#",
    pinned="+",
    silenced="X",
    good="=",
    fair="-",
    poor="!",
    heights="_.-=+*#",
)


def steps(level: float, width: int) -> int:
    """How many of ``width`` steps are lit; the root makes quiet speech visible."""
    return round(math.sqrt(min(1.0, max(0.0, level))) * width)
