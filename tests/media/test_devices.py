"""Listing what can be opened."""

from __future__ import annotations

import sys

import pytest

from tui.errors import DeviceError
from tui.media import portaudio
from tui.media.devices import Camera, Inventory, SoundDevice, inventory, list_cameras, list_microphones, list_outputs

from .plugged import plugged


def test_sound_devices_by_direction_with_clean_names(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = plugged(monkeypatch)
    fake.plug("Speakers\x1b]0;x\x07", outputs=2)
    fake.plug("Headset", inputs=1, outputs=2)
    assert list_outputs() == [
        SoundDevice(0, "Speakers\N{REPLACEMENT CHARACTER}]0;x\N{REPLACEMENT CHARACTER}", 2, True, "0"),
        SoundDevice(1, "Headset", 2, False, "Headset"),
    ]
    assert list_microphones() == [SoundDevice(1, "Headset", 1, True, "Headset")]


def test_what_opens_a_device_opens_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """By number when the name is not the only one, not the whole one, or a word with another meaning."""
    fake = plugged(monkeypatch)
    for name in ("Headset", "Headset", "7", "none", "x" * 300, "Speakers"):
        fake.plug(name)
    assert [device.device for device in list_outputs()] == ["0", "1", "2", "3", "4", "Speakers"]


def test_an_inventory_says_why_there_is_no_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    plugged(monkeypatch)
    assert not inventory().problem

    def broken() -> None:
        raise DeviceError("sound devices cannot be listed", "try again")

    monkeypatch.setattr(portaudio, "list_afresh", broken)
    assert inventory() == Inventory(problem="sound devices cannot be listed", hint="try again")


def test_devices_plugged_in_later_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = plugged(monkeypatch)
    assert list_outputs() == []
    fake.plug("Speakers")
    assert [device.name for device in list_outputs()] == ["Speakers"]


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(DeviceError) as caught:
        list_outputs()
    assert "libportaudio2" in caught.value.hint


def test_cameras_have_a_path_and_a_name() -> None:
    for position, camera in enumerate(list_cameras()):
        assert isinstance(camera, Camera)
        assert camera.device
        assert camera.is_default is (position == 0)
