"""Tables of plain text: as wide as they must be on a pipe, no wider than the terminal on one."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ..printable import one_line
from ..tables import aligned
from .output import columns_of_terminal

__all__ = ["bars", "table"]

_GAP = "  "
_BAR = 8  # characters of the longest bar


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines. Numbers stand to the right; the last columns are left out where the terminal is too narrow."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    columns = list(zip(heads, *cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    shown = len(widths)
    while (
        shown > 1 and (room := columns_of_terminal(sys.stdout)) and sum(widths[:shown]) + len(_GAP) * (shown - 1) > room
    ):
        shown -= 1
    lines = aligned(heads[:shown], [row[:shown] for row in cells])
    if shown < len(heads):
        lines.append(f"(not shown in this width: {', '.join(heads[shown:])}; --json has all)")
    return lines


def bars(values: Sequence[float | None]) -> list[str]:
    """A bar for each value, relative to the largest; empty where the value is not known."""
    most = max((value for value in values if value is not None), default=0.0)
    mark = _mark()
    return [mark * max(1, round(value / most * _BAR)) if value and most > 0 else "" for value in values]


def _mark() -> str:
    try:
        "█".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"
