"""The list of people with its filter; used by the room screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Vertical
from textual.widgets import Input

from tui.widgets.filter import Filter
from tui.widgets.participant_list import ParticipantList

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.widgets.marks import Marks


class PeoplePane(Vertical, can_focus=False):
    """People above, their filter below while there is one; the title says how many of how many are shown."""

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self.people = ParticipantList(marks, id="people")
        self._filter = Filter("name or id")

    def compose(self) -> ComposeResult:
        yield self.people
        yield self._filter

    def on_mount(self) -> None:
        self._describe()

    @on(ParticipantList.Searched)
    def _ask(self) -> None:
        self._filter.open()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self.people.words = event.value.strip()

    @on(Input.Submitted)
    def _submit(self) -> None:
        self._return(Filter.Left())

    @on(Filter.Left)
    def _return(self, event: Filter.Left) -> None:
        if event.cleared:
            self.people.words = ""
        else:
            self.people.keep()
        self._filter.close()
        self.people.focus()

    @on(ParticipantList.Changed)
    def _describe(self) -> None:
        people = self.people
        if not people.words and self._filter.value and not self._filter.has_focus:
            # Cleared in the list.
            with self.prevent(Input.Changed):
                self._filter.value = ""
            self._filter.close()
        parts = [f"{len(people.shown)} of {len(people.people)}"] if people.words else []
        if people.hands:
            hands = "hand" if people.hands == 1 else "hands"
            # The narrowest title has no room for more beside a filter.
            parts.append(f"{people.hands} {hands}" if parts else f"{people.hands} {hands} up")
        title = ": ".join(part for part in ("People", ", ".join(parts)) if part)
        if title != self.border_title:
            self.border_title = title
