"""What is said in front for some seconds is in the log for longer; what rings rings only for who looks elsewhere."""

from __future__ import annotations

import ast
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.widgets._toast import Toast

import tui
from tests.ui.emulator import Emulator
from tests.ui.room import conference, infos, log_of
from tests.ui.scripted import AT, ROOM, Script, joined
from tests.waiting import Clock, until
from tui.alarm import Alarm, Desktop
from tui.app import ConferenceApp
from tui.core.events import (
    Announced,
    CallState,
    CallStateChanged,
    ChatMessage,
    Notice,
    Participant,
    RosterChanged,
    ShareState,
    SharingChanged,
)
from tui.herald import SETTLING
from tui.layouts import Layout
from tui.session import HealthChanged, MutedSpeech, SoundChanged
from tui.widgets.chat import ChatHistory

ROOT = Path(tui.__file__).parent
ERIN = Participant("streamerin", "Erin")


def payloads(app: ConferenceApp) -> list[str]:
    return [line.payload for line in log_of(app).lines]


def places() -> set[tuple[str, int]]:
    """Where the screen's side says something in front: file and line."""
    found = set()
    for file in [*ROOT.glob("*.py"), *ROOT.glob("screens/*.py"), *ROOT.glob("widgets/*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "notify"):
                continue
            inner = node.func.value
            # A condition of threads is notified of nothing; and the app's own, below all others, is not another one.
            is_super = isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id == "super"
            if node.args and not is_super:
                found.add((str(file), node.lineno))
    return found


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """File, line and text of everything that is said in front."""
    calls: list[tuple[str, int, str]] = []
    notify = ConferenceApp.notify

    def noted(app: ConferenceApp, message: str, **more: Any) -> None:
        frame = sys._getframe(1)
        while frame.f_back is not None and not frame.f_code.co_filename.startswith(str(ROOT)):
            frame = frame.f_back
        calls.append((frame.f_code.co_filename, frame.f_lineno, message))
        notify(app, message, **more)

    monkeypatch.setattr(ConferenceApp, "notify", noted)
    return calls


async def test_everything_that_is_said_in_front_is_in_the_log(
    said: list[tuple[str, int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clock = Clock(AT)
    script = Script()
    app = conference(script, clock=clock)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(lambda: app.view.people)
        session = script.sessions[0]
        clock.now += SETTLING + 1
        session.say(RosterChanged((*ROOM, ERIN)))
        await until(lambda: "Erin has joined" in payloads(app))
        session.say(MutedSpeech())
        await until(lambda: app.view.muted_speech)
        session.say(SharingChanged(ShareState.OFF, reason="The server refused it."))
        await until(lambda: app.view.share.reason)
        await pilot.press("Y")
        await pilot.resize_terminal(70, 30)
        await pilot.press(*["h"] * len(Layout))
        await pilot.resize_terminal(120, 36)
        session.say(SoundChanged(None, "No sound device. Is PulseAudio running?"))
        await until(lambda: app.view.output_hint)
        session.say(CallStateChanged(CallState.RECONNECTING, "The server restarts.", "Trying again."))
        await until(lambda: app.view.state is CallState.RECONNECTING)
        session.say(CallStateChanged(CallState.RECONNECTING))
        await until(lambda: not app.view.reason)
        await pilot.press("l", "home", "enter", "y", "escape", "e")
        await until(lambda: any("The log is in" in text for _, _, text in said))
        session.say(CallStateChanged(CallState.FAILED))
        await until(lambda: app.view.state is CallState.FAILED)
        await pilot.press("j")
        await until(lambda: app.view.state is CallState.JOINED)
        script.sessions[1].say(CallStateChanged(CallState.FAILED, "the server refused the token"))
        await until(lambda: app.view.reason)
        await pilot.pause()
        logged = payloads(app)
    assert len(said) >= 8
    # Once: what the log says by itself is not said there again.
    assert [(text, sum(text in payload for payload in logged)) for _, _, text in said] == [
        (text, 1) for _, _, text in said
    ]
    unseen = places() - {(file, line) for file, line, _ in said}
    assert not unseen, "said in front, and not seen by this test"


async def test_textuals_own_notes_are_in_the_log_too() -> None:
    app = conference()
    async with app.run_test(notifications=True) as pilot:
        await until(lambda: app.view.people)
        app.screen.notify("[/oops] \x1b[2J", title="Title", markup=False)
        await pilot.pause()
        assert "Title: [/oops] \ufffd[2J" in payloads(app)


async def test_who_comes_and_goes_is_said_and_shown_in_a_small_room() -> None:
    clock = Clock(AT)
    script = Script()
    app = conference(script, clock=clock)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(lambda: app.view.people)
        clock.now += SETTLING + 1
        nameless = replace(ERIN, name="streamerin")
        script.sessions[0].say(RosterChanged((*ROOM, nameless)))
        await until(lambda: len(app.view.people) == 5)
        assert "people" not in infos(app)
        script.sessions[0].say(RosterChanged((*ROOM, ERIN)))
        await until(lambda: "Erin has joined" in payloads(app))
        await until(lambda: len(app.screen.query(Toast)) == 1)
        script.sessions[0].say(RosterChanged(ROOM))
        await until(lambda: "Erin has left" in payloads(app))
        await pilot.pause()


async def test_a_crowd_comes_line_by_line_and_nothing_in_front() -> None:
    clock = Clock(AT)
    script = Script()
    app = conference(script, clock=clock)
    async with app.run_test(notifications=True) as pilot:
        await until(lambda: app.view.people)
        clock.now += SETTLING + 1
        crowd = [Participant(f"stream{number}", f"Person {number}") for number in range(200)]
        script.sessions[0].say(RosterChanged((*ROOM, *crowd)))
        await until(lambda: infos(app).count("people") == 200)
        await pilot.pause()
        assert not app.screen.query(Toast)


async def test_each_change_of_the_line_is_in_the_log() -> None:
    script = Script(
        [*joined(), HealthChanged("good", ""), HealthChanged("poor", "12 % lost"), HealthChanged("good", "")]
    )
    app = conference(script)
    async with app.run_test():
        await until(lambda: infos(app).count("line") == 3)
        assert payloads(app)[-3:] == ["good", "poor: 12 % lost", "good"]


@pytest.mark.pty
async def test_the_terminal_rings_for_who_looks_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    emulator = Emulator(monkeypatch)
    app = conference(script, alarm=Alarm(True, Desktop.OSC777))
    written: list[str] = []

    def calls() -> list[str]:
        return [text for text in written if "\x07" in text and "antconf" in text]

    async with emulator.running(app):
        await until(lambda: app.view.people)
        assert app.driver is not None
        write = app.driver.write

        def noted(text: str) -> None:
            written.append(text)
            write(text)

        monkeypatch.setattr(app.driver, "write", noted)
        session = script.sessions[0]
        emulator.press("\x1b[I")
        await until(lambda: app._alarm.focused)
        session.say(ChatMessage(1, "streambob", "Bob", "Alice?", AT))
        session.say(ChatMessage(2, "streambob", "Bob", "marker", AT))
        await until(lambda: "marker" in chatted(app))
        assert calls() == []
        emulator.press("\x1b[O")
        await until(lambda: app._alarm.focused is False)
        session.say(ChatMessage(3, "streambob", "Bob", "Alice?\x07\x1b]0;owned", AT))
        await until(calls)
        assert calls() == ["\x1b]777;notify;antconf;Bob: Alice?\ufffd\ufffd]0,owned\x07\x07"]
        session.say(Announced(Notice.HAND_RAISED, "streamdave", "Dave"))
        await until(lambda: len(calls()) == 2)
        assert "Dave raises a hand" in calls()[1]


def chatted(app: ConferenceApp) -> list[str]:
    """What has come into the chat."""
    return [entry.text for entry in app.room.query_one(ChatHistory).entries]
