"""The clips of the picture benchmark are the same every time, and arrive in the files as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.benchmarks import likeness
from tests.benchmarks.clips import CLIPS, Clip
from tests.benchmarks.rebuilt import missing
from tui.media.cells import Size

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 3


needs_font = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_font) if name == "screen" else name for name in CLIPS])
def test_a_clip_is_the_same_every_time_and_moves(name: str) -> None:
    first, second = (CLIPS[name](LENGTH) for _ in range(2))
    assert len(first.frames) == LENGTH
    for one, other in zip(first.frames, second.frames, strict=True):
        assert np.array_equal(one.to_ndarray(), other.to_ndarray())
    if name != "screen":  # which rests at first
        assert not np.array_equal(first.frames[0].to_ndarray(), first.frames[-1].to_ndarray())


@needs_font
def test_a_screen_scrolls_after_a_rest() -> None:
    frames = [frame.to_ndarray() for frame in CLIPS["screen"](30).frames]
    assert np.array_equal(frames[0], frames[23])
    assert not np.array_equal(frames[0], frames[24])


def test_every_shape_of_cells_is_filled_by_the_middle_of_the_clip() -> None:
    clip = CLIPS["motion"](1)
    assert clip.of(Size(80, 24)) is clip
    middle = clip.of(Size(120, 40))
    assert (middle.frames[0].width, middle.frames[0].height) == (576, 384)
    # A pixel at the edge takes its chroma from another neighbour.
    assert np.array_equal(middle.pixels(0)[:, 4:-4], clip.pixels(0)[:, 36:-36])
    assert clip.of(Size(80, 20)).frames[0].height == 320


def test_players_read_what_the_clip_holds(tmp_path: Path) -> None:
    clip = CLIPS["motion"](2)
    clip.write_y4m(tmp_path / "clip.y4m")
    clip.write_xwd(1, tmp_path / "1.xwd")
    with av.open(str(tmp_path / "clip.y4m")) as file:
        read = [frame.to_ndarray() for frame in file.decode(video=0)]
    assert all(np.array_equal(one, other.to_ndarray()) for one, other in zip(read, clip.frames, strict=True))
    with av.open(str(tmp_path / "1.xwd"), format="image2") as file:
        (dump,) = file.decode(video=0)
    assert np.array_equal(dump.to_ndarray(format="rgb24"), clip.pixels(1))


def test_pixels_are_those_of_the_picture() -> None:
    colour = np.full((16, 16, 3), (200, 100, 50), np.uint8)
    frame = av.VideoFrame.from_ndarray(colour, format="rgb24").reformat(format="yuv420p")
    shown = Clip("plain", [frame]).pixels(0)
    assert likeness.psnr(shown.astype(np.float32), colour.astype(np.float32)) > 40
