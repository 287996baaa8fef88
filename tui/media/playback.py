"""What is heard: the mixer's stream on a sound device, or on nothing when there is none.

Used by the call, on the core's loop. The mixer is pulled in real time whatever happens, so that no voice piles
up; a device that vanishes is replaced by silence within two seconds and taken back when it returns.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tui.core.tasks import Tasks
from tui.errors import DeviceError
from tui.media import hotplug, portaudio
from tui.media.elastic import Elastic
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE
from tui.media.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tui.media.mixer import Mixer

logger = logging.getLogger(__name__)

NONE = "none"
"""The device that is none, on purpose."""

_WATCH_SECONDS = 0.25
_RETRY_SECONDS = (1.0, 1.0, 2.0, 2.0, 2.0, 5.0, 10.0)
_RETURN_SECONDS = (0.5, 1.0, 1.0, 1.0, 2.0)
_OPEN_SECONDS = 6.0
_CLOSE_SECONDS = 2.0
_LATE_SECONDS = 0.4
_STORM_SECONDS = 10.0
_STORM_UNDERRUNS = 5
_PACKET_MS = FRAME_SAMPLES * 1000 / SAMPLE_RATE
_SERVERS = ("default", "pulse", "pipewire")
"""Names by which ALSA stands for a sound server."""


@dataclass(frozen=True, slots=True)
class OutputFigures:
    """How the output does; counted since it was opened, over all devices."""

    callbacks: int = 0
    underruns: int = 0
    """Times that the device ran out of sound, or the callback came too late for it."""
    largest_gap_ms: float = 0.0
    """Between two callbacks of this device."""
    latency_ms: float = 0.0
    """Between a callback and the loudspeaker, as far as PortAudio knows."""
    asked_latency_ms: float = 0.0
    """What was asked for: it rises when the device runs out of sound again and again."""
    drift_ppm: float = 0.0
    """How much faster than the device's own clock sound is taken from the room."""
    mouth_to_ear_ms: float | None = None
    """An estimate; ``None`` without a device, or while nobody speaks."""


