"""The own shared screen: a second stream beside the camera, named and told as the official application does it.

Used by the conference. It is a participant of its own on the wire, ``<own id>_presentation``, without sound; whoever
lists people shows it as the screen of its owner (signalling reference, 6.3 and 6.5).
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from tui.core.events import Notice, ShareState, SharingChanged
from tui.errors import AntconfError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.adaptor import WebRTCAdaptor
    from tui.core.auth import Credentials
    from tui.core.events import Event
    from tui.core.peer import LocalTrack
    from tui.core.tasks import Tasks
    from tui.core.wire import Json

PRESENTATION = "_presentation"
"""What a screen's stream id ends with, after the id of whoever shares it."""


class Sharing:
    """One picture at most, from `begin` until `end`, a refusal or the end of the call; ``emit`` is told each turn."""

    def __init__(
        self,
        emit: Callable[[Event], None],
        tasks: Tasks,
        *,
        room: str,
        own_id: str,
        own_name: str,
        role: str,
        credentials: Credentials | None,
    ) -> None:
        self.stream_id = own_id + PRESENTATION
        self.state = ShareState.OFF
        self._emit = emit
        self._tasks = tasks
        self._room = room
        self._name = f"{own_name} - Screen Share"
        self._role = role
        self._credentials = credentials
        self._source = ""
        self._beginning: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()

    async def begin(self, adaptor: WebRTCAdaptor, picture: LocalTrack, source: str) -> None:
        """Show this picture, in place of the one before; returns when it is on its way."""
        async with self._changing:
            self.forget()
            await self._stop(adaptor)
            self._source = source
            self._turn(ShareState.STARTING)
            self._beginning = self._tasks.spawn(self._publish(adaptor, picture), "sharing a screen")

    async def end(self, adaptor: WebRTCAdaptor | None) -> None:
        """Show nothing any more."""
        async with self._changing:
            self.forget()
            if adaptor is not None:
                await self._stop(adaptor)

    def forget(self, reason: str = "") -> None:
        """Nobody sees it any more, for that reason when nobody asked for it."""
        self._turn(ShareState.OFF, reason)

    def seen(self, on: bool) -> None:
        """The server has it, or has lost it and gets it again."""
        if self.state is not ShareState.OFF:
            self._turn(ShareState.ON if on else ShareState.STARTING)

    @property
    def event(self) -> Json:
        """What the room is told when others can see it; there is none for the end."""
        return {"streamId": self.stream_id, "eventType": Notice.SCREEN_SHARED}

    async def _publish(self, adaptor: WebRTCAdaptor, picture: LocalTrack) -> None:
        try:
            await adaptor.publish(
                self.stream_id,
                stream_name=self._name,
                main_track=self._room,
                meta_data=self._meta_data(),
                role=self._role,
                credentials=self._credentials,
                picture=picture,
            )
        except AntconfError as error:
            self.forget(str(error))

    async def _stop(self, adaptor: WebRTCAdaptor) -> None:
        beginning, self._beginning = self._beginning, None
        if beginning is not None:
            # It may wait for a connection that is gone.
            beginning.cancel()
            await adaptor.stop(self.stream_id)

    def _meta_data(self) -> str:
        """The application's own; only a screen says ``isScreenShared``, for whoever says so is pinned by others."""
        state = {"isMicMuted": False, "isCameraOn": True, "isScreenShared": True, "playOnly": False}
        return json.dumps(state | ({"role": self._role} if self._role else {}))

    def _turn(self, state: ShareState, reason: str = "") -> None:
        if state is not self.state:
            self.state = state
            self._emit(SharingChanged(state, self._source, reason))
