"""The way to a server, tried for real on this machine."""

from __future__ import annotations

import argparse
import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest
from aioice import stun
from websockets.asyncio.server import serve

from tests.core.test_turn import PASSWORD, TURNSERVER, USER, turn
from tui.config import JoinOptions, remember
from tui.doctor import network
from tui.doctor.finding import State
from tui.doctor.machine import Machine, aimed
from tui.doctor.network import Aim, Route, travel
from tui.doctor.report import examine, run
from tui.doctor.system import check_route
from tui.media.threads import in_thread
from tui.server.signaling import RoomServer
from tui.settings import path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from websockets.asyncio.server import ServerConnection

__all__ = ["turn"]

NOWHERE = "ws://127.0.0.1:9/live/websocket"


def asked(server: str | None = None, **ice: object) -> argparse.Namespace:
    return argparse.Namespace(server=server, **ice)


async def gone(options: JoinOptions) -> Route:
    return await in_thread(lambda: travel(Aim(options)))


class _Answering(asyncio.DatagramProtocol):
    """A STUN server, after a word of nonsense."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = addr
        self._transport.sendto(b"nonsense", addr)
        self._transport.sendto(bytes(answer), addr)


@asynccontextmanager
async def stun_server() -> AsyncIterator[str]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Answering, local_addr=("127.0.0.1", 0))
    try:
        yield f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    finally:
        transport.close()


async def test_a_server_is_reached_and_answers() -> None:
    async with RoomServer() as server, stun_server() as address:
        route = await gone(JoinOptions(url=server.url, ice_servers=(address,)))
    assert route.server is not None
    assert route.server.failure == ""
    assert f"{server.url}: connected in" in route.server.text
    assert "round trip" in route.server.text
    (ice,) = route.ice
    assert (ice.name, ice.failure) == (address, "")
    assert "round trip" in ice.text


async def test_what_does_not_answer_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "ANSWER_SECONDS", 0.3)

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"stun:127.0.0.1:{deaf.getsockname()[1]}"
        async with serve(silent, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/live/websocket"
            route = await gone(JoinOptions(url=url, ice_servers=(address, "http://nonsense")))
    assert route.server is not None
    assert "did not answer in time" in route.server.failure
    deaf_one, nonsense = route.ice
    assert "no answer within 0.3 s" in deaf_one.failure
    assert "is no address" in nonsense.failure
    unreachable = (await gone(JoinOptions(url=NOWHERE))).server
    assert unreachable is not None
    assert "127.0.0.1:9 cannot be reached: connection refused" in unreachable.failure


@pytest.mark.skipif(TURNSERVER is None, reason="coturn is not installed")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_turn_server_relays_for_who_has_the_password(turn: int, transport: str) -> None:
    uri = f"turn:127.0.0.1:{turn}?transport={transport}"
    options = JoinOptions(ice_servers=(uri,), ice_username=USER, ice_credential=PASSWORD)
    (ice,) = (await gone(options)).ice
    assert (ice.failure, ice.text[:7]) == ("", "relays,")
    (ice,) = (await gone(JoinOptions(ice_servers=(uri,)))).ice
    assert "wants a user name" in ice.failure
    (ice,) = (await gone(JoinOptions(ice_servers=(uri,), ice_username=USER, ice_credential="wrong"))).ice
    assert "refuse" in ice.failure
    assert "wrong" not in f"{ice}"


def test_the_server_is_the_named_one_else_the_configured_one_else_that_of_the_last_time() -> None:
    assert travel(aimed(asked())) == Route()
    remember(JoinOptions(url=NOWHERE, room="room1"))
    aim = aimed(asked())
    assert aim.options is not None
    assert (aim.options.url, aim.origin) == (NOWHERE, "last time")
    path().parent.mkdir(parents=True)
    path().write_text('[defaults]\nurl = "ws://default/x/websocket"\n[profiles.work]\nurl = "ws://work/x/websocket"\n')
    for server, url, origin in (
        (None, "ws://default/x/websocket", "[defaults]"),
        ("work", "ws://work/x/websocket", "[profiles.work]"),
        ("ws://given/x/websocket", "ws://given/x/websocket", "command line"),
    ):
        aim = aimed(asked(server))
        assert aim.options is not None
        assert (aim.options.url, aim.origin) == (url, origin)
    assert "no profile 'wrok'; did you mean 'work'" in aimed(asked("wrok")).problem


def test_the_server_of_last_time_may_be_gone_but_a_named_one_may_not(capsys: pytest.CaptureFixture[str]) -> None:
    remember(JoinOptions(url=NOWHERE, room="room1"))
    (found,) = check_route(Machine(aim=aimed(asked())))
    assert found.state is State.WARNING
    machine = Machine({}, "linux", aim=aimed(asked(NOWHERE + "?token=canary")))
    (found,) = check_route(machine)
    assert found.state is State.PROBLEM
    assert run(False, machine) == 4
    assert "canary" not in capsys.readouterr().out


def test_a_broken_configuration_is_told_and_ends_in_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    path().parent.mkdir(parents=True)
    path().write_text("[defaults]\nnaem = 1\n")
    assert run(False, Machine({}, "linux")) == 3
    told = capsys.readouterr().out
    assert "naem: there is no such option; did you mean 'name'?" in told
    assert "antconf config check" in told


def test_the_report_has_versions_camera_files_and_log() -> None:
    found = {finding.name: finding.text for finding in examine(Machine({}, "linux"))}
    assert "aioice" in found["libraries"]
    assert "libavcodec" in found["FFmpeg"]
    assert "config.toml" in found["configuration"]
    assert found["log"].endswith("antconf.log")
    assert found["camera"]
    assert "none is known" in found["server"]
