"""Keys one after the other: what one of them opens gets those that were typed with it.

Used by the app. A slow line delivers many keys at once, and Textual gives each to whatever has the focus when it comes,
though the key before it is still on its way from the focused widget up to the binding that will move the focus.
"""

from __future__ import annotations

import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App
    from textual.events import Key
    from textual.message_pump import MessagePump

WAITING: Final = 1024
"""Keys that wait at most; what is typed after them is lost, as in a terminal's own buffer."""
_PATIENCE: Final = 0.5
"""Seconds after which a key is not waited for any more: something else keeps the screen busy."""


class Typeahead:
    """Passes keys on to ``deliver``, each when the one before it is done with."""

    def __init__(self, app: App[None], deliver: Callable[[Key], Awaitable[None]]) -> None:
        self._app = app
        self._deliver = deliver
        self._waiting: deque[Key] = deque()
        self._since: float | None = None
        """When the key that is under way was passed on."""

    async def take(self, key: Key) -> None:
        """Pass it on, now or after those before it."""
        if self._since is not None and time.monotonic() - self._since < _PATIENCE:
            if len(self._waiting) < WAITING:
                self._waiting.append(key)
            return
        self._waiting.append(key)
        await self._next()

    async def _next(self) -> None:
        key, self._since = self._waiting.popleft(), time.monotonic()
        begins = self._app.focused or self._app.screen
        await self._deliver(key)
        self._follow(begins, self._since)

    def _follow(self, place: MessagePump, since: float) -> None:
        """Go the way of the key: behind it in every queue from there up to the app."""
        parent = None if place is self._app else place._parent
        if parent is not None and place.call_later(partial(self._follow, parent, since)):
            return
        # Once more, for what the app's own action has put off; moving the focus is.
        self._app.call_later(self._app.call_later, partial(self._done, since))

    async def _done(self, since: float) -> None:
        if since != self._since:
            return
        self._since = None
        if self._waiting:
            await self._next()
