"""What is heard: the mixer's stream on a sound device, or on nothing when there is none.

Used by the call, on the core's loop. The mixer is pulled in real time whatever happens, so that no voice piles
up; a device that vanishes is replaced by silence within two seconds and taken back when it returns.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from av import AudioFrame, AudioResampler

from tui.core.tasks import Tasks
from tui.errors import DeviceError
from tui.media import portaudio
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE
from tui.media.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tui.media.mixer import Mixer
    from tui.media.sound import Samples

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 0.25
_RETRY_SECONDS = (1.0, 1.0, 2.0, 2.0, 2.0, 5.0, 10.0)
_CLOSE_SECONDS = 2.0
_LATE_SECONDS = 0.4


class Playback:
    """An output that is always there; make one with `open`."""

    def __init__(self, mixer: Mixer, device: str, on_change: Callable[[str | None, str], None] | None) -> None:
        self.on_change = on_change
        """Told the output's name, or ``None`` and a hint, whenever that changes; on the loop."""
        self.name: str | None = None
        """The device that plays, ``None`` without one."""
        self.hint = ""
        """Without a device: one line on what to do."""
        self._mixer = mixer
        self._device = device
        self._tasks = Tasks()
        self._stream: portaudio.Stream | None = None
        self._outlet: Outlet | None = None
        self._null = NullOutput(mixer)

    @classmethod
    async def open(
        cls, mixer: Mixer, device: str = "", on_change: Callable[[str | None, str], None] | None = None
    ) -> Playback:
        """Play the mixer on ``device``, by name or number, empty for the default one.

        A missing default device is no error. Raises ``DeviceError`` for a named one that cannot be opened.
        """
        playback = cls(mixer, device, on_change)
        try:
            await playback._connect()
        except portaudio.NoLibraryError as error:
            playback._disconnected(error.hint)
        except DeviceError as error:
            if device:
                raise
            playback._disconnected(error.hint)
            playback._tasks.spawn(playback._watch(), "playback")
        else:
            playback._tasks.spawn(playback._watch(), "playback")
        return playback

    async def aclose(self) -> None:
        """Stop and give the device back; idempotent."""
        await self._tasks.aclose()
        await self._null.aclose()
        await self._drop()

    async def _connect(self) -> None:
        outlet = Outlet(self._mixer)
        self._stream = stream = await in_thread(
            lambda: portaudio.open_output(self._device, outlet.fill), discard=portaudio.Stream.close
        )
        # The device's callback and the null output must not both pull the mixer.
        await self._null.aclose()
        outlet.connected = True
        self._outlet = outlet
        self._announce(stream.name, "")

    def _disconnected(self, hint: str) -> None:
        self._null.start()
        self._announce(None, hint)

    def _announce(self, name: str | None, hint: str) -> None:
        changed = (name, hint) != (self.name, self.hint)
        self.name, self.hint = name, hint
        if changed and self.on_change is not None:
            self.on_change(name, hint)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if self._stream is not None and not self._stream.alive:
                logger.warning("sound output %s is lost", self._stream.name)
                if self._outlet is not None:
                    self._outlet.connected = False
                self._disconnected(portaudio.absent_hint())
                await self._drop()
            if self._stream is None:
                await self._return()

    async def _return(self) -> None:
        attempt = 0
        while self._stream is None:
            await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
            attempt += 1
            try:
                await in_thread(portaudio.refresh)
                await self._connect()
            except DeviceError as error:
                self._announce(None, error.hint)

    async def _drop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        try:
            # Not wait_for, which on Python 3.11 may swallow a cancellation.
            async with asyncio.timeout(_CLOSE_SECONDS):
                await in_thread(stream.close)
        except TimeoutError:
            logger.warning("sound output %s does not close", stream.name)


class Outlet:
    """The callback's side: the mixer's samples on every channel of a device, at the device's rate."""

    def __init__(self, mixer: Mixer) -> None:
        self.connected = False
        """Silence until the null output has let go of the mixer."""
        self._mixer = mixer
        self._block = np.zeros(SAMPLE_RATE // 10, dtype=np.float32)
        self._resampler: AudioResampler | None = None
        self._rest: Samples = np.zeros(0, dtype=np.float32)

    def fill(self, block: NDArray[Any], rate: int) -> None:
        """Fill a float32 block of the shape (samples, channels)."""
        if not self.connected:
            block.fill(0.0)
        elif rate == SAMPLE_RATE and len(block) <= len(self._block):
            mono = self._block[: len(block)]
            self._mixer.mix(mono)
            block[:] = mono[:, None]
        else:
            block[:] = self._at(rate, len(block))[:, None]

    def _at(self, rate: int, count: int) -> Samples:
        if self._resampler is None:
            self._resampler = AudioResampler(format="flt", layout="mono", rate=rate)
        while len(self._rest) < count:
            mono = self._block[:FRAME_SAMPLES]
            self._mixer.mix(mono)
            frame = AudioFrame.from_ndarray(mono[None, :], format="flt", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            parts = [part.to_ndarray()[0] for part in self._resampler.resample(frame)]
            self._rest = np.concatenate([self._rest, *parts]).astype(np.float32, copy=False)
        played, self._rest = self._rest[:count], self._rest[count:]
        return played


class NullOutput:
    """Pulls the mixer at the rate of the clock and throws the sound away, so that levels and rings move on."""

    def __init__(self, mixer: Mixer) -> None:
        self._mixer = mixer
        self._tasks = Tasks()
        self._running = False

    def start(self) -> None:
        """Begin to pull; nothing happens when it does already."""
        if not self._running:
            self._running = True
            self._tasks.spawn(self._run(), "null output")

    async def aclose(self) -> None:
        """Stop pulling; idempotent, and it can be started again."""
        await self._tasks.aclose()
        self._running = False

    async def _run(self) -> None:
        block = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        due = time.monotonic()
        while True:
            self._mixer.mix(block)
            due = max(due + FRAME_SAMPLES / SAMPLE_RATE, time.monotonic() - _LATE_SECONDS)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
