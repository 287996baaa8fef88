"""A listener of the audio benchmark: aiortc as it comes, with the player that its users would write.

``python -m tests.benchmarks.stock_listener``, started as a `Child`. It imports nothing of this project's client,
which repairs aiortc when it is imported. Only the addresses are changed: aiortc offers none of loopback.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import aioice.ice
import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame
from websockets.asyncio.client import connect

from tests.benchmarks.child import answer
from tests.benchmarks.recorder import RATE, Recorder

if TYPE_CHECKING:
    from aiortc import MediaStreamTrack
    from numpy.typing import NDArray
    from websockets.asyncio.client import ClientConnection

PREFILL = RATE * 40 // 1000
"""Samples that wait before the player begins: two frames, against the pace of the sender."""

MOST = RATE
"""Samples, a second: a longer step of the timestamps is a new beginning."""

MOST_FRAMES = 100
"""That may wait; none is ever thrown away for it here."""


class Player:
    """Plays each frame at its place by its timestamp, or at once when it comes later than that.

    So the delay grows as far as the jitter buffer needs, and stays; what never comes is silence of its length.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._frames: deque[tuple[int, NDArray[np.float32]]] = deque(maxlen=MOST_FRAMES)
        self._next: int | None = None
        """The timestamp that is due."""

    def push(self, frame: AudioFrame) -> None:
        """The next frame."""
        sound = frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0].astype(np.float32)
        sound *= np.float32(1 / 32768)
        with self._changing:
            self._frames.append((frame.pts or 0, sound))

    def pull(self, out: NDArray[np.float32]) -> None:
        """Fill ``out``."""
        out.fill(0.0)
        with self._changing:
            if self._next is None:
                if not self._frames or self._frames[-1][0] - self._frames[0][0] < PREFILL:
                    return
                self._next = self._frames[0][0]
            while len(out) and self._frames:
                first, sound = self._frames[0]
                gap = first - self._next
                if not 0 <= gap < MOST:
                    self._next, gap = first, 0
                if gap >= len(out):
                    break
                taken = sound[: len(out) - gap]
                out[gap : gap + len(taken)] = taken
                out = out[gap + len(taken) :]
                self._next += gap + len(taken)
                if len(taken) < len(sound):
                    self._frames[0] = (self._next, sound[len(taken) :])
                else:
                    self._frames.popleft()
            self._next += len(out)


class Listening:
    """One room, played as long as the process lives."""

    def __init__(self) -> None:
        self._connection = RTCPeerConnection()
        self._connection.on("track", self._begin)
        self._player = Player()
        self._recorder: Recorder | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()

    async def join(self, url: str, room: str, seconds: float) -> None:
        """Play the room and record it from the first frame on, ``seconds`` at most."""
        self._recorder = Recorder(self._player.pull, seconds)
        socket = await connect(url, compression=None, proxy=None)
        self._tasks.append(asyncio.create_task(self._negotiate(socket)))
        await socket.send(json.dumps({"command": "play", "streamId": room, "room": room}))
        await self._heard.wait()
        self._recorder.start()

    async def finish(self, path: str) -> dict[str, Any]:
        """Save what was heard; when that began."""
        assert self._recorder is not None
        np.save(path, self._recorder.stop())
        return {"began": self._recorder.began, "latest": self._recorder.latest}

    async def aclose(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await self._connection.close()

    async def _negotiate(self, socket: ClientConnection) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["command"] == "takeConfiguration" and message["type"] == "offer":
                await self._connection.setRemoteDescription(RTCSessionDescription(message["sdp"], "offer"))
                await self._connection.setLocalDescription(await self._connection.createAnswer())
                description = {"type": "answer", "sdp": self._connection.localDescription.sdp}
                await socket.send(
                    json.dumps({"command": "takeConfiguration", "streamId": message["streamId"]} | description)
                )

    def _begin(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                frame = await track.recv()
                if isinstance(frame, AudioFrame):
                    self._player.push(frame)
                    self._heard.set()
        except MediaStreamError:
            return


async def main() -> None:
    """Answer until standard input ends."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    assert not any(name.partition(".")[0] == "tui" for name in sys.modules), "this is not stock aiortc"
    listening = Listening()
    try:
        await answer(join=listening.join, finish=listening.finish)
    finally:
        await listening.aclose()


if __name__ == "__main__":
    asyncio.run(main())
