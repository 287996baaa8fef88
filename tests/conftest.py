"""What holds for every test: nothing of the developer's own environment is seen or touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ("tests.interop.official",)

_REAL_TIME = ("faults", "interop", "pty", "sound")
"""Marks of tests in which devices, browsers and whole programs share the machine's time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A second try for what a busy machine can spoil; the summary names whoever needed it."""
    for item in items:
        if any(item.get_closest_marker(mark) for mark in _REAL_TIME):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("CONFIG", "STATE", "DATA", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
    for name in list(os.environ):
        ours = name in ("NO_COLOR", "COLORTERM") or name.startswith(("TEXTUAL", "ANTCONF"))
        # The snapshot plugin keeps its reports where this says.
        if ours and name != "TEXTUAL_SNAPSHOT_TEMPDIR":
            monkeypatch.delenv(name)
