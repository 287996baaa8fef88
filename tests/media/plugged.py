"""A machine whose sound devices a test plugs in and out; used by the tests of whatever lists devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.media.fake_sounddevice import FakeSoundDevice, install
from tui.media import devices, portaudio, screens

if TYPE_CHECKING:
    import pytest


def plugged(monkeypatch: pytest.MonkeyPatch, cameras: list[devices.Camera] | None = None) -> FakeSoundDevice:
    """A fake whose devices are also what another process finds; no camera but these, and one screen."""
    fake = install(monkeypatch)

    def first(kind: str) -> int:
        able = (number for number, info in enumerate(fake.devices) if info[f"max_{kind}_channels"])
        return next(able, -1)

    def look() -> portaudio.Listing:
        return portaudio.Listing(tuple(fake.devices), first("input"), first("output"))

    monkeypatch.setattr(portaudio, "list_afresh", look)
    monkeypatch.setattr(devices, "list_cameras", lambda: cameras or [])
    only = screens.Screen("screen::0", "Screen :0, 1920x1080")
    monkeypatch.setattr(screens, "list_screens", lambda: screens.Screens((only,)))
    # Nobody asks a sound server, which might start one.
    monkeypatch.setenv("PULSE_SERVER", "unix:/nonexistent")
    return fake
