"""Every key with what it does, made from the bindings and the user's keymap; opened by the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui import bindings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult
    from textual.binding import Binding


class HelpScreen(ModalScreen[None]):
    """A table of keys to scroll in."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [*bindings.HELP]
    BINDING_GROUP_TITLE = "Help"
    AUTO_FOCUS = "#keys"

    def __init__(self, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="keys"):
            yield Static(self._table(), id="table")

    def on_mount(self) -> None:
        keys = self.query_one("#keys")
        keys.border_title = "Keys"
        keys.border_subtitle = "escape closes"

    def _table(self) -> Content:
        lines: list[Content] = []
        for title, group in bindings.GROUPS.items():
            lines.append(Content.styled(title, "bold underline"))
            for binding in group:
                text = binding.tooltip or binding.description
                lines.append(Content.assemble((f"{self._keys(binding):<16} ", "bold"), text))
            lines.append(Content(""))
        return Content("\n").join(lines[:-1])

    def _keys(self, binding: Binding) -> str:
        keys = self._keymap.get(binding.id or "", binding.key)
        return " ".join(
            self.app.get_key_display(binding.with_key(key.strip())) for key in keys.split(",") if key.strip()
        )
