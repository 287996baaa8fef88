"""What a user asked for: one frozen value for a whole call.

Used by the CLI, the join screen and the call.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


def random_stream_id() -> str:
    """A stream id of the official example's kind: ``stream`` and random letters."""
    return f"stream{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class JoinOptions:
    """How to join one room. An empty ``url`` or ``room`` means: ask on the join screen."""

    url: str = ""
    room: str = ""
    name: str = ""
    stream_id: str = field(default_factory=random_stream_id)
    token: str = field(default="", repr=False)
    play_only: bool = False
    """Watch and listen, publish nothing."""
    audio: bool = True
    """Publish sound."""
    video: bool = True
    """Publish a picture."""
    camera: str = ""
    """Camera device, empty for the default one."""
    microphone: str = ""
    """Microphone by name or index, empty for the default one."""
    source: str = ""
    """``test`` or a media file that replaces camera and microphone."""
