"""What we publish: the tracks that a user's options ask for.

Used by the call. Everything that blocks is opened in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tui.errors import DeviceError
from tui.media.capture import CameraVideo, MicrophoneAudio
from tui.media.files import FileMedia
from tui.media.generated import Silence, TestTone, VoiceAudio
from tui.media.pictures import Black, PortraitVideo, SolidColour, TestPattern
from tui.media.threads import in_thread
from tui.media.tracks import AudioTrack, VideoTrack
from tui.text import printable

if TYPE_CHECKING:
    from tui.config import JoinOptions

__all__ = [
    "AudioTrack",
    "Black",
    "CameraVideo",
    "FileMedia",
    "MicrophoneAudio",
    "PortraitVideo",
    "Silence",
    "SolidColour",
    "Sources",
    "TestPattern",
    "TestTone",
    "VideoTrack",
    "VoiceAudio",
    "open_sources",
]


@dataclass(frozen=True, slots=True)
class Sources:
    """The tracks to publish, ``None`` for what is not sent; ``notes`` are lines for the user."""

    audio: AudioTrack | None = None
    video: VideoTrack | None = None
    notes: tuple[str, ...] = ()


async def open_sources(options: JoinOptions) -> Sources:
    """Open what the options ask for.

    A default microphone or camera that is missing is no error: silence or no picture, and a note that says what
    to do. Raises ``DeviceError`` for a device or a file that the user named and that cannot be opened.
    """
    if options.play_only:
        return Sources()
    if options.source == "test":
        tone = TestTone(440.0, amplitude=0.1, every=2.0)
        return Sources(tone if options.audio else None, TestPattern() if options.video else None)
    if options.source:
        return await _file(options)
    return await _devices(options)


async def _file(options: JoinOptions) -> Sources:
    if not (options.audio or options.video):
        return Sources()
    file = await in_thread(lambda: FileMedia(options.source, options.audio, options.video))
    name = printable(options.source)
    notes = [
        note
        for note, missing in (
            (f"{name} has no sound: nothing is heard of you.", options.audio and file.audio is None),
            (f"{name} has no picture: nothing is seen of you.", options.video and file.video is None),
        )
        if missing
    ]
    return Sources(file.audio, file.video, tuple(notes))


async def _devices(options: JoinOptions) -> Sources:
    audio: AudioTrack | None = MicrophoneAudio(options.microphone) if options.audio else None
    video: VideoTrack | None = _camera(options.camera) if options.video else None
    notes: list[str] = []
    try:
        if isinstance(audio, MicrophoneAudio) and (note := await _missing(audio, options.microphone)):
            # Silence is sent all the same: without a stream of our own nobody would see us in the room.
            audio = Silence()
            audio.stand_in = True
            notes.append(f"You are not heard: {note}")
        if isinstance(video, CameraVideo) and (note := await _missing(video, options.camera)):
            video = None
            notes.append(f"You are not seen: {note}")
    except BaseException:
        for track in (audio, video):
            if track is not None:
                track.stop()
        raise
    return Sources(audio, video, tuple(notes))


def _camera(device: str) -> VideoTrack:
    return TestPattern() if device == "test" else CameraVideo(device)


async def _missing(track: MicrophoneAudio | CameraVideo, named: str) -> str:
    """Open the device; why it is not there, if the user did not name it."""
    try:
        await in_thread(track.open)
    except DeviceError as error:
        if named:
            raise
        return f"{error}. {error.hint}"
    return ""
