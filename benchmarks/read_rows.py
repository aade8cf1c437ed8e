"""Runs a batch of rows with short answers, for ``benchmarks.instructions`` to count: ``python -m
    benchmarks.read_rows URL ROWS``.

It uses one worker: with several, the count would depend on which worker gets which row.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hf_text import Client, batch


def main() -> None:
    """Run the batch, and print the number of completed rows."""
    url, rows = sys.argv[1:]
    prompts = (f"question {number}" for number in range(int(rows)))
    with tempfile.TemporaryDirectory() as folder, Client(api_base=url, max_retries=0) as client:
        summary = batch.run(prompts, Path(folder) / "out.jsonl", client=client, model="m", max_workers=1)
    print(summary.done)


if __name__ == "__main__":
    main()
