"""Everybody in the room as they are drawn, made anew only where something has changed.

Used by the bridge. A room of thousands changes one person at a time: whoever has not changed stays the same object,
by which all that comes after can tell at once.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from tui.statistics import Health
from tui.text import printable
from tui.updates import ID_LIMIT, Person, called, skeleton

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tui.core.events import Participant

_RESERVED: Final = frozenset({"you", "(you)"})
"""Names that would pass for oneself."""
_NO_VOICES: Final[Mapping[str, tuple[float, bool]]] = MappingProxyType({})
_AS_IS: Final = 1.0, False
_UNKNOWN: Final = Health.UNKNOWN, ""

_State: TypeAlias = "tuple[Participant, str, tuple[float, bool], bool, tuple[Health, str]]"
"""What a `Person` is made of."""


class Crowd:
    """The people of a call; ``voices`` (volume, silenced) and raised ``hands``, by stream id, stay the owner's."""

    def __init__(self, voices: Mapping[str, tuple[float, bool]] = _NO_VOICES, hands: Collection[str] = ()) -> None:
        self.qualities: Mapping[str, tuple[Health, str]] = {}
        """How well they are received, and why, by stream id."""
        self._voices = voices
        self._hands = hands
        self._roster: tuple[Participant, ...] = ()
        self._drawn: dict[str, tuple[_State, Person]] = {}

    def follow(self, roster: Iterable[Participant]) -> set[str]:
        """Other people, or the same in another state; who only listened and takes part from now on."""
        listened = {participant.stream_id for participant in self._roster if participant.play_only}
        self._roster = tuple(roster)
        return listened & {participant.stream_id for participant in self._roster if not participant.play_only}

    def draw(self) -> tuple[Person, ...]:
        """All of them: names cut, empty ones named, look-alikes told apart by their ids."""
        before, self._drawn = self._drawn, {}
        voices, hands, qualities = self._voices, self._hands, self.qualities
        seen: set[str] = set()
        people = []
        for participant in self._roster:
            key = participant.stream_id
            name = called(participant.name)
            look = skeleton(name)
            if not participant.is_self and (look in seen or look in _RESERVED):
                name = f"{name} #{printable(key, ID_LIMIT)[-6:]}"
            seen.add(look)
            state = participant, name, voices.get(key, _AS_IS), key in hands, qualities.get(key, _UNKNOWN)
            known = before.get(key)
            drawn = known if known is not None and known[0] == state else (state, _person(*state))
            self._drawn[key] = drawn
            people.append(drawn[1])
        return tuple(people)


def _person(
    participant: Participant, name: str, voice: tuple[float, bool], hand: bool, quality: tuple[Health, str]
) -> Person:
    return Person(
        key=participant.stream_id,
        stream_id=printable(participant.stream_id, ID_LIMIT),
        name=name,
        is_self=participant.is_self,
        microphone=participant.microphone,
        camera=participant.camera,
        talking=participant.talking,
        video=participant.video,
        audio=participant.audio,
        presentation=participant.presentation,
        recording=participant.recording,
        sharing=participant.sharing or participant.presentation is not None,
        hand=hand,
        away=participant.away,
        volume=voice[0],
        silenced=voice[1],
        role=printable(participant.role, ID_LIMIT),
        play_only=participant.play_only,
        stale=participant.stale,
        quality=quality[0],
        quality_reason=quality[1],
    )
