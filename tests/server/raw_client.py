"""A small conference client for the server's tests: hand-written JSON, aiortc as it comes, nothing of our core."""

from __future__ import annotations

import asyncio
import fractions
import json
import math
import time
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, VideoFrame
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tui.core.aiortc_internals import Addresses, candidates_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCDataChannel
    from websockets.asyncio.client import ClientConnection

DEADLINE = 10.0
WIDTH, HEIGHT, RATE = 160, 120, 48_000

RED, GREEN, BLUE = (200, 40, 40), (40, 180, 40), (40, 40, 200)


async def until(condition: Callable[[], Any], what: str = "", deadline: float = DEADLINE) -> Any:
    """Wait until ``condition()`` is true, and return its value."""
    ends = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > ends:
            raise AssertionError(f"not in {deadline} s: {what or condition}")
        await asyncio.sleep(0.02)
    return value


class Picture(MediaStreamTrack):
    """One colour, 15 times a second."""

    kind = "video"

    def __init__(self, colour: tuple[int, int, int]) -> None:
        super().__init__()
        self._pixels = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
        self._began = time.monotonic()
        self.count = 0

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(max(0.0, self._began + self.count / 15 - time.monotonic()))
        frame = VideoFrame.from_ndarray(self._pixels, format="rgb24")
        frame.pts, frame.time_base = self.count * 6000, fractions.Fraction(1, 90_000)
        self.count += 1
        return frame


class Tone(MediaStreamTrack):
    """A sine, in frames of 20 ms."""

    kind = "audio"

    def __init__(self, hertz: float) -> None:
        super().__init__()
        self._hertz = hertz
        self._began = time.monotonic()
        self.count = 0

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(max(0.0, self._began + self.count / RATE - time.monotonic()))
        times = (np.arange(960) + self.count) / RATE
        wave = (8000 * np.sin(2 * math.pi * self._hertz * times)).astype(np.int16)
        frame = AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, self.count
        frame.time_base = fractions.Fraction(1, RATE)
        self.count += 960
        return frame


