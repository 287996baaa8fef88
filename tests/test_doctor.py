"""The doctor's report: what is found, what is said to do about it, and the exit code."""

from __future__ import annotations

import json
import os
import shlex
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tui import ssh
from tui.doctor import machine as asked
from tui.doctor import report as doctor
from tui.doctor.finding import Finding, State
from tui.doctor.machine import Machine, SoundServer
from tui.doctor.report import CHECKS, examine
from tui.media.probe import Probe, probe

if TYPE_CHECKING:
    from collections.abc import Iterator

OVER_SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 2022"}
CARD = Probe(
    "V19.6.0-devel", ("ALSA", "OSS"), ("Speakers", "HDMI"), ("Webcam",), output="Speakers", microphone="Webcam"
)


class Here(Machine):
    """A machine of which a test says what it has."""

    def __init__(
        self,
        sound: Probe = CARD,
        environ: dict[str, str] | None = None,
        server: SoundServer | None = None,
        plugin: bool = True,
        default: str = "",
    ) -> None:
        super().__init__(environ or {}, "linux")
        found = {"sound": sound, "has_alsa_plugin": plugin, "alsa_default": default}
        self.__dict__.update(found if server is None else found | {"server": server})


def find(machine: Machine, name: str) -> Finding:
    (found,) = (finding for finding in examine(machine) if finding.name == name)
    return found


def advised(finding: Finding) -> str:
    return "\n".join(line for step in finding.fix for line in (step.purpose, *step.lines))


# -- sound -------------------------------------------------------------------------------------------


def test_a_machine_with_a_card_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.run(False, Here()) == 0
    told = capsys.readouterr().out
    assert told.isascii()
    assert "Speakers plays; there are Speakers, HDMI" in told
    assert "problem" not in told


@pytest.mark.parametrize(
    ("sound", "state", "advice"),
    [
        (Probe(error="no PortAudio library"), State.PROBLEM, "apt install libportaudio2 libasound2-plugins"),
        (Probe(error="no answer within 20 s", hung=True), State.UNKNOWN, "Restart the sound server"),
    ],
)
def test_without_portaudio_nothing_is_heard(
    sound: Probe, state: State, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find(Here(sound), "PortAudio").state is state
    assert doctor.run(False, Here(sound)) == 7
    assert advice in capsys.readouterr().out


@pytest.mark.parametrize(
    "sound",
    [Probe("V19", ("ALSA",)), Probe("V19", ("ALSA",), ("HDMI",), (), "HDMI", refusal="Device unavailable")],
    ids=["none", "refused"],
)
def test_without_a_usable_output_the_exit_code_says_so(sound: Probe, capsys: pytest.CaptureFixture[str]) -> None:
    assert find(Here(sound), "output").state is State.PROBLEM
    assert doctor.run(True, Here(sound)) == 7
    assert json.loads(capsys.readouterr().out)["exit_code"] == 7


def test_what_devices_are_called_cannot_harm_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "Speak\x1b[2J\u202eers\n"
    doctor.run(False, Here(Probe("V19", ("ALSA",), (name,), (name,), name, name)))
    told = capsys.readouterr().out
    assert all(line.isprintable() for line in told.splitlines())
    assert len(told.splitlines()) <= len(CHECKS) + 1 + 2 * len(CHECKS)


def test_a_check_that_fails_is_a_line_of_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_weather(machine: Machine) -> Finding:
        raise RuntimeError("rain")

    monkeypatch.setattr(doctor, "CHECKS", (check_weather, *CHECKS))
    found = find(Here(), "weather")
    assert (found.state, found.text) == (State.UNKNOWN, "the check failed (RuntimeError: rain)")


# -- the way to a sound server -----------------------------------------------------------------------

PULSE = SoundServer("unix:/run/x", True, "pulseaudio 16.1 of me on here, output nul")
THROUGH_ALSA = Probe("V19", ("ALSA", "OSS"), ("default",), ("default",), "default", "default")


@pytest.mark.parametrize(
    ("machine", "state", "advice"),
    [
        (Here(THROUGH_ALSA, server=PULSE, plugin=False), State.PROBLEM, "apt install libasound2-plugins"),
        (Here(THROUGH_ALSA, server=PULSE), State.WARNING, "pcm.!default pulse"),
        (Here(THROUGH_ALSA, server=PULSE, default="pulse"), State.OK, ""),
        (Here(Probe("V19", ("ALSA",), ("pulse",), (), "pulse"), server=PULSE), State.OK, ""),
        (Here(Probe("V19", ("PulseAudio",), ("x",), (), "x"), server=PULSE, plugin=False), State.OK, ""),
        (Here(THROUGH_ALSA, server=SoundServer("")), State.OK, ""),
    ],
    ids=["no plugin", "default is a card", "default is pulse", "no card", "PortAudio by itself", "no server"],
)
def test_alsa_must_lead_to_the_sound_server(machine: Machine, state: State, advice: str) -> None:
    found = find(machine, "ALSA")
    assert found.state is state
    assert advice in advised(found)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({}, ""),
        ({"50.conf": "pcm.pulse {\n\ttype pulse\n}\n"}, ""),
        ({"99.conf": "hook_func.pulse_load_if_running {\n lib x\n}\n"}, "pulse"),
        ({"99.conf": "# pcm.!default pulse\n"}, ""),
        ({"99.conf": "pcm.!default {\n    type pulse\n}\n"}, "pulse"),
        ({"99.conf": "func pulse_load_if_running", "home/.asoundrc": "pcm.!default {\n type hw\n card 1\n}\n"}, "hw"),
        ({"99.conf": "pcm.!default {\n type pipewire\n}\n", "home/.asoundrc": "pcm.!default pulse\n"}, "pulse"),
        (
            {"99.conf": "pcm.!default {\n type pulse\n}\n", "home/.config/alsa/asoundrc": 'pcm.!default "null"\n'},
            "null",
        ),
    ],
)
def test_the_last_word_on_alsas_default_counts(files: dict[str, str], kind: str, tmp_path: Path) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    machine = Machine({"HOME": str(tmp_path / "home")}, "linux", alsa_files=[f"{tmp_path}/*.conf"])
    assert machine.alsa_default == kind


