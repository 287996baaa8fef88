"""What leaves us, looked at packet by packet at the other end of a real connection."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from aiortc import RTCSessionDescription

from tests.core.peers import local, new_connection
from tests.core.test_peer import Listener
from tests.waiting import until
from tui.core.aiortc_internals import Addresses, tap_rtp
from tui.core.peer import LentTrack, PublishPeer
from tui.media.encoding import Coding
from tui.media.generated import Silence, TestTone
from tui.media.libopus import library
from tui.media.opus import OpusDecoder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiortc.rtp import RtpPacket

    from tui.media.tracks import AudioTrack

pytestmark = pytest.mark.skipif(library() is None, reason="no libopus here")


@asynccontextmanager
async def published(track: AudioTrack) -> AsyncIterator[list[RtpPacket]]:
    """The packets of a sound that arrive at a server; the list grows."""
    arrived: list[RtpPacket] = []
    lent = LentTrack(track)
    peer, server = PublishPeer(Listener(), [], Addresses.LOOPBACK), new_connection()
    try:
        offer = await peer.offer([lent], "alice")
        await server.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        tap_rtp(server.getReceivers()[0], arrived.append)
        await peer.accept_answer(await local(server))
        yield arrived
    finally:
        lent.stop()
        await peer.aclose()
        await server.close()


def loudest(packet: RtpPacket) -> float:
    """The loudest sample that is in this packet alone, whatever came before."""
    return float(np.abs(OpusDecoder().decode(packet.payload)).max())


def level(packet: RtpPacket) -> int:
    """The loudness that the packet tells."""
    assert packet.extensions.audio_level is not None
    return int(packet.extensions.audio_level[1])


async def test_sound_leaves_every_20_ms_with_its_loudness() -> None:
    track = TestTone(440, amplitude=0.5)
    async with published(track) as arrived:
        await until(lambda: len(arrived) > 50)
        packets = arrived[:50]
        first = packets[0]
        assert [(packet.sequence_number - first.sequence_number) % 65536 for packet in packets] == list(range(50))
        steps = {(packet.timestamp - first.timestamp) % (1 << 32) for packet in packets}
        assert steps <= set(range(0, 100 * 960, 960))
        # A sine of half the full scale has -9 dB.
        assert {level(packet) for packet in packets} == {9}
        assert loudest(packets[-1]) > 0.05
    track.stop()


async def test_nothing_but_silence_leaves_while_muted_not_even_after_a_reconnect() -> None:
    """hostile-inputs.md, DEV-11: a hundred times a second, and the last time counts."""
    track = TestTone(440, amplitude=0.5)
    async with published(track) as arrived:
        await until(lambda: len(arrived) > 25)
        assert loudest(arrived[-1]) > 0.05
        for _ in range(3):
            told = len(arrived)
            for number in range(101):
                track.enabled = number % 2 == 1
            await until(lambda: len(arrived) > told + 25)  # noqa: B023
            # One may have been on its way already.
            assert [level(packet) for packet in arrived[told + 1 :] if level(packet) != 127] == []
            assert max(loudest(packet) for packet in arrived[told + 1 :]) < 1e-3
            told = len(arrived)
            track.enabled = True
            await until(lambda: len(arrived) > told + 10)  # noqa: B023
            assert level(arrived[-1]) == 9
        track.enabled = False
    async with published(track) as arrived:
        await until(lambda: len(arrived) > 25)
        assert {level(packet) for packet in arrived} == {127}
        assert max(loudest(packet) for packet in arrived) < 1e-3
    track.stop()


async def test_digital_silence_is_told_as_silence() -> None:
    track = Silence()
    async with published(track) as arrived:
        await until(lambda: len(arrived) > 10)
        assert {level(packet) for packet in arrived} == {127}
    track.stop()


async def test_with_dtx_a_pause_leaves_no_gap_in_the_numbers() -> None:
    track = TestTone(440, amplitude=0.5)
    track.coding = Coding(dtx=True)
    async with published(track) as arrived:
        await until(lambda: len(arrived) > 10)
        track.enabled = False
        paused = len(arrived)

        def pauses() -> list[int]:
            stamps = [packet.timestamp for packet in arrived[paused:]]
            return [(after - before) % (1 << 32) for before, after in pairwise(stamps)]

        await until(lambda: [step for step in pauses() if step > 15 * 960])
        track.enabled = True
        count = len(arrived)
        await until(lambda: len(arrived) > count + 20)
        numbers = [packet.sequence_number for packet in arrived]
        assert [(number - numbers[0]) % 65536 for number in numbers] == list(range(len(numbers)))
        assert all(step % 960 == 0 for step in pauses())
        assert level(arrived[-1]) == 9
    track.stop()
