"""Microphones, cameras and whatever else shows pictures, as tracks to publish; used by `tui.media.sources`."""

from __future__ import annotations

import errno
import logging
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.device import enumerate_input_devices

from tui.errors import DeviceError
from tui.media import portaudio
from tui.media.inlet import Inlet
from tui.media.sound import FRAME_SAMPLES
from tui.media.tracks import AudioTrack, Painter, Sampler, VideoTrack, black_frame
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from av.container import InputContainer
    from numpy.typing import NDArray

    from tui.media.sound import Samples
    from tui.media.video_encoding import VideoCoding

logger = logging.getLogger(__name__)

STALLED_SECONDS = 5.0
"""Without a new picture, after which the last one is not shown any more."""

_RETRY_SECONDS = 2.0
_FIRST_PICTURE_SECONDS = 3.0
_PREFILL = 0.06
_LOW_LATENCY_PREFILL = 0.03
_PROCESSED = 480
_CAMERA_FORMAT = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_COMPRESSED = {"v4l2": {"input_format": "mjpeg"}, "dshow": {"vcodec": "mjpeg"}}
_WHOLE = frozenset({"mjpeg", "rawvideo", "bmp"})
_ENOUGH = 0.9
_HOPELESS = frozenset({errno.EBUSY, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENODEV, errno.ENXIO})
_PERMISSION = {
    "linux": "Join the group of the device: sudo usermod -aG video $USER, then log in again.",
    "darwin": "Allow it for your terminal: System Settings, Privacy & Security, Camera or Screen Recording.",
}.get(sys.platform, "Allow it in the privacy settings of the system.")
_REASONS = {
    errno.EBUSY: ("is in use by another program", "Close that program, or choose another camera."),
    errno.EACCES: ("may not be opened: permission denied", _PERMISSION),
    errno.EPERM: ("may not be opened: permission denied", _PERMISSION),
    **dict.fromkeys((errno.ENOENT, errno.ENODEV, errno.ENXIO), ("is not there", "")),
    **dict.fromkeys((errno.ENOTTY, errno.EISDIR), ("is no camera", "")),
}


class MicrophoneAudio(AudioTrack):
    """A microphone, by name or number, empty for the default one.

    `open` it in a thread. A device that is lost is opened again as soon as it is back; silence meanwhile.
    """

    def __init__(self, device: str = "", low_latency: bool = False) -> None:
        super().__init__()
        self.processor: Callable[[Samples], Samples] | None = None
        """Makes of every block of 480 samples another one, against echo and noise; one that raises is removed."""
        self._device = device
        self._latency = portaudio.LOW_LATENCY if low_latency else portaudio.LATENCY
        self._prefill = _LOW_LATENCY_PREFILL if low_latency else _PREFILL
        self._stream: portaudio.Stream | None = None
        self._inlet: Inlet | None = None
        self._stopped = threading.Event()
        self._reopening = False

    @property
    def name(self) -> str:
        """The device that records, empty before `open`."""
        return self._stream.name if self._stream is not None else ""

    @property
    def hint(self) -> str:
        """What is wrong with what the device delivers, one line; empty while nothing is."""
        return self._inlet.hint if self._inlet is not None else ""

    def open(self) -> None:
        """Begin to listen; blocks. Raises ``DeviceError`` when there is no such microphone."""
        try:
            self._open()
        except DeviceError:
            if not portaudio.is_new("input", self._device):
                raise
            portaudio.restart()
            self._open()

    def samples(self, start: int) -> Samples:
        if self._stream is not None and not self._stream.alive and not self._reopening:
            self._reopening = True
            logger.warning("microphone %s is lost", self._stream.name)
            threading.Thread(target=self._reopen, name="microphone", daemon=True).start()
        out = np.zeros(FRAME_SAMPLES, dtype=np.float32)
        if self._inlet is not None:
            self._inlet.pull(out)
        if self.processor is not None:
            self._process(self.processor, out)
        return out

    def stop(self) -> None:
        """End the track and give the device back."""
        super().stop()
        self._stopped.set()
        if self._stream is not None:
            # Closing may block for as long as a sound server hangs.
            threading.Thread(target=self._stream.close, name="microphone", daemon=True).start()

    def _open(self) -> None:
        inlet: Inlet | None = None

        def take(block: NDArray[Any], rate: int) -> None:
            if inlet is not None:
                inlet.take(block)

        stream = portaudio.open_input(self._device, take, self._latency)
        inlet = Inlet(stream.rate, self._prefill)
        self._stream, self._inlet = stream, inlet
        if self._stopped.is_set():
            stream.close()

    def _process(self, processor: Callable[[Samples], Samples], out: Samples) -> None:
        try:
            for start in range(0, len(out), _PROCESSED):
                out[start : start + _PROCESSED] = processor(out[start : start + _PROCESSED])
        except Exception:
            logger.exception("processing the microphone's sound failed, it is left as it is")
            self.processor = None

    def _reopen(self) -> None:
        wait = 0.0
        while not self._stopped.wait(wait):
            wait = _RETRY_SECONDS
            try:
                if self._stream is not None:
                    self._stream.close()
                portaudio.refresh("input", self._device)
                self._open()
            except DeviceError:
                continue
            break
        self._reopening = False


