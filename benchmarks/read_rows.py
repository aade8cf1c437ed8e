"""Reads so many short answers over one connection, for ``benchmarks.instructions`` to count: ``python -m
    benchmarks.read_rows WAY URL ROWS``, where the way is ``raw_socket`` or ``batch``.

A batch takes them as rows, one at a time: with several the count would depend on who gets which.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hf_text import Client, batch

from .drivers.raw_socket import Driver

__all__ = ["WAYS"]


def by_raw_socket(url: str, rows: int) -> int:
    """The floor."""
    driver = Driver(url, None)
    return sum(1 for _ in range(rows) if list(driver.stream()))


def by_batch(url: str, rows: int) -> int:
    """Rows with their journal and output."""
    prompts = (f"question {number}" for number in range(rows))
    with tempfile.TemporaryDirectory() as folder, Client(api_base=url, max_retries=0) as client:
        summary = batch.run(prompts, Path(folder) / "out.jsonl", client=client, model="m", max_workers=1)
    return summary.done


WAYS = {"raw_socket": by_raw_socket, "batch": by_batch}


def main() -> None:
    """Read and print how many came."""
    way, url, rows = sys.argv[1:]
    print(WAYS[way](url, int(rows)))


if __name__ == "__main__":
    main()
