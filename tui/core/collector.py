"""The garbage collector, kept out of the way of sound.

A full collection walks everything that lives and stops every thread meanwhile: 100 to 160 ms for a call with its
screen, every few seconds, which is heard (media-facts.md, Audio). Used by the bridge and the demo.
"""

from __future__ import annotations

import asyncio
import gc

SETTLED = 3.0
"""Seconds after joining: by then what a call needs is imported and built."""


async def settle(after: float = SETTLED) -> None:
    """Collect once more, then leave what lives out of all later collections.

    What is left out is never collected if it dies in a cycle: call it once for each call, not again and again.
    """
    await asyncio.sleep(after)
    gc.collect()
    gc.freeze()
