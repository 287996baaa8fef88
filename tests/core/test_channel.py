"""A data channel's bounds in both directions; what really travels is at the end, over two real connections."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import pytest
from pyee.base import EventEmitter

from tests.core.peers import negotiate, new_connection
from tests.waiting import Clock, until
from tui.core import channel as module
from tui.core.channel import (
    BINARY_LIMIT,
    BUFFER_LIMIT,
    CHANNELS,
    CHUNK,
    MESSAGES_PER_SECOND,
    TEXT_BYTES_PER_SECOND,
    TRANSFER_TIMEOUT,
    TRANSFERS,
    WAITING_MESSAGES,
    Assembly,
    Channel,
    chunks,
)
from tui.core.wire import DATA_LIMIT
from tui.errors import WireError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Wire(EventEmitter):
    """Takes the place of aiortc's data channel."""

    def __init__(self, label: str = "alice", state: str = "open") -> None:
        super().__init__()
        self.label = label
        self.readyState = state
        self.bufferedAmount = 0
        self.bufferedAmountLowThreshold = 0
        self.limit = 1 << 30
        self.sent: list[str | bytes] = []

    def send(self, data: str | bytes) -> None:
        if len(data) > self.limit:
            raise ValueError(f"only {self.limit} bytes")
        self.sent.append(data)
        self.bufferedAmount += len(data)

    def close(self) -> None:
        self.become("closed")

    def become(self, state: str) -> None:
        self.readyState = state
        self.emit({"open": "open", "closed": "close"}[state])

    def drain(self) -> None:
        """Everything has been sent."""
        self.bufferedAmount = 0
        self.emit("bufferedamountlow")


class Notes:
    """A `ChannelListener` that notes everything."""

    def __init__(self) -> None:
        self.states: list[bool] = []
        self.errors: list[str] = []
        self.received: list[str | bytes] = []

    def channel_state(self, is_open: bool) -> None:
        self.states.append(is_open)

    def channel_error(self, error: str) -> None:
        self.errors.append(error)

    def data(self, data: str | bytes) -> None:
        self.received.append(data)


class End:
    """Our end of a data channel."""

    def __init__(self) -> None:
        self.notes = Notes()
        self.channel = Channel(self.notes)

    def adopt(self, wire: Wire | None = None) -> Wire:
        wire = wire or Wire()
        adopted: Any = wire
        self.channel.adopt(adopted)
        return wire


@pytest.fixture
async def end() -> AsyncIterator[End]:
    end = End()
    yield end
    end.channel.close()


def header(token: int, size: int) -> bytes:
    return struct.pack("<ii", token, size)


def chunk(token: int, data: bytes) -> bytes:
    return struct.pack("<i", token) + data


