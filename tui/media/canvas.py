"""What the terminal shows, what it should show, and what of the difference is worth its bytes now.

One `Canvas` for the whole screen: the projector places the newest cells of every picture on it and writes what
`update` returns. A difference is measured on the picture itself, not on the numbers: a glyph with its colours swapped
and its complement are the same. Not for two threads at once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tui.media import ansi
from tui.media.ansi import Strokes
from tui.media.cells import CellGrid
from tui.media.colours import DEFAULT_COLOUR, Depth
from tui.media.thrift import difference, drawn, seen

if TYPE_CHECKING:
    from tui.media.ansi import Counts
    from tui.media.thrift import Errors

Mask: TypeAlias = NDArray[np.bool_]

_NOTICED: Final = 45.0
"""Error that a byte must take away to be sent at all: below it is mostly the noise of a camera or a codec."""
_EXACT: Final = 9.0
"""The same where bytes are `_AMPLE`."""
_AMPLE: Final = 24
"""Bytes for each cell of the pictures: every cell could be drawn anew at each update."""
_COARSEST: Final = 100_000.0
_EASING: Final = 0.6
"""How fast, from one update to the next, cells become finer again."""
_FAINT: Final = 32 * 3 * 2.25**2
"""Error, as it counts, of a cell that waits and so counts more."""
_DRIFT: Final = 32 * 3 * 2.0**2
"""Error of a cell that is put right when it is stale, whatever it costs."""
_STALE: Final = 1.8
_LONG: Final = 2.0
"""Seconds since a cell was written."""
_FRESH: Final = 0.7
_RIPENING: Final = 1.5
"""How much error counts in a cell just written, and more for each second: what moves is soon wrong again."""
_UNKNOWN: Final = np.float32(32 * 3 * 60.0**2)
"""Error, beyond the one assumed, of a cell that may show anything."""
_CHEAPEST: Final = 4
"""Bytes that a cell can hardly be had for."""
_JUMP: Final = 6
_STEP: Final = 2
_SGR: Final = 2
"""Bytes, about, of a move to a cell alone, to one of many, and around the colours."""
_LONGEST: Final = 32
"""Cells that stand or fall together, at most."""
_TRIALS: Final = 6
_STEPS: Final = 7
_SPACE: Final = ord(" ")


class Canvas:
    """A screen of ``columns`` x ``rows`` cells, its colours not deeper than ``depth``."""

    def __init__(self, columns: int, rows: int, depth: Depth) -> None:
        self.columns, self.rows, self.depth = columns, rows, depth
        shape = rows, columns
        self._wanted_glyphs = np.full(shape, _SPACE, dtype=np.uint32)
        self._wanted_colours = np.full((2, *shape), DEFAULT_COLOUR, dtype=np.int32)
        self._glyphs = self._wanted_glyphs.copy()
        self._colours = self._wanted_colours.copy()
        self._ours = np.zeros(shape, dtype=np.bool_)
        self._known = np.zeros(shape, dtype=np.bool_)
        self._owner = np.zeros(shape, dtype=np.int64)
        self._written = np.zeros(shape)
        self._placed_depth = depth
        self._trade = _NOTICED
        self._scale = 1.0

    def place(self, x: int, y: int, grid: CellGrid, visible: Mask) -> None:
        """The cells that a picture should show, its upper left one at column ``x`` and row ``y`` of the screen.

        Only where ``visible`` (rows, columns) is true; other cells of the same picture are not its own any more.
        What was placed last wins.
        """
        self._placed_depth = grid.depth
        on, of = self._on(x, y, grid.glyphs.shape)
        may = visible[of]
        owner = hash((x, y, grid.glyphs.shape))
        glyphs = grid.glyphs[of]
        foreground, background = (
            ansi.coded(grid.foreground[of], grid.depth),
            ansi.coded(grid.background[of], grid.depth),
        )
        if may.all():
            self._ours[on], self._owner[on], self._wanted_glyphs[on] = True, owner, glyphs
            self._wanted_colours[0][on], self._wanted_colours[1][on] = foreground, background
            return
        self._ours[on] &= may | (self._owner[on] != owner)
        self._ours[on] |= may
        self._owner[on][may] = owner
        np.copyto(self._wanted_glyphs[on], glyphs, where=may)
        np.copyto(self._wanted_colours[0][on], foreground, where=may)
        np.copyto(self._wanted_colours[1][on], background, where=may)

    def clear(self, x: int, y: int, width: int, height: int) -> None:
        """No picture is there any more, and what the terminal shows is unknown."""
        on, _ = self._on(x, y, (height, width))
        self._ours[on] = self._known[on] = False

    def forget(self, x: int, y: int, width: int, height: int) -> None:
        """Something else was written there: the pictures' cells have to be sent again."""
        on, _ = self._on(x, y, (height, width))
        self._known[on] = False

    def shown(self, x: int, y: int, grid: CellGrid) -> None:
        """Exactly these cells were written there by somebody else."""
        on, of = self._on(x, y, grid.glyphs.shape)
        self._known[on] = True
        self._glyphs[on] = grid.glyphs[of]
        self._colours[0][on] = ansi.coded(grid.foreground[of], grid.depth)
        self._colours[1][on] = ansi.coded(grid.background[of], grid.depth)

    def current(self, x: int, y: int, width: int, height: int) -> CellGrid:
        """The cells on the screen there, as far as it reaches; where that is unknown, the wanted ones, or blanks."""
        on, _ = self._on(x, y, (height, width))
        known = self._known[on]
        glyphs = np.where(known, self._glyphs[on], self._wanted_glyphs[on])
        codes = np.where(known, self._colours[:, *on], self._wanted_colours[:, *on])
        blank = ~(known | self._ours[on])
        glyphs[blank] = _SPACE
        codes[:, blank] = DEFAULT_COLOUR
        colours = ansi.decoded(codes, self.depth)
        return CellGrid(glyphs, colours[0], colours[1], self.depth)

    def update(self, budget: int, now: float) -> bytes:
        """What to write now, at most ``budget`` bytes: what takes away most error for its bytes.

        Nothing when nothing is worth it, or no cell fits. It is taken as written.
        """
        glyphs, colours = self._glyphs.reshape(-1), self._colours.reshape(2, -1)
        wanted_glyphs, wanted_colours = self._wanted_glyphs.reshape(-1), self._wanted_colours.reshape(2, -1)
        known, written = self._known.reshape(-1), self._written.reshape(-1)
        changed = wanted_glyphs != glyphs
        changed |= wanted_colours[0] != colours[0]
        changed |= wanted_colours[1] != colours[1]
        changed |= ~known
        ours = self._ours.reshape(-1)
        changed &= ours
        places = np.flatnonzero(changed)
        if not len(places) or budget < len(ansi.RESET):
            return b""
        ample = budget >= _AMPLE * np.count_nonzero(ours)
        noticed, faint = (_EXACT, 0.0) if ample else (_NOTICED, _FAINT)
        source = Strokes(places, wanted_glyphs.take(places), *wanted_colours.take(places, axis=1))
        masks, light = seen(source)
        error = difference(masks, light, *seen(Strokes(places, glyphs.take(places), *colours.take(places, axis=1))))
        error += _UNKNOWN * ~known[places]
        age = (now - written[places]).astype(np.float32)
        stale = (age > _STALE) & (error > _DRIFT)
        # Who waits longer comes earlier: nothing starves.
        weight = (_FRESH + _RIPENING * np.minimum(age, _LONG)).astype(np.float32)
        worth = np.flatnonzero(stale | (error * weight > max(self._trade * _CHEAPEST, faint)))
        if not len(worth):
            self._trade = max(noticed, self._trade * _EASING)
            return b""
        source, masks, light = source.only(worth), masks[worth], light.take(worth, axis=2)
        error, stale, weight = error[worth], stale[worth], weight[worth]
        trade, low, high = max(noticed, self._trade), noticed, _COARSEST
        for _ in range(_TRIALS):
            strokes, new_masks, new_light = drawn(source, masks, light, trade, self._placed_depth)
            gain = (error - difference(masks, light, new_masks, new_light)) * weight
            chosen, last, used = self._chosen(strokes, gain, stale, budget, noticed)
            # A byte should be worth the same where cells are made cheaper and where the budget ends.
            if last > 2 * trade and trade < _COARSEST:
                low = trade
                trade = math.sqrt(trade * min(last, high))
            elif used < 0.8 * budget and trade > 1.5 * low:
                high = trade
                trade = max(math.sqrt(low * trade), trade / 8)
            else:
                break
        self._trade = max(noticed, math.sqrt(trade * last), trade * _EASING)
        sent = strokes.only(chosen).settled()
        glyphs[sent.places] = sent.glyphs
        colours[0, sent.places], colours[1, sent.places] = sent.foreground, sent.background
        known[sent.places], written[sent.places] = True, now
        return ansi.encode(sent, self.columns)

    def _chosen(
        self, strokes: Strokes, gain: Errors, stale: Mask, budget: int, noticed: float
    ) -> tuple[NDArray[np.intp], float, int]:
        """Which strokes go out, the gain a byte has where the budget ended (0 when it did not), and their bytes."""
        prices = ansi.Prices(strokes, self.columns)
        starts, costs = self._parcels(strokes, prices)
        ratio = np.add.reduceat(gain, starts) / costs
        worth = (ratio >= noticed) | (np.logical_or.reduceat(stale, starts) & (ratio > 0))
        order = np.flatnonzero(worth & (costs < budget))
        order = order[np.argsort(-ratio[order], kind="stable")]
        rank = np.full(len(starts), len(starts))
        rank[order] = np.arange(len(order))
        rank = np.repeat(rank, np.diff(starts, append=len(strokes)))

        fits, too_many = 0, len(order)
        if len(strokes) * ansi.LARGEST_STROKE <= budget:
            return np.flatnonzero(rank < too_many), 0.0, 0
        used, total = 0, prices.together(np.flatnonzero(rank < too_many))
        if total <= budget:
            return np.flatnonzero(rank < too_many), 0.0, total
        expected = np.cumsum(costs[order])
        for _ in range(_STEPS):
            # What they cost together is not what they cost alone: correct the guess by the last one's error.
            guess = int(np.searchsorted(expected, budget * self._scale))
            guess = min(max(guess, fits + 1), too_many - 1)
            if guess <= fits:
                break
            total = prices.together(np.flatnonzero(rank < guess))
            self._scale = min(max(self._scale * budget / total, 0.2), 5.0)
            if total > budget:
                too_many = guess
            else:
                fits, used = guess, total
                if total > 0.97 * budget:
                    break
        return np.flatnonzero(rank < fits), float(ratio[order[fits]]), used

    def _parcels(self, strokes: Strokes, prices: ansi.Prices) -> tuple[Counts, Errors]:
        """Where neighbours begin that share their colours, and about how many bytes they take together."""
        places = strokes.places
        beside = np.zeros(len(places), dtype=np.bool_)
        beside[1:] = (places[1:] - places[:-1] == 1) & (places[1:] % self.columns > 0)
        cost = prices.glyphs + np.where(beside, _STEP, _JUMP)
        settled = strokes.settled()
        coloured = np.zeros(len(places), dtype=np.bool_)
        for own, codes, sizes in (
            (strokes.foreground, settled.foreground, prices.foreground),
            (strokes.background, settled.background, prices.background),
        ):
            new = ~beside
            new[1:] |= codes[1:] != codes[:-1]
            new &= own != ansi.ANY
            cost += (sizes + 1) * new
            coloured |= new
        cost += _SGR * coloured
        starts = np.flatnonzero(~beside | coloured | (places % _LONGEST == 0))
        return starts, np.add.reduceat(cost, starts).astype(np.float32)

    def _on(self, x: int, y: int, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of the screen under so many cells at this place, and which of them it takes."""
        height, width = shape
        top, bottom = min(max(y, 0), self.rows), min(max(y + height, 0), self.rows)
        left, right = min(max(x, 0), self.columns), min(max(x + width, 0), self.columns)
        return (slice(top, bottom), slice(left, right)), (slice(top - y, bottom - y), slice(left - x, right - x))
