"""The package loads without terminal and sound card, and stays quick to load."""

from __future__ import annotations

import subprocess
import sys

_PROBE = """
import pkgutil, importlib, sys
import tui.media
for module in pkgutil.iter_modules(tui.media.__path__, "tui.media."):
    importlib.import_module(module.name)
print(*[name for name in ("textual", "rich", "sounddevice", "_sounddevice") if name in sys.modules])
"""


def test_no_terminal_and_no_sound_card_at_import() -> None:
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    assert probe.stdout.strip() == ""
