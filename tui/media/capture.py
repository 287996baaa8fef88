"""The microphone and the camera as tracks to publish; used by `tui.media.sources`."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.device import enumerate_input_devices

from tui.errors import DeviceError
from tui.media import portaudio
from tui.media.files import MOST_PIXELS
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE, Converter, Ring
from tui.media.tracks import AudioTrack, Painter, VideoTrack, black_frame
from tui.text import printable

if TYPE_CHECKING:
    from av.container import InputContainer
    from numpy.typing import NDArray

    from tui.media.sound import Samples

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 2.0
_CAMERA_FORMAT = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}
_WISHES: tuple[dict[str, str], ...] = ({"video_size": "640x360", "framerate": "15"}, {"video_size": "640x480"}, {})


class MicrophoneAudio(AudioTrack):
    """A microphone, by name or number, empty for the default one.

    `open` it in a thread. A device that is lost is opened again as soon as it is back; silence meanwhile.
    """

    def __init__(self, device: str = "") -> None:
        super().__init__()
        self._device = device
        self._ring = Ring(limit=SAMPLE_RATE // 5, prefill=SAMPLE_RATE * 6 // 100)
        self._converter = Converter()
        self._stream: portaudio.Stream | None = None
        self._stopped = threading.Event()
        self._reopening = False

    def open(self) -> None:
        """Begin to listen; blocks. Raises ``DeviceError`` when there is no such microphone."""
        stream = portaudio.open_input(self._device, self._take)
        self._stream = stream
        if self._stopped.is_set():
            stream.close()

    def samples(self, start: int) -> Samples:
        if self._stream is not None and not self._stream.alive and not self._reopening:
            self._reopening = True
            logger.warning("microphone %s is lost", self._stream.name)
            threading.Thread(target=self._reopen, name="microphone", daemon=True).start()
        out = np.empty(FRAME_SAMPLES, dtype=np.float32)
        self._ring.pull(out)
        return out

    def stop(self) -> None:
        """End the track and give the device back."""
        super().stop()
        self._stopped.set()
        if self._stream is not None:
            # Closing may block for as long as a sound server hangs.
            threading.Thread(target=self._stream.close, name="microphone", daemon=True).start()

    def _take(self, block: NDArray[Any], rate: int) -> None:
        sound = block.mean(axis=1)
        if rate != SAMPLE_RATE:
            frame = av.AudioFrame.from_ndarray(sound[None, :], format="flt", layout="mono")
            frame.sample_rate = rate
            sound = self._converter.convert(frame)
        self._ring.push(np.nan_to_num(sound))

    def _reopen(self) -> None:
        while not self._stopped.wait(_RETRY_SECONDS):
            try:
                if self._stream is not None:
                    self._stream.close()
                portaudio.refresh()
                self.open()
            except DeviceError:
                continue
            break
        self._reopening = False


class CameraVideo(VideoTrack):
    """A camera, empty for the default one: a path on Linux, a name or number elsewhere.

    `open` it in a thread. A camera that is lost is opened again as soon as it is back; black meanwhile.
    """

    def __init__(self, device: str = "") -> None:
        super().__init__()
        self._device = device
        self._painter = Painter()
        self._newest: av.VideoFrame | None = None
        self._stopped = threading.Event()

    def open(self) -> None:
        """Begin to watch; blocks. Raises ``DeviceError`` when there is no such camera."""
        container = self._container()
        threading.Thread(target=self._run, args=[container], name="camera", daemon=True).start()

    def picture(self, at: float) -> av.VideoFrame:
        return self._newest or black_frame()

    def stop(self) -> None:
        """End the track; its thread gives the device back after the frame it waits for."""
        super().stop()
        self._stopped.set()

    def _container(self) -> InputContainer:
        form = _CAMERA_FORMAT.get(sys.platform, "v4l2")
        device = self._device or default_camera()
        if not device:
            raise DeviceError("no camera", "No camera here: plug one in, or send a file with --source.")
        refusal: Exception | None = None
        for wishes in _WISHES:
            try:
                return av.open(device, format=form, options=wishes)
            except (av.FFmpegError, OSError, ValueError) as error:
                refusal = error
        raise DeviceError(
            f"camera {printable(device)} cannot be opened: {printable(str(refusal))}",
            "See what there is with: antconf devices",
        )

    def _run(self, container: InputContainer | None) -> None:
        while not self._stopped.is_set():
            try:
                container = container or self._container()
                self._watch(container)
            except (av.FFmpegError, OSError, ValueError, DeviceError) as error:
                level = logging.DEBUG if container is None else logging.WARNING
                logger.log(level, "camera is lost: %s", printable(str(error)))
            if container is not None:
                container.close()
            container, self._newest = None, None
            self._stopped.wait(_RETRY_SECONDS)
        if container is not None:
            container.close()

    def _watch(self, container: InputContainer) -> None:
        for frame in container.decode(video=0):
            if self._stopped.is_set():
                return
            if frame.width * frame.height <= MOST_PIXELS:
                self._newest = self._painter.shrunk(frame)


def default_camera() -> str:
    """What to open when the user names no camera; empty when there is none."""
    if sys.platform == "linux":
        return next((str(path) for path in sorted(Path("/dev").glob("video[0-9]*"))), "")
    if sys.platform == "darwin":
        return "default"
    cameras = [found for found in enumerate_input_devices("dshow") if "video" in found.media_types]
    return f"video={cameras[0].name}" if cameras else ""
