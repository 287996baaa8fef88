"""A list of feelings to show everybody; opened by the app, which sends the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui import bindings
from tui.updates import REACTIONS

if TYPE_CHECKING:
    from textual.app import ComposeResult


class ReactionList(OptionList, inherit_bindings=False):
    """One line each, by its words."""

    BINDINGS: ClassVar = [*bindings.REACTIONS]
    BINDING_GROUP_TITLE = "Reactions"


class ReactionScreen(ModalScreen["str | None"]):
    """Ends with a reaction's name on the wire, or with nothing."""

    CSS_PATH = "dialogs.tcss"
    AUTO_FOCUS = "#reactions"

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield ReactionList(
                *(Option(self._words(name), id=name) for name in REACTIONS), id="reactions", markup=False, compact=True
            )

    def on_mount(self) -> None:
        self.query_one("#box").border_title = "React"

    def _words(self, name: str) -> str:
        words = name.replace("_", " ")
        return words if self._ascii_only else f"{REACTIONS[name]} {words}"

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option.id)
