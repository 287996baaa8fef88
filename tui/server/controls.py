"""What a player commands about the play session that it has: what to be sent, in how many slots, and who in which.

Used by the application. The commands are those of the signalling reference, 2.5; none of them has a reply but
``forceStreamQuality``, and one that names nothing of this client's is ignored, as AMS ignores it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.commands import (
    AssignVideoTrack,
    EnableTrack,
    ForceStreamQuality,
    SetMaxVideoTrackCount,
    ToggleAudio,
    ToggleVideo,
    UpdateVideoTrackAssignments,
)
from tui.server.slots import Kind

if TYPE_CHECKING:
    from tui.server.client import Client

Control = (
    EnableTrack
    | ToggleVideo
    | ToggleAudio
    | ForceStreamQuality
    | SetMaxVideoTrackCount
    | UpdateVideoTrackAssignments
    | AssignVideoTrack
)

_KINDS = {EnableTrack: tuple(Kind), ToggleVideo: (Kind.VIDEO,), ToggleAudio: (Kind.AUDIO,)}


def obey(client: Client, message: Control) -> None:
    """Do what the client wishes of its own play sessions."""
    if isinstance(message, AssignVideoTrack):
        # It names the participant, not the room.
        for viewer in client.viewers.values():
            viewer.pin(message.stream_id, message.video_track_id, message.enabled)
        return
    if isinstance(message, SetMaxVideoTrackCount) and message.stream_id in client.ingests:
        # Some clients name their own stream, others the room.
        for viewer in client.viewers.values():
            viewer.limit_video(message.max_track_count)
        return
    viewer_named = client.viewers.get(message.stream_id)
    if viewer_named is None:
        return
    match message:
        case EnableTrack() | ToggleVideo() | ToggleAudio():
            viewer_named.enable(message.track_id, message.enabled, _KINDS[type(message)])
        case SetMaxVideoTrackCount():
            viewer_named.limit_video(message.max_track_count)
        case UpdateVideoTrackAssignments():
            viewer_named.turn_to(message.offset, message.size)
        case ForceStreamQuality():
            # Nothing is transcoded: what there is is what the publisher sends, and the answer says so.
            height = viewer_named.height(message.track_id or message.stream_id)
            if height is not None:
                client.notify("resolutionChangeInfo", streamId=message.stream_id, streamHeight=height)