def test_the_line_for_alsa_does_what_it_says(tmp_path: Path) -> None:
    (step,) = find(Here(THROUGH_ALSA, server=PULSE), "ALSA").fix
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    subprocess.run(["sh", "-ec", "\n".join(step.lines)], env=environment, check=True)
    assert Machine(environment, "linux", alsa_files=()).alsa_default == "pulse"


def test_the_plugin_is_found_where_it_is(tmp_path: Path) -> None:
    machine = Machine({}, "linux", alsa_folders=[f"{tmp_path}/*/alsa-lib"])
    assert not machine.has_alsa_plugin
    folder = tmp_path / "x86_64-linux-gnu" / "alsa-lib"
    folder.mkdir(parents=True)
    (folder / "libasound_module_pcm_pulse.so").touch()
    assert Machine({}, "linux", alsa_folders=[f"{tmp_path}/*/alsa-lib"]).has_alsa_plugin


# -- the server --------------------------------------------------------------------------------------


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def pactl(folder: Path, script: str) -> dict[str, str]:
    """An environment whose ``pactl`` is this."""
    program = folder / "pactl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_nobody_is_asked_where_there_is_no_server(short: Path) -> None:
    environ = pactl(short, f"touch {short}/asked") | {"XDG_RUNTIME_DIR": str(short)}
    assert Machine(environ).server == SoundServer("")
    assert not (short / "asked").exists()


def test_a_server_says_who_it_is(short: Path) -> None:
    told = "Server Name: PulseAudio (on PipeWire 0.3)\\nServer Version: 15.0\\nUser Name: me\\nHost Name: laptop\\n"
    environ = pactl(short, f"printf '{told}Default Sink: alsa_output\\nCookie: fa80:b543\\n'")
    (short / "pulse").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short / "pulse" / "native"))
        server = Machine(environ | {"XDG_RUNTIME_DIR": str(short)}).server
    assert server.answers
    assert server.text == "PulseAudio (on PipeWire 0.3) 15.0 of me on laptop, output alsa_output"


