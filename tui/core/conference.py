"""`Conference`: one person in one room. Join, leave, speak, be seen; survives what the network does.

The TUI, the headless command and the demo participants use it. It drives a `WebRTCAdaptor`, keeps the roster and
tells everything as the frozen events of `core.events` through one ``emit`` function, on the core's loop.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from tui.core.adaptor import WebRTCAdaptor
from tui.core.announcements import Announcements
from tui.core.attendance import Attendance
from tui.core.door import TRACK_LIMITS
from tui.core.events import (
    CallState,
    CallStateChanged,
    Event,
    ModeratorRequest,
    Notice,
    OnRequest,
    Participant,
    PublishingRefused,
    RetryPlanned,
    RosterChanged,
    ShareState,
    TrackAdded,
    TrackRemoved,
    Wish,
)
from tui.core.journal import Journal
from tui.core.presence import Presence
from tui.core.refusals import NOBODY_YET
from tui.core.renditions import Renditions
from tui.core.roster import Roster
from tui.core.sharing import Sharing
from tui.core.talk import Talk
from tui.core.talkers import Talkers
from tui.core.tasks import Tasks
from tui.core.viewing import Viewing
from tui.errors import AntconfError, UnreachableError, UsageError
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from aiortc import RTCIceServer
    from av import VideoFrame

    from tui.core.auth import Credentials
    from tui.core.chat import Dialect
    from tui.core.discovery import Endpoint
    from tui.core.peer import LocalTrack, RemoteTrack
    from tui.core.renditions import Rendition
    from tui.core.stats import PeerStats
    from tui.core.viewing import Kind
    from tui.core.wire import Json

JOIN_TIMEOUT = 15.0
"""Seconds from ``join`` to being in the room, then the attempt has failed."""

ROSTER_PERIOD = 0.1
"""Seconds between two rosters that are told; the first change is told at once."""

TALKING_PERIOD = 0.2
"""Seconds between two looks at who talks."""

SLOW_TURNS = 5
"""Every so many of those looks also at what changes by time alone."""

_REASONS = frozenset({"play_started", "play_finished", "publish_started", "session_restored"})
"""After these the list of participants may be another one."""


class Conference:
    """A room, joined and left any number of times.

    ``audio`` and ``video`` are published unless ``play_only``; they stay the caller's. Which of the two holds can be
    changed in the call: `begin_to_publish`, `stop_publishing`. With ``publish_only`` the others
    are neither seen nor heard, which costs nothing. ``local_preview`` is called with each own picture. Who only plays
    and has a name is listed by the legacy join, as the official application does, unless ``listed`` is false.
    ``on_request`` is what becomes of moderators' requests, ``dialects`` overrides how chat is written,
    ``tracks_off`` starts without any media until `set_track_enabled` asks for it. Every method may be called in any
    state.
    """

    def __init__(
        self,
        url: str | Endpoint,
        room: str,
        stream_id: str,
        emit: Callable[[Event], None],
        *,
        name: str = "",
        role: str = "",
        credentials: Credentials | None = None,
        play_only: bool = False,
        publish_only: bool = False,
        listed: bool = True,
        tracks_off: bool = False,
        on_request: OnRequest = OnRequest.ASK,
        dialects: Iterable[Dialect] | None = None,
        audio: LocalTrack | None = None,
        video: LocalTrack | None = None,
        local_preview: Callable[[VideoFrame], None] | None = None,
        ice_servers: Sequence[RTCIceServer] | None = None,
    ) -> None:
        self._url = url
        self._room = room
        self._stream_id = stream_id
        self._emit = emit
        self._name = name
        self._role = role
        self._credentials = credentials
        self._publish_only = publish_only
        self._may_be_listed = listed and bool(name)
        self._added = False
        """The own stream was begun in this call: without it we still listen."""
        self._tracks_off = tracks_off
        self._on_request = on_request
        self._dialects = dialects
        self._audio = None if play_only else audio
        self._video = None if play_only else video
        self._preview = local_preview
        self._ice_servers = ice_servers
        self._presence = Presence(stream_id, name, role, self._audio, self._video, play_only)
        self._viewing = Viewing(room, room if play_only else stream_id)
        self._floor = asyncio.Lock()
        self._adaptor: WebRTCAdaptor | None = None
        self._tasks = Tasks()
        self._sharing = Sharing(
            emit,
            self._tasks,
            room=room,
            own_id=stream_id,
            own_name=self._presence.name,
            role=role,
            credentials=credentials,
        )
        self._joining: asyncio.Task[None] | None = None
        self._ending = asyncio.Lock()
        self._failure: AntconfError | None = None
        self._obstacle = ""
        """What last kept us from coming in."""
        self._state = CallState.IDLE
        self._joined = asyncio.Event()
        self._parts = {part for part, used in (("publisher", not play_only), ("player", not publish_only)) if used}
        self._missing: set[str] = set()
        self._showing: asyncio.TimerHandle | None = None
        self._shown: tuple[Participant, ...] = ()
        self._more = 0
        self._people: tuple[Participant, ...] | None = ()
        self._begin_anew()

    def _begin_anew(self) -> None:
        """What lasts for one time in the room."""
        self._roster = Roster(self._room, self._stream_id)
        self._talkers = Talkers()
        self._attendance = Attendance(self, self._room, self._roster)
        self._journal = Journal(self._emit)
        self._talk = Talk(
            self,
            self._emit,
            self._roster,
            self._talkers,
            room=self._room,
            own_id=self._stream_id,
            own_name=self._presence.name,
            on_request=self._on_request,
            dialects=self._dialects,
        )
        self._renditions = Renditions()
        self._tracks: dict[str, RemoteTrack] = {}
        self._told_tracks: set[str] = set()
        self._announcements = Announcements(self, self._presence, self._sharing)

    @property
    def state(self) -> CallState:
        """Where the conference stands."""
        return self._state

    @property
    def participants(self) -> tuple[Participant, ...]:
        """Who is in the room, oneself first; ahead of what was told last."""
        if self._people is None:
            talking = self._talkers.now()
            myself = self._presence.participant(self._stream_id in talking, self._sharing.state is ShareState.ON)
            self._people = () if self._adaptor is None else (myself, *self._roster.participants(talking))
        return self._people

    # in and out

    async def join(self) -> None:
        """Enter the room. Returns when in it, or when that has failed or was given up: the state says which.

        Only a defect is raised.
        """
        if self._adaptor is None and (self._joining is None or self._joining.done()):
            self._joining = self._tasks.spawn(self._enter(), "joining")
        joining = self._joining
        if joining is not None:
            await asyncio.wait({joining})
            if not joining.cancelled() and (defect := joining.exception()) is not None:
                raise defect

    async def leave(self) -> None:
        """Stop publishing and playing, and close the connection; nothing happens when not in the room."""
        if self._joining is not None:
            self._joining.cancel()
            await asyncio.wait({self._joining})
        async with self._ending:
            if self._adaptor is None:
                return
            self._set_state(CallState.LEAVING)
            await self._end()
            self._set_state(CallState.IDLE)

    async def aclose(self) -> None:
        """Leave if need be; idempotent."""
        await self.leave()

    async def _enter(self) -> None:
        async with self._ending:  # a leave that is under way comes first
            self._joined.clear()
            self._failure = None
            self._obstacle = ""
            self._missing = {"player"} if self._presence.play_only else {"publisher"}
            self._added = False
            self._set_state(CallState.CONNECTING)
            adaptor = self._adaptor = WebRTCAdaptor(
                self._url,
                self._on_callback,
                self._on_error,
                audio=self._audio,
                video=self._video,
                local_preview=self._preview,
                ice_servers=self._ice_servers,
                play_only=self._presence.play_only,
                on_command=self._journal.command,
            )
        try:
            await adaptor.open()
            self._emit(self._presence.media)
            async with asyncio.timeout(JOIN_TIMEOUT):
                await self._begin_sessions(adaptor)
                await self._joined.wait()
            if self._failure is not None:
                raise self._failure
        except TimeoutError:
            text = f"the server did not let us into {printable(self._room, 60)} within {JOIN_TIMEOUT:.0f} s"
            hint = "if its media ports are behind a firewall, a TURN server is needed"
            if self._obstacle:
                text, hint = f"{text}: {printable(self._obstacle)}", ""
            await self._fail_to_join(UnreachableError(text, hint))
        except AntconfError as error:
            await self._fail_to_join(error)
        else:
            self._tasks.spawn(self._attendance.follow(), "list of participants")
            self._tasks.spawn(self._follow_talking(), "talking")

    async def _begin_sessions(self, adaptor: WebRTCAdaptor) -> None:
        if not self._presence.play_only:
            await self._publish(adaptor)
        if self._presence.recording:
            self._announcements.changed("recording")
        if not self._publish_only:
            await adaptor.play(
                self._room,
                room_id=self._room,
                role=self._role,
                subscriber_name=self._name,
                disable_tracks_by_default=self._tracks_off,
                credentials=self._credentials,
            )

    async def _publish(self, adaptor: WebRTCAdaptor) -> None:
        if self._stream_id == self._room:
            raise UsageError("the stream id and the room are the same", "give the stream another id")
        await adaptor.publish(
            self._stream_id,
            stream_name=self._name,
            main_track=self._room,
            meta_data=self._announcements.publish(),
            role=self._role,
            credentials=self._credentials,
        )

    # from the audience to the stage and back

    async def begin_to_publish(self, audio: LocalTrack | None, video: LocalTrack | None) -> bool:
        """Take part with these tracks in a room that was only played; what is heard and seen of it goes on.

        They stay the caller's. Holds until `stop_publishing`, also over a reconnect; when the server refuses,
        `PublishingRefused` says why and we listen on. ``False`` when not in a room, or when we take part already.
        """
        async with self._floor:
            adaptor = self._adaptor
            if adaptor is None or self._state is not CallState.JOINED or not self._presence.play_only:
                return False
            if self._listed:
                await adaptor.leave_from_room(self._room, self._stream_id)
            self._presence.publish(audio, video)
            self._added = True
            self._parts.add("publisher")
            self._missing.add("publisher")
            self._viewing.wisher = self._stream_id
            adaptor.use_tracks(audio, video)
            self._emit(self._presence.media)
            self.roster_changed()
            try:
                await self._publish(adaptor)
            except AntconfError as error:
                if self._adaptor is not adaptor:  # left meanwhile
                    return False
                await self._listen(adaptor)
                self._emit(PublishingRefused(str(error), error.hint))
            return True

    async def stop_publishing(self) -> None:
        """Only listen and watch from now on; nothing happens when we do already."""
        async with self._floor:
            adaptor = self._adaptor
            if adaptor is not None and not self._presence.play_only and not self._publish_only:
                await self.stop_sharing()
                await self._listen(adaptor)

    async def _listen(self, adaptor: WebRTCAdaptor) -> None:
        self._presence.listen()
        self._added = False
        self._parts.discard("publisher")
        self._viewing.wisher = self._room
        await adaptor.stop(self._stream_id)
        adaptor.use_tracks(None, None)
        self._emit(self._presence.media)
        self._arrived("publisher")  # nobody waits for it any more
        self.roster_changed()
        await self._viewing.repeat_most()
        if self._listed and self._state is CallState.JOINED:
            await self._be_listed(adaptor)

    async def _be_refused(self, cause: AntconfError) -> None:
        async with self._floor:
            if self._adaptor is not None and self._added:
                await self._sharing.end(self._adaptor)
                await self._listen(self._adaptor)
                self._emit(PublishingRefused(str(cause), cause.hint))

    @property
    def _listed(self) -> bool:
        return self._may_be_listed and self._presence.play_only

    async def _be_listed(self, adaptor: WebRTCAdaptor) -> None:
        await adaptor.join_room(
            self._room,
            self._stream_id,
            stream_name=self._name,
            role=self._role,
            metadata=self._presence.meta_data(),
        )

    # what a person can do

    @property
    def microphone(self) -> bool | None:
        """Whether we speak; ``None`` without a microphone."""
        return self._presence.media.microphone

    async def set_microphone(self, on: bool) -> None:
        """Speak, or send silence; the room is told (order of section 6.5: media, metaData, event)."""
        if self._presence.set_microphone(on):
            await self._media_changed("microphone")

    async def microphone_changed(self) -> None:
        """The own sound has another source, perhaps a device where only a stand-in was: the room is told."""
        await self._media_changed("microphone")

    async def set_camera(self, on: bool) -> None:
        """Send the picture, or black; the room is told."""
        if self._presence.set_camera(on):
            await self._media_changed("camera")

    async def camera_changed(self) -> None:
        """The own picture has another source, perhaps one where only a stand-in was: the room is told."""
        await self._media_changed("camera")

    async def set_away(self, away: bool) -> None:
        """Be away, neither heard nor seen, or be back as before; holds over a reconnect, hearing goes on."""
        if self._presence.set_away(away):
            # Others look for it in the metaData when they hear of the two.
            await self._media_changed("microphone", "camera")

    async def announce_recording(self, on: bool) -> None:
        """Tell the room that we record the call, or do so no more; holds until it is changed, also over a reconnect."""
        if self._presence.set_recording(on):
            self.roster_changed()
            self._announcements.changed("recording")
            await self._announcements.tell()

    async def share(self, picture: LocalTrack, source: str = "") -> bool:
        """Show this picture beside the own one, as a screen, until `stop_sharing`, a refusal or the end of the call.

        `SharingChanged` tells what becomes of it; it stays the caller's. ``False`` when not in a room, or without a
        stream of our own that it could be the screen of.
        """
        if self._adaptor is None or self._presence.play_only:
            return False
        await self._sharing.begin(self._adaptor, picture, source)
        return True

    async def stop_sharing(self) -> None:
        """Show no screen any more; nothing happens when none is shown."""
        self._announcements.screen(False)
        await self._sharing.end(self._adaptor)
        self.roster_changed()

    def retry(self) -> None:
        """Do not wait any longer before what was lost is tried again."""
        if self._adaptor is not None:
            self._adaptor.retry()

    async def stats(self, own: bool = False) -> PeerStats | None:
        """How the connection does that brings the room, or that takes our ``own`` stream; ``None`` without one."""
        return None if self._adaptor is None else await self._adaptor.get_stats(self._stream_id if own else self._room)

    def say(self, text: str) -> bool:
        """Say something in the chat, now or as soon as there is a channel: a `ChatMessage` follows.

        ``False`` when it was not taken: nothing to say, not in a room, or too much waits already.
        """
        return self._adaptor is not None and self._talk.say(text)

    def react(self, reaction: str) -> bool:
        """Show a feeling, such as ``thumbs_up``; ``False`` when there is no channel."""
        return self._talk.react(reaction)

    def raise_hand(self) -> bool:
        """Ask the hosts to be allowed to speak; ``False`` when there is no channel."""
        return self._talk.raise_hand()

    def answer_hand(self, stream_id: str, granted: bool) -> bool:
        """Tell a listener who raised a hand whether to speak; ``False`` when there is no channel."""
        return self._talk.answer_hand(Notice.MAY_SPEAK if granted else Notice.MAY_NOT_SPEAK, stream_id)

    def ask(self, wish: Wish, stream_id: str) -> bool:
        """Ask a participant to mute and the like, as a moderator; ``False`` when there is no channel."""
        return self._talk.ask(wish, stream_id)

    async def answer_request(self, request: ModeratorRequest, granted: bool) -> None:
        """Do what was asked of us, or not; a request is answered once."""
        wish = self._talk.answer(request, granted)
        if wish is not None:
            await self._comply(wish)

    # what a person wants to see

    async def set_max_video_tracks(self, count: int) -> None:
        """Receive at most so many pictures; holds until it is changed, also over a reconnect.

        More than can be received are never asked for.
        """
        await self._viewing.set_most(min(count, TRACK_LIMITS["video"]))

    async def show_page(self, offset: int, size: int) -> None:
        """Fill the slots with these participants, when there are more of them than slots."""
        await self._viewing.set_page(offset, size)

    async def pin(self, stream_id: str, slot: str | None = None) -> bool:
        """Keep a participant's picture in a slot, in ``slot`` or the best; ``False`` when there is none."""
        label = slot or self._best_slot(stream_id)
        if label is None:
            return False
        await self._viewing.pin(stream_id, label)
        self._talk.tell_pinned(stream_id, True)
        self._attendance.look_again()
        return True

    def _best_slot(self, stream_id: str) -> str | None:
        return self._roster.slot_of(stream_id) or self._roster.free_slot(self._viewing.most, self._viewing.held)

    async def _pin_again(self) -> None:
        for stream_id in self._viewing.due:
            if stream_id in self._roster and (label := self._best_slot(stream_id)) is not None:
                await self._viewing.pin(stream_id, label)

    async def unpin(self, stream_id: str) -> None:
        """Let the slot follow the speakers again."""
        if await self._viewing.unpin(stream_id):
            self._talk.tell_pinned(stream_id, False)
            self._attendance.look_again()

    async def set_track_enabled(self, stream_id: str, on: bool, kind: Kind | None = None) -> None:
        """Have a participant's sound or picture sent to us or not; ``None`` means both."""
        await self._viewing.enable(stream_id, kind, on)

    async def set_quality(self, height: int, stream_id: str | None = None) -> None:
        """Receive pictures of this height, of everybody or of one; 0 leaves it to the server."""
        await self._viewing.set_height(height, stream_id)

    async def ask_renditions(self, stream_id: str) -> None:
        """Ask in which sizes the server has a participant's picture; `renditions_of` tells once it has answered."""
        if self._adaptor is not None:
            await self._adaptor.get_stream_info(stream_id)

    def renditions_of(self, stream_id: str) -> tuple[Rendition, ...]:
        """The sizes to choose from, from the lowest on; nothing while the server has not said."""
        return self._renditions.of(stream_id)

    def owner_of(self, track: RemoteTrack) -> str | None:
        """The stream id of who is on that track now."""
        return self._roster.owner_of(track)

    # state

    def _set_state(self, state: CallState, error: AntconfError | None = None, reason: str = "") -> None:
        if state is self._state and error is None:
            return
        self._state = state
        if error is None:
            self._emit(CallStateChanged(state, reason))
        else:
            self._emit(CallStateChanged(state, str(error), error.hint, error.exit_code))

    async def _fail_to_join(self, error: AntconfError) -> None:
        self._joining = None  # nothing is left for `leave` to cancel, it waits for the end
        await self._give_up_unless_left(error)

    async def _fail(self, error: AntconfError) -> None:
        await self._end()
        self._set_state(CallState.FAILED, error)

    async def _end(self) -> None:
        adaptor, self._adaptor = self._adaptor, None
        await self._tasks.aclose()
        self._sharing.forget()
        if adaptor is not None:
            if self._listed:
                await adaptor.leave_from_room(self._room, self._stream_id)
            await adaptor.aclose()
        self._viewing.pause()
        self._begin_anew()
        if self._showing is not None:
            self._showing.cancel()
            self._showing = None
        self._show_now()

    def _give_up(self, error: AntconfError) -> None:
        """The adaptor has given up: the room cannot be held."""
        if self._state is CallState.CONNECTING:
            self._failure = error
            self._joined.set()
        else:
            self._tasks.spawn(self._give_up_unless_left(error), "giving up")

    async def _give_up_unless_left(self, error: AntconfError) -> None:
        async with self._ending:
            if self._adaptor is not None:
                await self._fail(error)

    def _arrived(self, part: str) -> None:
        """The publisher or the player is up, or back."""
        self._missing.discard(part)
        is_away = self._adaptor is not None and self._state in (CallState.CONNECTING, CallState.RECONNECTING)
        if is_away and not self._missing:
            self._joined.set()
            self._set_state(CallState.JOINED)

    def _lost(self, parts: set[str], reason: str) -> None:
        if "player" in parts:
            self._play_ended()
        if self._adaptor is not None and self._state in (CallState.JOINED, CallState.RECONNECTING):
            self._missing |= parts
            self._set_state(CallState.RECONNECTING, reason=reason)

    def _play_ended(self) -> None:
        """What the play connection told is not true any more."""
        self._viewing.pause()
        self._attendance.forget()
        self._roster.forget_slots()
        self.roster_changed()

    # what the adaptor says

    def _on_callback(self, info: str, obj: Any) -> None:
        record = obj if isinstance(obj, dict) else {}
        self._journal.callback(info, obj)
        if self._sharing.stream_id in (record.get("streamId"), obj):
            self._on_sharing(info)
            return
        match info:
            case "newTrackAvailable":
                self._begin_track(record["remoteTrack"])
            case "data_received":
                self._talk.take(str(record.get("streamId")), record.get("data"))
            case "data_channel_opened":
                self.spawn(self._announcements.tell(), "changes")
                self._talk.flush()
            case "publish_started" | "session_restored" if record.get("streamId") == self._stream_id:
                self._arrived("publisher")
                self._announcements.published(restored=info == "session_restored")
                self.spawn(self._announcements.tell(), "changes")
                self.spawn(self._viewing.repeat_most(), "limit")
                self.spawn(self._refuse_ourselves(), "own stream")
                self._talk.flush()
                self.roster_changed()
            case "publish_finished" if record.get("streamId") == self._stream_id and not self._presence.play_only:
                self._lost({"publisher"}, "others do not see us any more")
            case "play_started" if record.get("streamId") == self._room:
                self._arrived("player")
                self.spawn(self._begin_to_play(), "playing")
            case "play_finished" if record.get("streamId") == self._room:
                # Perhaps the last of the others has left: we stay, and it is played again (section 4.5).
                self._play_ended()
            case "streamInformation":
                self._renditions.take(record)
            case "videoTrackAssignmentList" if record.get("streamId") in (self._room, "", None):
                self._talk.assign(record)
            case "closed":
                self._sharing.seen(False)
                self._obstacle = str(record.get("reason") or "the connection was lost")
                self._lost(self._parts, self._obstacle)
            case "retry_planned" if self._state is CallState.RECONNECTING:
                due = time.time() + record["seconds"]
                self._emit(RetryPlanned(record["attempt"], due, record["reason"]))
            case "reconnection_attempt_for_publisher":
                self._lost({"publisher"}, "others do not see us any more")
            case "reconnection_attempt_for_player":
                self._lost({"player"}, "the room does not reach us any more")
            case _:
                self._attendance.take(info, record)
        if info in _REASONS:
            self._attendance.look_again()

    def _on_sharing(self, info: str) -> None:
        """The second stream of ours: its losses are none of the call's, and what others say is heard elsewhere."""
        match info:
            case "publish_started" | "session_restored":
                self._sharing.seen(True)
                if info == "publish_started":
                    # Whoever was there before it was restored knows of it.
                    self._announcements.screen(True)
                self.spawn(self._announcements.tell(), "changes")
                self.spawn(self._refuse_ourselves(), "own screen")
            case "publish_finished" | "reconnection_attempt_for_publisher":
                self._sharing.seen(False)
        self.roster_changed()

    def _on_error(self, error: str, obj: Any) -> None:
        record = obj if isinstance(obj, dict) else {}
        self._journal.error(error, record)
        match error:
            case _ if error in NOBODY_YET and record.get("streamId") in (self._room, "", None):
                # An empty room is still the room (section 4.5).
                self._arrived("player")
            case "session_ended" if record.get("streamId") == self._sharing.stream_id:
                self._sharing.forget(str(record["cause"]))
                self.roster_changed()
            case "session_ended" if self._added and record.get("streamId") == self._stream_id:
                self.spawn(self._be_refused(record["cause"]), "listening again")
            case "notSetRemoteDescription" if self._state is CallState.CONNECTING:
                self._obstacle = str(record.get("message") or error)
            case "WebSocketNotConnected" | "session_ended":
                self._give_up(record["cause"])
            case "internal_error":
                self._give_up(AntconfError(f"internal error ({type(record.get('cause')).__name__})"))
            case "community_edition":
                self._emit(CallStateChanged(self._state, str(record.get("message")), str(record.get("hint") or "")))

    def _begin_track(self, track: RemoteTrack) -> None:
        self._tracks[track.key] = track
        self._roster.add_track(track)
        track.track.on("ended", lambda: self._end_track(track))
        self.tracks_changed()

    def _end_track(self, track: RemoteTrack) -> None:
        if self._tracks.pop(track.key, None) is not None:
            self._roster.remove_track(track)
            if track.key in self._told_tracks:
                self._told_tracks.discard(track.key)
                self._emit(TrackRemoved(track))
            self.roster_changed()

    # what the parts ask for

    @property
    def adaptor(self) -> WebRTCAdaptor | None:
        """`AttendanceOwner`."""
        return self._adaptor if self._state is CallState.JOINED else None

    @property
    def announcer(self) -> WebRTCAdaptor | None:
        """`AnnouncementsOwner`."""
        return None if "publisher" in self._missing else self._adaptor

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """`AttendanceOwner`."""
        if self._adaptor is None:
            work.close()
        else:
            self._tasks.spawn(work, name)

    def send_event(self, event: Json, *, to_room: bool = False) -> bool:
        """`TalkOwner` (section 6.1)."""
        if self._adaptor is None:
            return False
        ways = [self._room] if to_room or self._presence.play_only else [self._stream_id, self._room]
        if "publisher" in self._missing and not self._presence.play_only:
            ways = [self._room]
        for way in ways:
            if self._adaptor.send_data(way, json.dumps(event)):
                self._journal.event(way, event)
                return True
        return False

    def tracks_changed(self) -> None:
        """`TalkOwner`: a track is told of for as long as it does not carry ourselves."""
        for key, track in self._tracks.items():
            if self._roster.is_own(track) is (key in self._told_tracks):
                self._told_tracks ^= {key}
                self._emit(TrackAdded(track) if key in self._told_tracks else TrackRemoved(track))
        if self._viewing.due:
            self.spawn(self._pin_again(), "pins")
        self.roster_changed()

    def roster_changed(self) -> None:
        """`TalkOwner`: the roster is told now, or with what else changes within `ROSTER_PERIOD`."""
        self._people = None
        if self._viewing.most is None and self._roster.publishers > TRACK_LIMITS["video"]:
            # Else it would be the first who came that are seen, whoever speaks.
            self._viewing.most = TRACK_LIMITS["video"]
            self.spawn(self._viewing.repeat_most(), "limit")
        if self._showing is None:
            self._show_now()
            self._showing = asyncio.get_running_loop().call_later(ROSTER_PERIOD, self._show_rest)

    def look_again(self) -> None:
        """`TalkOwner`."""
        self._attendance.look_again()

    def could(self, wish: Wish) -> bool:
        """`TalkOwner`."""
        return self._presence.could(wish)

    def comply(self, wish: Wish) -> None:
        """`TalkOwner`."""
        self.spawn(self._comply(wish), "request")

    async def _comply(self, wish: Wish) -> None:
        match wish:
            case Wish.MICROPHONE_OFF | Wish.MICROPHONE_ON:
                await self.set_microphone(wish is Wish.MICROPHONE_ON)
            case Wish.CAMERA_OFF:
                await self.set_camera(False)
            case Wish.LISTEN:
                await self.stop_publishing()
            case Wish.SPEAK:
                pass  # whoever owns the devices does

    # what goes on by itself

    async def _follow_talking(self) -> None:
        talked, turn = self._talkers.now(), 0
        while True:
            await asyncio.sleep(TALKING_PERIOD)
            turn += 1
            for track in self._tracks.values():
                if track.kind == "audio" and (owner := self._roster.owner_of(track)) is not None:
                    self._talkers.hear(owner, track.audio_level)
            if self._adaptor is not None:
                self._talkers.hear(self._stream_id, self._adaptor.own_level(self._stream_id))
            talking = self._talkers.now()
            if talking != talked or turn % SLOW_TURNS == 0:
                talked = talking
                self.roster_changed()
            if turn % SLOW_TURNS == 0 and (dropped := self._talk.take_dropped()):
                complaint = {"streamId": self._room, "error": f"{dropped} messages dropped"}
                self._journal.error("data_channel_error", complaint)

    async def _begin_to_play(self) -> None:
        """The room is played, for the first time or anew: the server knows nothing of what we want (section 4.6)."""
        if self._adaptor is None:
            return
        await self._adaptor.get_broadcast_object(self._room)
        await self._viewing.resume(self._adaptor)
        await self._refuse_ourselves()
        if self._listed and self._adaptor is not None:
            await self._be_listed(self._adaptor)

    async def _refuse_ourselves(self) -> None:
        """The server would send us back what we show besides what it knew of when it began to send us the room."""
        shown = {self._stream_id: self._added, self._sharing.stream_id: self._sharing.state is ShareState.ON}
        for stream_id in [stream_id for stream_id, on in shown.items() if on]:
            if self._adaptor is not None and not self._publish_only:
                await self._adaptor.enable_track(self._room, stream_id, False)

    async def _media_changed(self, *media: str) -> None:
        self._emit(self._presence.media)
        self.roster_changed()
        self._announcements.changed(*media)
        await self._announcements.tell()

    # what is told

    def _show_now(self) -> None:
        self._people = None
        more = max(0, self._attendance.more - (not self._presence.play_only))
        if (self.participants, more) != (self._shown, self._more):
            self._shown, self._more = self.participants, more
            self._emit(RosterChanged(self._shown, more))

    def _show_rest(self) -> None:
        self._showing = None
        if self._people is None:
            self.roster_changed()
