"""What the tests against a real browser share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.interop.browser import chromium, web_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from playwright.async_api import Browser


@pytest.fixture(scope="session")
def pages(official_sdk: Path) -> Iterator[str]:
    """The origin that serves ``tests/interop/pages`` and the official SDK."""
    with web_server(official_sdk) as origin:
        yield origin


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests, which run on the session's loop; everybody in it has a context of their own."""
    async with chromium() as browser:
        yield browser
