"""The log with its filter; used by the room screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from tui import bindings
from tui.widgets.event_log import EventLog, Kind

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.widgets.marks import Marks


class LogFilter(Input):
    """Words to look for."""

    BINDINGS: ClassVar = [*bindings.LOG_FILTER]
    BINDING_GROUP_TITLE = "Filter of the log"
    DEFAULT_CSS = """
    LogFilter { display: none; }
    LogFilter.-open { display: block; }
    """

    @dataclass
    class Left(Message):
        """Back to the lines."""

    def __init__(self) -> None:
        super().__init__(placeholder="only lines with this text", compact=True, max_length=200)
        self.cursor_blink = False

    def action_keep(self) -> None:
        """Back to the lines that were found."""
        self.post_message(self.Left())

    def action_clear(self) -> None:
        """Back to all lines."""
        self.value = ""
        self.post_message(self.Left())


class LogPane(Vertical, can_focus=False):
    """Lines above, their filter below while there is one."""

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self.log_view = EventLog(marks, id="log")
        self._filter = LogFilter()

    def compose(self) -> ComposeResult:
        yield self.log_view
        yield self._filter

    def on_mount(self) -> None:
        self._describe()

    @on(EventLog.Searched)
    def _ask(self) -> None:
        self._filter.add_class("-open")
        self._filter.focus()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self.log_view.words = event.value.strip()

    @on(LogFilter.Left)
    @on(Input.Submitted)
    def _return(self) -> None:
        self._filter.set_class(bool(self._filter.value), "-open")
        self.log_view.focus()

    @on(EventLog.Changed)
    def _describe(self) -> None:
        log = self.log_view
        self.border_title = "Log" if log.kind is Kind.ALL else f"Log: {log.kind}"
        parts = []
        if log.words or log.kind is not Kind.ALL:
            parts.append(f"{len(log.shown)} of {len(log.lines)}")
        if log.paused:
            parts.append(f"paused, {log.waiting} new")
        self.border_subtitle = Content(", ".join(parts))
