"""Blocking calls of devices and codecs, kept off the event loop.

Used by everything in this package that opens or closes something. The threads are daemons: a driver that hangs
must not keep the program from ending, as a pool's threads would.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result], discard: Callable[[Result], object] | None = None) -> Result:
    """Run ``work`` in a thread of its own; its result or exception.

    Cancelling only stops the waiting: ``discard`` then gets the late result, in a thread, to give it back.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if done.cancelled():
            abandon(result, error)
        elif error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def abandon(result: Result | None, error: BaseException | None) -> None:
        if error is None and discard is not None:
            threading.Thread(target=discard, args=[result], name="late result", daemon=True).start()

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:
            error = caught
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            abandon(result, error)  # the loop is closed

    threading.Thread(target=run, name="blocking call", daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        # Cancelled when the result was there but nobody had it yet.
        if done.done() and not done.cancelled():
            abandon(None if done.exception() else done.result(), done.exception())
        raise
