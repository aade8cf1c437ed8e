"""Measures one figure of one client: ``python -m benchmarks.measure DRIVER FIGURE HTTP_PORT HTTPS_PORT
    CA QUICK``.

Prints a JSON object. CPU times are those of this process only, without the server, so other clients and rounds do not
affect them. ``"orjson"`` is whether orjson was imported, as the best available sign that the client parsed with it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from .memory import peak_mib

Figure = dict[str, float]


class Bench:
    """A driver and the address of its server."""

    def __init__(self, driver: str, http: int, https: int, ca: str, quick: bool) -> None:
        self._module = importlib.import_module(f"benchmarks.drivers.{driver}")
        self._ports = {"http": http, "https": https}
        self._ca = ca
        self.is_async = self._module.MODE == "async"
        self.scale = 20 if quick else 1

    def url(self, how: str, chunks: int, pause_us: int = 0, scheme: str = "http") -> str:
        """The base URL for an answer of this kind."""
        host = "localhost" if scheme == "https" else "127.0.0.1"
        return f"{scheme}://{host}:{self._ports[scheme]}/{how}/{chunks}/{pause_us}/v1"

    def open(self, url: str) -> Any:
        """Create a client."""
        return self._module.Driver(url, self._ca if url.startswith("https") else None)

    async def read(self, client: Any, on_piece: Callable[[str], None] | None = None) -> int:
        """Read a complete answer with an async client. Returns the number of pieces."""
        count = 0
        async for piece in client.stream():
            count += 1
            if on_piece is not None:
                on_piece(piece)
        return count

    def read_sync(self, client: Any, on_piece: Callable[[str], None] | None = None) -> int:
        """``read`` for a blocking client."""
        count = 0
        for piece in client.stream():
            count += 1
            if on_piece is not None:
                on_piece(piece)
        return count

    def run(self, work: Callable[[Callable[..., Any]], Awaitable[Figure]]) -> Figure:
        """Run a measurement that awaits ``read``; with a blocking client, ``read`` never suspends."""
        if self.is_async:
            return asyncio.run(work(self.read))  # type: ignore[arg-type]

        async def read(*args: Any) -> int:
            return self.read_sync(*args)

        return drive(work(read))


def drive(coroutine: Any) -> Figure:
    """Run a coroutine that never suspends without an event loop, whose cost would be added to blocking clients."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise RuntimeError("a blocking client waited for the event loop")


