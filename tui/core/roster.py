"""Who is in the room and which track carries whom: people, slots and tracks joined, whatever order they come in.

Used by the conference. The sources, by trust (signalling reference, 4.3): the polled list of subtracks, the pushed
additions and removals, the assignment lists, the tracks. Nothing in here does I/O.
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tui.core.events import Participant
from tui.core.records import stale
from tui.core.sharing import PRESENTATION
from tui.core.wire import is_stream_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from tui.core.peer import RemoteTrack
    from tui.core.records import Assignment, Broadcast
    from tui.core.wire import Json

PARTICIPANT_LIMIT = 1000
"""People that are listed; more are dropped (hostile inputs: limits)."""

GUEST_LIMIT = 100
GUEST_STAY = 300.0
"""Seconds for which somebody is listed who was only ever met in the chat, and how many of them at once."""

UNKNOWN_AFTER = 2.0
"""Seconds after which a picture is shown although no list has named its owner yet."""

_SLOT = re.compile(r"(video|audio)Track\d+\Z")
_State: TypeAlias = tuple[
    str, bool, bool, bool, bool, str | None, str | None, str | None, str, bool, bool, bool, bool, bool, bool
]
"""What a `Participant` is beside its id, in the same order."""
_NOTHING: dict[str, str] = {}


@dataclass(slots=True)
class _Person:
    stream_id: str
    name: str = ""
    role: str = ""
    microphone: bool = True
    camera: bool = True
    recording: bool = False
    away: bool = False
    play_only: bool = False
    listed: bool = False
    """Named by the server, not only met as the owner of a track or in the chat."""
    missed: int = 0
    """Lists in a row that did not name this person."""
    stale: bool = False
    since: float = 0.0
    """When this person was met, by our clock; of a guest, when last heard of."""
    guest: bool = False
    """Met in the chat alone."""


def _state(
    person: _Person,
    carried: Mapping[str, Mapping[str, str]],
    pinned: set[str],
    talks: bool,
    known: Collection[str],
) -> _State:
    screen = person.stream_id + PRESENTATION
    own = carried.get(person.stream_id, _NOTHING)
    return (
        person.name or person.stream_id,
        False,
        person.microphone,
        person.camera,
        talks and person.microphone,
        own.get("video"),
        own.get("audio"),
        carried.get(screen, _NOTHING).get("video"),
        person.role,
        person.play_only and not own,
        person.stream_id in pinned or screen in pinned,
        person.recording,
        person.stale,
        screen in known or "video" in carried.get(screen, _NOTHING),
        person.away,
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """A track and since when there is one."""

    track: RemoteTrack
    since: float


class Roster:
    """The people of one room, without oneself; ids in order of arrival."""

    def __init__(self, room: str, own_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._own_ids = {own_id, own_id + PRESENTATION}
        self._clock = clock
        self._people: dict[str, _Person] = {}
        self._lines: dict[str, _Line] = {}
        self._slots: dict[str, dict[str, Assignment]] = {"video": {}, "audio": {}}
        self._assigned_at: dict[str, float] = {}
        self._departed: deque[str] = deque(maxlen=PARTICIPANT_LIMIT)
        self._told: dict[str, tuple[_State, Participant]] = {}

    # sources

    def list_subtracks(
        self, broadcasts: Collection[Broadcast], asked_at: float | None = None, *, paged: bool = False
    ) -> None:
        """The whole polled list: who is not in it has left.

        Not so whoever came after the list was asked for at ``asked_at``. Only the second list misses whoever sits in
        a slot, because lists and slots are not taken at the same moment, and everybody when the list was ``paged``:
        who leaves meanwhile moves another one to a page that was read before.
        """
        asked = self._clock() if asked_at is None else asked_at
        late = stale(broadcasts)
        present = [broadcast for broadcast in broadcasts if not broadcast.is_over]
        listed = {broadcast.stream_id for broadcast in present}
        carried = self._carried()
        for person in list(self._people.values()):
            if person.stream_id in listed or person.guest or person.since > asked:
                continue
            person.missed += 1
            if person.missed > 1 or not (paged or person.stream_id in carried):
                self.remove(person.stream_id)
        for broadcast in present:
            # The record of somebody who broke off stays for a while; nobody is met by it.
            if broadcast.stream_id not in late or broadcast.stream_id in self._people:
                self.describe(broadcast)
        for person in self._people.values():
            person.stale = person.stream_id in late
        self.forget_guests()

    def describe(self, broadcast: Broadcast) -> None:
        """One record: name, role and media state of a person."""
        person = self.add(broadcast.stream_id)
        if person is not None:
            person.name = broadcast.name or person.name
            person.role = broadcast.role or person.role
            self._read_meta_data(person, broadcast.meta_data)

    def add(self, stream_id: str) -> _Person | None:
        """``subtrackAdded``, or an entry of a list."""
        person = self._meet(stream_id)
        if person is not None:
            if stream_id in self._departed:
                self._departed.remove(stream_id)
            if person.guest:
                person.guest = person.play_only = False
                person.microphone = person.camera = True
            person.listed, person.missed = True, 0
        return person

    def remove(self, stream_id: str) -> None:
        """``subtrackRemoved``: gone, although an assignment list of before may still name them."""
        if self._people.pop(stream_id, None) is not None and stream_id in self._assigned():
            self._departed.append(stream_id)

    def assign(self, kind: str, assignments: Iterable[Assignment]) -> None:
        """The whole list of who is in which slot of that kind; an empty id frees the slot."""
        self._slots[kind] = {assignment.label: assignment for assignment in assignments}
        self._assigned_at[kind] = self._clock()
        assigned = self._assigned()
        # Once the slots say so too, who left may come back by a slot.
        self._departed = deque((gone for gone in self._departed if gone in assigned), PARTICIPANT_LIMIT)
        for assignment in self._slots[kind].values():
            if assignment.stream_id not in self._departed:
                self._meet(assignment.stream_id)

    def forget_slots(self) -> None:
        """The play connection is gone; the next one deals its slots anew."""
        for kind in self._slots:
            self.assign(kind, ())

    def greet(self, stream_id: str, name: str) -> None:
        """Somebody spoke in the chat or raised a hand: whoever only plays is met in no other way (section 4.3.1)."""
        known = self._people.get(stream_id)
        if known is None:
            self.forget_guests()
            if sum(person.guest for person in self._people.values()) >= GUEST_LIMIT:
                return
        person = self._meet(stream_id)
        if person is not None and (known is None or known.guest):
            person.name = name or person.name
            person.guest = person.play_only = True
            person.microphone = person.camera = False
            person.since = self._clock()

    def forget_guests(self) -> None:
        """Drop whom nothing was heard of for `GUEST_STAY`."""
        ends = self._clock() - GUEST_STAY
        for person in [person for person in self._people.values() if person.guest and person.since < ends]:
            del self._people[person.stream_id]

    def add_track(self, track: RemoteTrack) -> None:
        """A track begins."""
        self._lines[track.key] = _Line(track, self._clock())
        if not _SLOT.match(track.label):
            self._meet(track.label)

    def remove_track(self, track: RemoteTrack) -> None:
        """A track has ended; whoever was met by it alone has left."""
        self._lines.pop(track.key, None)
        owner = self._owner(track)
        person = self._people.get(owner) if owner else None
        if person and not person.listed and not person.guest and owner not in self._carried():
            del self._people[person.stream_id]

    def hear_event(self, stream_id: str, event_type: str) -> None:
        """A participant announced a change of its microphone, camera or recording (section 6.3)."""
        person = self._people.get(stream_id)
        if person is None:
            return
        match event_type:
            case "MIC_MUTED":
                person.microphone = False
            case "MIC_UNMUTED":
                person.microphone, person.away = True, False
            case "CAM_TURNED_OFF":
                person.camera = False
            case "CAM_TURNED_ON":
                person.camera, person.away = True, False
            case "RECORDING_TURNED_ON":
                person.recording = True
            case "RECORDING_TURNED_OFF":
                person.recording = False

    # answers

    def __contains__(self, stream_id: object) -> bool:
        return stream_id in self._people

    def __len__(self) -> int:
        return len(self._people)

    def verifies(self, stream_id: str) -> bool:
        """Whether the server itself has named this participant."""
        person = self._people.get(stream_id)
        return person is not None and not person.guest

    @property
    def publishers(self) -> int:
        """How many there are who may send a picture."""
        return sum(not person.play_only for person in self._people.values())

    def unnamed(self) -> set[str]:
        """Who is here by an id alone."""
        return {person.stream_id for person in self._people.values() if not person.name}

    def name_of(self, stream_id: str) -> str:
        """The name that the server gave; empty when there is none."""
        person = self._people.get(stream_id)
        return person.name if person is not None and not person.guest else ""

    def owner_of(self, track: RemoteTrack) -> str | None:
        """The stream id of who is on this track now, ``None`` while nobody knows."""
        owner = self._owner(track)
        return owner if self._is_person(owner) else None

    def is_own(self, track: RemoteTrack) -> bool:
        """Whether the server sends ourselves back on this track (section 4.6)."""
        return self._owner(track) in self._own_ids

    def slot_of(self, stream_id: str) -> str | None:
        """The video slot that this participant sits in."""
        found = (slot.label for slot in self._slots["video"].values() if slot.stream_id == stream_id)
        return next(found, None)

    def free_slot(self, limit: int | None = None, held: Collection[str] = ()) -> str | None:
        """The video slot that somebody new can best be pinned into, when we asked for ``limit`` slots at most.

        An empty one, if it may be filled; else the last that is not pinned; else the last. In the ``held`` ones
        somebody is pinned already, although the last list may not say so yet.
        """
        slots = list(self._slots["video"].values())
        taken = [slot for slot in slots if slot.stream_id]
        free = [slot for slot in slots if not slot.reserved and slot.label not in held]
        empty = [slot for slot in free if not slot.stream_id] if limit is None or len(taken) < limit else []
        unpinned = [slot for slot in free if slot.stream_id]
        best = empty[:1] or unpinned[-1:] or taken[-1:]
        return best[0].label if best else None

    def participants(self, talking: Collection[str]) -> tuple[Participant, ...]:
        """Everybody but oneself; ``talking`` are the stream ids of who talks.

        Whoever has not changed since the last time is the same object: a room of thousands is asked several times a
        second, and who compares is done at once.
        """
        carried: dict[str, dict[str, str]] = {}
        for line in self._lines.values():
            owner = self._owner(line.track)
            if owner is not None:
                carried.setdefault(owner, {})[line.track.kind] = line.track.key
        pinned = {slot.stream_id for slot in self._slots["video"].values() if slot.reserved}
        before, self._told = self._told, {}
        for stream_id, person in self._people.items():
            if not self._is_folded(stream_id):
                state = _state(person, carried, pinned, stream_id in talking, self._people)
                known = before.get(stream_id)
                self._told[stream_id] = (
                    known if known is not None and known[0] == state else (state, Participant(stream_id, *state))
                )
        return (*(participant for _, participant in self._told.values()), *self._unknown())

    def _unknown(self) -> Iterable[Participant]:
        """Pictures that play although nobody says whose they are."""
        for line in self._lines.values():
            track, labels = line.track, self._slots["video"]
            # A list that came after the track and does not name its slot says that it is empty.
            told = track.label in labels or self._assigned_at.get("video", 0.0) > line.since
            if track.kind == "video" and not told and self._owner(track) is None and self._is_old(line):
                yield Participant(stream_id=f"?{track.key}", name="unknown", video=track.key)

    def _is_old(self, line: _Line) -> bool:
        return self._clock() - line.since >= UNKNOWN_AFTER

    def _is_folded(self, stream_id: str) -> bool:
        """Whether this is the screen of somebody who is listed."""
        return stream_id.endswith(PRESENTATION) and stream_id.removesuffix(PRESENTATION) in self._people

    def _owner(self, track: RemoteTrack) -> str | None:
        """Whoever is on a track, be it ourselves."""
        slot = self._slots[track.kind].get(track.label)
        if slot is not None:
            return slot.stream_id or None
        return None if _SLOT.match(track.label) else track.label

    def _assigned(self) -> set[str]:
        return {slot.stream_id for slots in self._slots.values() for slot in slots.values()}

    def _carried(self) -> set[str | None]:
        """Who is in a slot or on a track."""
        return {*self._assigned(), *(self._owner(line.track) for line in self._lines.values())}

    def _is_person(self, stream_id: str | None) -> bool:
        # The server may list the room itself, and send our own picture back after a reconnect.
        return stream_id is not None and stream_id not in {self._room, *self._own_ids} and is_stream_id(stream_id)

    def _meet(self, stream_id: str) -> _Person | None:
        if not self._is_person(stream_id):
            return None
        person = self._people.get(stream_id)
        if person is None and len(self._people) < PARTICIPANT_LIMIT:
            person = self._people[stream_id] = _Person(stream_id, since=self._clock())
        return person

    @staticmethod
    def _read_meta_data(person: _Person, meta_data: Json) -> None:
        """Both dialects of section 6.5; what is missing keeps its state."""
        muted, play_only = meta_data.get("isMicMuted"), meta_data.get("playOnly")
        recording = meta_data.get("isRecording")
        if isinstance(recording, bool):
            person.recording = recording
        if isinstance(away := meta_data.get("isAway"), bool):
            person.away = away
        if isinstance(muted, bool):
            person.microphone = not muted
        camera_on, camera_off = meta_data.get("isCameraOn"), meta_data.get("isCameraOff")
        if isinstance(camera_on, bool):
            person.camera = camera_on
        elif isinstance(camera_off, bool):
            person.camera = not camera_off
        if isinstance(play_only, bool):
            person.play_only = play_only
