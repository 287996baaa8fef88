"""A scripted Ant Media Server with real media: behaves by default, misbehaves as a test says.

One client at a time. Each command has a handler that a test may replace (``ams.on["play"] = …``); every message that
leaves can be rewritten (``ams.rewrite``). What a strict server would not forgive is noted in ``ams.violations``, and
leaving the ``async with`` fails with it. Source: signalling reference, sections 4, 5 and 11.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from aiortc import RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole
from aiortc.sdp import candidate_from_sdp
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from tests.core.peers import Colour, local, new_connection
from tests.interop.person import LOOKS
from tui.core.aiortc_internals import name_track, tap_rtp
from tui.core.tasks import Tasks
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from aiortc import RTCDataChannel, RTCPeerConnection, RTCRtpTransceiver
    from aiortc.rtp import RtpPacket
    from websockets.asyncio.server import Server, ServerConnection

Message: TypeAlias = dict[str, Any]
Handler: TypeAlias = "Callable[[Message], Awaitable[None]]"

ROOM = "room1"


@dataclass(frozen=True, slots=True)
class Slot:
    """One forwarded pair: its labels, without AMS's prefix, and its m-lines."""

    video_label: str
    audio_label: str
    video: RTCRtpTransceiver
    audio: RTCRtpTransceiver

    @property
    def id_mapping(self) -> dict[str, str]:
        names = ((self.video, f"ARDAMSv{self.video_label}"), (self.audio, f"ARDAMSa{self.audio_label}"))
        return {line.mid: name for line, name in names if line.mid is not None and line.direction == "sendonly"}


class PlayEnd:
    """The server's end of one play connection: slots that show a colour and sound a tone."""

    def __init__(self, *, channel_first: bool = False) -> None:
        self.slots: list[Slot] = []
        self.said: list[str | bytes] = []
        self.channel: RTCDataChannel | None = None
        self.connection: RTCPeerConnection = new_connection()
        self._tracks: list[SolidColour | TestTone] = []
        if channel_first:
            self.open_channel()

    def add(self, video_label: str, audio_label: str, colour: Colour, pitch: float) -> Slot:
        """One more pair of m-lines, in the next offer."""
        picture, tone = SolidColour(colour), TestTone(pitch)
        self._tracks += [picture, tone]
        video = self.connection.addTransceiver(picture, direction="sendonly")
        audio = self.connection.addTransceiver(tone, direction="sendonly")
        name_track(video.sender, "ARDAMS", f"ARDAMSv{video_label}")
        name_track(audio.sender, "ARDAMS", f"ARDAMSa{audio_label}")
        slot = Slot(video_label, audio_label, video, audio)
        self.slots.append(slot)
        return slot

    def open_channel(self) -> None:
        """The data channel, which AMS puts behind the first pair."""
        self.channel = self.connection.createDataChannel(ROOM)
        self.channel.on("message", self.said.append)

    def tell(self, event: Message | str | bytes) -> None:
        """Say something on the data channel."""
        assert self.channel is not None
        self.channel.send(json.dumps(event) if isinstance(event, dict) else event)

    @property
    def id_mapping(self) -> dict[str, str]:
        """What AMS says beside its offer."""
        return {mid: name for slot in self.slots for mid, name in slot.id_mapping.items()}

    async def aclose(self) -> None:
        await self.connection.close()
        for track in self._tracks:
            track.stop()


class PublishEnd:
    """The server's end of one publish connection: takes everything, notes what a test asks about."""

    def __init__(self) -> None:
        self.connection: RTCPeerConnection = new_connection()
        self.said: list[str | bytes] = []
        self.channel_label: str | None = None
        self.audio_levels: list[int | None] = []
        self._sink = MediaBlackhole()
        self.connection.on("track", self._begin)
        self.connection.on("datachannel", self._adopt)

    async def answer(self, offer: str) -> str:
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        return await local(self.connection)

    async def aclose(self) -> None:
        await self._sink.stop()
        await self.connection.close()

    async def drain(self) -> None:
        await self._sink.start()

    def _begin(self, track: Any) -> None:
        self._sink.addTrack(track)
        if track.kind == "audio":
            receiver = next(t.receiver for t in self.connection.getTransceivers() if t.receiver.track is track)
            tap_rtp(receiver, self._hear)

    def _hear(self, packet: RtpPacket) -> None:
        level = packet.extensions.audio_level
        self.audio_levels.append(None if level is None else int(level[1]))

    def _adopt(self, channel: RTCDataChannel) -> None:
        self.channel_label = channel.label
        channel.on("message", self.said.append)


