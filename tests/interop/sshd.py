"""An SSH server of a test's own on loopback, and the ``ssh`` that reaches it, with nothing of the machine's set-up."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.waiting import block_until

if TYPE_CHECKING:
    from collections.abc import Iterator

_SSHD = shutil.which("sshd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))
_PROJECT = Path(__file__).parents[2]


def missing() -> str:
    """Why there can be no server; empty when there can."""
    programs = [name for name, found in (("sshd", _SSHD), ("ssh", shutil.which("ssh"))) if found is None]
    return f"not installed: {', '.join(programs)}" if programs else ""


@dataclass(frozen=True)
class SecureShell:
    """A running server; ``home`` and ``runtime`` are what its sessions have for HOME and XDG_RUNTIME_DIR."""

    bin: Path
    """First in ``PATH``, it has an ``ssh`` that knows this server and its keys and nothing else, and ``antconf``."""
    port: int
    home: Path
    runtime: Path
    host: str = "127.0.0.1"

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a session without a terminal."""
        ssh = [str(self.bin / "ssh"), "-p", str(self.port), self.host, command]
        return subprocess.run(ssh, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


@contextlib.contextmanager
def secure_shell(folder: Path, host: str = "127.0.0.1") -> Iterator[SecureShell]:
    """A server on this address whose files are in ``folder``, which must have a short path."""
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
    shell = SecureShell(folder / "bin", port, folder / "home", folder / "run", host)
    for made in (shell.bin, shell.home, shell.runtime):
        made.mkdir(mode=0o700)
    for key in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress {host}\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/key.pub\n"
        "PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        f"SetEnv HOME={shell.home} XDG_RUNTIME_DIR={shell.runtime}\n"
    )
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\n"
        "GlobalKnownHostsFile none\nStrictHostKeyChecking no\nBatchMode yes\nExitOnForwardFailure yes\n"
    )
    ssh = shell.bin / "ssh"
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    antconf = shell.bin / "antconf"
    antconf.write_text(f'#!/bin/sh\nPYTHONPATH={_PROJECT} exec {sys.executable} -m tui "$@"\n')
    for script in (ssh, antconf):
        script.chmod(0o700)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    server = subprocess.Popen(
        [str(_SSHD), "-D", "-e", "-f", str(folder / "sshd_config")],
        stdin=subprocess.DEVNULL,
        stderr=(folder / "sshd.log").open("w"),
    )
    try:
        block_until(lambda: shell.run("true").returncode == 0, "the SSH server")
        yield shell
    finally:
        server.terminate()
        server.wait()
