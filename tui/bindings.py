"""Every key of the app, by id: the screens and widgets take theirs from here, the help is made from it.

A user's keymap changes keys by these ids; `checked_keymap` reports what Textual would ignore in silence.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from textual.binding import Binding

from tui.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.screen import Screen


def _key(
    binding_id: str,
    key: str,
    action: str,
    description: str,
    tooltip: str,
    *,
    shown: bool = False,
    first: bool = False,
) -> Binding:
    """``first``: before the widget itself takes the key for something else."""
    return Binding(key, action, description, show=shown, tooltip=tooltip, id=binding_id, priority=first)


APP: Final = (
    _key("app.quit", "q", "end", "Quit", "Leave the room and quit.", shown=True),
    _key("app.help", "question_mark,f1", "help", "Help", "Show every key.", shown=True),
    _key("app.palette", "ctrl+p,colon", "command_palette", "Commands", "Search all commands."),
    _key("app.redraw", "ctrl+l", "redraw", "Redraw", "Draw the whole screen again."),
    # Input fields copy with this key, but it must always be a way out.
    _key(
        "app.interrupt",
        "ctrl+c",
        "interrupt",
        "Interrupt",
        "Ask to leave; twice, or without a room, quit.",
        first=True,
    ),
)

ROOM: Final = (
    # One key, one id: only one of the two is possible at a time.
    _key("room.call", "j", "app.join", "Join", "Enter the room.", shown=True),
    _key("room.call", "j", "app.leave", "Leave", "Leave the room.", shown=True),
    _key("room.microphone", "m", "app.microphone", "Mic", "Speak or be silent.", shown=True),
    _key(
        "room.talk",
        "t,space",
        "app.talk",
        "Talk",
        "Hold to speak: the microphone is on for 1 s, and for 0.6 s more at every repeat of the key.",
    ),
    _key("room.camera", "v", "app.camera", "Camera", "Show or hide yourself.", shown=True),
    _key(
        "room.publish",
        "W",
        "app.publish",
        "Take part",
        "Send sound and picture in a room joined to watch, or only watch again; others are heard and seen all along.",
    ),
    _key("room.away", "A", "app.away", "Away", "Neither heard nor seen, hearing on; again: back as before."),
    _key("room.deafen", "d", "app.deafen", "Deafen", "Hear nothing or everybody."),
    _key(
        "room.low_bandwidth",
        "B",
        "app.low_bandwidth",
        "Low bandwidth",
        "Sound first, for a thin line: only who speaks, few and small pictures; or all again.",
    ),
    _key("room.theme", "T", "app.change_theme", "Theme", "Choose the colours: dark, light, high contrast and others."),
    _key("room.devices", "o", "app.devices", "Devices", "Choose and try sound, microphone and picture."),
    _key("room.louder", "plus,equals_sign", "app.volume(10)", "Louder", "Everybody louder, up to 200 %."),
    _key("room.quieter", "minus", "app.volume(-10)", "Quieter", "Everybody quieter."),
    _key(
        "room.person_louder",
        "right,right_square_bracket",
        "app.person_volume(10)",
        "Person louder",
        "The selected person louder, up to 200 %.",
    ),
    _key(
        "room.person_quieter",
        "left,left_square_bracket",
        "app.person_volume(-10)",
        "Person quieter",
        "The selected person quieter.",
    ),
    _key("room.person_silence", "x", "app.silence_person", "Mute for me", "Do not hear the selected person, or again."),
    _key("room.chat", "c", "chat", "Chat", "Open the chat and write, or close it.", shown=True),
    _key("room.react", "r", "app.react", "React", "Show everybody how you feel."),
    _key("room.hand", "y", "app.hand", "Raise hand", "Ask to be allowed to speak."),
    _key("room.admit", "a", "app.admit(True)", "Let speak", "Let the selected person speak, whose hand is raised."),
    _key("room.refuse", "u", "app.admit(False)", "Do not let speak", "Ask the selected person to go on listening."),
    _key(
        "room.moderate",
        "M",
        "app.moderate",
        "Moderate",
        "Ask the selected person to mute and the like.",
    ),
    _key("room.statistics", "g", "app.statistics", "Statistics", "How connections and tracks do, and did of late."),
    _key("room.settings", "s", "app.settings", "Settings", "Change server, room or name, then join."),
    _key("room.people", "p", "pane('people')", "People", "Go to the list of people."),
    _key("room.pin", "P", "pin", "Pin", "Pin the selected person, or take the pin away."),
    _key("room.details", "i", "app.details", "Details", "All that is known of the selected person, and their tracks."),
    _key("room.next_hand", "Y", "next_hand", "Next hand", "Select the next person with a raised hand."),
    _key("room.log", "l", "pane('log')", "Log", "Go to the log."),
    _key(
        "room.layout", "h", "app.layout", "Layout", "Everybody alike, who speaks large, or no pictures: the next one."
    ),
    _key(
        "room.focus",
        "enter,b",
        "focus_on",
        "Whole screen",
        "The selected person's shared screen or picture on the whole screen, or all again.",
    ),
    _key("room.unfocus", "escape", "unfocus", "All pictures", "Back from the whole screen."),
    _key(
        "room.page", "n", "page(1)", "Next page", "Show the next page of pictures; on the whole screen, the next one."
    ),
    _key("room.page_back", "N", "page(-1)", "Previous page", "Show the previous page of pictures, or the one before."),
    _key("room.zoom_in", "z", "zoom(1)", "Zoom in", "A part of the shared screen, or of who is selected, larger."),
    _key("room.zoom_out", "Z,w", "zoom(-1)", "Zoom out", "More of the picture, up to the whole."),
    _key("room.pan_left", "shift+left,H", "pan(-1, 0)", "Pan left", "The part of the picture further left."),
    _key("room.pan_right", "shift+right,L", "pan(1, 0)", "Pan right", "The part of the picture further right."),
    _key("room.pan_up", "shift+up,K", "pan(0, -1)", "Pan up", "The part of the picture further up."),
    _key("room.pan_down", "shift+down,J", "pan(0, 1)", "Pan down", "The part of the picture further down."),
    _key("room.share", "S", "app.share", "Share", "Show a screen or a file beside your camera, or stop."),
    _key("room.retry", "R", "app.retry", "Try now", "Try the lost connection again at once."),
)

PEOPLE: Final = (
    _key("people.up", "up", "cursor(-1)", "Up", "Select the person above."),
    _key("people.down", "down", "cursor(1)", "Down", "Select the person below."),
    _key("people.first", "home", "cursor(-1000000)", "First", "Select the first person."),
    _key("people.last", "end", "cursor(1000000)", "Last", "Select the last person."),
    _key("people.page_up", "pageup", "page(-1)", "Page up", "Select the person a page above."),
    _key("people.page_down", "pagedown", "page(1)", "Page down", "Select the person a page below."),
    _key("people.filter", "slash", "filter", "Filter", "Only people with some text in the name or id."),
    _key("people.clear", "escape", "clear", "Everybody", "Everybody again."),
)

LOG: Final = (
    _key("log.up", "up", "cursor(-1)", "Up", "Select the line above."),
    _key("log.down", "down", "cursor(1)", "Down", "Select the line below."),
    _key("log.left", "left", "scroll_left", "Left", "Scroll left."),
    _key("log.right", "right", "scroll_right", "Right", "Scroll right, to the end of long lines."),
    _key("log.page_up", "pageup", "page(-1)", "Page up", "Select the line a page above."),
    _key("log.page_down", "pagedown", "page(1)", "Page down", "Select the line a page below."),
    _key("log.first", "home", "cursor(-1000000)", "First", "Select the oldest line."),
    _key("log.last", "end", "last", "Last", "To the newest line, and follow."),
    _key("log.open", "enter", "open", "Open", "The selected line whole, its payload line by line."),
    _key("log.filter", "slash", "filter", "Filter", "Only lines with some text."),
    _key("log.kind", "k", "kind", "Kind", "Only what came in, went out, happened here, or failed."),
    _key("log.pause", "f", "pause", "Pause", "Hold the log, or let it go on."),
    _key("log.export", "e", "app.export", "Export", "Write what is shown to a new file of JSON lines."),
)

FILTER: Final = (
    _key("filter.keep", "down", "keep", "Found", "Back to the people or lines that were found; so does enter."),
    _key("filter.clear", "escape", "clear", "Clear", "All of them again.", first=True),
)

EVENT: Final = (
    _key("event.close", "escape,q,enter", "dismiss", "Close", "Back to the log."),
    _key("event.copy", "y", "copy", "Copy", "Send the payload to the terminal's clipboard."),
)

CHAT_HISTORY: Final = (
    _key("chat.up", "up", "scroll_up", "Up", "Scroll up."),
    _key("chat.down", "down", "scroll_down", "Down", "Scroll down."),
    _key("chat.page_up", "pageup", "page_up", "Page up", "Scroll up a page."),
    _key("chat.page_down", "pagedown", "page_down", "Page down", "Scroll down a page."),
    _key("chat.first", "home", "scroll_home", "First", "Scroll to what was said first."),
    _key("chat.last", "end", "scroll_end", "Last", "Scroll to what was said last."),
)

CHAT_INPUT: Final = (
    _key("chat.send", "enter", "send", "Send", "Say it to the room.", first=True, shown=True),
    _key("chat.line", "ctrl+j", "new_line", "New line", "Go on in another line.", first=True, shown=True),
    _key(
        "chat.leave",
        "escape",
        "app.focus('people')",
        "Back",
        "To the people; the chat stays open.",
        first=True,
        shown=True,
    ),
)

PERSON: Final = (_key("person.close", "escape,q,i", "dismiss", "Close", "Back to the room."),)

STATISTICS: Final = (_key("statistics.close", "escape,q,g", "dismiss", "Close", "Back to the room."),)

REACTIONS: Final = (
    _key("reaction.choose", "enter,space", "select", "Choose", "Show the selected one."),
    _key("reaction.up", "up", "cursor_up", "Up", "Select the one above."),
    _key("reaction.down", "down", "cursor_down", "Down", "Select the one below."),
    _key("reaction.close", "escape,q,r", "screen.dismiss", "Close", "Show nothing."),
)

FAVOURS: Final = (
    _key("favour.choose", "enter,space", "select", "Ask", "Ask for the selected one."),
    _key("favour.up", "up", "cursor_up", "Up", "Select the one above."),
    _key("favour.down", "down", "cursor_down", "Down", "Select the one below."),
    _key("favour.close", "escape,q,M", "screen.dismiss", "Close", "Ask for nothing."),
)

SHARE: Final = (
    _key("share.choose", "enter,space", "select", "Share", "Share the selected one."),
    _key("share.up", "up", "cursor_up", "Up", "Select the one above."),
    _key("share.down", "down", "cursor_down", "Down", "Select the one below."),
    _key("share.close", "escape,q,S", "screen.dismiss", "Close", "Share nothing."),
)

PATH: Final = (_key("path.close", "escape", "dismiss", "Back", "Choose no file."),)

JOIN: Final = (
    _key("join.cancel", "escape", "cancel", "Back", "Go back without joining.", shown=True),
    _key("join.devices", "f2", "devices", "Devices", "Choose microphone, camera and sound output.", shown=True),
    _key("join.preview", "f3", "preview", "Preview", "See yourself and measure the microphone, or not.", shown=True),
    _key("join.rooms", "f4", "rooms", "Rooms", "Go to the rooms of late and the profiles.", shown=True),
    _key("join.help", "f1", "app.help", "Help", "Show every key.", shown=True),
)

ROOM_LIST: Final = (
    _key("rooms.choose", "enter,space", "select", "Choose", "Fill the form with the selected room; again, join it."),
    _key("rooms.up", "up", "cursor_up", "Up", "Select the room above."),
    _key("rooms.down", "down", "cursor_down", "Down", "Select the room below."),
    _key("rooms.first", "home", "first", "First", "Select the first room."),
    _key("rooms.last", "end", "last", "Last", "Select the last room."),
    _key("rooms.forget", "delete,x", "forget", "Forget", "Take the selected room out of the list."),
)

DEVICES: Final = (
    _key("devices.close", "escape,q,o", "dismiss", "Close", "Close the devices.", shown=True),
    _key("devices.test", "t", "test", "Test", "Play a tone on the selected output, or listen to the microphone."),
)

DEVICE_LIST: Final = (
    _key("devices.choose", "enter,space", "select", "Choose", "Use the selected device, now and the next time."),
    _key("devices.up", "up", "cursor_up", "Up", "Select the device above."),
    _key("devices.down", "down", "cursor_down", "Down", "Select the device below."),
    _key("devices.first", "home", "first", "First", "Select the first device."),
    _key("devices.last", "end", "last", "Last", "Select the last device."),
)

HELP: Final = (_key("help.close", "escape,q,question_mark,f1", "dismiss", "Close", "Close the help."),)

LEAVE: Final = (
    _key("leave.stay", "escape,n", "choose('stay')", "Stay", "Stay in the room."),
    _key("leave.leave", "l,y,j", "choose('leave')", "Leave", "Leave the room."),
    _key("leave.quit", "q", "choose('quit')", "Quit", "Leave the room and quit."),
)

REQUEST: Final = (
    _key("request.grant", "y", "answer(True)", "Yes", "Do what the moderator asks for."),
    _key("request.refuse", "n,escape", "answer(False)", "No", "Leave everything as it is."),
)

GROUPS: Final[dict[str, tuple[Binding, ...]]] = {
    "Everywhere": APP,
    "Room": ROOM,
    "List of people": PEOPLE,
    "Log": LOG,
    "Filter": FILTER,
    "Event": EVENT,
    "Chat": CHAT_HISTORY,
    "Chat field": CHAT_INPUT,
    "Reactions": REACTIONS,
    "Ask somebody to": FAVOURS,
    "Share a screen": SHARE,
    "Path of a file": PATH,
    "Statistics": STATISTICS,
    "Details of a person": PERSON,
    "Join form": JOIN,
    "List of rooms": ROOM_LIST,
    "Devices": DEVICES,
    "List of devices": DEVICE_LIST,
    "This help": HELP,
    "Question whether to leave": LEAVE,
    "Question of a moderator": REQUEST,
}


def shown_key(screen: Screen[Any], binding_id: str) -> str:
    """The key that does it on this screen now, as the user has set it; empty where there is none."""
    active = (one.binding for one in screen.active_bindings.values() if one.binding.id == binding_id)
    return next((screen.app.get_key_display(binding) for binding in active), "")


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
    for group in GROUPS.values():
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
