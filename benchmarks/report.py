"""The figures as a table: medians of all rounds, as ratios to the floor or as differences from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

FLOOR = "raw_socket"
STREAMS_FLOOR = "raw_asyncio"
IMPORT_FLOOR = "requests"

Rounds = list[Any]  # for each round a dict of numbers, or an error message
Results = dict[str, dict[str, Rounds]]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        figure, key: the measured value.
        title: the row's name, with the unit of absolute values.
        unit: the divisor of the measured values.
        floor: the client that the others are compared with.
        over: show the difference from the floor instead of the ratio.
    """

    figure: str
    key: str
    title: str
    unit: float = 1
    floor: str | None = FLOOR
    over: bool = False

    def cells(self, clients: dict[str, Rounds], columns: list[str]) -> Iterator[str]:
        """The cells: absolute values for the floor and without one, otherwise relative to the floor."""
        known = {client: middle(rounds, self.key) for client, rounds in clients.items()}
        floor = known.get(self.floor or "")
        for client in columns:
            value = known.get(client)
            if value is None:
                yield "failed" if clients.get(client) else "-"
            elif floor is None or client == self.floor:
                yield f"{value / self.unit:.4g}"
            elif self.over:
                yield f"{(value - floor) / self.unit:+.1f}"
            else:
                yield f"{value / floor:.2f} x" if floor else "-"


def streams_rows(count: int) -> list[Row]:
    """The rows for this many concurrent streams."""
    streams = f"{count:,} streams at once" if count > 1 else "1 stream"
    return [
        Row(f"streams_{count}", "value", f"{streams}: s", floor=STREAMS_FLOOR),
        Row(f"streams_{count}", "cpu", f"{streams}: CPU s", floor=STREAMS_FLOOR),
        Row(f"streams_{count}", "peak_mib", f"{streams}: peak memory, MiB", floor=STREAMS_FLOOR),
    ]


ROWS = [
    Row("cpu_each", "value", "CPU per chunk, one event a write: µs"),
    Row("cpu_lone", "value", "CPU per chunk, one each millisecond: µs"),
    Row("cpu_block", "value", "CPU per chunk, writes of 64 KiB: µs"),
    Row("first_kept", "value", "first token, kept-alive connection: µs"),
    Row("first_new", "value", "first token, new connection: µs"),
    Row("first_new_tls", "value", "first token, new TLS connection: ms, + over the floor", unit=1000, over=True),
    Row("latency", "value", "latency of a token, p50: µs, + over the floor", over=True),
    Row("latency", "p99", "latency of a token, p99: µs, + over the floor", over=True),
    Row("completions", "value", "whole completion of 20 tokens: µs"),
    *(row for count in (1, 10, 100, 1000) for row in streams_rows(count)),
    *(Row(f"event_{size}", "value", f"one event of {size} MiB: s", floor=None) for size in (4, 16, 63)),
    *(Row(f"long_{size}", "value", f"stream of {size} chunks: MiB added", floor=None) for size in ("20k", "200k")),
]
IMPORT_ROWS = [
    Row("import", "value", "import: ms", floor=IMPORT_FLOOR),
    Row("import", "mib", "resident memory after it: MiB added", floor=IMPORT_FLOOR),
    Row("first_use", "value", "import of its client (many load it only then): ms", floor=IMPORT_FLOOR),
    Row("first_use", "mib", "resident memory after it: MiB added", floor=IMPORT_FLOOR),
]


def middle(rounds: Rounds, key: str = "value") -> float | None:
    """The median of the measured values; None if there are none."""
    known = [figures[key] for figures in rounds if isinstance(figures, dict) and key in figures]
    return median(known) if known else None


def tables(results: Results) -> str:
    """The tables of all figures, and the failures."""
    imports = {row.figure for row in IMPORT_ROWS}
    parts = [
        table(ROWS, {figure: results[figure] for figure in results if figure not in imports}),
        table(IMPORT_ROWS, {figure: results[figure] for figure in results if figure in imports}),
        "\n".join(failures(results)),
    ]
    return "\n\n".join(filter(None, parts))


def table(rows: list[Row], results: Results) -> str:
    """A table in reStructuredText, with a column for each client."""
    columns = list(dict.fromkeys(client for clients in results.values() for client in clients))
    shown = [row for row in rows if row.figure in results]
    if not shown:
        return ""
    lines = [["figure", *columns], *([row.title, *row.cells(results[row.figure], columns)] for row in shown)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    head, *body = ["  ".join(align(line, widths)).rstrip() for line in lines]
    return "\n".join([rule, head, rule, *body, rule])


def align(cells: list[str], widths: list[int]) -> list[str]:
    """Align the first cell to the left, and numbers to the right."""
    sides: list[Callable[[str, int], str]] = [str.ljust, *[str.rjust] * (len(cells) - 1)]
    return [side(cell, width) for side, cell, width in zip(sides, cells, widths, strict=True)]


def failures(results: Results) -> Iterator[str]:
    """The figures that could not be measured, with the reason, and counts of incomplete streams."""
    for figure, clients in results.items():
        for client, rounds in clients.items():
            for reason in dict.fromkeys(reason for reason in rounds if isinstance(reason, str)):
                yield f"{client}, {figure}: {reason}"
            whole = middle(rounds, "whole")
            if whole is not None and whole < int(figure.removeprefix("streams_")):
                yield f"{client}, {figure}: only {whole:.0f} of the streams arrived whole"