def cpu_per_chunk(bench: Bench, how: str, chunks: int = 20_000, pause_us: int = 0) -> Figure:
    """CPU time per token, in microseconds."""
    chunks //= bench.scale
    warm, url = bench.url(how, max(chunks // 20, 1)), bench.url(how, chunks, pause_us)

    async def work(read: Callable[..., Any]) -> Figure:
        await read(bench.open(warm))
        client = bench.open(url)
        gc.collect()
        started, wall = time.process_time(), time.perf_counter()
        count = await read(client)
        cpu, wall = time.process_time() - started, time.perf_counter() - wall
        return {"value": cpu / count * 1e6, "wall": wall / count * 1e6, "count": count}

    return bench.run(work)


def first_token(bench: Bench, scheme: str, keep: bool) -> Figure:
    """Microseconds from the call to the first piece: the median of many answers."""
    times: list[float] = []

    async def work(read: Callable[..., Any]) -> Figure:
        started = 0.0

        def on_piece(piece: str) -> None:
            times.append(time.perf_counter() - started)

        client = bench.open(bench.url("each" if keep else "close", 1, scheme=scheme))
        await read(client)
        for _ in range(400 // bench.scale):
            started = time.perf_counter()
            await read(client, on_piece)
        return {"value": median(times) * 1e6}

    return bench.run(work)


def added_latency(bench: Bench) -> Figure:
    """Microseconds from the server's write until the client yields the piece, at one token per millisecond."""
    late: list[float] = []

    def on_piece(piece: str) -> None:
        late.append(time.monotonic_ns() - int(piece))

    async def work(read: Callable[..., Any]) -> Figure:
        await read(bench.open(bench.url("stamped", 1500 // bench.scale, 1000)), on_piece)
        ordered = sorted(late[20:])
        return {"value": ordered[len(ordered) // 2] / 1e3, "p99": ordered[len(ordered) * 99 // 100] / 1e3}

    return bench.run(work)


def completions(bench: Bench) -> Figure:
    """Microseconds per complete answer of 20 tokens, for consecutive answers in one thread."""
    answers = 400 // bench.scale

    async def work(read: Callable[..., Any]) -> Figure:
        client = bench.open(bench.url("block", 20))
        await read(client)
        started = time.perf_counter()
        for _ in range(answers):
            await read(client)
        return {"value": (time.perf_counter() - started) / answers * 1e6}

    return bench.run(work)


def at_once(bench: Bench, streams: int) -> Figure:
    """Seconds to read ``streams`` concurrent answers of 200 tokens, one token every 10 ms; with CPU seconds and peak
    memory.
    """
    url = bench.url("each", 200 // min(bench.scale, 4), 10_000)
    client = bench.open(url)
    started, cpu = time.perf_counter(), time.process_time()
    done: list[int] = []
    if bench.is_async:

        async def work() -> None:
            done.extend(await asyncio.gather(*(bench.read(client) for _ in range(streams))))

        asyncio.run(work())
    else:
        threading.stack_size(256 * 1024)
        begin = threading.Barrier(streams)  # else the first have ended before the last thread is there

        def read() -> None:
            begin.wait()
            done.append(bench.read_sync(client))

        threads = [threading.Thread(target=read) for _ in range(streams)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    whole = sum(count == 200 // min(bench.scale, 4) for count in done)
    return {"value": wall, "cpu": cpu, "peak_mib": peak_mib(), "whole": whole}


def one_event(bench: Bench, mebibytes: int) -> Figure:
    """Seconds for one event of this size."""

    async def work(read: Callable[..., Any]) -> Figure:
        client = bench.open(bench.url("huge", mebibytes * 2**20 - 1000))
        started = time.perf_counter()
        await read(client)
        return {"value": time.perf_counter() - started, "peak_mib": peak_mib()}

    return bench.run(work)


def long_stream(bench: Bench, chunks: int) -> Figure:
    """The growth of peak memory, in MiB, by a stream of this many tokens after a short one."""
    chunks //= bench.scale

    async def work(read: Callable[..., Any]) -> Figure:
        await read(bench.open(bench.url("block", 1000)))
        before = peak_mib()
        await read(bench.open(bench.url("block", chunks)))
        return {"value": peak_mib() - before}

    return bench.run(work)


FIGURES: dict[str, Callable[[Bench], Figure]] = {
    "cpu_each": lambda bench: cpu_per_chunk(bench, "each"),
    "cpu_block": lambda bench: cpu_per_chunk(bench, "block"),
    "cpu_lone": lambda bench: cpu_per_chunk(bench, "each", 2000, 1000),
    "first_kept": lambda bench: first_token(bench, "http", True),
    "first_new": lambda bench: first_token(bench, "http", False),
    "first_new_tls": lambda bench: first_token(bench, "https", False),
    "latency": added_latency,
    "completions": completions,
    "streams_1": lambda bench: at_once(bench, 1),
    "streams_10": lambda bench: at_once(bench, 10),
    "streams_100": lambda bench: at_once(bench, 100),
    "streams_1000": lambda bench: at_once(bench, 1000),
    "event_4": lambda bench: one_event(bench, 4),
    "event_16": lambda bench: one_event(bench, 16),
    "event_63": lambda bench: one_event(bench, 63),
    "long_20k": lambda bench: long_stream(bench, 20_000),
    "long_200k": lambda bench: long_stream(bench, 200_000),
}


def main() -> None:
    """Measure and print."""
    driver, figure, http, https, ca, quick = sys.argv[1:]
    measured = FIGURES[figure](Bench(driver, int(http), int(https), ca, quick == "1"))
    print(json.dumps({**measured, "orjson": float(sys.modules.get("orjson") is not None)}))


if __name__ == "__main__":
    main()
