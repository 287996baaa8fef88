"""Plays a 440 Hz voice until its input closes, and says on which output: a process of its own for sound tests."""

from __future__ import annotations

import asyncio
import sys

from tui.media.generated import TestTone
from tui.media.mixer import Mixer
from tui.media.playback import Playback


async def main() -> None:
    mixer = Mixer()
    voice = mixer.add("voice")
    tone = TestTone(440.0, amplitude=0.5)

    async def speak() -> None:
        while True:
            voice.push(await tone.recv())

    speaking = asyncio.create_task(speak())
    playback = await Playback.open(
        mixer, on_change=lambda name, hint: print("on" if name else "off", name or hint, flush=True)
    )
    await asyncio.to_thread(sys.stdin.read)
    speaking.cancel()
    await playback.aclose()
    print("closed", flush=True)


asyncio.run(main())
