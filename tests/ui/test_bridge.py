"""The bridge alone: what it promises to the core's thread and to the screen's."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import pytest
from textual.message_pump import MessagePump

from tests.ui.room import OPTIONS, TRUECOLOR
from tests.ui.scripted import AT, ROOM, Script, callback, joined
from tests.waiting import DEADLINE, Clock, until
from tui import bridge as module
from tui.bridge import Bridge
from tui.core.events import (
    Announced,
    CallState,
    CallStateChanged,
    ChatMessage,
    ModeratorRequest,
    Notice,
    Participant,
    Reaction,
    RetryPlanned,
    RosterChanged,
    ShareState,
    SharingChanged,
    Wish,
)
from tui.digest import LINES
from tui.errors import RefusedError
from tui.media.board import Board
from tui.session import MutedSpeech
from tui.updates import Retry, Share

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from textual.message import Message

    from tui.updates import LogLine

    Make: TypeAlias = "Callable[..., tuple[Bridge, Target]]"


class Target(MessagePump):
    """Counts what is posted and reads nothing, like an app whose terminal is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.posted: list[Message] = []

    def post_message(self, message: Message) -> bool:
        self.posted.append(message)
        return True


def _more_than(script: Script, sessions: int) -> bool:
    return len(script.sessions) > sessions


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    bridges: list[Bridge] = []

    def bridge(script: Script, clock: Clock | None = None) -> tuple[Bridge, Target]:
        target = Target()
        bridges.append(Bridge(target, script, Board(TRUECOLOR), clock=clock or Clock(AT)))
        bridges[-1].start()
        return bridges[-1], target

    yield bridge
    for one in bridges:
        await one.aclose()


async def test_ten_thousand_callbacks_cost_one_message_and_bounded_memory(make: Make) -> None:
    script = Script([CallStateChanged(CallState.JOINED)])
    bridge, target = make(script)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    bridge.take()
    target.posted.clear()
    spent: list[float] = []

    def burst() -> None:
        began = time.thread_time()
        for number in range(10_000):
            script.sessions[0].emit(callback("broadcastObject", {"number": number, "text": "x" * 300}))
        spent.append(time.thread_time() - began)

    script.sessions[0].loop.call_soon_threadsafe(burst)
    await until(lambda: spent, timeout=20)
    update = bridge.take()
    assert len(target.posted) == 1
    assert len(update.lines) == LINES
    assert update.dropped == 10_000 - LINES
    assert "number=9999" in update.lines[-1].payload
    assert spent[0] < 5


async def test_strings_are_clean_and_secrets_blank(make: Make) -> None:
    script = Script(
        [
            CallStateChanged(CallState.JOINED, "fine\x1b[2J", "\x9bhint"),
            RosterChanged((Participant("\x1bid", "na\x1bme"),)),
            callback("in\x1bfo", {"token": "secret", "text": "\x1b]0;x\x07"}),
        ]
    )
    bridge, _ = make(script)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    await asyncio.sleep(0.1)
    update = bridge.take()
    assert len(update.lines) == 2
    person = update.view.people[0]
    texts = [update.view.reason, update.view.hint, person.name, person.stream_id]
    texts += [text for line in update.lines for text in (line.info, line.payload)]
    assert all(text.isprintable() for text in texts)
    assert "secret" not in "".join(texts)
    assert person.key == "\x1bid"


async def test_every_join_has_its_own_session_and_the_old_one_is_silent(make: Make) -> None:
    script = Script()
    bridge, _ = make(script)
    for _ in range(3):
        before = len(script.sessions)
        bridge.join(OPTIONS)
        await until(partial(_more_than, script, before))
        await until(lambda: bridge.state is CallState.JOINED)
    assert [one.closed for one in script.sessions] == [1, 1, 0]
    script.sessions[0].say(CallStateChanged(CallState.FAILED, "from the past"))
    await asyncio.sleep(0.05)
    assert bridge.state is CallState.JOINED
    bridge.leave()
    await until(lambda: bridge.state is CallState.IDLE)
    assert script.sessions[2].closed == 1
    assert bridge.take().view.people == ()


