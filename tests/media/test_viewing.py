"""One remote video: decoded only while it is seen, from a key frame on, and whatever comes."""

from __future__ import annotations

import itertools
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.core.camera import Camera, noise, picture
from tests.core.peers import BLUE, GREEN, RED, is_colour
from tests.media.test_video_decoder import vp8_key
from tests.waiting import DEADLINE, Clock, block_until
from tui.core.pictures import Pictures
from tui.media import viewing
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.video_decoder import VideoDecoder
from tui.media.viewing import FREEZE, View
from tui.media.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av import VideoFrame

    from tests.core.peers import Colour
    from tui.core.video import EncodedPicture

SIZE = Size(40, 12)


class Scene:
    """Views on one board, and a camera for each; the clock goes on by what is sent."""

    def __init__(self) -> None:
        self.clock = Clock(1000.0)
        self.board = Board(Look(Glyphs.HALF, Depth.TRUECOLOR))
        self.workers = Workers(2, "video decoder")
        self.views: list[View] = []

    def add(self, key: str = "v", codec: str = "vp8") -> Shot:
        return Shot(self, key, codec)

    def see(self, *keys: str) -> None:
        self.board.want(dict.fromkeys(keys, SIZE))
        for view in self.views:
            view.look()


class Shot:
    """A camera and the view of it."""

    def __init__(self, scene: Scene, key: str, codec: str) -> None:
        self.asked = 0
        self.camera = Camera(codec)
        self.pictures = Pictures(self._ask, scene.clock)
        self.view = View(scene.board, key, self.pictures, scene.workers, scene.clock)
        self._scene = scene
        self._key = key
        scene.views.append(self.view)

    def _ask(self, _: int) -> None:
        self.asked += 1

    def send(self, frame: VideoFrame | Colour, key: bool = False) -> None:
        self._scene.clock.now += 1 / 15
        for packet in self.camera.shoot(frame, key):
            self.pictures.take(packet, self.camera.codec)
        self.settle()

    def push(self, picture: EncodedPicture) -> None:
        self._scene.clock.now += 1 / 15
        self.view.push(picture)

    def settle(self) -> None:
        """Whatever was pushed is decoded."""
        ends = time.monotonic() + DEADLINE
        while self.view._is_busy:
            assert time.monotonic() < ends, "the decoder takes too long"
            time.sleep(0.0005)

    def shows(self, colour: Colour) -> bool:
        frame = self._scene.board.frame(self._key)
        return frame is not None and is_colour(frame, colour)


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    for view in scene.views:
        view.close()
        view.close()
    scene.workers.close()
    block_until(lambda: not any(thread.name == "video decoder" for thread in threading.enumerate()), "the threads")


CODECS = pytest.mark.parametrize("codec", ["vp8", "h264"])


@CODECS
def test_the_newest_picture_is_shown_while_somebody_looks(scene: Scene, codec: str) -> None:
    shot = scene.add(codec=codec)
    scene.see("v")
    shot.send(RED)
    assert shot.shows(RED)
    shot.send(GREEN)
    assert shot.shows(GREEN)
    showing = shot.view.showing()
    assert (showing.decoded, showing.dropped, showing.width, showing.height) == (2, 0, 64, 48)
    assert showing.decode_time > 0


@CODECS
def test_nothing_is_decoded_while_nobody_looks_and_no_old_picture_comes_back(scene: Scene, codec: str) -> None:
    shot = scene.add(codec=codec)
    shot.send(RED)
    scene.see("v")
    assert shot.asked == 1
    shot.send(RED)
    assert not shot.shows(RED), "shown without its key frame"
    shot.send(RED, key=True)
    assert shot.shows(RED)
    scene.see()
    for _ in range(10):
        shot.send(GREEN)
    assert shot.view.showing().decoded == 1
    assert shot.view._decoder.awaits_key_frame, "what the decoder holds is given back"
    scene.see("v")
    assert shot.asked == 2
    shot.send(GREEN)
    assert scene.board.frame("v") is None
    shot.send(BLUE, key=True)
    assert shot.shows(BLUE)
    shot.send(GREEN)
    assert shot.shows(GREEN)
    assert (shot.pictures.received, shot.view.showing().decoded) == (16, 3)


@pytest.mark.parametrize("size", [Size(3, 12), Size(40, 1)])
def test_a_tile_too_small_to_show_anything_is_not_decoded(scene: Scene, size: Size) -> None:
    shot = scene.add()
    scene.board.want({"v": size})
    shot.view.look()
    shot.send(RED)
    assert not shot.view.is_watched
    scene.board.want({"v": Size(4, 2)})
    shot.view.look()
    assert shot.view.is_watched


