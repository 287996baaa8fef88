"""What a picture in cells is worth for its bytes: the anchors' and ours, side by side.

The tables "fidelity" and "budget" of the picture benchmark. Every screen is rebuilt from the bytes alone and compared
with the clip at 4x8 samples a cell, whatever the glyphs.
"""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.benchmarks import likeness
from tests.benchmarks.anchors import MODES, Mode, Shown, Stage
from tests.benchmarks.clips import CLIPS, RATE
from tests.benchmarks.rebuilt import ACROSS, DOWN, Terminal
from tui.media.canvas import Canvas
from tui.media.cells import Depth, Encoder, Glyphs, Look, Size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.clips import Clip
    from tests.benchmarks.likeness import Likeness, Picture

SIZES = (Size(40, 12), Size(80, 24), Size(120, 40))
BUDGETS = (1000, 2000, 4000, 8000)
"""Bytes of a frame."""

_FIRST = RATE
"""The first second is not judged: the screen begins empty."""
_EVERY = 7
_UNLIMITED = 1 << 30
_COLOURS = {"24 bit": Depth.TRUECOLOR, "256": Depth.PALETTE}
_GLYPHS = {
    "24 bit": (Glyphs.BLOCK, Glyphs.HALF, Glyphs.SEXTANT, Glyphs.OCTANT, Glyphs.BRAILLE),
    "256": (Glyphs.BLOCK, Glyphs.HALF),
}
_COMPARED = ("chafa default", "timg quarter", "mpv half-blocks")
"""Whose CPU and bytes ours are set against."""
_HEADER = f"{'':42}{'colours':>8}{'KiB/frame':>11}{'ms/frame':>10}{'PSNR, dB':>10}{'SSIM':>7}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure."""

    clips: Sequence[str]
    sizes: Sequence[Size]
    length: int
    """Frames of a clip."""
    runs: int
    """Of every program, for the median of its CPU."""
    pictures: Path | None = None
    """Where to put what stood on the screen, if anywhere."""

    @property
    def stills(self) -> range:
        """The frames that are judged."""
        return range(_FIRST, self.length, _EVERY)


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    name: str
    colours: str
    shown: Shown
    likeness: Likeness

    def line(self) -> str:
        """As printed."""
        return (
            f"{self.name:42}{self.colours:>8}{self.shown.mean_size / 1024:11.2f}{self.shown.milliseconds:10.2f}"
            f"{self.likeness.psnr:10.2f}{self.likeness.ssim:7.3f}"
        )


@dataclass(frozen=True, slots=True)
class Target:
    """One target, on one clip at one size: met when ``reached`` is at least ``wanted``."""

    what: str
    wanted: float
    reached: float
    """Both in dB."""

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.reached >= self.wanted

    def line(self) -> str:
        """As printed."""
        word = "met" if self.met else "MISSED"
        by = abs(self.reached - self.wanted)
        return f"  {self.what:76}{self.reached:7.2f} of {self.wanted:5.2f} dB  {word} by {by:.2f}"


class Trial:
    """One clip at one size, and what everybody makes of it."""

    def __init__(self, plan: Plan, clip: Clip, size: Size) -> None:
        self.plan, self.size = plan, size
        self._clip = clip.of(size)
        width, height = size.columns * ACROSS, size.rows * DOWN
        self._wanted: list[Picture] = [
            likeness.averaged(self._clip.pixels(number), width, height) for number in plan.stills
        ]

    def anchors(self) -> list[tuple[Mode, Result]]:
        """Those that are installed, printed as they come."""
        results = []
        with tempfile.TemporaryDirectory(prefix="antconf-picture-") as folder:
            stage = Stage(self._clip, self.size, self.plan.stills, Path(folder))
            for mode in MODES:
                shown = stage.play(mode, self.plan.runs)
                if shown is None:
                    print(f"{mode!s:42}{mode.colours:>8}  gave nothing that can be judged")
                    continue
                results.append((mode, self._judged(str(mode), mode.colours, shown)))
        return results

    def ours(
        self, name: str, colours: str, allowed: Iterable[int], glyphs: Glyphs = Glyphs.BLOCK, anew: bool = False
    ) -> Result:
        """Our own, with so many bytes for each frame and, if left over, the next; ``anew``: each on an empty screen."""
        return self._judged(name, colours, self._played(glyphs, _COLOURS[colours], allowed, anew))

    def capped(self, name: str, colours: str, budget: int, glyphs: Glyphs = Glyphs.BLOCK) -> Result:
        """Our own with at most so many bytes for each frame, nothing left over."""
        return self._judged(name, colours, self._played(glyphs, _COLOURS[colours], None, False, budget))

    def _played(
        self, glyphs: Glyphs, depth: Depth, allowed: Iterable[int] | None, anew: bool, cap: int = _UNLIMITED
    ) -> Shown:
        columns, rows = self.size.columns, self.size.rows
        encoder = Encoder(Look(glyphs, depth))
        canvas, terminal = Canvas(columns, rows, depth), Terminal(columns, rows)
        visible = np.ones((rows, columns), np.bool_)
        totals = None if allowed is None else list(accumulate(allowed))
        sizes: list[int] = []
        stills: list[Picture] = []
        used: list[float] = []
        for number, frame in enumerate(self._clip.frames):
            budget = cap if totals is None else totals[number] - sum(sizes)
            if anew:
                canvas = Canvas(columns, rows, depth)
            began = time.thread_time()
            canvas.place(0, 0, encoder.encode(frame, self.size), visible)
            data = canvas.update(budget, number / RATE)
            used.append(1000 * (time.thread_time() - began))
            if len(data) > budget:
                raise RuntimeError(f"the canvas wrote {len(data)} bytes of {budget}")
            sizes.append(len(data))
            terminal.feed(data)
            if number in self.plan.stills:
                stills.append(terminal.samples(columns, rows))
        return Shown(sizes, stills, statistics.fmean(used[1:]))

    def _judged(self, name: str, colours: str, shown: Shown) -> Result:
        alike = likeness.mean(likeness.compared(*pair) for pair in zip(shown.stills, self._wanted, strict=True))
        result = Result(name, colours, shown, alike)
        print(result.line(), flush=True)
        if self.plan.pictures is not None:
            self._keep(name, colours, shown)
        return result

    def _keep(self, name: str, colours: str, shown: Shown) -> None:
        from PIL import Image

        assert self.plan.pictures is not None
        self.plan.pictures.mkdir(parents=True, exist_ok=True)
        words = [self._clip.name, f"{self.size.columns}x{self.size.rows}", name, colours]
        picture = Image.fromarray(np.clip(shown.stills[-1], 0, 255).astype(np.uint8))
        picture = picture.resize((picture.width * 3, picture.height * 3), Image.Resampling.NEAREST)
        picture.save(self.plan.pictures / ("-".join(words).replace(" ", "_") + ".png"))


