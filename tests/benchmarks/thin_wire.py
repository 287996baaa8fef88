"""A network of two machines on this one, and the thin wire between them; needs root and Linux.

Used by the line benchmark. A network namespace has one end of a point-to-point link, this machine the other one. Both
are TUN devices, between which packets pass at a rate and after a way; those for which there is no room are lost, as
before a modem. So TCP behaves as it does on such a line, and its acknowledgements tell what has passed.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

HERE: Final = "198.18.0.1"
THERE: Final = "198.18.0.2"
NAMESPACE: Final = "antconf-far"
QUEUE: Final = 64 * 1024
"""Bytes that wait before the wire at most."""
_TUN_SET_INTERFACE: Final = 0x400454CA
_TUN_WITHOUT_HEADER: Final = 0x1001
_PACKET: Final = 2048


def missing() -> str:
    """Why there can be none; empty when there can."""
    if not os.path.exists("/dev/net/tun") or os.getuid():
        return "needs root and /dev/net/tun"
    return ""


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


def _tun(name: str) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, _TUN_SET_INTERFACE, struct.pack("16sH22x", name.encode(), _TUN_WITHOUT_HEADER))
    return descriptor


class Wire:
    """One direction; packets come out whole and in order."""

    def __init__(self, bytes_per_second: float, way: float, out: Callable[[bytes], None]) -> None:
        self._rate = bytes_per_second
        self._way = way
        self._out = out
        self._free = 0.0
        self._waiting = 0
        self.lost = 0

    def put(self, packet: bytes) -> None:
        """In at this end."""
        if self._waiting + len(packet) > QUEUE:
            self.lost += 1
            return
        loop = asyncio.get_running_loop()
        self._waiting += len(packet)
        self._free = max(self._free, loop.time()) + len(packet) / self._rate
        loop.call_at(self._free, self._passed, packet)

    def _passed(self, packet: bytes) -> None:
        self._waiting -= len(packet)
        asyncio.get_running_loop().call_later(self._way, self._out, packet)


@contextlib.asynccontextmanager
async def thin_wire(bytes_per_second: float, round_trip: float) -> AsyncIterator[list[str]]:
    """What begins a command that is to run at the far end; what is sent to it passes at that rate."""
    near, far = _tun("antconf0"), _tun("antconf1")
    loop = asyncio.get_running_loop()

    def out(descriptor: int) -> Callable[[bytes], None]:
        def write(packet: bytes) -> None:
            with contextlib.suppress(OSError):
                os.write(descriptor, packet)

        return write

    def pump(descriptor: int, wire: Wire) -> None:
        with contextlib.suppress(OSError):
            while packet := os.read(descriptor, _PACKET):
                wire.put(packet)

    with contextlib.ExitStack() as stack:
        stack.callback(os.close, near)
        stack.callback(os.close, far)
        _run(f"ip netns add {NAMESPACE}")
        stack.callback(_run, f"ip netns delete {NAMESPACE}")
        _run(f"ip link set antconf1 netns {NAMESPACE}")
        _run(f"ip address add {HERE} peer {THERE} dev antconf0")
        _run("ip link set antconf0 up")
        inside = f"ip netns exec {NAMESPACE}"
        _run(f"{inside} ip address add {THERE} peer {HERE} dev antconf1")
        _run(f"{inside} ip link set antconf1 up")
        _run(f"{inside} ip link set lo up")
        loop.add_reader(near, pump, near, Wire(bytes_per_second, round_trip / 2, out(far)))
        loop.add_reader(far, pump, far, Wire(1e9, round_trip / 2, out(near)))
        stack.callback(loop.remove_reader, near)
        stack.callback(loop.remove_reader, far)
        yield inside.split()
