"""A session that plays a script instead of a call: drives the real bridge and the real screen in tests."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import av
import numpy as np

from tests.ui.slide import slide
from tui.core.events import (
    Announced,
    Callback,
    CallState,
    CallStateChanged,
    ChatMessage,
    Direction,
    LocalMediaChanged,
    Notice,
    Participant,
    Reaction,
    RosterChanged,
    ShareState,
    SharingChanged,
)
from tui.media.board import LOCAL
from tui.session import Asked, PictureChanged, SoundChanged, SoundReport
from tui.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.config import JoinOptions
    from tui.core.events import ModeratorRequest, Wish
    from tui.media.board import Board
    from tui.session import CallEvent

AT = 1_700_000_000.0
"""When everything happens in scripts."""

SELF = Participant("streamalice", "Alice", is_self=True, video=None)
ROOM = (
    SELF,
    Participant("streambob", "Bob", talking=True, video="videoTrack0", audio="audioTrack0"),
    Participant("streamcarol", "Carol", microphone=False, video="videoTrack1"),
    Participant("streamdave", "Dave", camera=False),
)

SHARED = "videoTrack15"
"""The track of a shared screen."""


def sharing(stream_id: str, people: Sequence[Participant] = ROOM) -> list[Participant]:
    """The same people, one of whom shows a screen."""
    return [replace(one, presentation=SHARED) if one.stream_id == stream_id else one for one in people]


def callback(info: str, obj: object = None, direction: Direction = Direction.IN, error: bool = False) -> Callback:
    return Callback(info, obj, direction, AT, error)


def joined(people: Sequence[Participant] = ROOM, output: str | None = "Built-in Audio") -> list[CallEvent]:
    """What a call tells when it goes well."""
    return [
        callback("initialized"),
        callback("publish", {"streamId": "streamalice", "mainTrack": "room1"}, Direction.OUT),
        callback("publish_started", {"streamId": "streamalice"}),
        callback("play", {"streamId": "room1", "room": "room1", "token": "secret"}, Direction.OUT),
        CallStateChanged(CallState.JOINED),
        RosterChanged(tuple(people)),
        LocalMediaChanged(True, True),
        SoundChanged(output, "" if output else "No sound device. Is PulseAudio running?"),
        callback("play_started", {"streamId": "room1"}),
        callback("newTrackAvailable", {"streamId": "room1", "trackId": "ARDAMSvvideoTrack0"}),
    ]


@dataclass
class Script:
    """What the sessions of one test do and what became of them."""

    events: Sequence[CallEvent] = field(default_factory=joined)
    paints: bool = False
    """Put moving pictures and levels on the board."""
    still: bool = False
    """Put pictures on the board that do not move."""
    sessions: list[ScriptedSession] = field(default_factory=list)
    statistics: Statistics = field(default_factory=Statistics)
    report: SoundReport = field(default_factory=SoundReport)
    leave_hangs: bool = False
    join_hangs: bool = False
    error: Exception | None = None
    """Raised by `join`."""

    def __call__(self, options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> ScriptedSession:
        session = ScriptedSession(self, options, emit, board)
        self.sessions.append(session)
        return session


class ScriptedSession:
    """A `tui.session.Session`."""

    def __init__(self, script: Script, options: JoinOptions, emit: Callable[[CallEvent], None], board: Board) -> None:
        self.script = script
        self.options = options
        self.emit = emit
        self.board = board
        self.left = 0
        self.closed = 0
        self.ticks = 0
        self.longest_gap = 0.0
        self.answers: list[tuple[int, bool]] = []
        self.said: list[str] = []
        self.reactions: list[str] = []
        self.hands: list[tuple[str, bool]] = []
        self.favours: list[tuple[str, Wish]] = []
        self.voices: dict[str, tuple[float, bool]] = {}
        self.held: list[float] = []
        self.shared: list[str] = []
        self.retries = 0
        self.published: list[JoinOptions] = []
        self._release: asyncio.TimerHandle | None = None
        own = None if options.play_only else True
        self.media = self.before = LocalMediaChanged(own, own, play_only=options.play_only)
        self.low_bandwidth = False
        self.sound = SoundChanged("Built-in Audio")
        self._painter: asyncio.Task[None] | None = None

    async def join(self) -> None:
        self.loop = asyncio.get_running_loop()
        if self.script.join_hangs:
            await asyncio.Event().wait()
        if self.script.error is not None:
            raise self.script.error
        for event in self.script.events:
            if isinstance(event, SoundChanged):
                event = self.sound = replace(event, volume=self.sound.volume)
            if isinstance(event, LocalMediaChanged) and self.options.play_only:
                event = self.media
            self.emit(event)
        if self.script.paints or self.script.still:
            self._painter = asyncio.create_task(self._paint())

    async def leave(self) -> None:
        self.left += 1
        if self.script.leave_hangs:
            self.emit(callback("leave hangs", direction=Direction.LOCAL))
            await asyncio.Event().wait()

    async def publish(self, options: JoinOptions) -> None:
        self.published.append(options)
        self.media = LocalMediaChanged(True, True)
        self.emit(self.media)

    async def stop_publishing(self) -> None:
        self.media = LocalMediaChanged(None, None, play_only=True)
        self.emit(self.media)

    async def set_microphone(self, on: bool) -> None:
        self.media = replace(self.media, microphone=on)
        self.emit(self.media)

    async def set_camera(self, on: bool) -> None:
        self.media = replace(self.media, camera=on)
        self.emit(self.media)

    async def set_away(self, away: bool) -> None:
        if away:
            self.before = self.media
            self.media = replace(self.media, microphone=False, camera=False, away=True)
        else:
            self.media = replace(self.before, away=False)
        self.emit(self.media)

    async def set_low_bandwidth(self, low: bool) -> None:
        self.low_bandwidth = low

    async def set_deafened(self, deafened: bool) -> None:
        self.sound = replace(self.sound, deafened=deafened)
        self.emit(self.sound)

    async def set_volume(self, volume: float) -> None:
        self.sound = replace(self.sound, volume=volume)
        self.emit(self.sound)

    async def set_voice(self, stream_id: str, volume: float, muted: bool) -> None:
        self.voices[stream_id] = (volume, muted)

    async def use_speaker(self, device: str) -> None:
        self.sound = replace(self.sound, output=device)
        self.emit(self.sound)

    async def use_microphone(self, device: str) -> None:
        self.sound = replace(self.sound, microphone=device)
        self.emit(self.sound)

    async def use_camera(self, device: str) -> None:
        self.emit(PictureChanged(device))

    async def share(self, source: str) -> None:
        self.shared.append(source)
        self.emit(SharingChanged(ShareState.ON, source))

    async def stop_sharing(self) -> None:
        self.emit(SharingChanged(ShareState.OFF))

    async def retry(self) -> None:
        self.retries += 1

    async def speak_while_held(self, seconds: float) -> None:
        self.held.append(seconds)
        if self._release is not None:
            self._release.cancel()
        elif self.media.microphone:
            return
        else:
            await self.set_microphone(True)
        self._release = self.loop.call_later(seconds, self._let_go)

    def _let_go(self) -> None:
        self._release = None
        self.media = replace(self.media, microphone=False)
        self.emit(self.media)

    def statistics(self) -> Statistics:
        return self.script.statistics

    def sound_report(self) -> SoundReport:
        return self.script.report

    async def answer_request(self, request: ModeratorRequest, granted: bool) -> None:
        self.answers.append((request.number, granted))

    async def chat(self, text: str) -> None:
        self.said.append(text)
        self.emit(ChatMessage(1000 + len(self.said), "streamalice", "Alice", text, AT, own=True))

    async def react(self, reaction: str) -> None:
        self.reactions.append(reaction)
        self.emit(Reaction("streamalice", "Alice", reaction))

    async def raise_hand(self) -> None:
        self.emit(Announced(Notice.HAND_RAISED, "streamalice", "Alice"))

    async def answer_hand(self, stream_id: str, granted: bool) -> None:
        self.hands.append((stream_id, granted))

    async def ask(self, stream_id: str, favour: Wish) -> None:
        self.favours.append((stream_id, favour))
        people = [one for event in self.script.events if isinstance(event, RosterChanged) for one in event.participants]
        name = next((one.name for one in people if one.stream_id == stream_id), stream_id)
        self.emit(Asked(stream_id, name, favour))

    async def aclose(self) -> None:
        self.closed += 1
        if self._painter is not None:
            self._painter.cancel()

    def say(self, *events: CallEvent) -> None:
        """Emit on the core's loop, from the test's thread."""
        self.loop.call_soon_threadsafe(lambda: [self.emit(event) for event in events])

    def fail(self, error: Exception) -> None:
        """Break the core's loop with an error that nobody awaits."""

        async def broken() -> None:
            raise error

        self.loop.call_soon_threadsafe(lambda: setattr(self, "broken", self.loop.create_task(broken())))
        self.loop.call_soon_threadsafe(lambda: self.loop.call_later(0.05, lambda: setattr(self, "broken", None)))

    async def _paint(self) -> None:
        last = time.monotonic()
        while True:
            now = time.monotonic()
            self.longest_gap = max(self.longest_gap, now - last)
            last = now
            self.ticks += 1
            turn = 0 if self.script.still else self.ticks
            for number, key in enumerate([LOCAL, *(f"videoTrack{slot}" for slot in range(16))]):
                if self.board.wish(key) is not None:
                    self.board.show(key, slide(turn) if key == SHARED else face(number, turn))
            self.board.set_level("audioTrack0", 0.3 if self.script.still else abs(math.sin(turn / 9)) * 0.8)
            self.board.set_level(LOCAL, 0.1 if self.script.still else abs(math.sin(turn / 7)) * 0.6)
            await asyncio.sleep(0.1)


def face(number: int, turn: int, width: int = 160, height: int = 90) -> av.VideoFrame:
    """A head and shoulders before a wall."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    centre, radius = width / 2 + math.sin(turn / 5 + number) * width / 10, height / 4
    red = 60 + 40 * np.cos(number * 1.9) + 50 * y / height
    green = 70 + 40 * np.cos(number * 1.9 + 2) + 40 * y / height
    blue = 90 + 40 * np.cos(number * 1.9 + 4) + 30 * x / width
    body = ((x - centre) / (radius * 1.9)) ** 2 + ((y - height * 1.05) / (height * 0.42)) ** 2 < 1
    head = ((x - centre) / radius) ** 2 + ((y - height * 0.42) / (radius * 1.2)) ** 2 < 1
    eyes = (abs(abs(x - centre) - radius * 0.4) < 3) & (abs(y - height * 0.38) < 2)
    for mask, colour in ((body, (40, 60 + 20 * number, 120)), (head, (224, 172, 130)), (eyes, (30, 30, 40))):
        for channel, value in zip((red, green, blue), colour, strict=True):
            channel[mask] = value
    pixels = np.stack([red, green, blue], axis=-1).clip(0, 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")
