"""One remote voice: packets come from the core's thread, samples go to the sound device's callback.

Created by the `Mixer`, filled by the `Reception`. Neither side ever waits for the other.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections import deque
from typing import TYPE_CHECKING

import numpy as np
from av import FFmpegError

from tui.core.audio import Playout
from tui.media.decoding import decoder_for, duration_of
from tui.media.delay import MOST, ArrivalDelay, Demand, SenderClock
from tui.media.lead import LONGEST, Lead
from tui.media.libopus import library
from tui.media.meter import SILENT, VoiceMeter
from tui.media.order import Order, Outcome
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE, loudness
from tui.media.stretch import SEAM, blend, lengthened, period, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.audio import AudioPacket
    from tui.media.decoding import Decoder
    from tui.media.order import Frame
    from tui.media.sound import Samples

logger = logging.getLogger(__name__)

_INBOX = 256
_MS = SAMPLE_RATE // 1000
_CHUNK = 10 * _MS
"""Sound is made up in pieces of this length while nothing is there."""
_SLACK, _PAUSE_SLACK = 8 * _MS, 3 * _MS
"""The buffer may be so far from its target while somebody speaks, and in a pause."""
_HURRY = 100 * _MS
"""So far above it no silence is waited for."""
_TOO_MUCH = 500 * _MS
"""So far above it what is too old is not played at all."""
_SHORTEST_REST = 8
"""A frame is not decoded for an eighth of it: many that overlap would cost more time than they play."""
_PATIENCE = SAMPLE_RATE
"""So long a silence is waited for."""
_IN_VAIN = SAMPLE_RATE
"""So long packets may come of which nothing is heard."""
_HELD, _FADED = 100 * _MS, 200 * _MS
"""Made-up sound begins to fade, and is silent."""
_SPARE = 10 * SAMPLE_RATE
"""So long after the last sight of error correction its packets are waited for."""
_FOR_A_COPY = 3
"""Quarters of a frame that a lost packet's copy is waited for: the rest would save a packet in some hundred."""
_SILENT_SENDER = 2
"""Bytes of a packet that says: nothing to hear until further notice."""
_SILENCE_LASTS = SAMPLE_RATE
"""So long that is believed when nothing comes."""
_QUIET = 0.003
"""Root mean square below which nobody speaks, -50 dBFS."""
_PAUSE = 0.05
"""The same, as a part of the loudest of late."""
_ALIKE = 0.5
"""How well a period must repeat itself to be left out or said twice."""
_FORGETS_LOUD = 0.998
"""What is left after each frame of the loudest of late."""
_ODD = 0.03
"""A clock that is so far off is no matter of temperature: its sender names the wrong rate."""


