"""Complete pictures out of packets: in any order, with holes, and out of what no sender would send."""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING

import pytest
from aiortc.rtp import RtpPacket

from tests.core.camera import VP8, Camera, arriving, noise
from tests.core.peers import BLUE, GREEN, RED
from tui.core.assembly import MOST_BYTES, MOST_PACKETS, PATIENCE, Assembly

if TYPE_CHECKING:
    from tui.core.video import EncodedPicture


class Line:
    """An assembly and its time."""

    def __init__(self, codec: str = "vp8") -> None:
        self.assembly = Assembly()
        self.now = 0.0
        self._codec = codec

    def take(self, *packets: RtpPacket) -> list[EncodedPicture]:
        return [
            picture
            for packet in packets
            for picture in self.assembly.add(packet, packet._data, self._codec, self.now)  # type: ignore[attr-defined]
        ]


CODECS = pytest.mark.parametrize("codec", ["vp8", "h264"])


@CODECS
def test_a_picture_is_complete_with_its_last_packet(codec: str) -> None:
    camera, line = Camera(codec), Line(codec)
    *first, last = camera.shoot(noise())
    assert len(first) > 3
    assert line.take(*first) == []
    (picture,) = line.take(last)
    assert picture.is_key
    assert picture.data == b"".join([packet._data for packet in (*first, last)])  # type: ignore[attr-defined]
    (following,) = line.take(*camera.shoot(noise(seed=2)))
    assert not following.is_key
    assert (following.timestamp, following.codec) == (camera.timestamp, codec)


@CODECS
def test_without_marker_bits_the_next_picture_completes_the_last(codec: str) -> None:
    camera, line = Camera(codec), Line(codec)
    found = []
    for seed in range(4):
        packets = camera.shoot(noise(seed=seed))
        for packet in packets:
            packet.marker = 0
        found += line.take(*packets)
    assert [picture.is_key for picture in found] == [True, False, False]


@CODECS
@pytest.mark.parametrize("seed", range(5))
def test_what_is_out_of_order_or_twice_is_put_right(codec: str, seed: int) -> None:
    camera, line = Camera(codec, sequence=65_500), Line(codec)
    packets = [packet for number in range(12) for packet in camera.shoot(noise(seed=number))]
    begin, rest = packets[:10], packets[10:]
    line.take(*begin)
    chance = random.Random(seed)
    for at in range(len(rest) - 4):
        if chance.random() < 0.3:
            rest[at], rest[at + 3] = rest[at + 3], rest[at]
        if chance.random() < 0.3:
            rest.insert(at, rest[at])
    line.take(*rest)
    assert (line.assembly.passed, line.assembly.dropped) == (12, 0)


def test_the_first_packets_may_be_out_of_order() -> None:
    for codec in ("vp8", "h264"):
        packets, line = Camera(codec).shoot(noise()), Line(codec)
        (picture,) = line.take(*packets[3:0:-1], packets[0], *packets[4:])
        assert picture.is_key


@CODECS
def test_nothing_is_passed_on_before_a_key_frame(codec: str) -> None:
    camera, line = Camera(codec), Line(codec)
    camera.shoot(RED)
    for _ in range(200):
        assert line.take(*camera.shoot(GREEN)) == []
        assert line.assembly.awaits_key_frame
    assert len(line.assembly._pieces) <= 128
    (picture,) = line.take(*camera.shoot(BLUE, key=True))
    assert picture.is_key
    assert not line.assembly.awaits_key_frame
    assert line.assembly.passed + line.assembly.dropped == 201


@CODECS
def test_a_hole_is_waited_for_and_then_given_up(codec: str) -> None:
    camera, line = Camera(codec), Line(codec)
    line.take(*camera.shoot(noise()))
    lost, *rest = camera.shoot(noise(seed=2))
    assert line.take(*rest) == []
    line.now = PATIENCE / 2
    assert line.take(*camera.shoot(noise(seed=3))) == []
    assert not line.assembly.awaits_key_frame
    found = line.take(lost)
    assert [picture.is_key for picture in found] == [False, False]

    camera.shoot(RED)
    assert line.take(*camera.shoot(RED)) == []
    line.now += PATIENCE + 0.01
    assert line.take(*camera.shoot(RED)) == []
    assert line.assembly.awaits_key_frame
    assert line.take(*camera.shoot(RED)) == []
    (picture,) = line.take(*camera.shoot(RED, key=True))
    assert picture.is_key


@CODECS
def test_a_key_frame_beyond_a_hole_ends_the_waiting(codec: str) -> None:
    camera, line = Camera(codec), Line(codec)
    line.take(*camera.shoot(noise()))
    camera.shoot(noise())
    assert line.take(*camera.shoot(noise())) == []
    found = line.take(*camera.shoot(noise(), key=True), *camera.shoot(noise()))
    assert [picture.is_key for picture in found] == [True, False]
    assert line.assembly.dropped == 1


