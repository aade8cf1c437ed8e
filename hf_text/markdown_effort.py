"""What Markdown costs a renderer: how deep it is nested, and how much work its marks are.

marked, which JupyterLab uses, goes through the rest of a paragraph for each mark in it. A paragraph of 64,000
characters takes it minutes, and a long honest answer a few milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ["ITEM", "MARKER", "MAX_INDENT", "MAX_NESTED", "effort_of", "expand", "indent", "is_nested_deep"]

MAX_INDENT = 40  # columns before an item of a list
MAX_NESTED = 8  # levels of quotes, and of lists in one line
MARKER = r"(?:[-*+]|\d{1,9}[.)])"
ITEM = re.compile(rf"[ \t]*{MARKER}(?:[ \t]|$)")
_MASKED = re.compile(r"(`+)[^`]*\1|(\$\$?)[^$]+\2")  # code and maths: a renderer looks at nothing in them
_MARKS = re.compile(r"\*+|_+|~+|[\[\]`$<&\\]|://|www|@")
_OPENING = re.compile(r"(?<!\w)(?:[*_]+|~+)(?=\w)")
_CLOSING = re.compile(r"(?<=\w)(?:[*_]+|~+)(?!\w)")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_FIRST_ITEM = re.compile(r"[ \t]*(?:[-*+]|1[.)])[ \t]")  # only such a one may follow a line of text
_TABLE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_CELL_END = re.compile(r"(?<!\\)\|")
_NESTED = re.compile(rf"(?:[ \t]*(?:>|{MARKER}(?=[ \t]|$))){{{MAX_NESTED + 1},}}")


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
