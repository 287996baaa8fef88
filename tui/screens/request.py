"""What a moderator asks of us; opened by the app, which passes the answer on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from tui import bindings

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.updates import Question

PATIENCE: Final = 30.0
"""Seconds after which no answer is a no."""


class RequestScreen(ModalScreen[bool]):
    """Ends with whether it is granted."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [*bindings.REQUEST]
    BINDING_GROUP_TITLE = "Question"
    # A key that was meant for something else grants nothing.
    AUTO_FOCUS = "#refuse"

    def __init__(self, question: Question) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(self.question.text, id="title", markup=False)
            yield Label(f"No answer within {PATIENCE:.0f} s is a no.", id="text")
            with Horizontal(id="buttons"):
                yield Button("Yes (y)", id="grant", compact=True)
                yield Button("No (n)", id="refuse", variant="primary", compact=True)

    def on_mount(self) -> None:
        self.set_timer(PATIENCE, lambda: self.action_answer(False))

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.action_answer(event.button.id == "grant")

    def action_answer(self, granted: bool) -> None:
        """End with the answer."""
        if self.is_current:
            self.dismiss(granted)
