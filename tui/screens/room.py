"""The room: who is in it, what they look like, and what is said on the wire.

Used by the app, which gives it every `Update`; asks the app for everything by actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Footer, Static

from tui import bindings
from tui.core.events import CallState
from tui.media.board import LOCAL
from tui.updates import CallView
from tui.widgets.event_log import EventLog
from tui.widgets.participant_list import ParticipantList
from tui.widgets.room_panel import RoomPanel
from tui.widgets.video_grid import VideoGrid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.timer import Timer

    from tui.config import JoinOptions
    from tui.media.board import Board
    from tui.updates import LogLine
    from tui.widgets.marks import Marks

_LEVELS_PER_SECOND = 5


class RoomScreen(Screen[None]):
    """Room panel, people, pictures and log."""

    BINDINGS: ClassVar = [*bindings.ROOM]
    BINDING_GROUP_TITLE = "Room"
    AUTO_FOCUS = "#people"

    view: reactive[CallView] = reactive(CallView(), init=False)
    pictures: reactive[bool] = reactive(True, toggle_class="-pictures")

    def __init__(self, board: Board, marks: Marks, clock: Callable[[], float]) -> None:
        super().__init__()
        self._board = board
        self._panel = RoomPanel(marks, clock)
        self._people = ParticipantList(marks, id="people")
        self._grid = VideoGrid(board, marks)
        self._welcome = Static(id="welcome", markup=False)
        self._log = EventLog(marks, id="log")
        self._meter: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._panel
        with Horizontal(id="upper"):
            yield self._people
            yield self._grid
            yield self._welcome
        yield self._log
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._people.border_title = "People"
        self._log.border_title = "Log"
        self._meter = self.set_interval(1 / _LEVELS_PER_SECOND, self._show_level, pause=True)
        self._draw()

    def show_options(self, options: JoinOptions) -> None:
        """What one joins, or would join."""
        self._panel.show_options(options)

    def write(self, lines: Sequence[LogLine], dropped: int = 0) -> None:
        """Add lines to the log."""
        self._log.extend(lines, dropped)

    def watch_view(self) -> None:
        if self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        view = self.view
        with self.app.batch_update():
            self.set_class(bool(view.people), "-peopled")
            self._panel.view = view
            self._people.people = view.people
            self._grid.people = view.people
            if not view.people:
                # Every update costs a layout of the whole screen.
                self._welcome.update(Content(_welcome(view)))
        if self._meter is not None:
            self._meter.resume() if view.microphone else self._meter.pause()

    def _show_level(self) -> None:
        self._panel.show_level(self._board.level(LOCAL))

    @on(ParticipantList.Alone)
    def _show_alone(self, message: ParticipantList.Alone) -> None:
        self._grid.alone = None if self._grid.alone == message.key else message.key

    @on(VideoGrid.Paged)
    def _show_page(self, message: VideoGrid.Paged) -> None:
        many = message.pages > 1
        self._people.border_subtitle = f"pictures {message.page + 1} of {message.pages}" if many else ""

    def action_pictures(self) -> None:
        """Hide or show all pictures."""
        self.pictures = not self.pictures

    def action_page(self) -> None:
        """The next page of tiles."""
        self._grid.next_page()


def _welcome(view: CallView) -> str:
    match view.state:
        case CallState.IDLE:
            return "Not in a room.\n\nj  join\ns  settings\n?  all keys"
        case CallState.FAILED:
            parts = [view.reason or "The room cannot be joined.", view.hint, "j  try again\ns  settings"]
            return "\n\n".join(part for part in parts if part)
        case CallState.LEAVING:
            return "Leaving…"
        case _:
            return "Waiting for the room…"
