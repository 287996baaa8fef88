"""The command line as a user meets it: one line, the documented exit code, never a traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.pseudo_terminal import PseudoTerminal
from tui import __version__
from tui.config import JoinOptions, remember

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

URL = "ws://127.0.0.1:9/live/websocket"


def antconf(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


class Program:
    """A running command whose output can be waited for."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def lines(self, wanted: Callable[[str], bool], deadline: float = 30.0) -> list[str]:
        """The lines up to the first wanted one."""
        assert self.process.stdout is not None
        end, read = time.monotonic() + deadline, []
        while time.monotonic() < end:
            line = self.process.stdout.readline()
            if not line:
                break
            read.append(line.rstrip("\n"))
            if wanted(line):
                return read
        raise AssertionError(f"the wanted line did not come; got {read}")

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Send a signal; the exit code and what was said on stderr."""
        self.process.send_signal(number)
        _, talk = self.process.communicate(timeout=20)
        return self.process.returncode, talk


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    running: list[Program] = []

    def begin(*arguments: str) -> Program:
        running.append(Program(*arguments))
        return running[-1]

    yield begin
    for program in running:
        program.process.kill()
        program.process.communicate()


def test_version() -> None:
    assert antconf("--version").stdout.strip() == f"antconf {__version__}"


def test_help_names_every_command_and_exit_code() -> None:
    text = antconf("--help").stdout
    for word in ("join", "demo", "serve", "events", "Exit codes"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "required: COMMAND"),
        (("join", "--bogus"), 2, "--bogus"),
        (("join", "--token"), 2, "--token"),
        (("serve", "--port", "99999"), 2, "0 to 65535"),
        (("serve", "--port", "0x10"), 2, "0x10"),
        (("events", "example.org", "room1"), 2, "must begin with ws:// or wss://"),
        (("events", "ftp://example.org/x", "room1"), 2, "must begin with ws:// or wss://"),
        (("events", "ws://user:secret@example.org/live/websocket", "room1"), 2, "user name or password"),
        (("events", "ws://127.0.0.1:99999/live/websocket", "room1"), 2, "Port out of range"),
        (("events", URL, "a/b"), 2, "the room 'a/b'"),
        (("events", URL, "\x1b]0;x\x07"), 2, "is not one that the server takes"),
        (("events", URL, "room1", "--stream-id", "é"), 2, "the stream id 'é'"),
        (("events", URL, "room1", "--source", "missing.mp4"), 7, "missing.mp4"),
        (("events", URL, "room1", "--token-file", "missing"), 3, "missing"),
        (("events", URL, "room1", "--token", "a", "--token-file", "b"), 2, "not allowed with"),
        (("events", URL, "room1"), 4, "127.0.0.1:9 cannot be reached: connection refused"),
        (("join", URL, "room1"), 2, "must be a terminal"),
        (("demo",), 2, "must be a terminal"),
        (("serve", "--host", "192.0.2.1"), 2, "192.0.2.1"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = antconf(*arguments)
    assert said in ended.stderr
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert "\x1b" not in ended.stderr
    assert "secret" not in ended.stderr


def test_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = antconf("serve", "--port", str(taken.getsockname()[1]))
    assert ended.returncode == 4
    assert "is in use" in ended.stderr


def test_serve_and_events_end_to_end(start: Callable[..., Program]) -> None:
    """Headless against the server of the same command line, over real WebRTC, until SIGINT."""
    server = start("serve", "--port", "0")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    speaker = start("events", url, "room1", "--name", "Speaker", "--source", "test", "--stream-id", "speaker")
    speaker.lines(lambda line: '"publish_started"' in line)
    watcher = start("events", url, "room1")
    seen = [json.loads(line) for line in watcher.lines(lambda line: '"newTrackAvailable"' in line)]
    assert seen[0]["info"] == "initialized"
    assert seen[-1]["obj"]["trackId"].startswith("ARDAMS")
    assert all(set(event) == {"time", "info", "obj", "error"} for event in seen)
    code, talk = watcher.end()
    assert code == 130
    assert "joined" in talk
    assert "Traceback" not in talk
    assert speaker.end(signal.SIGTERM)[0] == 143
    assert server.end()[0] == 130


def test_refusal_is_named(start: Callable[..., Program]) -> None:
    """A stream id that is in use ends with the refusal's exit code."""
    server = start("serve", "--port", "0")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    first = start("events", url, "room1", "--source", "test", "--stream-id", "same")
    first.lines(lambda line: '"publish_started"' in line)
    second = antconf("events", url, "room1", "--source", "test", "--stream-id", "same")
    assert second.returncode == 5
    assert "this stream id is in use" in second.stderr


def test_token_is_in_no_output(start: Callable[..., Program], tmp_path: Path) -> None:
    server = start("serve", "--port", "0")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    token = tmp_path / "token"
    token.write_text("canary-4711\n")
    program = start("events", url, "room1", "--token-file", str(token))
    lines = program.lines(lambda line: '"no_stream_exist"' in line)
    _, talk = program.end()
    assert "canary-4711" not in "\n".join(lines) + talk


def test_closed_stdout_ends_it(start: Callable[..., Program]) -> None:
    """A reader that goes away, as ``head -n 1`` does, is no crash."""
    server = start("serve", "--port", "0")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    program = start("events", url, "room1")
    program.lines(lambda line: True)
    assert program.process.stdout is not None
    program.process.stdout.close()
    assert program.process.wait(30) == 0


@pytest.mark.pty
def test_an_unreachable_server_is_named_on_the_screen_and_below_the_prompt() -> None:
    with PseudoTerminal([sys.executable, "-m", "tui", "join", URL, "room1"]) as terminal:
        terminal.shows("failed")
        terminal.shows("127.0.0.1:9 cannot be reached: connection refused")
        terminal.press("q")
        assert terminal.exit_code() == 4
        below = terminal.received.rpartition(b"\x1b[?1049l")[2]
    assert b"antconf: 127.0.0.1:9 cannot be reached" in below
    assert b"Traceback" not in below


@pytest.mark.pty
def test_join_asks_for_what_is_not_given_and_remembers_the_last_time() -> None:
    remember(JoinOptions(url="ws://last.example.org/live/websocket", room="lastroom", name="Kim"))
    with PseudoTerminal([sys.executable, "-m", "tui", "join"]) as terminal:
        terminal.shows("Join a room")
        for value in ("ws://last.example.org/live/websocket", "lastroom", "Kim"):
            terminal.shows(value)
        terminal.press("\x03")
        assert terminal.exit_code() == 130
