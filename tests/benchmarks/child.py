"""A process of the audio benchmark that does one thing and answers one question after another, JSON line by line.

Used on both sides: the benchmark starts a `Child`, whose module calls `answer`. Standard library alone, so that a
process has only what its own module imports.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PATIENCE = 40.0
"""Seconds that an answer may take, beyond what was asked to last."""

_LINE_LIMIT = 1 << 24
_LAST_WORDS = 2000


class Child:
    """``async with Child("tests.benchmarks.room") as child``; it ends with the block, by force if it must."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_LIMIT,
        )
        assert self._process.stderr is not None
        self._complaints = asyncio.create_task(self._process.stderr.read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._complaints

    async def ask(self, question: str, *arguments: object, lasts: float = 0.0) -> Any:
        """The answer; raises ``RuntimeError`` with its last words when the process has ended instead."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([question, *arguments]).encode() + b"\n")
        async with asyncio.timeout(PATIENCE + lasts):
            line = await self._process.stdout.readline()
        if not line:
            words = (await self._complaints)[-_LAST_WORDS:].decode(errors="replace")
            raise RuntimeError(f"{self._module} ended before it answered {question!r}:\n{words}")
        return json.loads(line)


async def answer(**questions: Callable[..., Awaitable[object]]) -> None:
    """Answer on standard output what standard input asks by these names, until it ends."""
    reader = asyncio.StreamReader(limit=_LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        question, *arguments = json.loads(line)
        answered = await questions[question](*arguments)
        sys.stdout.write(json.dumps(answered) + "\n")
        sys.stdout.flush()