class Ams:
    """``async with Ams() as ams:`` then point a client at ``ams.url``."""

    def __init__(self) -> None:
        self.people: list[str] = []
        """Who is in the room, beside the client."""
        self.owners: dict[str, str] = {}
        """Who is in which slot; what the assignment lists say."""
        self.reserved: set[str] = set()
        """Who of them keeps the slot."""
        self.pushes_assignments = True
        self.received: list[Message] = []
        self.violations: list[str] = []
        self.play_end: PlayEnd | None = None
        self.publish_end: PublishEnd | None = None
        self.socket: ServerConnection | None = None
        self.sockets = 0
        self.with_mapping = True
        self.rewrite: Callable[[Message], Message] = lambda message: message
        self.offer_text: Callable[[str], str] = lambda sdp: sdp
        self.answer_text: Callable[[str], str] = lambda sdp: sdp
        self.on: dict[str, Handler] = {
            "publish": self.publish,
            "play": self.play,
            "takeConfiguration": self.take_configuration,
            "takeCandidate": self.take_candidate,
            "stop": self.stop,
            "ping": self.ping,
            "getSubtracks": self.get_subtracks,
            "getSubtracksCount": self.get_subtracks_count,
            "getVideoTrackAssignmentsCommand": self.get_video_track_assignments,
        }
        self._server: Server | None = None
        self._tasks = Tasks()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"ws://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}/live/websocket"

    async def __aenter__(self) -> Self:
        self._server = await serve(self._talk, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await self._tasks.aclose()
        await self._end_sessions()
        if kind is None:
            assert not self.violations, self.violations

    def commands(self, name: str) -> list[Message]:
        """What came of that command."""
        return [message for message in self.received if message["command"] == name]

    # what a server says

    async def say(self, command: str, **fields: Any) -> None:
        """Send one message, to whoever is connected now."""
        assert self.socket is not None
        await self.socket.send(json.dumps(self.rewrite({"command": command, **fields})))

    async def notify(self, definition: str, **fields: Any) -> None:
        await self.say("notification", definition=definition, **fields)

    async def refuse(self, definition: str, **fields: Any) -> None:
        await self.say("error", definition=definition, **fields)

    async def offer(self) -> None:
        """The room's next offer, as the play connection stands now."""
        end = self.play_end
        assert end is not None
        sdp = self.offer_text(await local(end.connection))
        mapping = {"idMapping": end.id_mapping} if self.with_mapping else {}
        await self.say("takeConfiguration", streamId=ROOM, type="offer", sdp=sdp, **mapping)

    def seat(self, end: PlayEnd, stream_id: str) -> Slot:
        """Give somebody the next pair of slots, named as AMS names them."""
        number = len(end.slots)
        slot = end.add(f"videoTrack{number}", f"audioTrack{number}", *LOOKS[stream_id])
        self.owners |= {slot.video_label: stream_id, slot.audio_label: stream_id}
        return slot

    def assign(self) -> None:
        """Push both assignment lists."""
        assert self.play_end is not None
        video = [
            {"videoLabel": label, "trackId": owner, "reserved": owner in self.reserved}
            for label, owner in self.owners.items()
            if label.startswith("video")
        ]
        audio = [
            {"audioLabel": label, "trackId": owner, "audioLevel": 100}
            for label, owner in self.owners.items()
            if label.startswith("audio")
        ]
        self.play_end.tell({"eventType": "VIDEO_TRACK_ASSIGNMENT_LIST", "streamId": ROOM, "payload": video})
        self.play_end.tell({"eventType": "AUDIO_TRACK_ASSIGNMENT", "streamId": ROOM, "payload": audio})

    async def list_people(self, *stream_ids: str, **about: Message) -> None:
        """The answer to ``getSubtracks``; ``about`` replaces fields of one person's record."""
        entries = [
            json.dumps(
                {"streamId": one, "name": one.title(), "status": "broadcasting", "mainTrackStreamId": ROOM}
                | about.get(one, {})
            )
            for one in stream_ids
        ]
        await self.notify("subtrackList", streamId=ROOM, subtrackList=entries)

    def drop(self) -> None:
        """Cut the socket, as a network does."""
        assert self.socket is not None
        self.socket.transport.abort()

    # what a server does with a command, unless a test says otherwise

    async def publish(self, message: Message) -> None:
        await self._close(self.publish_end)
        self.publish_end = PublishEnd()
        await self.say("start", streamId=message["streamId"], subscriberId=None)

    async def play(self, message: Message) -> None:
        """Offer a pair of slots for each of `people`; with nobody there, the data channel alone."""
        self.owners.clear()
        end = PlayEnd(channel_first=not self.people)
        for number, stream_id in enumerate(self.people):
            self.seat(end, stream_id)
            if number == 0:
                end.open_channel()
        await self.begin_play(end)

    async def begin_play(self, end: PlayEnd) -> None:
        """Offer this end's state to the client."""
        await self._close(self.play_end)
        self.play_end = end

        async def started() -> None:
            if end.connection.connectionState == "connected":
                await self.notify("play_started", streamId=ROOM, subscriberId=None)

        end.connection.on("connectionstatechange", started)
        if end.channel is not None:
            end.channel.on("open", self._channel_opened)
        await self.offer()

    def _channel_opened(self) -> None:
        if self.pushes_assignments:
            self.assign()

    async def take_configuration(self, message: Message) -> None:
        if message["type"] == "offer":
            await self._answer(message)
        elif self.play_end is not None:
            answer = RTCSessionDescription(self.answer_text(message["sdp"]), "answer")
            await self.play_end.connection.setRemoteDescription(answer)

    async def _answer(self, message: Message) -> None:
        end = self.publish_end
        assert end is not None
        stream_id = message["streamId"]

        async def started() -> None:
            if end.connection.connectionState == "connected":
                await end.drain()
                await self.confirm_publish(stream_id)

        end.connection.on("connectionstatechange", started)
        sdp = await end.answer(message["sdp"])
        await self.send_answer(stream_id, sdp)

    async def send_answer(self, stream_id: str, sdp: str) -> None:
        await self.say("takeConfiguration", streamId=stream_id, type="answer", sdp=sdp)

    async def confirm_publish(self, stream_id: str) -> None:
        await self.notify("publish_started", streamId=stream_id, room=ROOM, ATTR_ROOM_NAME=ROOM)

    async def take_candidate(self, message: Message) -> None:
        end = self.play_end if message["streamId"] == ROOM else self.publish_end
        if end is not None and message["candidate"]:
            candidate = candidate_from_sdp(message["candidate"].removeprefix("candidate:"))
            candidate.sdpMid, candidate.sdpMLineIndex = message["id"], message["label"]
            await end.connection.addIceCandidate(candidate)

    async def stop(self, message: Message) -> None:
        if message["streamId"] == ROOM:
            end, self.play_end = self.play_end, None
            await self._close(end)
            await self.notify("play_finished", streamId=ROOM)
        else:
            publish_end, self.publish_end = self.publish_end, None
            await self._close(publish_end)
            await self.notify("publish_finished", streamId=message["streamId"])

    async def note_only(self, message: Message) -> None:
        """Do nothing: the message is in `received`."""

    async def ping(self, message: Message) -> None:
        await self.say("pong")

    async def get_subtracks(self, message: Message) -> None:
        first = message["offset"]
        await self.list_people(*self.people[first : first + message["size"]])

    async def get_subtracks_count(self, message: Message) -> None:
        await self.notify("subtrackCount", streamId=ROOM, count=len(self.people))

    async def get_video_track_assignments(self, message: Message) -> None:
        channel = self.play_end.channel if self.play_end is not None else None
        if channel is not None and channel.readyState == "open":
            self.assign()

    # the socket

    async def _talk(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.sockets += 1
        async for text in socket:
            message = json.loads(text)
            self.received.append(message)
            self._check(message)
            handler = self.on.get(message["command"])
            if handler is not None:
                # Each on its own, so that a slow one does not keep the pongs back.
                self._tasks.spawn(self._handle(handler, message), message["command"])
        await self._end_sessions()

    async def _handle(self, handler: Handler, message: Message) -> None:
        try:
            await handler(message)
        except ConnectionClosed:
            return
        except Exception as error:
            self.violations.append(f"{message['command']}: {error!r}")

    def _check(self, message: Message) -> None:
        """Strict as the Enterprise server: what it would drop without a word (reference, 1.5 and 5.7)."""
        command = message["command"]
        if command == "takeCandidate" and type(message.get("label")) is not int:
            self.violations.append(f"label is {message.get('label')!r}")
        if command == "takeConfiguration":
            if message["streamId"] == ROOM and message["type"] == "offer":
                self.violations.append("an offer for the room")
            self.violations += _unforgivable(message["sdp"])

    async def _end_sessions(self) -> None:
        ends = (self.play_end, self.publish_end)
        self.play_end = self.publish_end = None
        for end in ends:
            await self._close(end)

    @staticmethod
    async def _close(end: PlayEnd | PublishEnd | None) -> None:
        if end is not None:
            await end.aclose()


def _unforgivable(sdp: str) -> list[str]:
    found = [f"opus line {line!r}" for line in sdp.splitlines() if "opus" in line and "opus/48000/2" not in line]
    for line in sdp.splitlines():
        words = line.split(" ")
        if line.startswith(("m=audio", "m=video")) and words[2] == "UDP/TLS/RTP/SAVPF":
            found += [f"no rtpmap for {payload}" for payload in words[3:] if f"a=rtpmap:{payload} " not in sdp]
    return found
