"""What a client shows to be let in: tokens, and the codes of time-based one-time passwords.

Used by the adaptor, whose sessions sign each attempt anew, and by the configuration. No secret is in a representation.
Source: signalling reference, section 7; RFC 6238.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from tui.core.commands import Play, Publish
from tui.core.wire import load_object
from tui.errors import ConfigError
from tui.text import printable

DEFAULT_PERIOD = 60
"""Seconds that a code is good for, unless the server is set otherwise (``timeTokenPeriod``)."""

SHORTEST_PERIOD = 10
LONGEST_PERIOD = (1 << 31) - 1
"""What AMS lets a period be."""

_Command = TypeVar("_Command", bound=Publish | Play)


@dataclass(frozen=True, slots=True)
class Totp:
    """A subscriber's secret, from which the server computes the same six digits (HMAC-SHA1).

    ``secret`` is the subscriber's own, in base32. For a subscriber whom the server does not know (``registered`` is
    false) it is the application's secret as it is, and each stream and direction has a key of its own. Raises
    `ConfigError` for a secret or a period that no server can have.
    """

    secret: str = field(repr=False)
    period: int = DEFAULT_PERIOD
    registered: bool = True

    def __post_init__(self) -> None:
        if not SHORTEST_PERIOD <= self.period <= LONGEST_PERIOD:
            raise ConfigError(f"a TOTP period has {SHORTEST_PERIOD} to {LONGEST_PERIOD} s, not {self.period}")
        if not self.secret:
            raise ConfigError("the TOTP secret is empty")
        if self.registered:
            try:
                self._key("")
            except (binascii.Error, ValueError):
                raise ConfigError(
                    "the TOTP secret is not base32", "it has the letters A to Z and the digits 2 to 7 only"
                ) from None

    def code(self, subscriber_id: str, stream_id: str, kind: str, at: float | None = None) -> str:
        """The code of this moment; ``kind`` is ``publish`` or ``play``, ``at`` seconds since the epoch."""
        counter = int(time.time() if at is None else at) // self.period
        # RFC 4226, 5.3. Libraries refuse the short secrets and long periods that AMS allows.
        digest = hmac.digest(self._key(subscriber_id + stream_id + kind), counter.to_bytes(8, "big"), "sha1")
        offset = digest[-1] & 15
        number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
        return f"{number % 1_000_000:06}"

    def _key(self, purpose: str) -> bytes:
        if self.registered:
            return base64.b32decode(self.secret + "=" * (-len(self.secret) % 8), casefold=True)
        # The server fills the text up with X, and encodes and decodes it again as base32.
        text = (self.secret + purpose).encode(errors="replace")
        return text + b"X" * (-len(text) % 8)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Everything that `publish` and `play` may show: a token of any kind, a subscriber with a code or with a secret.

    A JWT, a one-time token and a hash all go in ``token``. With ``totp`` the code is computed at each attempt, which a
    fixed ``subscriber_code`` does not survive.
    """

    token: str = field(default="", repr=False)
    subscriber_id: str = ""
    subscriber_code: str = field(default="", repr=False)
    totp: Totp | None = None

    def sign(self, command: _Command) -> _Command:
        """The command with these credentials as of now."""
        return replace(
            command,
            token=self.token,
            subscriber_id=self.subscriber_id,
            subscriber_code=self._code(command) if self.subscriber_id else "",
        )

    def _code(self, command: Publish | Play) -> str:
        if self.totp is None:
            return self.subscriber_code
        # Whoever publishes into a room asks for admission to the room.
        if isinstance(command, Publish):
            return self.totp.code(self.subscriber_id, command.main_track or command.stream_id, "publish")
        return self.totp.code(self.subscriber_id, command.stream_id, "play")

    def fault(self, room: str, *, publishes: bool = True) -> tuple[str, str]:
        """What is wrong with the token for that room, as far as it says so itself, and what to do; may be empty.

        Only a JWT says anything. Its signature is not checked: that is the server's to do.
        """
        claims = _claims(self.token)
        return claims.fault(room, publishes) if claims is not None else ("", "")

    def refused(self, room: str, *, publishes: bool = True, used: bool = False) -> tuple[str, str]:
        """Why the server may have answered ``unauthorized_access``, and what to do; ``used``: it took them before."""
        if self.token:
            fault = self.fault(room, publishes=publishes)
            if any(fault):
                return fault
            if used and _claims(self.token) is None:
                return "the token was good for one entrance only", "get a new one, or a JWT, which lasts"
            return "the server refused the token", "give a token made for this room with --token-file"
        if self.totp is not None:
            return (
                "the subscriber's code was refused",
                "check the secret, its period, and the clock of this machine",
            )
        if self.subscriber_code:
            return (
                "the subscriber's code has expired" if used else "the subscriber's code was refused",
                "give the secret with --totp-secret-file, then a fresh code is made each time",
            )
        return "the server wants a token", "give a token made for this room with --token-file"


@dataclass(frozen=True, slots=True)
class _Claims:
    """What a JWT says about itself, believed without a check."""

    stream_id: str
    kind: str
    expires: float | None

    def fault(self, room: str, publishes: bool) -> tuple[str, str]:
        if self.expires is not None and self.expires <= time.time():
            return f"the token expired at {_moment(self.expires)}", "get a new one"
        if self.stream_id and room and self.stream_id != room:
            return (
                f"the token is for {printable(self.stream_id, 60)!r}, not for {printable(room, 60)!r}",
                "a conference wants a token made for the room's id",
            )
        if publishes and self.kind and self.kind != "publish":
            return f"the token is of type {printable(self.kind, 20)!r}", "a conference wants a token of type 'publish'"
        return "", ""


def _claims(token: str) -> _Claims | None:
    """The payload of a JWT; ``None`` for every other kind of token."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, payload = (load_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (binascii.Error, ValueError):
        return None
    if not isinstance(header.get("alg"), str):
        return None
    expires = payload.get("exp")
    return _Claims(
        stream_id=str(payload.get("streamId") or ""),
        kind=str(payload.get("type") or ""),
        expires=float(expires) if isinstance(expires, (int, float)) and not isinstance(expires, bool) else None,
    )


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "a time long ago"
