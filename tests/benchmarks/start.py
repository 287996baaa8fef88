"""From the command to the first picture, beside two other Textual programs. One command:

    python -m tests.benchmarks.start [--runs 10]

Installs posting and harlequin from PyPI, each into an environment of its own in a temporary folder, and starts the
three in turn on a real pseudo-terminal. The first paint is the moment at which the alternate screen holds forty
characters that are no blanks; the files are in the system's cache for all of them. Prints medians, and how much faster
we are.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pty
import re
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ANCHORS: Final = {
    # Newer ones end posting 2.11 by a segmentation fault.
    "posting": ("posting", "tree-sitter<0.26"),
    "harlequin": ("harlequin",),
}
"""What pip installs for each."""
_PAINTED: Final = 40
"""Characters on the screen that make a picture."""
_PATIENCE: Final = 60.0
_SCREEN: Final = b"\x1b[?1049h"
_ESCAPE: Final = re.compile(rb"\x1b(?:\[[0-9;:?<>=$]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
_PROJECT: Final = Path(__file__).parents[2]


def installed(folder: Path, name: str) -> list[str]:
    """The command of a program that is installed from PyPI."""
    place = folder / name
    venv.create(place, with_pip=True)
    subprocess.run([place / "bin" / "pip", "install", "-q", *ANCHORS[name]], check=True, stderr=subprocess.DEVNULL)
    return [str(place / "bin" / name)]


def first_paint(command: Sequence[str], home: Path) -> float:
    """Seconds until something is seen. Raises ``RuntimeError`` when nothing is."""
    environment = {name: os.environ[name] for name in ("PATH", "USER") if name in os.environ}
    environment |= {"HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
    began = time.monotonic()
    child, terminal = pty.fork()
    if not child:
        os.chdir(_PROJECT)
        os.execvpe(command[0], list(command), environment | {"LINES": "36", "COLUMNS": "120"})
    try:
        for received, at in _received(terminal, began + _PATIENCE):
            shown = _ESCAPE.sub(b"", received.partition(_SCREEN)[2])
            if len(shown.decode(errors="ignore").replace(" ", "").strip()) >= _PAINTED:
                return at - began
        raise RuntimeError(f"{command[0]} shows nothing")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def _received(terminal: int, ends: float) -> Iterator[tuple[bytes, float]]:
    """All that has come so far, and when, after each piece."""
    received = b""
    while (left := ends - time.monotonic()) > 0:
        if not select.select([terminal], [], [], left)[0]:
            return
        try:
            received += os.read(terminal, 65536)
        except OSError:
            return
        yield received, time.monotonic()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.start")
    parser.add_argument("--runs", type=int, default=10, help="starts of each program (default 10)")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="antconf-start-") as name:
        folder = Path(name)
        commands = {"antconf": [str(Path(sys.executable).parent / "antconf"), "join"]}
        commands |= {anchor: installed(folder, anchor) for anchor in ANCHORS}
        for command in commands.values():
            # Compiled and cached.
            first_paint(command, folder)
        seconds: dict[str, list[float]] = {program: [] for program in commands}
        for _ in range(runs):
            for program, command in commands.items():
                seconds[program].append(first_paint(command, folder))
    ours = statistics.median(seconds["antconf"])
    print(f"{'program':12}{'first paint, s':>16}{'best':>8}{'worst':>8}{'to ours':>9}   of {runs} starts")
    for program, each in seconds.items():
        middle = statistics.median(each)
        print(f"{program:12}{middle:16.2f}{min(each):8.2f}{max(each):8.2f}{middle / ours:9.2f}")


if __name__ == "__main__":
    main()
