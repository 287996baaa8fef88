"""The encoder of the own picture: its rate, its key frames, what it does with strange pictures."""

from __future__ import annotations

import asyncio
import itertools
import threading
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType

from tests.waiting import Clock
from tui.media import video_encoding
from tui.media.degradation import STEPS, Degradation
from tui.media.pictures import TestPattern
from tui.media.video_encoding import LEAST_BITRATE, Bandwidth, LiveEncoder, VideoCoding, live_encoder

if TYPE_CHECKING:
    from av.packet import Packet


class Studio:
    """An encoder and its pictures; time passes with them."""

    def __init__(self, codec: str = "vp8", coding: VideoCoding | None = None) -> None:
        self.clock = Clock()
        self.track = TestPattern(coding)
        self.track.degradation = Degradation(self.track.coding.frames_per_second, clock=self.clock)
        self.encoder = LiveEncoder(codec, self.track, self.clock)
        self.decoder = av.CodecContext.create("vp8" if codec == "vp8" else "h264", "r")
        self.count = 0

    def picture(self) -> av.VideoFrame:
        frame = self.track.picture(self.count / 15)
        frame.pts, frame.time_base = self.count * 6000, Fraction(1, 90_000)
        self.count += 1
        self.clock.now += 1 / 15
        return frame

    async def send(self, frame: av.VideoFrame | None = None) -> Packet[Any]:
        packet = await self.encoder.encode(frame or self.picture())
        assert packet is not None
        return packet

    async def keys(self, pictures: int) -> list[int]:
        """Which of the next pictures are key frames."""
        return [number for number in range(pictures) if (await self.send()).is_keyframe]

    def shown(self, packet: Packet[Any]) -> av.VideoFrame:
        (frame,) = self.decoder.decode(av.Packet(bytes(packet)))
        assert isinstance(frame, av.VideoFrame)
        return frame


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_what_is_encoded_is_the_picture_at_once_and_with_its_time(codec: str) -> None:
    studio = Studio(codec)
    for number in range(10):
        frame = studio.picture()
        packet = await studio.send(frame)
        assert packet.pts == number * 6000
        difference = studio.shown(packet).to_ndarray().astype(float) - frame.to_ndarray()
        assert np.sqrt(np.square(difference).mean()) < 12


async def test_other_codecs_are_left_to_aiortc() -> None:
    assert live_encoder("vp9", TestPattern()) is None
    with pytest.raises(KeyError):
        LiveEncoder("av1", TestPattern())


@pytest.mark.parametrize("codec", ["vp8", "h264"])
async def test_only_the_first_picture_is_a_key_frame_unless_one_is_wanted(codec: str) -> None:
    studio = Studio(codec)
    assert await studio.keys(60) == [0]
    studio.encoder.want_key_frame()
    assert await studio.keys(60) == [0]


async def test_what_is_asked_for_again_and_again_comes_once_a_second() -> None:
    studio = Studio()
    await studio.send()
    keys = []
    for number in range(60):
        studio.encoder.want_key_frame()
        if (await studio.send()).is_keyframe:
            keys.append(number)
    assert len(keys) in (3, 4)
    assert min(later - earlier for earlier, later in itertools.pairwise(keys)) >= 15


async def test_a_new_source_does_not_wait() -> None:
    studio = Studio()
    await studio.send()
    for _ in range(3):
        frame = studio.picture()
        frame.pict_type = PictureType.I
        assert (await studio.send(frame)).is_keyframe
    assert await studio.keys(30) == []


async def test_a_key_frame_does_not_burst_the_line() -> None:
    studio = Studio()
    await studio.send()
    studio.encoder.want_key_frame()
    for _ in range(20):
        packet = await studio.send()
    assert packet.size < 4.5 * 300_000 / 15 / 8


async def test_the_picture_shrinks_with_the_step_and_comes_back() -> None:
    studio = Studio()
    studio.track.degradation._at = 4
    assert studio.track.degradation.scale == STEPS[4].scale == 0.5
    frame = studio.shown(await studio.send())
    assert (frame.width, frame.height) == studio.encoder.size == (160, 90)
    studio.track.degradation._at = 0
    packet = await studio.send()
    assert packet.is_keyframe
    assert (studio.shown(packet).width, studio.shown(await studio.send()).height) == (320, 180)


