"""The preview before a call: what is opened for it, what is said when that fails, and that all is given back."""

from __future__ import annotations

import asyncio
import errno
import threading
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.media.fake_sounddevice import install
from tests.waiting import named_tasks, until
from tui.config import JoinOptions
from tui.media import preview as module
from tui.media.board import LOCAL, Board
from tui.media.capture import Grab
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.preview import Preview
from tui.media.trial import MicrophoneTrial

if TYPE_CHECKING:
    from av.container import InputContainer

    from tests.media.fake_sounddevice import FakeSoundDevice

OPTIONS = JoinOptions(camera="/dev/video7")


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    fake = install(monkeypatch)
    fake.plug("Headset", inputs=1)
    return fake


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> list[InputContainer]:
    """A camera for everybody who asks; what was opened."""
    opened: list[InputContainer] = []

    def grab(_: Grab) -> InputContainer:
        opened.append(av.open("testsrc2=size=320x180:rate=30,realtime", format="lavfi"))
        return opened[-1]

    monkeypatch.setattr(Grab, "open", grab)
    return opened


@pytest.fixture
def board() -> Board:
    board = Board(Look(Glyphs.HALF, Depth.TRUECOLOR))
    board.want({LOCAL: Size(20, 8)})
    return board


def capturing() -> bool:
    return any(thread.name == "capture" for thread in threading.enumerate())


async def test_the_own_picture_moves_and_the_microphone_is_measured(
    sound: FakeSoundDevice, cameras: list[InputContainer], board: Board
) -> None:
    board.mirrored = False
    preview = Preview(board)
    assert await preview.open(OPTIONS) == []
    assert (preview.shows, board.mirrored, len(cameras)) == (True, True, 1)
    first = await until(lambda: board.frame(LOCAL))
    await until(lambda: board.frame(LOCAL) is not first)
    sound.streams[0].record(np.full(480, 0.125, dtype=np.float32))
    assert preview.level > 0.1
    assert preview.verdict == "sound, peak -18 dBFS"
    await preview.aclose()
    assert not capturing(), "the camera is free for the call at once"
    assert sound.streams[0].closed
    assert (board.frame(LOCAL), preview.level, preview.shows) == (None, 0.0, False)
    assert named_tasks() == []
    await preview.aclose()


@pytest.mark.parametrize(
    ("options", "pictures", "sounds"),
    [
        (JoinOptions(play_only=True), False, 0),
        (JoinOptions(video=False), False, 1),
        (JoinOptions(audio=False, camera="test"), True, 0),
        (JoinOptions(camera="test", microphone="silence"), True, 0),
        (JoinOptions(camera="test", microphone="test"), True, 0),
        (JoinOptions(source="test"), True, 0),
    ],
)
async def test_only_what_would_be_sent_is_opened(
    sound: FakeSoundDevice, board: Board, options: JoinOptions, pictures: bool, sounds: int
) -> None:
    preview = Preview(board)
    try:
        assert await preview.open(options) == []
        assert (preview.shows, len(sound.streams)) == (pictures, sounds)
    finally:
        await preview.aclose()


async def test_a_device_that_cannot_be_opened_is_said_and_the_other_is_tried(
    monkeypatch: pytest.MonkeyPatch, board: Board
) -> None:
    install(monkeypatch)

    def busy(_: Grab) -> InputContainer:
        raise av.OSError(errno.EBUSY, "busy")

    monkeypatch.setattr(Grab, "open", busy)
    preview = Preview(board)
    faults = await preview.open(OPTIONS)
    assert "camera /dev/video7 is in use by another program" in faults[0]
    assert "microphone" in faults[1]
    assert (preview.shows, preview.verdict) == (False, "")
    await preview.aclose()


async def test_what_is_being_opened_is_given_back_too(
    sound: FakeSoundDevice, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_open = threading.Event()

    def slow(_: Grab) -> InputContainer:
        may_open.wait(10)
        return av.open("testsrc2=size=320x180:rate=30,realtime", format="lavfi")

    monkeypatch.setattr(Grab, "open", slow)
    preview = Preview(board)
    opening = asyncio.create_task(preview.open(OPTIONS))
    await asyncio.sleep(0)
    closing = asyncio.create_task(preview.aclose())
    await asyncio.sleep(0)
    may_open.set()
    await asyncio.gather(opening, closing)
    await until(lambda: not capturing())
    assert sound.streams == [], "nothing more is opened"
    assert not preview.shows


async def test_a_device_that_hangs_does_not_hold_up_the_call(
    sound: FakeSoundDevice, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(module, "RELEASE_LIMIT", 0.1)
    preview = Preview(board)
    await preview.open(JoinOptions(video=False))
    monkeypatch.setattr(MicrophoneTrial, "close", lambda trial: hangs.wait(10))
    await asyncio.wait_for(preview.aclose(), 5)
    hangs.set()
