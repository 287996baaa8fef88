"""What PortAudio finds on this machine, asked in a process of its own: drivers write on stderr, hang, or crash.

Used by the doctor as `probe`; ``python -m tui.media.probe`` is the other side.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tui.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE_SECONDS = 20.0
"""After which the process is ended; a sound server that hangs keeps it waiting."""
PLAY_SECONDS = 5.0
"""For the default output to take its first block."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The answer; ``error`` says why there is none."""

    version: str = ""
    """PortAudio's own."""
    apis: tuple[str, ...] = ()
    """Host APIs: ALSA, PulseAudio, Core Audio, …"""
    outputs: tuple[str, ...] = ()
    microphones: tuple[str, ...] = ()
    output: str = ""
    """The default one."""
    microphone: str = ""
    refusal: str = ""
    """Why the default output does not play; empty when it does."""
    error: str = ""
    hung: bool = False


def probe(environ: Mapping[str, str], timeout: float = PROBE_SECONDS) -> Probe:
    """Ask; blocks for ``timeout`` seconds at most and never raises."""
    try:
        child = subprocess.run(
            [sys.executable, "-m", "tui.media.probe"],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
        told: dict[str, Any] = json.loads(child.stdout)
        told.update({key: tuple(value) for key, value in told.items() if isinstance(value, list)})
        return Probe(**told)
    except subprocess.TimeoutExpired:
        return Probe(error=f"no answer within {timeout:g} s", hung=True)
    except (OSError, ValueError, TypeError, AttributeError):
        return Probe(error="the process that asked did not survive it")


def _look() -> dict[str, Any]:
    from tui.media import portaudio
    from tui.media.devices import list_sound

    try:
        sounddevice = portaudio.library()
        outputs, microphones = list_sound()
        apis = [api["name"] for api in sounddevice.query_hostapis()]
    except DeviceError as error:
        return {"error": str(error)}
    return {
        "version": sounddevice.get_portaudio_version()[1].partition(",")[0].removeprefix("PortAudio "),
        "apis": apis,
        "outputs": [device.name for device in outputs],
        "microphones": [device.name for device in microphones],
        "output": next((device.name for device in outputs if device.is_default), ""),
        "microphone": next((device.name for device in microphones if device.is_default), ""),
        "refusal": _refusal(sounddevice) if outputs else "",
    }


def _refusal(sounddevice: Any) -> str:
    """Play silence until the default output takes some of it."""
    taken = threading.Event()

    def fill(block: Any, *_: object) -> None:
        block.fill(0.0)
        taken.set()

    try:
        with sounddevice.OutputStream(dtype="float32", callback=fill):
            return "" if taken.wait(PLAY_SECONDS) else "it takes no sound"
    except (sounddevice.PortAudioError, ValueError) as error:
        return str(error)


if __name__ == "__main__":
    json.dump(_look(), sys.stdout)
