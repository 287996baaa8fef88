"""The program's own log: one bounded private file, without secrets and without what would harm a terminal.

Used by the command line around everything that has a screen, by `tui.terminal` for what native libraries say on
descriptor 2, and by the doctor, which says where it is.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import json
import logging
import logging.handlers
import os
import signal
import stat
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from tui.config import state_directory
from tui.text import printable, redacted_text

if TYPE_CHECKING:
    import io
    from collections.abc import Iterable
    from pathlib import Path

FILE_BYTES: Final = 5 << 20
FILES: Final = 3
LINE_LIMIT: Final = 2000

_SHORTEST: Final = 4
"""Characters of a secret that is looked for by itself: a shorter one would blank out half the log."""
_END: Final = 1.0
"""Seconds that the end waits for what native libraries have said; a process left behind may keep the pipe open."""

_noise = logging.getLogger("native")


def log_file() -> Path:
    """Where the log is; older ones lie beside it as ``.1`` and ``.2``."""
    return state_directory() / "antconf.log"


class Logbook:
    """``with Logbook(log_file()) as log``: the root logger writes there; a file that cannot be written is no error.

    What is written to the descriptor ``noise`` is logged line by line. Writing to it never waits: what comes faster
    than it is logged is lost.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.noise = -1
        self._cleaned = _Cleaned("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._handler: logging.Handler = logging.NullHandler()
        self._reader: threading.Thread | None = None
        self._faults = -1

    def hide(self, secrets: Iterable[str]) -> None:
        """Never write these, however they are quoted."""
        self._cleaned.hide(secrets)

    @property
    def is_written(self) -> bool:
        """Whether there is a file, which is so from the beginning or never."""
        return isinstance(self._handler, _Rotating)

    def __enter__(self) -> Self:
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._handler = _Rotating(self.path)
            # For when native code dies: then nobody is left to read the pipe.
            if not faulthandler.is_enabled():
                self._faults = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
                faulthandler.enable(self._faults)
        self._handler.setFormatter(self._cleaned)
        logging.getLogger().addHandler(self._handler)
        logging.getLogger().setLevel(logging.WARNING)
        source, self.noise = os.pipe()
        os.set_blocking(self.noise, False)
        self._reader = threading.Thread(target=_read, args=(source,), name="noise", daemon=True)
        self._reader.start()
        return self

    def keep(self, defect: BaseException) -> None:
        """Write its traceback here and nowhere else."""
        cause = (type(defect), defect, defect.__traceback__)
        self._handler.handle(_noise.makeRecord("antconf", logging.CRITICAL, "", 0, "internal error", (), cause))

    def stacks(self) -> ExitStack:
        """Until this is closed, SIGUSR1 and SIGQUIT note where every thread is, whatever the process hangs in.

        SIGUSR1 does nothing else; SIGQUIT then does what it did before.
        """
        noting = ExitStack()
        if self._faults >= 0:
            for number in (signal.SIGUSR1, signal.SIGQUIT):
                faulthandler.register(number, self._faults, chain=number is signal.SIGQUIT)
                noting.callback(faulthandler.unregister, number)
        return noting

    def __exit__(self, *_: object) -> None:
        os.close(self.noise)
        if self._reader is not None:
            self._reader.join(_END)
        logging.getLogger().removeHandler(self._handler)
        with contextlib.suppress(OSError):  # a full disk, still
            self._handler.close()
        if self._faults >= 0:
            faulthandler.disable()
            os.close(self._faults)


def _read(source: int) -> None:
    with open(source, encoding="utf-8", errors="replace", newline=None) as lines:
        while line := lines.readline(LINE_LIMIT):
            if line.strip():
                _noise.warning("%s", line.rstrip("\n"))


class _Rotating(logging.handlers.RotatingFileHandler):
    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8", errors="replace")

    def _open(self) -> io.TextIOWrapper:
        """For the user alone from the first byte on, and an older file too."""
        # A pipe in the place of the log is not waited for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self.baseFilename, flags, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileExistsError(errno.EEXIST, "not a regular file", self.baseFilename)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A full disk loses the line; the complaint would go to descriptor 2, which is read into this log."""


class _Cleaned(logging.Formatter):
    def __init__(self, layout: str) -> None:
        super().__init__(layout)
        self._hidden: list[str] = []

    def hide(self, secrets: Iterable[str]) -> None:
        forms = {
            form
            for secret in secrets
            if len(secret) >= _SHORTEST
            for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])
        }
        # The longest first: one may be in the other.
        self._hidden = sorted(forms.union(self._hidden), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return "\n".join(printable(line, LINE_LIMIT) for line in redacted_text(text).split("\n"))
