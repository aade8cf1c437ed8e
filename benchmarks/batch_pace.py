"""How much of a limit a batch uses, against a real server process: ``python -m benchmarks.batch_pace [--quick]
    [--load 50:2 …] [--outage 10 …] [--kind closed …] [--seconds N]``.

For each limit and answer time: the share of the allowed requests that was used from the 30th second on, and the share
of all requests that was refused. For each outage: how much longer it made the same run.
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
OUTAGES = [10.0, 60.0]
KINDS = ["closed", "503", "429"]
SETTLED = 30


@contextmanager
def limited_server(**options: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The base URL of a server process, and a dict that receives its report when the block ends."""
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
    """Run a batch. Returns the seconds, the summary and the server's report."""
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


def refusals(summary: batch.Summary, report: dict[str, Any]) -> str:
    """The number of refused requests, counted by the client: including failed connections."""
    refused = sum(summary.refused.values())
    sent = refused + sum(report["through"])
    return f"{refused} of {sent} requests refused ({refused / sent:.1%}; {dict(summary.refused)})"


def measure_load(rate: float, answer: float, seconds: float) -> float:
    """Print the used share of a limit. Returns the seconds of the run."""
    took, summary, report = run(rate, answer, int(rate * seconds))
    end = int(seconds) - 5  # at the end, fewer rows are left than the limit allows
    through = report["through"][SETTLED:end] or report["through"]
    share = sum(through) / (len(through) * rate)
    print(
        f"{rate:g}/s, answers of {answer:g} s: {share:.1%} of the limit after {SETTLED} s; {took:.1f} s; "
        f"{refusals(summary, report)}; {summary.done} rows, {report['twice']} twice",
        flush=True,
    )
    return took


def measure_outage(rate: float, answer: float, outage: float, kind: str, seconds: float, without: float) -> None:
    """Print by how much an outage prolongs a run that takes ``without`` seconds otherwise."""
    took, summary, report = run(rate, answer, int(rate * seconds), outage=(seconds / 3, outage), outage_kind=kind)
    lost = report["broken"] / rate  # broken answers are requested again, at the same rate
    extra = took - without
    print(
        f"{rate:g}/s, answers of {answer:g} s, an outage of {outage:g} s ({kind}): {took:.1f} s, {extra / outage:.0%} "
        f"of the outage longer; {(extra - lost) / outage:.0%} beside the {report['broken']} answers that it broke "
        f"({lost:.1f} s of the limit); {refusals(summary, report)}; {summary.done} rows done, {summary.failed} failed",
        flush=True,
    )


def main() -> None:
    """Run the requested measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long each run takes without an outage")
    parser.add_argument("--load", nargs="+", metavar="RATE:ANSWER", help="requests a second, and seconds of an answer")
    parser.add_argument("--outage", nargs="*", type=float, default=OUTAGES, help="seconds, none or several")
    parser.add_argument("--kind", nargs="+", choices=KINDS, default=KINDS, help="how the outage shows")
    options = parser.parse_args()
    if options.quick:
        took = measure_load(50.0, 0.1, 3.0)
        measure_outage(50.0, 0.1, 1.0, "503", 3.0, took)
        return
    loads = [tuple(map(float, load.split(":"))) for load in options.load] if options.load else LOADS
    for rate, answer in loads:
        without = measure_load(rate, answer, options.seconds)
        for outage in options.outage:
            for kind in options.kind:
                measure_outage(rate, answer, outage, kind, options.seconds, without)


if __name__ == "__main__":
    main()
