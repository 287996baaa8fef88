"""How high a picture the server should send of each participant: the lowest that shows all that the tile can.

Used by the call. Sans I/O. Nothing is asked of a server that has a picture in one size only, and a picture that needs
the largest is left to the server, which then follows the line (signalling reference, 2.5: ``forceStreamQuality``).
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from tui.core.pace import Pace
from tui.media.cells import fitted
from tui.media.glyphs import HIGH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tui.core.renditions import Rendition
    from tui.media.cells import Size

RISES: Final = 0.5
"""Seconds for which a tile has to be larger before a better picture is asked for: who resizes is not done at once."""
FALLS: Final = 5.0
"""Seconds for which a tile has to be smaller before a worse one is: who zooms out comes back."""
_ENOUGH: Final = 0.9
"""Of the height that a tile can show: so little less is not seen."""
_RATE, _BURST = 2, 8
"""Pictures that are asked for otherwise in a second, and at once; as many are asked for their sizes."""

AUTOMATIC: Final = 0


class Sharpness:
    """What the server was asked for, by stream id."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pace = Pace(_RATE, _BURST, clock)
        self._questions = Pace(_RATE, _BURST, clock)
        self._asked: set[tuple[str, str]] = set()
        self._told: dict[str, int] = {}
        self._turning: dict[str, tuple[bool, float]] = {}
        """Whether a better one is wanted or a worse one, and since when."""

    def questions(self, owners: Mapping[str, str], watched: Mapping[str, Size]) -> list[str]:
        """Whose sizes are to be asked for: whoever is seen, once on each track."""
        self._asked = {(key, owner) for key, owner in self._asked if owners.get(key) == owner}
        new = [place for place in owners.items() if place[0] in watched and place not in self._asked]
        new = [place for place in new if self._questions.take()]
        self._asked |= set(new)
        return list(dict.fromkeys(owner for _, owner in new))

    def changes(
        self,
        owners: Mapping[str, str],
        watched: Mapping[str, Size],
        offers: Callable[[str], Sequence[Rendition]],
    ) -> list[tuple[str, int]]:
        """Whose picture is to have another height now, `AUTOMATIC` where the server may choose; ask often.

        ``owners`` are the stream ids behind the keys of the videos, ``watched`` the sizes at which those are seen that
        are seen at all, ``offers`` tells the sizes that there are.
        """
        now = self._clock()
        wanted: dict[str, int] = {}
        for key, size in watched.items():
            owner = owners.get(key)
            if owner is not None and len(sizes := offers(owner)) > 1:
                wanted[owner] = max(wanted.get(owner, 1), lowest(sizes, size), key=_rank)
        self._told = {owner: height for owner, height in self._told.items() if owner in set(owners.values())}
        turning, self._turning = self._turning, {}
        changes = []
        for owner, height in wanted.items():
            told = self._told.get(owner, AUTOMATIC)
            if height == told:
                continue
            rises = _rank(height) > _rank(told)
            was, since = turning.get(owner, (rises, now))
            since = since if was is rises else now
            if now - since >= (RISES if rises else FALLS) and self._pace.take():
                self._told[owner] = height
                changes.append((owner, height))
            else:
                self._turning[owner] = (rises, since)
        return changes


def _rank(height: int) -> float:
    """What the server chooses may be the highest."""
    return math.inf if height == AUTOMATIC else height


def lowest(sizes: Sequence[Rendition], size: Size) -> int:
    """The height of the first of ``sizes``, from low to high, that shows all; `AUTOMATIC` when it is the last."""
    for rendition in sizes[:-1]:
        rows = fitted(rendition.width, rendition.height, size)[1]
        if rendition.height >= _ENOUGH * rows * HIGH:
            return rendition.height
    return AUTOMATIC
