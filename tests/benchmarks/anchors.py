"""The best programs that show video in cells, on the same frames: chafa, timg and mpv's tct.

Used by the picture benchmark, which installs them from Debian when it may. What they write is rebuilt and judged like
our own; their CPU is that of a long run less that of a run with one frame, so that starting up counts for nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks.clips import Clip
from tests.benchmarks.rebuilt import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.benchmarks.rebuilt import Samples
    from tui.media.cells import Size

PROGRAMS = ("chafa", "timg", "mpv")
"""Debian's packages have the same names."""

_ENVIRONMENT = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}


@dataclass(frozen=True, slots=True)
class Mode:
    """A program and how it is told to draw."""

    program: str
    name: str
    colours: str
    """What it takes of the terminal: "24 bit" or "256"."""
    options: tuple[str, ...]

    @property
    def sextants(self) -> bool:
        """Whether it needs a font that has them."""
        return any("sextant" in option for option in self.options)

    def __str__(self) -> str:
        return f"{self.program} {self.name}"


def _chafa(name: str, colours: str, *options: str) -> Mode:
    depth = "full" if colours == "24 bit" else "256"
    return Mode("chafa", name, colours, ("--format", "symbols", "--stretch", "--colors", depth, *options))


def _mpv(name: str, colours: str) -> Mode:
    options = (f"--vo-tct-algo={name}", f"--vo-tct-256={'no' if colours == '24 bit' else 'yes'}")
    return Mode("mpv", name, colours, options)


