"""From one person's mouth to another's ear: a tone that one client publishes is what another one plays."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pseudo_terminal import PseudoTerminal
from tests.sound import SoundServer, gaps, loudest_frequency, missing, private_pulseaudio, unbroken_second
from tui.core.conference import Conference
from tui.core.events import CallState
from tui.media.generated import TestTone
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import numpy as np
    from numpy.typing import NDArray

pytestmark = [pytest.mark.pty, pytest.mark.sound, pytest.mark.skipif(bool(missing()), reason=missing())]

_BUSY = 0.2
"""Seconds of a gap that a machine with other work may make; whoever waits for a terminal is silent for longer."""


@pytest.fixture
def sound_server() -> Iterator[SoundServer]:
    # Not pytest's own folder: a socket's path must be short.
    with tempfile.TemporaryDirectory() as folder, private_pulseaudio(Path(folder)) as server:
        yield server


def first_sound(server: SoundServer) -> NDArray[np.float64]:
    with server.recording() as recording:
        return unbroken_second(recording)


@contextlib.asynccontextmanager
async def room(pitch: float = 660.0) -> AsyncIterator[str]:
    """A room in which somebody hums; its address."""
    async with RoomServer() as server:
        tone = TestTone(pitch)
        speaker = Conference(server.url, "room1", "speaker", lambda event: None, audio=tone)
        await speaker.join()
        assert speaker.state is CallState.JOINED
        yield server.url
        await speaker.aclose()
        tone.stop()


def listener(url: str, sound_server: SoundServer, *options: str) -> PseudoTerminal:
    command = [sys.executable, "-m", "tui", "join", url, "room1", "--no-video", *options]
    return PseudoTerminal(command, environment=sound_server.environment)


def sound_of(server: SoundServer, seconds: float) -> NDArray[np.float64]:
    """So much sound, from the first second without a gap on."""
    with server.recording() as recording:
        unbroken_second(recording)
        return recording.read(seconds)


async def leave(terminal: PseudoTerminal) -> None:
    terminal.press("q")
    assert await asyncio.to_thread(terminal.exit_code) == 0


async def test_a_tone_is_heard_at_the_other_end(sound_server: SoundServer) -> None:
    async with room() as url:
        with listener(url, sound_server, "--play-only") as terminal:
            sound = await asyncio.to_thread(first_sound, sound_server)
            assert loudest_frequency(sound) == pytest.approx(660.0, abs=2.0)
            terminal.press("d")
            await asyncio.to_thread(terminal.shows, "deafened")
            await leave(terminal)


async def test_no_output_on_purpose_plays_nothing_and_needs_no_advice(sound_server: SoundServer) -> None:
    async with room() as url:
        with listener(url, sound_server, "--play-only", "--speaker", "none") as terminal:
            await asyncio.to_thread(terminal.shows, "speaker")
            with sound_server.recording() as recording:
                sound = await asyncio.to_thread(recording.read, 2.0)
            assert not sound.any()
            assert "No sound device" not in terminal.text
            await leave(terminal)


@pytest.mark.interop
async def test_ten_seconds_are_not_interrupted(sound_server: SoundServer) -> None:
    async with room() as url:
        with listener(url, sound_server, "--play-only") as terminal:
            sound = await asyncio.to_thread(sound_of, sound_server, 10.0)
            assert loudest_frequency(sound) == pytest.approx(660.0, abs=1.0)
            assert gaps(sound, _BUSY) == 0
            await leave(terminal)


@pytest.mark.interop
async def test_a_terminal_that_is_not_read_for_twenty_seconds_does_not_stop_it(sound_server: SoundServer) -> None:
    async with room() as url:
        with listener(url, sound_server, "--play-only") as terminal:
            await asyncio.to_thread(first_sound, sound_server)
            await asyncio.to_thread(terminal.shows, "speaker")
            terminal.reading.clear()
            # Something to write all the time, more than a terminal holds.
            for _ in range(200):
                terminal.press("\t")
            sound = await asyncio.to_thread(sound_of, sound_server, 20.0)
            terminal.reading.set()
            assert loudest_frequency(sound) == pytest.approx(660.0, abs=1.0)
            assert gaps(sound, _BUSY) == 0
            await leave(terminal)


@pytest.mark.interop
async def test_a_sound_server_that_dies_comes_back_with_the_same_mute(sound_server: SoundServer) -> None:
    async with room() as url:
        with listener(url, sound_server) as terminal:
            await asyncio.to_thread(first_sound, sound_server)
            terminal.press("m")
            await asyncio.to_thread(terminal.shows, "muted")
            sound_server.kill()
            await asyncio.to_thread(terminal.shows, "No sound device")
            sound_server.start()
            sound = await asyncio.to_thread(first_sound, sound_server)
            assert loudest_frequency(sound) == pytest.approx(660.0, abs=2.0)
            assert "muted" in terminal.text
            await leave(terminal)
