"""Which media file: a field for its path; opened by the choice of what to share and by the device screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from tui import bindings
from tui.media.threads import in_thread
from tui.text import printable

if TYPE_CHECKING:
    from textual.app import ComposeResult


class PathScreen(ModalScreen["str | None"]):
    """Ends with the whole path of a file that is there, or with nothing."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [*bindings.PATH]
    BINDING_GROUP_TITLE = "Path of a file"
    AUTO_FOCUS = "#path"

    def compose(self) -> ComposeResult:
        with Vertical(id="box"):
            yield Input(id="path", placeholder="~/talk.mp4", compact=True, max_length=4000)
            yield Label(id="problem", markup=False)

    def on_mount(self) -> None:
        box = self.query_one("#box")
        box.border_title = "Media file to show"
        box.border_subtitle = "enter shows it, escape goes back"
        self.query_one(Input).cursor_blink = False

    @on(Input.Submitted)
    def _check(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if text:
            self.run_worker(self._end_with(text), exclusive=True)

    async def _end_with(self, text: str) -> None:
        path = await in_thread(lambda: _file(text))
        if path is not None:
            self.dismiss(str(path))
        else:
            self.query_one("#problem", Label).update(Content(f"There is no file {printable(text, 100)}"))


def _file(text: str) -> Path | None:
    """A disk that is far away may take its time."""
    try:
        path = Path(text).expanduser().absolute()
        return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):
        return None
