"""Everybody's pictures in tiles as large as they fit; used by the room screen.

Tells the board which pictures can be seen and how large, so that nothing else is encoded, and asks it for new
ones on one timer that runs only while there is somebody to show.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.message import Message
from textual.reactive import reactive

from tui.media.cells import Size
from tui.widgets.tiling import best_tiling
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from textual.timer import Timer

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

    people: reactive[tuple[Person, ...]] = reactive((), init=False)
    alone: reactive[str | None] = reactive(None, init=False)
    """Key of the only person to show."""

    def __init__(self, board: Board, marks: Marks) -> None:
        super().__init__()
        self._board = board
        self._marks = marks
        self._page = 0
        self._pool: list[VideoTile] = []
        self._wishes: dict[str, Size] = {}
        self._timer: Timer | None = None

    def on_mount(self) -> None:
        self._timer = self.set_interval(1 / self._board.frames_per_second, self._poll, pause=True)

    def on_unmount(self) -> None:
        self._board.want({})

    def on_resize(self) -> None:
        self._arrange()

    def watch_people(self, old: tuple[Person, ...], new: tuple[Person, ...]) -> None:
        if self.alone not in {person.key for person in new}:
            self.set_reactive(VideoGrid.alone, None)
        if self._timer is not None:
            self._timer.resume() if new else self._timer.pause()
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
        shown = [person for person in self.people if self.alone in (None, person.key)]
        width, height = self.size
        if not (width and height):
            shown = []
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
        if page:
            # As soon as the sizes are known, not when the timer comes round.
            self.call_after_refresh(self._poll)
        else:
            self._want({})

    def _poll(self) -> None:
        tiles = self.tiles if self.display else []
        self._want(
            {
                track: Size(tile.size.width, tile.size.height - 1)
                for tile in tiles
                if (track := tile.track) is not None and tile.size.width > 0 and tile.size.height > 1
            }
        )
        for tile in tiles:
            tile.poll()

    def _want(self, wishes: dict[str, Size]) -> None:
        if wishes != self._wishes:
            self._wishes = wishes
            self._board.want(wishes)
