"""How long the first answer of a process keeps its event loop busy in one go: ``python -m benchmarks.first_async URL``.

The library is imported before the loop runs, as a program that has the import at its top does. Prints milliseconds of
the loop's thread: of CPU, so that other processes do not count.
"""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from typing import Any

from hf_text.aio import AsyncClient


class WatchedSelector(selectors.DefaultSelector):
    """What an event loop waits with; keeps the longest time between two waits."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = 0.0
        self._since = time.thread_time()

    def select(self, timeout: float | None = None) -> Any:
        self.longest = max(self.longest, time.thread_time() - self._since)
        ready = super().select(timeout)
        self._since = time.thread_time()
        return ready


async def read(url: str) -> None:
    """One answer of a new client."""
    async with AsyncClient(api_base=url) as client:
        async for _ in client.stream("Hi", "m"):
            pass


def main() -> None:
    """Read and print."""
    selector = WatchedSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.run_until_complete(read(sys.argv[1]))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    print(selector.longest * 1000)


if __name__ == "__main__":
    main()
