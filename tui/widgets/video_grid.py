"""Everybody's pictures in tiles: alike, around a large one, or one alone; used by the room screen.

Which of the tiles are really seen, and what moves in them, is the projector's work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from textual.containers import Container
from textual.message import Message
from textual.reactive import var

from tui.layouts import Layout
from tui.media.board import LOCAL
from tui.widgets.spotlight import Spotlight
from tui.widgets.tiling import Tiling, best_stage, best_tiling
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.timer import Timer

    from tui.media.board import Board
    from tui.updates import Person
    from tui.widgets.marks import Marks

_LISTENS: Final = 0.25
"""Seconds between two looks at who is to be large."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A page of tiles as a grid, whose first one may be large."""

    pictures: Sequence[Person]
    tiling: Tiling
    columns: str = "1fr"
    rows: str = "1fr"
    wide: int = 1
    """Columns of the grid that the first tile takes."""
    high: int = 1
    """Rows of the grid that the first tile takes."""


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
    arrangement: var[Layout] = var(Layout.GRID, init=False)
    alone: var[str | None] = var(None, init=False)
    """Key of the only picture to show; nobody's any more once it is gone."""
    pinned: var[str | None] = var(None, init=False)
    """Key of who is large in the speaker layout and first in the grid."""
    patient: var[bool] = var(False, init=False)
    """The only picture may be away for a while."""
    way_back: var[str] = var("", init=False)
    """What is said below the only picture."""

    def __init__(self, board: Board, marks: Marks) -> None:
        super().__init__()
        self._board = board
        self._marks = marks
        self._page = 0
        self._pool: list[VideoTile] = []
        self._spotlight = Spotlight()
        self._large: str | None = None
        self._only: Person | None = None
        """Who was seen alone last."""
        self._listening: Timer | None = None

    def on_mount(self) -> None:
        self._listening = self.set_interval(_LISTENS, self._listen, pause=True)

    def on_resize(self) -> None:
        self._arrange()

    def on_show(self) -> None:
        self._arrange()

    def on_hide(self) -> None:
        self._arrange()

    def watch_people(self) -> None:
        if self.alone is not None and not self.patient and self.alone not in {one.key for one in self._pictures()}:
            self.alone = None
        else:
            self._arrange()

    def watch_patient(self) -> None:
        self.watch_people()

    def watch_arrangement(self) -> None:
        self._arrange()

    def watch_alone(self) -> None:
        self._arrange()

    def watch_pinned(self) -> None:
        self._arrange()

    def watch_way_back(self) -> None:
        self._arrange()

    def turn(self, pages: int) -> None:
        """Show the tiles that did not fit, or the first ones again; of one picture alone, the next one."""
        keys = [picture.key for picture in self._pictures()]
        if self.alone in keys:
            self.alone = keys[(keys.index(self.alone) + pages) % len(keys)]
        elif self.alone is None:
            self._page += pages
            self._arrange()

    @property
    def tiles(self) -> list[VideoTile]:
        """What is on the page."""
        return [tile for tile in self._pool if tile.person is not None]

    def subject(self, person: Person) -> str:
        """What to look at alone when this person is meant: the screen that they share, or they themselves.

        With oneself it is somebody else's screen, if one is shared.
        """
        screens = {picture.owner: picture.key for picture in self._pictures() if picture.owner}
        if person.is_self and screens:
            return screens.get(person.key, next(iter(screens.values())))
        return screens.get(person.key, person.key)

    def close_up(self, key: str | None) -> VideoTile | None:
        """The tile to look at closely: the only one, the screen that this person shares, any shared screen, or them."""
        if self.alone is not None:
            return next(iter(self.tiles), None)
        screens = [tile for tile in self.tiles if tile.is_screen]
        screens.sort(key=lambda tile: tile.person is None or tile.person.owner != key)
        people = [tile for tile in self.tiles if tile.person is not None and tile.person.key == key]
        return next((tile for tile in [*screens, *people] if tile.track), None)

    def _pictures(self) -> Sequence[Person]:
        """All there is to see; a shared screen has a tile of its own, before whoever shares it."""
        pictures: Sequence[Person] = self.people
        if any(person.presentation is not None for person in pictures):
            pictures = [one for person in pictures for one in (person.screen, person) if one is not None]
        return pictures if self.pinned is None else sorted(pictures, key=lambda one: one.key != self.pinned)

    def _listen(self) -> None:
        if self._chosen(self._pictures()) != self._large:
            self._arrange()

    def _chosen(self, pictures: Sequence[Person]) -> str | None:
        return self._spotlight.choose(pictures, self._loudness, self.pinned)

    def _loudness(self, person: Person) -> float:
        track = LOCAL if person.is_self else person.audio
        return self._board.level(track) if track else 0.0

    def _arrange(self) -> None:
        pictures = self._pictures() if self.size.area else []
        self._large = self.alone
        if self.alone is None and self.arrangement is Layout.SPEAKER and pictures:
            self._large = self._chosen(pictures)
        if self._listening is not None:
            listens = bool(pictures) and self.alone is None and self.arrangement is Layout.SPEAKER
            self._listening.resume() if listens else self._listening.pause()
        large = next((picture for picture in pictures if picture.key == self._large), None)
        if self.alone is not None and large is not None:
            self._only = large
        elif self.alone is not None and self._only is not None and self._only.key == self.alone:
            large = replace(self._only, video=None)
        others = [picture for picture in pictures if picture is not large]
        self._board.feature(None if large is None or large.is_self else large.key, alone=self.alone is not None)
        aside = ""
        if large is None:
            scene = self._grid(pictures)
        elif self.alone is None:
            scene = self._stage(large, others)
        else:
            scene = Scene([large], Tiling(1, 1))
            place = f"{pictures.index(large) + 1} of {len(pictures)}" if large in pictures else ""
            aside = ", ".join(filter(None, (place, self.way_back)))
        self._show(scene, aside, leads=large is not None)

    def _grid(self, pictures: Sequence[Person]) -> Scene:
        tiling = best_tiling(len(pictures), *self.size)
        return Scene(self._on_page(pictures, tiling.places), tiling)

    def _stage(self, large: Person, others: Sequence[Person]) -> Scene:
        stage = best_stage(len(others), *self.size)
        if stage is None:
            self.post_message(self.Paged(0, 1))
            self._board.turn_to(())
            return Scene([large], Tiling(1, 1))
        strip, page = stage.strip, [large, *self._on_page(others, stage.strip.places)]
        if stage.beside:
            columns = "1fr" + f" {stage.extent}" * strip.columns
            return Scene(page, Tiling(1 + strip.columns, strip.rows), columns=columns, high=strip.rows)
        rows = "1fr" + f" {stage.extent}" * strip.rows
        return Scene(page, Tiling(strip.columns, 1 + strip.rows), rows=rows, wide=strip.columns)

    def _on_page(self, pictures: Sequence[Person], places: int) -> Sequence[Person]:
        pages = max(1, -(-len(pictures) // places))
        self._page %= pages
        self.post_message(self.Paged(self._page, pages))
        page = pictures[self._page * places : (self._page + 1) * places]
        people = [one.key for one in page if not (one.is_self or one.owner)]
        self._board.turn_to(people if self._page else ())
        return page

    def _show(self, scene: Scene, aside: str, *, leads: bool) -> None:
        # Tiles are kept when fewer are needed: mounting takes longer than hiding.
        missing = [VideoTile(self._board, self._marks) for _ in range(len(scene.pictures) - len(self._pool))]
        self._pool += missing
        with self.app.batch_update():
            self.mount_all(missing)
            self.styles.grid_size_columns = scene.tiling.columns
            self.styles.grid_size_rows = scene.tiling.rows
            self.styles.grid_columns = scene.columns
            self.styles.grid_rows = scene.rows
            for place, (tile, person) in enumerate(zip_longest(self._pool, scene.pictures)):
                first = place == 0
                tile.leads = leads and first
                tile.styles.column_span = scene.wide if first else 1
                tile.styles.row_span = scene.high if first else 1
                tile.show(person, aside if first else "")
                tile.display = person is not None
