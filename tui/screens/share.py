"""What to share: each screen of this machine, a media file or the test picture.

Opened by the app, which shares what is chosen. Looking for screens happens in a thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from tui import bindings
from tui.media.threads import in_thread
from tui.screens.path import PathScreen

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.media.screens import Screens

_FILE: Final = "file"
"""Not what opens anything: a path is asked for."""


class ShareList(OptionList, inherit_bindings=False):
    """One line each."""

    BINDINGS: ClassVar = [*bindings.SHARE]
    BINDING_GROUP_TITLE = "Share a screen"


class ShareScreen(ModalScreen["str | None"]):
    """Ends with what opens the chosen one, as ``--camera`` names it, or with nothing."""

    CSS_PATH = "dialogs.tcss"
    AUTO_FOCUS = "#sources"

    def __init__(self, ellipsis: str) -> None:
        super().__init__()
        self._others = (Option(f"A file{ellipsis}", _FILE), Option("Test picture", "test"))

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield ShareList(*self._others, id="sources", markup=False, compact=True)
            yield Label("Looking for screens", id="problem", markup=False)

    def on_mount(self) -> None:
        box = self.query_one("#box")
        box.border_title = "Share beside your camera"
        box.border_subtitle = "enter shares, escape closes"
        self.run_worker(self._look())

    async def _look(self) -> None:
        screens = await in_thread(_screens)
        sources = self.query_one(ShareList)
        if screens.found:
            # Whoever has chosen already stays where they are.
            moved = sources.highlighted
            sources.set_options([*(Option(one.title, one.device) for one in screens.found), *self._others])
            sources.highlighted = moved + len(screens.found) if moved else 0
        label = self.query_one("#problem", Label)
        label.display = bool(screens.problem)
        label.update(Content(f"No screen can be shown: {screens.problem}.\n{screens.hint}"))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        if event.option.id == _FILE:
            self.app.push_screen(PathScreen(), self._file_chosen)
        else:
            self.dismiss(event.option.id)

    def _file_chosen(self, path: str | None) -> None:
        if path is not None:
            self.dismiss(path)


def _screens() -> Screens:
    """In a thread: the first call loads the media libraries."""
    from tui.media.screens import list_screens

    return list_screens()
