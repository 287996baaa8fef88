"""Our client against play offers of a real libwebrtc: after every step, who is seen and heard, by content."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket, is_rtcp
from av import VideoFrame

from tests.hearing import Ear, pitch
from tests.interop.browser import chromium
from tests.interop.offerer import ROOM, Look, Offerer, offerer
from tests.seeing import Eye
from tests.waiting import own_threads, until
from tui.core import protocol
from tui.core.adaptor import WebRTCAdaptor
from tui.core.conference import Conference
from tui.core.sdp import Description
from tui.media.generated import TestTone
from tui.media.tracks import VideoTrack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from numpy.typing import NDArray
    from playwright.async_api import Page

    from tests.core.peers import Colour
    from tui.core.peer import RemoteTrack

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

_COLOURS: list[Colour] = [
    (200, 30, 30),
    (30, 180, 30),
    (30, 30, 200),
    (200, 200, 30),
    (200, 30, 200),
    (30, 200, 200),
    (120, 60, 20),
    (120, 120, 120),
    (250, 140, 30),
    (20, 80, 80),
    (120, 120, 240),
    (250, 160, 200),
]
BLACK: Colour = (0, 0, 0)
LOOKS: dict[str, Look] = {f"p{number}": (colour, 300.0 + 110 * number) for number, colour in enumerate(_COLOURS)}


def colour_of(frame: VideoFrame) -> Colour:
    """Which of the colours the middle of the picture is nearest to: codecs and colour spaces bend them."""
    return nearest(frame.to_ndarray(format="rgb24")[frame.height // 2, frame.width // 2])


def nearest(pixel: NDArray[Any]) -> Colour:
    """The colour that is least far away."""
    return min([*_COLOURS, BLACK], key=lambda colour: int(np.abs(pixel.astype(int) - np.array(colour)).sum()))


class Picture:
    """What comes on a video track, read at once."""

    def __init__(self, remote: RemoteTrack) -> None:
        self.remote = remote
        self.frames = 0
        self.newest: VideoFrame | None = None
        self.eye = Eye(remote)

    async def read(self) -> None:
        with suppress(MediaStreamError):
            while True:
                self.newest = await self.eye.recv()
                self.frames += 1

    def shows(self, colour: Colour, since: int) -> bool:
        """Whether three pictures came since that count, and the newest is of that colour."""
        return self.frames >= since + 3 and self.newest is not None and colour_of(self.newest) == colour


class Sound:
    """What comes on an audio track, heard at once."""

    def __init__(self, remote: RemoteTrack) -> None:
        self.remote = remote
        self.frames = 0
        """Of 20 ms."""
        self._ear = Ear(remote)
        self._newest: NDArray[np.float32] = np.zeros(0, dtype=np.float32)

    async def read(self) -> None:
        with suppress(MediaStreamError):
            while True:
                self._newest = np.concatenate([self._newest, await self._ear.hear(0.02)])[-24_000:]
                self.frames += 1

    @property
    def lost(self) -> int:
        """Frames that had no packet when their time came."""
        return self.remote.playout.lost

    def plays(self, frequency: float, since: int) -> bool:
        """Whether half a second came since that count, loud and of that frequency."""
        if self.frames < since + 25:
            return False
        return bool(np.abs(self._newest).max() > 0.09 and abs(pitch(self._newest) - frequency) < 8)


class Viewer:
    """Our client, playing the room; everything that comes is read."""

    def __init__(self, url: str) -> None:
        self.adaptor = WebRTCAdaptor(url, self._on_callback, self._on_error, play_only=True)
        self.pictures: dict[str, Picture] = {}
        self.sounds: dict[str, Sound] = {}
        self.calls: list[tuple[str, Any]] = []
        self.errors: list[tuple[str, Any]] = []
        self._reading: set[asyncio.Task[None]] = set()

    def _on_callback(self, info: str, obj: Any) -> None:
        self.calls.append((info, obj))
        if info != "newTrackAvailable":
            return
        remote: RemoteTrack = obj["remoteTrack"]
        found: dict[str, Any] = self.pictures if remote.kind == "video" else self.sounds
        found[remote.label] = one = Picture(remote) if remote.kind == "video" else Sound(remote)
        task = asyncio.get_running_loop().create_task(one.read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    def _on_error(self, error: str, obj: Any) -> None:
        self.errors.append((error, obj))

    async def aclose(self) -> None:
        await self.adaptor.aclose()
        await until(lambda: not self._reading, what="tracks that end")

    @property
    def peer(self) -> Any:
        """The core's play connection of this moment."""
        return self.adaptor._link.sessions[ROOM]._peer

    @property
    def live(self) -> tuple[set[str], set[str]]:
        """Whose pictures and whose sounds have not ended."""
        return (
            {label for label, one in self.pictures.items() if one.remote.track.readyState == "live"},
            {label for label, one in self.sounds.items() if one.remote.track.readyState == "live"},
        )

    async def meets(
        self, looks: dict[str, Look], *, others: frozenset[str] = frozenset(), timeout: float = 25.0
    ) -> None:
        """From now on these people are seen and heard, each with the right picture and sound.

        There are no tracks of anybody else, but for ``others``.
        """
        everybody = set(looks) | others
        await until(lambda: self.live == (everybody, everybody), timeout, f"{everybody}, not {self.live}")
        frames = {name: (self.pictures[name].frames, self.sounds[name].frames) for name in looks}

        def missing() -> list[str]:
            """Who is not seen, and who is not heard."""
            unseen = [n for n, (c, _) in looks.items() if not self.pictures[n].shows(c, frames[n][0])]
            return unseen + [n + " (sound)" for n, (_, f) in looks.items() if not self.sounds[n].plays(f, frames[n][1])]

        ends = time.monotonic() + timeout
        while lost := missing():
            assert time.monotonic() < ends, f"not within {timeout} s: {lost}"
            await asyncio.sleep(0.05)
        assert self.errors == []