@CODECS
def test_a_key_frame_beyond_a_hole_may_have_one_itself(codec: str) -> None:
    camera, line = Camera(codec), Line(codec)
    line.take(*camera.shoot(noise()))
    camera.shoot(noise())
    packets = camera.shoot(noise(), key=True)
    assert line.take(*packets[:2], *packets[3:], *camera.shoot(noise())) == []
    found = line.take(packets[2])
    assert [picture.is_key for picture in found] == [True, False]


def test_padding_fills_its_place_and_is_no_picture() -> None:
    camera, line = Camera(), Line()
    line.take(*camera.shoot(RED))
    assert line.take(*camera.packets([b""]), *camera.packets([b"", b""])) == []
    (picture,) = line.take(*camera.shoot(RED))
    assert not picture.is_key
    assert line.assembly.passed == 2


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_another_source_or_sequence_begins_with_its_key_frame(codec: str) -> None:
    camera, line = Camera(codec), Line(codec)
    line.take(*camera.shoot(RED))
    other = Camera(codec, ssrc=8, sequence=9)
    other.shoot(RED)
    assert line.take(*other.shoot(RED)) == []
    assert len(line.take(*other.shoot(RED, key=True))) == 1
    other.sequence += 30_000
    assert line.take(*other.shoot(RED)) == []
    assert len(line.take(*other.shoot(RED, key=True), *other.shoot(RED))) == 2
    other.timestamp += 1 << 31
    assert len(line.take(*other.shoot(RED))) == 1


def test_another_codec_begins_with_its_key_frame() -> None:
    vp8, h264, assembly = Camera("vp8"), Camera("h264", sequence=110), Assembly()

    def take(camera: Camera, name: str) -> list[str]:
        pictures = [
            picture
            for packet in camera.shoot(RED)
            for picture in assembly.add(packet, packet._data, name, 0.0)  # type: ignore[attr-defined]
        ]
        return [picture.codec for picture in pictures if picture.is_key]

    assert take(vp8, "vp8") == ["vp8"]
    assert take(h264, "h264") == ["h264"]
    assert take(vp8, "vp8") == []


def test_a_picture_that_begins_in_its_middle_is_broken() -> None:
    camera, line = Camera(), Line()
    line.take(*camera.shoot(RED))
    packets = camera.shoot(noise())
    packets[0].payload = b"\x80\x00" + packets[0].payload[4:]
    assert line.take(*packets) == []
    assert line.assembly.awaits_key_frame


def test_what_waits_is_bounded() -> None:
    line = Line()
    packet = RtpPacket(97, sequence_number=0, ssrc=7, payload=b"\x10\x00\x00\x00\x9d\x01\x2a" + bytes(9_000))
    for number in range(3 * MOST_PACKETS):
        packet.sequence_number, packet.timestamp = number * 2 & 0xFFFF, number
        line.take(arriving(packet, VP8))
        assert len(line.assembly._pieces) <= MOST_PACKETS
        assert line.assembly._bytes <= MOST_BYTES
        assert line.assembly._bytes == sum(len(piece.data) for piece in line.assembly._pieces.values())


def test_layers_and_what_nobody_refers_to_are_told() -> None:
    camera, line = Camera(), Line()
    line.take(*camera.shoot(RED))

    def layer(descriptor: bytes) -> tuple[int, bool]:
        (picture,) = line.take(*camera.packets([descriptor + b"\x01picture"]))
        return picture.layer, picture.is_entry

    assert layer(b"\x10") == (0, True)
    assert layer(b"\x30") == (1, True)
    for tid, sync, expected in ((0, 0, (0, True)), (1, 0, (1, False)), (2, 1, (2, True))):
        assert layer(bytes([0x90, 0xE0, 5, 7, tid << 6 | sync << 5])) == expected
    h264 = Line("h264")
    camera = Camera("h264")
    h264.take(*camera.shoot(RED))
    assert [h264.take(*camera.packets([head + b"slice"]))[0].layer for head in (b"\x41", b"\x01")] == [0, 1]


@CODECS
@pytest.mark.parametrize("seed", range(30))
def test_anything_is_survived(codec: str, seed: int) -> None:
    """Random payloads, numbers and times: nothing is raised, nothing grows, and what is whole comes through after."""
    chance, camera, line = random.Random(seed), Camera(codec), Line(codec)
    for _ in range(400):
        packet = RtpPacket(
            camera.codec.payloadType or 0,
            marker=chance.randrange(2),
            sequence_number=chance.choice([chance.randrange(1 << 16), 100 + chance.randrange(40)]),
            timestamp=chance.choice([chance.randrange(1 << 32), 5]),
            ssrc=chance.choice([7, 7, 7, 8]),
            payload=chance.randbytes(chance.choice([0, 1, 2, 3, 20, 1200])),
        )
        line.now += chance.random() / 20
        with contextlib.suppress(ValueError):  # aiortc drops what it cannot unpack
            arriving(packet, camera.codec)
            line.take(packet)
        assert len(line.assembly._pieces) <= MOST_PACKETS
    camera.sequence = line.assembly._newest + 5000
    found = line.take(*camera.shoot(RED, key=True), *camera.shoot(GREEN))
    assert [picture.is_key for picture in found] == [True, False]
