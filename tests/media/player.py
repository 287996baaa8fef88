"""Plays a 440 Hz voice until its input closes, and says on which output: a process of its own for sound tests."""

from __future__ import annotations

import asyncio
import sys
import time

from tui.core.audio import AudioPacket
from tui.media.encoding import Coding, OpusEncoder
from tui.media.generated import TestTone
from tui.media.mixer import Mixer
from tui.media.playback import Playback


async def main() -> None:
    mixer = Mixer()
    voice = mixer.add("voice")
    tone, encoder = TestTone(440.0, amplitude=0.5), OpusEncoder(Coding())

    async def speak() -> None:
        sequence = 0
        while True:
            payloads, at = encoder.encode(await tone.recv())
            for payload in payloads:
                voice.push(AudioPacket("opus", 48_000, 1, sequence, at, payload, time.monotonic()))
                sequence += 1

    speaking = asyncio.create_task(speak())
    playback = await Playback.open(
        mixer, on_change=lambda name, hint: print("on" if name else "off", name or hint, flush=True)
    )
    await asyncio.to_thread(sys.stdin.read)
    speaking.cancel()
    await playback.aclose()
    print("closed", flush=True)


asyncio.run(main())
