"""The one door to PortAudio, which may be missing, empty, or gone in the middle of a call.

Used by playback, the microphone and the device screen. Every function blocks: call it in a thread. The library is
loaded by the first call, never at import (aiortc-facts.md, Q7).
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import logging
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.errors import DeviceError
from tui.ssh import is_over_ssh
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

LATENCIES = (0.02, 0.04, 0.06, 0.08, 0.12)
"""Seconds of buffer that can be asked for; with less than 60 ms Python's own pauses may be heard (media-facts.md)."""
LATENCY = 0.06
LOW_LATENCY = 0.02
SILENT_AFTER = 1.0
"""Seconds without a callback after which a stream counts as lost."""
START_WITHIN = 3.0
"""Seconds that a stream may take to run; PulseAudio's null sink takes one or two."""

_SETTLE_SECONDS = 2.0
_RATES = (48_000, 44_100, 32_000, 16_000, 8_000)
_LOWEST_RATE, _HIGHEST_RATE = 8_000, 192_000
_MOST_CHANNELS = 8
_MOST_DIGITS = 9
_LISTING_SECONDS = 5.0
_PATIENCE = 5.0
_lock = threading.RLock()
_open: set[Stream] = set()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Nobody else in PortAudio, which knows no threads; whoever hangs in there makes others fail, not wait for ever."""
    if not _lock.acquire(timeout=_PATIENCE):
        raise DeviceError("the sound system does not answer", "Restart the sound server.")
    try:
        yield
    finally:
        _lock.release()


class NoLibraryError(DeviceError):
    """PortAudio is not installed: nothing to wait for."""


def library() -> Any:
    """The `sounddevice` module; raises `NoLibraryError` when it or PortAudio is missing."""
    try:
        return importlib.import_module("sounddevice")
    except (ImportError, OSError) as error:
        raise NoLibraryError(
            "no PortAudio library",
            "No sound library here: install PortAudio (Debian, Ubuntu: apt install libportaudio2).",
        ) from error


def absent_hint() -> str:
    """One line on what to do when this machine has no sound device: the usual case over SSH."""
    if is_over_ssh():
        return "No sound device here: antconf doctor prints the lines that bring the sound to where you sit."
    return "No sound device here: antconf doctor says what to do."


class Stream:
    """An open stream and what its callbacks tell. Counters are written by the device's thread only."""

    def __init__(self, name: str, rate: int, channels: int, latency: float) -> None:
        self.name = name
        self.rate = rate
        """Samples a second."""
        self.channels = channels
        self.callbacks = 0
        self.underruns = 0
        """Times that sound was missing, or of an input lost: told by PortAudio, or a callback came too late."""
        self.largest_gap = 0.0
        """Seconds between two callbacks at most."""
        self.latency = latency
        """Seconds between a callback and the sound, the last one as PortAudio tells it."""
        self._allowed = latency
        self._raw: Any = None
        self._heard = 0.0
        self._lost_at = 0.0
        self._runs_from = 0.0
        self._counts_from = 0.0
        self._failed = False

    @property
    def alive(self) -> bool:
        """Whether callbacks come: a hung sound server still calls its stream active."""
        raw = self._raw
        try:
            return raw is not None and bool(raw.active) and time.monotonic() < self._lost_at
        except library().PortAudioError:
            return False

    def start(self, raw: Any) -> None:
        """Take over the stream and let it run."""
        self._raw = raw
        self._lost_at = self._runs_from = time.monotonic() + START_WITHIN
        raw.start()

    def given(self, latency: float) -> None:
        """The seconds of buffer that the device gave, seldom the very ones that were asked for."""
        if 0.0 < latency < SILENT_AFTER:
            self.latency = self._allowed = latency

    def beat(self, work: Callable[[NDArray[Any]], None], block: NDArray[Any], latency: float, missed: bool) -> None:
        """One callback: an exception must not reach PortAudio, which would print it on the screen.

        ``latency`` in seconds and ``missed`` are what PortAudio says of it.
        """
        now = time.monotonic()
        if self.callbacks == 0:
            # What a device does while it starts is no under-run.
            self._counts_from = now + _SETTLE_SECONDS
        elif now > self._counts_from:
            gap = now - self._heard
            self.largest_gap = max(self.largest_gap, gap)
            self.underruns += missed or gap > self._allowed + len(block) / self.rate
        self.callbacks += 1
        self._heard = now
        # A device may take its first blocks at once and then be busy with itself.
        self._lost_at = max(now + SILENT_AFTER, self._runs_from)
        if 0.0 < latency < SILENT_AFTER:
            self.latency += (latency - self.latency) / 16
        try:
            work(block)
        except Exception:
            if block.flags.writeable:
                block.fill(0.0)
            if not self._failed:
                logger.exception("sound device %s: callback failed", self.name)
            self._failed = True

    def close(self) -> None:
        """Give the device back; idempotent. Blocks while a sound server hangs."""
        with _lock:
            raw, self._raw = self._raw, None
            _open.discard(self)
            if raw is not None:
                # What hangs here must not be tried again when the program ends: the system takes the device back.
                finish = library()._exit_handler
                atexit.unregister(finish)
                raw.close()
                atexit.register(finish)