@pytest.mark.parametrize("size", [(2, 2), (322, 130), (180, 320), (1920, 1080)])
async def test_pictures_of_any_shape_are_encoded(size: tuple[int, int]) -> None:
    studio = Studio()
    frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 90, dtype=np.uint8), format="rgb24")
    frame.pts, frame.time_base = 0, Fraction(1, 90_000)
    assert (await studio.send(frame)).size > 0


async def test_a_picture_that_cannot_be_encoded_is_left_out_and_the_next_one_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    studio = Studio()
    await studio.send()
    make = video_encoding._context
    monkeypatch.setattr(video_encoding, "_context", lambda *_: (_ for _ in ()).throw(ValueError("strange")))
    studio.track.degradation._at = 4
    assert await studio.encoder.encode(studio.picture()) is None
    assert await studio.encoder.encode(studio.picture()) is None
    assert caplog.text.count("cannot be encoded") == 1
    monkeypatch.setattr(video_encoding, "_context", make)
    assert (await studio.send()).is_keyframe


async def test_the_rate_falls_at_once_and_rises_in_steps() -> None:
    """Each step costs a key frame with libvpx."""
    studio = Studio(coding=VideoCoding(bitrate=1000))
    await studio.send()
    studio.encoder.target_bitrate = 200_000
    assert await studio.keys(10) == [0]
    rates = []
    for target in range(210_000, 1_200_000, 10_000):
        studio.encoder.target_bitrate = target
        if (await studio.send()).is_keyframe:
            rates.append(studio.encoder._rate)
    assert rates == [710_000], "four seconds after the last one"
    assert await studio.keys(70) != []
    assert studio.encoder._rate == 1_000_000


async def test_h264_changes_its_rate_without_a_key_frame() -> None:
    studio = Studio("h264", VideoCoding(bitrate=1000))
    await studio.send()
    studio.encoder.target_bitrate = 200_000
    assert await studio.keys(30) == []
    assert studio.encoder._context is not None
    assert studio.encoder._context.bit_rate == 200_000


async def test_the_loop_goes_on_while_a_picture_is_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    studio, go = Studio(), threading.Event()
    monkeypatch.setattr(LiveEncoder, "_encode", lambda *_: go.wait(10) and None)
    sending = asyncio.ensure_future(studio.encoder.encode(studio.picture()))
    for _ in range(5):
        await asyncio.sleep(0.01)
        assert not sending.done()
    go.set()
    assert await sending is None


def test_the_receiver_says_how_much_there_may_be() -> None:
    bandwidth = Bandwidth()
    assert bandwidth.target(300_000) == 300_000
    for estimate, target in ((9_000_000, 300_000), (120_000, 120_000), (0, LEAST_BITRATE), (1 << 60, 300_000)):
        bandwidth.hear_estimate(estimate)
        assert bandwidth.target(300_000) == target
    # Less than the least was asked for by the user.
    bandwidth.hear_estimate(0)
    assert bandwidth.target(40_000) == 40_000


def test_losses_lower_the_rate_and_a_clean_line_raises_it_again() -> None:
    bandwidth = Bandwidth()
    for loss in (0.0, 0.05, 0.1):
        bandwidth.hear_loss(loss, 300_000)
        assert bandwidth.target(300_000) == 300_000
    bandwidth.hear_loss(0.2, 300_000)
    assert bandwidth.target(300_000) == 270_000
    bandwidth.hear_loss(0.05, 300_000)
    assert bandwidth.target(300_000) == 270_000
    for _ in range(100):
        bandwidth.hear_loss(1.0, 300_000)
    assert bandwidth.target(300_000) == LEAST_BITRATE
    steps = 0
    while bandwidth.target(300_000) < 300_000:
        bandwidth.hear_loss(0.0, 300_000)
        steps += 1
    assert 10 < steps < 40
