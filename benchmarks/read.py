"""What ``benchmarks.instructions`` counts: one answer, read by one client. ``python -m benchmarks.read DRIVER PORT
    ASKS``.

``ASKS`` is the descriptor of a pipe. The reader asks there for each event once it can do nothing without it (a blocking
client: when it has handed out the one before; an async one: when its event loop is about to wait). So each event comes
alone, and as many instructions are needed each time. Without ``ASKS`` the answer comes as it comes.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import selectors
import sys
from typing import Any


class Asker:
    """Asks for the next event, once for each that came."""

    def __init__(self, asks: int | None) -> None:
        self._asks = asks
        self.due = True

    def ask(self) -> None:
        if self.due and self._asks is not None:
            self.due = False
            os.write(self._asks, b".")


class AskingSelector(selectors.DefaultSelector):
    """What an event loop waits with; asks before it waits."""

    def __init__(self, asker: Asker) -> None:
        super().__init__()
        self._asker = asker

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout > 0:
            self._asker.ask()
        return super().select(timeout)


def read(driver: Any, asker: Asker) -> int:
    """Read an answer; gives the number of pieces."""
    count = 0
    asker.ask()
    for _ in driver.stream():
        count += 1
        asker.due = True
        asker.ask()
    return count


async def read_async(driver: Any, asker: Asker) -> int:
    """The same of an async client."""
    count = 0
    async for _ in driver.stream():
        count += 1
        asker.due = True
    return count


def main() -> None:
    """Read and print the number of pieces."""
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