def open_output(device: str, fill: Callable[[NDArray[Any], int], None], latency: float = LATENCY) -> Stream:
    """Play what ``fill(block, rate)`` writes into float32 blocks of the shape (samples, channels).

    ``device`` is a name or a number, empty for the default one; ``latency`` in seconds. Raises ``DeviceError``.
    """
    return _opened("output", device, fill, latency)


def open_input(device: str, take: Callable[[NDArray[Any], int], None], latency: float = LATENCY) -> Stream:
    """Record: ``take(block, rate)`` gets float32 blocks of the shape (samples, channels), of 1 to 8 channels.

    ``device`` is a name or a number, empty for the default one; ``latency`` in seconds. Raises ``DeviceError``.
    """
    return _opened("input", device, take, latency)


def _opened(kind: str, device: str, work: Callable[[NDArray[Any], int], None], latency: float) -> Stream:
    with _alone():
        sounddevice = library()
        is_number = device.isdecimal() and len(device) <= _MOST_DIGITS
        chosen = None if not device else int(device) if is_number else device
        try:
            info = sounddevice.query_devices(chosen, kind)
            interface = str(sounddevice.query_hostapis(info["hostapi"])["name"])
        except (sounddevice.PortAudioError, ValueError) as error:
            raise _unusable(kind, device, error) from error
        name = printable(str(info["name"]))
        refusal: Exception | None = None
        for rate, channels, blocksize in _formats(kind, info, interface, latency):
            stream = Stream(name, rate, channels, latency)
            try:
                raw = _raw_stream(sounddevice, kind, chosen, stream, blocksize, latency, work)
                stream.start(raw)
            except (sounddevice.PortAudioError, ValueError) as error:
                stream.close()
                refusal = error
                continue
            _open.add(stream)
            return stream
        raise _unusable(kind, device, refusal)


def _formats(kind: str, info: Mapping[str, Any], interface: str, latency: float) -> Iterator[tuple[int, int, int]]:
    """Rates, channels and samples of a block, the best first; a device takes or refuses each."""
    own, most = int(info["default_samplerate"]), max(1, min(_MOST_CHANNELS, int(info[f"max_{kind}_channels"])))
    # What ALSA calls a device's own rate is a guess of PortAudio's.
    rates = dict.fromkeys(_RATES if interface == "ALSA" else (own, *_RATES))
    rates[own] = None
    wanted = (2, 1, most) if kind == "output" else (1, 2, most)
    channels = [count for count in dict.fromkeys(wanted) if count <= most]
    blocks_a_second = 200 if latency <= LOW_LATENCY else 100
    for whole in (True, False):
        for rate in rates:
            if _LOWEST_RATE <= rate <= _HIGHEST_RATE:
                for count in channels:
                    yield rate, count, rate // blocks_a_second if whole else 0


