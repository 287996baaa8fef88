"""The colours that the screen can have, by name; Textual is loaded only where they are made.

Used by the command line and the configuration for the names, by the app for the rest. Every pair of text and
background reaches a contrast of 4.5 to 1, in ``high-contrast`` of 7 to 1 (WCAG 2.2, 1.4.3 and 1.4.6). ``terminal`` has
only the terminal's own 16 colours, on the terminal's own background.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tui.errors import ConfigError
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.theme import Theme

NAMES: Final = ("dark", "light", "high-contrast", "terminal", "gruvbox")
USUAL: Final = NAMES[0]

_FILE: Final = "screen.json"
_KEY: Final = "theme"

# What Textual's own themes lack in contrast.
_DARK: Final = {
    "surface-lighten-2": "#353535",
    "block-cursor-background": "#094573",
    "text-disabled": "auto 60%",
}
_LIGHT: Final = {
    "foreground": "#141414",
    "text-accent": "#54360E",
    "text-success": "#1C4528",
    "text-warning": "#54360E",
    "text-error": "#732539",
    "text-muted": "auto 76%",
    "text-disabled": "auto 72%",
    "footer-key-foreground": "#004274",
    "block-cursor-background": "#B3C1CB",
    "input-selection-background": "#23568B40",
}
_GRUVBOX: Final = {
    "text-warning": "#FECCA3",
    "text-error": "#FDB5AD",
    "text-muted": "auto 82%",
    "text-disabled": "auto 76%",
    "block-cursor-background": "#3F4744",
}


def checked(name: str) -> str:
    """The same name; raises `ConfigError` when there is no such theme."""
    if name in NAMES:
        return name
    near = difflib.get_close_matches(name, NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(NAMES)}"
    raise ConfigError(f"there is no theme {printable(name, 40)!r}", hint)


def recall() -> dict[str, str]:
    """What was chosen last, as an option's value; nothing when that cannot be read or is not there any more."""
    from tui.config import kept

    return {name: value for name, value in kept(_FILE, [_KEY]).items() if value in NAMES}


def remember(name: str) -> None:
    """Keep it until the next time; failing to is no error."""
    from tui.config import keep

    keep(_FILE, {_KEY: name})


def themes(light: bool = False) -> Mapping[str, Theme]:
    """All of them by name; ``light``: the terminal's own background is."""
    from textual.theme import BUILTIN_THEMES, Theme

    def legible(name: str, like: str, variables: Mapping[str, str]) -> Theme:
        theme = BUILTIN_THEMES[like]
        return replace(theme, name=name, variables={**theme.variables, **variables})

    made = (
        legible("dark", "textual-dark", _DARK),
        legible("light", "textual-light", _LIGHT),
        Theme(
            "high-contrast",
            primary="#66CCFF",
            warning="#FFD75F",
            error="#FFA0A0",
            success="#5FFF87",
            accent="#FFD75F",
            foreground="#FFFFFF",
            background="#000000",
            surface="#000000",
            panel="#1C1C1C",
            variables=_HIGH_CONTRAST,
        ),
        legible("terminal", "ansi-light" if light else "ansi-dark", _TERMINAL_LIGHT if light else _TERMINAL_DARK),
        legible("gruvbox", "gruvbox", _GRUVBOX),
    )
    return {theme.name: theme for theme in made}


_HIGH_CONTRAST: Final = {
    "text": "#FFFFFF",
    "text-muted": "#E4E4E4",
    "text-disabled": "#DADADA",
    "text-primary": "#8CD9FF",
    "text-accent": "#FFD75F",
    "text-success": "#5FFF87",
    "text-warning": "#FFD75F",
    "text-error": "#FFB0B0",
    "foreground-muted": "#E4E4E4",
    "surface-lighten-2": "#303030",
    "panel-lighten-2": "#C0C0C0",
    "primary-muted": "#00304D",
    "success-muted": "#003313",
    "warning-muted": "#402E00",
    "error-muted": "#4D0000",
    "border": "#FFFFFF",
    "block-cursor-background": "#FFFFFF",
    "block-cursor-foreground": "#000000",
    "footer-key-foreground": "#FFD75F",
    "button-color-foreground": "#000000",
    "input-selection-background": "#004466",
}
# No colour but the default one is behind text: what the others are, nobody knows.
_TERMINAL: Final = {
    **{f"{name}-muted": "ansi_default" for name in ("primary", "success", "warning", "error")},
    "text-muted": "ansi_default",
    "text-disabled": "ansi_default",
}
_TERMINAL_DARK: Final = {
    **_TERMINAL,
    "text-primary": "ansi_bright_cyan",
    "text-accent": "ansi_bright_yellow",
    "text-success": "ansi_bright_green",
    "text-warning": "ansi_bright_yellow",
    "text-error": "ansi_bright_red",
    "border": "ansi_bright_cyan",
    "border-blurred": "ansi_white",
    "panel-lighten-2": "ansi_white",
    "footer-key-foreground": "ansi_bright_yellow",
    "input-selection-background": "ansi_bright_cyan",
    "input-selection-foreground": "ansi_black",
}
_TERMINAL_LIGHT: Final = {
    **_TERMINAL,
    "text-primary": "ansi_blue",
    "text-accent": "ansi_magenta",
    "text-success": "ansi_blue",
    "text-warning": "ansi_magenta",
    "text-error": "ansi_red",
    "panel-lighten-2": "ansi_black",
    "footer-key-foreground": "ansi_magenta",
    "input-selection-background": "ansi_blue",
    "input-selection-foreground": "ansi_bright_white",
}
