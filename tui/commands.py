"""What the command palette offers: the room's actions that are possible now.

Used by the app; the list is made from the bindings of the screen below the palette.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from textual.command import DiscoveryHit, Hit, Hits, Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_OFFERED = ("room.", "app.help")


class Command(NamedTuple):
    """One line of the palette."""

    title: str
    help: str
    run: Callable[[], Coroutine[object, object, bool]]


class RoomCommands(Provider):
    """Join, leave, microphone, camera and the rest, when they can be done."""

    def _commands(self) -> Iterator[Command]:
        for node, binding, enabled, tooltip in self.screen.active_bindings.values():
            if enabled and (binding.id or "").startswith(_OFFERED):
                yield Command(binding.description, tooltip, partial(self.app.run_action, binding.action, node))

    async def discover(self) -> Hits:
        """All of them, before anything is typed."""
        for title, text, run in self._commands():
            yield DiscoveryHit(title, run, help=text)

    async def search(self, query: str) -> Hits:
        """Those that match what is typed."""
        matcher = self.matcher(query)
        for title, text, run in self._commands():
            score = matcher.match(f"{title} {text}")
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=text)
