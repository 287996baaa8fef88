"""What hostile packets do to a voice, and to another one beside it.

The table "hostile" of the audio benchmark. Two voices come over one real connection, each a steady tone in ready-made
packets; one of them turns hostile for a moment. Each is pulled by an ear of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from typing import TYPE_CHECKING

import numpy as np
from aiortc import RTCSessionDescription
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap, RtpPacket

from tests.benchmarks.crowd_listener import FRAME, encoded
from tests.benchmarks.recorder import BLOCK, RATE, Recorder
from tests.core.peers import local, new_connection
from tests.waiting import until
from tui.core.aiortc_internals import Addresses, RtpOutlet
from tui.core.peer import PlayPeer
from tui.core.tasks import Tasks
from tui.media.mixer import Mixer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiortc.rtcrtpparameters import RTCRtpSendParameters
    from aiortc.rtp import AnyRtcpPacket
    from numpy.typing import NDArray

    from tui.core.peer import RemoteTrack

ATTACK = 5
"""Packets of one attack: 100 ms."""

_TONES = (1000.0, 1500.0)
"""Whole periods in every block of 10 ms."""
_AMPLITUDE = 0.3
_BEFORE, _AFTER = 2.0, 2.0
"""Seconds of peace around an attack."""

_random = random.Random(4)


class Attacker:
    """Sends a tone, 50 packets a second; what `attack` is given may change each packet, or its payload."""

    def __init__(self, outlet_of: Callable[[Attacker], RtpOutlet], frequency: float) -> None:
        times = np.arange(10 * RATE) / RATE
        self._payloads = encoded((_AMPLITUDE * np.sin(2 * np.pi * frequency * times)).astype(np.float32))
        self._outlet = outlet_of(self)
        self._extensions: HeaderExtensionsMap | None = None
        self._mid = ""
        self._payload_type = 0
        self.ssrc = self._outlet.ssrc
        self.sequence = _random.randrange(1 << 14)
        self.timestamp = _random.randrange(1 << 30)
        self.payloads: Iterator[bytes] | None = None
        """What is sent instead of the tone."""

    def start(self, parameters: RTCRtpSendParameters, extensions: HeaderExtensionsMap) -> None:
        """`RtpSource`: connected."""
        self._extensions, self._mid = extensions, parameters.muxId
        self._payload_type = parameters.codecs[0].payloadType or 0

    def hear_rtcp(self, packet: AnyRtcpPacket) -> None:
        """`RtpSource`: it does not care."""

    async def send(self, payload: bytes) -> None:
        """One packet, whatever is in it, and the next number."""
        assert self._extensions is not None
        packet = RtpPacket(
            payload_type=self._payload_type,
            sequence_number=self.sequence,
            timestamp=self.timestamp,
            ssrc=self.ssrc,
            payload=payload,
        )
        packet.extensions = HeaderExtensions(mid=self._mid)
        await self._outlet.write(packet.serialize(self._extensions))
        self.sequence = (self.sequence + 1) % (1 << 16)
        self.timestamp = (self.timestamp + FRAME) % (1 << 32)

    async def run(self) -> None:
        """Send in real time, from the connection's beginning on."""
        await until(lambda: self._extensions is not None)
        began = time.monotonic()
        for count in itertools.count():
            await asyncio.sleep(max(0.0, began + count * FRAME / RATE - time.monotonic()))
            payload = next(self.payloads, None) if self.payloads is not None else None
            await self.send(self._payloads[count % len(self._payloads)] if payload is None else payload)


def _instead(make: Callable[[], bytes]) -> Callable[[Attacker], float]:
    """Payloads in the place of the voice's own; how many seconds that lasts."""

    def begin(attacker: Attacker) -> float:
        attacker.payloads = (make() for _ in range(ATTACK))
        return ATTACK * FRAME / RATE

    return begin


def _another_sender(attacker: Attacker) -> float:
    attacker.ssrc = _random.randrange(1, 1 << 32)
    attacker.sequence, attacker.timestamp = _random.randrange(1 << 14), _random.randrange(1 << 32)
    return 0.0


def _other_time(ticks: int) -> Callable[[Attacker], float]:
    def begin(attacker: Attacker) -> float:
        attacker.timestamp = (attacker.timestamp + ticks) % (1 << 32)
        return 0.0

    return begin


def _sequence_jump(attacker: Attacker) -> float:
    attacker.sequence = (attacker.sequence + 30_000) % (1 << 16)
    return 0.0


def _before_the_wrap(attacker: Attacker) -> float:
    # A new sender, as a jump to there would be an attack of its own.
    _another_sender(attacker)
    attacker.sequence = (1 << 16) - 50
    attacker.timestamp = (1 << 32) - 50 * FRAME
    return 0.0


