"""A listener of the audio benchmark: headless Chromium with the unmodified official SDK.

Its sound is what `MediaStreamTrackProcessor` gives, which is what goes to the device.
"""

from __future__ import annotations

import base64
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from numpy.typing import NDArray
    from playwright.async_api import Browser, Page


class BrowserListener:
    """One page. Opened by `browser_listener`."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def join(self, url: str, room: str) -> None:
        """Play the room and record it from the first sound on."""
        await self._page.evaluate("([url, room]) => listener.join(url, room)", [url, room])

    async def finish(self) -> tuple[NDArray[np.float32], float, list[dict[str, Any]]]:
        """What was heard, when that began by ``time.monotonic``, and its figures of ``inbound-rtp``."""
        found = await self._page.evaluate("listener.finish()")
        sound = np.frombuffer(base64.b64decode(found["sound"]), dtype="<i2").astype(np.float32) / np.float32(32768)
        offset = time.monotonic() - time.time()
        figures = [each | {"at": each["at"] / 1000 + offset} for each in found["figures"]]
        return sound, found["began"] / 1000 + offset, figures


@asynccontextmanager
async def browser_listener(browser: Browser, origin: str) -> AsyncIterator[BrowserListener]:
    """A page of its own for one listener."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(f"{origin}/listener.html")
        await page.wait_for_function("window.listener")
        yield BrowserListener(page)
    finally:
        await context.close()