class Voice:
    """Sound of one participant: mono, 48 kHz, without end.

    `push` belongs to the core's thread, `pull` to the device's; the rest may be called from any. There is no lock: what
    they share are a bounded queue of packets, whose oldest are dropped, and numbers.

    Times are counted in samples of what was played. A packet is played ``target`` after the moment at which the
    fastest of the last packets would have been; what that costs in waiting follows the line (`ArrivalDelay`).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.gain = 1.0
        """Factor for the mix, 1.0 as received."""
        self.muted = False
        """Not heard, though still received."""
        self.on_packet: Callable[[int | None], None] = lambda level: None
        """Told by `push` how loud each packet is, on the scale of RFC 6464; ``None`` when nobody knows."""
        self._clock = clock
        self._inbox: deque[AudioPacket] = deque(maxlen=_INBOX)
        self._overflow = 0
        self._sender_clock = SenderClock()
        self._is_odd = False
        self.resting = False
        """`AudioSink`; see `rest`."""
        self._lead = Lead()
        self._since = -math.inf
        """Nothing older is played."""
        self._woken: float | None = None

        self._order = Order()
        self._delay = ArrivalDelay()
        self._demand = Demand()
        self._target = self._delay.target
        """How long packets should wait after the fastest one's arrival."""
        self._decoder: Decoder | None = None
        self._codec = ""

        self._made = 0
        """Samples made so far."""
        self._now = 0
        """The clock's time when the device asked, in samples."""
        self._playing = False
        self._position = 0
        """Timestamp of the next sample to be made."""
        self._sequence = 0
        """Of the last frame that was played or given up."""
        self._length = FRAME_SAMPLES
        """Of that frame."""
        self._starved = 0
        """Samples made up at this position while nothing was there."""
        self._uncertain = 0.0
        """Milliseconds of them that count as concealed unless the sender was silent."""
        self._made_up = 0
        """Samples made up since the last that were not."""
        self._sender_silent = False
        self._protected_until = 0
        self._impatience = 0
        self._loudest = 0.0
        self._tail: Samples | None = None
        """What the next sound must go on from, where it does not do so by itself."""
        self._unheard = np.zeros(0, dtype=np.float32)
        self._in_vain_since: int | None = None
        """When packets began to come of which nothing was heard."""
        self._taken_at = 0

        self._packets = self._late = self._duplicate = self._malformed = self._resets = 0
        self._lost = self._recovered = 0.0
        self._played_ms = self._concealed_ms = 0.0
        self._depth = 0

        self._meter = VoiceMeter(clock)

    # -- the core's side ---------------------------------------------------------------------------

    def push(self, packet: AudioPacket) -> None:
        """`AudioSink`."""
        if self.resting:
            self._lead.push(packet)
            self._meter.believe(packet.level)
        else:
            self._receive(packet)
        self.on_packet(self._level_of(packet))

    def rest(self) -> None:
        """Nobody pulls any more: keep only a `Lead` of what comes."""
        self._lead.clear()
        self.resting = True

    def wake(self) -> None:
        """Pulled again from now on: begin with what was kept. Called by who pushes; nothing happens while awake."""
        if not self.resting:
            return
        self.resting = False
        self._woken = since = self._clock() - LONGEST
        self._inbox.extend(self._lead.take(since))

    def _level_of(self, packet: AudioPacket) -> int | None:
        if packet.level is not None:
            return packet.level
        if packet.codec == "opus" and len(packet.payload) <= _SILENT_SENDER:
            return SILENT
        return None if self.resting else self._meter.level

    def _receive(self, packet: AudioPacket) -> None:
        if packet.codec == "opus" and library() is None:
            _say_plain()
        error = self._sender_clock.note(packet.arrival, packet.timestamp, packet.clock_rate)
        if abs(error) > _ODD and not self._is_odd:
            self._is_odd = True
            logger.warning("a sender has an odd clock, %+.0f %%: what it says is stretched or cut", 100 * error)
        if len(self._inbox) == _INBOX:
            self._overflow += 1
        self._inbox.append(packet)

    def playout(self) -> Playout:
        """`AudioSink`; what has been pulled by now."""
        return Playout(
            packets=self._packets + self._overflow,
            late=self._late + self._overflow + self._order.overflow,
            duplicate=self._duplicate,
            malformed=self._malformed,
            lost=round(self._lost),
            recovered=round(self._recovered),
            played_ms=self._played_ms,
            concealed_ms=self._concealed_ms,
            resets=self._resets,
            depth_ms=0.0 if self.resting else self._depth / _MS,
            target_ms=0.0 if self.resting or not self._packets else (self._target + self._demand.ahead) / _MS,
        )

    @property
    def level(self) -> float:
        """How loud it is now, 0.0 to 1.0; while it rests, how loud its sender says that it is."""
        return self._meter.loudness

    @property
    def talking(self) -> bool:
        """Whether somebody speaks: by what the sender says of the level, else by what is heard."""
        return self._meter.talking

    # -- the device's side -------------------------------------------------------------------------

    def pull(self, out: Samples) -> None:
        """Fill ``out``, of any length, with the next samples."""
        self._now = int(self._clock() * SAMPLE_RATE)
        since, self._woken = self._woken, None
        if since is not None:
            self._come_back(since)
        self._demand.note(self._now, self._made - len(self._unheard))
        self._take()
        filled = 0
        while filled < len(out):
            if not len(self._unheard):
                self._unheard = self._finished(self._next(len(out) - filled))
            count = min(len(out) - filled, len(self._unheard))
            out[filled : filled + count] = self._unheard[:count]
            self._unheard = self._unheard[count:]
            filled += count

    def _come_back(self, since: float) -> None:
        """Nobody has pulled for a while: nothing of before is played, neither what was said nor the pause."""
        self._since = since
        self._order.clear()
        self._unheard = self._unheard[:0]
        self._tail = np.zeros(SEAM, dtype=np.float32)
        self._playing = self._sender_silent = False
        self._depth = 0
        self._delay.forget()
        self._in_vain_since = None
        self._decoder, self._codec = None, ""

    def _take(self) -> None:
        """Sort in what has come."""
        for _ in range(len(self._inbox)):
            packet = self._inbox.popleft()
            if packet.arrival < self._since:
                continue
            self._packets += 1
            self._watch()
            duration = duration_of(packet)
            if not duration:
                self._malformed += 1
                continue
            outcome = self._order.add(packet, duration, self._made)
            if outcome is Outcome.RESTART:
                self._begin_anew()
            elif outcome is Outcome.DUPLICATE:
                self._duplicate += 1
            if outcome in (Outcome.TAKEN, Outcome.RESTART):
                self._delay.note(int(packet.arrival * SAMPLE_RATE), self._order.latest.time)

    def _watch(self) -> None:
        """Packets come, and nothing is heard of them for a second: begin anew."""
        paused = self._made - self._taken_at > _PATIENCE // 2
        self._taken_at = self._made
        if self._in_vain_since is None or paused:
            self._in_vain_since = self._made
        elif self._made - self._in_vain_since > _IN_VAIN:
            self._in_vain_since = self._made
            self._order.clear()
            self._begin_anew()
            self._decoder, self._codec = None, ""

    def _begin_anew(self) -> None:
        """Another stream, or a decoder that is of no use: nothing of before is played.

        The decoder stays: a fresh one in the middle of a stream clicks.
        """
        self._resets += 1
        self._break_off()
        self._playing = False
        self._depth = 0
        self._delay.forget()

    def _break_off(self) -> None:
        """What comes next does not go on from what was heard: keep a bit of that to fade from."""
        if self._tail is None:
            self._tail = self._made_up_sound(SEAM).copy() if self._playing else np.zeros(SEAM, dtype=np.float32)

    def _next(self, wanted: int) -> Samples:
        """The next piece of sound; as short or long as it comes."""
        self._demand.make(self._now, self._made)
        while True:
            frame = self._order.first
            if not self._playing:
                early = wanted if frame is None else self._due(frame.time) - self._made
                if frame is None or early > 0:
                    least = SEAM if self._tail is not None else 1
                    return np.zeros(max(min(early, wanted), least), dtype=np.float32)
                self._start(frame)
            elif frame is None:
                return self._starve()
            elif _SHORTEST_REST * (frame.end - self._position) <= frame.duration:
                self._give_up(frame)
            elif self._excess() > _TOO_MUCH and self._order.waiting > self._target + _TOO_MUCH:
                self._catch_up(frame)
            elif frame.time <= self._position:
                return self._play(frame)
            else:
                sound = self._cross(frame)
                if sound is not None:
                    return sound

    def _start(self, frame: Frame) -> None:
        self._break_off()
        self._playing = True
        self._position, self._sequence = frame.time, frame.sequence - 1
        self._starved, self._uncertain, self._made_up = 0, 0.0, 0

    def _due(self, time: int) -> int:
        """When the sample with this timestamp should be made."""
        return time + self._delay.fastest + self._demand.offset + self._demand.ahead + self._target

    def _excess(self) -> int:
        """How much later than it should be the next sample is made."""
        return self._made - self._due(self._position)

    def _give_up(self, frame: Frame) -> None:
        self._order.pop()
        self._late += 1
        self._sequence = max(self._sequence, frame.sequence)

    def _catch_up(self, frame: Frame) -> None:
        """Far too much waits: leave out what is too old, this frame at least, however its sender counts the time."""
        self._break_off()
        newest = self._order.newest
        assert newest is not None
        self._position = max(self._position, min(self._position + self._excess(), newest.end - self._target))
        self._starved, self._uncertain = 0, 0.0
        self._give_up(frame)

    # -- nothing there -----------------------------------------------------------------------------

    def _starve(self) -> Samples:
        """Nothing has come: make something up and stay where we are."""
        self._starved += _CHUNK
        if self._starved > _HELD:
            self._depth = 0
        if not self._sender_silent:
            self._concealed_ms += _CHUNK / _MS
            self._uncertain += _CHUNK / _MS
        return self._made_up_sound(_CHUNK)

    def _cross(self, frame: Frame) -> Samples | None:
        """On the way to the next frame, which is not where the last one ended; ``None`` when there."""
        hole = frame.time - self._position
        missing = min(hole, max(0, frame.sequence - self._sequence - 1) * self._length)
        if hole > missing:
            return self._rest(hole - missing)
        copied = hole <= self._length and self._decoder is not None and self._decoder.has_copy(frame.packet.payload)
        if self._starved:
            # It was not late, it was lost: what was made up meanwhile stands for it, unless time is wanted.
            passed = min(max(0, self._excess() + self._target - self._wanted()), self._starved, hole)
            self._starved, self._uncertain = 0, 0.0
            self._lost += passed / self._length
            self._position += passed
            hole -= passed
            self._break_off()
            if not hole:
                return None
        count = min(hole, self._length)
        self._lost += count / self._length
        self._position += count
        if copied:
            assert self._decoder is not None
            self._recovered += count / self._length
            return self._back(self._decoder.recover(frame.packet.payload, count))
        self._concealed_ms += count / _MS
        return self._made_up_sound(count)

    def _rest(self, silence: int) -> Samples | None:
        """The numbers go on and the time does not: the sender was silent, and may be heard when it suits us."""
        self._concealed_ms -= self._uncertain
        self._starved, self._uncertain = 0, 0.0
        self._target = self._wanted()
        passed = min(max(0, self._excess()), silence)
        self._position += passed
        if passed == silence:
            return None
        count = min(silence - passed, _CHUNK)
        self._position += count
        return self._made_up_sound(count)

    def _made_up_sound(self, count: int) -> Samples:
        """What goes on from what was heard; ever softer from a tenth of a second on, but for a sender's silence."""
        if self._decoder is None:
            return np.zeros(count, dtype=np.float32)
        sound = self._decoder.conceal(count)
        if self._sender_silent and self._starved < _SILENCE_LASTS:
            return sound
        begun, self._made_up = self._made_up, self._made_up + len(sound)
        if self._made_up <= _HELD:
            return sound
        at = np.arange(begun, self._made_up, dtype=np.float32)
        return sound * np.clip((_FADED - at) / (_FADED - _HELD), 0.0, 1.0)

    def _back(self, sound: Samples) -> Samples:
        """Real sound again after made-up."""
        if self._made_up > _HELD:
            gain = max(0.0, (_FADED - self._made_up) / (_FADED - _HELD))
            count = min(SEAM, len(sound))
            sound[:count] *= np.linspace(gain, 1.0, count, dtype=np.float32)
        self._made_up = 0
        return sound

    # -- a frame -----------------------------------------------------------------------------------

    def _play(self, frame: Frame) -> Samples:
        self._order.pop()
        packet = frame.packet
        excess = self._excess()
        late = self._target + self._demand.ahead + excess
        # Who sends nonsense about the time has not had more than this wait.
        self._depth = max(0, min(late, self._order.waiting + _TOO_MUCH))
        begun = self._position - frame.time
        if begun or (self._made_up and self._decoder is not None and not self._decoder.joins):
            self._break_off()
        if self._decoder is None or packet.codec != self._codec:
            self._decoder, self._codec = decoder_for(packet.codec), packet.codec
        self._sequence, self._length, self._position = frame.sequence, frame.duration, frame.end
        self._starved, self._uncertain = 0, 0.0
        self._meter.be_told(packet.level)
        try:
            sound = self._decoder.decode(packet.payload)[begun:]
            if not len(sound):
                raise ValueError("nothing decoded")
        except (ValueError, FFmpegError):
            self._malformed += 1
            self._lost += 1
            self._concealed_ms += frame.duration / _MS
            return self._made_up_sound(frame.duration - begun)
        self._in_vain_since = None
        self._played_ms += len(sound) / _MS
        self._sender_silent = packet.codec == "opus" and len(packet.payload) <= _SILENT_SENDER
        if self._decoder.has_copy(packet.payload):
            self._protected_until = self._made + _SPARE
        return self._fitted(self._back(sound), excess)

    def _wanted(self) -> int:
        """How long packets should wait: for the next one too when it carries a copy, though not for the slowest."""
        protected = self._made < self._protected_until
        return min(self._delay.target + (self._length * _FOR_A_COPY // 4 if protected else 0), MOST)

    def _fitted(self, sound: Samples, excess: int) -> Samples:
        """Shorter or longer if the buffer wants it: in a pause if there is one, else by a period of the voice."""
        power = float(np.dot(sound, sound)) / len(sound)
        volume = math.sqrt(power) if math.isfinite(power) else 0.0
        self._loudest = max(volume, self._loudest * _FORGETS_LOUD)
        quiet = volume < max(_QUIET, _PAUSE * self._loudest)
        wanted = self._wanted()
        self._target = wanted if quiet else max(wanted, self._target)
        self._impatience = 0 if quiet or excess <= _SLACK else self._impatience + len(sound)
        room = len(sound) - SEAM
        if abs(excess) <= (_PAUSE_SLACK if quiet else _SLACK) or room <= 0:
            return sound
        if quiet:
            by = min(abs(excess), room)
        elif excess < 0 or excess > _HURRY or self._impatience > _PATIENCE:
            by, alike = period(sound)
            if alike < _ALIKE or by > abs(excess) + _SLACK:
                return sound
        else:
            return sound
        return shortened(sound, by) if excess > 0 else lengthened(sound, by)

    def _finished(self, sound: Samples) -> Samples:
        """Joined to what was before, finite, and measured."""
        power = float(np.dot(sound, sound))
        if not math.isfinite(power):
            sound = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0).clip(-1.0, 1.0)
        if self._tail is not None:
            count = min(len(sound), SEAM)
            sound = np.concatenate([blend(self._tail[:count], sound[:count]), sound[count:]])
            self._tail = None
        else:
            sound = sound.copy()
        self._made += len(sound)
        self._meter.hear(loudness(sound))
        return sound


@functools.cache
def _say_plain() -> None:
    logger.warning("no libopus here: Opus is decoded without error correction and with plain concealment")
