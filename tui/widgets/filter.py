"""The one-line field in which one types what to look for; used by the panes of the people and of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual.message import Message
from textual.widgets import Input

from tui import bindings


class Filter(Input):
    """Not there until it is opened, and gone again when it is left empty."""

    BINDINGS: ClassVar = [*bindings.FILTER]
    BINDING_GROUP_TITLE = "Filter"
    DEFAULT_CSS = """
    Filter { display: none; }
    Filter.-open { display: block; }
    """

    @dataclass
    class Left(Message):
        """Back to what was found; ``cleared``, back to everything."""

        cleared: bool = False

    def __init__(self, placeholder: str) -> None:
        super().__init__(placeholder=placeholder, compact=True, max_length=200)
        self.cursor_blink = False

    def open(self) -> None:
        """Begin to type."""
        self.add_class("-open")
        self.focus()

    def close(self) -> None:
        """It is left: what is typed stays to be seen."""
        self.set_class(bool(self.value), "-open")

    def action_keep(self) -> None:
        """Back to what was found."""
        self.post_message(self.Left())

    def action_clear(self) -> None:
        """Back to everything."""
        self.value = ""
        self.post_message(self.Left(cleared=True))
