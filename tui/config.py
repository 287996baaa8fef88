"""What a user asked for, where it came from, and what is remembered of it until the next time.

Used by the CLI, the join screen and the call; `tui.settings` knows where each value comes from.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tui.core.address import EXAMPLE, check_url
from tui.core.auth import DEFAULT_PERIOD, Credentials, Totp
from tui.core.discovery import Endpoint
from tui.core.events import OnRequest
from tui.core.ice import is_ice_uri
from tui.core.wire import ID_RULE, is_stream_id
from tui.errors import ConfigError, DeviceError, UsageError
from tui.text import printable, redacted_text

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

TOKEN_LIMIT = 64 << 10
"""Bytes of a token file that are read."""

_REMEMBERED = ("url", "room", "name")

VARIABLES = {
    "url": "ANTCONF_URL",
    "room": "ANTCONF_ROOM",
    "name": "ANTCONF_NAME",
    "token": "ANTCONF_TOKEN",
    "subscriber_id": "ANTCONF_SUBSCRIBER_ID",
    "totp_secret": "ANTCONF_TOTP_SECRET",
    "endpoint_token": "ANTCONF_ENDPOINT_TOKEN",
    "ice_username": "ANTCONF_ICE_USERNAME",
    "ice_credential": "ANTCONF_ICE_CREDENTIAL",
    "theme": "ANTCONF_THEME",
}
"""The options that may come from the environment, by their names on the command line."""


_MADE_UP = re.compile(r"stream[0-9a-f]{8}")


def random_stream_id() -> str:
    """A stream id of the official example's kind: ``stream`` and random letters."""
    return f"stream{secrets.token_hex(4)}"


