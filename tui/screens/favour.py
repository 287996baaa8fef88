"""What to ask of the selected person; opened by the app, which asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui import bindings
from tui.core.events import Wish
from tui.favours import FAVOURS, favours

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.updates import Person


class FavourList(OptionList, inherit_bindings=False):
    """One line each."""

    BINDINGS: ClassVar = [*bindings.FAVOURS]
    BINDING_GROUP_TITLE = "Ask somebody to"


class FavourScreen(ModalScreen["Wish | None"]):
    """Ends with what to ask ``person`` to do, or with nothing."""

    CSS_PATH = "dialogs.tcss"
    AUTO_FOCUS = "#favours"

    def __init__(self, person: Person, ellipsis: str) -> None:
        super().__init__()
        self._person = person
        self._ellipsis = ellipsis

    def compose(self) -> ComposeResult:
        options = (Option(FAVOURS[favour], favour.name) for favour in favours(self._person))
        with Vertical(id="box"):
            yield FavourList(*options, id="favours", markup=False, compact=True)

    def on_mount(self) -> None:
        box = self.query_one("#box")
        box.border_title = Content(f"Ask {self._person.name} to{self._ellipsis}")
        box.border_subtitle = "enter asks, escape closes"

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(Wish[str(event.option.id)])
