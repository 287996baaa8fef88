"""What is between the program and the terminal, by the environment and by tmux's own word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tui.relay import Relay, found_relay

if TYPE_CHECKING:
    from pathlib import Path

SSH = {"SSH_CONNECTION": "192.0.2.1 5 192.0.2.2 22", "SSH_TTY": "/dev/pts/3"}


@pytest.mark.parametrize(
    ("environ", "terminal", "relay"),
    [
        ({}, "/dev/pts/1", Relay()),
        (SSH, "/dev/pts/3", Relay()),
        # mosh: sshd's environment on a terminal that is not sshd's.
        (SSH, "/dev/pts/4", Relay(proxied=True, connection=SSH["SSH_CONNECTION"])),
        ({"STY": "123.screen"}, "/dev/pts/1", Relay(proxied=True)),
        ({"STY": "123.screen"} | SSH, "/dev/pts/3", Relay(proxied=True, connection=SSH["SSH_CONNECTION"])),
    ],
)
def test_without_tmux_the_environment_says_it(environ: dict[str, str], terminal: str, relay: Relay) -> None:
    assert found_relay(environ, terminal) == relay


@pytest.mark.parametrize(
    ("passthrough", "connection", "relay"),
    [
        ("on", "SSH_CONNECTION=192.0.2.1 5 192.0.2.2 22", Relay(passthrough=True)),
        ("all", "-SSH_CONNECTION", Relay(passthrough=True)),
        ("off", "SSH_CONNECTION=192.0.2.1 5 192.0.2.2 22", Relay(proxied=True, connection=SSH["SSH_CONNECTION"])),
        ("off", "-SSH_CONNECTION", Relay()),
    ],
)
def test_tmux_is_asked(
    passthrough: str, connection: str, relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmux = tmp_path / "tmux"
    tmux.write_text(
        f'#!/bin/sh\ncase "$1" in show-options) echo "{passthrough}";; show-environment) echo "{connection}";; esac\n'
    )
    tmux.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert found_relay({"TMUX": "/tmp/tmux-0/default,1,0"}, "/dev/pts/1") == relay


def test_a_tmux_that_does_not_answer_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found_relay({"TMUX": "/tmp/tmux-0/default,1,0"}, None) == Relay()


def test_what_is_for_the_terminal_itself_is_wrapped_where_that_helps() -> None:
    assert Relay().wrapped("\x1b]9;x\x07") == "\x1b]9;x\x07"
    assert Relay(passthrough=True).wrapped("\x1b]9;x\x07") == "\x1bPtmux;\x1b\x1b]9;x\x07\x1b\\"
