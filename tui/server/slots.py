"""Who sits in which slot of one viewer: everybody, or where the slots are limited, whoever is pinned or speaks.

Used by the viewers. Pure state: no sockets, no media, no clock of its own. The rules are those of the signalling
reference (2.5, 4.3.1, 5.4): audio and video slots are dealt independently, and a silent participant loses a slot
only when somebody louder needs it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.server.meters import SILENCE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

UNLIMITED = -1

HOLD = 1.0
"""Seconds for which a slot is kept by whoever has just got it."""

MARGIN = 10
"""By how many decibels somebody has to be louder to take a slot."""


class Kind(enum.StrEnum):
    """The two kinds of media, by the word that SDP uses."""

    VIDEO = "video"
    AUDIO = "audio"


class Labels(enum.Enum):
    """How a slot's track is named (section 5.3)."""

    SLOT = enum.auto()
    """``videoTrack0``: the server says on the data channel who is in it (AMS 2.10 and later)."""

    STREAM = enum.auto()
    """The participant's stream id itself, and no assignment lists (AMS 2.9 and earlier)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many slots one viewer has (section 5.4); `UNLIMITED` gives everybody one."""

    video: int = UNLIMITED
    """``maxVideoTrackCount``"""
    audio: int = UNLIMITED
    """``maxAudioTrackCount``"""
    audio_level_threshold: int = 120
    """The level that somebody has to beat to be given a slot for speaking."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One forwarded media position of a play connection."""

    kind: Kind
    label: str
    owner: str
    """The stream id of whoever is in it; empty when nobody is."""
    reserved: bool = False
    """Pinned: it does not follow the speakers."""

    @property
    def track_id(self) -> str:
        """The track's name in ``a=msid`` and ``idMapping``."""
        return f"ARDAMS{self.kind[0]}{self.label}"