@pytest.fixture(scope="module")
async def page(pages: str) -> AsyncIterator[Page]:
    async with chromium() as browser:
        page = await (await browser.new_context()).new_page()
        await page.goto(f"{pages}/offerer.html")
        yield page


@asynccontextmanager
async def playing(page: Page, **options: Any) -> AsyncIterator[tuple[Offerer, Viewer]]:
    """A client that has played the room, and a server that has not offered anything yet."""
    async with offerer(page) as server:
        await server.begin(**options)
        viewer = Viewer(server.url)
        try:
            await viewer.adaptor.play(ROOM, room_id=ROOM)
            await server.played()
            yield server, viewer
        finally:
            await viewer.aclose()
            await server.call("end")


@pytest.mark.parametrize(("people", "codecs"), [(12, "H264"), (12, "VP8"), (4, "H264 VP8")])
async def test_people_come_one_by_one(page: Page, codecs: str, people: int) -> None:
    async with playing(page) as (server, viewer):
        for name in list(LOOKS)[:people]:
            await server.add(name, LOOKS[name], video=[*codecs.split(), "rtx"])
            await server.offer()
            await viewer.meets(server.looks)


@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_a_picture_that_was_not_watched_is_back_at_once(page: Page, codec: str) -> None:
    async with playing(page) as (server, viewer):
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name], video=[codec, "rtx"])
        await server.offer()
        await viewer.meets(server.looks)
        hidden = viewer.pictures["p1"]
        for _ in range(3):
            pictures = hidden.remote.pictures
            pictures.pause()
            frames, received, asked = hidden.frames, pictures.received, pictures.key_frames_requested
            await until(lambda: pictures.received > received + 10)  # noqa: B023
            assert hidden.frames <= frames + 1, "one may have been under way"
            frames = hidden.frames
            pictures.watch(hidden.eye)
            await until(lambda: hidden.frames > frames, 2, "the picture")  # noqa: B023
            assert hidden.eye.pictures[-1].codec == codec.lower()
            assert pictures.key_frames_requested == asked + 1
        await viewer.meets(server.looks)


async def test_many_come_and_go_at_once(page: Page) -> None:
    async with playing(page) as (server, viewer):
        for name in ("p0", "p1", "p2", "p3", "p4"):
            await server.add(name, LOOKS[name])
        await server.offer()
        await viewer.meets(server.looks)
        for name in ("p1", "p2", "p3"):
            await server.remove(name, "inactive")
        await server.add("p5", LOOKS["p5"])
        await server.add("p6", LOOKS["p6"])
        await server.offer()
        await viewer.meets(server.looks)


