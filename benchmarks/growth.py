"""How cost grows with size: ``python -m benchmarks.growth [--quick] [--output FOLDER]``.

Each kind is measured at three sizes, each in a separate process. The table shows CPU seconds and peak memory, each with
its growth divided by the growth of the size: up to about 1.1 is linear. Fixed costs make this ratio smaller.
``--output`` stores the figures as JSON and as a plot.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hf_text
from hf_text.aio import AsyncClient

from .memory import peak_mib, resident_mib
from .plots import plot_growth
from .server import running

Figure = dict[str, float]

_MIB = 2**20
_PICTURE = b"\x89PNG\r\n\x1a\n"
_SECONDS = 300


class Point:
    """Measures one size of one kind.

    Args:
        port: the server's port.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def chunks(self, size: int) -> Figure:
        """An answer of ``size`` chunks, in writes of 64 KiB."""
        return self._read(f"block/{size}/0")

    def event(self, mebibytes: int) -> Figure:
        """One event of this many MiB."""
        return self._read(f"huge/{mebibytes * _MIB - 1000}/0")

    def fragments(self, size: int) -> Figure:
        """A tool call in ``size`` fragments."""
        return self._read(f"tool/{size}/0")

    def messages(self, size: int) -> Figure:
        """A conversation of ``size`` messages; the answer has one chunk."""
        messages = [
            {"role": ("user", "assistant")[n % 2], "content": f"Message {n}. " + "word " * 20} for n in range(size)
        ]
        return self._read("each/1/0", messages, times=max(1, 2000 // size))

    def media(self, kibibytes: int) -> Figure:
        """A picture of this many KiB, passed as bytes; the answer has one chunk."""
        picture = _PICTURE + os.urandom(kibibytes * 1024 - len(_PICTURE))
        figure = self._read("each/1/0", media=[picture])
        return {**figure, "times the payload": figure["memory"] * 1024 / kibibytes}

    def streams(self, size: int) -> Figure:
        """``size`` concurrent async answers of 200 chunks each, one chunk every 10 ms."""
        client = AsyncClient(api_base=self._url("each/200/10000"))

        async def read() -> None:
            async for _ in client.stream("Hi", model="m"):
                pass

        async def read_all() -> None:
            await asyncio.gather(*(read() for _ in range(size)))

        return measured(lambda: asyncio.run(read_all()))

    def _read(
        self, answer: str, messages: str | list[dict[str, str]] = "Hi", media: list[bytes] | None = None, times: int = 1
    ) -> Figure:
        for _ in hf_text.Client(api_base=self._url("block/100/0")).stream("Hi", model="m"):
            pass  # warm-up: imports everything
        with hf_text.Client(api_base=self._url(answer)) as client:

            def read() -> None:
                for _ in client.stream(messages, model="m", media=media).events():
                    pass

            return measured(read, times)

    def _url(self, answer: str) -> str:
        return f"http://127.0.0.1:{self._port}/{answer}/v1"


def measured(work: Callable[[], None], times: int = 1) -> Figure:
    """The mean CPU seconds of the work, and its peak memory in MiB above the start."""
    gc.collect()
    memory, cpu = resident_mib(), time.process_time()
    for _ in range(times):
        work()
    return {"cpu": (time.process_time() - cpu) / times, "memory": peak_mib() - memory}


@dataclass(frozen=True)
class Kind:
    """A kind of load, with its sizes."""

    sizes: tuple[int, int, int]
    unit: str
    measure: Callable[[Point, int], Figure]


KINDS = {
    "chunks": Kind((2_000, 20_000, 200_000), "chunks of a stream", Point.chunks),
    "event": Kind((1, 8, 63), "MiB of one event", Point.event),
    "streams": Kind((10, 100, 1000), "streams at once (async)", Point.streams),
    "messages": Kind((100, 1_000, 10_000), "messages", Point.messages),
    "media": Kind((512, 5_120, 51_200), "KiB of media", Point.media),
    "fragments": Kind((100, 1_000, 10_000), "fragments of a tool call", Point.fragments),
}
COSTS = {"cpu": "CPU s", "memory": "peak MiB"}


def measure_point(name: str, size: int, port: int) -> Figure:
    """Measure one point, in a separate process."""
    command = [sys.executable, "-m", "benchmarks.growth", "--point", name, str(size), str(port)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=_SECONDS, check=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def collect(names: list[str], sizes: int) -> dict[str, dict[int, Figure]]:
    """Measure all points. Returns the figures by kind and size."""
    with running() as ports:
        return {
            name: {size: measure_point(name, size, ports["http"]) for size in KINDS[name].sizes[:sizes]}
            for name in names
        }


def growths(points: dict[int, Figure], cost: str) -> Iterator[float | None]:
    """For each size, the growth of the cost since the previous size, divided by the growth of the size."""
    before: tuple[int, float] | None = None
    for size, figure in points.items():
        known = before is not None and before[1] > 0
        yield (figure[cost] / before[1]) / (size / before[0]) if before is not None and known else None
        before = size, figure[cost]


def table(results: dict[str, dict[int, Figure]]) -> str:
    """The figures as text."""
    lines = []
    for name, points in results.items():
        lines.append(f"\n{KINDS[name].unit:>26}" + "".join(f"{title:>12} {'growth':>8}" for title in COSTS.values()))
        columns = [list(growths(points, cost)) for cost in COSTS]
        for row, (size, figure) in enumerate(points.items()):
            cells = [
                f"{figure[cost]:12.4f} " + (f"{column[row]:8.2f}" if column[row] is not None else " " * 8)
                for cost, column in zip(COSTS, columns, strict=True)
            ]
            rest = [f"  {value:.2f} {key}" for key, value in figure.items() if key not in COSTS]
            lines.append(f"{size:26,}" + "".join([*cells, *rest]))
    return "\n".join(lines)


def main() -> None:
    """Measure, print and store the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the two smaller sizes only")
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--output", type=Path, help="a folder for the figures as JSON and as a plot")
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.point:
        name, size, port = arguments.point
        print(json.dumps(KINDS[name].measure(Point(int(port)), int(size))))
        return
    results = collect(arguments.only, 2 if arguments.quick else 3)
    print(table(results))
    if arguments.output:
        arguments.output.mkdir(parents=True, exist_ok=True)
        (arguments.output / "growth.json").write_text(json.dumps(results, indent=1), "utf-8")
        plot_growth(results, {name: kind.unit for name, kind in KINDS.items()}, COSTS, arguments.output / "growth.png")


if __name__ == "__main__":
    main()
