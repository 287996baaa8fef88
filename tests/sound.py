"""A private sound server with one output that can be recorded: real playback without a sound card.

Used by the tests marked ``sound``. PortAudio reads its environment once, so whatever plays must run in a process
of its own with `SoundServer.environment`.
"""

from __future__ import annotations

import contextlib
import ctypes.util
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tests.waiting import block_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def missing() -> str:
    """Why sound tests cannot run here; empty when they can."""
    programs = [name for name in ("pulseaudio", "parec", "pactl") if shutil.which(name) is None]
    if programs:
        return f"not installed: {', '.join(programs)}"
    if ctypes.util.find_library("portaudio") is None:
        return "the PortAudio library is not installed"
    return ""


@dataclass
class SoundServer:
    """PulseAudio with a null sink ``nul``; can be killed and started again."""

    folder: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """For the process that plays and for every PulseAudio tool."""
        return {
            **os.environ,
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
            "PULSE_SERVER": f"unix:{self._socket}",
        }

    @property
    def _socket(self) -> Path:
        return self.folder / "native"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [
                *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
                *("-L", f"module-native-protocol-unix socket={self._socket}"),
                # Otherwise it plays up to two seconds ahead while nobody does, and lets whoever comes wait for them.
                *("-L", "module-null-sink sink_name=nul rate=48000 channels=2 norewinds=1"),
            ],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        block_until(self._answers, "the sound server")

    def _answers(self) -> bool:
        asked = subprocess.run(["pactl", "info"], env=self.environment, capture_output=True, check=False)
        return asked.returncode == 0

    def kill(self) -> None:
        """End the server as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let the server hang, as a bug in it would; `kill` it or `thaw` it afterwards."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def ask(self, *command: str) -> str:
        """What ``pactl`` answers to this command."""
        asked = subprocess.run(["pactl", *command], env=self.environment, capture_output=True, check=True, text=True)
        return asked.stdout

    @contextlib.contextmanager
    def recording(self, sink: str = "nul", options: Sequence[str] = ()) -> Iterator[Recording]:
        """What is played from now on; ``options`` of ``parec``."""
        process = subprocess.Popen(
            ["parec", "-d", f"{sink}.monitor", "--format=s16le", "--rate=48000", "--channels=1", "--raw", *options],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield Recording(process)
        finally:
            process.kill()
            process.communicate()


@dataclass
class Recording:
    """Sound as it is being recorded, 48 kHz mono."""

    _process: subprocess.Popen[bytes]

    def read(self, seconds: float) -> NDArray[np.float64]:
        """The next ``seconds``, -1.0 to 1.0; waits for them."""
        assert self._process.stdout is not None
        data = self._process.stdout.read(int(seconds * 48_000) * 2)
        return np.frombuffer(data, dtype="<i2") / 32768


def unbroken_second(recording: Recording) -> NDArray[np.float64]:
    """The first second without a gap, of thirty at most."""
    for _ in range(30):
        sound = recording.read(1.0)
        if np.abs(sound).reshape(-1, 480).max(axis=1).min(initial=1.0) > 0.05:
            return sound
    raise AssertionError("no second of unbroken sound")


def gaps(samples: NDArray[np.float64], longest: float = 0.02, rate: int = 48_000) -> int:
    """How often a tone is gone for longer than ``longest`` seconds: less than a fifth of its usual strength."""
    step = rate // 200
    strength = np.abs(samples[: len(samples) // step * step]).reshape(-1, step).max(axis=1)
    silent = np.concatenate([[False], strength < np.median(strength) / 5, [False]])
    edges = np.flatnonzero(np.diff(silent.astype(np.int8)))
    return int(np.count_nonzero((edges[1::2] - edges[::2]) * step > longest * rate))


def loudest_frequency(samples: NDArray[np.float64], rate: int = 48_000) -> float:
    """The frequency in Hz of the strongest part."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


@contextlib.contextmanager
def private_pulseaudio(folder: Path) -> Iterator[SoundServer]:
    """A sound server of one's own, its files in ``folder``, which must have a short path (a socket's limit)."""
    folder.chmod(0o700)
    server = SoundServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
