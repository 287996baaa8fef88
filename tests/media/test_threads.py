"""Blocking calls in threads: what is opened is given back whoever gives up waiting, and when."""

from __future__ import annotations

import asyncio
import threading

import pytest

from tests.waiting import until
from tui.media.threads import in_thread


async def test_a_result_that_comes_too_late_is_given_back() -> None:
    go = threading.Event()
    given_back: list[str] = []
    waiting = asyncio.ensure_future(in_thread(lambda: "microphone" if go.wait(10) else "", given_back.append))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go.set()
    assert await until(lambda: given_back) == ["microphone"]


async def test_a_result_that_comes_together_with_the_cancelling_is_given_back() -> None:
    given_back: list[str] = []
    before = set(threading.enumerate())
    waiting = asyncio.ensure_future(in_thread(lambda: "microphone", given_back.append))
    await asyncio.sleep(0)
    for thread in set(threading.enumerate()) - before:
        thread.join()
    # After the result, which is on its way to the loop, and before whoever waits for it.
    asyncio.get_running_loop().call_soon(waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await until(lambda: given_back) == ["microphone"]
