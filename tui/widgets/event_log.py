"""The log of callbacks and commands: time, origin, info, compact payload.

Used by the room screen. Keeps the newest 2000 lines and draws only those that are visible, so a burst costs
what one line costs; follows the end only while one is looking at it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import bindings
from tui.core.events import Direction
from tui.updates import LogLine
from tui.widgets.lines import padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.widgets.marks import Marks

LINES: Final = 2000
_INFO: Final = 22
_ORIGIN: Final = 7
_HEAD: Final = 8 + 1 + _ORIGIN + 1 + _INFO + 1


class EventLog(ScrollView, can_focus=True, inherit_bindings=False):
    """What the server and the user said to each other, newest last."""

    BINDINGS: ClassVar = [*bindings.LOG]
    BINDING_GROUP_TITLE = "Log"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"log--time", "log--in", "log--out", "log--local", "log--error"}
    DEFAULT_CSS = """
    EventLog {
        overflow-y: scroll;
        scrollbar-size: 0 1;
        .log--time { color: $text-muted; }
        .log--in { color: $text-primary; }
        .log--out { color: $text-accent; }
        .log--local { color: $text-muted; }
        .log--error { color: $text-error; text-style: bold; }
    }
    """

    def __init__(self, marks: Marks, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._marks = marks
        self._lines: list[LogLine] = []
        self._widest = 0
        self._follows = True
        self.dropped = 0
        """Lines that are gone, here or on their way here."""

    @property
    def lines(self) -> Sequence[LogLine]:
        """What is kept."""
        return self._lines

    def extend(self, lines: Sequence[LogLine], dropped: int = 0) -> None:
        """Add lines at the end; ``dropped`` of them were lost before the first."""
        if dropped and lines:
            note = LogLine(lines[0].at, Direction.LOCAL, f"{dropped} lines dropped", error=True)
            lines = [note, *lines]
        if not lines:
            return
        self._lines += lines
        surplus = max(0, len(self._lines) - LINES)
        del self._lines[:surplus]
        self.dropped += surplus + dropped
        self._widest = max(self._widest, *(cell_len(line.payload) for line in lines))
        self.virtual_size = Size(_HEAD + self._widest, len(self._lines))
        if self._follows:
            self._to_end()
        elif surplus:
            # The same lines stay in view while older ones go.
            self.scroll_to(y=max(0, self.scroll_offset.y - surplus), animate=False, immediate=True)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follows = self.is_vertical_scroll_end

    def on_resize(self) -> None:
        if self._follows:
            self._to_end()

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        self._follows = True

    def render_line(self, y: int) -> Strip:
        """One line of the log, as far as it is visible."""
        left, top = self.scroll_offset
        width = self.scrollable_content_region.width
        index = top + y
        if index >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return self._strip(self._lines[index]).crop_extend(left, left + width, self.rich_style)

    def _strip(self, line: LogLine) -> Strip:
        style = "log--error" if line.error else f"log--{line.direction.value}"
        told = self.get_component_rich_style(style)
        origin = f"{self._marks.direction(line.direction)} {_WORDS[line.direction]}"
        return Strip(
            [
                Segment(
                    time.strftime("%H:%M:%S ", time.localtime(line.at)),
                    self.get_component_rich_style("log--time"),
                ),
                Segment(padded(origin, _ORIGIN, "") + " " + padded(line.info, _INFO, self._marks.ellipsis) + " ", told),
                Segment(line.payload, self.rich_style),
            ]
        )


_WORDS: Final = {Direction.IN: "in", Direction.OUT: "out", Direction.LOCAL: "here"}
