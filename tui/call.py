"""A call: a `Conference` with its sound and pictures, still without a terminal.

The bridge drives it on the core's thread, as a `tui.session.Session`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tui.core.conference import Conference
from tui.core.events import (
    Announced,
    Callback,
    Direction,
    LocalMediaChanged,
    Notice,
    Reaction,
    RosterChanged,
    ShareState,
    SharingChanged,
    TrackAdded,
    TrackRemoved,
    Wish,
)
from tui.core.ice import named
from tui.core.tasks import Tasks
from tui.core.wire import is_stream_id
from tui.desk import SoundDesk
from tui.errors import AntconfError, DeviceError
from tui.media.attention import Attention
from tui.media.board import LOCAL
from tui.media.reception import Reception
from tui.media.seating import Benches, Seating
from tui.media.sharpness import Sharpness
from tui.media.sources import CameraVideo, Sources, default_camera, open_picture, open_shared, open_sources
from tui.quality import Qualities
from tui.session import Asked, HealthChanged, MutedSpeech, PictureChanged, QualityChanged
from tui.statistics import Statistics
from tui.text import with_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tui.config import JoinOptions
    from tui.core.events import Event, ModeratorRequest, Participant
    from tui.core.peer import RemoteTrack
    from tui.core.stats import TrackStats
    from tui.media.board import Board
    from tui.media.tracks import VideoTrack
    from tui.session import CallEvent, SoundReport

_LOOK_SECONDS = 2.0
_ATTEND_SECONDS = 0.1
_LONGEST_HELD = 10.0
_LOW_HEIGHT = 144
"""Pixels of the pictures that are asked for on a thin line."""


class Call:
    """One room with everything that is heard and seen in it; a `Session`.

    Devices are opened when the room is joined and given back when it is left.
    """

    def __init__(self, options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> None:
        self._options = options
        self._emit = emit
        self._board = board
        self._desk = SoundDesk(options, emit, self._on_recording_end)
        self._reception = Reception(board, self._desk.mixer)
        self._attention = Attention()
        self._sharpness = Sharpness()
        self._seating = Seating()
        self._benches = Benches.of(())
        self._videos: dict[str, RemoteTrack] = {}
        self._sources = Sources()
        self._switching = asyncio.Lock()
        self._publishing = asyncio.Lock()
        self._shared: VideoTrack | None = None
        self._sharing = asyncio.Lock()
        self._conference: Conference | None = None
        self._tasks = Tasks()
        self._held: asyncio.TimerHandle | None = None
        self._low_bandwidth = False
        self._round_trip = 0.0
        self._statistics = Statistics()
        self._qualities = Qualities()
        self._tracks: dict[str, RemoteTrack] = {}
        """By mid."""
        self._names: dict[str, str] = {}
        """By stream id."""
        self._owners: dict[str, str] = {}
        self._carried: dict[str, str] = {}
        """Stream ids by the key of each track."""

    async def join(self) -> None:
        """`Session`; raises `DeviceError` or `FileError` for what was named and cannot be opened."""
        options = self._options
        await self._open_sources(options)
        self._conference = Conference(
            options.server,
            options.room,
            options.stream_id,
            self._on_event,
            name=options.name,
            credentials=options.credentials,
            ice_servers=named(options.ice_servers, options.ice_username, options.ice_credential),
            play_only=options.play_only,
            on_request=options.on_request,
            audio=self._sources.audio,
            video=self._sources.video,
            local_preview=self._reception.preview,
        )
        await self._desk.open(self._sources.audio)
        if self._low_bandwidth:
            await self.set_low_bandwidth(True)
        self._tell_picture()
        if self._desk.is_recording:
            await self._conference.announce_recording(True)
        self._tasks.spawn(self._look_after(), "sound desk")
        self._tasks.spawn(self._attend(), "attention")
        await self._conference.join()

    async def _open_sources(self, options: JoinOptions) -> None:
        self._sources = await open_sources(options, self._note)
        for note in self._sources.notes:
            self._note(note)
        if self._sources.audio is not None:
            self._sources.audio.on_level = self._on_own_level

    async def leave(self) -> None:
        """`Session`."""
        if self._conference is not None:
            await self._conference.leave()

    async def publish(self, options: JoinOptions) -> None:
        """`Session`."""
        conference = self._conference
        async with self._publishing:
            if conference is None or self._sources != Sources():
                return
            try:
                await self._open_sources(options)
            except AntconfError as error:
                self._note(with_hint(str(error), error.hint))
                return
            sources = self._sources
            if sources.video is not None:
                sources.video.thrifty = self._low_bandwidth
            if sources == Sources():
                self._note("There is nothing to take part with: neither sound nor picture is to be sent.")
            elif not await conference.begin_to_publish(sources.audio, sources.video):
                self._give_sources_back()
            elif self._sources is sources:  # not refused at once
                self._desk.speak_with(sources.audio)
                self._tell_picture()

    async def stop_publishing(self) -> None:
        """`Session`."""
        self._let_go()
        async with self._publishing:
            if self._conference is not None:
                await self._conference.stop_publishing()

    def _give_sources_back(self) -> None:
        sources, self._sources = self._sources, Sources()
        for track in (sources.audio, sources.video):
            if track is not None:
                track.stop()
        self._board.forget(LOCAL)

    async def set_microphone(self, on: bool) -> None:
        """`Session`."""
        self._let_go()
        if self._conference is not None:
            await self._conference.set_microphone(on)

    async def speak_while_held(self, seconds: float) -> None:
        """`Session`."""
        conference = self._conference
        if conference is None or not (self._held is not None or conference.microphone is False):
            return
        begins = self._held is None
        self._let_go()
        # First the end: telling the room may wait for a line that is gone.
        loop = asyncio.get_running_loop()
        self._held = loop.call_later(min(seconds, _LONGEST_HELD), self._fall_silent)
        if begins:
            await conference.set_microphone(True)

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.cancel()
            self._held = None

    def _fall_silent(self) -> None:
        self._held = None
        if self._conference is not None:
            self._tasks.spawn(self._conference.set_microphone(False), "end of speaking while held")

    async def set_camera(self, on: bool) -> None:
        """`Session`."""
        if self._conference is not None:
            await self._conference.set_camera(on)

    async def set_away(self, away: bool) -> None:
        """`Session`."""
        self._let_go()
        if self._conference is not None:
            await self._conference.set_away(away)

    async def set_low_bandwidth(self, low: bool) -> None:
        """`Session`."""
        self._low_bandwidth = low
        if self._sources.video is not None:
            self._sources.video.thrifty = low
        if self._conference is not None:
            await self._conference.set_quality(_LOW_HEIGHT if low else 0)

    async def set_deafened(self, deafened: bool) -> None:
        """`Session`."""
        self._desk.set_deafened(deafened)

    async def set_volume(self, volume: float) -> None:
        """`Session`."""
        self._desk.set_volume(volume)

    async def set_voice(self, stream_id: str, volume: float, muted: bool) -> None:
        """`Session`."""
        self._desk.set_voice(stream_id, volume, muted)

    async def use_speaker(self, device: str) -> None:
        """`Session`."""
        await self._desk.use_speaker(device)

    async def use_microphone(self, device: str) -> None:
        """`Session`."""
        if await self._desk.use_microphone(device) and self._conference is not None:
            await self._conference.microphone_changed()

    async def use_camera(self, device: str) -> None:
        """`Session`."""
        own = self._sources.video
        if own is None:
            self._note("You publish no picture in this call: it was joined without one.")
            return
        # The last one that was chosen is used, not the last one that opened.
        async with self._switching:
            if isinstance(own.source, CameraVideo) and own.source.device == (device or default_camera()):
                # Nobody else may open it meanwhile, not even we ourselves.
                return
            try:
                source = await open_picture(device, self._options, self._note)
            except DeviceError as error:
                self._note(with_hint(str(error), error.hint))
                return
            own.switch(source)
        self._tell_picture()
        if self._conference is not None:
            await self._conference.camera_changed()

    async def share(self, source: str) -> None:
        """`Session`."""
        conference = self._conference
        if conference is None:
            return
        async with self._sharing:
            await conference.stop_sharing()
            try:
                picture = self._shared = await open_shared(source, self._note)
            except DeviceError as error:
                self._emit(SharingChanged(ShareState.OFF, source, str(error), error.hint))
                return
            if not await conference.share(picture, picture.label):
                self._give_screen_back()

    async def stop_sharing(self) -> None:
        """`Session`."""
        async with self._sharing:
            if self._conference is not None:
                await self._conference.stop_sharing()

    def _give_screen_back(self) -> None:
        if self._shared is not None:
            self._shared.stop()
            self._shared = None

    async def retry(self) -> None:
        """`Session`."""
        if self._conference is not None:
            self._conference.retry()

    def _tell_picture(self) -> None:
        own = self._sources.video
        if own is not None:
            self._board.mirrored = own.is_mirrored
            self._emit(PictureChanged(own.source.label))

    def statistics(self) -> Statistics:
        """`Session`."""
        return self._statistics

    def sound_report(self) -> SoundReport:
        """`Session`."""
        return self._desk.report(self._round_trip)

    async def answer_request(self, request: ModeratorRequest, granted: bool) -> None:
        """`Session`."""
        if self._conference is not None:
            await self._conference.answer_request(request, granted)

    async def chat(self, text: str) -> None:
        """`Session`."""
        self._sent("chat", self._conference is not None and self._conference.say(text))

    async def react(self, reaction: str) -> None:
        """`Session`."""
        done = self._conference is not None and self._conference.react(reaction)
        self._sent("reaction", done)
        if done:
            # Nobody sends us our own back.
            self._emit(Reaction(self._options.stream_id, self._options.name, reaction))

    async def raise_hand(self) -> None:
        """`Session`."""
        done = self._conference is not None and self._conference.raise_hand()
        self._sent("raised hand", done)
        if done:
            self._emit(Announced(Notice.HAND_RAISED, self._options.stream_id, self._options.name))

    async def answer_hand(self, stream_id: str, granted: bool) -> None:
        """`Session`."""
        self._sent("answer", self._conference is not None and self._conference.answer_hand(stream_id, granted))

    async def ask(self, stream_id: str, favour: Wish) -> None:
        """`Session`."""
        done = self._conference is not None and self._conference.ask(favour, stream_id)
        self._sent("request", done)
        if done:
            self._emit(Asked(stream_id, self._names.get(stream_id, stream_id), favour))

    def _sent(self, what: str, done: bool) -> None:
        if not done:
            text = "not sent: there is no way to the room just now"
            self._emit(Callback(what, text, Direction.LOCAL, time.time(), error=True))

    async def aclose(self) -> None:
        """`Session`."""
        self._let_go()
        # First of all, and whatever becomes of the rest: microphone and camera are off.
        self._give_sources_back()
        self._give_screen_back()
        try:
            if self._conference is not None:
                await self._conference.aclose()
            await self._tasks.aclose()
            await self._reception.aclose()
        finally:
            await self._desk.aclose()
            # What was on its way to the preview is there now.
            self._board.forget(LOCAL)

    def _on_event(self, event: Event) -> None:
        match event:
            case TrackAdded(track):
                self._tracks[track.mid] = track
                self._reception.add(track)
                if track.kind == "video":
                    self._videos[track.key] = track
                self._desk.level()
            case TrackRemoved(track):
                self._reception.remove(track.key)
                self._videos.pop(track.key, None)
                if self._tracks.get(track.mid) is track:
                    del self._tracks[track.mid]
            case RosterChanged(participants):
                self._benches = Benches.of(participants)
                self._names = {person.stream_id: person.name for person in participants}
                self._follow_slots(participants)
                self._reception.follow(participants)
                self._desk.follow(participants)
            case SharingChanged(ShareState.OFF):
                self._give_screen_back()
            case LocalMediaChanged(play_only=True) if self._sources != Sources():
                self._give_sources_back()
                self._desk.speak_with(None)
        self._emit(event)
        if isinstance(event, Callback) and event.info == "speaking_but_muted":
            self._emit(MutedSpeech())

    def _follow_slots(self, participants: Sequence[Participant]) -> None:
        """Nobody's last picture is shown under the name of whoever gets the slot next."""
        owners: dict[str, str] = {}
        self._carried = {}
        for person in participants:
            if person.video:
                owners[person.video] = person.stream_id
            if person.presentation:
                owners[person.presentation] = person.stream_id
            if person.audio:
                self._carried[person.audio] = person.stream_id
        self._carried |= owners
        for key, owner in self._owners.items():
            if key != LOCAL and owners.get(key) != owner:
                self._board.forget(key)
        self._owners = owners

    def _on_own_level(self, level: float) -> None:
        self._board.set_level(LOCAL, level)

    def _on_recording_end(self) -> None:
        if self._conference is not None:
            self._tasks.spawn(self._conference.announce_recording(False), "end of the recording")

    async def _attend(self) -> None:
        """Have the server send only what somebody looks at, and that as it is looked at."""
        while True:
            await asyncio.sleep(_ATTEND_SECONDS)
            conference = self._conference
            if conference is None:
                continue
            owners = {key: owner for key, track in self._videos.items() if (owner := conference.owner_of(track))}
            for owner, on in self._attention.changes(owners, self._reception.watched):
                await conference.set_track_enabled(owner, on, "video")
            await self._sharpen(conference, owners)
            await self._seat(conference)

    async def _sharpen(self, conference: Conference, owners: Mapping[str, str]) -> None:
        watched = {key: size for key in owners if (size := self._board.wish(key)) is not None}
        for owner in self._sharpness.questions(owners, watched):
            await conference.ask_renditions(owner)
        for owner, height in self._sharpness.changes(owners, watched, conference.renditions_of):
            await conference.set_quality(height, owner)

    async def _seat(self, conference: Conference) -> None:
        (featured, alone), shown = self._board.featured, self._board.page
        if featured is not None and not is_stream_id(featured):
            # Nobody has said yet whose picture it is.
            featured = None
        for owner, pinned in self._seating.pins(featured, alone, self._benches, shown=shown):
            if pinned:
                await conference.pin(owner)
            else:
                await conference.unpin(owner)
        if (page := self._seating.page(shown, self._benches)) is not None:
            await conference.show_page(*page)
        if (most := self._seating.most(featured, alone, self._benches)) is not None:
            await conference.set_max_video_tracks(most)

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._desk.look_after()
            if self._conference is not None:
                await self._measure(self._conference)

    async def _measure(self, conference: Conference) -> None:
        sent, received = await conference.stats(own=True), await conference.stats()
        if received is not None:
            self._round_trip = received.current_round_trip_time
        if self._statistics.take(time.time(), sent, received, self._who, self._key):
            self._emit(HealthChanged(self._statistics.health, self._statistics.reason))
        tracks = received.inbound_rtp_list if received is not None else ()
        if self._qualities.take((self._carried.get(self._key(track), ""), track) for track in tracks):
            self._emit(QualityChanged(self._qualities.people))

    def _who(self, track: TrackStats) -> str:
        """The name of whoever is on the track now."""
        remote = self._tracks.get(track.mid)
        owner = self._conference.owner_of(remote) if remote is not None and self._conference is not None else None
        return self._names.get(owner, owner) if owner is not None else track.track_identifier

    def _key(self, track: TrackStats) -> str:
        remote = self._tracks.get(track.mid)
        return "" if remote is None else remote.key

    def _note(self, text: str) -> None:
        self._emit(Callback("device", text, Direction.LOCAL, time.time()))
