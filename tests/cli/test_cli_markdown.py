"""Markdown on a terminal: printed text never changes, and the result equals that of an answer printed at once."""

from __future__ import annotations

import io
import os
import re

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hf_text.cli.markdown import Markdown
from hf_text.emulator import Response

PAGE = """\
# Why the *sky* is **blue**

Sunlight looks white, but it is **a mixture of all the colours of the rainbow**, and `nitrogen` scatters
[most of them](https://example.org "t") little; 2 * 3, snake_case and [1] are as they are. \\*No\\* &amp; <b>no</b>.
A *line
break* in it.

1. First, with so much text that it is wrapped in a narrow terminal
2. Second
   - nested **one**

     a paragraph of it
   - nested two
-

> A quote that is long enough to be wrapped in a narrow terminal
> - and a list

```python
def main():

    return "x"  # not *this*

```

| Name | Long column with text |
|:-----|----------------------:|
| `a`  | **bold** and a cell that is so long that it is wrapped |

---
Text | without a table
===
日本語のテキストはとても長いので、端末の幅で折り返されなければならない。**太字**もあります。
"""

# Strings with a meaning in Markdown, so that random texts contain many of them.
PIECES = [
    *"*_`[]()#>-+1.|~<&!\\ \n\n\nab",
    *("```", "**", "- ", "1. ", "word ", "\n\n", "    ", "| a | b |\n|--|--|\n", "> ", "](http://x)", "\n- ", "日本"),
    "longer text with words ",
]
EVER_PRINTED = re.compile(r"(?:\x1b\[[0-9;]*m|[^\x00-\x1f\x7f-\x9f]|\n)*")


def console(encoding="utf-8"):
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    environ = {"TERM": "xterm-256color", "COLUMNS": "80"}
    return Console(file=file, force_terminal=True, highlight=False, markup=False, emoji=False, _environ=environ)


def render(pieces, columns, **options):
    markdown = Markdown(lambda: columns, console(**options))
    return "".join(map(markdown.feed, pieces)) + markdown.end()


def screen_after(text, columns):
    """Return the scrollback and the lines of a 10-line screen, with styles."""
    screen = pyte.HistoryScreen(columns, 10, history=100_000)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    return list(screen.history.top), [screen.buffer[line] for line in range(10)]


@pytest.mark.parametrize("columns", [80, 40, 20])
@pytest.mark.parametrize("size", [1, 3, 7, 40])
def test_screen_and_scrollback_match_an_answer_printed_at_once(columns, size):
    streamed = render([PAGE[at : at + size] for at in range(0, len(PAGE), size)], columns)
    assert screen_after(streamed, columns) == screen_after(render([PAGE], columns), columns)
    assert EVER_PRINTED.fullmatch(streamed)


@given(st.lists(st.sampled_from(PIECES), max_size=60), st.integers(1, 9), st.sampled_from([20, 40, 60]))
def test_any_text_prints_as_if_it_had_arrived_at_once(pieces, size, columns):
    text = "".join(pieces)
    streamed = render([text[at : at + size] for at in range(0, len(text), size)], columns)
    assert streamed == render([text], columns)
    assert EVER_PRINTED.fullmatch(streamed)


def test_settled_text_is_printed_before_the_answer_ends():
    markdown = Markdown(lambda: 20, console())
    printed = ""
    for text, shown in [
        ("# Head\n", "Head"),
        ("one two three four five six seven eight ", "one two three four\n"),
        ("nine\n\n- item\n- next\n", "item"),
        ("\n```\ncode\n", "code"),
        ("```\n", "code"),
    ]:
        printed += "".join(map(markdown.feed, text))
        assert shown in printed
    assert "next" in printed


def test_no_style_crosses_the_end_of_a_line():
    for line in render([PAGE], 40).split("\n"):
        styles = re.findall(r"\x1b\[([0-9;]*)m", line)
        assert not styles or styles[-1] in ("", "0")


def test_entities_and_links_cannot_control_the_terminal():
    shown = render(["&#27;[2J &#x202e; [a](http://x/\u202e) `\u202e`\n"], 80)
    assert EVER_PRINTED.fullmatch(shown)
    assert "\u202e" not in shown


def test_a_terminal_without_unicode_gets_ascii():
    assert render(["- a\n\n> b\n\n---\n\n| a | b |\n|---|---|\n| c | d |\n"], 40, encoding="ascii").isascii()


@pytest.mark.skipif(os.name == "nt", reason="terminals as on Unix")
def test_markdown_is_only_rendered_on_a_terminal(hf, cli, terminal):
    hf.always(Response.text("# He", "ad\n\n- **a**\n- `b`\n"))
    shell = terminal(40)
    shell.run("--markdown", "Hello")
    assert shell.wait() == 0
    assert shell.lines[-4:] == ["Head", "", "• a", "• b"]
    assert cli("--markdown", "Hello").out == "# Head\n\n- **a**\n- `b`\n"
    assert cli("--markdown", "--json", "Hello").status == 0