class Playback:
    """An output that is always there; make one with `open`.

    A sound server moves the sound to another default output by itself, which is said here once. A device that was
    opened without a server is kept until it ends, since PortAudio tells nothing of others; `use` changes it.
    """

    def __init__(
        self,
        mixer: Mixer,
        device: str,
        on_change: Callable[[str | None, str], None] | None,
        low_latency: bool = False,
    ) -> None:
        self.on_change = on_change
        """Told the output's name, or ``None``, and a hint, whenever that changes; on the loop."""
        self.name: str | None = None
        """The device that plays, ``None`` without one."""
        self.hint = ""
        """One line on what to do without a device, or on what is wrong with this one."""
        self._mixer = mixer
        self._device = device
        self._latency = portaudio.LOW_LATENCY if low_latency else portaudio.LATENCY
        self._tasks = Tasks()
        self._changing = asyncio.Lock()
        self._stream: portaudio.Stream | None = None
        self._turn = threading.Lock()
        self._outlet = Outlet(mixer, self._turn)
        self._null = NullOutput(mixer, self._turn)
        self._default = hotplug.Watch(self._default_changed)
        self._storm: deque[tuple[float, int]] = deque()
        self._steered = 0.0
        self._depth_ms: float | None = None
        self._callbacks = 0
        self._underruns = 0
        self._closed = False

    @classmethod
    async def open(
        cls,
        mixer: Mixer,
        device: str = "",
        on_change: Callable[[str | None, str], None] | None = None,
        low_latency: bool = False,
    ) -> Playback:
        """Play the mixer on ``device``, by name or number, empty for the default one, `NONE` for none.

        ``low_latency`` asks for 20 ms instead of 60. A missing default device is no error. Raises ``DeviceError``
        for a named one that cannot be opened.
        """
        playback = cls(mixer, device, on_change, low_latency)
        try:
            if device == NONE:
                playback._null.start()
            else:
                await playback._connect(device)
        except DeviceError as error:
            if device:
                raise
            playback._disconnected(error.hint)
        except BaseException:
            await playback.aclose()
            raise
        playback._tasks.spawn(playback._watch(), "playback")
        return playback

    async def use(self, device: str) -> None:
        """Play on another device from now on, named as in `open`.

        Raises ``DeviceError`` when it cannot be opened; then the one before goes on.
        """
        async with self._changing:
            if device == NONE:
                await self._let_go()
                self._announce(None, "")
            else:
                try:
                    await self._connect(device)
                except DeviceError as refusal:
                    await self._begin_anew(device, refusal)
            self._device = device

    def figures(self, network_ms: float = 0.0) -> OutputFigures:
        """The figures now; ``network_ms`` is the way through the network, half the round trip."""
        stream = self._stream
        if stream is None:
            return OutputFigures(self._callbacks, self._underruns)
        latency_ms = stream.latency * 1000
        depth_ms = self._depth_ms
        return OutputFigures(
            callbacks=self._callbacks + stream.callbacks,
            underruns=self._underruns + stream.underruns,
            largest_gap_ms=stream.largest_gap * 1000,
            latency_ms=latency_ms,
            asked_latency_ms=self._latency * 1000,
            drift_ppm=self._outlet.drift_ppm,
            mouth_to_ear_ms=None
            if depth_ms is None
            else _PACKET_MS + network_ms + depth_ms + self._outlet.delay_ms + latency_ms,
        )

    async def aclose(self) -> None:
        """Stop and give the device back; idempotent."""
        self._closed = True
        await self._default.aclose()
        await self._tasks.aclose()
        await self._null.aclose()
        self._outlet.disconnect()
        await self._drop()

    async def _connect(self, device: str) -> None:
        """Play on this device instead of what plays now. Raises ``DeviceError``, and then nothing has changed."""
        outlet = Outlet(self._mixer, self._turn)
        latency = self._latency
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                stream = await in_thread(
                    lambda: portaudio.open_output(device, outlet.fill, latency), discard=portaudio.Stream.close
                )
        except TimeoutError:
            raise DeviceError("the sound output does not answer", portaudio.absent_hint()) from None
        if self._closed:
            await in_thread(stream.close)
            raise DeviceError("the sound output is closed")
        # Ours before anything is waited for: whoever closes or cancels meanwhile gives it back.
        self._outlet.disconnect()
        outlet.connect(stream.rate)
        self._outlet = outlet
        self._storm.clear()
        name = stream.name
        if name in _SERVERS:
            self._default.start()
        await self._drop(stream)
        await self._null.aclose()
        if name in _SERVERS:
            name = await in_thread(hotplug.server_output) or name
        self._announce(name, "")

    async def _begin_anew(self, device: str, refusal: DeviceError) -> None:
        """The device may be one that PortAudio has not seen yet: let it look again, which ends every stream."""
        if not await in_thread(lambda: portaudio.is_new("output", device)):
            raise refusal
        await self._let_go()
        try:
            await in_thread(portaudio.restart)
            await self._connect(device)
        except DeviceError:
            try:
                await self._connect(self._device)
            except DeviceError as error:
                self._announce(None, error.hint)
            raise

    async def _let_go(self) -> None:
        """From the device to the null output; nothing is said."""
        self._outlet.disconnect()
        if not self._closed:
            self._null.start()
        await self._drop()

    def _disconnected(self, hint: str) -> None:
        self._outlet.disconnect()
        self._null.start()
        self._announce(None, hint)

    def _announce(self, name: str | None, hint: str) -> None:
        changed = (name, hint) != (self.name, self.hint)
        self.name, self.hint = name, hint
        if changed and self.on_change is not None:
            self.on_change(name, hint)

    def _default_changed(self) -> None:
        self._tasks.spawn(self._tell_default(), "default output")

    async def _tell_default(self) -> None:
        name = await in_thread(hotplug.server_output)
        if name and self._stream is not None and self._stream.name in _SERVERS:
            self._announce(name, self.hint)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                async with self._changing:
                    await self._look()
            except DeviceError as error:
                self._announce(None, error.hint)
            if self._stream is None and self._device != NONE:
                await self._return(_RETURN_SECONDS if self._callbacks else _RETRY_SECONDS)

    async def _look(self) -> None:
        stream = self._stream
        if stream is None:
            return
        if not stream.alive:
            logger.warning("sound output %s is lost", stream.name)
            self._disconnected(portaudio.absent_hint())
            await self._drop()
            return
        self._steer()
        if self._is_stormy(stream.underruns) and self._latency < portaudio.LATENCIES[-1]:
            await self._wait_longer()

    def _steer(self) -> None:
        now, before = time.monotonic(), self._steered
        self._steered = now
        depth = self._mixer.depth()
        self._depth_ms = depth[0] if depth else None
        if depth:
            self._outlet.steer(depth[0] - depth[1], min(now - before, 1.0))

    def _is_stormy(self, underruns: int) -> bool:
        now = time.monotonic()
        self._storm.append((now, underruns))
        while self._storm[0][0] < now - _STORM_SECONDS:
            self._storm.popleft()
        return underruns - self._storm[0][1] >= _STORM_UNDERRUNS

    async def _wait_longer(self) -> None:
        """The same device with more latency. Raises ``DeviceError`` when it does not open again."""
        self._latency = next(latency for latency in portaudio.LATENCIES if latency > self._latency)
        logger.info("sound output %s runs dry: %.0f ms of buffer", self.name, self._latency * 1000)
        try:
            await self._connect(self._device)
        except DeviceError:
            # One that only one stream can have.
            await self._let_go()
            await self._connect(self._device)
        self._announce(self.name, f"This machine is busy: sound is buffered for {self._latency * 1000:.0f} ms now.")

    async def _return(self, waits: tuple[float, ...]) -> None:
        attempt = 0
        while self._stream is None and self._device != NONE:
            await asyncio.sleep(waits[min(attempt, len(waits) - 1)])
            attempt += 1
            async with self._changing:
                if self._stream is None and self._device != NONE:
                    await self._try_again(self._device)

    async def _try_again(self, device: str) -> None:
        try:
            await in_thread(lambda: portaudio.refresh("output", device))
            await self._connect(device)
        except DeviceError as error:
            self._announce(None, error.hint)

    async def _drop(self, successor: portaudio.Stream | None = None) -> None:
        stream, self._stream = self._stream, successor
        if stream is None:
            return
        self._callbacks += stream.callbacks
        self._underruns += stream.underruns
        try:
            # Not wait_for, which on Python 3.11 may swallow a cancellation.
            async with asyncio.timeout(_CLOSE_SECONDS):
                await in_thread(stream.close)
        except TimeoutError:
            logger.warning("sound output %s does not close", stream.name)