def test_nothing_is_decoded_while_pictures_are_off(scene: Scene) -> None:
    shot = scene.add()
    scene.see("v")
    shot.send(RED)
    scene.board.frames_per_second = 0.0
    shot.send(GREEN)
    assert shot.view.showing().decoded == 1
    assert not shot.view.is_watched
    scene.board.frames_per_second = 2.0
    shot.view.look()
    shot.send(BLUE, key=True)
    assert shot.shows(BLUE)


def test_hiding_is_noticed_by_the_next_picture_already(scene: Scene) -> None:
    shot = scene.add()
    scene.see("v")
    shot.send(RED)
    scene.board.want({})
    shot.send(GREEN)
    assert not shot.view.is_watched
    assert shot.view.showing().decoded == 1


def test_what_nobody_refers_to_is_not_decoded_when_the_screen_takes_less(scene: Scene) -> None:
    shot = scene.add()
    scene.see("v")
    scene.board.frames_per_second = 5.0
    key = shot.camera.encoded(RED)
    shot.push(key)
    shot.settle()
    follows = shot.camera.encoded(RED)
    for number in range(60):
        shot.push(replace(follows, layer=number % 2))
        shot.settle()
    showing = shot.view.showing()
    assert showing.decoded + showing.dropped == 61
    assert 20 <= showing.dropped <= 30


