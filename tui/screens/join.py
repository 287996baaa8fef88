"""The form to join a room by; used by the app when it does not know where to go, or when asked for settings.

Whatever blocks, and the media libraries' import too, happens in threads.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Footer, Input, Label

from tui import bindings, invitation, rooms
from tui.choices import Choices, equipped, in_words
from tui.config import is_made_up, keep, kept, random_stream_id
from tui.errors import AntconfError, UsageError
from tui.media.threads import in_thread
from tui.text import printable, with_hint
from tui.updates import Person
from tui.widgets.device_list import DeviceList, Row
from tui.widgets.fields import Field, Switch
from tui.widgets.level_meter import LevelMeter
from tui.widgets.room_list import RoomList
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import ComposeResult
    from textual.timer import Timer

    from tui.config import JoinOptions
    from tui.media.board import Board
    from tui.media.preview import Preview
    from tui.rooms import Profile, Recent
    from tui.widgets.marks import Marks

_FIELDS: Final = {
    "url": ("Server", "wss://server:5443/live/websocket, or paste an invitation"),
    "room": ("Room", "room1"),
    "name": ("Your name", "how others see you"),
    "stream_id": ("Stream id", "made up when empty"),
    "token": ("Token", "only if the server asks for one"),
}
_SWITCHES: Final = {
    "play_only": "Watch only",
    "audio": "Send sound",
    "video": "Send picture",
}
_DEMO: Final = "demo"
_FILE: Final = "form.json"
_LEVELS_PER_SECOND: Final = 5


class JoinScreen(ModalScreen["JoinOptions | None"]):
    """Ends with the options to join by, or with nothing; camera and microphone have been given back by then.

    ``demo`` starts a room on this machine and tells how to join it; it blocks, and may raise `AntconfError`.
    """

    CSS_PATH = "join.tcss"
    BINDINGS: ClassVar = [*bindings.JOIN]
    BINDING_GROUP_TITLE = "Join form"
    AUTO_FOCUS = "#url"

    def __init__(
        self,
        options: JoinOptions,
        validate: Callable[[JoinOptions], None],
        board: Board,
        marks: Marks,
        chosen: Choices,
        profiles: Sequence[Profile] = (),
        demo: Callable[[], JoinOptions] | None = None,
    ) -> None:
        super().__init__()
        self._profiles = {f"profile {one.name}": one for one in profiles}
        self._recents = _keyed(rooms.recents(), profiles)
        self._start = options
        self._options = _as_last_time(options, self._recents.values())
        self._validate = validate
        self._board = board
        self._marks = marks
        self._choices = chosen
        self._demo = demo
        self._made_up = options.stream_id if is_made_up(options.stream_id) else random_stream_id()
        self._list = RoomList(marks, id="rooms")
        self._tile = VideoTile(board, marks)
        self._meter = LevelMeter(marks)
        self._levels: Timer | None = None
        self._filled_by = ""
        self._starting = self._leaving = self._lent = False
        self._turn = asyncio.Lock()
        self._preview: Preview | None = None
        self._previewed: tuple[JoinOptions, Choices] | None = None

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False):
            with Horizontal(id="upper"):
                yield self._list
                yield self._tile
            for field, (label, placeholder) in _FIELDS.items():
                with Vertical(classes="field"):
                    with Horizontal():
                        yield Label(label)
                        yield Field(self._shown(field), id=field, placeholder=placeholder, secret=field == "token")
                    yield Label(id=f"{field}-problem", classes="problem")
            with Horizontal(id="uses"):
                yield Label("Devices")
                yield Label(id="used")
            with Horizontal(id="switches"):
                for field, label in _SWITCHES.items():
                    yield Switch(label, getattr(self._options, field), id=field)
            with Horizontal(id="hearing"):
                yield Switch("Preview", "on" in kept(_FILE, ["preview"]).values(), id="preview")
                yield self._meter
                yield Label(id="heard")
            yield Label(id="said")
            with Horizontal(id="buttons"):
                yield Button("Join", id="join", variant="primary", compact=True)
                yield Button("Devices", id="choose", compact=True)
                yield Button("Back", id="back", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one("#form").border_title = "Join a room"
        self._list.border_title = "Rooms"
        self._levels = self.set_interval(1 / _LEVELS_PER_SECOND, self._show_level, pause=True)
        self._draw_list()
        self._follow_switches()
        if not (self._options.url or self._recents or self._profiles) and self._demo is not None:
            self._say("Paste an invitation into any field, or choose the demo above.")

    async def on_unmount(self) -> None:
        if self._preview is not None:
            await self._preview.aclose()

    def use(self, options: dict[str, str], chosen: Choices) -> None:
        """Other devices are to be used: ``options`` until the program ends, ``chosen`` also the next time."""
        self._start = replace(self._start, **options)  # type: ignore[arg-type]
        self._options = replace(self._options, **options)  # type: ignore[arg-type]
        self._choices = chosen
        self._draw_devices()

    # What is in the form.

    def _shown(self, field: str) -> str:
        """A stream id that was made up is made up again, and nobody has to see it."""
        value: str = getattr(self._options, field)
        return "" if field == "stream_id" and is_made_up(value) else value

    def _filled(self) -> JoinOptions:
        def text(field: str) -> str:
            return self.query_one(f"#{field}", Input).value.strip()

        def switch(field: str) -> bool:
            return self.query_one(f"#{field}", Checkbox).value

        return replace(
            self._options,
            url=text("url"),
            is_endpoint=self._options.is_endpoint and text("url") == self._options.url,
            room=text("room"),
            name=text("name"),
            stream_id=text("stream_id") or self._made_up,
            token=text("token"),
            play_only=switch("play_only"),
            audio=switch("audio"),
            video=switch("video"),
        )

    def _fill(self, options: JoinOptions, by: str = "") -> None:
        self._options, self._filled_by = options, by
        with self.prevent(Input.Changed, Checkbox.Changed):
            for field in _FIELDS:
                self.query_one(f"#{field}", Input).value = printable(self._shown(field), invitation.LIMIT)
                self._complain("", field)
            for field in _SWITCHES:
                self.query_one(f"#{field}", Checkbox).value = getattr(options, field)
        self._draw_list()
        self._follow_switches()

    @on(Field.Invited)
    def _take(self, message: Field.Invited) -> None:
        try:
            found = invitation.read(message.text)
        except UsageError as error:
            self._complain(with_hint(str(error), error.hint), "url")
            return
        options = rooms.invited(self._filled(), found)
        self._fill(options)
        missing = [field for field in ("room", "name") if not getattr(options, field)]
        lacks = "; the room is missing" if "room" in missing else ""
        self._say(f"Understood: {found}{lacks}")
        self.query_one(f"#{(missing or ['url'])[0]}").focus()

    @on(Input.Blurred, "#url")
    def _take_apart(self) -> None:
        """What was typed may be a whole address, too."""
        options = self._filled()
        if options.is_endpoint:
            return
        try:
            found = invitation.from_address(options.url)
        except UsageError:
            return
        if found.said or found.url != options.url:
            self._fill(rooms.invited(options, found))
            self._say(f"Understood: {found}")

    @on(Input.Changed)
    def _change(self, message: Input.Changed) -> None:
        # What stands there from the beginning is told, too.
        if not message.input.has_focus:
            return
        self._complain("", message.input.id or "")
        self._say("")
        if self._filled_by:
            self._filled_by = ""
            self._draw_list()

    @on(Checkbox.Changed)
    def _follow_switches(self) -> None:
        watching = self.query_one("#play_only", Checkbox).value
        self.query_one("#audio", Checkbox).disabled = watching
        self.query_one("#video", Checkbox).disabled = watching
        self._draw_devices()

    def _draw_devices(self) -> None:
        self._put("used", in_words(self._filled(), self._choices))
        self._follow_preview()

    # Rooms to choose from.

    def _draw_list(self) -> None:
        rows = [
            Row(key, printable(one.name, 60), notes=(_where(one.url, one.room), "profile"))
            for key, one in self._profiles.items()
        ]
        rows += [
            Row(
                key,
                printable(one.room, 60),
                notes=(_where(one.url), *(f"as {printable(one.name, 40)}",) * bool(one.name)),
            )
            for key, one in self._recents.items()
        ]
        if self._demo is not None:
            rows.append(Row(_DEMO, "Demo", notes=("a room on this machine with four people in it",)))
        self._list.show([replace(row, is_chosen=row.device == self._filled_by) for row in rows])

    @on(DeviceList.Chosen)
    def _choose(self, message: DeviceList.Chosen) -> None:
        key = message.row.device
        if key == _DEMO:
            self._begin_demo()
        elif key == self._filled_by:
            self._join()
        elif (recent := self._recents.get(key)) is not None:
            self._fill(recent.options(replace(self._start, name=self._filled().name)), key)
            self._say(f"{printable(recent.room, 60)}: enter again joins, delete forgets it")
        elif (profile := self._profiles.get(key)) is not None:
            try:
                self._fill(profile.options(), key)
                self._say(f"{printable(profile.name, 60)}: enter again joins")
            except AntconfError as error:
                self._say(with_hint(str(error), error.hint), wrong=True)

    @on(RoomList.Forgotten)
    def _forget(self, message: RoomList.Forgotten) -> None:
        recent = self._recents.pop(message.row.device, None)
        if recent is None:
            self._say("Only rooms of late can be forgotten")
            return
        rooms.forget(recent)
        self._draw_list()
        self._say(f"{printable(recent.room, 60)} is forgotten")

    def action_rooms(self) -> None:
        """Go to the list."""
        # At once, before the next key.
        self.set_focus(self._list)

    def _begin_demo(self) -> None:
        if not (self._starting or self._leaving):
            self._starting = True
            self._say("Starting the demo…")
            self.run_worker(self._join_demo(), group="demo")

    async def _join_demo(self) -> None:
        assert self._demo is not None
        name = self._filled().name
        try:
            options = await in_thread(self._demo)
        except AntconfError as error:
            self._say(with_hint(str(error), error.hint), wrong=True)
        else:
            self._leave(replace(options, name=name or options.name))
        finally:
            self._starting = False

    # The end of it.

    @on(Button.Pressed, "#join")
    @on(Input.Submitted)
    def _join(self) -> None:
        self._take_apart()
        options = self._filled()
        self._say("")
        try:
            self._validate(options)
        except AntconfError as error:
            self._complain(with_hint(str(error), error.hint), error.field)
            return
        self._leave(options)

    @on(Button.Pressed, "#back")
    def action_cancel(self) -> None:
        """Go back without joining."""
        self._leave(None)

    def _leave(self, options: JoinOptions | None) -> None:
        if self._leaving:
            return
        self._leaving = True
        if self._previewed is None and not self._turn.locked():
            self.dismiss(options)
        else:
            # Whoever joins opens the same camera.
            self._say("Giving the camera back…")
            self.run_worker(self._leave_after(options), group="leave")

    async def _leave_after(self, options: JoinOptions | None) -> None:
        await self._settle_preview()
        self.dismiss(options)

    # Camera and microphone.

    @on(Button.Pressed, "#choose")
    def action_devices(self) -> None:
        """Choose among all devices; meanwhile they are not in use here."""
        self._lent = True
        self.run_worker(self._lend(), group="devices", exclusive=True)

    async def _lend(self) -> None:
        await self._settle_preview()
        await self.run_action("app.devices")

    def on_screen_resume(self) -> None:
        self._lent = False
        if self.is_mounted:
            self._follow_preview()

    def action_preview(self) -> None:
        """See oneself and measure the microphone, or not."""
        self.query_one("#preview", Checkbox).toggle()

    @on(Checkbox.Changed, "#preview")
    def _remember_preview(self, message: Checkbox.Changed) -> None:
        keep(_FILE, {"preview": "on" if message.value else "off"})

    def _follow_preview(self) -> None:
        if self._wished() != self._previewed:
            self.run_worker(self._settle_preview(), group="preview")

    def _wished(self) -> tuple[JoinOptions, Choices] | None:
        """What is to be opened now: the same wherever one goes, and nothing to listen with."""
        if self._leaving or self._lent or not self.query_one("#preview", Checkbox).value:
            return None
        options = self._filled()
        wanted = {name: getattr(options, name) for name in (*_SWITCHES, "source", "camera", "microphone")}
        return replace(self._start, **wanted), replace(self._choices, speaker="")

    async def _settle_preview(self) -> None:
        """Open or give back, one after the other, until it is as it is wished."""
        async with self._turn:
            while (wished := self._wished()) != self._previewed:
                await self._release()
                if wished is not None:
                    await self._open_preview(*wished)
                self._previewed = wished

    async def _open_preview(self, options: JoinOptions, chosen: Choices) -> None:
        self._put("heard", "opening…")
        options, notes = await equipped(options, chosen)
        preview_class = await in_thread(_preview_class)
        preview = self._preview = preview_class(self._board)
        notes += await preview.open(options)
        self._tile.show(Person("", "", printable(self._filled().name, 40) or "Preview", is_self=True))
        self._tile.display = preview.shows
        if self._levels is not None:
            self._levels.resume()
        self._show_level()
        if notes:
            self._say(" ".join(notes), wrong=True)

    async def _release(self) -> None:
        preview, self._preview = self._preview, None
        if preview is None:
            return
        if self._levels is not None:
            self._levels.pause()
        self._tile.display = False
        self._meter.show(0.0)
        self._put("heard", "")
        await preview.aclose()

    def _show_level(self) -> None:
        if self._preview is not None:
            self._meter.show(self._preview.level)
            self._put("heard", self._preview.verdict)

    # What is said.

    def _complain(self, text: str, field: str) -> None:
        """Next to the field that it is about."""
        if field not in _FIELDS:
            self._say(text, wrong=True)
            return
        self._put(f"{field}-problem", f"{self._marks.failed} {text}" if text else "")
        if text:
            self.query_one(f"#{field}").focus()
            self.call_after_refresh(self.query_one(f"#{field}-problem").scroll_visible)

    def _say(self, text: str, *, wrong: bool = False) -> None:
        self._put("said", f"{self._marks.failed} {text}" if wrong and text else text)
        self.query_one("#said").set_class(wrong, "-wrong")

    def _put(self, part: str, text: str) -> None:
        label, content = self.query_one(f"#{part}", Label), Content(text)
        # Every update costs a layout of the whole screen.
        if label.content != content:
            label.update(content)
            label.set_class(bool(text), "-said")


def _keyed(recents: Sequence[Recent], profiles: Sequence[Profile]) -> dict[str, Recent]:
    """By a name for the list; what a profile offers is not offered twice."""
    offered = {(one.url, one.room) for one in profiles}
    return {f"room {one.url} {one.room}": one for one in recents if (one.url, one.room) not in offered}


def _as_last_time(options: JoinOptions, recents: Iterable[Recent]) -> JoinOptions:
    """With the stream id that was given for that room, if there was one."""
    same = (one.stream_id for one in recents if (one.url, one.room) == (options.url, options.room) and one.stream_id)
    return replace(options, stream_id=next(same, options.stream_id)) if is_made_up(options.stream_id) else options


def _where(url: str, room: str = "") -> str:
    place = printable(url.partition("://")[2].removesuffix("/websocket"), 60)
    return " at ".join(part for part in (printable(room, 60), place) if part)


# In a thread: it loads the media libraries.


def _preview_class() -> type[Preview]:
    from tui.media.preview import Preview

    return Preview
