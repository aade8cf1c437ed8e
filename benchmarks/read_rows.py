"""Takes so many short answers as rows of a batch, for ``benchmarks.instructions`` to count: ``python -m
    benchmarks.read_rows URL ROWS``.

One at a time: with several the count would depend on who gets which.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from hf_text import Client, batch


def main() -> None:
    """Take them and print how many came."""
    url, rows = sys.argv[1:]
    prompts = (f"question {number}" for number in range(int(rows)))
    with tempfile.TemporaryDirectory() as folder, Client(api_base=url, max_retries=0) as client:
        summary = batch.run(prompts, Path(folder) / "out.jsonl", client=client, model="m", max_workers=1)
    print(summary.done)


if __name__ == "__main__":
    main()
