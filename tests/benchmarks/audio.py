"""How good the sound is: stock aiortc, this client and Chromium over the same bad lines, and what it costs.

Run it by hand, ``python -m tests.benchmarks.audio``; ``--help`` says what else there is. Prints tables; nothing is
asserted. Needs ``espeak-ng`` and PESQ (``pip install 'antconf[benchmark]'``); Chromium and npm for the third listener.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.metadata
import os
import platform
import shutil
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests import sound
from tests.benchmarks import crowd, hostile, loss, quality, speech
from tests.benchmarks.line import CONDITIONS, Condition
from tests.interop.browser import chromium, web_server
from tests.interop.official import install_sdk

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 4


def environment() -> str:
    """Versions, and what else the machine was doing."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("aiortc", "av", "numpy", "soxr")]
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()}, {', '.join(versions)}; {os.cpu_count()} cores, load {load:.1f} "
        f"before the start{'' if load < 0.5 else ': NOT IDLE, delays and PESQ suffer'}"
    )


def chosen(names: Sequence[str]) -> list[Condition]:
    """The conditions whose names contain one of these, all when there are none."""
    return [each for each in CONDITIONS if not names or any(name in each.name for name in names)]


async def loss_table(options: argparse.Namespace) -> None:
    """The same speech into all three listeners."""
    if why := speech.missing() or quality.missing():
        raise SystemExit(f"the loss table {why}")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="antconf-audio-"))
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        browser, origin = None, ""
        if shutil.which("npm") and (shutil.which("chromium") or shutil.which("google-chrome")):
            sdk = install_sdk(folder)
            origin = stack.enter_context(web_server(sdk))
            browser = await stack.enter_async_context(chromium())
            print(f"Chromium {browser.version}")
        else:
            print("no Chromium in this table: it needs chromium and npm")
        plan = loss.Plan(
            conditions=chosen(options.conditions or (("clean", "5 %") if options.quick else ())),
            laps=options.laps or (1 if options.quick else 3),
            warm_up=options.warm_up,
            seed=options.seed,
            folder=folder,
            browser=browser,
            origin=origin,
        )
        print(
            f"{plan.laps} times {speech.speech().seconds:.1f} s of speech after {plan.warm_up:g} s on the same line, "
            f"seed {plan.seed}\n"
        )
        await loss.table(plan)
    if options.keep is None:
        shutil.rmtree(folder)


async def voices_table(options: argparse.Namespace) -> None:
    """What 24 people who talk cost."""
    await crowd.voices(5.0 if options.quick else 15.0)


async def gaps_table(options: argparse.Namespace) -> None:
    """The sound beside nine pictures, and with a terminal that nobody reads."""
    if why := sound.missing():
        raise SystemExit(f"the gaps table needs a sound server; {why}")
    await crowd.gaps(options.minutes * 60)


async def hostile_table(options: argparse.Namespace) -> None:
    """What hostile packets do."""
    await hostile.table()


TABLES = {"loss": loss_table, "voices": voices_table, "hostile": hostile_table, "gaps": gaps_table}
QUICK = ("loss",)
"""What `--quick` prints unless told."""


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.audio",
        description="Tables: loss (7 minutes), voices (1), hostile (1), gaps (as many as --minutes, and 1 more).",
    )
    parser.add_argument("--only", choices=TABLES, action="append", help="this table alone; may be given again")
    parser.add_argument("--quick", action="store_true", help="loss in four conditions: two minutes, more noise")
    parser.add_argument("--conditions", action="append", metavar="NAME", help="those whose name contains this")
    parser.add_argument("--laps", type=int, help="how often the speech is said (default 3, with --quick 1)")
    parser.add_argument("--warm-up", type=float, default=6.0, help="seconds on the line before (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of losses and delays (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=10.0, help="of the gaps table (default %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep recordings and the SDK there")
    return parser.parse_args()


async def main(options: argparse.Namespace) -> None:
    """Print the tables."""
    print(environment())
    for name in options.only or (QUICK if options.quick else TABLES):
        began = time.monotonic()
        print(f"\n== {name} ==", flush=True)
        await TABLES[name](options)
        print(f"({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parsed()))
