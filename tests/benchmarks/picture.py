"""How good video in cells is and what it costs: chafa, timg and mpv beside ours, and the app on a real terminal.

Run it by hand, ``python -m tests.benchmarks.picture``; ``--help`` says what else there is. Prints tables; nothing is
asserted. Installs chafa, timg and mpv from Debian when it runs as root; needs Pillow
(``pip install 'antconf[benchmark]'``) and DejaVu Sans Mono for what is text.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import os
import platform
import time
from pathlib import Path

from tests.benchmarks import anchors, decode, fidelity, near, rebuilt
from tests.benchmarks.clips import CLIPS, LENGTH


def environment() -> str:
    """Versions, and what else the machine was doing."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("av", "numpy", "textual")]
    load = os.getloadavg()[0]
    return (
        f"Python {platform.python_version()}, {', '.join(versions)}; {os.cpu_count()} cores, load {load:.1f} "
        f"before the start{'' if load < 0.5 else ': NOT IDLE, times are too high'}"
    )


def _plan(options: argparse.Namespace) -> fidelity.Plan:
    if why := rebuilt.missing():
        raise SystemExit(f"these tables {why}")
    sizes = [size for size in fidelity.SIZES if not options.size or f"{size.columns}x{size.rows}" in options.size]
    return fidelity.Plan(
        clips=options.clip or (("head", "motion") if options.quick else tuple(CLIPS)),
        sizes=sizes[1:2] if options.quick and not options.size else sizes,
        length=90 if options.quick else LENGTH,
        runs=1 if options.quick else options.runs,
        pictures=options.keep,
    )


def fidelity_table(options: argparse.Namespace) -> None:
    """Every program on the same clips, and the targets."""
    for complaint in anchors.install():
        print(complaint)
    print("; ".join(anchors.versions()))
    fidelity.fidelity(_plan(options))


def budget_table(options: argparse.Namespace) -> None:
    """Ours at few bytes a frame."""
    fidelity.budget(_plan(options))


def app_table(options: argparse.Namespace) -> None:
    """The whole app on a real terminal."""
    near.app(*((5.0, 1) if options.quick else (15.0, options.runs)))


def decode_table(options: argparse.Namespace) -> None:
    """Only what is seen is decoded."""
    decode.decode(*((4.0, 1) if options.quick else (10.0, options.runs)))


TABLES = {"fidelity": fidelity_table, "budget": budget_table, "app": app_table, "decode": decode_table}


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.picture",
        description="Tables: fidelity (15 minutes), budget (4), app (4), decode (3).",
    )
    parser.add_argument("--only", choices=TABLES, action="append", help="this table alone; may be given again")
    parser.add_argument(
        "--quick", action="store_true", help="two short clips at 80x24 cells, one run of each: 5 minutes"
    )
    parser.add_argument("--clip", choices=CLIPS, action="append", help="this clip alone; may be given again")
    parser.add_argument("--size", metavar="COLUMNSxROWS", action="append", help="this size alone; may be given again")
    parser.add_argument("--runs", type=int, default=3, help="of everything that is timed (default %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put a picture of every screen there")
    return parser.parse_args()


def main(options: argparse.Namespace) -> None:
    """Print the tables."""
    print(environment())
    for name in options.only or TABLES:
        began = time.monotonic()
        print(f"\n== {name} ==", flush=True)
        TABLES[name](options)
        print(f"({time.monotonic() - began:.0f} s)")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(parsed())
