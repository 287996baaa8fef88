"""Pictures on their way to who watches: what is passed on, what is asked for, what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.camera import Camera
from tests.core.peers import BLUE, GREEN, RED
from tests.waiting import Clock
from tui.core.pictures import LATEST, SOONEST, Pictures
from tui.core.video import Showing

if TYPE_CHECKING:
    from tests.core.peers import Colour
    from tui.core.video import EncodedPicture


class Watcher:
    """A `VideoSink` that keeps what it gets."""

    def __init__(self) -> None:
        self.pictures: list[EncodedPicture] = []

    def push(self, picture: EncodedPicture) -> None:
        self.pictures.append(picture)

    def showing(self) -> Showing:
        return Showing(decoded=len(self.pictures) - 1, dropped=1)


class Track:
    """Pictures of a camera, and the requests for key frames that leave."""

    def __init__(self) -> None:
        self.clock = Clock(100.0)
        self.asked: list[float] = []
        self.camera = Camera()
        self.pictures = Pictures(self._ask, self.clock)
        self.watcher = Watcher()

    def _ask(self, ssrc: int) -> None:
        assert ssrc == 7
        self.asked.append(self.clock.now - 100.0)

    def send(self, colour: Colour = RED, key: bool = False, after: float = 0.0) -> None:
        self.clock.now += after
        for packet in self.camera.shoot(colour, key):
            self.pictures.take(packet, self.camera.codec)


@pytest.fixture
def track() -> Track:
    return Track()


def test_nothing_is_put_together_before_somebody_watches(track: Track) -> None:
    track.send()
    track.send(GREEN)
    assert not track.pictures.is_watched
    assert (track.pictures.received, track.pictures.dropped) == (2, 2)
    assert track.pictures.showing == Showing()
    assert not track.asked


def test_who_watches_gets_a_key_frame_first_and_it_is_asked_for_at_once(track: Track) -> None:
    track.send()
    track.pictures.watch(track.watcher)
    assert track.asked == [0.0]
    track.send(GREEN, after=0.1)
    assert not track.watcher.pictures
    track.send(BLUE, key=True, after=0.1)
    track.send(RED, after=0.1)
    assert [picture.is_key for picture in track.watcher.pictures] == [True, False]
    assert track.watcher.pictures[0].arrival == track.clock.now - 0.1
    assert track.asked == [0.0]
    assert track.pictures.key_frames_requested == 1


def test_of_a_track_that_has_not_begun_a_key_frame_is_asked_for_when_it_does(track: Track) -> None:
    track.pictures.watch(track.watcher)
    assert not track.asked
    track.camera.shoot(RED)
    track.send()
    assert track.asked == [0.0]


def test_a_key_frame_that_does_not_come_is_asked_for_ever_more_seldom(track: Track) -> None:
    track.send()
    track.pictures.watch(track.watcher)
    for _ in range(300):
        track.send(after=1 / 15)
    gaps = [later - earlier for earlier, later in zip(track.asked, track.asked[1:], strict=False)]
    assert gaps[:4] == pytest.approx([SOONEST, 2 * SOONEST, 4 * SOONEST, LATEST], abs=0.08)
    assert max(gaps) <= LATEST + 0.08
    track.send(key=True)
    before = len(track.asked)
    track.send(after=10.0)
    assert len(track.asked) == before


def test_requests_are_never_closer_than_the_least(track: Track) -> None:
    track.send()
    track.pictures.watch(track.watcher)
    for _ in range(40):
        track.pictures.pause()
        track.pictures.watch(track.watcher)
        track.send(after=0.05)
    track.send(key=True)
    for _ in range(10):
        track.pictures.ask_key_frame()
        track.send(key=True, after=0.05)
    gaps = [later - earlier for earlier, later in zip(track.asked, track.asked[1:], strict=False)]
    assert gaps
    assert min(gaps) >= SOONEST


def test_a_pause_ends_everything_until_somebody_looks_again(track: Track) -> None:
    track.pictures.watch(track.watcher)
    track.send()
    track.pictures.pause()
    assert not track.pictures.is_watched
    for _ in range(5):
        track.send(GREEN, after=1.0)
    assert len(track.watcher.pictures) == 1
    assert not track.asked
    track.pictures.watch(track.watcher)
    assert track.asked == [5.0]
    track.send(GREEN)
    track.send(BLUE, key=True)
    assert [picture.is_key for picture in track.watcher.pictures] == [True, True]
    # Seen twice, once without a key frame, five times nobody looked; the watcher has dropped one itself.
    assert (track.pictures.received, track.pictures.dropped) == (8, 6 + 1)


def test_a_loss_is_asked_for_until_a_key_frame_comes(track: Track) -> None:
    track.pictures.watch(track.watcher)
    track.send()
    track.camera.shoot(RED)
    track.send(after=0.1)
    track.send(after=0.3)
    assert not track.asked
    track.send(after=0.2)
    assert len(track.asked) == 1
    track.send(key=True, after=0.1)
    track.send(after=0.1)
    assert [picture.is_key for picture in track.watcher.pictures] == [True, True, False]
    assert len(track.asked) == 1
