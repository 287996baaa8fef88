"""A sound and a picture whose sources can be exchanged while they are published; used by `tui.media.sources`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tui.media.degradation import Degradation
from tui.media.tracks import AudioTrack, VideoTrack

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import VideoFrame

    from tui.media.sound import Samples


THRIFTY_KILOBITS = 60
"""Of a picture while the user wants to send as little as possible."""


class SwitchedAudio(AudioTrack):
    """Sends what its ``source`` has; muting, level and encoder are its own, the server notices nothing."""

    def __init__(self, source: AudioTrack) -> None:
        super().__init__()
        self._began: int | None = None
        self.source = source
        self.coding = source.coding
        self.stand_in = source.stand_in

    def switch(self, source: AudioTrack) -> None:
        """Send this source from the next frame on; the one before ends."""
        before, self.source = self.source, source
        self._began = None
        self.stand_in = source.stand_in
        before.stop()
        if self.readyState != "live":
            source.stop()

    def samples(self, start: int) -> Samples:
        # A source counts from its own beginning, wherever the stream is by then.
        self._began = start if self._began is None else self._began
        return self.source.samples(start - self._began)

    def stop(self) -> None:
        """End the track and its source."""
        super().stop()
        self.source.stop()


class SwitchedVideo(VideoTrack):
    """Sends what its ``source`` shows, in the source's coding; being off is its own, the server notices nothing.

    While it is off the source rests. ``tell`` gets lines for the user.
    """

    def __init__(self, source: VideoTrack, tell: Callable[[str], None] | None = None) -> None:
        self._tell = tell
        self._on = True
        self._began: float | None = None
        self._thrifty = False
        self.source = source
        super().__init__(source.coding)
        self.degradation.tell = tell
        self.stand_in = source.stand_in

    @property
    def enabled(self) -> bool:
        """Whether others see the source; they see black when not."""
        return self._on

    @enabled.setter
    def enabled(self, on: bool) -> None:
        self._on = on
        self.source.rest(not on)

    @property
    def thrifty(self) -> bool:
        """Few, small and coarse pictures are sent."""
        return self._thrifty

    @thrifty.setter
    def thrifty(self, thrifty: bool) -> None:
        self._thrifty = self.degradation.thrifty = thrifty
        coding = self.source.coding
        self.coding = replace(coding, bitrate=min(coding.bitrate, THRIFTY_KILOBITS)) if thrifty else coding

    @property
    def is_mirrored(self) -> bool:  # type: ignore[override]
        """As the source."""
        return self.source.is_mirrored

    def switch(self, source: VideoTrack) -> None:
        """Send this source from the next frame on; the one before ends."""
        before, self.source = self.source, source
        self._began, self._seen = None, None
        self.degradation = Degradation(source.coding.frames_per_second, self._tell)
        self.thrifty = self._thrifty
        self.stand_in = source.stand_in
        source.rest(not self._on)
        before.stop()
        if self.readyState != "live":
            source.stop()

    def picture(self, at: float) -> VideoFrame:
        self._began = at if self._began is None else self._began
        return self.source.picture(at - self._began)

    def stop(self) -> None:
        """End the track and its source."""
        super().stop()
        self.source.stop()
