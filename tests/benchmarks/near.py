"""What the app costs on a terminal that is near: a real pseudo-terminal that takes all it gets, and one that stops.

The table "app" of the picture benchmark. The program is that of the line benchmark: the app as the command line runs
it, people who are generated, no network; nothing is decoded.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import statistics
import struct
import sys
import tempfile
import termios
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av
import numpy as np

from tests.benchmarks.clips import head
from tests.benchmarks.rebuilt import Terminal
from tests.benchmarks.screen_app import FRAMES_PER_SECOND
from tests.benchmarks.screen_line import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

STALL = 20.0
"""Seconds for which nobody reads."""

_PROJECT = Path(__file__).parents[2]
_WIDTH, _HEIGHT = 320, 180
_START = 60.0
_WARM_UP = 5.0
_KEYS = 0.11
_LETTERS = range(0x2460, 0x24FF)
"""Circled digits and letters: they are in no picture and in no text of the app."""
_NAME = re.compile(r"Person \d+\b")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Room:
    """So many people on so many cells, and what may be used for it."""

    people: int
    columns: int
    rows: int
    share: float | None
    """Of one core, encoding included."""
    kibibytes: float
    """For each update of the pictures."""
    milliseconds: float | None
    """CPU for each update."""
    key: float = 15.0
    """Milliseconds from a key to its echo, 95th percentile."""


ROOMS = (
    Room(16, 200, 50, 0.5, 40.0, None),
    Room(4, 120, 40, None, 20.0, 6.0),
)


class Near:
    """``with Near(people, columns, rows, clip)``: the app in a pseudo-terminal that is read by a thread."""

    def __init__(self, people: int, columns: int, rows: int, clip: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="antconf-picture-")
        folder = Path(self._folder.name)
        self._log = folder / "updates"
        self._size = columns, rows
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        environment |= {"PYTHONPATH": str(_PROJECT), "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        command = [sys.executable, "-m", "tests.benchmarks.screen_app", str(clip), str(self._log), str(people)]
        child, self._descriptor = pty.fork()
        if not child:
            os.chdir(_PROJECT)
            # In the child, before the program looks.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], command, environment)
        self.pid = child
        self.watcher = Watcher(self.type)
        self.reading = threading.Event()
        """Cleared, nothing is read."""
        self.reading.set()
        self._recorded: list[bytes] = []
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.reading.set()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        for _attempt in range(100):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                break
            time.sleep(0.05)
        else:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self._over.set()
        self._reader.join(5)
        os.close(self._descriptor)
        self._folder.cleanup()

    def type(self, data: bytes) -> None:
        """Press keys, or answer."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, data)

    def until(self, condition: Callable[[], bool], what: str, patience: float = _START) -> None:
        """Wait for a condition; raises ``RuntimeError`` with the end of what was written."""
        ends = time.monotonic() + patience
        while not condition():
            if time.monotonic() > ends:
                raise RuntimeError(f"waited too long for {what}; the last words: {self.watcher.text[-400:]!r}")
            time.sleep(0.02)

    def cpu(self) -> float:
        """Seconds of CPU that it has used, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> float:
        """MiB that it holds."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE / 2**20

    def updates(self) -> list[tuple[int, float, int]]:
        """Every update of the pictures so far: its count, when it was filmed (``time.monotonic``), its bytes."""
        lines = [line.split(" ", 3) for line in self._log.read_text().splitlines()]
        return [(int(line[0]), float(line[1]), int(line[2])) for line in lines if len(line) == 4]

    def screen(self) -> str:
        """What is on the screen now, from all that was written."""
        terminal = Terminal(*self._size)
        terminal.feed(b"".join(self._recorded))
        return "\n".join("".join(map(chr, row)) for row in terminal.glyphs())

    def _read(self) -> None:
        while not self._over.is_set():
            if not (self.reading.wait(0.1) and select.select([self._descriptor], [], [], 0.1)[0]):
                continue
            try:
                data = os.read(self._descriptor, 65536)
            except OSError:
                return
            self._recorded.append(data)
            self.watcher.feed(data)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run in a room."""

    updates: float
    """Per second."""
    share: float
    kibibytes: float
    milliseconds: float
    keys: tuple[float, ...]
    """Milliseconds from each key to its echo."""
    tiles: int
    """Other people whose names are on the screen beside the pictures."""


def app(seconds: float, runs: int) -> None:
    """CPU, bytes and keys with pictures, and a terminal that stops reading."""
    with tempfile.TemporaryDirectory(prefix="antconf-picture-") as folder:
        clip = Path(folder) / "clip.npy"
        frames = [
            frame.reformat(_WIDTH, _HEIGHT, "yuv420p").to_ndarray().astype(np.uint8, copy=False)
            for frame in head().frames
        ]
        np.save(clip, np.stack(frames))
        feeding = _feeding(frames)
        print(
            f"head of {_WIDTH}x{_HEIGHT}, {FRAMES_PER_SECOND:g} pictures a second asked for, {seconds:g} s, "
            f"median of {runs} runs; making a frame for the board costs {1000 * feeding:.2f} ms, taken off"
        )
        print(
            f"{'people, cells':20}{'others seen':>12}{'updates/s':>11}{'of a core':>11}{'ms/update':>11}"
            f"{'KiB/update':>12}{'key p50':>9}{'p95, ms':>9}"
        )
        measured: list[tuple[Room, list[Figures]]] = [(room, []) for room in ROOMS]
        for _ in range(runs):
            for room, every in measured:
                every.append(_figures(room, clip, seconds, feeding))
        for room, every in measured:
            _print(room, every)
        print()
        _stall(ROOMS[0], clip, STALL)


def _feeding(frames: Sequence[NDArray[np.uint8]]) -> float:
    """Seconds of CPU that the benchmark's own program needs for a frame of one person."""
    began = time.thread_time()
    for planes in frames:
        av.VideoFrame.from_ndarray(planes, format="yuv420p")
    return (time.thread_time() - began) / len(frames)


