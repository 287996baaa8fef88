"""Whose picture the server need not send, because nobody has looked at it for a while.

Used by the call. Sans I/O. Switched off per participant (``toggleVideo``, signalling reference, 2.5): unlike fewer
slots or another page it changes nothing about who sits where, and the SDP stays as it is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

LINGERS = 5.0
"""Seconds for which a picture is still sent though nobody looks: who turns pages comes back."""

_RATE, _BURST = 4, 16
"""Pictures that are switched off in a second, and at once."""


class Attention:
    """What the server was told about each participant's picture."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pace = Pace(_RATE, _BURST, clock)
        self._unseen: dict[str, float] = {}
        """Since when nobody looks."""
        self._off: set[str] = set()

    def changes(self, owners: Mapping[str, str], watched: Collection[str]) -> list[tuple[str, bool]]:
        """Whose picture is to be switched on or off now; ask often.

        ``owners`` are the stream ids behind the keys of the videos, ``watched`` the keys that somebody sees.
        """
        now = self._clock()
        seen = {owner for key, owner in owners.items() if key in watched}
        unseen = set(owners.values()) - seen
        self._unseen = {owner: self._unseen.get(owner, now) for owner in unseen}
        changes = [(owner, True) for owner in seen & self._off]
        for owner, since in self._unseen.items():
            if owner not in self._off and now - since >= LINGERS and self._pace.take():
                changes.append((owner, False))
        for owner, on in changes:
            (self._off.discard if on else self._off.add)(owner)
        return changes
