"""The log with its filter; used by the room screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tui.widgets.event_log import EventLog, Kind
from tui.widgets.filter import Filter

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from tui.widgets.marks import Marks


class LogPane(Vertical, can_focus=False):
    """Lines above, their filter below while there is one."""

    def __init__(self, marks: Marks) -> None:
        super().__init__()
        self.log_view = EventLog(marks, id="log")
        self._filter = Filter("only lines with this text")

    def compose(self) -> ComposeResult:
        yield self.log_view
        yield self._filter

    def on_mount(self) -> None:
        self._describe()

    @on(EventLog.Searched)
    def _ask(self) -> None:
        self._filter.open()

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        event.stop()
        self.log_view.words = event.value.strip()

    @on(Filter.Left)
    @on(Input.Submitted)
    def _return(self) -> None:
        self._filter.close()
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
