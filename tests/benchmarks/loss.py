"""The same speech over the same bad line into stock aiortc, this client and Chromium, side by side.

The loss table of the audio benchmark. All three are in one room at once, each behind its own relay; the relays lose
and delay the very same packets. Every condition begins with a new server and new listeners.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.browser_listener import browser_listener
from tests.benchmarks.child import Child
from tests.benchmarks.quality import Verdict, judge
from tests.benchmarks.room import ROOM
from tests.benchmarks.speech import speech

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from playwright.async_api import Browser

    from tests.benchmarks.line import Condition

CODEC_MS = 26.5
"""From mouth to ear without any buffer: a frame of 20 ms and Opus's look-ahead."""

FRAME_SECONDS = 0.02

_SPARE = 20.0
"""Seconds of recording beyond the speech, for joining."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One listener's recording, times by ``time.monotonic``; ``buffers`` in milliseconds, ``None``: not told."""

    listener: str
    sound: NDArray[np.float32]
    began: float
    latest: float = 0.0
    """Seconds by which it was pulled too late at the worst."""
    concealed: float | None = None
    buffers: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One listener under one condition. Buffers and delays are p50 and p95 in milliseconds."""

    condition: str
    listener: str
    lost: float
    kilobits: float
    stall: float
    """Milliseconds without a packet, or of a pull that came late: what the machine did, not the line."""
    verdict: Verdict
    concealed: float | None
    buffer: tuple[float, float] | None
    delay: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and with whom."""

    conditions: Sequence[Condition]
    laps: int
    warm_up: float
    seed: int
    folder: Path
    """For recordings."""
    browser: Browser | None = None
    origin: str = ""
    """Of the browser's page."""


