"""The room: who is in it, what they look like, and what is said on the wire.

Used by the app, which gives it every `Update`; asks the app for everything by actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal
from textual.content import Content
from textual.reactive import var
from textual.screen import Screen
from textual.widgets import Static

from tui import bindings
from tui.core.events import CallState
from tui.layouts import Layout
from tui.media.board import LOCAL
from tui.updates import CallView
from tui.widgets.chat import ChatPane
from tui.widgets.key_footer import KeyFooter
from tui.widgets.log_pane import LogPane
from tui.widgets.participant_list import ParticipantList
from tui.widgets.people_pane import PeoplePane
from tui.widgets.room_panel import RoomPanel
from tui.widgets.video_grid import VideoGrid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer
    from textual.widget import Widget

    from tui.config import JoinOptions
    from tui.media.board import Board
    from tui.updates import LogLine, Person, Update
    from tui.widgets.marks import Marks

_LEVELS_PER_SECOND = 5
_RETURNS = 5.0
"""Seconds after a reconnect in which the only picture may come back."""
_SETTLED = 0.1
"""Seconds after the last of several changes of the size."""


class RoomScreen(Screen[None]):
    """Room panel, people, pictures and log."""

    BINDINGS: ClassVar = [*bindings.ROOM]
    BINDING_GROUP_TITLE = "Room"
    AUTO_FOCUS = "#people"

    view: var[CallView] = var(CallView(), init=False)
    chatting: var[bool] = var(False, init=False, toggle_class="-chatting")
    """The chat is open."""
    arrangement: var[Layout] = var(Layout.GRID, init=False)
    held: var[bool] = var(False, init=False)
    """One speaks for as long as a key is held."""
    pinned: var[str | None] = var(None, init=False)
    """Key of who is pinned: large, or first."""

    def __init__(self, board: Board, marks: Marks, clock: Callable[[], float]) -> None:
        super().__init__()
        self._board = board
        self._panel = RoomPanel(marks, clock)
        self._people_pane = PeoplePane(marks)
        self._people = self._people_pane.people
        self._grid = VideoGrid(board, marks)
        self._welcome = Static(id="welcome", markup=False)
        self._log = LogPane(marks)
        self._chat = ChatPane(marks, id="chat")
        self._meter: Timer | None = None
        self._resized: Timer | None = None
        self._returning: Timer | None = None
        self._at: Widget | None = None
        """What had the focus last."""

    def compose(self) -> ComposeResult:
        yield self._panel
        with Horizontal(id="upper"):
            yield self._people_pane
            yield self._grid
            yield self._welcome
        with Horizontal(id="lower"):
            yield self._log
            yield self._chat
        yield KeyFooter()

    def on_mount(self) -> None:
        self._people.data_bind(RoomScreen.pinned)
        self.set_class(self.arrangement is not Layout.LIST, "-pictures")
        self.watch(self._grid, "alone", self._frame, init=False)
        self._meter = self.set_interval(1 / _LEVELS_PER_SECOND, self._show_level, pause=True)
        self._draw()

    def show_reason(self, reason: str) -> None:
        """Why pictures are worse than they could be; empty when they are not."""
        self._panel.pictures = reason

    def show_options(self, options: JoinOptions) -> None:
        """What one joins, or would join."""
        self._panel.show_options(options)

    def write(self, update: Update) -> None:
        """Add what is new to the log and the chat."""
        self._log.log_view.extend(update.lines, update.dropped)
        self._chat.extend(update.chat)

    @property
    def logged(self) -> Sequence[LogLine]:
        """What the log shows."""
        return self._log.log_view.shown

    @property
    def kept(self) -> Sequence[LogLine]:
        """Everything that is in the log."""
        return self._log.log_view.lines

    @property
    def selected(self) -> Person | None:
        """Who is selected in the list."""
        return self._people.person

    def find(self, key: str) -> Person | None:
        """This person as they are now."""
        return next((person for person in self.view.people if person.key == key), None)

    def watch_view(self) -> None:
        if self.is_mounted:
            self._draw()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._at = event.widget

    def on_resize(self) -> None:
        # Not after the next refresh: that would be waited for by drawing all again and again.
        if self._resized is not None:
            self._resized.stop()
        self._resized = self.set_timer(_SETTLED, self._refocus)

    def _refocus(self) -> None:
        """What was hidden on a small screen had lost the focus."""
        if self.focused is None and self.app.app_focus and self._at in self.focus_chain:
            self.set_focus(self._at, scroll_visible=False)

    def watch_held(self) -> None:
        self._panel.held = self.held

    def _draw(self) -> None:
        view = self.view
        with self.app.batch_update():
            self.set_class(bool(view.people), "-peopled")
            self._panel.view = view
            self._people.people = view.people
            self._wait_for_pictures(view.state)
            self._grid.people = view.people
            if not view.people:
                # Every update costs a layout of the whole screen.
                self._welcome.update(Content(_welcome(view)))
        if self._meter is not None:
            # A level that moves is text on the line all the time.
            self._meter.resume() if view.microphone and not view.low_bandwidth else self._meter.pause()

    def _wait_for_pictures(self, state: CallState) -> None:
        """A connection that is lost has taken the only picture along, which comes back with it."""
        if state is CallState.RECONNECTING:
            self._grid.patient = True
        elif not (state is CallState.JOINED and self._grid.patient):
            self._grid.patient = False
        elif self._returning is None:
            self._returning = self.set_timer(_RETURNS, self._end_waiting)

    def _end_waiting(self) -> None:
        self._returning = None
        self._grid.patient = self.view.state is CallState.RECONNECTING

    def _show_level(self) -> None:
        self._panel.show_level(self._board.level(LOCAL))

    def watch_arrangement(self) -> None:
        self._grid.arrangement = self.arrangement
        self.set_class(self.arrangement is not Layout.LIST, "-pictures")

    def watch_pinned(self) -> None:
        self._grid.pinned = self.pinned

    @property
    def in_focus(self) -> bool:
        """One picture has the whole screen."""
        return self._grid.alone is not None

    def leave_focus(self) -> None:
        """Back to the layout of before."""
        self._grid.alone = None

    def _frame(self, old: str | None, new: str | None) -> None:
        """The whole screen for one picture, or what was there before."""
        if (old is None) is (new is None):
            return
        # Keys must not go to what is not seen.
        self._people.can_focus = new is None
        if new is None:
            self.remove_class("-focused")
            self.set_focus(self._at or self._people)
        else:
            self.set_focus(None)
            self.add_class("-focused")
            key = bindings.shown_key(self, "room.unfocus")
            self._grid.way_back = f"{key}: back" if key else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The way back is there when there is one."""
        return self.in_focus if action == "unfocus" else True

    @on(ParticipantList.Pinned)
    def _pin(self, message: ParticipantList.Pinned) -> None:
        self.pinned = message.key

    def action_pin(self) -> None:
        """Pin the selected person, or take the pin away."""
        self._people.pin()

    def action_next_hand(self) -> None:
        """Select the next person with a raised hand."""
        if not self._people.select_next_hand():
            self.notify("No hand is raised.", markup=False)

    @on(VideoGrid.Paged)
    def _show_page(self, message: VideoGrid.Paged) -> None:
        many = message.pages > 1
        subtitle = f"pictures {message.page + 1} of {message.pages}" if many else ""
        # Setting it draws the pane again, also when it says the same.
        if subtitle != (self._people_pane.border_subtitle or ""):
            self._people_pane.border_subtitle = subtitle

    def action_focus_on(self) -> None:
        """One picture on the whole screen, or all again."""
        person = self.selected
        self._grid.alone = None if self.in_focus or person is None else self._grid.subject(person)

    def action_unfocus(self) -> None:
        """All pictures again."""
        self.leave_focus()

    def action_pane(self, pane: str) -> None:
        """Go to the list of people or to the log."""
        self.leave_focus()
        self.query_one(f"#{pane}").focus()

    def action_chat(self) -> None:
        """Open the chat to write in it, or close it; beside one picture alone it is not seen."""
        was_hidden = self.in_focus
        self.leave_focus()
        self.chatting = was_hidden or not self.chatting
        if self.chatting:
            self._chat.read()
            self._chat.field.focus()
        else:
            self._people.focus()

    @on(ChatPane.Unread)
    def _show_unread(self, message: ChatPane.Unread) -> None:
        self._panel.unread = message.count

    def action_page(self, pages: int) -> None:
        """Another page of tiles."""
        self._grid.turn(pages)

    def action_zoom(self, steps: int) -> None:
        """A smaller part of a shared screen, larger; or the other way round."""
        if (tile := self._grid.close_up(self._people.selected)) is not None:
            tile.zoom_in() if steps > 0 else tile.zoom_out()

    def action_pan(self, right: int, down: int) -> None:
        """Another part of a shared screen."""
        if (tile := self._grid.close_up(self._people.selected)) is not None:
            tile.pan(right, down)


def _welcome(view: CallView) -> str:
    match view.state:
        case CallState.IDLE:
            return "Not in a room.\n\nj  join\ns  settings\no  devices\n?  all keys"
        case CallState.FAILED:
            parts = [view.reason or "The room cannot be joined.", view.hint, "j  try again\ns  settings"]
            return "\n\n".join(part for part in parts if part)
        case CallState.LEAVING:
            return "Leaving…"
        case _:
            return "Waiting for the room…"
