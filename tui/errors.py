"""Every failure a user can meet, and the exit code it ends in.

::

    AntconfError                 1
    ├── UsageError               2   a wrong argument, or no usable terminal
    ├── ConfigError              3   a configuration or credentials file
    ├── UnreachableError         4   network, TLS or protocol fault at the first connect
    │   └── WireError            4   bytes that are not the signalling protocol
    ├── RefusedError             5   the server said no: token, room, stream id
    ├── LostError                6   the connection is gone for good
    ├── DeviceError              7   a microphone, camera or source that cannot be opened
    └── FileError                8   a file that cannot be read or written

The text of an error is one line that names the thing; ``hint`` says what to do about it.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns; the README documents the same table."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    CONFIG = 3
    UNREACHABLE = 4
    REFUSED = 5
    LOST = 6
    DEVICE = 7
    FILE = 8
    SIGHUP = 129
    SIGINT = 130
    SIGQUIT = 131
    SIGTERM = 143


class AntconfError(Exception):
    """Root of the tree. ``str(error)`` is one line for people, ``hint`` the next step (may be empty).

    ``field`` names the option of `tui.config.JoinOptions` that is wrong, empty when it is none or several.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, hint: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.field = field


class UsageError(AntconfError):
    """An argument that cannot be used, or a terminal that cannot show the program."""

    exit_code = ExitCode.USAGE


class ConfigError(AntconfError):
    """A configuration or credentials file that cannot be used."""

    exit_code = ExitCode.CONFIG


class UnreachableError(AntconfError):
    """The server cannot be reached, or what answers is not a signalling server.

    ``retry_after`` is how many seconds it asked to be left alone.
    """

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, message: str, hint: str = "", *, retry_after: float = 0.0) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class WireError(UnreachableError):
    """A message that breaks the signalling protocol or its limits."""


class RefusedError(AntconfError):
    """The server answered with a refusal, named by its own ``definition``."""

    exit_code = ExitCode.REFUSED


class LostError(AntconfError):
    """The connection was lost and retrying has ended."""

    exit_code = ExitCode.LOST


class DeviceError(AntconfError):
    """A microphone, camera, file or other source that cannot be opened."""

    exit_code = ExitCode.DEVICE


class FileError(AntconfError):
    """A file that cannot be read or written."""

    exit_code = ExitCode.FILE