class Outlet:
    """The callback's side: the mixer's samples on every channel of a device, at the device's rate and by its clock.

    ``turn`` is held by whoever pulls the mixer: a stream that was given up may still call.
    """

    def __init__(self, mixer: Mixer, turn: threading.Lock) -> None:
        self._mixer = mixer
        self._turn = turn
        self._elastic: Elastic | None = None
        self._block = np.zeros(SAMPLE_RATE // 10, dtype=np.float32)

    def connect(self, rate: int) -> None:
        """Sound from now on, for a device of this rate; silence before."""
        self._elastic = Elastic(self._mixer.mix, SAMPLE_RATE, rate)

    def disconnect(self) -> None:
        """Silence from now on."""
        self._elastic = None

    @property
    def delay_ms(self) -> float:
        """What the resampler adds."""
        elastic = self._elastic
        return elastic.delay_ms if elastic is not None else 0.0

    @property
    def drift_ppm(self) -> float:
        """How much faster than the device's clock the mixer is pulled."""
        elastic = self._elastic
        return elastic.drift.ppm if elastic is not None else 0.0

    def steer(self, surplus_ms: float, seconds: float) -> None:
        """So much more than should wait did so for the last ``seconds``."""
        if self._elastic is not None:
            self._elastic.drift.update(surplus_ms, seconds)

    def fill(self, block: NDArray[Any], rate: int) -> None:
        """Fill a float32 block of the shape (samples, channels)."""
        elastic = self._elastic
        if elastic is None or not self._turn.acquire(blocking=False):
            block.fill(0.0)
            return
        try:
            for start in range(0, len(block), len(self._block)):
                part = block[start : start + len(self._block)]
                mono = self._block[: len(part)]
                elastic.pull(mono)
                part[:] = mono[:, None]
        finally:
            self._turn.release()


class NullOutput:
    """Pulls the mixer at the rate of the clock and throws the sound away, so that levels and rings move on."""

    def __init__(self, mixer: Mixer, turn: threading.Lock) -> None:
        self._mixer = mixer
        self._turn = turn
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
            if self._turn.acquire(blocking=False):
                try:
                    self._mixer.mix(block)
                finally:
                    self._turn.release()
            due = max(due + FRAME_SAMPLES / SAMPLE_RATE, time.monotonic() - _LATE_SECONDS)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
