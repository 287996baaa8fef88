"""A media file that takes the place of microphone and camera, played over and over or once.

Used by `tui.media.sources`. One thread decodes a little ahead of the tracks; what waits is bounded, and only
local files are opened (hostile-inputs.md, DEV-10).
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from tui.errors import DeviceError
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE, Converter
from tui.media.tracks import AudioTrack, Painter, Sampler, VideoTrack, black_frame
from tui.media.video_encoding import VideoCoding
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.container import InputContainer

    from tui.media.sound import Samples

logger = logging.getLogger(__name__)

MOST_PIXELS = 4096 * 2304
"""Larger pictures are refused, here as from the room."""

# Formats that only name other files, or take any text for a picture.
_REFUSED_FORMATS = frozenset({"hls", "applehttp", "dash", "concat", "concatf", "sdp", "imf", "tty"})
_AHEAD_SECONDS = 0.5
_MOST_SECONDS = 4.0
_SHORTEST_LAP = 0.5
_PATIENCE = 10.0


class FileMedia:
    """One file; ``audio`` and ``video`` are its tracks, ``None`` for what it lacks or is not wanted.

    Blocks while it opens the file. Raises ``DeviceError`` naming a file that is missing, not media, too large a
    picture, or without anything wanted. The thread ends when both tracks are stopped. With ``once`` silence and black
    follow the file, and ``on_end`` is called by the track that comes to its end last.
    """

    def __init__(
        self,
        path: str,
        audio: bool = True,
        video: bool = True,
        *,
        once: bool = False,
        on_end: Callable[[], None] | None = None,
        coding: VideoCoding | None = None,
    ) -> None:
        self._name = printable(path)
        self._path = Path(path)
        self._once = once
        self._on_end = on_end
        self._changed = threading.Condition()
        self._first = threading.Event()
        self._ended = False
        self._finished = False
        self.audio: FileAudio | None = None
        self.video: FileVideo | None = None
        with self._open() as container:
            if audio and container.streams.audio:
                self.audio = FileAudio(self._changed, self._track_ended)
            if video and any(_shows(stream) for stream in container.streams.video):
                self.video = FileVideo(coding or VideoCoding(), self._changed, self._track_ended)
                self.video.label = self._path.name
        if self.audio is None and self.video is None:
            raise self._error("has neither sound nor pictures that can be sent")
        threading.Thread(target=self._run, name="media file", daemon=True).start()
        self._first.wait(_PATIENCE)
        if self._ended or not self._first.is_set():
            self.stop()
            raise self._error("cannot be decoded")

    def _error(self, what: str) -> DeviceError:
        return DeviceError(f"{self._name} {what}", "Give a local video or sound file, for example an mp4.")

    def _open(self) -> InputContainer:
        if not self._path.is_file():
            raise self._error("is not a file" if self._path.exists() else "does not exist")
        try:
            container = av.open(f"file:{self._path}", options={"protocol_whitelist": "file"})
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._error("is not a media file that can be read") from error
        if _REFUSED_FORMATS.intersection(container.format.name.split(",")):
            container.close()
            raise self._error("is not a media file but text or a list")
        pixels = [stream.codec_context.width * stream.codec_context.height for stream in container.streams.video]
        if max(pixels, default=0) > MOST_PIXELS:
            container.close()
            raise self._error("has a picture larger than 4096x2304")
        return container

    @property
    def _wanted(self) -> list[FileAudio | FileVideo]:
        return [track for track in (self.audio, self.video) if track and track.readyState == "live"]

    def stop(self) -> None:
        """End both tracks, and so the thread; idempotent."""
        for track in self._wanted:
            track.stop()

    def _run(self) -> None:
        base = 0.0
        try:
            while self._wanted:
                length = self._lap(base)
                if length is None:
                    break
                base += max(length, _SHORTEST_LAP)
                if self._once:
                    self._finish(base)
                    break
        except Exception:
            logger.exception("file %s: decoding ended", self._name)
        self._ended = bool(self._wanted) and not self._finished
        self._first.set()

    def _lap(self, base: float) -> float | None:
        """Play the file once from ``base`` seconds on; its length, or ``None`` when nothing came."""
        length: float | None = None
        with self._open() as container:
            streams = [*container.streams.audio[:1]] if self.audio else []
            pictures = [stream for stream in container.streams.video if _shows(stream)] if self.video else []
            origin: float | None = None
            if self.audio:
                self.audio.rewind(base)
            for packet in container.demux([*streams, *pictures[:1]]):
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue
                for frame in frames:
                    if not isinstance(frame, (av.AudioFrame, av.VideoFrame)):
                        continue
                    if not self._room():
                        return None
                    at = frame.time or 0.0
                    origin = at if origin is None else origin
                    if isinstance(frame, av.AudioFrame) and self.audio:
                        end = self.audio.append(frame) - base
                    elif isinstance(frame, av.VideoFrame) and self.video:
                        self.video.append(frame, base + max(0.0, at - origin))
                        end = at - origin + 1 / self.video.coding.frames_per_second
                    else:
                        continue
                    length = max(length or 0.0, end)
                    self._first.set()
        return length

    def _finish(self, end: float) -> None:
        self._finished = True
        for track in self._wanted:
            track.finish(end)

    def _track_ended(self) -> None:
        if self._on_end is not None and all(track.has_ended for track in self._wanted):
            tell, self._on_end = self._on_end, None
            tell()

    def _room(self) -> bool:
        """Wait until a track needs more and none has far too much; ``False`` when all are stopped."""

        def ready() -> bool:
            ahead = [track.ahead for track in self._wanted]
            return not ahead or (min(ahead) < _AHEAD_SECONDS and max(ahead) < _MOST_SECONDS)

        with self._changed:
            self._changed.wait_for(ready)
        return bool(self._wanted)


class FileAudio(AudioTrack):
    """The file's first sound."""

    def __init__(self, changed: threading.Condition, on_end: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self._on_end = on_end
        self._end = math.inf
        self.has_ended = False
        """Whether all of it was sent."""
        self._chunks: deque[tuple[int, Samples]] = deque()
        self._converter = Converter()
        self._next = 0
        self._position = 0

    @property
    def ahead(self) -> float:
        """Seconds of sound that wait."""
        return (self._next - self._position) / SAMPLE_RATE

    def rewind(self, base: float) -> None:
        """Thread: the file begins again, ``base`` seconds after the first time."""
        self._converter = Converter()
        self._next = round(base * SAMPLE_RATE)

    def append(self, frame: av.AudioFrame) -> float:
        """Thread: one more frame; returns the seconds where its sound ends."""
        chunk = self._converter.convert(frame)
        with self._changed:
            self._chunks.append((self._next, chunk))
            self._next += len(chunk)
        return self._next / SAMPLE_RATE

    def finish(self, end: float) -> None:
        """Thread: nothing follows after this second."""
        self._end = end

    def samples(self, start: int) -> Samples:
        out = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        end = start + FRAME_SAMPLES
        with self._changed:
            while self._chunks and self._chunks[0][0] < end:
                first, chunk = self._chunks[0]
                low, high = max(first, start), min(first + len(chunk), end)
                if low < high:
                    out[low - start : high - start] = chunk[low - first : high - first]
                if first + len(chunk) > end:
                    break
                self._chunks.popleft()
            self._position = end
            self._changed.notify()
        if not self.has_ended and end >= self._end * SAMPLE_RATE:
            self.has_ended = True
            self._on_end()
        return out

    def stop(self) -> None:
        """End the track; the thread ends with the last one."""
        super().stop()
        with self._changed:
            self._chunks.clear()
            self._changed.notify()


class FileVideo(VideoTrack):
    """The file's first picture stream, no larger than is asked for."""

    def __init__(self, coding: VideoCoding, changed: threading.Condition, on_end: Callable[[], None]) -> None:
        super().__init__(coding)
        self._changed = changed
        self._on_end = on_end
        self._end = math.inf
        self.has_ended = False
        """Whether all of it was sent."""
        self._painter = Painter(coding)
        self._pictures: deque[tuple[float, av.VideoFrame]] = deque()
        self._sampler = Sampler(coding.frames_per_second)
        self._shown: av.VideoFrame | None = None

    @property
    def ahead(self) -> float:
        """Seconds of pictures that wait."""
        return len(self._pictures) / self.coding.frames_per_second

    def append(self, frame: av.VideoFrame, at: float) -> None:
        """Thread: one more frame, to be shown at this second; more than are sent are passed over."""
        if not self._sampler.takes(at) or frame.width * frame.height > MOST_PIXELS:
            return
        picture = self._painter.shrunk(frame)
        with self._changed:
            self._pictures.append((at, picture))

    def finish(self, end: float) -> None:
        """Thread: nothing follows after this second."""
        self._end = end

    def picture(self, at: float) -> av.VideoFrame:
        with self._changed:
            while self._pictures and self._pictures[0][0] <= at:
                self._shown = self._pictures.popleft()[1]
            self._changed.notify()
        if not self.has_ended and at >= self._end:
            self.has_ended = True
            self._shown = None
            self._on_end()
        return self._shown or black_frame(self.coding.width, self.coding.height)

    def stop(self) -> None:
        """End the track; the thread ends with the last one."""
        super().stop()
        with self._changed:
            self._pictures.clear()
            self._changed.notify()


def _shows(stream: av.VideoStream) -> bool:
    """Whether it is a picture that moves or stands, not the cover of a song."""
    return not stream.disposition & av.stream.Disposition.attached_pic
