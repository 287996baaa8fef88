"""The arrows of the house, by what an import really loads: each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tui

HOME = Path(tui.__file__).parent
TERMINAL = {"textual", "rich"}
MEDIA = {"aiortc", "aioice", "av", "numpy", "sounddevice", "websockets"}


def modules(package: str) -> list[str]:
    return sorted(f"tui.{package}.{path.stem}" for path in (HOME / package).glob("[!_]*.py"))


def loaded(*names: str) -> set[str]:
    """The top-level packages in memory after these imports."""
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program, *names], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found = done.stdout.split()
    assert set(names) <= set(found)
    return {name.partition(".")[0] for name in found}


@pytest.mark.parametrize("package", ["core", "media", "server"])
def test_a_package_loads_no_terminal_and_no_sound_card(package: str) -> None:
    names = modules(package)
    assert len(names) > 5
    assert not loaded(*names) & (TERMINAL | {"sounddevice"})


def test_the_call_loads_no_terminal() -> None:
    assert not loaded("tui.call", "tui.config") & (TERMINAL | {"sounddevice"})


def test_the_package_itself_costs_nothing() -> None:
    assert not loaded("tui") & (TERMINAL | MEDIA | {"asyncio", "platformdirs"})


@pytest.mark.parametrize(
    "name",
    [
        "tui.errors",
        "tui.text",
        "tui.core.address",
        "tui.core.messages",
        "tui.config",
        "tui.arguments",
        "tui.cli",
        "tui.logbook",
        "tui.settings",
    ],
)
def test_what_the_command_line_needs_first_is_light(name: str) -> None:
    assert not loaded(name) & (TERMINAL | MEDIA)


@pytest.mark.parametrize(
    "name",
    ["tui.core.protocol", "tui.core.roster", "tui.core.sdp", "tui.core.door", "tui.core.events", "tui.server.room"],
)
def test_pure_state_loads_no_media(name: str) -> None:
    assert not loaded(name) & (TERMINAL | MEDIA)


def test_the_public_core_comes_on_demand() -> None:
    assert set(tui.__all__) == {"Conference", "WebRTCAdaptor", "__version__"}
    assert tui.Conference.__module__ == "tui.core.conference"
    assert tui.WebRTCAdaptor.__module__ == "tui.core.adaptor"
    with pytest.raises(AttributeError, match="Nothing"):
        _ = tui.Nothing
