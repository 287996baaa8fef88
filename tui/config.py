"""What a user asked for, where it came from, and what is remembered of it until the next time.

Used by the CLI, the join screen and the call. A value comes from the command line, else from the environment
(``ANTCONF_URL``, ``ANTCONF_ROOM``, ``ANTCONF_NAME``, ``ANTCONF_TOKEN``), else from the last time, else from here.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

import platformdirs

from tui.core.address import check_url
from tui.core.messages import ID_RULE, is_stream_id
from tui.errors import ConfigError, DeviceError, UsageError
from tui.text import printable

TOKEN_LIMIT = 64 << 10
"""Bytes of a token file that are read."""

_REMEMBERED = ("url", "room", "name")


def random_stream_id() -> str:
    """A stream id of the official example's kind: ``stream`` and random letters."""
    return f"stream{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """How to join one room. An empty ``url`` or ``room`` means: ask on the join screen."""

    url: str = ""
    room: str = ""
    name: str = ""
    stream_id: str = field(default_factory=random_stream_id)
    token: str = field(default="", repr=False)
    play_only: bool = False
    """Watch and listen, publish nothing."""
    audio: bool = True
    """Publish sound."""
    video: bool = True
    """Publish a picture."""
    camera: str = ""
    """Camera device, empty for the default one, ``test`` for a test picture."""
    microphone: str = ""
    """Microphone by name or index, empty for the default one."""
    source: str = ""
    """``test`` or a media file that replaces camera and microphone."""


def validate(options: JoinOptions) -> None:
    """Raises `UsageError` naming the field that cannot be used, `DeviceError` for a source that is not there."""
    check_url(options.url)
    for field_name, value in (("room", options.room), ("stream id", options.stream_id)):
        if not is_stream_id(value):
            raise UsageError(f"the {field_name} {printable(value, 60)!r} is not one that the server takes", ID_RULE)
    if len(options.name.encode(errors="replace")) > 256:
        raise UsageError("the name is longer than 256 bytes")
    if options.source and options.source != "test" and not Path(options.source).is_file():
        raise DeviceError(f"the source {printable(options.source)!r} is not a file", "name a media file, or 'test'")


def read_token(path: str) -> str:
    """The token in a file, without the white space around it. Raises `ConfigError`."""
    shown = printable(path)
    try:
        with open(path, encoding="utf-8", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"the token file {shown!r} is not a regular file")
            text = file.read(TOKEN_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"the token file {shown!r} cannot be read: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise ConfigError(f"the token file {shown!r} is not text") from error
    if len(text) > TOKEN_LIMIT:
        raise ConfigError(f"the token file {shown!r} is too large")
    if not text.strip():
        raise ConfigError(f"the token file {shown!r} is empty")
    return text.strip()


def _open_at_once(path: str, flags: int) -> int:
    """Without waiting for a writer, should the file be a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def state_directory() -> Path:
    """Where the log and what is remembered live."""
    return Path(platformdirs.user_state_dir("antconf", appauthor=False))


def with_environment(options: JoinOptions) -> JoinOptions:
    """The options with what was left open filled from ``ANTCONF_…`` variables."""
    return replace(
        options,
        url=options.url or os.environ.get("ANTCONF_URL", ""),
        room=options.room or os.environ.get("ANTCONF_ROOM", ""),
        name=options.name or os.environ.get("ANTCONF_NAME", ""),
        token=options.token or os.environ.get("ANTCONF_TOKEN", ""),
    )


def with_remembered(options: JoinOptions) -> JoinOptions:
    """The options with what is still open filled from the last time."""
    last = _recall()
    return replace(
        options,
        url=options.url or last.get("url", ""),
        room=options.room or last.get("room", ""),
        name=options.name or last.get("name", ""),
    )


def remember(options: JoinOptions) -> None:
    """Keep what the join screen shows next time; no secret is kept, and failing to keep it is no error."""
    path = state_directory() / "last.json"
    fresh = path.with_suffix(f".{os.getpid()}")
    text = json.dumps({key: getattr(options, key) for key in _REMEMBERED})
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def _recall() -> dict[str, str]:
    try:
        with open(state_directory() / "last.json", encoding="utf-8") as file:
            kept = json.loads(file.read(TOKEN_LIMIT))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(kept, dict):
        return {}
    return {key: value for key, value in kept.items() if key in _REMEMBERED and isinstance(value, str)}
