"""What the bridge knows of a call: what it can ask for and what it is told.

Used by the app and the bridge. `tui.call.Call` is the real one, the app's tests put a scripted one in its place;
nothing heavy is imported here, so that the first screen does not wait for the media libraries.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from tui.core.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.config import JoinOptions
    from tui.core.events import ModeratorRequest, Wish
    from tui.media.board import Board
    from tui.statistics import Health, Statistics


@dataclass(frozen=True, slots=True)
class SoundChanged:
    """Where the room's sound goes: ``output`` names the device; without one, ``hint`` says what to do.

    ``deafened`` is the user's own choice to hear nothing. ``echo`` is one line on echo cancellation, empty without a
    microphone; ``recording`` is the name of the file that everything is recorded to, empty when it is not.
    """

    output: str | None
    hint: str = ""
    deafened: bool = False
    volume: float = 1.0
    microphone: str = ""
    echo: str = ""
    recording: str = ""


@dataclass(frozen=True, slots=True)
class MutedSpeech:
    """The user talks while the microphone is off: probably they do not know."""


@dataclass(frozen=True, slots=True)
class PictureChanged:
    """What others see of us: ``source`` names the camera, the screen or the file, empty when there is none."""

    source: str


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """The line in one word, `tui.statistics.Health`, and why it is not good."""

    health: str
    reason: str


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """How well each person is received, by stream id: in one word, and why it is not good. Others are not known."""

    people: Mapping[str, tuple[Health, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """We asked somebody in the room for something; what they do is their own choice."""

    stream_id: str
    name: str
    favour: Wish


CallEvent: TypeAlias = Event | SoundChanged | MutedSpeech | PictureChanged | HealthChanged | QualityChanged | Asked


@dataclass(frozen=True, slots=True)
class SoundReport:
    """How the sound of a call is doing now; milliseconds are those of the worst voice."""

    output: str | None = None
    """The device that plays, ``None`` without one."""
    microphone: str | None = None
    """The device that records, ``None`` without one."""
    echo: str = ""
    """One line on echo cancellation, empty without a microphone."""
    depth_ms: float = 0.0
    """How much sound waits in the buffer."""
    target_ms: float = 0.0
    """How much should."""
    concealed_percent: float = 0.0
    """Of what was heard: made up because its packets were missing."""
    late: int = 0
    """Packets that came too late to be played."""
    underruns: int = 0
    """How often the device found nothing to play."""
    device_latency_ms: float = 0.0
    mouth_to_ear_ms: float | None = None
    """The whole way, estimated; ``None`` when nobody can tell."""
    voices: int = 0


class Session(Protocol):
    """What the bridge drives; every method runs on the core's loop and may be called at any time."""

    async def join(self) -> None:
        """Enter the room; returns when the way in has begun. Failures come as `CallStateChanged`."""

    async def leave(self) -> None:
        """Leave the room, orderly, within 2 s; nothing happens when not in it."""

    async def set_microphone(self, on: bool) -> None:
        """Speak or send silence; the room is told."""

    async def set_camera(self, on: bool) -> None:
        """Send the picture or black; the room is told."""

    async def publish(self, options: JoinOptions) -> None:
        """Take part in a room that was joined to listen: what ``options`` name is opened and sent.

        `LocalMediaChanged` tells of it, `PublishingRefused` why the server does not take it. What cannot be opened is a
        line in the log, and listening goes on.
        """

    async def stop_publishing(self) -> None:
        """Only listen and watch from now on; the devices are given back."""

    async def set_away(self, away: bool) -> None:
        """Neither speak nor be seen until one is back, then as before; the room is told, hearing goes on."""

    async def set_low_bandwidth(self, low: bool) -> None:
        """Ask for small pictures and send few and small ones; sound stays as it is."""

    async def set_deafened(self, deafened: bool) -> None:
        """Hear nothing or everybody."""

    async def set_volume(self, volume: float) -> None:
        """How loud everybody is together, 0.0 to 2.0; told by `SoundChanged`."""

    async def set_voice(self, stream_id: str, volume: float, muted: bool) -> None:
        """How loud that person is, 0.0 to 2.0, and whether they are heard at all: here, now and whenever they speak.

        It stays with the stream id, also for somebody who is not in the room yet.
        """

    async def use_speaker(self, device: str) -> None:
        """Play on another output, as ``--speaker`` names it; failing is a line in the log, and the old one goes on."""

    async def use_microphone(self, device: str) -> None:
        """Record with another microphone, as ``--mic`` names it; failing is a line in the log, the old one goes on."""

    async def use_camera(self, device: str) -> None:
        """Show another camera, a screen, a file or nothing, as ``--camera`` names it.

        What is shown is told by `PictureChanged`. Failing is a line in the log, and the old one goes on.
        """

    async def share(self, source: str) -> None:
        """Show a screen, a media file or ``test`` beside the camera, in place of what was shown so.

        What becomes of it is told by `SharingChanged`, and so is why it cannot be opened.
        """

    async def stop_sharing(self) -> None:
        """Show no such screen any more."""

    async def retry(self) -> None:
        """Do not wait any longer before the lost connection is tried again."""

    async def speak_while_held(self, seconds: float) -> None:
        """Microphone on now and off again after that time, unless asked anew; nothing happens when it is on anyway."""

    def statistics(self) -> Statistics:
        """How the call does; the same object for as long as the session lasts, to be read from any thread."""

    def sound_report(self) -> SoundReport:
        """How the sound is doing; quick, from any thread."""

    async def answer_request(self, request: ModeratorRequest, granted: bool) -> None:
        """Do what a moderator asked for, or not."""

    async def chat(self, text: str) -> None:
        """Say something in the chat; it comes back as a `ChatMessage`, or a line in the log says why not."""

    async def react(self, reaction: str) -> None:
        """Show a feeling by its name on the wire; the room sees it, or a line in the log says why not."""

    async def raise_hand(self) -> None:
        """Ask to be allowed to speak."""

    async def answer_hand(self, stream_id: str, granted: bool) -> None:
        """Tell a listener who raised a hand whether to speak."""

    async def ask(self, stream_id: str, favour: Wish) -> None:
        """Ask somebody for something; told by `Asked`, or a line in the log says why not."""

    async def aclose(self) -> None:
        """Leave if need be and give everything back; idempotent."""


SessionFactory: TypeAlias = "Callable[[JoinOptions, Callable[[CallEvent], None], Board], Session]"
