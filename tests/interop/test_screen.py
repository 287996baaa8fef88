"""A real X display is published: its pixels arrive as they were drawn."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
from av import VideoFrame

from tests.core.peers import BLUE, GREEN, RED, collect_tracks, negotiate, new_connection
from tests.waiting import until
from tui.config import JoinOptions
from tui.core.aiortc_internals import encode_video
from tui.core.peer import LentTrack
from tui.media import capture
from tui.media.pictures import SolidColour
from tui.media.sources import open_picture, open_sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiortc import MediaStreamTrack
    from numpy.typing import NDArray

    from tui.media.tracks import VideoTrack

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not (shutil.which("Xvfb") and shutil.which("xsetroot")), reason="needs xvfb, x11-xserver-utils"),
]

WIDTH, HEIGHT = 640, 480
TILE = 32


class Display:
    """An X server without a screen."""

    def __init__(self) -> None:
        self.name = ""
        self.start()

    def start(self) -> None:
        reading, writing = os.pipe()
        wanted = [self.name] if self.name else []
        self._server = subprocess.Popen(
            [
                "Xvfb",
                *wanted,
                "-displayfd",
                str(writing),
                "-screen",
                "0",
                f"{WIDTH}x{HEIGHT}x24",
                "-nolisten",
                "tcp",
                "-noreset",
            ],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            self.name = f":{told.readline().strip()}"

    def draw(self, *arguments: str) -> None:
        subprocess.run(["xsetroot", "-display", self.name, *arguments], check=True)

    def tiles(self, folder: Path) -> None:
        """Squares, red above left and below right, blue elsewhere, all over."""
        half = TILE // 2
        rows = [[0xFF] * (half // 8) + [0] * (half // 8)] * half + [[0] * (half // 8) + [0xFF] * (half // 8)] * half
        octets = ", ".join(f"0x{octet:02x}" for row in rows for octet in row)
        path = folder / "tiles.xbm"
        path.write_text(f"#define t_width {TILE}\n#define t_height {TILE}\nstatic char t_bits[] = {{\n{octets}}};\n")
        self.draw("-bitmap", str(path), "-fg", "#e01010", "-bg", "#1010e0")

    def stop(self) -> None:
        self._server.terminate()
        self._server.wait()


@pytest.fixture
def display() -> Iterator[Display]:
    display = Display()
    yield display
    display.stop()


async def shows(track: MediaStreamTrack, colour: tuple[int, int, int], frames: int = 60) -> bool:
    """Whether one of the next pictures is of that colour, away from the pointer in the middle."""
    for _ in range(frames):
        frame = await track.recv()
        assert isinstance(frame, VideoFrame)
        corner = frame.to_ndarray(format="rgb24")[40, 40].astype(int)
        if np.abs(corner - np.array(colour)).max() < 30:
            return True
    return False


def pixels(track: VideoTrack) -> NDArray[np.int16]:
    return track.picture(0.0).to_ndarray(format="rgb24").astype(np.int16)


async def test_what_is_captured_is_what_was_drawn(display: Display, tmp_path: Path) -> None:
    display.tiles(tmp_path)
    screen = await open_picture(f"screen:{display.name}", JoinOptions(video_size=(WIDTH, HEIGHT)))
    try:
        await until(lambda: pixels(screen).max() > 100)
        seen = pixels(screen)
        assert seen.shape == (HEIGHT, WIDTH, 3)
        down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
        is_red = (down % TILE < TILE // 2) == (across % TILE < TILE // 2)
        drawn = np.where(is_red[..., None], (0xE0, 0x10, 0x10), (0x10, 0x10, 0xE0))
        wrong = np.abs(seen - drawn).max(axis=2) > 40
        # The pointer in the middle is all that differs, and colour at the edges, which has half the resolution.
        assert wrong.mean() < 0.005
        display.draw("-solid", "#10c010")
        await until(lambda: abs(pixels(screen)[100, 100] - (0x10, 0xC0, 0x10)).max() < 30)
    finally:
        screen.stop()


async def test_a_screen_is_shown_to_others_and_exchanged_for_a_camera_and_back(display: Display) -> None:
    display.draw("-solid", "#{:02x}{:02x}{:02x}".format(*GREEN))
    options = JoinOptions(source=f"screen:{display.name}", audio=False)
    own = (await open_sources(options)).video
    assert own is not None
    near, far = new_connection(), new_connection()
    tracks = collect_tracks(far)
    try:
        sender = near.addTransceiver(LentTrack(own), "sendonly").sender
        encode_video(sender, own.video_encoder)
        await negotiate(near, far)
        assert await shows(tracks[0], GREEN)
        own.switch(SolidColour(BLUE))
        assert await shows(tracks[0], BLUE)
        own.switch(await open_picture(options.source, options))
        assert await shows(tracks[0], GREEN)
    finally:
        own.stop()
        await near.close()
        await far.close()


async def test_a_display_that_goes_away_is_black_until_it_is_back(
    display: Display, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_RETRY_SECONDS", 0.1)
    display.draw("-solid", "#{:02x}{:02x}{:02x}".format(*RED))
    told: list[str] = []
    screen = await open_picture(f"screen:{display.name}", JoinOptions(), told.append)
    try:
        await until(lambda: pixels(screen).max() > 100)
        display.stop()
        await until(lambda: pixels(screen).max() <= 2)
        assert "is lost" in told[0]
        display.start()
        display.draw("-solid", "#{:02x}{:02x}{:02x}".format(*RED))
        await until(lambda: pixels(screen).max() > 100)
        assert "is back" in told[1]
    finally:
        screen.stop()
