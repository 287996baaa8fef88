"""What we want to see of a room: how many pictures, which page, who is pinned, what is switched off.

Used by the conference. Each wish is said at once while the room is played. The server forgets it with the connection
(signalling reference, 4.6), so it is kept here and said again. Commands are those of section 2.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from tui.core.adaptor import WebRTCAdaptor

Kind: TypeAlias = Literal["audio", "video"]

_K = TypeVar("_K")
_V = TypeVar("_V")

CHOICES = 1000
"""Participants of whom something else is wanted than of the others."""


class Viewing:
    """The wishes for ``room``; ``wisher`` is the own published stream or, for who only plays, the room (9, no. 6)."""

    def __init__(self, room: str, wisher: str) -> None:
        self._adaptor: WebRTCAdaptor | None = None
        self._room = room
        self.wisher = wisher
        self.most: int | None = None
        self._page: tuple[int, int] | None = None
        self._pins: dict[str, str] = {}
        self._due: set[str] = set()
        self._enabled: dict[tuple[str, Kind | None], bool] = {}
        self._heights: dict[str | None, int] = {}

    async def set_most(self, count: int) -> None:
        """So many video slots at most."""
        self.most = count
        if self._adaptor is not None:
            await self._adaptor.set_max_video_track_count(self.wisher, count)

    async def repeat_most(self) -> None:
        """The own stream, whose wish it is, was published anew."""
        if self.most is not None:
            await self.set_most(self.most)

    async def set_page(self, offset: int, size: int) -> None:
        """The participants that the slots show, when there are more of them than slots."""
        self._page = (offset, size)
        if self._adaptor is not None:
            await self._adaptor.update_video_track_assignments(self._room, offset, size)

    async def pin(self, stream_id: str, slot: str) -> None:
        """Keep this participant in that slot."""
        others = self._pins.keys() - {stream_id, *self._due}
        for former in [pinned for pinned in others if self._pins[pinned] == slot]:
            await self.unpin(former)
        self._pins[stream_id] = slot
        self._due.discard(stream_id)
        if self._adaptor is not None:
            await self._adaptor.assign_video_track(slot, stream_id, True)

    async def unpin(self, stream_id: str) -> bool:
        """Let the slot follow the speakers again; ``False`` when the participant was not pinned."""
        slot = self._pins.pop(stream_id, None)
        self._due.discard(stream_id)
        if slot is not None and self._adaptor is not None:
            await self._adaptor.assign_video_track(slot, stream_id, False)
        return slot is not None

    async def enable(self, stream_id: str, kind: Kind | None, on: bool) -> None:
        """Have a participant forwarded or not; ``kind`` ``None`` means sound and picture."""
        if kind is None:
            self._enabled = {key: choice for key, choice in self._enabled.items() if key[0] != stream_id}
        self._remember(self._enabled, (stream_id, kind), on)
        if self._adaptor is not None:
            await self._tell_enabled(self._adaptor, stream_id, kind, on)

    async def set_height(self, height: int, stream_id: str | None) -> None:
        """The height of everybody's picture or of one; 0 leaves it to the server."""
        self._remember(self._heights, stream_id, height)
        if self._adaptor is not None:
            await self._adaptor.force_stream_quality(self._room, height, stream_id)

    @property
    def due(self) -> tuple[str, ...]:
        """Who is to be pinned again once the slots of the new connection are known: they need not be the old ones."""
        return tuple(self._due)

    @property
    def held(self) -> frozenset[str]:
        """The slots that somebody is pinned into now."""
        return frozenset(slot for pinned, slot in self._pins.items() if pinned not in self._due)

    def pause(self) -> None:
        """The room is not played any more: what is wished now is said when it is again."""
        self._adaptor = None

    async def resume(self, adaptor: WebRTCAdaptor) -> None:
        """The room is played, for the first time or anew: say it all."""
        self._adaptor = adaptor
        if self.most is not None:
            await adaptor.set_max_video_track_count(self.wisher, self.most)
        if self._page is not None:
            await adaptor.update_video_track_assignments(self._room, *self._page)
        self._due = set(self._pins)
        for (stream_id, kind), on in list(self._enabled.items()):
            await self._tell_enabled(adaptor, stream_id, kind, on)
        for owner, height in list(self._heights.items()):
            await adaptor.force_stream_quality(self._room, height, owner)

    async def _tell_enabled(self, adaptor: WebRTCAdaptor, stream_id: str, kind: Kind | None, on: bool) -> None:
        tell = {None: adaptor.enable_track, "audio": adaptor.toggle_audio, "video": adaptor.toggle_video}[kind]
        await tell(self._room, stream_id, on)

    @staticmethod
    def _remember(choices: dict[_K, _V], key: _K, value: _V) -> None:
        choices.pop(key, None)
        choices[key] = value
        while len(choices) > CHOICES:
            del choices[next(iter(choices))]
