"""The command line as a user meets it: one line, the documented exit code, never a traceback."""

from __future__ import annotations

import base64
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
from tui.core.aiortc_internals import host_addresses
from tui.logbook import log_file
from tui.rooms import recents
from tui.settings import path

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
    own, libraries = antconf("--version").stdout.splitlines()
    assert own == f"antconf {__version__}"
    for name in ("Python 3.", "aiortc 1.", "av 1", "textual 8.", "websockets ", "numpy ", "sounddevice "):
        assert name in libraries


def test_help_names_every_command_and_exit_code() -> None:
    text = antconf("--help").stdout
    for word in ("join", "demo", "serve", "events", "devices", "Exit codes"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "required: COMMAND"),
        (("join", "--bogus"), 2, "--bogus"),
        (("join", "--\x1b]0;x\x07"), 2, "unrecognized arguments: --\ufffd]0;x\ufffd"),
        (("events", "ws://a..b/x", "room1"), 2, "the host 'a..b'"),
        (("events", URL, "room1", "--name", "\udcff"), 2, "is not UTF-8"),
        (("join", "--token"), 2, "--token"),
        (("serve", "--port", "99999"), 2, "0 to 65535"),
        (("serve", "--port", "0x10"), 2, "0x10"),
        (("events", "example.org", "room1"), 2, "must begin with ws:// or wss://"),
        (("events", "ftp://example.org/x", "room1"), 2, "must begin with ws:// or wss://"),
        (("events", "ws://user:canary@example.org/live/websocket", "room1"), 2, "user name or password"),
        (("events", "ws://127.0.0.1:99999/live/websocket", "room1"), 2, "Port out of range"),
        (("events", URL, "a/b"), 2, "the room 'a/b'"),
        (("events", URL, "\x1b]0;x\x07"), 2, "is not one that the server takes"),
        (("events", URL, "room1", "--stream-id", "é"), 2, "the stream id 'é'"),
        (("events", URL, "room1", "--source", "missing.mp4"), 7, "missing.mp4"),
        (("events", URL, "room1", "--token-file", "missing"), 3, "missing"),
        (("events", URL, "room1", "--token", "a", "--token-file", "b"), 2, "not allowed with"),
        (("events", URL, "room1"), 4, "127.0.0.1:9 cannot be reached: connection refused"),
        (("events", URL), 2, "antconf events URL ROOM"),
        (("events", URL, "room1", "--totp-period", "9"), 2, "10 to 99999"),
        (("events", URL, "room1", "--subscriber-id", "u", "--totp-secret-file", "missing"), 3, "missing"),
        (("events", URL, "room1", "--subscriber-code", "1", "--totp-secret-file", "b"), 2, "not allowed with"),
        (("events", URL, "room1", "--subscriber-code", "123456"), 2, "--subscriber-id"),
        (("events", URL, "room1", "--ice-server", "turn:host:0"), 2, "the ICE server 'turn:host:0'"),
        (("events", URL, "room1", "--endpoint-url", "https://x"), 2, "exclude each other"),
        (("events", "room1", "--endpoint-url", "wss://x"), 2, "the endpoint URL 'wss://x'"),
        (
            ("events", "room1", "--endpoint-url", "http://127.0.0.1:9/node"),
            4,
            "http://127.0.0.1:9/node cannot be reached",
        ),
        (("join", URL, "room1"), 2, "must be a terminal"),
        (("join", URL, "room1", "--audio-bitrate", "5"), 2, "is not a number from 6 to 128"),
        (("join", URL, "room1", "--video-size", "320"), 2, "'320' is not a size from 64x36 to 1920x1080"),
        (("join", URL, "room1", "--video-size", "4000x2000"), 2, "is not a size from 64x36 to 1920x1080"),
        (("join", URL, "room1", "--video-fps", "31"), 2, "is not a number from 1 to 30"),
        (("join", URL, "room1", "--video-bitrate", "-1"), 2, "is not a number from 50 to 4000"),
        (("demo", "--video-bitrate", "49"), 2, "is not a number from 50 to 4000"),
        (("events", URL, "room1", "--source", "screen::971"), 7, "X display :971 cannot be opened"),
        (("join", URL, "room1", "--once"), 2, "--once is for a media file"),
        (("join", URL, "room1", "--record-audio", "call.mp3"), 8, "must end in .wav, .ogg or .opus"),
        (("join", URL, "room1", "--record-audio", "missing/call.wav"), 8, "No such file or directory"),
        (("devices", "--mic", "1"), 2, "add --test"),
        (("demo",), 2, "must be a terminal"),
        (("serve", "--host", "192.0.2.1"), 2, "on 192.0.2.1 everybody in the network could come in; give --token-file"),
        (("serve", "--max-video-tracks", "x"), 2, "is not a number from 0 to 9999"),
        (("serve", "--host", "192.0.2.1", "--open"), 2, "192.0.2.1 is not an address of this machine"),
        (("serve", "--open", "--token", "a"), 2, "not allowed with"),
        (("serve", "--token-file", "missing"), 3, "missing"),
        (("serve", "--jwt-secret-file", "/dev/null"), 3, "not a regular file"),
        (("serve", "--edition", "community", "--token", "a"), 2, "Community Edition knows no tokens"),
        (("serve", "--edition", "bogus"), 2, "bogus"),
        (("serve", "--identity", "bogus"), 2, "bogus"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = antconf(*arguments)
    assert said in ended.stderr
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr
    assert "\x1b" not in ended.stderr
    assert "canary" not in ended.stderr


def secret_file(directory: Path, text: str, mode: int = 0o600) -> str:
    path = directory / f"secret{mode:o}"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_the_address_of_a_page_is_a_server_and_a_room_and_its_token_is_warned_of() -> None:
    ended = antconf("events", "http://127.0.0.1:9/live/daily?token=canary-4711")
    assert ended.returncode == 4
    assert "127.0.0.1:9 cannot be reached" in ended.stderr
    assert ended.stderr.count("others on this machine can see a token") == 1
    assert "canary" not in ended.stderr
    ended = antconf("events", "http://127.0.0.1:9/live/")
    assert (ended.returncode, "antconf events URL ROOM" in ended.stderr) == (2, True)


def test_a_token_on_the_command_line_is_warned_of_once() -> None:
    ended = antconf("events", URL, "room1", "--token", "canary-4711")
    assert ended.returncode == 4
    assert ended.stderr.count("others on this machine can see a token") == 1
    assert "canary" not in ended.stderr


def test_a_secret_file_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    good, bad = secret_file(tmp_path, "canary"), secret_file(tmp_path, "canary", 0o644)
    for options in (("--token-file", bad), ("--ice-credential-file", bad)):
        ended = antconf("events", URL, "room1", *options)
        assert ended.returncode == 4
        assert "chmod 600" in ended.stderr
        assert "canary" not in ended.stderr
    assert "chmod" not in antconf("events", URL, "room1", "--token-file", good).stderr


def test_a_totp_secret_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    """What is in them is looked at before anything is connected."""
    wrong = secret_file(tmp_path, "canary-0189")
    for ended in (
        antconf("events", URL, "room1", "--subscriber-id", "u", "--totp-secret-file", wrong),
        antconf("events", URL, "room1", ANTCONF_SUBSCRIBER_ID="u", ANTCONF_TOTP_SECRET="canary-0189"),
    ):
        assert ended.returncode == 3
        assert "the TOTP secret is not base32" in ended.stderr
        assert "canary" not in ended.stderr
    ended = antconf("events", URL, "room1", "--totp-unregistered", "--subscriber-id", "u", "--totp-secret-file", wrong)
    assert ended.returncode == 4


def test_an_expired_token_is_named_before_the_server_refuses_it(tmp_path: Path) -> None:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in ({"alg": "HS256"}, {"exp": 1})]
    token = secret_file(tmp_path, ".".join([*parts, "signature"]))
    ended = antconf("events", URL, "room1", "--token-file", token)
    assert "the token expired at 1970-01-01" in ended.stderr
    assert ended.returncode == 4


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