async def measure(plan: Plan, condition: Condition) -> list[Result]:
    """All listeners under one condition."""
    length = plan.warm_up + plan.laps * speech().seconds
    async with AsyncExitStack() as stack:
        room, stock, client = [
            await stack.enter_async_context(Child(f"tests.benchmarks.{module}"))
            for module in ("room", "stock_listener", "client_listener")
        ]
        tab = None
        if plan.browser is not None:
            tab = await stack.enter_async_context(browser_listener(plan.browser, plan.origin))
        urls = await room.ask("open", 3)
        await asyncio.gather(
            stock.ask("join", urls[0], ROOM, length + _SPARE),
            client.ask("join", urls[1], ROOM, length + _SPARE),
            *([tab.join(urls[2], ROOM)] if tab is not None else []),
        )
        told = await room.ask("speak", asdict(condition), plan.seed, plan.warm_up, plan.laps, lasts=length)
        spoken_at = told["spoken_at"]
        ends_at = spoken_at + plan.laps * speech().seconds

        def meanwhile(figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
            return [each for each in figures if spoken_at <= each["at"] <= ends_at]

        found = [await _stock(stock, plan.folder), await _client(client, plan.folder, meanwhile)]
        if tab is not None:
            sound, began, figures = await tab.finish()
            found.append(_browser(sound, began, meanwhile(figures)))
    for heard in found:
        np.save(plan.folder / f"{condition.name.replace(' ', '')}-{heard.listener}.npy", heard.sound)
    return [_result(condition, heard, told, lost, plan.laps) for heard, lost in zip(found, told["lost"], strict=False)]


async def _stock(child: Child, folder: Path) -> Heard:
    path = folder / "stock.npy"
    told = await child.ask("finish", str(path))
    return Heard("aiortc", np.load(path), told["began"], told["latest"])


async def _client(
    child: Child, folder: Path, meanwhile: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
) -> Heard:
    path = folder / "client.npy"
    told = await child.ask("finish", str(path))
    (folder / "client.json").write_text(json.dumps(told))
    figures = meanwhile(told["figures"])
    first, last = figures[0], figures[-1]
    played = last["played"] - first["played"]
    concealed = (last["concealed"] - first["concealed"]) / played if played else 0.0
    buffers = tuple(each["buffer"] for each in figures)
    return Heard("antconf", np.load(path), told["began"], told["latest"], concealed, buffers)


def _browser(sound: NDArray[np.float32], began: float, figures: list[dict[str, Any]]) -> Heard:
    first, last = figures[0], figures[-1]

    def grown(name: str, since: dict[str, Any], until: dict[str, Any]) -> float:
        return float(until[name] - since[name])

    # Silence that was made up is none that is missed.
    made_up = grown("concealedSamples", first, last) - grown("silentConcealedSamples", first, last)
    buffers = tuple(
        1000 * grown("jitterBufferDelay", *pair) / emitted
        for pair in itertools.pairwise(figures)
        if (emitted := grown("jitterBufferEmittedCount", *pair))
    )
    return Heard("Chromium", sound, began, 0.0, made_up / grown("totalSamplesReceived", first, last), buffers)


def _result(condition: Condition, heard: Heard, told: dict[str, Any], lost: float, laps: int) -> Result:
    verdict = judge(heard.sound, told["spoken_at"] - heard.began, laps)
    delay = _middle_and_high(verdict.delays)
    buffer = _middle_and_high(heard.buffers or ())
    if heard.buffers is None and delay is not None:
        # Stock aiortc does not say: what the way takes beyond the codec's own delay.
        buffer = (delay[0] - CODEC_MS, delay[1] - CODEC_MS)
    return Result(
        condition=condition.name,
        listener=heard.listener,
        lost=lost,
        kilobits=told["kilobits"],
        stall=1000 * max(told["stall"] - FRAME_SECONDS, heard.latest),
        verdict=verdict,
        concealed=heard.concealed,
        buffer=buffer,
        delay=delay,
    )


def _middle_and_high(values: Sequence[float]) -> tuple[float, float] | None:
    if not values:
        return None
    middle, high = np.percentile(values, [50, 95])
    return float(middle), float(high)


HEADER = (
    f"{'line':14}{'lost':>7}  {'listener':10}{'PESQ':>6}{'+-':>6}{'missing':>9}{'concealed':>11}"
    f"{'buffer p50/p95':>17}{'mouth to ear p50/p95':>23}"
    f"{'stall':>8}"
)


def row(result: Result) -> str:
    """One line of the table."""
    concealed = "-" if result.concealed is None else f"{result.concealed:.1%}"
    return (
        f"{result.condition:14}{result.lost:7.1%}  {result.listener:10}{result.verdict.mean:6.2f}"
        f"{result.verdict.error:6.2f}{result.verdict.missing:9.1%}{concealed:>11}"
        f"{_pair(result.buffer):>17}{_pair(result.delay):>23}"
        f"{result.stall:5.0f} ms"
    )


def _pair(values: tuple[float, float] | None) -> str:
    return "-" if values is None else f"{values[0]:.0f} / {values[1]:.0f} ms"


NOTES = f"""\
lost: of the packets of that listener's relay, which loses the same ones for all; STUN, DTLS and RTCP pass.
40 ms: every packet is delayed by 0 to 80 ms, evenly spread and independent (netem's "delay 40ms 40ms"); packets
    overtake each other, and 40 ms of the delay from mouth to ear are the line's.
PESQ: wideband (P.862.2) at 16 kHz, per sentence, cut by cross-correlation; the mean of all, +- its standard error.
missing: share of the speech in whose place there is silence for 15 ms or more (26 dB below what was said there).
concealed: as the listener counts it; Chromium without silent concealment.
buffer: antconf Playout.depth_ms every 100 ms; Chromium jitterBufferDelay / jitterBufferEmittedCount every 200 ms;
    aiortc mouth to ear less {CODEC_MS} ms of frame and codec.
mouth to ear: words found in the recording by cross-correlation against the time they were spoken, a frame of 20 ms
    included, the sound device not.
stall: by which the sender, the server or the ear was late at the worst: the machine's doing and not the line's. A row
    with more than a few ten milliseconds says more about the machine than about the listener.
aiortc's player plays every frame at its place by timestamp, or at once when it is late, with as much delay as that
    needs; what never comes is silence."""


async def table(plan: Plan) -> list[Result]:
    """Measure and print, condition by condition."""
    print(HEADER, flush=True)
    found: list[Result] = []
    for condition in plan.conditions:
        results = await measure(plan, condition)
        found += results
        for result in results:
            print(row(result), flush=True)
    rates = ", ".join(f"{each.condition}: {each.kilobits:.0f}" for each in found if each.listener == "aiortc")
    print(f"\nsent to each listener, kbit/s with headers: {rates}")
    print(NOTES)
    return found
