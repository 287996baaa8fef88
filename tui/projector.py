"""Moving pictures on the terminal: past Textual, between its own updates.

One task on the screen's loop. At each turn it looks which tiles are really seen, has their newest frames encoded in
a thread, places the cells on the canvas, and writes as much of the difference as the line takes, with a question after
it whose answer tells when the terminal has come to it. Where there is no terminal of our own (tests, other platforms)
Textual draws the tiles, less often. Used by the app.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
from textual.geometry import Region

from tui.core.tasks import Tasks
from tui.media.ansi import BEGIN_UPDATE, END_UPDATE
from tui.media.board import LOCAL
from tui.media.canvas import Canvas
from tui.media.cells import DEFAULT_COLOUR, Depth, Encoder
from tui.media.pacing import NUMBERS
from tui.relay import Relay, attached_by
from tui.text import printable
from tui.uplink import Arrivals, Uplink
from tui.widgets.picture import blank, framed
from tui.widgets.video_tile import VideoTile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from textual.screen import Screen
    from textual.widget import Widget

    from tui.app import ConferenceApp
    from tui.driver import TerminalDriver
    from tui.media.board import Board
    from tui.media.cells import CellGrid, Crop, Look, Size
    from tui.media.pacing import Pacer

    Mask = NDArray[np.bool_]

logger = logging.getLogger(__name__)

_IDLE: Final = 0.1
"""Seconds between two looks whether there is anything to show."""
_AGAIN: Final = 0.01
"""Seconds until the line is asked again whether it is free."""
_BY_TEXTUAL: Final = 8.0
"""Pictures per second where Textual draws them: each costs a repaint."""
_LEVELS: Final = 0.2
_LEAN: Final = 0.4
"""Seconds that a whole screen of pictures may take on the line; else Textual's own repaints are coarse."""
_CELL: Final = 16
"""Bytes of a cell, roughly."""
_STANDS: Final = 2.0
"""Seconds without a new frame that are said on the tile."""
_MUCH: Final = 2048
"""Bytes of text after which the terminal is asked whether it has come to them: nothing else tells how fast it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Where a tile's picture is on the screen, and which of its cells nothing is in front of."""

    region: Region
    visible: Mask


@dataclass(frozen=True, slots=True)
class Shot:
    """A frame as it is to be encoded; equal when the result would be the same."""

    frame: av.VideoFrame
    size: Size
    mirror: bool
    crop: Crop | None
    look: Look
    background: int


class Sitter:
    """The encoder of one tile's picture; not for two threads at once."""

    def __init__(self, track: str, look: Look) -> None:
        self.track = track
        self.look = look
        self.shot: Shot | None = None
        self._encoder = Encoder(look)
        self._complained = False

    def take(self, shot: Shot) -> CellGrid | None:
        """The frame as cells, ``None`` when it cannot be read."""
        try:
            picture = self._encoder.encode(shot.frame, shot.size, shot.mirror, shot.crop)
        except (ValueError, av.FFmpegError) as error:
            if not self._complained:
                logger.warning("video track %s: %s refused", printable(self.track), printable(str(error)))
            self._complained = True
            return None
        return framed(picture, shot.background)


