"""What can be opened: sound outputs, microphones and cameras, asked anew each time.

Used by the ``devices`` command and the device screen. Every function blocks: call it in a thread.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from av.device import enumerate_input_devices

from tui.errors import DeviceError
from tui.media import portaudio
from tui.text import printable


@dataclass(frozen=True, slots=True)
class SoundDevice:
    """An output or a microphone; ``number`` and ``name`` both open it."""

    number: int
    name: str
    channels: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera; ``device`` opens it."""

    device: str
    name: str
    is_default: bool


def list_outputs() -> list[SoundDevice]:
    """Where sound can go. Raises ``DeviceError`` when PortAudio is missing or fails."""
    return _sound_devices("output")


def list_microphones() -> list[SoundDevice]:
    """Where sound can come from. Raises ``DeviceError`` when PortAudio is missing or fails."""
    return _sound_devices("input")


def list_cameras() -> list[Camera]:
    """Where pictures can come from; empty when there are none or nobody can tell."""
    if sys.platform == "linux":
        found = [(str(path), _video_name(path)) for path in sorted(Path("/dev").glob("video[0-9]*"))]
    else:
        form = "avfoundation" if sys.platform == "darwin" else "dshow"
        prefix = "" if sys.platform == "darwin" else "video="
        try:
            devices = enumerate_input_devices(form)
        except (ValueError, OSError):
            devices = []
        found = [(prefix + device.name, device.description) for device in devices if "video" in device.media_types]
    return [Camera(printable(device), printable(name), position == 0) for position, (device, name) in enumerate(found)]


def _sound_devices(kind: str) -> list[SoundDevice]:
    portaudio.refresh()
    sounddevice = portaudio.library()
    try:
        devices = list(sounddevice.query_devices())
        default = sounddevice.default.device[0 if kind == "input" else 1]
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"sound devices cannot be listed: {printable(str(error))}") from error
    return [
        SoundDevice(number, printable(str(info["name"])), int(info[f"max_{kind}_channels"]), number == default)
        for number, info in enumerate(devices)
        if info[f"max_{kind}_channels"] > 0
    ]


def _video_name(path: Path) -> str:
    try:
        return Path("/sys/class/video4linux", path.name, "name").read_text("utf-8", "replace").strip()
    except OSError:
        return path.name
