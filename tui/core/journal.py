"""The log of a call: what the adaptor says and sends, as `Callback` events that can be shown and written as JSON.

Used by the conference. Nothing is left out; what only repeats for as long as the call lasts is marked as routine.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tui.core.commands import GetSubtracks, GetSubtracksCount, GetVideoTrackAssignments, Ping
from tui.core.events import Callback, Direction
from tui.core.messages import TakeCandidate
from tui.core.protocol import MADE_UP
from tui.core.records import Broadcast, read_assignments
from tui.core.wire import load_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.core.wire import Json, Message

_CLOCKWORK = frozenset({"pong", "bitrateMeasurement", "updated_stats"})
"""Callbacks that come by the clock for as long as the call lasts."""

_REPEATED = ("VIDEO_TRACK_ASSIGNMENT_LIST", "AUDIO_TRACK_ASSIGNMENT", "UPDATE_AUDIO_LEVEL")
"""Data-channel events that come by the clock, or as answers to our polls (section 6.2)."""

_POLLS = (GetSubtracks, GetSubtracksCount, GetVideoTrackAssignments, Ping, TakeCandidate)


class Journal:
    """One call's log; each entry goes to ``emit``."""

    def __init__(self, emit: Callable[[Callback], None]) -> None:
        self._emit = emit
        self._polled: dict[str, object] = {}

    def command(self, message: Message) -> None:
        """A message that was sent."""
        if not isinstance(message, (Ping, TakeCandidate)):
            self._write(message.command, message.payload(), Direction.OUT, routine=isinstance(message, _POLLS))

    def callback(self, info: str, obj: Any) -> None:
        """A ``callback(info, obj)`` of the adaptor."""
        kind, state = _polled_state(info, obj)
        routine = info in _CLOCKWORK or (state is not None and self._polled.get(kind) == state)
        if state is not None:
            self._polled[kind] = state
        self._write(info, _as_json(obj), _direction(info), routine=routine)

    def event(self, way: str, event: Json) -> None:
        """An event that was sent on the data channel of the session ``way``."""
        self._write("data_sent", {"streamId": way, "data": event}, Direction.OUT)

    def error(self, error: str, record: Mapping[str, Any]) -> None:
        """A ``callback_error(error, obj)`` of the adaptor."""
        shown = {key: value for key, value in record.items() if key != "cause"}
        self._write(error, _as_json(shown), _direction(error), error=True)

    def _write(self, info: str, obj: object, at: Direction, *, error: bool = False, routine: bool = False) -> None:
        self._emit(Callback(info, obj, at, time.time(), error, routine))


def _direction(info: str) -> Direction:
    return Direction.LOCAL if info in MADE_UP else Direction.IN


def _polled_state(info: str, obj: Any) -> tuple[str, object]:
    """What repeats by itself: its name, and what it says without the clocks and levels in it; ``None`` for the rest."""
    if not isinstance(obj, dict):
        return info, None
    match info:
        case "subtrackList" if isinstance(obj.get("subtrackList"), list):
            return info, [Broadcast.read(entry) for entry in obj["subtrackList"]]
        case "subtrackCount":
            return info, obj.get("count")
        case "data_received" if isinstance(obj.get("data"), str):
            return _told_state(obj["data"])
    return info, None


def _told_state(data: str) -> tuple[str, object]:
    kind = next((kind for kind in _REPEATED if kind in data), "")
    match kind:
        case "VIDEO_TRACK_ASSIGNMENT_LIST":
            return kind, data
        case "AUDIO_TRACK_ASSIGNMENT":
            return kind, read_assignments(load_object(data), "audioLabel")
        case "UPDATE_AUDIO_LEVEL":
            return kind, True
    return kind, None


def _as_json(obj: Any) -> object:
    """A callback's object without live objects and raw bytes."""
    if not isinstance(obj, dict):
        return obj
    shown: dict[str, object] = {}
    for key, value in obj.items():
        if key == "remoteTrack":
            shown |= {"kind": value.kind, "mid": value.mid}
        elif isinstance(value, bytes):
            shown[key] = f"{len(value)} bytes"
        elif key != "track":
            shown[key] = value
    return shown
