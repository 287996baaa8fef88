"""``antconf devices``: what can be opened, and with ``--test`` whether it works.

Used by the CLI; nothing of Textual is loaded.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tui import choices
from tui.errors import DeviceError, ExitCode
from tui.media.devices import inventory
from tui.media.trial import MicrophoneTrial, play_tone
from tui.streams import say, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.media.devices import Camera, SoundDevice

LISTEN_SECONDS: Final = 4.0

_METER = 30
_METERS_PER_SECOND = 10


def run(*, as_json: bool, test: bool, speaker: str, microphone: str) -> ExitCode:
    """Print what there is, and try an output and a microphone if asked to.

    Both are by name or number; empty means the remembered one, else the default one. Raises `DeviceError` at the end
    when sound devices cannot be listed, or one that was tried does not work.
    """
    found, chosen = inventory(), choices.recall()
    report: dict[str, Any] = {
        "outputs": _sound(found.outputs, chosen.speaker),
        "microphones": _sound(found.microphones, chosen.microphone),
        "cameras": [asdict(camera) for camera in found.cameras],
    }
    if not as_json:
        _say("Sound outputs", *_lines(found.outputs, chosen.speaker))
        _say("Microphones", *_lines(found.microphones, chosen.microphone))
        _say("Cameras", *_camera_lines(found.cameras))
    problems = [DeviceError(found.problem, found.hint)] if found.problem else []
    if test and not problems:
        report["test"] = {}
        talk = tell if as_json else _say
        speaker = speaker or _opened_by(chosen.speaker, found.outputs)
        microphone = microphone or _opened_by(chosen.microphone, found.microphones)
        attempts = {
            "output": partial(_try_output, speaker, talk),
            "microphone": partial(_try_microphone, microphone, talk),
        }
        for name, attempt in attempts.items():
            try:
                report["test"][name] = attempt()
            except DeviceError as error:
                report["test"][name] = {"problem": str(error), "hint": error.hint}
                problems.append(error)
    if as_json:
        _say(json.dumps(report))
    for problem in problems[1:]:
        tell(f"antconf: {problem}; {problem.hint}")
    if problems:
        raise problems[0]
    return ExitCode.OK


def _try_output(device: str, talk: Callable[[str], None]) -> dict[str, Any]:
    if device == "none":
        return {}
    talk("Playing a tone.")
    name = play_tone(device)
    talk(f"There was a tone on {name}.")
    return {"name": name}


def _try_microphone(device: str, talk: Callable[[str], None]) -> dict[str, Any]:
    if device in ("silence", "test"):
        return {}
    trial = MicrophoneTrial.open(device)
    try:
        talk(f"Listening to {trial.name} for {LISTEN_SECONDS:.0f} s: say something.")
        _listen(trial)
    finally:
        trial.close()
    if not trial.delivers:
        raise DeviceError(f"the microphone {trial.name} delivers nothing", "Is the sound server running?")
    talk(f"The microphone delivers {trial.verdict}.")
    return {"name": trial.name, "delivers": trial.verdict, "peak": round(trial.peak, 4)}


def _listen(trial: MicrophoneTrial) -> None:
    """Wait, with a meter where somebody can see it move."""
    ends = time.monotonic() + LISTEN_SECONDS
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 1 / _METERS_PER_SECOND))
        if sys.stdout.isatty():
            lit = round(trial.level * _METER)
            say(f"\r[{'#' * lit}{'-' * (_METER - lit)}]", end="")
    if sys.stdout.isatty():
        say("")


def _sound(devices: Sequence[SoundDevice], remembered: str) -> list[dict[str, Any]]:
    return [asdict(device) | {"is_remembered": device.name == remembered} for device in devices]


def _lines(devices: Sequence[SoundDevice], remembered: str) -> list[str]:
    lines = []
    for device in devices:
        marks = ["default"] * device.is_default + ["remembered"] * (device.name == remembered)
        lines.append(f"  {device.number:>3}  {device.name}" + (f"  ({', '.join(marks)})" if marks else ""))
    return lines or ["  none"]


def _camera_lines(cameras: Sequence[Camera]) -> list[str]:
    return [f"  {one.device}  {one.name}{'  (default)' * one.is_default}" for one in cameras] or ["  none"]


def _opened_by(name: str, devices: Sequence[SoundDevice]) -> str:
    """What opens the device of that name; empty, the default one, when it is not there."""
    return next((device.device for device in devices if device.name == name), "")


def _say(*lines: str) -> None:
    say("\n".join(lines))
