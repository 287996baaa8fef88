"""Devices to choose one of; used by the device screen.

The selection belongs to a name, not to a row: it stays where it is while devices come and go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList

from tui import bindings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.widgets.marks import Marks


@dataclass(frozen=True, slots=True)
class Row:
    """Something to choose."""

    device: str
    """What opens it."""
    title: str
    name: str = ""
    """The device's own name; empty for what is none."""
    notes: tuple[str, ...] = ()
    is_chosen: bool = False
    asks: bool = False
    """What opens it is asked for first."""

    @property
    def same(self) -> tuple[str, str]:
        """What stays when devices are counted anew."""
        return ("name", self.name) if self.name else ("device", self.device)


class DeviceList(OptionList, inherit_bindings=False):
    """A list to choose from with the cursor keys."""

    BINDINGS: ClassVar = [*bindings.DEVICE_LIST]
    BINDING_GROUP_TITLE = "List of devices"
    DEFAULT_CSS = """
    DeviceList {
        border: round $panel-lighten-2;
        border-title-color: $text-muted;
        padding: 0 1;
        scrollbar-size: 0 1;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &:focus {
            border: heavy $border;
            border-title-color: $foreground;
            border-title-style: bold;
            & > .option-list--option-highlighted { text-style: bold reverse; }
        }
    }
    """

    @dataclass
    class Chosen(Message):
        """This one is to be used."""

        list: DeviceList
        row: Row

        @property
        def control(self) -> DeviceList:
            """The list."""
            return self.list

    def __init__(self, marks: Marks, *, id: str) -> None:  # noqa: A002
        super().__init__(id=id, markup=False)
        self._marks = marks
        self._rows: tuple[Row, ...] = ()

    @property
    def selected(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.highlighted] if self.highlighted is not None else None

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows instead."""
        if tuple(rows) == self._rows:
            return
        before, at = self.selected, self.highlighted or 0
        self._rows = tuple(rows)
        self.set_options([self._prompt(row) for row in rows])
        if rows:
            # When it has gone: whatever is in its place.
            kept = (number for number, row in enumerate(rows) if before is not None and row.same == before.same)
            self.highlighted = next(kept, min(at, len(rows) - 1))

    def _prompt(self, row: Row) -> Content:
        mark = self._marks.on if row.is_chosen else " "
        notes = f"  ({', '.join(row.notes)})" if row.notes else ""
        return Content.assemble(f"{mark} {row.title}", (notes, "dim"))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(self, self._rows[event.option_index]))
