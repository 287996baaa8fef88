"""Who is in the room, in order of arrival, with what they do in a mark and a word.

Used by the people pane. The selection belongs to a person, not to a row; newcomers come last, so nothing
moves under the cursor but when somebody above leaves. What is not visible is not drawn, and what is visible only when
it has changed: a room of thousands costs what a small one does.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from tui.statistics import Health
from tui.updates import skeleton
from tui.widgets.lines import cut, padded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events
    from textual.timer import Timer

    from tui.updates import Person
    from tui.widgets.marks import Marks

_ONE_LINE: Final = 56
"""From this width on a person takes one line instead of two."""
_PIN_STAYS: Final = 30.0
"""Seconds for which a pin waits for somebody who has gone: who broke off comes back."""


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
        "people--sharing",
        "people--talking",
        "people--good",
        "people--fair",
        "people--poor",
    }
    DEFAULT_CSS = """
    ParticipantList {
        scrollbar-size: 0 1;
        .people--id { color: $text-muted; }
        .people--marks { color: $text-warning; }
        .people--hand { color: $text-warning; text-style: bold; }
        .people--sharing { color: $text-accent; text-style: bold; }
        .people--recording { color: $text-error; text-style: bold; }
        .people--talking { color: $text-success; text-style: bold; }
        .people--good { color: $text-muted; }
        .people--fair { color: $text-warning; }
        .people--poor { color: $text-error; text-style: bold; }
        .people--cursor { background: $surface-lighten-2; }
        &:focus .people--cursor { background: $primary-muted; text-style: bold; }
    }
    """

    @dataclass
    class Pinned(Message):
        """This person is pinned from now on, or nobody."""

        key: str | None

    @dataclass
    class Searched(Message):
        """Words to look for are to be asked for."""

    @dataclass
    class Changed(Message):
        """Other people are shown, or another number of hands is up."""

    people: var[tuple[Person, ...]] = var((), init=False)
    words: var[str] = var("", init=False)
    """Only people with this text in their name or id are shown, whatever its case and width."""
    selected: var[str | None] = var(None, init=False)
    """Key of the selected person; stays theirs for as long as they are in the room and not filtered out."""
    pinned: reactive[str | None] = reactive(None, init=False)

    def __init__(self, marks: Marks, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._marks = marks
        self._shown: Sequence[Person] = ()
        self._rows: dict[str, int] = {}
        """Of everybody who is shown."""
        self._wish: str | None = None
        """Whom the user selected last: selected again once the filter lets them."""
        self._ending: Timer | None = None
        """Until the pin of somebody who has gone ends."""
        self.hands = 0
        """How many are up."""

    @property
    def shown(self) -> Sequence[Person]:
        """Those whom the filter lets through."""
        return self._shown

    @property
    def person(self) -> Person | None:
        """Who is selected."""
        row = self._rows.get(self.selected or "")
        return None if row is None else self._shown[row]

    # What there is to be seen.

    def watch_people(self, old: tuple[Person, ...], new: tuple[Person, ...]) -> None:
        hands, self.hands = self.hands, sum(person.hand for person in new)
        if self._look(old):
            self._keep_pin()
        if self.words or hands != self.hands:
            self.post_message(self.Changed())

    def watch_words(self) -> None:
        self._look(self.people)
        self._reveal()
        self.refresh_bindings()
        self.post_message(self.Changed())

    def watch_selected(self, old: str | None, new: str | None) -> None:
        for key in (old, new):
            if key in self._rows:
                self._redraw(self._rows[key])
        self._reveal()

    def on_resize(self) -> None:
        self._arrange()
        self._reveal()

    def _look(self, before: tuple[Person, ...]) -> bool:
        """Choose who is shown, and draw again what has changed of it; whether others are in the room, or shown.

        ``before`` is who was in the room.
        """
        words, shown = skeleton(self.words), self._shown
        self._shown = [person for person in self.people if _matches(person, words)] if words else self.people
        keys = [person.key for person in self._shown]
        if keys == list(self._rows):
            for row in self._visible:
                if self._shown[row] is not shown[row]:
                    self._redraw(row)
            return words != ""
        self._rows = {key: row for row, key in enumerate(keys)}
        self._arrange()
        self._select(before)
        self.refresh()
        return True

    def _select(self, before: tuple[Person, ...]) -> None:
        """Keep the selection with its person, or give it to whoever comes next."""
        if self._wish is None or not (self._wish in self._rows or any(one.key == self._wish for one in self.people)):
            row = next((row for row, person in enumerate(before) if person.key == self._wish), 0)
            self._wish = self.people[min(row, len(self.people) - 1)].key if self.people else None
        self.selected = self._wish if self._wish in self._rows else next(iter(self._rows), None)

    @property
    def _visible(self) -> range:
        """The rows that are seen."""
        height = self._row_height
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self.scrollable_content_region.height
        return range(top // height, min(-(-bottom // height), len(self._shown)))

    def _redraw(self, row: int) -> None:
        self.refresh_lines(row * self._row_height, self._row_height)

    # What the user does.

    def on_click(self, event: events.Click) -> None:
        content = event.get_content_offset(self)
        if content is not None:
            row = (content.y + self.scroll_offset.y) // self._row_height
            if row < len(self._shown):
                self._choose(row)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a filter there is nothing to clear, and the key is left to the room."""
        return self.words != "" if action == "clear" else True

    def action_cursor(self, rows: int) -> None:
        """Move the selection, stopping at the ends."""
        if self._shown:
            self._choose(min(max(0, self._row + rows), len(self._shown) - 1))

    def action_page(self, pages: int) -> None:
        """Move the selection by what fits on the screen."""
        self.action_cursor(pages * max(1, self.scrollable_content_region.height // self._row_height - 1))

    def action_filter(self) -> None:
        """Ask for words to look for."""
        self.post_message(self.Searched())

    def action_clear(self) -> None:
        """Show everybody again."""
        self.words = ""

    def keep(self) -> None:
        """Whoever is selected among those that were found stays selected when all are shown again."""
        self._wish = self.selected or self._wish

    def select_next_hand(self) -> bool:
        """Select the next person below whose hand is raised, from the top again after the last; ``False`` for none.

        A filter that hides them ends.
        """
        keys = [person.key for person in self.people]
        start = keys.index(self.selected) + 1 if self.selected in keys else 0
        order = (*self.people[start:], *self.people[:start])
        key = next((person.key for person in order if person.hand), None)
        if key is None:
            return False
        if key not in self._rows:
            self.words = ""
        self._choose(self._rows[key])
        return True

    def _choose(self, row: int) -> None:
        self._wish = self.selected = self._shown[row].key

    # The pin.

    def pin(self) -> None:
        """Pin the selected person, or take the pin from them."""
        if self.selected is not None:
            self.post_message(self.Pinned(None if self.selected == self.pinned else self.selected))

    def watch_pinned(self) -> None:
        self._keep_pin()

    def _keep_pin(self) -> None:
        """The pin of somebody who does not come back ends, and at once when one has left the room oneself."""
        gone = self.pinned is not None and all(person.key != self.pinned for person in self.people)
        if not gone and self._ending is not None:
            self._ending.stop()
            self._ending = None
        elif gone and not self.people:
            self._unpin()
        elif gone and self._ending is None:
            self._ending = self.set_timer(_PIN_STAYS, self._unpin)

    def _unpin(self) -> None:
        self.post_message(self.Pinned(None))

    # Where it is.

    @property
    def _row(self) -> int:
        return self._rows.get(self.selected or "", 0)

    @property
    def _row_height(self) -> int:
        return 1 if self.scrollable_content_region.width >= _ONE_LINE else 2

    def _arrange(self) -> None:
        # As wide as one sees: nothing to scroll sideways.
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._shown) * self._row_height)

    def _reveal(self) -> None:
        height = self._row_height
        top, bottom = self._row * height, (self._row + 1) * height
        visible = self.scrollable_content_region.height
        offset = self.scroll_offset.y
        if top < offset:
            self.scroll_to(y=top, animate=False, force=True, immediate=True)
        elif bottom > offset + visible:
            self.scroll_to(y=bottom - visible, animate=False, force=True, immediate=True)

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """A line of a person."""
        width, height, base = self.scrollable_content_region.width, self._row_height, self.rich_style
        row, line = divmod(y + self.scroll_offset.y, height)
        if row >= len(self._shown):
            return Strip.blank(width, base)
        person = self._shown[row]
        chosen = person.key == self.selected
        over = self.get_component_rich_style("people--cursor", partial=True) if chosen else Style.null()
        cursor = self._marks.chosen if chosen and line == 0 else " "
        if height == 1:
            parts = self._one_line(person, width - 2)
        elif line == 0:
            parts = self._name_line(person, width - 3)
        else:
            parts = [(" ", None), *self._doing(person, width - 4)]
        segments = [Segment(f"{cursor} ", base + over)]
        segments += [
            Segment(text, (base if part is None else self.get_component_rich_style(part)) + over)
            for text, part in parts
        ]
        return Strip(segments).adjust_cell_length(width, base + over)

    def _one_line(self, person: Person, width: int) -> list[tuple[str, str | None]]:
        name, stream_id = width * 4 // 10, width * 3 // 10
        quality = self._quality(person)
        rest = width - name - stream_id - (cell_len(quality) + 2 if quality else 0)
        doing = self._doing(person, rest, with_id=False)
        if quality:
            gap = rest - sum(cell_len(text) for text, _ in doing) + 1
            doing += [(" " * gap, None), (quality, f"people--{person.quality}")]
        return [
            (padded(self._called(person, name - 1), name, ""), None),
            (padded(person.stream_id, stream_id - 1, self._marks.ellipsis) + " ", "people--id"),
            *doing,
        ]

    def _name_line(self, person: Person, width: int) -> list[tuple[str, str | None]]:
        quality = self._quality(person)
        if not quality:
            return [(self._called(person, width), None)]
        name = width - cell_len(quality)
        return [(padded(self._called(person, name - 1), name, ""), None), (quality, f"people--{person.quality}")]

    def _quality(self, person: Person) -> str:
        """How well somebody is received: a mark, and a word unless it is good."""
        mark = self._marks.quality(person.quality)
        return mark if person.quality in (Health.GOOD, Health.UNKNOWN) else f"{mark} {person.quality.value}"

    def _called(self, person: Person, width: int) -> str:
        suffix = " (you)" if person.is_self else ""
        return cut(person.name, width - len(suffix), self._marks.ellipsis) + suffix

    def _doing(self, person: Person, width: int, with_id: bool = True) -> list[tuple[str, str | None]]:
        """What the person does in marks and words, as far as there is room in marks alone, and their id after that."""
        doing = self._states(person)
        texts = [f"{mark} {word} " if mark else f"{word} " for mark, word, _ in doing]
        for place in reversed(range(len(doing))):
            if sum(map(len, texts)) <= width + 1:
                break
            if mark := doing[place][0]:
                texts[place] = f"{mark} "
        while len(texts) > 1 and sum(map(len, texts)) > width + 1:
            texts.pop()
        drawn: list[tuple[str, str | None]] = [(text, style) for text, (_, _, style) in zip(texts, doing, strict=False)]
        left = width - sum(map(len, texts))
        if with_id and left > 3:
            drawn.append((cut(person.stream_id, left, self._marks.ellipsis), "people--id"))
        return drawn

    def _states(self, person: Person) -> list[tuple[str, str, str]]:
        """Mark, word and style of each state, what matters most first."""
        marks = self._marks
        states = (
            (person.hand, marks.hand, "hand raised", "people--hand"),
            (person.away, marks.off, "away", "people--marks"),
            (person.recording, marks.recording, "recording", "people--recording"),
            (person.silenced, marks.silenced, "muted for you", "people--marks"),
            (person.talking and person.microphone, marks.on, "talking", "people--talking"),
            (not (person.microphone or person.silenced or person.away), marks.failed, "muted", "people--marks"),
            (person.key == self.pinned, marks.pinned, "pinned", "people--marks"),
            (person.volume != 1.0 and not person.silenced, "", f"{person.volume:.0%}", "people--marks"),
            (person.sharing, marks.screen, "sharing", "people--sharing"),
            (not (person.camera or person.away), marks.off, "camera off", "people--marks"),
        )
        return [(mark, word, style) for is_so, mark, word, style in states if is_so]


def _matches(person: Person, words: str) -> bool:
    return words in skeleton(person.name) or words in skeleton(person.stream_id)
