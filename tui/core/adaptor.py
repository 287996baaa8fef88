"""`WebRTCAdaptor`: the official JavaScript SDK's conference for Python, by the SDK's own names.

The conference, the demo participants and anybody's own program use it. It owns the socket, one session per
published or played stream, and keeps both alive until they are stopped on purpose. Everything runs on the loop
that opened it; callbacks are plain functions and must return quickly.

==============================  ============================================================
JavaScript                      here
==============================  ============================================================
constructor                     WebRTCAdaptor(websocket_url, callback, callback_error, …)
initialize                      open
closeWebSocket                  aclose
publish                         publish
play                            play
playStream                      play, by keywords
stop                            stop
join                            join
leave                           leave
joinRoom                        join_room
leaveFromRoom                   leave_from_room
getStreamInfo                   get_stream_info
getRoomInfo                     get_room_info
getBroadcastObject              get_broadcast_object
getSubtracks                    get_subtracks
getSubtrackCount                get_subtrack_count
getTracks                       get_tracks
getSubscriberCount              get_subscriber_count
getSubscriberList               get_subscriber_list
getDebugInfo                    get_debug_info
getIceServerConfiguration       get_ice_server_configuration
requestVideoTrackAssignments    request_video_track_assignments
updateVideoTrackAssignments     update_video_track_assignments
assignVideoTrack                assign_video_track
setMaxVideoTrackCount           set_max_video_track_count
enableTrack                     enable_track
toggleVideo                     toggle_video
toggleAudio                     toggle_audio
forceStreamQuality              force_stream_quality
updateStreamMetaData            update_stream_meta_data
updateAudioLevel                update_audio_level
sendData                        send_data
peerMessage                     peer_message
registerPushNotificationToken   register_push_notification_token
sendPushNotification            send_push_notification
sendPushNotificationToTopic     send_push_notification_to_topic
enableStats                     enable_stats
disableStats                    disable_stats
getStats                        get_stats
signallingState                 signalling_state
iceConnectionState              ice_connection_state
muteLocalMic                    mute_local_mic
unmuteLocalMic                  unmute_local_mic
turnOffLocalCamera              turn_off_local_camera
turnOnLocalCamera               turn_on_local_camera
addEventListener                the constructor's ``callback``
addErrorEventListener           the constructor's ``callback_error``
localVideoId                    the constructor's ``local_preview``, called with each own picture
enableAudioLevel                `RemoteTrack.audio_level`, always measured
getSoundLevelList               `RemoteTrack.audio_level` and ``own_level``
==============================  ============================================================

Without meaning outside a browser, where tracks and devices are not the caller's own: applyConstraints, changeBandwidth,
closeStream, disableAudioLevelForLocalStream, disableAudioLevelWhenMuted, enableAudioLevelForLocalStream,
enableAudioLevelWhenMuted, getSender, getVideoSender, openStream, register, setVolumeLevel, switchAudioInputSource,
switchDesktopCapture, switchDesktopCaptureWithCamera, switchVideoCameraCapture, switchVideoCameraFacingMode,
updateAudioTrack, updateVideoTrack.

``callback`` and ``callback_error`` get the SDK's own names. Those that a server sends come as they are; of those that
the SDK makes up itself (3.8):

* the same here: initialized, closed, pong, newTrackAvailable, ice_connection_state_changed, data_channel_opened,
  data_channel_closed, data_received, updated_stats, speaking_but_muted, reconnection_attempt_for_publisher,
  reconnection_attempt_for_player; WebSocketNotConnected, data_channel_error, notSetRemoteDescription;
* an exception here: WebSocketNotSupported is `UsageError`, getUserMedia's errors `DeviceError` of whoever opens the
  device;
* said otherwise: newStreamAvailable is newTrackAvailable, gotSoundList the levels that can be asked for at any time;
  a candidate for which the SDK says protocol_not_supported is skipped;
* not said, because devices and sources are the caller's: audio_only_fallback, available_devices;
* without meaning outside a browser: screen_share_stopped, browser_screen_share_supported, UnsecureContext,
  NoActiveConnection.

Source: signalling reference, sections 1 to 5.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tui.core.auth import Credentials
from tui.core.commands import (
    AssignVideoTrack,
    EnableTrack,
    ForceStreamQuality,
    GetBroadcastObject,
    GetDebugInfo,
    GetRoomInfo,
    GetStreamInfo,
    GetSubscriberCount,
    GetSubscribers,
    GetSubtracks,
    GetSubtracksCount,
    GetTrackList,
    GetVideoTrackAssignments,
    Join,
    JoinRoom,
    Leave,
    LeaveFromRoom,
    Play,
    Publish,
    RegisterPushNotificationToken,
    SendPushNotification,
    SetMaxVideoTrackCount,
    ToggleAudio,
    ToggleVideo,
    UpdateStreamMetaData,
    UpdateVideoTrackAssignments,
)
from tui.core.discovery import Endpoint
from tui.core.link import Link
from tui.core.messages import PeerMessage
from tui.core.peer import LentTrack, LocalTrack
from tui.core.wire import ID_RULE, Message, is_stream_id
from tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiortc import RTCIceServer
    from av import VideoFrame

    from tui.core.stats import PeerStats

CallbackFunction: TypeAlias = "Callable[[str, Any], None]"

SHORTEST_PERIOD = 0.1
"""Seconds between two ``updated_stats``, at least."""


class WebRTCAdaptor:
    """A client of one Ant Media Server application.

    ``callback(info, obj)`` gets every notification by its wire name, every answer that is a command
    (``streamInformation``, ``roomInformation``, ``trackList``, ``videoTrackAssignmentList``, ``peerMessageCommand``,
    ``connectWithNewId``) and the SDK's own events (``initialized``, ``closed``, ``newTrackAvailable`` with ``track``,
    ``trackId``, ``streamId`` and ``remoteTrack``, ``ice_connection_state_changed``, ``data_channel_opened``,
    ``data_received``, ``updated_stats``, ``pong``, …); ``callback_error(error, obj)`` every refusal.
    ``audio`` and ``video`` are published and stay the caller's. ``ice_servers`` replaces what the server names; a
    server on this machine is never asked for any. A cluster has an ``http_endpoint_url`` instead of a
    ``websocket_url`` (section 1.1). ``on_command`` sees each message that is sent. Raises `UsageError` for neither or
    both of them.

    Ours, not the SDK's, are the callbacks ``notification`` for one that carries no definition and ``retry_planned``
    (what was lost is tried again in so many ``seconds``: ``attempt``, ``reason``, and ``streamId`` unless it is the
    socket), and the errors
    ``connection_timeout`` (no media path, tried again), ``session_ended`` (a stream is given up: ``definition``,
    ``cause``), ``community_edition`` (the server takes the own stream but cannot play rooms; told once),
    ``signalling_flood`` (the server renegotiates without end; told once a session) and ``internal_error``.
    """

    def __init__(
        self,
        websocket_url: str | Endpoint | None,
        callback: CallbackFunction,
        callback_error: CallbackFunction | None = None,
        *,
        audio: LocalTrack | None = None,
        video: LocalTrack | None = None,
        local_preview: Callable[[VideoFrame], None] | None = None,
        ice_servers: Sequence[RTCIceServer] | None = None,
        http_endpoint_url: str | None = None,
        http_endpoint_token: str = "",
        play_only: bool = False,
        reconnect: bool = True,
        on_command: Callable[[Message], None] | None = None,
    ) -> None:
        self._preview = local_preview
        server = Endpoint(http_endpoint_url, http_endpoint_token) if http_endpoint_url else websocket_url
        if server is None or (http_endpoint_url and websocket_url):
            raise UsageError("give either the server's URL or the endpoint that names it")
        self._link = Link(
            server,
            "edge" if play_only else "origin",
            callback=callback,
            callback_error=callback_error or callback,
            ice_servers=ice_servers,
            reconnects=reconnect,
            on_command=on_command,
        )
        self.use_tracks(audio, video)

    def use_tracks(self, audio: LocalTrack | None, video: LocalTrack | None) -> None:
        """Publish these with the next `publish`; they stay the caller's."""
        self._audio, self._video = audio, video
        if audio is not None:
            audio.on_muted_speech = partial(self._link.callback, "speaking_but_muted", None)

    async def open(self) -> None:
        """Connect the socket, unless it is; ``publish`` and ``play`` do it by themselves.

        Raises `UsageError`, `UnreachableError` or `RefusedError`.
        """
        await self._link.open()

    async def aclose(self) -> None:
        """Stop every session, close the socket; idempotent, within about 4 s."""
        await self._link.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # sessions

    async def publish(
        self,
        stream_id: str,
        token: str = "",
        subscriber_id: str = "",
        subscriber_code: str = "",
        stream_name: str = "",
        main_track: str = "",
        meta_data: str = "",
        role: str = "",
        *,
        credentials: Credentials | None = None,
        picture: LocalTrack | None = None,
    ) -> None:
        """Publish the own tracks as ``stream_id``, into the room ``main_track`` when one is named.

        With a ``picture`` that alone is published, such as a screen beside the camera. ``credentials`` stands for the
        three arguments after the id, and is asked anew at each attempt. Returns when the request is under way;
        ``publish_started`` follows, or ``session_restored`` after a short interruption. Raises `UsageError` for an id
        that AMS does not take, and what `open` raises.
        """
        _check_id(stream_id)
        command = Publish(
            stream_id=stream_id,
            stream_name=stream_name,
            main_track=main_track,
            video=picture is not None or self._video is not None,
            audio=picture is None and self._audio is not None,
            meta_data=meta_data,
            role=role,
        )
        credentials = credentials or Credentials(token, subscriber_id, subscriber_code)
        await self._link.begin(command, credentials, self._lend if picture is None else lambda: [LentTrack(picture)])

    async def play(
        self,
        stream_id: str,
        token: str = "",
        room_id: str = "",
        enable_tracks: Sequence[str] = (),
        subscriber_id: str = "",
        subscriber_code: str = "",
        meta_data: str = "",
        role: str = "",
        *,
        subscriber_name: str = "",
        disable_tracks_by_default: bool = False,
        credentials: Credentials | None = None,
    ) -> None:
        """Play a room or a single stream; one connection for a whole room.

        An entry ``!bob`` in ``enable_tracks`` means everybody but bob. Returns when the request is under way;
        ``play_started`` and ``newTrackAvailable`` follow, at once or when somebody publishes. Raises as `publish` does.
        """
        _check_id(stream_id)
        command = Play(
            stream_id=stream_id,
            room=room_id,
            track_list=list(enable_tracks),
            viewer_info=meta_data,
            role=role,
            subscriber_name=subscriber_name or None,
            disable_tracks_by_default=disable_tracks_by_default or None,
        )
        await self._link.begin(command, credentials or Credentials(token, subscriber_id, subscriber_code))

    def retry(self) -> None:
        """Do not wait any longer before what was lost is tried again; once a second at most."""
        self._link.retry()

    async def stop(self, stream_id: str) -> None:
        """End the publish or play session of that id; nothing happens when there is none."""
        await self._link.end(stream_id)

    def signalling_state(self, stream_id: str) -> str | None:
        """The connection's ``stable``, ``have-local-offer``, … as WebRTC names it; ``None`` without a connection."""
        session = self._link.sessions.get(stream_id)
        return session.signalling_state if session else None

    def ice_connection_state(self, stream_id: str) -> str | None:
        """``new``, ``checking``, ``completed``, ``failed`` or ``closed``; ``None`` without a connection."""
        session = self._link.sessions.get(stream_id)
        return session.ice_connection_state if session else None

    # figures

    async def get_stats(self, stream_id: str) -> PeerStats | None:
        """What that session's connection does now; ``None`` without one."""
        return self._link.stats(stream_id)

    def enable_stats(self, stream_id: str, period: float = 5.0) -> None:
        """Have ``updated_stats`` each ``period`` seconds, by the SDK's own keys, until `stop` or `disable_stats`."""
        self._link.watch(stream_id, max(period, SHORTEST_PERIOD))

    def disable_stats(self, stream_id: str) -> None:
        """Undo `enable_stats`."""
        self._link.unwatch(stream_id)

    # data

    def send_data(self, stream_id: str, data: str | bytes) -> bool:
        """Send on that session's data channel; ``False`` when it is not open."""
        session = self._link.sessions.get(stream_id)
        return session is not None and session.send_data(data)

    def update_audio_level(self, stream_id: str, value: float) -> bool:
        """Tell the others how loud we are, on that session's data channel.

        AMS itself reads the level from the RTP header, so no conference needs this.
        """
        return self.send_data(
            stream_id, json.dumps({"streamId": stream_id, "eventType": "UPDATE_AUDIO_LEVEL", "audioLevel": value})
        )

    async def peer_message(self, stream_id: str, definition: str, data: object) -> None:
        """Send a message to the other end of a peer-to-peer session; not for rooms."""
        await self._link.send(PeerMessage(stream_id=stream_id, definition=definition, data=data))

    # queries

    async def get_ice_server_configuration(self) -> None:
        """Ask for the server's STUN or TURN address.

        Sessions that begin after the answer use it, unless ``ice_servers`` were given or the server is on loopback.
        """
        await self._link.ask_ice_servers()

    async def get_broadcast_object(self, stream_id: str) -> None:
        """Ask for a record; ``broadcastObject`` follows."""
        await self._link.send(GetBroadcastObject(stream_id=stream_id))

    async def get_subtracks(
        self,
        stream_id: str,
        offset: int = 0,
        size: int = 50,
        role: str | None = None,
        *,
        status: str | None = None,
        sort_by: str | None = None,
        order_by: str | None = None,
        search: str | None = None,
    ) -> None:
        """Ask for a page of a room's participants; ``subtrackList`` follows.

        Unlike in the SDK the role comes last. ``sort_by`` is ``name``, ``date`` or ``status``, ``order_by`` ``asc`` or
        ``desc``.
        """
        await self._link.send(
            GetSubtracks(
                stream_id=stream_id,
                offset=offset,
                size=size,
                role=role,
                status=status,
                sort_by=sort_by,
                order_by=order_by,
                search=search,
            )
        )

    async def get_subtrack_count(self, stream_id: str, role: str | None = None, status: str | None = None) -> None:
        """Ask for the number of participants; ``subtrackCount`` follows."""
        await self._link.send(GetSubtracksCount(stream_id=stream_id, role=role, status=status))

    async def get_tracks(self, stream_id: str, token: str = "") -> None:
        """Ask for the ids of a room's participants; ``trackList`` follows."""
        await self._link.send(GetTrackList(stream_id=stream_id, token=token))

    async def get_stream_info(self, stream_id: str) -> None:
        """Ask for the sizes and bitrates of a stream; ``streamInformation`` or ``no_stream_exist`` follows."""
        await self._link.send(GetStreamInfo(stream_id=stream_id))

    async def get_room_info(self, room_name: str, stream_id: str) -> None:
        """Ask who publishes into a room; ``roomInformation`` or ``no_active_streams_in_room`` follows."""
        await self._link.send(GetRoomInfo(room=room_name, stream_id=stream_id))

    async def get_subscriber_count(self, stream_id: str) -> None:
        """Ask for the number of viewers; ``subscriberCount`` follows."""
        await self._link.send(GetSubscriberCount(stream_id=stream_id))

    async def get_subscriber_list(self, stream_id: str, offset: int = 0, size: int = 50) -> None:
        """Ask for a page of the viewers; ``subscriberList`` follows."""
        await self._link.send(GetSubscribers(stream_id=stream_id, offset=offset, size=size))

    async def get_debug_info(self, stream_id: str) -> None:
        """Ask for the server's own view of who is in which slot; ``debugInfo`` follows."""
        await self._link.send(GetDebugInfo(stream_id=stream_id))

    async def request_video_track_assignments(self, stream_id: str) -> None:
        """Ask who is in which slot; a VIDEO_TRACK_ASSIGNMENT_LIST follows as ``data_received``."""
        await self._link.send(GetVideoTrackAssignments(stream_id=stream_id))

    # controls

    async def update_stream_meta_data(self, stream_id: str, meta_data: str) -> None:
        """Replace the own record's metaData."""
        await self._link.send(UpdateStreamMetaData(stream_id=stream_id, meta_data=meta_data))

    async def enable_track(self, main_track_id: str, track_id: str, enabled: bool) -> None:
        """Start or stop the forwarding of one participant to us."""
        await self._link.send(EnableTrack(stream_id=main_track_id, track_id=track_id, enabled=enabled))

    async def toggle_video(self, stream_id: str, track_id: str, enabled: bool) -> None:
        """As `enable_track`, for the picture alone."""
        await self._link.send(ToggleVideo(stream_id=stream_id, track_id=track_id, enabled=enabled))

    async def toggle_audio(self, stream_id: str, track_id: str, enabled: bool) -> None:
        """As `enable_track`, for the sound alone."""
        await self._link.send(ToggleAudio(stream_id=stream_id, track_id=track_id, enabled=enabled))

    async def force_stream_quality(self, stream_id: str, resolution: int | str, track_id: str | None = None) -> None:
        """Choose the height of the picture in pixels; 0 or ``auto`` leaves it to the server."""
        await self._link.send(ForceStreamQuality(stream_id=stream_id, stream_height=resolution, track_id=track_id))

    async def set_max_video_track_count(self, stream_id: str, max_track_count: int) -> None:
        """Say how many video slots we want; ``stream_id`` is the own one, or the room's when only playing."""
        await self._link.send(SetMaxVideoTrackCount(stream_id=stream_id, max_track_count=max_track_count))

    async def update_video_track_assignments(self, stream_id: str, offset: int, size: int) -> None:
        """Choose whom the slots show, when there are fewer slots than participants."""
        await self._link.send(UpdateVideoTrackAssignments(stream_id=stream_id, offset=offset, size=size))

    async def assign_video_track(self, video_track_id: str, stream_id: str, enabled: bool) -> None:
        """Pin the participant ``stream_id`` into the slot ``video_track_id`` (``videoTrack0``), or unpin it."""
        await self._link.send(AssignVideoTrack(stream_id=stream_id, video_track_id=video_track_id, enabled=enabled))

    # push notifications

    async def register_push_notification_token(
        self, subscriber_id: str, auth_token: str, push_notification_token: str, token_type: str
    ) -> None:
        """Name the device that a subscriber is reached on; ``token_type`` is ``fcm`` or ``apn``."""
        await self._link.send(
            RegisterPushNotificationToken(
                subscriber_id=subscriber_id,
                token=auth_token,
                pns_registration_token=push_notification_token,
                pns_type=token_type,
            )
        )

    async def send_push_notification(
        self,
        subscriber_id: str,
        auth_token: str,
        push_notification_content: Mapping[str, Any],
        subscriber_ids_to_notify: Sequence[str],
    ) -> None:
        """Notify the named subscribers."""
        await self._link.send(
            SendPushNotification(
                subscriber_id=subscriber_id,
                token=auth_token,
                push_notification_content=dict(push_notification_content),
                subscriber_ids_to_notify=list(subscriber_ids_to_notify),
            )
        )

    async def send_push_notification_to_topic(
        self, subscriber_id: str, auth_token: str, push_notification_content: Mapping[str, Any], topic: str
    ) -> None:
        """Notify everybody who follows the topic."""
        await self._link.send(
            SendPushNotification(
                subscriber_id=subscriber_id,
                token=auth_token,
                push_notification_content=dict(push_notification_content),
                topic=topic,
            )
        )

    # legacy rooms and peer-to-peer

    async def join_room(
        self,
        room_name: str,
        stream_id: str,
        mode: str = "multitrack",
        stream_name: str = "",
        role: str = "",
        metadata: str = "",
    ) -> None:
        """Be listed in a room by the old room model, for whoever only plays; ``joinedTheRoom`` follows."""
        await self._link.send(
            JoinRoom(
                room=room_name,
                main_track=room_name,
                stream_id=stream_id,
                mode=mode,
                stream_name=stream_name,
                role=role,
                metadata=metadata,
            )
        )

    async def leave_from_room(self, room_name: str, stream_id: str) -> None:
        """Undo `join_room`; ``leavedFromRoom`` follows. Sessions go on, unlike in the SDK: `stop` ends them."""
        await self._link.send(LeaveFromRoom(room=room_name, main_track=room_name, stream_id=stream_id))

    async def join(self, stream_id: str, multi_peer: bool = False, mode: str = "both") -> None:
        """Begin a peer-to-peer session; ``joined`` follows. Only its messages are carried, no media."""
        await self._link.send(Join(stream_id=stream_id, multi_peer=multi_peer, mode=mode))

    async def leave(self, stream_id: str) -> None:
        """End a peer-to-peer session; ``leaved`` follows."""
        await self._link.send(Leave(stream_id=stream_id))

    # own media

    def mute_local_mic(self) -> None:
        """Send silence."""
        _enable(self._audio, False)

    def unmute_local_mic(self) -> None:
        """Send the own sound again."""
        _enable(self._audio, True)

    def turn_off_local_camera(self) -> None:
        """Send black."""
        _enable(self._video, False)

    def turn_on_local_camera(self) -> None:
        """Send the own picture again."""
        _enable(self._video, True)

    def own_level(self, stream_id: str) -> int:
        """Loudness of what that publish session sends: 0 is loudest, 127 silence."""
        session = self._link.sessions.get(stream_id)
        return session.own_level if session else 127

    def _lend(self) -> list[LentTrack]:
        lent = [LentTrack(self._audio)] if self._audio is not None else []
        return lent if self._video is None else [*lent, LentTrack(self._video, self._preview)]


def _check_id(stream_id: str) -> None:
    if not is_stream_id(stream_id):
        raise UsageError(f"the id {stream_id[:60]!r} is not one that the server takes", ID_RULE)


def _enable(track: LocalTrack | None, on: bool) -> None:
    if track is not None:
        track.enabled = on
