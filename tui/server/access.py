"""Who is let in: tokens, JWTs, hashes and one-time passwords, as AMS asks for them (signalling reference, section 7).

Used by the application at every publish and play. Without a secret everybody is let in; with several, any one of
them will do. Publishing into a room asks for admission to the room, not to the participant's own id, and a token
for publishing also admits to playing.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jwt

from tui.core.auth import DEFAULT_PERIOD, Totp
from tui.core.wire import is_stream_id
from tui.errors import ConfigError

if TYPE_CHECKING:
    from tui.core.commands import Play, Publish

JWT_KEY_BYTES = 32
"""The shortest key of HS256 (RFC 7518, 3.2)."""

CODE_ATTEMPTS = 20
"""Codes of one subscriber that are looked at in one period: six digits are soon guessed by trying."""

SUBSCRIBER_LIMIT = 10_000
"""Subscribers whose codes are looked at in one period."""

NAME_LIMIT = 256
"""Characters of a subscriber's id that tell it from others."""

TOKEN_LIMIT = 8 << 10
"""Characters of a token that is looked at."""


class Purpose(enum.StrEnum):
    """What a token is for, by AMS's word."""

    PUBLISH = "publish"
    PLAY = "play"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What admits; an empty one is switched off. Raises `ConfigError` for a JWT secret that is too short."""

    token: str = field(default="", repr=False)
    """A shared token that admits to every room."""
    one_time: bool = False
    """Tokens that `Access.make_token` makes, each for one client (``tokenControlEnabled``)."""
    jwt: str = field(default="", repr=False)
    """The key of HS256 tokens with the claims ``streamId``, ``type`` and ``exp`` (``jwtStreamSecretKey``)."""
    hash: str = field(default="", repr=False)
    """The secret of SHA-256 tokens (``tokenHashSecret``)."""
    totp: str = field(default="", repr=False)
    """The secret of subscribers that nobody registered (``timeTokenSecretForPublish``)."""

    def __post_init__(self) -> None:
        if self.jwt and len(self.jwt.encode()) < JWT_KEY_BYTES:
            raise ConfigError(f"the JWT secret is shorter than {JWT_KEY_BYTES} bytes", "make a longer one")

    @property
    def any(self) -> bool:
        """Whether anything is asked for at all."""
        return bool(self.token or self.one_time or self.jwt or self.hash or self.totp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """Somebody with a secret of their own, in base32, for one stream or room."""

    subscriber_id: str
    stream_id: str
    secret: str = field(repr=False)
    purpose: Purpose = Purpose.PUBLISH
    period: int = DEFAULT_PERIOD


@dataclass(slots=True)
class _Token:
    stream_id: str
    purpose: Purpose
    expires: float
    owner: object = None


class Access:
    """The gate of one application; `refusal` is asked at every publish and play."""

    def __init__(self, kept: Secrets) -> None:
        self._secrets = kept
        self._tokens: dict[str, _Token] = {}
        self._subscribers: dict[tuple[str, str], Subscriber] = {}
        self._blocked: dict[tuple[str, str], float] = {}
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._attempts_since = time.monotonic()

    @property
    def guarded(self) -> bool:
        """Whether anything is asked for at all."""
        return self._secrets.any or bool(self._subscribers)

    # -- what AMS does by REST (section 1.6) --

    def make_token(self, stream_id: str, purpose: Purpose = Purpose.PUBLISH, seconds: float = 3600) -> str:
        """A new one-time token; the first client that shows it keeps it as long as it is connected."""
        now = time.monotonic()
        self._tokens = {text: token for text, token in self._tokens.items() if token.expires > now}
        text = secrets.token_hex(16)
        self._tokens[text] = _Token(stream_id, purpose, now + seconds)
        return text

    def register(self, subscriber: Subscriber) -> None:
        """From now on this subscriber is known by its own secret."""
        self._subscribers[subscriber.stream_id, subscriber.subscriber_id] = subscriber

    def block(self, stream_id: str, subscriber_id: str, seconds: float) -> None:
        """Refuse this subscriber for so long; 0 seconds unblocks."""
        self._blocked[stream_id, subscriber_id] = time.monotonic() + seconds

    # -- for the application --

    def refusal(self, client: object, command: Publish | Play, purpose: Purpose) -> str | None:
        """The error that answers this command, or ``None`` to let it in."""
        room = getattr(command, "main_track", "") or command.stream_id
        if self._blocked.get((room, command.subscriber_id), 0.0) > time.monotonic():
            return "user_blocked"
        if not self.guarded:
            return None
        token = command.token[:TOKEN_LIMIT]
        # A token for publishing admits to both.
        purposes = {Purpose.PUBLISH, purpose}
        admitted = (
            (token and self._admits_token(client, token, room, purposes))
            or (command.subscriber_id and self._admits_code(command, room, purposes))
        )  # fmt: skip
        return None if admitted else "unauthorized_access"

    def forget(self, client: object) -> None:
        """The client is gone, and with it the tokens that it used up."""
        self._tokens = {text: token for text, token in self._tokens.items() if token.owner is not client}

    def _admits_token(self, client: object, text: str, room: str, purposes: set[Purpose]) -> bool:
        kept = self._secrets
        return (
            (bool(kept.token) and _same(text, kept.token))
            or (kept.one_time and self._takes(client, text, room, purposes))
            or (bool(kept.jwt) and _is_signed(text, kept.jwt, room, purposes))
            or (bool(kept.hash) and any(_same(text, hash_token(room, purpose, kept.hash)) for purpose in purposes))
        )

    def _takes(self, client: object, text: str, room: str, purposes: set[Purpose]) -> bool:
        token = self._tokens.get(text)
        if (
            token is None
            or token.stream_id != room
            or token.purpose not in purposes
            or token.expires <= time.monotonic()
        ):
            return False
        # One token serves the publish and the play of one client, but no other client.
        if token.owner is None:
            token.owner = client
        return token.owner is client

    def _admits_code(self, command: Publish | Play, room: str, purposes: set[Purpose]) -> bool:
        if not self._may_try(room, command.subscriber_id):
            return False
        known = self._subscribers.get((room, command.subscriber_id))
        if known is not None:
            return known.purpose in purposes and _is_code(
                command, Totp(known.secret, known.period), room, known.purpose
            )
        if not self._secrets.totp:
            return False
        totp = Totp(self._secrets.totp, registered=False)
        return any(_is_code(command, totp, room, purpose) for purpose in purposes)

    def _may_try(self, room: str, subscriber_id: str) -> bool:
        now = time.monotonic()
        if now - self._attempts_since >= DEFAULT_PERIOD:
            self._attempts.clear()
            self._attempts_since = now
        who = (room, subscriber_id[:NAME_LIMIT])
        if who not in self._attempts and len(self._attempts) >= SUBSCRIBER_LIMIT:
            return False
        self._attempts[who] += 1
        return self._attempts[who] <= CODE_ATTEMPTS


def id_refusal(stream_id: str) -> str | None:
    """The error that answers this id of a stream or room, or ``None`` when it can be one."""
    if not stream_id:
        return "noStreamNameSpecified"
    return None if is_stream_id(stream_id) else "invalidStreamName"


def hash_token(stream_id: str, purpose: Purpose, secret: str) -> str:
    """The hash token of that stream."""
    return hashlib.sha256(f"{stream_id}{purpose}{secret}".encode()).hexdigest()


def _is_signed(text: str, secret: str, room: str, purposes: set[Purpose]) -> bool:
    try:
        claims = jwt.decode(text, secret, algorithms=["HS256"])
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        return False
    return claims.get("streamId") == room and any(claims.get("type") == purpose for purpose in purposes)


def _is_code(command: Publish | Play, totp: Totp, room: str, purpose: Purpose) -> bool:
    # A code of the period before or after is good too: clocks differ.
    moments = (time.time() + drift for drift in (0, -totp.period, totp.period))
    return any(_same(command.subscriber_code, totp.code(command.subscriber_id, room, purpose, at)) for at in moments)


def _same(given: str, kept: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), kept.encode(errors="replace"))
