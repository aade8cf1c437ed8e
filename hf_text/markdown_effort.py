"""What Markdown costs a renderer: how deep it is nested, how much work its marks are, how many elements it becomes.

marked, which JupyterLab uses, goes through the rest of a paragraph for each mark in it. A paragraph of 64,000
characters takes it minutes, and a long honest answer a few milliseconds.
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

_MAX_EFFORT = 16_000_000  # in one text; marked takes about 5 ns for one: see effort_of
_MAX_SIZE = 3_000  # in one text; a page takes about 30 µs for one: see size_of_line

MAX_INDENT = 40  # columns before an item of a list
MAX_NESTED = 8  # levels of quotes, and of lists in one line
MARKER = r"(?:[-*+]|\d{1,9}[.)])"
ITEM = re.compile(rf"[ \t]*{MARKER}(?:[ \t]|$)")
_MASKED = re.compile(r"(`+)[^`]*\1|(\$\$?)[^$]+\2")  # code and maths: a renderer looks at nothing in them
_MARKS = re.compile(r"\*+|_+|~+|[\[\]`$<&\\]|://|www|@")
# Each looks at a run of marks once: from where it begins.
_OPENING = re.compile(r"(?<![\w*])[*_]+(?=[^\W_])|(?<![\w~])~+(?=[^\W_])")
_CLOSING = re.compile(r"(?<=[^\W_])(?:[*_]+|~+)(?!\w)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_FIRST_ITEM = re.compile(r"[ \t]*(?:[-*+]|1[.)])[ \t]")  # only such a one may follow a line of text
_TABLE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_CELL_END = re.compile(r"(?<!\\)\|")
_NESTED = re.compile(rf"(?:[ \t]*(?:>|{MARKER}(?=[ \t]|$))){{{MAX_NESTED + 1},}}")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+)[ \t]*")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class Spent:
    """What the parts of one text cost so far."""

    def __init__(self) -> None:
        self._effort = 0
        self._size = 0.0

    @property
    def is_too_large(self) -> bool:
        return self._size > _MAX_SIZE

    def add_size(self, size: float) -> None:
        self._size += size

    def has_room_for(self, *, size: float = 0, effort: int = 0) -> bool:
        """Whether that may be added; if so, it is."""
        if self._size + size > _MAX_SIZE or self._effort + effort > _MAX_EFFORT:
            return False
        self._size += size
        self._effort += effort
        return True


def size_of_line(line: str) -> float:
    """How much a line of text adds to a page. JupyterLab makes a link of a heading, and lists it."""
    if _HEADING.match(line) or _UNDERLINE.fullmatch(line):
        return 6
    return (1.5 if ITEM.match(line) else 1) + line.count("|") / 4


def size_of_code(lines: list[str]) -> float:
    """The same of a block of code that is coloured: each token becomes an element."""
    return sum(len(_TOKEN.findall(line)) for line in lines) / 3


def size_of_maths(maths: str) -> float:
    """The same of a formula, each sign of which is an element or two."""
    return 30 + len(maths) / 4


def expand(line: str) -> str:
    """The line with spaces for the tabs at its beginning."""
    rest = line.lstrip(" \t")
    return line[: len(line) - len(rest)].expandtabs(4) + rest


def indent(line: str) -> int:
    """The columns before the text of a line."""
    return len(expand(line)) - len(line.lstrip(" \t"))


def is_nested_deep(lines: list[str]) -> bool:
    """Whether items in lines of text are nested too deep for a renderer."""
    return any(_NESTED.match(line) or (ITEM.match(line) and indent(line) > MAX_INDENT) for line in lines)


def effort_of(lines: list[str]) -> int:
    """What lines of text cost a renderer, which goes through the rest of a paragraph for each mark in it.

    marked goes through all marks that follow for each mark of emphasis without a partner: such a pair of marks counts
    for a hundred steps.
    """
    effort = 0
    for part in _parts(lines):
        text = _MASKED.sub("`", part)
        marks = len(_MARKS.findall(text))
        unpaired = abs(len(_OPENING.findall(text)) - len(_CLOSING.findall(text)))
        effort += marks * (len(text) + 100 * unpaired)
    return effort


def _parts(lines: list[str]) -> Iterator[str]:
    """Lines of text as a renderer takes them at once: a heading, an item, a row of a table, a paragraph."""
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
