"""What packets say about themselves: made by real encoders, by hand, and by nobody in his right mind."""

from __future__ import annotations

import fractions
import random

import av
import numpy as np
import pytest
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import VideoFrame

from tui.server.codecs import Codec, begins_key_frame, picture_size

SIZES = [(320, 180), (640, 360), (160, 120), (1280, 720)]
SPS, PPS, IDR, DELTA = b"\x67\x42\xe0\x1f", b"\x68\xce\x3c\x80", b"\x65\x88\x84\x00", b"\x41\x9a\x24\x6c"


def picture(width: int, height: int, index: int) -> VideoFrame:
    pixels = np.random.default_rng(7).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    frame = VideoFrame.from_ndarray(np.kron(pixels, np.ones((8, 8, 1), np.uint8))[:height, :width], format="rgb24")
    frame = frame.reformat(width, height, "yuv420p")
    frame.pts, frame.time_base = index * 6000, fractions.Fraction(1, 90_000)
    return frame


def frames(codec: Codec, width: int, height: int) -> list[list[bytes]]:
    """The payloads of a key frame and of the one after it."""
    encoder = get_encoder(RTCRtpCodecParameters(mimeType=codec.value, clockRate=90_000, payloadType=96))
    return [encoder.encode(picture(width, height, index), index == 0)[0] for index in range(2)]


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_key_frame_is_known_by_its_first_packet_and_tells_its_size(codec: Codec, width: int, height: int) -> None:
    key, delta = frames(codec, width, height)
    assert begins_key_frame(codec, key[0])
    assert picture_size(codec, key[0]) == (width, height)
    assert not any(begins_key_frame(codec, payload) for payload in delta)
    assert not any(picture_size(codec, payload) for payload in delta)


@pytest.mark.parametrize("profile", ["Baseline", "Main", "High", "High 4:4:4 Predictive"])
@pytest.mark.parametrize(("width", "height"), [(322, 242), (1920, 1080)])
def test_the_parameter_sets_of_every_profile_are_read(profile: str, width: int, height: int) -> None:
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = fractions.Fraction(1, 15)
    encoder.options = {"profile": profile.split()[0].lower(), "preset": "ultrafast", "tune": "zerolatency"}
    if profile.startswith("High 4"):
        encoder.pix_fmt = "yuv444p"
        encoder.options["profile"] = "high444"
    frame = picture(width, height, 0).reformat(format=encoder.pix_fmt)
    stream = b"".join(bytes(packet) for packet in encoder.encode(frame))
    unit = next(unit for unit in stream.split(b"\0\0\1") if unit and unit[0] & 0x1F == 7)
    assert picture_size(Codec.H264, unit.rstrip(b"\0")) == (width, height)


def stap(*units: bytes) -> bytes:
    return b"\x78" + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


@pytest.mark.parametrize(
    ("payload", "begins"),
    [
        (SPS, True),
        (stap(SPS, PPS), True),
        (stap(PPS, IDR), True),
        (stap(PPS), False),
        (IDR, True),
        (b"\x7c\x85\x88\x84", True),
        (b"\x7c\x05\x88\x84", False),
        (b"\x7c\x45\x88\x84", False),
        (b"\x7c\x81\x9a\x24", False),
        (b"\x65\x08\x84", False),
        (PPS, False),
        (DELTA, False),
    ],
    ids=[
        "parameter set",
        "aggregated parameter sets",
        "aggregated picture",
        "aggregated without a picture",
        "whole picture",
        "first fragment",
        "middle fragment",
        "last fragment",
        "first fragment of another picture",
        "second slice",
        "picture parameters alone",
        "delta",
    ],
)
def test_h264_begins_in_every_packetization(payload: bytes, begins: bool) -> None:
    assert begins_key_frame(Codec.H264, payload) is begins


def test_sound_begins_with_every_packet() -> None:
    assert begins_key_frame(Codec.OPUS, b"\xf8")
    assert picture_size(Codec.OPUS, b"\xf8") is None


def test_nothing_that_a_publisher_sends_raises() -> None:
    rng = random.Random(3)
    real = [payload for codec in (Codec.VP8, Codec.H264) for frame in frames(codec, 320, 180) for payload in frame]
    for _ in range(3000):
        payload = bytearray(rng.choice([rng.randbytes(rng.randrange(40)), *real, SPS, stap(SPS, b""), b"\x78\0\0\0"]))
        for _ in range(rng.randrange(6)):
            if payload:
                payload[rng.randrange(min(len(payload), 40))] = rng.randrange(256)
        for codec in Codec:
            begins_key_frame(codec, bytes(payload))
            size = picture_size(codec, bytes(payload))
            assert size is None or all(0 <= side < 1 << 14 for side in size)