@pytest.mark.parametrize("how", ["inactive", "msid", "stop"])
async def test_somebody_leaves_and_another_comes(page: Page, how: str) -> None:
    """Every form of leaving in the SDP, the first of the bundle staying; the newcomer may take the old sections."""
    async with playing(page) as (server, viewer):
        await server.call("open", "server")
        for name in ("p0", "p1", "p2"):
            await server.add(name, LOOKS[name])
        await server.offer()
        await viewer.meets(server.looks)
        await server.remove("p1", how)
        answer = await server.offer()
        await viewer.meets(server.looks)
        ports = [section.lines[0].split(" ")[1] for section in Description.parse(answer).sections]
        assert (ports.count("0") == 2) is (how == "stop")
        await server.add("p3", LOOKS["p3"])
        await server.offer()
        await viewer.meets(server.looks)


@pytest.mark.parametrize(("ssrc", "id_mapping"), [(True, False), (False, True)])
async def test_sections_are_used_again(page: Page, ssrc: bool, id_mapping: bool) -> None:
    """Inactive and back by the same person, by another, without a pause in between, and recycled."""
    async with playing(page, ssrc=ssrc) as (server, viewer):
        server.id_mapping = id_mapping
        for name in ("p0", "p1", "p2"):
            await server.add(name, LOOKS[name])
        await server.offer()
        await viewer.meets(server.looks)
        for _ in range(2):
            await server.remove("p1", "inactive")
            await server.offer()
            await viewer.meets(server.looks)
            await server.back("p1", LOOKS["p1"])
            await server.offer()
            await viewer.meets(server.looks)
        await server.remove("p1", "inactive")
        await server.offer()
        await viewer.meets(server.looks)
        await server.reuse("p1", "p3", LOOKS["p3"])
        await server.offer()
        await viewer.meets(server.looks)
        await server.reuse("p3", "p4", LOOKS["p4"])
        await server.offer()
        await viewer.meets(server.looks)
        await server.remove("p4", "stop")
        await server.offer()
        await viewer.meets(server.looks)
        await server.add("p5", LOOKS["p5"])
        sdp = await server.send_offer()
        await server.apply(await server.take_answer())
        assert len(Description.parse(sdp).sections) == 6, "recycled"
        await viewer.meets(server.looks)


async def test_without_ssrc_lines(page: Page) -> None:
    async with playing(page, ssrc=False) as (server, viewer):
        for name in ("p0", "p1", "p2"):
            await server.add(name, LOOKS[name])
            assert "a=ssrc" not in await server.send_offer()
            await server.apply(await server.take_answer())
            await viewer.meets(server.looks)


async def test_two_in_simulcast(page: Page) -> None:
    async with playing(page) as (server, viewer):
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name], video=["VP8", "rtx"], simulcast=True)
        assert "a=simulcast:send" in await server.send_offer()
        await server.apply(await server.take_answer())
        await viewer.meets(server.looks)


@pytest.mark.parametrize("policy", ["max-bundle", "balanced"])
async def test_the_full_list_of_codecs(page: Page, policy: str) -> None:
    async with playing(page, bundlePolicy=policy) as (server, viewer):
        for name in ("p0", "p1", "p2"):
            await server.add(name, LOOKS[name], video=None)
        sdp = await server.send_offer()
        for codec in ("VP9/90000", "AV1/90000", "red/90000", "ulpfec/90000", "red/48000"):
            assert codec in sdp
        await server.apply(await server.take_answer())
        await viewer.meets(server.looks)


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_section_with_a_codec_that_we_lack(page: Page, place: int) -> None:
    """It is rejected, and the others go on; the first of the bundle cannot be rejected, it is inactive instead."""
    async with playing(page) as (server, viewer):
        for turn in range(3):
            if turn == place:
                await server.add("p9", LOOKS["p9"], kinds=["video"], video=["VP9", "AV1"])
            await server.add(f"p{turn}", LOOKS[f"p{turn}"])
        answer = await server.offer()
        hopeless = Description.parse(answer).sections[2 * place]
        assert hopeless.rejected is (place > 0)
        assert hopeless.direction == "inactive"
        await viewer.meets(server.looks)
        await server.add("p4", LOOKS["p4"])
        await server.offer()
        await viewer.meets(server.looks)


