"""What a form is filled in by; used by the join screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message
from textual.widgets import Checkbox, Input

from tui.invitation import LIMIT, is_one
from tui.text import printable

if TYPE_CHECKING:
    from textual.events import Paste


class Switch(Checkbox):
    """A checkbox that is empty when it is off: a dimmed mark is told from a lit one by colour alone."""

    BUTTON_LEFT = BUTTON_RIGHT = ""

    def __init__(self, label: str, value: bool, *, id: str) -> None:  # noqa: A002
        super().__init__(label, value, id=id, compact=True)
        self.BUTTON_INNER = "[x]" if value else "[ ]"

    def watch_value(self) -> None:
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"
        super().watch_value()


class Field(Input):
    """One line of text; an address that is pasted is told to the form, whichever field it was meant for."""

    @dataclass
    class Invited(Message):
        """There is an address in what was pasted."""

        text: str

    def __init__(self, value: str, *, id: str, placeholder: str, secret: bool = False) -> None:  # noqa: A002
        most = LIMIT if secret else 2000
        super().__init__(
            printable(value, most), id=id, placeholder=placeholder, password=secret, compact=True, max_length=most
        )
        self.cursor_blink = False

    def on_blur(self) -> None:
        # The beginning tells more than the end.
        self.cursor_position = 0

    def on_mount(self) -> None:
        self.cursor_position = 0

    def _on_paste(self, event: Paste) -> None:
        # In the place of the base class's, which takes whatever the first line is.
        event.prevent_default()
        event.stop()
        text = event.text[:LIMIT]
        if is_one(text) and not self.password:
            self.post_message(self.Invited(text))
        elif line := next((line.strip() for line in text.splitlines() if line.strip()), ""):
            self.replace(printable(line, LIMIT), *sorted(self.selection))
