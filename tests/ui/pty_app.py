"""A small program for tests in a real terminal: the app with a scripted session, as the command line runs it.

``python pty_app.py REPORT [hostile] [noise] [crash] [fatal] [hang] [still] [THEME]``; ``REPORT`` gets what the
session saw, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from tests.ui.scripted import ROOM, Script, joined
from tests.waiting import block_until
from tui.app import ConferenceApp
from tui.config import JoinOptions
from tui.core.events import CallState, Participant
from tui.errors import UsageError
from tui.logbook import Logbook
from tui.terminal import run_app, surface
from tui.themes import NAMES, USUAL

HOSTILE = "\x1b]0;owned\x07\x1b[31m\x9b2J[/oops]\u202e\x00"


def main() -> int:
    report, wishes = Path(sys.argv[1]), set(sys.argv[2:])
    try:
        shown = surface()
    except UsageError as error:
        sys.stderr.write(f"antconf: {error} {error.hint}\n")
        return error.exit_code
    people = (*ROOM, Participant("id\x1b]0;owned\x07", HOSTILE)) if "hostile" in wishes else ROOM
    script = Script(joined(people), paints="still" not in wishes, leave_hangs="hang" in wishes)
    app = ConferenceApp(
        JoinOptions("wss://meet.example.org/app/websocket", "room1", "Alice", "streamalice"),
        script,
        shown.look,
        ascii_only=shown.ascii_only,
        no_color=shown.no_color,
        theme=next((name for name in NAMES if name in wishes), USUAL),
    )
    if wishes & {"noise", "crash", "fatal"}:
        threading.Thread(target=_trouble, args=(wishes, script, app), daemon=True).start()
    with Logbook(report.with_suffix(".log")) as log:
        code = run_app(app, log)
    sessions = [
        {"left": one.left, "closed": one.closed, "ticks": one.ticks, "gap": one.longest_gap} for one in script.sessions
    ]
    report.write_text(json.dumps(sessions))
    return code


def _trouble(wishes: set[str], script: Script, app: ConferenceApp) -> None:
    block_until(lambda: app.view.state is CallState.JOINED, "the room")
    if "noise" in wishes:
        os.write(2, b"ALSA lib pcm.c: NOISE ON DESCRIPTOR TWO\n")
    if "crash" in wishes:
        script.sessions[0].fail(ValueError("the core is broken"))
    if "fatal" in wishes:
        secret_local = "secret"  # noqa: F841

        def broken() -> None:
            raise ValueError("the screen is broken")

        app.call_later(broken)


if __name__ == "__main__":
    sys.exit(main())
