"""In which sizes the server has each participant's picture: the answers to ``getStreamInfo``.

Used by the conference. A server that transcodes has several (signalling reference, 3.4 and 5.5), others have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.core.wire import Json

STREAMS = 1000
"""Streams of which sizes are remembered."""
_EACH = 16
"""Sizes of one stream that are read."""
_LARGEST = 1 << 14


@dataclass(frozen=True, slots=True)
class Rendition:
    """A size in pixels."""

    width: int
    height: int


class Renditions:
    """The last answer about each stream."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Rendition, ...]] = {}

    def take(self, record: Json) -> None:
        """``streamInformation``; what is no size in it is left out."""
        stream_id, entries = record.get("streamId"), record.get("streamInfo")
        if not (isinstance(stream_id, str) and isinstance(entries, list)):
            return
        sizes = {size for entry in entries[:_EACH] if (size := _read(entry)) is not None}
        self._known.pop(stream_id, None)
        self._known[stream_id] = tuple(sorted(sizes, key=lambda size: size.height))
        while len(self._known) > STREAMS:
            del self._known[next(iter(self._known))]

    def of(self, stream_id: str) -> tuple[Rendition, ...]:
        """From the lowest to the highest; nothing while the server has not said."""
        return self._known.get(stream_id, ())


def _read(entry: object) -> Rendition | None:
    if not isinstance(entry, dict):
        return None
    width, height = entry.get("streamWidth"), entry.get("streamHeight")
    if type(width) is not int or type(height) is not int:
        return None
    return Rendition(width, height) if 0 < width < _LARGEST and 0 < height < _LARGEST else None