def test_a_server_that_hangs_is_not_waited_for(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "PACTL_SECONDS", 0.2)
    environ = pactl(short, "exec sleep 60") | {"PULSE_SERVER": "unix:/nowhere"}
    began = time.monotonic()
    assert Machine(environ).server == SoundServer("unix:/nowhere", False, "no answer within 0.2 s")
    assert time.monotonic() - began < 30


def test_without_pactl_there_is_at_least_a_knock(short: Path) -> None:
    environ = {"PATH": str(short), "PULSE_SERVER": f"unix:{short}/native"}
    assert Machine(environ).server.answers is False
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short / "native"))
        listener.listen()
        assert Machine(environ).server.answers is None
    assert Machine(environ | {"PULSE_SERVER": "tcp:localhost"}).server.answers is None


@pytest.mark.parametrize(
    ("complaint", "advice"),
    [
        ("Protocol error", "enable-shm = no"),
        ("Connection terminated", "enable-shm = no"),
        ("Access denied", "wants to be told"),
        ("Connection refused", "connect anew"),
    ],
)
def test_what_a_forwarded_server_complains_of_has_a_remedy(complaint: str, advice: str) -> None:
    server = SoundServer("unix:/run/x.sock", False, f"Connection failure: {complaint}")
    found = find(Here(environ=OVER_SSH | {"PULSE_SERVER": "unix:/run/x.sock"}, server=server), "sound server")
    assert found.state is State.PROBLEM
    step = found.fix[0]
    assert advice in "\n".join([step.purpose, *step.lines])


# -- over SSH ----------------------------------------------------------------------------------------


def test_the_lines_are_for_this_machine_and_can_be_pasted(short: Path) -> None:
    runtime = short / "a b"
    runtime.mkdir(mode=0o700)
    found = find(Here(Probe("V19", ("ALSA",)), OVER_SSH | {"XDG_RUNTIME_DIR": str(runtime)}), "sound server")
    assert found.state is State.WARNING
    room, pipewire, pulseaudio, mac, windows, session, risk = found.fix
    command = shlex.split(room.lines[0])
    assert command[:4] == ["ssh", "-n", "-p", "2022"]
    assert command[4].endswith("@192.0.2.2")
    assert shlex.split(command[5]) == ["rm", "-f", f"{runtime}/antconf-pulse.sock"]
    (line,) = pipewire.lines
    assert shlex.split(line)[3:5] == ["-R", f"{runtime}/antconf-pulse.sock:$XDG_RUNTIME_DIR/pulse/native"]
    assert "auth-anonymous=1" in pulseaudio.lines[0]
    assert "brew" in mac.lines[0]
    assert "WSL" in windows.purpose
    assert f"export PULSE_SERVER='unix:{runtime}/antconf-pulse.sock'" in session.lines
    assert not risk.lines
    for step in found.fix:
        for pasted in step.lines:
            subprocess.run(["sh", "-nc", pasted], check=True)


def test_the_socket_is_never_where_others_may_look(short: Path) -> None:
    runtime = short / "run"
    runtime.mkdir()
    runtime.chmod(0o755)
    path = ssh.socket_path({"XDG_RUNTIME_DIR": str(runtime)})
    assert runtime not in path.parents
    runtime.chmod(0o700)
    assert ssh.socket_path({"XDG_RUNTIME_DIR": str(runtime)}).parent == runtime


@pytest.mark.skipif(Path(f"/run/user/{os.getuid()}").exists(), reason="this user has a private folder already")
def test_where_there_is_no_private_folder_one_is_made(tmp_path: Path) -> None:
    room, *_ = ssh.forwarding(ssh.login(OVER_SSH), {})
    subprocess.run(["sh", "-c", shlex.split(room.lines[0])[-1]], check=True)
    folder = ssh.socket_path({}).parent
    assert tmp_path in folder.parents
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_lines_of_the_session_keep_what_is_set_up(tmp_path: Path) -> None:
    settings = tmp_path / "home" / ".config" / "pulse" / "client.conf"
    settings.parent.mkdir(parents=True)
    settings.write_text("default-sink = mine\n")
    line = ssh.session_lines(Path("/run/x.sock"), {})[0]
    subprocess.run(["sh", "-c", line], check=True)
    assert settings.read_text() == "default-sink = mine\nenable-shm = no\n"


