"""``python -m tui.media.listing``: the sound devices of this machine as one line of JSON, for `portaudio.list_afresh`.

A process of its own, because PortAudio looks only once in each; it imports nothing else, so that it is quick.
"""

from __future__ import annotations

import importlib
import json
import sys

MOST_DEVICES = 256
LONGEST_NAME = 200
_FIGURES = ("max_input_channels", "max_output_channels", "default_samplerate")


def main() -> None:
    """Print the line; fails when PortAudio does."""
    sounddevice = importlib.import_module("sounddevice")
    found = list(sounddevice.query_devices())[:MOST_DEVICES]
    devices = [
        {"name": str(info["name"])[:LONGEST_NAME]} | {figure: info[figure] for figure in _FIGURES} for info in found
    ]
    sys.stdout.write(
        json.dumps({"devices": devices, "default": [int(number) for number in sounddevice.default.device]})
    )


if __name__ == "__main__":
    main()
