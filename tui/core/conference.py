"""`Conference`: one person in one room. Join, leave, speak, be seen; survives what the network does.

The TUI, the headless command and the demo participants use it. It drives a `WebRTCAdaptor`, keeps the roster and
tells everything as the frozen events of `core.events` through one ``emit`` function, on the core's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any

from tui.core.adaptor import WebRTCAdaptor
from tui.core.events import (
    CallState,
    CallStateChanged,
    Event,
    LocalMediaChanged,
    Participant,
    RosterChanged,
    TrackAdded,
    TrackRemoved,
)
from tui.core.journal import Journal
from tui.core.messages import Broadcast, load_object, read_assignments
from tui.core.refusals import NOBODY_YET, refusal
from tui.core.roster import PARTICIPANT_LIMIT, Roster
from tui.core.tasks import Tasks
from tui.errors import AntconfError, LostError, UnreachableError
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiortc import RTCIceServer
    from av import VideoFrame

    from tui.core.peer import LocalTrack, RemoteTrack

LOCAL_PREVIEW = "local"
"""What `Participant.video` and `Participant.audio` say for oneself."""

JOIN_TIMEOUT = 15.0
"""Seconds from ``join`` to being in the room, then the attempt has failed."""

REFRESH = 5.0
"""Seconds between two looks at the list of participants: pushes are not complete (section 4.3)."""

DEBOUNCE = 0.3
"""Seconds in which several reasons to look again become one."""

TALKING_PERIOD = 0.2
TALKING_LEVEL = 50
"""An RFC 6464 level at or below this is talking: 0 is loudest, 127 silence."""

TALKING_HOLD = 0.8
"""Seconds of quiet until somebody has stopped talking."""

PAGE = 50

_LOOK_AGAIN = frozenset({"subtrackAdded", "subtrackRemoved", "play_started", "session_restored", "subtrackCount"})


class Conference:
    """A room, joined and left any number of times.

    ``audio`` and ``video`` are published unless ``play_only``; they stay the caller's. With ``publish_only`` the others
    are neither seen nor heard, which costs nothing. ``local_preview`` is called with each own picture. Every method may
    be called in any state.
    """

    def __init__(
        self,
        url: str,
        room: str,
        stream_id: str,
        emit: Callable[[Event], None],
        *,
        name: str = "",
        token: str = "",
        play_only: bool = False,
        publish_only: bool = False,
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
        self._token = token
        self._play_only = play_only
        self._publish_only = publish_only
        self._audio = None if play_only else audio
        self._microphone = None if self._audio is None or self._audio.stand_in else self._audio
        self._video = None if play_only else video
        self._preview = local_preview
        self._ice_servers = ice_servers
        self._adaptor: WebRTCAdaptor | None = None
        self._tasks = Tasks()
        self._joining: asyncio.Task[None] | None = None
        self._ending = asyncio.Lock()
        self._failure: AntconfError | None = None
        self._refused_by = ""
        self._state = CallState.IDLE
        self._joined = asyncio.Event()
        self._parts = {part for part, used in (("publisher", not play_only), ("player", not publish_only)) if used}
        self._missing: set[str] = set()
        self._published_meta_data = ""
        self._roster = Roster(room, stream_id)
        self._shown: tuple[Participant, ...] = ()
        self._tracks: dict[str, RemoteTrack] = {}
        self._pages: list[Broadcast] = []
        self._listed = 0
        self._look = asyncio.Event()
        self._last_talk: dict[str, float] = {}
        self._journal = Journal(emit)

    @property
    def state(self) -> CallState:
        """Where the conference stands."""
        return self._state

    @property
    def participants(self) -> tuple[Participant, ...]:
        """Who is in the room, oneself first."""
        return self._shown

    # what a person can do

    async def join(self) -> None:
        """Enter the room. Returns when in it, or when that has failed or was given up: the state says which."""
        if self._adaptor is None and (self._joining is None or self._joining.done()):
            self._joining = self._tasks.spawn(self._enter(), "joining")
        if self._joining is not None:
            await asyncio.wait({self._joining})

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

    async def _enter(self) -> None:
        async with self._ending:  # a leave that is under way comes first
            self._joined.clear()
            self._failure = None
            self._missing = {"player"} if self._play_only else {"publisher"}
            self._set_state(CallState.CONNECTING)
            adaptor = self._adaptor = WebRTCAdaptor(
                self._url,
                self._on_callback,
                self._on_error,
                audio=self._audio,
                video=self._video,
                local_preview=self._preview,
                ice_servers=self._ice_servers,
                play_only=self._play_only,
                on_command=self._journal.command,
            )
        try:
            await adaptor.open()
            self._tell_local_media()
            if not self._play_only:
                self._published_meta_data = self._meta_data()
                await adaptor.publish(
                    self._stream_id,
                    self._token,
                    stream_name=self._name,
                    main_track=self._room,
                    meta_data=self._published_meta_data,
                )
            if not self._publish_only:
                await adaptor.play(self._room, self._token, self._room)
            async with asyncio.timeout(JOIN_TIMEOUT):
                await self._joined.wait()
            if self._failure is not None:
                raise self._failure
        except TimeoutError:
            await self._fail_to_join(
                UnreachableError(
                    f"the server did not let us into {printable(self._room, 60)} within {JOIN_TIMEOUT:.0f} s",
                    "if its media ports are behind a firewall, a TURN server is needed",
                )
            )
        except AntconfError as error:
            await self._fail_to_join(error)
        else:
            self._tasks.spawn(self._follow_list(), "list of participants")
            self._tasks.spawn(self._follow_talking(), "talking")

    async def set_microphone(self, on: bool) -> None:
        """Speak, or send silence; the room is told (order of section 6.5: media, metaData, event)."""
        if self._microphone is not None and self._microphone.enabled != on:
            self._microphone.enabled = on
            await self._announce("MIC_UNMUTED" if on else "MIC_MUTED")

    async def set_camera(self, on: bool) -> None:
        """Send the picture, or black; the room is told."""
        if self._video is not None and self._video.enabled != on:
            self._video.enabled = on
            await self._announce("CAM_TURNED_ON" if on else "CAM_TURNED_OFF")

    def owner_of(self, track: RemoteTrack) -> str | None:
        """The stream id of who is on that track now."""
        return self._roster.owner_of(track)

    async def aclose(self) -> None:
        """Leave if need be; idempotent."""
        await self.leave()

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
        if adaptor is not None:
            await adaptor.aclose()
        self._roster = Roster(self._room, self._stream_id)
        self._last_talk.clear()
        self._journal = Journal(self._emit)
        self._show_roster()

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
        if not self._missing and self._state in (CallState.CONNECTING, CallState.RECONNECTING):
            self._joined.set()
            self._set_state(CallState.JOINED)

    def _lost(self, parts: set[str], reason: str) -> None:
        if self._state in (CallState.JOINED, CallState.RECONNECTING):
            self._missing |= parts
            self._set_state(CallState.RECONNECTING, reason=reason)

    # what the adaptor says

    def _on_callback(self, info: str, obj: Any) -> None:
        record = obj if isinstance(obj, dict) else {}
        self._journal.callback(info, obj)
        match info:
            case "newTrackAvailable":
                self._begin_track(record["remoteTrack"])
            case "data_received":
                self._on_data(record.get("data"))
            case "publish_started" | "session_restored" if record.get("streamId") == self._stream_id:
                self._arrived("publisher")
                if self._meta_data() != self._published_meta_data:
                    self._tasks.spawn(self._tell_meta_data(), "metaData")
                self._show_roster()
            case "play_started" if record.get("streamId") == self._room:
                self._arrived("player")
            case "subtrackAdded" | "subtrackRemoved" if record.get("mainTrack") == self._room:
                change = self._roster.add if info == "subtrackAdded" else self._roster.remove
                if isinstance(record.get("trackId"), str):
                    change(record["trackId"])
                self._show_roster()
            case "subtrackList" if record.get("streamId") == self._room:
                self._on_subtracks(record.get("subtrackList"))
            case "broadcastObject":
                if (broadcast := Broadcast.read(record.get("broadcast"))) and broadcast.stream_id in self._roster:
                    self._roster.describe(broadcast)
                    self._show_roster()
            case "closed":
                self._lost(self._parts, str(record.get("reason") or "the connection was lost"))
            case "reconnection_attempt_for_publisher":
                self._lost({"publisher"}, "others do not see us any more")
            case "reconnection_attempt_for_player":
                self._lost({"player"}, "the room does not reach us any more")
        if info in _LOOK_AGAIN:
            self._look.set()

    def _on_error(self, error: str, obj: Any) -> None:
        record = obj if isinstance(obj, dict) else {}
        self._journal.error(error, record)
        match error:
            case _ if error in NOBODY_YET:
                # An empty room is still the room (section 4.5).
                self._arrived("player")
            case "WebSocketNotConnected" | "internal_error":
                cause = record.get("cause")
                self._give_up(cause if isinstance(cause, AntconfError) else LostError(str(record.get("message"))))
            case "session_ended":
                self._give_up(refusal(self._refused_by, record.get("streamId")))
            case _:
                self._refused_by = error

    def _on_data(self, data: object) -> None:
        event = load_object(data) if isinstance(data, str) else {}
        kind = event.get("eventType")
        match kind:
            case "VIDEO_TRACK_ASSIGNMENT_LIST":
                self._roster.assign("video", read_assignments(event))
            case "AUDIO_TRACK_ASSIGNMENT":
                self._roster.assign("audio", read_assignments(event, "audioLabel"))
            case "TRACK_LIST_UPDATED":
                self._look.set()
            case "MIC_MUTED" | "MIC_UNMUTED" | "CAM_TURNED_OFF" | "CAM_TURNED_ON":
                if isinstance(event.get("streamId"), str):
                    self._roster.hear_event(event["streamId"], kind)
                self._look.set()
            case _:
                return
        self._show_roster()

    def _on_subtracks(self, entries: object) -> None:
        if not isinstance(entries, list):
            return
        page = [broadcast for entry in entries if (broadcast := Broadcast.read(entry)) is not None]
        self._pages += page
        self._listed += len(entries)
        if len(entries) >= PAGE and self._listed < PARTICIPANT_LIMIT and self._adaptor is not None:
            self._tasks.spawn(self._adaptor.get_subtracks(self._room, self._listed, PAGE), "next page")
            return
        self._roster.list_subtracks(self._pages)
        self._begin_list()
        self._show_roster()

    def _begin_list(self) -> None:
        self._pages = []
        self._listed = 0

    def _begin_track(self, track: RemoteTrack) -> None:
        self._tracks[track.key] = track
        self._roster.add_track(track)
        track.track.on("ended", lambda: self._end_track(track))
        self._emit(TrackAdded(track))
        self._show_roster()

    def _end_track(self, track: RemoteTrack) -> None:
        if self._tracks.pop(track.key, None) is not None:
            self._roster.remove_track(track)
            self._emit(TrackRemoved(track))
            self._show_roster()

    # what goes on by itself

    async def _follow_list(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REFRESH):
                    await self._look.wait()
                    await asyncio.sleep(DEBOUNCE)
            self._look.clear()
            if self._adaptor is not None and self._state is CallState.JOINED:
                self._begin_list()
                await self._adaptor.get_subtracks(self._room, 0, PAGE)
                await self._adaptor.request_video_track_assignments(self._room)

    async def _follow_talking(self) -> None:
        while True:
            await asyncio.sleep(TALKING_PERIOD)
            now = time.monotonic()
            self._last_talk = {owner: at for owner, at in self._last_talk.items() if now - at < TALKING_HOLD}
            for track in self._tracks.values():
                if track.kind == "audio" and track.audio_level <= TALKING_LEVEL:
                    owner = self._roster.owner_of(track)
                    if owner is not None:
                        self._last_talk[owner] = now
            if self._adaptor is not None and self._adaptor.own_level(self._stream_id) <= TALKING_LEVEL:
                self._last_talk[self._stream_id] = now
            self._show_roster()

    async def _announce(self, event_type: str) -> None:
        self._tell_local_media()
        self._show_roster()
        if self._adaptor is None or "publisher" in self._missing:
            return
        await self._tell_meta_data()
        self._adaptor.send_data(self._stream_id, json.dumps({"streamId": self._stream_id, "eventType": event_type}))

    async def _tell_meta_data(self) -> None:
        if self._adaptor is not None:
            await self._adaptor.update_stream_meta_data(self._stream_id, self._meta_data())

    def _meta_data(self) -> str:
        """Both dialects of section 6.5."""
        muted = self._microphone is None or not self._microphone.enabled
        camera = self._video is not None and self._video.enabled
        return json.dumps({"isMicMuted": muted, "isCameraOn": camera, "isCameraOff": not camera})

    # what is told

    def _tell_local_media(self) -> None:
        self._emit(
            LocalMediaChanged(
                None if self._microphone is None else self._microphone.enabled,
                None if self._video is None else self._video.enabled,
            )
        )

    def _show_roster(self) -> None:
        now = time.monotonic()
        talking = {owner: now - heard < TALKING_HOLD for owner, heard in self._last_talk.items()}
        people: tuple[Participant, ...] = ()
        if self._adaptor is not None:
            people = (self._myself(talking), *self._roster.participants(talking))
        if people != self._shown:
            self._shown = people
            self._emit(RosterChanged(people))

    def _myself(self, talking: Mapping[str, bool]) -> Participant:
        microphone = self._microphone is not None and self._microphone.enabled
        return Participant(
            stream_id=self._stream_id,
            name=self._name or self._stream_id,
            is_self=True,
            microphone=microphone,
            camera=self._video is not None and self._video.enabled,
            talking=microphone and talking.get(self._stream_id, False),
            video=LOCAL_PREVIEW if self._video is not None else None,
            audio=LOCAL_PREVIEW if self._microphone is not None else None,
        )
