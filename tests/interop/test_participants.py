"""Participants of all kinds, in tabs and of our own: codecs, sizes, and people with less than both media."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiortc.rtp import is_rtcp

from tests.interop.person import Person, people
from tests.interop.tab import Tab, tab
from tests.waiting import until
from tui.core.audio import Playout
from tui.media.opus import OpusDecoder
from tui.server.forwarding import SendQueue
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tui.core.aiortc_internals import RtpOutlet
    from tui.core.audio import AudioPacket

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("codec", ["video/VP8", "video/H264"])
@pytest.mark.parametrize("size", [(320, 180), (640, 360), (1280, 720)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_publisher_of_that_codec_and_size(
    browser: Browser, pages: str, codec: str, size: tuple[int, int]
) -> None:
    width, height = size
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        people(server, "alice") as (alice,),
        tab(browser, pages, server.url, "bob", codec=codec, width=width, height=height) as bob,
        tab(browser, pages, server.url, "carol") as carol,
    ):
        await asyncio.gather(bob.join(), carol.join())
        await asyncio.gather(alice.sees(bob, size=size), carol.sees(bob, size=size), bob.meets(alice, carol))
        await asyncio.gather(alice.hears(bob), carol.hears(bob))
        assert await bob.sent_codec() == codec


class Copies:
    """Counts packets that carry a copy of the one before, instead of playing them."""

    resting = False

    def __init__(self) -> None:
        self.packets = 0
        self.copies = 0
        self._decoder = OpusDecoder()

    def push(self, packet: AudioPacket) -> None:
        self.packets += 1
        self.copies += self._decoder.has_copy(packet.payload)

    def playout(self) -> Playout:
        return Playout()


async def test_a_tab_protects_its_sound_for_a_listener_on_a_bad_line(
    browser: Browser, pages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, count = SendQueue.put, 0

    def losing(queue: SendQueue, outlet: RtpOutlet, data: bytes) -> None:
        nonlocal count
        count += 1
        if count % 4 or is_rtcp(data):
            put(queue, outlet, data)

    async with (
        RoomServer(allowed_origins=[pages]) as server,
        people(server, "alice", play_only=True) as (alice,),
        tab(browser, pages, server.url, "bob", colour=None) as bob,
    ):
        await bob.join()
        await alice.hears(bob)
        track = alice.track_of(bob, "audio")
        assert track is not None
        heard = Copies()
        track.listen(heard)
        await until(lambda: heard.packets > 100)
        assert heard.copies == 0
        monkeypatch.setattr(SendQueue, "put", losing)
        # A tone is no speech to libopus for long, so that it soon stops to copy it.
        await until(lambda: heard.copies > 10, 30, "copies")
        assert await bob.loss_reported() > 0.1


async def test_everybody_takes_part_with_what_they_have(browser: Browser, pages: str) -> None:
    """One has only a voice, one only a picture, one only words, one only plays; we have all."""
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        people(server, "alice") as (alice,),
        tab(browser, pages, server.url, "bob", colour=None) as bob,
        tab(browser, pages, server.url, "carol", pitch=None) as carol,
        tab(browser, pages, server.url, "dave", dataOnly=True) as dave,
        tab(browser, pages, server.url, "erin", playOnly=True) as erin,
    ):
        tabs = (bob, carol, dave, erin)
        await asyncio.gather(*(one.join() for one in tabs))

        async def takes_part(one: Tab) -> None:
            await one.meets(alice)
            if one is not bob:
                await one.hears(bob)
            if one is not carol:
                await one.sees(carol)
            assert await one.media() == {
                (stream_id, kind)
                for stream_id, kind in {("alice", "video"), ("alice", "audio"), ("bob", "audio"), ("carol", "video")}
                if stream_id != one.stream_id
            }

        await asyncio.gather(alice.hears(bob), alice.sees(carol), *(takes_part(one) for one in tabs))
        await until(lambda: set(alice.others()) == {"bob", "carol", "dave"})
        about = alice.others()
        assert (about["bob"].video, about["carol"].audio) == (None, None)
        assert (about["dave"].video, about["dave"].audio) == (None, None)

        everybody: tuple[Person | Tab, ...] = (alice, *tabs)
        for sender in everybody:
            event = {"eventType": "CHAT_MESSAGE", "streamId": sender.stream_id, "message": f"from {sender.stream_id}"}
            if sender is erin:
                await erin.say(event, "room1")
            else:
                await sender.say(event)
            await asyncio.gather(*(hearer.gets(event) for hearer in everybody if hearer is not sender))


async def test_ours_take_part_with_what_they_have(browser: Browser, pages: str) -> None:
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        people(server, "alice", video=None) as (alice,),
        people(server, "dave", audio=None) as (dave,),
        people(server, "erin", play_only=True) as (erin,),
        tab(browser, pages, server.url, "bob") as bob,
        tab(browser, pages, server.url, "carol", playOnly=True) as carol,
    ):
        await asyncio.gather(bob.join(), carol.join())
        await asyncio.gather(*(one.meets(bob) for one in (alice, dave, erin)))
        for one in (bob, carol):
            await asyncio.gather(one.hears(alice), one.sees(dave))
        assert await bob.media() == {("alice", "audio"), ("dave", "video")}
        assert await carol.media() == {("alice", "audio"), ("dave", "video"), ("bob", "audio"), ("bob", "video")}
        assert set(erin.others()) == {"alice", "bob", "dave"}


async def test_a_tab_that_only_plays_waits_for_the_first(browser: Browser, pages: str) -> None:
    """An empty room: the SDK asks again and again until somebody is there, and after the last has left as well."""
    async with (
        RoomServer(allowed_origins=[pages]) as server,
        tab(browser, pages, server.url, "erin", "no_stream_exist", playOnly=True) as erin,
    ):
        await erin.join()
        await erin.fails("no_stream_exist")
        for _again in range(2):
            async with people(server, "alice") as (alice,):
                await erin.meets(alice)
