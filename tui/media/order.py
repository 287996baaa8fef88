"""The packets of one voice in the order of speaking, whatever order they came in.

Used by `Voice`. Sequence numbers and timestamps are unwrapped here, and a stream that begins anew is told from one
stray packet.
"""

from __future__ import annotations

import enum
from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.media.sound import SAMPLE_RATE

if TYPE_CHECKING:
    from tui.core.audio import AudioPacket

_MOST_FRAMES = 256
_REMEMBERED = 512
_MOST_LOST = 3000
_MOST_MISORDERED = 100
_MOST_AHEAD = 2 * SAMPLE_RATE
_RUN = 3
"""So many packets in a row that fit each other but not the stream are another stream."""
_FIRST_HOLD, _LONGEST_HOLD, _FORGIVEN = SAMPLE_RATE // 4, 4 * SAMPLE_RATE, 10 * SAMPLE_RATE


class Outcome(enum.Enum):
    """What became of a packet."""

    TAKEN = enum.auto()
    DUPLICATE = enum.auto()
    STRAY = enum.auto()
    """It fits nothing that came before."""
    RESTART = enum.auto()
    """A stream begins with this packet and the strays before it; all of before is gone."""


@dataclass(slots=True)
class Frame:
    """A packet in its place."""

    sequence: int
    """Unwrapped."""
    time: int
    """Unwrapped, in samples of 48 kHz."""
    duration: int
    """In samples of 48 kHz."""
    packet: AudioPacket

    @property
    def end(self) -> int:
        """The time of the first sample after it."""
        return self.time + self.duration


def _order(frame: Frame) -> int:
    return frame.sequence


class Order:
    """What waits to be played, sorted; 256 packets at most, the oldest are dropped and counted."""

    def __init__(self) -> None:
        self.overflow = 0
        """Packets dropped because too many waited."""
        self.waiting = 0
        """Samples in all packets that wait."""
        self.newest: Frame | None = None
        """The highest number so far, played or not."""
        self.latest: Frame
        """What was sorted in last; there is one once a packet was taken."""
        self._frames: list[Frame] = []
        self._seen: dict[int, None] = {}
        self._strays: list[tuple[AudioPacket, int]] = []
        self._hold = 0
        self._restarted = -_FORGIVEN

    def add(self, packet: AudioPacket, duration: int, now: int) -> Outcome:
        """Put the packet in its place; ``now`` is in samples, of any clock that goes on."""
        frame = self._placed(packet, duration)
        if frame is None:
            return self._restart(now) if self._is_stream(packet, duration) else Outcome.STRAY
        self._strays.clear()
        return self._insert(frame)

    def clear(self) -> None:
        """Forget all packets and where the stream was."""
        self._frames.clear()
        self._seen.clear()
        self._strays.clear()
        self.newest = None
        self.waiting = 0

    @property
    def first(self) -> Frame | None:
        """The frame that is next."""
        return self._frames[0] if self._frames else None

    def pop(self) -> Frame:
        """Take the frame that is next."""
        frame = self._frames.pop(0)
        self.waiting -= frame.duration
        return frame

    def _placed(self, packet: AudioPacket, duration: int) -> Frame | None:
        """The packet at its place in the stream, ``None`` when it cannot be of this stream."""
        last = self.newest
        if last is None:
            return Frame(packet.sequence, packet.timestamp * SAMPLE_RATE // packet.clock_rate, duration, packet)
        before = last.packet
        if packet.ssrc != before.ssrc or packet.codec != before.codec:
            return None
        step = _signed(packet.sequence - before.sequence, 16)
        passed = _signed(packet.timestamp - before.timestamp, 32) * SAMPLE_RATE // packet.clock_rate
        if step > 0:
            ahead = _MOST_AHEAD + max(0, int((packet.arrival - before.arrival) * SAMPLE_RATE))
            fits = step <= _MOST_LOST and 0 <= passed <= ahead
        else:
            fits = step >= -_MOST_MISORDERED and -_MOST_AHEAD <= passed <= 0 and (step < 0 or passed == 0)
        return Frame(last.sequence + step, last.time + passed, duration, packet) if fits else None

    def _insert(self, frame: Frame) -> Outcome:
        if frame.sequence in self._seen:
            return Outcome.DUPLICATE
        self._seen[frame.sequence] = None
        self.latest = frame
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        insort(self._frames, frame, key=_order)
        self.waiting += frame.duration
        if self.newest is None or frame.sequence > self.newest.sequence:
            self.newest = frame
        if len(self._frames) > _MOST_FRAMES:
            self.pop()
            self.overflow += 1
        return Outcome.TAKEN

    def _is_stream(self, packet: AudioPacket, duration: int) -> bool:
        """Whether this stray and those before it are a stream of their own."""
        if self._strays:
            before = self._strays[-1][0]
            step = abs(_signed(packet.sequence - before.sequence, 16))
            passed = abs(_signed(packet.timestamp - before.timestamp, 32)) * SAMPLE_RATE // packet.clock_rate
            alien = packet.ssrc != before.ssrc or packet.codec != before.codec
            if alien or not 0 < step <= _MOST_MISORDERED or passed > _MOST_AHEAD:
                self._strays.clear()
        self._strays.append((packet, duration))
        del self._strays[: -2 * _RUN]
        return len(self._strays) >= _RUN

    def _restart(self, now: int) -> Outcome:
        """Begin with the strays, less and less readily when that happens again and again: two may send at once."""
        if now - self._restarted < self._hold:
            return Outcome.STRAY
        forgiven = now - self._restarted >= _FORGIVEN
        self._hold = _FIRST_HOLD if forgiven else min(2 * self._hold, _LONGEST_HOLD)
        self._restarted = now
        strays = sorted(self._strays, key=lambda stray: _signed(stray[0].sequence - self._strays[0][0].sequence, 16))
        self.clear()
        for packet, duration in strays:
            frame = self._placed(packet, duration)
            if frame is not None:
                self._insert(frame)
        return Outcome.RESTART


def _signed(difference: int, bits: int) -> int:
    """The shortest way around."""
    half = 1 << bits - 1
    return ((difference + half) & ((1 << bits) - 1)) - half