@dataclass(frozen=True, slots=True)
class Grab:
    """One way to open a device with FFmpeg."""

    url: str
    format: str
    options: Mapping[str, str]

    def open(self) -> InputContainer:
        """Blocks; raises what PyAV does."""
        return av.open(self.url, format=self.format, options=dict(self.options))


class CapturedVideo(VideoTrack, ABC):
    """What a device shows, the newest picture always.

    `open` it in a thread. A device that is lost is opened again as soon as it is back, black meanwhile; while nobody
    sees it it is given back. ``tell`` gets a line for the user at each turn, on the loop that the track is read on.
    """

    def __init__(self, coding: VideoCoding | None = None, tell: Callable[[str], None] | None = None) -> None:
        super().__init__(coding)
        self._tell = tell
        self._news: deque[str] = deque(maxlen=8)
        self._painter = Painter(self.coding)
        self._newest: av.VideoFrame | None = None
        self._newest_at = 0.0
        self._lost = False
        self._stalled = False
        self._resting = False
        self._stopped = False
        self._first = threading.Event()
        self.released = threading.Event()
        """The device was given back for good, after `stop`."""
        self._changed = threading.Event()
        """Resting, waking or stopping."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The device as the user knows it, ``camera /dev/video0``."""

    @abstractmethod
    def grabs(self) -> Sequence[Grab]:
        """How to open the device, the best way first. Raises ``DeviceError`` when there is none."""

    def open(self) -> None:
        """Begin to watch; blocks until there is a picture. Raises ``DeviceError`` when the device does not open."""
        container = self._open()
        threading.Thread(target=self._hold, args=[container], name="capture", daemon=True).start()
        # Whoever sees the picture before this one need not see black in between.
        self._first.wait(_FIRST_PICTURE_SECONDS)

    def picture(self, at: float) -> av.VideoFrame:
        newest = self._newest
        stalled = newest is not None and time.monotonic() - self._newest_at > STALLED_SECONDS
        if stalled != self._stalled:
            self._stalled = stalled
            self._news.append(f"{self.name} sends no pictures: you are black." if stalled else f"{self.name} is back.")
        while self._news:
            text = _sentence(self._news.popleft())
            logger.warning("%s", text)
            if self._tell is not None:
                self._tell(text)
        return black_frame(*self._black) if newest is None or stalled else newest

    @property
    def _black(self) -> tuple[int, int]:
        return self.coding.width, self.coding.height

    def rest(self, resting: bool) -> None:
        """Give the device back, or open it again; returns at once."""
        self._resting = resting
        self._changed.set()

    def stop(self) -> None:
        """End the track; its thread gives the device back after the frame it waits for."""
        super().stop()
        self._stopped = True
        self._changed.set()

    def _open(self) -> InputContainer:
        """The first way that gives as many pictures a second as are wanted, else the first that gives any."""
        refusal: Exception | None = None
        slow: Grab | None = None
        grabs = self.grabs()
        for grab in grabs:
            try:
                container = grab.open()
            except (av.FFmpegError, OSError, ValueError) as error:
                refusal = refusal or error
                if getattr(error, "errno", None) in _HOPELESS:
                    break
                continue
            rate = container.streams.video[0].average_rate if container.streams.video else None
            if rate is None or rate >= _ENOUGH * self.coding.frames_per_second:
                return container
            slow = slow or grab
            container.close()
        if slow is not None:
            try:
                return slow.open()
            except (av.FFmpegError, OSError, ValueError) as error:
                refusal = error
        raise self.refused(refusal)

    def refused(self, error: Exception | None) -> DeviceError:
        """Why the device cannot be opened, in words, from what PyAV raised."""
        what, hint = _REASONS.get(getattr(error, "errno", None) or 0, ("", ""))
        what = what or f"cannot be opened: {printable(str(error))}"
        return DeviceError(f"{self.name} {what}", hint or "See what there is with: antconf devices")

    def _hold(self, container: InputContainer) -> None:
        try:
            self._run(container)
        finally:
            self.released.set()

    def _run(self, container: InputContainer | None) -> None:
        while True:
            self._changed.clear()
            if self._stopped:
                break
            if self._resting:
                if container is not None:
                    container.close()
                    container = None
                self._changed.wait()
                continue
            why = "it sends no more"
            try:
                container = container or self._open()
                self._watch(container)
            except DeviceError as error:
                why = str(error).removeprefix(f"{self.name} ")
            except (av.FFmpegError, OSError, ValueError, IndexError) as error:
                why = printable(str(error))
            self._first.set()
            if container is not None:
                container.close()
            container, self._newest = None, None
            if not (self._stopped or self._resting):
                if not self._lost:
                    self._lost = True
                    self._news.append(f"{self.name} is lost, you are black until it is back: {why}.")
                self._changed.wait(_RETRY_SECONDS)
        if container is not None:
            container.close()

    def _watch(self, container: InputContainer) -> None:
        """Until the device ends, or is not wanted any more."""
        stream = container.streams.video[0]
        # What refers to no other picture need not be decoded to be left out.
        is_whole = stream.codec_context.name in _WHOLE
        sampler = Sampler(self.coding.frames_per_second)
        for packet in container.demux(stream):
            if self._stopped or self._resting:
                return
            now = time.monotonic()
            if is_whole and not sampler.takes(now):
                continue
            try:
                frames = packet.decode()
            except av.FFmpegError:
                # The first pictures of many cameras are broken.
                continue
            for frame in frames:
                if isinstance(frame, av.VideoFrame) and (is_whole or sampler.takes(now)):
                    self._take(frame, now)

    def _take(self, frame: av.VideoFrame, now: float) -> None:
        self._newest, self._newest_at = self._painter.shrunk(frame), now
        self._first.set()
        if self._lost:
            self._lost = False
            self._news.append(f"{self.name} is back.")


