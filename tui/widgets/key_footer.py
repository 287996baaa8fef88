"""The keys below the room, made anew only when they are other ones.

Textual removes and mounts all of them whenever the keys go elsewhere: that lays out the whole screen, and two such
changes in quick succession can wait for each other for ever, while nothing more is drawn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.widgets import Footer

if TYPE_CHECKING:
    from textual.screen import Screen


class KeyFooter(Footer):
    """Used by the room screen."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)
        self._shown: list[tuple[str, str, bool]] | None = None

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Textual's signal that bindings may have changed."""
        active = screen.active_bindings.values() if screen is self.screen else ()
        shown = [(one.binding.key, one.binding.description, one.enabled) for one in active if one.binding.show]
        if screen.app.app_focus and shown != self._shown:
            self._shown = shown
            super().bindings_changed(screen)
