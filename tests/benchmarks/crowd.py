"""What a crowd costs the one who listens, and whether nine pictures and a stalled terminal leave the sound alone.

The tables "voices" and "gaps" of the audio benchmark.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.child import Child
from tests.benchmarks.crowd_room import AMPLITUDE, ROOM
from tests.pseudo_terminal import PseudoTerminal
from tests.sound import private_pulseaudio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tests.sound import Recording

VOICES, TILES = 24, 9
STALL = 20.0
"""Seconds for which nobody reads the terminal."""

HEADER = (
    f"{'terminal':10}{'seconds':>9}{'gaps > 20 ms':>14}{'lost, ms':>10}{'longest, ms':>13}{'CPU of the app':>16}"
    f"{'written, KiB':>14}"
)

_RATE = 48_000
_GAP = _RATE // 50
_QUIET = AMPLITUDE / 10
_CHUNK = 1.0
_COLUMNS, _ROWS = 160, 48


async def voices(seconds: float, people: int = VOICES) -> None:
    """CPU of receive, decode and mix as a share of one core, all of them talking."""
    async with (
        Child("tests.benchmarks.crowd_room") as room,
        Child("tests.benchmarks.crowd_room") as crowd,
        Child("tests.benchmarks.crowd_listener") as listener,
    ):
        url = await room.ask("open")
        await listener.ask("join", url, ROOM)
        idle = await listener.ask("cost", seconds, lasts=seconds)
        await crowd.ask("talk", url, people, lasts=people)
        await listener.ask("hear", people)
        busy = await listener.ask("cost", seconds, lasts=seconds)
    # Without the crowd in the next process.
    async with Child("tests.benchmarks.crowd_listener") as listener:
        alone = await listener.ask("alone", people, seconds, lasts=2 * seconds)
    print(f"{people} people who all talk, {seconds:g} s each, CPU of the listener as a share of one core")
    print(f"in an empty room                  {idle['share']:7.1%}")
    print(f"receive, decode and mix           {busy['share'] - idle['share']:7.1%}   (beyond the empty room)")
    print(f"voices and mixer alone            {alone:7.1%}   (no network; beyond the feeding)")
    print(
        f"packets a second {busy['packets']:.0f} of {50 * people}, concealed {busy['concealed']:.0f} ms in all, "
        f"latest pull {busy['latest'] * 1000:.0f} ms"
    )


@dataclass
class Gaps:
    """Holes in a steady tone, found while it goes on."""

    count: int = 0
    """Those longer than 20 ms."""
    longest: int = 0
    total: int = 0
    """Both in samples; of those longer than 20 ms."""
    _hole: int = 0

    def take(self, sound: NDArray[np.float64]) -> None:
        """The next part."""
        loud = np.flatnonzero(np.abs(sound) > _QUIET)
        if not len(loud):
            self._hole += len(sound)
            return
        self._end(self._hole + int(loud[0]))
        for between in np.diff(loud) - 1:
            if between > _GAP:
                self._end(int(between))
        self._hole = len(sound) - 1 - int(loud[-1])

    def finish(self) -> None:
        """Nothing follows."""
        self._end(self._hole)
        self._hole = 0

    def _end(self, hole: int) -> None:
        self.longest = max(self.longest, hole)
        if hole > _GAP:
            self.count += 1
            self.total += hole


async def gaps(seconds: float, people: int = TILES) -> None:
    """Our app with nine pictures in a real terminal, its tone recorded where a person would hear it."""
    child = "tests.benchmarks.crowd_room"
    async with Child(child) as room, Child(child) as speaker, Child(child) as crowd:
        url = await room.ask("open")
        # The tone has a process of its own: eight encoders beside it would make it late.
        await speaker.ask("show", url, 0, 1, lasts=1)
        await crowd.ask("show", url, 1, people, lasts=people)
        # A socket's path must be short.
        with tempfile.TemporaryDirectory() as folder, private_pulseaudio(Path(folder)) as server:
            command = [sys.executable, "-m", "tui", "join", url, ROOM, "--play-only"]
            environment = server.environment
            with (
                PseudoTerminal(command, columns=_COLUMNS, rows=_ROWS, environment=environment) as terminal,
                server.recording() as recording,
            ):
                for number in range(people):
                    await asyncio.to_thread(terminal.shows, f"person{number}")
                await asyncio.to_thread(_first_sound, recording)
                print(f"{people} pictures of 320x180 at 15 a second on {_COLUMNS}x{_ROWS}, a tone of 660 Hz")
                print(HEADER)
                await _listen("read", recording, terminal, seconds)
                terminal.reading.clear()
                await _listen("stalled", recording, terminal, STALL)
                terminal.reading.set()
                await _listen("read again", recording, terminal, STALL / 2)


def _first_sound(recording: Recording) -> None:
    """Wait for the tone, with whatever holes it has."""
    for _ in range(60):
        if np.median(np.abs(recording.read(_CHUNK)).reshape(-1, 480).max(axis=1)) > _QUIET:
            return
    raise RuntimeError("the tone is not heard")


async def _listen(name: str, recording: Recording, terminal: PseudoTerminal, seconds: float) -> None:
    found = Gaps()
    began, used = time.monotonic(), _cpu(terminal.pid)
    received = len(terminal.received)
    for _ in range(int(seconds / _CHUNK)):
        found.take(await asyncio.to_thread(recording.read, _CHUNK))
    found.finish()
    lasted = time.monotonic() - began
    share = (_cpu(terminal.pid) - used) / lasted
    print(
        f"{name:10}{seconds:9.0f}{found.count:14}{found.total * 1000 / _RATE:10.0f}"
        f"{found.longest * 1000 / _RATE:13.1f}{share:16.0%}{(len(terminal.received) - received) / 1024:14.0f}",
        flush=True,
    )


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
