"""The sound desk of a call: what is heard and said in it, and how loud.

Used by the call, on the core's loop. The desk owns the mixer, the output, the microphone's helpers and the recording;
devices that fail in the call are told, and the call goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from tui.core.events import Callback, Direction
from tui.errors import DeviceError
from tui.media import echo
from tui.media.capture import MicrophoneAudio
from tui.media.echo import EchoCanceller
from tui.media.mixer import LOUDEST, Mixer
from tui.media.playback import Playback
from tui.media.sources import open_microphone
from tui.media.threads import in_thread
from tui.session import SoundChanged, SoundReport
from tui.text import with_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.config import JoinOptions
    from tui.core.events import Participant
    from tui.media.recording import Recording
    from tui.media.sources import SwitchedAudio
    from tui.session import CallEvent


class SoundDesk:
    """Made before the room is joined, opened with the devices, closed after the room was left."""

    def __init__(
        self, options: JoinOptions, emit: Callable[[CallEvent], None], on_recording_end: Callable[[], None]
    ) -> None:
        self.mixer = Mixer()
        self._options = options
        self._emit = emit
        self._on_recording_end = on_recording_end
        self._playback: Playback | None = None
        self._own: SwitchedAudio | None = None
        self._echo: EchoCanceller | None = None
        self._recording: Recording | None = None
        self._voices: dict[str, tuple[float, bool]] = {}
        self._speakers: dict[str, str] = {}
        self._complaint = ""
        self._switching = asyncio.Lock()

    async def open(self, own: SwitchedAudio | None) -> None:
        """Open output and recording; ``own`` is the sound that is published.

        Raises ``DeviceError`` for an output that was named or required and is not there, ``FileError`` for a
        recording that cannot begin.
        """
        self._own = own
        if own is not None:
            self._equip()
        options = self._options
        self._playback = await Playback.open(self.mixer, options.speaker, low_latency=options.low_latency)
        if options.require_audio and self._playback.name is None:
            raise DeviceError("no sound output", self._playback.hint or "leave --require-audio or --speaker none out")
        # Only now: a device that is refused must not leave a file behind.
        if options.record_audio:
            await self._record(options.record_audio)
        self._playback.on_change = self._on_output
        self.tell()

    async def _record(self, path: str) -> None:
        from tui.media.recording import Recording

        loop = asyncio.get_running_loop()

        def ended(reason: str) -> None:
            # A disk that hung may answer when the loop is closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._end_recording, reason)

        recording = self._recording = await in_thread(
            lambda: Recording.create(path, on_end=ended), discard=Recording.stop
        )
        self.mixer.listen(recording.hear)
        if self._own is not None:
            self._own.on_sent = recording.speak

    async def aclose(self) -> None:
        """Give the devices back and end the recording; idempotent."""
        if self._echo is not None:
            self._echo.close()
        # Together: an output that hangs must not let the recording go on.
        parts = [part.aclose() for part in (self._playback, self._recording) if part is not None]
        await asyncio.gather(*parts)

    @property
    def is_recording(self) -> bool:
        """Whether what is said goes to a file now."""
        return self._recording is not None

    # -- what is heard --

    def set_deafened(self, deafened: bool) -> None:
        """Hear nothing or everybody."""
        self.mixer.deafened = deafened
        self.tell()

    def set_volume(self, volume: float) -> None:
        """How loud everybody is together, 0.0 to 2.0."""
        self.mixer.volume = _within(volume)
        self.tell()

    def set_voice(self, stream_id: str, volume: float, muted: bool) -> None:
        """How loud that person is, now and whenever they are heard."""
        self._voices[stream_id] = (_within(volume), muted)
        self.level()

    def follow(self, participants: Sequence[Participant]) -> None:
        """Who speaks on which track changes: how loud they are goes with them."""
        self._speakers = {person.audio: person.stream_id for person in participants if person.audio}
        self.level()

    def level(self) -> None:
        """Make everybody as loud as they were set, also a voice that has just begun."""
        for key, stream_id in self._speakers.items():
            voice = self.mixer.voice(key)
            if voice is not None:
                voice.gain, voice.muted = self._voices.get(stream_id, (1.0, False))

    async def use_speaker(self, device: str) -> None:
        """Play on another output; one that cannot be opened is told, and the old one goes on."""
        if self._playback is not None:
            try:
                await self._playback.use(device)
            except DeviceError as error:
                self._note(with_hint(str(error), error.hint))
            self.tell()

    # -- what is said --

    def speak_with(self, own: SwitchedAudio | None) -> None:
        """This sound is published from now on, or none."""
        self._own = own
        self._complaint = ""
        if own is not None:
            self._equip()
            own.on_sent = self._recording.speak if self._recording is not None else None
        self.tell()

    async def use_microphone(self, device: str) -> bool:
        """Speak with another microphone; whether there is a new one. One that cannot be opened is told."""
        own = self._own
        if own is None:
            return False
        # The last one that was chosen is used, not the last one that opened.
        async with self._switching:
            try:
                source = await open_microphone(device, self._options)
            except DeviceError as error:
                self._note(with_hint(str(error), error.hint))
                return False
            own.switch(source)
            if own.readyState != "live":
                # The call has ended meanwhile; what is made now nobody would close.
                return False
            self._equip()
        self.tell()
        return True

    def look_after(self) -> None:
        """Tell what is wrong with the microphone, once, and the canceller how late an echo comes; now and then."""
        if self._echo is not None and self._playback is not None:
            # The microphone's own share is about that of the output.
            self._echo.set_delay(2 * self._playback.figures().latency_ms / 1000)
        source = self._own.source if self._own is not None else None
        complaint = source.hint if isinstance(source, MicrophoneAudio) else ""
        if complaint not in ("", self._complaint):
            self._note(complaint)
        self._complaint = complaint

    def _equip(self) -> None:
        """Echo is taken out of what a real microphone records."""
        source = self._own.source if self._own is not None else None
        if isinstance(source, MicrophoneAudio) and self._options.echo_cancellation and echo.available():
            if self._echo is None:
                self._echo = EchoCanceller()
                self.mixer.listen(self._echo.play)
            source.processor = self._echo.capture

    # -- what is told --

    def report(self, round_trip: float = 0.0) -> SoundReport:
        """How the sound is doing; any thread. ``round_trip`` in seconds."""
        playouts = [voice.playout() for voice in self.mixer.voices()]
        output = self._playback.figures(round_trip * 500) if self._playback is not None else None
        heard = sum(playout.played_ms + playout.concealed_ms for playout in playouts)
        return SoundReport(
            output=self._playback.name if self._playback is not None else None,
            microphone=self._microphone or None,
            echo=self._echo_line,
            depth_ms=max((playout.depth_ms for playout in playouts), default=0.0),
            target_ms=max((playout.target_ms for playout in playouts), default=0.0),
            concealed_percent=100 * sum(playout.concealed_ms for playout in playouts) / heard if heard else 0.0,
            late=sum(playout.late for playout in playouts),
            underruns=output.underruns if output is not None else 0,
            device_latency_ms=output.latency_ms if output is not None else 0.0,
            mouth_to_ear_ms=output.mouth_to_ear_ms if output is not None else None,
            voices=len(playouts),
        )

    def tell(self) -> None:
        """Say where the sound goes and comes from now."""
        playback = self._playback
        self._emit(
            SoundChanged(
                output=playback.name if playback is not None else None,
                hint=playback.hint if playback is not None else "",
                deafened=self.mixer.deafened,
                volume=self.mixer.volume,
                microphone=self._microphone,
                echo=self._echo_line,
                recording=self._recording.path.name if self._recording is not None else "",
            )
        )

    @property
    def _microphone(self) -> str:
        source = self._own.source if self._own is not None else None
        return source.name if isinstance(source, MicrophoneAudio) else ""

    @property
    def _echo_line(self) -> str:
        return echo.status(self._options.echo_cancellation) if self._microphone else ""

    def _on_output(self, output: str | None, hint: str) -> None:
        self.tell()

    def _end_recording(self, reason: str) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            self.mixer.unlisten(recording.hear)
        if self._own is not None:
            self._own.on_sent = None
        self._note(f"The recording has ended: {reason}.")
        self.tell()
        self._on_recording_end()

    def _note(self, text: str) -> None:
        self._emit(Callback("device", text, Direction.LOCAL, time.time()))


def _within(volume: float) -> float:
    return min(LOUDEST, max(0.0, volume))
