"""Inline Markdown as styled text, and how much of it is settled, whatever text may follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from markdown_it.token import Token
from rich.text import Text

from ..printable import one_line

__all__ = ["Inline", "render_inline"]

_STYLES = {"strong_open": "bold", "em_open": "italic", "s_open": "strike"}

# May still begin code, a link or emphasis. The text ends before white space, so a lookahead misses no character.
_OPENER = re.compile(r"`|\[(?![^\[\]]*\](?!\())|\*(?=\S)|(?<!\w)_(?=\S)|~~(?=\S)|<(?=[A-Za-z])")
_FILLER = "\0"  # replaces settled characters


class Inline(NamedTuple):
    """Styled text, and how many of its characters stay the same when more text follows."""

    text: Text
    settled: int


def render_inline(tokens: Sequence[Token]) -> Inline:
    """Render the content of a paragraph."""
    return _Renderer().render(tokens)


class _Renderer:
    def __init__(self) -> None:
        self._text = Text()
        self._literal: list[str] = []  # the same length as the text
        self._styles: list[str] = []
        self._links: list[tuple[int, str]] = []  # where the text of each open link begins, and its target
        self._begin = 0  # where the outermost emphasis or link begins
        self._spans: list[tuple[int, int]] = []

    def render(self, tokens: Sequence[Token]) -> Inline:
        for token in tokens:
            self._take(token)
        found = _OPENER.search("".join(self._literal))
        settled = len(self._text) if found is None else found.start()
        # An opener inside an emphasis may pair with the closing mark of that emphasis.
        settled = next((begin for begin, end in self._spans if begin <= settled < end), settled)
        return Inline(self._text, settled)

    def _take(self, token: Token) -> None:
        kind = token.type
        if kind in ("text", "text_special"):
            self._add(token.content, settled=False)
        elif kind == "softbreak":
            self._add(" ", settled=False)
        elif kind == "hardbreak":
            self._text.append("\n")
            self._literal.append("\n")
        elif kind == "code_inline":
            self._add(token.content, "bold cyan")
        elif kind == "image":
            self._add(f"{token.content} ({token.attrGet('src')})".strip())
        elif kind.endswith("_open"):
            self._open(token)
        elif kind.endswith("_close"):
            self._close(token)

    def _open(self, token: Token) -> None:
        if not self._styles:
            self._begin = len(self._text)
        self._styles.append(_STYLES.get(token.type, "underline"))
        if token.type == "link_open":
            self._links.append((len(self._text), str(token.attrGet("href") or "")))

    def _close(self, token: Token) -> None:
        self._styles.pop()
        if token.type == "link_close":
            begin, target = self._links.pop()
            if target.removeprefix("mailto:") != self._text.plain[begin:]:
                self._add(f" ({target})", "dim")
        if not self._styles:
            self._spans.append((self._begin, len(self._text)))

    def _add(self, text: str, style: str = "", *, settled: bool = True) -> None:
        shown = one_line(text.replace("\t", " "))
        self._text.append(shown, " ".join([*self._styles, style]).strip())
        self._literal.append(_FILLER * len(shown) if settled else shown)
