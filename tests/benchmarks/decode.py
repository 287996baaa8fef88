"""What decoding costs: many videos arrive, some of them are seen.

The table "decode" of the picture benchmark. Packets go the way of the app, from the connection's hands to the board,
in real time; there is no network and no screen.
"""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.benchmarks.clips import head
from tests.core.camera import VP8, Camera
from tui.core.pictures import Pictures
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.viewing import View
from tui.media.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiortc.rtp import RtpPacket

RATE = 15
WIDTH, HEIGHT = 320, 180
CASES = ((24, 0), (24, 1), (24, 9), (9, 9), (16, 16), (24, 24))
"""Videos offered, and how many of them are seen."""

_SEEN_AT = Size(38, 11)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one case."""

    share: float
    """Of one core."""
    decoded: float
    """Pictures per second, all videos together."""


def decode(seconds: float, runs: int) -> None:
    """CPU of everything between packets and board, by how many are seen."""
    packets = _packets(int(seconds * RATE))
    print(f"{WIDTH}x{HEIGHT} at {RATE} a second, VP8, {seconds:g} s, median of {runs}: CPU as a share of one core")
    print(f"{'offered':>8}{'seen':>6}{'CPU':>8}{'beyond none seen':>18}{'for each seen':>15}{'decoded/s':>11}")
    # In turns, so that what else the machine does falls on all of them.
    costs = [[_cost(packets, *case) for case in CASES] for _ in range(runs)]
    medians = [
        Cost(statistics.median(each.share for each in case), statistics.median(each.decoded for each in case))
        for case in zip(*costs, strict=True)
    ]
    # Taking what nobody sees costs by the number offered.
    taking = medians[CASES.index((24, 0))].share / 24
    beyond = {}
    for (offered, seen), cost in zip(CASES, medians, strict=True):
        beyond[offered, seen] = cost.share - taking * offered
        each = f"{beyond[offered, seen] / seen:15.2%}" if seen else f"{'':15}"
        print(
            f"{offered:8}{seen:6}{cost.share:8.1%}{beyond[offered, seen]:18.1%}{each}{cost.decoded:11.0f}", flush=True
        )
    nine = beyond[24, 9]
    print(f"9 seen of 24 cost {nine / beyond[9, 9]:.2f} times 9 of 9, and {nine / beyond[24, 24]:.2f} times 24 of 24")


def _packets(count: int) -> list[list[RtpPacket]]:
    """A talking head as it arrives, a list of packets for each picture, the first one a key frame."""
    every = [frame.reformat(WIDTH, HEIGHT, "yuv420p") for frame in head().frames[::2]]
    there_and_back = [*every, *every[-2:0:-1]]
    camera = Camera()
    return [camera.shoot(there_and_back[number % len(there_and_back)]) for number in range(count)]


def _cost(packets: Sequence[list[RtpPacket]], offered: int, seen: int) -> Cost:
    board = Board(Look(Glyphs.BLOCK, Depth.TRUECOLOR))
    workers = Workers(min(4, os.cpu_count() or 1), "video decoder")
    board.want({f"video{number}": _SEEN_AT for number in range(seen)})
    every = [Pictures(lambda ssrc: None) for _ in range(offered)]
    views = [View(board, f"video{number}", pictures, workers) for number, pictures in enumerate(every)]
    for view in views:
        view.look()
    began, used = time.monotonic(), time.process_time()
    for number, picture in enumerate(packets):
        for position, pictures in enumerate(every):
            due = began + (number + position / offered) / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            for packet in picture:
                pictures.take(packet, VP8)
    share = (time.process_time() - used) / (time.monotonic() - began)
    decoded = sum(view.showing().decoded for view in views) / (time.monotonic() - began)
    for view in views:
        view.close()
    workers.close()
    return Cost(share, decoded)
