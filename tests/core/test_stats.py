"""Figures by the SDK's names: rates from counters with a clock of our own, and the real thing over loopback."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.peers import RED
from tests.core.test_adaptor import client, media_flows, publishing
from tests.waiting import Clock, until, until_found
from tui.core.stats import Figures, Inbound, Meter, Outbound, PeerStats, TrackStats
from tui.media.generated import TestTone
from tui.media.pictures import SolidColour
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

VIDEO = Inbound(
    "ARDAMSvvideoTrack0",
    "0",
    "video",
    bytes=1000,
    packets=10,
    frames_received=5,
    frames_decoded=4,
    width=640,
    height=360,
)
AUDIO = Inbound("ARDAMSaaudioTrack0", "1", "audio", level=20, bytes=500, packets=20, jitter=0.005)
SENT = Outbound(
    "video",
    packets=100,
    frames=50,
    width=320,
    height=180,
    round_trip_time=0.02,
    target_bitrate=500_000,
    codec="h264",
    mid="1",
)


@pytest.fixture
async def server() -> AsyncIterator[RoomServer]:
    async with RoomServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def numbers(stats: PeerStats) -> list[float]:
    values = [*dataclasses.astuple(replace(stats, inbound_rtp_list=()))]
    for track in stats.inbound_rtp_list:
        values += dataclasses.astuple(track)
    return [value for value in values if isinstance(value, (int, float))]


@pytest.mark.parametrize("figures", [Figures(), Figures(10, 20, 0.1, (VIDEO, AUDIO), (SENT,))])
def test_the_first_sample_has_counters_and_no_rates(figures: Figures, clock: Clock) -> None:
    stats = Meter("room1", clock).sample(figures)
    assert all(math.isfinite(number) for number in numbers(stats))
    assert (stats.current_incoming_bitrate, stats.average_outgoing_bitrate, stats.current_fps) == (0, 0, 0.0)
    assert {track.frames_per_second for track in stats.inbound_rtp_list} <= {0.0}
    assert stats.total_bytes_received == figures.bytes_received
    json.dumps(stats.as_sdk(), allow_nan=False)


def test_rates_are_since_the_sample_before_and_averages_since_the_first(clock: Clock) -> None:
    meter = Meter("room1", clock)
    meter.sample(Figures(1000, 5000, 0.0, (VIDEO,), (SENT,)))
    clock.now += 2.0
    meter.sample(
        Figures(
            1000 + 25_000,
            5000 + 250_000,
            0.03,
            (replace(VIDEO, bytes=1000 + 50_000, packets=110, packets_lost=100, frames_decoded=34),),
            (replace(SENT, frames=80, bytes=20_000),),
        )
    )
    clock.now += 1.0
    stats = meter.sample(
        Figures(
            1000 + 25_000,
            5000 + 375_000,
            0.03,
            (replace(VIDEO, bytes=1000 + 75_000, packets=185, packets_lost=125, frames_decoded=49),),
            (replace(SENT, frames=95, bytes=30_000),),
        )
    )
    assert (stats.current_incoming_bitrate, stats.average_incoming_bitrate) == (1000, 1000)
    assert (stats.current_outgoing_bitrate, stats.average_outgoing_bitrate) == (0, 66)
    assert stats.current_fps == 15.0
    assert stats.current_round_trip_time == 0.03
    assert stats.available_outgoing_bitrate == 500.0
    (own,) = stats.outbound_rtp_list
    assert (own.kind, own.codec, own.mid) == ("video", "h264", "1")
    assert (own.current_bitrate, own.frames_per_second) == (80, 15.0)
    assert (own.frame_width, own.frame_height) == (320, 180)
    (track,) = stats.inbound_rtp_list
    assert (track.current_bitrate, track.frames_per_second, track.fraction_lost) == (200, 15.0, 0.25)
    assert stats.fraction_lost == 0.25


def test_a_track_that_comes_later_or_changes_hands_begins_anew(clock: Clock) -> None:
    meter = Meter("room1", clock)
    meter.sample(Figures(inbound=(VIDEO,)))
    clock.now += 1.0
    other = replace(VIDEO, track_id="ARDAMSvvideoTrack7", bytes=900_000, packets=900)
    stats = meter.sample(Figures(inbound=(other, AUDIO)))
    assert [track.current_bitrate for track in stats.inbound_rtp_list] == [0, 0]
    clock.now += 1.0
    stats = meter.sample(Figures(inbound=(replace(other, bytes=0, packets=0), AUDIO)))
    assert [track.current_bitrate for track in stats.inbound_rtp_list] == [0, 0]


def test_two_looks_at_the_same_moment_agree(clock: Clock) -> None:
    meter = Meter("room1", clock)
    first = meter.sample(Figures(bytes_sent=10))
    assert meter.sample(Figures(bytes_sent=20)) is first
    clock.now -= 3600.0
    assert all(math.isfinite(number) and number >= 0 for number in numbers(meter.sample(Figures(bytes_sent=30))))


def test_sound_tells_how_long_it_waits_and_what_was_made_up(clock: Clock) -> None:
    waiting = [replace(AUDIO, mid=mid, delay=delay, concealed=0.5) for mid, delay in (("1", 0.04), ("2", 0.08))]
    silent = replace(AUDIO, mid="3")
    stats = Meter("room1", clock).sample(Figures(inbound=(VIDEO, *waiting, silent)))
    assert stats.as_sdk()["audioJitterAverageDelay"] == pytest.approx(0.06)
    assert [track.jitter_buffer_delay for track in stats.inbound_rtp_list] == [0.0, 0.04, 0.08, 0.0]
    assert [track.concealed for track in stats.inbound_rtp_list] == [0.0, 0.5, 0.5, 0.0]


def test_the_whole_adds_up(clock: Clock) -> None:
    tracks = tuple(replace(VIDEO, mid=str(number), width=100 * number, height=100) for number in range(3))
    stats = Meter("room1", clock).sample(Figures(inbound=(*tracks, AUDIO)))
    assert (stats.video_packets_received, stats.audio_packets_received) == (30, 20)
    assert (stats.frames_received, stats.frames_decoded) == (15, 12)
    assert (stats.frame_width, stats.frame_height) == (200, 100)
    assert stats.audio_jitter == 0.005
    assert stats.audio_level == pytest.approx(0.1)
    assert Meter("x", clock).sample(Figures()).audio_level == 0.0


COUNTED = {
    "streamId",
    "totalBytesReceived",
    "totalBytesSent",
    "totalFramesEncoded",
    "fractionLost",
    "audioLevel",
    "qualityLimitationReason",
    "resWidth",
    "resHeight",
    "srcFps",
    "frameWidth",
    "frameHeight",
    "framesReceived",
    "framesDecoded",
    "framesDropped",
    "availableOutgoingBitrate",
    "currentRoundTripTime",
    "inboundRtpList",
    "startTime",
    "currentTimestamp",
}
PER_KIND = {"PacketsLost", "PacketsSent", "PacketsReceived", "RoundTripTime", "Jitter", "JitterAverageDelay"}
COMPUTED = {
    "averageOutgoingBitrate",
    "averageIncomingBitrate",
    "currentOutgoingBitrate",
    "currentIncomingBitrate",
    "currentFPS",
}
SDK_NAMES = COUNTED | COMPUTED | {kind + name for kind in ("video", "audio") for name in PER_KIND}


def test_every_name_of_the_sdk_is_there(clock: Clock) -> None:
    """Section 3.8."""
    named = Meter("room1", clock).sample(Figures(inbound=(VIDEO, AUDIO))).as_sdk()
    assert set(named) == SDK_NAMES
    video, audio = named["inboundRtpList"]
    both = {"trackIdentifier", "bytesReceived", "fractionLost", "currentTime", "lastPacketReceivedTimestamp"}
    assert both <= set(video) & set(audio)
    assert {"videoPacketsLost", "framesDropped", "framesDecoded", "framesPerSecond", "frameWidth"} <= set(video)
    assert "audioPacketsLost" in audio


def test_how_pictures_fare_is_told_by_webrtcs_names(clock: Clock) -> None:
    track = replace(VIDEO, decode_time=1.25, freezes=2, frozen=0.75, key_frames_requested=3)
    (video,) = Meter("room1", clock).sample(Figures(inbound=(track,))).as_sdk()["inboundRtpList"]
    figures = {"totalDecodeTime": 1.25, "freezeCount": 2, "totalFreezesDuration": 0.75, "pliCount": 3}
    assert {name: video[name] for name in figures} == figures


@pytest.mark.interop
def test_no_name_of_the_sdk_itself_is_missing(official_sdk: Path) -> None:
    text = (official_sdk.parents[1] / "src" / "main" / "js" / "peer_stats.js").read_text()
    names = set(re.findall(r"^\s*(?:this\.(\w+) =|get (\w+)\()", text, re.MULTILINE))
    asked = {name for pair in names for name in pair if name}
    inner = re.compile(r"last\w+|first\w+|timerId|total(Video|Audio)PacketsSent|\w+Count")
    assert {name for name in asked if not inner.fullmatch(name)} <= SDK_NAMES


# -- over real connections ---------------------------------------------------------------------------


async def test_what_two_connections_really_do(server: RoomServer) -> None:
    async with publishing(server, video=SolidColour(RED)) as alice, client(server.url) as bob:
        assert await bob.adaptor.get_stats("room1") is None
        await bob.adaptor.play("room1")
        await media_flows(bob.told)

        async def flowing() -> bool:
            stats = await bob.adaptor.get_stats("room1")
            return stats is not None and stats.current_incoming_bitrate > 0 and stats.current_round_trip_time > 0

        await until_found(flowing)
        played, sent = await bob.adaptor.get_stats("room1"), await alice.adaptor.get_stats("alice")
        assert played is not None
        assert sent is not None
        by_kind = {track.kind: track for track in played.inbound_rtp_list}
        assert {track.track_identifier for track in by_kind.values()} == {"ARDAMSvvideoTrack0", "ARDAMSaaudioTrack0"}
        video: TrackStats = by_kind["video"]
        assert video.packets_received == played.video_packets_received > 0
        assert 0 < video.bytes_received < played.total_bytes_received
        assert video.frames_received >= video.frames_decoded > 0
        assert (video.frame_width, video.frame_height) == (played.frame_width, played.frame_height) != (0, 0)
        assert by_kind["audio"].packets_received == played.audio_packets_received > 0
        assert 0 < played.current_round_trip_time < 2
        assert played.video_packets_sent == 0
        assert (sent.res_width, sent.res_height) == (video.frame_width, video.frame_height)
        assert sent.video_packets_sent > 0
        assert sent.audio_packets_sent > 0
        assert sent.total_frames_encoded > 0
        assert 0 < sent.audio_level <= 1
        assert sent.available_outgoing_bitrate > 0
        assert sent.inbound_rtp_list == ()
        assert {track.kind: track.codec for track in played.inbound_rtp_list} == {"audio": "opus", "video": "vp8"}
        assert {track.kind: track.codec for track in sent.outbound_rtp_list} == {"audio": "opus", "video": "vp8"}
        assert all(track.packets_sent and track.mid for track in sent.outbound_rtp_list)
        await bob.adaptor.stop("room1")
        assert await bob.adaptor.get_stats("room1") is None


async def test_statistics_are_told_periodically_until_they_are_not_wanted(server: RoomServer) -> None:
    async with publishing(server, audio=TestTone(440), video=None) as alice:
        alice.adaptor.enable_stats("alice", 0.1)
        alice.adaptor.enable_stats("alice", 0.1)
        alice.adaptor.enable_stats("nobody", 0.1)
        told: list[dict[str, Any]] = [await alice.told.callback_with("updated_stats", count) for count in (1, 2, 3)]
        assert {stats["streamId"] for stats in told} == {"alice"}
        assert told[0]["currentTimestamp"] < told[1]["currentTimestamp"] < told[2]["currentTimestamp"]
        assert told[2]["audioPacketsSent"] > 0
        alice.adaptor.disable_stats("alice")
        alice.adaptor.disable_stats("alice")
        count = len(alice.told.objects("updated_stats"))
        alice.adaptor.enable_stats("alice", 0.1)
        await alice.told.callback_with("updated_stats", count + 1)
        await alice.adaptor.stop("alice")
        assert alice.adaptor._link._watched.keys() == {"nobody"}
    await until(lambda: not [task for task in alice.adaptor._link._tasks._running if task.get_name() == "statistics"])
