"""Whether somebody speaks into a muted microphone; used by `tui.media.tracks`."""

from __future__ import annotations

_QUIETEST = 0.3
"""Of `tui.media.sound.loudness`: nothing below is taken for a voice."""
_ABOVE, _BELOW = 0.15, 0.05
"""How far above the noise of the room a voice begins, and where it ends."""
_FALL, _RISE = 0.2, 0.0005
"""How the noise follows what is heard, per frame: to a pause at once, to a hum within half a minute."""
_ENOUGH, _MOST = 15, 25
"""Frames of voice, less those of silence, that make speech: words, and no cough."""
_REST = 500
"""Frames between two notices."""


class SpeechWatch:
    """Tells of speech while muted, at most every 10 s."""

    def __init__(self) -> None:
        self._noise = _QUIETEST
        self._voiced = 0
        self._rest = 0

    def hear(self, level: float, muted: bool) -> bool:
        """The `loudness` of the next frame of 20 ms; whether to say now that nobody hears it."""
        self._noise += (level - self._noise) * _FALL if level < self._noise else min(_RISE, level - self._noise)
        self._rest = max(0, self._rest - 1)
        if not muted:
            self._voiced = 0
        elif level > max(self._noise + _ABOVE, _QUIETEST):
            self._voiced = min(_MOST, self._voiced + 1)
        elif level < self._noise + _BELOW:
            self._voiced = max(0, self._voiced - 1)
        if self._voiced < _ENOUGH or self._rest:
            return False
        self._voiced, self._rest = 0, _REST
        return True