def test_a_picture_that_stops_is_told_and_asked_for_ever_more_seldom(scene: Scene) -> None:
    shot = scene.add()
    scene.see("v")
    shot.send(RED)
    stopped_at = scene.clock.now
    asked = shot.asked
    scene.clock.now += FREEZE
    shot.view.look()
    assert scene.board.stopped("v") is None
    moments = []
    for _ in range(600):
        scene.clock.now += 0.1
        before = shot.asked
        shot.view.look()
        if shot.asked > before:
            moments.append(scene.clock.now - stopped_at)
    assert scene.board.stopped("v") == stopped_at
    assert moments[0] == pytest.approx(FREEZE + 0.1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert 3 <= len(gaps) <= 8
    assert sorted(gaps) == pytest.approx(gaps, abs=0.2)
    shot.send(GREEN, key=True)
    assert scene.board.stopped("v") is None
    assert shot.shows(GREEN)
    assert shot.asked == asked + len(moments)


def test_who_has_the_camera_off_or_is_not_seen_does_not_stand_still(scene: Scene) -> None:
    shot = scene.add()
    scene.see("v")
    shot.send(RED)
    shot.view.is_sent = False
    scene.clock.now += 10
    shot.view.look()
    assert scene.board.stopped("v") is None
    shot.view.is_sent = True
    shot.view.look()
    assert scene.board.stopped("v") is not None
    scene.see()
    assert scene.board.stopped("v") is None
    scene.clock.now += 10
    shot.view.look()
    assert scene.board.stopped("v") is None


def test_a_picture_that_never_comes_stands_still_since_somebody_looks(scene: Scene) -> None:
    shot = scene.add()
    scene.see("v")
    since = scene.clock.now
    scene.clock.now += FREEZE + 0.1
    shot.view.look()
    assert scene.board.stopped("v") == since


def test_freezes_are_counted_as_webrtc_does(scene: Scene) -> None:
    shot = scene.add()
    scene.see("v")
    for number in range(40):
        shot.send(RED)
        if number in (20, 30):
            scene.clock.now += 0.5
    showing = shot.view.showing()
    assert showing.freezes == 2
    assert showing.frozen == pytest.approx(2 * (0.5 + 1 / 15))
    scene.see()
    scene.clock.now += 100
    scene.see("v")
    shot.send(RED, key=True)
    assert shot.view.showing().freezes == 2, "a pause is no freeze"


def test_a_picture_that_claims_too_much_is_refused_once_and_the_next_shown(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    shot = scene.add("v\x1b")
    scene.see("v\x1b")
    for _ in range(50):
        shot.push(vp8_key(16_383, 16_383))
        shot.settle()
    assert [record.getMessage() for record in caplog.records] == [
        "video track v\N{REPLACEMENT CHARACTER}: picture of 16383x16383 refused"
    ]
    assert scene.board.frame("v\x1b") is None
    shot.send(RED)
    assert shot.shows(RED)


def test_a_decoder_that_always_fails_harms_no_other_and_is_not_renewed_all_the_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = scene.add("bad"), scene.add("good")
    scene.see("bad", "good")
    decode, opened = VideoDecoder.decode, 0

    def fails(decoder: VideoDecoder, picture: EncodedPicture) -> VideoFrame | None:
        if decoder is bad.view._decoder:
            nonlocal opened
            opened += 1
            raise RuntimeError("a defect")
        return decode(decoder, picture)

    monkeypatch.setattr(VideoDecoder, "decode", fails)
    for number in range(45):
        bad.send(RED, key=number % 5 == 0)
        good.send(GREEN)
    assert good.view.showing().decoded == 45
    assert bad.view.showing().decoded == 0
    assert bad.view.showing().dropped == 45
    assert len(caplog.records) == 1
    assert bad.asked <= 45 / 15 / 0.5 + 1
    monkeypatch.undo()
    bad.send(BLUE, key=True)
    assert bad.shows(BLUE)


def test_what_a_slow_decoder_cannot_take_is_bounded_and_ends_with_a_key_frame(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    shot = scene.add()
    scene.see("v")
    shot.send(noise())
    goes_on, decode = threading.Event(), VideoDecoder.decode

    def slow(decoder: VideoDecoder, picture: EncodedPicture) -> VideoFrame | None:
        goes_on.wait(10)
        return decode(decoder, picture)

    monkeypatch.setattr(VideoDecoder, "decode", slow)
    asked = shot.asked
    encoded = shot.camera.encoded(noise(seed=2))
    for _ in range(5 * viewing._INBOX):
        shot.push(encoded)
        assert len(shot.view._inbox) <= viewing._INBOX
    assert shot.asked > asked
    goes_on.set()
    shot.settle()
    decoded = shot.view.showing().decoded
    shot.send(picture(RED, 640, 360))
    assert shot.view.showing().decoded == decoded, "decoded without its key frame"
    shot.send(picture(RED, 640, 360), key=True)
    assert shot.shows(RED)


def test_nothing_is_shown_after_the_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    shot = scene.add()
    scene.see("v")
    begun, goes_on, decode = threading.Event(), threading.Event(), VideoDecoder.decode

    def slow(decoder: VideoDecoder, picture: EncodedPicture) -> VideoFrame | None:
        begun.set()
        goes_on.wait(10)
        return decode(decoder, picture)

    monkeypatch.setattr(VideoDecoder, "decode", slow)
    shot.push(shot.camera.encoded(RED))
    assert begun.wait(10)
    shot.view.close()
    scene.board.forget("v")
    goes_on.set()
    shot.settle()
    assert scene.board.frame("v") is None
    assert not shot.pictures.is_watched


def test_only_those_that_are_seen_are_decoded(scene: Scene) -> None:
    shots = [scene.add(f"v{number}") for number in range(24)]
    scene.see(*(f"v{number}" for number in range(9)))
    for _ in range(5):
        for shot in shots:
            shot.send(RED)
    assert [shot.view.showing().decoded for shot in shots] == [5] * 9 + [0] * 15
    assert [len(shot.pictures._assembly._pieces) for shot in shots] == [0] * 24
    assert sum(thread.name == "video decoder" for thread in threading.enumerate()) <= 2
    scene.see(*(f"v{number}" for number in range(15, 24)))
    for shot in shots:
        shot.send(GREEN, key=True)
    assert [shot.view.showing().decoded for shot in shots] == [5] * 9 + [0] * 6 + [1] * 9


@CODECS
def test_ten_thousand_hostile_pictures_leave_nothing_behind(
    scene: Scene, codec: str, caplog: pytest.LogCaptureFixture
) -> None:
    shot, other = scene.add(codec=codec), scene.add("other")
    scene.see("v", "other")
    chance = random.Random(3)
    whole = [
        shot.camera.encoded(noise(160 + 16 * (number % 3), 90 + 16 * (number % 3), seed=number), key=True)
        for number in range(6)
    ]
    threads = threading.active_count()
    began = time.process_time()
    for number in range(10_000):
        chosen = chance.choice(whole)
        data = chance.choice([chosen.data, chosen.data[: chance.randrange(1, 60)], chance.randbytes(30)])
        shot.push(replace(chosen, data=data, is_key=chance.random() < 0.7, timestamp=chance.randrange(1 << 32)))
        if number % 20 == 0:
            shot.settle()
        if number % 500 == 0:
            other.send(GREEN)
            assert other.shows(GREEN)
    shot.settle()
    assert threading.active_count() <= threads + 2
    assert len(shot.view._inbox) == 0
    showing = shot.view.showing()
    assert showing.decoded + showing.dropped == 10_000
    assert len(caplog.records) <= viewing._COMPLAINTS
    assert other.view.showing().decoded == 20
    assert time.process_time() - began < 60
    scene.clock.now += 10
    shot.send(BLUE, key=True)
    assert shot.shows(BLUE)
