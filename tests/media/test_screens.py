"""Which screen is opened, and what is said where there is none."""

from __future__ import annotations

import sys

import pytest

from tui.config import JoinOptions, screen_of
from tui.errors import DeviceError
from tui.media.screens import ScreenVideo
from tui.media.sources import open_picture


@pytest.fixture(autouse=True)
def no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
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
