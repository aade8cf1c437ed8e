"""An answer as Markdown that is safe to display, whatever the model wrote.

A notebook renders Markdown in a page with its user's permissions. So active content is shown as text: raw HTML, links
with other schemes than those of the web and mail, and pictures (fetching one would show its server what is being read,
and when).

Renderers disagree about what is code. So text is never left unescaped only because it looks like code: a code block is
written in a form that all renderers parse identically, a code span begins and ends on one line, and an unpaired
backtick becomes an entity. Everything else is escaped. If a renderer finds code where this module finds none, it shows
an entity, which is harmless. Every step takes linear time.

Renderers are not linear: marked, which JupyterLab uses, takes minutes for 64,000 backticks, and fails on deeply nested
quotes or lists. Text that complex would not be readable anyway, so it is shown as source, in a code block.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from .markdown_effort import (
    ITEM,
    MARKER,
    MAX_INDENT,
    MAX_NESTED,
    Spent,
    effort_of,
    expand,
    indent,
    is_nested_deep,
    size_of_code,
    size_of_line,
    size_of_maths,
)
from .printable import one_line

__all__ = ["escape", "render"]

_MAX_MATHS = 2_000  # characters of one formula
_MAX_BACKTICKS = 80  # in one line of code

# Line ends for some renderers or their regular expressions; white space in CommonMark.
_BLANKS = dict.fromkeys((0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029), " ") | {0: "\ufffd"}

# No script needs more accents on one letter; thousands keep a browser busy for many seconds.
_ACCENTS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{8})(?=[\u0300-\u036f])"
)
_DOTTED_CIRCLE = "\u25cc"  # Unicode's base character for isolated accents

_FENCE = re.compile(rf"( {{0,{MAX_INDENT}}}(?:{MARKER} {{1,4}}){{0,{MAX_NESTED}}})(`{{3,}}|~{{3,}})(.*)", re.DOTALL)
_LANGUAGE = re.compile(r"\s*([\w+#.-]{1,40})(?![^\s{])")
_QUOTE = re.compile(r"( {0,3}>) ?")
_RUN = re.compile(r"`+")

_SPECIAL = re.compile(r"\\[!-/:-@\[-`{-~]|\\(?:begin|end)|`+|\$|~{3,}|<|!\[|\][(:]|://|www\.", re.IGNORECASE)
_URL_END = re.compile(r"\s|\Z")  # "<" does not end it: it is escaped
_AUTOLINK = re.compile(r"<https?://[^\s<>`$!|\[\]\\]*>", re.IGNORECASE)
# Links to the web, to mail addresses, or relative links: without a ":" before the path, escaped or not.
_LINK = re.compile(r"\]\((?=[ \t]*(?:https?://|mailto:|[\w.~+=-]+(?:[/#?)\s]|\Z)|[/#?)]))", re.IGNORECASE)
# A bracket at the start of a line without another bracket on that line: some renderers search for "]:" in later lines.
_OPEN_BRACKET = re.compile(r"(?m)^([ \t>*+.)\d-]*)\[(?!(?:\\.|[^\[\]\\\n])*[\[\]])")
# Delimiters of maths that JupyterLab recognises even in code; dollars only in indented blocks.
_LIKE_MATHS = re.compile(r"\\(?:begin|end|\\)")
_LIKE_MATHS_INDENTED = re.compile(r"\$|" + _LIKE_MATHS.pattern)
_ACTIVE_MATHS = re.compile(r"`|~~~|://|www\.|\\(?:href|url|includegraphics|require|html|class|style|cssId|data)")

_DOLLAR = "<span>&#36;</span>"
_NOT_PLAIN = {ord(mark): f"&#{ord(mark)};" for mark in "!#&*:;<=>@[\\]^_`{|}~\"'"} | {ord("$"): _DOLLAR}
_PUNCTUATION = {code: f"&#{code};" for code in range(0x21, 0x7F) if not chr(code).isalnum()}


def render(text: str, reasoning: str = "") -> str:
    """The text as safe Markdown for a notebook, with the reasoning collapsed above it.

    Outside code, raw HTML is shown as source; so are pictures, and links except to the web, to mail addresses and
    relative ones. Amounts of money are not rendered as maths. The result is about as long as the text, at most a small
    multiple.
    """
    spent = Spent()
    shown = "\n".join(_render_lines(text, 0, spent))
    if not reasoning:
        return shown
    quoted = "\n".join(f"> {line}" for line in _render_lines(reasoning, 1, spent))
    return f"<details><summary>Reasoning</summary>\n\n{quoted}\n\n</details>\n\n{shown}"


def escape(text: str) -> str:
    """A name or short text, escaped for use within a line so that every renderer shows it literally."""
    return one_line(text).translate(_NOT_PLAIN)


def _render_lines(text: str, depth: int, spent: Spent) -> list[str]:
    text = _ACCENTS.sub(rf"\1{_DOTTED_CIRCLE}", text)
    lines = text.translate(_BLANKS).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _Container(lines, depth, spent).render()


class _Container:
    """The lines of a text, or of a block quote in it.

    Args:
        lines: the lines, without quote markers.
        depth: the number of enclosing quotes.
        spent: the rendering cost so far.
    """

    def __init__(self, lines: list[str], depth: int, spent: Spent) -> None:
        self._lines = lines
        self._depth = depth
        self._at = 0
        self._in_list = False
        self._spent = spent
        self._out: list[str] = []

    def render(self) -> list[str]:
        """The lines as safe Markdown."""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if self._spent.is_too_large:
                self._write_as_it_is("\n".join(self._lines[self._at :]).rstrip().split("\n"))
                break
            if _is_blank(line):
                self._out.append("")
                self._at += 1
            elif fence := _open_fence(line):
                self._take_fence(*fence)
            elif quote := self._open_quote(line):
                self._take_quote(quote)
            elif self._is_code(line):
                self._take_indented_code()
            else:
                self._take_text()
        return self._out

    @property
    def _after_blank(self) -> bool:
        return not self._out or not self._out[-1]

    def _open_quote(self, line: str) -> str | None:
        quote = _QUOTE.match(line) if self._depth < MAX_NESTED else None
        return quote[1] if quote else None

    def _is_code(self, line: str) -> bool:
        return self._after_blank and not self._in_list and indent(line) >= 4

    def _take_fence(self, before: str, mark: str, language: str) -> None:
        self._at += 1
        self._spent.add_size(1)
        begin = self._at
        while self._at < len(self._lines) and not _closes(self._lines[self._at], mark):
            self._at += 1
        code = self._lines[begin : self._at]
        self._at += 1  # past the closing fence
        if language and not self._spent.reserve(size=size_of_code(code)):
            language = ""  # without a language, no renderer highlights it
        self._in_list = bool(before)
        self._write_code(before, mark, language, code)

    def _take_indented_code(self) -> None:
        begin = self._at
        while self._at < len(self._lines) and (_is_blank(self._lines[self._at]) or indent(self._lines[self._at]) >= 4):
            self._at += 1
        while _is_blank(self._lines[self._at - 1]):
            self._at -= 1
        code = [expand(line)[4:] for line in self._lines[begin : self._at]]
        self._spent.add_size(1)
        self._write_as_it_is(code)

    def _write_as_it_is(self, lines: list[str]) -> None:
        longest = max((len(run) for line in lines for run in _RUN.findall(line)), default=0)
        self._write_code("", "`" * max(3, longest + 1), "", lines)

    def _write_code(self, before: str, mark: str, language: str, code: list[str]) -> None:
        margin = " " * len(before)
        inside = bool(before or self._depth)
        like_maths = any(map((_LIKE_MATHS_INDENTED if inside else _LIKE_MATHS).search, code))
        many_backticks = any(line.count("`") > _MAX_BACKTICKS for line in (mark, *code))
        # A fence ends a paragraph by itself, but a deeply indented fence or a list may not. The blank lines also keep
        # maths delimiters from pairing across blocks.
        apart = like_maths or many_backticks
        if not self._after_blank and (apart or len(before) >= 4 or before.strip()):
            self._out.append("")
        if many_backticks or (like_maths and inside):
            lines = [line.translate(_PUNCTUATION) for line in code] or [""]
            lines[0] = f"<pre><code>{lines[0]}"
            lines[-1] += "</code></pre>"
            self._out += [f"{before or margin}{lines[0]}", *(margin + line for line in lines[1:])]
        else:
            self._out += [f"{before}{mark}{language}", *_indented(code, margin), f"{margin}{mark}"]
        if apart:
            self._out.append("")

    def _take_quote(self, prefix: str) -> None:
        inner: list[str] = []
        self._spent.add_size(5)
        while self._at < len(self._lines) and (mark := _QUOTE.match(self._lines[self._at])):
            inner.append(self._lines[self._at][mark.end() :])
            self._at += 1
        quote = _Container(inner, self._depth + 1, self._spent)
        self._out += [f"{prefix} {line}" if line else prefix for line in quote.render()]

    def _take_text(self) -> None:
        """Consume lines until one begins another kind of block."""
        begin = self._at
        self._spent.add_size(1)
        while self._at < len(self._lines) and not self._spent.is_too_large:
            line = self._lines[self._at]
            if self._at > begin and (_is_blank(line) or _open_fence(line) or self._open_quote(line)):
                break
            self._spent.add_size(size_of_line(line))
            if ITEM.match(line):
                self._in_list = True
            elif not indent(line) and (line.startswith("#") or (self._at == begin and self._after_blank)):
                self._in_list = False
            self._at += 1
        if self._spent.is_too_large:
            self._at = begin  # render() writes these lines together with the rest
            return
        lines = self._lines[begin : self._at]
        written = _Text("\n".join(lines), self._spent).render().split("\n")
        effort = effort_of(written)
        too_deep = is_nested_deep(lines) or (self._depth == MAX_NESTED and any(map(_QUOTE.match, lines)))
        if too_deep or not self._spent.reserve(effort=effort):
            self._write_as_it_is(lines)
        else:
            self._out += written


class _Text:
    """Consecutive lines of text, without a blank line."""

    def __init__(self, text: str, spent: Spent) -> None:
        self._text = text
        self._spent = spent
        self._out: list[str] = []
        self._line_end = -1
        self._url_end = -1  # where the last URL written unchanged ends
        self._runs: dict[int, list[int]] = {}  # start positions of backtick runs, by their length
        for run in _RUN.finditer(text):
            self._runs.setdefault(len(run[0]), []).append(run.start())

    def render(self) -> str:
        """The text as safe Markdown."""
        text, at = self._text, 0
        while special := _SPECIAL.search(text, at):
            start = special.start()
            self._out.append(text[at:start])
            if start > self._line_end:
                end = text.find("\n", start)
                self._line_end = len(text) if end < 0 else end
            at = self._take(special[0], start)
        self._out.append(text[at:])
        return _OPEN_BRACKET.sub(r"\1&#91;", "".join(self._out))

    def _take(self, special: str, start: int) -> int:
        """Write the construct that begins with these characters; returns the position after it."""
        if special[0] == "`":
            return self._take_code(special, start)
        if special in ("$", r"\$"):
            if start < self._url_end:
                return self._write("%24", start + len(special))
            return self._take_dollar(start) if special == "$" else self._write(_DOLLAR, start + 2)
        if special[0] == "]":
            return self._write(
                special if _LINK.match(self._text, start) else special.translate(_PUNCTUATION), start + 2
            )
        if special == "<":
            link = _AUTOLINK.match(self._text, start)
            return self._write_url(link[0], start) if link else self._write("&lt;", start + 1)
        if special[0] in ":wW":
            return self._write_url(special, start)
        if special == "![":
            return self._write("&#33;", start + 1)
        if special[1:2].isalpha():  # \begin or \end
            return self._write("&#92;", start + 1)
        if special[0] == "~" or special in (r"\<", r"\`", r"\\"):
            return self._write(special[special[0] == "\\" :].translate(_PUNCTUATION), start + len(special))
        return self._write(special, start + 2)

    def _write(self, written: str, place: int) -> int:
        self._out.append(written)
        return place

    def _write_url(self, written: str, start: int) -> int:
        if start >= self._url_end:
            self._url_end = _URL_END.search(self._text, start + 1).start()  # type: ignore[union-attr]  # it finds the end
        return self._write(written, start + len(written))

    def _take_code(self, mark: str, start: int) -> int:
        begin = start + len(mark)
        places = self._runs.get(len(mark), [])
        following = bisect_left(places, begin)
        if following == len(places) or places[following] > self._line_end:
            return self._write(mark.translate(_PUNCTUATION), begin)
        code, end = self._text[begin : places[following]], places[following] + len(mark)
        # A "|" could split the span in a table, maths could begin within it, or a URL could extend into it.
        if "|" in code or start < self._url_end or _LIKE_MATHS.search(code):
            self._out.append(f"<code>{code.translate(_PUNCTUATION)}</code>")
        else:
            self._out.append(f"{mark}{code}{mark}")
        # pandoc interprets braces after a code span as attributes: `<b>`{=html}
        if self._text.startswith("{", end):
            return self._write("&#123;", end + 1)
        return end

    def _take_dollar(self, start: int) -> int:
        """Write maths, or a literal dollar. Maths follows pandoc's rule: no space inside the dollars, no digit after
        them.
        """
        text, mark = self._text, "$$" if self._text.startswith("$$", start) else "$"
        begin = start + len(mark)
        end = text.find(mark, begin, len(text) if mark == "$$" else self._line_end)
        after = end + len(mark)
        maths = text[begin:end] if end > begin else ""
        if mark == "$" and (maths != maths.strip() or maths.endswith("\\") or text[after : after + 1].isdigit()):
            maths = ""
        if not maths or not _balanced(maths) or _ACTIVE_MATHS.search(maths) or not self._reserve(maths):
            return self._write(_DOLLAR * len(mark), begin)
        for active, harmless in (("<", r"\lt "), ("![", "! ["), ("](", "] ("), ("]:", "] :")):
            maths = maths.replace(active, harmless)
        return self._write(f"{mark}{maths}{mark}", after)

    def _reserve(self, maths: str) -> bool:
        return len(maths) <= _MAX_MATHS and self._spent.reserve(size=size_of_maths(maths))


def _balanced(maths: str) -> bool:
    """Whether the braces are balanced, so that JupyterLab ends the maths at the same delimiter."""
    return maths.count("{") - maths.count(r"\{") == maths.count("}") - maths.count(r"\}")


def _is_blank(line: str) -> bool:
    return not line.strip(" \t")


def _open_fence(line: str) -> tuple[str, str, str] | None:
    """The prefix of a fence, its marker, and the language; None for any other line."""
    if "```" not in line and "~~~" not in line:
        return None
    fence = _FENCE.match(line.expandtabs(4))
    if fence is None or (fence[2][0] == "`" and "`" in fence[3]):
        return None
    language = _LANGUAGE.match(fence[3])
    return fence[1], fence[2], language[1] if language else ""


def _closes(line: str, mark: str) -> bool:
    bare = line.strip(" \t")
    return len(bare) >= len(mark) and bare.strip(mark[0]) == ""


def _indented(code: list[str], margin: str) -> list[str]:
    """The lines of a code block, none of them left of its fence. If any line is, all lines are indented further."""
    if not margin:
        return code
    code = [expand(line) for line in code]
    moved = any(not line.startswith(margin) for line in code if not _is_blank(line))
    return [margin + line if moved and not _is_blank(line) else line for line in code]
