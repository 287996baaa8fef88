"""What a client commands: every message from client to server but the descriptions and candidates of both ways.

Used by the protocol, the adaptor and the local room server. Source: signalling reference, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tui.core.messages import PeerMessage, Stop, TakeCandidate, TakeConfiguration
from tui.core.wire import Message, kinds, parse

# -- sessions (sections 2.1 to 2.3) ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping(Message):
    """Application keep-alive (section 1.3)."""

    command = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class GetIceServerConfig(Message):
    """Asks for the server's STUN or TURN address."""

    command = "getIceServerConfig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Message):
    """Start a publish session (section 2.2)."""

    command = "publish"
    stream_id: str
    token: str = field(default="", repr=False)
    subscriber_id: str = ""
    subscriber_code: str = field(default="", repr=False)
    stream_name: str = ""
    main_track: str = ""
    video: bool = True
    audio: bool = True
    meta_data: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play(Message):
    """Start a play session, one for a whole room (section 2.3)."""

    command = "play"
    stream_id: str
    token: str = field(default="", repr=False)
    room: str = ""
    track_list: list[str] = field(default_factory=list)
    subscriber_id: str = ""
    subscriber_code: str = field(default="", repr=False)
    viewer_info: str = ""
    role: str = ""
    user_publish_id: str = ""
    subscriber_name: str | None = None
    disable_tracks_by_default: bool | None = None


# -- queries (section 2.4) ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBroadcastObject(Message):
    """Asks for the server's record of a stream or room."""

    command = "getBroadcastObject"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSubtracks(Message):
    """Asks for a page of a room's participants; ``sort_by`` is name, date or status, ``order_by`` asc or desc."""

    command = "getSubtracks"
    stream_id: str
    offset: int = 0
    size: int = 50
    role: str | None = None
    status: str | None = None
    sort_by: str | None = None
    order_by: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSubtracksCount(Message):
    """Asks how many participants a room has."""

    command = "getSubtracksCount"
    stream_id: str
    role: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetVideoTrackAssignments(Message):
    """Asks for the list of who is in which video slot; answered on the data channel."""

    command = "getVideoTrackAssignmentsCommand"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetTrackList(Message):
    """Asks for the ids of a room's participants."""

    command = "getTrackList"
    stream_id: str
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStreamInfo(Message):
    """Asks for the sizes and bitrates of a stream."""

    command = "getStreamInfo"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRoomInfo(Message):
    """Asks who publishes into a room; ``stream_id`` is the own one."""

    command = "getRoomInfo"
    room: str = ""
    stream_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSubscriberCount(Message):
    """Asks how many viewers a stream has."""

    command = "getSubscriberCount"
    stream_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSubscribers(Message):
    """Asks for a page of a stream's viewers."""

    command = "getSubscribers"
    stream_id: str
    offset: int = 0
    size: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDebugInfo(Message):
    """Asks for the server's own view of who is in which slot."""

    command = "getDebugInfo"
    stream_id: str


# -- controls (section 2.5) ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStreamMetaData(Message):
    """Replaces the metaData of the own broadcast."""

    command = "updateStreamMetaData"
    stream_id: str
    meta_data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnableTrack(Message):
    """Starts or stops the forwarding of one participant to this player; ``stream_id`` is the room."""

    command = "enableTrack"
    stream_id: str
    track_id: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleVideo(Message):
    """As `EnableTrack`, for the picture alone."""

    command = "toggleVideo"
    stream_id: str
    track_id: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ToggleAudio(Message):
    """As `EnableTrack`, for the sound alone."""

    command = "toggleAudio"
    stream_id: str
    track_id: str
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceStreamQuality(Message):
    """Chooses the height of the picture in pixels; 0 or ``auto`` leaves it to the server."""

    command = "forceStreamQuality"
    stream_id: str
    stream_height: int | str
    track_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMaxVideoTrackCount(Message):
    """How many video slots this player wants."""

    command = "setMaxVideoTrackCountCommand"
    stream_id: str
    max_track_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateVideoTrackAssignments(Message):
    """Which participants the slots show, when there are fewer slots than participants."""

    command = "updateVideoTrackAssignmentsCommand"
    stream_id: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignVideoTrack(Message):
    """Pins the participant ``stream_id`` into the slot ``video_track_id``, or unpins it."""

    command = "assignVideoTrackCommand"
    stream_id: str
    video_track_id: str
    enabled: bool


# -- push notifications (section 2.6) -----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPushNotificationToken(Message):
    """Names the device that a subscriber is reached on; ``pns_type`` is fcm or apn."""

    command = "registerPushNotificationToken"
    subscriber_id: str
    token: str = field(repr=False)
    pns_registration_token: str = field(repr=False)
    pns_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPushNotification(Message):
    """Notifies the named subscribers, or everybody who follows ``topic``."""

    command = "sendPushNotification"
    subscriber_id: str
    token: str = field(repr=False)
    push_notification_content: dict[str, Any]
    subscriber_ids_to_notify: list[str] | None = None
    topic: str | None = None


# -- legacy and peer-to-peer (section 2.7) ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinRoom(Message):
    """Joins by the old room model; today it lists people who only play."""

    command = "joinRoom"
    room: str = ""
    stream_id: str
    main_track: str = ""
    mode: str = ""
    stream_name: str = ""
    role: str = ""
    metadata: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveFromRoom(Message):
    """Leaves what `JoinRoom` joined."""

    command = "leaveFromRoom"
    room: str = ""
    stream_id: str = ""
    main_track: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join(Message):
    """Begins a peer-to-peer session."""

    command = "join"
    stream_id: str
    multi_peer: bool = False
    mode: str = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(Message):
    """Ends a peer-to-peer session."""

    command = "leave"
    stream_id: str


_KINDS = kinds(
    TakeConfiguration,
    TakeCandidate,
    Stop,
    PeerMessage,
    Ping,
    GetIceServerConfig,
    Publish,
    Play,
    GetBroadcastObject,
    GetSubtracks,
    GetSubtracksCount,
    GetVideoTrackAssignments,
    GetTrackList,
    GetStreamInfo,
    GetRoomInfo,
    GetSubscriberCount,
    GetSubscribers,
    GetDebugInfo,
    UpdateStreamMetaData,
    EnableTrack,
    ToggleVideo,
    ToggleAudio,
    ForceStreamQuality,
    SetMaxVideoTrackCount,
    UpdateVideoTrackAssignments,
    AssignVideoTrack,
    RegisterPushNotificationToken,
    SendPushNotification,
    JoinRoom,
    LeaveFromRoom,
    Join,
    Leave,
)


def parse_from_client(text: str | bytes) -> Message:
    """A server's reading of one frame; raises `WireError` for anything that is not a message."""
    return parse(text, _KINDS)