class CameraVideo(CapturedVideo):
    """A camera, empty for the default one: a path on Linux, a name or number elsewhere."""

    is_mirrored = True

    def __init__(
        self, device: str = "", coding: VideoCoding | None = None, tell: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(coding, tell)
        self.device = self.label = device or default_camera()

    @property
    def name(self) -> str:
        return f"camera {printable(self.device, 60)}"

    def grabs(self) -> Sequence[Grab]:
        self.device = self.label = self.device or default_camera()
        if not self.device:
            raise DeviceError("no camera", "No camera here: plug one in, or send a file with --source.")
        form = _CAMERA_FORMAT.get(sys.platform, "v4l2")
        rate = str(self.coding.frames_per_second)
        asked = {"video_size": f"{self.coding.width}x{self.coding.height}", "framerate": rate}
        wishes = [asked]
        if form in _COMPRESSED:
            # Uncompressed, a large picture comes as seldom as the cable allows.
            wishes.append(asked | _COMPRESSED[form])
        wishes += [{"video_size": "640x480", "framerate": "30"}, {"framerate": "30"}, {"video_size": "640x480"}, {}]
        return [Grab(self.device, form, wish) for wish in wishes]


def default_camera() -> str:
    """What to open when the user names no camera; empty when there is none."""
    if sys.platform == "linux":
        return next((str(path) for path in sorted(Path("/dev").glob("video[0-9]*"))), "")
    if sys.platform == "darwin":
        return "default"
    cameras = [found for found in enumerate_input_devices("dshow") if "video" in found.media_types]
    return f"video={cameras[0].name}" if cameras else ""


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
