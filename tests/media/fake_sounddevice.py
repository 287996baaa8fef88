"""A `sounddevice` module without a sound card: tests say what there is and call the callbacks themselves."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from tui.media import portaudio

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from numpy.typing import NDArray


class FakePortAudioError(Exception):
    """As `sounddevice.PortAudioError`."""


class FakeStream:
    """One opened stream; ``play`` and ``record`` are the device's clock, ``missed`` is what it says of the next."""

    def __init__(self, kind: str, settings: dict[str, Any]) -> None:
        self.kind = kind
        self.device = settings["device"]
        self.samplerate = settings["samplerate"]
        self.channels = settings["channels"]
        self.blocksize = settings["blocksize"]
        self.latency = settings["latency"]
        self.missed = False
        self.active = False
        self.closed = False
        self._callback: Callable[..., None] = settings["callback"]

    def start(self) -> None:
        self.active = True

    def close(self) -> None:
        self.active = False
        self.closed = True

    def play(self, count: int) -> NDArray[np.float32]:
        """What the device would play next."""
        block = np.full((count, self.channels), 9.0, dtype=np.float32)
        self._call(block)
        return block

    def record(self, samples: NDArray[np.float32]) -> None:
        """What the device would hear next, on all channels or of the shape (samples, channels)."""
        block = np.repeat(samples[:, None], self.channels, axis=1) if samples.ndim == 1 else samples.copy()
        block.flags.writeable = False
        self._call(block)

    def _call(self, block: NDArray[np.float32]) -> None:
        times = SimpleNamespace(currentTime=5.0, outputBufferDacTime=5.025, inputBufferAdcTime=4.985)
        status = SimpleNamespace(output_underflow=self.missed, input_overflow=self.missed)
        self._callback(block, len(block), times, status)


class FakeSoundDevice:
    """What this machine has, to be changed by the test; ``streams`` are all that were opened."""

    PortAudioError = FakePortAudioError

    def __init__(self) -> None:
        self.devices: list[dict[str, Any]] = []
        self.refused_rates: set[int] = set()
        self.refused_channels: set[int] = set()
        self.refused_devices: set[object] = set()
        self.takes_any_block_only = False
        self.exclusive = False
        """Only one stream at a time."""
        self.interface = "ALSA"
        self.streams: list[FakeStream] = []
        self.starts = 0
        self.fails_to_start = False
        self._initialized = 1
        self._seen: list[dict[str, Any]] = []

    def plug(self, name: str, inputs: int = 0, outputs: int = 2, rate: float = 48_000.0) -> None:
        """Add a device; PortAudio sees it after its next start."""
        self.devices.append(
            {
                "name": name,
                "max_input_channels": inputs,
                "max_output_channels": outputs,
                "default_samplerate": rate,
                "hostapi": 0,
            }
        )

    def query_hostapis(self, number: int) -> dict[str, str]:
        return {"name": self.interface}

    @property
    def default(self) -> SimpleNamespace:
        return SimpleNamespace(device=[self._first("input"), self._first("output")])

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        if kind is None:
            return list(self._seen)
        if device is None:
            device = self._first(kind)
        if isinstance(device, str):
            matching = [info for info in self._seen if device in info["name"]]
            if len(matching) != 1:
                raise ValueError(f"No {kind} device matching {device!r}")
            return matching[0]
        if not 0 <= device < len(self._seen):
            raise FakePortAudioError(f"Error querying device {device}")
        return self._seen[device]

    def OutputStream(self, **settings: Any) -> FakeStream:  # noqa: N802
        return self._opened("output", settings)

    def InputStream(self, **settings: Any) -> FakeStream:  # noqa: N802
        return self._opened("input", settings)

    def _opened(self, kind: str, settings: dict[str, Any]) -> FakeStream:
        if settings["device"] in self.refused_devices:
            raise FakePortAudioError("Device unavailable")
        if settings["samplerate"] in self.refused_rates:
            raise FakePortAudioError("Invalid sample rate")
        if settings["channels"] in self.refused_channels:
            raise FakePortAudioError("Invalid number of channels")
        if self.takes_any_block_only and settings["blocksize"]:
            raise FakePortAudioError("Invalid block size")
        if self.exclusive and any(stream.active for stream in self.streams):
            raise FakePortAudioError("Device unavailable")
        self.streams.append(FakeStream(kind, settings))
        return self.streams[-1]

    def _first(self, kind: str) -> int:
        return next((n for n, info in enumerate(self._seen) if info[f"max_{kind}_channels"]), -1)

    def _terminate(self) -> None:
        self._initialized -= 1

    def _initialize(self) -> None:
        if self.fails_to_start:
            raise FakePortAudioError("no host")
        self._initialized += 1
        self.starts += 1
        self._seen = list(self.devices)

    def _exit_handler(self) -> None:
        pass

    def list_afresh(self) -> portaudio.Listing:
        """What another process would find."""
        return portaudio.Listing(tuple(self.devices), -1, -1)

    def look(self) -> None:
        """Let PortAudio see what is plugged in, as at its first start."""
        self._seen = list(self.devices)


def install(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    """Put a fake in the place of `sounddevice` for one test."""
    fake = FakeSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(portaudio, "_open", set())
    monkeypatch.setattr(portaudio, "list_afresh", fake.list_afresh)
    return fake
