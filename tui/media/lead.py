"""The newest packets of a voice at rest, with which it begins when it is heard again; used by `Voice`."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.core.audio import AudioPacket

LONGEST = 0.1
"""Seconds before the first word that are worth hearing."""

_PACKETS = 8
_NEIGHBOURS = 2
"""A step of the sequence number that is no gap: packets overtake each other."""


class Lead:
    """Bounded; the oldest are dropped."""

    def __init__(self) -> None:
        self._packets: deque[AudioPacket] = deque(maxlen=_PACKETS)

    def __len__(self) -> int:
        return len(self._packets)

    def push(self, packet: AudioPacket) -> None:
        """One more."""
        self._packets.append(packet)

    def clear(self) -> None:
        """Nothing was kept."""
        self._packets.clear()

    def take(self, since: float) -> list[AudioPacket]:
        """Those that have come since then, after the last gap: of quiet ones only samples come (`tui.core.hush`)."""
        taken: list[AudioPacket] = []
        while self._packets and self._packets[-1].arrival >= since:
            packet = self._packets.pop()
            if taken and _step(packet, taken[-1]) > _NEIGHBOURS:
                break
            taken.append(packet)
        self._packets.clear()
        return taken[::-1]


def _step(one: AudioPacket, other: AudioPacket) -> int:
    """Between their numbers, whichever comes first."""
    step = other.sequence - one.sequence & 0xFFFF
    return min(step, 0x10000 - step)
