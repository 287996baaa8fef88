"""The chat of the room: what was said, and a field to say something; used by the room screen.

Keeps the newest 1000 entries and draws only the lines that are visible. Counts what came while nobody looked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import TextArea

from tui import bindings
from tui.core.chat import TEXT_LIMIT
from tui.widgets.lines import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.style import Style
    from textual.app import ComposeResult

    from tui.updates import ChatLine
    from tui.widgets.marks import Marks

ENTRIES: Final = 1000
_INDENT: Final = 6
_NAME: Final = 24
_NARROWEST: Final = 10


@dataclass(frozen=True, slots=True)
class _Row:
    """One line on the screen: who speaks, on the first line of what they say, and a part of it."""

    entry: ChatLine
    head: str
    text: str


class ChatHistory(ScrollView, can_focus=True, inherit_bindings=False):
    """What was said, oldest first; follows the end only while one is looking at it."""

    BINDINGS: ClassVar = [*bindings.CHAT_HISTORY]
    BINDING_GROUP_TITLE = "Chat"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {"chat--time", "chat--name", "chat--own", "chat--aside"}
    DEFAULT_CSS = """
    ChatHistory {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size: 0 1;
        .chat--time { color: $text-muted; }
        .chat--name { color: $text-primary; text-style: bold; }
        .chat--own { color: $text-accent; text-style: bold; }
        .chat--aside { color: $text-muted; text-style: italic; }
    }
    """

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self._marks = marks
        self._entries: list[ChatLine] = []
        self._rows: list[_Row] = []
        self._wrapped = 0
        self._follows = True

    @property
    def entries(self) -> Sequence[ChatLine]:
        """What is kept."""
        return self._entries

    def extend(self, entries: Sequence[ChatLine]) -> None:
        """Add entries at the end; one with the number of an earlier one takes its place."""
        fresh: list[ChatLine] = []
        for entry in entries:
            known = next(
                (row for row in range(len(self._entries)) if self._entries[-1 - row].number == entry.number), None
            )
            if known is None:
                self._entries.append(entry)
                fresh.append(entry)
            else:
                self._entries[-1 - known] = entry
        surplus = max(0, len(self._entries) - ENTRIES)
        del self._entries[:surplus]
        if surplus or len(fresh) != len(entries):
            self._wrap()
        else:
            self._rows += [row for entry in fresh for row in self._wrapped_rows(entry)]
            self._arrange()

    def on_resize(self) -> None:
        if self.scrollable_content_region.width != self._wrapped:
            self._wrap()
        elif self._follows:
            self._to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._follows = self.is_vertical_scroll_end

    def _wrap(self) -> None:
        self._wrapped = self.scrollable_content_region.width
        self._rows = [row for entry in self._entries for row in self._wrapped_rows(entry)]
        self._arrange()

    def _wrapped_rows(self, entry: ChatLine) -> list[_Row]:
        width = max(_NARROWEST, self._wrapped - _INDENT)
        name = "you" if entry.own else cut(entry.name, _NAME, self._marks.ellipsis)
        if not entry.verified:
            name += " (not on the list)"
        head = "" if entry.aside else f"{name}: "
        waits = f" {self._marks.waiting} not sent yet" if entry.unsent else ""
        words = Text(f"{head}{entry.text}{waits}", end="")
        lines = [line.plain.rstrip() for line in words.wrap(self.app.console, width)] or [""]
        # A head that does not fit on its line is text like any other.
        first = head.rstrip() if lines[0].startswith(head.rstrip()) else ""
        return [
            _Row(entry, first if not number else "", line[len(first) if not number else 0 :])
            for number, line in enumerate(lines)
        ]

    def _arrange(self) -> None:
        follows = self._follows
        self.virtual_size = Size(self._wrapped, len(self._rows))
        if follows:
            self._to_end()
        self.refresh()

    def _to_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, immediate=True)
        self._follows = True

    def render_line(self, y: int) -> Strip:
        """A line of what was said."""
        width = self.scrollable_content_region.width
        index = self.scroll_offset.y + y
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        row = self._rows[index]
        begins = not index or self._rows[index - 1].entry is not row.entry
        clock = time.strftime("%H:%M ", time.localtime(row.entry.at)) if begins else " " * _INDENT
        segments = [Segment(clock, self.get_component_rich_style("chat--time"))]
        if row.head:
            segments.append(Segment(row.head, self._style("chat--own" if row.entry.own else "chat--name")))
        segments.append(Segment(row.text, self._style("chat--aside") if row.entry.aside else self.rich_style))
        return Strip(segments, sum(cell_len(segment.text) for segment in segments)).adjust_cell_length(
            width, self.rich_style
        )

    def _style(self, part: str) -> Style:
        return self.get_component_rich_style(part)


class ChatInput(TextArea, inherit_bindings=True):
    """A field of several lines: enter sends, ctrl+j begins a new line."""

    BINDINGS: ClassVar = [*bindings.CHAT_INPUT]
    BINDING_GROUP_TITLE = "Chat field"
    DEFAULT_CSS = """
    /* Always as high: one that grows has the whole screen laid out and drawn at each key. */
    ChatInput {
        height: 2;
        border: none;
        padding: 0;
        scrollbar-size: 0 1;
        background: $boost;
    }
    ChatInput:focus { border: none; }
    """

    @dataclass
    class Said(Message):
        """Something to say to the room."""

        text: str

    def __init__(self) -> None:
        super().__init__(compact=True, soft_wrap=True, tab_behavior="focus", placeholder="Say something")
        self.cursor_blink = False

    def action_send(self) -> None:
        """Say it, and begin anew; nothing happens with nothing to say."""
        # Keys that came in one piece with this one wait in the field's own queue.
        self.call_later(self._send)

    def action_new_line(self) -> None:
        """Go on below."""
        self.call_later(self.insert, "\n")

    def _send(self) -> None:
        text = self.text.strip()
        if text:
            self.post_message(self.Said(text[:TEXT_LIMIT]))
            self.clear()


class ChatPane(Vertical, can_focus=False):
    """History above, field below."""

    @dataclass
    class Unread(Message):
        """So much was said while the chat was closed."""

        count: int

    def __init__(self, marks: Marks, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.history = ChatHistory(marks)
        self.field = ChatInput()
        self._unread = 0

    def compose(self) -> ComposeResult:
        yield self.history
        yield self.field

    def on_mount(self) -> None:
        self.border_title = "Chat"
        self.border_subtitle = "enter sends, ctrl+j new line"

    def extend(self, entries: Sequence[ChatLine]) -> None:
        """Add entries at the end."""
        if not entries:
            return
        self.history.extend(entries)
        if not self.display:
            self._count(self._unread + sum(not entry.own for entry in entries))

    def read(self) -> None:
        """Somebody looks."""
        self._count(0)

    def _count(self, unread: int) -> None:
        if unread != self._unread:
            self._unread = unread
            self.post_message(self.Unread(unread))
