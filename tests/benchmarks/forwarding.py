"""What forwarding costs: the server's CPU per forwarded participant, and how many are held before frames drop.

Run it by hand, ``python -m tests.benchmarks.forwarding [SECONDS] [PEOPLE ...]``: the server in a process of its own
and the participants in others, everything on loopback. Everybody publishes 15 frames a second of 2 kB and 50 sounds
a second and plays all the others; nothing is encoded or decoded, so that the participants cost little. Prints a
table; nothing is asserted. The participants share the machine with the server: with few cores they may drop first.
"""

from __future__ import annotations

import asyncio
import fractions
import multiprocessing
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from aiortc import MediaStreamTrack
from av import Packet

from tests.server.raw_client import RawClient, new_connection
from tests.waiting import until
from tui.core.aiortc_internals import never_decode, tap_rtp
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from multiprocessing.connection import Connection

    from aiortc import RTCPeerConnection
    from aiortc.rtp import RtpPacket

FRAMES, SOUNDS = 15, 50
FRAME_BYTES, SOUND_BYTES = 2000, 80
KEY_FRAME = b"\x10\x02\x00\x9d\x01\x2a" + (320).to_bytes(2, "little") + (180).to_bytes(2, "little")
DELTA_FRAME = b"\x11\x02\x00"
JOIN_TIMEOUT = 60.0

_context = multiprocessing.get_context("spawn")


class Encoded(MediaStreamTrack):
    """Frames that look encoded: a key frame every second."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self._rate, self._clock = (FRAMES, 90_000) if kind == "video" else (SOUNDS, 48_000)
        self._began = time.monotonic()
        self._count = 0

    async def recv(self) -> Packet[Any]:
        """The next one, when it is due."""
        await asyncio.sleep(max(0.0, self._began + self._count / self._rate - time.monotonic()))
        if self.kind == "video":
            head = DELTA_FRAME if self._count % FRAMES else KEY_FRAME
            packet: Packet[Any] = Packet(head + os.urandom(FRAME_BYTES))
        else:
            packet = Packet(os.urandom(SOUND_BYTES))
        packet.pts = self._count * self._clock // self._rate
        packet.time_base = fractions.Fraction(1, self._clock)
        self._count += 1
        return packet


class Participant(RawClient):
    """Publishes what looks encoded and counts the frames of all the others."""

    frames = 0

    async def offer(self, stream_id: str, *_looks: object) -> None:
        self.publishing = connection = new_connection()
        for kind in ("video", "audio"):
            connection.addTransceiver(Encoded(kind), "sendonly")
        self.channel = connection.createDataChannel(stream_id)
        await self.negotiate(stream_id)

    def _prepare_playing(self) -> None:
        self.playing = connection = new_connection()

        def arrived(track: MediaStreamTrack) -> None:
            self._count(connection, track)

        connection.on("track", arrived)

    def _count(self, connection: RTCPeerConnection, track: MediaStreamTrack) -> None:
        receiver = next(one.receiver for one in connection.getTransceivers() if one.receiver.track is track)
        never_decode(receiver)
        if track.kind == "video":
            tap_rtp(receiver, self._hear)

    def _hear(self, packet: RtpPacket) -> None:
        self.frames += packet.marker


async def serve(pipe: Connection) -> None:
    """The server: tells its address, then its CPU seconds whenever it is asked, until it is told to stop."""
    async with RoomServer() as server:
        pipe.send(server.url)
        while await asyncio.to_thread(pipe.recv):
            pipe.send(time.process_time())


async def take_part(pipe: Connection, url: str, names: list[str]) -> None:
    """Some of the participants: joins, then tells its frames whenever it is asked, until it is told to stop."""
    people = {name: await Participant.open(url) for name in names}
    for name, one in people.items():
        await one.publish(name)
    for name, one in people.items():
        await one.play(own=name)
    pipe.send(None)
    while await asyncio.to_thread(pipe.recv):
        pipe.send({name: one.frames for name, one in people.items()})
    for one in people.values():
        await one.aclose()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def run_server(pipe: Connection) -> None:
    run(serve(pipe))


def run_people(pipe: Connection, url: str, names: list[str]) -> None:
    run(take_part(pipe, url, names))


class Child:
    """A process that answers questions."""

    def __init__(self, target: Any, *arguments: object) -> None:
        self._pipe, far = _context.Pipe()
        self._process = _context.Process(target=target, args=(far, *arguments), daemon=True)
        self._process.start()

    async def hear(self) -> Any:
        """What it says next."""
        await until(self._pipe.poll, JOIN_TIMEOUT, "a process that answers")
        return self._pipe.recv()

    async def ask(self) -> Any:
        """What it answers now."""
        self._pipe.send(True)
        return await self.hear()

    async def aclose(self) -> None:
        """Stop it."""
        self._pipe.send(False)
        await asyncio.to_thread(self._process.join, 10)


async def measure(people: int, seconds: float) -> tuple[float, float]:
    """The server's share of one core, and the share of all frames that arrived at whoever got the fewest."""
    server = Child(run_server)
    url = await server.hear()
    names = [f"p{number}" for number in range(people)]
    crowds = [Child(run_people, url, part) for part in (names[::2], names[1::2]) if part]
    for crowd in crowds:
        await crowd.hear()
    await settled(crowds, people)
    began, cpu, before = time.monotonic(), await server.ask(), await frames(crowds)
    await asyncio.sleep(seconds)
    lasted, used, after = time.monotonic() - began, await server.ask() - cpu, await frames(crowds)
    for child in (*crowds, server):
        await child.aclose()
    expected = FRAMES * (people - 1) * lasted
    return used / lasted, min(after[name] - before[name] for name in names) / expected


async def settled(crowds: list[Child], people: int) -> None:
    """Wait until everybody receives frames from as many as there are others."""
    ends = time.monotonic() + JOIN_TIMEOUT
    while min((await frames(crowds)).values()) < FRAMES * (people - 1):
        if time.monotonic() > ends:
            raise TimeoutError("not everybody receives frames")
        await asyncio.sleep(0.5)


async def frames(crowds: list[Child]) -> dict[str, int]:
    found: dict[str, int] = {}
    for crowd in crowds:
        found |= await crowd.ask()
    return found


async def main(seconds: float, sizes: list[int]) -> None:
    print("people   forwarded   server, % of a core   per forwarded   frames that arrive")
    for people in sizes:
        share, arrived = await measure(people, seconds)
        forwarded = people * (people - 1)
        print(
            f"{people:6}   {forwarded:9}   {share:20.1%}   {share / forwarded:13.2%}   {arrived:18.0%}",
            flush=True,
        )


if __name__ == "__main__":
    wanted = [float(argument) for argument in sys.argv[1:]] or [5.0]
    asyncio.run(main(wanted[0], [int(people) for people in wanted[1:]] or [2, 4, 6, 8, 12]))
