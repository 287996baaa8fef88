"""Where one is and how it stands: room, server, own id, states in words, time in call.

Used by the room screen; always visible. Shows only what it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import var
from textual.widgets import Label

from tui import bindings
from tui.core.events import CallState, ShareState
from tui.text import printable, with_hint
from tui.updates import CallView, countdown
from tui.widgets.level_meter import LevelMeter

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.timer import Timer

    from tui.config import JoinOptions
    from tui.updates import Share
    from tui.widgets.marks import Marks

_WORDS = {
    CallState.IDLE: "not in a room",
    CallState.CONNECTING: "connecting",
    CallState.JOINED: "joined",
    CallState.RECONNECTING: "reconnecting",
    CallState.LEAVING: "leaving",
    CallState.FAILED: "failed",
}


class RoomPanel(Vertical, can_focus=False):
    """Three lines, and a fourth when there is something to say."""

    DEFAULT_CSS = """
    RoomPanel {
        height: auto;
        padding: 0 1;
        background: $panel;
        Horizontal { height: 1; }
        Label { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #state { width: auto; margin-right: 2; text-style: bold; }
        #time { width: auto; margin-right: 2; }
        #mode { width: auto; color: $text-warning; text-style: bold; }
        #count { width: 1fr; min-width: 14; }
        #health { width: auto; max-width: 40%; margin-right: 2; color: $text-warning; }
        #unread { width: auto; margin-right: 2; color: $text-accent; text-style: bold; }
        #recording { width: auto; max-width: 50%; color: $text-error; text-style: bold; }
        #place { width: 1fr; }
        #own { width: auto; max-width: 50%; margin-left: 2; color: $text-muted; }
        #microphone { width: auto; margin-right: 1; }
        #meter { margin-right: 2; }
        #camera { width: auto; margin-right: 2; }
        #sharing { width: auto; max-width: 40%; margin-right: 2; color: $text-accent; text-style: bold; display: none; }
        &.-sharing #sharing { display: block; }
        #sound { width: 1fr; }
        #said { height: auto; display: none; }
        #notice { width: 1fr; height: auto; max-height: 3; text-wrap: wrap; color: $text-warning; }
        #retry { width: 31; margin-left: 2; text-align: right; text-style: bold; display: none; }
        &.-failed #notice { color: $text-error; }
        &.-failed #state { color: $text-error; }
        &.-joined #state { color: $text-success; }
        &.-noticed #said { display: block; }
        &.-retrying #retry { display: block; }
    }
    """

    view: var[CallView] = var(CallView(), init=False)
    held: var[bool] = var(False, init=False)
    """One speaks for as long as a key is held."""
    pictures: var[str] = var("", init=False)
    """Why they are worse than they could be."""
    unread: var[int] = var(0, init=False)
    """Messages that came while the chat was closed."""

    def __init__(self, marks: Marks, clock: Callable[[], float]) -> None:
        super().__init__()
        self._marks = marks
        self._clock = clock
        self._minutes = -1
        self._counting: Timer | None = None

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Label(id="state")
            yield Label(id="time")
            yield Label(id="mode")
            yield Label(id="count")
            yield Label(id="health")
            yield Label(id="unread")
            yield Label(id="recording")
        with Horizontal(id="whereabouts"):
            yield Label(id="place")
            yield Label(id="own")
        with Horizontal(id="own-media"):
            yield Label(id="microphone")
            yield LevelMeter(self._marks, id="meter")
            yield Label(id="camera")
            yield Label(id="sharing")
            yield Label(id="sound")
        with Horizontal(id="said"):
            yield Label(id="notice")
            yield Label(id="retry")

    def on_mount(self) -> None:
        # Minutes, not seconds: an idle call should write almost nothing.
        self.set_interval(5, self._tick)
        self._counting = self.set_interval(1, self._count_down, pause=True)
        self._draw(self.view)

    def show_options(self, options: JoinOptions) -> None:
        """What one joins, or would join."""
        room, server = printable(options.room, 60), printable(options.url, 120)
        place = Content.assemble((f"{room} ", "bold"), f"at {server}") if room else Content("no room chosen")
        self._say("place", place)
        name, stream_id = printable(options.name, 40), printable(options.stream_id, 40)
        self._say("own", Content(f"you: {name} ({stream_id})" if name else f"you: {stream_id}"))

    def show_level(self, level: float) -> None:
        """How loud the own microphone is."""
        self.query_one(LevelMeter).show(level)

    def watch_view(self, old: CallView, new: CallView) -> None:
        if self.is_mounted:
            self._draw(new)

    def watch_held(self) -> None:
        if self.is_mounted:
            self._draw(self.view)

    def watch_unread(self) -> None:
        if self.is_mounted:
            some = f"{self._marks.on} {self.unread} unread (c)" if self.unread else ""
            self._say("unread", Content(some))

    def watch_pictures(self) -> None:
        if self.is_mounted:
            self._say_health()

    def _say_health(self) -> None:
        """The way to the server first, then the way to the terminal."""
        view = self.view
        line = f"line {view.health}" if view.health else ""
        self._say("health", Content(f"{line}: {view.health_reason}" if view.health_reason else self.pictures or line))

    def _say_mode(self, view: CallView) -> None:
        """What the user has chosen to be or to do without."""
        modes = [word for word, on in (("away", view.away), ("low bandwidth", view.low_bandwidth)) if on]
        self._say("mode", Content("".join(f"{self._marks.off} {word}  " for word in modes)))

    def _draw(self, view: CallView) -> None:
        joined = view.state is CallState.JOINED
        self.set_class(joined, "-joined")
        self.set_class(view.state is CallState.FAILED, "-failed")
        self._say("state", Content(f"{self._marks.state(view.state)} {_WORDS[view.state]}"))
        count = len(view.people)
        listed = f", {count} listed" if view.more else ""
        self._say("count", Content(f"{count + view.more} in the room{listed}" if count else ""))
        self._say_mode(view)
        self._say_health()
        self._say("recording", Content(f"{self._marks.on} REC {view.recording}" if view.recording else ""))
        if self.held and view.microphone:
            self._say("microphone", Content.styled(f"{self._marks.on} speaking while held", "bold"))
        else:
            self._say("microphone", Content(self._device("microphone", view.microphone)))
        self._say("camera", Content(self._device("camera", view.camera)))
        self._say("sharing", Content(self._sharing(view.share)))
        self.set_class(view.share.state is not ShareState.OFF, "-sharing")
        self._say("sound", Content(self._sound(view)))
        meter = self.query_one(LevelMeter)
        meter.display = view.microphone is not None and not view.low_bandwidth
        if not view.microphone:
            meter.show(0.0)
        retry = view.retry if view.state is CallState.RECONNECTING else None
        reason = retry.reason if retry is not None else with_hint(view.reason, view.hint)
        if not reason and joined and view.output is None:
            reason = view.output_hint
        self.set_class(bool(reason), "-noticed")
        self._say("notice", Content(reason))
        self.set_class(retry is not None, "-retrying")
        self._count_down()
        if self._counting is not None:
            self._counting.resume() if retry is not None else self._counting.pause()
        self._minutes = -1
        self._tick()

    def _device(self, what: str, on: bool | None) -> str:
        if on is None:
            return f"{self._marks.off} no {what}"
        return f"{self._marks.on} {what} on" if on else f"{self._marks.failed} {what} off"

    def _sharing(self, share: Share) -> str:
        match share.state:
            case ShareState.ON:
                return f"{self._marks.screen} sharing {share.source}"
            case ShareState.STARTING:
                return f"{self._marks.waiting} sharing {share.source}, not seen yet"
        return ""

    def _count_down(self) -> None:
        retry = self.view.retry
        if retry is not None:
            left = retry.due - self._clock()
            key = bindings.shown_key(self.screen, "room.retry")
            now = f" ({key}: now)" if key else ""
            when = f"next in {countdown(left)}{now}" if left > 0 else "now"
            text, label = Content(f"try {retry.attempt}, {when}"), self.query_one("#retry", Label)
            if label.content != text:
                # Of a fixed size: else each second would lay out the whole screen.
                label.update(text, layout=False)

    def _sound(self, view: CallView) -> str:
        if view.deafened:
            return f"{self._marks.failed} deafened"
        if view.output is None:
            return f"{self._marks.off} no sound"
        volume = f" at {view.volume:.0%}" if view.volume != 1.0 else ""
        return f"{self._marks.on} sound{volume}: {view.output}"

    def _tick(self) -> None:
        joined_at = self.view.joined_at
        minutes = -1 if joined_at is None else max(0, int(self._clock() - joined_at) // 60)
        if minutes != self._minutes or minutes == -1:
            self._minutes = minutes
            self._say("time", Content(_duration(minutes)))

    def _say(self, part: str, text: Content) -> None:
        label = self.query_one(f"#{part}", Label)
        if label.content != text:
            label.update(text)


def _duration(minutes: int) -> str:
    if minutes < 0:
        return ""
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"
