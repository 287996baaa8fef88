"""A sender of video without a connection: packets as they leave one, and as they arrive at the other end."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from aiortc.codecs import depayload
from aiortc.codecs.h264 import H264Encoder
from aiortc.codecs.vpx import Vp8Encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket
from av import VideoFrame

from tui.core.video import EncodedPicture

if TYPE_CHECKING:
    from tests.core.peers import Colour

VP8 = RTCRtpCodecParameters("video/VP8", 90_000, None, 97)
H264 = RTCRtpCodecParameters("video/H264", 90_000, None, 99)
CODECS = {"vp8": VP8, "h264": H264}


def picture(colour: Colour, width: int = 64, height: int = 48) -> VideoFrame:
    """One colour all over."""
    pixels = np.full((height, width, 3), colour, dtype=np.uint8)
    return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")


def arriving(packet: RtpPacket, codec: RTCRtpCodecParameters) -> RtpPacket:
    """The packet as a receiver hands it on."""
    packet._data = depayload(codec, packet.payload) if packet.payload else b""  # type: ignore[attr-defined]
    return packet


class Camera:
    """Encodes pictures at 15 a second; nothing is random but the codec's own picture ids."""

    def __init__(self, codec: str = "vp8", ssrc: int = 7, sequence: int = 100) -> None:
        self.codec = CODECS[codec]
        self.sequence = sequence
        self.timestamp = 0
        self._name = codec
        self._ssrc = ssrc
        self._encoder: Vp8Encoder | H264Encoder = Vp8Encoder() if codec == "vp8" else H264Encoder()

    def shoot(self, frame: VideoFrame | Colour, key: bool = False) -> list[RtpPacket]:
        """The packets of one picture, the first one a key frame in any case."""
        if not isinstance(frame, VideoFrame):
            frame = picture(frame)
        self.timestamp += 6000
        frame.pts, frame.time_base = self.timestamp, Fraction(1, 90_000)
        payloads, _ = self._encoder.encode(frame, force_keyframe=key)
        return self.packets(payloads)

    def packets(self, payloads: list[bytes]) -> list[RtpPacket]:
        """The packets of one picture that is encoded already."""
        sent = []
        for number, payload in enumerate(payloads):
            packet = RtpPacket(
                payload_type=self.codec.payloadType or 0,
                marker=int(number == len(payloads) - 1),
                sequence_number=self.sequence & 0xFFFF,
                timestamp=self.timestamp & 0xFFFFFFFF,
                ssrc=self._ssrc,
                payload=payload,
            )
            self.sequence += 1
            sent.append(arriving(packet, self.codec))
        return sent

    def encoded(self, frame: VideoFrame | Colour, key: bool = False, layer: int = 0) -> EncodedPicture:
        """One picture as it leaves the core."""
        data = b"".join([packet._data for packet in self.shoot(frame, key)])  # type: ignore[attr-defined]
        is_key = not data[0] & 1 if self._name == "vp8" else b"\0\0\1\x67" in data
        return EncodedPicture(self._name, data, self.timestamp, 0.0, is_key, layer)


def noise(width: int = 640, height: int = 360, seed: int = 1) -> VideoFrame:
    """A picture that takes many packets."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")