def _raw_stream(
    sounddevice: Any,
    kind: str,
    device: int | str | None,
    stream: Stream,
    blocksize: int,
    latency: float,
    work: Callable[[NDArray[Any], int], None],
) -> Any:
    def at_rate(block: NDArray[Any]) -> None:
        work(block, stream.rate)

    def play(block: NDArray[Any], count: int, times: Any, status: Any) -> None:
        stream.beat(at_rate, block, times.outputBufferDacTime - times.currentTime, status.output_underflow)

    def record(block: NDArray[Any], count: int, times: Any, status: Any) -> None:
        stream.beat(at_rate, block, times.currentTime - times.inputBufferAdcTime, status.input_overflow)

    factory, callback = (sounddevice.OutputStream, play) if kind == "output" else (sounddevice.InputStream, record)
    raw = factory(
        device=device,
        samplerate=stream.rate,
        channels=stream.channels,
        dtype="float32",
        blocksize=blocksize,
        latency=latency,
        callback=callback,
    )
    stream.given(float(raw.latency))
    return raw


def _unusable(kind: str, device: str, error: Exception | None) -> DeviceError:
    what = "sound output" if kind == "output" else "microphone"
    if not device:
        logger.debug("no %s: %s", what, error)
        return DeviceError(f"no {what}", absent_hint())
    return DeviceError(
        f"{what} {printable(device)} cannot be opened: {printable(str(error))}",
        "See what there is with: antconf devices",
    )


def refresh(kind: str, device: str) -> None:
    """See devices that came or went, to open this ``input`` or ``output`` again: PortAudio looks only once.

    While a stream is alive only if it is worth ending that one. Raises ``DeviceError`` when PortAudio is missing or
    does not start.
    """
    with _alone():
        busy = any(stream.alive for stream in _open)
    if not busy or is_new(kind, device):
        restart()


def restart() -> None:
    """Let PortAudio look again. Streams end: their owners see it and open them again.

    Raises ``DeviceError`` when PortAudio is missing or does not start.
    """
    with _alone():
        sounddevice = library()
        for stream in list(_open):
            stream.close()
        try:
            while sounddevice._initialized:
                sounddevice._terminate()
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"PortAudio does not start: {printable(str(error))}", absent_hint()) from error


@dataclass(frozen=True, slots=True)
class Listing:
    """The sound devices of this machine as a fresh look finds them.

    Their numbers are those of the fresh look: open a device by its name.
    """

    devices: tuple[Mapping[str, Any], ...]
    """``name``, ``max_input_channels``, ``max_output_channels`` and ``default_samplerate``, as sounddevice has them."""
    microphone: int
    """The default one's position, -1 without one."""
    output: int


def is_new(kind: str, device: str) -> bool:
    """Whether a fresh look finds this ``input`` or ``output``, empty for any, which PortAudio has not seen yet."""
    sounddevice = library()
    try:
        found = {str(info["name"]) for info in list_afresh().devices if info[f"max_{kind}_channels"] > 0}
        known = {str(info["name"]) for info in sounddevice.query_devices()}
    except (DeviceError, sounddevice.PortAudioError):
        return False
    return device in found - known if device else bool(found - known)


def list_afresh() -> Listing:
    """What there is now, whatever this process has open: another process looks.

    Takes a fifth of a second. Raises ``DeviceError`` when PortAudio is missing there or nothing is found out.
    """
    try:
        asked = subprocess.run(
            [sys.executable, "-m", "tui.media.listing"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_LISTING_SECONDS,
            check=False,
        )
        found = json.loads(asked.stdout.rpartition(b"\n")[2])
        devices = tuple(
            {
                "name": str(info["name"]),
                "max_input_channels": int(info["max_input_channels"]),
                "max_output_channels": int(info["max_output_channels"]),
                "default_samplerate": float(info["default_samplerate"]),
            }
            for info in found["devices"]
        )
        return Listing(devices, int(found["default"][0]), int(found["default"][1]))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError, KeyError, IndexError) as error:
        raise DeviceError("sound devices cannot be listed", absent_hint()) from error