async def test_a_join_that_hangs_can_be_given_up(make: Make) -> None:
    script = Script(join_hangs=True)
    bridge, _ = make(script)
    bridge.join(OPTIONS)
    await until(lambda: script.sessions)
    bridge.leave()
    await until(lambda: bridge.state is CallState.IDLE)
    assert script.sessions[0].closed == 1


async def test_a_refusal_is_a_state_with_reason_and_hint(make: Make) -> None:
    bridge, target = make(Script(error=RefusedError("The token is wrong.", "Ask for a new one.")))
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.FAILED)
    view = bridge.take().view
    assert (view.reason, view.hint) == ("The token is wrong.", "Ask for a new one.")
    assert not any(isinstance(message, Bridge.Failed) for message in target.posted)


async def test_a_call_that_failed_gives_its_devices_back(make: Make) -> None:
    script = Script([*joined(), CallStateChanged(CallState.FAILED, "gone for good")])
    bridge, _ = make(script)
    bridge.join(OPTIONS)
    await until(lambda: script.sessions and script.sessions[0].closed)
    assert bridge.state is CallState.FAILED
    script.error = RefusedError("No.")
    bridge.join(OPTIONS)
    await until(lambda: len(script.sessions) == 2 and script.sessions[1].closed)
    assert [one.closed for one in script.sessions] == [1, 1]


