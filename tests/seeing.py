"""What a remote track looks like: its pictures decoded as they come, as a view would."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from aiortc.mediastreams import MediaStreamError

from tests.core.peers import is_colour
from tui.core.video import Showing
from tui.media.video_decoder import RefusedError, VideoDecoder

if TYPE_CHECKING:
    from av import VideoFrame

    from tests.core.peers import Colour
    from tui.core.peer import RemoteTrack
    from tui.core.video import EncodedPicture


class Eye:
    """Sees one remote track from now on, instead of whoever saw it before; a `VideoSink`."""

    def __init__(self, remote: RemoteTrack) -> None:
        self.pictures: deque[EncodedPicture] = deque(maxlen=1000)
        """The newest that came."""
        self._remote = remote
        self._decoder = VideoDecoder()
        self._newest: VideoFrame | None = None
        self._decoded = 0
        remote.pictures.watch(self)

    def push(self, picture: EncodedPicture) -> None:
        self.pictures.append(picture)
        try:
            frame = self._decoder.decode(picture)
        except RefusedError:
            frame = None
        if self._decoder.awaits_key_frame:
            self._remote.pictures.ask_key_frame()
        if frame is not None:
            self._newest = frame
            self._decoded += 1

    def showing(self) -> Showing:
        width, height = (self._newest.width, self._newest.height) if self._newest is not None else (0, 0)
        return Showing(decoded=self._decoded, width=width, height=height)

    async def recv(self) -> VideoFrame:
        """The next frame; raises ``MediaStreamError`` when the track has ended."""
        before = self._decoded
        while self._decoded == before or self._newest is None:
            if self._remote.track.readyState == "ended":
                raise MediaStreamError
            await asyncio.sleep(0.005)
        return self._newest


def eye_on(remote: RemoteTrack) -> Eye:
    """The one that sees this track already, if any: a new one would have to wait for a key frame."""
    watching = remote.pictures._sink
    return watching if isinstance(watching, Eye) else Eye(remote)


async def shows(remote: RemoteTrack, colour: Colour, frames: int = 60) -> bool:
    """Whether one of the next pictures is of that colour."""
    for _ in range(frames):
        if is_colour(await eye_on(remote).recv(), colour):
            return True
    return False
