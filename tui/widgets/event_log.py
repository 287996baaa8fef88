"""The log of callbacks and commands: time, origin, info, stream, size, compact payload.

Used by the log pane. Keeps the newest 100 000 lines, within a bound of what their payloads take, and draws only those
that are visible, so a burst costs what one line costs. Follows the end only while one is looking at it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive, var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import bindings
from tui.core.events import Direction
from tui.updates import LogLine
from tui.widgets.lines import padded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from textual import events

    from tui.widgets.marks import Marks

LINES: Final = 100_000
BYTES: Final = 64 << 20
"""Of all payloads together, about."""
_INFO: Final = 22
_ORIGIN: Final = 7
_STREAM: Final = 16
_SIZE: Final = 7
_HEAD: Final = 8 + 1 + _ORIGIN + 1 + _INFO + 1
_MORE: Final = _STREAM + 1 + _SIZE + 1
_ROOMY: Final = 110
"""From so many columns on there are those of the stream and the size."""
_SURPLUS: Final = 1000
"""Lines are dropped in portions: each time costs as much as all lines together."""


class Kind(StrEnum):
    """Which lines are shown."""

    ALL = "all"
    IN = "in"
    OUT = "out"
    LOCAL = "here"
    ERROR = "errors"


class EventLog(ScrollView, can_focus=True, inherit_bindings=False):
    """What the server and the user said to each other, newest last."""

    BINDINGS: ClassVar = [*bindings.LOG]
    BINDING_GROUP_TITLE = "Log"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"log--time", "log--in", "log--out", "log--local", "log--error", "log--cursor"}
    DEFAULT_CSS = """
    EventLog {
        height: 1fr;
        overflow-y: scroll;
        scrollbar-size: 0 1;
        .log--time { color: $text-muted; }
        .log--in { color: $text-primary; }
        .log--out { color: $text-accent; }
        .log--local { color: $text-muted; }
        .log--error { color: $text-error; text-style: bold; }
        .log--cursor { background: $primary-muted; text-style: bold; }
    }
    """

    @dataclass
    class Opened(Message):
        """This line is to be shown whole."""

        line: LogLine

    @dataclass
    class Searched(Message):
        """Words to look for are to be asked for."""

    @dataclass
    class Changed(Message):
        """What is shown is chosen otherwise, or more waits behind a pause."""

        log: EventLog

    words: var[str] = var("", init=False)
    """Only lines with this text in them are shown, whatever its case."""
    kind: var[Kind] = var(Kind.ALL, init=False)
    paused: var[bool] = var(False, init=False)
    """What comes is kept and not shown."""
    cursor: reactive[int | None] = reactive(None, init=False)
    """Number of the selected line, counted from the first of all; ``None`` follows the newest."""

    def __init__(self, marks: Marks, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._marks = marks
        self._lines: list[LogLine] = []
        self._first = 0
        """Number of the first line that is kept."""
        self._bytes = 0
        self._chosen: list[int] | None = None
        """Numbers of the lines that are shown, ``None`` for all."""
        self._end: int | None = None
        """Number of the first line behind the pause."""
        self._widest = 0
        self._follows = True
        self.dropped = 0
        """Lines that are gone, here or on their way here."""

    @property
    def lines(self) -> Sequence[LogLine]:
        """What is kept."""
        return self._lines

    @property
    def shown(self) -> Sequence[LogLine]:
        """What is chosen to be seen, without what came after a pause."""
        return [self._lines[number - self._first] for number in self._numbers]

    @property
    def waiting(self) -> int:
        """Lines behind the pause."""
        return 0 if self._end is None else self._first + len(self._lines) - self._end

    @property
    def _numbers(self) -> Sequence[int]:
        if self._chosen is not None:
            return self._chosen
        end = self._first + len(self._lines) if self._end is None else self._end
        return range(self._first, max(self._first, end))

    def extend(self, lines: Sequence[LogLine], dropped: int = 0) -> None:
        """Add lines at the end; ``dropped`` of them were lost before the first."""
        if dropped and lines:
            note = LogLine(lines[0].at, Direction.LOCAL, f"{dropped} lines dropped", error=True)
            lines = [note, *lines]
        if not lines:
            return
        begin = self._first + len(self._lines)
        self._lines += lines
        self._bytes += sum(len(line.whole) for line in lines)
        if self._chosen is not None and self._end is None:
            self._chosen += self._matching(range(begin, begin + len(lines)))
        first = self._first
        gone = self._trim()
        self.dropped += self._first - first + dropped
        self._widest = max(self._widest, *(cell_len(line.payload) for line in lines))
        self._arrange(gone)
        if self._end is not None:
            self.post_message(self.Changed(self))

    def _trim(self) -> int:
        """Drop the oldest lines when there are too many; how many rows less there are at the top."""
        if len(self._lines) <= LINES and self._bytes <= BYTES:
            return 0
        before, surplus = len(self._numbers), max(0, len(self._lines) - LINES) + _SURPLUS
        while surplus < len(self._lines) and sum(len(line.whole) for line in self._lines[surplus:]) > BYTES:
            surplus += _SURPLUS
        surplus = min(surplus, len(self._lines) - 1)
        del self._lines[:surplus]
        self._first += surplus
        self._bytes = sum(len(line.whole) for line in self._lines)
        if self._chosen is not None:
            self._chosen = [number for number in self._chosen if number >= self._first]
        if self.cursor is not None and self.cursor < self._first:
            self.set_reactive(EventLog.cursor, self._first)
        return before - len(self._numbers)

    def _arrange(self, gone: int = 0) -> None:
        """The height is that of what is shown; ``gone`` of its first lines are not there any more."""
        follows = self._follows
        self.virtual_size = Size(self._head + self._widest, len(self._numbers))
        if follows:
            self._to_end()
        elif gone:
            # The same lines stay in view while older ones go.
            self.scroll_to(y=max(0, self.scroll_offset.y - gone), animate=False, immediate=True)
        self.refresh()

    def _matching(self, numbers: Iterable[int]) -> list[int]:
        words, kind = self.words.casefold(), self.kind
        return [number for number in numbers if _matches(self._lines[number - self._first], words, kind)]

    def _choose(self) -> None:
        """Look through all lines anew."""
        self._chosen = None
        if self.words or self.kind is not Kind.ALL:
            self._chosen = self._matching(self._numbers)
        self._arrange()
        if self.cursor is not None:
            self._reveal()
        self.post_message(self.Changed(self))

    def watch_words(self) -> None:
        self._choose()

    def watch_kind(self) -> None:
        self._choose()

    def watch_paused(self) -> None:
        self._end = self._first + len(self._lines) if self.paused else None
        self._choose()

    def watch_cursor(self) -> None:
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follows = self.is_vertical_scroll_end

    def on_resize(self) -> None:
        self._arrange()

    def on_click(self, event: events.Click) -> None:
        content = event.get_content_offset(self)
        if content is not None and (row := content.y + self.scroll_offset.y) < len(self._numbers):
            self.cursor = self._numbers[row]
            if event.chain > 1:
                self.action_open()

    # What the keys do.

    def action_cursor(self, rows: int) -> None:
        """Move the selection; from nothing selected it begins at the end."""
        numbers = self._numbers
        if not numbers:
            return
        row = len(numbers) if self.cursor is None else self._row
        self.cursor = numbers[min(max(0, row + rows), len(numbers) - 1)]
        self._reveal()

    def action_page(self, pages: int) -> None:
        """Move the selection by what fits on the screen."""
        self.action_cursor(pages * max(1, self.scrollable_content_region.height - 1))

    def action_last(self) -> None:
        """Select nothing and follow what comes."""
        self.cursor = None
        self.paused = False
        self._to_end()
        self.refresh()

    def action_filter(self) -> None:
        """Ask for words to look for."""
        self.post_message(self.Searched())

    def action_kind(self) -> None:
        """The next kind of lines."""
        kinds = list(Kind)
        self.kind = kinds[(kinds.index(self.kind) + 1) % len(kinds)]

    def action_pause(self) -> None:
        """Hold what is shown, or go on."""
        self.paused = not self.paused

    def action_open(self) -> None:
        """Ask for the selected line, or the newest, whole."""
        if (line := self.selected) is not None:
            self.post_message(self.Opened(line))

    @property
    def selected(self) -> LogLine | None:
        """The selected line, else the newest that is shown."""
        numbers = self._numbers
        if not numbers:
            return None
        number = numbers[self._row] if self.cursor is not None else numbers[-1]
        return self._lines[number - self._first]

    @property
    def _row(self) -> int:
        """Where the selected line is, or the next one that is shown."""
        numbers = self._numbers
        if isinstance(numbers, range):
            row = (self.cursor or 0) - numbers.start
        else:
            row = next((row for row, number in enumerate(numbers) if number >= (self.cursor or 0)), len(numbers))
        return min(max(0, row), max(0, len(numbers) - 1))

    def _reveal(self) -> None:
        row, offset = self._row, self.scroll_offset.y
        height = self.scrollable_content_region.height
        if row < offset:
            self.scroll_to(y=row, animate=False, immediate=True)
        elif row >= offset + height:
            self.scroll_to(y=row - height + 1, animate=False, immediate=True)
        self._follows = self.is_vertical_scroll_end

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        self._follows = True

    # Drawing.

    @property
    def _is_roomy(self) -> bool:
        return self.scrollable_content_region.width >= _ROOMY

    @property
    def _head(self) -> int:
        return _HEAD + (_MORE if self._is_roomy else 0)

    def render_line(self, y: int) -> Strip:
        """One line of the log, as far as it is visible."""
        left, top = self.scroll_offset
        width = self.scrollable_content_region.width
        numbers = self._numbers
        if top + y >= len(numbers):
            return Strip.blank(width, self.rich_style)
        number = numbers[top + y]
        strip = self._strip(self._lines[number - self._first]).crop_extend(left, left + width, self.rich_style)
        if number == self.cursor and self.has_focus:
            strip = strip.apply_style(self.get_component_rich_style("log--cursor", partial=True))
        return strip

    def _strip(self, line: LogLine) -> Strip:
        style = "log--error" if line.error else f"log--{line.direction.value}"
        told, dim = self.get_component_rich_style(style), self.get_component_rich_style("log--time")
        ellipsis = self._marks.ellipsis
        origin = f"{self._marks.direction(line.direction)} {_WORDS[line.direction]}"
        segments = [
            Segment(time.strftime("%H:%M:%S ", time.localtime(line.at)), dim),
            Segment(padded(origin, _ORIGIN, "") + " " + padded(line.info, _INFO, ellipsis) + " ", told),
        ]
        if self._is_roomy:
            size = amount(line.size) if line.size else ""
            segments.append(Segment(f"{padded(line.stream, _STREAM, ellipsis)} {size:>{_SIZE}} ", dim))
        return Strip([*segments, Segment(line.payload, self.rich_style or Style.null())])


_WORDS: Final = {Direction.IN: "in", Direction.OUT: "out", Direction.LOCAL: "here"}


def amount(size: int) -> str:
    """So many bytes, in three figures."""
    return f"{size} B" if size < 1000 else f"{size / 1000:.1f} kB" if size < 100_000 else f"{size // 1000} kB"


def _matches(line: LogLine, words: str, kind: Kind) -> bool:
    match kind:
        case Kind.ERROR if not line.error:
            return False
        case Kind.IN | Kind.OUT | Kind.LOCAL if _WORDS[line.direction] != kind:
            return False
    return not words or any(words in text.casefold() for text in (line.info, line.stream, line.payload))
