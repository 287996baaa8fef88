"""The judge of pictures says what others say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.benchmarks import likeness


def pair() -> tuple[likeness.Picture, likeness.Picture]:
    y, x = np.mgrid[0:40, 0:50]
    wanted = np.stack([(x * 5) % 256, (y * 6) % 256, (x * y) % 256], axis=-1).astype(np.float32)
    return np.clip(wanted + np.float32(20) * np.sin(x * y)[..., None].astype(np.float32), 0, 255), wanted


def test_the_same_picture_is_perfectly_alike() -> None:
    _, wanted = pair()
    alike = likeness.compared(wanted, wanted)
    assert alike.psnr == math.inf
    assert alike.ssim == pytest.approx(1.0)


def test_psnr_of_a_known_error() -> None:
    plain = np.full((8, 8, 3), 100, np.float32)
    assert likeness.psnr(plain + 5, plain) == pytest.approx(20 * math.log10(255 / 5))


def test_ssim_as_scikit_image_has_it() -> None:
    shown, wanted = (likeness.luminance(picture) for picture in pair())
    assert likeness.ssim(shown, wanted) == pytest.approx(0.62117257580, abs=1e-9)


def test_a_picture_is_averaged_exactly_even_between_pixels() -> None:
    pixels = np.arange(3 * 5 * 3, dtype=np.uint8).reshape(3, 5, 3)
    assert likeness.averaged(pixels, 5, 3).tolist() == pixels.tolist()
    assert likeness.averaged(pixels, 1, 1)[0, 0].tolist() == pytest.approx(pixels.reshape(-1, 3).mean(axis=0).tolist())
    # Two columns of five: the third belongs to both by halves.
    left = (pixels[:, 0] + pixels[:, 1] + pixels[:, 2] / 2) / 2.5
    assert np.allclose(likeness.averaged(pixels, 2, 3)[:, 0], left)


def test_the_mean_is_of_decibels() -> None:
    assert likeness.mean([likeness.Likeness(20, 0.5), likeness.Likeness(30, 0.9)]) == likeness.Likeness(25, 0.7)