def test_a_server_with_a_token_lets_in_only_who_has_it(start: Callable[..., Program], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("canary-4711\n")
    server = start("serve", "--port", "0", "--token-file", str(token))
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    stranger = antconf("events", url, "room1", "--source", "test")
    assert stranger.returncode == 5
    guest = start("events", url, "room1", "--source", "test", "--token-file", str(token))
    lines = guest.lines(lambda line: '"publish_started"' in line)
    _, talk = server.end()
    assert "canary-4711" not in stranger.stdout + stranger.stderr + "\n".join(lines) + talk


def test_a_short_jwt_secret_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("short")
    ended = antconf("serve", "--jwt-secret-file", str(secret))
    assert ended.returncode == 3
    assert "shorter than 32 bytes" in ended.stderr


def test_a_server_for_others_prints_how_to_join_and_warns_when_open(start: Callable[..., Program]) -> None:
    server = start("serve", "--host", "0.0.0.0", "--port", "0", "--open")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    joins = [server.lines(lambda line: True)[0] for _ in host_addresses()]
    port = url.split(":")[2].split("/")[0]
    assert url == f"ws://127.0.0.1:{port}/live/websocket"
    assert joins == [f"antconf join ws://{host}:{port}/live/websocket ROOM" for host in host_addresses()]
    _, talk = server.end()
    assert ("everybody in the network can come in" in talk) == bool(joins)
    assert "\x1b" not in talk


@pytest.mark.pty
def test_an_open_server_says_so_in_red() -> None:
    with PseudoTerminal(
        [sys.executable, "-m", "tui", "serve", "--host", "0.0.0.0", "--port", "0", "--open"]
    ) as terminal:
        if host_addresses():
            terminal.shows("everybody in the network can come in")
            assert b"\x1b[31mantconf: everybody" in terminal.received
        terminal.press("\x03")
        assert terminal.exit_code() == 130


def test_the_community_edition_plays_no_room(start: Callable[..., Program]) -> None:
    server = start("serve", "--port", "0", "--edition", "community")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    program = start("events", url, "room1", "--source", "test")
    lines = program.lines(lambda line: '"no_stream_exist"' in line)
    assert any('"publish_started"' in line for line in lines) or program.lines(lambda line: '"publish_started"' in line)


def test_tracks_can_be_named_after_the_participants(start: Callable[..., Program]) -> None:
    server = start("serve", "--port", "0", "--identity", "streams")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    speaker = start("events", url, "room1", "--source", "test", "--stream-id", "speaker")
    speaker.lines(lambda line: '"publish_started"' in line)
    watcher = start("events", url, "room1")
    seen = json.loads(watcher.lines(lambda line: '"newTrackAvailable"' in line)[-1])
    assert seen["obj"]["trackId"] in ("ARDAMSvspeaker", "ARDAMSaspeaker")


def test_closed_stdout_ends_it(start: Callable[..., Program]) -> None:
    """A reader that goes away, as ``head -n 1`` does, is no crash."""
    server = start("serve", "--port", "0")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    program = start("events", url, "room1")
    program.lines(lambda line: True)
    assert program.process.stdout is not None
    program.process.stdout.close()
    assert program.process.wait(30) == 0


def test_a_second_interrupt_does_not_wait(start: Callable[..., Program]) -> None:
    """The server is stopped: nobody answers the farewell."""
    server = start("serve", "--port", "0")
    url = server.lines(lambda line: line.startswith("ws://"))[0]
    program = start("events", url, "room1")
    program.lines(lambda line: "no_stream_exist" in line)
    server.process.send_signal(signal.SIGSTOP)
    try:
        program.process.send_signal(signal.SIGINT)
        talk = program.process.stderr
        assert talk is not None
        while "leaving" not in talk.readline():
            pass
        assert program.end() == (130, "")
    finally:
        server.process.send_signal(signal.SIGCONT)


@pytest.mark.pty
def test_a_home_that_cannot_be_written_is_said_once_and_harms_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {"XDG_STATE_HOME": str(tmp_path / "file")}
    with PseudoTerminal([sys.executable, "-m", "tui", "join"], environment=environment) as terminal:
        terminal.shows("Join a room")
        terminal.press("\x03")
        assert terminal.exit_code() in (0, 130)
        before = terminal.received.partition(b"\x1b[?1049h")[0]
    assert b"nothing is kept and logged: " in before
    assert b"Traceback" not in terminal.received


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


@pytest.mark.pty
def test_an_invitation_is_pasted_into_the_form_and_the_demo_is_a_room_away(tmp_path: Path) -> None:
    pasted = "Join us:\nhttp://127.0.0.1:9/live/daily?token=canary-4711\n"
    with PseudoTerminal([sys.executable, "-m", "tui", "join", "--mic", "silence", "--camera", "test"]) as terminal:
        terminal.shows("choose the demo above")
        terminal.press(f"\x1b[200~{pasted}\x1b[201~")
        terminal.shows(f"Understood: server {URL}, room daily, a token")
        terminal.press("\r")
        terminal.shows("127.0.0.1:9 cannot be reached")
        terminal.press("s")
        terminal.shows("Join a room")
        terminal.press("\x1bOR")
        terminal.shows("(you)")
        terminal.press("\x1bOS")
        terminal.press("\r")
        terminal.shows("● joined")
        terminal.shows("Bruno")
        terminal.press("q")
        assert terminal.exit_code() == 0
        assert b"canary" not in terminal.received
    assert recents() == ()
    assert "canary" not in log_file().read_text()


def configure(text: str) -> None:
    path().parent.mkdir(parents=True)
    path().write_text(text)


def test_a_profile_says_where_to_go_and_the_command_line_has_the_last_word() -> None:
    configure(f'[profiles.work]\nurl = "{URL}"\nroom = "a b"\n[profiles.home]\nurl = "{URL}"\nroom = "room1"\n')
    ended = antconf("events", "home")
    assert (ended.returncode, "127.0.0.1:9 cannot be reached" in ended.stderr) == (4, True)
    ended = antconf("events", "work")
    assert (ended.returncode, "the room 'a b'" in ended.stderr) == (2, True)
    assert antconf("events", "work", "room2").returncode == 4
    ended = antconf("events", "hmoe")
    assert (ended.returncode, "did you mean 'home'?" in ended.stderr) == (2, True)


@pytest.mark.pty
def test_join_proposes_what_a_profile_leaves_open_and_takes_the_keys_of_the_file() -> None:
    configure(
        '[profiles.work]\nurl = "ws://work.example.org/live/websocket"\nname = "Dr. Kim"\n[keys]\n"app.quit" = "f10"\n'
    )
    remember(JoinOptions(url="ws://last.example.org/live/websocket", room="lastroom", name="Kim"))
    with PseudoTerminal([sys.executable, "-m", "tui", "join", "work"]) as terminal:
        terminal.shows("Join a room")
        for value in ("ws://work.example.org/live/websocket", "lastroom", "Dr. Kim"):
            terminal.shows(value)
        terminal.press("\x1b")
        terminal.shows("f10")
        terminal.press("\x1b[21~")
        assert terminal.exit_code() == 0


@pytest.mark.pty
def test_keys_that_clash_are_told_with_the_file_they_are_in() -> None:
    configure('[keys]\n"room.camera" = "m"\n')
    with PseudoTerminal([sys.executable, "-m", "tui", "join", URL, "room1"], columns=300) as terminal:
        assert terminal.exit_code() == 3
        assert f"{path()}: keys: 'm' is set for" in terminal.text


@pytest.mark.pty
def test_a_call_leaves_no_secret_in_the_log_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    token = secret_file(tmp_path, "canary-token-file")
    command = ["join", f"{URL}?token=canary-query", "room1", "--token-file", token, "--ice-server", "turn:127.0.0.1:9"]
    secrets = {
        "ANTCONF_SUBSCRIBER_ID": "someone",
        "ANTCONF_TOTP_SECRET": "CANARYAA",
        "ANTCONF_ENDPOINT_TOKEN": "canary-endpoint",
        "ANTCONF_ICE_USERNAME": "someone",
        "ANTCONF_ICE_CREDENTIAL": "canary-credential",
    }
    with PseudoTerminal([sys.executable, "-m", "tui", *command], environment=secrets) as terminal:
        terminal.shows("cannot be reached")
        terminal.press("q")
        assert terminal.exit_code() == 4
    assert log_file().stat().st_mode & 0o777 == 0o600
    assert "canary" not in log_file().read_text().lower()
