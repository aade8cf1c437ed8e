"""Reads one answer with one client, for ``benchmarks.instructions`` to count: ``python -m benchmarks.read DRIVER PORT
    ASKS``.

``ASKS`` is the descriptor of a pipe. The reader writes to it to request each event when it has nothing else to do (a
blocking client: after it yielded the previous event; an async client: when its event loop is about to wait). So each
event arrives separately, and the number of instructions is the same in each run. Without ``ASKS`` the server sends
without waiting.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import selectors
import sys
from typing import Any


class Asker:
    """Requests the next event, once for each event received."""

    def __init__(self, asks: int | None) -> None:
        self._asks = asks
        self.due = True

    def ask(self) -> None:
        if self.due and self._asks is not None:
            self.due = False
            os.write(self._asks, b".")


class AskingSelector(selectors.DefaultSelector):
    """A selector for an event loop that requests the next event before it waits."""

    def __init__(self, asker: Asker) -> None:
        super().__init__()
        self._asker = asker

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout > 0:
            self._asker.ask()
        return super().select(timeout)


def read(driver: Any, asker: Asker) -> int:
    """Read an answer. Returns the number of pieces."""
    count = 0
    asker.ask()
    for _ in driver.stream():
        count += 1
        asker.due = True
        asker.ask()
    return count


async def read_async(driver: Any, asker: Asker) -> int:
    """``read`` for an async client."""
    count = 0
    async for _ in driver.stream():
        count += 1
        asker.due = True
    return count


def main() -> None:
    """Read an answer, and print the number of pieces."""
    name, port, *asks = sys.argv[1:]
    module = importlib.import_module(f"benchmarks.drivers.{name}")
    driver = module.Driver(f"http://127.0.0.1:{port}/v1", None)
    asker = Asker(int(asks[0]) if asks else None)
    if module.MODE == "sync":
        print(read(driver, asker))
        return
    loop = asyncio.SelectorEventLoop(AskingSelector(asker))
    print(loop.run_until_complete(read_async(driver, asker)))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


if __name__ == "__main__":
    main()