def fidelity(plan: Plan) -> None:
    """Bytes, CPU and likeness of all, and whether the targets are met."""
    targets: list[Target] = []
    for name in plan.clips:
        clip = CLIPS[name](plan.length)
        for size in plan.sizes:
            print(f"\n{name}, {size.columns}x{size.rows} cells, {plan.length} frames\n{_HEADER}")
            trial = Trial(plan, clip, size)
            anchors = trial.anchors()
            for colours, sets in _GLYPHS.items():
                every = [_UNLIMITED] * plan.length
                trial.ours("ours block, every frame anew", colours, every, anew=True)
                ours = {glyphs: trial.ours(f"ours {glyphs.value}, no limit", colours, every, glyphs) for glyphs in sets}
                _compare(ours[Glyphs.BLOCK], anchors)
            targets += _against(trial, name, anchors)
    print("\nTargets: PSNR of what is shown; ours with block elements, with sextants where chafa has them")
    for target in targets:
        print(target.line())
    print(f"{sum(target.met for target in targets)} of {len(targets)} met")


def _compare(ours: Result, anchors: Sequence[tuple[Mode, Result]]) -> None:
    """CPU and bytes as ratios: what else the machine does falls on all of them."""
    for _, anchor in anchors:
        if anchor.name in _COMPARED and anchor.colours == ours.colours and anchor.shown.milliseconds > 0:
            time_ratio = ours.shown.milliseconds / anchor.shown.milliseconds
            size_ratio = ours.shown.mean_size / anchor.shown.mean_size
            difference = ours.likeness.psnr - anchor.likeness.psnr
            print(
                f"    {ours.name} takes {time_ratio:6.2f} times the CPU and {size_ratio:5.3f} times the bytes of "
                f"{anchor.name}, {difference:+.2f} dB"
            )


def _against(trial: Trial, clip: str, anchors: Sequence[tuple[Mode, Result]]) -> list[Target]:
    """Ours with the bytes of each anchor, never ahead of them at any frame, and with no glyphs that it has not."""
    place = f"{clip} {trial.size.columns}x{trial.size.rows}"
    targets = []
    for colours in _COLOURS:
        for mode, result in anchors:
            if mode.program == "timg" and mode.colours == colours:
                ours = trial.ours(f"ours block, bytes of {mode}", colours, result.shown.sizes)
                wanted = result.likeness.psnr + 3
                targets.append(Target(f"{place}, {colours}: {mode} + 3 dB at its bytes", wanted, ours.likeness.psnr))
        for glyphs, sextants in ((Glyphs.BLOCK, False), (Glyphs.SEXTANT, True)):
            chafa = [
                result
                for mode, result in anchors
                if mode.program == "chafa" and mode.colours == colours and mode.sextants is sextants
            ]
            if not chafa:
                continue
            best = max(chafa, key=lambda result: result.likeness.psnr)
            size = math.floor(best.shown.mean_size)
            ours = trial.ours(f"ours {glyphs.value}, bytes of {best.name}", colours, [size] * trial.plan.length, glyphs)
            what = f"{place}, {colours}: {best.name} at its bytes"
            targets.append(Target(what, best.likeness.psnr, ours.likeness.psnr))
            if clip == "head":
                tenth = trial.capped(f"ours {glyphs.value}, tenth of {best.name}", colours, size // 10, glyphs)
                what = f"{place}, {colours}: {best.name} - 2 dB at a tenth of its bytes"
                targets.append(Target(what, best.likeness.psnr - 2, tenth.likeness.psnr))
    return targets


def budget(plan: Plan) -> None:
    """What few bytes buy."""
    for name in plan.clips:
        clip = CLIPS[name](plan.length)
        for size in plan.sizes:
            print(f"\n{name}, {size.columns}x{size.rows} cells, ours with block elements\n{_HEADER}")
            trial = Trial(plan, clip, size)
            for colours in _COLOURS:
                for bytes_ in BUDGETS:
                    trial.capped(f"ours, {bytes_} bytes", colours, bytes_)
