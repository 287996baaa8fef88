"""An app in a scripted room; used by all tests of the screen."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import Any

from tests.ui.scripted import AT, Script
from tui.app import ConferenceApp
from tui.config import JoinOptions
from tui.media.cells import Depth, Glyphs, Look
from tui.widgets.event_log import EventLog
from tui.widgets.participant_list import ParticipantList

TRUECOLOR = Look(Glyphs.HALF, Depth.TRUECOLOR)
PLAIN = Look(Glyphs.ASCII, Depth.NONE)

OPTIONS = JoinOptions("wss://meet.example.org:5443/LiveApp/websocket", "room1", "Alice", "streamalice")
NOWHERE = replace(OPTIONS, url="", room="")


def conference(script: Script | None = None, options: JoinOptions = OPTIONS, **more: Any) -> ConferenceApp:
    """An app whose clock stands still."""
    look = more.pop("look", TRUECOLOR)
    clock = more.pop("clock", lambda: AT)
    return ConferenceApp(options, script or Script(), look, clock=clock, **more)


def log_of(app: ConferenceApp) -> EventLog:
    return app.screen_stack[0].query_one(EventLog)


def people_of(app: ConferenceApp) -> ParticipantList:
    return app.screen_stack[0].query_one(ParticipantList)


def infos(app: ConferenceApp) -> list[str]:
    """What the log says, without payloads."""
    return [line.info for line in log_of(app).lines]


def drawn(app: ConferenceApp) -> str:
    """All characters on the screen, spaces left out: the picture cuts lines into pieces."""
    picture = app.export_screenshot()
    pieces = re.findall(r"<text[^>]*>(.*?)</text>", picture, re.DOTALL)
    return re.sub(r"\s", "", html.unescape("".join(pieces)))
