"""What the user asked for, where it came from, and what is kept of it."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tui.config import (
    TOKEN_LIMIT,
    JoinOptions,
    random_stream_id,
    read_token,
    remember,
    state_directory,
    validate,
    with_environment,
    with_remembered,
)
from tui.core.messages import is_stream_id
from tui.errors import ConfigError, DeviceError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = JoinOptions(url="ws://localhost:5080/live/websocket", room="room1", name="Alice", stream_id="alice")
VARIABLES = ("ANTCONF_URL", "ANTCONF_ROOM", "ANTCONF_NAME", "ANTCONF_TOKEN")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own and none of the program's variables."""
    monkeypatch.setattr("platformdirs.user_state_dir", lambda *_, **__: str(tmp_path / "state" / "antconf"))
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "state" / "antconf"


def with_defaults(options: JoinOptions) -> JoinOptions:
    """As the command line and the join screen do it one after the other."""
    return with_remembered(with_environment(options))


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


def test_a_source_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").touch()
    validate(replace(GOOD, source=str(tmp_path / "film.mp4")))


def test_no_token_in_the_representation() -> None:
    assert "hunter2" not in repr(replace(GOOD, token="hunter2"))


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


def test_a_token_file_of_any_size_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match="too large"):
        read_token(str(path))


# -- where a value comes from ------------------------------------------------------------------------


def test_nothing_is_known_at_first() -> None:
    options = JoinOptions(stream_id="alice")
    assert with_defaults(options) == options


def test_the_last_time_is_remembered() -> None:
    remember(GOOD)
    filled = with_defaults(JoinOptions(stream_id="bob"))
    assert filled == replace(GOOD, stream_id="bob")


@pytest.mark.parametrize(("field", "variable"), [("url", VARIABLES[0]), ("room", VARIABLES[1]), ("name", VARIABLES[2])])
def test_the_option_wins_over_the_environment_over_the_last_time(
    monkeypatch: pytest.MonkeyPatch, field: str, variable: str
) -> None:
    def filled(**given: str) -> str:
        return str(getattr(with_defaults(JoinOptions(**given)), field))  # type: ignore[arg-type]

    remember(GOOD)
    assert filled() == getattr(GOOD, field)
    monkeypatch.setenv(variable, "from the environment")
    assert filled() == "from the environment"
    assert filled(**{field: "given"}) == "given"
    monkeypatch.setenv(variable, "")
    assert filled() == getattr(GOOD, field)


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTCONF_TOKEN", "secret")
    assert with_defaults(JoinOptions()).token == "secret"
    assert with_defaults(JoinOptions(token="given")).token == "given"


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


def test_the_newest_is_kept(home: Path) -> None:
    remember(GOOD)
    remember(replace(GOOD, room="room2"))
    assert with_defaults(JoinOptions()).room == "room2"
    assert len(list(home.iterdir())) == 1


def test_a_home_that_cannot_be_written_is_no_error(home: Path) -> None:
    home.parent.parent.mkdir(exist_ok=True)
    home.parent.write_text("a file where the directory should be")
    remember(GOOD)
    assert with_defaults(JoinOptions()).room == ""
    assert home.parent.is_file()


def test_a_disk_that_is_full_leaves_the_old_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(GOOD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    remember(replace(GOOD, room="room2"))
    assert with_defaults(JoinOptions()).room == "room1"
    assert [path.name for path in home.iterdir()] == ["last.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b'{"room":7,"name":null}', b'{"token":"x"}']
)
def test_a_broken_memory_is_forgotten(home: Path, content: bytes) -> None:
    home.mkdir(parents=True)
    (home / "last.json").write_bytes(content)
    filled = with_defaults(JoinOptions(stream_id="alice"))
    assert filled == JoinOptions(stream_id="alice")
    assert filled.token == ""
