"""What the user asked for, where it came from, and what is kept of it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tui.config import (
    TOKEN_LIMIT,
    VARIABLES,
    JoinOptions,
    is_exposed,
    random_stream_id,
    read_token,
    remember,
    remembered,
    state_directory,
    validate,
)
from tui.core.auth import Credentials, Totp
from tui.core.discovery import Endpoint
from tui.core.wire import is_stream_id
from tui.errors import ConfigError, DeviceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = JoinOptions(url="ws://localhost:5080/live/websocket", room="room1", name="Alice", stream_id="alice")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own and none of the program's variables."""
    monkeypatch.setattr("platformdirs.user_state_dir", lambda *_, **__: str(tmp_path / "state" / "antconf"))
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "state" / "antconf"


# -- checking ----------------------------------------------------------------------------------------


def test_good_options_are_good() -> None:
    validate(GOOD)
    validate(replace(GOOD, source="test", name=""))


def test_every_random_stream_id_is_one_that_the_server_takes() -> None:
    ids = {random_stream_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(map(is_stream_id, ids))
    assert JoinOptions().stream_id != JoinOptions().stream_id


@pytest.mark.parametrize("value", ["", "a b", "../x", "a/b", "\x1b[2J", "\N{GRINNING FACE}", "x" * 257, "a\nb"])
@pytest.mark.parametrize(("field", "named"), [("room", "the room"), ("stream_id", "the stream id")])
def test_a_bad_id_is_named(field: str, named: str, value: str) -> None:
    options = replace(GOOD, room=value) if field == "room" else replace(GOOD, stream_id=value)
    with pytest.raises(UsageError) as caught:
        validate(options)
    assert named in str(caught.value)
    assert "letters, digits" in caught.value.hint
    assert str(caught.value).isprintable() or "\ufffd" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_stream_and_the_room_have_different_ids() -> None:
    same = replace(GOOD, stream_id=GOOD.room)
    with pytest.raises(UsageError, match="the same"):
        validate(same)
    validate(replace(same, play_only=True))


def test_a_bad_url_is_named() -> None:
    with pytest.raises(UsageError, match="URL"):
        validate(replace(GOOD, url="http://localhost"))


@pytest.mark.parametrize("name", ["x" * 257, "é" * 129])
def test_a_name_has_at_most_256_bytes(name: str) -> None:
    validate(replace(GOOD, name=name[: len(name) - 1]))
    with pytest.raises(UsageError, match="name"):
        validate(replace(GOOD, name=name))


@pytest.mark.parametrize("source", ["missing.mp4", ".", "TEST", "/dev/null"])
def test_a_source_that_is_no_file_is_named(source: str) -> None:
    with pytest.raises(DeviceError, match=source):
        validate(replace(GOOD, source=source))


@pytest.mark.parametrize("source", ["", "test", "screen"])
def test_only_a_file_has_an_end(source: str) -> None:
    with pytest.raises(UsageError, match="--once"):
        validate(replace(GOOD, source=source, source_once=True))


@pytest.mark.parametrize("source", ["screen", "screen::0"])
def test_a_source_may_be_a_screen(source: str) -> None:
    validate(replace(GOOD, source=source))


def test_a_source_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    validate(replace(GOOD, source=str(tmp_path / "film.mp4")))


def test_no_secret_in_the_representation() -> None:
    secrets = ("token", "subscriber_code", "totp_secret", "endpoint_token", "ice_credential")
    values: dict[str, Any] = dict.fromkeys(secrets, "hunter2")
    assert "hunter2" not in repr(replace(GOOD, **values))


def test_what_is_shown_at_the_door() -> None:
    assert replace(GOOD, token="t").credentials == Credentials("t")
    subscriber = replace(GOOD, subscriber_id="sub1", totp_secret="ABCDEFGH", totp_period=30)
    validate(subscriber)
    assert subscriber.credentials == Credentials("", "sub1", "", Totp("ABCDEFGH", 30))
    application = replace(subscriber, totp_secret="any text", totp_registered=False)
    validate(application)
    assert application.credentials.totp == Totp("any text", 30, registered=False)


def test_a_secret_that_cannot_be_used_is_named_without_being_shown() -> None:
    with pytest.raises(ConfigError, match="base32") as caught:
        validate(replace(GOOD, subscriber_id="sub1", totp_secret="canary-0189"))
    assert "canary" not in str(caught.value)
    for alone in (replace(GOOD, totp_secret="ABCDEFGH"), replace(GOOD, subscriber_code="123456")):
        with pytest.raises(UsageError) as missing:
            validate(alone)
        assert "--subscriber-id" in missing.value.hint


def test_a_cluster_has_an_endpoint_instead() -> None:
    options = replace(GOOD, url="https://example.org/node", is_endpoint=True, endpoint_token="t")
    validate(options)
    assert options.server == Endpoint("https://example.org/node", "t")
    assert GOOD.server == GOOD.url
    with pytest.raises(UsageError, match="endpoint URL"):
        validate(replace(options, url=GOOD.url))


@pytest.mark.parametrize("uri", ["", "turn.example.org", "turn:host:0", "stun:host?transport=udp", "turn:\x1b[2J"])
def test_an_ice_server_that_cannot_be_used_is_named(uri: str) -> None:
    validate(replace(GOOD, ice_servers=("stun:stun.example.org", "turns:turn.example.org:443?transport=tcp")))
    with pytest.raises(UsageError, match="ICE server") as caught:
        validate(replace(GOOD, ice_servers=("stun:stun.example.org", uri)))
    assert "\x1b" not in str(caught.value)


def test_a_file_that_others_may_read_is_exposed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("secret")
    for mode, exposed in ((0o600, False), (0o400, False), (0o640, True), (0o604, True)):
        path.chmod(mode)
        assert is_exposed(str(path)) is exposed
    assert not is_exposed(str(tmp_path / "missing"))
    assert not is_exposed("nul\x00byte")


# -- the token file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["secret", "secret\n", "\n  secret\r\n\n"])
def test_the_token_is_read_without_white_space(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    assert read_token(str(path)) == "secret"


@pytest.mark.parametrize("content", [b"", b" \n\t", b"\xff\xfe\x00", b"x" * (TOKEN_LIMIT + 1)])
def test_a_token_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="token"):
        read_token(str(path))


def test_a_token_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path, tmp_path / "nul\x00byte"):
        with pytest.raises(ConfigError, match="token file"):
            read_token(str(path))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match="loop"):
        read_token(str(tmp_path / "loop"))