def _figures(room: Room, clip: Path, seconds: float, feeding: float) -> Figures:
    with Near(room.people, room.columns, room.rows, clip) as near:
        near.until(lambda: b"joined" in near.watcher.text, "the room")
        time.sleep(_WARM_UP)
        first, used, began = len(near.updates()), near.cpu(), time.monotonic()
        time.sleep(seconds)
        lasted = time.monotonic() - began
        used = near.cpu() - used - feeding * room.people * FRAMES_PER_SECOND * lasted
        updates = near.updates()[first:]
        names = Counter(_NAME.findall(near.screen()))
        # In the chat a key is a letter at once.
        near.type(b"c")
        time.sleep(_WARM_UP)
        keys = _keys(near, seconds)
    return Figures(
        len(updates) / lasted,
        used / lasted,
        statistics.fmean(size for _, _, size in updates) / 1024 if updates else 0.0,
        1000 * used / len(updates) if updates else 0.0,
        keys,
        sum(count > 1 for count in names.values()),  # in the list they are anyway
    )


def _keys(near: Near, seconds: float) -> tuple[float, ...]:
    pressed: dict[str, float] = {}
    ends = time.monotonic() + seconds
    for number in _LETTERS:
        if time.monotonic() > ends:
            break
        pressed[chr(number)] = time.monotonic()
        near.type(chr(number).encode())
        time.sleep(_KEYS)
    time.sleep(0.5)
    seen = near.watcher.letters
    return tuple(1000 * (seen[letter] - at) if letter in seen else float("inf") for letter, at in pressed.items())


def _print(room: Room, every: Sequence[Figures]) -> None:
    def median(name: str) -> float:
        middle: float = statistics.median(getattr(each, name) for each in every)
        return middle

    keys = [key for each in every for key in each.keys]
    half, most = (float(np.percentile(keys, part)) if keys else float("inf") for part in (50, 95))
    share, milliseconds, kibibytes = median("share"), median("milliseconds"), median("kibibytes")
    print(
        f"{f'{room.people}, {room.columns}x{room.rows}':20}{median('tiles'):12.0f}{median('updates'):11.1f}"
        f"{share:11.1%}{milliseconds:11.2f}{kibibytes:12.1f}{half:9.1f}{most:9.1f}"
    )
    for what, reached, limit in (
        ("of a core", share, room.share),
        ("ms an update", milliseconds, room.milliseconds),
        ("KiB an update", kibibytes, room.kibibytes),
        ("ms to the echo of a key, p95", most, room.key),
    ):
        if limit is not None:
            verdict = "met" if reached <= limit else "MISSED"
            print(f"    {reached:.2f} of {limit:g} {what}: {verdict}, {reached / limit:.2f} of it")


def _stall(room: Room, clip: Path, seconds: float) -> None:
    """Nobody reads for a while; what is held meanwhile, and when the picture is that of now."""
    with Near(room.people, room.columns, room.rows, clip) as near:
        near.until(lambda: b"joined" in near.watcher.text, "the room")
        time.sleep(2 * _WARM_UP)
        before = near.memory()
        near.reading.clear()
        most = before
        used, began = near.cpu(), time.monotonic()
        while time.monotonic() < began + seconds:
            most = max(most, near.memory())
            time.sleep(0.1)
        share = (near.cpu() - used) / seconds
        received = near.watcher.received
        resumed = time.monotonic()
        near.reading.set()
        current = _current(near, resumed)
        backlog = near.watcher.received - received
        time.sleep(1.0)
        after = near.memory()
    print(f"{room.people} people on {room.columns}x{room.rows}, the terminal not read for {seconds:g} s, then read")
    print(f"memory {before:.1f} MiB before, at most {most - before:+.1f} meanwhile, {after - before:+.1f} afterwards")
    verdict = "met" if current <= 0.5 else "MISSED"
    print(f"a picture filmed after the reading began is shown {1000 * current:.0f} ms after it, of 500: {verdict}")
    print(f"{backlog / 1024:.0f} KiB came until then; {share:.1%} of a core was used meanwhile")


def _current(near: Near, since: float) -> float:
    """Seconds until a picture is shown that was filmed after this time."""
    while time.monotonic() < since + 10:
        filmed = {count: at for count, at, _ in near.updates()}
        for shown, count in list(near.watcher.counts):
            if shown >= since and filmed.get(count, 0.0) >= since:
                return shown - since
        time.sleep(0.02)
    return float("inf")
