"""One participant's picture with a caption; used by the video grid.

Draws ready cells line by line with cached styles, and repaints only the rows that changed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.media.board import LOCAL
from tui.media.cells import DEFAULT_COLOUR, Depth
from tui.widgets.lines import cut, padded
from tui.widgets.marks import steps

if TYPE_CHECKING:
    from tui.media.board import Board
    from tui.media.cells import CellGrid
    from tui.updates import Person
    from tui.widgets.marks import Marks

_METER: Final = 5


class VideoTile(Widget, can_focus=False):
    """Picture above, caption in the last row; without a picture the name and why."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"tile--caption", "tile--talking", "tile--words"}
    DEFAULT_CSS = """
    VideoTile {
        width: 1fr;
        height: 1fr;
        background: $surface;
        .tile--caption { background: $panel; color: $foreground; }
        .tile--talking { background: $success-muted; color: $text-success; text-style: bold; }
        .tile--words { color: $text-muted; }
    }
    """

    def __init__(self, board: Board, marks: Marks) -> None:
        super().__init__()
        self._board = board
        self._marks = marks
        self._person: Person | None = None
        self._picture: CellGrid | None = None
        self._loudness = 0

    @property
    def person(self) -> Person | None:
        """Who is shown."""
        return self._person

    @property
    def track(self) -> str | None:
        """Key of the picture to be seen here, if there is one."""
        if self._person is None or not self._person.camera:
            return None
        return LOCAL if self._person.is_self else self._person.video

    def show(self, person: Person | None) -> None:
        """Show another person, or the same in another state."""
        if person == self._person:
            return
        before = self.track
        self._person = person
        if self.track != before:
            self._picture = None
        self.refresh()

    def poll(self) -> None:
        """Take the newest picture and level from the board."""
        track = self.track
        picture = self._board.picture(track) if track else None
        if picture is not self._picture:
            before, self._picture = self._picture, picture
            self._repaint(before, picture)
        loudness = self._level()
        if loudness != self._loudness:
            self._loudness = loudness
            self.refresh(Region(0, self.size.height - 1, self.size.width, 1))

    def _level(self) -> int:
        person = self._person
        if person is None or not (person.talking and person.microphone):
            return 0
        track = LOCAL if person.is_self else person.audio
        return steps(self._board.level(track), _METER) if track else 0

    def _repaint(self, before: CellGrid | None, after: CellGrid | None) -> None:
        """Only the rows that differ."""
        if before is None or after is None or before.glyphs.shape != after.glyphs.shape:
            self.refresh()
            return
        differs = (
            (before.glyphs != after.glyphs)
            | (before.foreground != after.foreground)
            | (before.background != after.background)
        ).any(axis=1)
        top = self._top(after)
        rows = [Region(0, top + int(row), self.size.width, 1) for row in np.flatnonzero(differs)]
        if rows:
            self.refresh(*rows)

    def _top(self, picture: CellGrid) -> int:
        return max(0, (self.size.height - 1 - len(picture.glyphs)) // 2)

    def render_line(self, y: int) -> Strip:
        """A row of the picture, of the words in its place, or the caption."""
        width, height = self.size
        if y == height - 1:
            return self._caption(width)
        if self._picture is None:
            return self._words(y, width, height)
        # Textual computes it anew at each use.
        base = self.rich_style
        row = y - self._top(self._picture)
        if not 0 <= row < len(self._picture.glyphs):
            return Strip.blank(width, base)
        left = max(0, (width - self._picture.glyphs.shape[1]) // 2)
        strip = Strip([Segment(" " * left, base), *picture_row(self._picture, row, base)])
        return strip.adjust_cell_length(width, base)

    def _caption(self, width: int) -> Strip:
        person = self._person
        if person is None:
            return Strip.blank(width, self.rich_style)
        style = self.get_component_rich_style("tile--caption")
        name = person.name + (" (you)" if person.is_self else "")
        doing = ""
        if not person.microphone:
            doing = f"{self._marks.failed} muted"
        elif person.talking:
            style = self.get_component_rich_style("tile--talking")
            doing = f"{self._marks.on} talking"
            if cell_len(name) + len(doing) + _METER + 4 <= width:
                doing += " " + self._marks.bar(self._loudness, _METER)
        room = width - 2 - (len(doing) + 1 if doing else 0)
        text = padded(name, room, self._marks.ellipsis) + (f" {doing}" if doing else "")
        return Strip([Segment(f" {text} ", style)]).adjust_cell_length(width, style)

    def _words(self, y: int, width: int, height: int) -> Strip:
        """Initials and the reason, in the middle of the place for the picture."""
        person = self._person
        middle = (height - 1) // 2
        if person is None or y not in (middle - 1, middle):
            return Strip.blank(width, self.rich_style)
        if y == middle - 1:
            text, style = initials(person.name), self.rich_style + Style(bold=True)
        else:
            style = self.get_component_rich_style("tile--words")
            text = "no picture yet" if person.camera else f"{self._marks.off} camera off"
        text = cut(text, width, self._marks.ellipsis)
        left = (width - cell_len(text)) // 2
        strip = Strip([Segment(" " * left, self.rich_style), Segment(text, style)])
        return strip.adjust_cell_length(width, self.rich_style)


def picture_row(picture: CellGrid, row: int, base: Style) -> list[Segment]:
    """One row of cells, neighbours of the same colours in one segment."""
    foreground, background = picture.foreground[row], picture.background[row]
    ends = np.flatnonzero((foreground[1:] != foreground[:-1]) | (background[1:] != background[:-1])) + 1
    text = "".join(picture.glyphs[row].tolist())
    starts = [0, *ends.tolist()]
    stops = [*ends.tolist(), len(text)]
    return [
        Segment(
            text[start:stop],
            cell_style(int(foreground[start]), int(background[start]), picture.depth, base),
        )
        for start, stop in zip(starts, stops, strict=True)
        if stop > start
    ]


@lru_cache(maxsize=16384)
def cell_style(foreground: int, background: int, depth: Depth, base: Style) -> Style:
    """The style of a pair of colours; ``base`` shows where there is no colour."""
    return base + Style(color=_colour(foreground, depth), bgcolor=_colour(background, depth))


def _colour(value: int, depth: Depth) -> Color | None:
    if value == DEFAULT_COLOUR or depth is Depth.NONE:
        return None
    if depth is Depth.PALETTE:
        return Color.from_ansi(value)
    return Color.from_rgb(value >> 16, value >> 8 & 0xFF, value & 0xFF)


def initials(name: str) -> str:
    """Up to two first letters of a name."""
    words = [word for word in name.split() if word[0].isalnum()]
    return "".join(word[0].upper() for word in words[:2]) or "?"
