"""One play session between a real `Viewer` and the core's own peer, with publishers that come, go, speak and hush."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from aiortc import RTCSessionDescription
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, pack_remb_fci

from tests.core.peers import BLUE, GREEN, RED
from tests.hearing import frequency
from tests.seeing import shows
from tests.waiting import named_tasks, own_threads, until
from tui.core.aiortc_internals import Addresses, unpack_estimate
from tui.core.peer import PlayPeer
from tui.core.sdp import Description, Section
from tui.server import forwarding
from tui.server.forwarding import Outlet
from tui.server.ingest import Ingest
from tui.server.meters import SILENCE
from tui.server.slots import Kind, Labels, Limits
from tui.server.viewer import Viewer, track_filter

from .raw_client import Picture, Tone, describe, new_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiortc import RTCPeerConnection

    from tests.core.peers import Colour
    from tui.core.peer import RemoteTrack
    from tui.server.forwarding import Inlet
    from tui.server.session import Ending

COLOURS = {"alice": RED, "bob": GREEN, "carol": BLUE}
PITCHES = {"alice": 440.0, "bob": 660.0, "carol": 880.0}


class Publisher:
    """One participant who is published all the time, shown to the viewer or not."""

    def __init__(self, name: str, *, audio: bool = True, video: bool = True) -> None:
        self.name = name
        self.started = asyncio.Event()
        self.connection: RTCPeerConnection = new_connection()
        if video:
            self.connection.addTrack(Picture(COLOURS[name]))
        if audio:
            self.connection.addTrack(Tone(PITCHES[name]))
        self.connection.createDataChannel(name)
        self.ingest = Ingest(self, name, Addresses.LOOPBACK, 10.0)

    async def begin(self) -> Publisher:
        answer = await self.ingest.answer(await describe(self.connection))
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await asyncio.wait_for(self.started.wait(), 10)
        return self

    async def aclose(self) -> None:
        await self.ingest.aclose()
        await self.connection.close()

    def is_open(self) -> bool:
        return True

    def publish_started(self, _ingest: Ingest) -> None:
        self.started.set()

    def publish_ended(self, _ingest: Ingest, _ending: Ending) -> None:
        pass

    def publish_said(self, _ingest: Ingest, _message: str | bytes) -> None:
        pass


class Audience:
    """The owner of a viewer and the listener of the peer that plays it."""

    def __init__(self, labels: Labels = Labels.SLOT, limits: Limits | None = None, **options: Any) -> None:
        self.tracks: dict[tuple[str, str], RemoteTrack] = {}
        self.offers: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.ending: Ending | None = None
        self.rewrite: Callable[[str], str] = lambda answer: answer
        self._answering: set[asyncio.Task[None]] = set()
        self.peer = PlayPeer(self, [], Addresses.LOOPBACK)
        self.viewer = Viewer(self, "room1", Addresses.LOOPBACK, 10.0, labels=labels, limits=limits, **options)

    async def aclose(self) -> None:
        await self.viewer.aclose()
        await self.peer.aclose()

    async def sees(self, label: str, colour: Colour) -> None:
        track = await self.live("video", label)
        async with asyncio.timeout(10):
            assert await shows(track, colour), label

    async def hears(self, label: str, name: str) -> None:
        track = await self.live("audio", label)
        async with asyncio.timeout(10):
            while abs(await frequency(track) - PITCHES[name]) > 5:
                pass

    async def live(self, kind: str, label: str) -> RemoteTrack:
        def found() -> RemoteTrack | None:
            track = self.tracks.get((kind, label))
            return track if track is not None and track.track.readyState == "live" else None

        track = await until(found, what=f"{label} among {list(self.tracks)}")
        assert track is not None
        return track

    def owners(self, kind: Kind = Kind.VIDEO) -> list[str]:
        return [slot.owner for slot in self.viewer.slots(kind)]

    def list_of(self, event_type: str) -> list[dict[str, Any]]:
        """The payload of the last such event."""
        found = [event for event in self.events if event["eventType"] == event_type]
        payload: list[dict[str, Any]] = found[-1]["payload"] if found else []
        return payload

    def live_tracks(self) -> int:
        return sum(track.track.readyState == "live" for track in self.tracks.values())

    def was_told(self, event_type: str, payload: list[dict[str, Any]]) -> bool:
        return self.list_of(event_type) == payload

    # -- the owner of the viewer --

    def notify(self, definition: str, **fields: Any) -> None:
        pass

    def play_offered(self, viewer: Viewer, sdp: str, id_mapping: dict[str, str]) -> None:
        async def answer() -> None:
            viewer.take_answer(self.rewrite(await self.peer.accept_offer(sdp, id_mapping)))

        self.offers.append(sdp)
        task = asyncio.create_task(answer())
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def play_started(self, viewer: Viewer) -> None:
        pass

    def play_ended(self, viewer: Viewer, ending: Ending) -> None:
        self.ending = ending

    def play_said(self, viewer: Viewer, message: str | bytes) -> None:
        pass

    # -- the listener of the peer --

    def ice_state(self, state: str) -> None:
        pass

    def connection_state(self, state: str) -> None:
        pass

    def channel_state(self, is_open: bool) -> None:
        pass

    def channel_error(self, error: str) -> None:
        pass

    def data(self, data: str | bytes) -> None:
        self.events.append(json.loads(data))

    def track(self, track: RemoteTrack) -> None:
        self.tracks[track.kind, track.label] = track


@pytest.fixture
async def room() -> AsyncIterator[dict[str, Publisher]]:
    people = {name: Publisher(name) for name in COLOURS}
    await asyncio.gather(*(one.begin() for one in people.values()))
    yield people
    await asyncio.gather(*(one.aclose() for one in people.values()))


def shown(room: dict[str, Publisher], *names: str) -> dict[str, Ingest]:
    return {name: room[name].ingest for name in names}


def sections(sdp: str) -> list[tuple[str, bool]]:
    """Mid, and whether it is rejected."""
    return [(section.mid, section.rejected) for section in Description.parse(sdp).sections]


@pytest.mark.timeout(300)
async def test_two_hundred_come_and_go_and_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "KEY_FRAME_INTERVAL", 0.05)
    room = {"alice": await Publisher("alice").begin(), "bob": await Publisher("bob", audio=False).begin()}
    audience = Audience(Labels.STREAM)
    viewer = audience.viewer
    owners: dict[str, str] = {}
    viewer.show(shown(room, "alice"))
    await audience.sees("alice", RED)
    viewer.show({})
    await until(lambda: audience.live_tracks() == 0)
    before = own_threads(), named_tasks()
    for number in range(200):
        name = ("alice", "bob")[number % 2]
        label = f"{name}-{number}"
        viewer.show({label: room[name].ingest})
        await audience.sees(label, COLOURS[name])
        for section in Description.parse(audience.offers[-1]).sections[1:]:
            if not section.rejected:
                assert owners.setdefault(section.mid, section.track_id) == section.track_id, "a mid had another owner"
        if number % 3 == 0:
            viewer.show({})
            await until(lambda: not any(audience.owners()))
    viewer.show({})
    await until(lambda: audience.live_tracks() == 0)
    last = sections(audience.offers[-1])
    assert len(last) <= 1 + 2 * 2, "no more lines than two people need"
    assert [rejected for _, rejected in last] == [False] + [True] * (len(last) - 1)
    assert len(owners) >= 300
    await until(lambda: (own_threads(), named_tasks()) == before, what="no thread and no task is left")
    assert audience.ending is None
    await audience.aclose()
    for one in room.values():
        await one.aclose()


async def test_slots_are_used_again_under_their_own_names(room: dict[str, Publisher]) -> None:
    audience = Audience()
    for number in range(12):
        name = list(COLOURS)[number % 3]
        audience.viewer.show({f"{name}-{number}": room[name].ingest})
        await audience.sees("videoTrack0", COLOURS[name])
        wanted = [{"videoLabel": "videoTrack0", "trackId": f"{name}-{number}", "reserved": False}]
        await until(partial(audience.was_told, "VIDEO_TRACK_ASSIGNMENT_LIST", wanted))
    assert [mid for mid, _ in sections(audience.offers[-1])] == ["0", "1", "2"]
    assert len(audience.offers) == 2, "a slot that changes its owner needs no offer"
    await audience.aclose()


async def test_what_is_disabled_is_not_sent_and_comes_back_with_a_picture(room: dict[str, Publisher]) -> None:
    audience = Audience()
    viewer = audience.viewer
    viewer.show(shown(room, "alice", "bob"))
    await audience.sees("videoTrack0", RED)
    await audience.sees("videoTrack1", GREEN)
    offers = len(audience.offers)
    viewer.enable("alice", False, [Kind.VIDEO])
    outlets = dict(zip(audience.owners(), (line.outlet for line in viewer._lines[Kind.VIDEO]), strict=True))
    assert outlets["alice"].inlet is None, "from the next packet on"
    assert outlets["bob"].inlet is not None
    await audience.hears("audioTrack0", "alice")
    viewer.enable("alice", True, [Kind.VIDEO])
    await until(lambda: outlets["alice"].inlet is not None)
    await audience.sees("videoTrack0", RED)
    viewer.enable("alice", False)
    await until(lambda: viewer._lines[Kind.AUDIO][0].outlet.inlet is None)
    viewer.enable("nobody", False)
    assert audience.owners() == ["alice", "bob"]
    assert len(audience.offers) == offers
    await audience.aclose()


async def test_whoever_starts_with_every_track_disabled_enables_them_one_by_one(room: dict[str, Publisher]) -> None:
    audience = Audience(disabled=True)
    viewer = audience.viewer
    viewer.show(shown(room, "alice", "bob"))
    await until(lambda: audience.owners() == ["alice", "bob"] and ("video", "videoTrack1") in audience.tracks)
    viewer.enable("bob", True)
    await audience.sees("videoTrack1", GREEN)
    inlets = [line.outlet.inlet for kind in Kind for line in viewer._lines[kind]]
    assert [inlet is not None for inlet in inlets] == [False, True, False, True]
    viewer.show(shown(room, "bob"))
    await until(lambda: audience.owners() == ["", "bob"])
    viewer.show(shown(room, "alice", "bob"))
    await until(lambda: audience.owners() == ["alice", "bob"])
    assert viewer._lines[Kind.VIDEO][0].outlet.inlet is None
    await audience.aclose()


async def test_what_is_disabled_during_a_negotiation_stays_so(
    room: dict[str, Publisher], monkeypatch: pytest.MonkeyPatch
) -> None:
    audience = Audience()
    viewer = audience.viewer
    viewer.show(shown(room, "alice"))
    await audience.sees("videoTrack0", RED)
    outlet = viewer._lines[Kind.VIDEO][0].outlet
    connected: list[object] = []
    connect = Outlet.connect

    def noted(self: Outlet, inlet: Inlet | None) -> None:
        if self is outlet:
            connected.append(inlet)
        connect(self, inlet)

    def disabling(answer: str) -> str:
        viewer.enable("alice", False)
        return answer

    audience.rewrite = disabling
    monkeypatch.setattr(Outlet, "connect", noted)
    viewer.show(shown(room, "alice", "bob"))
    await audience.sees("videoTrack1", GREEN)
    assert set(connected) == {None}
    await audience.aclose()


async def test_a_viewer_says_how_much_it_can_receive(room: dict[str, Publisher]) -> None:
    audience = Audience()
    viewer = audience.viewer
    viewer.show(shown(room, "alice"))
    await audience.sees("videoTrack0", RED)
    assert viewer.target_bitrate == 0
    outlet = viewer._lines[Kind.VIDEO][0].outlet
    estimate = pack_remb_fci(500_000, [outlet._rtp.ssrc])
    outlet.hear_rtcp(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=estimate))
    await until(lambda: viewer.bitrate(Kind.AUDIO) > 0)
    assert viewer.target_bitrate > 500_000
    await audience.aclose()


async def test_limited_slots_follow_the_loudest_without_an_offer(
    room: dict[str, Publisher], monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = {"alice": 30, "bob": SILENCE, "carol": SILENCE}
    monkeypatch.setattr(Ingest, "audio_level", property(lambda ingest: levels[ingest.stream_id]))
    audience = Audience(limits=Limits(video=1, audio=1))
    audience.viewer.show(shown(room, *COLOURS))
    await audience.sees("videoTrack0", RED)
    offers = len(audience.offers)
    levels.update(alice=SILENCE, carol=30)
    await until(lambda: audience.owners() == ["carol"])
    await audience.sees("videoTrack0", BLUE)
    await until(lambda: audience.list_of("VIDEO_TRACK_ASSIGNMENT_LIST")[0]["trackId"] == "carol")

    def told() -> list[tuple[str, int]]:
        return [(one["trackId"], one["audioLevel"]) for one in audience.list_of("AUDIO_TRACK_ASSIGNMENT")]

    await until(lambda: told() == [("carol", 30)])
    await audience.hears("audioTrack0", "carol")
    assert len(audience.offers) == offers
    await audience.aclose()


async def test_who_speaks_is_told_for_as_long_as_somebody_does(
    room: dict[str, Publisher], monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = dict.fromkeys(COLOURS, SILENCE)
    monkeypatch.setattr(Ingest, "audio_level", property(lambda ingest: levels[ingest.stream_id]))
    audience = Audience()
    audience.viewer.show(shown(room, "alice", "bob"))

    def told() -> int:
        return len([event for event in audience.events if event["eventType"] == "AUDIO_TRACK_ASSIGNMENT"])

    await until(lambda: told() == 1)
    levels["bob"] = 40
    await until(lambda: told() >= 4)
    assert [one["audioLevel"] for one in audience.list_of("AUDIO_TRACK_ASSIGNMENT")] == [SILENCE, 40]
    levels["bob"] = SILENCE
    await until(lambda: [one["audioLevel"] for one in audience.list_of("AUDIO_TRACK_ASSIGNMENT")] == [SILENCE] * 2)
    await audience.aclose()


async def test_a_line_that_the_client_refuses_does_not_disturb_the_others(room: dict[str, Publisher]) -> None:
    audience = Audience()

    def refusing_video(answer: str) -> str:
        made = Description.parse(answer)
        parts = [
            Section(("m=video 0 UDP/TLS/RTP/SAVPF 0", f"a=mid:{one.mid}")) if one.kind == "video" else one
            for one in made.sections
        ]
        return str(Description(made.session, tuple(parts)))

    audience.rewrite = refusing_video
    audience.viewer.show(shown(room, "alice"))
    await audience.hears("audioTrack0", "alice")
    assert audience.ending is None
    await audience.aclose()


@pytest.mark.parametrize(("audio", "video"), [(True, False), (False, True), (False, False)])
async def test_a_publisher_may_send_only_a_part(audio: bool, video: bool) -> None:
    alice = await Publisher("alice", audio=audio, video=video).begin()
    audience = Audience()
    audience.viewer.show({"alice": alice.ingest})
    await until(lambda: any(event["eventType"] == "TRACK_LIST_UPDATED" for event in audience.events))
    assert audience.owners(Kind.VIDEO) == ["alice"] * video
    assert audience.owners(Kind.AUDIO) == ["alice"] * audio
    if video:
        await audience.sees("videoTrack0", RED)
    if audio:
        await audience.hears("audioTrack0", "alice")
    await audience.aclose()
    await alice.aclose()


async def test_figures_are_taken_on_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    estimates: list[int] = []

    def spy(data: bytes) -> tuple[int, list[int]]:
        found = unpack_estimate(data)
        estimates.append(found[0])
        return found

    monkeypatch.setattr("aiortc.rtcrtpsender.unpack_remb_fci", spy)
    alice = await Publisher("alice").begin()
    audience = Audience()
    audience.viewer.show({"alice": alice.ingest})
    await audience.sees("videoTrack0", RED)
    assert alice.ingest.video_size == (160, 120)
    assert [alice.ingest.codec(kind) for kind in Kind] == ["video/VP8", "audio/opus"]
    await until(lambda: all(alice.ingest.bitrate(kind) > 0 for kind in Kind), what="bitrates of the publisher")
    await until(lambda: all(audience.viewer.bitrate(kind) > 0 for kind in Kind), what="bitrates to the viewer")
    assert alice.ingest.received_bytes > alice.ingest.packets > 10
    assert audience.viewer.height("alice") == 120
    assert audience.viewer.height("nobody") is None
    await until(lambda: estimates, what="the publisher is told how much it may send")
    await audience.aclose()
    await alice.aclose()


@pytest.mark.parametrize(
    ("track_list", "wanted"),
    [([], "abc"), (["a"], "a"), (["!a"], "bc"), (["a", "b", "!b"], "a"), ([""], "abc")],
)
def test_a_track_list_names_what_is_wanted(track_list: list[str], wanted: str) -> None:
    assert "".join(filter(track_filter(track_list), "abc")) == wanted
