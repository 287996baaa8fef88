"""One event of the log, whole; opened by the app."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui import bindings
from tui.text import paragraphs
from tui.widgets.event_log import amount

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.updates import LogLine

_LINES = 2000
_CHARACTERS = 200_000


class EventScreen(ModalScreen[None]):
    """Its payload over many lines, to scroll in and to copy."""

    CSS_PATH = "dialogs.tcss"
    BINDINGS: ClassVar = [*bindings.EVENT]
    BINDING_GROUP_TITLE = "Event"
    AUTO_FOCUS = "#event"

    def __init__(self, line: LogLine) -> None:
        super().__init__()
        self._line = line

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="event"):
            yield Static(Content(self._head()), id="head")
            yield Static(Content(pretty(self._line)), id="payload")

    def on_mount(self) -> None:
        box = self.query_one("#event")
        box.border_title = Content(self._line.info)
        box.border_subtitle = "y copies, escape closes"

    def _head(self) -> str:
        line = self._line
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.at)) + f".{int(line.at * 1000) % 1000:03}"
        parts = [at, line.direction.value, f"stream {line.stream}" if line.stream else "", amount(line.size)]
        return "  ".join(part for part in parts if part) + ("  error" if line.error else "")

    def action_copy(self) -> None:
        """Give it to the terminal's clipboard (OSC 52)."""
        self.app.copy_to_clipboard(pretty(self._line))
        self.notify("Sent to the terminal's clipboard.", markup=False)


def pretty(line: LogLine) -> str:
    """The payload, JSON indented; safe to draw."""
    try:
        text = json.dumps(json.loads(line.whole), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        # Cut, or no JSON at all.
        text = line.whole
    return paragraphs(text, _CHARACTERS, _LINES)