class Slots:
    """The slots of one viewer: they are lent and taken back, but never removed (section 4.3)."""

    def __init__(self, labels: Labels = Labels.SLOT, limits: Limits | None = None) -> None:
        self.contested = False
        """Whether somebody waits for a slot, so that the levels matter."""
        self._labels = labels
        self._limits = limits or Limits()
        self._video_wish = UNLIMITED
        self._slots: dict[Kind, list[Slot]] = {kind: [] for kind in Kind}
        self._seated: dict[tuple[Kind, str], float] = {}
        self._pins: dict[str, str] = {}
        self._page: tuple[int, int] | None = None
        self._first = 0
        """So many from the first participant on are to be seated, once."""

    def of(self, kind: Kind) -> tuple[Slot, ...]:
        """The slots of one kind, in the order of their creation."""
        return tuple(self._slots[kind])

    # -- what the viewer wishes; each takes effect with the next `assign` --

    def limit_video(self, count: int) -> None:
        """So many video slots at most, within what the server allows; negative for as many as that."""
        self._video_wish = max(count, UNLIMITED)

    def turn_to(self, offset: int, size: int) -> None:
        """Show a page of the participants; the first one only to begin with, from then on it follows the speakers."""
        self._page = (offset, size) if offset > 0 and size > 0 else None
        self._first = max(size, 0) if offset == 0 else 0

    def pin(self, stream_id: str, label: str) -> None:
        """Show this participant in that video slot whoever speaks; ignored when there is no such slot."""
        if self._labels is Labels.STREAM:
            label = stream_id
        elif all(slot.label != label for slot in self._slots[Kind.VIDEO]):
            return
        self.unpin(stream_id, label)
        self._pins[label] = stream_id

    def unpin(self, stream_id: str, label: str) -> None:
        """The slot, and the participant, follow the speakers again."""
        self._pins = {pinned: owner for pinned, owner in self._pins.items() if pinned != label and owner != stream_id}

    # -- dealing --

    def assign(
        self, streams: Mapping[str, Collection[Kind]], levels: Mapping[str, int] | None = None, now: float = 0.0
    ) -> bool:
        """Deal the slots anew; whether any changed.

        ``streams`` are the kinds that each participant sends, ``levels`` how loud each is (0 to 127), ``now`` is in
        seconds of any clock.
        """
        before = dict(self._slots)
        self._pins = {label: owner for label, owner in self._pins.items() if Kind.VIDEO in streams.get(owner, ())}
        self.contested = False
        for kind in Kind:
            present = [stream_id for stream_id, kinds in streams.items() if kind in kinds]
            self._seat(kind, self._chosen(kind, present, levels or {}, now), now)
        return self._slots != before

    def _limit(self, kind: Kind) -> int:
        if kind is Kind.AUDIO:
            return self._limits.audio
        allowed = [count for count in (self._limits.video, self._video_wish) if count >= 0]
        return min(allowed, default=UNLIMITED)

    def _chosen(self, kind: Kind, present: list[str], levels: Mapping[str, int], now: float) -> list[str]:
        """Who shall have a slot."""
        limit = self._limit(kind)
        begin: list[str] = []
        if kind is Kind.VIDEO:
            begin, self._first = present[: self._first], 0
        if not 0 <= limit < len(present):
            return present
        self.contested = True
        pinned = list(self._pins.values()) if kind is Kind.VIDEO else []
        if kind is Kind.VIDEO and self._page is not None:
            first, size = self._page
            if page := present[first : first + size]:
                return list(dict.fromkeys([*pinned, *page]))[:limit]
        chosen = list(dict.fromkeys([*pinned, *begin, *self._sitting(kind, present, pinned)]))[:limit]
        waiting = [stream_id for stream_id in present if stream_id not in chosen]
        waiting.sort(key=lambda stream_id: levels.get(stream_id, SILENCE))
        for stream_id in waiting:
            level = levels.get(stream_id, SILENCE)
            speaks = level < self._limits.audio_level_threshold
            if len(chosen) < limit and (speaks or kind is Kind.VIDEO):
                chosen.append(stream_id)
                continue
            movable = [
                owner for owner in chosen if owner not in pinned and now - self._seated.get((kind, owner), now) >= HOLD
            ]
            quietest = max(movable, key=lambda owner: levels.get(owner, SILENCE), default=None)
            if quietest is None or not speaks or level + MARGIN > levels.get(quietest, SILENCE):
                break
            chosen[chosen.index(quietest)] = stream_id
        return chosen

    def _sitting(self, kind: Kind, present: list[str], pinned: list[str]) -> list[str]:
        """Who has a slot now; last, whose slot somebody else is pinned into."""
        slots = [slot for slot in self._slots[kind] if slot.owner in present and slot.owner not in pinned]
        return [slot.owner for slot in sorted(slots, key=lambda slot: slot.label in self._pins)]

    def _seat(self, kind: Kind, chosen: list[str], now: float) -> None:
        slots = self._slots[kind]
        free = [index for index, slot in enumerate(slots) if not slot.owner]
        owners = [slot.owner if slot.owner in chosen else "" for slot in slots]
        if self._labels is Labels.SLOT:
            if kind is Kind.VIDEO:
                self._seat_pinned(owners, chosen)
            free = [index for index, owner in enumerate(owners) if not owner]
        for stream_id in chosen:
            if stream_id in owners:
                continue
            if free:
                owners[free.pop(0)] = stream_id
            else:
                owners.append(stream_id)
        self._slots[kind] = [self._slot(kind, index, owner) for index, owner in enumerate(owners)]
        self._seated = {
            place: since for place, since in self._seated.items() if place[0] is not kind or place[1] in chosen
        }
        for stream_id in chosen:
            self._seated.setdefault((kind, stream_id), now)

    def _seat_pinned(self, owners: list[str], chosen: list[str]) -> None:
        """Into the very slots that they are pinned to; whoever sat there changes places."""
        labels = [slot.label for slot in self._slots[Kind.VIDEO]]
        for label, stream_id in self._pins.items():
            if stream_id not in chosen:
                continue
            place = labels.index(label)
            if stream_id in owners:
                owners[owners.index(stream_id)] = owners[place]
            owners[place] = stream_id

    def _slot(self, kind: Kind, index: int, owner: str) -> Slot:
        before = self._slots[kind][index].label if index < len(self._slots[kind]) else ""
        label = f"{kind}Track{index}" if self._labels is Labels.SLOT else owner or before
        reserved = kind is Kind.VIDEO and bool(owner) and self._pins.get(label) == owner
        return Slot(kind, label, owner, reserved)

    # -- what the viewer is told --

    def video_assignments(self, main_track: str) -> dict[str, Any]:
        """The VIDEO_TRACK_ASSIGNMENT_LIST event (section 6.2)."""
        payload = [
            {"videoLabel": slot.label, "trackId": slot.owner, "reserved": slot.reserved}
            for slot in self._slots[Kind.VIDEO]
        ]
        return {"eventType": "VIDEO_TRACK_ASSIGNMENT_LIST", "streamId": main_track, "payload": payload}

    def audio_assignments(self, main_track: str, levels: Mapping[str, int]) -> dict[str, Any]:
        """The AUDIO_TRACK_ASSIGNMENT event; ``levels`` are the last ones heard, by stream id."""
        payload = [
            {
                "audioLabel": slot.label,
                "trackId": slot.owner,
                "audioLevel": levels.get(slot.owner, SILENCE),
            }
            for slot in self._slots[Kind.AUDIO]
        ]
        return {"eventType": "AUDIO_TRACK_ASSIGNMENT", "streamId": main_track, "payload": payload}
