"""Through a real tmux: pictures that are asked for past it, and a second terminal that takes the session over."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pseudo_terminal import PseudoTerminal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.pty, pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")]

PICTURE = set("▀▄▌▐▖▗▘▝▚▞▙▛▜▟")


class Tmux:
    """A server of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "tmux"
        self._configuration = folder / "tmux.conf"
        self._report = folder / "report.json"

    def start(self, passthrough: str) -> PseudoTerminal:
        """The app in a session, seen from a first terminal."""
        self._configuration.write_text(
            f"set -g allow-passthrough {passthrough}\nset -as terminal-features ',xterm-256color:RGB:sync'\n"
            "set -g default-terminal tmux-256color\nset -g status off\n"
        )
        program = f"{sys.executable} -m tests.ui.pty_app {self._report}"
        return PseudoTerminal([*self._command, "-f", str(self._configuration), "new-session", program])

    def attach(self) -> PseudoTerminal:
        """Another terminal on the same session."""
        return PseudoTerminal([*self._command, "attach"], columns=100, rows=30)

    def ask(self, *command: str) -> str:
        """What tmux answers."""
        return subprocess.run([*self._command, *command], capture_output=True, text=True, check=False).stdout

    @property
    def _command(self) -> list[str]:
        return ["tmux", "-S", str(self._socket)]


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    # Not pytest's own folder: a socket's path must be short.
    with tempfile.TemporaryDirectory() as folder:
        server = Tmux(Path(folder))
        yield server
        server.ask("kill-server")


def moves(terminal: PseudoTerminal) -> None:
    """Wait until pictures are on the screen and have changed three times."""
    for _ in range(3):
        before = terminal.cells
        terminal.until(
            lambda before=before: any(  # type: ignore[misc]
                old != new and new[0] in PICTURE
                for was, now in zip(before, terminal.cells, strict=True)
                for old, new in zip(was, now, strict=True)
            ),
            "moving pictures",
        )


def shows_the_pane(terminal: PseudoTerminal, tmux: Tmux) -> None:
    """Wait until the words on the screen are those that tmux holds: nothing was written past it."""

    def words(text: list[str]) -> list[list[str]]:
        return ["".join(" " if character in PICTURE else character for character in line).split() for line in text]

    def same() -> bool:
        return words(tmux.ask("capture-pane", "-p").splitlines()) == words(terminal.text.splitlines())

    terminal.until(same, "the same words as in the pane")


@pytest.mark.parametrize("passthrough", ["on", "off"])
def test_pictures_move_and_no_answer_is_typed(tmux: Tmux, passthrough: str) -> None:
    with tmux.start(passthrough) as terminal:
        terminal.shows("joined")
        moves(terminal)
        terminal.press("c")
        terminal.press("hello")
        terminal.shows("hello")
        moves(terminal)
        assert "hello" in terminal.text
        shows_the_pane(terminal, tmux)
        assert "[6n" not in terminal.text


def test_a_second_terminal_takes_the_session_over(tmux: Tmux) -> None:
    with tmux.start("on") as first:
        first.shows("joined")
        moves(first)
        with tmux.attach() as second:
            second.shows("joined")
            moves(second)
            tmux.ask("detach-client", "-t", tmux.ask("list-clients", "-F", "#{client_tty}").splitlines()[0])
            assert first.exit_code() == 0
            moves(second)
            second.press("\x0c")  # ctrl+l: draw the screen again
            moves(second)
            shows_the_pane(second, tmux)
            second.press("q")
            assert second.exit_code() == 0
