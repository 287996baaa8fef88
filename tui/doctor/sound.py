"""The checks of what plays and records, and of the way there when somebody sits at the other end of SSH."""

from __future__ import annotations

import ctypes
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from tui import ssh
from tui.doctor.finding import Finding, State
from tui.ssh import Step
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.doctor.machine import Machine

_BROKEN_OFF = ("Protocol error", "Connection terminated", "no answer")
"""What one of both ends says of shared memory that never comes."""
_NAME_LIMIT = 60
_NAMES_LISTED = 5


def check_portaudio(machine: Machine) -> Finding:
    """The library that plays and records."""
    found = machine.sound
    if found.hung:
        return Finding("PortAudio", State.UNKNOWN, found.error, (Step("Restart the sound server; it hangs."),))
    if found.error:
        fix = {
            "linux": Step("Debian, Ubuntu:", ("sudo apt install libportaudio2 libasound2-plugins",)),
            "darwin": Step("With Homebrew:", ("brew install portaudio",)),
        }.get(machine.system)
        return Finding("PortAudio", State.PROBLEM, found.error, (fix,) if fix else ())
    return Finding("PortAudio", State.OK, f"{found.version}, {', '.join(found.apis) or 'no host API'}")


def check_session(machine: Machine) -> Finding:
    """Where the person sits."""
    login = machine.login
    where = "over SSH" if login.over_ssh else "at this machine, or SSH has left no trace"
    if not login.inside:
        return Finding("session", State.OK, where)
    if login.is_current:
        return Finding("session", State.OK, f"{where}, inside {login.inside}")
    renew = Step(f"Start a new window in {login.inside}, or set PULSE_SERVER anew in this one.")
    text = f"{where}; but inside {login.inside} the environment may be that of an earlier login"
    return Finding("session", State.WARNING, text, (renew,))


def check_server(machine: Machine) -> Finding:
    """PulseAudio or PipeWire, here or forwarded from where the person sits."""
    server, login = machine.server, machine.login
    forwarded = login.over_ssh and "PULSE_SERVER" in machine.environ
    if not server.address:
        if login.over_ssh:
            lines = ssh.forwarding(login, machine.environ)
            return Finding("sound server", State.WARNING, "none here, and none is forwarded from where you sit", lines)
        return Finding("sound server", State.WARNING, "none; sound cards are used directly")
    if server.answers:
        whither = "sound goes to the forwarded server" if forwarded else "sound goes to"
        text = f"{whither} {server.address}: {server.text}"
        if login.over_ssh and not forwarded:
            elsewhere = "the one of this machine, which nobody hears where you sit"
            lines = ssh.forwarding(login, machine.environ)
            return Finding("sound server", State.WARNING, f"{elsewhere}: {server.text}", lines)
        return Finding("sound server", State.OK, text)
    state = State.UNKNOWN if server.answers is None else State.PROBLEM
    return Finding("sound server", state, f"{server.address}: {server.text}", _server_fix(machine))


def _server_fix(machine: Machine) -> tuple[Step, ...]:
    server, login = machine.server, machine.login
    if server.answers is None:
        return (Step("Debian, Ubuntu:", ("sudo apt install pulseaudio-utils",)),)
    if not login.over_ssh:
        return (Step("Start it, or leave PULSE_SERVER unset."),)
    if server.address.startswith("unix:") and any(text in server.text for text in _BROKEN_OFF):
        lines = ssh.session_lines(Path(server.address.removeprefix("unix:")), machine.environ)
        return (Step("Shared memory does not reach through a forwarded socket; switch it off:", lines),)
    if "Access denied" in server.text:
        return (
            Step("PulseAudio wants to be told that this socket may be used; connect anew:"),
            *ssh.forwarding(login, machine.environ),
        )
    return (
        Step("The forwarding is not there any more, or nothing answers at its other end; connect anew."),
        *ssh.forwarding(login, machine.environ),
    )


def check_alsa(machine: Machine) -> Finding:
    """The way from PortAudio over ALSA to the sound server."""
    found = machine.sound
    if machine.system != "linux" or "PulseAudio" in found.apis:
        return Finding("ALSA", State.OK, "not needed: PortAudio speaks to the sound server itself")
    if not machine.server.address:
        return Finding("ALSA", State.OK, "there is no sound server to reach")
    if not machine.has_alsa_plugin:
        fix = Step("Debian, Ubuntu:", ("sudo apt install libasound2-plugins",))
        return Finding("ALSA", State.PROBLEM, "cannot reach a sound server: its plugin for that is missing", (fix,))
    # With no card at all, the plugin's own device is the first and thereby the default one.
    if found.output == "pulse" or machine.alsa_default == "pulse" or not found.outputs:
        return Finding("ALSA", State.OK, "has the plugin that reaches the sound server")
    lines = (r"printf 'pcm.!default pulse\nctl.!default pulse\n' >> ~/.asoundrc",)
    text = f"goes to {printable(found.output, _NAME_LIMIT)}, not to the sound server"
    return Finding("ALSA", State.WARNING, text, (Step("Or choose --speaker pulse --mic pulse for a call:", lines),))


def check_output(machine: Machine) -> Finding:
    """Whether anything can be heard."""
    found = machine.sound
    if found.error:
        return Finding("output", State.UNKNOWN if found.hung else State.PROBLEM, "PortAudio does not say")
    if not found.outputs:
        fix = () if machine.login.over_ssh else (Step("Plug one in, or start the sound server."),)
        return Finding("output", State.PROBLEM, "none", fix)
    if found.refusal:
        fix = (Step("Choose another one with --speaker:", ("antconf devices",)),)
        return Finding("output", State.PROBLEM, f"{found.output} does not play: {found.refusal}", fix)
    return Finding("output", State.OK, f"{found.output} plays; there are {_names(found.outputs)}")


def check_microphone(machine: Machine) -> Finding:
    """Whether anything can be said."""
    found = machine.sound
    if found.error:
        return Finding("microphone", State.UNKNOWN, "PortAudio does not say")
    if not found.microphones:
        return Finding("microphone", State.WARNING, "none; you can listen, or send a file with --source")
    return Finding("microphone", State.OK, f"{found.microphone}; there are {_names(found.microphones)}")


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name, _NAME_LIMIT) for name in names[:_NAMES_LISTED])
    return f"{shown} and {len(names) - _NAMES_LISTED} more" if len(names) > _NAMES_LISTED else shown


def check_opus(machine: Machine) -> Finding:
    """The codec of voices, for concealment and error correction."""
    from tui.media.libopus import library

    found = library()
    if found is None:
        fix = Step("Debian, Ubuntu:", ("sudo apt install libopus0",))
        return Finding("libopus", State.WARNING, "not found: lost packets are heard as gaps", (fix,))
    version = found.opus_get_version_string
    version.restype = ctypes.c_char_p
    return Finding("libopus", State.OK, version().decode("ascii", "replace"))


def check_echo(machine: Machine) -> Finding:
    """The optional echo cancellation."""
    from tui.media import echo

    if not echo.available():
        fix = Step("Use headphones, or install it:", (echo.INSTALL,))
        return Finding("echo cancellation", State.WARNING, "not installed", (fix,))
    return Finding("echo cancellation", State.OK, f"livekit {metadata.version('livekit')}")
