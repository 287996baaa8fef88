"""What is on this machine's screens, as a track to publish, and which there are.

Used by `tui.media.sources`, the device screen and the choice of what to share.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.device import enumerate_input_devices

from tui.errors import DeviceError
from tui.media.capture import CapturedVideo, Grab
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.media.video_encoding import VideoCoding

_SOCKETS = Path("/tmp/.X11-unix")
MOST_SCREENS = 8


@dataclass(frozen=True, slots=True)
class Screen:
    """A screen that can be shown; ``device`` opens it, as ``--camera`` names it."""

    device: str
    title: str


@dataclass(frozen=True, slots=True)
class Screens:
    """All of them; without any, ``problem`` and ``hint`` say why."""

    found: tuple[Screen, ...] = ()
    problem: str = ""
    hint: str = ""


class ScreenVideo(CapturedVideo):
    """A screen with the pointer in it: an X display, a screen's number on macOS, a window's title on Windows.

    Empty is the default one.
    """

    def __init__(
        self, screen: str = "", coding: VideoCoding | None = None, tell: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(coding, tell)
        self._screen = screen
        self.label = self.name

    @property
    def name(self) -> str:
        return f"screen {printable(self._screen, 60)}".strip()

    def grabs(self) -> Sequence[Grab]:
        rate = str(self.coding.frames_per_second)
        if sys.platform == "darwin":
            device = f"Capture screen {self._screen or 0}"
            return [Grab(device, "avfoundation", {"capture_cursor": "1", "framerate": rate})]
        if sys.platform == "win32":
            device = f"title={self._screen}" if self._screen else "desktop"
            return [Grab(device, "gdigrab", {"draw_mouse": "1", "framerate": rate})]
        return [Grab(self._display(), "x11grab", {"draw_mouse": "1", "framerate": rate})]

    def refused(self, error: Exception | None) -> DeviceError:
        if sys.platform == "darwin" or sys.platform == "win32":
            return super().refused(error)
        return DeviceError(
            f"the X display {printable(self._display(), 60)} cannot be opened",
            "It may be on another machine or belong to somebody else: see DISPLAY and XAUTHORITY.",
        )

    def _display(self) -> str:
        if self._screen:
            return self._screen
        if _is_wayland():
            raise DeviceError(
                "this is a Wayland session, which shows its screen to no other program",
                "Log in to an X11 session, or name an X display, for example screen::1, "
                "or feed a v4l2loopback device with wf-recorder and name that with --camera.",
            )
        display = os.environ.get("DISPLAY", "")
        if not display and os.environ.get("SSH_CONNECTION"):
            raise DeviceError(
                "antconf runs on another machine, over SSH, and cannot see the screen in front of you",
                "Start it on the machine whose screen you want to show, "
                "or name an X display there, for example screen::0.",
            )
        if not display:
            raise DeviceError(
                "there is no screen here: DISPLAY is not set",
                "Start antconf in a graphical session, or name an X display, for example screen::0.",
            )
        return display


def list_screens() -> Screens:
    """What can be shown now; blocks, for each screen is tried."""
    if sys.platform == "darwin":
        names = [device.description for device in enumerate_input_devices("avfoundation")]
        numbers = [name.removeprefix("Capture screen ") for name in names if name.startswith("Capture screen ")]
        found = [Screen(f"screen:{number}", f"Screen {printable(number, 20)}") for number in numbers[:MOST_SCREENS]]
        return Screens(tuple(found)) if found else _none(ScreenVideo().refused(None))
    if sys.platform == "win32":
        return Screens((Screen("screen", "The whole desktop"),))
    return _x_displays()


def _x_displays() -> Screens:
    """The session's own first, then whatever else on this machine lets us in."""
    refusal: DeviceError | None = None
    names: list[str] = []
    try:
        names.append(ScreenVideo().grabs()[0].url)
    except DeviceError as error:
        refusal = error
        if _is_wayland():
            # What runs beside Wayland is an empty background to us.
            return _none(error)
    others = sorted(f":{socket.name[1:]}" for socket in _SOCKETS.glob("X*"))
    names += [name for name in others if name not in [own.partition(".")[0] for own in names]]
    found: list[Screen] = []
    for name in names[:MOST_SCREENS]:
        video = ScreenVideo(name)
        try:
            with video.grabs()[0].open() as container:
                codec = container.streams.video[0].codec_context
                title = f"Screen {printable(name, 40)}, {codec.width}x{codec.height}"
        except (av.FFmpegError, OSError, ValueError, IndexError) as error:
            refusal = refusal or video.refused(error)
        else:
            found.append(Screen(f"screen:{name}", title))
    return Screens(tuple(found)) if found or refusal is None else _none(refusal)


def _is_wayland() -> bool:
    return bool(os.environ.get("WAYLAND_DISPLAY")) or os.environ.get("XDG_SESSION_TYPE") == "wayland"


def _none(error: DeviceError) -> Screens:
    return Screens(problem=str(error), hint=error.hint)
