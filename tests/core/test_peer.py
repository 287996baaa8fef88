"""One peer connection of a session, against descriptions of every kind and against aiortc as the server."""

from __future__ import annotations

import asyncio
import itertools
import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pylibsrtp
import pytest
from aiortc import RTCRtpSender, RTCSessionDescription

from tests.core import wire
from tests.core.peers import BLUE, RED, is_colour, local, new_connection
from tests.core.test_sdp import HOST, mutant, offends
from tests.hearing import frequency
from tests.seeing import Eye, shows
from tests.waiting import own_threads, until
from tui.core import aiortc_internals, assembly
from tui.core.aiortc_internals import Addresses
from tui.core.door import CANDIDATE_LIMIT
from tui.core.peer import LentTrack, PlayPeer, PublishPeer
from tui.core.sdp import Description, RenewalError
from tui.errors import WireError
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiortc import MediaStreamTrack, RTCPeerConnection
    from aiortc.rtp import RtpPacket

    from tui.core.peer import RemoteTrack

TWO_SLOTS = wire.text("two_slots.sdp")


class Listener:
    """Notes what a peer says."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.tracks: list[RemoteTrack] = []

    def ice_state(self, state: str) -> None:
        pass

    def connection_state(self, state: str) -> None:
        self.states.append(state)

    def channel_state(self, is_open: bool) -> None:
        pass

    def channel_error(self, error: str) -> None:
        pass

    def data(self, data: str | bytes) -> None:
        pass

    def track(self, track: RemoteTrack) -> None:
        self.tracks.append(track)

    @property
    def live(self) -> list[RemoteTrack]:
        return [track for track in self.tracks if track.track.readyState == "live"]


class Room:
    """aiortc as the server of a `PlayPeer`."""

    def __init__(self, addresses: Addresses = Addresses.LOOPBACK) -> None:
        self.listener = Listener()
        self.player = PlayPeer(self.listener, [], addresses)
        self.server = new_connection()
        self.sources: list[MediaStreamTrack] = []
        self.renamed: dict[str, str] = {}
        """Mids of the server, and what they are called on the wire."""

    def send(self, *tracks: MediaStreamTrack) -> None:
        for track in tracks:
            self.server.addTransceiver(track, "sendonly")
            self.sources.append(track)

    async def offer(self) -> str:
        """The server's offer, as it goes over the wire."""
        text = await local(self.server)
        for mid, name in self.renamed.items():
            text = _called(text, mid, name)
        return text

    async def negotiate(self) -> str:
        """One offer and its answer."""
        answer = await self.player.accept_offer(await self.offer(), None)
        for mid, name in self.renamed.items():
            answer = _called(answer, name, mid)
        await self.server.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    async def connected(self) -> None:
        await until(lambda: self.player.connected and self.server.connectionState == "connected")

    async def aclose(self) -> None:
        await self.player.aclose()
        await self.server.close()
        for source in self.sources:
            source.stop()


def _called(text: str, mid: str, name: str) -> str:
    lines = []
    for line in text.splitlines():
        if line.startswith("a=group:BUNDLE "):
            line = " ".join(name if word == mid else word for word in line.split(" "))
        lines.append(f"a=mid:{name}" if line == f"a=mid:{mid}" else line)
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    yield room
    await room.aclose()


async def media_flows(room: Room) -> None:
    """Red and 440 Hz come by the tracks that are live."""
    async with asyncio.timeout(10):
        sound, picture = sorted(room.listener.live, key=lambda track: track.kind)
        assert await shows(picture, RED)
        assert abs(await frequency(sound) - 440) < 5


def remote_candidates(connection: RTCPeerConnection) -> set[tuple[str, int]]:
    """Where the connection tries to reach the other end."""
    (transport,) = {transceiver.receiver.transport for transceiver in connection.getTransceivers()}
    return {(one.ip, one.port) for one in transport.transport.getRemoteCandidates()}


# -- offers ------------------------------------------------------------------------------------------