class Heard:
    """What one remote track has brought so far."""

    def __init__(self, mid: str, track: MediaStreamTrack) -> None:
        self.mid = mid
        self.track = track
        self.frames = 0
        self.colour = (0, 0, 0)
        self._sound: list[np.ndarray[Any, Any]] = []

    async def drain(self) -> None:
        try:
            while True:
                frame = await self.track.recv()
                self.frames += 1
                if isinstance(frame, VideoFrame):
                    centre = frame.to_ndarray(format="rgb24")[HEIGHT // 2, WIDTH // 2]
                    self.colour = (int(centre[0]), int(centre[1]), int(centre[2]))
                elif isinstance(frame, AudioFrame):
                    self._sound = [*self._sound[-24:], frame.to_ndarray().reshape(-1, 2)[:, 0]]
        except MediaStreamError:
            pass

    def shows(self, colour: tuple[int, int, int]) -> bool:
        return all(abs(seen - sent) < 30 for seen, sent in zip(self.colour, colour, strict=True))

    def forget(self) -> None:
        self.colour = (0, 0, 0)
        self._sound.clear()

    @property
    def hertz(self) -> float:
        """The loudest frequency of the last half second, 0 for silence."""
        if len(self._sound) < 25:
            return 0.0
        wave = np.concatenate(self._sound[-25:])
        if np.abs(wave).max() < 500:
            return 0.0
        spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
        return float(np.argmax(spectrum) * RATE / len(wave))


def new_connection() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


async def describe(connection: RTCPeerConnection) -> str:
    with candidates_from(Addresses.LOOPBACK):
        await connection.setLocalDescription()
    sdp: str = connection.localDescription.sdp
    return sdp


class RawClient:
    """One socket, at most one published stream and one play session."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []
        self.closed = asyncio.Event()
        self.publishing: RTCPeerConnection | None = None
        self.playing: RTCPeerConnection | None = None
        self.channel: RTCDataChannel | None = None
        self.play_channel: RTCDataChannel | None = None
        self.said: list[Any] = []
        self.offers: list[dict[str, Any]] = []
        self.heard: dict[str, Heard] = {}
        self.answers_offers = True
        self.video_codecs: tuple[str, ...] = ()
        self._tasks = {asyncio.create_task(self._read())}

    @classmethod
    async def open(cls, url: str) -> Self:
        return cls(await connect(url, compression=None, max_size=1 << 20))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        for connection in (self.publishing, self.playing):
            if connection is not None:
                await connection.close()
        await self.socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- signalling --

    async def send(self, command: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"command": command, **fields}))

    def found(self, command: str, definition: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        wanted = {"command": command, **fields}
        if definition is not None:
            wanted["definition"] = definition
        return [message for message in self.messages if wanted.items() <= message.items()]

    async def expect(self, command: str, definition: str | None = None, **fields: Any) -> dict[str, Any]:
        """The first such message, now or within the deadline."""
        found = await until(
            lambda: self.found(command, definition, **fields),
            f"{command} {definition} {fields} among {[_brief(message) for message in self.messages]}",
        )
        message: dict[str, Any] = found[0]
        return message

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                message = json.loads(text)
                self.messages.append(message)
                if message["command"] == "takeConfiguration" and message["type"] == "offer":
                    self.offers.append(message)
                    if self.answers_offers:
                        await self.answer(message)
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()

    # -- publishing --

    async def publish(
        self,
        stream_id: str,
        definition: str = "publish_started",
        room: str = "room1",
        colour: tuple[int, int, int] | None = None,
        hertz: float | None = None,
        **fields: Any,
    ) -> None:
        """Publish and wait until the server says that it has started."""
        await self.send("publish", streamId=stream_id, mainTrack=room, **fields)
        await self.expect("start", streamId=stream_id)
        await self.offer(stream_id, colour, hertz)
        await self.expect("notification", definition, streamId=stream_id)

    async def offer(
        self, stream_id: str, colour: tuple[int, int, int] | None = None, hertz: float | None = None
    ) -> None:
        self.publishing = connection = new_connection()
        if colour is not None:
            connection.addTrack(Picture(colour))
            self._prefer(connection)
        if hertz is not None:
            connection.addTrack(Tone(hertz))
        self.channel = connection.createDataChannel(stream_id)
        await self.negotiate(stream_id)

    def _prefer(self, connection: RTCPeerConnection) -> None:
        """Offer the picture in ``video_codecs`` alone, in that order."""
        known = RTCRtpSender.getCapabilities("video").codecs
        wanted = [codec for name in self.video_codecs for codec in known if codec.mimeType == name]
        (video,) = [one for one in connection.getTransceivers() if one.kind == "video"]
        if wanted:
            video.setCodecPreferences(wanted)

    async def negotiate(self, stream_id: str) -> str:
        """Offer what the publish connection has now; the answer."""
        connection = self.publishing
        assert connection is not None
        answers = len(self.found("takeConfiguration", type="answer"))
        sdp = await describe(connection)
        await self.send("takeConfiguration", streamId=stream_id, type="offer", sdp=sdp)
        await until(lambda: len(self.found("takeConfiguration", type="answer")) > answers, "an answer")
        answer: str = self.found("takeConfiguration", type="answer")[-1]["sdp"]
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    # -- playing --

    async def play(self, room: str = "room1", own: str = "", **fields: Any) -> None:
        """Play and wait until the server says that it has started."""
        self._prepare_playing()
        await self.send("play", streamId=room, room=room, userPublishId=own, **fields)
        await self.expect("notification", "play_started", streamId=room)

    def _prepare_playing(self) -> None:
        self.playing = connection = new_connection()

        def opened(channel: RTCDataChannel) -> None:
            self.play_channel = channel

            def heard(message: Any) -> None:
                self.said.append(message)

            channel.on("message", heard)

        def arrived(track: MediaStreamTrack) -> None:
            transceiver = next(t for t in connection.getTransceivers() if t.receiver.track is track)
            assert transceiver.mid is not None
            heard = self.heard[transceiver.mid] = Heard(transceiver.mid, track)
            self._tasks.add(asyncio.create_task(heard.drain()))

        connection.on("datachannel", opened)
        connection.on("track", arrived)

    async def answer(self, offer: dict[str, Any]) -> None:
        assert self.playing is not None
        await self.playing.setRemoteDescription(RTCSessionDescription(offer["sdp"], "offer"))
        sdp = await describe(self.playing)
        await self.send("takeConfiguration", streamId=offer["streamId"], type="answer", sdp=sdp)

    @property
    def mapping(self) -> dict[str, str]:
        """``idMapping`` of the last offer, turned round: track id to mid."""
        last = self.offers[-1]["idMapping"] if self.offers else {}
        return {track_id: mid for mid, track_id in last.items()}

    def track(self, track_id: str) -> Heard | None:
        """What the last offer's track of that name has brought."""
        return self.heard.get(self.mapping.get(track_id, ""))

    def events(self, event_type: str) -> list[dict[str, Any]]:
        """The data channel's events of one type."""
        found = [json.loads(text) for text in self.said if isinstance(text, str) and text.startswith("{")]
        return [event for event in found if event.get("eventType") == event_type]

    def owners(self, event_type: str = "VIDEO_TRACK_ASSIGNMENT_LIST") -> list[str]:
        """Who the last assignment list puts into the slots."""
        events = self.events(event_type)
        return [entry["trackId"] for entry in events[-1]["payload"]] if events else []


def _brief(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "sdp"}
