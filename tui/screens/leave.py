"""The question that ctrl+c asks in a room; opened by the app, which does what is chosen."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from tui import bindings

if TYPE_CHECKING:
    from textual.app import ComposeResult


class Choice(StrEnum):
    """What to do about the room."""

    STAY = "stay"
    LEAVE = "leave"
    QUIT = "quit"


class LeaveScreen(ModalScreen[Choice]):
    """Ends with a choice."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [*bindings.LEAVE]
    BINDING_GROUP_TITLE = "Question"
    AUTO_FOCUS = "#leave"

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label("Leave the room?", id="title")
            yield Label("ctrl+c again leaves and quits.", id="text")
            with Horizontal(id="buttons"):
                yield Button("Leave (l)", id="leave", variant="primary", compact=True)
                yield Button("Leave and quit (q)", id="quit", compact=True)
                yield Button("Stay (esc)", id="stay", compact=True)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_choose(event.button.id or Choice.STAY)

    def action_choose(self, choice: str) -> None:
        """End with ``choice``."""
        self.dismiss(Choice(choice))
