"""The versions of this program and of what it is built on.

Used by ``--version`` and by the doctor. Nothing of it is imported to be asked.
"""

from __future__ import annotations

import platform
from importlib import metadata

from tui import __version__

LIBRARIES = ("textual", "aiortc", "aioice", "av", "websockets", "sounddevice", "numpy", "httpx")


def libraries() -> dict[str, str]:
    """The version of each library by its name, empty where it is not installed."""
    return {name: _version(name) for name in LIBRARIES}


def summary() -> str:
    """Two lines: this program, and what it runs on."""
    found = (f"{name} {version or '(missing)'}" for name, version in libraries().items())
    return f"antconf {__version__}\nPython {platform.python_version()}, {', '.join(found)}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