BROKEN = {
    "no SDP": "hello",
    "nothing in it": "v=0\r\n",
    "no fingerprint": TWO_SLOTS.replace("a=fingerprint:", "a=x:"),
    "no ICE password": TWO_SLOTS.replace("a=ice-pwd:", "a=x:"),
    "unreadable": TWO_SLOTS.replace("a=sctp-port:5000", "a=sctp-port:x"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
async def test_a_refused_offer_leaves_everything_as_it_was(room: Room, broken: str) -> None:
    room.send(TestTone(440), SolidColour(RED))
    await room.negotiate()
    await media_flows(room)
    tracks = room.listener.live
    with pytest.raises(WireError) as refusal:
        await room.player.accept_offer(broken, None)
    assert not isinstance(refusal.value, RenewalError)
    assert room.listener.live == tracks
    await media_flows(room)
    room.send(SolidColour(BLUE))
    await room.negotiate()
    assert room.listener.live[:2] == tracks
    async with asyncio.timeout(10):
        assert await shows(room.listener.live[2], BLUE)


# -- pictures ----------------------------------------------------------------------------------------


async def seen(room: Room, codec: str = "video/VP8") -> tuple[Eye, Any]:
    """A red picture that is watched, and the receiver that brings it."""
    room.send(SolidColour(RED))
    room.server.getTransceivers()[0].setCodecPreferences(
        [one for one in RTCRtpSender.getCapabilities("video").codecs if one.mimeType == codec]
    )
    await room.negotiate()
    (track,) = room.listener.live
    eye = Eye(track)
    async with asyncio.timeout(10):
        assert is_colour(await eye.recv(), RED)
    return eye, room.player._connection.getReceivers()[0]


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
async def test_a_hole_in_a_video_that_is_never_filled_ends_with_a_key_frame(room: Room, codec: str) -> None:
    eye, receiver = await seen(room, codec)
    handle, lost = receiver._handle_rtp_packet, set[int]()

    async def lossy(packet: RtpPacket, arrival_time_ms: int) -> None:
        if len(lost) < 5:
            lost.add(packet.sequence_number)
        if packet.sequence_number not in lost:
            await handle(packet, arrival_time_ms)

    receiver._handle_rtp_packet = lossy
    await until(lambda: len(lost) == 5)
    eye.pictures.clear()
    async with asyncio.timeout(5):
        for _ in range(10):
            assert is_colour(await eye.recv(), RED)
    assert eye.pictures[0].is_key
    (track,) = room.listener.live
    assert 1 <= track.pictures.key_frames_requested <= 3
    assert track.pictures.dropped >= 1


class LossyLine:
    """In the place of what decrypts: the next packet is lost three times. Later SRTP would take it for a replay."""

    def __init__(self, transport: Any) -> None:
        self.losses = 0
        self._transport = transport
        self._srtp = transport._rx_srtp
        self._lost: int | None = None
        transport._rx_srtp = self

    def unprotect(self, data: bytes) -> bytes:
        number = int.from_bytes(data[2:4], "big")
        if self.losses < 3 and self._lost in (None, number):
            self._lost = number
            self.losses += 1
            raise pylibsrtp.Error("lost")
        plain: bytes = self._srtp.unprotect(data)
        return plain

    def unprotect_rtcp(self, data: bytes) -> bytes:
        plain: bytes = self._srtp.unprotect_rtcp(data)
        return plain


async def test_what_is_lost_again_and_again_is_sent_again_and_no_picture_is_lost(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine is not a bad line.
    monkeypatch.setattr(assembly, "PATIENCE", 5.0)
    monkeypatch.setattr(aiortc_internals, "NACK_PATIENCE", 5.0)
    eye, receiver = await seen(room)
    (track,) = room.listener.live
    asked = track.pictures.key_frames_requested
    line = LossyLine(receiver.transport)
    await until(lambda: line.losses == 3, what="a packet that is sent again")
    before = eye.showing().decoded
    await until(lambda: eye.showing().decoded > before + 10, what="the pictures after it")
    times = [picture.timestamp for picture in eye.pictures]
    gaps = {later - earlier for earlier, later in itertools.pairwise(times)}
    assert max(gaps) < 2 * 90_000 / 15, "no picture is missing"
    assert (track.pictures.dropped, track.pictures.key_frames_requested) == (0, asked)


async def test_an_empty_packet_does_not_silence_a_picture(room: Room) -> None:
    eye, receiver = await seen(room)
    handle, emptied = receiver._handle_rtp_packet, 0

    async def empty(packet: RtpPacket, arrival_time_ms: int) -> None:
        nonlocal emptied
        if emptied < 3:
            packet.payload = b""
            emptied += 1
        await handle(packet, arrival_time_ms)

    receiver._handle_rtp_packet = empty
    await until(lambda: emptied == 3)
    async with asyncio.timeout(5):
        for _ in range(10):
            await eye.recv()


async def test_pictures_are_told_in_the_figures(room: Room) -> None:
    eye, _ = await seen(room)
    for _ in range(5):
        await eye.recv()
    (inbound,) = room.player.figures().inbound
    assert inbound.frames_received >= inbound.frames_decoded >= 5
    assert inbound.frames_dropped == 0
    assert (inbound.width, inbound.height) == (eye.showing().width, eye.showing().height) != (0, 0)
    (track,) = room.listener.live
    track.pictures.pause()
    received = track.pictures.received
    await until(lambda: track.pictures.received > received + 5)
    (paused,) = room.player.figures().inbound
    assert paused.frames_decoded == eye.showing().decoded
    assert paused.frames_dropped >= 5
    assert paused.key_frames_requested == inbound.key_frames_requested
    track.pictures.watch(eye)
    async with asyncio.timeout(2):
        await eye.recv()
    (again,) = room.player.figures().inbound
    assert again.key_frames_requested == inbound.key_frames_requested + 1


# -- more offers -------------------------------------------------------------------------------------


async def test_an_offer_that_fails_half_way_ends_the_connection(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """At first the room is asked for again later; what was up is played anew, as libwebrtc waits for its answer."""

    async def fails(*_: Any) -> None:
        raise ValueError("no")

    room.send(TestTone(440))
    with monkeypatch.context() as patch:
        patch.setattr(room.player._connection, "setRemoteDescription", fails)
        with pytest.raises(WireError) as refusal:
            await room.negotiate()
        assert not isinstance(refusal.value, RenewalError)
    await room.negotiate()
    monkeypatch.setattr(room.player._connection, "setRemoteDescription", fails)
    with pytest.raises(RenewalError):
        await room.negotiate()


async def test_whatever_is_offered_nothing_but_a_wire_error_comes_out() -> None:
    """SDP-3: and nothing is left behind. Every second mutant comes as a re-offer."""
    chance, refused = random.Random(11), 0
    unheard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    threads, tasks = own_threads(), asyncio.all_tasks()
    for turn in range(300):
        player = PlayPeer(Listener(), [], Addresses.LOOPBACK)
        try:
            if turn % 2:
                await player.accept_offer(TWO_SLOTS, None)
            assert offends(await player.accept_offer(mutant(chance), None)) == []
        except WireError:
            refused += 1
        await asyncio.wait_for(player.aclose(), 10)
    assert 0 < refused < 200
    await until(lambda: asyncio.all_tasks() <= tasks, what="tasks that end")
    assert own_threads() <= threads
    assert unheard == []


async def test_two_hundred_come_and_go_through_one_connection(room: Room) -> None:
    """By turns inactive and back, and recycled under a new mid: no thread, task or section too many."""
    room.send(TestTone(440), SolidColour(RED), SolidColour(BLUE))
    await room.negotiate()
    await room.connected()
    guest = room.server.getTransceivers()[2]
    threads, tasks = 0, 0
    for turn in range(200):
        guest.direction = "inactive"
        await room.negotiate()
        assert [track.kind for track in room.listener.live] == ["audio", "video"]
        if turn % 2:
            room.renamed = {"2": f"2r{turn}"}
        guest.direction = "sendonly"
        answer = await room.negotiate()
        assert len(room.listener.live) == 3
        assert room.listener.live[2].mid == room.renamed.get("2", "2")
        if turn == 3:
            threads, tasks = len(own_threads()), len(asyncio.all_tasks())
    assert len(Description.parse(answer).sections) == 3
    assert len(Description.parse(room.player._connection.remoteDescription.sdp).sections) == 3
    await until(lambda: len(own_threads()) <= threads, what=f"{threads} threads")
    await until(lambda: len(asyncio.all_tasks()) <= tasks, what=f"{tasks} tasks")
    async with asyncio.timeout(10):
        assert abs(await frequency(room.listener.live[0]) - 440) < 5
        assert await shows(room.listener.live[1], RED)


async def test_another_codec_is_another_track(room: Room) -> None:
    room.send(TestTone(440), SolidColour(RED))
    await room.negotiate()
    (before,) = [track for track in room.listener.live if track.kind == "video"]
    offer = await room.offer()
    await room.player.accept_offer(offer, None)
    assert before in room.listener.live
    vp8_alone = "\r\n".join(line for line in offer.splitlines() if "H264" not in line and "=1;prof" not in line)
    await room.player.accept_offer(vp8_alone + "\r\n", None)
    assert before not in room.listener.live
    assert len(room.listener.live) == 2


async def test_a_wrong_fingerprint_is_named(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    """SDP-4: the connection fails, and nothing is sent or shown in the clear."""
    room.send(TestTone(440))
    offer = await room.offer()
    lines = [line if "fingerprint:" not in line else line[:-2] + "00" for line in offer.splitlines()]
    answer = await room.player.accept_offer("\r\n".join(lines) + "\r\n", None)
    await room.server.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await until(lambda: "failed" in room.listener.states)
    assert "media encryption check failed" in caplog.text


# -- candidates --------------------------------------------------------------------------------------


async def test_candidates_of_the_first_section_are_used(room: Room) -> None:
    """As libwebrtc writes them for a bundle; aiortc alone would read the last section's."""
    text = TWO_SLOTS.replace("a=mid:0\n", f"a=mid:0\na=candidate:{HOST}\n")
    await room.player.accept_offer(text, None)
    assert remote_candidates(room.player._connection) == {("192.0.2.7", 51000)}


@pytest.mark.parametrize(
    ("candidate", "used"),
    [
        (HOST, True),
        (f"candidate:{HOST}", True),
        (HOST.replace("udp", "tcp") + " tcptype active", True),
        (HOST.replace("192.0.2.7", "4e2f9d5b-0f5d-4a3c-9f0e-1f2a3b4c5d6e.local"), False),
        (HOST.replace("192.0.2.7", "127.0.0.1"), False),
        (HOST.replace("192.0.2.7", "169.254.169.254"), False),
        ("", False),
        ("garbage", False),
    ],
)
@pytest.mark.parametrize("mid", ["0", None])
async def test_trickled_candidates(candidate: str, used: bool, mid: str | None) -> None:
    """From a server elsewhere: whatever it is, nothing is raised and no name is looked up."""
    room = Room(Addresses.HOST)
    await room.player.accept_offer(TWO_SLOTS, None)
    await room.player.add_candidate(candidate, 0, mid)
    assert len(remote_candidates(room.player._connection)) == used
    await room.aclose()
    await room.player.add_candidate(candidate, 0, mid)


async def test_a_server_on_this_machine_may_name_it(room: Room) -> None:
    await room.player.accept_offer(TWO_SLOTS, None)
    await room.player.add_candidate(HOST.replace("192.0.2.7", "127.0.0.1"), 0, "0")
    assert remote_candidates(room.player._connection) == {("127.0.0.1", 51000)}


async def test_nobody_is_asked_for_our_address_unless_he_is_named(room: Room) -> None:
    """aiortc's own default is a public STUN server (trap 16)."""
    await room.player.accept_offer(TWO_SLOTS, None)
    (transport,) = {one.receiver.transport.transport for one in room.player._connection.getTransceivers()}
    assert transport._connection.stun_server is None
    assert transport._connection.turn_server is None


# -- the own stream ----------------------------------------------------------------------------------


@asynccontextmanager
async def publishing(stream_id: str = "alice") -> AsyncIterator[tuple[PublishPeer, str]]:
    """A peer that publishes, and its offer."""
    peer, sources = PublishPeer(Listener(), [], Addresses.LOOPBACK), (TestTone(440), SolidColour(RED))
    yield peer, await peer.offer([LentTrack(source) for source in sources], stream_id)
    await peer.aclose()
    for source in sources:
        source.stop()


async def test_what_we_offer_to_publish() -> None:
    """Signalling reference, 5.4 and 5.5: both video codecs, Opus, and the loudness in each packet of sound."""
    async with publishing() as (_, offer):
        sound, picture, channel = Description.parse(offer).sections
        assert (sound.kind, picture.kind, channel.kind) == ("audio", "video", "application")
        (h264,) = [
            line.split(":")[1].split(" ")[0]
            for line in picture.lines
            if line.startswith("a=fmtp:") and "packetization-mode=1" in line and "profile-level-id=42e01f" in line
        ]
        assert f"a=rtpmap:{h264} H264/90000" in picture.lines
        assert [line for line in picture.lines if line.endswith(" VP8/90000")]
        (opus,) = [line.split(":")[1].split(" ")[0] for line in sound.lines if line.endswith(" opus/48000/2")]
        assert f"a=fmtp:{opus} minptime=10;useinbandfec=1" in sound.lines
        assert [line for line in sound.lines if line.endswith(" urn:ietf:params:rtp-hdrext:ssrc-audio-level")]


@pytest.mark.parametrize("stream_id", ["alice", "opus", "my-opus-4"])
async def test_no_offer_offends_the_server(stream_id: str) -> None:
    """Section 5.7: the stream id is nowhere in it, so that it may contain what it likes."""
    async with publishing(stream_id) as (_, offer):
        assert offends(offer) == []
        assert stream_id not in offer.replace("opus/48000/2", "")


async def test_candidates_of_the_answer_are_used_and_bounded() -> None:
    async with publishing() as (peer, offer):
        server = new_connection()
        await server.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        first, *others = (await local(server)).split("\r\nm=")
        bare = [line for line in "\r\nm=".join([first, *others]).splitlines() if "candidate" not in line]
        mid = bare.index(f"a=mid:{Description.parse(offer).sections[0].mid}")
        many = [f"a=candidate:{HOST.replace('51000', str(2000 + n))}" for n in range(CANDIDATE_LIMIT + 20)]
        bare[mid:mid] = many
        await peer.accept_answer("\r\n".join(bare) + "\r\n")
        assert len(remote_candidates(peer._connection)) == CANDIDATE_LIMIT
        await server.close()


@pytest.mark.parametrize("answer", ["", "v=0\r\n", "hello", TWO_SLOTS])
async def test_an_answer_that_is_none_is_refused(answer: str) -> None:
    async with publishing() as (peer, _):
        with pytest.raises(WireError):
            await peer.accept_answer(answer)
