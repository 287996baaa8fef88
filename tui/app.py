"""The Textual app: thin. It owns the bridge and the screens, and turns actions into calls on the bridge.

Used by the command line, which runs it through `tui.terminal.run_app`, and by the tests.
"""

from __future__ import annotations

import io
import logging
import sys
import time
from typing import TYPE_CHECKING, ClassVar, Final

from rich.console import Console
from textual import on
from textual.app import App, SystemCommand
from textual.reactive import reactive

from tui import bindings
from tui.bridge import Bridge
from tui.commands import Commands
from tui.core.events import CallState
from tui.errors import ExitCode
from tui.media.board import Board
from tui.screens.help import HelpScreen
from tui.screens.join import JoinScreen
from tui.screens.leave import Choice, LeaveScreen
from tui.screens.room import RoomScreen
from tui.text import with_hint
from tui.updates import CallView
from tui.widgets import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from textual.screen import Screen
    from textual.timer import Timer

    from tui.config import JoinOptions
    from tui.media.cells import Look
    from tui.session import SessionFactory

_PAUSE: Final = 0.05
"""Seconds between two updates of the screen at least, however fast the core tells news."""

_log = logging.getLogger(__name__)


class ConferenceApp(App[None], inherit_bindings=False):
    """Join a room, be in it, leave it; any number of times.

    Raises `tui.errors.ConfigError` when ``keymap`` cannot be used.
    """

    TITLE = "antconf"
    # The room's own file is here because Textual loads none for the default screen.
    CSS_PATH: ClassVar = ["screens/room.tcss", "app.tcss"]
    BINDINGS: ClassVar = [*bindings.APP]
    COMMANDS: ClassVar = {Commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-middle"), (32, "-high")]  # noqa: RUF012

    view: reactive[CallView] = reactive(CallView(), init=False)

    def __init__(
        self,
        options: JoinOptions,
        session: SessionFactory,
        look: Look,
        *,
        ask: bool = False,
        clock: Callable[[], float] = time.time,
        ascii_only: bool = False,
        no_color: bool = False,
        frames_per_second: float = 8.0,
        validate: Callable[[JoinOptions], None] = lambda options: None,
        remember: Callable[[JoinOptions], None] = lambda options: None,
        keymap: Mapping[str, str] | None = None,
    ) -> None:
        # Without native colours NO_COLOR would turn everything into 24-bit greys.
        super().__init__(ansi_color=True if no_color else None)
        # Textual would print locals, which may hold secrets, below the prompt.
        self.error_console = Console(file=io.StringIO())
        self._keymap_by_id = bindings.checked_keymap(keymap or {})
        self._marks = marks.ASCII if ascii_only else marks.UNICODE
        self._ascii_only = ascii_only
        self._options = options
        self._ask = ask
        self._clock = clock
        self._validate = validate
        self._remember = remember
        self._board = Board(look, frames_per_second)
        self._bridge = Bridge(self, session, self._board, clock)
        self._room = RoomScreen(self._board, self._marks, clock)
        self._remembered = True
        self._taking: Timer | None = None
        self._ending = False
        self.on_end: Callable[[ExitCode], None] = lambda code: None
        """Called once when the end begins; `tui.terminal` puts its watchdog here."""
        self.last_words = ""
        """One line for below the prompt."""
        self.crash: BaseException | None = None
        """The defect that ended the app."""

    def get_default_screen(self) -> Screen[None]:
        """The room is below everything."""
        return self._room

    def on_mount(self) -> None:
        self.set_class(self._ascii_only, "-ascii")
        self.set_keymap(self._keymap_by_id)

    def on_ready(self) -> None:
        """The first picture is drawn: now there is time for the core."""
        self._bridge.start()
        self._room.show_options(self._options)
        if self._options.url and self._options.room and not self._ask:
            self.action_join()
        else:
            self.action_settings()

    async def on_unmount(self) -> None:
        await self._bridge.aclose()

    def bell(self) -> None:
        """Textual rings it while it handles an exception that ends the app: the only public sign of one."""
        if (error := sys.exception()) is not None:
            self.crash = self.crash or error
        super().bell()

    # News from the core.

    @on(Bridge.News)
    def _hear(self) -> None:
        if self._taking is None:
            self._take()
            self._taking = self.set_timer(_PAUSE, self._rested)

    def _rested(self) -> None:
        self._taking = None
        self._take()

    def _take(self) -> None:
        if not self._room.is_running:
            return
        update = self._bridge.take()
        self._room.write(update.lines, update.dropped)
        self.view = update.view

    @on(Bridge.Failed)
    def _break(self, message: Bridge.Failed) -> None:
        self.crash = message.error
        self.end(ExitCode.INTERNAL)

    def watch_view(self, old: CallView, new: CallView) -> None:
        self._room.view = new
        if (old.state, old.microphone, old.camera) != (new.state, new.microphone, new.camera):
            self.refresh_bindings()
        if new.joined_at is not None and not self._remembered:
            self._remembered = True
            self._remember(self._options)
        self._notice(old, new)

    def _notice(self, old: CallView, new: CallView) -> None:
        """Put in front for some seconds what the log and the panel say for longer."""
        if new.state is not old.state or new.reason != old.reason:
            text = with_hint(new.reason, new.hint)
            if new.state is CallState.FAILED:
                self.notify(text or "The room cannot be joined.", severity="error", markup=False)
            elif new.state is CallState.RECONNECTING:
                text = text or "The connection was lost; reconnecting."
                self.notify(text, severity="warning", markup=False)
        if new.state is CallState.JOINED and new.output_hint and new.output_hint != old.output_hint:
            self.notify(new.output_hint, severity="warning", markup=False)

    # What the user can ask for.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Join or leave, whichever is possible; the microphone and camera only when there are any."""
        view = self.view
        match action:
            case "join":
                return not view.in_call
            case "leave":
                return view.in_call
            case "settings":
                return not view.in_call and isinstance(self.screen, RoomScreen)
            case "microphone":
                return True if view.microphone is not None else None
            case "camera":
                return True if view.camera is not None else None
            case "deafen":
                return True if view.in_call else None
        return True

    def action_join(self) -> None:
        """Enter the room, or ask which one."""
        if not (self._options.url and self._options.room):
            self.action_settings()
        elif not self._ending:
            self._remembered = False
            self._bridge.join(self._options)
            # At once, so that the same key pressed again means the opposite.
            self._take()

    def action_leave(self) -> None:
        """Leave the room."""
        self._bridge.leave()
        self._take()

    def action_microphone(self) -> None:
        """Speak or be silent."""
        self._bridge.set_microphone(not self.view.microphone)

    def action_camera(self) -> None:
        """Be seen or not."""
        self._bridge.set_camera(not self.view.camera)

    def action_deafen(self) -> None:
        """Hear nothing or everybody."""
        self._bridge.set_deafened(not self.view.deafened)

    def action_settings(self) -> None:
        """Ask where to go, and go there."""
        self.push_screen(JoinScreen(self._options, self._validate), self._join_by)

    def _join_by(self, options: JoinOptions | None) -> None:
        if options is not None:
            self._options = options
            self._room.show_options(options)
            self.action_join()

    def action_help(self) -> None:
        """Every key."""
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self._keymap_by_id))

    def action_end(self) -> None:
        """Leave and quit; a failed call is told once more below the prompt."""
        if self.view.state is CallState.FAILED:
            self.last_words = f"antconf: {self.view.reason}"
        self.end(self.view.exit_code)

    def action_interrupt(self) -> None:
        """Ctrl+c: in a dialog close it, in a room ask, else quit."""
        screen = self.screen
        if self._ending or isinstance(screen, LeaveScreen):
            self.end(ExitCode.SIGINT)
        elif screen is not self._room and not isinstance(screen, JoinScreen):
            screen.dismiss()
        elif self.view.in_call:
            self.push_screen(LeaveScreen(), self._leave_by)
        else:
            self.end(ExitCode.SIGINT)

    def _leave_by(self, choice: Choice | None) -> None:
        if choice is Choice.LEAVE:
            self.action_leave()
        elif choice is Choice.QUIT:
            self.end(ExitCode.OK)

    def end(self, code: ExitCode) -> None:
        """Leave the room within its limit and end; asked for twice, end at once."""
        if self._ending:
            self.exit(return_code=code)
            return
        self._ending = True
        self.on_end(code)
        self._bridge.close_soon()
        self.run_worker(self._end(code), group="end")

    async def _end(self, code: ExitCode) -> None:
        await self._bridge.aclose()
        self.exit(return_code=code)

    def hang_up(self) -> None:
        """Leave even if this app's own loop is stuck; from any thread."""
        self._bridge.close_soon()

    async def action_quit(self) -> None:
        """The palette's quit."""
        self.action_end()

    # Textual's own.

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Textual's, but for the screenshot, which would write a file, and for a second list of keys."""
        for command in super().get_system_commands(screen):
            if command.title not in ("Screenshot", "Keys"):
                yield command
