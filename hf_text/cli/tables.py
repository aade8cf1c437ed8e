"""Tables in plain text: at full width on a pipe, no wider than the terminal on one."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from ..columns import columns_of
from ..printable import one_line
from ..tables import aligned
from .output import columns_of_terminal

__all__ = ["bars", "table"]

_GAP = "  "
_NARROWEST = 20
_BAR = 8  # characters of the longest bar


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Format the lines. Numbers are right-aligned; columns that do not fit a narrow terminal are named below."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    columns = list(zip(heads, *cells, strict=True))
    widths = [max(map(columns_of, column)) for column in columns]
    shown = _choose_columns(heads, widths)
    lines = aligned([heads[place] for place in shown], [[row[place] for place in shown] for row in cells])
    hidden = [head for place, head in enumerate(heads) if head and place not in shown]
    if hidden:
        note = f"Not shown at this width: {', '.join(hidden)}. --json has all."
        lines += textwrap.wrap(note, max(columns_of_terminal(sys.stdout), _NARROWEST))
    return lines


def _choose_columns(heads: Sequence[str], widths: Sequence[int]) -> list[int]:
    """Choose the columns that fit the terminal: bars, which have no heads, are dropped first, then the last ones."""
    room = columns_of_terminal(sys.stdout)
    shown = list(range(len(heads)))
    while room and len(shown) > 1 and sum(widths[place] + len(_GAP) for place in shown) - len(_GAP) > room:
        shown.remove(next((place for place in reversed(shown) if not heads[place]), shown[-1]))
    return shown


def bars(values: Sequence[float | None]) -> list[str]:
    """Draw a bar for each value, relative to the largest; empty if the value is unknown."""
    most = max((value for value in values if value is not None), default=0.0)
    mark = _mark()
    return [mark * max(1, round(value / most * _BAR)) if value and most > 0 else "" for value in values]


def _mark() -> str:
    try:
        "█".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#"
    return "█"
