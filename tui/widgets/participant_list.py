"""Who is in the room, in order of arrival, with what they do in a mark and a word.

Used by the room screen. The selection belongs to a person, not to a row; newcomers come last, so nothing
moves under the cursor but when somebody above leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import bindings
from tui.widgets.lines import cut, padded

if TYPE_CHECKING:
    from textual import events

    from tui.updates import Person
    from tui.widgets.marks import Marks

_ONE_LINE = 56
"""From this width on a person takes one line instead of two."""


class ParticipantList(ScrollView, can_focus=True, inherit_bindings=False):
    """A list to move in with the cursor keys."""

    BINDINGS: ClassVar = [*bindings.PEOPLE]
    BINDING_GROUP_TITLE = "People"
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar = {
        "people--id",
        "people--cursor",
        "people--marks",
        "people--recording",
        "people--hand",
        "people--talking",
    }
    DEFAULT_CSS = """
    ParticipantList {
        scrollbar-size: 0 1;
        .people--id { color: $text-muted; }
        .people--marks { color: $text-warning; }
        .people--hand { color: $text-warning; text-style: bold; }
        .people--recording { color: $text-error; text-style: bold; }
        .people--talking { color: $text-success; text-style: bold; }
        .people--cursor { background: $surface-lighten-2; }
        &:focus .people--cursor { background: $primary-muted; text-style: bold; }
    }
    """

    @dataclass
    class Alone(Message):
        """Only this person is to be shown, or everybody again."""

        key: str

    people: reactive[tuple[Person, ...]] = reactive((), init=False)
    selected: reactive[str | None] = reactive(None, init=False)
    """Key of the selected person; stays theirs for as long as they are in the room."""

    def __init__(self, marks: Marks, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._marks = marks

    def watch_people(self, old: tuple[Person, ...], new: tuple[Person, ...]) -> None:
        keys = [person.key for person in new]
        if self.selected not in keys:
            row = next((row for row, person in enumerate(old) if person.key == self.selected), 0)
            self.selected = keys[min(row, len(keys) - 1)] if keys else None
        self._arrange()
        self.refresh()

    def watch_selected(self) -> None:
        self._reveal()
        self.refresh()

    def on_resize(self) -> None:
        self._arrange()
        self._reveal()

    def on_click(self, event: events.Click) -> None:
        content = event.get_content_offset(self)
        if content is not None:
            row = (content.y + self.scroll_offset.y) // self._row_height
            if row < len(self.people):
                self.selected = self.people[row].key

    def action_cursor(self, rows: int) -> None:
        """Move the selection, stopping at the ends."""
        if self.people:
            row = min(max(0, self._row + rows), len(self.people) - 1)
            self.selected = self.people[row].key

    def action_alone(self) -> None:
        """Ask for the selected person alone."""
        if self.selected is not None:
            self.post_message(self.Alone(self.selected))

    @property
    def _row(self) -> int:
        return next((row for row, person in enumerate(self.people) if person.key == self.selected), 0)

    @property
    def _row_height(self) -> int:
        return 1 if self.scrollable_content_region.width >= _ONE_LINE else 2

    def _arrange(self) -> None:
        # As wide as one sees: nothing to scroll sideways.
        self.virtual_size = Size(self.scrollable_content_region.width, len(self.people) * self._row_height)

    def _reveal(self) -> None:
        height = self._row_height
        top, bottom = self._row * height, (self._row + 1) * height
        visible = self.scrollable_content_region.height
        offset = self.scroll_offset.y
        if top < offset:
            self.scroll_to(y=top, animate=False, immediate=True)
        elif bottom > offset + visible:
            self.scroll_to(y=bottom - visible, animate=False, immediate=True)

    def render_line(self, y: int) -> Strip:
        """A line of a person."""
        width = self.scrollable_content_region.width
        row, line = divmod(y + self.scroll_offset.y, self._row_height)
        if row >= len(self.people):
            return Strip.blank(width, self.rich_style)
        person = self.people[row]
        chosen = person.key == self.selected
        over = self.get_component_rich_style("people--cursor", partial=True) if chosen else Style.null()
        cursor = self._marks.chosen if chosen else " "
        if self._row_height == 1:
            parts = self._one_line(person, width - 2)
        elif line == 0:
            parts = [(self._called(person, width - 3), None)]
        else:
            cursor = " "
            parts = [(" ", None), *self._doing(person, width - 4)]
        segments = [Segment(f"{cursor} ", self.rich_style + over)]
        segments += [Segment(text, self._style(part) + over) for text, part in parts]
        return Strip(segments).adjust_cell_length(width, self.rich_style + over)

    def _one_line(self, person: Person, width: int) -> list[tuple[str, str | None]]:
        name, stream_id = width * 4 // 10, width * 3 // 10
        return [
            (padded(self._called(person, name - 1), name, ""), None),
            (padded(person.stream_id, stream_id - 1, self._marks.ellipsis) + " ", "people--id"),
            *self._doing(person, width - name - stream_id, with_id=False),
        ]

    def _called(self, person: Person, width: int) -> str:
        suffix = " (you)" if person.is_self else ""
        return cut(person.name, width - len(suffix), self._marks.ellipsis) + suffix

    def _doing(self, person: Person, width: int, with_id: bool = True) -> list[tuple[str, str | None]]:
        """What the person does as far as there is room, or else their id when there is room for nothing more."""
        marks: list[tuple[str, str | None]] = []
        if person.hand:
            marks.append((f"{self._marks.on} hand raised ", "people--hand"))
        if person.away:
            marks.append((f"{self._marks.off} away ", "people--marks"))
        if person.recording:
            marks.append((f"{self._marks.on} recording ", "people--recording"))
        if person.silenced:
            marks.append((f"{self._marks.failed} muted for you ", "people--marks"))
        if person.talking and person.microphone:
            marks.append((f"{self._marks.on} talking ", "people--talking"))
        if not (person.microphone or person.silenced or person.away):
            marks.append((f"{self._marks.failed} muted ", "people--marks"))
        if person.volume != 1.0 and not person.silenced:
            marks.append((f"{person.volume:.0%} ", "people--marks"))
        if not (person.camera or person.away):
            marks.append((f"{self._marks.off} camera off ", "people--marks"))
        while len(marks) > 1 and sum(len(text) for text, _ in marks) > width + 1:
            marks.pop()
        left = width - sum(len(text) for text, _ in marks)
        if with_id and left > 3:
            marks.append((cut(person.stream_id, left, self._marks.ellipsis), "people--id"))
        return marks

    def _style(self, part: str | None) -> Style:
        return self.rich_style if part is None else self.get_component_rich_style(part)
