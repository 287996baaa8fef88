"""From one person's mouth to another's ear: a tone that one client publishes is what another one plays."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.pseudo_terminal import PseudoTerminal
from tests.sound import SoundServer, loudest_frequency, missing, private_pulseaudio
from tui.core.conference import Conference
from tui.core.events import CallState
from tui.media.generated import TestTone
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

pytestmark = [pytest.mark.pty, pytest.mark.sound, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture
def sound_server() -> Iterator[SoundServer]:
    # Not pytest's own folder: a socket's path must be short.
    with tempfile.TemporaryDirectory() as folder, private_pulseaudio(Path(folder)) as server:
        yield server


def first_sound(server: SoundServer) -> NDArray[np.float64]:
    """The first second without a gap, of thirty at most."""
    with server.recording() as recording:
        for _ in range(30):
            sound = recording.read(1.0)
            if np.abs(sound).reshape(-1, 480).max(axis=1).min(initial=1.0) > 0.05:
                return sound
    pytest.fail("no second of unbroken sound")


async def test_a_tone_is_heard_at_the_other_end(sound_server: SoundServer) -> None:
    async with RoomServer() as server:
        speaker = Conference(server.url, "room1", "speaker", lambda event: None, audio=TestTone(660.0))
        await speaker.join()
        assert speaker.state is CallState.JOINED
        command = [sys.executable, "-m", "tui", "join", server.url, "room1", "--play-only"]
        with PseudoTerminal(command, environment=sound_server.environment) as listener:
            sound = await asyncio.to_thread(first_sound, sound_server)
            assert loudest_frequency(sound) == pytest.approx(660.0, abs=2.0)
            listener.press("d")
            await asyncio.to_thread(listener.shows, "deafened")
            listener.press("q")
            assert await asyncio.to_thread(listener.exit_code) == 0
        await speaker.aclose()
