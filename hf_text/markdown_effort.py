"""The rendering cost of Markdown: its nesting depth, the work for its markup, and the number of page elements.

marked, which JupyterLab uses, scans the rest of a paragraph for each markup character. It can take minutes for a
paragraph of 64,000 characters, but a few milliseconds for a long ordinary answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = [
    "ITEM",
    "MARKER",
    "MAX_INDENT",
    "MAX_NESTED",
    "Spent",
    "effort_of",
    "expand",
    "indent",
    "is_nested_deep",
    "size_of_code",
    "size_of_line",
    "size_of_maths",
]

_MAX_EFFORT = 16_000_000  # per text; marked takes about 5 ns per unit: see effort_of
_MAX_SIZE = 3_000  # per text; a page takes about 30 µs per unit: see size_of_line

MAX_INDENT = 40  # columns before an item of a list
MAX_NESTED = 8  # levels of quotes, and of lists in one line
MARKER = r"(?:[-*+]|\d{1,9}[.)])"
ITEM = re.compile(rf"[ \t]*{MARKER}(?:[ \t]|$)")
_MASKED = re.compile(r"(`+)[^`]*\1|(\$\$?)[^$]+\2")  # code and maths: their contents are not parsed
_MARKS = re.compile(r"\*+|_+|~+|[\[\]`$<&\\]|://|www|@")
# Each matches a run of marks only at its beginning, so a run is scanned once.
_OPENING = re.compile(r"(?<![\w*])[*_]+(?=[^\W_])|(?<![\w~])~+(?=[^\W_])")
_CLOSING = re.compile(r"(?<=[^\W_])(?:[*_]+|~+)(?!\w)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_FIRST_ITEM = re.compile(r"[ \t]*(?:[-*+]|1[.)])[ \t]")  # only these may interrupt a paragraph
_TABLE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_CELL_END = re.compile(r"(?<!\\)\|")
_NESTED = re.compile(rf"(?:[ \t]*(?:>|{MARKER}(?=[ \t]|$))){{{MAX_NESTED + 1},}}")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class Spent:
    """The rendering cost of one text so far."""

    def __init__(self) -> None:
        self._effort = 0
        self._size = 0.0

    @property
    def is_too_large(self) -> bool:
        return self._size > _MAX_SIZE

    def add_size(self, size: float) -> None:
        self._size += size

    def reserve(self, *, size: float = 0, effort: int = 0) -> bool:
        """Add to the cost unless that exceeds the limits. Returns whether it was added."""
        if self._size + size > _MAX_SIZE or self._effort + effort > _MAX_EFFORT:
            return False
        self._size += size
        self._effort += effort
        return True


def size_of_line(line: str) -> float:
    """The size of a line of text on a page. A heading costs more: JupyterLab turns it into a link and lists it."""
    if _HEADING.match(line) or _UNDERLINE.fullmatch(line):
        return 6
    return (1.5 if ITEM.match(line) else 1) + line.count("|") / 4


def size_of_code(lines: list[str]) -> float:
    """The size of a highlighted code block: each token becomes an element."""
    return sum(len(_TOKEN.findall(line)) for line in lines) / 3


def size_of_maths(maths: str) -> float:
    """The size of a formula: each sign becomes one or two elements."""
    return 30 + len(maths) / 4


def expand(line: str) -> str:
    """The line with leading tabs expanded to spaces."""
    rest = line.lstrip(" \t")
    return line[: len(line) - len(rest)].expandtabs(4) + rest


def indent(line: str) -> int:
    """The width of a line's indentation, in columns."""
    return len(expand(line)) - len(line.lstrip(" \t"))


def is_nested_deep(lines: list[str]) -> bool:
    """Whether list items in lines of text are nested too deeply for a renderer."""
    return any(_NESTED.match(line) or (ITEM.match(line) and indent(line) > MAX_INDENT) for line in lines)


def effort_of(lines: list[str]) -> int:
    """The work of rendering lines of text: a renderer scans the rest of a paragraph for each mark in it.

    For each unpaired emphasis mark, marked also visits all following marks: each such pair counts as a hundred steps.
    """
    effort = 0
    for part in _parts(lines):
        text = _MASKED.sub("`", part)
        marks = len(_MARKS.findall(text))
        unpaired = abs(len(_OPENING.findall(text)) - len(_CLOSING.findall(text)))
        effort += marks * (len(text) + 100 * unpaired)
    return effort


def _parts(lines: list[str]) -> Iterator[str]:
    """The units that a renderer parses separately: a heading, a list item, a table row, a paragraph."""
    part: list[str] = []
    in_table, item = False, -1
    for at, line in enumerate(lines):
        is_item = bool((ITEM if item >= 0 or not at else _FIRST_ITEM).match(line)) and indent(line) <= item + 4
        if is_item:
            item = indent(line)
        if is_item or in_table or _HEADING.match(line):
            yield "\n".join(part)
            part = []
        part.append(line)
        in_table = "|" in line and (in_table or (at > 0 and _begins_table(lines[at - 1], line)))
    yield "\n".join(part)


def _begins_table(header: str, line: str) -> bool:
    return bool(_TABLE.fullmatch(line)) and _cells(header) == _cells(line)


def _cells(row: str) -> int:
    row = row.strip(" \t")
    return len(_CELL_END.findall(row)) - row.startswith("|") - row.endswith("|")
