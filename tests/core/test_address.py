"""Which server addresses are taken, and what follows from one."""

from __future__ import annotations

import pytest

from tui.core.address import check_url, is_loopback, with_target
from tui.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "ws://localhost:5080/live/websocket",
        "wss://example.org/WebRTCAppEE/websocket",
        "wss://example.org:5443/live/websocket?target=edge",
        "ws://[::1]:5080/live/websocket",
        "ws://127.0.0.1:65535/live/websocket",
        "wss://xn--bcher-kva.example/live/websocket",
        "WSS://EXAMPLE.org/live/websocket",
    ],
)
def test_good_urls_stay_as_they_are(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("", "must begin with ws:// or wss://"),
        ("localhost:5080/live/websocket", "must begin with ws:// or wss://"),
        ("//localhost/live/websocket", "must begin with ws:// or wss://"),
        ("http://localhost:5080/live/websocket", "must begin with ws:// or wss://"),
        ("ftp://localhost/", "must begin with ws:// or wss://"),
        ("ws://", "names no host"),
        ("ws:///live/websocket", "names no host"),
        ("ws://:5080/live/websocket", "names no host"),
        ("ws://local host/", "contains blanks"),
        ("ws://localhost/\n", "contains blanks"),
        ("ws://localhost/\x1b[2J", "blanks"),
        ("ws://localhost/\x7f", "blanks"),
        ("ws://localhost/\x9b31m", "blanks"),
        ("ws://localhost:0/", "port 0"),
        ("ws://localhost:99999/", "malformed"),
        ("ws://localhost:-1/", "malformed"),
        ("ws://localhost:x/", "malformed"),
        ("ws://[::1/", "malformed"),
        ("ws://[x]/", "malformed"),
        ("ws://localhost/\u202e", "blanks"),
        ("ws://alice@localhost/", "user name or password"),
        ("ws://alice:hunter2@localhost/", "user name or password"),
        ("ws://:hunter2@localhost/", "user name or password"),
        ("alice:hunter2@localhost/", "user name or password"),
        ("http://alice:hunter2@localhost?x", "user name or password"),
        ("ws://localhost/" + "x" * 10_000, "too long"),
        ("ws://localhost/\udcff", "not UTF-8"),
        ("ws://%00/", "the host '%00'"),
        ("ws://a..b/", "the host 'a..b'"),
        ("ws://" + "x" * 64 + ".org/", "the host"),
        ("ws://" + "x." * 127 + "org/", "the host"),
    ],
)
def test_bad_urls_are_refused_by_their_fault(url: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_url(url)
    message = str(caught.value)
    assert named in message
    assert message.isprintable() or "\ufffd" in message
    assert len(message) < 300
    assert "hunter2" not in message + caught.value.hint


@pytest.mark.parametrize("place", ["localhost:99999/", "localhost:x", ":0/", "[::1", "localhost#", "localhost?x"])
@pytest.mark.parametrize("scheme", ["ws://", "http://", ""])
def test_a_password_in_a_url_is_never_repeated(scheme: str, place: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_url(f"{scheme}alice:hunter2@{place}")
    assert "hunter2" not in str(caught.value)


def test_an_at_sign_elsewhere_is_no_password() -> None:
    assert check_url("ws://localhost/a@b?c=d@e")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("[::1]", True),
        ("192.168.1.2", False),
        ("0.0.0.0", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("example.org", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(f"ws://{host}:5080/live/websocket") is local


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ws://h/a", "ws://h/a?target=origin"),
        ("ws://h:1/a/websocket?", "ws://h:1/a/websocket?target=origin"),
        ("ws://h/a?x=1&y=&x=2", "ws://h/a?x=1&y=&x=2&target=origin"),
        ("ws://h/a?target=edge", "ws://h/a?target=edge"),
        ("ws://h/a?target=origin&x=1", "ws://h/a?target=origin&x=1"),
        ("ws://h/a?target=elsewhere", "ws://h/a?target=origin"),
    ],
)
def test_the_cluster_hint_is_added_unless_it_is_there(url: str, expected: str) -> None:
    assert with_target(url, "origin") == expected
