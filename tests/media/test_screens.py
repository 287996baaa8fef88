"""Which screen is opened, and what is said where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.media.test_files import write_media
from tui.config import JoinOptions, screen_of
from tui.errors import DeviceError
from tui.media import screens
from tui.media.capture import Grab
from tui.media.screens import Screen, Screens, ScreenVideo, list_screens
from tui.media.sources import FILM, SCREEN, open_picture, open_shared

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("source", "screen"),
    [("screen", ""), ("screen::1", ":1"), ("screen:2", "2"), ("screens.mp4", None), ("test", None), ("", None)],
)
def test_a_screen_is_known_by_its_word(source: str, screen: str | None) -> None:
    assert screen_of(source) == screen


@pytest.mark.parametrize(
    ("platform", "screen", "expected"),
    [
        ("linux", ":7", ("x11grab", ":7")),
        ("linux", "", ("x11grab", ":3")),
        ("darwin", "", ("avfoundation", "Capture screen 0")),
        ("darwin", "1", ("avfoundation", "Capture screen 1")),
        ("win32", "", ("gdigrab", "desktop")),
        ("win32", "Notepad", ("gdigrab", "title=Notepad")),
    ],
)
def test_each_system_has_its_own_way(
    platform: str, screen: str, expected: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("DISPLAY", ":3")
    (grab,) = ScreenVideo(screen).grabs()
    assert (grab.format, grab.url) == expected
    assert grab.options["framerate"] == "15"


async def test_without_a_graphical_session_it_says_so() -> None:
    with pytest.raises(DeviceError, match="DISPLAY is not set") as caught:
        await open_picture("screen", JoinOptions())
    assert "screen::0" in caught.value.hint


@pytest.mark.parametrize("variable", [("WAYLAND_DISPLAY", "wayland-0"), ("XDG_SESSION_TYPE", "wayland")])
async def test_wayland_is_said_plainly_and_an_x_display_may_be_named_all_the_same(
    variable: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable)
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(DeviceError, match="Wayland") as caught:
        await open_picture("screen", JoinOptions())
    assert "X11 session" in caught.value.hint
    assert ScreenVideo(":99").grabs()[0].url == ":99"


async def test_a_display_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match="X display :971 cannot be opened"):
        await open_picture("screen::971", JoinOptions())


class Display:
    """What FFmpeg opens of an X display."""

    def __init__(self, width: int, height: int) -> None:
        size = SimpleNamespace(codec_context=SimpleNamespace(width=width, height=height))
        self.streams = SimpleNamespace(video=[size])

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def displays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Display]:
    """The displays that can be opened, by name; sockets there are more."""
    found: dict[str, Display] = {}
    for number in (0, 1, 7):
        (tmp_path / f"X{number}").touch()

    def opened(grab: Grab) -> Display:
        if grab.url not in found:
            raise OSError("no")
        return found[grab.url]

    monkeypatch.setattr(screens, "_SOCKETS", tmp_path)
    monkeypatch.setattr(Grab, "open", opened)
    monkeypatch.setattr(sys, "platform", "linux")
    return found


def test_the_sessions_own_screen_comes_first_and_each_that_lets_us_in(
    displays: dict[str, Display], monkeypatch: pytest.MonkeyPatch
) -> None:
    displays.update({":0": Display(1920, 1080), ":7.0": Display(800, 600)})
    monkeypatch.setenv("DISPLAY", ":7.0")
    assert list_screens() == Screens(
        (Screen("screen::7.0", "Screen :7.0, 800x600"), Screen("screen::0", "Screen :0, 1920x1080"))
    )


def test_over_ssh_it_is_said_that_the_screen_is_elsewhere(
    displays: dict[str, Display], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    none = list_screens()
    assert none.found == ()
    assert "over SSH" in none.problem
    # A desktop that runs there all the same can be shown.
    displays[":0"] = Display(1920, 1080)
    assert [screen.device for screen in list_screens().found] == ["screen::0"]


@pytest.mark.parametrize("display", ["", ":0"])
def test_what_runs_beside_wayland_is_not_offered(
    displays: dict[str, Display], display: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    displays[":0"] = Display(1920, 1080)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    none = list_screens()
    assert none.found == ()
    assert "Wayland" in none.problem
    assert none.hint


def test_a_display_that_does_not_let_us_in_is_the_reason(
    displays: dict[str, Display], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", "far:10")
    assert "far:10 cannot be opened" in list_screens().problem


def test_other_systems_name_their_screens(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras = ["FaceTime HD Camera", "Capture screen 0", "Capture screen 1"]
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(
        screens, "enumerate_input_devices", lambda _: [SimpleNamespace(description=name) for name in cameras]
    )
    assert [screen.device for screen in list_screens().found] == ["screen:0", "screen:1"]
    del cameras[1:]
    assert list_screens().problem
    monkeypatch.setattr(sys, "platform", "win32")
    assert [screen.device for screen in list_screens().found] == ["screen"]


async def test_what_is_shared_is_sized_to_be_read(tmp_path: Path) -> None:
    clip = write_media(tmp_path / "clip.mp4", audio=False)
    for source, coding in (("test", SCREEN), (str(clip), FILM)):
        picture = await open_shared(source)
        assert picture.coding == coding
        picture.stop()
    with pytest.raises(DeviceError, match="does not exist"):
        await open_shared(str(tmp_path / "nothing.mp4"))
    with pytest.raises(DeviceError, match="DISPLAY"):
        await open_shared("screen")
