"""What is on this machine's screen, as a track to publish; used by `tui.media.sources`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from tui.errors import DeviceError
from tui.media.capture import CapturedVideo, Grab
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.media.video_encoding import VideoCoding


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
        if os.environ.get("WAYLAND_DISPLAY") or os.environ.get("XDG_SESSION_TYPE") == "wayland":
            raise DeviceError(
                "this is a Wayland session, which shows its screen to no other program",
                "Log in to an X11 session, or name an X display, for example screen::1, "
                "or feed a v4l2loopback device with wf-recorder and name that with --camera.",
            )
        display = os.environ.get("DISPLAY", "")
        if not display:
            raise DeviceError(
                "there is no screen here: DISPLAY is not set",
                "Start antconf in a graphical session, or name an X display, for example screen::0.",
            )
        return display
