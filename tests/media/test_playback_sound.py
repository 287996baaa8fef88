"""Playback on a real sound server: what a voice says is what the server plays, through loss and return."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.sound import SoundServer, loudest_frequency, missing, private_pulseaudio, unbroken_second

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

pytestmark = [pytest.mark.sound, pytest.mark.skipif(bool(missing()), reason=missing())]


@pytest.fixture
def server() -> Iterator[SoundServer]:
    # Not pytest's own folder: a socket's path must be short.
    with tempfile.TemporaryDirectory() as folder, private_pulseaudio(Path(folder)) as server:
        yield server


@contextlib.contextmanager
def player(server: SoundServer) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.media.player"],
        cwd=Path(__file__).parents[2],
        env=server.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
        assert process.communicate()[0].splitlines()[-1] == "closed"
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def heard(server: SoundServer) -> NDArray[np.float64]:
    """The first second of sound that has no gap, of thirty at most."""
    with server.recording() as recording:
        for _ in range(30):
            sound = recording.read(1.0)
            if np.abs(sound).reshape(-1, 480).max(axis=1).min(initial=1.0) > 0.4:
                return sound
    pytest.fail("no second of unbroken sound")


def test_a_voice_is_heard_at_its_pitch_and_level(server: SoundServer) -> None:
    with player(server) as process:
        assert next_line(process).startswith("on ")
        sound = heard(server)
        assert loudest_frequency(sound) == pytest.approx(440, abs=1)
        # The usual peak: where a busy machine made one packet late, the joint may be higher.
        peaks = np.abs(sound).reshape(-1, 480).max(axis=1)
        assert np.median(peaks) == pytest.approx(0.5, rel=0.02)


def test_a_killed_server_is_noticed_and_taken_back(server: SoundServer) -> None:
    with player(server) as process:
        assert next_line(process).startswith("on ")
        heard(server)
        server.kill()
        assert next_line(process).startswith("off No sound device here")
        server.start()
        assert next_line(process).startswith("on ")
        assert loudest_frequency(heard(server)) == pytest.approx(440, abs=1)


def test_without_a_server_one_line_says_what_to_do(server: SoundServer) -> None:
    server.kill()
    with player(server) as process:
        assert next_line(process).startswith("off No sound device here")


def test_a_server_that_hangs_is_noticed_and_its_successor_is_taken(server: SoundServer) -> None:
    with player(server) as process:
        assert next_line(process).startswith("on ")
        heard(server)
        server.freeze()
        assert next_line(process).startswith("off ")
        server.kill()
        server.start()
        assert next_line(process).startswith("on ")
        assert loudest_frequency(heard(server)) == pytest.approx(440, abs=1)


def test_the_program_ends_though_the_server_hangs(server: SoundServer) -> None:
    with player(server) as process:
        assert next_line(process).startswith("on ")
        server.freeze()
        # Its end is asserted where the player's input closes.


def test_another_default_output_is_followed_and_said(server: SoundServer) -> None:
    with player(server) as process:
        assert next_line(process) == "on Null Output"
        properties = "sink_properties=device.description=Phones"
        server.ask("load-module", "module-null-sink", "sink_name=phones", "norewinds=1", properties)
        server.ask("set-default-sink", "phones")
        assert next_line(process) == "on Phones"
        with server.recording("phones") as recording:
            assert loudest_frequency(unbroken_second(recording)) == pytest.approx(440, abs=1)
