"""Cells: what the encoder draws, rebuilt as pixels and compared with the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tui.media.cells import DEFAULT_COLOUR, CellGrid, Crop, Depth, Encoder, Glyphs, Look, Size, fitted
from tui.media.colours import rgb
from tui.media.glyphs import HIGH, WIDE, fills, inked, two_coloured
from tui.media.pictures import PortraitVideo

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRUECOLOR = Look(Glyphs.BLOCK, Depth.TRUECOLOR)
COLOURED = [Look(glyphs, depth) for glyphs in Glyphs for depth in Depth if depth is not Depth.NONE]
UNCOLOURED = [Look(glyphs, Depth.NONE) for glyphs in Glyphs]


def exact(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")


def frame_of(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    return exact(pixels).reformat(format="yuv420p")


def plain(colour: tuple[int, int, int], width: int = 320, height: int = 180) -> av.VideoFrame:
    return frame_of(np.full((height, width, 3), colour, dtype=np.uint8))


def noise(width: int, height: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def rebuilt(grid: CellGrid) -> NDArray[np.float64]:
    """The cells as pixels, 4 x 8 a cell, in white ink on black where the terminal's own colours are."""
    rows, columns = grid.glyphs.shape
    share = fills(grid.glyphs).astype(np.float64)[..., None]
    foreground = rgb(grid.foreground, grid.depth, 0xFFFFFF)[:, :, None, :]
    background = rgb(grid.background, grid.depth)[:, :, None, :]
    parts = (share * foreground + (1 - share) * background).reshape(rows, columns, HIGH, WIDE, 3)
    return np.asarray(parts.transpose(0, 2, 1, 3, 4).reshape(rows * HIGH, columns * WIDE, 3), dtype=np.float64)


def reduced(pixels: NDArray[np.uint8], columns: int, rows: int) -> NDArray[np.float64]:
    """Area means of a picture whose sides are multiples of the cells' parts."""
    height, width = pixels.shape[0] // (rows * HIGH), pixels.shape[1] // (columns * WIDE)
    parts = pixels.astype(np.float64).reshape(rows * HIGH, height, columns * WIDE, width, 3)
    return np.asarray(parts.mean(axis=(1, 3)), dtype=np.float64)


def psnr(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.square(one - other).mean())))


def face(index: int = 1, at: float = 0.5, width: int = 640, height: int = 384) -> NDArray[np.uint8]:
    frame = PortraitVideo(index).picture(at)
    return frame.reformat(width, height, "rgb24", interpolation="BICUBIC").to_ndarray().astype(np.uint8)


def same(one: CellGrid, other: CellGrid) -> NDArray[np.bool_]:
    """Cell by cell."""
    glyphs: NDArray[np.bool_] = np.equal(one.glyphs, other.glyphs)
    colours: NDArray[np.bool_] = np.equal(one.foreground, other.foreground)
    colours &= np.equal(one.background, other.background)
    return np.logical_and(glyphs, colours)


def drawn(grid: CellGrid) -> NDArray[np.bool_]:
    """Where the picture is, if it has colours."""
    return np.not_equal(grid.background, DEFAULT_COLOUR)


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 160, 40)])
@pytest.mark.parametrize("glyphs", Glyphs)
def test_a_plain_picture_is_spaces_in_its_colour(glyphs: Glyphs, colour: tuple[int, int, int]) -> None:
    grid = Encoder(Look(glyphs, Depth.TRUECOLOR)).encode(plain(colour), Size(32, 9))
    assert grid.glyphs.shape == (9, 32)
    assert [grid.glyphs.dtype, grid.foreground.dtype, grid.background.dtype] == list(map(np.dtype, "Iii"))
    assert (grid.glyphs == ord(" ")).all()
    assert np.abs(rebuilt(grid) - colour).max() <= 4
    assert (grid.foreground == grid.background).all()


