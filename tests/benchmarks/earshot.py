"""What voices cost that are received and not decoded: ``python -m tests.benchmarks.earshot``.

One listener's connection, reception and mixer, all in this process; who sends is in another. Three talk, and the others
send a murmur, 50 packets a second each, as browsers do without DTX.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from typing import TYPE_CHECKING

from tests.benchmarks.child import Child
from tests.benchmarks.recorder import Recorder
from tests.waiting import until
from tui.core.aiortc_internals import Addresses
from tui.core.peer import PlayPeer
from tui.media.mixer import MOST_VOICES, Mixer

if TYPE_CHECKING:
    from tui.core.peer import RemoteTrack

TALKERS = 3


class Listener:
    """Hears every track that begins."""

    def __init__(self) -> None:
        self.mixer = Mixer()
        self.tracks: list[RemoteTrack] = []
        self.state = ""

    def track(self, track: RemoteTrack) -> None:
        """`PeerListener`."""
        self.tracks.append(track)
        track.listen(self.mixer.add(track.key))

    def connection_state(self, state: str) -> None:
        """`PeerListener`."""
        self.state = state

    def ice_state(self, state: str) -> None:
        """`PeerListener`."""

    def channel_state(self, is_open: bool) -> None:
        """`ChannelListener`."""

    def channel_error(self, error: str) -> None:
        """`ChannelListener`."""

    def data(self, data: str | bytes) -> None:
        """`ChannelListener`."""


async def cost(line: Child, voices: int, talkers: int, seconds: float) -> float:
    """The share of a core."""
    listener = Listener()
    peer = PlayPeer(listener, [], Addresses.LOOPBACK)
    recorder = Recorder(listener.mixer.mix, seconds + 30)
    recorder.start()
    try:
        answered = await peer.accept_offer(await line.ask("offer", voices), None)
        await line.ask("connect", answered, talkers)
        await until(lambda: len(listener.tracks) == voices and all(one.bytes_received for one in listener.tracks), 30)
        await asyncio.sleep(2)
        moved, began, used = peer.figures().inbound, time.monotonic(), time.process_time()
        await asyncio.sleep(seconds)
        lasted, share = time.monotonic() - began, time.process_time() - used
        packets = sum(one.packets for one in peer.figures().inbound) - sum(one.packets for one in moved)
        decoded = sum(voice.playout().depth_ms > 0 for voice in listener.mixer.voices())
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{voices:7}{talkers:9}{decoded:9}{packets / lasted:12.0f}{share / lasted:8.1%}{memory:9.0f} MiB",
            flush=True,
        )
        return share / lasted
    finally:
        recorder.stop()
        await peer.aclose()


async def main(seconds: float) -> None:
    """Print the table."""
    print(f"{'voices':>7}{'talking':>9}{'decoded':>9}{'packets/s':>12}{'CPU':>8}{'most memory':>13}")
    async with Child("tests.benchmarks.earshot_line") as line:
        few = await cost(line, MOST_VOICES, TALKERS, seconds)
        many = await cost(line, 60, TALKERS, seconds)
        await cost(line, 60, 60, seconds)
    print(f"60 received against {MOST_VOICES}, {TALKERS} talking: {many / few:.2f} times the CPU")


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
