"""The far end of the line benchmark sees what came, however the bytes are cut, and its line has the rate it says."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.benchmarks.screen_line import COUNTER, COUNTS, Line, Watcher
from tests.waiting import until

STREAM = (
    b"\x1b[?2026$p\x1b[1;1Htext\x1b[2;17H\x1b[6n\x1b[40;9H"
    + f"\x1b7\x1b[40;119H{chr(COUNTER + 1)}\x1b8\u2460".encode()
    + b"\x1b[2;18H\x1b[6n\x1b[40;9H"
    + f"\x1b7\x1b[40;119H{chr(COUNTER + 2)}\x1b8\u2460\u2461".encode()
)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1000])
def test_questions_counts_and_letters_are_seen_once(piece: int) -> None:
    answers: list[bytes] = []
    watcher = Watcher(answers.append)
    for start in range(0, len(STREAM), piece):
        watcher.feed(STREAM[start : start + piece])
    assert answers == [b"\x1b[?2026;2$y", b"\x1b[2;17R", b"\x1b[2;18R"]
    assert [count for _, count in watcher.counts] == [1, 2]
    assert list(watcher.letters) == ["\u2460", "\u2461"]
    assert watcher.received == len(STREAM)


def test_counts_go_on_when_some_are_left_out_and_start_anew() -> None:
    watcher = Watcher(lambda data: None)
    for count in (1, 5, 100, 200, 255, 256, 300, 299):
        watcher.feed(chr(COUNTER + count % COUNTS).encode())
    assert [count for _, count in watcher.counts] == [1, 5, 100, 200, 255, 256, 300]


def test_a_terminal_that_does_not_answer_answers_nothing() -> None:
    answers: list[bytes] = []
    Watcher(answers.append, answers=False).feed(STREAM)
    assert answers == []


async def test_bytes_pass_at_the_rate_and_in_order() -> None:
    out = bytearray()
    line = Line(20_000, 0.05, 4096, out.extend)
    running = asyncio.create_task(line.run())
    data = bytes(range(256)) * 20
    began = time.monotonic()
    line.put(data)
    assert not line.room.is_set()
    await until(lambda: len(out) == len(data))
    # No sooner: a busy machine may make it later.
    assert time.monotonic() - began >= len(data) / 20_000 + 0.05 - 0.02
    assert bytes(out) == data
    assert line.room.is_set()
    running.cancel()
