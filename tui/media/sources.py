"""What we publish: the tracks that a user's options ask for.

Used by the call. Everything that blocks is opened in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tui.config import screen_of
from tui.errors import DeviceError
from tui.media.capture import CameraVideo, CapturedVideo, MicrophoneAudio, default_camera
from tui.media.encoding import Coding
from tui.media.files import FileMedia
from tui.media.generated import Silence, TestTone, VoiceAudio
from tui.media.pictures import Black, PortraitVideo, SolidColour, TestPattern
from tui.media.screens import ScreenVideo
from tui.media.switched import SwitchedAudio, SwitchedVideo
from tui.media.threads import in_thread
from tui.media.tracks import AudioTrack, VideoTrack
from tui.media.video_encoding import VideoCoding
from tui.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.config import JoinOptions

__all__ = [
    "AudioTrack",
    "Black",
    "CameraVideo",
    "FileMedia",
    "MicrophoneAudio",
    "PortraitVideo",
    "ScreenVideo",
    "Silence",
    "SolidColour",
    "Sources",
    "SwitchedAudio",
    "SwitchedVideo",
    "TestPattern",
    "TestTone",
    "VideoTrack",
    "VoiceAudio",
    "default_camera",
    "open_microphone",
    "open_picture",
    "open_shared",
    "open_sources",
]


SCREEN = VideoCoding(1280, 720, 5, 800, is_screen=True)
"""How a screen is sent when nothing else is asked for: text has to be read."""

FILM = VideoCoding(1280, 720, 15, 1000)
"""How a file is sent that is shown beside the camera."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The tracks to publish, ``None`` for what is not sent; ``notes`` are lines for the user."""

    audio: SwitchedAudio | None = None
    video: SwitchedVideo | None = None
    notes: tuple[str, ...] = ()


async def open_sources(options: JoinOptions, tell: Callable[[str], None] | None = None) -> Sources:
    """Open what the options ask for.

    A default microphone or camera that is missing is no error: silence or black, and a note that says what to do.
    ``tell`` gets lines for the user later on. Raises ``DeviceError`` for a device, a screen or a file that the user
    named and that cannot be opened.
    """
    if options.play_only or not (options.audio or options.video):
        return Sources()
    if options.source == "test":
        tone = _switched(_test_tone(), options) if options.audio else None
        return Sources(tone, SwitchedVideo(TestPattern(_coding(options)), tell) if options.video else None)
    if options.source and screen_of(options.source) is None:
        return await _file(options, tell)
    return await _devices(options, tell)


async def open_microphone(device: str, options: JoinOptions) -> AudioTrack:
    """One source of sound: a microphone by name or number, empty for the default one, ``test`` or ``silence``.

    Raises ``DeviceError`` when it cannot be opened.
    """
    if device == "test":
        return _test_tone()
    if device == "silence":
        return Silence()
    microphone = MicrophoneAudio(device, options.low_latency)
    try:
        await in_thread(microphone.open)
    except BaseException:
        microphone.stop()
        raise
    return microphone


async def open_picture(device: str, options: JoinOptions, tell: Callable[[str], None] | None = None) -> VideoTrack:
    """One source of pictures: a camera, empty for the default one, a screen, a media file, ``test`` or ``none``.

    ``tell`` gets lines for the user later on. Raises ``DeviceError`` when it cannot be opened.
    """
    if device == "test":
        return TestPattern(_coding(options))
    if device == "none":
        return _nothing(options)
    screen = screen_of(device)
    if screen is None and await in_thread(Path(device).is_file):
        return await _film(device, _coding(options))
    return await _captured(
        CameraVideo(device, _coding(options), tell)
        if screen is None
        else ScreenVideo(screen, _coding(options, SCREEN), tell)
    )


async def open_shared(source: str, tell: Callable[[str], None] | None = None) -> VideoTrack:
    """What is shown beside the camera: a screen, a media file or ``test``, in a size in which it can be read.

    ``tell`` gets lines for the user later on. Raises ``DeviceError`` when it cannot be opened.
    """
    if source == "test":
        return TestPattern(SCREEN)
    screen = screen_of(source)
    picture = await _film(source, FILM) if screen is None else await _captured(ScreenVideo(screen, SCREEN, tell))
    picture.degradation.tell = tell
    return picture


async def _film(path: str, coding: VideoCoding) -> VideoTrack:
    file = await in_thread(lambda: FileMedia(path, audio=False, coding=coding), discard=FileMedia.stop)
    assert file.video is not None
    return file.video


async def _captured(picture: CapturedVideo) -> VideoTrack:
    try:
        await in_thread(picture.open)
    except BaseException:
        picture.stop()
        raise
    return picture


async def _file(options: JoinOptions, tell: Callable[[str], None] | None) -> Sources:
    name = printable(options.source)

    def ended() -> None:
        if tell is not None:
            tell(f"{name} has ended: others hear silence and see black.")

    file = await in_thread(
        lambda: FileMedia(
            options.source,
            options.audio,
            options.video,
            once=options.source_once,
            on_end=ended,
            coding=_coding(options),
        ),
        discard=FileMedia.stop,
    )
    notes = [
        note
        for note, missing in (
            (f"{name} has no sound: nothing is heard of you.", options.audio and file.audio is None),
            (f"{name} has no picture: nothing is seen of you.", options.video and file.video is None),
        )
        if missing
    ]
    audio = None if file.audio is None else _switched(file.audio, options)
    video = SwitchedVideo(file.video or _nothing(options), tell) if options.video else None
    return Sources(audio, video, tuple(notes))


async def _devices(options: JoinOptions, tell: Callable[[str], None] | None) -> Sources:
    audio: AudioTrack | None = None
    video: VideoTrack | None = None
    notes: list[str] = []
    try:
        if options.audio:
            try:
                audio = await open_microphone(options.microphone, options)
            except DeviceError as error:
                if options.microphone:
                    raise
                # Silence is sent all the same: without a stream of our own nobody would see us in the room.
                audio = Silence()
                audio.stand_in = True
                notes.append(f"You are not heard: {error}. {error.hint}")
        if options.video:
            named = options.source or options.camera
            try:
                video = await open_picture(named, options, tell)
            except DeviceError as error:
                if named:
                    raise
                # Black is sent all the same: a camera that is chosen in the call then needs no new connection.
                video = _nothing(options)
                notes.append(f"You are not seen: {error}. {error.hint}")
    except BaseException:
        for track in (audio, video):
            if track is not None:
                track.stop()
        raise
    return Sources(
        None if audio is None else _switched(audio, options),
        None if video is None else SwitchedVideo(video, tell),
        tuple(notes),
    )


def _coding(options: JoinOptions, usual: VideoCoding | None = None) -> VideoCoding:
    """What is asked for; what is left open is as usual."""
    usual = usual or VideoCoding()
    width, height = options.video_size or (usual.width, usual.height)
    return replace(
        usual,
        width=width,
        height=height,
        frames_per_second=options.video_fps or usual.frames_per_second,
        bitrate=options.video_bitrate or usual.bitrate,
    )


def _nothing(options: JoinOptions) -> VideoTrack:
    black = Black(_coding(options))
    black.stand_in = True
    return black


def _test_tone() -> AudioTrack:
    return TestTone(440.0, amplitude=0.1, every=2.0)


def _switched(source: AudioTrack, options: JoinOptions) -> SwitchedAudio:
    track = SwitchedAudio(source)
    track.coding = Coding(options.audio_bitrate, options.dtx)
    return track
