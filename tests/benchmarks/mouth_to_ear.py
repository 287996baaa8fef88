"""How long sound takes from one person's mouth to another's ear, all on this machine, by one clock.

Run it by hand, ``python -m tests.benchmarks.mouth_to_ear [SECONDS]``: one client publishes short bursts of a tone, the
real program plays them on PulseAudio's null sink, a recorder says when they were played. Prints a table for the usual
latency and for ``--low-latency``; nothing is asserted. The mouth's time is the one at which a microphone would have
heard the first sample, so that the 20 ms of a packet are in it; what a sound card adds behind its buffer is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.pseudo_terminal import PseudoTerminal
from tests.sound import SoundServer, missing, private_pulseaudio
from tui.core.conference import Conference
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE
from tui.media.tracks import AudioTrack
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tui.media.sound import Samples

TARGETS_MS = {"usual": 150, "--low-latency": 90}
PERIOD_FRAMES = 37
"""Frames from burst to burst, 0.74 s."""
BURST_FRAMES = 3
PITCH = 2000.0
WARM_UP_SECONDS = 8.0


class Bursts(AudioTrack):
    """Says on stdout when each burst began."""

    def samples(self, start: int) -> Samples:
        number = start // FRAME_SAMPLES % PERIOD_FRAMES
        if number >= BURST_FRAMES:
            return np.zeros(FRAME_SAMPLES, dtype=np.float32)
        if number == 0:
            print(time.monotonic() - FRAME_SAMPLES / SAMPLE_RATE, flush=True)
        at = np.arange(start, start + FRAME_SAMPLES) / SAMPLE_RATE
        return (0.5 * np.sin(2 * np.pi * PITCH * at)).astype(np.float32)


async def speak(url: str) -> None:
    """The client that speaks, a process of its own, until its input closes."""
    bursts = Bursts()
    speaker = Conference(url, "room1", "speaker", lambda event: None, audio=bursts)
    await speaker.join()
    await asyncio.to_thread(sys.stdin.read)
    await speaker.aclose()
    bursts.stop()


def listen(server: SoundServer, seconds: float) -> tuple[float, NDArray[np.float64]]:
    """What is played, and the time of its first sample: the earliest that any part of it allows."""
    began, parts, count = float("inf"), [], 0
    with server.recording(options=("--latency-msec=10",)) as recording:
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            parts.append(recording.read(0.005))
            count += len(parts[-1])
            began = min(began, time.monotonic() - count / SAMPLE_RATE)
    return began, np.concatenate(parts)


def onsets(began: float, sound: NDArray[np.float64]) -> list[float]:
    """When each burst began to be played."""
    loud = np.flatnonzero(np.abs(sound) > 0.15)
    first = loud[np.diff(loud, prepend=-SAMPLE_RATE) > SAMPLE_RATE // 4]
    return [began + float(position) / SAMPLE_RATE for position in first]


@contextlib.contextmanager
def speaking(url: str) -> Iterator[list[float]]:
    """A process that speaks in the room; the times at which it did, all of them at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name, "--speak", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    said: list[float] = []
    reader = threading.Thread(target=lambda: said.extend(map(float, process.stdout or ())), daemon=True)
    reader.start()
    yield said
    assert process.stdin is not None
    process.stdin.close()
    process.wait(10)
    reader.join(5)


async def measure(seconds: float, options: tuple[str, ...]) -> tuple[list[float], int]:
    """Milliseconds of every burst that was heard, and how many were not."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sound_server = stack.enter_context(private_pulseaudio(Path(folder)))
        async with RoomServer() as server:
            said = stack.enter_context(speaking(server.url))
            command = [sys.executable, "-m", "tui", "join", server.url, "room1", "--play-only", *options]
            with PseudoTerminal(command, environment=sound_server.environment):
                await asyncio.sleep(WARM_UP_SECONDS)
                began, sound = await asyncio.to_thread(listen, sound_server, seconds)
    heard = onsets(began, sound)
    during = [at for at in said if began < at < began + seconds - 1.0]
    delays = [min((after - at for after in heard if after > at), default=9.0) * 1000 for at in during]
    return [delay for delay in delays if delay < 700], sum(delay >= 700 for delay in delays)


def main() -> None:
    """Measure both and print the table."""
    if missing():
        sys.exit(missing())
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    print(f"{'latency':15} {'bursts':>6} {'unheard':>7} {'p50 ms':>7} {'p95 ms':>7} {'target p50':>10}")
    for name, target in TARGETS_MS.items():
        delays, unheard = asyncio.run(measure(seconds, (name,) if name.startswith("-") else ()))
        p50, p95 = np.percentile(delays, (50, 95)) if delays else (np.nan, np.nan)
        print(f"{name:15} {len(delays):6} {unheard:7} {p50:7.0f} {p95:7.0f} {'<=':>7}{target:3}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--speak"]:
        asyncio.run(speak(sys.argv[2]))
    else:
        main()
