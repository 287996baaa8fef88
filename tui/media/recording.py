"""What is said in a call, the others and oneself, as one sound file.

Used by the call. Two threads bring sound, neither ever waits: the device's brings what the others say, the core's
loop what oneself says. A third one lays both on the clock's timeline and writes, so that neither a stalled disk nor
a stalled microphone shifts anything.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import struct
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import av
import numpy as np

from tui.errors import FileError
from tui.media.sound import FRAME_SAMPLES, SAMPLE_RATE
from tui.media.threads import in_thread
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.media.sound import Samples

logger = logging.getLogger(__name__)

WAV_BYTES = (1 << 32) - 4096
"""Of sound in a WAV file, whose sizes have 32 bits: 12 hours."""

_BUFFER = 4 * SAMPLE_RATE
_BEHIND = SAMPLE_RATE * 6 // 10
"""How late sound may come and still be written."""
_TORN = SAMPLE_RATE * 4 // 10
"""Further than this from the clock, a side is put back on it at once."""
_ASTRAY = SAMPLE_RATE * 4 // 100
"""Further than this all the time, it is put back too: its clock runs at another rate."""
_WINDOW = 2 * SAMPLE_RATE
_TICK_SECONDS = 0.2
_CLOSE_SECONDS = 3.0
_BITRATE = 48_000
_CEILING = np.float32(0.95)
_RECOVERY_SAMPLES = SAMPLE_RATE // 2


class Recording:
    """A file that is being written; make one with `create`, end it with `aclose`."""

    def __init__(
        self, path: Path, file: _SoundFile, on_end: Callable[[str], None] | None, clock: Callable[[], float]
    ) -> None:
        self.path = path
        self._file = file
        self._on_end = on_end
        self._clock = clock
        self._began = clock()
        self._timeline = Timeline()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    @classmethod
    def create(
        cls,
        path: str | Path,
        on_end: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Recording:
        """Begin a new file, ``.wav`` or Opus in ``.ogg`` or ``.opus``, for its owner's eyes alone. Blocks.

        Where this program has recorded to already, it goes on in a file beside: ``call-2.wav`` after ``call.wav``.
        Raises ``FileError`` for another suffix, for whatever else is there already, and for what cannot be made.
        ``on_end`` is told once, in a thread of this object, why the recording ended before `aclose`.
        """
        fresh = _fresh(Path(path))
        file = _begin(fresh)
        _ours.add(fresh)
        return cls(fresh, file, on_end, clock)

    def hear(self, block: Samples) -> None:
        """What the others said: mono float32 at 48 kHz, any length; by one thread only, and it never waits."""
        self._timeline.room.add(block, self._now())

    def speak(self, block: Samples) -> None:
        """What oneself said, silence while muted; as `hear`, by one thread only, which may be another."""
        self._timeline.own.add(block, self._now())

    def stop(self) -> None:
        """Write what is still to be written and close the file, without waiting for it; idempotent."""
        self._stopping.set()

    async def aclose(self) -> None:
        """`stop`, and wait for it, three seconds at most."""
        self.stop()
        await in_thread(lambda: self._thread.join(_CLOSE_SECONDS))
        if self._thread.is_alive():
            logger.warning("the recording does not close: its disk hangs")

    def _now(self) -> int:
        return int((self._clock() - self._began) * SAMPLE_RATE)

    def _run(self) -> None:
        reason = ""
        try:
            while not self._stopping.wait(_TICK_SECONDS):
                self._file.write(self._timeline.take(self._now() - _BEHIND))
            self._file.write(self._timeline.take(self._timeline.end))
        except _FullError as full:
            reason = str(full)
        except (OSError, av.FFmpegError) as error:
            reason = printable(error.strerror or str(error))
        except Exception as error:
            logger.exception("recording failed")
            reason = f"internal error ({type(error).__name__})"
        try:
            self._file.close()
        except (OSError, av.FFmpegError) as error:
            reason = reason or printable(error.strerror or str(error))
        if reason:
            logger.warning("recording ended: %s", reason)
            if self._on_end is not None:
                self._on_end(reason)


# -- time --------------------------------------------------------------------------------------------


class Lane:
    """One side's sound on the timeline; one thread adds, another one reads, neither takes a lock."""

    def __init__(self) -> None:
        self.end = 0
        """Where the next sample belongs."""
        self._read = 0
        self._buffer = np.zeros(_BUFFER, dtype=np.float32)
        self._most = 0
        self._seen = 0
        self._begun = False

    def add(self, block: Samples, now: int) -> None:
        """Append sound that ended at ``now``, in samples since the beginning."""
        ahead = self.end + len(block) - now
        if not self._begun or ahead < -_TORN:
            self._begun = True
            self._move(now - len(block))
        elif ahead > _TORN:
            return
        else:
            self._follow(ahead, len(block))
        if self.end < self._read:
            # That time has been written without it.
            self.end = self._read
        self._append(block)

    def _follow(self, ahead: int, count: int) -> None:
        """Sound comes late as it likes, but never early: the earliest of a while shows where the clock is."""
        self._most = ahead if self._seen == 0 else max(self._most, ahead)
        self._seen += count
        if self._seen >= _WINDOW:
            if abs(self._most) > _ASTRAY:
                self._move(self.end - self._most)
            self._seen = 0

    def _move(self, position: int) -> None:
        """Go on at another time: with silence up to there, or over what was not read yet."""
        self._seen = 0
        self.end = max(self.end, self._read)
        if position <= self.end:
            self.end = max(position, self._read)
        elif position - self._read <= _BUFFER:
            self._append(np.zeros(position - self.end, dtype=np.float32))

    def _append(self, block: Samples) -> None:
        if self.end + len(block) - self._read > _BUFFER:
            return
        start = self.end % _BUFFER
        first = min(len(block), _BUFFER - start)
        self._buffer[start : start + first] = block[:first]
        self._buffer[: len(block) - first] = block[first:]
        self.end += len(block)

    def add_to(self, out: Samples, start: int) -> None:
        """Add what belongs to the time from ``start`` on; what is not there yet is too late."""
        end = start + len(out)
        have = max(0, min(self.end, end) - start)
        low = start % _BUFFER
        first = min(have, _BUFFER - low)
        out[:first] += self._buffer[low : low + first]
        out[first:have] += self._buffer[: have - first]
        self._read = end


