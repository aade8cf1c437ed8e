"""Tables for notebooks and for IPython in a terminal, and short forms of numbers.

Names in a table may come from a server, so HTML in them is escaped.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, SupportsIndex, TypeVar, overload

from .columns import columns_of, pad
from .printable import one_line

__all__ = ["Table", "Tabular", "TabularList", "aligned", "number", "price", "yes_or_no"]

T = TypeVar("T")

_MAX_ROWS = 40
_NUMBER = re.compile(r"\$?[\d,]+(?:\.\d+)?(?:e-\d+)?(?: s|%)?")
_HTML = {ord(mark): f"&#{ord(mark)};" for mark in "&<>\"'"}


class Table(NamedTuple):
    """A caption, the column heads, and rows with one cell per column."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def filled(self) -> Table:
        """The table without empty columns."""
        kept = [at for at in range(len(self.heads)) if any(row[at] for row in self.rows)]
        return Table(self.caption, [self.heads[at] for at in kept], [[row[at] for at in kept] for row in self.rows])


class Tabular:
    """Base of objects that IPython and notebooks display as a table at the top level, and by ``repr`` inside others."""

    __slots__ = ()

    def _table(self) -> Table:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        return _as_html(self._table().filled())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """The display of IPython in a terminal, and of a notebook that is saved as plain text."""
        alone = len(getattr(printer, "stack", ())) <= 1  # the stack holds the enclosing objects, too
        printer.text("\n".join(_as_text(self._table().filled())) if alone else repr(self))


class TabularList(Tabular, list[T]):
    """A list that is displayed as a table, and so are its slices."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> TabularList[T]: ...

    def __getitem__(self, index: SupportsIndex | slice) -> T | TabularList[T]:
        return type(self)(super().__getitem__(index)) if isinstance(index, slice) else super().__getitem__(index)


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a plain-text table; numbers are right-aligned."""
    columns = list(zip(heads, *rows, strict=True))
    widths = [max(map(columns_of, column)) for column in columns]
    right = [all(map(_is_number, column[1:])) for column in columns]
    return [
        "  ".join(
            pad(cell, width, right=to_right) for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in [heads, *rows]
    ]


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separators; ``""`` if it is unknown."""
    return "" if value is None else f"{value:,.{digits}f}"


def price(value: float | None) -> str:
    """An amount in USD, with more digits for small amounts; ``""`` if it is unknown."""
    if value is None:
        return ""
    digits = 2 if value >= 0.1 or value <= 0 else 1 - math.floor(math.log10(value))
    return f"${value:,.{digits}f}"


def yes_or_no(value: bool | None) -> str:
    """``"yes"`` or ``"no"``; ``""`` if the value is unknown."""
    return "" if value is None else "yes" if value else "no"


def _as_text(table: Table) -> Iterator[str]:
    rows = [[one_line(cell) for cell in row] for row in table.rows[:_MAX_ROWS]]
    yield one_line(table.caption)
    if rows:
        yield from aligned(table.heads, rows)
    yield from _rest(table)


def _as_html(table: Table) -> str:
    right = [all(_is_number(row[at]) for row in table.rows) for at in range(len(table.heads))]
    styles = [f' style="text-align: {"right" if to_right else "left"}"' for to_right in right]
    lines = ["<table>", f'<caption style="text-align: left">{_escape(table.caption)}</caption>']
    if table.rows:
        lines += ["<thead>", _html_row("th", table.heads, styles), "</thead>"]
    lines += ["<tbody>", *(_html_row("td", row, styles) for row in table.rows[:_MAX_ROWS]), "</tbody>", "</table>"]
    return "\n".join([*lines, *(f"<p>{_escape(line)}</p>" for line in _rest(table))])


def _html_row(tag: str, cells: Sequence[str], styles: Sequence[str]) -> str:
    shown = (f"<{tag}{style}>{_escape(cell)}</{tag}>" for cell, style in zip(cells, styles, strict=True))
    return f"<tr>{''.join(shown)}</tr>"


def _rest(table: Table) -> Iterator[str]:
    if len(table.rows) > _MAX_ROWS:
        yield f"… and {len(table.rows) - _MAX_ROWS:,} more"


def _escape(text: str) -> str:
    return one_line(text).translate(_HTML)


def _is_number(cell: str) -> bool:
    return not cell or _NUMBER.fullmatch(cell) is not None
