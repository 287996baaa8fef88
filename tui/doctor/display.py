"""What the terminal says of itself when it is asked. Used by the doctor.

The questions go out in one write; the last is one that every terminal answers (DA1), so that what is not answered
before it never will be. The terminal echoes nothing meanwhile, and what comes late is thrown away.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import struct
import sys
import termios
import time
import tty
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS: Final = 0.5
"""For all answers."""
LATE_SECONDS: Final = 1.0
"""For answers that are thrown away: behind a long line they would be typed at the prompt."""

_SAMPLES: Final = ("é", "漢", "🙂")
"""Taken for one, two and two cells by a terminal that knows UTF-8."""
_QUESTIONS: Final = (
    # A colour of 24 bits is set and asked back: DECRQSS; then the terminfo capability RGB: XTGETTCAP.
    b"\x1b[38;2;1;2;3m\x1bP$qm\x1b\\\x1b[m",
    b"\x1bP+q524742\x1b\\",
    # The last of 256 colours, and the background.
    b"\x1b]4;255;?\x1b\\",
    b"\x1b]11;?\x1b\\",
    # The size of a cell; synchronized output: DECRQM.
    b"\x1b[16t",
    b"\x1b[?2026$p",
    # Where the cursor is behind each sample.
    *(b"\r" + sample.encode() + b"\x1b[6n" for sample in _SAMPLES),
    b"\x1b[c",
    # Some terminals print what they do not know.
    b"\r\x1b[K",
)
_LAST: Final = re.compile(rb"\x1b\[\?[0-9;]*c")
_CURSOR: Final = re.compile(rb"\x1b\[[0-9]+;([0-9]+)R")
_BACK: Final = re.compile(rb"\x1bP1\$r[0-9;:]*38[;:]2[;:]+1[;:]2[;:]3")
_RGB: Final = re.compile(rb"\x1bP1\+r524742")
_PALETTE: Final = re.compile(rb"\x1b\]4;255;rgba?:")
_BACKGROUND: Final = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
_CELL: Final = re.compile(rb"\x1b\[6;([0-9]{1,4});([0-9]{1,4})t")
_SYNCHRONIZED: Final = re.compile(rb"\x1b\[\?2026;([0-4])\$y")
_ANSWER_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class Answers:
    """``None`` is what was not answered."""

    complete: bool = False
    """It answered at all, within `SECONDS`."""
    colours: int | None = None
    """How many it has shown to have: 16777216 or 256."""
    light: bool | None = None
    """The background is light."""
    utf8: bool | None = None
    wide: bool | None = None
    """Wide characters take two cells."""
    cell: tuple[int, int] | None = None
    """Width and height in pixels."""
    synchronized: bool | None = None


def ask(source: int = 0, sink: int = 1) -> Answers | None:
    """Ask the terminal; ``None`` when one of the two is none. Blocks for `SECONDS` and `LATE_SECONDS` at most."""
    if not (os.isatty(source) and os.isatty(sink)):
        return None
    sys.stdout.flush()
    with _quiet(source):
        received = b""
        began = time.monotonic()
        os.write(sink, b"".join(_QUESTIONS))
        received = _received(source, b"", began + SECONDS)
        answers = understood(received)
        if not answers.complete:
            _received(source, received, began + SECONDS + LATE_SECONDS)
    size = _size_of_cell(sink) or answers.cell
    return Answers(**{name: getattr(answers, name) for name in answers.__slots__ if name != "cell"}, cell=size)


def understood(received: bytes) -> Answers:
    """What the answers mean."""
    columns = [int(column) for column in _CURSOR.findall(received)]
    background = _BACKGROUND.search(received)
    cell, synchronized = _CELL.search(received), _SYNCHRONIZED.search(received)
    deep = _BACK.search(received) or _RGB.search(received)
    return Answers(
        complete=_LAST.search(received) is not None,
        colours=1 << 24 if deep else 256 if _PALETTE.search(received) else None,
        light=_brightness(background.groups()) > 0.5 if background else None,
        utf8=columns[0] == 2 if columns else None,
        wide=columns[1:3] == [3, 3] if len(columns) > 2 else None,
        cell=(int(cell[2]), int(cell[1])) if cell and int(cell[1]) and int(cell[2]) else None,
        synchronized=synchronized[1] in (b"1", b"2", b"3") if synchronized else None,
    )


def _received(source: int, received: bytes, deadline: float) -> bytes:
    while _LAST.search(received) is None and len(received) < _ANSWER_LIMIT:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            break
        if not (data := os.read(source, 1024)):
            break
        received += data
    return received


@contextlib.contextmanager
def _quiet(source: int) -> Iterator[None]:
    """Nothing is echoed, lines are not waited for; at the end what was not read is thrown away."""
    before = termios.tcgetattr(source)
    try:
        tty.setcbreak(source)
        yield
    finally:
        termios.tcsetattr(source, termios.TCSAFLUSH, before)


def _size_of_cell(sink: int) -> tuple[int, int] | None:
    import fcntl

    try:
        size = fcntl.ioctl(sink, termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width, height = struct.unpack("HHHH", size)
    return (width // columns, height // rows) if rows and columns and width >= columns and height >= rows else None


def _brightness(channels: tuple[bytes, ...]) -> float:
    """Of a colour as terminals write it, 0 to 1."""
    red, green, blue = (int(channel, 16) / ((1 << 4 * len(channel)) - 1) for channel in channels)
    return 0.299 * red + 0.587 * green + 0.114 * blue