class Timeline:
    """Both sides together, in pieces of whole frames, never above full scale."""

    def __init__(self) -> None:
        self.room = Lane()
        self.own = Lane()
        self._taken = 0
        self._gain = 1.0

    @property
    def end(self) -> int:
        """Up to where there is sound."""
        return max(self.room.end, self.own.end)

    def take(self, until: int) -> Samples:
        """The sound from where the last one ended up to ``until``, a little less perhaps."""
        frames = min((until - self._taken) // FRAME_SAMPLES, _BUFFER // FRAME_SAMPLES)
        out = np.zeros(max(0, frames) * FRAME_SAMPLES, dtype=np.float32)
        for start in range(0, len(out), FRAME_SAMPLES):
            frame = out[start : start + FRAME_SAMPLES]
            for lane in (self.room, self.own):
                lane.add_to(frame, self._taken)
            self._limit(frame)
            self._taken += FRAME_SAMPLES
        return out

    def _limit(self, frame: Samples) -> None:
        """Down at once, up slowly; what the slope leaves over is cut."""
        np.nan_to_num(frame, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        peak = float(np.abs(frame).max(initial=0.0))
        gain = min(1.0, float(_CEILING) / peak if peak else 1.0, self._gain + len(frame) / _RECOVERY_SAMPLES)
        if gain < 1.0 or self._gain < 1.0:
            frame *= np.linspace(self._gain, gain, len(frame), dtype=np.float32)
            np.clip(frame, -_CEILING, _CEILING, out=frame)
        self._gain = gain


# -- files -------------------------------------------------------------------------------------------


class _FullError(Exception):
    """The format cannot hold more."""


class _SoundFile(Protocol):
    def write(self, sound: Samples) -> None:
        """Append; what was written before stays playable whatever happens. Raises ``OSError`` or ``_FullError``."""

    def close(self) -> None:
        """Finish the file."""


class _Tail:
    """A file that grows by whole pieces: one that does not fit leaves nothing behind."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._length = 0

    def write(self, data: bytes) -> int:
        """Append all of it. Raises ``OSError``."""
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self._length)
            os.lseek(self._descriptor, 0, os.SEEK_END)
            raise
        self._length += len(data)
        return len(data)

    def patch(self, offset: int, data: bytes) -> None:
        """Replace what was written before."""
        os.pwrite(self._descriptor, data, offset)

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


class _Wav:
    """16 bits, mono; the sizes in the header are true after every write."""

    def __init__(self, tail: _Tail) -> None:
        self._tail = tail
        self._bytes = 0
        form = struct.pack("<IHHIIHH", 16, 1, 1, SAMPLE_RATE, SAMPLE_RATE * 2, 2, 16)
        tail.write(b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + form + b"data" + struct.pack("<I", 0))

    def write(self, sound: Samples) -> None:
        if self._bytes + 2 * len(sound) > WAV_BYTES:
            raise _FullError("a WAV file holds no more than 4 GB; an .ogg file does")
        self._tail.write((sound * 32767.0).astype("<i2").tobytes())
        self._bytes += 2 * len(sound)
        self._tail.patch(4, struct.pack("<I", 36 + self._bytes))
        self._tail.patch(40, struct.pack("<I", self._bytes))

    def close(self) -> None:
        self._tail.close()


class _Ogg:
    """Opus; a page is written for every half second."""

    def __init__(self, tail: _Tail) -> None:
        self._tail = tail
        self._position = 0
        self._broken = False
        self._container = av.open(tail, "w", format="ogg", options={"page_duration": "500000"})
        self._stream = self._container.add_stream("libopus", rate=SAMPLE_RATE, layout="mono")
        self._stream.bit_rate = _BITRATE

    def write(self, sound: Samples) -> None:
        for start in range(0, len(sound), FRAME_SAMPLES):
            pcm = (sound[start : start + FRAME_SAMPLES] * 32767.0).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE
            frame.pts = self._position
            self._position += len(pcm)
            self._mux(frame)

    def _mux(self, frame: av.AudioFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(frame))
        except (OSError, av.FFmpegError):
            self._broken = True
            raise

    def close(self) -> None:
        try:
            if not self._broken:
                if not self._position:
                    # Without any sound it would be no Ogg file.
                    self.write(np.zeros(FRAME_SAMPLES, dtype=np.float32))
                self._mux(None)
                self._container.close()
        finally:
            self._tail.close()


_ours: set[Path] = set()
"""Recorded to by this program: one can leave and join again."""


def _fresh(path: Path) -> Path:
    fresh, number = path, 1
    while fresh in _ours:
        number += 1
        fresh = path.with_stem(f"{path.stem}-{number}")
    return fresh


_FORMATS: dict[str, Callable[[_Tail], _SoundFile]] = {".wav": _Wav, ".ogg": _Ogg, ".opus": _Ogg}


def check(path: str | Path) -> None:
    """Raises ``FileError`` for what `Recording.create` would refuse, as far as one sees without making the file."""
    path = Path(path)
    _form(path)
    if os.path.lexists(path):
        raise _taken(path)
    try:
        # The slash: a folder it must be.
        os.stat(f"{path.parent}/")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except (OSError, ValueError) as error:
        raise _unmade(path, error) from error


def _form(path: Path) -> Callable[[_Tail], _SoundFile]:
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise FileError(f"{printable(str(path))!r} cannot be recorded to", "its name must end in .wav, .ogg or .opus")
    return form


def _taken(path: Path) -> FileError:
    return FileError(
        f"{printable(str(path))!r} exists already", "a recording goes into a new file; choose another name"
    )


def _unmade(path: Path, error: Exception) -> FileError:
    return FileError(f"{printable(str(path))!r} cannot be made: {_words(error)}", "choose another place for it")


def _begin(path: Path) -> _SoundFile:
    form = _form(path)
    try:
        _refuse_planted(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise _taken(path) from error
    except (OSError, ValueError) as error:
        raise _unmade(path, error) from error
    try:
        # Whatever the umask says.
        os.fchmod(descriptor, 0o600)
        return form(_Tail(descriptor))
    except (OSError, ValueError, av.FFmpegError) as error:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        shown = printable(str(path))
        raise FileError(f"{shown!r} cannot be recorded to: {_words(error)}", "choose another place for it") from error


def _refuse_planted(path: Path) -> None:
    """A link on the way that somebody else has put where everybody may write; raises ``PermissionError``."""
    for folder in path.absolute().parents:
        found = folder.lstat()
        is_foreign_link = stat.S_ISLNK(found.st_mode) and found.st_uid not in (0, os.getuid())
        if is_foreign_link and folder.parent.stat().st_mode & stat.S_IWOTH:
            raise PermissionError(0, f"{printable(str(folder))} is somebody else's link")


def _words(error: Exception) -> str:
    return printable(getattr(error, "strerror", None) or str(error))
