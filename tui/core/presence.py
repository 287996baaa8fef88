"""What the room is told of ourselves: microphone, camera, name and role. Used by the conference."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tui.core.events import LocalMediaChanged, Notice, Participant, Wish

if TYPE_CHECKING:
    from tui.core.peer import LocalTrack

LOCAL_PREVIEW = "local"
"""What `Participant.video` and `Participant.audio` say for oneself."""


class Presence:
    """Ourselves, seen from outside. A stand-in for a microphone or a camera is none."""

    def __init__(
        self, stream_id: str, name: str, role: str, audio: LocalTrack | None, video: LocalTrack | None, play_only: bool
    ) -> None:
        self.stream_id = stream_id
        self.name = name or stream_id
        self.role = role
        self.play_only = play_only
        """Nothing of ours is sent."""
        self._audio = audio
        self._video = video
        self._recording: bool | None = None
        self._away: bool | None = None
        self._before = (False, False)
        """Microphone and camera before being away."""

    def publish(self, audio: LocalTrack | None, video: LocalTrack | None) -> None:
        """Take part with these from now on."""
        self.play_only = False
        self._audio, self._video = audio, video

    def listen(self) -> None:
        """Only listen and watch from now on."""
        self.play_only = True
        self._audio = self._video = None
        if self._away:
            self._away = False

    @property
    def _microphone(self) -> LocalTrack | None:
        return None if self._audio is None or self._audio.stand_in else self._audio

    @property
    def _camera(self) -> LocalTrack | None:
        return None if self._video is None or self._video.stand_in else self._video

    @property
    def microphone(self) -> bool:
        """Whether we can be heard."""
        return self._microphone is not None and self._microphone.enabled

    @property
    def camera(self) -> bool:
        """Whether we can be seen."""
        return self._camera is not None and self._camera.enabled

    @property
    def media(self) -> LocalMediaChanged:
        """Both, ``None`` for what there is not."""
        return LocalMediaChanged(
            None if self._microphone is None else self.microphone,
            None if self._camera is None else self.camera,
            self.away,
            self.play_only,
        )

    def set_microphone(self, on: bool) -> bool:
        """Speak or send silence; whether that is a change. Who speaks is not away."""
        changed = _switch(self._microphone, on)
        if on and changed and self._away:
            self._away = False
        return changed

    def set_camera(self, on: bool) -> bool:
        """Send the picture or black; whether that is a change. Who is seen is not away."""
        changed = _switch(self._camera, on)
        if on and changed and self._away:
            self._away = False
        return changed

    def set_away(self, away: bool) -> bool:
        """Microphone and camera off, or back as they were before; whether that is a change."""
        if self.away == away:
            return False
        self._away = away
        if away:
            self._before = (self.microphone, self.camera)
        microphone, camera = (False, False) if away else self._before
        _switch(self._microphone, microphone)
        _switch(self._camera, camera)
        return True

    @property
    def away(self) -> bool:
        """Whether we say that we are not there for a while."""
        return bool(self._away)

    def set_recording(self, on: bool) -> bool:
        """Say that we record the call, or do so no more; whether that is a change."""
        changed = bool(self._recording) != on
        if changed:
            self._recording = on
        return changed

    @property
    def recording(self) -> bool:
        """Whether we record the call."""
        return bool(self._recording)

    def could(self, wish: Wish) -> bool:
        """Whether a moderator's wish would change anything."""
        match wish:
            case Wish.MICROPHONE_OFF:
                return self.microphone
            case Wish.MICROPHONE_ON:
                return self._microphone is not None and not self.microphone
            case Wish.CAMERA_OFF:
                return self.camera
            case Wish.SPEAK:
                return self.play_only
            case Wish.LISTEN:
                return not self.play_only

    def meta_data(self) -> str:
        """Both dialects of section 6.5."""
        state: dict[str, object] = {
            "isMicMuted": not self.microphone,
            "isCameraOn": self.camera,
            "isCameraOff": not self.camera,
        }
        if self._recording is not None:
            # For whoever comes later; the event is only heard by those who are there.
            state["isRecording"] = self._recording
        if self._away is not None:
            # Our own word: no other client has one (section 6.5).
            state["isAway"] = self._away
        if self.play_only:
            state["playOnly"] = True
        if self.role:
            state["role"] = self.role
        return json.dumps(state)

    def events(self) -> dict[str, str]:
        """The events that announce the state of microphone, camera and recording (section 6.3)."""
        return {
            "microphone": "MIC_UNMUTED" if self.microphone else "MIC_MUTED",
            "camera": "CAM_TURNED_ON" if self.camera else "CAM_TURNED_OFF",
            "recording": Notice.RECORDING_ON if self.recording else Notice.RECORDING_OFF,
        }

    def participant(self, talking: bool, sharing: bool = False) -> Participant:
        """Ourselves in the list."""
        return Participant(
            stream_id=self.stream_id,
            name=self.name,
            is_self=True,
            microphone=self.microphone,
            camera=self.camera,
            talking=self.microphone and talking,
            video=LOCAL_PREVIEW if self._camera is not None else None,
            audio=LOCAL_PREVIEW if self._microphone is not None else None,
            role=self.role,
            play_only=self.play_only,
            recording=self.recording,
            sharing=sharing,
            away=self.away,
        )


def _switch(track: LocalTrack | None, on: bool) -> bool:
    if track is None or track.enabled == on:
        return False
    track.enabled = on
    return True
