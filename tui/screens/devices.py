"""Sound outputs, microphones and cameras: what there is, what is used, and whether it works.

Opened by the app, which gives it every `CallView` and does what is chosen. Whatever blocks, and the media
libraries' import too, happens in threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual import on
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import var
from textual.screen import ModalScreen
from textual.widgets import Label

from tui import bindings
from tui.choices import Choices
from tui.config import screen_of
from tui.errors import DeviceError
from tui.media.board import LOCAL
from tui.media.threads import in_thread
from tui.screens.path import PathScreen
from tui.text import printable, with_hint
from tui.updates import CallView
from tui.widgets.device_list import DeviceList, Row
from tui.widgets.level_meter import LevelMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult

    from tui.media.board import Board
    from tui.media.devices import Camera, Inventory, SoundDevice
    from tui.media.hotplug import Watch
    from tui.media.screens import Screens
    from tui.media.trial import MicrophoneTrial
    from tui.session import SoundReport
    from tui.widgets.marks import Marks

_LOOK_SECONDS = 10.0
"""Between two looks at what there is, if nothing is noticed before."""
_LEVELS_PER_SECOND: Final = 5
_FILE: Final = "a file"
"""Opens nothing: a path is asked for."""


class Kind(Enum):
    """What a device is for."""

    SPEAKER = "speaker"
    MICROPHONE = "microphone"
    CAMERA = "camera"


class DeviceScreen(ModalScreen[None]):
    """Three lists to choose from, two of them to try, and how the sound is doing."""

    CSS_PATH = "devices.tcss"
    BINDINGS: ClassVar = [*bindings.DEVICES]
    BINDING_GROUP_TITLE = "Devices"
    AUTO_FOCUS = "#outputs"

    @dataclass
    class Chosen(Message):
        """``device`` is to be used; ``name`` is what to remember it by, empty for what is no device."""

        kind: Kind
        device: str
        name: str

    view: var[CallView] = var(CallView(), init=False)
    wishes: var[Choices] = var(Choices(), init=False)
    """What is asked for, by name, number or word."""

    def __init__(
        self,
        board: Board,
        marks: Marks,
        report: Callable[[], SoundReport | None],
        view: CallView,
        wishes: Choices,
        echo_cancellation: bool,
    ) -> None:
        super().__init__()
        self._echo_cancellation = echo_cancellation
        self._echo = ""
        self._board = board
        self._report = report
        self._outputs = DeviceList(marks, id="outputs")
        self._microphones = DeviceList(marks, id="microphones")
        self._cameras = DeviceList(marks, id="cameras")
        self._a_file = f"A file{marks.ellipsis}"
        self._screens: Screens | None = None
        self._meter = LevelMeter(marks)
        self._inventory: Inventory | None = None
        self._trial: MicrophoneTrial | None = None
        self._playing = False
        self.set_reactive(DeviceScreen.view, view)
        self.set_reactive(DeviceScreen.wishes, wishes)

    def compose(self) -> ComposeResult:
        with Vertical(id="devices"):
            yield self._outputs
            yield self._microphones
            with Horizontal(id="hearing"):
                yield Label("Level ")
                yield self._meter
                yield Label(id="heard")
            yield self._cameras
            yield Label(id="echo")
            yield Label(id="figures")
            yield Label(id="status")

    def on_mount(self) -> None:
        box = self.query_one("#devices")
        box.border_title = "Devices"
        box.border_subtitle = "enter uses, t tries, escape closes"
        self._outputs.border_title = "Sound output"
        self._microphones.border_title = "Microphone"
        self._cameras.border_title = "Camera"
        self._say("status", "Looking for devices")
        self._draw()
        self._measure()
        self.set_interval(1 / _LEVELS_PER_SECOND, self._show_level)
        self.set_interval(1, self._measure)
        self.run_worker(self._look(), group="look")
        self.run_worker(self._look_for_screens(), group="look")

    def on_unmount(self) -> None:
        self._close_trial()

    def watch_view(self) -> None:
        if self.is_mounted:
            self._draw()

    def watch_wishes(self) -> None:
        if self.is_mounted:
            self._draw()

    # What there is.

    async def _look(self) -> None:
        self._echo = await in_thread(lambda: _echo(self._echo_cancellation))
        changed = asyncio.Event()
        watch = await in_thread(_watch_class)
        async with watch(changed.set):
            while True:
                changed.clear()
                inventory = await in_thread(_look_around)
                if inventory != self._inventory:
                    self._inventory = inventory
                    self._draw()
                    self._say("status", with_hint(inventory.problem, inventory.hint))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await changed.wait()

    async def _look_for_screens(self) -> None:
        # Apart from the devices: a display that is far away may not answer.
        self._screens = await in_thread(_list_screens)
        self._draw()

    def _draw(self) -> None:
        inventory, view = self._inventory, self.view
        outputs = [Row("", "System default"), *_rows(inventory.outputs if inventory else ()), Row("none", "No sound")]
        microphones = [Row("", "System default"), *_rows(inventory.microphones if inventory else ())]
        microphones += [Row("test", "Test tone"), Row("silence", "Silence")]
        self._outputs.show(_marked(outputs, self.wishes.speaker, view.output or ""))
        self._microphones.show(_marked(microphones, self.wishes.microphone, view.input))
        cameras = [Row("", "First camera"), *_camera_rows(inventory.cameras if inventory else ())]
        wish = self.wishes.camera if screen_of(self.wishes.camera) is None else "screen"
        is_file = Path(wish).is_absolute() and view.picture == printable(Path(wish).name, 60)
        cameras += [
            Row("screen", "This screen", notes=("not here",) * self._has_no_screen),
            Row(wish if is_file else _FILE, self._a_file, asks=True),
            Row("test", "Test picture"),
            Row("none", "Nothing"),
        ]
        self._cameras.show(_marked(cameras, wish, view.picture))

    @property
    def _has_no_screen(self) -> bool:
        return self._screens is not None and not self._screens.found

    @on(DeviceList.Chosen)
    def _choose(self, message: DeviceList.Chosen) -> None:
        kinds = {self._outputs: Kind.SPEAKER, self._microphones: Kind.MICROPHONE, self._cameras: Kind.CAMERA}
        if message.row.asks:
            self.app.push_screen(PathScreen(), self._choose_file)
            return
        if message.row.device == "screen" and self._screens is not None and not self._screens.found:
            self._say("status", with_hint(self._screens.problem, self._screens.hint))
            return
        self.post_message(self.Chosen(kinds[message.list], message.row.device, message.row.name))

    def _choose_file(self, path: str | None) -> None:
        if path is not None:
            self.post_message(self.Chosen(Kind.CAMERA, path, ""))

    # Whether it works.

    def action_test(self) -> None:
        """Play a tone on the selected output, or listen to the selected microphone until asked again."""
        if self._cameras.has_focus:
            self._say("status", "What is chosen is seen in your own picture.")
            return
        chosen = self._microphones if self._microphones.has_focus else self._outputs
        row = chosen.selected
        if row is None:
            return
        if row.device and not row.name:
            self._say("status", f"{row.title}: nothing to try")
        elif chosen is self._outputs:
            if not self._playing:
                self._playing = True
                self.run_worker(self._play(row), group="tone")
        elif self._trial is not None:
            self._end_trial()
            self._say("status", "")
        else:
            self.run_worker(self._listen(row), group="trial", exclusive=True)

    async def _play(self, row: Row) -> None:
        self._say("status", f"A tone on: {row.name or 'the default output'}")
        try:
            name = await in_thread(lambda: _play_tone(row.device))
            self._say("status", f"There was a tone on: {name}")
        except DeviceError as error:
            self._say("status", with_hint(str(error), error.hint))
        finally:
            self._playing = False

    async def _listen(self, row: Row) -> None:
        self._say("status", "Opening the microphone")
        try:
            self._trial = await in_thread(lambda: _open_microphone(row.device), discard=_close)
            self._say("status", f"Listening to: {self._trial.name}; t ends it, nobody else hears it")
        except DeviceError as error:
            self._say("status", with_hint(str(error), error.hint))

    def _end_trial(self) -> None:
        self._close_trial()
        self._meter.show(0.0)
        self._say("heard", "")

    def _close_trial(self) -> None:
        trial, self._trial = self._trial, None
        if trial is not None:
            # Closing may block for as long as a sound server hangs.
            threading.Thread(target=trial.close, name="microphone", daemon=True).start()

    def _show_level(self) -> None:
        if self._trial is not None:
            self._meter.show(self._trial.level)
            self._say("heard", self._trial.verdict)
        else:
            self._meter.show(self._board.level(LOCAL) if self.view.microphone else 0.0)

    # How the sound is doing.

    def _measure(self) -> None:
        report = self._report()
        if report is None:
            self._say("echo", self._echo)
            self._say("figures", "Not in a room: what is chosen is used when you join.")
        else:
            self._say("echo", printable(report.echo))
            self._say("figures", _figures(report))

    def _say(self, part: str, text: str) -> None:
        content = Content(text)
        # None when the screen has just been closed: who looks around learns it only then.
        for label in self.query(f"#{part}").results(Label):
            if label.content == content:
                continue
            label.update(content)
            label.set_class(bool(text), "-said")
            if part == "status":
                # Where there is no room for both, it stands in the place of the figures.
                self.query_one("#devices").set_class(bool(text), "-told")


def _rows(devices: Sequence[SoundDevice]) -> list[Row]:
    return [Row(one.device, one.name, one.name, ("default",) * one.is_default) for one in devices]


def _camera_rows(cameras: Sequence[Camera]) -> list[Row]:
    # Several may have the same name: what opens one tells it from the others.
    return [Row(one.device, f"{one.name} ({one.device})", one.device, ("default",) * one.is_default) for one in cameras]


def _marked(rows: list[Row], wish: str, used: str) -> list[Row]:
    """The row that is wished for chosen, and ``used`` told where it belongs: a sound server has names of its own."""
    named = [row for row in rows if used and printable(row.name, len(used)) == used]
    marked = []
    for row in rows:
        chosen = wish in (row.device, row.name) if wish else not row.device
        notes = row.notes
        if row in named:
            notes += ("in use",)
        elif chosen and used and not named:
            notes += (f"in use: {used}",)
        marked.append(replace(row, notes=notes, is_chosen=chosen))
    return marked


def _figures(report: SoundReport) -> str:
    parts = [
        f"{report.voices} voices" if report.voices != 1 else "1 voice",
        f"buffer {report.depth_ms:.0f} ms of {report.target_ms:.0f}",
        f"concealed {report.concealed_percent:.1f} %",
        f"late {report.late}",
        f"underruns {report.underruns}",
        f"device {report.device_latency_ms:.0f} ms",
    ]
    if report.mouth_to_ear_ms is not None:
        parts.append(f"mouth to ear {report.mouth_to_ear_ms:.0f} ms")
    return ", ".join(parts)


# In threads: the first call loads the media libraries.


def _look_around() -> Inventory:
    from tui.media.devices import inventory

    return inventory()


def _list_screens() -> Screens:
    from tui.media.screens import list_screens

    return list_screens()


def _watch_class() -> type[Watch]:
    from tui.media.hotplug import Watch

    return Watch


def _echo(wanted: bool) -> str:
    from tui.media.echo import status

    return status(wanted)


def _play_tone(device: str) -> str:
    from tui.media.trial import play_tone

    return play_tone(device)


def _open_microphone(device: str) -> MicrophoneTrial:
    from tui.media.trial import MicrophoneTrial

    return MicrophoneTrial.open(device)


def _close(trial: MicrophoneTrial) -> None:
    trial.close()
