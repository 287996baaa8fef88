"""One remote video decoded: what is whole is shown, what claims too much or is broken is refused."""

from __future__ import annotations

import contextlib
import random
import resource
from dataclasses import replace

import pytest

from tests.core.camera import Camera, noise, picture
from tests.core.peers import BLUE, GREEN, RED, is_colour
from tests.waiting import Clock
from tui.core.video import EncodedPicture
from tui.media.video_decoder import RefusedError, VideoDecoder, claimed_size

CODECS = pytest.mark.parametrize("codec", ["vp8", "h264"])


def vp8_key(width: int, height: int) -> EncodedPicture:
    data = b"\x10\x02\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + bytes(540)
    return EncodedPicture("vp8", data, 0, 0.0, is_key=True)


def h264_key(columns: int, rows: int) -> EncodedPicture:
    """A baseline parameter set of so many macroblocks, and the beginning of a slice."""

    def golomb(value: int) -> str:
        return f"{value + 1:b}".zfill(2 * (value + 1).bit_length() - 1)

    bits = "".join(map(golomb, (0, 4, 2, 1))) + "0" + golomb(columns - 1) + golomb(rows - 1) + "1100" + "1"
    bits += "0" * (-len(bits) % 8)
    unit = b"\x67\x42\xc0\x33" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    return EncodedPicture("h264", b"\0\0\0\1" + unit + b"\0\0\0\1\x65\x88\x84", 0, 0.0, is_key=True)


@CODECS
def test_pictures_are_decoded_from_a_key_frame_on(codec: str) -> None:
    camera, decoder = Camera(codec), VideoDecoder()
    first, second = camera.encoded(RED), camera.encoded(GREEN)
    assert decoder.decode(second) is None
    assert decoder.awaits_key_frame
    frame = decoder.decode(first)
    assert frame is not None
    assert is_colour(frame, RED)
    frame = decoder.decode(second)
    assert frame is not None
    assert is_colour(frame, GREEN)
    assert (frame.width, frame.height, frame.pts) == (64, 48, second.timestamp)
    decoder.begin_anew()
    assert decoder.decode(camera.encoded(BLUE)) is None


@pytest.mark.parametrize(
    ("codec", "size"),
    [
        *(("vp8", size) for size in ((1, 1), (3, 2), (64, 36), (321, 181), (4096, 2), (17, 1000))),
        *(("h264", size) for size in ((16, 16), (64, 36), (322, 182), (4096, 16), (18, 1000))),
    ],
)
def test_every_size_is_shown(codec: str, size: tuple[int, int]) -> None:
    encoded = Camera(codec).encoded(picture(RED, *size))
    claimed = claimed_size(encoded)
    assert claimed is not None
    assert claimed[0] - 16 < size[0] <= claimed[0]
    assert claimed[1] - 16 < size[1] <= claimed[1]
    frame = VideoDecoder().decode(encoded)
    assert frame is not None
    assert (frame.width, frame.height) == size


@pytest.mark.parametrize("huge", [vp8_key(16_383, 16_383), h264_key(1023, 1023)], ids=["vp8", "h264"])
def test_a_claim_of_too_much_costs_nothing(huge: EncodedPicture) -> None:
    decoder = VideoDecoder()
    claimed = claimed_size(huge)
    assert claimed is not None
    assert claimed[0] * claimed[1] > 200_000_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1000):
        with pytest.raises(RefusedError, match="picture of 16"):
            decoder.decode(huge)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kB"
    assert decoder.awaits_key_frame


def test_the_largest_of_several_claims_counts_and_no_cropping_hides_it() -> None:
    small, huge = h264_key(4, 3), h264_key(1000, 1000)
    both = replace(small, data=small.data + huge.data + small.data)
    assert claimed_size(small) == (64, 48)
    assert claimed_size(both) == (16_000, 16_000)
    with pytest.raises(RefusedError, match="cannot be read"):
        claimed_size(replace(small, data=b"\0\0\1\x67\x42" + b"\0" * 9))
    with pytest.raises(RefusedError, match="cut off"):
        claimed_size(replace(vp8_key(64, 48), data=b"\x10\x02"))


@CODECS
def test_another_size_in_the_middle_is_followed_but_not_too_often(codec: str) -> None:
    clock = Clock(10.0)
    camera, decoder = Camera(codec), VideoDecoder(clock)
    shown, refused = [], 0
    for number in range(30):
        size = (64 + 16 * number, 48 + 16 * number)
        try:
            frame = decoder.decode(camera.encoded(picture(RED, *size), key=True))
        except RefusedError:
            refused += 1
        else:
            assert frame is not None
            shown.append((frame.width, frame.height))
        clock.now += 0.05
    assert 5 <= len(shown) <= 13
    assert refused == 30 - len(shown)
    clock.now += 5
    assert decoder.decode(camera.encoded(picture(RED, 64, 48), key=True)) is not None


@CODECS
def test_a_broken_picture_asks_for_a_key_frame_and_no_smear_is_shown(codec: str) -> None:
    camera, decoder = Camera(codec), VideoDecoder()
    decoder.decode(camera.encoded(noise()))
    broken = camera.encoded(noise(seed=2))
    chance = random.Random(4)
    refusals: list[str] = []
    while not refusals:
        try:
            decoder.decode(replace(broken, data=broken.data[:1] + chance.randbytes(40)))
        except RefusedError as refusal:
            refusals.append(str(refusal))
    assert refusals[0].startswith(f"broken {codec} picture")
    assert decoder.awaits_key_frame
    assert decoder.decode(camera.encoded(noise(seed=3))) is None
    frame = decoder.decode(camera.encoded(picture(BLUE, 640, 360), key=True))
    assert frame is not None
    assert is_colour(frame, BLUE)


@CODECS
@pytest.mark.parametrize("seed", range(10))
def test_anything_is_refused_or_shown(codec: str, seed: int) -> None:
    """Truncated, bent and random pictures: nothing else is raised, and what is whole is shown after."""
    chance, camera, clock = random.Random(seed), Camera(codec), Clock(10.0)
    decoder = VideoDecoder(clock)
    whole = [camera.encoded(noise(160, 90, seed=number), key=number % 3 == 0) for number in range(6)]
    for _ in range(150):
        clock.now += 0.05
        chosen = chance.choice(whole)
        data = bytearray(chosen.data)
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        data = chance.choice([data, data[: chance.randrange(1, len(data))], bytearray(chance.randbytes(60))])
        with contextlib.suppress(RefusedError):
            decoder.decode(replace(chosen, data=bytes(data), timestamp=chance.randrange(1 << 32)))
    clock.now += 5
    decoder.begin_anew()
    frame = decoder.decode(camera.encoded(picture(RED, 160, 90), key=True))
    assert frame is not None
    assert is_colour(frame, RED)


def test_another_codec_in_the_middle_gets_its_own_decoder() -> None:
    decoder = VideoDecoder()
    for codec in ("vp8", "h264", "vp8"):
        frame = decoder.decode(Camera(codec).encoded(GREEN))
        assert frame is not None
        assert is_colour(frame, GREEN)
    with pytest.raises(RefusedError, match="picture in av1"):
        decoder.decode(EncodedPicture("av1", b"x" * 20, 0, 0.0, is_key=True))
