"""Reads short answers with one client, one after the other, for ``benchmarks.instructions`` to count:
``python -m benchmarks.read_answers DRIVER URL ANSWERS``.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Any


async def read_async(driver: Any, answers: int) -> int:
    """Read this many answers. Returns the number of pieces."""
    return sum([1 for _ in range(answers) async for _ in driver.stream()])


def read(driver: Any, answers: int) -> int:
    """``read_async`` for a blocking client."""
    return sum(1 for _ in range(answers) for _ in driver.stream())


def main() -> None:
    """Read the answers, and print the number of pieces."""
    name, url, answers = sys.argv[1:]
    module = importlib.import_module(f"benchmarks.drivers.{name}")
    driver = module.Driver(url, None)
    print(read(driver, int(answers)) if module.MODE == "sync" else asyncio.run(read_async(driver, int(answers))))


if __name__ == "__main__":
    main()