@pytest.mark.timeout(10)
def test_a_pipe_without_a_writer_is_no_token_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="not a regular file"):
        read_token(str(tmp_path / "pipe"))


@pytest.mark.parametrize("content", [b"to\x00ken", b"one\ntwo", b"\x1b]0;x\x07"])
def test_a_token_is_one_line_of_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError, match="more than one line"):
        read_token(str(tmp_path / "token"))


def test_a_token_file_of_any_size_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match="too large"):
        read_token(str(path))


# -- what is kept ------------------------------------------------------------------------------------


def test_what_is_kept_is_for_the_user_alone_and_no_secret(home: Path) -> None:
    before = os.umask(0)
    try:
        remember(replace(GOOD, token="hunter2"))
    finally:
        os.umask(before)
    (path,) = home.iterdir()
    assert path == state_directory() / "last.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert json.loads(path.read_text()) == {"url": GOOD.url, "room": "room1", "name": "Alice"}


def test_a_url_is_kept_without_what_may_be_a_secret(home: Path) -> None:
    remember(replace(GOOD, url=f"{GOOD.url}?jwt=canary&target=edge"))
    assert remembered()["url"] == GOOD.url
    remember(replace(GOOD, url=f"{GOOD.url}?target=edge"))
    assert remembered()["url"] == f"{GOOD.url}?target=edge"


@pytest.mark.timeout(10)
def test_a_pipe_in_the_place_of_the_memory_is_not_waited_for(home: Path) -> None:
    home.mkdir(parents=True)
    os.mkfifo(home / "last.json")
    assert remembered() == {}


def test_the_newest_is_kept(home: Path) -> None:
    remember(GOOD)
    remember(replace(GOOD, room="room2"))
    assert remembered()["room"] == "room2"
    assert len(list(home.iterdir())) == 1


def test_a_home_that_cannot_be_written_is_no_error(home: Path) -> None:
    home.parent.parent.mkdir(exist_ok=True)
    home.parent.write_text("a file where the directory should be")
    remember(GOOD)
    assert remembered() == {}
    assert home.parent.is_file()


def test_a_disk_that_is_full_leaves_the_old_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(GOOD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    remember(replace(GOOD, room="room2"))
    assert remembered()["room"] == "room1"
    assert [path.name for path in home.iterdir()] == ["last.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"room":7,"name":null}', b'{"token":"x"}']
)
def test_a_broken_memory_is_forgotten(home: Path, content: bytes) -> None:
    home.mkdir(parents=True)
    (home / "last.json").write_bytes(content)
    assert remembered() == {}
