"""``antconf devices``: what it lists and says, without a sound card."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pytest

from tests.media.plugged import plugged
from tests.sound import loudest_frequency, missing, private_pulseaudio
from tests.test_cli import antconf
from tui import choices, cli, soundcheck
from tui.choices import Choices
from tui.media.devices import Camera

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.media.fake_sounddevice import FakeSoundDevice

HEARS: list[float | None] = [0.125]
"""Every sample that the microphone delivers; nothing at all without one."""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    fake = plugged(monkeypatch, [Camera("/dev/video0", "Integrated Camera", True)])
    fake.plug("Speakers\x1b[2J", outputs=2)
    fake.plug("Headset", inputs=1, outputs=2)
    return fake


@pytest.fixture
def sounding(fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSoundDevice]:
    """Devices whose clock goes: outputs play, and the microphone hears `HEARS`."""
    monkeypatch.setattr(soundcheck, "LISTEN_SECONDS", 0.3)
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.005):
            for stream in list(fake.streams):
                if stream.active and stream.kind == "output":
                    stream.play(4800)
                elif stream.active and HEARS[0] is not None:
                    stream.record(np.full(480, HEARS[0], dtype=np.float32))

    HEARS[0] = 0.125
    clock = threading.Thread(target=run, daemon=True)
    clock.start()
    yield fake
    over.set()
    clock.join()


def test_everything_is_listed_with_marks(fake: FakeSoundDevice, capsys: pytest.CaptureFixture[str]) -> None:
    choices.remember(Choices(microphone="Headset"))
    assert cli.main(["devices"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Sound outputs",
        "    0  Speakers\N{REPLACEMENT CHARACTER}[2J  (default)",
        "    1  Headset",
        "Microphones",
        "    1  Headset  (default, remembered)",
        "Cameras",
        "  /dev/video0  Integrated Camera  (default)",
    ]


def test_the_list_as_json(fake: FakeSoundDevice, capsys: pytest.CaptureFixture[str]) -> None:
    choices.remember(Choices("Headset"))
    assert cli.main(["devices", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(one["number"], one["is_default"], one["is_remembered"]) for one in report["outputs"]] == [
        (0, True, False),
        (1, False, True),
    ]
    assert report["microphones"][0]["name"] == "Headset"
    assert report["cameras"] == [{"device": "/dev/video0", "name": "Integrated Camera", "is_default": True}]


def test_the_test_plays_listens_and_says_what_it_heard(
    sounding: FakeSoundDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["devices", "--test", "--speaker", "Headset"]) == 0
    out = capsys.readouterr().out
    assert "There was a tone on Headset." in out
    assert "The microphone delivers sound, peak -18 dBFS." in out
    # No animation where nobody sees it.
    assert "\r" not in out
    assert [(stream.kind, stream.closed) for stream in sounding.streams] == [("output", True), ("input", True)]


@pytest.mark.parametrize("option", ["--speaker", "--mic"])
def test_a_device_is_named_only_to_be_tested(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["devices", option, "Headset"]) == 2
    assert "--test" in capsys.readouterr().err


def test_the_remembered_devices_are_tested_when_they_are_there(
    sounding: FakeSoundDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    choices.remember(Choices("Headset", "Blue Yeti"))
    assert cli.main(["devices", "--test", "--json"]) == 0
    said = capsys.readouterr()
    report = json.loads(said.out)["test"]
    assert report["output"] == {"name": "Headset"}
    assert report["microphone"] == {"name": "Headset", "delivers": "sound, peak -18 dBFS", "peak": 0.125}
    assert "Listening to Headset" in said.err


def test_silence_is_said(sounding: FakeSoundDevice, capsys: pytest.CaptureFixture[str]) -> None:
    HEARS[0] = 0.0
    assert cli.main(["devices", "--test"]) == 0
    assert "The microphone delivers silence." in capsys.readouterr().out


def test_a_microphone_that_delivers_nothing_is_an_error(
    sounding: FakeSoundDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    HEARS[0] = None
    assert cli.main(["devices", "--test"]) == 7
    assert "the microphone Headset delivers nothing" in capsys.readouterr().err


def test_each_device_that_does_not_open_is_named(fake: FakeSoundDevice, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["devices", "--test", "--speaker", "Bar", "--mic", "Foo"]) == 7
    said = capsys.readouterr()
    assert "sound output Bar cannot be opened" in said.err
    assert "microphone Foo cannot be opened" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("more", [[], ["--test"], ["--json"]])
def test_without_portaudio_the_rest_is_listed_and_the_hint_given(
    fake: FakeSoundDevice, more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert cli.main(["devices", *more]) == 7
    said = capsys.readouterr()
    assert "Integrated Camera" in said.out
    assert "libportaudio2" in said.err
    assert "Traceback" not in said.err


def test_it_runs_as_a_program() -> None:
    """With whatever this machine has: a list, or one line that says why not."""
    ended = antconf("devices", "--json", PULSE_SERVER="unix:/nonexistent")
    assert ended.returncode in (0, 7)
    assert set(json.loads(ended.stdout)) == {"outputs", "microphones", "cameras"}
    assert "Traceback" not in ended.stderr


def test_a_meter_moves_where_somebody_sees_it(
    sounding: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert cli.main(["devices", "--test"]) == 0
    assert "\r[#" in capsys.readouterr().out


@pytest.mark.sound
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_on_a_real_sound_server_the_tone_is_heard_and_the_microphone_hears() -> None:
    """The null output's monitor is the microphone; a soft 440 Hz plays all the time."""
    with tempfile.TemporaryDirectory() as folder, private_pulseaudio(Path(folder)) as server:
        at = np.arange(48_000) / 48_000
        sound = (np.sin(2 * np.pi * 440 * at) * 0.05 * 32767).astype("<i2").tobytes()
        play = ["pacat", "-d", "nul", "--format=s16le", "--rate=48000", "--channels=1", "--raw"]
        with subprocess.Popen(play, env=server.environment, stdin=subprocess.PIPE) as soft, server.recording() as tape:
            assert soft.stdin is not None
            feeding = threading.Thread(target=_feed, args=[soft.stdin, sound], daemon=True)
            feeding.start()
            command = [sys.executable, "-m", "tui", "devices", "--test", "--json"]
            with subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE) as program:
                heard = (loudest_frequency(tape.read(0.5)) for _ in range(40))
                assert any(frequency == pytest.approx(660, abs=3) for frequency in heard)
                out, _ = program.communicate(timeout=30)
            soft.kill()
    assert program.returncode == 0
    report = json.loads(out)
    assert report["outputs"]
    assert report["microphones"]
    assert report["test"]["microphone"]["delivers"] == "sound, peak -26 dBFS"


def _feed(pipe: IO[bytes], sound: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            pipe.write(sound)
