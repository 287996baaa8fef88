"""antconf: be in an Ant Media Server conference from a terminal.

The public core is exported lazily, so that ``import tui`` costs nothing::

    from tui import WebRTCAdaptor, Conference
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tui.core.adaptor import WebRTCAdaptor
    from tui.core.conference import Conference

__version__ = "0.1.0"
__all__ = ["Conference", "WebRTCAdaptor", "__version__"]

_HOMES = {"WebRTCAdaptor": "tui.core.adaptor", "Conference": "tui.core.conference"}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
