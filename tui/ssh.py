"""Whether the person sits at another machine, and the lines that bring the sound of this one there.

Used by the hint of a missing sound device and by the doctor. The sound server of the person is reached through a
socket that ``ssh -R`` makes here, in a folder that only this user may enter. So is the socket at the other end, and
PulseAudio offers it without asking for a cookie, which need not travel then: whom it takes a forwarded connection for
on its usual socket is a matter of luck, because it sees the user of ``ssh`` only if that does not write too soon.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SOCKET_NAME = "antconf-pulse.sock"

_VARIABLES = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")
_TMUX_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do: what it is for, and the lines to paste."""

    purpose: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Login:
    """How the person is connected to this machine."""

    over_ssh: bool
    address: str = ""
    """Of this machine, as the person's sees it unless an address is translated on the way."""
    port: int = 22
    inside: str = ""
    """``tmux`` or ``screen``: then the environment may be that of an earlier login."""
    is_current: bool = False
    """Inside tmux: it was asked, and what is said here is of whoever is attached now."""


def is_over_ssh(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this environment is one of an SSH session."""
    return any(environ.get(name) for name in _VARIABLES)


def login(environ: Mapping[str, str] = os.environ, ask_tmux: Callable[[], str | None] | None = None) -> Login:
    """How the person is connected; blocks for two seconds at most. ``ask_tmux`` replaces asking tmux in tests."""
    inside = "tmux" if environ.get("TMUX") else "screen" if environ.get("STY") else ""
    connection, over_ssh = environ.get("SSH_CONNECTION", ""), is_over_ssh(environ)
    told = (ask_tmux or _tmux_connection)() if inside == "tmux" else None
    if told is not None:
        connection, over_ssh = told, bool(told)
    address, port = _server(connection)
    return Login(over_ssh, address, port, inside, told is not None)


def _tmux_connection() -> str | None:
    """What tmux knows of whoever is attached: ``SSH_CONNECTION``, empty without SSH, ``None`` when it does not say."""
    try:
        told = subprocess.run(
            ["tmux", "show-environment", "SSH_CONNECTION"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TMUX_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    name, _, value = told.stdout.strip().partition("=")
    if name == "-SSH_CONNECTION":
        return ""
    return value if name == "SSH_CONNECTION" and value else None


def _server(connection: str) -> tuple[str, int]:
    """Address and port of this machine in ``SSH_CONNECTION``; it may hold anything."""
    parts = connection.split()
    if len(parts) != 4 or not (parts[3].isascii() and parts[3].isdecimal() and len(parts[3]) < 6):
        return "", 22
    try:
        return str(ipaddress.ip_address(parts[2])), int(parts[3])
    except ValueError:
        return "", 22


def socket_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the forwarded socket belongs on this machine: a folder that nobody else can enter."""
    for folder in (Path(environ.get("XDG_RUNTIME_DIR") or "/nonexistent"), Path(f"/run/user/{os.getuid()}")):
        if _is_private(folder):
            return folder / SOCKET_NAME
    return platformdirs.user_state_path("antconf", appauthor=False) / SOCKET_NAME


def _is_private(folder: Path) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    return folder.is_dir() and found.st_uid == os.getuid() and not found.st_mode & 0o077


def forwarding(connected: Login, environ: Mapping[str, str] = os.environ) -> tuple[Step, ...]:
    """What to paste where, so that sound comes out where the person sits."""
    path = socket_path(environ)
    socket, folder = shlex.quote(str(path)), shlex.quote(str(path.parent))
    user, host = getpass.getuser(), connected.address or "HOST"
    port = f"-p {connected.port} " if connected.port != 22 else ""
    room = f"rm -f {socket}" if path.parent.exists() else f"mkdir -p -m 700 {folder}"
    connect = f"ssh {port}-R {socket}:"
    return (
        Step(
            f"At your own machine, in a new terminal (for {host} put the name that you use), make room for the socket:",
            (f"ssh -n {port}{user}@{host} {shlex.quote(room)}",),
        ),
        Step("Then on Linux with PipeWire:", (f'{connect}"$XDG_RUNTIME_DIR/pulse/native" {user}@{host}',)),
        Step(
            "Or on Linux with PulseAudio, once after every start of it, and then:",
            (
                'pactl load-module module-native-protocol-unix auth-anonymous=1 socket="$XDG_RUNTIME_DIR/antconf.sock"',
                f'{connect}"$XDG_RUNTIME_DIR/antconf.sock" {user}@{host}',
            ),
        ),
        Step(
            "Or on macOS, with Homebrew:",
            (
                "brew install pulseaudio",
                "mkdir -p -m 700 ~/.antconf && pulseaudio --daemonize --exit-idle-time=-1 "
                '--load="module-native-protocol-unix auth-anonymous=1 socket=$HOME/.antconf/pulse.sock"',
                f'{connect}"$HOME/.antconf/pulse.sock" {user}@{host}',
            ),
        ),
        Step(
            "Or on Windows 11, inside WSL, which has a sound server; Windows itself and PuTTY have none to forward:",
            (f"{connect}/mnt/wslg/PulseServer {user}@{host}",),
        ),
        Step("Then in the session that this opens:", session_lines(path, environ)),
        Step(
            "The risk: while that session is open, whoever acts here as you or as root can play sound at your machine "
            "and listen to its microphone."
        ),
    )


def session_lines(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """What to paste into the session: shared memory does not reach through a forwarded socket."""
    settings = Path(environ.get("XDG_CONFIG_HOME") or "~/.config") / "pulse"
    quoted = "~/.config/pulse" if str(settings).startswith("~") else shlex.quote(str(settings))
    return (
        f"mkdir -p {quoted} && echo 'enable-shm = no' >> {quoted}/client.conf",
        f"export PULSE_SERVER={shlex.quote(f'unix:{path}')}",
        "antconf doctor",
    )
