"""Remote text made safe: nothing that steers a terminal gets through, and no secret."""

from __future__ import annotations

import json
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest

from tui.text import compact, printable, redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

SPACES = {"\t", "\n", "\r", "\u2028", "\u2029"}
JOINERS = {"\u200c", "\u200d"}
"""Indic scripts and emoji need them; they have no effect on the terminal's state."""


CATEGORIES: dict[str, list[str]] = {}
for code in range(sys.maxunicode + 1):
    CATEGORIES.setdefault(unicodedata.category(chr(code)), []).append(chr(code))


@pytest.mark.parametrize("category", sorted(CATEGORIES))
def test_no_character_that_steers_gets_through(category: str) -> None:
    """Every code point, by its Unicode category."""
    steers = category in ("Cc", "Cf", "Cs", "Cn", "Co")
    expected = [
        " " if character in SPACES else "\ufffd" if steers and character not in JOINERS else character
        for character in CATEGORIES[category]
    ]
    text = "a".join(CATEGORIES[category])
    assert printable(text, len(text)) == "a".join(expected)


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J\x1b[?1049l",
        "\x1b]0;title\x07",
        "\x1b]52;c;Zm9v\x1b\\",
        "\x1bP+q544e\x1b\\",
        "\x9b31m",
        "\x9d0;x\x9c",
        "\x7f\x08\x0e\x0f",
        "a\u202eb\u2066c\u200e\u200f\u061c",
        "\ufeff\u200b\u2060\u00ad\U000e0041",
        "\ud800\udfff",
    ],
)
def test_sequences_lose_what_makes_them_sequences(text: str) -> None:
    shown = printable(text)
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    shown.encode()


def test_line_breaks_become_spaces() -> None:
    assert printable("one\r\ntwo\tthree\u2028four") == "one  two three four"


@pytest.mark.parametrize("text", ["", "Zoë", "李雷", "שלום", "नमस्ते", "👩\u200d💻", "[/b] [@click=app.quit]x\\["])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("unit", ["\u0301", "\u0301\u200d", "\u200d", "\u20dd", "\ufe0f", "\u200c\u0301\u0301"])
def test_marks_do_not_pile_up(unit: str) -> None:
    shown = printable("a" + unit * 100 + "b")
    assert shown[0] == "a"
    assert shown[-1] == "b"
    assert len(shown) <= 2 + 4


@pytest.mark.parametrize("limit", [1, 2, 10, 200])
@pytest.mark.parametrize("text", ["x" * 10, "x" * 100_000, "\u0301" * 100_000, "\x1b" * 11, "a\u0301\u0302" * 50])
def test_the_limit_is_kept(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert len(shown) <= limit
    assert shown == text or shown.endswith("…") or "\x1b" in text


def test_a_cut_is_marked() -> None:
    assert printable("x" * 10, 10) == "x" * 10
    assert printable("x" * 11, 10) == "x" * 9 + "…"


# -- payloads ----------------------------------------------------------------------------------------


def test_a_payload_is_one_line_of_pairs() -> None:
    payload = {"streamId": "alice", "video": True, "count": 3, "none": None, "empty": "", "list": ["a", {"b": 1}]}
    assert compact(payload) == 'streamId=alice video=true count=3 none=null empty="" list=["a",{"b":1}]'


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (None, ""),
        ("text", "text"),
        ("a\x1bb\n", "a\ufffdb "),
        (7, "7"),
        ([1, "x"], '[1,"x"]'),
        ({}, ""),
        (True, "true"),
    ],
)
def test_a_payload_of_any_kind(payload: object, line: str) -> None:
    assert compact(payload) == line


def test_an_sdp_is_counted_not_shown() -> None:
    assert compact({"type": "offer", "sdp": "v=0\r\ns=-\r\na=ice-pwd:secret\r\n"}) == "type=offer sdp=<3 lines>"


def test_a_payload_is_safe_inside_too() -> None:
    shown = compact({"a\x1b": "\x1b]0;x\x07", "b": ["\u202e", {"\x9b": "\x00"}]})
    assert all(character.isprintable() or character == "\ufffd" for character in shown)


def test_what_is_no_json_is_shown_all_the_same() -> None:
    assert compact({"bytes": b"x", "odd": {1, 2}, "deep": [object]})


SECRETS: Mapping[str, object] = {
    "token": "hunter2",
    "subscriberCode": "hunter2",
    "turnServerCredential": "hunter2",
    "pnsRegistrationToken": "hunter2",
}


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("secret", ["hunter2", ["hunter2"], {"a": "hunter2"}])
def test_secrets_are_blanked_wherever_they_are(key: str, secret: object) -> None:
    payload = {"command": "publish", "list": [{"in": {key: secret}}], key: secret}
    assert "hunter2" not in compact(payload)
    assert "hunter2" not in json.dumps(redacted(payload))
    assert compact({key: secret}) == f"{key}=***"


@pytest.mark.parametrize("key", SECRETS)
def test_secrets_are_blanked_in_json_text(key: str) -> None:
    inner = json.dumps({"a": 1, key: "hunter2"})
    for payload in (
        inner,
        {"data": inner},
        {"data": json.dumps(json.loads(inner), indent=2)},
        {"subtrackList": [inner]},
        {"data": json.dumps({"metaData": inner})},
    ):
        assert "hunter2" not in compact(payload), payload
        assert "hunter2" not in json.dumps(redacted(payload)), payload


def test_the_ice_password_is_blanked() -> None:
    for sdp in ("v=0\r\na=ice-pwd:hunter2\r\na=mid:0\r\n", "a=ice-pwd:hunter2"):
        assert "hunter2" not in json.dumps(redacted({"sdp": sdp}))
        assert "hunter2" not in compact({"sdp": sdp})


def test_an_empty_secret_is_told_from_a_given_one() -> None:
    assert compact({"token": ""}) == 'token=""'


def test_the_payload_itself_is_not_changed() -> None:
    payload = {"token": "hunter2", "list": [{"token": "hunter2"}]}
    redacted(payload)
    assert payload == {"token": "hunter2", "list": [{"token": "hunter2"}]}
