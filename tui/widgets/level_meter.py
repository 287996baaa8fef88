"""A sound level as a small bar; used by the room panel for the own microphone.

Repaints only when the bar changes by a whole step, so silence costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from tui.widgets.marks import steps

if TYPE_CHECKING:
    from tui.widgets.marks import Marks

WIDTH: Final = 8


class LevelMeter(Widget, can_focus=False):
    """Eight steps, from silence to full scale."""

    DEFAULT_CSS = """
    LevelMeter {
        width: 8;
        height: 1;
        color: $success;
    }
    """

    lit: reactive[int] = reactive(0)

    def __init__(self, marks: Marks, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._marks = marks

    def show(self, level: float) -> None:
        """Show a level of 0.0 to 1.0."""
        self.lit = steps(level, WIDTH)

    def render_line(self, y: int) -> Strip:
        """The bar."""
        return Strip([Segment(self._marks.bar(self.lit, WIDTH), self.rich_style)], WIDTH)