ATTACKS: dict[str, Callable[[Attacker], float]] = {
    "nothing": lambda attacker: 0.0,
    "empty": _instead(lambda: b""),
    "1 byte": _instead(lambda: b"\x7b"),
    "1300 bytes": _instead(lambda: b"\x78" + _random.randbytes(1299)),
    "random": _instead(lambda: _random.randbytes(100)),
    "another SSRC": _another_sender,
    "timestamp + 2^31": _other_time(1 << 31),
    "timestamp - 10 s": _other_time(-10 * RATE),
    "sequence + 30000": _sequence_jump,
    "another SSRC, about to wrap": _before_the_wrap,
    "both wrap": lambda attacker: 0.0,
}
"""In this order: the last one follows from the one before it, a second later."""


class Voices:
    """Collects the tracks of a peer."""

    def __init__(self) -> None:
        self.tracks: list[RemoteTrack] = []

    def ice_state(self, state: str) -> None:
        """`PeerListener`."""

    def connection_state(self, state: str) -> None:
        """`PeerListener`."""

    def channel_state(self, is_open: bool) -> None:
        """`PeerListener`."""

    def channel_error(self, error: str) -> None:
        """`PeerListener`."""

    def data(self, data: str | bytes) -> None:
        """`PeerListener`."""

    def track(self, track: RemoteTrack) -> None:
        """`PeerListener`: a voice."""
        self.tracks.append(track)


def present(heard: NDArray[np.float32], frequency: float) -> NDArray[np.bool_]:
    """In which blocks of 10 ms the tone is there, at half of its loudness or more and louder than all the rest."""
    blocks = heard[: len(heard) // BLOCK * BLOCK].reshape(-1, BLOCK)
    turn = np.exp(-2j * np.pi * frequency * np.arange(BLOCK) / RATE)
    amplitude = np.abs(blocks @ turn) * 2 / BLOCK
    power = np.square(blocks).mean(axis=1)
    found: NDArray[np.bool_] = (amplitude > _AMPLITUDE / 2) & (amplitude**2 / 2 > power / 2)
    return found


async def table() -> None:
    """Attack after attack on one connection."""
    arrived = Voices()
    server = new_connection()
    player = PlayPeer(arrived, [], Addresses.LOOPBACK)
    attackers = [
        Attacker(lambda source: RtpOutlet(server.addTransceiver("audio", "sendonly").sender, source), tone)
        for tone in _TONES
    ]
    tasks = Tasks()
    try:
        answer = await player.accept_offer(await local(server), None)
        await server.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: len(arrived.tracks) == len(attackers) and player.connected)
        for attacker in attackers:
            tasks.spawn(attacker.run(), "a sender")
        mixer = Mixer()
        voices = [mixer.add(track.key) for track in arrived.tracks]
        for track, voice in zip(arrived.tracks, voices, strict=True):
            track.listen(voice)
        seconds = len(ATTACKS) * (_BEFORE + _AFTER + 1) + 10
        ears = [Recorder(voice.pull, seconds) for voice in voices]
        for ear in ears:
            ear.start()
        times = [await _time(attack, attackers[0]) for attack in ATTACKS.values()]
        heard = [ear.stop() for ear in ears]
        playout = voices[0].playout()
    finally:
        await tasks.aclose()
        await player.aclose()
        await server.close()
    print(f"{ATTACK} packets of 100 ms in all in the place of the voice's own, or a change of numbers for good")
    print(f"{'packets':28}{'away, ms':>10}{'back after, ms':>16}{'peak':>7}{'the other away, ms':>20}")
    for name, (began, ended) in zip(ATTACKS, times, strict=True):
        first, last = (int((moment - ears[0].began) * 100) for moment in (began, ended + _AFTER))
        own = _missing(present(heard[0], _TONES[0])[first:last])
        other = _missing(present(heard[1], _TONES[1])[first:last])
        back = max(0.0, own[-1] * 10 + 10 - 1000 * (ended - began)) if len(own) else 0.0
        peak = float(np.abs(heard[0][first * BLOCK : last * BLOCK]).max())
        print(f"{name:28}{len(own) * 10:10}{back:16.0f}{peak:7.2f}{len(other) * 10:20}")
    print(f"{playout.malformed} malformed, {playout.late} late, {playout.lost} lost, {playout.resets} resets")
    print("away: without the tone. back after: from the first proper packet sent to the last 10 ms without the tone.")


async def _time(attack: Callable[[Attacker], float], attacker: Attacker) -> tuple[float, float]:
    """When an attack began and ended."""
    await asyncio.sleep(_BEFORE)
    began = time.monotonic()
    lasts = attack(attacker)
    await asyncio.sleep(lasts + _AFTER)
    return began, began + lasts


def _missing(there: NDArray[np.bool_]) -> list[int]:
    return [int(block) for block in np.flatnonzero(~there)]
