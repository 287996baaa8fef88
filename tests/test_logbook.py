"""The log: private, bounded, without secrets, and harmless to look at."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.waiting import block_until
from tui import logbook
from tui.config import JoinOptions
from tui.logbook import Logbook, log_file
from tui.settings import SECRETS

if TYPE_CHECKING:
    from pathlib import Path

JWT = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "HS256"}, {"x": 1})
)


def test_it_is_for_the_user_alone_also_when_it_was_not() -> None:
    log_file().parent.mkdir(parents=True)
    log_file().touch(0o644)
    before = os.umask(0)
    try:
        with Logbook(log_file()):
            logging.getLogger("test").warning("hello")
    finally:
        os.umask(before)
    assert log_file().stat().st_mode & 0o777 == 0o600
    assert "WARNING test: hello" in log_file().read_text()


def test_it_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "FILE_BYTES", 10_000)
    with Logbook(tmp_path / "log"):
        for number in range(1000):
            logging.getLogger("test").warning("line %d %s", number, "x" * 50)
    files = sorted(tmp_path.glob("log*"))
    assert [file.name for file in files] == ["log", "log.1", "log.2"]
    assert all(file.stat().st_size <= 10_000 and file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert "line 999 " in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_no_secret_of_a_call_is_in_it_however_it_is_quoted(name: str, tmp_path: Path) -> None:
    secret = f'canary {name} "4711"'
    options = JoinOptions(**{name: secret})  # type: ignore[arg-type]
    assert secret in options.secrets
    with Logbook(tmp_path / "log") as log:
        log.hide(options.secrets)
        for form in (secret, quote(secret, safe=""), json.dumps({"x": secret}), repr(secret)):
            logging.getLogger("test").warning("said: %s", form)
        try:
            raise ValueError(secret)
        except ValueError:
            logging.getLogger("test").exception("failed")
    text = (tmp_path / "log").read_text()
    assert "canary" not in text
    assert text.count("***") >= 5


@pytest.mark.parametrize(
    "line",
    [
        "GET wss://host/live/websocket?token=canary&x=1",
        "GET https://host/node?source=sdk&accessToken=canary",
        "wss://me:canary@host/live/websocket",
        "turn:me:canary@host:3478",
        'sent {"command":"play","token":"canary","subscriberCode":"canary"}',
        "sent {'command': 'play', 'token': 'canary'}",
        '{"command":"iceServerConfig","turnServerCredential":"canary"}',
        "a=ice-pwd:canary",
        f"token {JWT}.canary of room",
    ],
)
def test_secrets_that_nobody_named_are_known_by_their_shape(line: str, tmp_path: Path) -> None:
    with Logbook(tmp_path / "log"):
        logging.getLogger("test").warning("%s", line)
    text = (tmp_path / "log").read_text()
    assert "canary" not in text
    assert "***" in text


def test_what_native_libraries_say_is_cleaned_like_the_rest(tmp_path: Path) -> None:
    with Logbook(tmp_path / "log") as log:
        log.hide(["canary"])
        os.write(log.noise, b"ALSA lib: \x1b]0;owned\x07 canary\n" + b"y" * 5000 + b"\nno end")
    text = (tmp_path / "log").read_text()
    assert "ALSA lib" in text
    assert "no end" in text
    assert "canary" not in text
    assert all(line.isprintable() for line in text.splitlines())


def test_who_writes_noise_never_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "_read", os.close)
    with Logbook(tmp_path / "log") as log, pytest.raises((BlockingIOError, BrokenPipeError)):
        _ = [os.write(log.noise, b"x" * 4096) for _ in range(1000)]


def test_a_directory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Logbook(tmp_path / "file" / "log") as log:
        os.write(log.noise, b"x\n")
        logging.getLogger("test").warning("x")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["pipe", "directory", "/dev/full"])
def test_what_is_no_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    {"pipe": os.mkfifo, "directory": os.mkdir, "/dev/full": lambda link: link.symlink_to("/dev/full")}[kind](path)
    with Logbook(path) as log:
        assert not log.is_written
        logging.getLogger("test").warning("x")
    assert not path.is_file()


def test_a_full_disk_loses_lines_and_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Logbook(tmp_path / "log") as log:
        handler = log._handler
        assert isinstance(handler, logging.StreamHandler)
        handler.stream.close()
        handler.stream = open("/dev/full", "w")  # noqa: SIM115
        logging.getLogger("test").warning("x")
    assert capsys.readouterr().err == ""


def test_when_native_code_dies_the_log_says_where(tmp_path: Path) -> None:
    program = (
        "import sys, os, signal\nfrom pathlib import Path\nfrom tui.logbook import Logbook\n"
        "with Logbook(Path(sys.argv[1])):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path / "log")], timeout=60, check=False)
    assert done.returncode != 0
    block_until(lambda: "Segmentation fault" in (tmp_path / "log").read_text(), "the fault in the log")