# -- binary messages in chunks -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4, 8, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 4, 3 * CHUNK, BINARY_LIMIT])
def test_what_is_cut_in_chunks_is_put_together_again(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    parts = list(chunks(data))
    assert len(parts[0]) == 8
    assert struct.unpack("<ii", parts[0])[1] == size
    assert all(len(part) <= CHUNK + 4 and part[:4] == parts[0][:4] for part in parts)
    assembly = Assembly()
    *begun, whole = [assembly.take(part) for part in parts]
    assert whole == data
    assert not any(begun)
    assert assembly.held == 0


def test_the_chunks_of_several_senders_may_be_mixed() -> None:
    assembly = Assembly()
    assembly.take(header(1, 4))
    assembly.take(header(2, 6))
    assembly.take(chunk(2, b"abc"))
    assert assembly.take(chunk(1, b"1234")) == b"1234"
    assert assembly.take(chunk(2, b"def")) == b"abcdef"


def test_a_finished_token_may_come_again() -> None:
    """The JavaScript SDK keeps finished messages and spoils the next one."""
    assembly = Assembly()
    for text in (b"first", b"other"):
        assembly.take(header(7, 5))
        assert assembly.take(chunk(7, text)) == text


@pytest.mark.parametrize("size", [-1, 0, -(2**31), 2**31 - 1, BINARY_LIMIT + 1])
def test_an_impossible_size_is_refused(size: int) -> None:
    assembly = Assembly()
    with pytest.raises(WireError, match=f"{size} bytes refused"):
        assembly.take(header(1, size))
    with pytest.raises(WireError, match="without a header"):
        assembly.take(chunk(1, b"x" * 100))
    assert assembly.held == 0


def test_nothing_is_allocated_for_what_was_only_announced() -> None:
    assembly = Assembly()
    assembly.take(header(1, BINARY_LIMIT))
    assert assembly.held == 0
    assembly.take(chunk(1, b"x" * 10))
    assert assembly.held == 10


def test_more_than_was_announced_is_refused() -> None:
    assembly = Assembly()
    assembly.take(header(1, 10))
    with pytest.raises(WireError, match="20 bytes where 10 are missing"):
        assembly.take(chunk(1, b"x" * 20))
    assert assembly.held == 0


def test_a_second_header_under_the_same_token_refuses_both() -> None:
    assembly = Assembly()
    assembly.take(header(1, 100))
    assembly.take(chunk(1, b"x" * 50))
    with pytest.raises(WireError):
        assembly.take(header(1, 100))
    assert assembly.held == 0
    with pytest.raises(WireError):
        assembly.take(chunk(1, b"x" * 50))


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x00\x00", b"\x01\x00\x00\x00", b"\x00" * 7, b"\xff" * 9])
def test_neither_header_nor_chunk(data: bytes) -> None:
    with pytest.raises(WireError):
        Assembly().take(data)


def test_an_empty_chunk_ends_its_message() -> None:
    assembly = Assembly()
    assembly.take(header(1, 10))
    with pytest.raises(WireError):
        assembly.take(chunk(1, b""))


def test_only_so_many_at_the_same_time() -> None:
    clock = Clock()
    assembly = Assembly(clock)
    for token in range(TRANSFERS):
        assembly.take(header(token, 100))
    with pytest.raises(WireError, match="at the same time"):
        assembly.take(header(TRANSFERS, 100))
    clock.now = TRANSFER_TIMEOUT
    assembly.take(header(TRANSFERS, 4))
    assert assembly.take(chunk(TRANSFERS, b"abcd")) == b"abcd"


def test_what_takes_too_long_is_forgotten() -> None:
    clock = Clock()
    assembly = Assembly(clock)
    assembly.take(header(1, 100))
    assembly.take(chunk(1, b"x" * 99))
    clock.now = TRANSFER_TIMEOUT - 0.1
    assert assembly.forget_late() == 0
    clock.now = TRANSFER_TIMEOUT
    assert assembly.forget_late() == 1
    assert assembly.held == 0


# -- receiving ---------------------------------------------------------------------------------------


async def test_texts_and_binaries_arrive_whole(end: End) -> None:
    wire = end.adopt()
    for message in ("not JSON", "", "ü" * 100, *chunks(b"x" * 40_000)):
        wire.emit("message", message)
    assert end.notes.received == ["not JSON", "", "ü" * 100, b"x" * 40_000]
    assert end.notes.errors == []


@pytest.mark.parametrize("text", ["x" * (DATA_LIMIT + 1), "€" * (DATA_LIMIT // 2)])
async def test_a_text_that_is_too_long_is_refused_and_named(end: End, text: str) -> None:
    wire = end.adopt()
    wire.emit("message", text)
    assert end.notes.received == []
    assert f"limit {DATA_LIMIT}" in end.notes.errors[0]
    wire.emit("message", "x" * DATA_LIMIT)
    assert end.notes.received == ["x" * DATA_LIMIT]


async def test_a_flood_is_counted_and_told_in_one_line(end: End) -> None:
    wire = end.adopt()
    for number in range(10_000):
        wire.emit("message", str(number))
    assert end.notes.received == [str(number) for number in range(MESSAGES_PER_SECOND)]
    assert len(end.notes.errors) == 1
    await until(lambda: len(end.notes.errors) == 2)
    assert end.notes.errors[1] == f"{10_000 - MESSAGES_PER_SECOND - 1} messages dropped"
    wire.emit("message", "again")
    assert end.notes.received[-1] == "again"


async def test_a_flood_of_long_texts_is_counted_by_its_bytes(end: End) -> None:
    wire = end.adopt()
    for _ in range(100):
        wire.emit("message", "x" * DATA_LIMIT)
    assert sum(map(len, end.notes.received)) == TEXT_BYTES_PER_SECOND
    assert f"{TEXT_BYTES_PER_SECOND} bytes of text" in end.notes.errors[0]


async def test_what_never_becomes_whole_is_freed(end: End, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRANSFER_TIMEOUT", 0.05)
    wire = end.adopt()
    for part in list(chunks(b"x" * 40_000))[:-1]:
        wire.emit("message", part)
    await until(lambda: end.notes.errors)
    assert "1 binary messages" in end.notes.errors[0]
    assert end.channel._assembly.held == 0
    assert end.notes.received == []


# -- several channels --------------------------------------------------------------------------------


async def test_the_first_channel_stays_ours(end: End) -> None:
    first = end.adopt()
    second = end.adopt(Wire("\x1b[2Jevil"))
    assert end.channel.send("hello")
    assert (first.sent, second.sent) == (["hello"], [])
    second.emit("message", "from the second")
    assert end.notes.received == ["from the second"]
    second.close()
    assert end.channel.send("again")
    assert first.sent == ["hello", "again"]
    assert end.notes.states == [True]


async def test_a_channel_that_is_opened_anew_takes_over(end: End) -> None:
    first = end.adopt()
    first.close()
    assert not end.channel.send("nobody hears")
    second = end.adopt(Wire(state="connecting"))
    assert not end.channel.send("not yet")
    second.become("open")
    assert end.channel.send("hello")
    assert second.sent == ["hello"]
    assert end.notes.states == [True, False, True]


async def test_only_so_many_channels_are_kept(end: End) -> None:
    wires = [end.adopt() for _ in range(20)]
    assert [wire.readyState for wire in wires] == ["open"] * CHANNELS + ["closed"] * (20 - CHANNELS)
    for wire in wires:
        wire.emit("message", "x")
    assert len(end.notes.received) == CHANNELS
    assert len(end.notes.errors) == 1


# -- sending -----------------------------------------------------------------------------------------


async def test_nothing_is_sent_before_the_channel_opens(end: End) -> None:
    assert not end.channel.send("nobody there")
    wire = end.adopt(Wire(state="connecting"))
    assert not end.channel.send("not yet")
    wire.become("open")
    assert end.channel.send("hello")
    assert wire.sent == ["hello"]


async def test_a_binary_is_sent_in_chunks(end: End) -> None:
    wire = end.adopt()
    assert end.channel.send(b"x" * 40_000)
    assert [len(part) for part in wire.sent] == [8, CHUNK + 4, CHUNK + 4, 8_000 + 4]


async def test_a_full_connection_makes_messages_wait_in_order(end: End) -> None:
    wire = end.adopt()
    assert end.channel.send(b"x" * BINARY_LIMIT)
    assert wire.bufferedAmount > BUFFER_LIMIT
    sent = len(wire.sent)
    for number in range(WAITING_MESSAGES):
        assert end.channel.send(str(number))
    assert not end.channel.send("one too many")
    assert "does not keep up" in end.notes.errors[0]
    assert len(wire.sent) == sent
    wire.drain()
    assert wire.sent[sent:] == [str(number) for number in range(WAITING_MESSAGES)]


async def test_what_waits_when_the_channel_closes_is_named(end: End) -> None:
    wire = end.adopt()
    end.channel.send(b"x" * BINARY_LIMIT)
    end.channel.send("waits")
    wire.readyState = "closing"
    wire.drain()
    assert "waits" not in wire.sent
    end.channel.send(b"x" * BINARY_LIMIT)
    wire.bufferedAmount = BUFFER_LIMIT
    end.channel.send("waits")
    wire.become("closed")
    assert end.notes.errors == ["1 messages not sent: the channel has closed"]


async def test_what_waits_is_bounded_by_its_size_too(end: End) -> None:
    end.adopt()
    taken = [end.channel.send(b"x" * BINARY_LIMIT) for _ in range(10)]
    assert taken == [True] * 5 + [False] * 5


@pytest.mark.parametrize("data", ["x" * (DATA_LIMIT + 1), b"x" * (BINARY_LIMIT + 1)])
async def test_what_is_too_long_is_not_sent(end: End, data: str | bytes) -> None:
    wire = end.adopt()
    assert not end.channel.send(data)
    assert "limit" in end.notes.errors[0]
    assert wire.sent == []


async def test_the_other_ends_limit_is_obeyed(end: End) -> None:
    wire = end.adopt()
    wire.limit = 1000
    assert not end.channel.send("x" * 1001)
    assert "only 1000 bytes" in end.notes.errors[0]
    assert end.channel.send("x" * 1000)


# -- real connections --------------------------------------------------------------------------------


async def test_over_two_real_connections() -> None:
    """Text, a megabyte with back-pressure, more channels than are kept, a message beyond max-message-size."""
    ours, theirs = new_connection(), new_connection()
    here, there = End(), End()
    theirs.on("datachannel", there.channel.adopt)
    here.channel.adopt(ours.createDataChannel("alice"))
    more = [ours.createDataChannel(f"more{number}") for number in range(2 * CHANNELS)]
    await negotiate(ours, theirs, lambda sdp: sdp.replace("a=max-message-size:262144", "a=max-message-size:17000"))
    await until(lambda: here.notes.states == [True] and there.notes.states == [True])
    await until(lambda: sum(channel.readyState == "closed" for channel in more) == CHANNELS + 1)
    assert here.channel.send("häh?")
    data = bytes(index % 253 for index in range(BINARY_LIMIT))
    assert here.channel.send(data)
    assert here.channel.send("after it")
    await until(lambda: len(there.notes.received) == 3, 30)
    assert there.notes.received == ["häh?", data, "after it"]
    assert not there.channel.send("x" * 17_001)
    assert there.channel.send("x" * 17_000)
    await until(lambda: here.notes.received == ["x" * 17_000])
    for connection in (ours, theirs):
        await connection.close()
    assert here.notes.states == there.notes.states == [True, False]
    here.channel.close()
    there.channel.close()
    await asyncio.sleep(0)
