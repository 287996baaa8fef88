"""Two clients in a call of their own: the server only relays (signalling reference, 2.5 and 2.7)."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tui.server.peer_to_peer import CALL_LIMIT, RELAY_LIMIT
from tui.server.signaling import RoomServer

from .raw_client import RawClient, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def clients() -> AsyncIterator[list[RawClient]]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(RoomServer())
        yield [await stack.enter_async_context(await RawClient.open(server.url)) for _ in range(3)]


async def joined(client: RawClient) -> None:
    await client.send("join", streamId="call1", multiPeer=False, mode="both")
    await client.expect("notification", "joined", streamId="call1")


async def test_the_first_one_offers_when_the_second_one_comes(clients: list[RawClient]) -> None:
    first, second, third = clients
    second.answers_offers = False
    await joined(first)
    await first.send("takeConfiguration", streamId="call1", type="offer", sdp="too early")
    await first.expect("error", "no_peer_associated_before", streamId="call1")
    await joined(second)
    await first.expect("start", streamId="call1")
    assert not second.found("start")
    await third.send("join", streamId="call1")
    await third.expect("error", "streamIdInUse", streamId="call1")

    await first.send("takeConfiguration", streamId="call1", type="offer", sdp="v=0")
    offer = await second.expect("takeConfiguration", streamId="call1", type="offer")
    assert offer["sdp"] == "v=0"
    await second.send("takeConfiguration", streamId="call1", type="answer", sdp="v=0 too")
    await first.expect("takeConfiguration", streamId="call1", type="answer", sdp="v=0 too")
    await second.send("takeCandidate", streamId="call1", label=1, id="1", candidate="candidate:x")
    await first.expect("takeCandidate", streamId="call1", label=1, id="1", candidate="candidate:x")
    await first.send("peerMessageCommand", streamId="call1", definition="d", data={"x": [1]})
    await second.expect("peerMessageCommand", streamId="call1", definition="d", data={"x": [1]})
    assert not third.found("takeConfiguration")


@pytest.mark.parametrize("by_command", [True, False])
async def test_who_is_left_alone_hears_it(clients: list[RawClient], by_command: bool) -> None:
    first, second, third = clients
    await joined(first)
    await joined(second)
    if by_command:
        await first.send("leave", streamId="call1")
        await first.expect("notification", "leaved", streamId="call1")
    else:
        await first.socket.close()
    await second.expect("stop", streamId="call1")
    await joined(third)
    await second.expect("start", streamId="call1")


async def test_strangers_and_too_much_are_not_relayed(clients: list[RawClient]) -> None:
    first, second, third = clients
    await joined(first)
    await joined(second)
    await third.send("peerMessageCommand", streamId="call1", definition="d")
    await third.expect("error", "no_peer_associated_before")
    await first.send("peerMessageCommand", streamId="call1", definition="big", data="x" * RELAY_LIMIT)
    await first.send("peerMessageCommand", streamId="call1", definition="small")
    await second.expect("peerMessageCommand", definition="small")
    assert len(second.found("peerMessageCommand")) == 1
    await third.send("join", streamId="a b")
    await third.expect("error", "invalidStreamName")
    for index in range(CALL_LIMIT + 1):
        await third.send("join", streamId=f"many{index}")
    await third.expect("error", "highResourceUsage", streamId=f"many{CALL_LIMIT}")
    await until(lambda: len(third.found("notification", "joined")) == CALL_LIMIT)
