"""The one door to PortAudio, which may be missing, empty, or gone in the middle of a call.

Used by playback and the microphone. Every function blocks: call it in a thread. The library is loaded by the
first call, never at import (aiortc-facts.md, Q7).
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from tui.errors import DeviceError
from tui.media.sound import SAMPLE_RATE
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

LATENCY = 0.08
"""Seconds of buffer asked for; with less than 60 ms Python's own pauses are heard (media-facts.md)."""
SILENT_AFTER = 1.0
"""Seconds without a callback after which a stream counts as lost."""
START_WITHIN = 3.0
"""Seconds that the first callback may take; PulseAudio's null sink takes one or two."""

_BLOCK = SAMPLE_RATE // 100
_lock = threading.RLock()
_open: set[Stream] = set()


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
    if os.environ.get("SSH_CONNECTION"):
        return (
            "No sound device here: forward your PulseAudio with ssh -R 4713:localhost:4713 "
            "and set PULSE_SERVER=tcp:localhost:4713."
        )
    return "No sound device here: plug one in or start the sound server."


class Stream:
    """An open stream and the moment of its last callback."""

    def __init__(self, name: str, rate: int, channels: int) -> None:
        self.name = name
        self.rate = rate
        """Samples a second."""
        self.channels = channels
        self._raw: Any = None
        self._heard = time.monotonic()
        self._failed = False

    @property
    def alive(self) -> bool:
        """Whether callbacks come: a hung sound server still calls its stream active."""
        raw = self._raw
        return raw is not None and bool(raw.active) and time.monotonic() - self._heard < SILENT_AFTER

    def start(self, raw: Any) -> None:
        """Take over the stream and let it run."""
        self._raw = raw
        self._heard = time.monotonic() + START_WITHIN - SILENT_AFTER
        raw.start()

    def beat(self, work: Callable[[NDArray[Any]], None], block: NDArray[Any]) -> None:
        """One callback: an exception must not reach PortAudio, which would print it on the screen."""
        self._heard = time.monotonic()
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
                raw.close()


def open_output(device: str, fill: Callable[[NDArray[Any], int], None]) -> Stream:
    """Play what ``fill(block, rate)`` writes into float32 blocks of the shape (samples, channels).

    ``device`` is a name or a number, empty for the default one. Raises ``DeviceError``.
    """
    return _opened("output", device, 2, fill)


def open_input(device: str, take: Callable[[NDArray[Any], int], None]) -> Stream:
    """Record: ``take(block, rate)`` gets float32 blocks of the shape (samples, channels).

    ``device`` is a name or a number, empty for the default one. Raises ``DeviceError``.
    """
    return _opened("input", device, 1, take)


def _opened(kind: str, device: str, channels: int, work: Callable[[NDArray[Any], int], None]) -> Stream:
    with _lock:
        sounddevice = library()
        chosen = None if not device else int(device) if device.isdecimal() else device
        try:
            info = sounddevice.query_devices(chosen, kind)
        except (sounddevice.PortAudioError, ValueError) as error:
            raise _unusable(kind, device, error) from error
        name = printable(str(info["name"]))
        channels = max(1, min(channels, int(info[f"max_{kind}_channels"])))
        refusal: Exception | None = None
        for rate in dict.fromkeys((SAMPLE_RATE, int(info["default_samplerate"]))):
            stream = Stream(name, rate, channels)
            try:
                raw = _raw_stream(sounddevice, kind, chosen, stream, work)
                stream.start(raw)
            except (sounddevice.PortAudioError, ValueError) as error:
                stream.close()
                refusal = error
                continue
            _open.add(stream)
            return stream
        raise _unusable(kind, device, refusal)


def _raw_stream(
    sounddevice: Any,
    kind: str,
    device: int | str | None,
    stream: Stream,
    work: Callable[[NDArray[Any], int], None],
) -> Any:
    def callback(block: NDArray[Any], count: int, times: object, status: object) -> None:
        stream.beat(lambda data: work(data, stream.rate), block)

    factory = sounddevice.OutputStream if kind == "output" else sounddevice.InputStream
    return factory(
        device=device,
        samplerate=stream.rate,
        channels=stream.channels,
        dtype="float32",
        blocksize=_BLOCK,
        latency=LATENCY,
        callback=callback,
    )


def _unusable(kind: str, device: str, error: Exception | None) -> DeviceError:
    what = "sound output" if kind == "output" else "microphone"
    if not device:
        logger.debug("no %s: %s", what, error)
        return DeviceError(f"no {what}", absent_hint())
    return DeviceError(
        f"{what} {printable(device)} cannot be opened: {printable(str(error))}",
        "See what there is with: antconf devices",
    )


def refresh() -> None:
    """See devices that came or went: PortAudio looks only once. Does nothing while a stream is alive.

    Raises ``DeviceError`` when PortAudio is missing or does not start.
    """
    with _lock:
        if any(stream.alive for stream in _open):
            return
        sounddevice = library()
        for stream in list(_open):
            stream.close()
        try:
            while sounddevice._initialized:
                sounddevice._terminate()
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"PortAudio does not start: {printable(str(error))}", absent_hint()) from error