@pytest.mark.parametrize("glyphs", [glyphs for glyphs in Glyphs if glyphs is not Glyphs.ASCII])
def test_what_the_glyphs_can_draw_is_drawn_exactly(glyphs: Glyphs) -> None:
    code_points = two_coloured(glyphs).code_points[None, 1:]
    wanted = CellGrid(
        code_points, np.full(code_points.shape, 0xC85014), np.full(code_points.shape, 0x1E3CB4), Depth.TRUECOLOR
    )
    pixels = rebuilt(wanted)
    frame = exact(np.rint(pixels).astype(np.uint8))
    grid = Encoder(Look(glyphs, Depth.TRUECOLOR)).encode(frame, Size(code_points.shape[1], 1))
    assert np.abs(rebuilt(grid) - pixels).max() <= 3
    assert np.isin(grid.glyphs, two_coloured(glyphs).code_points).all()


@pytest.mark.parametrize("glyphs", [Glyphs.BLOCK, Glyphs.SEXTANT, Glyphs.OCTANT])
def test_no_other_glyph_and_colours_are_better(glyphs: Glyphs) -> None:
    pixels = noise(WIDE * 12, HIGH * 6) // 2 + 64
    grid = Encoder(Look(glyphs, Depth.TRUECOLOR)).encode(exact(pixels), Size(12, 6))
    cells = pixels.astype(np.float64).reshape(6, HIGH, 12, WIDE, 3).transpose(0, 2, 1, 3, 4).reshape(72, 32, 3)
    ours = rebuilt(grid).reshape(6, HIGH, 12, WIDE, 3).transpose(0, 2, 1, 3, 4).reshape(72, 32, 3)
    error = np.square(ours - cells).sum(axis=(1, 2))
    for fill in two_coloured(glyphs).fills[1:]:
        # Least squares of each cell's samples on this shape.
        ways = np.stack([fill, 1 - fill], axis=1).astype(np.float64)
        colours = np.linalg.pinv(ways) @ cells
        best = np.square(ways @ np.clip(colours, 0, 255) - cells).sum(axis=(1, 2))
        assert (error <= best * 1.001 + 32).all()


