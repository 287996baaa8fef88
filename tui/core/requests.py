"""What moderators ask of us: asked back, obeyed or ignored, as the user has chosen.

Used by the conference. Anybody in the room can send such a request and no server checks it (signalling reference, 6.3),
so nothing that a forger gains is done unasked: by default nothing is done at all.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

from tui.allowance import Allowance
from tui.core.events import ModeratorRequest, OnRequest, Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.roster import Roster
    from tui.core.wire import Json

REQUESTS = 5
REQUEST_PERIOD = 10.0
"""So many requests in so many seconds are listened to."""

PENDING = 20
"""Requests that wait for an answer; older ones are forgotten."""

_numbers = itertools.count(1)


class Requests:
    """The requests of one call.

    ``needed(wish)`` says whether it would change anything; who is to do it is the conference, which asks `take` and
    `answer` what to do.
    """

    def __init__(
        self,
        own_id: str,
        setting: OnRequest,
        needed: Callable[[Wish], bool],
        emit: Callable[[ModeratorRequest], None],
    ) -> None:
        self._own_id = own_id
        self._setting = setting
        self._needed = needed
        self._emit = emit
        self._pending: deque[ModeratorRequest] = deque(maxlen=PENDING)
        self._allowance = Allowance(REQUESTS, REQUEST_PERIOD)

    def take(self, wish: Wish, event: Json, roster: Roster) -> Wish | None:
        """A request that came; what to do at once, if anything."""
        sender = event.get("senderStreamId")
        if event.get("streamId") != self._own_id or not isinstance(sender, str) or not roster.verifies(sender):
            return None
        return self._consider(wish, sender, roster.name_of(sender) or sender)

    def invite(self, wish: Wish) -> Wish | None:
        """To speak, or to listen only; the wire does not say who decided so (section 6.3). What to do at once."""
        return self._consider(wish, "", "")

    def _consider(self, wish: Wish, sender: str, name: str) -> Wish | None:
        asked = any(request.wish is wish and request.sender == sender for request in self._pending)
        if self._setting is OnRequest.IGNORE or asked or not self._needed(wish) or not self._allowance.take():
            return None
        obeyed = self._setting is OnRequest.OBEY
        request = ModeratorRequest(next(_numbers), wish, sender, name, obeyed)
        if not obeyed:
            self._pending.append(request)
        self._emit(request)
        return wish if obeyed else None

    def answer(self, request: ModeratorRequest, granted: bool) -> Wish | None:
        """The user's answer; what to do, if it was not answered before."""
        if request not in self._pending:
            return None
        self._pending.remove(request)
        return request.wish if granted and self._needed(request.wish) else None
