"""The cost of a large batch: ``python -m benchmarks.batch_scale [--quick] [--rows N] [--asked N] [--peers]``.

* start: seconds from the call to the first answer, with ``--rows`` pending rows;
* resume: seconds and memory of a run whose rows are all done;
* asked: rows per second, CPU, and memory over time of a run; with ``--peers`` also for ``openai``'s async client with a
  semaphore and its blocking client with threads.

Each is measured in a separate process. The server is another process, and answers immediately.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .batch_pace import limited_server

PROMPT = "Is this review positive or negative? It arrived late, but it works. Number {}"


def write_inputs(path: Path, rows: int) -> None:
    with open(path, "w") as file:
        file.writelines(json.dumps({"custom_id": f"r{n}", "prompt": PROMPT.format(n)}) + "\n" for n in range(rows))


def write_finished(inputs: Path, output: Path) -> None:
    """Write the output of a completed run."""
    from hf_text import Completion
    from hf_text.batch.index import Index
    from hf_text.batch.inputs import Source
    from hf_text.batch.lines import Line, build_line
    from hf_text.batch.rows import RowParser

    completion = Completion("positive " * 10, finish_reason="stop", model="m")
    parser = RowParser({"model": "m"}, None, Index())
    with open(output, "wb") as file:
        for place, value in Source(inputs):
            for known in parser.parse(value, place):
                file.write(build_line(Line(known.row.custom_id, known.row.asked, completion, 1e-6)))


def memory() -> float:
    """The peak memory of this process, in MB. (``ru_maxrss`` would include the parent's.)"""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def measure_start(url: str, inputs: str, output: str) -> dict[str, float]:
    """Seconds to the first answer."""
    from hf_text import Client, batch

    started, first = time.monotonic(), []

    def watch(at: batch.Progress) -> None:
        if at.done:
            first.append(time.monotonic() - started)
            raise KeyboardInterrupt

    try:
        with Client(api_base=url) as client:
            batch.run(inputs, output, client=client, model="m", progress=watch)
    except KeyboardInterrupt:
        pass
    return {"seconds to the first answer": first[0], "MB": memory()}


def measure_resume(url: str, inputs: str, output: str) -> dict[str, float]:
    """Seconds and memory of a run whose rows are all done."""
    from hf_text import Client, batch

    before, started, cpu = memory(), time.monotonic(), time.process_time()
    with Client(api_base=url) as client:
        summary = batch.run(inputs, output, client=client, model="m")
    seconds, cpu = time.monotonic() - started, time.process_time() - cpu
    return {
        "rows": summary.resumed,
        "seconds": seconds,
        "CPU seconds": cpu,
        "MB above the start": memory() - before,
        "bytes a row": (memory() - before) * 1048576 / summary.resumed,
    }


def measure_asked(url: str, inputs: str, output: str) -> dict[str, float]:
    """Rows per second, and the cost of a row."""
    from hf_text import Client, batch

    before, started, cpu = memory(), time.monotonic(), time.process_time()
    over_time: dict[int, float] = {}

    def watch(at: batch.Progress) -> None:
        if at.rows and at.done * 10 // at.rows not in over_time:
            over_time[at.done * 10 // at.rows] = memory() - before

    with Client(api_base=url) as client:
        summary = batch.run(inputs, output, client=client, model="m", max_workers=32, progress=watch)
    tenths = {f"MB after {tenth}/10": over_time[tenth] for tenth in (1, 5, 9) if tenth in over_time}
    return _cost_of(summary.done, started, cpu, before) | tenths


def measure_openai(url: str, inputs: str, output: str) -> dict[str, float]:
    """``measure_asked`` with openai's async client, a semaphore, and one output line per answer."""
    import asyncio

    from openai import AsyncOpenAI

    async def ask_all() -> int:
        client, limit, done = AsyncOpenAI(api_key="none", base_url=url), asyncio.Semaphore(32), 0
        with open(inputs) as rows, open(output, "w") as file:

            async def ask(row: dict[str, Any]) -> None:
                nonlocal done
                async with limit:
                    messages: Any = [{"role": "user", "content": row["prompt"]}]
                    stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
                    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
                file.write(json.dumps({"custom_id": row["custom_id"], "text": text}) + "\n")
                done += 1

            await asyncio.gather(*(ask(json.loads(row)) for row in rows))
        return done

    before, started, cpu = memory(), time.monotonic(), time.process_time()
    return _cost_of(asyncio.run(ask_all()), started, cpu, before)


def measure_openai_threads(url: str, inputs: str, output: str) -> dict[str, float]:
    """``measure_asked`` with openai's client and 32 threads."""
    from concurrent.futures import ThreadPoolExecutor

    from openai import OpenAI

    client = OpenAI(api_key="none", base_url=url)

    def ask(line: str) -> str:
        row = json.loads(line)
        messages: Any = [{"role": "user", "content": row["prompt"]}]
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
        return json.dumps({"custom_id": row["custom_id"], "text": text}) + "\n"

    before, started, cpu = memory(), time.monotonic(), time.process_time()
    done = 0
    with open(inputs) as rows, open(output, "w") as file, ThreadPoolExecutor(32) as pool:
        for line in pool.map(ask, rows):
            file.write(line)
            done += 1
    return _cost_of(done, started, cpu, before)


def _cost_of(rows: int, started: float, cpu: float, before: float) -> dict[str, float]:
    seconds = time.monotonic() - started
    return {
        "rows": rows,
        "rows/s": rows / seconds,
        "CPU ms a row": (time.process_time() - cpu) / rows * 1000,
        "MB above the start": memory() - before,
    }


MEASURES: dict[str, Callable[[str, str, str], dict[str, float]]] = {
    "start": measure_start,
    "resume": measure_resume,
    "asked": measure_asked,
    "openai": measure_openai,
    "openai threads": measure_openai_threads,
}


def measure(name: str, url: str, inputs: Path, output: Path) -> None:
    """Measure in a separate process, and print the figures."""
    command = [sys.executable, "-m", "benchmarks.batch_scale", "--one", name, url, str(inputs), str(output)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    figures = ", ".join(f"{value:,.4g} {key}" for key, value in json.loads(result.stdout).items())
    print(f"{name}: {figures}", flush=True)


def main() -> None:
    """Run the requested measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="only show that it works")
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to start with, and to resume")
    parser.add_argument("--asked", type=int, default=100_000, help="rows that are really asked")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peers", action="store_true", help="ask with openai too, where it is installed")
    parser.add_argument("--one", nargs=4, metavar=("NAME", "URL", "IN", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        name, *rest = options.one
        print(json.dumps(MEASURES[name](*rest)))
        return
    if options.quick:
        options.rows, options.asked = 2000, 200
    with tempfile.TemporaryDirectory() as folder, limited_server() as (url, _):
        inputs, few = Path(folder) / "in.jsonl", Path(folder) / "few.jsonl"
        write_inputs(inputs, options.rows)
        write_inputs(few, options.asked)
        finished = Path(folder) / "finished.jsonl"
        write_finished(inputs, finished)
        measure("start", url, inputs, Path(folder) / "start.jsonl")
        measure("resume", url, inputs, finished)
        for number in range(options.rounds):
            measure("asked", url, few, Path(folder) / f"asked{number}.jsonl")
            if options.peers:
                for peer in ("openai", "openai threads"):
                    measure(peer, url, few, Path(folder) / f"{peer}{number}.jsonl")


if __name__ == "__main__":
    main()