@pytest.mark.parametrize("place", ["first", "middle", "last"])
async def test_the_data_channel_may_be_anywhere(page: Page, place: str) -> None:
    async with playing(page) as (server, viewer):
        if place == "first":
            await server.call("open", "server")
            await server.offer()
            await until(lambda: ("data_channel_opened", ROOM) in viewer.calls)
        await server.add("p0", LOOKS["p0"])
        if place == "middle":
            await server.call("open", "server")
        await server.offer()
        await server.add("p1", LOOKS["p1"])
        if place == "last":
            await server.call("open", "server")
        answer = await server.offer()
        kinds = [section.kind for section in Description.parse(answer).sections]
        assert kinds.index("application") == {"first": 0, "middle": 2, "last": 4}[place]
        await viewer.meets(server.looks)
        await until(lambda: ("data_channel_opened", ROOM) in viewer.calls)
        assert viewer.adaptor.send_data(ROOM, "hello")
        await page.wait_for_function("room.messages()[0] === 'hello'")
        await server.call("send", "hello yourself")
        await until(lambda: ("data_received", {"streamId": ROOM, "data": "hello yourself"}) in viewer.calls)


async def test_sections_in_another_order(page: Page) -> None:
    """Nothing depends on it: sections are known by their mid."""
    async with playing(page, reversed=True) as (server, viewer):
        await server.call("open", "server")
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name])
            await server.offer()
            await viewer.meets(server.looks)


@pytest.mark.parametrize("candidates", ["inline", "before", "after", "none"])
@pytest.mark.parametrize("policy", ["max-bundle", "balanced"])
async def test_candidates_whenever_they_come(page: Page, policy: str, candidates: str) -> None:
    async with playing(page, bundlePolicy=policy) as (server, viewer):
        server.candidates = candidates
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name])
        await server.offer()
        await viewer.meets(server.looks)


async def test_an_offer_overtakes_the_answer_to_the_one_before(page: Page) -> None:
    async with playing(page) as (server, viewer):
        await server.add("p0", LOOKS["p0"])
        await server.send_offer()
        await server.add("p1", LOOKS["p1"])
        await server.send_offer()
        await server.take_answer()
        await server.apply(await server.take_answer())
        await viewer.meets(server.looks)
        for name in ("p2", "p3", "p4"):
            await server.add(name, LOOKS[name])
            newest = await server.send_offer()
        sections = len(Description.parse(newest).sections)
        while len(Description.parse(answer := await server.take_answer()).sections) < sections:
            pass
        await server.apply(answer)
        await viewer.meets(server.looks)


async def test_offers_in_the_middle_of_the_handshake(page: Page) -> None:
    """The next ones are answered before the connection is up (trap 3)."""
    async with playing(page) as (server, viewer):
        await server.add("p0", LOOKS["p0"])
        await server.send_offer()
        answer = await server.take_answer()
        ice, going_on = transport(viewer).transport, asyncio.Event()
        receive = ice._recv

        async def received() -> bytes:
            data: bytes = await receive()
            await going_on.wait()
            return data

        ice._recv = received
        await server.apply(answer)
        await until(lambda: ice.state == "completed")
        for name in ("p1", "p2"):
            await server.add(name, LOOKS[name])
            await server.offer()
            assert not viewer.peer.connected
        going_on.set()
        await viewer.meets(server.looks)


async def test_only_a_data_channel_first(page: Page) -> None:
    """Alone in the room (signalling reference, 4.5)."""
    async with playing(page) as (server, viewer):
        await server.call("open", "server")
        await server.offer()
        await until(lambda: ("data_channel_opened", ROOM) in viewer.calls)
        assert viewer.live == (set(), set())
        await server.add("p0", LOOKS["p0"])
        await server.offer()
        await viewer.meets(server.looks)


