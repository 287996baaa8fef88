"""The bad line of the audio benchmark does what it says, and nothing else."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.line import CONDITIONS, HOST, Condition, Fate, Relay, is_media, rewritten
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RTP = bytes([0x80, 96]) + bytes(30)
RTCP = bytes([0x80, 201]) + bytes(30)
STUN = bytes([0, 1]) + bytes(30)
DTLS = bytes([22, 254]) + bytes(30)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_the_share_of_lost_packets_and_the_delay_are_as_said(condition: Condition) -> None:
    fate = Fate(condition, 1)
    fates = [fate.next() for _ in range(60_000)]
    delays = [delay for delay in fates if delay is not None]
    assert 1 - len(delays) / len(fates) == pytest.approx(condition.loss, abs=0.01)
    assert sum(delays) / len(delays) == pytest.approx(condition.jitter / 1000, rel=0.02)
    assert max(delays) <= 2 * condition.jitter / 1000


def test_losses_come_in_bursts() -> None:
    fate = Fate(Condition("", loss=0.05, burst=3), 1)
    lost = "".join("x" if fate.next() is None else " " for _ in range(60_000))
    lengths = [len(run) for run in lost.split()]
    assert lengths[:-1] == [length // 3 * 3 for length in lengths[:-1]]
    assert lengths.count(3) > 0.9 * len(lengths)


def test_the_same_seed_is_the_same_line() -> None:
    condition = Condition("", loss=0.2, jitter=40.0)
    one, same, other = Fate(condition, 1), Fate(condition, 1), Fate(condition, 2)
    fates = [one.next() for _ in range(100)]
    assert fates == [same.next() for _ in range(100)]
    assert fates != [other.next() for _ in range(100)]


def test_media_is_told_from_everything_else() -> None:
    assert is_media(RTP)
    assert not any(map(is_media, (RTCP, STUN, DTLS, b"", RTP[:11])))


def test_candidates_lead_to_the_relay() -> None:
    ports = {("10.0.0.1", 5000): 40_000}
    sdp = (
        "v=0\r\n"
        "a=candidate:1 1 udp 2130706431 10.0.0.1 5000 typ host generation 0\r\n"
        "a=candidate:2 1 tcp 2130706431 10.0.0.1 9 typ host tcptype active\r\n"
        "a=candidate:3 1 udp 2130706431 fe80::1 5000 typ host\r\n"
    )
    message = rewritten({"command": "takeConfiguration", "sdp": sdp}, lambda address: ports[address])
    assert message is not None
    assert message["sdp"] == f"v=0\r\na=candidate:1 1 udp 2130706431 {HOST} 40000 typ host generation 0\r\n"

    trickled = "candidate:1 1 udp 1 10.0.0.1 5000 typ srflx raddr 10.0.0.9 rport 7"
    message = rewritten({"command": "takeCandidate", "candidate": trickled}, lambda address: ports[address])
    assert message is not None
    assert message["candidate"] == f"candidate:1 1 udp 1 {HOST} 40000 typ srflx"
    trickled = "candidate:2 1 tcp 1 10.0.0.1 9 typ host tcptype active"
    assert rewritten({"command": "takeCandidate", "candidate": trickled}, lambda address: ports[address]) is None


class End:
    """A socket that notes what comes."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()
        self.heard: list[tuple[bytes, tuple[str, int]]] = []
        asyncio.get_running_loop().add_reader(self.socket, lambda: self.heard.append(self.socket.recvfrom(2048)))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Relay, End, End]]:
    relay, server, listener = Relay(), End(), End()
    yield relay, server, listener
    relay.close()
    server.close()
    listener.close()


async def test_only_media_on_the_way_to_the_listener_is_lost(ends: tuple[Relay, End, End]) -> None:
    relay, server, listener = ends
    relay.impair(Condition("", loss=1.0), 1)
    near, far = (HOST, relay.for_server(server.address)), (HOST, relay.for_listener(listener.address))
    for datagram in (RTP, STUN, RTCP):
        server.socket.sendto(datagram, far)
        listener.socket.sendto(datagram, near)
    await until(lambda: len(server.heard) == 3 and len(listener.heard) == 2)
    assert server.heard == [(datagram, far) for datagram in (RTP, STUN, RTCP)]
    assert listener.heard == [(datagram, near) for datagram in (STUN, RTCP)]
    assert (relay.packets, relay.lost) == (1, 1)


async def test_an_address_that_nobody_announced_gets_a_port_of_its_own(ends: tuple[Relay, End, End]) -> None:
    relay, server, listener = ends
    near = (HOST, relay.for_server(server.address))
    listener.socket.sendto(STUN, near)
    await until(lambda: server.heard)
    server.socket.sendto(DTLS, server.heard[0][1])
    await until(lambda: listener.heard)
    assert listener.heard == [(DTLS, near)]


async def test_media_that_is_delayed_arrives(ends: tuple[Relay, End, End]) -> None:
    relay, server, listener = ends
    relay.impair(Condition("", jitter=10.0), 1)
    relay.for_server(server.address)
    for _ in range(20):
        server.socket.sendto(RTP, (HOST, relay.for_listener(listener.address)))
    await until(lambda: len(listener.heard) == 20)
