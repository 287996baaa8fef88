"""What can be opened: sound outputs, microphones and cameras, asked anew each time.

Used by the ``devices`` command and the device screen. Every function blocks: call it in a thread.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from av.device import enumerate_input_devices

from tui.errors import DeviceError
from tui.media import portaudio
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class SoundDevice:
    """An output or a microphone; ``device`` opens it."""

    number: int
    """Holds until devices come or go."""
    name: str
    channels: int
    is_default: bool
    device: str
    """The name, or the number where the name is not unique or not the whole one."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera; ``device`` opens it."""

    device: str
    name: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything at once; ``problem`` and ``hint`` say why there are no sound devices, if it is not for want of any."""

    outputs: tuple[SoundDevice, ...] = ()
    microphones: tuple[SoundDevice, ...] = ()
    cameras: tuple[Camera, ...] = ()
    problem: str = ""
    hint: str = ""


def inventory() -> Inventory:
    """What there is now; what cannot be listed is missing."""
    cameras = tuple(list_cameras())
    try:
        outputs, microphones = list_sound()
    except DeviceError as error:
        return Inventory(cameras=cameras, problem=str(error), hint=error.hint)
    return Inventory(tuple(outputs), tuple(microphones), cameras)


def list_outputs() -> list[SoundDevice]:
    """Where sound can go. Raises ``DeviceError`` when PortAudio is missing or fails."""
    return list_sound()[0]


def list_microphones() -> list[SoundDevice]:
    """Where sound can come from. Raises ``DeviceError`` when PortAudio is missing or fails."""
    return list_sound()[1]


def list_sound() -> tuple[list[SoundDevice], list[SoundDevice]]:
    """Outputs and microphones. Raises ``DeviceError`` when PortAudio is missing or fails."""
    # Says what to install; the process that looks would only fail.
    portaudio.library()
    found = portaudio.list_afresh()
    return _of_kind("output", found.devices, found.output), _of_kind("input", found.devices, found.microphone)


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


def _of_kind(kind: str, devices: Sequence[Mapping[str, Any]], default: int) -> list[SoundDevice]:
    able = {number: info for number, info in enumerate(devices) if info[f"max_{kind}_channels"] > 0}
    names = {number: str(info["name"]) for number, info in able.items()}
    times = Counter(names.values())
    return [
        SoundDevice(
            number,
            name := printable(names[number]),
            int(info[f"max_{kind}_channels"]),
            number == default,
            # A name holds for longer, but must be the whole one and the only one.
            name if name == names[number] and times[name] == 1 and not _is_reserved(name) else str(number),
        )
        for number, info in able.items()
    ]


def _is_reserved(name: str) -> bool:
    """Whether the command line takes it for something else."""
    return name.isdecimal() or name in ("", "none", "silence", "test")


def _video_name(path: Path) -> str:
    try:
        return Path("/sys/class/video4linux", path.name, "name").read_text("utf-8", "replace").strip()
    except OSError:
        return path.name
