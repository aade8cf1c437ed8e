"""Render the blocks of Markdown as lines for a terminal.

Each line is self-contained: no style extends past its end. No block depends on the text after it: a blank line is
shown where the source has one, a list item keeps the number in the source, and link targets are written inline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeAlias

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import table as find_table
from markdown_it.token import Token
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from ..printable import one_line
from .inline import render_inline

__all__ = ["Leaf", "Renderer"]

_NARROWEST = 12  # columns for a text, however deeply it is nested

Line: TypeAlias = Text
# Takes the tokens from a leaf on, and the width. Returns the leaf's lines and how many of them are settled.
_Drawer: TypeAlias = Callable[[Sequence[Token], int], tuple[list[Line], int]]
_HEADINGS = {"h1": "bold underline", "h2": "bold", "h3": "bold italic"}


@dataclass(slots=True)
class Leaf:
    """A block that contains no other block.

    Attributes:
        kind: the type of its token.
        begin: its first line in the source.
        end: the line after its last one.
        lines: its rendered lines, after the blank line before it, if any.
        settled: how many of them stay the same when its text continues.
        top: the first source line of the outermost block or list item that contains it.
        level: its nesting depth.
        blank: whether its first line is the blank line before it.
        closed: whether the source contains its closing fence.
    """

    kind: str
    begin: int
    end: int
    lines: list[Line] = field(default_factory=list)
    settled: int = 0
    top: int = 0
    level: int = 0
    blank: bool = False
    closed: bool = False


@dataclass(slots=True)
class _Container:
    """A quote or a list item: the prefix of its first line, and that of the others."""

    first: str
    rest: str
    used: bool = False

    def mark(self) -> str:
        mark = self.rest if self.used else self.first
        self.used = True
        return mark


class Renderer:
    """Renders Markdown.

    Args:
        console: determines the colours and characters.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        plain = not console.encoding.lower().startswith("utf")
        self._bullet, self._bar, self._rule = ("-", "|", "-") if plain else ("•", "▌", "─")
        self._drawers: Mapping[str, _Drawer] = {
            "paragraph_open": self._draw_paragraph,
            "heading_open": self._draw_heading,
            "fence": self._draw_code,
            "code_block": self._draw_code,
            "hr": self._draw_rule,
            "table_open": self._draw_table,
        }
        self._parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
        # Both change the lines above them, perhaps a page further up.
        self._parser.disable(["reference", "lheading"])
        self._parser.block.ruler.at("table", _find_table, {"alt": ["paragraph", "reference"]})

    def render(self, source: str, width: int, *, first: bool) -> list[Leaf]:
        """Return the leaves of a source in order. ``first``: whether it starts the output."""
        leaves: list[Leaf] = []
        containers: list[_Container] = []
        shared = 0  # containers that also hold the previous leaf
        top = 0
        tokens, lines = self._parser.parse(source), source.split("\n")
        for place, token in enumerate(tokens):
            if token.map and (token.level == 0 or (token.level == 1 and token.type == "list_item_open")):
                top = token.map[0]
            if token.type in ("list_item_open", "blockquote_open"):
                containers.append(self._open(token))
            elif token.type in ("list_item_close", "blockquote_close"):
                if not containers[-1].used:
                    leaves.append(self._empty(tokens, place, containers, top))
                containers.pop()
                shared = min(shared, len(containers))
            elif token.type in self._drawers and token.map:
                leaf = Leaf(token.type, token.map[0], token.map[1], top=top, level=token.level)
                if leaves and leaves[-1].top == top:
                    leaf.blank = leaf.begin > leaves[-1].end
                elif leaves or not first:
                    leaf.blank = top > 0 and not lines[top - 1].strip()
                if leaf.blank:
                    leaf.lines.append(Text("".join(each.rest for each in containers[:shared]).rstrip(), "dim"))
                self._draw(leaf, tokens[place:], containers, width)
                leaves.append(leaf)
                shared = len(containers)
        return leaves

    def _open(self, token: Token) -> _Container:
        if token.type == "blockquote_open":
            return _Container(f"{self._bar} ", f"{self._bar} ")
        mark = f"{token.info}{token.markup} " if token.info else f"{self._bullet} "
        return _Container(mark, " " * len(mark))

    def _empty(self, tokens: Sequence[Token], place: int, containers: Sequence[_Container], top: int) -> Leaf:
        """A leaf for a list item or quote without content."""
        opened = next(t for t in reversed(tokens[:place]) if t.level == tokens[place].level and t.nesting == 1)
        begin = opened.map[0] if opened.map else top
        leaf = Leaf("empty", begin, begin + 1, top=top, level=opened.level)
        leaf.lines = [Text("".join(container.mark() for container in containers).rstrip())]
        return leaf

    def _draw(self, leaf: Leaf, tokens: Sequence[Token], containers: Sequence[_Container], width: int) -> None:
        """Add the lines of a leaf, whose tokens are the first of these."""
        mark = "".join(container.mark() for container in containers)
        rest = "".join(container.rest for container in containers)
        style = "dim" if self._bar in rest else ""
        blank = len(leaf.lines)
        lines, settled = self._drawers[leaf.kind](tokens, max(width - cell_len(mark), _NARROWEST))
        leaf.lines += [Text.assemble((rest if number else mark, style), line) for number, line in enumerate(lines)]
        leaf.settled = blank + settled
        leaf.closed = leaf.kind == "fence" and leaf.end - leaf.begin > tokens[0].content.count("\n") + 1

    def _draw_paragraph(self, tokens: Sequence[Token], width: int) -> tuple[list[Line], int]:
        text, settled = render_inline(tokens[1].children or ())
        lines = self._wrap(text, width)
        # The last line may still take words; so may the last line of the settled text.
        return lines, max(len(lines if settled == len(text) else self._wrap(text[:settled], width)) - 1, 0)

    def _wrap(self, text: Text, width: int) -> list[Line]:
        lines: list[Line] = []
        for line in text.split("\n", allow_blank=True):
            lines += line.wrap(self._console, width, justify="left", overflow="fold") or [Text()]
        for line in lines:
            line.rstrip()
        return lines

    def _draw_heading(self, tokens: Sequence[Token], width: int) -> tuple[list[Line], int]:
        text, _ = render_inline(tokens[1].children or ())
        text.stylize(_HEADINGS.get(tokens[0].tag, "italic"))
        return self._wrap(text, width), 0

    def _draw_code(self, tokens: Sequence[Token], width: int) -> tuple[list[Line], int]:
        """Draw code without wrapping it: users select and copy the lines as the model wrote them."""
        token = tokens[0]
        shown = [one_line(line.expandtabs(4)) for line in token.content.split("\n")[:-1]]
        language = token.info.split()[0] if token.info.split() else ""
        lines = [Text(f"{token.markup}{one_line(language)}", "dim")] if token.markup else []
        lines += [_colour(line, language) for line in shown]
        settled = len(lines)
        while settled > 1 and not lines[settled - 1].plain.strip():  # blank lines may turn out to be below the block
            settled -= 1
        if token.markup and token.map and token.map[1] - token.map[0] > len(shown) + 1:
            lines.append(Text(token.markup, "dim"))
            settled = len(lines)
        return lines, settled

    def _draw_rule(self, tokens: Sequence[Token], width: int) -> tuple[list[Line], int]:
        return [Text(self._rule * min(width, 40), "dim")], 0

    def _draw_table(self, tokens: Sequence[Token], width: int) -> tuple[list[Line], int]:
        table = Table(show_edge=False, pad_edge=False, header_style="bold", border_style="dim")
        row: list[Text] = []
        for before, token in pairwise(tokens):
            if token.type == "table_close":
                break
            if token.type == "inline" and before.type == "th_open":
                table.add_column(render_inline(token.children or ()).text, justify=_side(before), overflow="fold")
            elif token.type == "inline":
                row.append(render_inline(token.children or ()).text)
            elif token.type == "tr_close" and row:
                table.add_row(*row)
                row = []
        rendered = self._console.render_lines(
            Padding(table, 0), self._console.options.update(width=width, height=None), pad=False
        )
        lines = [Text.assemble(*((s.text, s.style or "") for s in line if not s.control)) for line in rendered]
        for line in lines:
            line.rstrip()
        return lines, 0


@lru_cache(maxsize=1024)
def _colour(line: str, language: str) -> Line:
    """Highlight a line of code separately, so that its colours do not depend on the lines around it."""
    syntax = _syntax(language)
    shown = Text(line) if syntax is None else syntax.highlight(line)
    shown.rstrip()
    return shown


@lru_cache(maxsize=16)
def _syntax(language: str) -> Syntax | None:
    """Return None for an unknown language."""
    syntax = Syntax("", language or "text", theme="ansi_dark", background_color="default")
    return syntax if language and syntax.lexer is not None else None


def _side(token: Token) -> Any:
    return str(token.attrGet("style") or "text-align:left").rpartition(":")[2]


def _find_table(state: StateBlock, begin: int, end: int, silent: bool) -> bool:
    """Require a bar before the first column: otherwise a line being written might still become a table's heading."""
    first = state.bMarks[begin] + state.tShift[begin]
    return state.src[first : first + 1] == "|" and find_table(state, begin, end, silent)
