"""Who is let in, without a socket: every kind of token, and the codes of subscribers."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import Any

import jwt
import pyotp
import pytest

from tui.core.commands import Play, Publish
from tui.errors import ConfigError
from tui.server.access import (
    CODE_ATTEMPTS,
    Access,
    Purpose,
    Secrets,
    Subscriber,
    hash_token,
    id_refusal,
)

KEY = "a key of HS256 has 32 bytes or more, and one of HS512 at least 64 of them"
ALICE, BOB = object(), object()


def publishes(access: Access, client: object = ALICE, room: str = "room1", **shown: Any) -> str | None:
    command = Publish(stream_id="alice", main_track=room, **shown)
    return access.refusal(client, command, Purpose.PUBLISH)


def plays(access: Access, client: object = ALICE, stream_id: str = "room1", **shown: Any) -> str | None:
    return access.refusal(client, Play(stream_id=stream_id, **shown), Purpose.PLAY)


def signed(key: str = KEY, **claims: Any) -> str:
    return jwt.encode({"streamId": "room1", "type": "publish", "exp": time.time() + 60, **claims}, key, "HS256")


def code(secret: str, subscriber_id: str, stream_id: str, purpose: str) -> str:
    """As AMS computes it for a subscriber that nobody registered."""
    text = secret + subscriber_id + stream_id + purpose
    text += "X" * (-len(text) % 8)
    return pyotp.TOTP(base64.b32encode(text.encode()).decode(), interval=60).now()


def test_without_a_secret_everybody_is_let_in() -> None:
    access = Access(Secrets())
    assert not access.guarded
    assert publishes(access) is None
    assert plays(access, token="anything") is None


@pytest.mark.parametrize("token", ["", "x", "secret ", "é", "s" * 100_000])
def test_a_shared_token_is_the_only_one(token: str) -> None:
    access = Access(Secrets(token="secret"))
    assert publishes(access, token=token) == plays(access, token=token) == "unauthorized_access"
    assert publishes(access, token="secret") is None
    assert plays(access, BOB, "elsewhere", token="secret") is None


def test_a_one_time_token_belongs_to_the_first_client_that_shows_it() -> None:
    access = Access(Secrets(one_time=True))
    token = access.make_token("room1")
    assert publishes(access, room="room2", token=token) == "unauthorized_access"
    assert publishes(access, token=token) is None
    assert plays(access, token=token) is None
    assert plays(access, BOB, token=token) == "unauthorized_access"
    access.forget(ALICE)
    assert publishes(access, token=token) == "unauthorized_access"


def test_a_token_for_playing_does_not_publish_and_ends() -> None:
    access = Access(Secrets(one_time=True))
    token = access.make_token("room1", Purpose.PLAY)
    assert publishes(access, token=token) == "unauthorized_access"
    assert plays(access, token=token) is None
    assert plays(access, token=access.make_token("room1", seconds=0)) == "unauthorized_access"


def test_a_token_for_the_participant_does_not_admit_to_the_room() -> None:
    access = Access(Secrets(one_time=True, jwt=KEY))
    assert publishes(access, token=access.make_token("alice")) == "unauthorized_access"
    assert publishes(access, token=signed(streamId="alice")) == "unauthorized_access"
    assert publishes(access, room="", token=access.make_token("alice")) is None


@pytest.mark.parametrize(
    "token",
    [
        signed(streamId="room2"),
        signed(type="play"),
        signed(type=["publish"]),
        signed(streamId=None),
        signed(exp=1),
        signed(key=KEY + "x"),
        jwt.encode({"streamId": "room1", "type": "publish"}, key="", algorithm="none"),
        jwt.encode({"streamId": "room1", "type": "publish"}, KEY, algorithm="HS512"),
        "a.b.c",
        "..",
        "\ud800.\ud800.\ud800",
    ],
    ids=[
        "other room",
        "for playing",
        "a list of types",
        "no room",
        "expired",
        "other key",
        "unsigned",
        "other algorithm",
        "not JSON",
        "empty",
        "not Unicode",
    ],
)
def test_a_jwt_that_does_not_fit_is_refused(token: str) -> None:
    assert publishes(Access(Secrets(jwt=KEY)), token=token) == "unauthorized_access"


def test_a_jwt_admits_to_what_it_names() -> None:
    access = Access(Secrets(jwt=KEY))
    for token in (signed(), jwt.encode({"streamId": "room1", "type": "publish"}, KEY, "HS256")):
        assert publishes(access, token=token) is None
        assert plays(access, token=token) is None
    assert plays(access, token=signed(type="play")) is None
    with pytest.raises(ConfigError, match="shorter than 32 bytes"):
        Secrets(jwt="short")


def test_a_hash_token_admits_to_what_it_names() -> None:
    access = Access(Secrets(hash="salt"))
    assert hash_token("room1", Purpose.PUBLISH, "salt") == hashlib.sha256(b"room1publishsalt").hexdigest()
    assert publishes(access, token=hash_token("room1", Purpose.PUBLISH, "salt")) is None
    assert plays(access, token=hash_token("room1", Purpose.PUBLISH, "salt")) is None
    assert plays(access, token=hash_token("room1", Purpose.PLAY, "salt")) is None
    assert publishes(access, token=hash_token("room1", Purpose.PLAY, "salt")) == "unauthorized_access"
    assert publishes(access, token=hash_token("room2", Purpose.PUBLISH, "salt")) == "unauthorized_access"


def test_a_subscriber_that_nobody_registered_has_a_key_of_its_own() -> None:
    access = Access(Secrets(totp="secret"))
    shown = {"subscriber_id": "sub1", "subscriber_code": code("secret", "sub1", "room1", "publish")}
    assert publishes(access, **shown) is None
    assert plays(access, **shown) is None
    assert plays(access, subscriber_id="sub1", subscriber_code=code("secret", "sub1", "room1", "play")) is None
    for wrong in ("", "000000x", "é", "\ud800", "1" * 10_000, code("other", "sub1", "room1", "publish")):
        assert publishes(access, subscriber_id="sub1", subscriber_code=wrong) == "unauthorized_access"
    assert publishes(access, subscriber_code=shown["subscriber_code"]) == "unauthorized_access"
    for other in ("sub2", "\ud800"):
        assert publishes(access, subscriber_id=other, subscriber_code=shown["subscriber_code"]) == "unauthorized_access"


def test_codes_cannot_be_tried_without_end() -> None:
    access = Access(Secrets(totp="secret", token="shared"))
    right = code("secret", "sub1", "room1", "publish")
    for _ in range(CODE_ATTEMPTS):
        assert publishes(access, subscriber_id="sub1", subscriber_code="x") == "unauthorized_access"
    assert publishes(access, subscriber_id="sub1", subscriber_code=right) == "unauthorized_access"
    assert publishes(access, token="shared") is None
    other = code("secret", "sub2", "room1", "publish")
    assert publishes(access, subscriber_id="sub2", subscriber_code=other) is None


def test_a_registered_subscriber_has_its_own_secret_and_can_be_blocked() -> None:
    access = Access(Secrets())
    secret = pyotp.random_base32()
    access.register(Subscriber(subscriber_id="sub1", stream_id="room1", secret=secret, period=30))
    now = pyotp.TOTP(secret, interval=30).now()
    assert access.guarded
    assert publishes(access, subscriber_id="sub1", subscriber_code=now) is None
    assert plays(access, subscriber_id="sub1", subscriber_code=now) is None
    assert publishes(access, room="room2", subscriber_id="sub1", subscriber_code=now) == "unauthorized_access"
    access.block("room1", "sub1", 60)
    assert publishes(access, subscriber_id="sub1", subscriber_code=now) == "user_blocked"
    access.block("room1", "sub1", 0)
    assert publishes(access, subscriber_id="sub1", subscriber_code=now) is None


def test_a_subscriber_registered_for_playing_does_not_publish() -> None:
    access = Access(Secrets(totp="secret"))
    secret = pyotp.random_base32()
    access.register(Subscriber(subscriber_id="sub1", stream_id="room1", secret=secret, purpose=Purpose.PLAY))
    now = pyotp.TOTP(secret, interval=60).now()
    assert plays(access, subscriber_id="sub1", subscriber_code=now) is None
    assert publishes(access, subscriber_id="sub1", subscriber_code=now) == "unauthorized_access"
    # Its own secret counts, not the one for strangers.
    derived = code("secret", "sub1", "room1", "publish")
    assert publishes(access, subscriber_id="sub1", subscriber_code=derived) == "unauthorized_access"


def test_no_secret_is_in_a_representation() -> None:
    shown = repr(Secrets(token="canary", jwt="canary" * 6, hash="canary", totp="canary"))
    assert "canary" not in shown + repr(Subscriber(subscriber_id="a", stream_id="b", secret="canary"))


def test_ids() -> None:
    assert id_refusal("") == "noStreamNameSpecified"
    assert id_refusal("a b") == "invalidStreamName"
    assert id_refusal("room-1._") is None
