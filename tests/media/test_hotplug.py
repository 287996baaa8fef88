"""Devices that come and go: what is noticed, and a fresh look from another process."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sound import SoundServer, missing, private_pulseaudio
from tests.waiting import until
from tui.errors import DeviceError
from tui.media import hotplug, portaudio
from tui.media.hotplug import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_sound = pytest.mark.skipif(bool(missing()), reason=missing())
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="by the kernel's list of sound cards")


@pytest.fixture
def server() -> Iterator[SoundServer]:
    with tempfile.TemporaryDirectory() as folder, private_pulseaudio(Path(folder)) as server:
        yield server


@linux_only
async def test_a_card_that_comes_and_one_that_goes_are_each_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cards, nodes = tmp_path / "cards", tmp_path / "snd"
    cards.write_text("--- no soundcards ---\n")
    nodes.mkdir()
    monkeypatch.setattr(hotplug, "_CARDS", cards)
    monkeypatch.setattr(hotplug, "_NODES", nodes)
    monkeypatch.setattr(hotplug, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(hotplug, "_SETTLE_SECONDS", 0.2)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    told: list[int] = []
    async with Watch(lambda: told.append(1)) as watch:
        watch.start()
        await asyncio.sleep(0.1)
        cards.write_text(" 0 [Headset]: USB-Audio - Headset\n")
        (nodes / "pcmC0D0p").touch()
        await until(lambda: told, what="what came")
        await asyncio.sleep(0.3)
        assert told == [1]
        (nodes / "pcmC0D0p").unlink()
        await until(lambda: len(told) == 2, what="what went")
    await watch.aclose()


async def test_where_nothing_tells_the_devices_are_listed_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [portaudio.Listing((), -1, -1)]
    looks: list[int] = []

    def look() -> portaudio.Listing:
        looks.append(1)
        if len(looks) % 2:
            raise DeviceError("not now")
        return found[0]

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(hotplug, "_LIST_SECONDS", 0.01)
    monkeypatch.setattr(hotplug, "_SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(portaudio, "list_afresh", look)
    told: list[int] = []
    async with Watch(lambda: told.append(1)):
        await until(lambda: len(looks) > 6, what="some looks")
        assert not told
        found[0] = portaudio.Listing(({"name": "Headset"},), -1, 0)
        await until(lambda: told, what="what came")


@linux_only
@needs_sound
@pytest.mark.sound
async def test_a_sound_server_tells_of_devices_and_of_its_default(
    server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(hotplug, "_SERVER_AGAIN_SECONDS", 0.2)
    told: list[int] = []
    async with Watch(lambda: told.append(1)):
        module = "load-module", "module-null-sink", "sink_name=phones", "sink_properties=device.description=Phones"
        # Its first word may come before it listens.
        while not told:
            await asyncio.to_thread(server.ask, *module)
            await asyncio.sleep(0.5)
        await asyncio.sleep(0.5)
        told.clear()
        await asyncio.to_thread(server.ask, "set-sink-volume", "nul", "50%")
        await asyncio.to_thread(server.ask, "set-default-sink", "phones")
        await until(lambda: told, what="the default")
        assert await asyncio.to_thread(hotplug.server_output) == "Phones"
        told.clear()
        server.kill()
        await until(lambda: told, what="the server's end")
        assert await asyncio.to_thread(hotplug.server_output) == ""


@needs_sound
@pytest.mark.sound
def test_a_fresh_look_finds_what_this_process_cannot(server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    listing = portaudio.list_afresh()
    default = listing.devices[listing.output]
    assert default["name"] == "default"
    assert default["max_output_channels"] > 0
    server.kill()
    assert portaudio.list_afresh().output == -1


@pytest.mark.parametrize("answer", ["", "no", "[]", '{"devices": [{}], "default": [0, 0]}', '{"devices": []}'])
def test_a_fresh_look_that_fails_is_an_error(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **settings: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1, answer.encode(), b"")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DeviceError):
        portaudio.list_afresh()


def test_a_fresh_look_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portaudio, "_LISTING_SECONDS", 0.001)
    with pytest.raises(DeviceError):
        portaudio.list_afresh()
