"""What participants announce besides chat and mute: who is meant by whom, and what of it is worth telling.

Used by the talk. Anybody can send anything, so only what concerns ourselves or somebody in the room passes.
Source: signalling reference, 6.2 and 6.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.events import Announced, Notice, Reaction
from tui.core.records import cut_name
from tui.core.sharing import PRESENTATION

if TYPE_CHECKING:
    from tui.core.roster import Roster
    from tui.core.wire import Json

REACTION_LIMIT = 64
"""Characters of a reaction's name that are kept."""

_ABOUT_SENDER = frozenset({Notice.HAND_RAISED, Notice.MAY_SPEAK, Notice.MAY_NOT_SPEAK, Notice.LISTEN_AGAIN})
"""Their ``streamId`` is the room, and ``senderStreamId`` the listener concerned, whoever sent them."""

_OURS_ALONE = frozenset({Notice.MAY_SPEAK, Notice.MAY_NOT_SPEAK, Notice.LISTEN_AGAIN, Notice.PINNED, Notice.UNPINNED})
_VIEWERS = frozenset({Notice.VIEWER_ADDED, Notice.VIEWER_REMOVED})


def whom(notice: Notice, event: Json) -> str:
    """The stream id of the participant that a notice is about; empty when it does not say."""
    if notice in _VIEWERS:
        return cut_name(event.get("subscriberId")) or cut_name(event.get("streamId"))
    subject = cut_name(event.get("senderStreamId" if notice in _ABOUT_SENDER else "streamId"))
    return subject.removesuffix(PRESENTATION)


def read_notice(notice: Notice, event: Json, own_id: str, roster: Roster) -> Announced | None:
    """The notice as told to the user; ``None`` when it concerns neither us nor anybody we know of."""
    subject = whom(notice, event)
    if notice in _VIEWERS:
        return Announced(notice, subject, cut_name(event.get("subscriberName")) or subject)
    if subject == own_id:
        return None if notice is Notice.HAND_RAISED else Announced(notice, subject, roster.name_of(subject) or subject)
    if notice in _OURS_ALONE or not subject:
        return None
    called = cut_name(event.get("senderStreamName"))
    # Who only plays is met by what they send; a recording without a name is of somebody on the list.
    if notice is Notice.HAND_RAISED or (notice is Notice.RECORDING_ON and called):
        roster.greet(subject, called)
    if subject not in roster:
        return None
    return Announced(notice, subject, roster.name_of(subject) or called or subject)


def read_reaction(event: Json, own_id: str, roster: Roster) -> Reaction | None:
    """A reaction of somebody in the room; ``None`` for anything else, our own echo included."""
    sender = cut_name(event.get("senderStreamId")) or cut_name(event.get("streamId"))
    reaction = event.get("reaction")
    if sender == own_id or sender not in roster or not isinstance(reaction, str) or not reaction:
        return None
    name = roster.name_of(sender) or cut_name(event.get("senderStreamName")) or sender
    return Reaction(sender, name, reaction[:REACTION_LIMIT])
