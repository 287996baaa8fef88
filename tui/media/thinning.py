"""Which pictures of a video need not be decoded, because the screen takes fewer than come.

Used by `tui.media.viewing`. Sans I/O. Only pictures that no decoded one refers to are left out: whole temporal layers
of VP8 (RFC 7741, 4.2), or single pictures that are marked as referred to by none (VP8's N bit, H.264's nal_ref_idc 0).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.video import EncodedPicture

LAYERS = 4

_WINDOW = 1.0
"""Seconds over which pictures are counted."""

_ENOUGH = 0.9
"""Of the pictures that are wanted."""


class Thinning:
    """Chooses the layers of one video."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts = [0] * LAYERS
        self._begun: float | None = None
        self._highest = LAYERS - 1
        """The layer up to which pictures are wanted."""
        self._current = LAYERS - 1
        """And up to which they can be decoded now."""

    def takes(self, picture: EncodedPicture, frames_per_second: float) -> bool:
        """Whether to decode the next picture when so many are wanted a second; call it for every one."""
        layer = min(picture.layer, LAYERS - 1)
        self._count(layer, frames_per_second)
        self._current = self._highest if picture.is_key else min(self._current, self._highest)
        if self._current < layer <= self._highest and picture.is_entry:
            self._current = layer
        return layer <= self._current

    def _count(self, layer: int, frames_per_second: float) -> None:
        now = self._clock()
        if self._begun is None or now - self._begun > 5 * _WINDOW:
            self._begun, self._counts = now, [0] * LAYERS
        elif (span := now - self._begun) >= _WINDOW:
            enough = _ENOUGH * frames_per_second * span
            sums = [sum(self._counts[: number + 1]) for number in range(LAYERS)]
            self._highest = next((number for number, count in enumerate(sums) if count >= enough), LAYERS - 1)
            self._begun, self._counts = now, [0] * LAYERS
        self._counts[layer] += 1