def is_made_up(stream_id: str) -> bool:
    """Whether `random_stream_id` may have made it: nobody wants to see it again."""
    return _MADE_UP.fullmatch(stream_id) is not None


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """How to join one room. An empty ``url`` or ``room`` means: ask on the join screen."""

    url: str = ""
    room: str = ""
    name: str = ""
    stream_id: str = field(default_factory=random_stream_id)
    token: str = field(default="", repr=False)
    """One-time token, JWT or hash."""
    subscriber_id: str = ""
    subscriber_code: str = field(default="", repr=False)
    """A code that somebody else computed; it is good for a minute or so."""
    totp_secret: str = field(default="", repr=False)
    """Where a fresh code comes from each time, see `Totp`."""
    totp_period: int = DEFAULT_PERIOD
    totp_registered: bool = True
    is_endpoint: bool = False
    """The ``url`` is an HTTP endpoint that names the server, as clusters have it."""
    endpoint_token: str = field(default="", repr=False)
    ice_servers: tuple[str, ...] = ()
    """``stun:``, ``turn:`` and ``turns:`` addresses; none means: those that the server names."""
    ice_username: str = ""
    ice_credential: str = field(default="", repr=False)
    on_request: OnRequest = OnRequest.ASK
    """What becomes of a moderator's request to mute and the like."""
    play_only: bool = False
    """Watch and listen, publish nothing."""
    audio: bool = True
    """Publish sound."""
    video: bool = True
    """Publish a picture."""
    camera: str = ""
    """Camera device, empty for the default one, ``screen``, a media file, ``test`` for a test picture or ``none``."""
    microphone: str = ""
    """Microphone by name or index, empty for the default one, ``test`` for a tone, ``silence`` for none."""
    speaker: str = ""
    """Sound output by name or index, empty for the default one, ``none`` for silence."""
    source: str = ""
    """``test`` or a media file that replaces camera and microphone, or ``screen``, which replaces the camera."""
    source_once: bool = False
    """Play that file once, not over and over."""
    video_size: tuple[int, int] | None = None
    """Pixels of the own picture at most; ``None``, as for the next two, is what suits the source."""
    video_fps: int | None = None
    """Of the own picture, 1 to 30."""
    video_bitrate: int | None = None
    """Of the own picture at most, in kbit/s, 50 to 4000."""
    audio_bitrate: int = 32
    """Of the own sound, in kbit/s, 6 to 128."""
    dtx: bool = False
    """Send nearly nothing while nobody speaks."""
    echo_cancellation: bool = True
    """Where the extra for it is installed."""
    low_latency: bool = False
    """Smaller buffers: less delay, and gaps on a busy machine."""
    require_audio: bool = False
    """Without a sound output, do not join."""
    record_audio: str = ""
    """A new WAV or Ogg file for everything that is said."""

    @property
    def server(self) -> str | Endpoint:
        """Where to connect. Raises `UsageError`."""
        return Endpoint(self.url, self.endpoint_token) if self.is_endpoint else check_url(self.url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may be written nowhere."""
        return self.token, self.subscriber_code, self.totp_secret, self.endpoint_token, self.ice_credential

    @property
    def credentials(self) -> Credentials:
        """What to show there. Raises `ConfigError`."""
        totp = Totp(self.totp_secret, self.totp_period, self.totp_registered) if self.totp_secret else None
        return Credentials(self.token, self.subscriber_id, self.subscriber_code, totp)


def validate(options: JoinOptions) -> None:
    """Raises an error that names the field: `UsageError`, `ConfigError` for a secret, `DeviceError` for a source."""
    if not options.url:
        raise UsageError("the server is missing", EXAMPLE, field="url")
    try:
        _ = options.server
    except UsageError as error:
        error.field = "url"
        raise
    _ = options.credentials
    if (options.subscriber_code or options.totp_secret) and not options.subscriber_id:
        raise UsageError("a subscriber's code or secret needs the subscriber's id", "give it with --subscriber-id")
    for uri in options.ice_servers:
        if not is_ice_uri(uri):
            raise UsageError(
                f"the ICE server {printable(uri, 80)!r} cannot be used", "example: turn:host:3478?transport=udp"
            )
    if not options.room:
        raise UsageError("the room is missing", ID_RULE, field="room")
    for option, value in (("room", options.room), ("stream_id", options.stream_id)):
        if not is_stream_id(value):
            what = f"the {option.replace('_', ' ')} {printable(value, 60)!r}"
            raise UsageError(f"{what} is not one that the server takes", ID_RULE, field=option)
    if options.room == options.stream_id and not options.play_only:
        hint = "give the stream another id with --stream-id"
        raise UsageError("the stream id and the room are the same", hint, field="stream_id")
    if len(options.name.encode(errors="replace")) > 256:
        raise UsageError("the name is longer than 256 bytes", field="name")
    if options.name != options.name.encode(errors="ignore").decode():
        raise UsageError(
            f"the name {printable(options.name, 60)!r} is not UTF-8", "look at the terminal's encoding", field="name"
        )
    is_file = options.source != "test" and screen_of(options.source) is None
    if options.source_once and not (options.source and is_file):
        raise UsageError("--once is for a media file", "name one with --source")
    if options.source and is_file and not Path(options.source).is_file():
        raise DeviceError(
            f"the source {printable(options.source)!r} is not a file", "name a media file, 'screen' or 'test'"
        )


def screen_of(source: str) -> str | None:
    """The screen that ``screen`` or ``screen:NAME`` names, empty for the default one; ``None`` for another source."""
    kind, _, name = source.partition(":")
    return name if kind == "screen" else None


def read_token(path: str) -> str:
    """The token in a file, without the white space around it. Raises `ConfigError`."""
    text = read_private(path, "token file", TOKEN_LIMIT).strip()
    if not text:
        raise ConfigError(f"the token file {printable(path)!r} is empty")
    if not text.isprintable():
        raise ConfigError(f"the token file {printable(path)!r} holds more than one line, or no text")
    return text


def read_private(path: str, what: str, limit: int) -> str:
    """What is in a file of at most ``limit`` bytes. Raises `ConfigError` that calls it ``what``."""
    shown = printable(path)
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"the {what} {shown!r} is not a regular file")
            content = file.read(limit + 1)
    except OSError as error:
        raise ConfigError(f"the {what} {shown!r} cannot be read: {(error.strerror or '').lower()}") from error
    except ValueError as error:
        raise ConfigError(f"the {what} {shown!r} cannot be: its name is not one of a file") from error
    if len(content) > limit:
        raise ConfigError(f"the {what} {shown!r} is too large")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"the {what} {shown!r} is not text: byte {error.start} is not UTF-8") from error


def is_exposed(path: str) -> bool:
    """Whether others on this machine may read that file."""
    try:
        return os.stat(path).st_mode & 0o077 != 0
    except (OSError, ValueError):
        return False


def _open_at_once(path: str, flags: int) -> int:
    """Without waiting for a writer, should the file be a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def state_directory() -> Path:
    """Where the log and what is remembered live."""
    return Path(platformdirs.user_state_dir("antconf", appauthor=False))


def remembered() -> dict[str, str]:
    """What the last time was: url, room and name, as far as they are known."""
    return {key: value for key, value in kept("last.json", _REMEMBERED).items() if value}


def remember(options: JoinOptions) -> None:
    """Keep what the join screen shows next time; no secret is kept, and failing to keep it is no error."""
    values = {"url": bare(options.url), "room": options.room, "name": options.name}
    if options.is_endpoint:
        del values["url"]
    keep("last.json", values)


def bare(url: str) -> str:
    """The URL without its parameters when one of them looks like a secret."""
    return url if redacted_text(url) == url else url.partition("?")[0]


def keep(name: str, values: Mapping[str, str] | Sequence[Mapping[str, str]]) -> None:
    """Write a small private file into the state directory, whole or not at all; failing to is no error."""
    path = state_directory() / name
    fresh = path.with_suffix(f".{os.getpid()}")
    text = json.dumps(values)
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def kept(name: str, keys: Collection[str]) -> dict[str, str]:
    """What `keep` wrote under these keys; nothing of a file that is missing or broken."""
    return _texts(_kept(name), keys)


def kept_rows(name: str, keys: Collection[str]) -> list[dict[str, str]]:
    """The same of a file with several rows."""
    rows = _kept(name)
    return [_texts(row, keys) for row in rows] if isinstance(rows, list) else []


def _kept(name: str) -> object:
    try:
        return json.loads(read_private(str(state_directory() / name), "memory", TOKEN_LIMIT))
    except (ConfigError, ValueError, RecursionError):
        return None


def _texts(values: object, keys: Collection[str]) -> dict[str, str]:
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if key in keys and isinstance(value, str)}
