"""Everybody's pictures in tiles as large as they fit; used by the room screen.

Which of the tiles are really seen, and what moves in them, is the projector's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.message import Message
from textual.reactive import var

from tui.widgets.tiling import best_tiling
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.media.board import Board
    from tui.updates import Person
    from tui.widgets.marks import Marks


class VideoGrid(Container, can_focus=False):
    """A page of tiles."""

    DEFAULT_CSS = """
    VideoGrid {
        layout: grid;
        grid-gutter: 0 1;
    }
    """

    @dataclass
    class Paged(Message):
        """Another page is shown, counted from 0."""

        page: int
        pages: int

    people: var[tuple[Person, ...]] = var((), init=False)
    alone: var[str | None] = var(None, init=False)
    """Key of the only person to show."""

    def __init__(self, board: Board, marks: Marks) -> None:
        super().__init__()
        self._board = board
        self._marks = marks
        self._page = 0
        self._pool: list[VideoTile] = []

    def on_resize(self) -> None:
        self._arrange()

    def watch_people(self, old: tuple[Person, ...], new: tuple[Person, ...]) -> None:
        if self.alone is not None and all(person.key != self.alone for person in new):
            self.set_reactive(VideoGrid.alone, None)
        self._arrange()

    def watch_alone(self) -> None:
        self._arrange()

    def next_page(self) -> None:
        """Show the tiles that did not fit, or the first ones again."""
        self._page += 1
        self._arrange()

    @property
    def tiles(self) -> list[VideoTile]:
        """What is on the page."""
        return [tile for tile in self._pool if tile.person is not None]

    def _arrange(self) -> None:
        shown: Sequence[Person] = self.people
        if self.alone is not None:
            shown = [person for person in shown if person.key == self.alone]
        if any(person.presentation is not None for person in shown):
            # A shared screen has a tile of its own, beside whoever shares it.
            shown = [tile for person in shown for tile in (person.screen, person) if tile is not None]
        width, height = self.size
        if not (width and height):
            shown = ()
        tiling = best_tiling(len(shown), width, height)
        pages = max(1, -(-len(shown) // tiling.places))
        self._page %= pages
        first = self._page * tiling.places
        page = shown[first : first + tiling.places]
        self.post_message(self.Paged(self._page, pages))
        # Tiles are kept when fewer are needed: mounting takes longer than hiding.
        missing = [VideoTile(self._board, self._marks) for _ in range(len(page) - len(self._pool))]
        self._pool += missing
        with self.app.batch_update():
            self.mount_all(missing)
            self.styles.grid_size_columns = tiling.columns
            self.styles.grid_size_rows = tiling.rows
            for tile, person in zip_longest(self._pool, page):
                tile.show(person)
                tile.display = person is not None

    def close_up(self, key: str | None) -> VideoTile | None:
        """The tile to look at closely: the screen that this person shares, any shared screen, or the person."""
        screens = [tile for tile in self.tiles if tile.is_screen]
        screens.sort(key=lambda tile: tile.person is None or tile.person.owner != key)
        people = [tile for tile in self.tiles if tile.person is not None and tile.person.key == key]
        return next((tile for tile in [*screens, *people] if tile.track), None)
