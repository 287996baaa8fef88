"""What kind of server to be: AMS's application settings, as far as a stand-in has them.

Used by the room server and the application; the command line fills it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tui.core.messages import IceServerConfig
from tui.server.access import Secrets
from tui.server.slots import Labels, Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Edition(enum.StrEnum):
    """Which of AMS's editions answers (signalling reference, section 8)."""

    ENTERPRISE = "enterprise"
    COMMUNITY = "community"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings of one server; a limit of -1 is none, as in AMS."""

    edition: Edition = Edition.ENTERPRISE
    secrets: Secrets = field(default_factory=Secrets)
    """Who is let in; without any secret, everybody."""
    open: bool = False
    """Listen on other addresses than loopback although there is no secret."""
    labels: Labels = Labels.SLOT
    """How tracks are named."""
    id_mapping: bool = True
    """Whether offers carry ``idMapping``; servers before 2.10 had none."""
    start_timeout: float = 10.0
    """Seconds until a session without a connection or media is dropped (``webRTCClientStartTimeoutMs``)."""
    grace: float = 8.0
    """Seconds that an interrupted publisher keeps its place, from its last sign of life. AMS has 10: here a client
    that vanished is gone from every list within 10 seconds."""
    packet_timeout: float | None = None
    """Seconds without a packet that end a publisher (``dropWebRTCIngestIfNoPacketReceived``); ``None`` for never."""
    subtracks_limit: int = -1
    """Publishers in one room."""
    viewer_limit: int = -1
    """Players of one stream or room (``webRTCViewerLimit``)."""
    limits: Limits = field(default_factory=Limits)
    """How many slots one player has, and who is loud enough for one (section 5.4)."""
    visibility: Mapping[str, Collection[str]] | None = None
    """Which roles are seen by a role (``participantVisibilityMatrix``); ``None``: everybody by everybody."""
    send_audio_level: bool = False
    """Tell the players how loud each publisher is, five times a second (``sendAudioLevelToViewers``)."""
    strict: bool = False
    """Drop without a word an SDP that AMS would drop (section 5.7)."""
    ice_server: IceServerConfig = field(default_factory=IceServerConfig)
    """The answer to ``getIceServerConfig``; loopback needs none, and an empty address leaves it to the client."""