async def test_somebody_leaves_without_a_word_in_the_sdp(page: Page) -> None:
    """Only the server's list and its notification tell; the tracks stay, and whose they were is not shown any more."""
    async with offerer(page) as server:
        await server.begin()
        conference = Conference(server.url, ROOM, "viewer", lambda _: None, play_only=True)
        joining = asyncio.ensure_future(conference.join())
        await server.played()
        server.listed = ["p0", "p1"]
        for name in server.listed:
            await server.add(name, LOOKS[name])
        await server.offer()
        await server.notify("play_started", streamId=ROOM)
        await joining

        def shown() -> dict[str, bool]:
            """Who is there, and whether with picture and sound."""
            others = [one for one in conference.participants if not one.is_self]
            return {one.stream_id: bool(one.video and one.audio) for one in others}

        await until(lambda: shown() == {"p0": True, "p1": True}, what=str(shown()))
        server.listed = ["p0"]
        await server.notify("subtrackRemoved", mainTrack=ROOM, trackId="p1")
        await until(lambda: shown() == {"p0": True}, what=str(shown()))
        assert server.plays == 1
        await conference.aclose()
        await server.call("end")


async def test_who_stays_loses_nothing_when_others_come_and_go(page: Page) -> None:
    async with playing(page) as (server, viewer):
        await server.add("p0", LOOKS["p0"])
        await server.add("p1", LOOKS["p1"])
        await server.offer()
        await viewer.meets(server.looks)
        kept = (viewer.pictures["p0"], viewer.sounds["p0"])
        mid = kept[0].remote.mid

        async def sent() -> int:
            (stream,) = (await server.call("figures"))[mid]
            return int(stream["framesSent"])

        silences, before, frames = kept[1].lost, await sent(), kept[0].frames
        for name in ("p2", "p3"):
            await server.remove("p1" if name == "p2" else "p2", "stop" if name == "p2" else "inactive")
            await server.offer()
            await server.add(name, LOOKS[name])
            await server.offer()
            await viewer.meets(server.looks)
        assert (viewer.pictures["p0"], viewer.sounds["p0"]) == kept
        assert kept[1].lost == silences, "holes in the sound"
        lost = await sent() - before - (kept[0].frames - frames)
        assert lost <= 3, f"{lost} pictures lost"


