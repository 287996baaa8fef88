"""What other programs write is put together frame by frame, as they meant it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.benchmarks.anchors import MODES, PROGRAMS, Stage
from tests.benchmarks.clips import Clip
from tui.media.cells import Size

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = ((200, 30, 30), (30, 160, 30), (40, 40, 220), (40, 40, 220), (40, 40, 220), (230, 230, 60), (20, 20, 20))
"""Two frames are the same: some write nothing of the second."""
STILLS = (1, 2, 3, 5)
SIZE = Size(20, 6)


def clip() -> Clip:
    """Each frame has its colour on the left and the next one's on the right, the lower edge is white."""
    frames = []
    for left, right in zip(COLOURS, (*COLOURS[1:], COLOURS[0]), strict=True):
        pixels = np.empty((96, 160, 3), np.uint8)
        pixels[:, :80], pixels[:, 80:], pixels[80:] = left, right, (235, 235, 235)
        frames.append(av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p"))
    return Clip("colours", frames)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_still_is_the_frame_it_should_be(program: str, tmp_path: Path) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    stage = Stage(clip(), SIZE, STILLS, tmp_path)
    modes = [mode for mode in MODES if mode.program == program and mode.colours == "24 bit" and mode.name != "ascii"]
    shown = stage.play(modes[0], 1)
    assert shown is not None
    assert len(shown.stills) == len(STILLS)
    assert shown.sizes[0] > 0
    for number, samples in zip(STILLS, shown.stills, strict=True):
        assert samples.shape == (48, 80, 3)
        # In the middle of each part: some blur its edges, and none has quite the same colours.
        assert np.abs(samples[4:32, 4:36].mean(axis=(0, 1)) - COLOURS[number]).max() < 12
        assert np.abs(samples[4:32, 44:76].mean(axis=(0, 1)) - COLOURS[(number + 1) % len(COLOURS)]).max() < 12
        assert samples[44:].mean() > 215
