"""The sound of a room of more people than are decoded, through a real server and to the speaker: who talks is heard."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from tests.hearing import pitch
from tests.waiting import until
from tui.call import Call
from tui.config import JoinOptions
from tui.core.conference import Conference
from tui.core.events import CallState, RosterChanged, TrackAdded
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look
from tui.media.encoding import Coding
from tui.media.generated import TestTone
from tui.media.mixer import MOST_VOICES
from tui.media.sound import SAMPLE_RATE
from tui.server.options import Options
from tui.server.signaling import RoomServer
from tui.server.slots import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from av import AudioFrame

    from tui.core.events import Participant
    from tui.core.peer import RemoteTrack
    from tui.media.sound import Samples
    from tui.session import CallEvent

PEOPLE = 30
TOGETHER = 6
"""So many join at a time."""
LATEST = SAMPLE_RATE // 2


class Tone(TestTone):
    """Makes few frames while it is muted, which leaves a busy machine the time to listen."""

    def __init__(self, frequency: float) -> None:
        super().__init__(frequency)
        self.enabled = False
        self.coding = Coding(dtx=True)
        self._made = 0

    async def recv(self) -> AudioFrame:
        self._made += 1
        if not self.enabled and self._made > 10:
            await asyncio.sleep(0.3)
        return await super().recv()


class Audience:
    """A call that only listens, and what came out of its mixer last."""

    def __init__(self, url: str) -> None:
        self.sounds: dict[str, RemoteTrack] = {}
        self.people: tuple[Participant, ...] = ()
        self._heard: deque[Samples] = deque(maxlen=100)
        board = Board(Look(Glyphs.HALF, Depth.TRUECOLOR))
        self.call = Call(JoinOptions(url=url, room="room1", play_only=True, speaker="none"), self._note, board)
        self.board = board
        self.mixer = self.call._desk.mixer
        self.mixer.listen(lambda block: self._heard.append(block.copy()))

    def _note(self, event: CallEvent) -> None:
        if isinstance(event, TrackAdded) and event.track.kind == "audio":
            self.sounds[event.track.key] = event.track
        elif isinstance(event, RosterChanged):
            self.people = event.participants

    def hears(self, number: int | None) -> bool:
        """Whether that one's tone is the loudest of late, or nothing is to be heard."""
        sound = np.concatenate([np.zeros(LATEST, dtype=np.float32), *list(self._heard)])[-LATEST:]
        return abs(pitch(sound) - (0.0 if number is None else frequency(number))) < 8.0

    def talkers(self) -> set[str]:
        return {person.stream_id for person in self.people if person.talking}

    def decoded(self) -> set[str]:
        """Whose voices are."""
        inside = self.mixer._earshot.inside
        return {person.stream_id for person in self.people if person.audio in inside}


def frequency(number: int) -> float:
    return 400.0 + 20.0 * number


@contextlib.asynccontextmanager
async def crowd(url: str, people: int) -> AsyncIterator[tuple[Audience, list[Conference]]]:
    """Everybody has a tone of their own, and is muted."""
    tones = [Tone(frequency(number)) for number in range(people)]
    speakers = [
        Conference(url, "room1", f"p{number}", lambda _: None, publish_only=True, audio=tone)
        for number, tone in enumerate(tones)
    ]
    audience = Audience(url)
    try:
        for first in range(0, people, TOGETHER):
            await asyncio.gather(*(speaker.join() for speaker in speakers[first : first + TOGETHER]))
        assert {speaker.state for speaker in speakers} == {CallState.JOINED}
        await audience.call.join()
        yield audience, speakers
    finally:
        await asyncio.gather(audience.call.aclose(), *(speaker.aclose() for speaker in speakers))
        for tone in tones:
            tone.stop()


async def test_whoever_of_a_crowd_speaks_is_heard() -> None:
    async with RoomServer() as server, crowd(server.url, PEOPLE) as (audience, speakers):
        await until(lambda: len(audience.sounds) == PEOPLE and len(audience.decoded()) == MOST_VOICES, what="tracks")
        # Whoever came last, mostly the 28th to the 30th.
        speaker = max({f"p{number}" for number in range(PEOPLE)} - audience.decoded(), key=lambda one: int(one[1:]))
        number = int(speaker[1:])
        await speakers[number].set_microphone(True)
        await until(lambda: audience.hears(number), what=f"the tone of {speaker}")
        await until(lambda: audience.talkers() == {speaker}, what="the mark")
        assert speaker in audience.decoded()
        assert len(audience.decoded()) == MOST_VOICES
        await speakers[number].set_microphone(False)
        await until(lambda: audience.hears(None) and not audience.talkers(), what="silence")


async def test_where_the_server_deals_the_slots_who_speaks_is_heard_in_one() -> None:
    """``maxAudioTrackCount`` 2: the third to speak takes the slot of who is silent, without an offer."""
    async with (
        RoomServer(options=Options(limits=Limits(audio=2))) as server,
        crowd(server.url, 4) as (audience, speakers),
    ):
        for number, speaker in enumerate(speakers):
            await speaker.set_microphone(True)
            await until(lambda: audience.hears(number), what=f"the tone of p{number}")  # noqa: B023
            await until(lambda: f"p{number}" in audience.talkers(), what="the mark")  # noqa: B023
            assert len(audience.sounds) <= 2
            await speaker.set_microphone(False)
            await until(lambda: audience.hears(None), what="silence")