MODES = (
    _chafa("default", "24 bit"),
    _chafa("default -w 9", "24 bit", "--work", "9"),
    _chafa("half", "24 bit", "--symbols", "half"),
    _chafa("quad", "24 bit", "--symbols", "half+quad"),
    _chafa("sextant", "24 bit", "--symbols", "half+quad+sextant"),
    _chafa("sextant -w 9", "24 bit", "--symbols", "half+quad+sextant", "--work", "9"),
    _chafa("blocks -w 9", "24 bit", "--symbols", "block+sextant-stipple", "--work", "9"),
    _chafa("braille", "24 bit", "--symbols", "braille"),
    _chafa("ascii", "24 bit", "--symbols", "ascii"),
    _chafa("default", "256"),
    _chafa("default -w 9", "256", "--work", "9"),
    _chafa("blocks -w 9", "256", "--symbols", "block+sextant-stipple", "--work", "9"),
    _chafa("half", "256", "--symbols", "half"),
    Mode("timg", "half", "24 bit", ("-ph",)),
    Mode("timg", "quarter", "24 bit", ("-pq",)),
    Mode("timg", "half", "256", ("-ph", "--color8")),
    Mode("timg", "quarter", "256", ("-pq", "--color8")),
    _mpv("half-blocks", "24 bit"),
    _mpv("plain", "24 bit"),
    _mpv("half-blocks", "256"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a program showed of a clip."""

    sizes: list[int]
    """Bytes of every frame; of the stills alone where the program repeats nothing and keeps nothing."""
    stills: list[Samples]
    """What stood on the screen at the frames that are judged."""
    milliseconds: float
    """CPU of one frame, all threads, the median of the runs."""

    @property
    def mean_size(self) -> float:
        """Bytes of one frame."""
        return statistics.fmean(self.sizes)


def install() -> list[str]:
    """Install what is missing, as root on Debian; says in a line each what could not be had."""
    missing = [program for program in PROGRAMS if not _there(program)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {', '.join(missing)}", flush=True)
        _apt("update")
        for program in missing:  # one by one: an unknown name would stop them all
            _apt("install", "--yes", "--no-install-recommends", program)
    return [f"no {program} in these tables: apt-get install {program}" for program in PROGRAMS if not _there(program)]


def _there(program: str) -> bool:
    return shutil.which(program) is not None


def _apt(*words: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "-qq", *words], check=False, capture_output=True, env=environment)


def versions() -> list[str]:
    """What is installed, a line each."""
    found = []
    for program in PROGRAMS:
        if _there(program):
            said = subprocess.run([program, "--version"], check=False, capture_output=True, text=True)
            found.append((said.stdout or said.stderr).splitlines()[0].split(" (")[0].split(" Copyright")[0])
    return found


class Stage:
    """One clip in the files that the programs read; ``stills`` are the numbers of the frames that are judged."""

    def __init__(self, clip: Clip, size: Size, stills: Sequence[int], folder: Path) -> None:
        self.size = size
        self._stills = stills
        self._folder = folder
        planes = [frame.to_ndarray() for frame in clip.frames]
        self._moved = [True, *(not np.array_equal(*pair) for pair in pairwise(planes))]
        """Whether each frame is another one than that before."""
        chosen = [planes[number] for number in stills]
        self._differs = [True, *(not np.array_equal(*pair) for pair in pairwise(chosen))]
        """The same of the frames that are judged."""
        folder.mkdir(parents=True, exist_ok=True)
        clip.write_y4m(folder / "clip.y4m")
        Clip(clip.name, [clip.frames[number] for number in stills]).write_y4m(folder / "stills.y4m")
        for number in stills:
            clip.write_xwd(number, folder / f"{number}.xwd")

    def play(self, mode: Mode, runs: int) -> Shown | None:
        """What this mode makes of the clip; ``None`` when the program is not there or gives nothing here."""
        if not _there(mode.program):
            return None
        play: Callable[[Mode], Shown | None] = {
            "chafa": self._chafa,
            "timg": self._timg,
            "mpv": self._mpv,
        }[mode.program]
        shown = [play(mode) for _ in range(runs)]
        if any(each is None for each in shown):
            return None
        every = [each for each in shown if each is not None]
        return replace(every[0], milliseconds=statistics.median(each.milliseconds for each in every))

    def _chafa(self, mode: Mode) -> Shown | None:
        # It knows no video: every frame is a picture, all of one command.
        files = [str(self._folder / f"{number}.xwd") for number in self._stills]
        size = f"{self.size.columns}x{self.size.rows}"
        command = ["chafa", *mode.options, "--threads", "1", "--size", size]
        written, used = _run([*command, *files])
        _, start = _run([*command, files[0]])
        lines = [line for line in written.split(b"\n") if line]
        if len(lines) != self.size.rows * len(files):
            return None
        pictures = [b"\n".join(lines[first : first + self.size.rows]) for first in range(0, len(lines), self.size.rows)]
        sizes = [len(picture) for picture in pictures]
        return Shown(sizes, [self._rebuilt(picture) for picture in pictures], (used - start) / (len(files) - 1))

    def _timg(self, mode: Mode) -> Shown | None:
        # It leaves a row free below.
        command = ["timg", "-V", *mode.options, f"-g{self.size.columns}x{self.size.rows + 1}"]
        clip = str(self._folder / "clip.y4m")
        written, used = _run([*command, f"--frames={len(self._moved)}", clip])
        _, start = _run([*command, "--frames=1", clip])
        parts = _split(written, rb"\x1b\[%dA" % self.size.rows)
        if len(parts) != sum(self._moved):
            return None
        # Of a frame that is as the one before it writes nothing.
        waiting = iter(parts)
        frames = [next(waiting) if moved else b"" for moved in self._moved]
        terminal = self._terminal()
        stills: list[Samples] = []
        for number, part in enumerate(frames):
            terminal.feed(part)
            if number in self._stills:
                stills.append(terminal.samples(self.size.columns, self.size.rows))
        return Shown([len(part) for part in frames], stills, (used - start) / (len(frames) - 1))

    def _mpv(self, mode: Mode) -> Shown | None:
        shape = (f"--vo-tct-width={self.size.columns}", f"--vo-tct-height={self.size.rows}")
        command = ["mpv", "--no-config", "--vo=tct", *shape, *mode.options, "--untimed", "--no-audio"]
        command += ["--really-quiet", "--osd-level=0", "--framedrop=no"]
        clip = str(self._folder / "clip.y4m")
        _, used = _run([*command, clip])
        _, start = _run([*command, "--frames=1", clip])
        written, _ = _run([*command, str(self._folder / "stills.y4m")])
        # Before the first and after the last it clears the screen; some it draws twice.
        parts = _split(written, rb"(\x1b\[\?25[lh]\x1b\[2J)?\x1b\[0;0f")[1:-1]
        kept: list[bytes] = []
        for part in parts:
            again = bool(kept) and part == kept[-1]
            if not (again and (len(kept) == len(self._stills) or self._differs[len(kept)])):
                kept.append(part)
        if len(kept) != len(self._stills):
            return None
        stills = [self._rebuilt(part, rows_from=0) for part in kept]
        return Shown([len(part) for part in kept], stills, (used - start) / (len(self._moved) - 1))

    def _terminal(self, rows_from: int = 1) -> Terminal:
        # Two rows more, for those who end with a line feed.
        return Terminal(self.size.columns, self.size.rows + 2, translates=True, rows_from=rows_from)

    def _rebuilt(self, written: bytes, rows_from: int = 1) -> Samples:
        terminal = self._terminal(rows_from)
        terminal.feed(written)
        return terminal.samples(self.size.columns, self.size.rows)


def _run(command: list[str]) -> tuple[bytes, float]:
    """What it wrote, and the milliseconds of CPU that it used."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, **_ENVIRONMENT},
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        written = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return written, (usage.ru_utime + usage.ru_stime) * 1000


def _split(written: bytes, marker: bytes) -> list[bytes]:
    """Cut before every marker."""
    places = [match.start() for match in re.finditer(marker, written)]
    return [written[first:last] for first, last in zip([0, *places], [*places, len(written)], strict=True)]
