"""What calls the user who looks elsewhere: the terminal's bell, and a notification on the desktop (OSC 9, OSC 777).

Pure: what has happened in, what is to be written out. Used by the app, which writes it past Textual.
"""

from __future__ import annotations

import re
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tui.core.pace import Pace
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tui.relay import Relay
    from tui.updates import ChatLine, Person

_TEXT: Final = 120
_SHORTEST: Final = 2
"""Characters of a name that is looked for in what others say."""
_EVERY, _BURST = 10.0, 3
"""Seconds between two calls in the long run, and how many there may be at once."""


class Desktop(StrEnum):
    """How the terminal is asked for a notification."""

    NONE = "none"
    OSC9 = "osc9"
    """As iTerm2 has it."""
    OSC777 = "osc777"
    """As rxvt-unicode has it."""


class Alarm:
    """Off unless one of the two ways is chosen."""

    def __init__(
        self, bell: bool = False, desktop: Desktop = Desktop.NONE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._bell = bell
        self._desktop = desktop
        self._pace = Pace(1 / _EVERY, _BURST, clock)
        self.focused: bool | None = None
        """Whether the terminal has the focus; ``None`` until it says so, as not every one does."""

    def raised(self, reasons: Sequence[str], relay: Relay) -> str:
        """What to write for these reasons; empty when nobody is to be called, or too often."""
        wanted = self._bell or self._desktop is not Desktop.NONE
        if not (wanted and reasons) or self.focused or not self._pace.take():
            return ""
        # Text of others is never first: to some terminals a number there is an order (OSC 9;4).
        text = printable("; ".join(reasons), _TEXT).replace(";", ",")
        match self._desktop:
            case Desktop.OSC9:
                shown = f"\x1b]9;antconf: {text}\x07"
            case Desktop.OSC777:
                shown = f"\x1b]777;notify;antconf;{text}\x07"
            case _:
                shown = ""
        # The bell is every multiplexer's own affair.
        return (relay.wrapped(shown) if shown else "") + ("\x07" if self._bell else "")


def reasons(name: str, before: Iterable[Person], now: Iterable[Person], chat: Iterable[ChatLine]) -> list[str]:
    """What somebody named ``name`` would want to be called for, in words: their name, and hands that are raised."""
    hands = {person.key for person in before if person.hand}
    return [
        *(f"{line.name}: {line.text}" for line in chat if not (line.own or line.aside) and is_called(name, line.text)),
        *(
            f"{person.name} raises a hand"
            for person in now
            if person.hand and not person.is_self and person.key not in hands
        ),
    ]


def is_called(name: str, text: str) -> bool:
    """Whether the text has the whole name in it as words of their own, or ``@`` and its first word."""
    name = name.strip()
    if len(name) < _SHORTEST:
        return False
    first = re.escape(name.split()[0])
    return re.search(rf"(?<!\w)(?:{re.escape(name)}|@{first})(?!\w)", text, re.IGNORECASE) is not None