class Projector:
    """Shows the pictures of the app's room; `attach` and `start` it once, `aclose` is idempotent.

    ``relay`` is what is between here and the terminal. ``clock`` is ``time.monotonic`` or stands for it.
    """

    def __init__(
        self,
        app: ConferenceApp,
        board: Board,
        pacer: Pacer,
        *,
        relay: Relay | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._board = board
        self.pacer = pacer
        self._relay = relay or Relay()
        self._arrivals: Arrivals | None = None
        self._clock = clock
        self._tasks = Tasks()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._canvas: Canvas | None = None
        self._sitters: dict[VideoTile, Sitter] = {}
        self._placed: dict[VideoTile, Region] = {}
        self._widgets: Mapping[Widget, tuple[Region, Region]] | None = None
        self._seen: dict[VideoTile, Seen] = {}
        self._speaker: VideoTile | None = None
        self._reason = ""
        self._text = 0
        self._levels_due = 0.0
        self.updates = 0
        """Written so far."""
        self.lean = False
        """Textual draws pictures coarsely: the line is slow."""

    def attach(self) -> None:
        """Ask how far the terminal is away, before there is anything on the line; then `start`."""
        driver = self._app.driver
        if driver is not None:
            if self._relay.proxied and (uplink := Uplink.open(self._relay.connection)) is not None:
                self._arrivals = Arrivals(uplink, self.pacer, attached_by)
                # At once: what is asked before there is anything on the line tells how long the way is.
                self._arrivals.start(self._tasks)
            driver.answered, driver.written, driver.resumed = self._answered, self._written, self._resumed
            self._write(driver, b"", self._clock())

    def start(self) -> None:
        """Begin; nothing is written while nothing is to be seen."""
        self._tasks.spawn(self._run(), "pictures")

    async def aclose(self) -> None:
        """Show nothing more."""
        await self._tasks.aclose()
        if self._arrivals is not None:
            self._arrivals.close()
        self._thread.shutdown(wait=False, cancel_futures=True)

    @property
    def reason(self) -> str:
        """Why pictures are worse than they could be, empty when they are not."""
        return self.pacer.reason if self._app.driver is not None else ""

    def draws(self, x: int, y: int, cells: CellGrid) -> None:
        """Textual draws these cells of a tile: the canvas has to know."""
        self._current_canvas().shown(x, y, cells)

    # The driver's calls.

    def _answered(self, number: int, at: float) -> None:
        if self._arrivals is None:
            self.pacer.answered(number, at)
        else:
            self._arrivals.take(number, at)

    def _written(self, size: int) -> None:
        self.pacer.other(self._clock(), size)
        self._text += size

    def _resumed(self) -> None:
        self._canvas = None
        self.pacer.forget(self._clock())
        for screen in self._app.screen_stack[-1:]:
            screen.refresh()

    # Turns.

    async def _run(self) -> None:
        while True:
            began = self._clock()
            pause = await self._turn(began)
            await asyncio.sleep(max(0.001, began + pause - self._clock()))

    async def _turn(self, now: float) -> float:
        """One look at everything; seconds from its beginning to the next one."""
        driver, rung = self._app.driver, self.pacer.rung
        seen = self._look()
        wanted = self._chosen(seen)
        pace = rung.frames_per_second if driver is not None else min(_BY_TEXTUAL, rung.frames_per_second)
        self._board.frames_per_second = pace
        self._board.want({tile.track: size for tile in wanted if tile.track and (size := tile.detail)})
        if now >= self._levels_due:
            # Each level that moves is text on the line.
            self._levels_due = now + (1 / pace if self.pacer.thrifty else _LEVELS)
            self._tell(seen, wanted)
        if driver is not None and driver.free and (self._text >= _MUCH or self.pacer.asks(now)):
            self._write(driver, b"", now)
        if not wanted:
            self._withdraw({})
            return _IDLE
        if driver is None:
            await self._encode(wanted, drawn=False)
            return 1 / pace
        self.pacer.cells = sum(one.visible.size for one in wanted.values())
        rate = self.pacer.rate
        self.lean = rung.plain or rate is None or self.pacer.cells * _CELL > rate * _LEAN
        if not driver.free or not self.pacer.budget(now):
            return _AGAIN
        await self._encode(wanted, drawn=True)
        # Encoding took a while: what is seen may have changed, and so may the line.
        seen, now = self._look(), self._clock()
        budget = self.pacer.budget(now)
        if not driver.free or not budget:
            return _AGAIN
        self._place({tile: seen[tile] for tile in wanted if tile in seen})
        data = self._current_canvas().update(budget, now)
        if data:
            self._write(driver, data, now)
        return 1 / rung.frames_per_second

    def _look(self) -> dict[VideoTile, Seen]:
        """Tiles with a picture of which at least one cell is seen."""
        driver, screen = self._app.driver, self._app.stage
        if screen is None or (driver is not None and not driver.active):
            return {}
        widgets = visible_widgets(screen)
        if widgets is not self._widgets:
            self._widgets = widgets
            self._seen = seen_tiles(widgets, screen.size.width, screen.size.height)
        return {tile: one for tile, one in self._seen.items() if tile.track and tile.picture_size}

    def _chosen(self, seen: dict[VideoTile, Seen]) -> dict[VideoTile, Seen]:
        """Those that the line is good enough for."""
        rung = self.pacer.rung
        if rung.pictures and rung.everybody:
            return seen
        if not rung.pictures or not seen:
            return {}
        leading = [tile for tile in seen if tile.leads]
        speaking = leading or [tile for tile in seen if tile.person is not None and tile.person.talking]
        if self._speaker not in (speaking or seen):
            self._speaker = next(iter(speaking or seen))
        return {tile: one for tile, one in seen.items() if tile is self._speaker}

    def _tell(self, seen: dict[VideoTile, Seen], wanted: dict[VideoTile, Seen]) -> None:
        """What changes slowly: levels, words on pictures that stand still, and why all are no better."""
        now = time.monotonic()
        if self.reason != self._reason:
            self._reason = self.reason
            self._app.room.show_reason(self._reason)
        for tile in seen:
            tile.show_level()
            since = self._board.stopped(tile.track or "")
            if tile not in wanted:
                tile.note("paused: low bandwidth" if self.pacer.thrifty else "picture paused: slow line")
            elif since is not None and now - since >= _STANDS:
                tile.note(f"no picture for {now - since:.0f} s")
            else:
                tile.note("")

    async def _encode(self, tiles: dict[VideoTile, Seen], *, drawn: bool) -> None:
        """Give each tile its newest frame as cells."""
        work: list[tuple[VideoTile, Sitter, Shot]] = []
        for tile in tiles:
            track, size = tile.track, tile.picture_size
            frame = self._board.frame(track) if track else None
            if track is None or size is None or frame is None:
                continue
            look = self._current_look()
            sitter = self._sitters.get(tile)
            if sitter is None or sitter.track != track or sitter.look != look:
                sitter = self._sitters[tile] = Sitter(track, look)
            background = tile.background_number(look.depth)
            shot = Shot(frame, size, track == LOCAL and self._board.mirrored, tile.crop, look, background)
            if sitter.shot is None or shot != sitter.shot or tile.picture is None:
                sitter.shot = shot
                work.append((tile, sitter, shot))
        if not work:
            return
        loop = asyncio.get_running_loop()
        pictures = await loop.run_in_executor(self._thread, _take, [(sitter, shot) for _, sitter, shot in work])
        for (tile, sitter, shot), picture in zip(work, pictures, strict=True):
            if picture is None or self._sitters.get(tile) is not sitter or tile.picture_size != shot.size:
                continue
            if tile.track != sitter.track:
                # Meanwhile somebody else is there, or nobody's camera is on.
                continue
            if drawn and tile.picture is None and tile.is_attached:
                # There are words now, and the canvas does not know.
                self._current_canvas().forget(*tile.region)
            # Before Textual draws it for the first time: the canvas has to know.
            tile.surface = self if drawn else None
            tile.put(picture, drawn=drawn)

    def _current_look(self) -> Look:
        look, theme = self._board.look, self._app.current_theme
        if look.depth is Depth.TRUECOLOR and self.pacer.rung.plain:
            look = replace(look, depth=Depth.PALETTE)
        # The tile's own colour is behind the picture; without colours, or without its own, it is the terminal's.
        return look if look.depth is Depth.NONE or theme.ansi else replace(look, light=not theme.dark)

    def _place(self, tiles: dict[VideoTile, Seen]) -> None:
        canvas = self._current_canvas()
        self._withdraw(tiles)
        for tile, one in tiles.items():
            picture = tile.picture
            if picture is None:
                continue
            visible = one.visible[:-1].copy()
            visible[tile.free_rows :] = False
            canvas.place(one.region.x, one.region.y, picture, visible)
            self._placed[tile] = one.region

    def _withdraw(self, tiles: dict[VideoTile, Seen]) -> None:
        """Nothing is to be written any more where tiles were that are not there now."""
        for tile, region in list(self._placed.items()):
            one = tiles.get(tile)
            if one is None or one.region != region or tile.picture is None:
                del self._placed[tile]
                if self._canvas is not None:
                    nothing = blank(region.height - 1, region.width, DEFAULT_COLOUR, Depth.NONE)
                    self._canvas.place(region.x, region.y, nothing, np.zeros(nothing.glyphs.shape, np.bool_))
        for tile in [tile for tile in self._sitters if not tile.is_attached]:
            del self._sitters[tile]

    def _current_canvas(self) -> Canvas:
        columns, rows = self._app.size
        canvas = self._canvas
        if canvas is None or (canvas.columns, canvas.rows) != (columns, rows):
            canvas = self._canvas = Canvas(columns, rows, self._board.look.depth)
            self._placed.clear()
        return canvas

    def _write(self, driver: TerminalDriver, data: bytes, now: float) -> None:
        """Write it with the question after it; there has been a look that it is taken."""
        if data and driver.synchronized:
            data = BEGIN_UPDATE + data + END_UPDATE
        # The number is known only after, and as long whatever it is.
        size = len(data) + len(driver.question(NUMBERS, self._relay.passthrough))
        number = self.pacer.sent(now, size)
        self._text = 0
        driver.show(data + driver.question(number, self._relay.passthrough))
        self.updates += bool(data)


def _take(work: list[tuple[Sitter, Shot]]) -> list[CellGrid | None]:
    return [sitter.take(shot) for sitter, shot in work]


def visible_widgets(screen: Screen[Any]) -> Mapping[Widget, tuple[Region, Region]]:
    """What Textual draws, the foremost first: the region of each widget and what it is clipped to.

    Another object after each change. Textual has no public name for it.
    """
    return screen._compositor.visible_widgets


def seen_tiles(widgets: Mapping[Widget, tuple[Region, Region]], columns: int, rows: int) -> dict[VideoTile, Seen]:
    """The tiles of which something is seen, with what is in front of them taken out."""
    covered = np.zeros((rows, columns), dtype=np.bool_)
    screen = Region(0, 0, columns, rows)
    seen = {}
    for widget, (region, clip) in widgets.items():
        x, y, width, height = region.intersection(clip).intersection(screen)
        part = np.s_[y : y + height, x : x + width]
        if isinstance(widget, VideoTile):
            visible = np.zeros((region.height, region.width), dtype=np.bool_)
            visible[y - region.y : y - region.y + height, x - region.x : x - region.x + width] = ~covered[part]
            if visible[:-1].any():
                seen[widget] = Seen(region, visible)
        covered[part] = True
    return seen
