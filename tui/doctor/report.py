"""``antconf doctor``: what this machine has of what the program needs, and the lines that help where it lacks.

A check is a function of the `Machine` that returns what it found; `CHECKS` is the list of them, in the order of the
report. Nothing in the report is a secret, so that it can be pasted anywhere.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from tui import __version__
from tui.doctor import sound, system
from tui.doctor.finding import Finding, State
from tui.errors import ExitCode
from tui.streams import say
from tui.text import printable, redacted_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.doctor.machine import Machine
    from tui.ssh import Step

CHECKS: tuple[Callable[[Machine], Finding | list[Finding]], ...] = (
    system.check_python,
    system.check_libraries,
    system.check_ffmpeg,
    sound.check_portaudio,
    sound.check_session,
    system.check_terminal,
    system.check_colours,
    system.check_characters,
    sound.check_server,
    sound.check_alsa,
    sound.check_output,
    sound.check_microphone,
    sound.check_opus,
    sound.check_echo,
    system.check_cameras,
    system.check_route,
    system.check_config,
    system.check_log,
)

_CODES = {"configuration": ExitCode.CONFIG, "server": ExitCode.UNREACHABLE, "output": ExitCode.DEVICE}
"""What a problem with one of these ends in; the first of them counts."""


def examine(machine: Machine) -> list[Finding]:
    """Run all checks; one that fails is a finding of its own."""
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            found = check(machine)
            findings += found if isinstance(found, list) else [found]
        except Exception as error:
            name = check.__name__.removeprefix("check_")
            findings.append(Finding(name, State.UNKNOWN, f"the check failed ({type(error).__name__}: {error})"))
    return findings


def run(as_json: bool, machine: Machine) -> int:
    """Print the report; the exit code says whether file, server and sound can be used, in this order."""
    findings = examine(machine)
    code = _exit_code(findings)
    lines = [json.dumps(_record(findings, code), indent=2)] if as_json else _lines(findings)
    say("\n".join(lines))
    return int(code)


def _exit_code(findings: Sequence[Finding]) -> ExitCode:
    for name, code in _CODES.items():
        # Sound that nobody can tell anything about is not heard either.
        bad = {State.PROBLEM, State.UNKNOWN} if name == "output" else {State.PROBLEM}
        if any(finding.name == name and finding.state in bad for finding in findings):
            return code
    return ExitCode.OK


def _record(findings: Sequence[Finding], code: ExitCode) -> dict[str, object]:
    return {
        "version": __version__,
        "exit_code": int(code),
        "checks": [
            {**asdict(finding), "text": _text(finding.text), "fix": [_step(step) for step in finding.fix]}
            for finding in findings
        ],
    }


def _step(step: Step) -> dict[str, object]:
    return {"purpose": _text(step.purpose), "lines": [printable(line, 1000) for line in step.lines]}


def _lines(findings: Sequence[Finding]) -> list[str]:
    """As text: lines to paste stand alone, indented."""
    width = max(len(finding.name) for finding in findings)
    lines = [f"antconf {__version__}"]
    for finding in findings:
        lines.append(f"{finding.state:<8} {finding.name:<{width}}  {_text(finding.text)}")
        for step in finding.fix:
            lines.append(f"  {_text(step.purpose)}")
            lines += [f"    {printable(line, 1000)}" for line in step.lines]
    return lines


def _text(text: str) -> str:
    return printable(redacted_text(text), 400)
