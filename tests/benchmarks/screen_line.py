"""Pictures and keys over slow lines: the app in a real terminal whose line has a rate and a way to go. One command:

    python -m tests.benchmarks.screen_line [--seconds 20] [--only TEXT …]

prints a table, a row for each line: through a simulated terminal that reads its pseudo-terminal at a rate, 4 KiB or
2 MiB of buffer before it; through a real ``sshd`` to an ``ssh`` at the far end of a thin wire (`thin_wire`, which needs
root); and that with tmux around the app, with and without its passthrough. Four people on 120x40 cells who talk, 15
pictures per second asked for, and somebody who types in the chat.

Updates are those that came to the terminal; the age is that of the picture seen there, sampled each 20 ms; a key is
answered when its letter is seen. All in seconds of one clock, as everything is on one machine; 50th and 95th
percentiles.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import tempfile
import termios
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tests.benchmarks import thin_wire
from tests.interop import sshd
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

COLUMNS, ROWS, PEOPLE = 120, 40, 4
COUNTER: Final = 0x2800
COUNTS: Final = 256
ROUND_TRIP: Final = 0.04
_KEYS: Final = 0.31
_LETTERS: Final = 0x2460
"""Circled digits and letters: they are in no picture and in no text of the app."""
_LETTER_COUNT: Final = 160
_WARM_UP: Final = 6.0
_START: Final = 60.0
_PIECE: Final = 512
_ASKS = re.compile(rb"\x1b\[(\d+);(\d+)H|\x1b\[6n|\x1b\[\?2026\$p")
_TAIL: Final = 24
_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of the table."""

    name: str
    kilobits: float
    ssh: bool = False
    buffer: int = 2 << 20
    tmux: bool = False
    passthrough: bool = False
    answers: bool = True
    compressed: bool = False


SETTINGS = (
    *(Setting("terminal", rate, buffer=4096) for rate in (64, 256, 1000)),
    *(Setting("terminal, 2 MiB", rate) for rate in (64, 256, 1000, 10_000)),
    Setting("terminal, silent", 1000, answers=False),
    *(Setting("sshd", rate, ssh=True) for rate in (64, 256, 1000, 10_000)),
    *(Setting("sshd -C", rate, ssh=True, compressed=True) for rate in (64, 256)),
    *(Setting("sshd, tmux passthrough", rate, ssh=True, tmux=True, passthrough=True) for rate in (64, 256, 1000)),
    *(Setting("sshd, tmux", rate, ssh=True, tmux=True) for rate in (64, 256, 1000)),
)


class Line:
    """One direction: bytes come out at a rate, after a way. `room` says when there is room before it."""

    def __init__(self, bytes_per_second: float, way: float, buffer: int, out: Callable[[bytes], None]) -> None:
        self._rate = bytes_per_second
        self._way = way
        self._buffer = buffer
        self._out = out
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._some = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    def put(self, data: bytes) -> None:
        """In at this end."""
        for start in range(0, len(data), _PIECE):
            self._waiting.append(data[start : start + _PIECE])
        self._held += len(data)
        if self._held >= self._buffer:
            self.room.clear()
        self._some.set()

    async def run(self) -> None:
        """Pass on for ever."""
        loop = asyncio.get_running_loop()
        free = loop.time()
        while True:
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
                free = max(free, loop.time())
            piece = self._waiting.popleft()
            free += len(piece) / self._rate
            await asyncio.sleep(free - loop.time())
            self._held -= len(piece)
            if self._held < self._buffer:
                self.room.set()
            loop.call_later(self._way, self._out, piece)


@dataclass
class Watcher:
    """The far terminal: answers what it is asked, and notes when counts and letters come."""

    answer: Callable[[bytes], None]
    answers: bool = True
    text: bytes = b""
    received: int = 0
    counts: list[tuple[float, int]] = field(default_factory=list)
    letters: dict[str, float] = field(default_factory=dict)
    _cursor: bytes = b"1;1"
    _tail: bytes = b""
    _newest: int = 0

    def feed(self, data: bytes) -> None:
        """This has come."""
        now = time.monotonic()
        self.received += len(data)
        self.text = (self.text + data)[-65536:]
        whole = self._tail + data
        # What goes on in the next piece is looked at then, with what is kept of this one.
        last = 0
        for found in _ASKS.finditer(whole):
            last = found.end()
            if found[1]:
                self._cursor = found[1] + b";" + found[2]
            elif found[0].endswith(b"n"):
                if self.answers:
                    self.answer(b"\x1b[" + self._cursor + b"R")
            elif self.answers:
                self.answer(b"\x1b[?2026;2$y")
        for character in dict.fromkeys(
            re.findall(rb"\xe2[\xa0-\xa3\x91-\x93][\x80-\xbf]", whole[max(0, len(self._tail) - 2) :])
        ):
            letter = character.decode()
            number = ord(letter)
            if COUNTER <= number < COUNTER + COUNTS:
                step = (number - COUNTER - self._newest) % COUNTS
                if 0 < step < COUNTS // 2:
                    self._newest += step
                    self.counts.append((now, self._newest))
            elif letter not in self.letters:
                self.letters[letter] = now
        self._tail = whole[last:][-_TAIL:]


