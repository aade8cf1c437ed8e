"""``--markdown``: an answer that is still arriving, as lines that are final once printed.

Printed lines never change, so the scrollback and selections in it stay intact. A line is printed as soon as no later
text can change it: a line of code when it is complete, a full line of a paragraph, the rest of a block when the next
block begins.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from rich.console import Console

from .blocks import Leaf, Renderer
from .wrapping import WIDE

__all__ = ["Markdown"]

_MARKERS = re.compile(r"(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*")
_WORDS = re.compile(rf"[ \t]+|(?<=[{WIDE}])(?=[{WIDE}])")
_SHARE = 16  # A long block is rendered again only after it grew by 1/16, so that the total work stays linear.


class Markdown:
    """Turns pieces of Markdown into text to print.

    Args:
        width: returns the columns of the terminal, which may change.
        console: the terminal; None: standard output.
    """

    def __init__(self, width: Callable[[], int], console: Console | None = None) -> None:
        self._width = width
        self._console = console or Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._renderer = Renderer(self._console)
        self._source = ""  # from the unfinished block on
        self._printed = 0  # how many of its lines are printed
        self._seen = 0  # its length when it was last rendered
        self._columns = 0
        self._first = True

    def feed(self, text: str) -> str:
        """Add a piece, and return what can be printed now."""
        self._source += text
        grown = len(self._source) - self._seen
        if grown * _SHARE < len(self._source) or not ("\n" in text or grown * 2 > self._width()):
            return ""
        return self._advance(_settled_part(self._source), ended=False)

    def end(self) -> str:
        """Return the rest."""
        done = self._advance(self._source, ended=True)
        self._source, self._printed, self._seen, self._first = "", 0, 0, True
        return done

    def _advance(self, source: str, *, ended: bool) -> str:
        if self._width() != self._columns:
            source = self._change_width(source)
        leaves = self._renderer.render(source, self._columns, first=self._first)
        lines = [line for leaf in leaves for line in leaf.lines]
        known = len(lines)
        if leaves and not ended:
            known -= len(leaves[-1].lines) - _count_known(leaves[-1], source)
        with self._console.capture() as printed:
            for line in lines[self._printed : known]:
                self._console.print(line, no_wrap=True, overflow="ignore", crop=False)
        self._printed = max(known, self._printed)
        self._forget(leaves)
        self._seen = len(self._source)
        return printed.get()

    def _change_width(self, source: str) -> str:
        """Apply the new width from the next block on: a block keeps its width. Returns the source to render."""
        known, top = 0, 0
        for leaf in self._renderer.render(source, self._columns, first=self._first) if self._printed else ():
            if leaf.top != top and known == self._printed:  # everything above it is printed, and nothing from it on
                lines = source.split("\n")
                begin = leaf.top - (not lines[leaf.top - 1].strip())  # including the blank line above it
                dropped = sum(len(line) + 1 for line in lines[:begin])
                self._source, source = self._source[dropped:], source[dropped:]
                self._printed, self._first = 0, False
                break
            known, top = known + len(leaf.lines), leaf.top
        if not self._printed:
            self._columns = self._width()
        return source

    def _forget(self, leaves: list[Leaf]) -> None:
        """Drop source that need not be rendered again: all before the last block, and a code block's printed lines."""
        if not leaves:
            return
        last = leaves[-1]
        above = [leaf for leaf in leaves if leaf.top < last.top]
        self._printed -= sum(len(leaf.lines) for leaf in above)
        self._first = self._first and not above
        lines = self._source.split("\n")
        begin = last.top if above else 0
        begin -= bool(begin and not lines[begin - 1].strip())  # including the blank line above it
        if last.kind == "fence" and last.level == 0 and self._printed > last.blank:
            if last.closed and self._printed == len(last.lines):
                begin, self._printed, self._first = last.end, 0, False
            else:
                dropped = self._printed - last.blank - 1
                lines[begin:] = [lines[last.begin], *lines[last.begin + 1 + dropped :]]
                self._printed = 1
        self._source = "\n".join(lines[begin:])


def _settled_part(source: str) -> str:
    """Return the source without its end, whose meaning the next character may change."""
    whole, newline, open_line = source.rpartition("\n")
    content = _content(open_line)
    if any(map(str.isalpha, content)) and not content.startswith(("|", "```", "~~~")):
        cut = max((found.start() for found in _WORDS.finditer(open_line)), default=0)
        if cut > len(open_line) - len(content):
            return f"{whole}{newline}{open_line[:cut]}"
    lines = whole.split("\n")
    while _content(lines[-1]).startswith("|") and len(lines) > 1:  # perhaps a table, which needs more than its head
        lines.pop()
    whole = "" if _content(lines[-1]).startswith("|") else "\n".join(lines)
    return f"{whole}\n" if whole else ""


def _content(line: str) -> str:
    """Return the content of a line after the marks of quotes and lists."""
    return line[_MARKERS.match(line).end() :]  # type: ignore[union-attr]  # it always matches


def _count_known(leaf: Leaf, source: str) -> int:
    """Return how many lines of the last leaf can no longer change."""
    lines = source.split("\n")
    complete = len(lines) - 1  # the line after the last newline is not
    if leaf.kind in ("fence", "code_block"):
        return min(leaf.settled, leaf.blank + max(complete - leaf.begin, 0))
    if leaf.end <= complete and (leaf.kind in ("heading_open", "hr") or leaf.end < complete):
        return len(leaf.lines)
    return leaf.settled if leaf.kind == "paragraph_open" else 0
