"""The Textual app: thin. It owns the bridge and the screens, and turns actions into calls on the bridge.

Used by the command line, which runs it through `tui.terminal.run_app`, and by the tests.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.console import Console
from textual import events, on
from textual.app import App, SystemCommand
from textual.command import CommandPalette
from textual.reactive import var

from tui import bindings, choices, layouts, themes
from tui.alarm import Alarm
from tui.bridge import Bridge
from tui.choices import Choices
from tui.commands import Commands, Themes
from tui.core.events import CallState, Direction, ShareState
from tui.errors import ExitCode, FileError
from tui.export import export
from tui.herald import NAMING, Herald
from tui.layouts import Layout
from tui.media.board import Board
from tui.media.pacing import Pacer
from tui.offer import offered
from tui.projector import Projector
from tui.relay import Relay
from tui.screens.devices import DeviceScreen, Kind
from tui.screens.event import EventScreen
from tui.screens.favour import FavourScreen
from tui.screens.help import HelpScreen
from tui.screens.join import JoinScreen
from tui.screens.leave import Choice, LeaveScreen
from tui.screens.person import PersonScreen
from tui.screens.reaction import ReactionScreen
from tui.screens.request import RequestScreen
from tui.screens.room import RoomScreen
from tui.screens.share import ShareScreen
from tui.screens.statistics import StatisticsScreen
from tui.text import printable, with_hint
from tui.toasts import toasts
from tui.typeahead import Typeahead
from tui.updates import CallView, LogLine, Update
from tui.widgets import marks
from tui.widgets.chat import ChatInput
from tui.widgets.event_log import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from textual.notifications import SeverityLevel
    from textual.screen import Screen
    from textual.timer import Timer

    from tui.config import JoinOptions
    from tui.core.events import Wish
    from tui.driver import TerminalDriver
    from tui.herald import Heard
    from tui.media.cells import Look
    from tui.rooms import Profile
    from tui.session import SessionFactory
    from tui.updates import Person, Question

_PAUSE: Final = 0.05
"""Seconds between two updates of the screen at least, however fast the core tells news."""

_FIRST_HOLD: Final = 1.0
"""Seconds that a held key may take to its first repeat: keyboards wait 250 to 660 ms, and the way may be long."""
_NEXT_HOLD: Final = 0.6
"""Seconds between two repeats at most; keyboards take 30 to 100 ms, the rest is for a line that stutters."""

_LOOKED_AT: Final = 50
"""Newest lines of the log among which a note is not said again."""

_log = logging.getLogger(__name__)


class ConferenceApp(App[None], inherit_bindings=False):
    """Join a room, be in it, leave it; any number of times.

    Raises `tui.errors.ConfigError` when ``keymap`` or ``theme`` cannot be used.
    """

    TITLE = "antconf"
    # The room's own file is here because Textual loads none for the default screen.
    CSS_PATH: ClassVar = ["screens/room.tcss", "app.tcss"]
    BINDINGS: ClassVar = [*bindings.APP]
    COMMANDS: ClassVar = {Commands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (80, "-normal"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-middle"), (32, "-high")]  # noqa: RUF012

    view: var[CallView] = var(CallView(), init=False)

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
        frames_per_second: float = 15.0,
        synchronized: bool = True,
        validate: Callable[[JoinOptions], None] = lambda options: None,
        remember: Callable[[JoinOptions], None] = lambda options: None,
        keymap: Mapping[str, str] | None = None,
        profiles: Sequence[Profile] = (),
        demo: Callable[[], JoinOptions] | None = None,
        layout: Layout | None = None,
        theme: str = themes.USUAL,
        low_bandwidth: bool = False,
        alarm: Alarm | None = None,
    ) -> None:
        # Without native colours NO_COLOR would turn everything into 24-bit greys.
        super().__init__(ansi_color=True if no_color else None)
        # Textual would print locals, which may hold secrets, below the prompt.
        self.error_console = Console(file=io.StringIO())
        self._wear(theme, look.light)
        self._keymap_by_id = bindings.checked_keymap(keymap or {})
        self._marks = marks.ASCII if ascii_only else marks.UNICODE
        self._ascii_only = ascii_only
        self._options = options
        self._ask = ask
        self._clock = clock
        self._validate = validate
        self._remember = remember
        self._profiles = profiles
        self._demo = demo
        self._layout = layout
        self._board = Board(look, frames_per_second)
        self._bridge = Bridge(self, session, self._board, clock)
        self._room = RoomScreen(self._board, self._marks, clock)
        self.driver: TerminalDriver | None = None
        """The way to a real terminal past Textual, once there is one."""
        self.relay = Relay()
        """What is between here and the terminal; `tui.terminal` knows."""
        self.synchronized = synchronized
        """Use DEC 2026 where the terminal says it can."""
        self.projector: Projector | None = None
        """Shows the pictures, from the first screen on."""
        self._remembered = True
        self._taking: asyncio.TimerHandle | None = None
        self._naming: Timer | None = None
        self._choices = Choices()
        self._holding: Timer | None = None
        self._thin_from_the_start = low_bandwidth
        self._animations = self.animation_level
        self._alarm = alarm or Alarm()
        self._herald = Herald(clock)
        self._ending = False
        self._typeahead = Typeahead(self, super().on_event)
        self.on_end: Callable[[ExitCode], None] = lambda code: None
        """Called once when the end begins; `tui.terminal` puts its watchdog here."""
        self.last_words = ""
        """One line for below the prompt."""
        self.crash: BaseException | None = None
        """The defect that ended the app."""

    @property
    def room(self) -> RoomScreen:
        """The screen with the pictures, below all others."""
        return self._room

    @property
    def stage(self) -> Screen[Any] | None:
        """The screen whose pictures move now: none while a dialog is in front of them."""
        # At the end there is no screen at all.
        front = next(reversed(self.screen_stack), None)
        return front if isinstance(front, RoomScreen | JoinScreen) else None

    def get_default_screen(self) -> Screen[None]:
        """The room is below everything."""
        return self._room

    def on_mount(self) -> None:
        self.set_class(self._ascii_only, "-ascii")
        self.set_keymap(self._keymap_by_id)
        pacer = Pacer(self._board.frames_per_second, proxied=self.relay.proxied)
        self.projector = Projector(self, self._board, pacer, relay=self.relay)
        self.projector.attach()
        if self._thin_from_the_start:
            self._thin(True)

    def on_ready(self) -> None:
        """The first picture is drawn: now there is time for the core."""
        self._bridge.start()
        if self.projector is not None:
            self.projector.start()
        self._choices = choices.recall()
        self._room.arrangement = self._layout or layouts.recall() or Layout.GRID
        self._room.show_options(self._options)
        if self._options.url and self._options.room and not self._ask:
            self.action_join()
        else:
            self.action_settings()

    async def on_unmount(self) -> None:
        if self.projector is not None:
            await self.projector.aclose()
        await self._bridge.aclose()

    async def on_event(self, event: events.Event) -> None:
        """Keys in turn, everything else at once."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            await self._typeahead.take(event)
        else:
            await super().on_event(event)

    def post_display_hook(self) -> None:
        """Textual has drawn, or would have."""
        if self.driver is not None:
            self.driver.drawn()

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
            # Textual's own timer is skipped where it comes too late, and with this one all news would end.
            self._taking = asyncio.get_running_loop().call_later(_PAUSE, self.call_next, self._rested)

    def _rested(self) -> None:
        self._taking = None
        self._take()

    def _take(self) -> None:
        if not self._room.is_running:
            return
        update, before = self._bridge.take(), self.view
        self._room.write(update)
        self.view = update.view
        self._spread(self._herald.take(self._options.name, before, update))

    @on(Bridge.Failed)
    def _break(self, message: Bridge.Failed) -> None:
        self.crash = message.error
        self.end(ExitCode.INTERNAL)

    def watch_view(self, old: CallView, new: CallView) -> None:
        self._room.view = new
        for screen in self.screen_stack:
            if isinstance(screen, DeviceScreen):
                screen.view = new
        before, now = (
            (view.state, view.microphone, view.camera, view.play_only, view.share.state) for view in (old, new)
        )
        if before != now:
            self.refresh_bindings()
        if new.joined_at is not None and not self._remembered:
            self._remembered = True
            self._remember(self._options)
        if old.question != new.question:
            self._ask_back()
        for text, severity in toasts(old, new):
            self.notify(text, severity=severity, markup=False)

    def _spread(self, heard: Heard) -> None:
        """Who came and left goes into the log and some of it in front; who looks elsewhere is called, if they wish."""
        if heard.lines:
            self._room.write(Update(self.view, heard.lines))
        for text in heard.shown:
            self.notify(text, markup=False)
        if self.driver is not None and (call := self._alarm.raised(heard.reasons, self.relay)):
            self.driver.write(call)
        if self._herald.waits and self._naming is None:
            self._naming = self.set_timer(NAMING, self._named)

    def _named(self) -> None:
        self._naming = None
        self._take()

    def on_resize(self, event: events.Resize) -> None:
        # A busy machine may skip the timer that Textual has for it, which would then take no size any more.
        self.call_later(self._check_resize)
        # There and back again: Textual sees no change, but the terminal has thrown away what was on it.
        if self.screen_stack and event.size == self.screen.size:
            self.screen.refresh()

    def on_app_focus(self) -> None:
        self._alarm.focused = True

    def on_app_blur(self) -> None:
        self._alarm.focused = False

    def _ask_back(self) -> None:
        """Put a moderator's request to the user, and take back what is not asked any more."""
        question, screen = self.view.question, self.screen
        if isinstance(screen, RequestScreen):
            if screen.question != question:
                screen.dismiss(False)
        elif question is not None and not any(isinstance(below, RequestScreen) for below in self.screen_stack):
            self.push_screen(RequestScreen(question), partial(self._answer, question))

    def _answer(self, question: Question, granted: bool | None) -> None:
        self._bridge.answer(question.number, bool(granted))

    # What the user can ask for.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What makes sense as the call is now."""
        if action == "settings" and not isinstance(self.screen, RoomScreen):
            return False
        return offered(action, self.view, self._room.selected)

    def action_join(self) -> None:
        """Enter the room, or ask which one."""
        if not (self._options.url and self._options.room):
            self.action_settings()
        elif not self._ending:
            self._remembered = False
            self._bridge.join(self._options, self._choices)
            # At once, so that the same key pressed again means the opposite.
            self._take()

    def action_leave(self) -> None:
        """Leave the room."""
        self._bridge.leave()
        self._take()

    def action_microphone(self) -> None:
        """Speak or be silent."""
        self._bridge.set_microphone(not self.view.microphone)
        self._let_go()

    def action_talk(self) -> None:
        """Speak for as long as the key repeats; nothing happens when the microphone is on anyway."""
        if self._holding is not None:
            self._holding.stop()
            seconds = _NEXT_HOLD
        elif not self.view.microphone:
            seconds = _FIRST_HOLD
        else:
            return
        self._bridge.speak_while_held(seconds)
        self._holding = self.set_timer(seconds, self._let_go)
        self._room.held = True

    def _let_go(self) -> None:
        if self._holding is not None:
            self._holding.stop()
            self._holding = None
        self._room.held = False

    def action_publish(self) -> None:
        """Take part, or only listen and watch."""
        if self.view.play_only:
            self._bridge.publish()
        else:
            self._bridge.stop_publishing()
            self._let_go()

    def action_camera(self) -> None:
        """Be seen or not."""
        self._bridge.set_camera(not self.view.camera)

    def action_away(self) -> None:
        """Neither heard nor seen for a while, or back as before."""
        self._bridge.set_away(not self.view.away)
        self._let_go()

    def action_low_bandwidth(self) -> None:
        """Sound first, or everything again."""
        self._thin(not self.view.low_bandwidth)
        self._take()

    def _thin(self, low: bool) -> None:
        self._bridge.set_low_bandwidth(low)
        if self.projector is not None:
            self.projector.pacer.thrifty = low
        if low:
            self._animations, self.animation_level = self.animation_level, "none"
        else:
            self.animation_level = self._animations

    def action_deafen(self) -> None:
        """Hear nothing or everybody."""
        self._bridge.set_deafened(not self.view.deafened)

    def action_volume(self, percent: int) -> None:
        """Everybody louder or quieter."""
        self._bridge.set_volume(_changed(self._bridge.volume, percent))
        self._take()

    def action_person_volume(self, percent: int) -> None:
        """The selected person louder or quieter."""
        if (person := self._selected) is not None:
            self._bridge.set_voice(person.key, _changed(person.volume, percent), person.silenced)
            # At once, so that the next step begins here.
            self._take()

    def action_silence_person(self) -> None:
        """Do not hear the selected person, or hear them again."""
        if (person := self._selected) is not None:
            self._bridge.set_voice(person.key, person.volume, not person.silenced)
            self._take()

    @property
    def _selected(self) -> Person | None:
        """Somebody else who is selected."""
        person = self._room.selected
        return None if person is None or person.is_self else person

    def action_devices(self) -> None:
        """What there is to hear and speak with."""
        if self.stage is not None:
            report, cancels = self._bridge.sound_report, self._options.echo_cancellation
            self.push_screen(DeviceScreen(self._board, self._marks, report, self.view, self._wishes, cancels))

    @property
    def _wishes(self) -> Choices:
        """What is asked for now, above all on the command line."""
        options, chosen = self._options, self._choices
        return Choices(
            options.speaker or chosen.speaker,
            options.microphone or chosen.microphone,
            options.camera or chosen.camera,
        )

    @on(DeviceScreen.Chosen)
    def _use(self, message: DeviceScreen.Chosen) -> None:
        """Use it now, and the next time; silence, a screen and the like only until the program ends."""
        is_device = bool(message.name) or not message.device
        until_end = "" if is_device else message.device
        if message.kind is Kind.SPEAKER:
            self._bridge.use_speaker(message.device)
            self._options = replace(self._options, speaker=until_end)
            chosen = replace(self._choices, speaker=message.name)
        elif message.kind is Kind.CAMERA:
            self._bridge.use_camera(message.device)
            self._options = replace(self._options, camera=until_end)
            chosen = replace(self._choices, camera=message.name)
        else:
            self._bridge.use_microphone(message.device)
            self._options = replace(self._options, microphone=until_end)
            chosen = replace(self._choices, microphone=message.name)
        if is_device:
            self._choices = chosen
            choices.remember(chosen)
        for screen in self.screen_stack:
            if isinstance(screen, DeviceScreen):
                screen.wishes = self._wishes
            elif isinstance(screen, JoinScreen):
                screen.use({message.kind.value: until_end}, self._choices)

    @on(ChatInput.Said)
    def _say(self, message: ChatInput.Said) -> None:
        self._bridge.say(message.text)

    def action_react(self) -> None:
        """Choose a feeling to show."""
        if self.screen is self._room:
            self.push_screen(ReactionScreen(self._ascii_only), self._react)

    def _react(self, reaction: str | None) -> None:
        if reaction is not None:
            self._bridge.react(reaction)

    def action_share(self) -> None:
        """Choose what to show beside the camera, or show it no more."""
        if self.view.share.state is not ShareState.OFF:
            self._bridge.stop_sharing()
        elif self.screen is self._room:
            self.push_screen(ShareScreen(self._marks.ellipsis), self._share)

    def _share(self, source: str | None) -> None:
        if source is not None:
            self._bridge.share(source)

    def action_retry(self) -> None:
        """Try the lost connection again at once."""
        self._bridge.retry()

    @on(EventLog.Opened)
    def _open(self, message: EventLog.Opened) -> None:
        self.push_screen(EventScreen(message.line))

    def action_statistics(self) -> None:
        """How the call does."""
        if self.screen is self._room:
            self.push_screen(StatisticsScreen(self._bridge.statistics, self._marks))

    def action_details(self) -> None:
        """All that is known of the selected person."""
        person = self._room.selected
        if self.screen is self._room and person is not None:
            find = partial(self._room.find, person.key)
            self.push_screen(PersonScreen(person, find, self._bridge.statistics, lambda: self._room.pinned))

    def action_export(self) -> None:
        """Write what the log shows to a file."""
        lines = list(self._room.logged)
        self.run_worker(lambda: self._export(lines), thread=True, group="export", exclusive=True)

    def _export(self, lines: Sequence[LogLine]) -> None:
        try:
            text, severity = f"The log is in {export(lines, Path.cwd(), self._clock())}", "information"
        except FileError as error:
            text, severity = with_hint(str(error), error.hint), "error"
        self.call_from_thread(self._tell, text, severity)

    def _tell(self, text: str, severity: SeverityLevel) -> None:
        self.notify(printable(text), severity=severity, markup=False)

    def action_layout(self) -> None:
        """The next layout, now and the next time."""
        self._room.leave_focus()
        layout = self._room.arrangement = self._room.arrangement.following
        layouts.remember(layout)
        if self._room.has_class("-narrow") and layout is not Layout.LIST:
            self.notify("The screen is too narrow for a list and pictures; enter shows one.", markup=False)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = True,
    ) -> None:
        """In front for some seconds, and in the log for longer, whoever says it."""
        text = printable(f"{title}: {message}" if title else message, 600)
        newest = self._room.kept[-_LOOKED_AT:]
        if self._room.is_running and not any(text in line.payload for line in newest):
            line = LogLine(self._clock(), Direction.LOCAL, "note", text, severity == "error")
            self._room.write(Update(self.view, (line,)))
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=markup)

    def action_hand(self) -> None:
        """Ask to be allowed to speak."""
        self._bridge.raise_hand()

    def action_admit(self, granted: bool) -> None:
        """Let the selected person speak or not."""
        if (person := self._selected) is not None and person.hand:
            self._bridge.answer_hand(person.key, granted)

    def action_moderate(self) -> None:
        """Choose what to ask of the selected person."""
        if self.screen is self._room and (person := self._selected) is not None:
            self.push_screen(FavourScreen(person, self._marks.ellipsis), partial(self._moderate, person.key))

    def _moderate(self, stream_id: str, favour: Wish | None) -> None:
        if favour is not None:
            self._bridge.ask(stream_id, favour)

    def action_settings(self) -> None:
        """Ask where to go, and go there."""
        form = JoinScreen(
            self._options, self._validate, self._board, self._marks, self._choices, self._profiles, self._demo
        )
        self.push_screen(form, self._join_by)

    def _join_by(self, options: JoinOptions | None) -> None:
        if options is not None:
            self._options = options
            self._room.show_options(options)
            self.action_join()

    def action_redraw(self) -> None:
        """Whatever the terminal shows now, draw everything again."""
        self.screen.refresh()

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
        """Textual's, but for the screenshot, which would write a file, and for what the room has a key for."""
        for command in super().get_system_commands(screen):
            if command.title not in ("Screenshot", "Keys", "Theme"):
                yield command

    def search_themes(self) -> None:
        """Choose one of ours."""
        self.push_screen(CommandPalette(providers=[Themes], placeholder="Search for themes…"))

    def use_theme(self, name: str) -> None:
        """Use it now, and the next time."""
        self.theme = name
        themes.remember(name)

    def _wear(self, theme: str, light: bool) -> None:
        """Our themes in place of Textual's; raises `ConfigError` for one that there is not."""
        ours = themes.themes(light)
        for one in ours.values():
            self.register_theme(one)
        self.theme = themes.checked(theme)
        for name in self.available_themes.keys() - ours.keys():
            self.unregister_theme(name)


def _changed(volume: float, percent: int) -> float:
    """A volume some percent of the normal one higher or lower, 0.0 to 2.0."""
    return min(200, max(0, round(volume * 100) + percent)) / 100
