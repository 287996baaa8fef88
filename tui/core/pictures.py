"""The pictures of one remote track on their way from packets to whoever watches, and the key frames asked for.

Used by the peer, which feeds it on the core's loop. Nothing is put together while nobody looks.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.aiortc_internals import codec_name, media_of
from tui.core.assembly import Assembly
from tui.core.video import Showing

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc.rtcrtpparameters import RTCRtpCodecParameters
    from aiortc.rtp import RtpPacket

    from tui.core.video import VideoSink

SOONEST = 0.5
"""Seconds between two requests for a key frame."""

LATEST = 4.0
"""Seconds to which the time between requests grows while none comes."""


class Pictures:
    """Complete encoded pictures to one `VideoSink`; ``ask`` sends a picture loss indication to an SSRC."""

    def __init__(self, ask: Callable[[int], object], clock: Callable[[], float] = time.monotonic) -> None:
        self.key_frames_requested = 0
        self._ask = ask
        self._clock = clock
        self._assembly = Assembly()
        self._sink: VideoSink | None = None
        self._paused = False
        self._ssrc: int | None = None
        self._unseen = 0
        """Pictures that came while nobody looked."""
        self._wanted = False
        self._asked = -SOONEST
        self._due = 0.0
        self._interval = SOONEST

    @property
    def is_watched(self) -> bool:
        """Whether pictures are put together now."""
        return self._sink is not None and not self._paused

    @property
    def received(self) -> int:
        """Pictures that came whole or not."""
        return self._assembly.passed + self._assembly.dropped + self._unseen

    @property
    def dropped(self) -> int:
        """Of these those that nobody decoded."""
        return self._assembly.dropped + self._unseen + self.showing.dropped

    @property
    def showing(self) -> Showing:
        """What the sink says; all zero without one."""
        return self._sink.showing() if self._sink is not None else Showing()

    def watch(self, sink: VideoSink | None) -> None:
        """Give the pictures to ``sink`` from the next key frame on, which is asked for; ``None`` ends that."""
        self._sink = sink
        self._paused = False
        self._begin()

    def pause(self) -> None:
        """Nobody looks for now: put nothing together, and have nothing sent again."""
        self._paused = True
        self._begin()

    def resume(self) -> None:
        """Somebody looks again: as after `watch`."""
        self._paused = False
        self._begin()

    def ask_key_frame(self) -> None:
        """Have a key frame sent now, or as soon as the last request is `SOONEST` ago, and until one comes."""
        if not self._wanted:
            self._wanted, self._interval = True, SOONEST
            self._due = self._asked + SOONEST
        self._ask_if_due()

    def take(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> None:
        """A packet that has just arrived."""
        self._ssrc = packet.ssrc
        if self._sink is None or self._paused:
            self._unseen += bool(packet.marker)
            return
        for picture in self._assembly.add(packet, media_of(packet), codec_name(codec), self._clock()):
            if picture.is_key:
                self._wanted = False
            self._sink.push(picture)
        if self._wanted:
            self._ask_if_due()
        elif self._assembly.awaits_key_frame:
            self.ask_key_frame()

    def _begin(self) -> None:
        self._assembly.begin_anew()
        self._wanted = False
        if self.is_watched:
            self.ask_key_frame()

    def _ask_if_due(self) -> None:
        now = self._clock()
        if self._ssrc is None or now < self._due:
            return
        self._asked, self._due = now, now + self._interval
        self._interval = min(2 * self._interval, LATEST)
        self.key_frames_requested += 1
        self._ask(self._ssrc)
