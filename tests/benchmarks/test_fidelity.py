"""Ours is judged by what it wrote, and never has more bytes than it may."""

from __future__ import annotations

from itertools import accumulate

import pytest

from tests.benchmarks.clips import CLIPS, Clip
from tests.benchmarks.fidelity import Plan, Target, Trial
from tui.media.cells import Size

SIZE = Size(20, 6)
PLAN = Plan(clips=("motion",), sizes=(SIZE,), length=45, runs=1)


@pytest.fixture(scope="module")
def trial() -> Trial:
    clip: Clip = CLIPS["motion"](PLAN.length)
    return Trial(PLAN, clip, SIZE)


def test_with_enough_bytes_the_picture_is_the_clip(trial: Trial) -> None:
    result = trial.ours("ours", "24 bit", [1 << 20] * PLAN.length)
    assert len(result.shown.stills) == len(PLAN.stills) == 3
    assert result.likeness.psnr > 15
    assert result.likeness.ssim > 0.7


def test_few_bytes_make_a_worse_picture(trial: Trial) -> None:
    results = [trial.capped("ours", "24 bit", cap) for cap in (60, 300, 3000)]
    assert [max(result.shown.sizes) <= cap for result, cap in zip(results, (60, 300, 3000), strict=True)] == [True] * 3
    psnr = [result.likeness.psnr for result in results]
    assert psnr == sorted(psnr)
    assert psnr[0] < psnr[2] - 1


def test_what_is_left_over_may_be_used_later_but_never_before(trial: Trial) -> None:
    allowed = [500 if number % 5 == 0 else 0 for number in range(PLAN.length)]
    result = trial.ours("ours", "24 bit", allowed)
    spent = list(accumulate(result.shown.sizes))
    assert all(used <= may for used, may in zip(spent, accumulate(allowed), strict=True))
    assert spent[-1] > 100


def test_256_colours_are_fewer(trial: Trial) -> None:
    full, few = (trial.ours("ours", colours, [1 << 20] * PLAN.length) for colours in ("24 bit", "256"))
    assert few.shown.mean_size < full.shown.mean_size
    assert few.likeness.psnr < full.likeness.psnr


def test_a_target_says_by_how_much() -> None:
    assert Target("it", 30.0, 31.5).line().endswith("31.50 of 30.00 dB  met by 1.50")
    assert Target("it", 30.0, 29.0).line().endswith("29.00 of 30.00 dB  MISSED by 1.00")
