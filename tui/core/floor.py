"""Who may be heard how often on the data channel. Used by the conference for all that participants say of their own."""

from __future__ import annotations

from tui.allowance import Allowance

SENDER_RATE = 20
ROOM_RATE = 100
"""Messages a second that are read of one sender, and of all (hostile inputs: limits)."""

SENDERS = 1000
"""Senders of whom is known how much they said."""


class Floor:
    """One allowance for each sender and one for the room; what is beyond is counted."""

    def __init__(self) -> None:
        self._room = Allowance(ROOM_RATE, 1.0)
        self._senders: dict[str, Allowance] = {}
        self._dropped = 0

    def may_speak(self, sender: str) -> bool:
        """Whether one more message of that sender is heard."""
        if sender not in self._senders and len(self._senders) >= SENDERS:
            self._senders.clear()
        if self._senders.setdefault(sender, Allowance(SENDER_RATE, 1.0)).take() and self._room.take():
            return True
        self._dropped += 1
        return False

    def take_dropped(self) -> int:
        """How many messages were dropped since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped
