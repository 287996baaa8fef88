"""Who listens to a crowd in the audio benchmark, and counts what that costs.

``python -m tests.benchmarks.crowd_listener``, started as a `Child`. Everything that it uses is its process's alone.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import av
from av import AudioFrame

from tests.benchmarks.child import answer
from tests.benchmarks.recorder import Recorder
from tests.benchmarks.speech import RATE, speech
from tests.waiting import until
from tui.core.audio import AudioPacket
from tui.core.conference import Conference
from tui.core.events import CallState, Event, TrackAdded
from tui.media.mixer import Mixer

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tui.core.audio import AudioSink

FRAME = RATE // 50
PATIENCE = 30.0
"""Seconds until everybody must be heard."""


class Listening:
    """One room, listened to as long as the process lives."""

    def __init__(self) -> None:
        self._mixer = Mixer()
        self._sinks: list[AudioSink] = []
        self._conference: Conference | None = None

    async def join(self, url: str, room: str) -> None:
        """Play the room, and pull the mixer from now on."""
        self._conference = Conference(url, room, "listener", self._note, play_only=True)
        await self._conference.join()
        if self._conference.state is not CallState.JOINED:
            raise RuntimeError("the listener is not in the room")

    async def hear(self, people: int) -> None:
        """Wait until so many are heard."""
        recorder = Recorder(self._mixer.mix, PATIENCE)
        recorder.start()
        await until(lambda: sum(sink.playout().played_ms > 0 for sink in self._sinks) >= people, timeout=PATIENCE)
        recorder.stop()

    async def cost(self, seconds: float) -> dict[str, Any]:
        """The share of a core that is used while the mixer is pulled, and what came meanwhile in packets a second."""
        before = sum(sink.playout().packets for sink in self._sinks)
        concealed = sum(sink.playout().concealed_ms for sink in self._sinks)
        share, latest = await _share(self._mixer, asyncio.sleep(seconds), seconds)
        return {
            "share": share,
            "latest": latest,
            "packets": (sum(sink.playout().packets for sink in self._sinks) - before) / seconds,
            "concealed": sum(sink.playout().concealed_ms for sink in self._sinks) - concealed,
        }

    async def alone(self, people: int, seconds: float) -> float:
        """The share of a core that so many voices and the mixer use, without a network and without the feeding."""
        payloads = encoded(speech().samples)
        fed, _ = await _share(Mixer(), feed([Nobody() for _ in range(people)], payloads, seconds), seconds)
        mixer = Mixer()
        voices = [mixer.add(f"voice{number}") for number in range(people)]
        used, _ = await _share(mixer, feed(voices, payloads, seconds), seconds)
        return used - fed

    async def aclose(self) -> None:
        """Leave."""
        if self._conference is not None:
            await self._conference.aclose()

    def _note(self, event: Event) -> None:
        if isinstance(event, TrackAdded) and event.track.kind == "audio":
            voice = self._mixer.add(event.track.key)
            event.track.listen(voice)
            self._sinks.append(voice)


class Nobody:
    """Takes packets and does nothing."""

    def push(self, packet: AudioPacket) -> None:
        """One more packet."""


async def _share(mixer: Mixer, work: Coroutine[Any, Any, None], seconds: float) -> tuple[float, float]:
    """The share of a core during ``work`` while the mixer is pulled in real time, and the latest pull in seconds."""
    recorder = Recorder(mixer.mix, seconds + 5)
    recorder.start()
    began, used = time.monotonic(), time.process_time()
    await work
    share = (time.process_time() - used) / (time.monotonic() - began)
    recorder.stop()
    return share, recorder.latest


def encoded(samples: NDArray[np.float32]) -> list[bytes]:
    """Opus packets of 20 ms, as a speaker's at 32 kbit/s."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = RATE, "mono", "flt", 32_000
    encoder.options = {"application": "voip", "frame_duration": "20"}
    payloads: list[bytes] = []
    for first in range(0, len(samples) - FRAME + 1, FRAME):
        frame = AudioFrame.from_ndarray(samples[None, first : first + FRAME], format="flt", layout="mono")
        frame.sample_rate, frame.pts = RATE, first
        payloads += [bytes(packet) for packet in encoder.encode(frame)]
    return payloads


async def feed(sinks: Sequence[Any], payloads: list[bytes], seconds: float) -> None:
    """Give every sink a packet every 20 ms, each beginning elsewhere in the payloads."""
    began = time.monotonic()
    first = AudioPacket("opus", RATE, 0, 0, 0, b"", 0.0)
    for count in range(int(seconds * 50)):
        await asyncio.sleep(max(0.0, began + count / 50 - time.monotonic()))
        arrival = time.monotonic()
        for number, sink in enumerate(sinks):
            payload = payloads[(count + 17 * number) % len(payloads)]
            sink.push(
                replace(
                    first, ssrc=number + 1, sequence=count, timestamp=count * FRAME, payload=payload, arrival=arrival
                )
            )


async def main() -> None:
    """Answer until standard input ends."""
    listening = Listening()
    try:
        await answer(join=listening.join, hear=listening.hear, cost=listening.cost, alone=listening.alone)
    finally:
        await listening.aclose()


if __name__ == "__main__":
    asyncio.run(main())
