"""A headless Chromium for the tests: software that we did not write, at the other end of the wire.

Used by the tests with the marker ``interop``. Pages come from a loopback web server of the test's own, which also
serves the unmodified official SDK at ``/sdk/``.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import async_playwright

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser

PAGES = Path(__file__).parent / "pages"

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # A page in the background keeps its full rate: two tabs take part at once.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    # Without this a machine that has no network but loopback gets no candidates.
    "--allow-loopback-in-peer-connection",
]


def find_chromium() -> str:
    """The path of Debian's Chromium, or whatever stands in for it; skips the test without one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("needs Chromium (apt install chromium)")
    return found


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser with fake devices; open a context per person in it."""
    path = find_chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the pages' directory, and the SDK's below ``/sdk/``."""

    def __init__(self, *args: Any, sdk: Path, **kwargs: Any) -> None:
        self._sdk = sdk
        super().__init__(*args, directory=str(PAGES), **kwargs)

    def translate_path(self, path: str) -> str:
        if path.startswith("/sdk/"):
            return str(self._sdk / Path(path.partition("?")[0]).name)
        return super().translate_path(path)

    def log_message(self, *_: Any) -> None:
        """The test's output is not the place for an access log."""


@contextmanager
def web_server(sdk: Path) -> Iterator[str]:
    """The origin of the pages, such as ``http://127.0.0.1:40001``."""
    handler = functools.partial(_Handler, sdk=sdk)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="pages", daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