class Far:
    """A pseudo-terminal with a program in it, and what is at its other end."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], out: Callable[[bytes], None]) -> None:
        self._out = out
        self._pid, self._descriptor = pty.fork()
        if not self._pid:
            os.chdir(_PROJECT)
            os.execvpe(command[0], list(command), environment)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def write(self, data: bytes) -> None:
        """Type or answer."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, data)

    async def read(self, room: asyncio.Event) -> None:
        """Read while there is room."""
        loop = asyncio.get_running_loop()
        while True:
            await room.wait()
            ready = asyncio.Event()
            loop.add_reader(self._descriptor, ready.set)
            try:
                await ready.wait()
            finally:
                loop.remove_reader(self._descriptor)
            try:
                data = os.read(self._descriptor, 4096)
            except OSError:
                return
            self._out(data)

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGHUP)
        os.close(self._descriptor)
        for _ in range(100):
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                return
            time.sleep(0.05)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one row."""

    updates: float
    age: tuple[float, float]
    key: tuple[float, float]
    unanswered: int
    rate: float
    reason: str


async def measured(setting: Setting, seconds: float, folder: Path, clip: Path) -> Figures:
    """One row."""
    log = folder / "log"
    log.write_text("")
    app = [sys.executable, "-m", "tests.benchmarks.screen_app", str(clip), str(log), str(PEOPLE)]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ},
        "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(_PROJECT), "XDG_STATE_HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
    }  # fmt: skip
    command = app
    socket = folder / "tmux"
    if setting.tmux:
        passthrough = "on" if setting.passthrough else "off"
        (folder / "tmux.conf").write_text(
            f"set -g allow-passthrough {passthrough}\nset -as terminal-features ',xterm-256color:RGB:sync'\n"
            "set -g default-terminal tmux-256color\nset -g status off\nset -g escape-time 10\n"
        )
        exports = " ".join(f"{name}={value}" for name, value in environment.items() if name != "TERM")
        command = [
            "tmux",
            "-S",
            str(socket),
            "-f",
            str(folder / "tmux.conf"),
            "new-session",
            f"exec env {exports} " + " ".join(app),
        ]
    async with contextlib.AsyncExitStack() as stack:
        bytes_per_second = setting.kilobits * 125
        if setting.ssh:
            far_end = await stack.enter_async_context(thin_wire.thin_wire(bytes_per_second, ROUND_TRIP))
            shell = await asyncio.to_thread(stack.enter_context, sshd.secure_shell(folder, thin_wire.HERE))
            exports = " ".join(f"{name}={value}" for name, value in environment.items())
            quoted = " ".join(f"'{word}'" for word in command)
            remote = f"cd {_PROJECT} && exec env {exports} {quoted}"
            options = ["-C"] if setting.compressed else []
            command = [*far_end, str(shell.bin / "ssh"), *options, "-tt", "-p", str(shell.port), thin_wire.HERE, remote]
        tasks: list[asyncio.Task[None]] = []
        watcher = Watcher(lambda data: typed(data), setting.answers)
        if setting.ssh:
            # The way is the wire's.
            far = Far(command, environment, watcher.feed)
            typed: Callable[[bytes], None] = far.write
            always = asyncio.Event()
            always.set()
            tasks.append(asyncio.create_task(far.read(always)))
        else:
            line = Line(bytes_per_second, ROUND_TRIP / 2, setting.buffer, watcher.feed)
            far = Far(command, environment, line.put)
            loop = asyncio.get_running_loop()

            def typed(data: bytes) -> None:
                loop.call_later(ROUND_TRIP / 2, far.write, data)

            tasks += [asyncio.create_task(far.read(line.room)), asyncio.create_task(line.run())]
        try:
            return await _figures(watcher, typed, seconds, log.read_text)
        finally:
            far.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if setting.tmux:
                ended = await asyncio.create_subprocess_exec(
                    "tmux", "-S", str(socket), "kill-server", stderr=asyncio.subprocess.DEVNULL
                )
                await ended.wait()


async def _figures(watcher: Watcher, typed: Callable[[bytes], None], seconds: float, log: Callable[[], str]) -> Figures:
    await until(lambda: b"joined" in watcher.text, _START, "the room")
    typed(b"c")
    shown = len(watcher.counts)
    # What Textual draws at first takes many seconds on the slowest line.
    with contextlib.suppress(AssertionError):
        await until(lambda: len(watcher.counts) >= shown + 5, _START)
    await asyncio.sleep(_WARM_UP)
    began, received = time.monotonic(), watcher.received
    first = len(watcher.counts)
    pressed: dict[str, float] = {}
    letters = iter(range(_LETTER_COUNT))
    ends = began + seconds
    while time.monotonic() < ends:
        letter = chr(_LETTERS + next(letters))
        pressed[letter] = time.monotonic()
        typed(letter.encode())
        await asyncio.sleep(_KEYS)
    stopped = time.monotonic()
    rate = (watcher.received - received) / (stopped - began)
    counts = [entry for entry in watcher.counts[first:] if entry[0] <= stopped]
    seen = watcher.counts[max(0, first - 1) :]
    await asyncio.sleep(1.0)
    keys = [watcher.letters[letter] - at for letter, at in pressed.items() if letter in watcher.letters]
    lines = [line.split(" ", 3) for line in log().splitlines()]
    filmed = {int(line[0]): float(line[1]) for line in lines}
    return Figures(
        len(counts) / (stopped - began),
        _percentiles(list(_ages(seen, filmed, began, stopped))),
        _percentiles(keys),
        len(pressed) - len(keys),
        rate,
        lines[-1][3].strip("'") if lines else "no picture",
    )


def _ages(
    counts: Sequence[tuple[float, int]], filmed: dict[int, float], began: float, stopped: float
) -> Iterator[float]:
    """The age of what is seen, each 20 ms."""
    position, now, shown = 0, began, None
    while now < stopped:
        while position < len(counts) and counts[position][0] <= now:
            shown = filmed.get(counts[position][1], shown)
            position += 1
        if shown is not None:
            yield now - shown
        now += 0.02


def _percentiles(values: Sequence[float]) -> tuple[float, float]:
    if not values:
        return float("inf"), float("inf")
    return float(np.percentile(values, 50)), float(np.percentile(values, 95))


def _filmed(path: Path) -> None:
    """The head of the picture benchmark, in the size that people send."""
    from tests.benchmarks.clips import head

    planes = [frame.reformat(320, 192, "yuv420p").to_ndarray() for frame in head(90).frames]
    np.save(path, np.stack(planes))


def _print(setting: Setting, figures: Figures | str) -> None:
    start = f"{setting.name:26}{_rate(setting.kilobits):>12}"
    if isinstance(figures, str):
        print(f"{start}  {figures}", flush=True)
        return
    age, key = figures.age, figures.key
    lost = f" ({figures.unanswered} not)" if figures.unanswered else ""
    print(
        f"{start}{figures.updates:>10.1f}{age[0] * 1000:>8.0f} /{age[1] * 1000:>6.0f}{key[0] * 1000:>8.0f} /"
        f"{key[1] * 1000:>6.0f}{figures.rate / 1000:>9.1f}  {figures.reason}{lost}",
        flush=True,
    )


def _rate(kilobits: float) -> str:
    return f"{kilobits / 1000:g} Mbit/s" if kilobits >= 1000 else f"{kilobits:g} kbit/s"


async def _main(seconds: float, only: Sequence[str]) -> None:
    way = f"{ROUND_TRIP * 1000:.0f} ms"
    print(f"{PEOPLE} people, {COLUMNS}x{ROWS}, 15 pictures/s asked for, round trip {way}; times in ms")
    names = f"{'age p50 / p95':>16}{'key p50 / p95':>16}{'KB/s':>9}"
    print(f"{'line':26}{'rate':>12}{'updates/s':>10}{names}  what the app says")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        clip = folder / "clip.npy"
        _filmed(clip)
        why = sshd.missing() or thin_wire.missing()
        for setting in SETTINGS:
            if only and not any(word in f"{setting.name} {setting.kilobits:g}" for word in only):
                continue
            if setting.ssh and why:
                _print(setting, why)
                continue
            try:
                place = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
                _print(setting, await measured(setting, seconds, place, clip))
            except AssertionError as error:
                _print(setting, str(error))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="of each row (default: 20)")
    parser.add_argument("--only", nargs="*", default=[], help="rows with one of these in name and kbit/s")
    options = parser.parse_args()
    asyncio.run(_main(options.seconds, options.only))


if __name__ == "__main__":
    main()
