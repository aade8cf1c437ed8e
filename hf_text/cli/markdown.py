"""``--markdown``: an answer that is still being written, as lines that are final when they are printed.

What is printed is never touched again, so the scrollback and what is selected in it stay whole. A line is printed as
soon as nothing that may follow can change it: a line of code when it is complete, a full line of a paragraph, the rest
of a block when the next one begins.
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
_SHARE = 16  # A long block is read again when it has grown by this part, so that reading stays linear.


class Markdown:
    """Turns pieces of Markdown into what is to be printed.

    Args:
        width: returns the columns of the terminal, which may change.
        console: the terminal; None: standard output.
    """

    def __init__(self, width: Callable[[], int], console: Console | None = None) -> None:
        self._width = width
        self._console = console or Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._renderer = Renderer(self._console)
        self._source = ""  # from the block on that is being written
        self._printed = 0  # lines of it
        self._seen = 0  # characters of it that were there when it was last rendered
        self._columns = 0
        self._first = True

    def feed(self, text: str) -> str:
        """What can be printed now that this has come."""
        self._source += text
        grown = len(self._source) - self._seen
        if grown * _SHARE < len(self._source) or not ("\n" in text or grown * 2 > self._width()):
            return ""
        return self._advance(_settled_part(self._source), ended=False)

    def end(self) -> str:
        """What is left."""
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
        """Take the new width from the next block on: within one, lines keep theirs. Returns what is to be rendered."""
        known, top = 0, 0
        for leaf in self._renderer.render(source, self._columns, first=self._first) if self._printed else ():
            if leaf.top != top and known == self._printed:  # all above is printed, and nothing of it and below
                lines = source.split("\n")
                begin = leaf.top - (not lines[leaf.top - 1].strip())  # with the blank line above it
                dropped = sum(len(line) + 1 for line in lines[:begin])
                self._source, source = self._source[dropped:], source[dropped:]
                self._printed, self._first = 0, False
                break
            known, top = known + len(leaf.lines), leaf.top
        if not self._printed:
            self._columns = self._width()
        return source

    def _forget(self, leaves: list[Leaf]) -> None:
        """Drop what is printed and need not be read again: all before the last block; in a block of code, its lines."""
        if not leaves:
            return
        last = leaves[-1]
        above = [leaf for leaf in leaves if leaf.top < last.top]
        self._printed -= sum(len(leaf.lines) for leaf in above)
        self._first = self._first and not above
        lines = self._source.split("\n")
        begin = last.top if above else 0
        begin -= bool(begin and not lines[begin - 1].strip())  # with the blank line above it
        if last.kind == "fence" and last.level == 0 and self._printed > last.blank:
            if last.closed and self._printed == len(last.lines):
                begin, self._printed, self._first = last.end, 0, False
            else:
                dropped = self._printed - last.blank - 1
                lines[begin:] = [lines[last.begin], *lines[last.begin + 1 + dropped :]]
                self._printed = 1
        self._source = "\n".join(lines[begin:])


def _settled_part(source: str) -> str:
    """Without the end whose meaning may change with the next character."""
    whole, newline, open_line = source.rpartition("\n")
    content = _content(open_line)
    if any(map(str.isalpha, content)) and not content.startswith(("|", "```", "~~~")):
        cut = max((found.start() for found in _WORDS.finditer(open_line)), default=0)
        if cut > len(open_line) - len(content):
            return f"{whole}{newline}{open_line[:cut]}"
    lines = whole.split("\n")
    while _content(lines[-1]).startswith("|") and len(lines) > 1:  # perhaps a table, of which the head is not enough
        lines.pop()
    whole = "" if _content(lines[-1]).startswith("|") else "\n".join(lines)
    return f"{whole}\n" if whole else ""


def _content(line: str) -> str:
    """What a line holds after the marks of quotes and lists."""
    return line[_MARKERS.match(line).end() :]  # type: ignore[union-attr]  # it always matches


def _count_known(leaf: Leaf, source: str) -> int:
    """How many lines of the last leaf cannot change any more."""
    lines = source.split("\n")
    complete = len(lines) - 1  # what stands after the last newline is not
    if leaf.kind in ("fence", "code_block"):
        return min(leaf.settled, leaf.blank + max(complete - leaf.begin, 0))
    if leaf.end <= complete and (leaf.kind in ("heading_open", "hr") or leaf.end < complete):
        return len(leaf.lines)
    return leaf.settled if leaf.kind == "paragraph_open" else 0
