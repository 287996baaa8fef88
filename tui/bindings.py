"""Every key of the app, by id: the screens and widgets take theirs from here, the help is made from it.

A user's keymap changes keys by these ids; `checked_keymap` reports what Textual would ignore in silence.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from textual.binding import Binding

from tui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


def _key(binding_id: str, key: str, action: str, description: str, tooltip: str, *, shown: bool = False) -> Binding:
    return Binding(key, action, description, show=shown, tooltip=tooltip, id=binding_id)


APP: Final = (
    _key("app.quit", "q", "end", "Quit", "Leave the room and quit.", shown=True),
    _key("app.help", "question_mark,f1", "help", "Help", "Show every key.", shown=True),
    _key("app.palette", "ctrl+p,colon", "command_palette", "Commands", "Search all commands."),
    Binding(
        "ctrl+c",
        "interrupt",
        "Interrupt",
        show=False,
        # Input fields copy with this key, but it must always be a way out.
        priority=True,
        tooltip="Ask to leave; twice, or without a room, quit.",
        id="app.interrupt",
    ),
)

ROOM: Final = (
    # One key, one id: only one of the two is possible at a time.
    _key("room.call", "j", "app.join", "Join", "Enter the room.", shown=True),
    _key("room.call", "j", "app.leave", "Leave", "Leave the room.", shown=True),
    _key("room.microphone", "m", "app.microphone", "Mic", "Speak or be silent.", shown=True),
    _key("room.camera", "v", "app.camera", "Camera", "Show or hide yourself.", shown=True),
    _key("room.deafen", "d", "app.deafen", "Deafen", "Hear nothing or everybody.", shown=True),
    _key("room.settings", "s", "app.settings", "Settings", "Change server, room or name, then join."),
    _key("room.people", "p", "app.focus('people')", "People", "Go to the list of people."),
    _key("room.log", "l", "app.focus('log')", "Log", "Go to the log."),
    _key("room.pictures", "h", "pictures", "Pictures", "Hide or show all pictures."),
    _key("room.page", "n", "page", "Next page", "Show the next page of pictures."),
)

PEOPLE: Final = (
    _key("people.up", "up", "cursor(-1)", "Up", "Select the person above."),
    _key("people.down", "down", "cursor(1)", "Down", "Select the person below."),
    _key("people.first", "home", "cursor(-1000000)", "First", "Select the first person."),
    _key("people.last", "end", "cursor(1000000)", "Last", "Select the last person."),
    _key("people.alone", "enter,space", "alone", "Alone", "Show only the selected person, or everybody."),
)

LOG: Final = (
    _key("log.up", "up", "scroll_up", "Up", "Scroll up."),
    _key("log.down", "down", "scroll_down", "Down", "Scroll down."),
    _key("log.left", "left", "scroll_left", "Left", "Scroll left."),
    _key("log.right", "right", "scroll_right", "Right", "Scroll right, to the end of long lines."),
    _key("log.page_up", "pageup", "page_up", "Page up", "Scroll up a page."),
    _key("log.page_down", "pagedown", "page_down", "Page down", "Scroll down a page."),
    _key("log.first", "home", "scroll_home", "First", "Scroll to the oldest line."),
    _key("log.last", "end", "scroll_end", "Last", "Scroll to the newest line and follow."),
)

JOIN: Final = (_key("join.cancel", "escape", "cancel", "Back", "Go back without joining.", shown=True),)

HELP: Final = (_key("help.close", "escape,q,question_mark,f1", "dismiss", "Close", "Close the help."),)

LEAVE: Final = (
    _key("leave.stay", "escape,n", "choose('stay')", "Stay", "Stay in the room."),
    _key("leave.leave", "l,y,j", "choose('leave')", "Leave", "Leave the room."),
    _key("leave.quit", "q", "choose('quit')", "Quit", "Leave the room and quit."),
)

GROUPS: Final[dict[str, tuple[Binding, ...]]] = {
    "Everywhere": APP,
    "Room": ROOM,
    "List of people": PEOPLE,
    "Log": LOG,
    "Join form": JOIN,
    "This help": HELP,
    "Question whether to leave": LEAVE,
}


def checked_keymap(keymap: Mapping[str, str]) -> dict[str, str]:
    """The user's keys by binding id.

    Raises `ConfigError` for an id that does not exist, and for two actions on one key: Textual would drop one.
    """
    known = {binding.id or "" for group in GROUPS.values() for binding in group}
    for binding_id in keymap:
        if binding_id not in known:
            near = difflib.get_close_matches(binding_id, known, n=1)
            raise ConfigError(
                f"keys: there is no binding {binding_id!r}",
                f"Did you mean {near[0]!r}?" if near else "The help (?) lists all of them.",
            )
    for group in (APP, ROOM, PEOPLE, LOG, HELP, LEAVE):
        taken: dict[str, str] = {}
        for binding in group:
            binding_id = binding.id or ""
            for key in keymap.get(binding_id, binding.key).split(","):
                other = taken.setdefault(key.strip(), binding_id)
                if other != binding_id:
                    raise ConfigError(
                        f"keys: {key.strip()!r} is set for {other!r} and for {binding_id!r}",
                        "Give one of them another key.",
                    )
    return dict(keymap)
