"""What watching costs: 24 remote videos are offered, and all, nine or none of them are seen.

Run it by hand, ``python -m tests.benchmarks.watching``. Prints a table; nothing is asserted. No network and no screen:
packets of encoded video go in at the pace that the decoders take, so the figures are processor time for each second of
video, of the whole process (assembling, decoding and handing over), side by side in one run.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time
from typing import TYPE_CHECKING

from av import VideoFrame

from tests.core.camera import Camera, noise
from tui.core.pictures import Pictures
from tui.media.board import Board
from tui.media.cells import Depth, Glyphs, Look, Size
from tui.media.viewing import View
from tui.media.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiortc.rtp import RtpPacket


FRAMES_PER_SECOND = 15
OFFERED = 24
WANTED = (24, 9, 0)
SIZES = ((320, 180), (640, 360))


def moving(width: int, height: int) -> Iterator[VideoFrame]:
    """A textured picture that moves to the left, a few pixels each time."""
    wide = noise(width // 8 + 60, height // 8).reformat(width + 480, height).to_ndarray(format="rgb24")
    for step in itertools.cycle(range(0, 480, 4)):
        yield VideoFrame.from_ndarray(wide[:, step : step + width].copy(), format="rgb24").reformat(format="yuv420p")


def clip(codec: str, size: tuple[int, int], seconds: int) -> tuple[Camera, list[list[RtpPacket]]]:
    """The packets of each picture."""
    camera, pictures = Camera(codec), moving(*size)
    return camera, [camera.shoot(next(pictures)) for _ in range(seconds * FRAMES_PER_SECOND)]


class Room:
    """So many views of the same clip; those that are wanted decode it, each for itself."""

    def __init__(self, wanted: int) -> None:
        self.board = Board(Look(Glyphs.BLOCK, Depth.TRUECOLOR))
        self.workers = Workers(2, "video decoder")
        self.pictures = [Pictures(lambda _: None) for _ in range(OFFERED)]
        self.views = [
            View(self.board, str(number), pictures, self.workers) for number, pictures in enumerate(self.pictures)
        ]
        self.board.want({str(number): Size(40, 12) for number in range(wanted)})
        for view in self.views:
            view.look()

    def watch(self, camera: Camera, shots: list[list[RtpPacket]]) -> float:
        """Seconds of processor time for the clip."""
        began = time.process_time()
        for packets in shots:
            for pictures in self.pictures:
                for packet in packets:
                    pictures.take(packet, camera.codec)
            while any(view._is_busy for view in self.views):
                time.sleep(0.001)
        return time.process_time() - began

    def close(self) -> None:
        """End the threads."""
        for view in self.views:
            view.close()
        self.workers.close()


def main(seconds: int) -> None:
    """Print the table."""
    print(f"{OFFERED} videos at {FRAMES_PER_SECOND}/s; milliseconds of processor time per second, part of the first")
    print(f"{'codec':6} {'size':9} " + " ".join(f"{f'{wanted} seen':>16}" for wanted in WANTED) + "   decoded")
    for codec, size in itertools.product(("vp8", "h264"), SIZES):
        camera, shots = clip(codec, size, seconds)
        whole, cells, decoded = 0.0, [], []
        for wanted in WANTED:
            room = Room(wanted)
            spent = room.watch(camera, shots) / seconds * 1000
            whole = whole or spent
            cells.append(f"{spent:8.1f} {spent / whole:6.1%}")
            decoded.append(str(sum(view.showing().decoded for view in room.views)))
            room.close()
        print(f"{codec:6} {f'{size[0]}x{size[1]}':9} " + " ".join(f"{cell:>16}" for cell in cells), *decoded, sep="  ")
    print(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.watching", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of video for each figure (default %(default)s)")
    main(parser.parse_args().seconds)
