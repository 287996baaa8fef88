"""What sshd's connection has taken and what has arrived, by a real one, and the answers that wait for it."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.waiting import until
from tui import uplink as module
from tui.core.tasks import Tasks
from tui.uplink import Arrivals, Progress, Uplink

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of other programs' connections")

PAIR = ("::1", "127.0.0.1")


@contextmanager
def connected(host: str) -> Iterator[tuple[socket.socket, socket.socket, str]]:
    """sshd's end, the person's, and what sshd calls them."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        there = socket.create_connection(listening.getsockname()[:2])
        here, _ = listening.accept()
    with here, there:
        there_name, here_name = there.getsockname(), here.getsockname()
        yield here, there, f"{there_name[0]} {there_name[1]} {here_name[0]} {here_name[1]}"


def fill(here: socket.socket) -> int:
    """Write until no more is taken."""
    here.setblocking(False)
    written = 0
    while True:
        try:
            written += here.send(bytes(65536))
        except BlockingIOError:
            return written


@pytest.mark.parametrize("host", PAIR)
async def test_what_nobody_reads_is_given_and_has_not_arrived(host: str) -> None:
    with connected(host) as (here, there, name):
        uplink = Uplink.open(name)
        assert uplink is not None
        begin = uplink.progress()
        assert begin is not None
        written = fill(here)
        stuck = uplink.progress()
        assert stuck is not None
        assert stuck.given - begin.given == written
        assert stuck.arrived < stuck.given
        assert (begin.full, stuck.full) == (False, True)
        assert stuck.round_trip is not None
        assert 0 < stuck.round_trip < 1
        read = 0
        while read < written:
            read += len(there.recv(1 << 20))

        def all_there() -> bool:
            progress = uplink.progress()
            return progress is not None and progress.arrived == progress.given == stuck.given and not progress.full

        await until(all_there)
        here.close()
        there.close()
        await until(lambda: uplink.progress() is None)
        uplink.close()
        uplink.close()
        assert uplink.progress() is None


@pytest.mark.parametrize(
    "connection", ["", "localhost 1 localhost 2", "127.0.0.1 1 127.0.0.1 2", "a b c d", "1 2 3", "::1 99999 ::1 1", "é"]
)
def test_of_what_is_no_connection_nothing_is_known(connection: str) -> None:
    assert Uplink.open(connection) is None


def test_where_the_kernel_cannot_be_asked_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with connected("127.0.0.1") as (_, _, name):
        monkeypatch.delattr(socket, "AF_NETLINK")
        assert Uplink.open(name) is None


@pytest.mark.parametrize(
    "answer", [b"", bytes(16), bytes(88), bytes(88) + b"\xff" * 40, bytes(88) + b"\x01\x00\x02\x00"]
)
def test_answers_that_say_nothing_are_none(answer: bytes) -> None:
    assert module._progress(answer) is None


class Paced:
    """Notes what a pacer is told."""

    def __init__(self) -> None:
        self.proxied = True
        self.answers: list[int | None] = []
        self.round_trip = 0.0

    def answered(self, number: int | None, now: float) -> None:
        self.answers.append(number)

    def know_way(self, round_trip: float) -> None:
        self.round_trip = round_trip


class Line(Uplink):
    """A connection whose progress a test says."""

    def __init__(self) -> None:
        self.now: Progress | None = Progress(0, 0)

    def progress(self) -> Progress | None:
        return self.now

    def close(self) -> None:
        pass


async def test_an_answer_is_held_back_until_all_of_it_has_arrived() -> None:
    line, pacer, tasks, clock = Line(), Paced(), Tasks(), [0.0]
    arrivals = Arrivals(line, pacer, lambda: "", lambda: clock[0])
    assert not pacer.proxied
    arrivals.start(tasks)
    line.now = Progress(1000, 0, round_trip=0.04)
    arrivals.take(1, 0.0)
    clock[0] = 0.02
    await until(lambda: arrivals._awaited)
    assert 0.04 <= pacer.round_trip < 0.1
    line.now = Progress(3000, 999)
    arrivals.take(2, 0.02)
    clock[0] = 0.04
    await until(lambda: len(arrivals._awaited) == 2)
    assert pacer.answers == []
    line.now = Progress(3000, 1000)
    await until(lambda: pacer.answers == [1])
    arrivals.take(3, 0.04)
    clock[0] = 0.06
    await until(lambda: len(arrivals._awaited) == 2)
    line.now = Progress(9000, 3000)
    await until(lambda: pacer.answers == [1, 3])
    await tasks.aclose()


async def test_while_more_waits_before_the_connection_nothing_is_known() -> None:
    line, pacer, tasks, clock = Line(), Paced(), Tasks(), [0.0]
    arrivals = Arrivals(line, pacer, lambda: "", lambda: clock[0])
    arrivals.start(tasks)
    line.now = Progress(5000, 0, full=True)
    arrivals.take(1, 0.0)
    clock[0] = 1.0
    await until(lambda: arrivals._full_at == 1.0)
    # What was there then has arrived, but sshd had more.
    line.now = Progress(9000, 5000)
    clock[0] = 1.02
    await until(lambda: arrivals._awaited)
    assert pacer.answers == []
    line.now = Progress(9000, 9000)
    await until(lambda: pacer.answers == [1])
    await tasks.aclose()


async def test_who_comes_back_from_elsewhere_is_found_and_until_then_nobody_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_FINDS", 0.01)
    pacer, tasks, tries = Paced(), Tasks(), list[int]()
    with connected("127.0.0.1") as (_, _, name):

        def find() -> str:
            tries.append(1)
            return name if len(tries) > 3 else "127.0.0.1 1 127.0.0.1 2"

        line = Line()
        arrivals = Arrivals(line, pacer, find)
        arrivals.start(tasks)
        line.now = None
        arrivals.take(1, 0.0)
        await until(lambda: len(tries) > 3)
        arrivals.take(2, 0.0)
        await until(lambda: pacer.answers == [2])
        assert not pacer.proxied
    await tasks.aclose()
    arrivals.close()


async def test_where_nobody_knows_any_more_answers_pass_as_they_come() -> None:
    line, pacer, tasks = Line(), Paced(), Tasks()
    arrivals = Arrivals(line, pacer, lambda: "")
    arrivals.start(tasks)
    line.now = None
    arrivals.take(1, 0.0)
    await until(lambda: pacer.proxied)
    arrivals.take(2, 0.0)
    assert pacer.answers == [2]
    await tasks.aclose()
