"""The call as lines of text: what is told, and a conversation typed between two of them over the real server."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.waiting import block_until
from tui.core.events import (
    Announced,
    CallState,
    CallStateChanged,
    ChatMessage,
    LocalMediaChanged,
    ModeratorRequest,
    Notice,
    Participant,
    Reaction,
    RetryPlanned,
    RosterChanged,
    Wish,
)
from tui.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tui.core.events import Event

ME = Participant("me", "Me", is_self=True)
BOB = Participant("bob", "Bob")
JOINED = CallStateChanged(CallState.JOINED)
SAID = ChatMessage(1, "bob", "Bob", "hello\nthere", 0.0)


def told(*events: Event) -> list[str]:
    transcript = Transcript()
    return [line for event in events for line in transcript.lines(event)]


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (CallStateChanged(CallState.FAILED, "It is full.", "Try later."), ["failed: It is full; Try later."]),
        (SAID, ["Bob: hello", "  there"]),
        (
            replace(SAID, verified=False, name="\x1b[2J"),
            ["\N{REPLACEMENT CHARACTER}[2J (not on the list): hello", "  there"],
        ),
        (replace(SAID, own=True), []),
        (replace(SAID, own=True, unsent=True, text="x"), ["you, not sent yet: x"]),
        (Reaction("bob", "Bob", "thumbs_up"), ["Bob reacts: thumbs up 👍"]),
        (Announced(Notice.HAND_RAISED, "bob", "Bob"), ["Bob raises a hand"]),
        (Announced(Notice.PINNED, "me", "Me"), []),
        (Announced(Notice.SCREEN_SHARED, "bob", "Bob"), []),
        (
            ModeratorRequest(1, Wish.MICROPHONE_OFF, "bob", "Bob"),
            ["Bob asks you to mute your microphone. Answer /yes or /no."],
        ),
        (RosterChanged((ME, BOB)), []),
    ],
)
def test_one_event(event: Event, lines: list[str]) -> None:
    assert told(event) == lines


def test_changes_of_the_room_are_told_once_each() -> None:
    muted = replace(BOB, microphone=False, talking=True)
    shares = replace(muted, presentation="video-3", camera=False)
    carol = Participant("carol", "Carol")
    assert told(
        RosterChanged((ME, BOB)),
        JOINED,
        RosterChanged((ME, replace(BOB, talking=True))),
        RosterChanged((ME, muted)),
        RosterChanged((ME, shares, carol)),
        RosterChanged((ME, replace(shares, name="Robert"), carol)),
        RosterChanged((ME, carol)),
        RosterChanged((ME, replace(carol, away=True))),
        RosterChanged((ME, carol)),
    ) == [
        "joined",
        "in the room: Bob",
        "Bob is muted",
        "Bob has the camera off",
        "Bob shares a screen",
        "Carol joined",
        "Bob is Robert now",
        "Robert left",
        "Carol is away",
        "Carol is back",
    ]


def test_the_next_try_is_told_with_its_cause_and_when() -> None:
    transcript = Transcript(clock=lambda: 1000.0)
    lines = transcript.lines(RetryPlanned(3, 1004.2, "connection\x1b[2J refused"))
    assert lines == ["reconnecting: connection\N{REPLACEMENT CHARACTER}[2J refused, try 3, next in 5 s"]
    assert transcript.lines(RetryPlanned(4, 999.0, "gone")) == ["reconnecting: gone, try 4, next in 0 s"]


def test_the_own_microphone_and_camera_are_told_when_they_change() -> None:
    assert told(LocalMediaChanged(True, None), LocalMediaChanged(True, None), LocalMediaChanged(False, True)) == [
        "your microphone is off",
        "your camera is on",
    ]


def test_after_a_reconnect_only_what_differs_is_told() -> None:
    lost = CallStateChanged(CallState.RECONNECTING, "The line is gone.")
    carol = Participant("carol", "Carol")
    assert told(
        RosterChanged((ME,)), JOINED, RosterChanged((ME, BOB)), lost, JOINED, RosterChanged((ME, BOB, carol))
    ) == [
        "joined",
        "nobody else is in the room yet",
        "Bob joined",
        "reconnecting: The line is gone",
        "joined",
        "Carol joined",
    ]


_PATIENCE = 90.0
"""Seconds for what a busy machine may take to start three programs."""


class Typist:
    """A running ``antconf events --text`` with a keyboard."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tui", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def sees(self, wanted: str) -> None:
        block_until(lambda: wanted in self.lines, f"the line {wanted!r}", _PATIENCE)

    def names(self, name: str) -> None:
        """At first somebody may be known by the stream id alone."""
        block_until(lambda: any(name in line for line in self.lines), f"the name {name}", _PATIENCE)


@pytest.fixture
def start() -> Iterator[Callable[..., Typist]]:
    running: list[Typist] = []

    def begin(*arguments: str) -> Typist:
        running.append(Typist(*arguments))
        return running[-1]

    yield begin
    for one in running:
        one.process.kill()
        one.process.wait()


def test_two_people_talk_by_typing(start: Callable[..., Typist]) -> None:
    server = start("serve", "--port", "0")
    block_until(lambda: any("ws://" in line for line in server.lines), "the server's address", _PATIENCE)
    url = next(word for line in server.lines for word in line.split() if word.startswith("ws://"))
    alice = start("events", url, "room1", "--text", "--name", "Alice", "--source", "test")
    alice.sees("joined")
    bob = start("events", url, "room1", "--text", "--name", "Bob", "--source", "test")
    alice.names("Bob")
    bob.names("Alice")
    bob.type("Can you hear me?")
    alice.sees("Bob: Can you hear me?")
    alice.type("//slash")
    bob.sees("Alice: /slash")
    bob.type("/mute")
    bob.sees("your microphone is off")
    alice.sees("Bob is muted")
    alice.type("/who")
    alice.sees("Bob (muted)")
    alice.sees("Alice (you)")
    alice.type("/react thumbs_up")
    bob.sees("Alice reacts: thumbs up 👍")
    alice.type("/nonsense")
    block_until(lambda: any("there is no /nonsense" in line for line in alice.lines), "help", _PATIENCE)
    bob.type("/leave")
    alice.sees("Bob left")
    assert bob.process.wait(_PATIENCE) == 0