async def test_one_after_another_joins_and_leaves(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty people through one connection: no thread, no task and no section too many."""
    monkeypatch.setattr(protocol, "OFFER_BURST", 100)  # a server that renegotiates like this is slowed down
    async with playing(page) as (server, viewer):
        await server.add("p0", LOOKS["p0"])
        await server.offer()
        await viewer.meets(server.looks)
        peer, threads, tasks, last = viewer.peer, 0, 0, ""
        for turn in range(30):
            name = f"p{1 + turn % 11}"
            if turn % 2:
                await server.reuse(last, name, LOOKS[name])
            else:
                await server.add(name, LOOKS[name])
            sdp = await server.send_offer()
            await server.apply(await server.take_answer())
            if turn % 5 == 0:
                await viewer.meets(server.looks)
            assert viewer.live == ({"p0", name}, {"p0", name})
            if turn == 1:
                threads, tasks = len(own_threads()), len(asyncio.all_tasks())
            await server.remove(name, "stop" if turn % 2 else "inactive")
            await server.offer()
            assert viewer.live == ({"p0"}, {"p0"})
            last = name
        assert viewer.peer is peer
        assert len(Description.parse(sdp).sections) == 4
        await until(lambda: len(own_threads()) <= threads, what=f"{threads} threads")
        await until(lambda: len(asyncio.all_tasks()) <= tasks, what=f"{tasks} tasks")
        await viewer.meets(server.looks)


def transport(viewer: Viewer) -> Any:
    """The one DTLS transport of the play connection."""
    (found,) = {one.receiver.transport for one in viewer.peer._connection.getTransceivers()}
    return found


def lose(viewer: Viewer, lost: Callable[[RtpPacket], bool]) -> None:
    """Of the packets that arrive from now on, these do not; only their headers are readable."""
    ice = transport(viewer).transport
    receive = ice._recv

    async def received() -> bytes:
        while True:
            data: bytes = await receive()
            if data[0] >> 6 != 2 or is_rtcp(data) or not lost(RtpPacket.parse(data)):
                return data

    ice._recv = received


async def test_lost_packets_are_sent_again(page: Page) -> None:
    """Chromium offers rtx on an SSRC of its own; it is not negotiated, and what is sent again comes (row 3)."""
    async with playing(page) as (server, viewer):
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name])
        assert "a=ssrc-group:FID" in await server.send_offer()
        answer = await server.take_answer()
        assert "rtx" not in answer
        await server.apply(answer)
        await viewer.meets(server.looks)
        seen: set[tuple[int, int]] = set()

        def every_tenth_once(packet: RtpPacket) -> bool:
            key = (packet.ssrc, packet.sequence_number)
            lost = packet.sequence_number % 10 == 0 and key not in seen
            seen.add(key)
            return lost and packet.payload_type != 111

        lose(viewer, every_tenth_once)
        before = {name: viewer.pictures[name].frames for name in server.looks}
        await until(lambda: all(viewer.pictures[name].frames > before[name] + 60 for name in before), 15)
        streams = (await server.call("figures")).values()
        again = [report["retransmittedPacketsSent"] for (report,) in streams if report["kind"] == "video"]
        assert min(again) >= 3, again
        await viewer.meets(server.looks)


@pytest.mark.parametrize("mixed", [True, False])
async def test_mixed_extensions_are_agreed_upon_or_not(page: Page, mixed: bool) -> None:
    """Without them libwebrtc has its senders begin anew at each renegotiation (row 2)."""
    async with playing(page, mixed=mixed) as (server, viewer):
        for name in ("p0", "p1", "p2"):
            await server.add(name, LOOKS[name])
            answer = await server.offer()
            assert ("a=extmap-allow-mixed" in answer) is mixed
            await viewer.meets(server.looks)


async def test_six_streams_have_the_bandwidth_that_they_need(page: Page) -> None:
    """No stream's own REMB is taken for the whole connection's (row 5)."""
    async with playing(page) as (server, viewer):
        for name in list(LOOKS)[:6]:
            await server.add(name, LOOKS[name], size=(320, 180))
        await server.offer()
        await viewer.meets(server.looks)
        before = {name: viewer.pictures[name].frames for name in server.looks}
        await until(lambda: all(viewer.pictures[name].frames > before[name] + 75 for name in before), 20)
        streams = [report for (report,) in (await server.call("figures")).values() if report["kind"] == "video"]
        assert min(report["targetBitrate"] for report in streams) > 50_000
        sent = [report["framesSent"] for report in streams]
        assert min(sent) > 0.8 * max(sent), sent


async def test_after_a_gap_of_seconds_the_pictures_are_back(page: Page) -> None:
    """Nothing arrives for three seconds, then everything again (row 4)."""
    async with playing(page) as (server, viewer):
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name])
        await server.offer()
        await viewer.meets(server.looks)

        gap: set[int] = set()

        def in_the_gap(packet: RtpPacket) -> bool:
            gap.add(packet.timestamp)
            return len(gap) < 150

        lose(viewer, in_the_gap)
        await until(lambda: len(gap) >= 150, what="three seconds of sound that are lost")
        await viewer.meets(server.looks)


async def test_who_pauses_comes_back(page: Page) -> None:
    """Sending stops without a word in the SDP, and begins again."""
    async with playing(page) as (server, viewer):
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name])
        await server.offer()
        await viewer.meets(server.looks)
        await server.call("pause", "p1", True)
        await viewer.meets({"p0": LOOKS["p0"]}, others=frozenset({"p1"}))
        await server.call("pause", "p1", False)
        await viewer.meets(server.looks)


async def test_the_size_of_a_picture_changes(page: Page) -> None:
    async with playing(page) as (server, viewer):
        await server.add("p0", LOOKS["p0"])
        await server.offer()
        await viewer.meets(server.looks)
        for width, height in ((320, 180), (640, 360), (160, 120)):
            await server.call("resize", "p0", width, height)
            await until(
                lambda size=(width, height): (
                    (newest := viewer.pictures["p0"].newest) is not None  # type: ignore[misc]
                    and (newest.width, newest.height) == size
                )
            )
            await viewer.meets(server.looks)


async def test_without_the_first_of_the_bundle_the_room_is_played_anew(page: Page) -> None:
    """The owner of the transport is rejected: this connection cannot go on (row 10)."""
    async with playing(page) as (server, viewer):
        for name in ("p0", "p1"):
            await server.add(name, LOOKS[name])
        await server.offer()
        await viewer.meets(server.looks)
        await server.remove("p0", "stop")
        await server.send_offer()
        await server.played(2)
        await server.begin()
        await server.add("p1", LOOKS["p1"])
        await server.offer()
        await viewer.meets(server.looks)


async def test_an_offer_that_is_no_offer_disturbs_nobody(page: Page) -> None:
    async with playing(page) as (server, viewer):
        await server.add("p0", LOOKS["p0"])
        await server.offer()
        await viewer.meets(server.looks)
        for sdp in ("", "v=0", "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\n"):
            await server.send({"command": "takeConfiguration", "streamId": ROOM, "type": "offer", "sdp": sdp})
        await until(lambda: viewer.errors)
        assert {error for error, _ in viewer.errors} == {"notSetRemoteDescription"}
        viewer.errors.clear()
        await viewer.meets(server.looks)
        await server.add("p1", LOOKS["p1"])
        await server.offer()
        viewer.errors.clear()
        await viewer.meets(server.looks)
        assert server.plays == 1


@pytest.mark.parametrize("crashes", [True, False])
async def test_a_server_that_vanishes_is_missed(page: Page, pages: str, crashes: bool) -> None:
    """No goodbye, no signalling: our own clocks notice, and the room is played anew (row 13)."""
    async with playing(page) as (server, viewer):
        server.page = await page.context.new_page()
        await server.page.goto(f"{pages}/offerer.html")
        await server.begin()
        await server.add("p0", LOOKS["p0"])
        await server.offer()
        await viewer.meets(server.looks)
        if crashes:
            devtools = await page.context.new_cdp_session(server.page)
            async with server.page.expect_event("crash"):
                crashing = asyncio.ensure_future(devtools.send("Page.crash"))
            crashing.cancel()
        else:
            await server.page.close()
        server.page = page
        await server.played(2)
        await server.begin()
        await server.add("p1", LOOKS["p1"])
        await server.offer()
        await viewer.meets(server.looks)


# -- publishing ----------------------------------------------------------------------------------------------


class Sized(VideoTrack):
    """One colour, of any size."""

    def __init__(self, colour: Colour, width: int, height: int) -> None:
        super().__init__()
        pixels = np.full((height, width, 3), colour, dtype=np.uint8)
        self._frame = VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")

    def picture(self, at: float) -> VideoFrame:
        return self._frame


@pytest.mark.parametrize("size", [(320, 180), (640, 360)])
@pytest.mark.parametrize("codec", ["H264", "VP8"])
async def test_what_we_publish_is_seen_and_heard(page: Page, codec: str, size: tuple[int, int]) -> None:
    audio, video = TestTone(660.0), Sized(_COLOURS[2], *size)
    async with offerer(page) as server:
        server.prefer(codec)
        told: list[tuple[str, Any]] = []
        adaptor = WebRTCAdaptor(server.url, lambda *call: told.append(call), audio=audio, video=video)

        async def perceived(colour: Colour, frequency: float) -> None:
            found: dict[str, Any] = {}
            ends = time.monotonic() + 25
            while True:
                assert time.monotonic() < ends, found
                found = await server.call("perceived")
                shown = found.get("colour") and nearest(np.array(found["colour"])) == colour
                # As loud as it was: aiortc's encoder would take half of a mono sound's power away (trap 20).
                heard = abs(found["peak"] - 0.3) < 0.06 and abs(found["frequency"] - frequency) < 10
                if shown and (heard if frequency else found["peak"] < 0.001):
                    break
                await asyncio.sleep(0.05)
            assert (found["width"], found["height"], found["codec"]) == (*size, f"video/{codec}")

        try:
            await adaptor.publish("alice", main_track=ROOM)
            await until(lambda: any(info == "data_channel_opened" for info, _ in told))
            await perceived(_COLOURS[2], 660.0)
            audio.enabled = video.enabled = False
            await perceived(BLACK, 0.0)
            audio.enabled = video.enabled = True
            await perceived(_COLOURS[2], 660.0)
        finally:
            await adaptor.aclose()
            await server.call("end")
            for track in (audio, video):
                track.stop()
