"""Everything that is said on the data channel of a room: read, told and written.

Used by the conference, one `Talk` for each time in a room. The server's own events go to the roster and the talkers,
those of participants to the user. Source: signalling reference, 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tui.core.chat import Chat, Dialect
from tui.core.copies import Copies
from tui.core.events import ModeratorRequest, Notice, OnRequest, Wish
from tui.core.floor import Floor
from tui.core.notices import read_notice, read_reaction, whom
from tui.core.records import assignment_entries, cut_name, read_assignments, read_level, read_levels
from tui.core.requests import Requests
from tui.core.wire import load_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tui.core.events import Event
    from tui.core.roster import Roster
    from tui.core.talkers import Talkers
    from tui.core.wire import Json

_MEDIA_EVENTS = frozenset({"MIC_MUTED", "MIC_UNMUTED", "CAM_TURNED_OFF", "CAM_TURNED_ON"})
_NOTICES = {str(notice): notice for notice in Notice}
_INVITATIONS = {Notice.MAY_SPEAK: Wish.SPEAK, Notice.LISTEN_AGAIN: Wish.LISTEN}
_WISHES = {str(wish): wish for wish in Wish if wish not in _INVITATIONS.values()}
_DIALECTS = {str(dialect): dialect for dialect in Dialect}


class TalkOwner(Protocol):
    """What a talk needs of the conference."""

    def send_event(self, event: Json, *, to_room: bool = False) -> bool:
        """Put an event on its way: on the own stream's channel, else, or when ``to_room``, on the room's."""

    def roster_changed(self) -> None:
        """The roster is another one now."""

    def tracks_changed(self) -> None:
        """Other people are on the tracks now."""

    def look_again(self) -> None:
        """The list of participants is to be asked for."""

    def could(self, wish: Wish) -> bool:
        """Whether a moderator's wish would change anything."""

    def comply(self, wish: Wish) -> None:
        """Do what a moderator wishes."""


