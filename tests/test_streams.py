"""Standard streams that are closed, full, or that nobody reads any more."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from tui import headless
from tui.logbook import log_file

URL = "ws://127.0.0.1:9/live/websocket"


def shell(redirection: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program with its streams as a shell redirects them."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "tui", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


SAYING = [("--version",), ("config", "path"), ("completion", "bash"), ("man",), ("devices", "--json"), ("serve",)]


@pytest.mark.parametrize("arguments", SAYING)
def test_a_full_disk_is_named(arguments: tuple[str, ...]) -> None:
    if arguments == ("serve",):
        arguments = ("serve", "--port", "0")
    ended = shell(">/dev/full", *arguments)
    assert ended.stderr == "antconf: standard output cannot be written: no space left on device\n"
    assert ended.returncode == 8


@pytest.mark.parametrize("arguments", SAYING[:-1])
def test_a_reader_that_has_gone_has_what_it_wanted(arguments: tuple[str, ...]) -> None:
    ended = shell("| true", *arguments)
    assert ended.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "2>/dev/full", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--version",), 0), (("config", "path"), 0), (("events", URL, "room1", "--text"), 4), (("join", URL, "r"), 2)],
)
def test_a_closed_stream_changes_nothing(closed: str, arguments: tuple[str, ...], code: int) -> None:
    ended = shell(closed, *arguments)
    assert (ended.returncode, "Traceback" in ended.stderr) == (code, False)


def test_a_closed_descriptor_becomes_no_socket() -> None:
    show = "import os, tui.streams as s; s.stand_in(); print([os.path.samefile(f'/proc/self/fd/{n}', os.devnull)"
    ended = subprocess.run(
        ["sh", "-c", '"$@" <&- 2>&-', "sh", sys.executable, "-c", f"{show} for n in (0, 2)])"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert ended.stdout == "[True, True]\n"


def test_a_typed_line_without_end_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = io.StringIO("one\n" + "x" * 3 * headless.LINE_LIMIT + "\ntwo")
    monkeypatch.setattr(sys, "stdin", typed)
    assert list(headless._typed_lines()) == ["one\n", "x" * headless.LINE_LIMIT, "two"]


def test_what_is_typed_need_not_be_text() -> None:
    read = "import sys, tui.streams as s; s.stand_in(); print(ascii(sys.stdin.read()))"
    ended = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", read], input=b"a\xff\nb", stdout=subprocess.PIPE, timeout=60
    )
    assert ended.stdout == b"'a\\ufffd\\nb'\n"


def test_what_an_encoding_does_not_have_is_escaped() -> None:
    ended = shell("", "config", "show", PYTHONIOENCODING="ascii", ANTCONF_NAME="Zoë")
    assert (ended.returncode, "Zo\\xeb" in ended.stdout) == (0, True)


def test_a_defect_is_one_line_and_a_traceback_in_the_log() -> None:
    broken = "import tui.cli as c; c._COMMANDS['man'] = lambda _: 1 // 0; raise SystemExit(c.main(['man']))"
    ended = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, timeout=60)
    (line,) = ended.stderr.splitlines()
    assert line.startswith("antconf: internal error (ZeroDivisionError: ")
    assert (ended.returncode, line.endswith(f"; details are in {log_file()}")) == (1, True)
    assert "Traceback" in log_file().read_text()


def test_a_defect_of_the_server_is_one_line_too() -> None:
    broken = "import tui.cli as c; c._server_options = lambda _: 1 // 0; raise SystemExit(c.main(['serve']))"
    ended = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
