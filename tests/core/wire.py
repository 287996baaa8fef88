"""The messages of the signalling reference, one file each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parent / "fixtures"


def message(name: str) -> dict[str, Any]:
    """The wire message of that file."""
    value: dict[str, Any] = json.loads(text(f"{name}.json"))
    return value


def text(name: str) -> str:
    """A fixture file as it is."""
    return (FIXTURES / name).read_text(encoding="utf-8")


def names(prefix: str = "") -> list[str]:
    """The names of all JSON fixtures that begin so."""
    return sorted(path.stem for path in FIXTURES.glob(f"{prefix}*.json"))
