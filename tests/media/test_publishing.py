"""The own picture on a real connection: what a receiver sees, asks for and reports."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiortc import RTCRtpSender
from aiortc.rtp import RTCP_PSFB_APP, RTCP_PSFB_FIR, RTCP_PSFB_PLI, RtcpPsfbPacket, pack_remb_fci
from av import VideoFrame

from tests.core.peers import BLUE, GREEN, RED, collect_tracks, frequency, negotiate, new_connection, shows
from tests.waiting import until
from tui.core.aiortc_internals import encode_video, report_loss, tap_rtp, transmission
from tui.core.peer import LentTrack
from tui.media import video_encoding
from tui.media.generated import TestTone
from tui.media.pictures import Black, SolidColour, TestPattern
from tui.media.switched import SwitchedVideo
from tui.media.tracks import VideoTrack
from tui.media.video_encoding import LiveEncoder, VideoCoding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiortc import MediaStreamTrack, RTCRtpReceiver
    from aiortc.rtp import RtpPacket


class Line:
    """A published picture and who receives it."""

    def __init__(self) -> None:
        self.near, self.far = new_connection(), new_connection()
        self.tracks = collect_tracks(self.far)
        self.packets: list[RtpPacket] = []
        self.key_frames: list[float] = []

    async def publish(self, own: SwitchedVideo, codec: str = "video/VP8") -> None:
        transceiver = self.near.addTransceiver(LentTrack(own), "sendonly")
        transceiver.setCodecPreferences(
            [one for one in RTCRtpSender.getCapabilities("video").codecs if one.mimeType == codec]
        )
        self.sender = transceiver.sender
        encode_video(self.sender, own.video_encoder)
        await negotiate(self.near, self.far)
        self.receiver: RTCRtpReceiver = self.far.getReceivers()[-1]
        tap_rtp(self.receiver, self._hear)
        # What it would estimate by itself depends on how busy the machine is.
        setattr(self.receiver, "_RTCRtpReceiver__remote_bitrate_estimator", None)  # noqa: B010

    def _hear(self, packet: RtpPacket) -> None:
        self.packets.append(packet)
        payload = packet.payload
        # VP8: first packet of a frame (picture id of 15 bits), and a key frame by its first bit.
        if len(payload) > 4 and payload[0] & 0x10 and not payload[4] & 1:
            self.key_frames.append(time.monotonic())

    @property
    def track(self) -> MediaStreamTrack:
        return self.tracks[0]

    async def ask(self, fmt: int, fci: bytes = b"", media_ssrc: int | None = None) -> None:
        ssrc = self.sender._ssrc if media_ssrc is None else media_ssrc
        packet = RtcpPsfbPacket(fmt=fmt, ssrc=1, media_ssrc=ssrc, fci=fci)
        await self.receiver._send_rtcp(packet)

    async def aclose(self) -> None:
        await self.near.close()
        await self.far.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    await line.aclose()


async def size_of(track: MediaStreamTrack, expected: tuple[int, int], frames: int = 60) -> bool:
    """Whether one of the next pictures has this size."""
    for _ in range(frames):
        frame = await track.recv()
        assert isinstance(frame, VideoFrame)
        if (frame.width, frame.height) == expected:
            return True
    return False


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
async def test_a_picture_is_seen_and_exchanged_without_another_offer(line: Line, codec: str) -> None:
    own = SwitchedVideo(SolidColour(RED))
    await line.publish(own, codec)
    ssrc = line.sender._ssrc
    assert await shows(line.track, RED)
    own.switch(SolidColour(GREEN))
    assert await shows(line.track, GREEN)
    own.switch(SolidColour(BLUE, VideoCoding(640, 360, 10, 500)))
    assert await shows(line.track, BLUE)
    assert await size_of(line.track, (640, 360))
    own.switch(Black())
    assert await shows(line.track, (0, 0, 0))
    assert {packet.ssrc for packet in line.packets} == {ssrc}
    assert line.near.signalingState == "stable"


async def test_a_key_frame_comes_with_every_new_source_and_after_black(line: Line) -> None:
    own = SwitchedVideo(SolidColour(RED))
    await line.publish(own)
    await until(lambda: len(line.packets) > 8)
    assert len(line.key_frames) == 1
    own.switch(SolidColour(GREEN))
    await until(lambda: len(line.key_frames) == 2, what="the new source's")
    own.enabled = False
    await until(lambda: len(line.key_frames) == 3, what="black's")
    own.enabled = True
    await until(lambda: len(line.key_frames) == 4, what="the picture's")


async def test_key_frames_that_are_asked_for_come_once_a_second(line: Line) -> None:
    own = SwitchedVideo(TestPattern())
    await line.publish(own)
    await until(lambda: len(line.packets) > 8)
    for _ in range(100):
        await line.ask(RTCP_PSFB_PLI)
    await until(lambda: len(line.key_frames) == 2, what="a key frame")
    # While the storm goes on.
    while len(line.key_frames) < 4:
        await line.ask(RTCP_PSFB_PLI)
        await asyncio.sleep(0.02)
    gaps = [later - earlier for earlier, later in zip(line.key_frames[1:], line.key_frames[2:], strict=False)]
    assert min(gaps) > 0.8 * video_encoding.KEY_FRAME_SECONDS


async def test_a_full_intra_request_is_heard_though_it_names_its_sender_in_its_body(line: Line) -> None:
    own = SwitchedVideo(TestPattern())
    await line.publish(own)
    await until(lambda: len(line.packets) > 8)
    await line.ask(RTCP_PSFB_FIR, line.sender._ssrc.to_bytes(4, "big") + bytes([1, 0, 0, 0]), media_ssrc=0)
    await until(lambda: len(line.key_frames) == 2)


class Noise(VideoTrack):
    """More than any encoder can take in."""

    def picture(self, at: float) -> VideoFrame:
        pixels = np.random.default_rng(int(at * 1000)).integers(0, 256, (180, 320, 3), dtype=np.uint8)
        return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")


async def test_the_rate_follows_what_the_receiver_estimates(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_encoding, "_CALM", 0.5)
    own = SwitchedVideo(Noise(VideoCoding(bitrate=1500)))
    monkeypatch.setattr(own.degradation, "spent", lambda seconds: None)
    await line.publish(own)

    async def rate() -> float:
        """Bits per second of the next pictures, by their own time; frames that are left out count as time."""
        first = len(line.packets)
        await until(lambda: len({packet.timestamp for packet in line.packets[first:]}) > 8)
        seen = line.packets[first:]
        seconds = ((seen[-1].timestamp - seen[0].timestamp) % (1 << 32)) / 90_000
        return sum(len(packet.payload) for packet in seen) * 8 / seconds

    await until(lambda: len(line.packets) > 20)
    assert transmission(line.sender).target_bitrate == 1_500_000
    full = await rate()
    await line.ask(RTCP_PSFB_APP, pack_remb_fci(200_000, [line.sender._ssrc]), media_ssrc=0)
    await until(lambda: transmission(line.sender).target_bitrate < 210_000)
    await until(lambda: len(line.key_frames) > 1, what="the encoder's new rate")
    await rate()
    assert await rate() < 0.4 * full
    await line.ask(RTCP_PSFB_APP, pack_remb_fci(20, [line.sender._ssrc]), media_ssrc=0)
    await until(lambda: transmission(line.sender).target_bitrate == video_encoding.LEAST_BITRATE)
    await line.ask(RTCP_PSFB_APP, pack_remb_fci(9_000_000, [line.sender._ssrc]), media_ssrc=0)
    await until(lambda: transmission(line.sender).target_bitrate == 1_500_000)


async def test_who_loses_much_gets_less(line: Line) -> None:
    own = SwitchedVideo(TestPattern())
    await line.publish(own)
    await until(lambda: len(line.packets) > 8)
    report_loss(line.receiver, lambda: 128)
    await until(lambda: transmission(line.sender).target_bitrate < 250_000, what="a lower rate")


async def test_pictures_that_take_too_long_become_fewer_and_smaller_and_sound_goes_on(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, hold = LiveEncoder._encode, threading.Event()

    def slow(encoder: LiveEncoder, frame: VideoFrame, *arguments: Any) -> Any:
        hold.wait(0.1)
        return encode(encoder, frame, *arguments)

    monkeypatch.setattr(LiveEncoder, "_encode", slow)
    told: list[str] = []
    own = SwitchedVideo(SolidColour(RED), told.append)
    line.near.addTransceiver(LentTrack(TestTone(440.0)), "sendonly")
    await line.publish(own)
    await until(lambda: own.degradation.frames_per_second == 10)
    assert "short of time" in told[0]
    assert await size_of(line.tracks[1], (160, 90), frames=300)
    assert own.degradation.frames_per_second == 8
    assert abs(await frequency(line.tracks[0]) - 440) < 5
    hold.set()


async def test_the_encoder_of_another_codec_is_left_to_aiortc(line: Line) -> None:
    own = SwitchedVideo(SolidColour(RED))
    own.video_encoder = lambda codec: None  # type: ignore[method-assign]
    await line.publish(own)
    assert await shows(line.track, RED)