class Talk:
    """The room's conversation, in and out."""

    def __init__(
        self,
        owner: TalkOwner,
        emit: Callable[[Event], None],
        roster: Roster,
        talkers: Talkers,
        *,
        room: str,
        own_id: str,
        own_name: str,
        on_request: OnRequest = OnRequest.ASK,
        dialects: Iterable[Dialect] | None = None,
    ) -> None:
        self._owner = owner
        self._emit = emit
        self._roster = roster
        self._talkers = talkers
        self._room = room
        self._own_id = own_id
        self._own_name = own_name
        self._floor = Floor()
        self._copies = Copies()
        self._requests = Requests(own_id, on_request, owner.could, emit)
        self._chat = Chat(own_id, own_name, owner.send_event, emit, self._floor, roster, dialects=dialects)

    # in

    def take(self, way: str, data: object) -> None:
        """A message that came on the channel of the session ``way``; what is not for us is ignored."""
        event = load_object(data) if isinstance(data, str) else {}
        kind = event.get("eventType")
        match kind:
            case "VIDEO_TRACK_ASSIGNMENT_LIST" if assignment_entries(event) is not None:
                self.assign(event)
            case "AUDIO_TRACK_ASSIGNMENT" if assignment_entries(event) is not None:
                self._hear_levels(event)
            case "UPDATE_AUDIO_LEVEL":
                self._hear_level(cut_name(event.get("streamId")), read_level(event.get("audioLevel")))
            case "TRACK_LIST_UPDATED" | "UPDATE_PARTICIPANT_ROLE":
                # A role is what the server's record says, not what somebody sends.
                self._owner.look_again()
            case str() if kind in _MEDIA_EVENTS:
                self._roster.hear_event(cut_name(event.get("streamId")), kind)
                self._owner.roster_changed()
                self._owner.look_again()
            case str() if kind in _DIALECTS:
                self._chat.take(_DIALECTS[kind], event, way)
                self._owner.roster_changed()
            case str() if kind in _WISHES:
                wish = self._requests.take(_WISHES[kind], event, self._roster)
                if wish is not None:
                    self._owner.comply(wish)
            case "REACTIONS":
                reaction = read_reaction(event, self._own_id, self._roster)
                if reaction is not None and self._is_new(reaction.sender, data, way):
                    self._emit(reaction)
            case str() if kind in _NOTICES:
                if self._is_new(whom(_NOTICES[kind], event), data, way):
                    self._take_notice(_NOTICES[kind], event)

    def assign(self, event: Json) -> None:
        """Who is in which video slot."""
        self._roster.assign("video", read_assignments(event))
        self._owner.tracks_changed()

    def take_dropped(self) -> int:
        """How many messages were too many since the last call."""
        return self._floor.take_dropped()

    def _hear_levels(self, event: Json) -> None:
        assignments = read_assignments(event, "audioLabel")
        if assignments or not assignment_entries(event):
            self._roster.assign("audio", assignments)
            self._owner.tracks_changed()
        for stream_id, level in read_levels(event).items():
            self._hear_level(stream_id, level)

    def _hear_level(self, stream_id: str, level: int | None) -> None:
        if level is not None and stream_id in self._roster:
            self._talkers.be_told(stream_id, level)

    def _is_new(self, sender: str, data: object, way: str) -> bool:
        return self._floor.may_speak(sender) and not self._copies.is_copy(data, way)

    def _take_notice(self, notice: Notice, event: Json) -> None:
        announced = read_notice(notice, event, self._own_id, self._roster)
        if announced is not None:
            self._emit(announced)
            invitation = _INVITATIONS.get(notice)
            if invitation is not None and self._requests.invite(invitation) is not None:
                self._owner.comply(invitation)
        self._roster.hear_event(whom(notice, event), notice)
        if notice is Notice.SCREEN_SHARED:
            self._owner.look_again()
        self._owner.roster_changed()

    # out

    def say(self, text: str) -> bool:
        """`Chat.say`."""
        return self._chat.say(text)

    def flush(self) -> None:
        """A channel has opened."""
        self._chat.flush()

    def react(self, reaction: str) -> bool:
        """Show a feeling; ``False`` when there is no channel."""
        event = {"eventType": "REACTIONS", "streamId": self._own_id, "reaction": reaction}
        return self._owner.send_event(event | self._sender)

    def raise_hand(self) -> bool:
        """Ask to be allowed to speak."""
        event = {"eventType": Notice.HAND_RAISED, "streamId": self._room}
        return self._owner.send_event(event | self._sender, to_room=True)

    def answer_hand(self, notice: Notice, stream_id: str) -> bool:
        """Tell a listener ``MAY_SPEAK``, ``MAY_NOT_SPEAK`` or ``LISTEN_AGAIN``."""
        return self._owner.send_event({"eventType": notice, "streamId": self._room, "senderStreamId": stream_id})

    def ask(self, wish: Wish, stream_id: str) -> bool:
        """Ask something of a participant; the room hears of an invitation, whom it concerns."""
        if wish in _INVITATIONS.values():
            return self.answer_hand(Notice(wish), stream_id)
        return self._owner.send_event({"eventType": wish, "streamId": stream_id, "senderStreamId": self._own_id})

    def tell_pinned(self, stream_id: str, pinned: bool) -> bool:
        """Tell a participant that somebody looks at them alone, or not any more."""
        notice = Notice.PINNED if pinned else Notice.UNPINNED
        return self._owner.send_event({"eventType": notice, "streamId": stream_id})

    def answer(self, request: ModeratorRequest, granted: bool) -> Wish | None:
        """`Requests.answer`."""
        return self._requests.answer(request, granted)

    @property
    def _sender(self) -> dict[str, str]:
        return {"senderStreamId": self._own_id, "senderStreamName": self._own_name}
