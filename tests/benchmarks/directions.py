"""What arrives in each direction of a room: two tabs with the official SDK and two of our clients, in one run.

Run it by hand, ``python -m tests.benchmarks.directions [SECONDS]``: the local room server on loopback, everybody with a
colour and a tone of their own, 320x180 at 15 a second. Prints a row for each direction: pictures decoded a second and
their colour, the sound's level and frequency, and what they should be; nothing is asserted.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.hearing import Ear, pitch
from tests.interop.browser import chromium, web_server
from tests.interop.official import install_sdk
from tests.interop.person import LOOKS, Person, people
from tests.interop.tab import Tab, tab
from tests.seeing import eye_on
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import Sequence

_SILENCE = 1e-6


async def in_a_tab(one: Tab, other: Person | Tab, seconds: float) -> tuple[float, Sequence[float], float, float]:
    """Pictures a second, colour, level in dBFS and frequency of what somebody sends to this tab."""

    async def players() -> dict[str, dict[str, float]]:
        found = [player for player in await one.sample() if player["owner"] == other.stream_id]
        return {kind: player[kind] for player in found for kind in ("video", "audio") if player[kind]}

    before, began = await players(), time.monotonic()
    await asyncio.sleep(seconds)
    after, took = await players(), time.monotonic() - began
    rate = (after["video"]["frames"] - before["video"]["frames"]) / took
    level = 20 * np.log10(max(after["audio"]["energy"], _SILENCE))
    return rate, after["video"]["colour"], float(level), after["audio"]["frequency"]  # type: ignore[return-value]


async def in_a_client(one: Person, other: Person | Tab, seconds: float) -> tuple[float, Sequence[float], float, float]:
    """The same of what somebody sends to this client."""
    video, audio = one.track_of(other, "video"), one.track_of(other, "audio")
    assert video is not None
    assert audio is not None
    eye, ear = eye_on(video), Ear(audio)
    before, began = eye.showing().decoded, time.monotonic()
    sound = await ear.hear(seconds)
    rate = (eye.showing().decoded - before) / (time.monotonic() - began)
    audio.listen(None)
    colour = (await eye.recv()).to_ndarray(format="rgb24").mean(axis=(0, 1))
    rms = float(np.sqrt(np.mean(np.square(sound[len(sound) // 2 :]))))
    return rate, [float(value) for value in colour], 20 * float(np.log10(max(rms, _SILENCE))), pitch(sound)


async def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, web_server(install_sdk(Path(folder))) as origin:
        async with (
            RoomServer(allowed_origins=[origin]) as server,
            chromium() as browser,
            people(server, "alice", "dave") as (alice, dave),
            tab(browser, origin, server.url, "bob") as bob,
            tab(browser, origin, server.url, "carol") as carol,
        ):
            await asyncio.gather(bob.join(), carol.join())
            everybody: list[Person | Tab] = [alice, dave, bob, carol]
            for one, other in itertools.permutations(everybody, 2):
                await one.meets(other)
            print(f"{'from':17}{'to':17}{'pictures/s':>11}{'colour':>16}{'of':>16}{'dBFS':>8}{'Hz':>7}{'of':>6}")
            for other, one in itertools.permutations(everybody, 2):
                measure = in_a_tab(one, other, seconds) if isinstance(one, Tab) else in_a_client(one, other, seconds)
                rate, colour, level, frequency = await measure
                names = f"{_called(other):17}{_called(one):17}"
                wanted, tone = LOOKS[other.stream_id]
                seen, sent = (",".join(f"{value:.0f}" for value in shown) for shown in (colour, wanted))
                print(f"{names}{rate:>11.1f}{seen:>16}{sent:>16}{level:>8.1f}{frequency:>7.0f}{tone:>6.0f}")


def _called(one: Person | Tab) -> str:
    return f"{one.stream_id} ({'SDK' if isinstance(one, Tab) else 'antconf'})"


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
