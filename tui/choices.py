"""The devices that the user chose, remembered by name until the next time.

Used by the app and the ``devices`` command, and by the bridge, which joins with them as long as they are there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from tui.config import keep, kept, screen_of
from tui.media.threads import in_thread
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.config import JoinOptions
    from tui.media.devices import Inventory, SoundDevice

_FILE: Final = "devices.json"


@dataclass(frozen=True, slots=True)
class Choices:
    """Names of sound devices and what opens the camera, empty for the default ones."""

    speaker: str = ""
    microphone: str = ""
    camera: str = ""


def recall() -> Choices:
    """What was chosen last; the default ones when that cannot be read."""
    values = kept(_FILE, [field.name for field in fields(Choices)])
    return Choices(**{name: printable(value) for name, value in values.items()})


def remember(choices: Choices) -> None:
    """Keep them until the next time; failing to keep them is no error."""
    keep(_FILE, asdict(choices))


async def equipped(options: JoinOptions, choices: Choices) -> tuple[JoinOptions, list[str]]:
    """The options with the chosen devices where they name none, and a line for each that is not there."""
    speaker = choices.speaker if not options.speaker else ""
    speaks = options.audio and not options.play_only and not options.source
    microphone = choices.microphone if speaks and not options.microphone else ""
    shows = options.video and not options.play_only and not options.source
    camera = choices.camera if shows and not options.camera else ""
    if not (speaker or microphone or camera):
        return options, []
    present = await in_thread(_present)
    notes: list[str] = []
    if camera and any(camera == one.device for one in present.cameras):
        options = replace(options, camera=camera)
    elif camera:
        notes.append(f"The camera {camera} is not there: the default one is used.")
    # Without a list of sound devices, opening the default ones says why.
    if speaker and not present.problem and (device := _opened_by(speaker, present.outputs, "sound output", notes)):
        options = replace(options, speaker=device)
    if (
        microphone
        and not present.problem
        and (device := _opened_by(microphone, present.microphones, "microphone", notes))
    ):
        options = replace(options, microphone=device)
    return options, notes


def in_words(options: JoinOptions, choices: Choices) -> str:
    """What would be used, in one line."""
    output = f"output: {options.speaker or choices.speaker or 'default'}"
    if options.play_only or not (options.audio or options.video):
        return printable(output)
    if options.source and screen_of(options.source) is None:
        return printable(f"{options.source}, {output}")
    microphone = (options.microphone or choices.microphone or "default") if options.audio else "off"
    camera = (options.source or options.camera or choices.camera or "first") if options.video else "off"
    return printable(f"microphone: {microphone}, camera: {camera}, {output}")


def _present() -> Inventory:
    from tui.media.devices import inventory

    return inventory()


def _opened_by(name: str, devices: Sequence[SoundDevice], what: str, notes: list[str]) -> str:
    for device in devices:
        if device.name == name:
            return device.device
    notes.append(f"The {what} {name} is not there: the default one is used.")
    return ""
