"""`WebRTCAdaptor`: the official JavaScript SDK's conference for Python, by the SDK's own names.

The conference, the demo participants and anybody's own program use it. It owns the socket, one session per
published or played stream, and keeps both alive until they are stopped on purpose. Everything runs on the loop
that opened it; callbacks are plain functions and must return quickly.

==========================  ===============================================================
JavaScript                  here
==========================  ===============================================================
new WebRTCAdaptor({…})      WebRTCAdaptor(websocket_url, callback, callback_error, …)
publish(…)                  await publish(stream_id, token, …, main_track, meta_data, role)
play(…)                     await play(stream_id, token, room_id, enable_tracks, …)
stop(streamId)              await stop(stream_id)
sendData(streamId, data)    send_data(stream_id, data)
getSubtracks(…)             await get_subtracks(stream_id, offset, size, role)
getBroadcastObject(…)       await get_broadcast_object(stream_id)
updateStreamMetaData(…)     await update_stream_meta_data(stream_id, meta_data)
requestVideoTrackAssign…    await request_video_track_assignments(stream_id)
closeWebSocket()            await aclose()
localVideoId                local_preview, which is called with each own picture
==========================  ===============================================================

Source: signalling reference, sections 1 to 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeAlias

from tui.core.address import with_target
from tui.core.link import Link
from tui.core.messages import (
    ID_RULE,
    GetBroadcastObject,
    GetSubtracks,
    GetSubtracksCount,
    GetVideoTrackAssignments,
    Message,
    Play,
    Publish,
    UpdateStreamMetaData,
    is_stream_id,
)
from tui.core.peer import LentTrack, LocalTrack
from tui.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiortc import RTCIceServer
    from av import VideoFrame

CallbackFunction: TypeAlias = "Callable[[str, Any], None]"


class WebRTCAdaptor:
    """A client of one Ant Media Server application.

    ``callback(info, obj)`` gets every notification by its wire name and the SDK's own events (``initialized``,
    ``closed``, ``newTrackAvailable`` with ``track``, ``trackId``, ``streamId`` and ``remoteTrack``,
    ``ice_connection_state_changed``, ``data_channel_opened``, ``data_received``, …); ``callback_error(error, obj)``
    every refusal. Three errors are ours, not the SDK's: ``connection_timeout`` (no media path, tried again),
    ``session_ended`` (a stream is given up) and ``internal_error``. ``audio`` and ``video`` are published and stay the
    caller's. ``ice_servers`` replaces what the server names; on loopback none is ever used. ``on_command`` sees each
    message that is sent.
    """

    def __init__(
        self,
        websocket_url: str,
        callback: CallbackFunction,
        callback_error: CallbackFunction | None = None,
        *,
        audio: LocalTrack | None = None,
        video: LocalTrack | None = None,
        local_preview: Callable[[VideoFrame], None] | None = None,
        ice_servers: Sequence[RTCIceServer] | None = None,
        play_only: bool = False,
        reconnect: bool = True,
        on_command: Callable[[Message], None] | None = None,
    ) -> None:
        self._audio = audio
        self._video = video
        self._preview = local_preview
        self._link = Link(
            with_target(websocket_url, "edge" if play_only else "origin"),
            callback=callback,
            callback_error=callback_error or callback,
            lend=self._lend,
            ice_servers=ice_servers,
            reconnects=reconnect,
            on_command=on_command,
        )

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

    # commands, by the SDK's names

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
    ) -> None:
        """Publish the own tracks as ``stream_id``, into the room ``main_track`` when one is named.

        Returns when the request is under way; ``publish_started`` follows. Raises `UsageError` for an id that AMS
        does not take, and what `open` raises.
        """
        _check_id(stream_id)
        command = Publish(
            stream_id=stream_id,
            token=token,
            subscriber_id=subscriber_id,
            subscriber_code=subscriber_code,
            stream_name=stream_name,
            main_track=main_track,
            video=self._video is not None,
            audio=self._audio is not None,
            meta_data=meta_data,
            role=role,
        )
        await self._link.begin(command)

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
    ) -> None:
        """Play a room or a single stream; one connection for a whole room.

        Returns when the request is under way; ``play_started`` and ``newTrackAvailable`` follow, at once or when
        somebody publishes. Raises as `publish` does.
        """
        _check_id(stream_id)
        publisher = next((key for key, session in self._link.sessions.items() if session.publishes), "")
        command = Play(
            stream_id=stream_id,
            token=token,
            room=room_id,
            track_list=list(enable_tracks),
            subscriber_id=subscriber_id,
            subscriber_code=subscriber_code,
            viewer_info=meta_data,
            role=role,
            user_publish_id=publisher,
        )
        await self._link.begin(command)

    async def stop(self, stream_id: str) -> None:
        """End the publish or play session of that id; nothing happens when there is none."""
        await self._link.end(stream_id)

    def send_data(self, stream_id: str, data: str | bytes) -> bool:
        """Send on that session's data channel; ``False`` when it is not open."""
        session = self._link.sessions.get(stream_id)
        return session is not None and session.send_data(data)

    async def get_broadcast_object(self, stream_id: str) -> None:
        """Ask for a record; ``broadcastObject`` follows."""
        await self._link.send(GetBroadcastObject(stream_id=stream_id))

    async def get_subtracks(self, stream_id: str, offset: int = 0, size: int = 50, role: str | None = None) -> None:
        """Ask for a page of a room's participants; ``subtrackList`` follows."""
        await self._link.send(GetSubtracks(stream_id=stream_id, offset=offset, size=size, role=role))

    async def get_subtracks_count(self, stream_id: str) -> None:
        """Ask for the number of participants; ``subtrackCount`` follows."""
        await self._link.send(GetSubtracksCount(stream_id=stream_id))

    async def request_video_track_assignments(self, stream_id: str) -> None:
        """Ask who is in which slot; a VIDEO_TRACK_ASSIGNMENT_LIST follows as ``data_received``."""
        await self._link.send(GetVideoTrackAssignments(stream_id=stream_id))

    async def update_stream_meta_data(self, stream_id: str, meta_data: str) -> None:
        """Replace the own record's metaData."""
        await self._link.send(UpdateStreamMetaData(stream_id=stream_id, meta_data=meta_data))

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