def test_colours_are_not_blurred_where_the_picture_is_hardly_larger_than_its_cells() -> None:
    halves = np.repeat(np.array([[200, 60, 60], [60, 60, 200]], dtype=np.uint8), HIGH * 3 // 4, axis=0)
    frame = exact(np.tile(halves[:, None], (8, 32 * WIDE * 3 // 2, 1)))
    grid = Encoder(TRUECOLOR).encode(frame.reformat(format="yuv420p", interpolation="AREA"), Size(32, 8))
    wanted = np.tile(np.repeat(halves[[0, -1]], HIGH // 2, axis=0)[:, None], (8, 32 * WIDE, 1))
    assert np.abs(rebuilt(grid) - wanted).max() <= 3


def test_a_face_is_close_to_the_picture() -> None:
    pixels = face()
    wanted = reduced(pixels, 80, 24)
    found = {
        glyphs: psnr(rebuilt(Encoder(Look(glyphs, Depth.TRUECOLOR)).encode(frame_of(pixels), Size(80, 24))), wanted)
        for glyphs in Glyphs
    }
    assert found[Glyphs.BLOCK] > 29
    assert found[Glyphs.BLOCK] > found[Glyphs.HALF] + 2
    assert found[Glyphs.HALF] > found[Glyphs.ASCII] + 1
    assert found[Glyphs.OCTANT] > found[Glyphs.SEXTANT] > found[Glyphs.BLOCK]


@pytest.mark.parametrize("index", range(4))
def test_a_face_in_few_colours_is_close_too(index: int) -> None:
    pixels = face(index)
    wanted = reduced(pixels, 80, 24)
    found = {
        depth: psnr(rebuilt(Encoder(Look(Glyphs.BLOCK, depth)).encode(frame_of(pixels), Size(80, 24))), wanted)
        for depth in (Depth.PALETTE, Depth.SIXTEEN)
    }
    assert found[Depth.PALETTE] > 23
    assert found[Depth.SIXTEEN] > 17


def test_numbers_of_colours_belong_to_the_depth() -> None:
    frame = frame_of(noise(320, 192))
    for glyphs in Glyphs:
        for depth, low, high in ((Depth.TRUECOLOR, 0, 0xFFFFFF), (Depth.PALETTE, 16, 255), (Depth.SIXTEEN, 0, 15)):
            grid = Encoder(Look(glyphs, depth)).encode(frame, Size(40, 12))
            assert grid.depth is depth
            for colours in (grid.foreground, grid.background):
                assert low <= colours.min() <= colours.max() <= high
    red = Encoder(Look(Glyphs.BLOCK, Depth.PALETTE)).encode(plain((255, 0, 0)), Size(32, 9))
    assert set(red.background.flat) == {196}


def test_a_colour_between_the_palettes_is_a_shade_of_two() -> None:
    grid = Encoder(Look(Glyphs.BLOCK, Depth.PALETTE)).encode(plain((245, 190, 40)), Size(32, 9))
    assert set(grid.glyphs.flat) <= set(map(ord, "░▒▓"))
    assert np.abs(rebuilt(grid) - (245, 190, 40)).max() < 20


@pytest.mark.parametrize("look", COLOURED + UNCOLOURED, ids=lambda look: f"{look.glyphs}-{look.depth}")
def test_the_same_picture_gives_the_same_cells(look: Look) -> None:
    frame = frame_of(noise(320, 192))
    encoder = Encoder(look)
    first, second = encoder.encode(frame, Size(40, 12)), encoder.encode(frame, Size(40, 12))
    assert same(first, second).all()
    assert same(first, Encoder(look).encode(frame, Size(40, 12))).all()
    # Another scene is begun anew.
    encoder.encode(frame_of(noise(640, 384, 2)), Size(20, 6))
    assert same(first, encoder.encode(frame, Size(40, 12))).all()


@pytest.mark.parametrize(
    ("look", "most"),
    [
        (TRUECOLOR, 0.25),
        (Look(Glyphs.HALF, Depth.TRUECOLOR), 0.25),
        (Look(Glyphs.BLOCK, Depth.PALETTE), 0.04),
        (Look(Glyphs.HALF, Depth.PALETTE), 0.04),
        (Look(Glyphs.BLOCK, Depth.SIXTEEN), 0.02),
        (Look(Glyphs.BLOCK, Depth.NONE), 0.01),
        (Look(Glyphs.ASCII, Depth.NONE), 0.01),
        (Look(Glyphs.BRAILLE, Depth.NONE), 0.01),
    ],
    ids=lambda value: f"{value.glyphs}-{value.depth}" if isinstance(value, Look) else "",
)
def test_a_noisy_camera_on_a_still_scene_does_not_flicker(look: Look, most: float) -> None:
    random = np.random.default_rng(3)
    still = face().astype(np.float64)
    encoder = Encoder(look)
    shown: CellGrid | None = None
    fresh: CellGrid | None = None
    changed, would_change = [], []
    for _ in range(8):
        frame = frame_of(np.clip(still + random.normal(0, 5, still.shape), 0, 255).astype(np.uint8))
        now, anew = encoder.encode(frame, Size(40, 12)), Encoder(look).encode(frame, Size(40, 12))
        if shown is not None and fresh is not None:
            changed.append(1 - same(shown, now).mean())
            would_change.append(1 - same(fresh, anew).mean())
        shown, fresh = now, anew
    assert np.mean(changed) < most
    assert np.mean(changed) < np.mean(would_change) / 2


@pytest.mark.parametrize("look", [TRUECOLOR, Look(Glyphs.BLOCK, Depth.PALETTE)], ids=lambda look: look.depth)
def test_what_drifts_is_followed(look: Look) -> None:
    encoder = Encoder(look)
    still = face().astype(np.float64)
    for step in range(60):
        pixels = np.clip(still * 0.6 + step, 0, 255).astype(np.uint8)
        grid = encoder.encode(frame_of(pixels), Size(40, 12))
    anew = Encoder(look).encode(frame_of(pixels), Size(40, 12))
    wanted = reduced(pixels, 40, 12)
    assert psnr(rebuilt(grid), wanted) > psnr(rebuilt(anew), wanted) - 0.5


@pytest.mark.parametrize(
    ("width", "height", "size", "aspect", "expected"),
    [
        (320, 180, Size(32, 9), 2.0, (32, 9)),
        (320, 180, Size(32, 20), 2.0, (32, 9)),
        (320, 180, Size(80, 9), 2.0, (32, 9)),
        (640, 480, Size(80, 24), 2.0, (64, 24)),
        (180, 320, Size(80, 16), 2.0, (18, 16)),
        (4096, 2, Size(30, 10), 2.0, (30, 1)),
        (1, 1, Size(30, 10), 2.0, (20, 10)),
        (640, 480, Size(80, 24), 2.5, (80, 24)),
        (640, 480, Size(80, 24), 1.0, (32, 24)),
    ],
)
def test_pictures_keep_their_shape(
    width: int, height: int, size: Size, aspect: float, expected: tuple[int, int]
) -> None:
    assert fitted(width, height, size, aspect) == expected
    grid = Encoder(Look(Glyphs.HALF, Depth.TRUECOLOR, aspect=aspect)).encode(plain((9, 9, 9), width, height), size)
    assert drawn(grid).sum() == expected[0] * expected[1]


@pytest.mark.parametrize("look", COLOURED, ids=lambda look: f"{look.glyphs}-{look.depth}")
def test_margins_are_empty_and_the_picture_is_centred(look: Look) -> None:
    grid = Encoder(look).encode(plain((200, 200, 200)), Size(36, 13))
    inside = np.zeros((13, 36), dtype=bool)
    inside[1:11] = True
    assert (drawn(grid) == inside).all()
    assert (grid.glyphs[~inside] == ord(" ")).all()
    assert (grid.foreground[~inside] == DEFAULT_COLOUR).all()
    sides = Encoder(look).encode(plain((200, 200, 200)), Size(40, 9))
    assert np.flatnonzero(drawn(sides).any(axis=0)).tolist() == list(range(4, 36))


@pytest.mark.parametrize("glyphs", [glyphs for glyphs in Glyphs if glyphs is not Glyphs.ASCII])
def test_mirror_swaps_left_and_right(glyphs: Glyphs) -> None:
    frame = frame_of(face(at=1.2))
    look = Look(glyphs, Depth.TRUECOLOR)
    straight = rebuilt(Encoder(look).encode(frame, Size(80, 24)))
    mirrored = rebuilt(Encoder(look).encode(frame, Size(80, 24), mirror=True))
    assert psnr(mirrored, straight) < 25
    assert psnr(mirrored[:, ::-1], straight) > 45


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "rgb24", "gray"])
def test_a_crop_shows_that_part_only(pixel_format: str) -> None:
    pixels = noise(320, 192) // 4 + face(2, width=320, height=192) // 2
    whole = exact(pixels).reformat(format=pixel_format)
    part = exact(pixels[96:144, 80:160]).reformat(format=pixel_format)
    encoder = Encoder(TRUECOLOR)
    for _ in range(2):
        cropped = encoder.encode(whole, Size(40, 12), crop=Crop(0.25, 0.5, 0.25, 0.25))
        assert psnr(rebuilt(cropped), rebuilt(Encoder(TRUECOLOR).encode(part, Size(40, 12)))) > 38
    full = encoder.encode(whole, Size(40, 12), crop=Crop(0, 0, 1, 1))
    assert same(full, Encoder(TRUECOLOR).encode(whole, Size(40, 12))).all()


@pytest.mark.parametrize("crop", [None, Crop(0.5, 0.5, 0.5, 0.5), Crop(0.9, 0.9, 3.0, 3.0), Crop(-4, 9, 0.0, -1)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12", "rgb24", "gray", "yuv444p", "yuyv422", "bgra"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 301), (3, 5), (301, 1), (1282, 722)])
def test_odd_pictures_are_drawn(width: int, height: int, pixel_format: str, crop: Crop | None) -> None:
    frame = exact(np.full((height, width, 3), 255, dtype=np.uint8)).reformat(format=pixel_format)
    for size in (Size(30, 10), Size(1, 1), Size(200, 3)):
        grid = Encoder(TRUECOLOR).encode(frame, size, crop=crop)
        assert grid.glyphs.shape == (size.rows, size.columns)
        assert (rgb(grid.background[drawn(grid)], grid.depth) >= 250).all()


@pytest.mark.parametrize("look", [*COLOURED, *UNCOLOURED], ids=lambda look: f"{look.glyphs}-{look.depth}")
def test_size_may_change_between_frames(look: Look) -> None:
    encoder = Encoder(look)
    for size in (Size(30, 10), Size(60, 20), Size(1, 1), Size(0, 5), Size(5, 0), Size(200, 50), Size(2, 1)):
        assert encoder.encode(plain((10, 200, 10)), size).glyphs.shape == (size.rows, size.columns)


def test_a_row_is_text() -> None:
    pixels = np.zeros((8, 12, 3), dtype=np.uint8)
    pixels[:, 4:6], pixels[4:, 8:] = 255, 255
    grid = Encoder(TRUECOLOR).encode(exact(pixels), Size(3, 1))
    assert grid.text(0) == " ▌▄"


def ink(grid: CellGrid) -> NDArray[np.float64]:
    """Share of every cell that is inked."""
    share: NDArray[np.float64] = fills(grid.glyphs).mean(axis=-1, dtype=np.float64)
    return share


@pytest.mark.parametrize("look", UNCOLOURED, ids=lambda look: look.glyphs)
@pytest.mark.parametrize("index", range(4))
def test_without_colours_light_and_shade_show_a_face(look: Look, index: int) -> None:
    pixels = face(index)
    grid = Encoder(look).encode(frame_of(pixels), Size(80, 24))
    assert (grid.foreground == DEFAULT_COLOUR).all()
    assert (grid.background == DEFAULT_COLOUR).all()
    light = reduced(pixels, 80, 24).reshape(24, HIGH, 80, WIDE, 3).mean(axis=(1, 3)) @ (0.299, 0.587, 0.114)
    assert np.corrcoef(ink(grid).ravel(), light.ravel())[0, 1] > 0.8
    on_light = Encoder(Look(look.glyphs, Depth.NONE, light=True)).encode(frame_of(pixels), Size(80, 24))
    assert np.corrcoef(ink(on_light).ravel(), light.ravel())[0, 1] < -0.8


@pytest.mark.parametrize("look", UNCOLOURED, ids=lambda look: look.glyphs)
def test_without_colours_black_is_empty_and_white_is_full(look: Look) -> None:
    black, white = (Encoder(look).encode(plain(colour), Size(32, 9)) for colour in ((0, 0, 0), (255, 255, 255)))
    fullest = float(inked(look.glyphs).fills.mean(axis=1).max())
    assert not ink(black).any()
    assert ink(white).min() > 0.85 * fullest
    on_light = Encoder(Look(look.glyphs, Depth.NONE, light=True))
    assert not ink(on_light.encode(plain((255, 255, 255)), Size(32, 9))).any()


def test_ascii_gets_denser_with_the_light() -> None:
    ramp = np.repeat(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], 3, axis=2).repeat(180, axis=0)
    grid = Encoder(Look(Glyphs.ASCII, Depth.NONE)).encode(frame_of(ramp), Size(32, 9))
    density = ink(grid)[4]
    assert (np.diff(density) > -0.03).all()
    assert density[0] == 0
    assert density[-1] > 0.2
    assert grid.glyphs.max() < 0x7F
    for depth in Depth:
        drawing = Encoder(Look(Glyphs.ASCII, depth)).encode(frame_of(noise(320, 192)), Size(40, 12))
        assert 0x20 <= drawing.glyphs.min() <= drawing.glyphs.max() < 0x7F
