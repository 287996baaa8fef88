"""The standard streams of a command without a screen: closed ones, full disks, readers that have gone.

Used by every command that prints; what is said there has passed `tui.text.printable` or is JSON in ASCII.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys

from tui.errors import FileError


def stand_in() -> None:
    """Put the null device where a standard stream is closed: else a socket gets its number, and noise its bytes.

    What a stream's encoding does not have is replaced, in and out.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if mode == "r" else "backslashreplace")


def say(text: str, end: str = "\n") -> bool:
    """Write to stdout at once; ``False`` when nobody reads it any more. Raises `FileError` when that cannot be."""
    try:
        print(text, end=end, flush=True)  # noqa: T201
    except BrokenPipeError:
        _silence()
        return False
    except OSError as error:
        _silence()
        raise FileError(f"standard output cannot be written: {(error.strerror or str(error)).lower()}") from error
    return True


def tell(text: str) -> None:
    """Write to stderr at once; where that cannot be, there is nobody to tell."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def _silence() -> None:
    """What is left in the buffer must not fail again at exit."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