def test_sound_that_goes_to_the_forwarded_server_is_said_to() -> None:
    environ = OVER_SSH | {"PULSE_SERVER": "unix:/run/x"}
    assert find(Here(environ=environ, server=PULSE), "sound server").text.startswith("sound goes to the forwarded")
    here = find(Here(environ=OVER_SSH, server=PULSE), "sound server")
    assert (here.state, "ssh -p 2022 -R" in advised(here)) == (State.WARNING, True)


@pytest.mark.parametrize(
    ("environ", "told", "over_ssh", "state"),
    [
        ({}, None, False, State.OK),
        (OVER_SSH, None, True, State.OK),
        ({"SSH_TTY": "/dev/pts/1"}, None, True, State.OK),
        ({"SSH_CLIENT": "192.0.2.1 50000 22"}, None, True, State.OK),
        (OVER_SSH | {"STY": "1.pts"}, None, True, State.WARNING),
        (OVER_SSH | {"TMUX": "/tmp/x,1,0"}, None, True, State.WARNING),
        (OVER_SSH | {"TMUX": "/tmp/x,1,0"}, "", False, State.OK),
        ({"TMUX": "/tmp/x,1,0"}, OVER_SSH["SSH_CONNECTION"], True, State.OK),
    ],
)
def test_where_the_person_sits(environ: dict[str, str], told: str | None, over_ssh: bool, state: State) -> None:
    login = ssh.login(environ, lambda: told)
    assert login.over_ssh is over_ssh
    machine = Here(environ=environ)
    machine.__dict__["login"] = login
    assert find(machine, "session").state is state


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo SSH_CONNECTION=192.0.2.1 1 192.0.2.2 22", "192.0.2.1 1 192.0.2.2 22"),
        ("echo -SSH_CONNECTION", ""),
        ("echo unknown variable; exit 1", None),
        ("exec sleep 60", None),
    ],
)
def test_tmux_knows_who_is_attached(
    script: str, told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmux").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "tmux").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(ssh, "_TMUX_SECONDS", 1.0)
    assert ssh._tmux_connection() == told


@pytest.mark.parametrize(
    "connection", ["", "x", "a b c d", "1 2 $(reboot) 22", "1 2 192.0.2.2 22;x", "1 2 192.0.2.2 999999"]
)
def test_an_address_that_is_none_is_not_pasted(connection: str) -> None:
    login = ssh.login({"SSH_CONNECTION": connection, "SSH_TTY": "/dev/pts/0"})
    assert (login.over_ssh, login.address, login.port) == (True, "", 22)


# -- the other process -------------------------------------------------------------------------------


def child(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> dict[str, str]:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return dict(os.environ)


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$", "echo {", "echo 1", "echo '{\"a\": 1}'"])
def test_a_process_that_breaks_is_an_answer(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = probe(child(monkeypatch, tmp_path, script))
    assert found.error
    assert not found.hung


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe(child(monkeypatch, tmp_path, "exec sleep 60"), timeout=0.2).hung


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    found = probe(os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])})
    assert found.error == "no PortAudio library"


# -- the command -------------------------------------------------------------------------------------


def report(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tui", "doctor", *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
    )


def test_the_command_tells_no_secret_and_shows_no_traceback() -> None:
    secrets = {name: f"canary{number}" for number, name in enumerate(("ANTCONF_TOKEN", "ANTCONF_TOTP_SECRET"))}
    done = report("--json", **secrets, PULSE_SERVER="unix:/nowhere")
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.stderr == ""
    assert done.returncode == told["exit_code"]
    assert "canary" not in done.stdout
    assert [check["name"] for check in told["checks"]][:4] == ["Python", "libraries", "FFmpeg", "PortAudio"]
    (server,) = (check for check in told["checks"] if check["name"] == "sound server")
    assert server["state"] in ("problem", "unknown")
