"""The form to join a room by; used by the app when it does not know where to go, or when asked for settings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Footer, Input, Label

from tui import bindings
from tui.config import random_stream_id
from tui.errors import AntconfError
from tui.text import printable, with_hint

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult

    from tui.config import JoinOptions

_FIELDS = {
    "url": ("Server", "wss://server:5443/LiveApp/websocket"),
    "room": ("Room", "room1"),
    "name": ("Your name", "how others see you"),
    "stream_id": ("Stream id", "made up when empty"),
    "token": ("Token", "only if the server asks for one"),
}
_SWITCHES = {
    "play_only": "Watch only",
    "audio": "Send sound",
    "video": "Send picture",
}


class Switch(Checkbox):
    """A checkbox that is empty when it is off: a dimmed mark is told from a lit one by colour alone."""

    BUTTON_LEFT = BUTTON_RIGHT = ""

    def __init__(self, label: str, value: bool, *, id: str) -> None:  # noqa: A002
        super().__init__(label, value, id=id, compact=True)
        self.BUTTON_INNER = "[x]" if value else "[ ]"

    def watch_value(self) -> None:
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"
        super().watch_value()


class JoinScreen(ModalScreen["JoinOptions | None"]):
    """Ends with the options to join by, or with nothing."""

    CSS_PATH = "join.tcss"
    BINDINGS: ClassVar = [*bindings.JOIN]
    BINDING_GROUP_TITLE = "Join form"
    AUTO_FOCUS = "#url"

    def __init__(self, options: JoinOptions, validate: Callable[[JoinOptions], None]) -> None:
        super().__init__()
        self._options = options
        self._validate = validate

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="form", can_focus=False):
            yield Label("Join a room", id="title")
            for field, (label, placeholder) in _FIELDS.items():
                with Horizontal(classes="field"):
                    yield Label(label)
                    yield Input(
                        printable(getattr(self._options, field), 500),
                        id=field,
                        placeholder=placeholder,
                        password=field == "token",
                        compact=True,
                        max_length=2000,
                    )
            with Horizontal(id="switches"):
                for field, label in _SWITCHES.items():
                    yield Switch(label, getattr(self._options, field), id=field)
            yield Label("", id="problem")
            with Horizontal(id="buttons"):
                yield Button("Join", id="join", variant="primary", compact=True)
                yield Button("Back", id="back", compact=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for field in self.query(Input):
            field.cursor_blink = False
        self._gray()

    @on(Checkbox.Changed, "#play_only")
    def _gray(self) -> None:
        watching = self.query_one("#play_only", Checkbox).value
        self.query_one("#audio", Checkbox).disabled = watching
        self.query_one("#video", Checkbox).disabled = watching

    @on(Button.Pressed, "#join")
    @on(Input.Submitted)
    def _join(self) -> None:
        options = self._filled()
        try:
            self._validate(options)
        except AntconfError as error:
            self.query_one("#problem", Label).update(Content(with_hint(str(error), error.hint)))
            return
        self.dismiss(options)

    @on(Button.Pressed, "#back")
    def action_cancel(self) -> None:
        """Go back without joining."""
        self.dismiss(None)

    def _filled(self) -> JoinOptions:
        def text(field: str) -> str:
            return self.query_one(f"#{field}", Input).value.strip()

        def switch(field: str) -> bool:
            return self.query_one(f"#{field}", Checkbox).value

        return replace(
            self._options,
            url=text("url"),
            room=text("room"),
            name=text("name"),
            stream_id=text("stream_id") or random_stream_id(),
            token=text("token"),
            play_only=switch("play_only"),
            audio=switch("audio"),
            video=switch("video"),
        )
