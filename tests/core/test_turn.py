"""Media through a TURN server on this machine, when there is one to start."""

from __future__ import annotations

import asyncio
import functools
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCIceTransportPolicy

from tests.core.test_adaptor import client, media_flows, publishing
from tests.waiting import until_found
from tui.core import peer
from tui.core.messages import TakeConfiguration
from tui.server.signaling import RoomServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tui.core.wire import Message

TURNSERVER = shutil.which("turnserver")
pytestmark = pytest.mark.skipif(TURNSERVER is None, reason="coturn is not installed")

USER, PASSWORD = "antconf", "canary"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


@pytest.fixture
async def turn(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a TURN server that relays between addresses of this machine, by UDP and TCP."""
    assert TURNSERVER is not None
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        TURNSERVER,
        *("--no-cli", "--no-tls", "--no-dtls", "--lt-cred-mech", "--fingerprint", "--allow-loopback-peers"),
        *("--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}", "--realm=antconf"),
        *(f"--user={USER}:{PASSWORD}", f"--userdb={tmp_path / 'users'}", f"--pidfile={tmp_path / 'pid'}"),
        *("--log-file=stdout", "--no-stdout-log"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until_found(functools.partial(answers, port))
        yield port
    finally:
        process.kill()
        await process.wait()


@pytest.fixture
def relay_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """No way but through the TURN server."""
    monkeypatch.setattr(
        peer, "RTCConfiguration", functools.partial(RTCConfiguration, iceTransportPolicy=RTCIceTransportPolicy.RELAY)
    )


@pytest.mark.usefixtures("relay_only")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_media_by_a_relay_alone(turn: int, transport: str) -> None:
    servers = [RTCIceServer(f"turn:127.0.0.1:{turn}?transport={transport}", USER, PASSWORD)]
    sent: list[Message] = []
    async with (
        RoomServer() as server,
        publishing(server, ice_servers=servers, on_command=sent.append),
        client(server.url, ice_servers=servers, on_command=sent.append) as bob,
    ):
        await bob.adaptor.play("room1")
        await media_flows(bob.told)
    candidates = [
        line
        for message in sent
        if isinstance(message, TakeConfiguration)
        for line in message.sdp.splitlines()
        if line.startswith("a=candidate:")
    ]
    assert len(candidates) >= 2
    assert all(" typ relay" in line for line in candidates)


async def test_a_wrong_password_leaves_the_direct_way(turn: int) -> None:
    servers = [RTCIceServer(f"turn:127.0.0.1:{turn}", USER, "wrong")]
    async with (
        RoomServer() as server,
        publishing(server, ice_servers=servers),
        client(server.url, ice_servers=servers) as bob,
    ):
        await bob.adaptor.play("room1")
        await media_flows(bob.told)
