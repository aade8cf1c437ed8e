"""How much of a limit a batch uses, against a real server process: ``python -m benchmarks.batch_pace [--quick]
    [--seconds N] [--only TEXT]``.

For each limit and answer time: the share of the allowed requests that were let through from the 30th second on, and
the share of all requests that were refused. For each outage: how much longer the run took than without one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hf_text import Client, batch

LOADS = [(50.0, 0.1), (50.0, 2.0), (20.0, 5.0), (10.0, 20.0)]
OUTAGES = [(50.0, 0.1, 10.0), (50.0, 2.0, 10.0), (50.0, 2.0, 60.0), (20.0, 5.0, 10.0), (10.0, 20.0, 60.0)]
SETTLED = 30


@contextmanager
def limited_server(**options: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a server process, and what it saw, once the block has ended."""
    words = [
        word
        for name, value in options.items()
        for word in (f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else (value,)))
    ]
    command = [sys.executable, "-m", "benchmarks.limited_server", *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    report: dict[str, Any] = {}
    port = process.stdout.readline().strip()
    process.stdin.write("start\n")
    process.stdin.flush()
    try:
        yield f"http://127.0.0.1:{port}/v1", report
    finally:
        process.stdin.close()
        report.update(json.loads(process.stdout.readline()))
        process.wait()


def run(rate: float, answer: float, rows: int, **options: Any) -> tuple[float, batch.Summary, dict[str, Any]]:
    """Seconds, summary and what the server saw of a run of so many rows."""
    server = limited_server(rate=rate, answer=answer, **options)
    with (
        tempfile.TemporaryDirectory() as folder,
        server as (url, report),
        Client(api_base=url, max_retries=0) as client,
    ):
        started = time.monotonic()
        prompts = (f"question {number}" for number in range(rows))
        summary = batch.run(prompts, Path(folder) / "out.jsonl", client=client, model="m", max_workers=512)
        seconds = time.monotonic() - started
    return seconds, summary, report


def measure_load(rate: float, answer: float, seconds: float) -> None:
    """Print what is used of a limit."""
    _, summary, report = run(rate, answer, int(rate * seconds))
    end = int(seconds) - 5  # the last rows are no longer as many as the limit allows
    through = report["through"][SETTLED:end] or report["through"]
    share = sum(through) / (len(through) * rate)
    refused = sum(report["refused"])
    print(
        f"{rate:g}/s, answers of {answer:g} s: {share:.1%} of the limit after {SETTLED} s; {refused} of "
        f"{refused + sum(report['through'])} requests refused ({refused / (refused + sum(report['through'])):.1%}); "
        f"{summary.done} rows, {report['twice']} twice",
        flush=True,
    )


def measure_outage(rate: float, answer: float, outage: float, seconds: float) -> None:
    """Print what an outage costs."""
    rows = int(rate * seconds)
    without, _, _ = run(rate, answer, rows)
    with_one, summary, report = run(rate, answer, rows, outage=(seconds / 3, outage))
    lost = report["broken"] / rate  # answers that the outage broke: they are asked again, at the same rate
    extra, refused = with_one - without - lost, sum(report["refused"])
    print(
        f"{rate:g}/s, answers of {answer:g} s, an outage of {outage:g} s: {without:.1f} s without, {with_one:.1f} s "
        f"with it ({report['broken']} answers broken, {lost:.1f} s of the limit; {extra / outage:.0%} of the outage "
        f"beside that); {refused} requests refused ({refused / (refused + sum(report['through'])):.1%}); "
        f"{summary.done} rows done, {summary.failed} failed",
        flush=True,
    )


def main() -> None:
    """Measure all that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each run is to take")
    parser.add_argument("--only", default="", help="loads or outages")
    options = parser.parse_args()
    if options.quick:
        measure_load(50.0, 0.1, 3.0)
        return
    if options.only != "outages":
        for rate, answer in LOADS:
            measure_load(rate, answer, options.seconds)
    if options.only != "loads":
        for rate, answer, outage in OUTAGES:
            measure_outage(rate, answer, outage, max(options.seconds, 4 * outage))


if __name__ == "__main__":
    main()
