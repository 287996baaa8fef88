"""What may be between this program and the terminal: a multiplexer that answers in the terminal's place.

Used by `tui.terminal` before the app runs; the projector asks its questions accordingly.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE: Final = 1.0
"""Seconds for tmux to answer."""


@dataclass(frozen=True, slots=True)
class Relay:
    """How questions to the terminal fare."""

    passthrough: bool = False
    """They must be wrapped, to get past tmux to the terminal around it."""
    proxied: bool = False
    """Somebody on this machine may answer them: how far the terminal is away is not known."""
    connection: str = ""
    """What ``SSH_CONNECTION`` says of the way to the terminal, if it is known and somebody may answer on it."""

    def wrapped(self, sequence: str) -> str:
        """What brings a sequence to the terminal itself."""
        if not self.passthrough:
            return sequence
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def found_relay(environ: Mapping[str, str] = os.environ, terminal: str | None = None) -> Relay:
    """By the environment, and by asking tmux; ``terminal`` is the name of the own one (``os.ttyname``)."""
    if environ.get("TMUX"):
        if _passes():
            return Relay(passthrough=True)
        # Without SSH in between, tmux and whoever looks at it are on one machine.
        connection = attached_by(environ)
        return Relay(proxied=bool(connection), connection=connection)
    connection = environ.get("SSH_CONNECTION", "")
    if environ.get("STY"):
        return Relay(proxied=True, connection=connection)
    # A terminal that is not sshd's own: mosh, or something like it.
    proxied = bool(connection) and environ.get("SSH_TTY") != terminal
    return Relay(proxied=proxied, connection=connection if proxied else "")


def attached_by(environ: Mapping[str, str] = os.environ) -> str:
    """``SSH_CONNECTION`` of who attached to tmux last; empty without SSH, and where there is no tmux. Blocks."""
    if not environ.get("TMUX"):
        return ""
    name, _, connection = _tmux("show-environment", "SSH_CONNECTION").partition("=")
    return connection if name == "SSH_CONNECTION" else ""


def _passes() -> bool:
    """Whether tmux hands wrapped sequences on."""
    return _tmux("show-options", "-Apv", "allow-passthrough") in ("on", "all")


def _tmux(*arguments: str) -> str:
    """What tmux prints, empty when it fails."""
    try:
        done = subprocess.run(["tmux", *arguments], capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
