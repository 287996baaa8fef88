"""Who is in the room, and which track carries whom right now. Pure state, used by the conference.

Four sources, in the order of trust (signalling reference, 4.3): the polled list of subtracks, the pushed additions
and removals, the slot assignments, the tracks themselves. They arrive in any order; `participants` is always the
best answer so far.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.core.events import Participant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tui.core.messages import Assignment, Broadcast
    from tui.core.peer import RemoteTrack

PARTICIPANT_LIMIT = 1000
"""People that are listed; more are dropped (hostile inputs: limits)."""

_SLOT = re.compile(r"(video|audio)Track\d+\Z")


@dataclass(slots=True)
class _Person:
    stream_id: str
    name: str = ""
    microphone: bool = True
    camera: bool = True
    listed: bool = False
    """Named by the server, not only met as the owner of a track."""


class Roster:
    """The people of one room, without oneself; ids in order of arrival."""

    def __init__(self, room: str, own_id: str) -> None:
        self._room = room
        self._own_id = own_id
        self._people: dict[str, _Person] = {}
        self._tracks: dict[str, RemoteTrack] = {}
        self._owners: dict[str, dict[str, str]] = {}

    # sources

    def list_subtracks(self, broadcasts: Iterable[Broadcast]) -> None:
        """The whole polled list: who is not in it has left."""
        listed = {broadcast.stream_id for broadcast in broadcasts if self._is_person(broadcast.stream_id)}
        for stream_id in [known for known in self._people if known not in listed]:
            del self._people[stream_id]
        for broadcast in broadcasts:
            self.describe(broadcast)

    def describe(self, broadcast: Broadcast) -> None:
        """One record: name and media state of a person."""
        person = self._person(broadcast.stream_id)
        if person is None:
            return
        person.listed = True
        person.name = broadcast.name or person.name
        self._read_meta_data(person, broadcast.meta_data)

    def add(self, stream_id: str) -> None:
        """``subtrackAdded``."""
        person = self._person(stream_id)
        if person is not None:
            person.listed = True

    def remove(self, stream_id: str) -> None:
        """``subtrackRemoved``."""
        self._people.pop(stream_id, None)

    def assign(self, kind: str, assignments: Iterable[Assignment]) -> None:
        """The whole list of who is in which slot of that kind; an empty id frees the slot."""
        owners = self._owners[kind] = {}
        for assignment in assignments:
            if assignment.stream_id:
                owners[assignment.label] = assignment.stream_id
                self._person(assignment.stream_id)

    def add_track(self, track: RemoteTrack) -> None:
        """A track begins."""
        self._tracks[track.key] = track
        if not _SLOT.match(track.label):
            self._person(track.label)

    def remove_track(self, track: RemoteTrack) -> None:
        """A track has ended; whoever was met by it alone has left."""
        self._tracks.pop(track.key, None)
        owner = self._owner(track)
        person = self._people.get(owner) if owner else None
        if person and not person.listed and not any(self._owner(other) == owner for other in self._tracks.values()):
            del self._people[person.stream_id]

    def hear_event(self, stream_id: str, event_type: str) -> None:
        """A participant announced a change of its microphone or camera (section 6.3)."""
        person = self._people.get(stream_id)
        if person is None:
            return
        match event_type:
            case "MIC_MUTED":
                person.microphone = False
            case "MIC_UNMUTED":
                person.microphone = True
            case "CAM_TURNED_OFF":
                person.camera = False
            case "CAM_TURNED_ON":
                person.camera = True

    # answers

    def __contains__(self, stream_id: str) -> bool:
        return stream_id in self._people

    def owner_of(self, track: RemoteTrack) -> str | None:
        """The stream id of who is on this track now, ``None`` while nobody knows."""
        return self._owner(track)

    def participants(self, talking: Mapping[str, bool]) -> tuple[Participant, ...]:
        """Everybody but oneself; ``talking`` by stream id."""
        carried: dict[tuple[str, str], str] = {}
        for track in self._tracks.values():
            owner = self._owner(track)
            if owner is not None:
                carried[owner, track.kind] = track.key
        return tuple(
            Participant(
                stream_id=person.stream_id,
                name=person.name or person.stream_id,
                microphone=person.microphone,
                camera=person.camera,
                talking=person.microphone and talking.get(person.stream_id, False),
                video=carried.get((person.stream_id, "video")),
                audio=carried.get((person.stream_id, "audio")),
            )
            for person in self._people.values()
        )

    def _owner(self, track: RemoteTrack) -> str | None:
        owner = self._owners.get(track.kind, {}).get(track.label)
        if owner is None and not _SLOT.match(track.label):
            owner = track.label
        return owner if owner is not None and self._is_person(owner) else None

    def _is_person(self, stream_id: str) -> bool:
        # The server may list the room itself, and send our own picture back after a reconnect.
        return bool(stream_id) and stream_id not in (self._room, self._own_id, f"{self._own_id}_presentation")

    def _person(self, stream_id: str) -> _Person | None:
        if not self._is_person(stream_id):
            return None
        person = self._people.get(stream_id)
        if person is None and len(self._people) < PARTICIPANT_LIMIT:
            person = self._people[stream_id] = _Person(stream_id)
        return person

    @staticmethod
    def _read_meta_data(person: _Person, meta_data: Mapping[str, Any]) -> None:
        """Both dialects of section 6.5; what is missing keeps its state."""
        muted = meta_data.get("isMicMuted")
        if isinstance(muted, bool):
            person.microphone = not muted
        camera_on, camera_off = meta_data.get("isCameraOn"), meta_data.get("isCameraOff")
        if isinstance(camera_on, bool):
            person.camera = camera_on
        elif isinstance(camera_off, bool):
            person.camera = not camera_off
