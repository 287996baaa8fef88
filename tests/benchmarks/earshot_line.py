"""The other end of one play connection with many voices, for `tests.benchmarks.earshot`.

``python -m tests.benchmarks.earshot_line``, started as a `Child`. It stands for a server without its cost: packets that
were encoded beforehand are written at the pace of the clock, 50 a second and voice, talking or not.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, RtpPacket

from tests.benchmarks.child import answer
from tests.media.line import babble, encoded
from tui.core.aiortc_internals import Addresses, RtpOutlet, candidates_from, name_track
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpSendParameters
    from aiortc.rtp import AnyRtcpPacket

TALKS, MURMURS = 25, 70
"""The levels that the packets carry."""


class Source:
    """One voice."""

    def __init__(self, transceiver: RTCRtpTransceiver) -> None:
        self._transceiver = transceiver
        self._outlet = RtpOutlet(transceiver.sender, self)
        self._extensions = HeaderExtensionsMap()
        self._payload_type = 0
        self._first = random.randrange(1 << 15)

    def start(self, parameters: RTCRtpSendParameters, extensions: HeaderExtensionsMap) -> None:
        """The connection is up."""
        self._extensions = extensions
        self._payload_type = parameters.codecs[0].payloadType or 0

    def hear_rtcp(self, packet: AnyRtcpPacket) -> None:
        """Reports are not read."""

    async def write(self, count: int, payload: bytes, level: int) -> None:
        """The packet of that number."""
        packet = RtpPacket(
            payload_type=self._payload_type,
            sequence_number=(self._first + count) % (1 << 16),
            timestamp=count * FRAME_SAMPLES,
            ssrc=self._outlet.ssrc,
            payload=payload,
        )
        packet.extensions = HeaderExtensions(mid=self._transceiver.mid, audio_level=(False, level))
        await self._outlet.write(packet.serialize(self._extensions))


class Line:
    """One connection after another."""

    def __init__(self) -> None:
        self._connection: RTCPeerConnection | None = None
        self._sources: list[Source] = []
        self._writing: asyncio.Task[None] | None = None

    async def offer(self, voices: int) -> str:
        """A new connection with so many."""
        await self.aclose()
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._connection.createDataChannel("room1")
        self._sources = []
        for number in range(voices):
            transceiver = self._connection.addTransceiver("audio", direction="sendonly")
            name_track(transceiver.sender, "ARDAMS", f"ARDAMSaaudioTrack{number}")
            self._sources.append(Source(transceiver))
        with candidates_from(Addresses.LOOPBACK):
            await self._connection.setLocalDescription()
        return str(self._connection.localDescription.sdp)

    async def connect(self, sdp: str, talkers: int) -> None:
        """With the answer to it; the last so many talk."""
        assert self._connection is not None
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        self._writing = asyncio.ensure_future(self._write(talkers))

    async def _write(self, talkers: int) -> None:
        hiss = np.random.default_rng(1).standard_normal(5 * SAMPLE_RATE).astype(np.float32) * np.float32(3e-4)
        talk, murmur = encoded(babble(5)), encoded(hiss)
        began = time.monotonic()
        count = 0
        while True:
            await asyncio.sleep(max(0.0, began + count / 50 - time.monotonic()))
            for number, source in enumerate(self._sources):
                talks = number >= len(self._sources) - talkers
                payloads, level = (talk, TALKS) if talks else (murmur, MURMURS)
                await source.write(count, payloads[(count + 17 * number) % len(payloads)], level)
            count += 1

    async def aclose(self) -> None:
        """Hang up."""
        if self._writing is not None:
            self._writing.cancel()
        if self._connection is not None:
            await self._connection.close()


async def main() -> None:
    """Answer until standard input ends."""
    line = Line()
    try:
        await answer(offer=line.offer, connect=line.connect)
    finally:
        await line.aclose()


if __name__ == "__main__":
    asyncio.run(main())
