"""What the tests against a scripted server share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.ams import Ams
from tui.core import session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def ams() -> AsyncIterator[Ams]:
    async with Ams() as ams:
        yield ams


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried at once."""
    for pause in ("RETRY_EMPTY", "RETRY_LOST", "RETRY_IN_USE"):
        monkeypatch.setattr(session, pause, 0.05)