async def test_devices_are_given_back_although_leaving_hangs(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAVE_LIMIT", 0.05)
    script = Script(leave_hangs=True)
    bridge, _ = make(script)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    bridge.leave()
    await until(lambda: bridge.state is CallState.IDLE)
    assert script.sessions[0].closed == 1


async def test_a_defect_in_the_core_is_told(make: Make) -> None:
    bridge, target = make(Script(error=ValueError("defect")))
    bridge.join(OPTIONS)
    await until(lambda: any(isinstance(message, Bridge.Failed) for message in target.posted))
    assert isinstance(bridge.failure, ValueError)


async def test_an_error_nobody_awaited_is_told(make: Make) -> None:
    script = Script()
    bridge, target = make(script)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    script.sessions[0].fail(OSError("the network is gone"))
    await until(lambda: "stray error" in [line.info for line in bridge.take().lines])
    assert bridge.failure is None
    script.sessions[0].fail(ValueError("defect"))
    await until(lambda: any(isinstance(message, Bridge.Failed) for message in target.posted))


async def test_closing_has_a_deadline_and_may_be_repeated(make: Make) -> None:
    script = Script(leave_hangs=True)
    bridge, _ = make(script)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    async with asyncio.timeout(DEADLINE):
        await bridge.aclose()
        await bridge.aclose()
    bridge.join(OPTIONS)
    assert len(script.sessions) == 1


async def test_requests_reach_the_session(make: Make) -> None:
    script = Script(joined(ROOM))
    bridge, _ = make(script)
    bridge.set_microphone(False)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    bridge.set_microphone(False)
    bridge.set_camera(False)
    bridge.set_deafened(True)
    await until(lambda: script.sessions[0].sound.deafened)
    view = bridge.take().view
    assert (view.microphone, view.camera, view.deafened) == (False, False, True)


async def test_volumes_devices_and_held_keys_reach_the_session(make: Make) -> None:
    script = Script(joined())
    bridge, _ = make(script)
    # Before a room: kept for it.
    bridge.set_volume(0.5)
    bridge.set_voice("streambob", 0.3, True)
    bridge.use_speaker("Headset")
    bridge.speak_while_held(1.0)
    assert bridge.sound_report() is None
    assert bridge.take().view.volume == 0.5
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    session = script.sessions[0]
    assert (session.sound.volume, session.voices, session.sound.output) == (
        0.5,
        {"streambob": (0.3, True)},
        "Built-in Audio",
    )
    people = {person.key: (person.volume, person.silenced) for person in bridge.take().view.people}
    assert people == {
        "streamalice": (1, False),
        "streambob": (0.3, True),
        "streamcarol": (1, False),
        "streamdave": (1, False),
    }
    assert bridge.sound_report() is script.report
    bridge.use_speaker("Headset")
    bridge.use_microphone("Yeti")
    bridge.speak_while_held(2.0)
    await until(lambda: (session.sound.output, session.sound.microphone, session.held) == ("Headset", "Yeti", [2.0]))
    assert (bridge.take().view.output, bridge.take().view.input) == ("Headset", "Yeti")


async def test_ten_steps_of_the_volume_are_no_lines_of_the_log(make: Make) -> None:
    script = Script(joined())
    bridge, _ = make(script)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    lines = list(bridge.take().lines)
    for step in range(10):
        bridge.set_volume(step / 10)
    bridge.set_deafened(True)
    await until(lambda: script.sessions[0].sound.deafened)
    lines += bridge.take().lines
    assert [line.payload for line in lines if line.info == "sound"] == ["Built-in Audio", "deafened"]


async def test_a_reminder_comes_every_ten_seconds_at_most(make: Make) -> None:
    script = Script(joined())
    clock = Clock(AT)
    bridge, _ = make(script, clock)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    told: list[LogLine] = []

    def said(second: str) -> bool:
        told.extend(bridge.take().lines)
        return told[-1].info == second

    for second in range(25):
        clock.now = AT + second
        script.sessions[0].say(MutedSpeech(), callback(f"second {second}"))
        await until(partial(said, f"second {second}"))
    assert [line.at - AT for line in told if "muted but talking" in line.payload] == [0, 10, 20]
    assert bridge.take().view.muted_speech == AT + 20


async def test_what_is_said_in_the_room_passes_without_harm(make: Make) -> None:
    """Its data-channel messages are lines of the log; the events themselves are for a chat to show."""
    script = Script(joined())
    bridge, target = make(script)
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    script.sessions[0].say(
        ChatMessage(1, "bob", "Bob", "\x1b[2Jhi", AT),
        Reaction("bob", "Bob", "thumbs_up"),
        ModeratorRequest(1, Wish.MICROPHONE_OFF, "bob", "Bob"),
        Announced(Notice.HAND_RAISED, "viewer", "Vera"),
        callback("data_received", {"streamId": "room1", "data": "last"}),
    )
    lines: list[str] = []

    def last_line() -> bool:
        lines.extend(line.payload for line in bridge.take().lines)
        return any("last" in line for line in lines)

    await until(last_line)
    assert not any(isinstance(message, Bridge.Failed) for message in target.posted)


async def test_a_shared_screen_and_the_next_try_pass_clean(make: Make) -> None:
    script = Script(joined())
    bridge, _ = make(script)
    bridge.share("test")
    bridge.join(OPTIONS)
    await until(lambda: bridge.state is CallState.JOINED)
    bridge.share("screen::0")
    await until(lambda: bridge.take().view.share == Share(ShareState.ON, "screen::0"))
    assert script.sessions[0].shared == ["screen::0"]
    bridge.stop_sharing()
    await until(lambda: bridge.take().view.share == Share())
    script.sessions[0].say(
        SharingChanged(ShareState.OFF, "\x1b[2J", "re\x1bfused", "hint"),
        CallStateChanged(CallState.RECONNECTING, "gone"),
        RetryPlanned(2, AT + 5, "re\x1bfused"),
    )
    await until(lambda: bridge.take().view.retry)
    view = bridge.take().view
    assert view.retry == Retry(2, AT + 5, "re\N{REPLACEMENT CHARACTER}fused")
    assert (view.share.source, view.share.reason) == (
        "\N{REPLACEMENT CHARACTER}[2J",
        "re\N{REPLACEMENT CHARACTER}fused",
    )
    bridge.retry()
    await until(lambda: script.sessions[0].retries == 1)
    script.sessions[0].say(CallStateChanged(CallState.JOINED))
    await until(lambda: bridge.state is CallState.JOINED)
    assert bridge.take().view.retry is None
    bridge.leave()
    await until(lambda: bridge.state is CallState.IDLE)
    assert bridge.take().view.share == Share()
