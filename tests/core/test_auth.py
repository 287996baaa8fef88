"""Tokens and codes: the digits of the RFC, the server's own rule for unknown subscribers, and what a JWT gives away."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pyotp
import pytest

from tui.core import auth
from tui.core.auth import Credentials, Totp
from tui.core.commands import Play, Publish
from tui.errors import ConfigError

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
PUBLISH = Publish(stream_id="alice", main_track="room1")
PLAY = Play(stream_id="room1", room="room1")


def jwt(**claims: Any) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return ".".join([part({"alg": "HS256", "typ": "JWT"}), part(claims), "signature"])


@pytest.mark.parametrize(
    ("at", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_the_codes_of_the_rfc(at: int, code: str) -> None:
    """RFC 6238, appendix B: its eight digits end in our six."""
    assert Totp(RFC_SECRET, period=30).code("anybody", "room1", "publish", at) == code


def test_a_code_lasts_for_its_period() -> None:
    for period in (10, 60, 600):
        totp = Totp(RFC_SECRET, period=period)
        begin = 1_700_000_000 // period * period
        codes = [totp.code("u", "room1", "play", begin + second) for second in range(2 * period)]
        assert len(set(codes[:period])) == len(set(codes[period:])) == 1
        assert codes[0] != codes[-1]


@pytest.mark.parametrize(
    ("secret", "filled"), [("secret", "secretsub1stream1publish"), ("secret123", "secret123sub1stream1publishXXXXX")]
)
def test_an_unknown_subscribers_key_is_the_applications_secret_and_what_it_is_for(secret: str, filled: str) -> None:
    """The server's own example (its test of ``getSecretCodeForNotRecordedSubscriberId``)."""
    expected = Totp(base64.b32encode(filled.encode()).decode()).code("", "", "", 1_700_000_000)
    totp = Totp(secret, registered=False)
    assert totp.code("sub1", "stream1", "publish", 1_700_000_000) == expected
    others = [("sub2", "stream1", "publish"), ("sub1", "stream2", "publish"), ("sub1", "stream1", "play")]
    assert expected not in {totp.code(*other, 1_700_000_000) for other in others}


def test_a_command_is_signed_with_what_there_is() -> None:
    assert Credentials("t").sign(PLAY).token == "t"
    signed = Credentials("t", "sub1", "123456").sign(PUBLISH)
    assert (signed.token, signed.subscriber_id, signed.subscriber_code) == ("t", "sub1", "123456")
    assert (signed.stream_id, signed.main_track) == ("alice", "room1")
    assert Credentials().sign(PUBLISH) == PUBLISH
    # The SDK sends no code without a subscriber.
    assert Credentials(subscriber_code="123456").sign(PLAY) == PLAY


def test_a_code_is_computed_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = Credentials(subscriber_id="sub1", totp=Totp(RFC_SECRET, period=30))
    for at, code in [(59, "287082"), (1111111109, "081804")]:
        monkeypatch.setattr(time, "time", lambda at=at: float(at))
        assert credentials.sign(PUBLISH).subscriber_code == code
        assert credentials.sign(PLAY).subscriber_code == code


def test_who_publishes_into_a_room_asks_for_the_room() -> None:
    totp = Totp("secret", registered=False)
    credentials = Credentials(subscriber_id="sub1", totp=totp)
    assert credentials.sign(PUBLISH).subscriber_code == totp.code("sub1", "room1", "publish")
    assert credentials.sign(Publish(stream_id="alice")).subscriber_code == totp.code("sub1", "alice", "publish")
    assert credentials.sign(PLAY).subscriber_code == totp.code("sub1", "room1", "play")


@pytest.mark.parametrize("secret", ["", "not base32!", "AB1", "ABC0"])
def test_a_secret_that_is_no_base32_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Totp(secret)
    assert not secret or secret not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("secret", [RFC_SECRET, RFC_SECRET.lower(), "mysecret", "ABCDE"])
def test_secrets_as_servers_make_them(secret: str) -> None:
    assert len(Totp(secret).code("u", "r", "play")) == 6


def test_another_implementation_agrees() -> None:
    for secret in (pyotp.random_base32() for _ in range(50)):
        assert Totp(secret).code("u", "r", "play", 1_700_000_000) == pyotp.TOTP(secret, interval=60).at(1_700_000_000)


@pytest.mark.parametrize("period", [0, -1, 9, 1 << 31])
def test_a_period_that_no_server_has(period: int) -> None:
    with pytest.raises(ConfigError, match="period"):
        Totp(RFC_SECRET, period=period)


def test_no_secret_in_a_representation() -> None:
    shown = repr(Credentials("canary1", "sub1", "canary2", Totp("canary3", registered=False)))
    assert "canary" not in shown
    assert "sub1" in shown


# -- what a token says about itself ------------------------------------------------------------------


def test_a_good_jwt_has_no_fault() -> None:
    for claims in ({}, {"exp": time.time() + 60}, {"streamId": "room1", "type": "publish", "exp": time.time() + 60.5}):
        assert Credentials(jwt(**claims)).fault("room1") == ("", "")
    assert Credentials(jwt(type="play", streamId="room1")).fault("room1", publishes=False) == ("", "")


def test_the_fault_of_a_jwt_is_named() -> None:
    text, hint = Credentials(jwt(exp=1_700_000_000)).fault("room1")
    assert text == "the token expired at 2023-11-14 22:13:20 UTC"
    assert hint
    assert "'room2', not for 'room1'" in Credentials(jwt(streamId="room2")).fault("room1")[0]
    assert "'play'" in Credentials(jwt(type="play")).fault("room1")[0]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "onetime",
        "a.b.c",
        "....",
        "\N{GRINNING FACE}.\N{GRINNING FACE}.x",
        f"{base64.b64encode(b'[]').decode()}.{base64.b64encode(b'[]').decode()}.x",
        "/w==.x.x",
    ],
)
def test_what_is_no_jwt_says_nothing(token: str) -> None:
    assert Credentials(token).fault("room1") == ("", "")


@pytest.mark.parametrize("value", [None, True, [], {}, "soon", -1e300, 1e300, 10**30, 0.5])
def test_odd_claims_do_no_harm(value: object) -> None:
    for key in ("exp", "streamId", "type"):
        text, hint = Credentials(jwt(**{key: value})).fault("room1")
        assert text.isprintable()
        assert bool(text) == bool(hint)


def test_claims_are_shown_harmless() -> None:
    text, _ = Credentials(jwt(streamId="\x1b[2J" + "x" * 9000)).fault("room1")
    assert text.isprintable() or "\ufffd" in text
    assert "\x1b" not in text
    assert len(text) < 200


def test_why_a_server_may_have_said_no() -> None:
    def reason(credentials: Credentials, *, used: bool = False) -> str:
        text, hint = credentials.refused("room1", used=used)
        assert text
        assert hint
        return text

    totp = Credentials(subscriber_id="sub1", totp=Totp(RFC_SECRET))
    assert "wants a token" in reason(Credentials())
    assert "refused the token" in reason(Credentials("onetime"))
    assert "one entrance" in reason(Credentials("onetime"), used=True)
    assert "expired" in reason(Credentials(jwt(exp=1)), used=True)
    assert "refused the token" in reason(Credentials(jwt(streamId="room1")), used=True)
    assert "code was refused" in reason(totp)
    assert "code was refused" in reason(Credentials("", "sub1", "123456"))
    assert "code has expired" in reason(Credentials("", "sub1", "123456"), used=True)


def test_the_default_period_is_the_servers() -> None:
    assert Totp(RFC_SECRET).period == auth.DEFAULT_PERIOD == 60
