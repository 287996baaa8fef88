"""What is asked about this machine, each thing once and only when a check wants it.

Used by the checks. Everything that can hang is asked in a process that is ended in time.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tui import settings, ssh
from tui.doctor import display, network
from tui.errors import AntconfError
from tui.media.probe import Probe, probe
from tui.text import with_hint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tui.settings import File

PACTL_SECONDS = 5.0

_ALSA_PLUGIN = "libasound_module_pcm_pulse.so"
_ALSA_FOLDERS = ("/usr/lib/*/alsa-lib", "/usr/lib/alsa-lib", "/usr/lib64/alsa-lib", "/usr/local/lib/alsa-lib")
_ALSA_DEFAULT = re.compile(r"^[^#\n]*?(pulse_load_if_running|pcm\.!?default\b[\s{]*(?:type)?\s*\"?(\w+))", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SoundServer:
    """The PulseAudio protocol's server, as libpulse would find it. ``address`` is empty when there is none to ask."""

    address: str
    answers: bool | None = None
    """``None`` when it cannot be asked."""
    text: str = ""
    """What it is, or why it does not answer."""


@dataclass
class Machine:
    """What is asked about this machine, each thing once and only when a check wants it."""

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    system: str = sys.platform
    alsa_folders: Sequence[str] = _ALSA_FOLDERS
    alsa_files: Sequence[str] = ("/etc/alsa/conf.d/*.conf", "/etc/asound.conf")
    aim: network.Aim = field(default_factory=network.Aim)
    """The server to try."""

    @cached_property
    def terminal(self) -> display.Answers | None:
        """What the terminal says of itself; ``None`` when this is none."""
        return display.ask()

    @cached_property
    def route(self) -> network.Route:
        """What became of the way to the server."""
        return network.travel(self.aim)

    @cached_property
    def file(self) -> File:
        """The configuration file."""
        return settings.read()

    @cached_property
    def sound(self) -> Probe:
        """PortAudio's answer."""
        return probe(self.environ)

    @cached_property
    def login(self) -> ssh.Login:
        """Where the person sits."""
        return ssh.login(self.environ)

    @cached_property
    def server(self) -> SoundServer:
        """The sound server's answer."""
        address = self.environ.get("PULSE_SERVER", "")
        if not address:
            standard = Path(self.environ.get("XDG_RUNTIME_DIR") or "/nonexistent") / "pulse" / "native"
            # Without a socket there would be nobody to ask, and asking might start a server.
            if not standard.is_socket():
                return SoundServer("")
            address = f"unix:{standard}"
        return _ask_server(address, self.environ)

    @cached_property
    def has_alsa_plugin(self) -> bool:
        """Whether ALSA can reach a PulseAudio server."""
        folders = [self.environ.get("ALSA_PLUGIN_DIR") or "/nonexistent", *self.alsa_folders]
        return any(next(Path("/").glob(f"{folder}/{_ALSA_PLUGIN}".lstrip("/")), None) for folder in folders)

    @cached_property
    def alsa_default(self) -> str:
        """The kind of ALSA's default device as it is configured, ``pulse`` for example; empty when nothing says."""
        own = Path(self.environ.get("HOME") or "/nonexistent")
        settings = Path(self.environ.get("XDG_CONFIG_HOME") or own / ".config")
        paths = [path for pattern in self.alsa_files for path in sorted(Path("/").glob(pattern.lstrip("/")))]
        kind = ""
        for path in (*paths, own / ".asoundrc", settings / "alsa" / "asoundrc"):
            try:
                text = path.read_text("utf-8", "replace")
            except OSError:
                continue
            for match in _ALSA_DEFAULT.finditer(text):
                # The last one counts.
                kind = match.group(2) or "pulse"
        return kind


def aimed(arguments: argparse.Namespace) -> network.Aim:
    """The server that the command line names, else the configured one, else that of the last time."""
    names = ("room", "endpoint_url", "endpoint_token", "ice_server", "ice_username", "ice_credential_file")
    given = argparse.Namespace(url=arguments.server, **{name: getattr(arguments, name, None) for name in names})
    file = settings.read()
    try:
        found = settings.resolved(given, file)
        options = settings.joining(found)
    except AntconfError as error:
        return network.Aim(problem=with_hint(str(error), error.hint))
    place = found.get("url") or found.get("endpoint_url")
    return network.Aim(options, place.origin if place else "")


def _ask_server(address: str, environ: Mapping[str, str]) -> SoundServer:
    if shutil.which("pactl", path=environ.get("PATH")) is None:
        return _knock(address)
    try:
        asked = subprocess.run(
            ["pactl", "info"],
            env={**environ, "LC_ALL": "C", "PULSE_SERVER": address},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PACTL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return SoundServer(address, False, f"no answer within {PACTL_SECONDS:g} s")
    except OSError as error:
        return SoundServer(address, None, str(error))
    if asked.returncode != 0:
        lines = asked.stderr.strip().splitlines()
        return SoundServer(address, False, lines[-1] if lines else "no answer")
    told = dict(line.split(": ", 1) for line in asked.stdout.splitlines() if ": " in line)
    output = told.get("Default Sink", "")
    return SoundServer(
        address,
        True,
        f"{told.get('Server Name', '')} {told.get('Server Version', '')} of {told.get('User Name', '?')} "
        f"on {told.get('Host Name', '?')}, output {output}",
    )


def _knock(address: str) -> SoundServer:
    """Without pactl: whether somebody listens there."""
    kind, _, place = address.partition(":")
    if kind != "unix" and not address.startswith("/"):
        return SoundServer(address, None, "pactl is not installed, which could ask it")
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.settimeout(PACTL_SECONDS)
            end.connect(place if kind == "unix" else address)
    except OSError as error:
        return SoundServer(address, False, f"Connection failure: {error.strerror or error}")
    return SoundServer(address, None, "somebody listens; pactl is not installed, which could ask who")
