"""The checks of the program itself, of the terminal it is shown on, of its files, and of the way to a server."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tui.doctor.finding import Finding, State
from tui.logbook import log_file
from tui.media.cells import Depth
from tui.settings import LAST_TIME
from tui.ssh import Step
from tui.text import printable
from tui.versions import libraries

if TYPE_CHECKING:
    from tui.doctor.machine import Machine
    from tui.doctor.network import Tried

_DEPTHS: Final = {
    Depth.TRUECOLOR: "24-bit colour",
    Depth.PALETTE: "256 colours",
    Depth.SIXTEEN: "16 colours",
    Depth.NONE: "no colours",
}


def check_python(machine: Machine) -> Finding:
    """The interpreter and the system it runs on."""
    return Finding("Python", State.OK, f"{platform.python_version()} on {platform.platform(terse=True)}")


def check_libraries(machine: Machine) -> Finding:
    """What this program is built on."""
    found = libraries()
    if missing := [name for name, version in found.items() if not version]:
        reinstall = Step("Install the program anew:", ("pip install --force-reinstall antconf",))
        return Finding("libraries", State.PROBLEM, f"not installed: {', '.join(missing)}", (reinstall,))
    return Finding("libraries", State.OK, ", ".join(f"{name} {version}" for name, version in found.items()))


def check_ffmpeg(machine: Machine) -> Finding:
    """What encodes and decodes pictures and files, as it comes with PyAV."""
    import av

    versions = (f"{name} {'.'.join(map(str, version))}" for name, version in sorted(av.library_versions.items())[:2])
    return Finding("FFmpeg", State.OK, f"{av.ffmpeg_version_info}, {', '.join(versions)}")


def check_terminal(machine: Machine) -> Finding:
    """What is between the program and the eyes."""
    from tui.driver import terminal_size

    told = machine.terminal
    term = printable(machine.environ.get("TERM", ""), 60) or "TERM is not set"
    if told is None:
        return Finding("terminal", State.OK, f"{term}; not asked: standard input or output is no terminal")
    columns, rows = terminal_size()
    text = f"{term}, {columns}x{rows} cells"
    if told.cell:
        text += f" of {told.cell[0]}x{told.cell[1]} pixels"
    if not told.complete:
        return Finding("terminal", State.UNKNOWN, f"{text}; it did not answer in time")
    sync = {True: "synchronized output", False: "no synchronized output", None: "no word on synchronized output"}
    ground = {True: ", light background", False: ", dark background", None: ""}
    return Finding("terminal", State.OK, f"{text}, {sync[told.synchronized]}{ground[told.light]}")


def check_colours(machine: Machine) -> Finding:
    """Whether the program uses the colours that there are."""
    from tui.terminal import chosen_surface

    used = chosen_surface(dict(machine.environ), "utf-8").look.depth
    told = machine.terminal
    text = f"{_DEPTHS[used]} by the environment"
    if told is None or told.colours is None:
        return Finding("colours", State.OK, f"{text}; the terminal does not say" if told else text)
    has = "24-bit colour" if told.colours > 256 else "256 colours"
    text = f"{text}; the terminal says that it has {has}"
    if told.colours > 256 and used in (Depth.PALETTE, Depth.SIXTEEN):
        fix = Step("For all of them:", ("export COLORTERM=truecolor",))
        return Finding("colours", State.WARNING, text, (fix,))
    return Finding("colours", State.OK, text)


def check_characters(machine: Machine) -> Finding:
    """Whether program and terminal agree on what a character is."""
    told, encoding = machine.terminal, sys.stdout.encoding
    writes = encoding.lower().replace("-", "") in ("utf8", "utf8sig")
    if told is not None and told.utf8 is False:
        fix = Step("Switch the terminal to UTF-8, or draw without it:", ("antconf join --ascii",))
        return Finding("characters", State.PROBLEM if writes else State.WARNING, "the terminal knows no UTF-8", (fix,))
    if not writes:
        fix = Step("For all characters:", ("export LC_ALL=C.UTF-8",))
        return Finding("characters", State.WARNING, f"{encoding} by the environment: only ASCII is drawn", (fix,))
    if told is not None and told.wide is False:
        text = "UTF-8, but wide characters do not take two cells: names with them will be askew"
        return Finding("characters", State.WARNING, text)
    return Finding("characters", State.OK, "UTF-8" if told is None or told.utf8 is None else "UTF-8, here and there")


def check_cameras(machine: Machine) -> Finding:
    """Whether anything can be seen of oneself."""
    from tui.media.devices import list_cameras

    names = [f"{camera.name} ({camera.device})" for camera in list_cameras()]
    if not names:
        return Finding("camera", State.WARNING, "none; you can watch, or send a file or a screen with --source")
    closed = [camera.device for camera in list_cameras() if machine.system == "linux" and not _opens(camera.device)]
    if closed:
        fix = Step("Where the group owns it:", ("sudo usermod -aG video $USER",))
        return Finding("camera", State.PROBLEM, f"{', '.join(closed)} may not be used by you", (fix,))
    return Finding("camera", State.OK, printable(", ".join(names), 200))


def _opens(device: str) -> bool:
    return os.access(device, os.R_OK | os.W_OK)


def check_config(machine: Machine) -> Finding:
    """The configuration file, with everything that is in it."""
    from tui.settings import problems

    file = machine.file
    shown = _at_home(file.path)
    found = problems(file)
    if not found:
        there = f", profiles: {', '.join(map(printable, file.profiles))}" if file.profiles else ""
        text = f"{shown}{there}" if os.path.lexists(file.path) else f"none; it would be {shown}"
        return Finding("configuration", State.OK, text)
    fix = Step("To see all of it:", ("antconf config check",))
    state = State.PROBLEM if any(problem.fatal for problem in found) else State.WARNING
    return Finding("configuration", state, _at_home(f"{found[0]}"), (fix,))


def check_log(machine: Machine) -> Finding:
    """Where the program writes what went wrong."""
    path = log_file()
    there = next((folder for folder in path.parents if folder.exists()), Path("/"))
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("log", State.WARNING, f"{_at_home(path)} cannot be written")
    return Finding("log", State.OK, _at_home(path))


def check_route(machine: Machine) -> list[Finding]:
    """The server, and the ICE servers that it or the user names."""
    aim, route = machine.aim, machine.route
    if aim.problem:
        return [Finding("server", State.PROBLEM, aim.problem)]
    if route.server is None and not route.ice:
        return [Finding("server", State.OK, "not tried: none is known; name one with --server")]
    # What was there the last time need not be there now.
    bad = State.WARNING if aim.origin == LAST_TIME else State.PROBLEM
    found = [_told("server", route.server, f" ({aim.origin})", bad)] if route.server else []
    return found + [_told("ICE server", tried, "", State.WARNING) for tried in route.ice]


def _told(name: str, tried: Tried, whence: str, bad: State) -> Finding:
    before = f"{tried.name}: " if name == "ICE server" else ""
    fix = (Step(f"{tried.hint[:1].upper()}{tried.hint[1:]}."),) if tried.hint else ()
    return Finding(name, bad if tried.failure else State.OK, f"{before}{tried.failure or tried.text}{whence}", fix)


def _at_home(path: Path | str) -> str:
    return printable(str(path).replace(str(Path.home()), "~", 1), 300)
