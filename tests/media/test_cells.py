"""Cells: colours, geometry and the palette, checked against the pixels they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tui.media.cells import (
    DEFAULT_COLOUR,
    CellGrid,
    Depth,
    Encoder,
    Glyphs,
    Look,
    Size,
    fitted,
    nearest_in_palette,
    palette,
    perceived,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRUECOLOR = Look(Glyphs.HALF, Depth.TRUECOLOR)


def frame_of(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")


def plain(rgb: tuple[int, int, int], width: int = 320, height: int = 180) -> av.VideoFrame:
    return frame_of(np.full((height, width, 3), rgb, dtype=np.uint8))


def channels(colours: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.stack([colours >> 16 & 255, colours >> 8 & 255, colours & 255], axis=-1)


def drawn(grid: CellGrid) -> NDArray[np.bool_]:
    """Where the picture is, by its glyphs."""
    return np.not_equal(grid.foreground, DEFAULT_COLOUR)


@pytest.mark.parametrize("rgb", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 160, 40)])
def test_a_plain_picture_has_its_colour_in_every_cell(rgb: tuple[int, int, int]) -> None:
    grid = Encoder(TRUECOLOR).encode(plain(rgb), Size(32, 9))
    assert grid.glyphs.shape == (9, 32)
    assert (grid.glyphs == "▀").all()
    assert np.abs(channels(grid.foreground) - rgb).max() <= 8
    assert (grid.foreground == grid.background).all()
    assert grid.foreground.dtype == np.int32
    assert len(np.unique(grid.foreground)) == 1


def test_upper_half_is_foreground_and_lower_half_is_background() -> None:
    pixels = np.zeros((160, 320, 3), dtype=np.uint8)
    for row in range(0, 160, 20):
        pixels[row : row + 10] = (255, 255, 255)
    grid = Encoder(TRUECOLOR).encode(frame_of(pixels), Size(32, 8))
    assert (channels(grid.foreground) >= 239).all()
    assert (channels(grid.background) <= 16).all()


def test_truecolor_keeps_five_bits_a_channel() -> None:
    ramp = np.repeat(np.arange(0, 256, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(144, axis=0)
    grid = Encoder(TRUECOLOR).encode(frame_of(ramp), Size(256, 72))
    assert len(np.unique(channels(grid.foreground))) <= 32


def test_the_same_picture_gives_the_same_cells() -> None:
    noise = frame_of(np.random.default_rng(1).integers(0, 256, (180, 320, 3), dtype=np.uint8))
    encoder = Encoder(TRUECOLOR)
    first, second = encoder.encode(noise, Size(40, 12)), encoder.encode(noise, Size(40, 12))
    assert (first.foreground == second.foreground).all()
    assert (first.background == second.background).all()


@pytest.mark.parametrize(
    ("width", "height", "size", "expected"),
    [
        (320, 180, Size(32, 9), (32, 9)),
        (320, 180, Size(32, 20), (32, 9)),
        (320, 180, Size(80, 9), (32, 9)),
        (640, 480, Size(80, 24), (64, 24)),
        (180, 320, Size(80, 16), (18, 16)),
        (4096, 2, Size(30, 10), (30, 1)),
        (1, 1, Size(30, 10), (20, 10)),
    ],
)
def test_pictures_keep_their_shape(width: int, height: int, size: Size, expected: tuple[int, int]) -> None:
    assert fitted(width, height, size) == expected


@pytest.mark.parametrize(("glyphs", "depth"), [(g, d) for g in Glyphs for d in Depth if d is not Depth.NONE])
def test_margins_are_empty_and_the_picture_is_centred(glyphs: Glyphs, depth: Depth) -> None:
    grid = Encoder(Look(glyphs, depth)).encode(plain((200, 200, 200)), Size(36, 13))
    inside = np.zeros((13, 36), dtype=bool)
    inside[1:11] = True
    assert (drawn(grid) == inside).all()
    assert (grid.glyphs[~inside] == " ").all()
    assert (grid.background[~inside] == DEFAULT_COLOUR).all()
    sides = Encoder(Look(glyphs, depth)).encode(plain((200, 200, 200)), Size(40, 9))
    assert np.flatnonzero(drawn(sides).any(axis=0)).tolist() == list(range(4, 36))


def test_mirror_swaps_left_and_right() -> None:
    pixels = np.zeros((180, 320, 3), dtype=np.uint8)
    pixels[:, :80] = (255, 0, 0)
    straight = Encoder(TRUECOLOR).encode(frame_of(pixels), Size(32, 9))
    mirrored = Encoder(TRUECOLOR).encode(frame_of(pixels), Size(32, 9), mirror=True)
    assert channels(straight.foreground)[4, 2, 0] > 230
    assert channels(straight.foreground)[4, -3, 0] < 20
    assert (mirrored.foreground == straight.foreground[:, ::-1]).all()
    assert (mirrored.background == straight.background[:, ::-1]).all()


def test_palette_is_xterms() -> None:
    colours = palette()
    assert colours.shape == (240, 3)
    assert colours[196 - 16].tolist() == [255, 0, 0]
    assert colours[67 - 16].tolist() == [95, 135, 175]
    assert colours[232 - 16].tolist() == [8, 8, 8]
    assert colours[255 - 16].tolist() == [238, 238, 238]


def test_palette_look_up_is_the_nearest_by_brute_force() -> None:
    steps = np.arange(0, 256, 51)
    picked = np.random.default_rng(2).integers(0, 32, (500, 3))
    exact = (picked * 255 // 31).astype(np.uint8)
    known = perceived(palette())
    distances = ((perceived(exact)[:, None, :] - known[None, :, :]) ** 2).sum(axis=2)
    chosen = nearest_in_palette(exact) - 16
    best = distances.min(axis=1)
    assert np.allclose(distances[np.arange(500), chosen], best, atol=1e-5)
    greys = np.repeat(steps[:, None], 3, axis=1).astype(np.uint8)
    spread = palette()[nearest_in_palette(greys) - 16]
    assert (spread.max(axis=1) - spread.min(axis=1) == 0).all()


def test_palette_pictures_use_the_fixed_colours_only() -> None:
    noise = frame_of(np.random.default_rng(3).integers(0, 256, (180, 320, 3), dtype=np.uint8))
    grid = Encoder(Look(Glyphs.HALF, Depth.PALETTE)).encode(noise, Size(32, 9))
    assert grid.depth is Depth.PALETTE
    assert 16 <= grid.foreground.min() <= grid.foreground.max() <= 255
    red = Encoder(Look(Glyphs.HALF, Depth.PALETTE)).encode(plain((255, 0, 0)), Size(32, 9))
    assert (red.foreground == 196).all()


def test_without_colours_half_blocks_show_light_and_dark() -> None:
    pixels = np.zeros((180, 320, 3), dtype=np.uint8)
    pixels[:90, :160] = 255
    pixels[90:, 160:] = 255
    encoder = Encoder(Look(Glyphs.HALF, Depth.NONE))
    grid = encoder.encode(frame_of(pixels), Size(32, 9))
    assert set(grid.glyphs[0, :15]) == {"█"}
    assert set(grid.glyphs[0, 17:]) == {" "}
    assert set(grid.glyphs[4, :15]) == {"▀"}
    assert set(grid.glyphs[4, 17:]) == {"▄"}
    assert (grid.foreground == DEFAULT_COLOUR).all()
    assert set(encoder.encode(plain((0, 0, 0)), Size(32, 9)).glyphs.flat) == {" "}
    assert set(encoder.encode(plain((255, 255, 255)), Size(32, 9)).glyphs.flat) == {"█"}


def test_ascii_is_a_ramp_of_brightness_and_nothing_but_ascii() -> None:
    ramp = np.repeat(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], 3, axis=2).repeat(180, axis=0)
    grid = Encoder(Look(Glyphs.ASCII, Depth.NONE)).encode(frame_of(ramp), Size(32, 9))
    order = [" .:-=+*#%@".index(glyph) for glyph in grid.glyphs[4]]
    assert order == sorted(order)
    assert order[0] == 0
    assert order[-1] == 9
    assert (grid.foreground == DEFAULT_COLOUR).all()
    coloured = Encoder(Look(Glyphs.ASCII, Depth.TRUECOLOR)).encode(plain((255, 0, 0)), Size(32, 9))
    assert set(coloured.foreground.flat) == {0xFF0000}
    assert (coloured.background == DEFAULT_COLOUR).all()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2000), (3, 5), (1000, 1), (4096, 2304)])
def test_odd_pictures_are_drawn(width: int, height: int) -> None:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (235, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    grid = Encoder(TRUECOLOR).encode(frame, Size(30, 10))
    assert set(grid.foreground[drawn(grid)]) == {0xFFFFFF}


def test_size_may_change_between_frames() -> None:
    encoder = Encoder(TRUECOLOR)
    for size in (Size(30, 10), Size(60, 20), Size(1, 1), Size(0, 5), Size(200, 50)):
        assert encoder.encode(plain((10, 200, 10)), size).glyphs.shape == (size.rows, size.columns)
