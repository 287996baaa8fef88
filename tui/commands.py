"""What the command palette offers: the room's actions that are possible now, and then Textual's own.

Used by the app; the list is made from the bindings of the screen below the palette.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui import themes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tui.app import ConferenceApp

_OFFERED = ("room.", "app.help")
_HELD = ("room.talk",)
"""Keys to hold: a line of the palette cannot be."""


class Command(NamedTuple):
    """One line of the palette."""

    title: str
    help: str
    run: Callable[[], object]


class Themes(Provider):
    """The colours by name, the present ones marked."""

    def _names(self) -> Iterator[tuple[str, str]]:
        for name in themes.NAMES:
            yield name, "in use" if name == self.app.theme else ""

    async def discover(self) -> Hits:
        """All of them."""
        app = cast("ConferenceApp", self.app)
        for name, help_text in self._names():
            yield DiscoveryHit(name, partial(app.use_theme, name), help=help_text)

    async def search(self, query: str) -> Hits:
        """Those that match what is typed."""
        app, matcher = cast("ConferenceApp", self.app), self.matcher(query)
        for name, help_text in self._names():
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, matcher.highlight(name), partial(app.use_theme, name), text=name, help=help_text)


class Commands(Provider):
    """Join, leave, microphone, camera and the rest, when they can be done.

    Textual's own come from here too: the order of several providers changes from start to start.
    """

    def _commands(self) -> Iterator[Command]:
        offered: set[str] = set()
        for node, binding, enabled, tooltip in self.screen.active_bindings.values():
            binding_id = binding.id or ""
            offerable = binding_id.startswith(_OFFERED) and binding_id not in _HELD
            if enabled and offerable and binding.action not in offered:
                # Some actions have several keys.
                offered.add(binding.action)
                yield Command(binding.description, tooltip, partial(self.app.run_action, binding.action, node))
        for title, text, run, discover in self.app.get_system_commands(self.screen):
            if discover:
                yield Command(title, text, run)

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
